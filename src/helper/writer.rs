//! Writing a report: JSON into a buffer, and a report into lines of a log. `wire.rs` has the form.
//!
//! **Invariant:** nothing here allocates, panics on content, or needs more than `core`.

use super::wire::{LINE_MARK, PIECE_BYTES_MAX, REPEATED_BYTES_MAX, REPORT_BYTES_MAX};

/// What became of an output parameter's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output<'a> {
    /// It was there.
    Found(&'a str),
    /// There is no such file.
    Absent,
    /// It has so many bytes, more than a parameter may.
    Large(u64),
    /// It is a folder, a pipe, a device.
    NotFile,
    /// It is not UTF-8.
    NotText,
    /// The system said no, with this number.
    Refused(i32),
}

/// Writes a report into a buffer of [`report_capacity`].
pub struct ReportWriter<'a> {
    json: Json<'a>,
    fields: usize,
}

impl<'a> ReportWriter<'a> {
    /// Begins a report.
    pub fn new(buffer: &'a mut [u8]) -> Self {
        let mut json = Json { buffer, length: 0, is_full: false };
        json.raw("{");
        Self { json, fields: 0 }
    }

    /// Adds the end of standard output; what is not UTF-8 is replaced.
    pub fn result(&mut self, bytes: &[u8]) {
        self.name("result");
        self.json.string(bytes);
    }

    /// Adds the output parameters, in the order in which they were asked for.
    pub fn parameters(&mut self, count: usize, mut output: impl FnMut(usize, &mut ParameterWriter<'_, 'a>)) {
        self.name("parameters");
        self.json.raw("[");
        for at in 0..count {
            if at > 0 {
                self.json.raw(",");
            }
            let begin = self.json.length;
            output(at, &mut ParameterWriter { json: &mut self.json });
            if self.json.length == begin {
                self.json.raw("null");
            }
        }
        self.json.raw("]");
    }

    /// Adds what the command itself left as its termination message.
    pub fn message(&mut self, bytes: &[u8]) {
        self.name("message");
        self.json.string(bytes.get(..REPEATED_BYTES_MAX).unwrap_or(bytes));
    }

    /// Says that the command could not be started, and the system's number for why.
    pub fn unstarted(&mut self, command: &[u8], errno: i32) {
        self.name("unstarted");
        self.json.raw("{\"command\":");
        self.json.string(command.get(..REPEATED_BYTES_MAX).unwrap_or(command));
        self.json.field_number(",\"errno\":", errno.unsigned_abs().into());
        self.json.raw("}");
    }

    /// Says that the report is in the log.
    pub fn in_log(&mut self, lines: usize, sum: u64) {
        self.name("log");
        self.json.field_number("{\"lines\":", lines as u64);
        self.json.field_number(",\"sum\":", sum);
        self.json.raw("}");
    }

    /// Returns the report; nothing when the buffer was too small.
    pub fn finish(mut self) -> Option<&'a str> {
        self.json.raw("}");
        let Json { buffer, length, is_full } = self.json;
        let written = buffer.get(..length).filter(|_| !is_full)?;
        core::str::from_utf8(written).ok()
    }

    fn name(&mut self, name: &str) {
        self.json.raw(if self.fields == 0 { "\"" } else { ",\"" });
        self.json.raw(name);
        self.json.raw("\":");
        self.fields += 1;
    }
}

/// Writes one parameter of a report.
pub struct ParameterWriter<'w, 'a> {
    json: &'w mut Json<'a>,
}

impl ParameterWriter<'_, '_> {
    /// Writes it; to be called once.
    pub fn write(&mut self, output: Output<'_>) {
        match output {
            Output::Found(text) => self.found(text),
            Output::Absent => self.json.raw("null"),
            Output::Large(bytes) => self.coded("{\"large\":", bytes),
            Output::NotFile => self.json.raw("{\"not\":\"file\"}"),
            Output::NotText => self.json.raw("{\"not\":\"text\"}"),
            Output::Refused(errno) => self.coded("{\"errno\":", errno.unsigned_abs().into()),
        }
    }

    /// Writes the text, or, where the report has no room left for it, that.
    fn found(&mut self, text: &str) {
        let begin = self.json.length;
        self.json.string(text.as_bytes());
        if self.json.is_full || self.json.length > REPORT_BYTES_MAX {
            self.json.length = begin;
            self.json.is_full = false;
            self.coded("{\"noRoom\":", text.len() as u64);
        }
    }

    fn coded(&mut self, begin: &str, number: u64) {
        self.json.field_number(begin, number);
        self.json.raw("}");
    }
}

/// JSON as it grows in a buffer.
struct Json<'a> {
    buffer: &'a mut [u8],
    length: usize,
    is_full: bool,
}

impl Json<'_> {
    fn raw(&mut self, text: &str) {
        let bytes = text.as_bytes();
        match self.buffer.get_mut(self.length..self.length + bytes.len()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.length += bytes.len();
            }
            None => self.is_full = true,
        }
    }

    fn string(&mut self, bytes: &[u8]) {
        self.raw("\"");
        for chunk in bytes.utf8_chunks() {
            self.escaped(chunk.valid());
            if !chunk.invalid().is_empty() {
                self.raw("\u{fffd}");
            }
        }
        self.raw("\"");
    }

    /// Writes a string's inside. Text goes in runs, since few letters are special.
    fn escaped(&mut self, text: &str) {
        let mut plain = 0;
        for (at, byte) in text.bytes().enumerate() {
            if byte >= 0x20 && byte != b'"' && byte != b'\\' && byte != 0x7f {
                continue;
            }
            self.raw(&text[plain..at]);
            self.escape(byte);
            plain = at + 1;
        }
        self.raw(&text[plain..]);
    }

    fn escape(&mut self, byte: u8) {
        match byte {
            b'"' => self.raw("\\\""),
            b'\\' => self.raw("\\\\"),
            b'\n' => self.raw("\\n"),
            b'\t' => self.raw("\\t"),
            b'\r' => self.raw("\\r"),
            _ => {
                let digits = [hex_digit(byte >> 4), hex_digit(byte & 15)];
                self.raw("\\u00");
                self.raw(core::str::from_utf8(&digits).unwrap_or("00"));
            }
        }
    }

    fn field_number(&mut self, begin: &str, number: u64) {
        self.raw(begin);
        let mut digits = [0; 20];
        self.raw(decimal(number, &mut digits));
    }
}

/// Returns a number in decimal.
pub fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &str {
    let mut begin = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        begin -= 1;
        if number == 0 {
            break;
        }
    }
    core::str::from_utf8(&digits[begin..]).unwrap_or("0")
}

fn hex_digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
}

/// Returns a report in pieces of [`PIECE_BYTES_MAX`] at most, none of which cuts a character.
pub fn pieces(report: &str) -> impl Iterator<Item = &str> {
    let mut rest = report;
    core::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (piece, after) = rest.split_at(char_boundary(rest, PIECE_BYTES_MAX));
        rest = after;
        Some(piece)
    })
}

fn char_boundary(text: &str, at_most: usize) -> usize {
    let mut at = at_most.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Bytes of a whole line of a log.
pub const LINE_BYTES_MAX: usize = LINE_MARK.len() + 16 + 1 + 20 + 1 + PIECE_BYTES_MAX + 1;

/// Writes one line of a log: mark, sum, number, piece.
pub fn line<'a>(sum: u64, number: usize, piece: &str, buffer: &'a mut [u8; LINE_BYTES_MAX]) -> &'a [u8] {
    let mut line = Json { buffer, length: 0, is_full: false };
    line.raw(LINE_MARK);
    let mut digits = [0; 16];
    for (at, digit) in digits.iter_mut().enumerate() {
        *digit = hex_digit((sum >> (60 - 4 * at)) as u8 & 15);
    }
    line.raw(core::str::from_utf8(&digits).unwrap_or_default());
    line.field_number(":", number as u64);
    line.raw(":");
    line.raw(piece);
    line.raw("\n");
    let length = line.length;
    &buffer[..length]
}

const _: () = assert!(LINE_BYTES_MAX <= 4096, "a pipe takes no more at once");
