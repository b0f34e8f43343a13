//! Which of several controllers leads: a Lease of the usual kind, with a heartbeat.
//!
//! **Invariant:** safety never rests on it, as with the Lease of a run: two that both lead for a moment
//! are told apart by the logs of the runs. No clock is compared with another's: a holder is dead when its
//! Lease has not changed for as long as it says, by our own clock.

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use tokio::time::{Instant, sleep};

use super::Identity;
use crate::backend::kubernetes::{ApiError, ApiErrorKind, Cluster, install, names};
use crate::base::TimeSpan;

/// The name of the Lease.
const NAME: &str = "wf-controller";

/// How long a leader is believed to live after its last word, and how often it says one.
const LEASE: TimeSpan = TimeSpan::from_secs(15);
const RENEW_EVERY: TimeSpan = TimeSpan::from_secs(4);

/// How long a leader goes on without getting its word through: well before others take it for dead.
const GIVE_UP: TimeSpan = TimeSpan::from_secs(10);

/// How often one who wants to lead looks.
const LOOK_EVERY: TimeSpan = TimeSpan::from_secs(2);

/// One who leads, or wants to.
pub struct Leadership {
    leases: Api<Lease>,
    me: Identity,
}

/// What a candidate knows of the Lease.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Watched {
    version: String,
    /// For how long it has not changed.
    unchanged: TimeSpan,
}

impl Watched {
    /// Takes what is there now, `passed` after the last look.
    fn look(&mut self, version: &str, passed: TimeSpan) {
        self.unchanged = if self.version == version { TimeSpan(self.unchanged.0 + passed.0) } else { TimeSpan::ZERO };
        version.clone_into(&mut self.version);
    }

    /// Returns whether `me` may take the Lease that `holder` has for so many seconds.
    fn may_take(&self, holder: Option<&str>, seconds: Option<i32>, me: &str) -> bool {
        let valid = seconds.and_then(|seconds| u64::try_from(seconds).ok()).map_or(LEASE, TimeSpan::from_secs);
        holder.is_none_or(|holder| holder.is_empty() || holder == me) || self.unchanged >= valid
    }
}

impl Leadership {
    /// Returns a candidate for the namespace of `cluster`.
    pub fn new(cluster: &Cluster, me: Identity) -> Self {
        Self { leases: Api::namespaced(cluster.client.clone(), &cluster.namespace), me }
    }

    /// Waits until we lead, and returns the name of the one before. `tell` gets who leads meanwhile, and
    /// what the cluster refuses, each once.
    pub async fn win(&self, mut tell: impl FnMut(&str)) -> Lease {
        let (mut watched, mut told) = (Watched::default(), String::new());
        let mut last = Instant::now();
        loop {
            let words = match self.stand(&mut watched, span(last.elapsed())).await {
                Ok(Ok(lease)) => return lease,
                Ok(Err(holder)) => format!("`{holder}` leads; this one waits"),
                Err(error) => error.to_string(),
            };
            last = Instant::now();
            if words != told {
                tell(&words);
                told = words;
            }
            sleep(LOOK_EVERY.to_std()).await;
        }
    }

    /// Keeps leading; returns why we do not any more. Safe to drop.
    pub async fn keep(&self, mut lease: Lease) -> ApiError {
        let mut heard = Instant::now();
        loop {
            sleep(RENEW_EVERY.to_std()).await;
            let renewed = tokio::time::timeout(GIVE_UP.to_std(), self.write(lease.clone(), &self.me.name)).await;
            match renewed {
                Ok(Ok(renewed)) => {
                    lease = renewed;
                    heard = Instant::now();
                }
                Ok(Err(error)) if is_taken(&error) => return error,
                Ok(Err(error)) if heard.elapsed() >= GIVE_UP.to_std() => return error,
                Err(_) if heard.elapsed() >= GIVE_UP.to_std() => return unheard(),
                _ => {}
            }
        }
    }

    /// Lets go, if it is still ours, so that another need not wait.
    pub async fn resign(&self) -> Result<(), ApiError> {
        match self.get().await? {
            Some(lease) if holder(&lease) == Some(&self.me.name) => self.write(lease, "").await.map(drop),
            _ => Ok(()),
        }
    }

    /// Looks once. The name of who leads when it is not us.
    async fn stand(&self, watched: &mut Watched, passed: TimeSpan) -> Result<Result<Lease, String>, ApiError> {
        let lease = self.get().await?;
        let taken = match lease {
            None => self.create().await,
            Some(lease) => {
                watched.look(lease.metadata.resource_version.as_deref().unwrap_or_default(), passed);
                let seconds = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds);
                let holder = holder(&lease).cloned();
                if !watched.may_take(holder.as_deref(), seconds, &self.me.name) {
                    return Ok(Err(holder.unwrap_or_default()));
                }
                self.write(lease, &self.me.name).await
            }
        };
        match taken {
            Err(error) if is_taken(&error) => Ok(Err("another".to_owned())),
            taken => taken.map(Ok),
        }
    }

    async fn get(&self) -> Result<Option<Lease>, ApiError> {
        let lease = self.leases.get_opt(NAME).await;
        lease.map_err(|error| ApiError::new(&format!("read the Lease `{NAME}`"), &error))
    }

    async fn create(&self) -> Result<Lease, ApiError> {
        let (label, value) = install::MANAGED_BY;
        let labels = [(label, value), (names::KIND, "leader")];
        let metadata = ObjectMeta {
            name: Some(NAME.to_owned()),
            labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
            ..ObjectMeta::default()
        };
        let lease = Lease { metadata, spec: Some(self.spec(None, &self.me.name)) };
        let created = self.leases.create(&PostParams::default(), &lease).await;
        created.map_err(|error| ApiError::new(&format!("create the Lease `{NAME}`"), &error))
    }

    /// Writes that `holder` has it, in the place of the version that was read.
    async fn write(&self, mut lease: Lease, holder: &str) -> Result<Lease, ApiError> {
        lease.spec = Some(self.spec(lease.spec.as_ref(), holder));
        let written = self.leases.replace(NAME, &PostParams::default(), &lease).await;
        written.map_err(|error| ApiError::new(&format!("hold the Lease `{NAME}`"), &error))
    }

    fn spec(&self, before: Option<&LeaseSpec>, holder: &str) -> LeaseSpec {
        let now = MicroTime(jiff::Timestamp::from_millisecond((self.me.now)().0).unwrap_or_default());
        let kept = before.filter(|spec| spec.holder_identity.as_deref() == Some(holder));
        let changes = before.and_then(|spec| spec.lease_transitions).unwrap_or(0);
        LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            acquire_time: kept.and_then(|spec| spec.acquire_time.clone()).or_else(|| Some(now.clone())),
            renew_time: Some(now),
            lease_duration_seconds: i32::try_from(LEASE.0 / 1000).ok(),
            lease_transitions: Some(if kept.is_some() { changes } else { changes.saturating_add(1) }),
            ..LeaseSpec::default()
        }
    }
}

fn holder(lease: &Lease) -> Option<&String> {
    lease.spec.as_ref()?.holder_identity.as_ref()
}

/// Returns whether the answer says that somebody else was faster.
fn is_taken(error: &ApiError) -> bool {
    matches!(error.kind, ApiErrorKind::Conflict | ApiErrorKind::Exists | ApiErrorKind::NotFound)
}

fn unheard() -> ApiError {
    ApiError {
        kind: ApiErrorKind::Unreachable,
        message: format!("failed to hold the Lease `{NAME}`: the cluster has not answered for {GIVE_UP}"),
        hint: None,
    }
}

fn span(elapsed: std::time::Duration) -> TimeSpan {
    TimeSpan(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leader_is_dead_when_its_lease_stays_as_it_is() {
        let mut watched = Watched::default();
        let mut at = |version: &str, passed: u64, holder: Option<&str>, seconds| {
            watched.look(version, TimeSpan::from_secs(passed));
            watched.may_take(holder, seconds, "me")
        };
        for (version, passed, holder, seconds, expected) in [
            ("1", 99, Some("other"), Some(15), false),
            ("1", 14, Some("other"), Some(15), false),
            ("2", 2, Some("other"), Some(15), false),
            ("2", 14, Some("other"), Some(15), false),
            ("2", 1, Some("other"), Some(15), true),
            ("3", 1, Some("other"), Some(15), false),
            ("3", 1, Some("me"), Some(15), true),
            ("3", 1, Some(""), None, true),
            ("3", 1, None, None, true),
            ("4", 1, Some("other"), Some(-5), false),
        ] {
            assert_eq!(at(version, passed, holder, seconds), expected, "{version} {holder:?} {seconds:?}");
        }
    }
}
