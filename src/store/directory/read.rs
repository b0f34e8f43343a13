//! Reading a log: lines to header and records, with what is wrong told by line.

use super::super::disk::Disk;
use super::super::frame::{Chain, Rest, read_lines};
use super::super::{Header, Record, StoreError, record};
use super::blobs;
use super::paths::{RunPaths, failed};
use crate::base::RunName;

/// The length of a log that is read: a bound for memory, far above a run of a million nodes.
pub(super) const LOG_BYTES_MAX: usize = 8 << 30;

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
        record::read_header(self.run, content, |line| self.place(line))
    }

    fn record(&self, content: &[u8], seq: u64) -> Result<Record, StoreError> {
        let place = self.place(seq + 1);
        let mut find = |digest| blobs::read(self.disk, self.run, self.paths, &place, digest);
        record::read(self.run, content, seq, |line| self.place(line), &mut find)
    }

    fn damaged(&self, line: u64, reason: String) -> StoreError {
        StoreError::Damaged { run: self.run.clone(), place: self.place(line), reason }
    }

    fn place(&self, line: u64) -> String {
        format!("line {line} of `{}`", self.paths.events().display())
    }
}
