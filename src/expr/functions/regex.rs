//! Regular expressions, bounded in size. Rust's and Go's both descend from RE2; what differs
//! is how a replacement names groups.

use regex::{Captures, Regex, RegexBuilder};

/// Memory that one compiled expression may take.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// How deep an expression may nest.
const REGEX_DEPTH_MAX: u32 = 100;

/// Compiles an expression, or says what is wrong with it.
pub fn compile(pattern: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(pattern)
        .size_limit(REGEX_BYTES_MAX)
        .dfa_size_limit(REGEX_BYTES_MAX)
        .nest_limit(REGEX_DEPTH_MAX)
        .build();
    built.map_err(|fault| format!("`{pattern}` is not a regular expression: {}", reason(&fault.to_string())))
}

/// Returns the last line of a message of several, which holds the reason.
fn reason(message: &str) -> &str {
    message.lines().last().unwrap_or(message).trim_start_matches("error:").trim()
}

/// Writes a replacement as Go expands it: `$1`, `$name`, `${name}` and `$$`; a name runs as
/// far as it can, and what names no group is empty.
pub fn expand(captures: &Captures<'_>, template: &str, out: &mut String) {
    let mut rest = template;
    while let Some(dollar) = rest.find('$') {
        out.push_str(&rest[..dollar]);
        let after = &rest[dollar + 1..];
        if let Some(tail) = after.strip_prefix('$') {
            out.push('$');
            rest = tail;
            continue;
        }
        match group_name(after) {
            Some((name, len)) => {
                let group = name.parse().ok().map_or_else(|| captures.name(name), |number| captures.get(number));
                out.push_str(group.map_or("", |found| found.as_str()));
                rest = &after[len..];
            }
            None => {
                out.push('$');
                rest = after;
            }
        }
    }
    out.push_str(rest);
}

/// Returns the name of a group behind a dollar, and how many bytes it takes.
fn group_name(after: &str) -> Option<(&str, usize)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    if let Some(braced) = after.strip_prefix('{') {
        let close = braced.find('}')?;
        let name = &braced[..close];
        return (!name.is_empty() && name.chars().all(is_word)).then_some((name, close + 2));
    }
    let len = after.find(|c| !is_word(c)).unwrap_or(after.len());
    (len > 0).then(|| (&after[..len], len))
}
