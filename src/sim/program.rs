//! What a simulated pod does: what its own words say, and otherwise what the seed says.
//!
//! The words stand in the container's arguments or the script: `sim:exit=1`, `sim:takes=5s`,
//! `sim:result=[1,2]`, `sim:out.NAME=value`, each up to the next white space. A pod's fate depends on
//! its name and the seed only, so that it is the same whenever it starts.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::chance::Chance;
use crate::base::TimeSpan;
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
}

/// Returns what becomes of the pod that `request` asks for.
pub(super) fn fate(request: &PodRequest, seed: u64) -> Fate {
    let words = words(&request.template);
    let word = |name: &str| words.get(name).map(String::as_str);
    let mut chance = Chance::named(seed, &request.node_name);
    let by_chance = TimeSpan(chance.below(TAKES_MILLIS_MAX));
    let takes = word("takes").and_then(|text| TimeSpan::parse(text).ok()).unwrap_or(by_chance);
    let mut end = PodEnd::exited(word("exit").and_then(|code| code.parse().ok()).unwrap_or(0));
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
    let is_daemon = request.template.daemon == Some(true);
    Fate { takes: (!is_daemon).then_some(takes), end }
}

fn words(template: &Arc<spec::Template>) -> BTreeMap<String, String> {
    let mut texts = Vec::new();
    if let Some(args) = template.container.as_ref().and_then(|container| container.get("args")?.as_array()) {
        texts.extend(args.iter().filter_map(|arg| arg.as_str()));
    }
    texts.extend(template.script.as_ref().map(|script| script.source.as_str()));
    let words = texts.into_iter().flat_map(str::split_whitespace);
    let pairs = words.filter_map(|word| word.strip_prefix("sim:")?.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
