//! What a simulated container does: what its own words say, and otherwise what the seed says.
//!
//! The words stand in the container's arguments or the script: `sim:exit=1`, `sim:takes=5s`,
//! `sim:fails=2` (exit code 1, so many times), `sim:result=[1,2]`, `sim:out.NAME=value`, each up to
//! the next white space. A container's fate depends on the name of its node, the seed and how many pods of
//! that name there were before, so that it is the same whenever it starts.

use std::collections::BTreeMap;

use super::chance::Chance;
use super::course::{Ending, Member};
use crate::backend::tries::Tries;
use crate::base::TimeSpan;
use crate::engine::{ContainerEnd, FileOutput, Phase, PodEnd, PodRequest, SavedArtifact};
use crate::spec;

/// The longest that a container takes whose words do not say it.
const TAKES_MILLIS_MAX: u64 = 3_000;

/// The container that hands out what its pod does.
pub(super) const MAIN: &str = "main";

/// What becomes of a container that nobody stops.
#[derive(Debug, Clone)]
pub(super) struct Fate {
    /// How long its command runs; for ever when absent.
    pub(super) takes: Option<TimeSpan>,
    /// The exit code in the end.
    exit: i32,
    /// How often it fails before.
    fails: u32,
    /// How many attempts of its node there were before this one.
    earlier: u32,
    words: BTreeMap<String, String>,
}

/// Whose containers they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin<'a> {
    /// The name of the node.
    pub(super) node: &'a str,
    /// Whether it runs until it is asked to end.
    pub(super) is_daemon: bool,
    pub(super) seed: u64,
    /// How many nodes of that name had pods before.
    pub(super) earlier: usize,
}

impl Origin<'_> {
    /// Returns what becomes of the container in the words of these texts.
    pub(super) fn fate(self, texts: &[&str]) -> Fate {
        self.fate_of(self.node, texts)
    }

    /// Returns what becomes of a container of a set.
    pub(super) fn fate_in_set(self, container: &str, texts: &[&str]) -> Fate {
        self.fate_of(&format!("{}.{container}", self.node), texts)
    }

    fn fate_of(self, name: &str, texts: &[&str]) -> Fate {
        let words = words(texts);
        let word = |name: &str| words.get(name).map(String::as_str);
        let by_chance = TimeSpan(Chance::named(self.seed, name).below(TAKES_MILLIS_MAX));
        let takes = word("takes").and_then(|text| TimeSpan::parse(text).ok()).unwrap_or(by_chance);
        let number = |name: &str| word(name).and_then(|text| text.parse::<u32>().ok()).unwrap_or(0);
        let (exit, fails) = (number("exit") as i32, number("fails"));
        let earlier = (self.earlier + attempt(self.node)) as u32;
        Fate { takes: (!self.is_daemon).then_some(takes), exit, fails, earlier, words }
    }
}

impl Fate {
    /// Returns how long it takes until its command need not be tried again, or may not, and with which exit code.
    pub(super) fn last_try(&self, tries: Tries) -> (Option<TimeSpan>, i32) {
        let fails = self.fails.saturating_sub(self.earlier * tries.count);
        let (tried, code) = match (fails < tries.count, self.exit) {
            (true, 0) => (fails + 1, 0),
            (true, code) => (tries.count, code),
            (false, _) => (tries.count, 1),
        };
        let all = |takes: TimeSpan| TimeSpan(takes.0 * u64::from(tried) + tries.pause.0 * u64::from(tried - 1));
        (self.takes.map(all), code)
    }

    /// Returns the end of what it prints.
    pub(super) fn result(&self) -> &str {
        self.words.get("result").map_or("1", String::as_str)
    }

    /// Returns what it writes into the file of an output parameter.
    pub(super) fn output(&self, name: &str) -> &str {
        self.words.get(&format!("out.{name}")).map_or("1", String::as_str)
    }
}

/// Returns the number of an attempt, which ends its name: `x(2)`.
fn attempt(name: &str) -> usize {
    let number = name.strip_suffix(')').and_then(|name| name.rsplit_once('(')).map(|(_, number)| number);
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Returns the containers of the pod that `request` asks for, before which there were `earlier`.
pub(super) fn members(request: &PodRequest, seed: u64, earlier: usize) -> Vec<Member> {
    let template = &*request.template;
    let origin = Origin { node: &request.node_name, is_daemon: template.daemon == Some(true), seed, earlier };
    let Some(set) = &template.container_set else {
        let (name, fate) = (MAIN.to_owned(), origin.fate(&texts_of_main(template)));
        return vec![Member { name, after: Vec::new(), until: Vec::new(), tries: Tries::default(), fate }];
    };
    let tries = Tries::of(set.retry_strategy.as_ref()).expect("a generated strategy can be followed");
    let member = |node: &spec::ContainerNode| {
        let name = node.container["name"].as_str().unwrap_or_default().to_owned();
        let fate = origin.fate_in_set(&name, &args(&node.container));
        Member { name, after: node.dependencies.clone(), until: Vec::new(), tries, fate }
    };
    set.containers.iter().map(member).collect()
}

/// Returns the end of a pod of this machine, the containers of which came out so.
pub(super) fn end(request: &PodRequest, members: &[Member], endings: &[Ending]) -> PodEnd {
    let main = members.iter().zip(endings).find(|(member, _)| member.name == MAIN);
    let code = main.map(|(_, ending)| ending.code);
    let mut end = match request.template.container_set {
        Some(_) => end_of_set(members, endings),
        None => PodEnd::exited(code.unwrap_or_default()),
    };
    end.exit_code = code;
    if let Some((main, _)) = main.filter(|(_, ending)| ending.runs && !ending.is_killed) {
        hand_out(request, &main.fate, &mut end);
    }
    end
}

/// Puts into a pod's end what its main container hands out.
fn hand_out(request: &PodRequest, main: &Fate, end: &mut PodEnd) {
    end.result = request.capture_result.then(|| main.result().to_owned());
    let outputs = request.template.outputs.as_ref();
    for parameter in outputs.iter().flat_map(|outputs| &outputs.parameters) {
        let value = main.output(&parameter.name).to_owned();
        end.parameters.insert(parameter.name.clone(), FileOutput::Found(value));
    }
    for artifact in outputs.iter().flat_map(|outputs| &outputs.artifacts) {
        let saved = spec::Artifact { name: artifact.name.clone(), path: None, ..artifact.clone() };
        end.artifacts.insert(artifact.name.clone(), SavedArtifact::Saved(Box::new(saved)));
    }
}

/// The pod of a set fails with its main container, or else with the first that failed.
fn end_of_set(members: &[Member], endings: &[Ending]) -> PodEnd {
    let mut end = PodEnd::exited(0);
    let mut failure: Option<String> = None;
    for (member, ending) in members.iter().zip(endings) {
        let name = &member.name;
        let (phase, message) = match ending.code {
            0 => (Phase::Succeeded, String::new()),
            code => (Phase::Failed, format!("{name}: Error (exit code {code})")),
        };
        if phase == Phase::Failed && (failure.is_none() || name == MAIN) {
            failure = Some(message.clone());
        }
        end.containers.insert(name.clone(), ContainerEnd { phase, message });
    }
    if let Some(message) = failure {
        (end.phase, end.message) = (Phase::Failed, message);
    }
    end
}

fn texts_of_main(template: &spec::Template) -> Vec<&str> {
    let mut texts = template.container.as_ref().map(|container| args(container)).unwrap_or_default();
    texts.extend(template.script.as_ref().map(|script| script.source.as_str()));
    texts
}

/// Returns the arguments of a container.
pub(super) fn args(container: &serde_json::Value) -> Vec<&str> {
    container["args"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str).collect()
}

fn words(texts: &[&str]) -> BTreeMap<String, String> {
    let words = texts.iter().flat_map(|text| text.split_whitespace());
    let pairs = words.filter_map(|word| word.strip_prefix("sim:")?.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
