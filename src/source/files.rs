//! The files of a call: their names, their text, and where its lines begin.

use std::ops::Range;

use super::{Diagnostic, FileId, Span, rules};
use crate::base::limits;

/// The files of a call. What cannot be text is kept as a fault, which reading reports.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    files: Vec<File>,
}

#[derive(Debug, Clone)]
struct File {
    name: String,
    text: String,
    /// The offset of the first byte of each line.
    line_starts: Vec<u32>,
    /// How many characters stand before each block of the text; none where each byte is one.
    chars_before: Vec<u32>,
    fault: Option<Diagnostic>,
}

/// Characters are counted ahead for each so many bytes, so that a column of a line of 8 MiB costs no more
/// than one of a short line.
const BLOCK_BYTES: usize = 4096;

/// A place as editors count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl Sources {
    /// Returns no files.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file by the name that messages call it.
    pub fn add(&mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> FileId {
        let id = FileId(u32::try_from(self.files.len()).expect("fewer than 2^32 files fit in memory"));
        let (text, fault) = decode(id, bytes.into());
        let newlines = text.bytes().zip(1..).filter(|(byte, _)| *byte == b'\n').map(|(_, next)| next);
        let line_starts = std::iter::once(0).chain(newlines).collect();
        let chars_before = chars_before(&text);
        self.files.push(File { name: name.into(), text, line_starts, chars_before, fault });
        id
    }

    /// Returns the ids of all files, in the order in which they were added.
    pub fn ids(&self) -> impl Iterator<Item = FileId> + use<> {
        (0..self.files.len() as u32).map(FileId)
    }

    /// Returns the name of a file.
    pub fn name(&self, file: FileId) -> &str {
        &self.file(file).name
    }

    /// Returns the text of a file.
    pub fn text(&self, file: FileId) -> &str {
        &self.file(file).text
    }

    /// Returns the text that a span covers; the nearest that is one where the span is none.
    pub fn slice(&self, span: Span) -> &str {
        let text = self.text(span.file);
        let start = char_start(text, span.start as usize);
        let end = (span.end as usize..text.len()).find(|end| text.is_char_boundary(*end)).unwrap_or(text.len());
        &text[start..end.max(start)]
    }

    /// Returns where the byte at `offset` stands; the end of the text for what lies behind it.
    pub fn position(&self, file: FileId, offset: u32) -> Position {
        let file = self.file(file);
        let line = file.line_starts.partition_point(|start| *start <= offset).max(1);
        let start = file.line_starts[line - 1] as usize;
        let end = char_start(&file.text, offset as usize).max(start);
        Position { line, column: file.chars(end) - file.chars(start) + 1 }
    }

    /// Returns the bytes of the whole lines that a span touches, and the number of the first.
    pub(super) fn lines(&self, span: Span) -> (Range<usize>, usize) {
        let file = self.file(span.file);
        let line_of = |offset: u32| file.line_starts.partition_point(|start| *start <= offset).max(1);
        let (first, last) = (line_of(span.start), line_of(span.end.max(span.start)));
        let end = file.line_starts.get(last).map_or(file.text.len(), |next| *next as usize);
        (file.line_starts[first - 1] as usize..end, first)
    }

    /// Returns the reason why a file could not be read as text.
    pub(super) fn fault(&self, file: FileId) -> Option<&Diagnostic> {
        self.file(file).fault.as_ref()
    }

    fn file(&self, file: FileId) -> &File {
        &self.files[file.0 as usize]
    }
}

impl File {
    /// Returns how many characters stand before a byte, which begins one.
    fn chars(&self, at: usize) -> usize {
        let Some(before) = self.chars_before.get(at / BLOCK_BYTES) else { return at };
        let block = at - at % BLOCK_BYTES;
        *before as usize + char_count(&self.text.as_bytes()[block..at])
    }
}

fn chars_before(text: &str) -> Vec<u32> {
    if text.is_ascii() {
        return Vec::new();
    }
    let counts = text.as_bytes().chunks(BLOCK_BYTES).scan(0, |sum, block| {
        let before = *sum;
        *sum += char_count(block) as u32;
        Some(before)
    });
    // The end of the text may begin a block of its own.
    counts.chain(text.len().is_multiple_of(BLOCK_BYTES).then(|| text.chars().count() as u32)).collect()
}

/// Returns how many characters begin among some bytes of UTF-8.
fn char_count(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
}

/// Returns the beginning of the character that holds a byte.
pub(super) fn char_start(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// Returns the text of a file's bytes, or an empty text and the reason.
///
/// UTF-16 with its mark is text too: Argo's YAML reader takes it, and PowerShell writes it.
fn decode(file: FileId, bytes: Vec<u8>) -> (String, Option<Diagnostic>) {
    let start = Span { file, start: 0, end: 0 };
    let fault =
        |rule, message: String, help: &str| (String::new(), Some(Diagnostic::error(rule, start, message).help(help)));
    if bytes.len() > limits::MANIFEST_BYTES_MAX {
        let message = format!("the file has {} bytes; at most {} are read", bytes.len(), limits::MANIFEST_BYTES_MAX);
        return fault(rules::SIZE, message, "split it into several files");
    }
    if let Some(text) = decode_utf16(&bytes) {
        return (text, None);
    }
    match String::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let bytes = error.as_bytes();
            let line = bytes[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
            let (what, help) = match bytes.contains(&0) {
                true => ("binary", "give a YAML or JSON file"),
                false => ("not UTF-8", "save it as UTF-8"),
            };
            fault(rules::ENCODING, format!("the file is {what}: byte {:#04x} in line {line}", bytes[at]), help)
        }
    }
}

/// Returns the text of UTF-16, which its first two bytes tell.
fn decode_utf16(bytes: &[u8]) -> Option<String> {
    let unit: fn([u8; 2]) -> u16 = match bytes {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => return None,
    };
    let units: Vec<u16> = bytes[2..].chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
    String::from_utf16(&units).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_as_editors_do() {
        let mut sources = Sources::new();
        let file = sources.add("a.yaml", "é: 1\nb: 2\n");
        for (offset, line, column) in [(0, 1, 1), (2, 1, 2), (5, 1, 5), (6, 2, 1), (9, 2, 4), (11, 3, 1), (99, 3, 1)] {
            assert_eq!(sources.position(file, offset), Position { line, column }, "{offset}");
        }
        assert_eq!(sources.slice(Span { file, start: 0, end: 1 }), "é");
    }

    #[test]
    fn columns_of_long_lines_count_characters_too() {
        for (text, ascii) in [("é".repeat(5000), false), ("x".repeat(10_000), true)] {
            let mut sources = Sources::new();
            let file = sources.add("a.yaml", text.as_str());
            for at in [0usize, 2, 4094, 4096, 4098, 8192, 9998, 10_000] {
                let column = if ascii { at + 1 } else { at / 2 + 1 };
                assert_eq!(sources.position(file, at as u32), Position { line: 1, column }, "{at}");
            }
        }
        let mut sources = Sources::new();
        let file = sources.add("a.yaml", "é".repeat(2048));
        assert_eq!(sources.position(file, 4096).column, 2049);
    }

    #[test]
    fn what_is_no_text_is_a_fault() {
        let mut sources = Sources::new();
        for (bytes, message) in [
            (b"a: \xff".to_vec(), Some("the file is not UTF-8: byte 0xff in line 1")),
            (b"\x7fELF\n\x00\xff".to_vec(), Some("the file is binary: byte 0xff in line 2")),
            (
                vec![b' '; limits::MANIFEST_BYTES_MAX + 1],
                Some("the file has 33554433 bytes; at most 33554432 are read"),
            ),
            (b"\xff\xfea\0:\0".to_vec(), None),
            (b"\xfe\xff\0a\0:".to_vec(), None),
        ] {
            let file = sources.add("x", bytes);
            assert_eq!(sources.fault(file).map(|fault| fault.message.as_str()), message);
            assert_eq!(sources.text(file).is_empty(), message.is_some());
        }
    }
}
