//! What a retry keeps, opens again and forgets, against Argo's `FormulateRetryWorkflow`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use wf::base::{NodeIx, RunName, RunUid, Timestamp};
use wf::engine::{Batch, Control, Event, Observation, Run};

use crate::conformance;
use crate::engine_operate::{list, plan_of, text};

/// What a row of Argo's cannot be here, by name.
const EXCEPTED: &[(&str, &str)] = &[
    ("TestFormulateResubmitWorkflow.func1", OBJECT),
    ("TestFormulateResubmitWorkflow.func2", OBJECT),
    ("TestFormulateResubmitWorkflow.func3", OBJECT),
    ("TestFormulateResubmitWorkflow.func4", OBJECT),
    ("TestFormulateRetryWorkflow.func1", NOT_WHOLE),
    ("TestFormulateRetryWorkflow.func2", NOT_WHOLE),
    ("TestFormulateRetryWorkflow.func3", NOT_WHOLE),
    ("TestFormulateRetryWorkflow.func6", "the template of the workflow is not in the row"),
    ("TestFormulateRetryWorkflow.func9", NOT_WHOLE),
    ("TestFormulateRetryWorkflow.func10", NOT_WHOLE),
    ("TestFormulateRetryWorkflow.func11", NOT_WHOLE),
    ("TestFormulateRetryWorkflow.func12", NOT_WHOLE),
    ("TestResubmitWorkflowWithOnExit", OBJECT),
];
const NOT_WHOLE: &str = "it has no templates, and its nodes have names that no template gives";
const OBJECT: &str =
    "not yet: the object of a resubmitted run is the command's; what it reuses is tested in `engine::tests`";

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
            "retry" => retry(row),
            op => Err(format!("`{op}` makes a new object")),
        };
        if let Err(why) = outcome {
            failed.push((name, why));
        }
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
        workflow["spec"]["templates"] = serde_json::json!([{"name": "main", "container": {"image": "none"}}]);
    }
    let call = serde_json::json!({"in": workflow});
    let plan = plan_of(&call).map_err(|words| format!("no plan: {}", words.join("; ")))?;
    let name = RunName::new(text(&workflow["metadata"]["name"])).map_err(|fault| fault.to_string())?;
    let mut run = Run::new(Arc::new(plan), name, RunUid("uid".into()), Timestamp(1_000));
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
