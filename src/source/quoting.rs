//! The fault that everybody makes once: `value: {{x}}` without quotes, which YAML reads as a map.

use super::{Diagnostic, FileId, Span, files, rules};

/// Returns where an unquoted tag begins a value, in the line of a syntax error or the one before.
pub(super) fn near(text: &str, part_start: usize, at: usize) -> Option<usize> {
    let at = files::char_start(text, at);
    let line_start = line_start(text, at).max(part_start);
    let line_end = line_end(text, at);
    value_start(&text[line_start..line_end]).map(|place| line_start + place).or_else(|| {
        let above_end = line_start.checked_sub(1).filter(|end| *end > part_start)?;
        let above_start = self::line_start(text, above_end).max(part_start);
        value_start(&text[above_start..above_end]).map(|place| above_start + place)
    })
}

/// Returns the complaint about the unquoted tag that begins a value at `start`.
pub(super) fn unquoted_tag(text: &str, file: FileId, start: usize) -> Diagnostic {
    let value = value(&text[start..line_end(text, start)]);
    let span = Span { file, start: start as u32, end: (start + value.len()) as u32 };
    let fault = Diagnostic::error(rules::UNQUOTED_TAG, span, "a value that starts with `{{` must be quoted")
        .says("YAML reads a map here");
    match quote(value) {
        Some(quoted) => fault.help(format!("write `{quoted}`")).fix(span, quoted),
        None => fault.help("put the value in quotes, or below `|-` on a line of its own"),
    }
}

/// Returns where in a line a tag begins a value: after `:`, `-`, `,` or `[`, outside of quotes.
fn value_start(line: &str) -> Option<usize> {
    line.match_indices("{{").map(|(place, _)| place).find(|place| {
        let before = line[..*place].trim_end();
        let begins = before.is_empty() || before.ends_with([':', '-', ',', '[']);
        let quotes_closed = ['"', '\''].iter().all(|quote| before.matches(*quote).count().is_multiple_of(2));
        begins && quotes_closed
    })
}

/// Returns the whole value that begins with a tag: the rest of the line without its comment, or,
/// in a flow list or map, the tag alone.
fn value(line: &str) -> &str {
    let tag_end = line.find("}}").map_or(line.len(), |end| end + "}}".len());
    if line[tag_end..].trim_start().starts_with([',', ']', '}']) {
        return &line[..tag_end];
    }
    let comment = line.find(" #").unwrap_or(line.len());
    line[..comment].trim_end()
}

/// Returns the value in the quotes that it needs no escapes in.
fn quote(value: &str) -> Option<String> {
    let complete = value.contains("}}");
    if complete && !value.contains(['"', '\\']) {
        Some(format!("\"{value}\""))
    } else if complete && !value.contains('\'') {
        Some(format!("'{value}'"))
    } else {
        None
    }
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |length| at + length)
}
