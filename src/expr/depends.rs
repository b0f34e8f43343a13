//! `depends`: which results of which tasks let a task start.
//!
//! Argo splices texts by regular expression and hands the outcome to its expression language
//! (`workflow/common/ancestry.go`). The language that this leaves is small: names with an
//! optional result, `&&`, `||`, `!` (or `and`, `or`, `not`) and parentheses.

use std::ops::Range;

use super::fault::ParseError;
use crate::base::{limits, suggest};

/// A condition over the results of tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expr {
    /// A task, by one of its results, or bare.
    Task {
        /// The task's name.
        name: String,
        /// The result that is asked for; none asks for those that [`TaskResult::bare`] lists.
        result: Option<TaskResult>,
        /// The bytes of the text that say it.
        span: Range<usize>,
    },
    /// All hold; with no member it holds.
    And(Vec<Expr>),
    /// At least one holds; with no member none does.
    Or(Vec<Expr>),
    /// It does not hold.
    Not(Box<Expr>),
}

/// What a task can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskResult {
    /// It ran and went well.
    Succeeded,
    /// It ran and went wrong.
    Failed,
    /// It could not be run to its end.
    Errored,
    /// Its `when` did not hold.
    Skipped,
    /// Its `depends` did not hold.
    Omitted,
    /// It is a daemon and is ready.
    Daemoned,
    /// One of its loop's children succeeded.
    AnySucceeded,
    /// All of its loop's children failed.
    AllFailed,
}

impl TaskResult {
    /// Every result, in Argo's order.
    pub const ALL: [TaskResult; 8] = [
        Self::Succeeded,
        Self::Failed,
        Self::Errored,
        Self::Skipped,
        Self::Omitted,
        Self::Daemoned,
        Self::AnySucceeded,
        Self::AllFailed,
    ];

    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Errored => "Errored",
            Self::Skipped => "Skipped",
            Self::Omitted => "Omitted",
            Self::Daemoned => "Daemoned",
            Self::AnySucceeded => "AnySucceeded",
            Self::AllFailed => "AllFailed",
        }
    }

    /// Returns the results that satisfy a bare name, of which `continueOn` adds some
    /// (`expandDependency`). `Omitted` is never among them: omission cascades.
    pub fn bare(continue_on_error: bool, continue_on_failed: bool) -> impl Iterator<Item = TaskResult> {
        [Self::Succeeded, Self::Skipped, Self::Daemoned]
            .into_iter()
            .chain(continue_on_error.then_some(Self::Errored))
            .chain(continue_on_failed.then_some(Self::Failed))
    }

    /// Returns whether the result is about the children of a loop.
    pub fn is_about_items(self) -> bool {
        matches!(self, Self::AnySucceeded | Self::AllFailed)
    }
}

/// Reads a `depends` text.
pub fn parse(text: &str) -> Result<Expr, ParseError> {
    if text.len() > limits::EXPR_BYTES_MAX {
        return Err(ParseError::new(
            format!("`depends` is longer than {} bytes (EXPR_BYTES_MAX)", limits::EXPR_BYTES_MAX),
            0..text.len(),
        ));
    }
    let mut parser = Parser { text, at: 0, depth: 0 };
    let expr = parser.alternatives()?;
    match parser.peek() {
        Token::End => Ok(expr),
        other => Err(parser.unexpected(other)),
    }
}

impl Expr {
    /// Returns the condition that a list of `dependencies` means: every one of them, bare.
    pub fn from_dependencies<'a>(names: impl IntoIterator<Item = &'a str>) -> Expr {
        let bare = |name: &str| Expr::Task { name: name.to_owned(), result: None, span: 0..0 };
        Expr::And(names.into_iter().map(bare).collect())
    }

    /// Returns every mention of a task, in the order of the text.
    pub fn tasks(&self) -> impl Iterator<Item = TaskRef<'_>> {
        let mut found = Vec::new();
        self.collect(&mut found);
        found.into_iter()
    }

    /// Returns whether the condition holds, when `holds` says so of each mention of a task;
    /// for a bare name it is asked with no result.
    pub fn eval(&self, holds: &dyn Fn(&str, Option<TaskResult>) -> bool) -> bool {
        match self {
            Self::Task { name, result, .. } => holds(name, *result),
            Self::And(members) => members.iter().all(|member| member.eval(holds)),
            Self::Or(members) => members.iter().any(|member| member.eval(holds)),
            Self::Not(inner) => !inner.eval(holds),
        }
    }

    fn collect<'a>(&'a self, found: &mut Vec<TaskRef<'a>>) {
        match self {
            Self::Task { name, result, span } => {
                found.push(TaskRef { name, result: *result, span: span.clone() });
            }
            Self::And(members) | Self::Or(members) => members.iter().for_each(|member| member.collect(found)),
            Self::Not(inner) => inner.collect(found),
        }
    }
}

/// A mention of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskRef<'a> {
    /// The task's name.
    pub name: &'a str,
    /// The result that is asked for.
    pub result: Option<TaskResult>,
    /// The bytes of the text that say it.
    pub span: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    And,
    Or,
    Not,
    Word { len: usize },
    Other { len: usize },
    End,
}

impl Token {
    fn len(self) -> usize {
        match self {
            Self::Open | Self::Close => 1,
            Self::Word { len } | Self::Other { len } => len,
            Self::And | Self::Or | Self::Not | Self::End => 0,
        }
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn alternatives(&mut self) -> Result<Expr, ParseError> {
        let mut members = vec![self.all()?];
        while self.take_operator(Token::Or) {
            members.push(self.all()?);
        }
        Ok(one_or(members, Expr::Or))
    }

    fn all(&mut self) -> Result<Expr, ParseError> {
        let mut members = vec![self.single()?];
        while self.take_operator(Token::And) {
            members.push(self.single()?);
        }
        Ok(one_or(members, Expr::And))
    }

    fn single(&mut self) -> Result<Expr, ParseError> {
        self.depth += 1;
        if self.depth > limits::EXPR_DEPTH_MAX {
            return Err(ParseError::new(
                format!("`depends` nests deeper than {} (EXPR_DEPTH_MAX)", limits::EXPR_DEPTH_MAX),
                self.at..self.text.len(),
            ));
        }
        let expr = self.operand()?;
        self.depth -= 1;
        Ok(expr)
    }

    fn operand(&mut self) -> Result<Expr, ParseError> {
        if self.take_operator(Token::Not) {
            return Ok(Expr::Not(Box::new(self.single()?)));
        }
        match self.peek() {
            Token::Open => {
                self.at += 1;
                let inner = self.alternatives()?;
                match self.peek() {
                    Token::Close => self.at += 1,
                    other => return Err(self.unexpected(other).help("close the parenthesis")),
                }
                Ok(inner)
            }
            Token::Word { len } => self.task(len),
            other => Err(self.unexpected(other)),
        }
    }

    /// Reads `name` or `name.Result`, of `len` bytes.
    fn task(&mut self, len: usize) -> Result<Expr, ParseError> {
        let span = self.at..self.at + len;
        let text = self.text;
        let word = &text[span.clone()];
        self.at = span.end;
        let Some((name, result)) = word.split_once('.') else {
            return Ok(Expr::Task { name: word.to_owned(), result: None, span });
        };
        match TaskResult::ALL.into_iter().find(|known| known.as_str() == result) {
            Some(known) => Ok(Expr::Task { name: name.to_owned(), result: Some(known), span }),
            None => Err(unknown_result(name, result, span)),
        }
    }

    /// Takes an operator that may be written as a sign or as a word.
    fn take_operator(&mut self, wanted: Token) -> bool {
        let token = self.peek();
        let rest = &self.text[self.at..];
        let word = |len: usize| &rest[..len];
        let len = match (wanted, token) {
            (Token::Or, Token::Or) | (Token::And, Token::And) => 2,
            (Token::Not, Token::Not) => 1,
            (Token::Or, Token::Word { len }) if word(len) == "or" => len,
            (Token::And, Token::Word { len }) if word(len) == "and" => len,
            (Token::Not, Token::Word { len }) if word(len) == "not" => len,
            _ => return false,
        };
        self.at += len;
        true
    }

    fn peek(&mut self) -> Token {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        let rest = &self.text[self.at..];
        let Some(first) = rest.chars().next() else { return Token::End };
        match first {
            '(' => Token::Open,
            ')' => Token::Close,
            '!' => Token::Not,
            '&' if rest.starts_with("&&") => Token::And,
            '|' if rest.starts_with("||") => Token::Or,
            c if c.is_ascii_alphanumeric() => {
                let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
                Token::Word { len: rest.find(|c| !is_word(c)).unwrap_or(rest.len()) }
            }
            other => Token::Other { len: other.len_utf8() },
        }
    }

    fn unexpected(&self, token: Token) -> ParseError {
        if token == Token::End {
            let message = "`depends` ends where a task is expected";
            return ParseError::new(message, self.at..self.at).help("write `task` or `task.Succeeded` here");
        }
        let len = match token {
            Token::And | Token::Or => 2,
            Token::Not => 1,
            other => other.len(),
        };
        let span = self.at..self.at + len;
        let found = &self.text[span.clone()];
        let hint = match found {
            "&" => "write `&&`",
            "|" => "write `||`",
            _ => "join tasks by `&&`, `||`, `!` and parentheses",
        };
        ParseError::new(format!("unexpected `{found}` in `depends`"), span).help(hint)
    }
}

fn one_or(mut members: Vec<Expr>, many: fn(Vec<Expr>) -> Expr) -> Expr {
    match members.len() {
        1 => members.pop().expect("there is one"),
        _ => {
            // A plan keeps it for as long as the run.
            members.shrink_to_fit();
            many(members)
        }
    }
}

fn unknown_result(name: &str, result: &str, span: Range<usize>) -> ParseError {
    let fault = ParseError::new(format!("task result `{result}` of task `{name}` is unknown"), span);
    let words = TaskResult::ALL.map(TaskResult::as_str);
    match suggest::nearest(result, words) {
        Some(word) => fault.help(format!("did you mean `{name}.{word}`?")),
        None => fault.help(format!("one of {}", words.join(", "))),
    }
}
