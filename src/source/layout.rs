//! One layout for manifests: two blanks a level, lists in the column of their key, no blanks at the
//! end of lines, at most one empty line. Comments, quotes, and the order of keys stay.
//!
//! Only whitespace outside of values changes, and what comes out is read again: where it does not say
//! the same, nothing is changed.

use super::tree::{Tree, Value};
use super::{Diagnostic, FileId, Sources, read};

/// Why a text keeps its layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unlaid {
    /// It has faults, which come first.
    #[error("it cannot be read")]
    Unreadable,
    /// It would say something else afterwards.
    #[error("its layout is beyond what can be changed safely")]
    Delicate,
}

/// Returns the text of a file in the one layout.
pub fn laid_out(sources: &Sources, file: FileId) -> Result<String, Unlaid> {
    let (documents, diagnostics) = read(sources, file);
    if diagnostics.iter().any(Diagnostic::is_error) {
        return Err(Unlaid::Unreadable);
    }
    let text = sources.text(file);
    let mut inner = vec![false; text.split('\n').count()];
    documents.iter().for_each(|document| mark_inner(&document.root, sources, &mut inner));
    let laid = Layouter::default().write(text, &inner);
    let mut again = Sources::new();
    let copy = again.add(sources.name(file), laid.as_str());
    let (copies, faults) = read(&again, copy);
    let says_the_same = copies.len() == documents.len()
        && copies.iter().zip(&documents).all(|(copy, document)| copy.root.to_json() == document.root.to_json());
    let keeps_words = laid.split_whitespace().eq(text.split_whitespace());
    if says_the_same && keeps_words && faults.len() == diagnostics.len() { Ok(laid) } else { Err(Unlaid::Delicate) }
}

/// Marks the lines that a value goes on in: those of long texts, and of lists and maps in brackets.
/// Recursion is bounded by the depth of the tree.
fn mark_inner(tree: &Tree, sources: &Sources, inner: &mut [bool]) {
    let is_flow = sources.slice(tree.span).starts_with(['{', '[']);
    match &tree.value {
        Value::Map(map) if !is_flow => map.values().for_each(|entry| mark_inner(&entry.value, sources, inner)),
        Value::Seq(items) if !is_flow => items.iter().for_each(|item| mark_inner(item, sources, inner)),
        _ => {
            let line = |offset| sources.position(tree.span.file, offset).line - 1;
            let text = sources.slice(tree.span).trim_end();
            // A text that has its first line for itself is a block, or moves like one.
            let before = &sources.text(tree.span.file)[..tree.span.start as usize];
            let is_alone = !before.is_empty() && before.trim_end_matches(' ').ends_with('\n');
            let first = line(tree.span.start) + usize::from(!is_alone);
            let last = line(tree.span.start + text.len() as u32);
            (first..=last).for_each(|line| inner[line] = true);
        }
    }
}

/// A block that is open: where it begins in the old text and in the new one.
#[derive(Debug, Clone, Copy)]
struct Block {
    old: usize,
    new: usize,
    is_list: bool,
}

#[derive(Debug, Default)]
struct Layouter {
    out: String,
    open: Vec<Block>,
    /// How far the line above moved to the right.
    shift: isize,
    /// Comments and empty lines that wait for the line below.
    waiting: Vec<String>,
}

impl Layouter {
    fn write(mut self, text: &str, inner: &[bool]) -> String {
        let lines: Vec<&str> = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
        for (line, is_inner) in lines.iter().zip(inner) {
            let content = line.trim_start_matches(' ');
            match content.trim_end() {
                _ if *is_inner => self.inner(line),
                "" if self.waiting.last().is_none_or(|above| !above.is_empty()) => self.waiting.push(String::new()),
                "" => {}
                comment if comment.starts_with('#') => self.waiting.push((*line).trim_end().to_owned()),
                mark if mark.starts_with("---") || mark.starts_with("...") || mark.starts_with('%') => self.mark(mark),
                rest => self.block(line.len() - content.len(), rest),
            }
        }
        while self.waiting.last().is_some_and(String::is_empty) {
            self.waiting.pop();
        }
        self.flush(0, 0);
        self.out
    }

    fn line(&mut self, indent: usize, text: &str) {
        if !text.is_empty() {
            self.out.extend(std::iter::repeat_n(' ', indent));
            self.out.push_str(text);
        }
        self.out.push('\n');
    }

    /// Writes what waited, moved as far as the line that it waited for.
    fn flush(&mut self, old: usize, new: usize) {
        for line in std::mem::take(&mut self.waiting) {
            // The text begins with a line of its own, not with an empty one.
            if line.is_empty() && self.out.is_empty() {
                continue;
            }
            let text = line.trim_start_matches(' ');
            let indent = line.len() - text.len();
            let indent = if indent == old { new } else { indent.saturating_add_signed(new as isize - old as isize) };
            self.line(indent, text);
        }
    }

    fn mark(&mut self, text: &str) {
        self.flush(0, 0);
        self.open.clear();
        self.line(0, text);
    }

    /// A line of a value moves with the line that the value began in; its blanks are its own.
    fn inner(&mut self, line: &str) {
        self.flush(0, 0);
        let text = line.trim_start_matches(' ');
        let indent = (line.len() - text.len()).saturating_add_signed(self.shift);
        self.line(indent, text);
    }

    /// A line that begins a key or an item, or several items in each other.
    fn block(&mut self, old: usize, text: &str) {
        let mut rest = text;
        let (mut column, mut first) = (old, None);
        let mut written = String::new();
        loop {
            let is_item = rest == "-" || rest.starts_with("- ");
            let new = self.column(column, is_item);
            first.get_or_insert(new);
            if !is_item {
                break;
            }
            let behind = rest[1..].trim_start_matches(' ');
            column += rest.len() - behind.len();
            written.push_str(if behind.is_empty() { "-" } else { "- " });
            rest = behind;
            if rest.is_empty() {
                break;
            }
        }
        let new = first.unwrap_or(old);
        self.flush(old, new);
        self.shift = new as isize - old as isize;
        let line = written + rest;
        self.line(new, &line);
    }

    /// Returns the new column of what begins in an old one, and opens its block.
    fn column(&mut self, old: usize, is_item: bool) -> usize {
        while self.open.last().is_some_and(|block| block.old > old || (block.old == old && block.is_list && !is_item)) {
            self.open.pop();
        }
        let new = match self.open.last() {
            None => 0,
            Some(block) if block.old == old => block.new,
            // A list stands in the column of its key, and in a list behind the dash.
            Some(block) if is_item && !block.is_list => block.new,
            Some(block) => block.new + 2,
        };
        if self.open.last().is_none_or(|block| block.old < old || block.is_list != is_item) {
            self.open.push(Block { old, new, is_list: is_item });
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid(text: &str) -> Result<String, Unlaid> {
        let mut sources = Sources::new();
        let file = sources.add("a.yaml", text);
        laid_out(&sources, file)
    }

    #[test]
    fn blanks_change_and_nothing_else() {
        let text = "\n# head\na:\n    -   b: 1   # one\n        c:\n           - d\n        e: |\n            x\n              y\n\n            z\n\n\n    # two\n    - {f: 1,\n       g: 2}\nh:\n- - i\n  -   j:   k\n      l: \"m\n       n\"\n---\n\nz:  1  \n\n";
        let wanted = "# head\na:\n- b: 1   # one\n  c:\n  - d\n  e: |\n      x\n        y\n\n      z\n\n# two\n- {f: 1,\n   g: 2}\nh:\n- - i\n  - j:   k\n    l: \"m\n     n\"\n---\n\nz:  1\n";
        assert_eq!(laid(text).as_deref(), Ok(wanted));
        assert_eq!(laid(wanted).as_deref(), Ok(wanted));
    }

    #[test]
    fn what_cannot_be_read_stays() {
        assert_eq!(laid("a: [\n"), Err(Unlaid::Unreadable));
        assert_eq!(laid("a: 1\r\nb: 2\r\n").as_deref(), Ok("a: 1\nb: 2\n"));
    }

    #[test]
    fn every_example_has_a_layout() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/conformance/manifests");
        let Ok(entries) = std::fs::read_dir(folder) else {
            println!("layout of examples: skipped, ../shared/conformance is absent");
            return;
        };
        let (mut count, mut delicate) = (0, Vec::new());
        for path in entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file()) {
            let text = std::fs::read_to_string(&path).expect("a manifest is text");
            match laid(&text) {
                Ok(once) => assert_eq!(laid(&once).as_ref(), Ok(&once), "{}", path.display()),
                Err(why) => delicate.push(format!("{}: {why}", path.display())),
            }
            count += 1;
        }
        println!("layout of examples: {}/{count}", count - delicate.len());
        // A key that stands twice cannot be read.
        assert!(delicate.len() <= 1, "{}", delicate.join("\n"));
    }
}
