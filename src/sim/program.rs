//! What a simulated pod does: what its own words say, and otherwise what the seed says.
//!
//! The words stand in the container's arguments or the script: `sim:exit=1`, `sim:takes=5s`,
//! `sim:fails=2` (exit code 1, so many times), `sim:result=[1,2]`, `sim:out.NAME=value`, each up to
//! the next white space. A pod's fate depends on its name, the seed and how many pods of its name
//! there were before, so that it is the same whenever it starts.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::chance::Chance;
use crate::base::TimeSpan;
use serde_json::Value;

use crate::backend::kubernetes::names;
use crate::engine::{FileOutput, PodEnd, PodRequest, SavedArtifact};
use crate::spec;

/// The longest that a pod takes whose words do not say it.
const TAKES_MILLIS_MAX: u64 = 3_000;

/// What becomes of a pod that nobody stops.
#[derive(Debug, Clone)]
pub(super) struct Fate {
    /// How long it runs; for ever when absent.
    pub(super) takes: Option<TimeSpan>,
    /// How it ends.
    pub(super) end: PodEnd,
    words: BTreeMap<String, String>,
}

impl Fate {
    /// Returns the end of what it prints.
    pub(super) fn result(&self) -> &str {
        self.words.get("result").map_or("1", String::as_str)
    }

    /// Returns what it writes into the file of an output parameter.
    pub(super) fn output(&self, name: &str) -> &str {
        self.words.get(&format!("out.{name}")).map_or("1", String::as_str)
    }

    /// Returns what becomes of a pod with these words.
    fn of(words: BTreeMap<String, String>, name: &str, is_daemon: bool, seed: u64, earlier: usize) -> Self {
        let word = |name: &str| words.get(name).map(String::as_str);
        let by_chance = TimeSpan(Chance::named(seed, name).below(TAKES_MILLIS_MAX));
        let takes = word("takes").and_then(|text| TimeSpan::parse(text).ok()).unwrap_or(by_chance);
        let number = |name: &str| word(name).and_then(|text| text.parse::<i32>().ok()).unwrap_or(0);
        let still_fails = ((earlier + attempt(name)) as i32) < number("fails");
        let end = PodEnd::exited(if still_fails { 1 } else { number("exit") });
        Self { takes: (!is_daemon).then_some(takes), end, words }
    }
}

/// Returns the number of an attempt, which ends its name: `x(2)`.
fn attempt(name: &str) -> usize {
    let number = name.strip_suffix(')').and_then(|name| name.rsplit_once('(')).map(|(_, number)| number);
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Returns what becomes of a pod of a cluster, the node of which is called `name`, when there were
/// `earlier` Jobs for nodes of that name.
pub(super) fn fate_of_pod(pod: &Value, name: &str, seed: u64, earlier: usize) -> Fate {
    let mut texts = Vec::new();
    for container in pod["spec"]["containers"].as_array().into_iter().flatten().filter(|main| main["name"] == "main") {
        texts.extend(container["args"].as_array().into_iter().flatten().filter_map(Value::as_str));
    }
    let annotations = &pod["metadata"]["annotations"];
    texts.extend(annotations[names::SCRIPT].as_str());
    let is_daemon = annotations[names::DUE].as_str().is_some_and(|due| due.contains("\"daemon\":true"));
    Fate::of(words(texts), name, is_daemon, seed, earlier)
}

/// Returns what becomes of the pod that `request` asks for, before which there were `earlier`.
pub(super) fn fate(request: &PodRequest, seed: u64, earlier: usize) -> Fate {
    let is_daemon = request.template.daemon == Some(true);
    let mut fate = Fate::of(words(texts(&request.template)), &request.node_name, is_daemon, seed, earlier);
    let end = &mut fate.end;
    let word = |name: &str| fate.words.get(name).map(String::as_str);
    end.result = request.capture_result.then(|| word("result").unwrap_or("1").to_owned());
    let outputs = request.template.outputs.as_ref();
    for parameter in outputs.iter().flat_map(|outputs| &outputs.parameters) {
        let value = word(&format!("out.{}", parameter.name)).unwrap_or("1").to_owned();
        end.parameters.insert(parameter.name.clone(), FileOutput::Found(value));
    }
    for artifact in outputs.iter().flat_map(|outputs| &outputs.artifacts) {
        let saved = spec::Artifact { name: artifact.name.clone(), path: None, ..artifact.clone() };
        end.artifacts.insert(artifact.name.clone(), SavedArtifact::Saved(Box::new(saved)));
    }
    fate
}

fn texts(template: &Arc<spec::Template>) -> Vec<&str> {
    let mut texts = Vec::new();
    if let Some(args) = template.container.as_ref().and_then(|container| container.get("args")?.as_array()) {
        texts.extend(args.iter().filter_map(|arg| arg.as_str()));
    }
    texts.extend(template.script.as_ref().map(|script| script.source.as_str()));
    texts
}

fn words(texts: Vec<&str>) -> BTreeMap<String, String> {
    let words = texts.into_iter().flat_map(str::split_whitespace);
    let pairs = words.filter_map(|word| word.strip_prefix("sim:")?.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
