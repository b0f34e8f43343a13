//! The tokens of `when`, and which may follow which.

use std::ops::Range;

use crate::expr::fault::ParseError;
use crate::expr::functions::dates;

/// What a bare word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// A text: the `when` of steps and tasks (Argo's `shouldExecute` in `controller/steps.go`).
    Texts,
    /// A variable, of which there are none: the `when` of a CronWorkflow.
    Variables,
}

/// A token's kind and content.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Prefix(char),
    Number(f64),
    Bool(bool),
    /// A quoted text, or a bare word where those are texts.
    Text(String),
    /// A bare word where it is a variable.
    Variable(String),
    /// A quoted date, in seconds since 1970.
    Time(f64),
    Open,
    Close,
    Comma,
    Modifier(&'static str),
    Comparator(&'static str),
    Logical(&'static str),
    Ternary(&'static str),
}

/// A token with its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Placed {
    pub token: Token,
    pub at: Range<usize>,
}

const MODIFIERS: [&str; 10] = ["+", "-", "*", "/", "%", "**", "&", "|", "^", ">>"];
const MORE_MODIFIERS: [&str; 1] = ["<<"];
const COMPARATORS: [&str; 8] = ["==", "!=", ">", ">=", "<", "<=", "=~", "!~"];
const LOGICALS: [&str; 2] = ["&&", "||"];
const TERNARIES: [&str; 3] = ["?", ":", "??"];

/// Splits a text into tokens and checks that each may follow the one before.
pub(super) fn tokens(text: &str, names: Names) -> Result<Vec<Placed>, ParseError> {
    let mut lexer = Lexer { text, at: 0, names };
    let mut found: Vec<Placed> = Vec::new();
    while let Some(placed) = lexer.next(found.last().map(|placed| &placed.token))? {
        check_order(found.last(), &placed, text)?;
        found.push(placed);
    }
    match found.last() {
        None => Err(ParseError::new("the condition is empty", 0..text.len())),
        Some(last) if !may_end(&last.token) => {
            Err(ParseError::new("the condition ends too early", text.len()..text.len()))
        }
        Some(_) => Ok(found),
    }
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    names: Names,
}

impl Lexer<'_> {
    fn next(&mut self, before: Option<&Token>) -> Result<Option<Placed>, ParseError> {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        let Some(first) = self.text[self.at..].chars().next() else { return Ok(None) };
        let start = self.at;
        let token = match first {
            '0'..='9' | '.' => self.number()?,
            ',' => self.single(Token::Comma),
            '(' => self.single(Token::Open),
            ')' => self.single(Token::Close),
            '[' => self.bracketed()?,
            '\'' | '"' => self.quoted()?,
            c if c.is_alphabetic() => self.word(),
            _ => self.sign(before)?,
        };
        Ok(Some(Placed { token, at: start..self.at }))
    }

    fn single(&mut self, token: Token) -> Token {
        self.at += 1;
        token
    }

    fn number(&mut self) -> Result<Token, ParseError> {
        let start = self.at;
        let digits = self.run(|c| c.is_numeric() || c == '.');
        digits.parse().map(Token::Number).map_err(|_| {
            ParseError::new(format!("`{digits}` is not a number"), start..self.at).help("put it in quotes: `'…'`")
        })
    }

    /// Reads `[any text]`, govaluate's way to name variables with odd characters.
    fn bracketed(&mut self) -> Result<Token, ParseError> {
        let start = self.at;
        self.at += 1;
        let text = self
            .until(|c| c == ']')
            .ok_or_else(|| ParseError::new("`[` is not closed by `]`", start..self.text.len()))?;
        Ok(self.named(text))
    }

    /// Reads a text in quotes; either kind of quote ends it, as in govaluate.
    fn quoted(&mut self) -> Result<Token, ParseError> {
        let start = self.at;
        self.at += 1;
        let text = self
            .until(|c| c == '\'' || c == '"')
            .ok_or_else(|| ParseError::new("a text in quotes is not closed", start..self.text.len()))?;
        Ok(match dates::seconds_of_any_format(&text) {
            Some(seconds) => Token::Time(seconds),
            None => Token::Text(text),
        })
    }

    fn word(&mut self) -> Token {
        let word = self.run(|c| c.is_alphabetic() || c.is_numeric() || c == '_');
        match word.as_str() {
            "true" => Token::Bool(true),
            "false" => Token::Bool(false),
            "in" | "IN" => Token::Comparator("in"),
            _ => self.named(word),
        }
    }

    fn named(&self, name: String) -> Token {
        match self.names {
            Names::Texts => Token::Text(name),
            Names::Variables => Token::Variable(name),
        }
    }

    /// Reads a run of signs, which must be known as a whole.
    fn sign(&mut self, before: Option<&Token>) -> Result<Token, ParseError> {
        let start = self.at;
        let signs = self.run(|c| !(c.is_alphanumeric() || matches!(c, '(' | ')' | '\'' | '"')));
        if let ("-" | "!" | "~", true) = (signs.as_str(), may_follow(before, &Token::Prefix('-'))) {
            return Ok(Token::Prefix(signs.chars().next().expect("it is one of the three")));
        }
        let known = |list: &[&'static str]| list.iter().find(|known| **known == signs).copied();
        known(&MODIFIERS)
            .or_else(|| known(&MORE_MODIFIERS))
            .map(Token::Modifier)
            .or_else(|| known(&LOGICALS).map(Token::Logical))
            .or_else(|| known(&COMPARATORS).map(Token::Comparator))
            .or_else(|| known(&TERNARIES).map(Token::Ternary))
            .ok_or_else(|| invalid_sign(&signs, start..self.at))
    }

    /// Reads characters while `wanted`; a backslash takes the next one as it is.
    fn run(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let mut found = String::new();
        let mut chars = self.text[self.at..].chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => found.extend(chars.next()),
                c if c.is_whitespace() || !wanted(c) => break,
                c => found.push(c),
            }
            self.at = self.text.len() - chars.as_str().len();
        }
        found
    }

    /// Reads to a terminator, blanks included, and over it; none when it is not there.
    fn until(&mut self, ends: impl Fn(char) -> bool) -> Option<String> {
        let mut found = String::new();
        let mut chars = self.text[self.at..].chars();
        while let Some(c) = chars.next() {
            self.at = self.text.len() - chars.as_str().len();
            match c {
                '\\' => found.extend(chars.next()),
                c if ends(c) => return Some(found),
                c => found.push(c),
            }
        }
        None
    }
}

fn invalid_sign(signs: &str, at: Range<usize>) -> ParseError {
    let fault = ParseError::new(format!("invalid token `{signs}`"), at);
    match signs {
        "=" => fault.help("write `==` to compare"),
        signs if signs.starts_with("{{") => {
            fault.help("this tag was not resolved; put it in quotes to compare it as a text")
        }
        _ => fault.help("put texts in quotes, and blanks between signs"),
    }
}

/// The kinds of tokens, for the table of what may follow what.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Prefix,
    Number,
    Bool,
    Text,
    Variable,
    Time,
    Open,
    Close,
    Comma,
    Modifier,
    Comparator,
    Logical,
    Ternary,
}

fn kind(token: &Token) -> Kind {
    match token {
        Token::Prefix(_) => Kind::Prefix,
        Token::Number(_) => Kind::Number,
        Token::Bool(_) => Kind::Bool,
        Token::Text(_) => Kind::Text,
        Token::Variable(_) => Kind::Variable,
        Token::Time(_) => Kind::Time,
        Token::Open => Kind::Open,
        Token::Close => Kind::Close,
        Token::Comma => Kind::Comma,
        Token::Modifier(_) => Kind::Modifier,
        Token::Comparator(_) => Kind::Comparator,
        Token::Logical(_) => Kind::Logical,
        Token::Ternary(_) => Kind::Ternary,
    }
}

/// Returns whether govaluate lets `next` follow `before` (its `validLexerStates`).
fn may_follow(before: Option<&Token>, next: &Token) -> bool {
    use Kind::*;
    let next = kind(next);
    let starts_value = matches!(next, Prefix | Number | Bool | Variable | Text | Open);
    let goes_on = matches!(next, Modifier | Comparator | Logical | Close | Comma);
    match before.map(kind) {
        None => starts_value || next == Time,
        Some(Open) => starts_value || matches!(next, Time | Close),
        Some(Number | Bool | Text | Variable) => goes_on || next == Ternary,
        Some(Close) => goes_on || next == Ternary,
        Some(Time) => goes_on,
        Some(Modifier) => starts_value,
        Some(Comparator | Logical | Ternary | Comma) => starts_value || next == Time,
        Some(Prefix) => matches!(next, Number | Bool | Variable | Open | Text),
    }
}

fn may_end(token: &Token) -> bool {
    matches!(kind(token), Kind::Number | Kind::Bool | Kind::Text | Kind::Variable | Kind::Time | Kind::Close)
}

fn check_order(before: Option<&Placed>, next: &Placed, text: &str) -> Result<(), ParseError> {
    if may_follow(before.map(|placed| &placed.token), &next.token) {
        return Ok(());
    }
    let found = &text[next.at.clone()];
    Err(match before {
        None => ParseError::new(format!("a condition cannot begin with `{found}`"), next.at.clone()),
        Some(before) => {
            let first = &text[before.at.clone()];
            ParseError::new(format!("`{found}` cannot follow `{first}`"), before.at.start..next.at.end)
                .help("put texts in quotes: `'…'`")
        }
    })
}
