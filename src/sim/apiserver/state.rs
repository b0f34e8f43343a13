//! The objects of a simulated API server, and what it allows to be done to them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::merge::merge;
use super::select::Selection;
use crate::base::{TimeSpan, Timestamp};

/// Bytes of what a ConfigMap holds. Source: Kubernetes' `MaxSecretSize`; base64 takes a third more.
const DATA_BYTES_MAX: usize = 1 << 20;

/// How long a pod has between SIGTERM and SIGKILL when nobody says.
const GRACE_SECONDS: u64 = 30;

/// What an object is found by: its kind in the plural, its namespace, its name.
pub(in crate::sim) type Key = (String, String, String);

/// A refusal, as the API server words it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The HTTP status.
    pub code: u16,
    /// Kubernetes' `reason`.
    pub reason: &'static str,
    /// The message.
    pub message: String,
}

impl Refused {
    pub(in crate::sim) fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into() }
    }

    /// Returns it as the `Status` that a client gets.
    pub fn status(&self) -> Value {
        json!({
            "kind": "Status", "apiVersion": "v1", "status": "Failure",
            "reason": self.reason, "message": self.message, "code": self.code,
        })
    }
}

/// A change that watches tell of.
#[derive(Debug, Clone)]
pub(in crate::sim) struct Change {
    pub(in crate::sim) version: u64,
    pub(in crate::sim) what: &'static str,
    pub(in crate::sim) key: Key,
    pub(in crate::sim) object: Arc<Value>,
}

/// A page of a list.
pub(super) struct Page {
    pub(super) items: Vec<Value>,
    pub(super) version: u64,
    pub(super) next: Option<String>,
}

/// All objects, and what became of them.
#[derive(Debug, Default)]
pub struct State {
    namespaces: BTreeSet<String>,
    objects: BTreeMap<Key, Arc<Value>>,
    version: u64,
    uids: u64,
    history: Vec<Change>,
    /// The version up to which the history was cut.
    cut: u64,
    /// Whether others make of a deletion what follows from it: the end of a pod's processes, and that of
    /// all that an object owns. Otherwise both are immediate.
    is_lively: bool,
    now: Timestamp,
}

impl State {
    /// Returns a server with these namespaces, and nothing in them.
    pub fn new(namespaces: &[&str]) -> Self {
        Self { namespaces: namespaces.iter().map(|name| (*name).to_owned()).collect(), ..Self::default() }
    }

    /// Returns a server in the midst of controllers and kubelets.
    pub(in crate::sim) fn lively(namespaces: &[&str]) -> Self {
        Self { is_lively: true, ..Self::new(namespaces) }
    }

    /// Sets the time that objects are made at.
    pub(in crate::sim) fn set_time(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// Returns the version of the last change.
    pub(in crate::sim) fn version(&self) -> u64 {
        self.version
    }

    /// Returns the objects of a kind with what they are found by.
    pub(in crate::sim) fn all<'a>(&'a self, plural: &'a str) -> impl Iterator<Item = (&'a Key, &'a Arc<Value>)> {
        self.objects.iter().filter(move |(key, _)| key.0 == plural)
    }

    /// Returns an object by what it is found by.
    pub(in crate::sim) fn find(&self, key: &Key) -> Option<&Arc<Value>> {
        self.objects.get(key)
    }

    /// Changes an object as the server's own controllers may; nothing when it is gone.
    pub(in crate::sim) fn update(&mut self, key: &Key, change: impl FnOnce(&mut Value)) {
        let Some(before) = self.objects.get(key).cloned() else { return };
        let mut after = (*before).clone();
        change(&mut after);
        if after != *before {
            self.put(key.clone(), after, "MODIFIED");
        }
    }

    /// Forgets the history: whoever watches from before is told that it is too old.
    pub fn cut_history(&mut self) {
        self.cut = self.version;
        self.history.clear();
    }

    /// Returns the names of all objects of a kind, in the plural.
    pub fn names(&self, plural: &str) -> Vec<String> {
        self.objects.keys().filter(|key| key.0 == plural).map(|key| key.2.clone()).collect()
    }

    /// Returns an object.
    pub fn object(&self, plural: &str, namespace: &str, name: &str) -> Option<&Value> {
        self.objects.get(&(plural.to_owned(), namespace.to_owned(), name.to_owned())).map(|object| &**object)
    }

    pub(in crate::sim) fn changes_since(&self, version: u64) -> Result<impl Iterator<Item = &Change>, Refused> {
        if version < self.cut {
            return Err(Refused::new(410, "Expired", format!("too old resource version: {version} ({})", self.cut)));
        }
        let known = self.history.partition_point(|change| change.version <= version);
        Ok(self.history[known..].iter())
    }

    pub(in crate::sim) fn create(
        &mut self,
        plural: &str,
        namespace: &str,
        mut object: Value,
    ) -> Result<Value, Refused> {
        if !self.namespaces.contains(namespace) {
            return Err(Refused::new(404, "NotFound", format!("namespaces \"{namespace}\" not found")));
        }
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let key = (plural.to_owned(), namespace.to_owned(), name.clone());
        if self.objects.contains_key(&key) {
            return Err(Refused::new(409, "AlreadyExists", format!("{plural} \"{name}\" already exists")));
        }
        self.uids += 1;
        object["metadata"]["uid"] = format!("uid-{}", self.uids).into();
        object["metadata"]["namespace"] = namespace.into();
        object["metadata"]["creationTimestamp"] = match self.is_lively {
            true => self.now.rfc3339().into(),
            false => "2026-01-01T00:00:00Z".into(),
        };
        check_size(&key, &object)?;
        object.as_object_mut().into_iter().for_each(|fields| drop(fields.remove("status")));
        Ok(self.put(key, object, "ADDED"))
    }

    pub(super) fn get(&self, key: &Key) -> Result<Value, Refused> {
        let found = self.objects.get(key).map(|object| (**object).clone());
        found.ok_or_else(|| Refused::new(404, "NotFound", format!("{} \"{}\" not found", key.0, key.2)))
    }

    pub(super) fn list(
        &self,
        plural: &str,
        namespace: &str,
        selection: &Selection,
        limit: usize,
        after: Option<&str>,
    ) -> Page {
        let of_kind = self.objects.iter().filter(|(key, _)| key.0 == plural && key.1 == namespace);
        let selected = of_kind.filter(|(_, object)| selection.takes(object));
        let mut rest = selected.filter(|(key, _)| after.is_none_or(|after| key.2.as_str() > after));
        let page: Vec<_> = rest.by_ref().take(limit).collect();
        let next = rest.next().and(page.last().map(|(key, _)| key.2.clone()));
        Page { items: page.into_iter().map(|(_, object)| (**object).clone()).collect(), version: self.version, next }
    }

    pub(super) fn replace(&mut self, key: Key, mut object: Value) -> Result<Value, Refused> {
        let before = self.get(&key)?;
        let named = object["metadata"]["resourceVersion"].as_str().map(str::to_owned);
        if named.is_some_and(|version| before["metadata"]["resourceVersion"] != version.as_str()) {
            return Err(conflict(&key));
        }
        for field in ["uid", "namespace", "creationTimestamp"] {
            object["metadata"][field] = before["metadata"][field].clone();
        }
        self.change(key, &before, object)
    }

    /// Applies a merge patch to an object, or to its status and metadata alone.
    pub(super) fn patch(&mut self, key: Key, patch: &Value, is_status: bool) -> Result<Value, Refused> {
        let before = self.get(&key)?;
        let uid = patch["metadata"]["uid"].as_str();
        if uid.is_some_and(|uid| before["metadata"]["uid"] != uid) {
            return Err(conflict(&key));
        }
        let mut after = before.clone();
        merge(&mut after, patch);
        let kept = if is_status { "spec" } else { "status" };
        match before.get(kept) {
            Some(value) => after[kept] = value.clone(),
            None => after.as_object_mut().into_iter().for_each(|fields| drop(fields.remove(kept))),
        }
        self.change(key, &before, after)
    }

    pub(in crate::sim) fn delete(&mut self, key: &Key, options: &Value) -> Result<Value, Refused> {
        let object = self.get(key)?;
        for field in ["uid", "resourceVersion"] {
            let wanted = &options["preconditions"][field];
            if !wanted.is_null() && *wanted != object["metadata"][field] {
                return Err(conflict(key));
            }
        }
        if self.is_lively && key.0 == "pods" && !self.goes_at_once(&object, options) {
            return self.get(key);
        }
        self.remove(key);
        Ok(object)
    }

    /// Lets a pod go: at once when nothing of it runs and nobody holds it, otherwise it is marked.
    fn goes_at_once(&mut self, pod: &Value, options: &Value) -> bool {
        let own = pod["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap_or(GRACE_SECONDS);
        let grace = options["gracePeriodSeconds"].as_u64().unwrap_or(own);
        let has_ended = ["Succeeded", "Failed"].iter().any(|phase| pod["status"]["phase"] == *phase);
        let grace = if has_ended || pod["spec"]["nodeName"].is_null() { 0 } else { grace };
        let is_held = pod["metadata"]["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty());
        if grace == 0 && !is_held {
            return true;
        }
        if pod["metadata"]["deletionTimestamp"].is_null() {
            let by = (self.now + TimeSpan::from_secs(grace)).rfc3339();
            let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
            let name = pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            self.update(&("pods".to_owned(), namespace, name), |pod| {
                pod["metadata"]["deletionTimestamp"] = by.into();
                pod["metadata"]["deletionGracePeriodSeconds"] = grace.into();
            });
        }
        false
    }

    /// Removes an object, and what it owns unless others see to that.
    pub(in crate::sim) fn remove(&mut self, key: &Key) {
        let Some(object) = self.objects.remove(key) else { return };
        let mut object = Arc::unwrap_or_clone(object);
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        let uid = object["metadata"]["uid"].clone();
        let object = Arc::new(object);
        self.history.push(Change { version: self.version, what: "DELETED", key: key.clone(), object });
        if self.is_lively {
            return;
        }
        let owned: Vec<Key> =
            self.objects.iter().filter(|(_, object)| is_owned(object, &uid)).map(|(key, _)| key.clone()).collect();
        owned.iter().for_each(|key| self.remove(key));
    }

    fn change(&mut self, key: Key, before: &Value, mut after: Value) -> Result<Value, Refused> {
        after["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"].clone();
        if after == *before {
            return Ok(after);
        }
        check_immutable(&key, before, &after)?;
        check_size(&key, &after)?;
        check_end(&key, before, &after)?;
        Ok(self.put(key, after, "MODIFIED"))
    }

    fn put(&mut self, key: Key, mut object: Value, what: &'static str) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        let kept = Arc::new(object.clone());
        self.history.push(Change { version: self.version, what, key: key.clone(), object: kept.clone() });
        self.objects.insert(key, kept);
        object
    }
}

fn conflict(key: &Key) -> Refused {
    let message = format!(
        "Operation cannot be fulfilled on {} \"{}\": the object has been modified; please apply your changes to the latest version and try again",
        key.0, key.2
    );
    Refused::new(409, "Conflict", message)
}

pub(in crate::sim) fn is_owned(object: &Value, uid: &Value) -> bool {
    let references = object["metadata"]["ownerReferences"].as_array();
    references.into_iter().flatten().any(|reference| reference["uid"] == *uid)
}

fn check_immutable(key: &Key, before: &Value, after: &Value) -> Result<(), Refused> {
    let is_same = ["data", "binaryData", "immutable"].iter().all(|field| before.get(field) == after.get(field));
    if before["immutable"] == true && !is_same {
        let message =
            format!("ConfigMap \"{}\" is invalid: data: Forbidden: field is immutable when `immutable` is set", key.2);
        return Err(Refused::new(422, "Invalid", message));
    }
    Ok(())
}

/// Refuses a ConfigMap that holds too much.
fn check_size(key: &Key, object: &Value) -> Result<(), Refused> {
    let held = |field: &str| object[field].as_object().into_iter().flatten().filter_map(|(_, text)| text.as_str());
    let bytes =
        held("data").map(str::len).sum::<usize>() + held("binaryData").map(|text| text.len() / 4 * 3).sum::<usize>();
    match key.0 == "configmaps" && bytes > DATA_BYTES_MAX {
        true => {
            let message = format!(
                "ConfigMap \"{}\" is invalid: []: Too long: may not be more than {DATA_BYTES_MAX} bytes",
                key.2
            );
            Err(Refused::new(422, "Invalid", message))
        }
        false => Ok(()),
    }
}

/// Refuses to take back the end of a Job. Source: Kubernetes' `validateJobStatus`.
fn check_end(key: &Key, before: &Value, after: &Value) -> Result<(), Refused> {
    let has = |object: &Value, kind: &str| {
        let conditions = object["status"]["conditions"].as_array();
        conditions.into_iter().flatten().any(|condition| condition["type"] == kind && condition["status"] == "True")
    };
    let faults = [
        ["Complete", "Failed"].iter().any(|kind| has(before, kind) && !has(after, kind)),
        has(after, "Complete") && has(after, "Failed"),
        has(after, "Complete") && !has(after, "SuccessCriteriaMet"),
        has(after, "Failed") && !has(after, "FailureTarget"),
        (has(after, "Complete") || has(after, "Failed")) && after["status"]["startTime"].is_null(),
        has(after, "Complete") == after["status"]["completionTime"].is_null(),
    ];
    match key.0 == "jobs" && faults.contains(&true) {
        true => Err(Refused::new(422, "Invalid", format!("Job.batch \"{}\" is invalid: status: {faults:?}", key.2))),
        false => Ok(()),
    }
}
