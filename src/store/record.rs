//! What a line of a log holds, whatever keeps the lines: the header first, then a record each.
//!
//! **Invariant:** nothing here touches a disk or a cluster; texts that lie beside the log are given.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::blob::{self, Digest};
use super::{FORMAT_VERSION, Header, Record, RequestId, StoreError, Summary};
use crate::base::RunName;
use crate::engine::{Batch, Phase};

/// What a line after the first holds; its place is the frame's.
#[derive(Serialize, Deserialize)]
struct Entry<B, T> {
    batches: B,
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    taken: Option<T>,
}

/// The part of a header that every version has.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// A record as it is written.
#[derive(Debug)]
pub(super) struct Written {
    /// The content of its line.
    pub(super) content: String,
    /// The texts that must be durable beside the log before the line is.
    pub(super) beside: Vec<(Digest, String)>,
}

/// Where a line stands, for messages: `line 3 of …`.
pub(super) trait Place: Fn(u64) -> String {}

impl<F: Fn(u64) -> String> Place for F {}

/// Turns what was decided into one line's content, its big texts beside it.
pub(super) fn write(run: &RunName, batches: &[Batch], taken: &[RequestId]) -> Result<Written, StoreError> {
    let entry = Entry { batches, taken: (!taken.is_empty()).then_some(taken) };
    let unwritable = |error: serde_json::Error| StoreError::Io {
        action: format!("write a record of run `{run}` as JSON"),
        source: error.into(),
    };
    let json = serde_json::to_string(&entry).map_err(unwritable)?;
    if blob::is_plain(&json) {
        return Ok(Written { content: json, beside: Vec::new() });
    }
    let mut value: Value = serde_json::from_str(&json).map_err(unwritable)?;
    let mut beside = Vec::new();
    let spilled: Result<(), StoreError> = blob::spill(&mut value, &mut |digest, text| {
        beside.push((digest.clone(), text.to_owned()));
        Ok(())
    });
    spilled?;
    Ok(Written { content: value.to_string(), beside })
}

/// Returns the header as JSON that is known to be readable again: serde_json writes deeper than
/// it reads.
pub(super) fn write_header(header: &Header) -> Result<String, StoreError> {
    let unwritable = |error: serde_json::Error| StoreError::Io {
        action: format!("write the header of run `{}` as JSON that can be read again", header.name),
        source: error.into(),
    };
    let json = serde_json::to_string(header).map_err(unwritable)?;
    header_of(json.as_bytes()).map_err(unwritable)?;
    Ok(json)
}

/// Reads the content of a log's first line.
pub(super) fn read_header(run: &RunName, content: &[u8], place: impl Place) -> Result<Header, StoreError> {
    let damaged = |reason: String| StoreError::Damaged { run: run.clone(), place: place(1), reason };
    let unreadable = |error: serde_json::Error| damaged(format!("it is no header: {error}"));
    let found = serde_json::from_slice::<Versioned>(content).map_err(unreadable)?.version;
    if found > FORMAT_VERSION {
        return Err(StoreError::Newer { run: run.clone(), found, known: FORMAT_VERSION });
    }
    let header = header_of(content).map_err(unreadable)?;
    if header.name != *run {
        return Err(damaged(format!("it is the log of run `{}`", header.name)));
    }
    Ok(header)
}

/// Reads a header by way of a value, as manifests are read: the types of a manifest are many, and each way of
/// reading them is code.
fn header_of(content: &[u8]) -> Result<Header, serde_json::Error> {
    serde_json::from_slice::<Value>(content).and_then(serde_json::from_value)
}

/// Reads the content of the line of record `seq`; `find` gives the texts beside the log.
pub(super) fn read(
    run: &RunName,
    content: &[u8],
    seq: u64,
    place: impl Place,
    find: &mut impl FnMut(Option<Digest>) -> Result<String, StoreError>,
) -> Result<Record, StoreError> {
    let damaged = |reason| StoreError::Damaged { run: run.clone(), place: place(seq + 1), reason };
    let unreadable = |error: serde_json::Error| damaged(format!("it is no record: {error}"));
    let content = std::str::from_utf8(content).map_err(|error| damaged(format!("it is no record: {error}")))?;
    let entry: Entry<Vec<Batch>, Vec<RequestId>> = if blob::has_reference(content) {
        let mut value = serde_json::from_str(content).map_err(unreadable)?;
        blob::restore(&mut value, find)?;
        serde_json::from_value(value).map_err(unreadable)?
    } else {
        serde_json::from_str(content).map_err(unreadable)?
    };
    Ok(Record { seq, batches: entry.batches, taken: entry.taken.unwrap_or_default() })
}

/// Returns what a listing says of a run that nobody has begun.
pub(super) fn pending_summary(header: &Header) -> Summary {
    Summary {
        name: header.name.clone(),
        uid: header.uid.clone(),
        created_at: header.created_at,
        started_at: None,
        finished_at: None,
        phase: Phase::Pending.to_string(),
        message: String::new(),
        progress: String::new(),
        suspended: false,
        priority: header.resolved.spec.priority.unwrap_or(0),
        expires_at: None,
        labels: Default::default(),
    }
}
