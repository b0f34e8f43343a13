//! A store that is a folder of this machine: a folder per run.
//!
//! | in `<root>/<run>/` | holds |
//! | --- | --- |
//! | `events.jsonl` | the log: the header, then a record a line, framed by [`frame`](super::frame) |
//! | `blobs/` | texts too big for a record, by digest |
//! | `summary.json` | what a listing says, replaced as a whole, never synced |
//! | `lock` | who drives: a lock of the operating system, and the number of the process |
//! | `control/` | requests of other processes, a file each; `control/done/` the answers |
//!
//! All else in there is the backend's. Names that begin with a dot are ours and not yet, or no
//! longer, runs: the name of a run cannot begin with one.

mod blobs;
mod control;
mod held;
mod list;
mod paths;
mod read;
mod root;
mod tail;

pub use held::DirectoryLog;
pub use root::DirectoryStore;
pub use tail::DirectoryTail;

#[cfg(test)]
mod tests;
