//! Whether a run is still ours to act for, asked before what comes late.
//!
//! An append is refused to a driver that another has replaced, but a POST is not: a driver that was stopped
//! between the two, by its machine or a debugger, would start what its successor may have seen end, and
//! cleaned up. So before a start that the last proof of ours does not stand behind any more, the log is
//! looked at again. What may still be started on an old proof, whoever took over does not delete.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use tokio::time::Instant;

use super::fault::failed;
use crate::backend::BackendError;
use crate::base::RunName;
use crate::base::limits::LATE_ACTION_SECONDS;

/// What stands between a driver that was replaced and the cluster; cheap to clone.
#[derive(Clone)]
pub struct Fence {
    run: RunName,
    maps: Api<ConfigMap>,
    proof: Arc<Mutex<Proof>>,
    /// When the last proof of the driver before us is stale, if there was one.
    alone_at: Option<Instant>,
}

/// The segment of the log that is open, as we left it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Proof {
    segment: String,
    /// Its version; none when it is not there yet.
    version: Option<String>,
    /// When that was so.
    at: Instant,
}

impl Proof {
    fn is_fresh(&self, now: Instant) -> bool {
        now.duration_since(self.at) < Duration::from_secs(LATE_ACTION_SECONDS)
    }
}

impl Fence {
    /// Returns the fence of the log of `run` whose open segment is `segment`, in that version.
    pub fn new(run: RunName, maps: Api<ConfigMap>, segment: String, version: Option<String>) -> Self {
        let proof = Proof { segment, version, at: Instant::now() };
        Self { run, maps, proof: Arc::new(Mutex::new(proof)), alone_at: None }
    }

    /// Takes note that the log was just taken over from a driver that may live.
    pub fn succeed(&mut self) {
        self.alone_at = Some(Instant::now() + Duration::from_secs(LATE_ACTION_SECONDS));
    }

    /// Returns once no driver before us starts anything any more: what is deleted before may be made again.
    pub(super) async fn outlast(&self) {
        if let Some(alone_at) = self.alone_at {
            tokio::time::sleep_until(alone_at).await;
        }
    }

    /// Takes note that the log was written: it is ours, and its open segment is now this one.
    pub fn prove(&self, segment: String, version: Option<String>) {
        *self.proof() = Proof { segment, version, at: Instant::now() };
    }

    fn proof(&self) -> MutexGuard<'_, Proof> {
        self.proof.lock().expect("nothing panics while it holds the lock")
    }

    /// Returns once it is known that the log was ours a moment ago; an error when it is not any more.
    pub(super) async fn hold(&self) -> Result<(), BackendError> {
        let (before, asked_at) = (self.proof().clone(), Instant::now());
        if before.is_fresh(asked_at) {
            return Ok(());
        }
        let action = "see whether the run is still ours to drive";
        let found = self.maps.get_metadata_opt(&before.segment).await.map_err(|error| failed(action, &error))?;
        let version = found.and_then(|found| found.metadata.resource_version);
        self.judge(&before, version, asked_at)
    }

    fn judge(&self, before: &Proof, version: Option<String>, asked_at: Instant) -> Result<(), BackendError> {
        let mut proof = self.proof();
        // Written by us while the answer was on its way, it proves more than that.
        if *proof != *before {
            return Ok(());
        }
        if version != before.version {
            return Err(BackendError::Replaced { run: self.run.clone() });
        }
        proof.at = asked_at;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_was_replaced_may_not_act() {
        let config = kube::Config::new(http::Uri::from_static("http://localhost:1"));
        let client = kube::Client::try_from(config).expect("a client");
        let fence = Fence::new(
            RunName::new("r").expect("a name"),
            Api::namespaced(client, "n"),
            "s".to_owned(),
            Some("7".to_owned()),
        );
        let before = fence.proof().clone();
        let late = before.at + Duration::from_secs(LATE_ACTION_SECONDS);
        assert!(before.is_fresh(before.at) && !before.is_fresh(late));
        fence.hold().await.expect("nobody is asked for what is fresh");
        let judge = |version: Option<&str>| fence.judge(&before, version.map(str::to_owned), late).is_ok();
        assert!(!judge(Some("8")) && !judge(None));
        assert!(judge(Some("7")));
        assert!(fence.proof().is_fresh(late));
        fence.prove("s".to_owned(), Some("9".to_owned()));
        assert!(judge(Some("8")), "a write of ours came between");
    }
}
