//! The runs of a namespace: making, taking over, reading, listing and removing them.

use std::collections::{BTreeSet, VecDeque};

use futures_util::{StreamExt, TryStreamExt};
use kube::Api;
use kube::api::{DeleteParams, ListParams, PartialObjectMeta, Patch, Preconditions};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event};
use serde_json::json;

use super::head::{self, Head, Standing};
use super::inbox::{self, Inbox};
use super::keeper::Keeper;
use super::lease::{RunLease, Wanted};
use super::log::KubernetesLog;
use super::objects::{self, Owner, Term};
use super::pauses::Pauses;
use super::read::{self, Opening, Reader};
use super::segment::Segmenter;
use super::tail::KubernetesTail;
use super::{Identity, pieces, upload};
use crate::backend::kubernetes::{ApiError, ApiErrorKind, Cluster, Fence, Job, names};
use crate::base::{RunName, RunUid, TimeSpan, Timestamp, suggest};
use crate::engine::Control;
use crate::store::frame::Chain;
use crate::store::{Answer, Header, RequestId, Store, StoreError, Stored, Summary, record};

/// How often one who waits asks whether the driver lives, which costs the driver a write.
const LOOK_EVERY: TimeSpan = TimeSpan(1000);

/// Runs of one page of a list.
const PAGE: u32 = 500;

/// The runs of a namespace.
#[derive(Clone)]
pub struct KubernetesStore {
    cluster: Cluster,
    me: Identity,
    pub(super) reader: Reader,
}

impl KubernetesStore {
    /// Returns the store in the namespace of `cluster`, as `me` sees it. Nothing is asked yet.
    pub fn new(cluster: Cluster, me: Identity) -> Self {
        let reader = Reader::new(&cluster);
        Self { cluster, me, reader }
    }

    /// Returns who we are to others.
    pub fn me(&self) -> &Identity {
        &self.me
    }

    /// Returns the uid of the head Job of a run, which owns all objects of it.
    pub async fn head_uid(&self, run: &RunName) -> Result<String, StoreError> {
        Ok(self.head(run).await?.uid)
    }

    fn jobs(&self) -> &Api<Job> {
        &self.reader.jobs
    }

    /// Returns the Jobs as their metadata alone.
    fn heads(&self) -> Api<PartialObjectMeta<Job>> {
        Api::namespaced(self.cluster.client.clone(), &self.cluster.namespace)
    }

    fn lease(&self, owner: &Owner) -> RunLease {
        RunLease::new(&self.cluster.client, &self.cluster.namespace, owner.clone(), self.me.clone())
    }

    async fn not_found(&self, run: &RunName) -> StoreError {
        let names = self.list().await.unwrap_or_default();
        let names = names.iter().map(|summary| summary.name.as_str());
        let nearest = suggest::nearest(run.as_str(), names).map(str::to_owned);
        StoreError::NotFound { run: run.to_string(), nearest }
    }

    /// Reads the head of a run, if there is one.
    pub(super) async fn head_of(&self, run: &RunName) -> Result<Option<Head>, StoreError> {
        self.reader.head(run).await
    }

    async fn head(&self, run: &RunName) -> Result<Head, StoreError> {
        match self.reader.head(run).await? {
            Some(head) if !head.is_leaving => Ok(head),
            _ => Err(self.not_found(run).await),
        }
    }

    /// Creates the head, which takes the name.
    async fn create_head(&self, header: &Header) -> Result<Job, StoreError> {
        let run = &header.name;
        let error = match self.cluster.post("apis/batch/v1", "jobs", &head::job(header)).await {
            Ok(created) => return Ok(created),
            Err(error) => ApiError::new(&format!("create run `{run}`"), &error),
        };
        if error.kind != ApiErrorKind::Exists {
            return Err(error.into());
        }
        let found = self.jobs().get_opt(run.as_str()).await;
        let found = found.map_err(|error| ApiError::new(&format!("read run `{run}`"), &error))?;
        match found.as_ref().and_then(|job| Head::read(&job.metadata)) {
            // The answer to a request that went through was lost.
            Some(head) if head.stored.as_ref().is_some_and(|stored| stored.summary.uid == header.uid) => {
                found.ok_or_else(|| StoreError::Exists { run: run.clone() })
            }
            Some(_) => Err(StoreError::Exists { run: run.clone() }),
            None => Err(ApiError::taken(&format!("create run `{run}`"), "Job", run.as_str()).into()),
        }
    }

    /// Writes what the head, made in version `head`, owns from the beginning.
    async fn fill(
        &self,
        lease: &RunLease,
        owner: &Owner,
        head: Option<String>,
        cut: Vec<Vec<u8>>,
    ) -> Result<(), StoreError> {
        // The Lease comes first: a controller that sees the head takes the run as soon as all of it is there
        // and nobody holds it.
        if let Wanted::Held(holder) = lease.take_first().await? {
            return Err(driven_by(&owner.run, &holder));
        }
        let name = |index| objects::plan_name(&owner.run, index);
        let plan = upload::upload(&self.reader, owner, objects::PLAN, cut, name).await;
        if let Err(error) = plan {
            // Nobody may take half a run for one; what cannot be removed says so when it is read. A run may
            // be whole in spite of a lost answer, and driven by another process already: then its head
            // has changed, and it stays.
            let _ = self.remove(&owner.run, &owner.uid, head).await;
            return Err(error.into());
        }
        Ok(())
    }

    async fn remove(&self, run: &RunName, uid: &str, version: Option<String>) -> Result<(), StoreError> {
        let preconditions = Some(Preconditions { uid: Some(uid.to_owned()), resource_version: version });
        let params = DeleteParams { preconditions, ..DeleteParams::background() };
        match self.jobs().delete(run.as_str(), &params).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            deleted => Ok(deleted.map(drop).map_err(|error| ApiError::new(&format!("delete run `{run}`"), &error))?),
        }
    }

    fn log(&self, held: Held) -> KubernetesLog {
        let Held { owner, uid, lease, standing, pinged, chain, segmenter, term, version, taken, ttl } = held;
        let keeper = Keeper::new(self.heads(), &owner, pinged, lease.clone());
        let open = objects::log_name(&owner.run, segmenter.index());
        let fence = Fence::new(owner.run.clone(), self.reader.maps.clone(), open, version.clone());
        KubernetesLog {
            store: self.clone(),
            uid,
            maps: self.reader.maps.clone(),
            jobs: self.jobs().clone(),
            me: self.me.clone(),
            lease,
            keeper,
            inbox: Inbox::new(taken),
            unanswered: VecDeque::new(),
            chain,
            segmenter,
            term,
            version,
            fence,
            kept: BTreeSet::new(),
            standing,
            may_write_status: true,
            ttl,
            owner,
        }
    }

    /// Patches annotations of the head of a run.
    async fn annotate(
        &self,
        run: &RunName,
        annotations: serde_json::Map<String, serde_json::Value>,
    ) -> Result<(), StoreError> {
        let patch = json!({"metadata": {"annotations": annotations}});
        match self.jobs().patch_metadata(run.as_str(), &self.me.patch_params(), &Patch::Merge(patch)).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => Err(self.not_found(run).await),
            patched => Ok(patched
                .map(drop)
                .map_err(|error| ApiError::new(&format!("ask run `{run}` for something"), &error))?),
        }
    }
}

/// What it takes to hold a log.
struct Held {
    owner: Owner,
    uid: RunUid,
    lease: RunLease,
    standing: Standing,
    pinged: Option<String>,
    chain: Chain,
    segmenter: Segmenter,
    term: Term,
    version: Option<String>,
    taken: BTreeSet<RequestId>,
    ttl: Option<crate::spec::TTLStrategy>,
}

impl Store for KubernetesStore {
    type Log = KubernetesLog;
    type Tail = KubernetesTail;

    async fn create(&self, header: &Header) -> Result<KubernetesLog, StoreError> {
        let json = record::write_header(header)?;
        let mut chain = Chain::default();
        let cut = pieces::cut(&chain.frame(&json));
        let job = self.create_head(header).await?;
        let owner = Owner { run: header.name.clone(), uid: job.metadata.uid.clone().unwrap_or_default() };
        let lease = self.lease(&owner);
        self.fill(&lease, &owner, job.metadata.resource_version.clone(), cut).await?;
        Ok(self.log(Held {
            owner,
            uid: header.uid.clone(),
            lease,
            standing: standing(&job),
            pinged: None,
            chain,
            segmenter: Segmenter::fresh(0, 0),
            term: Term { epoch: 1, holder: self.me.name.clone() },
            version: None,
            taken: BTreeSet::new(),
            ttl: header.resolved.spec.ttl_strategy.clone(),
        }))
    }

    async fn acquire(&self, run: &RunName) -> Result<(KubernetesLog, Stored), StoreError> {
        let head = self.head(run).await?;
        let uid = head.uid.clone();
        let opening = self.reader.opening(run, head).await;
        let opening = self.unless_it_goes(run, &uid, opening).await?;
        let lease = self.lease(&opening.owner);
        if let Wanted::Held(holder) = lease.take().await? {
            return Err(driven_by(run, &holder));
        }
        let taken_over = self.take_over(opening, lease.clone()).await;
        if taken_over.is_err() {
            // Others need not wait for an answer of ours.
            let _ = lease.release().await;
        }
        self.unless_it_goes(run, &uid, taken_over).await
    }

    async fn load(&self, run: &RunName) -> Result<Stored, StoreError> {
        let head = self.head(run).await?;
        let uid = head.uid.clone();
        let loaded = self.load_from(run, head).await;
        self.unless_it_goes(run, &uid, loaded).await
    }

    async fn follow(&self, run: &RunName) -> Result<(Stored, KubernetesTail), StoreError> {
        let head = self.head(run).await?;
        let opening = self.reader.opening(run, head).await?;
        let (part, tail) = KubernetesTail::new(self.reader.clone(), opening).await?;
        read::check_whole(tail.opening(), &part)?;
        Ok((read::stored(tail.opening().header.clone(), part), tail))
    }

    async fn is_held(&self, run: &RunName) -> Result<bool, StoreError> {
        let head = self.head(run).await?;
        let lease = self.lease(&Owner { run: run.clone(), uid: head.uid });
        Ok(lease.holder().await?.is_some())
    }

    fn look_every(&self) -> TimeSpan {
        LOOK_EVERY
    }

    async fn list(&self) -> Result<Vec<Summary>, StoreError> {
        let mut params = ListParams::default().labels(&format!("{}={}", names::KIND, head::KIND)).limit(PAGE);
        let mut summaries = Vec::new();
        loop {
            let page = self.jobs().list_metadata(&params).await;
            let page = page.map_err(|error| ApiError::new("list runs", &error))?;
            summaries.extend(page.items.iter().filter_map(|job| summary(&job.metadata)));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => break,
            }
        }
        summaries.sort_by(|a: &Summary, b| b.created_at.cmp(&a.created_at).then_with(|| b.name.cmp(&a.name)));
        Ok(summaries)
    }

    async fn delete(&self, run: &RunName) -> Result<(), StoreError> {
        let head = self.head(run).await?;
        let lease = self.lease(&Owner { run: run.clone(), uid: head.uid.clone() });
        if let Some(holder) = lease.holder().await? {
            return Err(driven_by(run, &holder));
        }
        self.remove(run, &head.uid, None).await
    }

    async fn ask(&self, run: &RunName, control: &Control, at: Timestamp) -> Result<RequestId, StoreError> {
        let id = inbox::fresh_id(&self.me.mark(), at, self.me.next());
        let annotations = inbox::asking(&id, control);
        let length: usize = annotations.values().filter_map(|text| text.as_str()).map(str::len).sum();
        if length > inbox::REQUEST_BYTES_MAX {
            let limit = inbox::REQUEST_BYTES_MAX >> 10;
            return Err(StoreError::Cluster(ApiError {
                kind: ApiErrorKind::Invalid,
                message: format!(
                    "the request has {length} bytes, more than the {limit} KiB (REQUEST_BYTES_MAX) of one"
                ),
                hint: None,
            }));
        }
        self.head(run).await?;
        self.annotate(run, annotations).await?;
        Ok(id)
    }

    async fn answer(&self, run: &RunName, id: &RequestId) -> Result<Answer, StoreError> {
        let config = watcher::Config::default().fields(&format!("metadata.name={run}"));
        let mut events = watcher::watcher(self.heads(), config).backoff(Pauses::default()).boxed();
        loop {
            let head = match events.try_next().await {
                Ok(Some(Event::Apply(head) | Event::InitApply(head))) => head,
                Ok(Some(Event::Delete(_)) | None) => return Err(self.not_found(run).await),
                // The stream begins anew after an error, for as long as the asker waits.
                Ok(Some(Event::Init | Event::InitDone)) | Err(_) => continue,
            };
            if let Some(answer) = inbox::answer(head.metadata.annotations.as_ref(), id) {
                // Whether it can be taken away changes nothing for the asker.
                let _ = self.annotate(run, inbox::taking(id)).await;
                return Ok(answer);
            }
        }
    }
}

impl KubernetesStore {
    async fn load_from(&self, run: &RunName, head: Head) -> Result<Stored, StoreError> {
        let opening = self.reader.opening(run, head).await?;
        let segments = self.reader.segments(&opening.owner).await?;
        let assembled = read::assemble(run, &segments)?;
        let part = self.reader.records(&opening.owner, &assembled.text, opening.chain).await?;
        read::check_whole(&opening, &part)?;
        Ok(read::stored(opening.header, part))
    }

    /// Returns what came of reading the run whose head has that uid: one that was deleted meanwhile, and goes
    /// piece by piece, is not damaged.
    async fn unless_it_goes<T>(&self, run: &RunName, uid: &str, read: Result<T, StoreError>) -> Result<T, StoreError> {
        if !matches!(read, Err(StoreError::Damaged { .. })) {
            return read;
        }
        let head = self.head_of(run).await?;
        match head.is_some_and(|head| head.uid == uid && !head.is_leaving) {
            true => read,
            false => Err(StoreError::Deleted { run: run.clone() }),
        }
    }

    /// Reads a run whose Lease is ours, and keeps the driver before us from writing any more.
    async fn take_over(&self, opening: Opening, lease: RunLease) -> Result<(KubernetesLog, Stored), StoreError> {
        let owner = opening.owner.clone();
        // A run that was deleted before the Lease was ours would begin anew.
        let job = self.jobs().get_opt(owner.run.as_str()).await;
        let job = job.map_err(|error| ApiError::new(&format!("read run `{}`", owner.run), &error))?;
        let job = job
            .filter(|job| job.metadata.uid.as_ref() == Some(&owner.uid) && job.metadata.deletion_timestamp.is_none());
        let Some(job) = job else { return Err(StoreError::Deleted { run: owner.run }) };
        let segments = self.reader.segments(&owner).await?;
        let assembled = read::assemble(&owner.run, &segments)?;
        let part = self.reader.records(&owner, &assembled.text, opening.chain).await?;
        read::check_whole(&opening, &part)?;
        let open = assembled.open.and_then(|from| Some((from, segments.get(&assembled.next)?)));
        let segmenter = match open {
            Some((from, _)) => {
                let text = assembled.text.get(from as usize..part.bytes as usize).unwrap_or_default();
                Segmenter::reopen(assembled.next, from, text)
            }
            None => Segmenter::fresh(assembled.next, part.bytes),
        };
        let epoch = segments.values().map(|kept| kept.term.epoch).max().unwrap_or(1) + 1;
        let annotations = job.metadata.annotations.as_ref();
        let mut log = self.log(Held {
            owner,
            uid: opening.header.uid.clone(),
            lease,
            standing: standing(&job),
            pinged: annotations.and_then(|annotations| annotations.get(names::PING)).cloned(),
            chain: part.chain,
            segmenter,
            term: Term { epoch, holder: self.me.name.clone() },
            version: open.map(|(_, kept)| kept.version.clone()),
            taken: part.records.iter().flat_map(|record| record.taken.iter().cloned()).collect(),
            ttl: opening.header.resolved.spec.ttl_strategy.clone(),
        });
        log.make_ours().await?;
        log.fence.succeed();
        log.inbox.see(inbox::requests(annotations));
        Ok((log, read::stored(opening.header, part)))
    }
}

fn driven_by(run: &RunName, holder: &str) -> StoreError {
    StoreError::DrivenBy { run: run.clone(), holder: format!("`{holder}`") }
}

/// Returns what patches of this Job must know of it.
fn standing(job: &Job) -> Standing {
    let status = job.status.as_ref();
    let mut conditions = status.and_then(|status| status.conditions.as_ref()).into_iter().flatten();
    let ends = |kind: &str| matches!(kind, "Complete" | "Failed");
    let end = conditions.find(|condition| ends(&condition.type_) && condition.status == "True");
    let ended_at = end.and_then(|end| end.last_transition_time.as_ref());
    Standing {
        is_managed: job.spec.as_ref().is_some_and(|spec| spec.managed_by.as_deref() == Some(names::DRIVER)),
        has_begun: status.is_some_and(|status| status.start_time.is_some()),
        seconds_to_live: job.spec.as_ref().and_then(|spec| spec.ttl_seconds_after_finished),
        ended_at: ended_at.map(|time| Timestamp(time.0.as_millisecond())),
        has_ended: end.is_some(),
    }
}

/// Returns what a listing says of a head Job.
fn summary(metadata: &kube::api::ObjectMeta) -> Option<Summary> {
    let run = RunName::new(metadata.name.clone()?).ok()?;
    let created_at = metadata.creation_timestamp.as_ref().map(|time| Timestamp(time.0.as_millisecond()));
    Some(Head::read(metadata)?.summary(run, created_at.unwrap_or_default()))
}
