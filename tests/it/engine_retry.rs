//! What a retry keeps, opens again and forgets, against Argo's `FormulateRetryWorkflow`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use wf::base::{NodeIx, RunName, RunUid, Timestamp};
use wf::engine::restart::{Fate, Vertex, Wish, restart};
use wf::engine::{Batch, Control, Event, Observation, Run, resubmit, reuse};

use crate::conformance;
use crate::engine_operate::{list, plan_of, text};

/// What a row of Argo's cannot be here, by name.
const EXCEPTED: &[(&str, &str)] = &[
    (
        "TestFormulateRetryWorkflow.func1",
        "a DAG failed in which nothing failed: there it stays as it is, here it is looked at again",
    ),
    ("TestFormulateResubmitWorkflow.func2", "who resubmits is out of the row's sight"),
];

#[test]
fn a_retry_keeps_what_argo_keeps() {
    let Some(rows) = conformance::rows("retry-resubmit") else { return };
    let only = std::env::var("WF_ROW").ok();
    let mut failed = Vec::new();
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for row in &rows {
        let name = text(&row["test"]).trim_start_matches("util.");
        let number = count.entry(name.to_owned()).or_default();
        *number += 1;
        let name = if *number == 1 { name.to_owned() } else { format!("{name} ({number})") };
        if only.as_ref().is_some_and(|only| *only != name) {
            continue;
        }
        let outcome = match text(&row["op"]) {
            "retry" if has_places(&row["in"]) => retry(row),
            "retry" => retry_of_graph(row),
            _ => resubmit(row),
        };
        if let Err(why) = outcome {
            failed.push((name, why));
        }
    }
    if only.is_some() {
        return assert!(failed.is_empty(), "{}", failed[0].1);
    }
    conformance::report("retry-resubmit", rows.len(), &failed, EXCEPTED);
}

fn retry(row: &Value) -> Result<(), String> {
    let mut run = import(row)?;
    let mut parameters: BTreeMap<String, Arc<str>> = BTreeMap::new();
    for parameter in list(&row["parameters"]) {
        let (name, value) = text(parameter).split_once('=').ok_or("a parameter is NAME=VALUE")?;
        parameters.insert(name.to_owned(), value.into());
    }
    let control = Control::Retry {
        restart_successful: row["restartSuccessful"] == true,
        selector: text(&row["nodeFieldSelector"]).to_owned(),
        from: String::new(),
        parameters,
    };
    let wanted = text(&row["error"]);
    match run.check_control(&control) {
        Err(_) if !wanted.is_empty() => return Ok(()),
        Err(fault) => return Err(format!("refused: {fault}")),
        Ok(()) if !wanted.is_empty() => return Err(format!("not refused; expected: {wanted}")),
        Ok(()) => {}
    }
    let before: BTreeMap<NodeIx, String> = run.nodes().map(|node| (node.ix, node.name.to_string())).collect();
    let events = run.decide(Observation::Control(control), Timestamp(4_000_000_000_000));
    let Some(Event::Retried { gone, open, .. }) = events.first() else { return Err("nothing is retried".to_owned()) };
    let names = |list: &[NodeIx]| list.iter().map(|ix| before[ix].clone()).collect::<BTreeSet<_>>();
    same("forgets", &names(gone), &removed(row))?;
    same("opens", &names(open), &reopened(row))
}

/// Returns whether the nodes of a workflow stand at places that its templates give.
fn has_places(workflow: &Value) -> bool {
    let nodes = workflow["status"]["nodes"].as_object().map_or(0, serde_json::Map::len);
    !workflow["spec"]["templates"].is_null() || nodes == 0
}

/// A status without templates is no run, but a graph, and that decides.
fn retry_of_graph(row: &Value) -> Result<(), String> {
    if text(&row["in"]["status"]["phase"]) == "Succeeded" && row["restartSuccessful"] != true {
        return if row["error"] == "" { Err("not refused".to_owned()) } else { Ok(()) };
    }
    let nodes: Vec<&Value> = ordered(&row["in"]);
    let at = |id: &Value| nodes.iter().position(|node| node["id"] == *id);
    let selected = text(&row["nodeFieldSelector"]).strip_prefix("id=");
    let wish = Wish { picked: selected.and_then(|id| at(&id.into())).into_iter().collect(), ..Wish::default() };
    let graph: Vec<Vertex> = nodes.iter().map(|node| vertex(node, &nodes, &at)).collect();
    let fates = restart(&graph, &wish);
    let ids = |which: &dyn Fn(&Fate) -> bool| -> BTreeSet<String> {
        let chosen = nodes.iter().zip(&fates).filter(|(_, fate)| which(fate));
        chosen.map(|(node, _)| text(&node["id"]).to_owned()).collect()
    };
    let (before, after) = (&row["in"]["status"]["nodes"], &row["out"]["status"]["nodes"]);
    let there = before.as_object().into_iter().flatten().map(|(id, _)| id.clone());
    let (kept, gone): (BTreeSet<String>, BTreeSet<String>) = there.partition(|id| after[id].is_object());
    same("forgets", &ids(&|fate| matches!(fate, Fate::Forget(_))), &gone)?;
    let reopened = kept.into_iter().filter(|id| after[id]["phase"] != before[id]["phase"]).collect();
    same("opens", &ids(&|fate| *fate == Fate::Open), &reopened)
}

/// Returns the nodes of a status, callers before what they call.
fn ordered(workflow: &Value) -> Vec<&Value> {
    let all = workflow["status"]["nodes"].as_object();
    let mut left: Vec<&Value> = all.into_iter().flat_map(|nodes| nodes.values()).collect();
    let mut ordered: Vec<&Value> = Vec::new();
    while !left.is_empty() {
        let above = |node: &Value| left.iter().any(|caller| caller["id"] == node["boundaryID"]);
        let next = left.iter().position(|node| !above(node)).expect("boundaries form a tree");
        ordered.push(left.remove(next));
    }
    ordered
}

fn vertex(node: &Value, nodes: &[&Value], at: &dyn Fn(&Value) -> Option<usize>) -> Vertex {
    let read = |value: &Value| serde_json::from_value(value.clone()).expect("a phase or a type of Argo's");
    let group = |parent: &&Value| {
        list(&parent["children"]).contains(&node["id"])
            && matches!(text(&parent["type"]), "Retry" | "StepGroup" | "TaskGroup")
    };
    let groups = nodes.iter().filter(|parent| group(parent)).filter_map(|parent| at(&parent["id"]));
    Vertex {
        kind: serde_json::from_value(node["type"].clone()).expect("a type of Argo's"),
        phase: read(&node["phase"]),
        callers: groups.chain(at(&node["boundaryID"])).collect(),
        children: list(&node["children"]).iter().filter_map(at).collect(),
        attempt_of: None,
        hook_of: None,
        on_exit: false,
    }
}

/// Compares what a new run is made of, and what it takes over.
fn resubmit(row: &Value) -> Result<(), String> {
    let run = import(row)?;
    let mut resolved = resubmit::resolved(&run.plan().resolved, &run);
    let parameters = list(&row["parameters"]).iter().filter_map(|parameter| text(parameter).split_once('='));
    resubmit::override_parameters(&mut resolved, parameters)?;
    let out = &row["out"];
    let metadata = serde_json::to_value(&resolved.metadata).expect("metadata is JSON");
    let (was, prefix) = (text(&row["in"]["metadata"]["name"]), text(&metadata["generateName"]));
    // The run of a nameless workflow has a name here.
    let prefix = if was.is_empty() { "-" } else { prefix };
    if prefix != text(&out["metadata"]["generateName"]) {
        return Err(format!("the name begins with {prefix}, expected {}", out["metadata"]["generateName"]));
    }
    let mut labels = metadata["labels"].clone();
    labels[resubmit::RESUBMITTED_FROM] = was.into();
    for (what, here, there) in [
        ("labels", &labels, &out["metadata"]["labels"]),
        ("owners", &metadata["ownerReferences"], &out["metadata"]["ownerReferences"]),
    ] {
        if here != there {
            return Err(format!("its {what} are {here}, expected {there}"));
        }
    }
    let arguments = serde_json::to_value(&resolved.spec.arguments).expect("arguments are JSON");
    if list(&arguments["parameters"]) != list(&out["spec"]["arguments"]["parameters"]) {
        return Err(format!("its arguments are {arguments}, expected {}", out["spec"]["arguments"]));
    }
    let nodes = nodes(out).into_iter();
    let reused = nodes.filter(|(_, node)| node["type"] == "Skipped" && text(&node["message"]).starts_with("original"));
    let name = text(&out["metadata"]["name"]);
    let there = reused.map(|(node, _)| node.strip_prefix(name).unwrap_or(&node).to_owned()).collect();
    let Event::Reuses { nodes, .. } = reuse(&run) else { return Err("nothing is taken over".to_owned()) };
    let here = nodes.into_iter().filter(|_| row["memoized"] == true).map(|node| node.name.to_string()).collect();
    same("takes over", &here, &there)
}

fn same(what: &str, here: &BTreeSet<String>, there: &BTreeSet<String>) -> Result<(), String> {
    if here == there {
        return Ok(());
    }
    let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect::<Vec<_>>().join(", ");
    Err(format!("{what} here only: {}; there only: {}", only(here, there), only(there, here)))
}

fn import(row: &Value) -> Result<Run, String> {
    let mut workflow = row["in"].clone();
    if workflow["spec"]["templates"].is_null() {
        workflow["spec"]["entrypoint"] = "main".into();
        workflow["spec"]["onExit"] = "main".into();
        workflow["spec"]["templates"] =
            serde_json::json!([{"name": "main", "container": {"image": "none", "command": ["true"]}}]);
        if let Some(stored) = workflow["status"].as_object_mut() {
            stored.remove("storedWorkflowTemplateSpec");
        }
    }
    let call = serde_json::json!({"in": workflow});
    let plan = plan_of(&call).map_err(|words| format!("no plan: {}", words.join("; ")))?;
    let name = workflow["metadata"]["name"].as_str().unwrap_or("nameless");
    let name = RunName::new(name).map_err(|fault| fault.to_string())?;
    let mut run = Run::new(Arc::new(plan), name, RunUid("uid".into()), Timestamp(1_000));
    let status = &workflow["status"];
    if status["phase"].is_null() && status["nodes"].is_null() {
        return Ok(run);
    }
    let event =
        wf::engine::import(run.plan(), run.name(), run.uid(), &workflow["status"]).map_err(|f| f.to_string())?;
    run.apply(&Batch { at: Timestamp(1_000), events: vec![event] });
    Ok(run)
}

fn nodes(workflow: &Value) -> BTreeMap<String, &Value> {
    let nodes = workflow["status"]["nodes"].as_object();
    nodes.into_iter().flatten().map(|(_, node)| (text(&node["name"]).to_owned(), node)).collect()
}

fn removed(row: &Value) -> BTreeSet<String> {
    let after = nodes(&row["out"]);
    nodes(&row["in"]).into_keys().filter(|name| !after.contains_key(name)).collect()
}

/// The nodes that are at work again. Argo opens some more on its way along the links, in which
/// nothing is run and which end again at once; they are left out.
fn reopened(row: &Value) -> BTreeSet<String> {
    let (before, gone) = (nodes(&row["in"]), removed(row));
    let after = nodes(&row["out"]).into_iter();
    let opened = after.filter(|(name, node)| node["phase"] != before[name]["phase"]).map(|(name, _)| name);
    opened.filter(|name| gone.iter().any(|gone| gone.starts_with(name.as_str()))).collect()
}
