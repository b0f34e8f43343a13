//! The logs of containers, in the form in which kubelets keep them (CRI): a line each,
//!
//! ```text
//! 2026-11-22T11:03:12.123Z stdout F the whole line
//! 2026-11-22T11:03:12.124Z stderr P the begin of a line, whose rest
//! 2026-11-22T11:03:12.130Z stderr F follows
//! ```
//!
//! The time is when the text was read: once per read, so that heavy output costs little per line.

use std::io::{self, BufRead, Write};

use crate::base::Timestamp;

/// Which of its two streams a container wrote to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

impl Stream {
    /// Returns the stream's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Stream::Out => "stdout",
            Stream::Err => "stderr",
        }
    }
}

/// One line of a log's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'a> {
    /// When it was read, in RFC 3339 with milliseconds.
    pub at: &'a str,
    /// Where it was written to.
    pub stream: Stream,
    /// Whether the next line of the same stream goes on with it.
    pub partial: bool,
    /// What was written, without the newline; any bytes.
    pub text: &'a [u8],
}

impl Line<'_> {
    /// Returns when the line was read.
    pub fn timestamp(&self) -> Option<Timestamp> {
        Timestamp::parse_rfc3339(self.at)
    }
}

/// Reads one line of a log's file; nothing when it is none.
pub fn parse(line: &[u8]) -> Option<Line<'_>> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let mut parts = line.splitn(4, |byte| *byte == b' ');
    let at = std::str::from_utf8(parts.next()?).ok()?;
    let stream = match parts.next()? {
        b"stdout" => Stream::Out,
        b"stderr" => Stream::Err,
        _ => return None,
    };
    let partial = match parts.next()? {
        b"P" => true,
        b"F" => false,
        _ => return None,
    };
    Some(Line { at, stream, partial, text: parts.next()? })
}

/// Copies what was written to either stream, in its order, without what the log adds.
pub fn copy_text(log: &mut impl BufRead, out: &mut impl Write) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if log.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if let Some(parsed) = parse(&line) {
            out.write_all(parsed.text)?;
            if !parsed.partial {
                out.write_all(b"\n")?;
            }
        }
    }
}

/// Appends `bytes` to `out` in the log's form.
pub(super) fn format(bytes: &[u8], stream: Stream, at: Timestamp, out: &mut Vec<u8>) {
    let prefix = format!("{} {} ", at.to_jiff().strftime("%Y-%m-%dT%H:%M:%S%.3fZ"), stream.as_str());
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        out.extend_from_slice(prefix.as_bytes());
        out.extend_from_slice(if line.ends_with(b"\n") { b"F " } else { b"P " });
        out.extend_from_slice(line);
    }
    if !out.ends_with(b"\n") {
        out.push(b'\n');
    }
}

/// The end of a stream, as much of it as is kept.
#[derive(Debug, Default)]
pub(super) struct Tail {
    bytes: Vec<u8>,
}

impl Tail {
    /// Adds what came, and lets go of what is too old, keeping `max` bytes at least.
    pub(super) fn push(&mut self, bytes: &[u8], max: usize) {
        self.bytes.extend_from_slice(bytes);
        // Letting go costs a move of what stays, so it is done seldom.
        if self.bytes.len() > 2 * max {
            self.bytes.drain(..self.bytes.len() - max);
        }
    }

    /// Returns the last `max` bytes, one newline at the end not counted, as text.
    pub(super) fn text(&self, max: usize) -> String {
        let bytes = self.bytes.strip_suffix(b"\n").unwrap_or(&self.bytes);
        let start = bytes.len().saturating_sub(max);
        // A character that is cut in two is left out, rather than shown broken.
        let whole = (start..bytes.len().min(start + 4)).find(|at| bytes[*at] & 0xc0 != 0x80);
        let start = if start == 0 { 0 } else { whole.unwrap_or(start) };
        String::from_utf8_lossy(&bytes[start..]).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp(1_700_000_000_123);

    fn written(pieces: &[(&str, Stream)]) -> String {
        let mut out = Vec::new();
        for (text, stream) in pieces {
            format(text.as_bytes(), *stream, AT, &mut out);
        }
        String::from_utf8(out).expect("what was put in is text")
    }

    #[test]
    fn each_line_has_its_time_and_stream() {
        let text = written(&[("a\nb", Stream::Out), ("c\n\n", Stream::Err)]);
        let at = "2023-11-14T22:13:20.123Z";
        let expected = format!("{at} stdout F a\n{at} stdout P b\n{at} stderr F c\n{at} stderr F \n");
        assert_eq!(text, expected);
    }

    #[test]
    fn what_was_written_is_read_again() {
        let text = written(&[("a b\nc", Stream::Out), ("d\n", Stream::Out), ("\n", Stream::Err), ("e", Stream::Out)]);
        let mut out = Vec::new();
        copy_text(&mut text.as_bytes(), &mut out).expect("memory");
        assert_eq!(String::from_utf8_lossy(&out), "a b\ncd\n\ne");
        let line = parse(text.as_bytes().split_inclusive(|b| *b == b'\n').next().expect("a line")).expect("a log line");
        assert_eq!(
            (line.timestamp(), line.stream, line.partial, line.text),
            (Some(AT), Stream::Out, false, &b"a b"[..])
        );
    }

    #[test]
    fn other_lines_are_none() {
        for text in ["", "x", "2023 stdout F", "2023 stdin F x", "2023 stdout X x"] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn the_tail_is_the_end() {
        let mut tail = Tail::default();
        for piece in ["0123", "4567", "89", "ab\n"] {
            tail.push(piece.as_bytes(), 4);
        }
        assert_eq!(tail.text(4), "89ab");
        let mut tail = Tail::default();
        tail.push("xéy\n\n".as_bytes(), 100);
        assert_eq!(tail.text(100), "xéy\n");
        assert_eq!(tail.text(3), "y\n");
    }
}
