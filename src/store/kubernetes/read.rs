//! Reading a run: its head, its header, its log.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::ListParams;
use kube::{Api, Client};

use super::head::Head;
use super::objects::{self, Kept, Owner};
use super::segment::{Assembled, Broken};
use super::upload;
use crate::backend::kubernetes::Job;
use crate::backend::kubernetes::{ApiError, Cluster};
use crate::base::RunName;
use crate::store::blob::{self, Digest};
use crate::store::frame::{Chain, Lines, Rest, read_lines};
use crate::store::{FORMAT_VERSION, Header, Record, StoreError, Stored, record};

/// Segments of one page of a list: 32 KiB each.
const PAGE: u32 = 100;

/// Reads the runs of a namespace.
#[derive(Clone)]
pub(super) struct Reader {
    pub(super) maps: Api<ConfigMap>,
    pub(super) jobs: Api<Job>,
}

/// The beginning of a log: what does not change.
pub(super) struct Opening {
    pub(super) owner: Owner,
    pub(super) head: Head,
    pub(super) header: Header,
    /// What the first record must fit to.
    pub(super) chain: Chain,
}

/// Records that were read, and where the next one goes.
pub(super) struct Part {
    pub(super) records: Vec<Record>,
    pub(super) chain: Chain,
    /// How many bytes the complete lines take.
    pub(super) bytes: u64,
    pub(super) torn: Option<String>,
}

impl Reader {
    pub(super) fn new(cluster: &Cluster) -> Self {
        let client: Client = cluster.client.clone();
        Self {
            maps: Api::namespaced(client.clone(), &cluster.namespace),
            jobs: Api::namespaced(client, &cluster.namespace),
        }
    }

    /// Reads the metadata of the head of a run; none when there is no such run.
    pub(super) async fn head(&self, run: &RunName) -> Result<Option<Head>, StoreError> {
        let metadata = self.jobs.get_metadata_opt(run.as_str()).await;
        let metadata = metadata.map_err(|error| ApiError::new(&format!("read run `{run}`"), &error))?;
        Ok(metadata.and_then(|job| Head::read(&job.metadata)))
    }

    /// Reads the header of the run that has this head.
    pub(super) async fn opening(&self, run: &RunName, head: Head) -> Result<Opening, StoreError> {
        if let Some(found) = head.format.filter(|found| *found > FORMAT_VERSION) {
            return Err(StoreError::Newer { run: run.clone(), found, known: FORMAT_VERSION });
        }
        let owner = Owner { run: run.clone(), uid: head.uid.clone() };
        let damaged = |reason: String| StoreError::Damaged { run: run.clone(), place: "its header".to_owned(), reason };
        let text = upload::download(&self.maps, &owner, |index| objects::plan_name(run, index)).await?;
        let text = text.ok_or_else(|| damaged("it is not all there: the run was submitted only in part".to_owned()))?;
        let text = text.map_err(damaged)?;
        let lines = read_lines(&text, Chain::default());
        let content = lines.contents.first().filter(|_| lines.rest.is_none());
        let content = content.ok_or_else(|| damaged("it does not fit its checksum".to_owned()))?;
        let header = record::read_header(run, content, |_| "its header".to_owned())?;
        Ok(Opening { owner, head, header, chain: lines.chain })
    }

    /// Lists the segments of a log.
    pub(super) async fn segments(&self, owner: &Owner) -> Result<BTreeMap<u32, Kept>, StoreError> {
        let mut params = ListParams::default().labels(&objects::selector(&owner.run, objects::LOG)).limit(PAGE);
        let mut segments = BTreeMap::new();
        loop {
            let page = self.maps.list(&params).await;
            let page = page.map_err(|error| ApiError::new(&format!("read the log of run `{}`", owner.run), &error))?;
            segments.extend(page.items.iter().filter_map(|map| objects::read_segment(owner, map)));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => return Ok(segments),
            }
        }
    }

    /// Reads the records in `text`, the bytes of a log from the end of `chain` on.
    pub(super) async fn records(&self, owner: &Owner, text: &[u8], chain: Chain) -> Result<Part, StoreError> {
        let run = &owner.run;
        let Lines { contents, chain: end, bytes, rest } = read_lines(text, chain);
        let torn = match rest {
            None => None,
            Some(Rest::Torn(reason)) => Some(reason),
            Some(Rest::Damaged { line, reason }) => {
                let place = format!("record {}", line.saturating_sub(1));
                return Err(StoreError::Damaged { run: run.clone(), place, reason: reason.into_owned() });
            }
        };
        let place = |line: u64| format!("record {}", line - 1);
        let texts = self.blobs(owner, &contents).await?;
        let mut records = Vec::new();
        for (content, seq) in contents.into_iter().zip(chain.seq()..) {
            let damaged = |reason: &str| StoreError::Damaged {
                run: run.clone(),
                place: place(seq + 1),
                reason: reason.to_owned(),
            };
            let mut find = |digest: Option<Digest>| {
                let digest = digest.ok_or_else(|| damaged("it refers to a text without saying which"))?;
                texts.get(&digest).cloned().ok_or_else(|| damaged("it refers to a text that is missing or was altered"))
            };
            records.push(record::read(run, content, seq, place, &mut find)?);
        }
        Ok(Part { records, chain: end, bytes, torn })
    }

    /// Reads the texts beside the log that these lines refer to. One that is not what its digest
    /// says counts as missing.
    async fn blobs(&self, owner: &Owner, contents: &[&[u8]]) -> Result<BTreeMap<Digest, String>, StoreError> {
        let lines = contents.iter().filter_map(|content| std::str::from_utf8(content).ok());
        let lines = lines.filter(|line| blob::has_reference(line)).filter_map(|line| serde_json::from_str(line).ok());
        let wanted: BTreeSet<Digest> = lines.flat_map(|value| blob::references(&value)).collect();
        let mut texts = BTreeMap::new();
        for digest in wanted {
            let name = |index| objects::blob_name(&owner.run, &digest, index);
            let found = upload::download(&self.maps, owner, name).await?;
            let text = found.and_then(Result::ok).and_then(|bytes| String::from_utf8(bytes).ok());
            if let Some(text) = text.filter(|text| Digest::of(text) == digest) {
                texts.insert(digest, text);
            }
        }
        Ok(texts)
    }
}

/// Returns the error of segments that make no log.
pub(super) fn broken(run: &RunName, broken: Broken) -> StoreError {
    let place = format!("the ConfigMap `{}`", objects::log_name(run, broken.index));
    StoreError::Damaged { run: run.clone(), place, reason: broken.reason }
}

/// Puts segments together.
pub(super) fn assemble(run: &RunName, segments: &BTreeMap<u32, Kept>) -> Result<Assembled, StoreError> {
    let mut assembled = Assembled::default();
    let segments = segments.iter().map(|(index, kept)| (*index, kept.segment.clone())).collect();
    assembled.take(&segments).map_err(|fault| broken(run, fault))?;
    Ok(assembled)
}

/// Holds what was read against the summary, which is written after the log.
pub(super) fn check_whole(opening: &Opening, part: &Part) -> Result<(), StoreError> {
    let summarized = opening.head.stored.as_ref().map_or(0, |stored| stored.records);
    let records = part.chain.seq();
    if records >= summarized {
        return Ok(());
    }
    Err(StoreError::Damaged {
        run: opening.owner.run.clone(),
        place: "the end of the log".to_owned(),
        reason: format!("{records} of {summarized} records are left: ConfigMaps of it were removed"),
    })
}

/// Returns what a caller gets of a run.
pub(super) fn stored(header: Header, part: Part) -> Stored {
    Stored { header, records: part.records, torn: part.torn }
}
