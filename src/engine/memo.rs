//! Memoization: what a cache is asked, what it answers, and how its entries are written.
//!
//! The engine decides what is a hit; the driver carries questions and entries to and from the cache,
//! a ConfigMap in Argo's format (`workflow/controller/cache`), so that caches filled by Argo serve here.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::import;
use super::value::Outputs;
use crate::base::{NodeIx, Timestamp};

/// The place of one result: a cache and a key in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Memo {
    /// The ConfigMap.
    #[serde(rename = "c")]
    pub cache: Arc<str>,
    /// The key.
    #[serde(rename = "k")]
    pub key: Arc<str>,
    /// Whether the result was taken from there.
    #[serde(rename = "h", default, skip_serializing_if = "std::ops::Not::not")]
    pub hit: bool,
}

/// What a cache holds under a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Recollection {
    /// Nothing.
    Nothing,
    /// A result.
    Result {
        /// What was made; absent when the node made nothing.
        outputs: Option<Arc<Outputs>>,
        /// When; unknown ones are older than anything.
        made_at: Option<Timestamp>,
    },
    /// It must not be used, for the reason given.
    Unusable(String),
}

/// What became of a call whose result was not in its cache.
#[derive(Debug, Clone, PartialEq)]
pub struct Memory {
    /// The place of the result.
    pub memo: Memo,
    /// The node that was made.
    pub node: NodeIx,
    /// The result, which is to be kept; absent when the node did not succeed.
    pub made: Option<Made>,
}

/// A result that is to be kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// What was made; absent when the node made nothing.
    pub outputs: Option<Arc<Outputs>>,
    /// When.
    pub at: Timestamp,
}

impl Recollection {
    /// Reads an entry of a cache. Names of its fields count without regard to case, as Go reads them;
    /// an entry that names no node is none.
    pub fn read(entry: &str) -> Self {
        let Ok(Json::Object(entry)) = serde_json::from_str(entry) else {
            return Self::Unusable("its entry in the cache is not a JSON object".to_owned());
        };
        let field = |name: &str| entry.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        match field("nodeID").and_then(Json::as_str) {
            None | Some("") => Self::Nothing,
            Some(_) => Self::Result {
                outputs: field("outputs").and_then(import::outputs).map(Arc::new),
                made_at: field("creationTimestamp").and_then(import::time),
            },
        }
    }
}

impl Made {
    /// Returns the entry in Argo's format; `node` is the node's id in Argo's form.
    pub fn entry(&self, node: &str) -> String {
        let made = self.at.rfc3339();
        json!({
            "nodeID": node,
            "outputs": self.outputs.as_deref().map(written),
            "creationTimestamp": made,
            "lastHitTimestamp": made,
        })
        .to_string()
    }
}

fn written(outputs: &Outputs) -> Json {
    let parameters = outputs.parameters.iter().map(|p| json!({"name": &*p.name, "value": p.value.as_deref()}));
    let mut json = json!({});
    if !outputs.parameters.is_empty() {
        json["parameters"] = parameters.collect();
    }
    if !outputs.artifacts.is_empty() {
        json["artifacts"] = outputs.artifacts.iter().map(|artifact| json!(&**artifact)).collect();
    }
    if let Some(result) = &outputs.result {
        json["result"] = (**result).into();
    }
    if let Some(code) = outputs.exit_code {
        json["exitCode"] = code.to_string().into();
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::value::Parameter;

    #[test]
    fn entries_are_read_as_they_were_written() {
        let parameter = Parameter { name: "hello".into(), value: Some("there".into()) };
        let location = serde_json::from_value(json!({"s3": {"key": "k"}})).expect("a location");
        let artifact = crate::spec::Artifact { name: "file".to_owned(), location, ..Default::default() };
        let outputs = Outputs {
            parameters: vec![parameter],
            artifacts: vec![Arc::new(artifact)],
            result: Some("said".into()),
            exit_code: Some(0),
        };
        let made = Made { outputs: Some(Arc::new(outputs.clone())), at: Timestamp(5_000) };
        let expected = Recollection::Result { outputs: Some(Arc::new(outputs)), made_at: Some(Timestamp(5_000)) };
        assert_eq!(Recollection::read(&made.entry("wf-1")), expected);
    }

    #[test]
    fn what_is_no_entry_is_said() {
        assert_eq!(Recollection::read(r#"{"nodeID": ""}"#), Recollection::Nothing);
        assert!(matches!(Recollection::read("x"), Recollection::Unusable(_)));
        let old = Recollection::read(r#"{"NodeID": "a", "Outputs": {}}"#);
        assert_eq!(old, Recollection::Result { outputs: None, made_at: None });
    }
}
