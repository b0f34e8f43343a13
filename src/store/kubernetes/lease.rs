//! Who drives a run, as far as others can tell: a Lease that is renewed when somebody asks.
//!
//! A heartbeat would cost a write a second for each run, whether anybody looks or not. So whoever
//! wants to take a run over asks by an annotation of the head Job, which the driver watches
//! anyway, and the driver answers by renewing its Lease. No answer means that nobody drives.
//!
//! **Invariant:** safety never rests on it. A driver that was only slow finds its next append
//! refused, since taking over changes the segment that it writes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff;
use kube::api::{DeleteParams, ListParams, Patch, PostParams, Preconditions, WatchEvent, WatchParams};
use kube::{Api, Client};
use serde_json::json;

use super::Identity;
use super::objects::Owner;
use crate::backend::kubernetes::Job;
use crate::backend::kubernetes::{ApiError, ApiErrorKind, names};

/// How long a driver may take to answer: it does so at once, unless it or its cluster is overloaded.
const ANSWER_WAIT: Duration = Duration::from_secs(1);

/// How often a Lease that changes under our hands is looked at again.
const TRIES_MAX: usize = 4;

/// What `leaseDurationSeconds` says to those who know Leases of the usual kind.
const DURATION_SECONDS: i32 = 2;

/// The Lease of one run.
#[derive(Clone)]
pub(super) struct RunLease {
    leases: Api<Lease>,
    jobs: Api<Job>,
    owner: Owner,
    me: Identity,
    /// The Lease as we wrote it last, while it is ours.
    written: Arc<Mutex<Option<Preconditions>>>,
}

/// What came of wanting a Lease.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// It is ours.
    Ours,
    /// Somebody else has it, and lives.
    Held(String),
}

impl RunLease {
    pub(super) fn new(client: &Client, namespace: &str, owner: Owner, me: Identity) -> Self {
        let (leases, jobs) = (Api::namespaced(client.clone(), namespace), Api::namespaced(client.clone(), namespace));
        Self { leases, jobs, owner, me, written: Arc::default() }
    }

    fn name(&self) -> String {
        format!("wf.{}", self.owner.run)
    }

    /// Takes the Lease of a run that was just made: hardly anybody has it.
    pub(super) async fn take_first(&self) -> Result<Wanted, ApiError> {
        match self.create().await {
            Err(error) if error.kind == ApiErrorKind::Exists => self.take().await,
            created => created.map(|()| Wanted::Ours),
        }
    }

    /// Takes the Lease, unless a driver that lives has it.
    pub(super) async fn take(&self) -> Result<Wanted, ApiError> {
        for _ in 0..TRIES_MAX {
            let (lease, version) = self.look().await?;
            let taken = match lease {
                None => self.create().await,
                Some(lease) if !self.owner.owns(&lease.metadata) => {
                    self.remove_leftover(&lease).await?;
                    self.create().await
                }
                Some(lease) => match self.living_holder(&lease, &version).await? {
                    Some(holder) => return Ok(Wanted::Held(holder)),
                    None => self.replace(lease).await,
                },
            };
            match taken {
                Ok(()) => return Ok(Wanted::Ours),
                // Somebody was faster, or let go.
                Err(error)
                    if matches!(error.kind, ApiErrorKind::Exists | ApiErrorKind::Conflict | ApiErrorKind::NotFound) => {
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Wanted::Held("another process".to_owned()))
    }

    /// Returns who drives the run, if that process lives.
    pub(super) async fn holder(&self) -> Result<Option<String>, ApiError> {
        match self.look().await? {
            (Some(lease), version) if self.owner.owns(&lease.metadata) => self.living_holder(&lease, &version).await,
            _ => Ok(None),
        }
    }

    /// Says that we live, to whoever asked by `ping`. The Lease carries the question, so that it
    /// changes whatever the clock says: a write that changes nothing is no event.
    pub(super) async fn renew(&self, ping: Option<&str>) -> Result<(), ApiError> {
        let patch = json!({
            "metadata": {"annotations": {names::PING: ping}},
            "spec": {"renewTime": self.now(), "holderIdentity": self.me.name},
        });
        let action = format!("renew the Lease `{}`", self.name());
        match self.leases.patch(&self.name(), &self.me.patch_params(), &Patch::Merge(patch)).await {
            // Somebody took it, and found that we had not stopped.
            Err(kube::Error::Api(status)) if status.is_not_found() => self.create().await,
            Ok(lease) => {
                self.wrote(&lease);
                Ok(())
            }
            Err(error) => Err(ApiError::new(&action, &error)),
        }
    }

    /// Notes that the Lease was written by us.
    fn wrote(&self, lease: &Lease) {
        *self.written.lock().expect("nothing panics while it holds the lock") = Some(version_of(lease));
    }

    /// Lets go, if it is still ours.
    pub(super) async fn release(&self) -> Result<(), ApiError> {
        let written = self.written.lock().expect("nothing panics while it holds the lock").take();
        if let Some(written) = written
            && self.delete(written).await?
        {
            return Ok(());
        }
        // Who asks whether we live has it renewed, perhaps just now; then it is looked at again.
        for _ in 0..TRIES_MAX {
            let ours = self.get().await?.filter(|lease| holder_of(lease) == Some(&self.me.name));
            let Some(lease) = ours else { return Ok(()) };
            if self.delete(version_of(&lease)).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn get(&self) -> Result<Option<Lease>, ApiError> {
        let action = format!("read the Lease `{}`", self.name());
        let lease = self.leases.get_opt(&self.name()).await.map_err(|error| ApiError::new(&action, &error))?;
        Ok(lease.filter(|lease| self.owner.owns(&lease.metadata)))
    }

    /// Returns the Lease, and the version from which a watch tells what becomes of it. That is the list's:
    /// a server forgets the Lease's own when nobody has renewed it for a few minutes.
    async fn look(&self) -> Result<(Option<Lease>, String), ApiError> {
        let action = format!("read the Lease `{}`", self.name());
        let params = ListParams::default().fields(&format!("metadata.name={}", self.name()));
        let list = self.leases.list(&params).await.map_err(|error| ApiError::new(&action, &error))?;
        let version = list.metadata.resource_version.unwrap_or_default();
        Ok((list.items.into_iter().next(), version))
    }

    /// Deletes the Lease that an earlier run of this name left, which the cluster is about to remove. A later run
    /// may have the name by now, and its Lease stays.
    async fn remove_leftover(&self, lease: &Lease) -> Result<(), ApiError> {
        let action = format!("read the Job `{}`", self.owner.run);
        let head = self.jobs.get_opt(self.owner.run.as_str()).await.map_err(|error| ApiError::new(&action, &error))?;
        if head.is_some_and(|head| head.metadata.uid.as_ref() == Some(&self.owner.uid)) {
            self.delete(version_of(lease)).await?;
        }
        Ok(())
    }

    /// Deletes the Lease of this version. Returns whether it is gone: it may have been changed meanwhile.
    async fn delete(&self, version: Preconditions) -> Result<bool, ApiError> {
        let params = DeleteParams { preconditions: Some(version), ..DeleteParams::default() };
        match self.leases.delete(&self.name(), &params).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(true),
            Err(kube::Error::Api(status)) if status.is_conflict() => Ok(false),
            deleted => deleted
                .map(|_| true)
                .map_err(|error| ApiError::new(&format!("delete the Lease `{}`", self.name()), &error)),
        }
    }

    /// Creates the Lease as ours.
    pub(super) async fn create(&self) -> Result<(), ApiError> {
        let lease = Lease { metadata: self.owner.metadata("lease", self.name()), spec: Some(self.spec(0)) };
        let created = self.leases.create(&PostParams::default(), &lease).await;
        let created = created.map_err(|error| ApiError::new(&format!("create the Lease `{}`", self.name()), &error));
        created.map(|lease| self.wrote(&lease))
    }

    async fn replace(&self, mut lease: Lease) -> Result<(), ApiError> {
        let changes = lease.spec.as_ref().and_then(|spec| spec.lease_transitions).unwrap_or(0);
        lease.spec = Some(self.spec(changes.saturating_add(1)));
        let replaced = self.leases.replace(&self.name(), &PostParams::default(), &lease).await;
        let replaced = replaced.map_err(|error| ApiError::new(&format!("take the Lease `{}`", self.name()), &error));
        replaced.map(|lease| self.wrote(&lease))
    }

    fn spec(&self, changes: i32) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(self.me.name.clone()),
            acquire_time: Some(self.now()),
            renew_time: Some(self.now()),
            lease_duration_seconds: Some(DURATION_SECONDS),
            lease_transitions: Some(changes),
            ..LeaseSpec::default()
        }
    }

    fn now(&self) -> MicroTime {
        MicroTime(jiff::Timestamp::from_millisecond((self.me.now)().0).unwrap_or_default())
    }

    /// Returns the holder of `lease`, if it answers.
    async fn living_holder(&self, lease: &Lease, version: &str) -> Result<Option<String>, ApiError> {
        let Some(holder) = holder_of(lease).filter(|holder| **holder != self.me.name) else { return Ok(None) };
        // The watch goes on from what was read, so that no answer falls in between.
        self.ping().await?;
        match tokio::time::timeout(ANSWER_WAIT, self.next_holder(version)).await {
            Ok(next) => next,
            Err(_) => Ok(None),
        }
        .map(|lives| lives.map(|()| holder.clone()))
    }

    /// Waits for a change of the Lease; none when that is its end.
    async fn next_holder(&self, version: &str) -> Result<Option<()>, ApiError> {
        let action = format!("watch the Lease `{}`", self.name());
        let params = WatchParams::default().fields(&format!("metadata.name={}", self.name()));
        let refused = |error: &kube::Error| ApiError::new(&action, error);
        let mut changes = self.leases.watch(&params, version).await.map_err(|error| refused(&error))?.boxed();
        while let Some(change) = changes.try_next().await.map_err(|error| refused(&error))? {
            match change {
                WatchEvent::Added(_) | WatchEvent::Modified(_) => return Ok(Some(())),
                WatchEvent::Deleted(_) => return Ok(None),
                WatchEvent::Bookmark(_) => {}
                WatchEvent::Error(status) => return Err(ApiError::of_status(&action, &status)),
            }
        }
        // The server closed the watch; whoever lives is asked again.
        std::future::pending().await
    }

    /// Asks the driver whether it lives.
    async fn ping(&self) -> Result<(), ApiError> {
        let patch = json!({"metadata": {"uid": self.owner.uid, "annotations": {names::PING: self.me.unique()}}});
        let action = format!("ask the driver of run `{}` whether it lives", self.owner.run);
        let run = self.owner.run.as_str();
        let patched = self.jobs.patch_metadata(run, &self.me.patch_params(), &Patch::Merge(patch)).await;
        patched.map(drop).map_err(|error| ApiError::new(&action, &error))
    }
}

/// Returns what tells this state of the Lease from all others.
fn version_of(lease: &Lease) -> Preconditions {
    let metadata = &lease.metadata;
    Preconditions { uid: metadata.uid.clone(), resource_version: metadata.resource_version.clone() }
}

fn holder_of(lease: &Lease) -> Option<&String> {
    lease.spec.as_ref()?.holder_identity.as_ref().filter(|holder| !holder.is_empty())
}
