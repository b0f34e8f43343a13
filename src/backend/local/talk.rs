//! What is spoken over the supervisor's socket: lines, seen from the supervisor.
//!
//! | line | |
//! | --- | --- |
//! | `hello 1 <isolation>` | the first line to a driver: version and [`Isolation`](super::Isolation) |
//! | `start <node> <bytes>` | from the driver, followed by so many bytes, the order as JSON |
//! | `accepted <node>`, `refused <node> <why>` | its answer |
//! | `stop <node> 0` | from the driver: end it, as its file `stop` says |
//! | `running <node>`, `ready <node>`, `ended <node>` | look at the node's folder |

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use crate::base::NodeIx;
use crate::base::limits::ORDER_BYTES_MAX;

/// The version of what is spoken.
pub(super) const VERSION: u32 = 1;

/// A request's first line is short.
const LINE_BYTES_MAX: usize = 128;

/// What a driver asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Start a pod.
    Start {
        /// Its node.
        node: NodeIx,
        /// Its order, as JSON.
        order: Vec<u8>,
    },
    /// End a pod.
    Stop {
        /// Its node.
        node: NodeIx,
    },
}

/// A driver that is connected.
pub(super) struct Driver {
    stream: UnixStream,
    said: Vec<u8>,
}

impl Driver {
    /// Begins to listen to a driver whose stream never waits.
    pub(super) fn new(stream: UnixStream) -> Self {
        Self { stream, said: Vec::new() }
    }

    /// Returns what is readable when the driver says something.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// Writes a line, and says whether it went through.
    pub(super) fn tell(&mut self, line: &str) -> bool {
        self.stream.write_all(line.as_bytes()).is_ok()
    }

    /// Reads what is there: the requests that are whole, and whether there may be more.
    pub(super) fn requests(&mut self) -> (Vec<Request>, bool) {
        let mut bytes = [0; 64 << 10];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => return (self.take_requests().unwrap_or_default(), false),
                Ok(count) => self.said.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return (Vec::new(), false),
            }
        }
        match self.take_requests() {
            Some(requests) => (requests, true),
            None => (Vec::new(), false),
        }
    }

    /// Takes the whole requests out of what was said; nothing when it is none of ours.
    fn take_requests(&mut self) -> Option<Vec<Request>> {
        let mut requests = Vec::new();
        let mut used = 0;
        while let Some((request, length)) = parse_request(&self.said[used..])? {
            requests.push(request);
            used += length;
        }
        self.said.drain(..used);
        Some(requests)
    }
}

/// Reads one request with its length: `Some(None)` when it is not whole yet, `None` when it is none.
fn parse_request(said: &[u8]) -> Option<Option<(Request, usize)>> {
    let Some(end) = said.iter().take(LINE_BYTES_MAX).position(|byte| *byte == b'\n') else {
        return (said.len() < LINE_BYTES_MAX).then_some(None);
    };
    let line = std::str::from_utf8(&said[..end]).ok()?;
    let words: Vec<&str> = line.split(' ').collect();
    let [verb, node, number] = words[..] else { return None };
    let (node, body) = (NodeIx(node.parse().ok()?), end + 1);
    match verb {
        "stop" => Some(Some((Request::Stop { node }, body))),
        "start" => {
            let length = number.parse::<usize>().ok().filter(|length| *length <= ORDER_BYTES_MAX)?;
            let order = said.get(body..body + length);
            Some(order.map(|order| (Request::Start { node, order: order.to_vec() }, body + length)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_when_they_are_whole() {
        let stop = Request::Stop { node: NodeIx(4) };
        assert_eq!(parse_request(b"stop 4 0\nstart"), Some(Some((stop, 9))));
        let start = Request::Start { node: NodeIx(7), order: b"{}".to_vec() };
        assert_eq!(parse_request(b"start 7 2\n{}x"), Some(Some((start, 12))));
        for part in ["", "sta", "start 7 2\n", "start 7 2\n{"] {
            assert_eq!(parse_request(part.as_bytes()), Some(None), "{part}");
        }
        for bad in ["x 1 2\n", "stop 4\n", "stop x 1\n", "start 1 99999999999\n", "\n", &"x".repeat(LINE_BYTES_MAX)] {
            assert_eq!(parse_request(bad.as_bytes()), None, "{bad}");
        }
    }
}
