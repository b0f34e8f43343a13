//! What is kept of logs: entries, packed into objects that never change. Pure.
//!
//! An object holds entries of several nodes, compressed together; its annotation names the nodes, so that
//! who looks for one reads no other. What is read here comes from a cluster, and may be anything.

use std::collections::BTreeSet;
use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde::{Deserialize, Serialize};

use crate::base::NodeIx;

/// The bytes of entries that one object takes before they are compressed: with the largest entry beyond
/// them it is still smaller than what a ConfigMap holds, should nothing compress.
pub(in crate::backend::kubernetes) const OBJECT_BYTES: usize = 384 << 10;

/// What an object may unpack to, so that a bomb ends here.
const UNPACKED_BYTES_MAX: u64 = 8 << 20;

/// What one container wrote, each line with its time before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Whose.
    pub about: About,
    /// The end of it, or all.
    pub text: Vec<u8>,
}

/// What is said of a log that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct About {
    /// The node whose attempt it is.
    pub node: NodeIx,
    /// The pod that is no more.
    pub pod: String,
    /// The container.
    pub container: String,
    /// Whether that is the one that does the work.
    #[serde(default)]
    pub is_main: bool,
    /// Whether its beginning was left out.
    #[serde(default)]
    pub is_cut: bool,
    /// Whether all was left out, since the run's logs were too many.
    #[serde(default)]
    pub is_left_out: bool,
    /// The length of the text.
    #[serde(default)]
    bytes: usize,
}

impl About {
    /// Returns what is said of a log, whose beginning may be left out.
    pub fn new(node: NodeIx, pod: &str, container: &str, is_main: bool, is_cut: bool) -> Self {
        let (pod, container) = (pod.to_owned(), container.to_owned());
        Self { node, pod, container, is_main, is_cut, is_left_out: false, bytes: 0 }
    }
}

/// Packs entries.
pub fn pack(entries: &[Kept]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    for Kept { about, text } in entries {
        let about = About { bytes: text.len(), ..about.clone() };
        serde_json::to_writer(&mut encoder, &about).expect("it is plain data, and a vector takes all");
        encoder.write_all(b"\n").and_then(|()| encoder.write_all(text)).expect("a vector takes all");
    }
    encoder.finish().expect("a vector takes all")
}

/// Unpacks entries, as far as they can be read.
pub fn unpack(packed: &[u8]) -> Vec<Kept> {
    let mut bytes = Vec::new();
    // What was cut off or altered leaves what stands before it.
    let _ = ZlibDecoder::new(packed).take(UNPACKED_BYTES_MAX).read_to_end(&mut bytes);
    let mut rest = bytes.as_slice();
    let mut entries = Vec::new();
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let Ok(about) = serde_json::from_slice::<About>(&rest[..end]) else { break };
        let Some(text) = rest[end + 1..].get(..about.bytes) else { break };
        rest = &rest[end + 1 + text.len()..];
        entries.push(Kept { about, text: text.to_vec() });
    }
    entries
}

/// Divides entries into those of one object each.
pub fn divide(entries: Vec<Kept>) -> Vec<Vec<Kept>> {
    let mut objects: Vec<Vec<Kept>> = Vec::new();
    let mut bytes = 0;
    for entry in entries {
        let length = entry.text.len();
        match objects.last_mut() {
            Some(object) if bytes + length <= OBJECT_BYTES => object.push(entry),
            _ => {
                objects.push(vec![entry]);
                bytes = 0;
            }
        }
        bytes += length;
    }
    objects
}

/// Writes numbers of nodes: `1,4-7`.
pub fn write_nodes(nodes: &BTreeSet<NodeIx>) -> String {
    let mut spans: Vec<(u32, u32)> = Vec::new();
    for NodeIx(node) in nodes {
        match spans.last_mut() {
            Some((_, last)) if *last + 1 == *node => *last = *node,
            _ => spans.push((*node, *node)),
        }
    }
    let span = |(first, last): (u32, u32)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    spans.into_iter().map(span).collect::<Vec<_>>().join(",")
}

/// Returns whether a text of numbers names one of `wanted`.
pub fn names_one(text: &str, wanted: &BTreeSet<NodeIx>) -> bool {
    text.split(',').any(|span| {
        let (first, last) = span.split_once('-').unwrap_or((span, span));
        match (first.parse(), last.parse()) {
            (Ok(first), Ok(last)) if first <= last => wanted.range(NodeIx(first)..=NodeIx(last)).next().is_some(),
            _ => false,
        }
    })
}

/// The end of a log, of so many bytes at most.
#[derive(Debug)]
pub struct End {
    lines: std::collections::VecDeque<Vec<u8>>,
    bytes: usize,
    bytes_max: usize,
    is_cut: bool,
}

impl End {
    /// Returns the end of a log that has no line yet.
    pub fn new(bytes_max: usize) -> Self {
        Self { lines: std::collections::VecDeque::new(), bytes: 0, bytes_max, is_cut: false }
    }

    /// Takes the next line.
    pub fn add(&mut self, line: &[u8]) {
        let kept = &line[..line.len().min(self.bytes_max.saturating_sub(1))];
        self.is_cut |= kept.len() < line.len();
        self.bytes += kept.len() + 1;
        self.lines.push_back(kept.to_vec());
        while self.bytes > self.bytes_max {
            let Some(first) = self.lines.pop_front() else { return };
            self.bytes -= first.len() + 1;
            self.is_cut = true;
        }
    }

    /// Returns the text, and whether something was left out.
    pub fn finish(self) -> (Vec<u8>, bool) {
        let mut text = Vec::with_capacity(self.bytes);
        for line in self.lines {
            text.extend_from_slice(&line);
            text.push(b'\n');
        }
        (text, self.is_cut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(node: u32, text: &[u8]) -> Kept {
        Kept { about: About::new(NodeIx(node), "p", "main", true, false), text: text.to_vec() }
    }

    fn texts(entries: &[Kept]) -> Vec<(u32, Vec<u8>)> {
        entries.iter().map(|entry| (entry.about.node.0, entry.text.clone())).collect()
    }

    #[test]
    fn what_is_kept_is_read_as_it_was_written_and_damage_ends_it() {
        let entries = [entry(1, b"a\nb\n"), entry(2, b""), entry(3, &[0, 255, b'\n', b'{'])];
        let packed = pack(&entries);
        assert_eq!(texts(&unpack(&packed)), texts(&entries));
        for end in 0..packed.len() {
            let read = unpack(&packed[..end]);
            assert!(texts(&entries).starts_with(&texts(&read)), "{end}");
        }
        for at in 0..packed.len() {
            let mut altered = packed.clone();
            altered[at] ^= 0x55;
            unpack(&altered);
        }
    }

    #[test]
    fn entries_fill_objects() {
        let long = vec![b'x'; OBJECT_BYTES / 2];
        let entries = vec![entry(1, &long), entry(2, &long), entry(3, b"x"), entry(4, &vec![b'x'; OBJECT_BYTES * 2])];
        let divided = divide(entries);
        let nodes = |object: &Vec<Kept>| object.iter().map(|entry| entry.about.node.0).collect::<Vec<_>>();
        assert_eq!(divided.iter().map(nodes).collect::<Vec<_>>(), [vec![1, 2], vec![3], vec![4]]);
        assert!(divide(Vec::new()).is_empty());
    }

    #[test]
    fn nodes_are_found_by_their_numbers() {
        let set = |nodes: &[u32]| nodes.iter().map(|node| NodeIx(*node)).collect::<BTreeSet<_>>();
        let text = write_nodes(&set(&[1, 4, 5, 6, 9]));
        assert_eq!(text, "1,4-6,9");
        for (text, wanted, expected) in [
            (text.as_str(), &[5][..], true),
            (&text, &[2, 7], false),
            (&text, &[9], true),
            ("", &[0], false),
            ("6-4,x,-,1-", &[1, 4, 5, 6], false),
            ("0-4294967295", &[7], true),
        ] {
            assert_eq!(names_one(text, &set(wanted)), expected, "{text} {wanted:?}");
        }
    }

    #[test]
    fn the_end_of_a_log_is_kept() {
        let kept = |bytes_max: usize, lines: &[&str]| {
            let mut end = End::new(bytes_max);
            lines.iter().for_each(|line| end.add(line.as_bytes()));
            let (text, is_cut) = end.finish();
            (String::from_utf8(text).expect("text"), is_cut)
        };
        assert_eq!(kept(8, &["abc", "def"]), ("abc\ndef\n".to_owned(), false));
        assert_eq!(kept(7, &["abc", "def"]), ("def\n".to_owned(), true));
        assert_eq!(kept(4, &["abcdef"]), ("abc\n".to_owned(), true));
        assert_eq!(kept(4, &[]), (String::new(), false));
    }
}
