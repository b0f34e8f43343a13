//! The engine against Argo's controller, reconciliation by reconciliation: pods of a row become
//! observations, and after each call the run must look as the workflow did there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use regex::Regex;
use serde_json::{Value, json};
use wf::base::{NodeIx, RunName, RunUid, Timestamp};
use wf::engine::{
    Action, Batch, Control, FileOutput, Memo, Node, Observation, Outputs, Phase, PodEnd, PodReport, PodRequest,
    Recollection, Run, SavedArtifact,
};
use wf::plan::{self, Library, Plan};
use wf::source::Sources;
use wf::spec::{self, Manifest};

use crate::conformance;

mod containers;

use containers::same_pods;

/// What a row of Argo's cannot be here, by name.
const EXCEPTED: &[(&str, &str)] = &[
    ("TestDagTwoChildrenContainerSet", "an image's command is looked up in a registry that is out of reach"),
    (
        "TestDataTemplateCreatesPod",
        "its deadline passed years ago, and there a pod is neither started nor failed in this call",
    ),
    ("TestExecuteWfLifeCycleHook", "a hook begins after the run has ended"),
    ("TestMaxDepth", DEPTH),
    (
        "TestOnExitDAGNotFailedOnShutdownStop",
        "a node's id is not its name's hash, so that the node is made twice there",
    ),
    ("TestPanicMetric", "Argo's controller panics"),
    ("TestPodCleanupDeletePendingPodWhenTerminate", "the workflow is shut down out of the row's sight"),
    ("TestRetryWhenEncounterExceededQuota", "two nodes have one name, and one has a name that no node can have"),
    ("TestStepsFailFast", "the words of `failFast` land on a group of another template there"),
    ("TestStepsFailedRetries", DEPTH),
    ("TestStorageQuota", "the API server refuses a claim out of the row's sight"),
    ("TestSynchronizationWithStep.func2", "a node that has succeeded fails afterwards"),
    ("TestWfTemplateRefWithHook", "a request goes out after the run's deadline there; here the deadline ends it"),
    ("TestWorkflowRunningButLabelCompleted", "its nodes have neither names nor ids, so that Argo itself loses them"),
    ("TestWorkflowStepRetry", "a pod that has succeeded fails afterwards"),
];
const DEPTH: &str = "the controller's own bound on depth was lowered out of the row's sight";

const NODE_ID: &str = "workflows.argoproj.io/node-id";
const NODE_NAME: &str = "workflows.argoproj.io/node-name";
/// The name of a run whose workflow has none in the table.
const NAMELESS: &str = "nameless";

#[test]
fn the_engine_decides_what_argo_decides() {
    let Some(rows) = conformance::rows("operate") else { return };
    let only = std::env::var("WF_ROW").ok();
    let mut failed = Vec::new();
    for row in &rows {
        let name = row["test"].as_str().expect("a row has a name").trim_start_matches("controller.");
        if only.as_deref().is_some_and(|only| only != name) {
            continue;
        }
        if let Err(why) = Row::default().play(row) {
            failed.push((name.to_owned(), why));
        }
    }
    if only.is_some() {
        return assert!(failed.is_empty(), "{}", failed[0].1);
    }
    conformance::report("operate", rows.len(), &failed, EXCEPTED);
}

/// The workflows of a row as far as its calls have come.
#[derive(Default)]
struct Row {
    plays: BTreeMap<String, Play>,
}

/// One workflow: what Argo made of it at the last call, and the run that stands for it.
struct Play {
    last: Value,
    run: Option<Run>,
    refused: Vec<String>,
    at: Timestamp,
    /// The nodes whose pods ended without anybody to report their outputs: in the row nothing is known
    /// of them, here a backend always says.
    unreported: BTreeSet<String>,
    /// The nodes of a status that was given, as far as they leave out what every node has.
    bare: BTreeMap<String, Value>,
}

impl Row {
    fn play(&mut self, row: &Value) -> Result<(), String> {
        for (number, call) in list(&row["calls"]).iter().enumerate() {
            self.call(call).map_err(|why| format!("call {number}: {why}"))?;
        }
        Ok(())
    }

    /// Returns how often the workflows hold each lock.
    fn held(&self) -> BTreeMap<String, u32> {
        let mut held = BTreeMap::new();
        for (name, holders, _) in self.plays.values().filter_map(|play| play.run.as_ref()).flat_map(Run::locks) {
            *held.entry(name.to_owned()).or_default() += holders as u32;
        }
        held
    }

    fn call(&mut self, call: &Value) -> Result<(), String> {
        let key = key_of(&call["in"]);
        let known = self.plays.remove(&key).filter(|_| !is_fresh(&call["in"]));
        let play = match known.filter(|play| play.last["status"]["phase"] == call["in"]["status"]["phase"]) {
            Some(play) => play,
            None if is_fresh(&call["in"]) => Play::new(call),
            None => Play::import(call)?,
        };
        let held = self.held();
        let play = self.plays.entry(key).or_insert(play);
        play.tell(&held);
        play.go_on(call)?;
        play.last = call["out"].clone();
        Ok(())
    }
}

impl Play {
    fn new(call: &Value) -> Self {
        let at = clock(call, Timestamp(0));
        let mut play = Self {
            last: Value::Null,
            run: None,
            refused: Vec::new(),
            at,
            unreported: BTreeSet::new(),
            bare: BTreeMap::new(),
        };
        match plan_of(call) {
            Ok(plan) => play.run = Some(begin(plan, &call["in"], at)),
            Err(words) => play.refused = words,
        }
        play
    }

    /// Begins with the status that Argo left.
    fn import(call: &Value) -> Result<Self, String> {
        let mut play = Self::new(call);
        if let Some(run) = &mut play.run {
            let event = wf::engine::import(run.plan(), run.name(), run.uid(), &renamed(call, run.name().as_str()))
                .map_err(|fault| fault.to_string())?;
            run.apply(&Batch { at: play.at, events: vec![event] });
            play.last = call["in"].clone();
            play.bare = expected_nodes(&call["in"]);
        }
        Ok(play)
    }

    /// Tells the run what other workflows hold.
    fn tell(&mut self, held: &BTreeMap<String, u32>) {
        let Some(run) = &mut self.run else { return };
        let known: Vec<String> = run.locks().map(|(name, ..)| name.to_owned()).collect();
        for lock in known.into_iter().chain(held.keys().cloned()).collect::<BTreeSet<_>>() {
            let others = held.get(&lock).copied().unwrap_or(0);
            run.decide(Observation::Held { lock, others }, self.at);
        }
    }

    fn go_on(&mut self, call: &Value) -> Result<(), String> {
        self.at = clock(call, self.at);
        let Some(run) = &mut self.run else { return refused(&self.refused, &call["out"]) };
        let at = self.at;
        let is_first = run.started_at().is_none();
        if is_first {
            run.decide(Observation::Begin, at);
        }
        if !self.last.is_null() {
            changes(run, &self.last, call, at)?;
            self.unreported.extend(observe_pods(run, call, at));
            lose_pods(run, call, at);
        }
        // Argo looks at a deadline from its second look at a workflow on, even at one of no seconds.
        if !is_first || call["in"]["spec"]["activeDeadlineSeconds"] != 0 {
            run.decide(Observation::Time, at);
        }
        answer_recalls(run, call, at);
        let started = starts(run);
        same_run(run, &call["out"], &self.unreported, &self.bare)?;
        same_pods(run, &started, call)
    }
}

/// Returns the status of a call with the nodes of a nameless workflow under the run's name.
fn renamed(call: &Value, run: &str) -> Value {
    let mut status = call["in"]["status"].clone();
    let prefix = text(&call["in"]["metadata"]["name"]);
    for node in status["nodes"].as_object_mut().into_iter().flat_map(|nodes| nodes.values_mut()) {
        let name = text(&node["name"]);
        node["name"] = format!("{run}{}", name.strip_prefix(prefix).unwrap_or(name)).into();
    }
    status
}

fn refused(words: &[String], out: &Value) -> Result<(), String> {
    let nodes = out["status"]["nodes"].as_object().into_iter().flat_map(|nodes| nodes.values());
    let fails = |of: &Value| matches!(text(&of["phase"]), "Failed" | "Error");
    match nodes.chain([&out["status"]]).any(fails) {
        true => Ok(()),
        false => Err(format!("refused here: {}", words.join("; "))),
    }
}

pub fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn key_of(workflow: &Value) -> String {
    let metadata = &workflow["metadata"];
    metadata["name"].as_str().or(metadata["generateName"].as_str()).unwrap_or_default().to_owned()
}

fn is_fresh(workflow: &Value) -> bool {
    workflow["status"]["phase"].is_null() && workflow["status"]["nodes"].is_null()
}

/// Returns the instant of a call: the latest that Argo wrote down in it.
fn clock(call: &Value, least: Timestamp) -> Timestamp {
    let status = &call["out"]["status"];
    let nodes = status["nodes"].as_object().into_iter().flat_map(|nodes| nodes.values());
    let times = nodes.chain([status]).flat_map(|of| [&of["startedAt"], &of["finishedAt"]]);
    let times = times.filter_map(|time| Timestamp::parse_rfc3339(time.as_str()?));
    times.max().unwrap_or(least).max(least)
}

pub fn plan_of(call: &Value) -> Result<Plan, Vec<String>> {
    let mut sources = Sources::default();
    let (mut workflow, stored) = wf::engine::import::stored(&call["in"]);
    workflow.as_object_mut().expect("a workflow is an object").remove("status");
    (workflow["kind"], workflow["apiVersion"]) = ("Workflow".into(), "argoproj.io/v1alpha1".into());
    let main = sources.add("workflow", workflow.to_string());
    let kept = |kind: &str, object: &Value| {
        stored.iter().any(|kept| kept["kind"] == kind && kept["metadata"]["name"] == object["metadata"]["name"])
    };
    for (kind, list_of) in [
        ("WorkflowTemplate", &call["workflowTemplates"]),
        ("ClusterWorkflowTemplate", &call["clusterWorkflowTemplates"]),
        ("ConfigMap", &call["configMaps"]),
    ] {
        let given = list(list_of).iter().filter(|object| !kept(kind, object));
        for (number, object) in given.chain(stored.iter().filter(|object| object["kind"] == kind)).enumerate() {
            let mut object = object.clone();
            object["kind"] = kind.into();
            object["apiVersion"] = if kind == "ConfigMap" { "v1" } else { "argoproj.io/v1alpha1" }.into();
            sources.add(format!("{kind}-{number}"), object.to_string());
        }
    }
    let (reads, faults) = spec::read_all(&sources);
    let (library, _) = Library::new(reads.iter().filter(|read| read.document.file != main));
    let workflow = reads.iter().find(|read| matches!(read.manifest, Manifest::Workflow(_)));
    let words = |list: &[wf::source::Diagnostic]| list.iter().map(|d| d.message.clone()).collect::<Vec<_>>();
    let workflow = workflow.ok_or_else(|| words(&faults))?;
    let (plan, diagnostics) = plan::check(&sources, workflow, &library, &plan::Call::default());
    plan.ok_or_else(|| words(&diagnostics))
}

fn begin(plan: Plan, workflow: &Value, at: Timestamp) -> Run {
    let name = workflow["metadata"]["name"].as_str().unwrap_or(NAMELESS);
    let name = RunName::new(name).or_else(|_| RunName::new(NAMELESS)).expect("a good name");
    let created = workflow["metadata"]["creationTimestamp"].as_str().and_then(Timestamp::parse_rfc3339);
    let uid = workflow["metadata"]["uid"].as_str().unwrap_or_default();
    let mut run = Run::new(Arc::new(plan), name, RunUid(uid.into()), created.unwrap_or(at));
    run.recall();
    run
}

/// Turns what a test changed by hand between two calls into what means the same here.
fn changes(run: &mut Run, last: &Value, call: &Value, at: Timestamp) -> Result<(), String> {
    let now = &call["in"];
    let has_pod = |id: &str| list(&call["pods"]).iter().any(|pod| pod["annotations"][NODE_ID] == id);
    if last["spec"]["suspend"] == true && now["spec"]["suspend"] != true {
        run.decide(Observation::Control(Control::Resume { selector: String::new(), message: String::new() }), at);
    }
    match (last["spec"]["shutdown"].as_str(), now["spec"]["shutdown"].as_str()) {
        (None, Some("Terminate")) => {
            run.decide(Observation::Control(Control::Terminate), at);
        }
        (None, Some("Stop")) => {
            run.decide(Observation::Control(Control::Stop { selector: String::new(), message: String::new() }), at);
        }
        _ => {}
    }
    let nodes = now["status"]["nodes"].as_object();
    for (id, node) in nodes.into_iter().flatten() {
        let before = &last["status"]["nodes"][id];
        // Where there is a pod, it says how its node is.
        if before["phase"] != node["phase"] && !has_pod(id) {
            change_node(run, now, node, at)?;
        }
    }
    Ok(())
}

fn change_node(run: &mut Run, workflow: &Value, node: &Value, at: Timestamp) -> Result<(), String> {
    let name = name_in_run(run, workflow, text(&node["name"]));
    let Some(found) = run.find(&name) else { return Err(format!("{name} was changed by hand, and is not here")) };
    let (ix, kind) = (found.ix, found.kind.as_str());
    match (kind, text(&node["phase"])) {
        ("Suspend", "Succeeded") => {
            let resume = Control::Resume { selector: format!("name={name}"), message: String::new() };
            run.decide(Observation::Control(resume), at);
        }
        ("Suspend", "Failed") => {
            let stop = Control::Stop { selector: format!("name={name}"), message: text(&node["message"]).to_owned() };
            run.decide(Observation::Control(stop), at);
        }
        ("Pod", "Succeeded" | "Failed" | "Error") => {
            let end = end_of(text(&node["phase"]), text(&node["message"]), &node["outputs"]);
            run.decide(Observation::Pod(ix, PodReport::Ended(end)), at);
        }
        _ => {}
    }
    Ok(())
}

/// Returns the names of the nodes whose pods ended and nobody reported what they made.
fn observe_pods(run: &mut Run, call: &Value, at: Timestamp) -> Vec<String> {
    let mut unreported = Vec::new();
    for pod in list(&call["pods"]) {
        let name = name_in_run(run, &call["in"], text(&pod["annotations"][NODE_NAME]));
        let Some(ix) = run.find(&name).map(|node| node.ix) else { continue };
        let status = &pod["status"];
        let report = match text(&status["phase"]) {
            "Pending" => PodReport::Waiting { reason: text(&status["message"]).to_owned() },
            "Running" => PodReport::Running { ready: ready(status), ip: None, host: None },
            phase @ ("Succeeded" | "Failed") => {
                let id = text(&pod["annotations"][NODE_ID]);
                let mut end = end_of(phase, text(&status["message"]), &outputs_of(call, id));
                end.exit_code = main_exit_code(status).or(end.exit_code);
                if report_what_is_missing(run, ix, &mut end) {
                    unreported.push(name[run.name().as_str().len()..].to_owned());
                }
                PodReport::Ended(end)
            }
            // Whether the controller saw a pod without a phase is told by what it made of it.
            _ if text(&call["out"]["status"]["nodes"][text(&pod["annotations"][NODE_ID])]["phase"]) == "Pending" => {
                continue;
            }
            unknown => {
                let message = format!("Unexpected pod phase for {}: {unknown}", text(&pod["name"]));
                PodReport::Ended(end_of("Error", &message, &Value::Null))
            }
        };
        run.decide(Observation::Pod(ix, report), at);
    }
    unreported
}

/// Reports the pods that ran and are gone. One that is gone before it ran is asked for again.
fn lose_pods(run: &mut Run, call: &Value, at: Timestamp) {
    let running = run.nodes().filter(|node| node.phase == Phase::Running && run.live_pods().contains(&node.ix));
    let there = |name: &str| {
        list(&call["pods"])
            .iter()
            .any(|pod| name_in_run(run, &call["in"], text(&pod["annotations"][NODE_NAME])) == name)
    };
    let lost: Vec<NodeIx> = running.filter(|node| !there(&node.name)).map(|node| node.ix).collect();
    for ix in lost {
        let report = PodReport::Lost { message: "pod deleted".to_owned() };
        run.decide(Observation::Pod(ix, report), at);
    }
}

/// Answers the questions to caches from the ConfigMaps of the call.
fn answer_recalls(run: &mut Run, call: &Value, at: Timestamp) {
    loop {
        let questions = run.recalls();
        if questions.is_empty() {
            return;
        }
        for memo in questions {
            let found = recollection(call, &memo);
            run.decide(Observation::Recalled { memo, found }, at);
        }
    }
}

fn recollection(call: &Value, memo: &Memo) -> Recollection {
    let map = list(&call["configMaps"]).iter().find(|map| map["metadata"]["name"] == *memo.cache);
    let Some(map) = map else { return Recollection::Nothing };
    if map["metadata"]["labels"]["workflows.argoproj.io/configmap-type"] != "Cache" {
        let words = "memoization configmap doesn't have workflows.argoproj.io/configmap-type label, refusing to use it";
        return Recollection::Unusable(words.to_owned());
    }
    map["data"][&*memo.key].as_str().map_or(Recollection::Nothing, Recollection::read)
}

/// Returns what is known of the outputs of a pod: as reported, or as the test wrote into its node.
fn outputs_of(call: &Value, id: &str) -> Value {
    let reported = list(&call["taskResults"]).iter().find(|result| text(&result["metadata"]["name"]) == id);
    reported.map_or(&call["in"]["status"]["nodes"][id], |result| result)["outputs"].clone()
}

/// Adds empty outputs where a row has none, and returns whether it did.
fn report_what_is_missing(run: &Run, ix: NodeIx, end: &mut PodEnd) -> bool {
    let node = run.node(ix);
    let templates = &run.plan().templates;
    let template = templates.iter().find(|template| template.name == node.template).map(|template| &template.spec);
    let declared = template.and_then(|template| template.outputs.clone()).unwrap_or_default();
    let mut missing = false;
    for parameter in declared.parameters {
        let known = end.parameters.contains_key(&parameter.name);
        missing |= !known;
        end.parameters.entry(parameter.name).or_insert(FileOutput::Found(String::new()));
    }
    // What failed saved nothing.
    for artifact in declared.artifacts.into_iter().filter(|_| end.phase == Phase::Succeeded) {
        let known = end.artifacts.contains_key(&artifact.name);
        missing |= !known;
        let name = artifact.name.clone();
        end.artifacts.entry(name).or_insert_with(|| SavedArtifact::Saved(Box::new(artifact)));
    }
    missing
}

fn main_exit_code(status: &Value) -> Option<i32> {
    let main = list(&status["containerStatuses"]).iter().find(|container| container["name"] == "main")?;
    main["state"]["terminated"]["exitCode"].as_i64()?.try_into().ok()
}

fn ready(status: &Value) -> bool {
    let containers = list(&status["containerStatuses"]);
    !containers.is_empty() && containers.iter().all(|container| container["ready"] == true)
}

fn end_of(phase: &str, message: &str, outputs: &Value) -> PodEnd {
    let mut end = PodEnd::exited(0);
    end.exit_code = text(&outputs["exitCode"]).parse().ok();
    end.phase = match phase {
        "Succeeded" => Phase::Succeeded,
        "Failed" => Phase::Failed,
        _ => Phase::Error,
    };
    end.message = message.to_owned();
    end.result = outputs["result"].as_str().map(str::to_owned);
    for parameter in list(&outputs["parameters"]) {
        let value = text(&parameter["value"]).to_owned();
        end.parameters.insert(text(&parameter["name"]).to_owned(), FileOutput::Found(value));
    }
    for artifact in list(&outputs["artifacts"]) {
        let saved: spec::Artifact = serde_json::from_value(artifact.clone()).expect("an artifact");
        end.artifacts.insert(saved.name.clone(), SavedArtifact::Saved(Box::new(saved)));
    }
    end
}

/// Returns the name that a node of the row has in the run.
fn name_in_run(run: &Run, workflow: &Value, name: &str) -> String {
    let prefix = text(&workflow["metadata"]["name"]);
    format!("{}{}", run.name(), name.strip_prefix(prefix).unwrap_or(name))
}

fn starts(run: &mut Run) -> BTreeMap<String, Box<PodRequest>> {
    let started = run.pending().into_iter().filter_map(|action| match action {
        Action::Start(request) => Some((request.node_name[run.name().as_str().len()..].to_owned(), request)),
        _ => None,
    });
    started.collect()
}

fn same_run(
    run: &Run,
    out: &Value,
    unreported: &BTreeSet<String>,
    bare: &BTreeMap<String, Value>,
) -> Result<(), String> {
    let mut actual: BTreeMap<String, Value> = run.nodes().map(|node| shown(run, node)).collect();
    let expected = expected_nodes(out);
    forget_unknown(&mut actual, &expected, unreported);
    for (name, node) in &mut actual {
        for key in ["displayName", "templateName", "type", "phase"] {
            if bare.get(name).is_some_and(|given| given[key] == "")
                && !expected.get(name).is_none_or(|there| there[key] != "")
            {
                node[key] = "".into();
            }
        }
    }
    let mut faults = Vec::new();
    let names = ids(out);
    let message = named(text(&out["status"]["message"]), &names);
    // Where a workflow has ended before its nodes, its own phase says nothing.
    let at_work = |node: &Value| matches!(text(&node["phase"]), "Pending" | "Running");
    let early = matches!(text(&out["status"]["phase"]), "Succeeded" | "Failed") && expected.values().any(at_work);
    let here = named(run.message(), &run_ids(run));
    if !early && (run.phase().as_str() != text(&out["status"]["phase"]) || here != message) {
        faults.push(format!(
            "the run is {} {here:?}, expected {} {message:?}",
            run.phase(),
            text(&out["status"]["phase"])
        ));
    }
    for name in actual.keys().chain(expected.keys()).collect::<BTreeSet<_>>() {
        match (actual.get(name), expected.get(name)) {
            (Some(actual), Some(expected)) if actual == expected => {}
            (Some(actual), Some(expected)) => faults.push(differences(name, actual, expected)),
            (Some(actual), None) => faults.push(format!("`{name}` is not there: {actual}")),
            (None, Some(expected)) => faults.push(format!("`{name}` is not here: {expected}")),
            (None, None) => {}
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n    ")) }
}

/// Takes the outputs away that nobody could report in the row.
fn forget_unknown(
    actual: &mut BTreeMap<String, Value>,
    expected: &BTreeMap<String, Value>,
    unreported: &BTreeSet<String>,
) {
    for (name, node) in actual {
        let attempt = |known: &String| known.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('('));
        if let Some(there) = expected.get(name)
            && (unreported.contains(name) || unreported.iter().any(attempt))
        {
            for key in ["outputs", "artifacts"] {
                node[key] = there[key].clone();
            }
        }
    }
}

fn differences(name: &str, actual: &Value, expected: &Value) -> String {
    let keys = actual.as_object().into_iter().flat_map(|object| object.keys());
    let differ = keys.filter(|key| actual[*key] != expected[*key]);
    let words = differ.map(|key| format!("{key} {}, expected {}", actual[key], expected[key]));
    format!("`{name}`: {}", words.collect::<Vec<_>>().join("; "))
}

fn run_ids(run: &Run) -> BTreeMap<String, String> {
    let prefix = run.name().as_str();
    run.nodes().map(|node| (node.id(prefix), node.name[prefix.len()..].to_owned())).collect()
}

/// Returns the names of the row's nodes, without the workflow's, by id.
fn ids(out: &Value) -> BTreeMap<String, String> {
    let prefix = text(&out["metadata"]["name"]);
    let nodes = out["status"]["nodes"].as_object();
    let name = |node: &Value| text(&node["name"]).strip_prefix(prefix).unwrap_or(text(&node["name"])).to_owned();
    nodes.into_iter().flatten().map(|(id, node)| (id.clone(), name(node))).collect()
}

/// Returns a message with the ids in quotes replaced by names.
fn named(message: &str, ids: &BTreeMap<String, String>) -> String {
    let mut named = message.to_owned();
    for (id, name) in ids {
        named = named.replace(&format!("'{id}'"), &format!("'<{name}>'"));
    }
    named
}

/// Returns the text without the instants and durations that the run's words have in them.
fn timeless(text: &str) -> String {
    static TIMES: LazyLock<Regex> = LazyLock::new(|| {
        let pattern = r#"(finishedAt\\*":)(?:null|\\*"[^"\\]*\\*")|\b\d+\.\d{6}\b"#;
        Regex::new(pattern).expect("the pattern is constant")
    });
    TIMES.replace_all(text, "$1").into_owned()
}

fn shown(run: &Run, node: &Node) -> (String, Value) {
    let prefix = run.name().as_str();
    let short = |name: &str| name.strip_prefix(prefix).unwrap_or(name).to_owned();
    let mut children: Vec<String> = node.children.iter().map(|child| short(&run.node(*child).name)).collect();
    children.sort();
    children.dedup();
    let outputs = node.outputs.as_deref().cloned().unwrap_or(Outputs::default());
    let inputs = node.inputs.as_deref().cloned().unwrap_or_default();
    let parameters = |list: &[wf::engine::Parameter]| -> BTreeMap<String, Option<String>> {
        let value = |value: &str| timeless(&value.replace(NAMELESS, ""));
        list.iter().map(|p| (p.name.to_string(), p.value.as_deref().map(value))).collect()
    };
    let shown = json!({
        "displayName": short(&node.display_name),
        "type": node.kind.as_str(),
        "phase": node.phase.as_str(),
        "message": named(&node.message, &run_ids(run)),
        "templateName": node.template_name(),
        "children": children,
        "inputs": parameters(&inputs.parameters),
        "outputs": parameters(&outputs.parameters),
        "artifacts": outputs.artifacts.iter().map(|artifact| artifact.name.clone()).collect::<BTreeSet<_>>(),
        "result": outputs.result.as_deref(),
        "exitCode": outputs.exit_code.map(|code| code.to_string()),
    });
    (short(&node.name), shown)
}

fn expected_nodes(out: &Value) -> BTreeMap<String, Value> {
    let names = ids(out);
    let prefix = text(&out["metadata"]["name"]);
    let parameters = |list_of: &Value| -> BTreeMap<String, Option<String>> {
        let pair = |p: &Value| (text(&p["name"]).to_owned(), p["value"].as_str().map(timeless));
        list(list_of).iter().map(pair).collect()
    };
    let nodes = out["status"]["nodes"].as_object();
    let shown = nodes.into_iter().flatten().map(|(id, node)| {
        let mut children: Vec<String> =
            list(&node["children"]).iter().filter_map(|id| names.get(text(id)).cloned()).collect();
        children.sort();
        children.dedup();
        // Argo's agent could not be started there. Here a request is out until its answer comes.
        let is_out = text(&node["message"]).starts_with("create agent pod failed");
        let (phase, message) = if is_out { ("Pending", "") } else { (text(&node["phase"]), text(&node["message"])) };
        let display = text(&node["displayName"]);
        let artifacts = list(&node["outputs"]["artifacts"]).iter().map(|artifact| text(&artifact["name"]));
        let shown = json!({
            "displayName": display.strip_prefix(prefix).unwrap_or(display),
            "type": text(&node["type"]),
            "phase": phase,
            // The engine says what it means that a pod is gone.
            "message": named(message, &names).replace("pod deleted", "result lost: pod deleted"),
            "templateName": text(&node["templateName"]),
            "children": children,
            "inputs": parameters(&node["inputs"]["parameters"]),
            "outputs": parameters(&node["outputs"]["parameters"]),
            "artifacts": artifacts.collect::<BTreeSet<_>>(),
            "result": node["outputs"]["result"].as_str(),
            "exitCode": node["outputs"]["exitCode"].as_str(),
        });
        (names[id].clone(), shown)
    });
    shown.collect()
}
