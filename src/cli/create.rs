//! Making a run: its name, its first record.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};

use super::env;
use super::error::{Error, Kind};
use super::place::PlaceLog;
use super::session::Session;
use crate::backend::{kubernetes, local};
use crate::base::{RunName, RunUid, Timestamp, limits};
use crate::engine::{Batch, Event};
use crate::plan::{Call, Plan, Resolved};
use crate::spec::ObjectMeta;
use crate::store::{FORMAT_VERSION, Header, Log, Record, Store, Stored};

/// Characters that complete a generated name, as in Kubernetes.
const SUFFIX_CHARS: usize = 5;

/// A run to be made.
pub struct New {
    /// Its name.
    pub name: RunName,
    /// What it runs.
    pub resolved: Resolved,
    /// The files that it came from.
    pub files: Vec<PathBuf>,
    /// What happened to it before it began: what it takes over from another run.
    pub first: Vec<Event>,
    /// Its uid, and when it was submitted, where both were elsewhere.
    pub was: Option<(RunUid, Timestamp)>,
}

/// A run that was made, and is held.
pub struct Created {
    /// The right to write its log.
    pub log: PlaceLog,
    /// What the log holds.
    pub stored: Stored,
}

/// Makes a run, and holds it.
pub async fn create(session: &Session, new: New) -> Result<Created, Error> {
    let now = env::now();
    let (given, created_at) = new.was.unwrap_or((RunUid(Arc::from("")), now));
    let header = Header {
        version: FORMAT_VERSION,
        name: new.name,
        uid: if given.0.is_empty() { uid() } else { given },
        created_at,
        resolved: new.resolved,
        files: new.files,
    };
    let mut log = session.store().await?.create(&header).await?;
    let mut records = Vec::new();
    if !new.first.is_empty() {
        let batches = vec![Batch { at: now, events: new.first }];
        log.append(&batches, &[]).await?;
        records.push(Record { seq: 1, batches, taken: Vec::new() });
    }
    Ok(Created { log, stored: Stored { header, records, torn: None } })
}

/// Returns an identifier in the form of Kubernetes' uids, by chance.
fn uid() -> RunUid {
    let mut digits = env::random_hex(32);
    // Version 4, as RFC 9562 marks what is by chance.
    digits.replace_range(12..13, "4");
    digits.replace_range(16..17, "a");
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    RunUid(Arc::from(parts.join("-")))
}

/// Returns the name of a new run: what the call says, else what the manifest says, else one
/// made of `generateName`.
pub fn name(metadata: &ObjectMeta, call: &Call) -> Result<RunName, Error> {
    let given = match (&call.name, &call.generate_name) {
        (Some(name), _) => Some(name.clone()),
        (None, Some(_)) => None,
        (None, None) => metadata.name.clone(),
    };
    let prefix = call.generate_name.as_ref().or(metadata.generate_name.as_ref());
    let text = match (given, prefix) {
        (Some(name), _) => name,
        (None, Some(prefix)) => generated(prefix),
        (None, None) => generated("wf-"),
    };
    RunName::new(text).map_err(|error| Error::new(Kind::Usage, error.to_string()).hint("give another with --name"))
}

/// Returns `prefix`, cut as Kubernetes cuts it, completed by chance.
pub fn generated(prefix: &str) -> String {
    let room = limits::RUN_NAME_BYTES_MAX - SUFFIX_CHARS;
    let prefix: String = prefix.chars().take(room).collect();
    prefix + &env::random_suffix(SUFFIX_CHARS)
}

/// Returns the Workflow that a run would keep.
pub fn object(name: &RunName, resolved: &Resolved) -> Value {
    let mut metadata = serde_json::to_value(&resolved.metadata).unwrap_or_default();
    metadata["name"] = json!(name.as_str());
    json!({
        "apiVersion": crate::spec::API_VERSION,
        "kind": "Workflow",
        "metadata": metadata,
        "spec": serde_json::to_value(&resolved.spec).unwrap_or_default(),
    })
}

/// Says once what the place of the run ignores or does otherwise.
pub fn tell_notes(session: &Session, plan: &Plan) {
    let notes = if session.is_local() { local::notes(plan) } else { kubernetes::notes(plan) };
    for note in notes {
        session.ui.status(&format!("note: {note}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_the_call_first() {
        let metadata = |name: Option<&str>, prefix: Option<&str>| ObjectMeta {
            name: name.map(str::to_owned),
            generate_name: prefix.map(str::to_owned),
            ..ObjectMeta::default()
        };
        let call = |name: Option<&str>, prefix: Option<&str>| Call {
            name: name.map(str::to_owned),
            generate_name: prefix.map(str::to_owned),
            ..Call::default()
        };
        for (made_of, called, expected) in [
            (metadata(Some("a"), None), call(None, None), "a"),
            (metadata(Some("a"), Some("b-")), call(Some("c"), None), "c"),
            (metadata(Some("a"), None), call(None, Some("d-")), "d-"),
            (metadata(None, Some("b-")), call(None, None), "b-"),
            (metadata(None, None), call(None, None), "wf-"),
        ] {
            let made = name(&made_of, &called).expect("a name");
            assert!(made.as_str().starts_with(expected), "{made} for {expected}");
            assert_eq!(made.as_str().len() > expected.len(), expected.ends_with('-'), "{made}");
        }
        assert!(name(&metadata(Some("No_Good"), None), &call(None, None)).is_err());
    }

    #[test]
    fn generated_names_fit_and_uids_differ() {
        assert_eq!(generated(&"x".repeat(100)).len(), limits::RUN_NAME_BYTES_MAX);
        assert_ne!(uid(), uid());
        assert_eq!(uid().0.len(), 36);
    }
}
