//! What runs of one namespace share: claims to locks, a ConfigMap each, and caches of results,
//! which are ConfigMaps in Argo's own form.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{ObjectMeta, Patch, PostParams, WatchEvent, WatchParams};
use serde_json::json;

use super::Identity;
use super::store::KubernetesStore;
use crate::backend::kubernetes::{ApiError, ApiErrorKind, names};
use crate::base::{RunName, RunUid};
use crate::engine::{Memo, Phase};
use crate::store::blob::Digest;
use crate::store::claims::{self, Claim, Claimant, Claims};
use crate::store::{Shared, Store, StoreError};

/// The key of a lock's record.
const KEY: &str = "claims.json";

/// How often a lock whose record others change at the same time is tried again.
const TRIES_MAX: usize = 32;

/// How long a run that waits for a place does not look whether who has it is over: no change of
/// the record tells of a driver that died.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Digits of the digest in the name of a lock's record.
const DIGEST_DIGITS: usize = 32;

/// What one run shares with the others of its namespace.
pub struct KubernetesShared {
    store: KubernetesStore,
    maps: Api<ConfigMap>,
    me: Identity,
    run: RunName,
    uid: RunUid,
}

impl KubernetesShared {
    pub(super) fn new(
        store: KubernetesStore,
        maps: Api<ConfigMap>,
        me: Identity,
        run: RunName,
        uid: RunUid,
    ) -> Self {
        Self { store, maps, me, run, uid }
    }

    /// Reads the record of a lock. One that cannot be read is an error, since somebody may hold
    /// what it said.
    async fn record(&self, lock: &str) -> Result<(Option<ConfigMap>, Claims), StoreError> {
        let found = self.maps.get_opt(&record_name(lock)).await;
        let found = found.map_err(|error| ApiError::new(&format!("read the lock `{lock}`"), &error))?;
        let text = found.as_ref().and_then(|map| map.data.as_ref()?.get(KEY));
        let claims = match text {
            None => Claims::new(lock),
            Some(text) => serde_json::from_str(text).map_err(|fault| StoreError::Io {
                action: format!("read the ConfigMap `{}` of the lock `{lock}`", record_name(lock)),
                source: fault.into(),
            })?,
        };
        Ok((found, claims))
    }

    /// Writes a record in the place of the one that was read. Returns whether nobody was faster.
    async fn write(&self, lock: &str, found: Option<ConfigMap>, claims: &Claims) -> Result<bool, StoreError> {
        let text = serde_json::to_string(claims).expect("claims are plain strings and numbers");
        let name = record_name(lock);
        let written = match found {
            Some(mut map) => {
                map.data.get_or_insert_default().insert(KEY.to_owned(), text);
                self.maps.replace(&name, &PostParams::default(), &map).await
            }
            None => self.maps.create(&PostParams::default(), &record(&name, text)).await,
        };
        match written.map_err(|error| ApiError::new(&format!("claim the lock `{lock}`"), &error)) {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.kind, ApiErrorKind::Conflict | ApiErrorKind::Exists) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns whether a run that has places has lost its right to them.
    async fn is_over(&self, claimant: &Claimant) -> bool {
        let head = match self.store.head_of(&claimant.run).await {
            Ok(Some(head)) => head,
            Ok(None) => return true,
            // What cannot be asked now is no reason to take anything away.
            Err(_) => return false,
        };
        let Some(summary) = head.stored.map(|stored| stored.summary) else { return false };
        if summary.uid != claimant.uid || is_final(&summary.phase) {
            return true;
        }
        if !matches!(self.store.is_held(&claimant.run).await, Ok(false)) {
            return false;
        }
        match self.store.load(&claimant.run).await {
            Ok(stored) => !claimant.outlives_driver || claims::has_ended(&stored.records),
            Err(error) => matches!(error, StoreError::NotFound { .. }),
        }
    }

    /// Grants what is free, after it was taken from runs that are over.
    async fn settle(&self, claims: &mut Claims, claim: &Claim) -> u32 {
        let granted = claims.claim(&self.run, &self.uid, claim);
        if granted >= claim.wanted {
            return granted;
        }
        let holders: Vec<Claimant> = claims.holders(&self.uid).cloned().collect();
        for holder in holders {
            if self.is_over(&holder).await {
                claims.forget(&holder.uid);
            }
        }
        claims.claim(&self.run, &self.uid, claim)
    }

    /// Waits until the record of a lock changes from `version` on.
    async fn changed(&self, lock: &str, version: &str) -> Result<(), ApiError> {
        let action = format!("watch the lock `{lock}`");
        let params = WatchParams::default().fields(&format!("metadata.name={}", record_name(lock)));
        let changes = self.maps.watch(&params, version).await.map_err(|error| ApiError::new(&action, &error))?;
        let mut changes = changes.boxed();
        while let Some(change) = changes.try_next().await.map_err(|error| ApiError::new(&action, &error))? {
            if !matches!(change, WatchEvent::Bookmark(_)) {
                return Ok(());
            }
        }
        Ok(())
    }
}

fn is_final(phase: &str) -> bool {
    serde_json::from_value::<Phase>(phase.into()).is_ok_and(Phase::is_final)
}

/// Returns the name of the record of a lock, which may have any name.
fn record_name(lock: &str) -> String {
    format!("wf.lock.{}", &Digest::of(lock).as_str()[..DIGEST_DIGITS])
}

fn record(name: &str, text: String) -> ConfigMap {
    let labels = [(names::KIND.to_owned(), "lock".to_owned())];
    let metadata =
        ObjectMeta { name: Some(name.to_owned()), labels: Some(labels.into()), ..ObjectMeta::default() };
    ConfigMap { metadata, data: Some(BTreeMap::from([(KEY.to_owned(), text)])), ..ConfigMap::default() }
}

impl Shared for KubernetesShared {
    async fn claim(&self, claim: &Claim) -> Result<u32, StoreError> {
        for _ in 0..TRIES_MAX {
            let (found, mut claims) = self.record(&claim.lock).await?;
            let before = claims.clone();
            let granted = self.settle(&mut claims, claim).await;
            if claims == before || self.write(&claim.lock, found, &claims).await? {
                return Ok(granted);
            }
        }
        Err(StoreError::Cluster(ApiError {
            kind: ApiErrorKind::Unreachable,
            message: format!("failed to claim the lock `{}`: others change it all the time", claim.lock),
            hint: None,
        }))
    }

    async fn freed(&self, lock: &str, granted: u32) -> Result<(), StoreError> {
        let (found, claims) = self.record(lock).await?;
        if claims.granted(&self.uid) == granted {
            let version = found.and_then(|map| map.metadata.resource_version).unwrap_or_default();
            match tokio::time::timeout(LOOK_EVERY, self.changed(lock, &version)).await {
                Ok(Err(error)) if error.kind != ApiErrorKind::Expired => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    async fn recall(&self, memo: &Memo) -> Result<Option<String>, StoreError> {
        let action = format!("read the cache `{}`", memo.cache);
        let found = self.maps.get_opt(&memo.cache).await.map_err(|error| ApiError::new(&action, &error))?;
        Ok(found.and_then(|map| map.data?.remove(&*memo.key)))
    }

    async fn remember(&self, memo: &Memo, entry: &str) -> Result<(), StoreError> {
        let action = format!("keep a result in the cache `{}`", memo.cache);
        let data = json!({&*memo.key: entry});
        let patch = Patch::Merge(json!({"data": data}));
        let patched = match self.maps.patch(&memo.cache, &self.me.patch_params(), &patch).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => {
                let labels = [("workflows.argoproj.io/configmap-type".to_owned(), "Cache".to_owned())];
                let metadata = ObjectMeta {
                    name: Some(memo.cache.to_string()),
                    labels: Some(labels.into()),
                    ..ObjectMeta::default()
                };
                let data = BTreeMap::from([(memo.key.to_string(), entry.to_owned())]);
                let map = ConfigMap { metadata, data: Some(data), ..ConfigMap::default() };
                self.maps.create(&PostParams::default(), &map).await
            }
            patched => patched,
        };
        Ok(patched.map(drop).map_err(|error| ApiError::new(&action, &error))?)
    }
}
