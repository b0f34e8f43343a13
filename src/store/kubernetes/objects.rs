//! The ConfigMaps of a run: how they are made, named and read.
//!
//! **Invariant:** pure. What is read here comes from a cluster, and may be anything.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use super::segment::{Segment, Write};
use crate::backend::kubernetes::names;
use crate::base::RunName;
use crate::store::FORMAT_VERSION;
use crate::store::blob::Digest;

/// The value of [`names::KIND`] on pieces of a header.
pub(super) const PLAN: &str = "plan";

/// The value of [`names::KIND`] on segments of a log.
pub(super) const LOG: &str = "log";

/// The value of [`names::KIND`] on pieces of a blob.
pub(super) const BLOB: &str = "blob";

/// The key of an object's bytes.
const KEY: &str = "data";

/// Hexadecimal digits of a digest in a name: enough that no two blobs of a run share them.
const DIGEST_DIGITS: usize = 32;

/// Whom objects belong to.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    /// The run, and the name of its head Job.
    pub(super) run: RunName,
    /// The head Job's uid, which tells it from an earlier one of that name.
    pub(super) uid: String,
}

impl Owner {
    /// Returns the reference by which the cluster removes an object with its run.
    pub(super) fn reference(&self) -> OwnerReference {
        OwnerReference {
            api_version: "batch/v1".to_owned(),
            kind: "Job".to_owned(),
            name: self.run.to_string(),
            uid: self.uid.clone(),
            ..OwnerReference::default()
        }
    }

    /// Returns whether an object belongs to this very run.
    pub(super) fn owns(&self, metadata: &ObjectMeta) -> bool {
        metadata.owner_references.iter().flatten().any(|reference| reference.uid == self.uid)
    }

    /// Returns whether an object belonged to an earlier run of this name: the name is ours now, so
    /// that run is gone.
    pub(super) fn is_leftover(&self, metadata: &ObjectMeta) -> bool {
        let is_of_run = |reference: &OwnerReference| reference.kind == "Job" && reference.name == self.run.as_str();
        let labels = metadata.labels.as_ref();
        !self.owns(metadata)
            && labels.is_some_and(|labels| labels.contains_key(names::KIND))
            && metadata.owner_references.iter().flatten().any(is_of_run)
    }

    /// Returns the metadata of an object of this run.
    pub(super) fn metadata(&self, kind: &str, name: String) -> ObjectMeta {
        let labels = [(names::KIND, kind), (names::RUN, self.run.as_str()), (names::WORKFLOW, self.run.as_str())];
        ObjectMeta {
            name: Some(name),
            labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
            annotations: Some([(names::FORMAT.to_owned(), FORMAT_VERSION.to_string())].into()),
            owner_references: Some(vec![self.reference()]),
            ..ObjectMeta::default()
        }
    }
}

/// Returns what selects the objects of a run that are of one kind.
pub(super) fn selector(run: &RunName, kind: &str) -> String {
    format!("{}={run},{}={kind}", names::RUN, names::KIND)
}

/// Returns the name of a piece of a run's header.
pub(super) fn plan_name(run: &RunName, index: usize) -> String {
    format!("wf.plan.{run}.{index}")
}

/// Returns the name of a segment of a run's log.
pub(super) fn log_name(run: &RunName, index: u32) -> String {
    format!("wf.log.{run}.{index}")
}

/// Returns the name of a piece of a blob.
pub(super) fn blob_name(run: &RunName, digest: &Digest, index: usize) -> String {
    format!("wf.blob.{run}.{}.{index}", &digest.as_str()[..DIGEST_DIGITS])
}

/// Returns a piece as an object that never changes.
pub(super) fn piece(owner: &Owner, kind: &str, name: String, count: usize, bytes: Vec<u8>) -> ConfigMap {
    let mut metadata = owner.metadata(kind, name);
    metadata.annotations.get_or_insert_default().insert(names::PIECES.to_owned(), count.to_string());
    ConfigMap { metadata, immutable: Some(true), ..with(bytes) }
}

/// Returns of how many pieces a text consists, as one of them says.
pub(super) fn pieces(map: &ConfigMap) -> Option<usize> {
    annotation(map, names::PIECES)?.parse().ok()
}

/// Who writes a log, and how often it was taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Term {
    /// Counts from 1; each take-over adds one.
    pub(super) epoch: u64,
    /// The process, which is one of its name for ever.
    pub(super) holder: String,
}

/// A segment with what only the cluster's copy has.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) segment: Segment,
    pub(super) term: Term,
    /// The version that a write must name to replace it.
    pub(super) version: String,
}

/// Returns a write as the object that it makes; `version` is that of the object that it replaces.
pub(super) fn segment(owner: &Owner, write: &Write, term: &Term, version: Option<&str>) -> ConfigMap {
    let mut metadata = owner.metadata(LOG, log_name(&owner.run, write.index));
    metadata.resource_version = version.map(str::to_owned);
    let own = [
        (names::FROM, write.segment.from.to_string()),
        (names::EPOCH, term.epoch.to_string()),
        (names::HOLDER, term.holder.clone()),
    ];
    metadata.annotations.get_or_insert_default().extend(own.map(|(key, value)| (key.to_owned(), value)));
    let immutable = write.segment.is_sealed.then_some(true);
    ConfigMap { metadata, immutable, ..with(write.segment.packed.clone()) }
}

/// Reads a segment of `owner`'s log; none when the object is none, or another run's.
pub(super) fn read_segment(owner: &Owner, map: &ConfigMap) -> Option<(u32, Kept)> {
    let name = map.metadata.name.as_deref()?;
    let index = name.strip_prefix(&format!("wf.log.{}.", owner.run))?.parse().ok()?;
    if !owner.owns(&map.metadata) {
        return None;
    }
    let segment = Segment {
        from: annotation(map, names::FROM)?.parse().ok()?,
        packed: bytes(map),
        is_sealed: map.immutable == Some(true),
    };
    let term = Term {
        epoch: annotation(map, names::EPOCH)?.parse().ok()?,
        holder: annotation(map, names::HOLDER)?.to_owned(),
    };
    Some((index, Kept { segment, term, version: map.metadata.resource_version.clone()? }))
}

/// Returns the bytes that an object holds.
pub(super) fn bytes(map: &ConfigMap) -> Vec<u8> {
    let data = map.binary_data.as_ref().and_then(|data| data.get(KEY));
    data.map(|data| data.0.clone()).unwrap_or_default()
}

fn with(bytes: Vec<u8>) -> ConfigMap {
    let data = BTreeMap::from([(KEY.to_owned(), ByteString(bytes))]);
    ConfigMap { binary_data: Some(data), ..ConfigMap::default() }
}

fn annotation<'a>(map: &'a ConfigMap, key: &str) -> Option<&'a str> {
    map.metadata.annotations.as_ref()?.get(key).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Owner {
        Owner { run: RunName::new("ci.1").expect("a name"), uid: "u-1".to_owned() }
    }

    #[test]
    fn a_segment_is_read_as_it_was_written() {
        let segment = Segment { from: 7, packed: b"bytes".to_vec(), is_sealed: true };
        let term = Term { epoch: 3, holder: "me".to_owned() };
        let write = Write { index: 12, is_new: false, segment: segment.clone() };
        let map = super::segment(&owner(), &write, &term, Some("99"));
        let (index, kept) = read_segment(&owner(), &map).expect("it is one");
        assert_eq!((index, kept.segment, kept.term, kept.version.as_str()), (12, segment, term, "99"));
        let other = Owner { uid: "u-2".to_owned(), ..owner() };
        assert!(read_segment(&other, &map).is_none(), "it is of an earlier run of that name");
        assert!(read_segment(&owner(), &ConfigMap::default()).is_none());
    }

    #[test]
    fn names_of_the_longest_run_are_names() {
        let run = RunName::new("x".repeat(63)).expect("a name");
        let longest = blob_name(&run, &Digest::of("x"), usize::MAX);
        assert!(longest.len() <= 253, "{}", longest.len());
    }
}
