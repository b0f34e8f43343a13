//! What steps wrote: finding the files, reading lines, following them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use regex::Regex;

use crate::backend::local::logs as format;
use crate::base::{NodeIx, Timestamp};
use crate::view::Look;
use crate::view::look;

/// Bytes read of one file at a time, so that one loud step does not hold the others up.
const CHUNK_BYTES: u64 = 1 << 20;

/// A line longer than this is shown in pieces.
const LINE_BYTES_MAX: usize = 1 << 20;

/// Bytes at the end of a log in which its last lines are looked for.
const TAIL_BYTES_MAX: u64 = 64 << 10;

/// A line that a step wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When.
    pub at: Option<Timestamp>,
    /// The stamp as it is in the file.
    pub stamp: String,
    /// What, without the newline.
    pub text: Vec<u8>,
}

/// Which lines are shown, and how.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Only lines that match.
    pub grep: Option<Regex>,
    /// Only lines from then on.
    pub since: Option<Timestamp>,
    /// Whether each begins with its time.
    pub timestamps: bool,
    /// Whether each begins with its node's name.
    pub prefix: bool,
}

impl Choice {
    /// Returns the line as it is shown, ended by a newline; `None` when it is not wanted.
    pub fn show(&self, label: &str, line: &Line, look: Look) -> Option<Vec<u8>> {
        let is_early = self.since.is_some_and(|since| line.at.is_some_and(|at| at < since));
        let text = String::from_utf8_lossy(&line.text);
        if is_early || self.grep.as_ref().is_some_and(|grep| !grep.is_match(&text)) {
            return None;
        }
        let mut shown = Vec::new();
        if self.prefix {
            shown.extend_from_slice(look.dim(&format!("[{}] ", look::harmless(label))).as_bytes());
        }
        if self.timestamps {
            shown.extend_from_slice(format!("{} ", line.stamp).as_bytes());
        }
        shown.extend_from_slice(&line.text);
        shown.push(b'\n');
        Some(shown)
    }
}

/// Returns the label of what a container of a set wrote, whose pod has the label `pod`: that of the container's node.
pub fn label_in_set(pod: &str, run: &str, container: &str) -> String {
    if pod == run { container.to_owned() } else { format!("{pod}.{container}") }
}

/// Returns the log files of a node's containers, in the order of their names; `main` first.
pub fn files(run_folder: &Path, node: NodeIx, container: Option<&str>) -> Vec<PathBuf> {
    let folder = run_folder.join("nodes").join(node.to_string());
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let is_wanted = |path: &PathBuf| {
        let is_log = path.extension().is_some_and(|extension| extension == "log");
        is_log && container.is_none_or(|name| path.file_stem().is_some_and(|stem| stem == name))
    };
    let mut files: Vec<PathBuf> = entries.filter(is_wanted).collect();
    files.sort_by_key(|path| (path.file_stem().is_none_or(|stem| stem != "main"), path.clone()));
    files
}

/// Returns the last lines of a node's log, harmless to a terminal.
pub fn last_lines(run_folder: &Path, node: NodeIx, count: usize) -> Vec<String> {
    let Some(path) = files(run_folder, node, None).into_iter().next() else { return Vec::new() };
    let mut log = Log::new(path);
    log.skip_to_last(TAIL_BYTES_MAX);
    let lines = log.read_all();
    let skipped = lines.len().saturating_sub(count);
    lines[skipped..].iter().map(|line| look::harmless(&String::from_utf8_lossy(&line.text))).collect()
}

/// A log file, read from a place on.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    offset: u64,
    /// Bytes of a line of the file that is not complete.
    rest: Vec<u8>,
    /// Pieces of a written line that is not complete, with the stamp of the first.
    begun: Option<Line>,
}

impl Log {
    /// Returns the log at its beginning. The file need not be there yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path, offset: 0, rest: Vec::new(), begun: None }
    }

    /// Goes to the last `bytes` of the file; the line that this cuts is passed over.
    fn skip_to_last(&mut self, bytes: u64) {
        let length = std::fs::metadata(&self.path).map_or(0, |metadata| metadata.len());
        self.offset = length.saturating_sub(bytes);
    }

    /// Returns the lines that were completed since the last call.
    pub fn read_new(&mut self) -> Vec<Line> {
        let mut chunk = Vec::new();
        let read = File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.offset))?;
            file.take(CHUNK_BYTES).read_to_end(&mut chunk)
        });
        // A log that cannot be read yet, or any more, has nothing new.
        self.offset += read.unwrap_or(0) as u64;
        self.rest.extend_from_slice(&chunk);
        let complete = self.rest.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let complete: Vec<u8> = self.rest.drain(..complete).collect();
        let parsed: Vec<Line> =
            complete.split_inclusive(|&byte| byte == b'\n').filter_map(|raw| self.take(raw)).collect();
        parsed
    }

    /// Returns all lines up to the end, the last one even when its newline is missing.
    pub fn read_all(&mut self) -> Vec<Line> {
        let mut lines = Vec::new();
        loop {
            let before = self.offset;
            lines.extend(self.read_new());
            if self.offset == before {
                lines.extend(self.begun.take());
                return lines;
            }
        }
    }

    /// Takes a line of the file, and returns the written line that it completes.
    fn take(&mut self, raw: &[u8]) -> Option<Line> {
        let piece = format::parse(raw)?;
        let fresh = || Line { at: piece.timestamp(), stamp: piece.at.to_owned(), text: Vec::new() };
        let mut line = self.begun.take().unwrap_or_else(fresh);
        line.text.extend_from_slice(piece.text);
        if piece.partial && line.text.len() < LINE_BYTES_MAX {
            self.begun = Some(line);
            return None;
        }
        Some(line)
    }
}

/// The logs of the nodes that go on.
#[derive(Debug)]
pub struct Follower {
    run_folder: PathBuf,
    container: Option<String>,
    nodes: BTreeMap<NodeIx, Followed>,
}

#[derive(Debug, Default)]
struct Followed {
    label: String,
    logs: Vec<Log>,
    is_over: bool,
}

impl Follower {
    /// Returns a follower of no node yet.
    pub fn new(run_folder: PathBuf, container: Option<String>) -> Self {
        Self { run_folder, container, nodes: BTreeMap::new() }
    }

    /// Follows a node from the beginning of its logs; once `is_over`, up to their ends.
    pub fn add(&mut self, node: NodeIx, label: &str, is_over: bool) {
        let followed = self.nodes.entry(node).or_default();
        followed.label = label.to_owned();
        followed.is_over |= is_over;
    }

    /// Returns the new lines of all nodes with their labels, and lets go of nodes that are over.
    pub fn read_new(&mut self) -> Vec<(String, Line)> {
        let mut lines = Vec::new();
        for (node, followed) in &mut self.nodes {
            for path in files(&self.run_folder, *node, self.container.as_deref()) {
                if !followed.logs.iter().any(|log| log.path == path) {
                    followed.logs.push(Log::new(path));
                }
            }
            for log in &mut followed.logs {
                let new = if followed.is_over { log.read_all() } else { log.read_new() };
                lines.extend(new.into_iter().map(|line| (followed.label.clone(), line)));
            }
        }
        self.nodes.retain(|_, followed| !followed.is_over);
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
2026-11-22T11:03:12.123Z stdout F one
2026-11-22T11:03:13.000Z stderr P tw
2026-11-22T11:03:13.001Z stderr F o
no line of a log
2026-11-22T11:03:14.000Z stdout P the end
";

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let node = folder.path().join("nodes/3");
        std::fs::create_dir_all(&node).expect("a folder");
        std::fs::write(node.join("main.log"), LOG).expect("a log");
        std::fs::write(node.join("exit.json"), "{}").expect("a file");
        folder
    }

    fn texts(lines: &[Line]) -> Vec<String> {
        lines.iter().map(|line| String::from_utf8_lossy(&line.text).into_owned()).collect()
    }

    #[test]
    fn pieces_are_put_together() {
        let folder = folder();
        let file = files(folder.path(), NodeIx(3), None).remove(0);
        assert_eq!(texts(&Log::new(file).read_all()), ["one", "two", "the end"]);
        assert_eq!(last_lines(folder.path(), NodeIx(3), 2), ["two", "the end"]);
        assert!(last_lines(folder.path(), NodeIx(9), 2).is_empty());
    }

    #[test]
    fn containers_of_a_set_have_the_labels_of_their_nodes() {
        for (pod, container) in [("wf", "wf.a"), ("wf[0].b(1:x)", "wf[0].b(1:x).a"), ("wf(2)", "wf(2).a")] {
            let label = |name: &str| crate::view::model::label(name, "wf");
            assert_eq!(label_in_set(&label(pod), "wf", "a"), label(container));
        }
    }

    #[test]
    fn a_follower_reads_each_line_once_and_lets_go() {
        let folder = folder();
        let mut follower = Follower::new(folder.path().to_owned(), None);
        follower.add(NodeIx(3), "build", false);
        assert_eq!(follower.read_new().len(), 2);
        assert_eq!(follower.read_new().len(), 0);
        follower.add(NodeIx(3), "build", true);
        let last = follower.read_new();
        assert_eq!(last.iter().map(|(label, _)| label.as_str()).collect::<Vec<_>>(), ["build"]);
        assert_eq!(follower.read_new().len(), 0);
    }

    #[test]
    fn lines_are_chosen_and_dressed() {
        let line =
            Line { at: Timestamp::parse_rfc3339("2026-11-22T11:03:12Z"), stamp: "T".into(), text: b"hello".to_vec() };
        let show = |choice: Choice| {
            choice.show("a", &line, Look::PLAIN).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        };
        assert_eq!(show(Choice::default()).as_deref(), Some("hello\n"));
        assert_eq!(
            show(Choice { prefix: true, timestamps: true, ..Choice::default() }).as_deref(),
            Some("[a] T hello\n")
        );
        assert_eq!(show(Choice { grep: Regex::new("x").ok(), ..Choice::default() }), None);
        assert_eq!(show(Choice { since: Some(Timestamp(i64::MAX)), ..Choice::default() }), None);
    }
}
