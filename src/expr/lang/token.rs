//! From text to tokens, as Go's expr splits it.

use std::ops::Range;
use std::sync::Arc;

use crate::expr::fault::ParseError;

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind {
    Int(i64),
    Float(f64),
    Str(Arc<str>),
    /// A name that is no keyword.
    Name,
    /// A sign, bracket, or a word that is an operator; what it is, its text says.
    Sign,
    End,
}

/// A token with its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub kind: TokenKind,
    pub at: Range<usize>,
}

/// The words that are operators wherever they stand alone.
const WORDS: [&str; 11] =
    ["not", "in", "or", "and", "matches", "contains", "startsWith", "endsWith", "let", "if", "else"];

/// Splits a text.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, ParseError> {
    let mut lexer = Lexer { text, at: 0 };
    let mut found = Vec::with_capacity(text.len() / 4 + 1);
    loop {
        let token = lexer.next()?;
        let ends = token.kind == TokenKind::End;
        found.push(token);
        if ends {
            return Ok(found);
        }
    }
}

/// Returns whether a character may stand in a name.
pub(super) fn is_name(c: char) -> bool {
    c == '_' || c == '$' || c.is_alphanumeric()
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    fn next(&mut self) -> Result<Token, ParseError> {
        self.skip_blanks()?;
        let start = self.at;
        let Some(first) = self.peek() else {
            return Ok(Token { kind: TokenKind::End, at: start..start });
        };
        let kind = match first {
            '\'' | '"' => self.quoted(first)?,
            '`' => self.raw()?,
            '0'..='9' => self.number()?,
            '.' if self.rest()[1..].starts_with(|c: char| c.is_ascii_digit()) => self.number()?,
            c if is_name(c) => self.word()?,
            c => self.sign(c)?,
        };
        Ok(Token { kind, at: start..self.at })
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let len = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += len;
        &rest[..len]
    }

    /// Skips blanks and comments.
    fn skip_blanks(&mut self) -> Result<(), ParseError> {
        loop {
            self.take_while(char::is_whitespace);
            if self.rest().starts_with("//") {
                self.take_while(|c| c != '\n');
            } else if self.rest().starts_with("/*") {
                let start = self.at;
                let end = self.rest()[2..].find("*/");
                let end = end.ok_or_else(|| ParseError::new("a comment is not closed", start..self.text.len()))?;
                self.at += end + 4;
            } else {
                return Ok(());
            }
        }
    }

    fn word(&mut self) -> Result<TokenKind, ParseError> {
        let start = self.at;
        let word = self.take_while(is_name);
        if matches!(word, "b" | "B") && self.rest().starts_with(['\'', '"']) {
            return Err(
                ParseError::new("texts of bytes are not supported", start..self.at + 1).help("leave out the `b`")
            );
        }
        Ok(if WORDS.contains(&word) { TokenKind::Sign } else { TokenKind::Name })
    }

    fn sign(&mut self, first: char) -> Result<TokenKind, ParseError> {
        let second = self.rest()[first.len_utf8()..].chars().next();
        let pairs = matches!(
            (first, second),
            ('|', Some('|'))
                | (':', Some(':'))
                | ('.', Some('.'))
                | ('?', Some('.' | '?'))
                | ('&' | '!' | '=' | '*' | '<' | '>', Some('&' | '=' | '*'))
        );
        match first {
            '|' | ':' | '(' | ')' | '[' | ']' | '{' | '}' | ',' | ';' | '%' | '+' | '-' | '^' | '&' | '!' | '='
            | '*' | '<' | '>' | '.' | '?' | '/' | '#' => {
                self.at += if pairs { 2 } else { 1 };
                Ok(TokenKind::Sign)
            }
            other => {
                Err(ParseError::new(format!("unexpected character `{other}`"), self.at..self.at + other.len_utf8()))
            }
        }
    }

    fn number(&mut self) -> Result<TokenKind, ParseError> {
        let start = self.at;
        let rest = self.rest();
        let radix = match rest.as_bytes() {
            [b'0', b'x' | b'X', ..] => 16,
            [b'0', b'o' | b'O', ..] => 8,
            [b'0', b'b' | b'B', ..] => 2,
            _ => 10,
        };
        if radix != 10 {
            self.at += 2;
            let digits = self.take_while(|c| c.is_digit(radix) || c == '_').replace('_', "");
            self.end_of_number(start)?;
            let number = i64::from_str_radix(&digits, radix).map_err(|_| self.bad_number(start))?;
            return Ok(TokenKind::Int(number));
        }
        self.decimal(start)
    }

    fn decimal(&mut self, start: usize) -> Result<TokenKind, ParseError> {
        let is_digit = |c: char| c.is_ascii_digit() || c == '_';
        self.take_while(is_digit);
        let mut is_float = false;
        // `1..2` is a range, not a fraction.
        if self.rest().starts_with('.') && !self.rest().starts_with("..") {
            is_float = true;
            self.at += 1;
            self.take_while(is_digit);
        }
        if !self.rest().starts_with("..") && self.rest().starts_with(['e', 'E']) {
            is_float = true;
            self.at += 1;
            self.at += usize::from(self.rest().starts_with(['+', '-']));
            self.take_while(is_digit);
        }
        self.end_of_number(start)?;
        let digits = self.text[start..self.at].replace('_', "");
        if is_float {
            let number: f64 = digits.parse().map_err(|_| self.bad_number(start))?;
            return if number.is_finite() { Ok(TokenKind::Float(number)) } else { Err(self.bad_number(start)) };
        }
        digits.parse().map(TokenKind::Int).map_err(|_| self.bad_number(start))
    }

    fn end_of_number(&mut self, start: usize) -> Result<(), ParseError> {
        if self.peek().is_some_and(is_name) {
            self.take_while(is_name);
            return Err(self.bad_number(start).help("put it in quotes if it is a text"));
        }
        Ok(())
    }

    fn bad_number(&self, start: usize) -> ParseError {
        ParseError::new(format!("`{}` is not a number", &self.text[start..self.at]), start..self.at)
    }

    /// Reads a text between backquotes, of which a doubled one stands for itself.
    fn raw(&mut self) -> Result<TokenKind, ParseError> {
        let start = self.at;
        let mut found = String::new();
        self.at += 1;
        loop {
            found.push_str(self.take_while(|c| c != '`'));
            if self.rest().starts_with("``") {
                found.push('`');
                self.at += 2;
            } else if self.rest().starts_with('`') {
                self.at += 1;
                return Ok(TokenKind::Str(found.into()));
            } else {
                return Err(ParseError::new("a text is not closed", start..self.text.len()));
            }
        }
    }

    fn quoted(&mut self, quote: char) -> Result<TokenKind, ParseError> {
        let start = self.at;
        let mut found: Vec<u8> = Vec::new();
        self.at += 1;
        loop {
            let plain = self.take_while(|c| c != quote && c != '\\' && c != '\n');
            found.extend_from_slice(plain.as_bytes());
            match self.peek() {
                Some(c) if c == quote => {
                    self.at += 1;
                    let text = String::from_utf8_lossy(&found);
                    return Ok(TokenKind::Str(text.into()));
                }
                Some('\\') => self.escape(quote, &mut found)?,
                _ => return Err(ParseError::new("a text is not closed", start..self.at)),
            }
        }
    }

    /// Reads an escape as Go has them.
    fn escape(&mut self, quote: char, found: &mut Vec<u8>) -> Result<(), ParseError> {
        let start = self.at;
        self.at += 1;
        let letter = self.peek();
        self.at += letter.map_or(0, char::len_utf8);
        let fault = |lexer: &Self| {
            ParseError::new("unknown escape in a text", start..lexer.at).help("a backslash is written as two: `\\\\`")
        };
        match letter {
            Some(c) if c == quote => found.push(c as u8),
            Some('x') => found.push(self.hex(2).and_then(|code| u8::try_from(code).ok()).ok_or_else(|| fault(self))?),
            Some('0'..='7') => {
                self.at -= 1;
                found.push(self.octal().ok_or_else(|| fault(self))?);
            }
            Some('u') if self.rest().starts_with('{') => {
                self.push_char(Self::braced, found).ok_or_else(|| fault(self))?
            }
            Some('u') => self.push_char(|lexer| lexer.utf16(), found).ok_or_else(|| fault(self))?,
            Some('U') => self.push_char(|lexer| lexer.hex(8), found).ok_or_else(|| fault(self))?,
            Some(c) => found.push(plain_escape(c).ok_or_else(|| fault(self))?),
            None => return Err(fault(self)),
        }
        Ok(())
    }

    fn push_char(&mut self, read: impl Fn(&mut Self) -> Option<u32>, found: &mut Vec<u8>) -> Option<()> {
        let c = char::from_u32(read(self)?)?;
        found.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        Some(())
    }

    fn braced(&mut self) -> Option<u32> {
        self.at += 1;
        let digits = self.take_while(|c| c.is_ascii_hexdigit());
        let closed = self.rest().starts_with('}');
        self.at += usize::from(closed);
        (closed && digits.len() <= 6).then(|| u32::from_str_radix(digits, 16).ok()).flatten()
    }

    /// Reads four hexadecimal digits, and four more behind `\u` for the second half of a pair.
    fn utf16(&mut self) -> Option<u32> {
        let first = self.hex(4)?;
        if !(0xd800..0xdc00).contains(&first) || !self.rest().starts_with("\\u") {
            return Some(first);
        }
        self.at += 2;
        let second = self.hex(4)?;
        (0xdc00..0xe000).contains(&second).then(|| 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))
    }

    fn hex(&mut self, count: usize) -> Option<u32> {
        let digits = self.rest().get(..count)?;
        let is_hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
        self.at += if is_hex { count } else { 0 };
        is_hex.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
    }

    fn octal(&mut self) -> Option<u8> {
        let digits = self.rest().get(..3)?;
        let number = u8::from_str_radix(digits, 8).ok()?;
        self.at += 3;
        Some(number)
    }
}

fn plain_escape(c: char) -> Option<u8> {
    Some(match c {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        '\\' => b'\\',
        '\'' => b'\'',
        '"' => b'"',
        _ => return None,
    })
}
