//! A held log: appending to it, showing how the run stands, hearing what others ask.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{Patch, PostParams};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::head::{self, Standing};
use super::inbox::{self, Inbox};
use super::keeper::{Keeper, News};
use super::lease::RunLease;
use super::objects::{self, Owner, Term};
use super::segment::{Segmenter, Write};
use super::{Identity, KubernetesShared, KubernetesStore, pieces, upload};
use crate::backend::kubernetes::{ApiError, ApiErrorKind, Fence, Job};
use crate::base::{RunName, RunUid, TimeSpan};
use crate::engine::Batch;
use crate::spec::TTLStrategy;
use crate::store::blob::Digest;
use crate::store::frame::Chain;
use crate::store::{Answer, Log, Request, RequestId, StoreError, Summary, record};

/// How long an append waits for a cluster that cannot be reached, or that takes a permission away:
/// as long as the backend is waited for. Pods go on meanwhile.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often listings are brought up to date: each costs a write to the API server, which a run
/// whose steps take seconds would pay for each of them.
const SUMMARIZE_EVERY: TimeSpan = TimeSpan::from_secs(5);

/// The first wait between two tries, doubled up to the most.
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);

/// The right to write the log of one run in a cluster.
pub struct KubernetesLog {
    pub(super) store: KubernetesStore,
    pub(super) uid: RunUid,
    pub(super) maps: Api<ConfigMap>,
    pub(super) jobs: Api<Job>,
    pub(super) owner: Owner,
    pub(super) me: Identity,
    pub(super) lease: RunLease,
    pub(super) keeper: Keeper,
    pub(super) inbox: Inbox,
    /// Requests that need no decision any more, with their answers.
    pub(super) unanswered: VecDeque<(RequestId, Answer)>,
    pub(super) chain: Chain,
    pub(super) segmenter: Segmenter,
    pub(super) term: Term,
    /// The version of the open segment, as we wrote or read it last.
    pub(super) version: Option<String>,
    /// What is told that the log is ours.
    pub(super) fence: Fence,
    pub(super) kept: BTreeSet<Digest>,
    pub(super) standing: Standing,
    /// Whether we may write the status of Jobs; found out at the first try.
    pub(super) may_write_status: bool,
    pub(super) ttl: Option<TTLStrategy>,
}

impl KubernetesLog {
    /// Returns the name of the run.
    pub fn run(&self) -> &RunName {
        &self.owner.run
    }

    /// Returns the uid of the head Job, which owns all objects of the run.
    pub fn head(&self) -> &str {
        &self.owner.uid
    }

    /// Returns what keeps its holder from acting once another has taken the log.
    pub fn fence(&self) -> Fence {
        self.fence.clone()
    }

    /// Makes the log ours: the one who wrote it before can append nothing more.
    pub(super) async fn make_ours(&mut self) -> Result<(), StoreError> {
        let write = self.segmenter.open();
        self.write(&write).await
    }

    /// Does one write of a segment, as often as it takes to know what became of it.
    async fn write(&mut self, write: &Write) -> Result<(), StoreError> {
        let version = if write.is_new { None } else { self.version.clone() };
        let object = objects::segment(&self.owner, write, &self.term, version.as_deref());
        let mut patience = Patience::new();
        loop {
            let error = match self.try_write(write.is_new, &object).await {
                Ok(version) => {
                    self.written(write, version);
                    return Ok(());
                }
                Err(error) => error,
            };
            match error.kind {
                ApiErrorKind::Exists | ApiErrorKind::Conflict => match self.read_back(write).await {
                    Err(StoreError::Cluster(error)) => patience.wait(error).await?,
                    known => return known,
                },
                ApiErrorKind::NotFound => return Err(self.gone()),
                _ => patience.wait(error).await?,
            }
        }
    }

    async fn try_write(&self, is_new: bool, object: &ConfigMap) -> Result<String, ApiError> {
        let name = object.metadata.name.as_deref().unwrap_or_default();
        let written = match is_new {
            true => self.maps.create(&PostParams::default(), object).await,
            false => self.maps.replace(name, &PostParams::default(), object).await,
        };
        let action = format!("append to the log of run `{}`", self.owner.run);
        let written = written.map_err(|error| ApiError::new(&action, &error))?;
        Ok(written.metadata.resource_version.unwrap_or_default())
    }

    /// Finds out whose a segment is that was changed since we read it. It may be ours, when the
    /// answer to a write that went through was lost.
    async fn read_back(&mut self, write: &Write) -> Result<(), StoreError> {
        let name = objects::log_name(&self.owner.run, write.index);
        let found = self.maps.get_opt(&name).await;
        let found = found.map_err(|error| ApiError::new(&format!("read the ConfigMap `{name}`"), &error))?;
        let Some(found) = found else { return Err(self.gone()) };
        match objects::read_segment(&self.owner, &found) {
            Some((_, kept)) if kept.segment == write.segment && kept.term == self.term => {
                self.written(write, kept.version);
                Ok(())
            }
            Some((_, kept)) => {
                Err(StoreError::DrivenBy { run: self.owner.run.clone(), holder: format!("`{}`", kept.term.holder) })
            }
            None => Err(ApiError::taken("append to the log", "ConfigMap", &name).into()),
        }
    }

    /// Answers what the log took already. Safe to drop: what is not answered stays to be.
    async fn answer_again(&mut self) {
        while let Some((id, answer)) = self.unanswered.front().cloned() {
            // The next driver answers what cannot be answered now.
            let _ = self.respond(&id, &answer).await;
            self.unanswered.pop_front();
        }
    }

    fn written(&mut self, write: &Write, version: String) {
        match write.segment.is_sealed {
            true => self.fence.prove(objects::log_name(&self.owner.run, write.index + 1), None),
            false => self.fence.prove(objects::log_name(&self.owner.run, write.index), Some(version.clone())),
        }
        self.version = Some(version);
    }

    fn gone(&self) -> StoreError {
        StoreError::Deleted { run: self.owner.run.clone() }
    }

    /// Makes texts durable beside the log.
    async fn keep(&mut self, texts: Vec<(Digest, String)>) -> Result<(), StoreError> {
        for (digest, text) in texts {
            if self.kept.insert(digest.clone()) {
                let name = |index| objects::blob_name(&self.owner.run, &digest, index);
                let cut = pieces::cut(text.as_bytes());
                let mut patience = Patience::new();
                let upload = || upload::upload(&self.store.reader, &self.owner, objects::BLOB, cut.clone(), name);
                while let Err(error) = upload().await {
                    match error.kind {
                        ApiErrorKind::NotFound => return Err(self.gone()),
                        _ => patience.wait(error).await?,
                    }
                }
            }
        }
        Ok(())
    }

    /// Patches the head Job, which must still be the one of this run.
    async fn patch_head(&self, metadata: Value, status: Option<Value>) -> Result<(), ApiError> {
        let mut patch = json!({"metadata": metadata});
        patch["metadata"]["uid"] = self.owner.uid.clone().into();
        let (run, params) = (self.owner.run.as_str(), self.me.patch_params());
        let patched = match status {
            Some(status) => {
                patch["status"] = status;
                self.jobs.patch_status(run, &params, &Patch::Merge(patch)).await.map(drop)
            }
            None => self.jobs.patch_metadata(run, &params, &Patch::Merge(patch)).await.map(drop),
        };
        patched.map_err(|error| ApiError::new(&format!("show how run `{run}` stands"), &error))
    }

    /// Refuses where the run has ended and the cluster, which is to remove it, does not know.
    fn check_removal(&self, summary: &Summary) -> Result<(), StoreError> {
        match self.ttl.is_some() && !self.may_write_status && head::has_ended(summary) {
            true => Err(StoreError::Stays {
                run: self.owner.run.clone(),
                reason: "you may not patch `jobs/status`, which would tell the cluster that it has ended",
            }),
            false => Ok(()),
        }
    }

    /// Says when the cluster removes the run, before it knows that the run has ended; a run that
    /// goes on after its end is not removed.
    async fn set_time_to_live(&mut self, summary: &Summary) -> Result<(), ApiError> {
        let seconds = head::seconds_to_live(self.ttl.as_ref(), summary, self.standing.ended_at);
        if self.ttl.is_none() || seconds == self.standing.seconds_to_live {
            return Ok(());
        }
        let patch = json!({"metadata": {"uid": self.owner.uid}, "spec": {"ttlSecondsAfterFinished": seconds}});
        let run = self.owner.run.as_str();
        let patched = self.jobs.patch_metadata(run, &self.me.patch_params(), &Patch::Merge(patch)).await;
        patched.map_err(|error| ApiError::new(&format!("set the time to live of run `{run}`"), &error))?;
        self.standing.seconds_to_live = seconds;
        Ok(())
    }
}

/// How long an append goes on trying.
struct Patience {
    ends_at: Instant,
    wait: Duration,
}

impl Patience {
    fn new() -> Self {
        Self { ends_at: Instant::now() + PATIENCE, wait: RETRY_MIN }
    }

    /// Waits before another try; gives `error` back where none is worth it. What can pass is, and a
    /// permission that may come back.
    async fn wait(&mut self, error: ApiError) -> Result<(), ApiError> {
        let may_pass = error.is_passing() || matches!(error.kind, ApiErrorKind::Forbidden | ApiErrorKind::Unauthorized);
        if !may_pass || Instant::now() >= self.ends_at {
            return Err(error);
        }
        tokio::time::sleep(self.wait).await;
        self.wait = (self.wait * 2).min(RETRY_MAX);
        Ok(())
    }
}

impl Log for KubernetesLog {
    type Shared = KubernetesShared;

    fn shared(&self) -> KubernetesShared {
        let (run, uid) = (self.owner.run.clone(), self.uid.clone());
        KubernetesShared::new(self.store.clone(), self.maps.clone(), self.me.clone(), run, uid)
    }

    async fn append(&mut self, batches: &[Batch], taken: &[RequestId]) -> Result<(), StoreError> {
        let written = record::write(&self.owner.run, batches, taken)?;
        self.keep(written.beside).await?;
        let line = self.chain.frame(&written.content);
        // The line of a wide run is many megabytes; one copy of them is enough.
        drop(written.content);
        for write in self.segmenter.append(&line) {
            self.write(&write).await?;
        }
        self.inbox.take(taken);
        Ok(())
    }

    async fn summarize(&mut self, summary: &Summary) -> Result<(), StoreError> {
        self.set_time_to_live(summary).await?;
        let metadata = head::metadata_patch(self.chain.seq(), summary);
        let Some(status) = head::status_patch(summary, self.standing).filter(|_| self.may_write_status) else {
            self.patch_head(metadata, None).await?;
            return self.check_removal(summary);
        };
        let ends = status.get("conditions").is_some();
        match self.patch_head(metadata.clone(), Some(status)).await {
            Err(error) if error.kind == ApiErrorKind::Forbidden => {
                self.may_write_status = false;
                self.patch_head(metadata, None).await?;
                return self.check_removal(summary);
            }
            patched => patched?,
        }
        self.standing.has_begun = true;
        self.standing.has_ended |= ends;
        Ok(())
    }

    fn summarize_every(&self) -> TimeSpan {
        SUMMARIZE_EVERY
    }

    async fn requests(&mut self) -> Result<Vec<Request>, StoreError> {
        loop {
            let sorted = self.inbox.sort();
            self.unanswered.extend(sorted.answered);
            if !sorted.fresh.is_empty() {
                return Ok(sorted.fresh);
            }
            self.answer_again().await;
            match self.keeper.next().await {
                News::Requests(requests) => self.inbox.see(requests),
                // Only who took the log over can have written more than we did.
                News::Records(records) if records > self.chain.seq() => {
                    let holder = "another process".to_owned();
                    return Err(StoreError::DrivenBy { run: self.owner.run.clone(), holder });
                }
                News::Records(_) => {}
                News::Gone => return Err(self.gone()),
            }
        }
    }

    async fn respond(&mut self, id: &RequestId, answer: &Answer) -> Result<(), StoreError> {
        let annotations = inbox::answering(id, answer);
        Ok(self.patch_head(json!({"annotations": annotations}), None).await?)
    }

    async fn release(mut self) {
        self.answer_again().await;
        // It must not renew what is let go.
        drop(self.keeper);
        // A Lease that stays is taken over by who finds that nobody answers.
        let _ = self.lease.release().await;
    }
}
