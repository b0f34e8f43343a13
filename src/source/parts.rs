//! Where a file is cut into documents, and what the cut does to them.
//!
//! Argo cuts at each `---` that starts a line before it reads YAML (`workflow/common/parse.go`).

use std::ops::Range;

use granit_parser::ScalarStyle;

/// Returns the parts of a file with their offsets, without the blank ones.
pub(super) fn parts(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let text_start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut start = text_start;
    text[text_start..].split("\n---").filter_map(move |part| {
        let part_start = start;
        start += part.len() + "\n---".len();
        (!part.trim().is_empty()).then_some((part_start, part))
    })
}

/// A part that holds directives and no document.
pub(super) struct Directives {
    /// Where it asks for a version that go-yaml refuses.
    pub(super) other_version: Option<Range<usize>>,
}

/// Returns the directives of a part that holds nothing else: the `---` after them cuts them off.
pub(super) fn directives(part: &str) -> Option<Directives> {
    let mut rest = part.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    if !rest.all(|line| line.starts_with("%YAML ") || line.starts_with("%TAG ")) {
        return None;
    }
    let other_version = part.lines().find(|line| line.strip_prefix("%YAML ").is_some_and(|rest| rest.trim() != "1.1"));
    Some(Directives {
        other_version: other_version.and_then(|line| part.find(line).map(|start| start..start + line.len())),
    })
}

/// The characters that go-yaml takes (`yaml_parser_update_buffer`).
pub(super) fn is_printable(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..)
}

/// How the text of a part ends.
#[derive(Clone, Copy)]
pub(super) struct PartEnd {
    offset: u32,
    newline: bool,
    /// Whether the last line holds more than blanks.
    content: bool,
}

impl PartEnd {
    /// Returns the end of a part, which is at `offset` in its file.
    pub(super) fn of(part: &str, offset: u32) -> Self {
        let last_line = part.rsplit('\n').next().unwrap_or_default();
        Self { offset, newline: part.ends_with('\n'), content: !last_line.trim().is_empty() }
    }

    /// Takes back the newline that the parser adds to a block scalar at the end of a text that has
    /// none: go-yaml adds none, and cutting makes such ends common.
    pub(super) fn without_added_newline(self, text: &str, style: ScalarStyle, scalar_end: u32) -> &str {
        let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        let at_end = block && !self.newline && scalar_end == self.offset;
        let Some(shorter) = text.strip_suffix('\n').filter(|_| at_end) else { return text };
        let last_line = shorter.rsplit('\n').next().unwrap_or_default();
        let blanks = !last_line.is_empty() && last_line.trim().is_empty();
        if self.content || blanks { shorter } else { text }
    }
}
