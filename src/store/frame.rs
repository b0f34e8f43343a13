//! How a line of a log is framed, so that an altered, missing, moved or cut line is noticed.
//!
//! A line is one JSON object, `{"seq":7,"crc":"0a1b2c3d","rec":…}`: its place, a CRC-32, and
//! the content as it was written. The checksum goes over the checksum of the line before, the
//! place and the content, so that no line fits anywhere but where it was written.
//!
//! **Invariant:** this frame never changes, whatever the version of the format: a release must be
//! able to read the first line of a later one to refuse it with the right words.

use std::borrow::Cow;

/// Where the next line of a log goes, and what it must fit to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Chain {
    seq: u64,
    crc: u32,
}

/// The lines of a log, as far as they fit.
#[derive(Debug)]
pub struct Lines<'a> {
    /// The content of each.
    pub contents: Vec<&'a [u8]>,
    /// Where the next one goes.
    pub chain: Chain,
    /// How many bytes they take.
    pub bytes: u64,
    /// What is wrong with the rest, if there is a rest.
    pub rest: Option<Rest>,
}

/// Why reading ended before the end of the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rest {
    /// The last line is the beginning of an append that was never completed.
    Torn(String),
    /// The line at this number, counted from 1, is not what was written there.
    Damaged {
        /// The number of the line.
        line: u64,
        /// What does not fit.
        reason: Cow<'static, str>,
    },
}

impl Chain {
    /// Returns the place of the next line; the header's is 0.
    pub fn seq(self) -> u64 {
        self.seq
    }

    /// Returns `content`, which must be JSON on one line, framed as the next line.
    pub fn frame(&mut self, content: &str) -> Vec<u8> {
        debug_assert!(!content.contains('\n'), "a line of the log is one line");
        let crc = self.checksum(content.as_bytes());
        let line = format!("{{\"seq\":{},\"crc\":\"{crc:08x}\",\"rec\":{content}}}\n", self.seq);
        *self = Self { seq: self.seq + 1, crc };
        line.into_bytes()
    }

    /// Returns the content of `line`, which comes without its newline, if it is the next one.
    pub fn unframe<'a>(&mut self, line: &'a [u8]) -> Result<&'a [u8], Cow<'static, str>> {
        let (seq, crc, content) = split(line).ok_or("it is cut, or was never a line of a log")?;
        if seq != self.seq {
            return Err(format!("record {seq} stands where record {} belongs", self.seq).into());
        }
        if crc != self.checksum(content) {
            return Err("its content does not fit its checksum: it was altered".into());
        }
        *self = Self { seq: self.seq + 1, crc };
        Ok(content)
    }

    fn checksum(self, content: &[u8]) -> u32 {
        let mut hasher = crc32fast::Hasher::new_with_initial(self.crc);
        hasher.update(&self.seq.to_le_bytes());
        hasher.update(content);
        hasher.finalize()
    }
}

/// Takes the lines off `bytes`, which follow on `chain`, up to the first that does not fit.
///
/// An append that a crash interrupted leaves the beginning of a line without its newline, or, on
/// a file system that grew the file before it wrote all of the data, a line with zero bytes in
/// it. JSON has no zero bytes, so that nothing else counts as torn: any other fault, even in the
/// last line, is damage, since what it held was durable.
pub fn read_lines(bytes: &[u8], mut chain: Chain) -> Lines<'_> {
    let mut contents = Vec::new();
    let mut at = 0;
    let mut rest = None;
    while at < bytes.len() {
        let length = bytes[at..].iter().position(|&byte| byte == b'\n');
        let line = &bytes[at..length.map_or(bytes.len(), |length| at + length)];
        let is_last = length.is_none_or(|length| at + length + 1 == bytes.len());
        if is_last && let Some(reason) = torn(line, length.is_some()) {
            rest = Some(Rest::Torn(reason));
            break;
        }
        match chain.unframe(line) {
            Ok(content) => contents.push(content),
            Err(reason) => {
                rest = Some(Rest::Damaged { line: chain.seq + 1, reason });
                break;
            }
        }
        at += line.len() + 1;
    }
    Lines { contents, chain, bytes: at as u64, rest }
}

/// Returns why the last line is what a crash leaves, if it is.
fn torn(line: &[u8], has_newline: bool) -> Option<String> {
    if !has_newline {
        Some(format!("its last {} bytes are the beginning of a record that was never completed", line.len()))
    } else if line.contains(&0) {
        Some("its last record was never written completely".to_owned())
    } else {
        None
    }
}

/// Takes the frame apart.
fn split(line: &[u8]) -> Option<(u64, u32, &[u8])> {
    let rest = line.strip_prefix(b"{\"seq\":")?;
    let digits = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    let seq = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
    let rest = rest[digits..].strip_prefix(b",\"crc\":\"")?;
    let (hex, rest) = rest.split_at_checked(8)?;
    let crc = u32::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?;
    let content = rest.strip_prefix(b"\",\"rec\":")?.strip_suffix(b"}")?;
    Some((seq, crc, content))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(contents: &[&str]) -> Vec<u8> {
        let mut chain = Chain::default();
        contents.iter().flat_map(|content| chain.frame(content)).collect()
    }

    fn lines_of(bytes: &[u8]) -> Vec<Vec<u8>> {
        bytes.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn what_was_framed_is_read_back() {
        let bytes = log(&["{\"a\":1}", "{}", "[\"}\"]"]);
        let lines = read_lines(&bytes, Chain::default());
        assert_eq!(lines.contents, [&b"{\"a\":1}"[..], b"{}", b"[\"}\"]"]);
        assert_eq!((lines.chain.seq(), lines.bytes, lines.rest), (3, bytes.len() as u64, None));
        for line in lines_of(&bytes) {
            serde_json::from_slice::<serde_json::Value>(&line).expect("each line is JSON");
        }
    }

    #[test]
    fn every_flipped_byte_is_noticed() {
        let bytes = log(&["{\"a\":1}", "{\"b\":22}", "{}"]);
        for at in 0..bytes.len() {
            for mask in [0x01, 0x20, 0x80] {
                let mut altered = bytes.clone();
                altered[at] ^= mask;
                let lines = read_lines(&altered, Chain::default());
                // The case of a hexadecimal digit says nothing.
                let same = lines.rest.is_none() && altered.eq_ignore_ascii_case(&bytes) && lines.contents.len() == 3;
                assert!(lines.rest.is_some() || same, "byte {at} xor {mask:#x}");
            }
        }
    }

    #[test]
    fn lines_fit_only_where_they_were_written() {
        let bytes = log(&["{\"a\":1}", "{\"b\":2}", "{\"c\":3}", "{\"d\":4}"]);
        let other = log(&["{\"a\":9}", "{\"b\":9}", "{\"c\":9}", "{\"d\":9}"]);
        let (own, foreign) = (lines_of(&bytes), lines_of(&other));
        let cases = [
            ("missing", vec![&own[0], &own[2], &own[3]], 2),
            ("swapped", vec![&own[0], &own[2], &own[1], &own[3]], 2),
            ("doubled", vec![&own[0], &own[1], &own[1], &own[2]], 3),
            ("of another log", vec![&own[0], &own[1], &foreign[2], &own[3]], 3),
            ("of another log, at the end", vec![&own[0], &own[1], &own[2], &foreign[3]], 4),
            ("without its beginning", vec![&own[1], &own[2]], 1),
        ];
        for (what, lines, at) in cases {
            let bytes: Vec<u8> = lines.into_iter().flatten().copied().collect();
            let rest = read_lines(&bytes, Chain::default()).rest;
            assert!(matches!(rest, Some(Rest::Damaged { line, .. }) if line == at), "{what}: {rest:?}");
        }
    }

    #[test]
    fn a_cut_at_any_byte_of_the_last_line_is_torn() {
        let bytes = log(&["{\"a\":1}", "{\"b\":2}"]);
        let first = lines_of(&bytes)[0].len();
        for end in first + 1..bytes.len() {
            let lines = read_lines(&bytes[..end], Chain::default());
            assert!(matches!(lines.rest, Some(Rest::Torn(_))), "cut at {end}");
            assert_eq!((lines.contents.len(), lines.bytes), (1, first as u64));
        }
    }

    #[test]
    fn zeros_in_the_last_line_are_torn_and_elsewhere_damage() {
        let bytes = log(&["{\"a\":1}", "{\"b\":2}"]);
        let first = lines_of(&bytes)[0].len();
        let zeroed = |at: usize| {
            let mut bytes = bytes.clone();
            bytes[at] = 0;
            bytes
        };
        assert!(matches!(read_lines(&zeroed(first + 3), Chain::default()).rest, Some(Rest::Torn(_))));
        assert!(matches!(read_lines(&zeroed(3), Chain::default()).rest, Some(Rest::Damaged { line: 1, .. })));
    }
}
