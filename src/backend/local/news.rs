//! What monitors tell the supervisor, and it the drivers: a word and a node, a line each.
//!
//! It goes through a named pipe, so that a monitor's news reach a later supervisor as well. They
//! are hints: whoever hears one looks at the node's folder.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::fault::{Doing, Fault, complain};
use crate::base::NodeIx;

/// What is new of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// It runs, and has for a while.
    Running,
    /// It is a daemon, and ready.
    Ready,
    /// It ended.
    Ended,
}

impl Word {
    /// Returns the word.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Word::Running => "running",
            Word::Ready => "ready",
            Word::Ended => "ended",
        }
    }

    /// Returns what `word` stands for.
    pub(super) fn parse(word: &str) -> Option<Self> {
        [Word::Running, Word::Ready, Word::Ended].into_iter().find(|known| known.as_str() == word)
    }
}

/// The named pipe. Whoever has it open can read and write, so that neither end is ever missing.
pub(super) struct News {
    pipe: File,
    begun: Vec<u8>,
}

impl News {
    /// Opens the pipe at `path`, and makes it when it is not there.
    pub(super) fn open(path: &Path) -> Result<Self, Fault> {
        match mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR) {
            Err(error) if error != Errno::EEXIST => return Err(error).doing("make", path),
            _ => {}
        }
        let mut options = File::options();
        options.read(true).write(true).custom_flags(OFlag::O_NONBLOCK.bits());
        Ok(Self { pipe: options.open(path).doing("open", path)?, begun: Vec::new() })
    }

    /// Tells a word of a node. Lines are short enough that two of them never mix.
    pub(super) fn tell(&self, word: Word, node: NodeIx) {
        // A pipe that is full has nobody who reads: whoever comes next looks at the folders.
        let _ = (&self.pipe).write_all(line(word, node).as_bytes());
    }

    /// Returns what is readable when there are news.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }

    /// Takes the news that are there.
    pub(super) fn take(&mut self) -> Vec<(Word, NodeIx)> {
        let mut bytes = [0; 4096];
        match self.pipe.read(&mut bytes) {
            Ok(count) => self.begun.extend_from_slice(&bytes[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => complain(format_args!("failed to read the news: {error}")),
        }
        let whole = self.begun.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let lines: Vec<u8> = self.begun.drain(..whole).collect();
        String::from_utf8_lossy(&lines).lines().filter_map(parse).collect()
    }
}

/// Writes a piece of news as a line.
pub(super) fn line(word: Word, node: NodeIx) -> String {
    format!("{} {node}\n", word.as_str())
}

/// Reads a piece of news.
pub(super) fn parse(line: &str) -> Option<(Word, NodeIx)> {
    let (word, node) = line.trim_end().split_once(' ')?;
    Some((Word::parse(word)?, NodeIx(node.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_pass_through_the_pipe() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("news");
        let writer = News::open(&path).expect("a pipe");
        let mut reader = News::open(&path).expect("the same pipe");
        assert_eq!(reader.take(), []);
        writer.tell(Word::Running, NodeIx(3));
        writer.tell(Word::Ended, NodeIx(40));
        assert_eq!(reader.take(), [(Word::Running, NodeIx(3)), (Word::Ended, NodeIx(40))]);
        assert_eq!(parse("jumped 3"), None);
        assert_eq!(parse("ended x"), None);
    }
}
