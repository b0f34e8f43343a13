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
//! longer, runs: the name of a run cannot begin with one. What runs share lies in two such folders:
//!
//! | in `<root>/` | holds |
//! | --- | --- |
//! | `.locks/<digest>.json` | a lock's [`Claims`](super::claims::Claims); the lock's name is digested |
//! | `.caches/<digest>/<digest>.json` | an entry of a cache in Argo's form, by the digests of cache and key |

mod blobs;
mod control;
mod held;
mod list;
mod paths;
mod read;
mod root;
mod shared;
mod tail;

pub use held::DirectoryLog;
pub use root::DirectoryStore;
pub use shared::DirectoryShared;
pub use tail::DirectoryTail;

#[cfg(test)]
mod tests;
