//! kubectl's `jsonpath=` templates and `custom-columns=`, over `jsonpath-rust`.
//!
//! The crate knows RFC 9535; kubectl's dialect puts paths into a template of text
//! (`{.metadata.name}{"\n"}`), loops (`{range .items[*]}…{end}`), and writes keys that hold
//! dots as `.labels.a\.b`. What is not there is printed as nothing, as kubectl does.

use jsonpath_rust::JsonPath;
use serde_json::Value;

use super::look::Look;
use super::table::{self, Row};

/// Loops inside loops beyond this are refused, since rendering recurses.
const RANGE_DEPTH_MAX: usize = 16;

/// A template that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// A `{` without its `}`.
    #[error("`{0}` is not closed: write `}}`")]
    Unclosed(String),
    /// A path that is none.
    #[error("`{0}` is not a JSONPath, such as `.status.phase` or `.status.nodes[*].displayName`")]
    BadPath(String),
    /// A `{range}` without its `{end}`, or the other way round.
    #[error("every `{{range …}}` needs its `{{end}}`")]
    Unbalanced,
    /// Too many loops in one another.
    #[error("`{{range …}}` may nest {RANGE_DEPTH_MAX} deep")]
    TooDeep,
    /// A column that is not `NAME:.path`.
    #[error("`{0}` is not a column: write `NAME:.path`")]
    BadColumn(String),
}

/// A template of `-o jsonpath=`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Values(Path),
    Range(Path, Vec<Part>),
}

impl Template {
    /// Parses a template; text without braces is one path.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        if !text.contains('{') {
            return Ok(Template(vec![Part::Values(Path::parse(text)?)]));
        }
        let mut tokens = tokens(text)?.into_iter();
        let parts = parts(&mut tokens, 0)?;
        Ok(Template(parts))
    }

    /// Returns what the template makes of `value`.
    pub fn render(&self, value: &Value) -> String {
        let mut out = String::new();
        render_parts(&self.0, value, &mut out);
        out
    }
}

enum Token {
    Text(String),
    Path(Path),
    Range(Path),
    End,
}

/// Splits a template into text outside of braces and what stands within them.
fn tokens(text: &str) -> Result<Vec<Token>, QueryError> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        if open > 0 {
            tokens.push(Token::Text(rest[..open].to_owned()));
        }
        let after = &rest[open + 1..];
        let close = closing_brace(after).ok_or_else(|| QueryError::Unclosed(rest[open..].to_owned()))?;
        tokens.push(token(after[..close].trim())?);
        rest = &after[close + 1..];
    }
    if !rest.is_empty() {
        tokens.push(Token::Text(rest.to_owned()));
    }
    Ok(tokens)
}

/// Returns where the brace closes, quoted text aside.
fn closing_brace(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match quote {
            _ if escaped => escaped = false,
            _ if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c == '}' => return Some(at),
            None => {}
        }
    }
    None
}

fn token(inner: &str) -> Result<Token, QueryError> {
    if inner == "end" {
        return Ok(Token::End);
    }
    if let Some(path) = inner.strip_prefix("range ") {
        return Path::parse(path.trim()).map(Token::Range);
    }
    let quoted = |quote: char| inner.strip_prefix(quote)?.strip_suffix(quote);
    match quoted('"').or_else(|| quoted('\'')) {
        Some(text) => Ok(Token::Text(unescape(text))),
        None => Path::parse(inner).map(Token::Path),
    }
}

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let meant = match (c, chars.as_str().chars().next()) {
            ('\\', Some('n')) => '\n',
            ('\\', Some('t')) => '\t',
            ('\\', Some('r')) => '\r',
            ('\\', Some(other)) => other,
            (plain, _) => {
                out.push(plain);
                continue;
            }
        };
        chars.next();
        out.push(meant);
    }
    out
}

/// Collects parts up to the `{end}` of the loop that they are in, or the end of the template.
fn parts(tokens: &mut std::vec::IntoIter<Token>, depth: usize) -> Result<Vec<Part>, QueryError> {
    if depth > RANGE_DEPTH_MAX {
        return Err(QueryError::TooDeep);
    }
    let mut found = Vec::new();
    while let Some(token) = tokens.next() {
        match token {
            Token::Text(text) => found.push(Part::Text(text)),
            Token::Path(path) => found.push(Part::Values(path)),
            Token::Range(path) => found.push(Part::Range(path, parts(tokens, depth + 1)?)),
            Token::End if depth > 0 => return Ok(found),
            Token::End => return Err(QueryError::Unbalanced),
        }
    }
    if depth == 0 { Ok(found) } else { Err(QueryError::Unbalanced) }
}

fn render_parts(parts: &[Part], value: &Value, out: &mut String) {
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Values(path) => out.push_str(&joined(&path.values(value), " ")),
            Part::Range(path, body) => path.values(value).into_iter().for_each(|item| render_parts(body, item, out)),
        }
    }
}

fn joined(values: &[&Value], separator: &str) -> String {
    values.iter().map(|value| plain(value)).collect::<Vec<_>>().join(separator)
}

/// Returns text without quotes, and anything else as compact JSON.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// A path of kubectl's dialect, translated to RFC 9535 and known to parse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path(String);

impl Path {
    /// Parses a path such as `.status.phase`, `$.items[0]`, `@` or `metadata.labels.a\.b`.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let path = Path(standard_path(text));
        match jsonpath_rust::parser::parse_json_path(&path.0) {
            Ok(_) => Ok(path),
            Err(_) => Err(QueryError::BadPath(text.to_owned())),
        }
    }

    /// Returns what the path finds, in document order.
    pub fn values<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        value.query(&self.0).unwrap_or_default()
    }
}

/// Writes kubectl's path in the standard's form, every key quoted: `$['a']['b.c'][*]`.
fn standard_path(text: &str) -> String {
    let mut rest = text.trim();
    rest = rest.strip_prefix(['$', '@']).unwrap_or(rest);
    let mut path = "$".to_owned();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("..") {
            path.push_str("..");
            rest = after;
        } else if let Some(after) = rest.strip_prefix('.') {
            rest = after;
        }
        if rest.starts_with('[') {
            let close = closing_bracket(rest).unwrap_or(rest.len());
            path.push_str(&rest[..close]);
            rest = &rest[close..];
            continue;
        }
        let (key, after) = take_key(rest);
        match key.as_str() {
            "" => {}
            "*" => path.push_str("[*]"),
            key => path.push_str(&format!("['{}']", key.replace('\\', "\\\\").replace('\'', "\\'"))),
        }
        rest = after;
    }
    path
}

/// Returns where the bracket that `text` begins with is closed, quoted text aside.
fn closing_bracket(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut open = 0usize;
    for (at, c) in text.char_indices() {
        match quote {
            Some(mark) if c == mark => quote = None,
            Some(_) => {}
            None => match c {
                '"' | '\'' => quote = Some(c),
                '[' => open += 1,
                ']' if open == 1 => return Some(at + 1),
                ']' => open -= 1,
                _ => {}
            },
        }
    }
    None
}

/// Takes a key up to the next dot or bracket that is not escaped.
fn take_key(text: &str) -> (String, &str) {
    let mut key = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => key.extend(chars.next().map(|(_, c)| c)),
            '.' | '[' => return (key, &text[at..]),
            _ => key.push(c),
        }
    }
    (key, "")
}

/// The columns of `-o custom-columns=NAME:.path,…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnsSpec(Vec<(String, Path)>);

impl ColumnsSpec {
    /// Parses columns.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let column = |part: &str| match part.split_once(':') {
            Some((name, path)) if !name.is_empty() => {
                Ok((name.to_owned(), Path::parse(path.trim_matches(['{', '}']))?))
            }
            _ => Err(QueryError::BadColumn(part.to_owned())),
        };
        text.split(',').map(column).collect::<Result<_, _>>().map(Self)
    }

    /// Returns the table of `items`; what is not there is `<none>`.
    pub fn render(&self, items: &[&Value], look: Look) -> String {
        let headers: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        let rows: Vec<Row> =
            items.iter().map(|item| Row::plain(self.0.iter().map(|(_, path)| cell(item, path)))).collect();
        table::render(&headers, &rows, 3, look)
    }
}

fn cell(item: &Value, path: &Path) -> String {
    let values = path.values(item);
    if values.is_empty() { "<none>".to_owned() } else { joined(&values, ",") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object() -> Value {
        json!({
            "metadata": {"name": "wf", "labels": {"a.b/c": "dotted"}},
            "status": {"phase": "Failed", "nodes": {"x": {"name": "n1", "ok": true}, "y": {"name": "n2"}}},
            "items": [{"n": 1, "t": "one"}, {"n": 2, "t": "two"}],
        })
    }

    #[test]
    fn templates_read_as_kubectl_reads_them() {
        for (template, expected) in [
            (".status.phase", "Failed"),
            ("{.status.phase}", "Failed"),
            ("{.metadata.name}: {.status.phase}{\"\\n\"}", "wf: Failed\n"),
            ("{range .items[*]}{.n}={.t};{end}", "1=one;2=two;"),
            ("{.items[*].t}", "one two"),
            ("{.items[-1:].t}", "two"),
            ("{.items[?(@.n==2)].t}", "two"),
            ("{.metadata.labels.a\\.b/c}", "dotted"),
            ("{.metadata.labels['a.b/c']}", "dotted"),
            ("{$.status.nodes.*.name}", "n1 n2"),
            ("{..name}", "wf n1 n2"),
            ("{.nothing.here}", ""),
            ("{.items[0]}", r#"{"n":1,"t":"one"}"#),
            ("{'}'}", "}"),
        ] {
            let rendered = Template::parse(template).map(|parsed| parsed.render(&object()));
            assert_eq!(rendered.as_deref(), Ok(expected), "{template}");
        }
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for template in ["{.a", "{range .items[*]}{.n}", "{end}", "{.items[}", "{.a[?(]}"] {
            assert!(Template::parse(template).is_err(), "{template}");
        }
        let deep = "{range .a}".repeat(40) + &"{end}".repeat(40);
        assert_eq!(Template::parse(&deep), Err(QueryError::TooDeep));
    }

    #[test]
    fn columns_say_what_is_not_there() {
        let columns = ColumnsSpec::parse("N:.n,TEXT:.t,X:.x").expect("these are columns");
        let object = object();
        let items: Vec<&Value> = object["items"].as_array().expect("a list").iter().collect();
        assert_eq!(columns.render(&items, Look::PLAIN), "N   TEXT   X\n1   one    <none>\n2   two    <none>\n");
        assert!(ColumnsSpec::parse("NAME").is_err());
    }
}
