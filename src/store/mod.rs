//! Where the logs of runs live. A store knows frames and fences; what events mean is the engine's.

use std::fmt;
use std::future::Future;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::backend::kubernetes::ApiError;
use crate::base::{RunName, RunUid, TimeSpan, Timestamp};
use crate::engine::{Batch, Control, Memo};
use crate::plan::Resolved;

pub mod blob;
pub mod claims;
pub mod directory;
pub mod disk;
pub mod frame;
pub mod kubernetes;
mod record;

pub use claims::Claim;
pub use directory::{DirectoryLog, DirectoryShared, DirectoryStore, DirectoryTail};
pub use kubernetes::{KubernetesLog, KubernetesShared, KubernetesStore, KubernetesTail};

/// The version of the format that this release writes.
pub const FORMAT_VERSION: u32 = 1;

/// The first record of a log: what the run is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// The version of the format, [`FORMAT_VERSION`] when written by this release.
    pub version: u32,
    /// The run's name.
    pub name: RunName,
    /// What tells it apart from another run of that name.
    pub uid: RunUid,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// The manifest with everything that it refers to.
    pub resolved: Resolved,
    /// The files that it came from; secrets are read from them again, and never copied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<PathBuf>,
}

/// One durable append: what one wake-up of the driver decided.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// Its place in the log: 1, 2, 3, …
    pub seq: u64,
    /// The decisions in their order.
    pub batches: Vec<Batch>,
    /// The control requests that these decisions obey, so that none is obeyed twice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken: Vec<RequestId>,
}

/// What names a control request in its run; ids sort in the order of asking.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(pub String);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What another process asks of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Its name, for the answer.
    pub id: RequestId,
    /// What is asked.
    pub control: Control,
}

/// What becomes of a control request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "camelCase")]
pub enum Answer {
    /// It is in the log.
    Accepted,
    /// It cannot be done.
    Refused {
        /// Why, and what would.
        reason: String,
    },
}

/// A log as it was read.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The first record.
    pub header: Header,
    /// The others, in order, without gaps.
    pub records: Vec<Record>,
    /// What was wrong with the end of the log, if anything: a torn last record was left out.
    pub torn: Option<String>,
}

/// What a listing says of a run, without folding its log.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// The run's name.
    pub name: RunName,
    /// Its uid.
    pub uid: RunUid,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When it began.
    #[serde(default)]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default)]
    pub finished_at: Option<Timestamp>,
    /// Its phase, in Argo's words; `Pending` before the first decision.
    pub phase: String,
    /// Why.
    #[serde(default)]
    pub message: String,
    /// Finished and known nodes, as `3/5`.
    #[serde(default)]
    pub progress: String,
    /// Whether it is suspended.
    #[serde(default)]
    pub suspended: bool,
    /// Which of several runs comes first.
    #[serde(default)]
    pub priority: i32,
    /// When it may be removed.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// Its labels.
    #[serde(default)]
    pub labels: std::collections::BTreeMap<String, String>,
}

/// A place where logs of runs are kept.
pub trait Store {
    /// The right to write one run's log, held until it is dropped.
    type Log: Log;
    /// A place in a log that another process writes.
    type Tail: Tail;

    /// Creates a run with its first record, and holds it.
    fn create(&self, header: &Header) -> impl Future<Output = Result<Self::Log, StoreError>>;

    /// Takes over a run: holds it, mends a torn end, and reads it.
    /// [`StoreError::DrivenBy`] while another process holds it.
    fn acquire(&self, run: &RunName) -> impl Future<Output = Result<(Self::Log, Stored), StoreError>>;

    /// Reads a run, whoever holds it.
    fn load(&self, run: &RunName) -> impl Future<Output = Result<Stored, StoreError>>;

    /// Reads a run, and returns what gives all that is appended to it from then on.
    fn follow(&self, run: &RunName) -> impl Future<Output = Result<(Stored, Self::Tail), StoreError>>;

    /// Returns whether another process holds the run, as far as can be seen.
    fn is_held(&self, run: &RunName) -> impl Future<Output = Result<bool, StoreError>>;

    /// Returns how often one who waits should ask [`Store::is_held`], which costs what it costs.
    fn look_every(&self) -> TimeSpan;

    /// Returns what is known of every run, newest first.
    fn list(&self) -> impl Future<Output = Result<Vec<Summary>, StoreError>>;

    /// Removes a run and all that belongs to it. [`StoreError::DrivenBy`] while it is held.
    fn delete(&self, run: &RunName) -> impl Future<Output = Result<(), StoreError>>;

    /// Leaves a request for whoever holds the run's log, now or next.
    fn ask(
        &self,
        run: &RunName,
        control: &Control,
        at: Timestamp,
    ) -> impl Future<Output = Result<RequestId, StoreError>>;

    /// Waits for the answer to a request, and takes it. Safe to drop while it waits.
    fn answer(&self, run: &RunName, id: &RequestId) -> impl Future<Output = Result<Answer, StoreError>>;
}

/// Following a log without holding it.
pub trait Tail {
    /// Waits until something is appended, and returns it. Safe to drop while it waits.
    fn next(&mut self) -> impl Future<Output = Result<Vec<Record>, StoreError>>;
}

/// A held log.
pub trait Log {
    /// What the run shares with others.
    type Shared: Shared + 'static;

    /// Returns what the run shares with others, to be used beside the log.
    fn shared(&self) -> Self::Shared;

    /// Appends one record: what was decided, and the requests that it obeys. It is durable when
    /// this returns `Ok`; after any error the holder must stop, since it can no longer know what
    /// the log holds.
    fn append(&mut self, batches: &[Batch], taken: &[RequestId]) -> impl Future<Output = Result<(), StoreError>>;

    /// Replaces the summary that listings show. It may be lost; the log is the truth.
    fn summarize(&mut self, summary: &Summary) -> impl Future<Output = Result<(), StoreError>>;

    /// Returns how often the summary may be replaced while a run goes on: listings lag by it.
    fn summarize_every(&self) -> TimeSpan;

    /// Waits for requests of other processes, and returns them in the order of asking. Each comes
    /// once to each holder until it is answered; one that a record has taken never comes. Safe to
    /// drop while it waits.
    fn requests(&mut self) -> impl Future<Output = Result<Vec<Request>, StoreError>>;

    /// Answers a request. The answer may be lost; what the log took is taken.
    fn respond(&mut self, id: &RequestId, answer: &Answer) -> impl Future<Output = Result<(), StoreError>>;

    /// Lets go of the log. Dropping it does so as well, but others may notice later.
    fn release(self) -> impl Future<Output = ()>;
}

/// What one run shares with others: the places of locks, and the caches of results.
///
/// Every call is made in the run's name, and may be made again after an error.
pub trait Shared {
    /// Replaces what the run wants of a lock, and returns how many places it has now. Places of runs
    /// that are over are free.
    fn claim(&self, claim: &Claim) -> impl Future<Output = Result<u32, StoreError>>;

    /// Waits until the run may have another number of places of a lock than `granted`, or a run that
    /// had some may be over. It may wake for nothing. Safe to drop while it waits.
    fn freed(&self, lock: &str, granted: u32) -> impl Future<Output = Result<(), StoreError>>;

    /// Returns the entry of a cache.
    fn recall(&self, memo: &Memo) -> impl Future<Output = Result<Option<String>, StoreError>>;

    /// Keeps an entry in a cache, in place of an earlier one.
    fn remember(&self, memo: &Memo, entry: &str) -> impl Future<Output = Result<(), StoreError>>;
}

/// Why a store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such run.
    #[error("there is no run `{run}`")]
    NotFound {
        /// The name that was asked for.
        run: String,
        /// The nearest name that exists.
        nearest: Option<String>,
    },
    /// It was deleted while we held or followed it.
    #[error("run `{run}` was deleted")]
    Deleted {
        /// The name.
        run: RunName,
    },
    /// There is one already.
    #[error("a run named `{run}` exists already")]
    Exists {
        /// The name.
        run: RunName,
    },
    /// Another process holds it.
    #[error("run `{run}` is driven by {holder}")]
    DrivenBy {
        /// The name.
        run: RunName,
        /// Who, as far as is known: `process 4711`.
        holder: String,
    },
    /// It will not be removed at the time that its manifest gives.
    #[error("run `{run}` stays until it is deleted, in spite of its `ttlStrategy`: {reason}")]
    Stays {
        /// The name.
        run: RunName,
        /// Why.
        reason: &'static str,
    },
    /// The log was altered, or cut in the middle.
    #[error("the log of run `{run}` is damaged at {place}: {reason}")]
    Damaged {
        /// The name.
        run: RunName,
        /// The file and the line or record.
        place: String,
        /// What does not fit.
        reason: String,
    },
    /// A later release wrote it.
    #[error("the log of run `{run}` has format {found}; this release reads up to {known}")]
    Newer {
        /// The name.
        run: RunName,
        /// The format of the log.
        found: u32,
        /// The newest one known here.
        known: u32,
    },
    /// The cluster refuses, or cannot be reached.
    #[error(transparent)]
    Cluster(#[from] ApiError),
    /// The disk, or what stands in its place, refuses.
    #[error("failed to {action}: {source}")]
    Io {
        /// What was being done, with the path.
        action: String,
        /// What the system said.
        source: std::io::Error,
    },
}
