//! Reading a log: lines to header and records, with what is wrong told by line.

use serde::{Deserialize, Serialize};

use super::super::disk::Disk;
use super::super::frame::{Chain, Rest, read_lines};
use super::super::{FORMAT_VERSION, Header, Record, RequestId, StoreError, blob};
use super::blobs;
use super::paths::{RunPaths, failed};
use crate::base::RunName;
use crate::engine::Batch;

/// The length of a log that is read: a bound for memory, far above a run of a million nodes.
pub(super) const LOG_BYTES_MAX: usize = 8 << 30;

/// What a line after the first holds; its place is the frame's.
#[derive(Serialize, Deserialize)]
pub(super) struct Entry<B, T> {
    pub(super) batches: B,
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub(super) taken: Option<T>,
}

/// The part of a header that every version has.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// The part of a log from some place on.
pub(super) struct Part {
    /// The first record of the log, when the part begins with it.
    pub(super) header: Option<Header>,
    pub(super) records: Vec<Record>,
    /// Where the next record goes.
    pub(super) chain: Chain,
    /// Where it goes in the file, in bytes.
    pub(super) offset: u64,
    /// What was wrong with the end, if it was torn.
    pub(super) torn: Option<String>,
}

/// Reads the logs of one run.
pub(super) struct Reader<'a, D> {
    pub(super) disk: &'a D,
    pub(super) run: &'a RunName,
    pub(super) paths: &'a RunPaths,
}

impl<D: Disk> Reader<'_, D> {
    /// Reads all that follows on `chain`, which ends `offset` bytes into the file.
    pub(super) fn read_from(&self, chain: Chain, offset: u64) -> Result<Part, StoreError> {
        let path = self.paths.events();
        let bytes = self.disk.read(&path, offset, LOG_BYTES_MAX).map_err(failed("read", &path))?;
        let lines = read_lines(&bytes, chain);
        let torn = match lines.rest {
            None => None,
            Some(Rest::Torn(reason)) => Some(reason),
            Some(Rest::Damaged { line, reason }) => return Err(self.damaged(line, reason.into_owned())),
        };
        let mut part =
            Part { header: None, records: Vec::new(), chain: lines.chain, offset: offset + lines.bytes, torn };
        for (content, seq) in lines.contents.into_iter().zip(chain.seq()..) {
            match seq {
                0 => part.header = Some(self.header(content)?),
                _ => part.records.push(self.record(content, seq)?),
            }
        }
        Ok(part)
    }

    fn header(&self, content: &[u8]) -> Result<Header, StoreError> {
        let unreadable = |error: serde_json::Error| self.damaged(1, format!("it is no header: {error}"));
        let found = serde_json::from_slice::<Versioned>(content).map_err(unreadable)?.version;
        if found > FORMAT_VERSION {
            return Err(StoreError::Newer { run: self.run.clone(), found, known: FORMAT_VERSION });
        }
        let header: Header = serde_json::from_slice(content).map_err(unreadable)?;
        if header.name != *self.run {
            return Err(self.damaged(1, format!("it is the log of run `{}`", header.name)));
        }
        Ok(header)
    }

    fn record(&self, content: &[u8], seq: u64) -> Result<Record, StoreError> {
        let unreadable = |error: serde_json::Error| self.damaged(seq + 1, format!("it is no record: {error}"));
        let content =
            std::str::from_utf8(content).map_err(|error| self.damaged(seq + 1, format!("it is no record: {error}")))?;
        let entry: Entry<Vec<Batch>, Vec<RequestId>> = if blob::has_reference(content) {
            let mut value = serde_json::from_str(content).map_err(unreadable)?;
            let place = self.place(seq + 1);
            blob::restore(&mut value, &mut |digest| blobs::read(self.disk, self.run, self.paths, &place, digest))?;
            serde_json::from_value(value).map_err(unreadable)?
        } else {
            serde_json::from_str(content).map_err(unreadable)?
        };
        Ok(Record { seq, batches: entry.batches, taken: entry.taken.unwrap_or_default() })
    }

    fn damaged(&self, line: u64, reason: String) -> StoreError {
        StoreError::Damaged { run: self.run.clone(), place: self.place(line), reason }
    }

    fn place(&self, line: u64) -> String {
        format!("line {line} of `{}`", self.paths.events().display())
    }
}
