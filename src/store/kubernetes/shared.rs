//! What runs of one namespace share: claims to locks, and caches of results, in ConfigMaps.
//!
//! | ConfigMap | holds |
//! | --- | --- |
//! | `wf.lock.<digest>` | a lock's [`Claims`], replaced by who read its version last |
//! | the cache's own name | entries by their keys, as Argo keeps them |
//! | `wf.cache.<digest>` | one entry whose key is no key of a ConfigMap, or that has no room in its cache |

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DeleteParams, ObjectMeta, Patch, PostParams, Preconditions};
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::json;

use super::pauses::Pauses;
use super::{Identity, KubernetesStore};
use crate::backend::kubernetes::{ApiError, ApiErrorKind, names};
use crate::base::{RunName, RunUid};
use crate::engine::{Memo, Phase};
use crate::store::blob::Digest;
use crate::store::claims::{self, Claim, Claimant, Claims};
use crate::store::{Shared, Store, StoreError};

/// The key of a lock's record, and of an entry that has an object of its own.
const KEY: &str = "data";

/// Hexadecimal digits of a digest in a name: enough that no two locks, or entries, share one.
const DIGEST_DIGITS: usize = 32;

/// How often a record is read again because somebody else was faster.
const TRIES_MAX: u32 = 16;

/// How long one waits for places before the runs that have them are looked at again: their end changes
/// nothing in the record when its driver died with it.
const LOOK_AGAIN: Duration = Duration::from_secs(15);

/// The length of a key in a ConfigMap.
const KEY_BYTES_MAX: usize = 253;

/// The label and value by which Argo knows its caches. Source: Argo's `LabelKeyConfigMapType`.
const CACHE_LABEL: (&str, &str) = ("workflows.argoproj.io/configmap-type", "Cache");

/// What one run shares with the others of its namespace.
pub struct KubernetesShared {
    store: KubernetesStore,
    maps: Api<ConfigMap>,
    me: Identity,
    run: RunName,
    uid: RunUid,
}

impl KubernetesShared {
    pub(super) fn new(store: KubernetesStore, maps: Api<ConfigMap>, me: Identity, run: RunName, uid: RunUid) -> Self {
        Self { store, maps, me, run, uid }
    }

    /// Claims once; `None` when somebody else changed the record meanwhile.
    async fn try_claim(&self, name: &str, claim: &Claim) -> Result<Option<u32>, StoreError> {
        let action = format!("claim `{}`", claim.lock);
        let found = self.maps.get_opt(name).await.map_err(|error| ApiError::new(&action, &error))?;
        let mut claims = match &found {
            Some(map) => read_claims(&claim.lock, map)?,
            None => Claims::new(&claim.lock),
        };
        let before = claims.clone();
        let granted = self.settle(&mut claims, claim).await;
        if claims == before {
            return Ok(Some(granted));
        }
        let version = found.and_then(|map| map.metadata.resource_version);
        match self.write(name, &claims, version).await.map_err(|error| ApiError::new(&action, &error)) {
            Ok(()) => Ok(Some(granted)),
            Err(error)
                if matches!(error.kind, ApiErrorKind::Conflict | ApiErrorKind::Exists | ApiErrorKind::NotFound) =>
            {
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a record in the place of the version that was read; one that says nothing is removed.
    async fn write(&self, name: &str, claims: &Claims, version: Option<String>) -> kube::Result<()> {
        if claims.claimants.is_empty() && version.is_some() {
            let preconditions = Some(Preconditions { resource_version: version, uid: None });
            let params = DeleteParams { preconditions, ..DeleteParams::default() };
            return self.maps.delete(name, &params).await.map(drop);
        }
        let is_new = version.is_none();
        let (map, params) = (record(name, claims, version), PostParams::default());
        match is_new {
            true => self.maps.create(&params, &map).await.map(drop),
            false => self.maps.replace(name, &params, &map).await.map(drop),
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

    /// Returns whether a run that has places has lost its right to them.
    async fn is_over(&self, claimant: &Claimant) -> bool {
        let head = match self.store.head_of(&claimant.run).await {
            Ok(Some(head)) => head,
            Ok(None) => return true,
            // What cannot be asked now is no reason to take anything away.
            Err(_) => return false,
        };
        let Some(summary) = head.stored.map(|stored| stored.summary) else { return false };
        if summary.uid != claimant.uid || has_ended(&summary.phase) {
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

    async fn entry(&self, name: &str, key: &str) -> Result<Option<String>, StoreError> {
        let found = self.maps.get_opt(name).await;
        let found = found.map_err(|error| ApiError::new(&format!("read the cache `{name}`"), &error))?;
        Ok(found.and_then(|map| map.data?.remove(key)))
    }

    /// Puts an entry into a ConfigMap, which is made when it is not there.
    async fn put(&self, name: &str, key: &str, entry: &str, labels: BTreeMap<String, String>) -> Result<(), ApiError> {
        let action = format!("keep a result in the cache `{name}`");
        let patch = Patch::Merge(json!({"data": {key: entry}}));
        let patched = self.maps.patch(name, &self.me.patch_params(), &patch).await;
        let Err(error) = patched.map_err(|error| ApiError::new(&action, &error)) else { return Ok(()) };
        if error.kind != ApiErrorKind::NotFound {
            return Err(error);
        }
        let metadata = ObjectMeta { name: Some(name.to_owned()), labels: Some(labels), ..ObjectMeta::default() };
        let data = Some([(key.to_owned(), entry.to_owned())].into());
        let map = ConfigMap { metadata, data, ..ConfigMap::default() };
        let created = self.maps.create(&PostParams::default(), &map).await;
        created.map(drop).map_err(|error| ApiError::new(&action, &error))
    }
}

impl Shared for KubernetesShared {
    async fn claim(&self, claim: &Claim) -> Result<u32, StoreError> {
        let name = lock_name(&claim.lock);
        for _ in 0..TRIES_MAX {
            if let Some(granted) = self.try_claim(&name, claim).await? {
                return Ok(granted);
            }
        }
        Err(ApiError::taken(&format!("claim `{}`", claim.lock), "ConfigMap", &name).into())
    }

    async fn freed(&self, lock: &str, granted: u32) -> Result<(), StoreError> {
        let name = lock_name(lock);
        let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let changes = watcher::watcher(self.maps.clone(), config).backoff(Pauses::default()).applied_objects();
        let uid = self.uid.clone();
        let other = changes.try_filter(|map| {
            let is_other = read_claims(lock, map).map_or(true, |claims| claims.granted(&uid) != granted);
            std::future::ready(is_other)
        });
        let mut other = std::pin::pin!(other);
        // An error of the watch is mended by the watch; whoever waits looks again in any case.
        let _ = tokio::time::timeout(LOOK_AGAIN, async { while let Some(Err(_)) = other.next().await {} }).await;
        Ok(())
    }

    async fn recall(&self, memo: &Memo) -> Result<Option<String>, StoreError> {
        if is_key(&memo.key)
            && let Some(entry) = self.entry(&memo.cache, &memo.key).await?
        {
            return Ok(Some(entry));
        }
        self.entry(&own_name(memo), KEY).await
    }

    async fn remember(&self, memo: &Memo, entry: &str) -> Result<(), StoreError> {
        if is_key(&memo.key) {
            let labels = [(CACHE_LABEL.0.to_owned(), CACHE_LABEL.1.to_owned())].into();
            match self.put(&memo.cache, &memo.key, entry, labels).await {
                Err(error) if error.kind == ApiErrorKind::Invalid => {}
                put => return Ok(put?),
            }
        }
        let labels = [(names::KIND.to_owned(), "cache".to_owned())].into();
        Ok(self.put(&own_name(memo), KEY, entry, labels).await?)
    }
}

fn lock_name(lock: &str) -> String {
    format!("wf.lock.{}", &Digest::of(lock).as_str()[..DIGEST_DIGITS])
}

/// Returns the name of the object that holds one entry.
fn own_name(memo: &Memo) -> String {
    format!("wf.cache.{}", &Digest::of(&format!("{}/{}", memo.cache, memo.key)).as_str()[..DIGEST_DIGITS])
}

/// Returns whether a ConfigMap can have such a key. Source: Kubernetes' `IsConfigMapKey`.
fn is_key(key: &str) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !key.is_empty() && key.len() <= KEY_BYTES_MAX && key.chars().all(known) && key != "." && !key.starts_with("..")
}

fn has_ended(phase: &str) -> bool {
    serde_json::from_value::<Phase>(phase.into()).is_ok_and(Phase::is_final)
}

/// Reads a lock's record. One that cannot be read is an error, since somebody may hold what it said.
fn read_claims(lock: &str, map: &ConfigMap) -> Result<Claims, StoreError> {
    let text = map.data.as_ref().and_then(|data| data.get(KEY));
    let claims = text.map(|text| serde_json::from_str(text)).transpose();
    let claims: Option<Claims> = claims.map_err(|fault| StoreError::Io {
        action: format!("read the claims to `{lock}` in the ConfigMap `{}`", lock_name(lock)),
        source: fault.into(),
    })?;
    Ok(claims.unwrap_or_else(|| Claims::new(lock)))
}

/// Returns the ConfigMap of a lock's record; with the version that was read, it replaces no other.
fn record(name: &str, claims: &Claims, version: Option<String>) -> ConfigMap {
    let labels = [(names::KIND.to_owned(), "lock".to_owned())].into();
    let text = serde_json::to_string(claims).expect("claims are plain strings and numbers");
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(labels),
            resource_version: version,
            ..ObjectMeta::default()
        },
        data: Some([(KEY.to_owned(), text)].into()),
        ..ConfigMap::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_any_text_have_a_place() {
        for (key, expected) in [("abc-1.2_3", true), ("a b", false), ("", false), ("..", false), ("..a", false)] {
            assert_eq!(is_key(key), expected, "{key}");
        }
        assert!(!is_key(&"k".repeat(KEY_BYTES_MAX + 1)));
        let memo = |key: &str| Memo { cache: "c".into(), key: key.into(), hit: false };
        assert_ne!(own_name(&memo("a b")), own_name(&memo("a c")));
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let mut claims = Claims::new("default/Mutex/m");
        let run = RunName::new("r").expect("a name");
        let claim = Claim {
            lock: claims.lock.clone(),
            limit: 1,
            wanted: 1,
            priority: 0,
            since: crate::base::Timestamp(1),
            outlives_driver: true,
        };
        claims.claim(&run, &RunUid("u".into()), &claim);
        let map = record("wf.lock.x", &claims, Some("7".to_owned()));
        assert_eq!(read_claims("default/Mutex/m", &map).expect("it can be read"), claims);
        let garbage = ConfigMap { data: Some([(KEY.to_owned(), "x".to_owned())].into()), ..map };
        assert!(read_claims("default/Mutex/m", &garbage).is_err());
    }
}
