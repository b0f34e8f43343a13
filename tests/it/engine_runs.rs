//! The engine alone against Argo's own runs: each pod ends as it did there, and every node must come
//! out as it did there. Real processes run the same manifests in `local_runs`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use wf::base::{RunName, RunUid, Timestamp};
use wf::engine::{
    Action, FileOutput, Node, Observation, Outputs, Phase, PodEnd, PodReport, PodRequest, Run, SavedArtifact,
};
use wf::plan::{self, Library, Plan};
use wf::source::Sources;
use wf::spec::{self, Manifest};

use crate::conformance;

#[test]
fn the_engine_comes_to_what_argo_came_to() {
    let (Some(rows), Some(folder)) = (conformance::rows("runs"), conformance::folder("runs")) else { return };
    let manifests = folder.join("manifests");
    let mut failed = Vec::new();
    for row in &rows {
        let file = row["file"].as_str().expect("a row names its file");
        if let Err(why) = compare(&manifests, file, row) {
            failed.push((file.to_owned(), why));
        }
    }
    conformance::report("runs (engine)", rows.len(), &failed, &[]);
}

fn compare(manifests: &Path, file: &str, row: &Value) -> Result<(), String> {
    let plan = plan_of(manifests, file)?;
    let run = play(plan, row);
    let actual: BTreeMap<String, Value> =
        run.nodes().map(|node| (name_in_row(&node.name), shown(&run, node))).collect();
    let expected: BTreeMap<String, Value> = row["nodes"]
        .as_array()
        .expect("a row has nodes")
        .iter()
        .map(|node| (node["name"].as_str().expect("nodes have names").to_owned(), node.clone()))
        .collect();
    if run.phase().as_str() != row["phase"] || run.message() != row["message"] {
        return Err(format!("phase {} {:?}, expected {} {}", run.phase(), run.message(), row["phase"], row["message"]));
    }
    for name in actual.keys().chain(expected.keys()).collect::<BTreeSet<_>>() {
        match (actual.get(name), expected.get(name)) {
            (Some(actual), Some(expected)) if same(actual, expected) => {}
            (actual, expected) => {
                let text = |node: Option<&Value>| node.map_or("absent".to_owned(), Value::to_string);
                return Err(format!("{name}\n  here  {}\n  there {}", text(actual), text(expected)));
            }
        }
    }
    Ok(())
}

/// Returns whether a node is as the row has it; a row leaves out what is empty.
fn same(actual: &Value, expected: &Value) -> bool {
    let field = |node: &Value, key: &str| match &node[key] {
        Value::Null => Value::Null,
        Value::String(text) if text.is_empty() => Value::Null,
        value => value.clone(),
    };
    ["displayName", "type", "phase", "message", "templateName", "children", "parameters", "result", "exitCode"]
        .iter()
        .all(|key| field(actual, key) == field(expected, key))
}

fn plan_of(manifests: &Path, file: &str) -> Result<Plan, String> {
    let mut sources = Sources::default();
    let text = |path: &Path| std::fs::read_to_string(path).map_err(|fault| format!("{}: {fault}", path.display()));
    let main = sources.add(file, text(&manifests.join(file))?);
    let others = sibling_files(manifests, file);
    for other in &others {
        sources.add(other, text(&manifests.join(other))?);
    }
    let (reads, _) = spec::read_all(&sources);
    let (library, _) = Library::new(reads.iter().filter(|read| !matches!(read.manifest, Manifest::Workflow(_))));
    let workflow =
        reads.iter().find(|read| read.document.file == main && matches!(read.manifest, Manifest::Workflow(_)));
    let workflow = workflow.ok_or("the file has no Workflow")?;
    let (plan, diagnostics) = plan::check(&sources, workflow, &library, &plan::Call::default());
    plan.ok_or_else(|| diagnostics.iter().map(|d| d.message.clone()).collect::<Vec<_>>().join("; "))
}

/// The files that a manifest's references are looked up in: its folder's templates, and the ConfigMaps.
fn sibling_files(manifests: &Path, file: &str) -> Vec<String> {
    let mut folders = vec!["configmaps".to_owned()];
    if let Some((folder, _)) = file.rsplit_once('/') {
        folders.push(folder.to_owned());
    }
    let mut files = Vec::new();
    for folder in folders {
        for entry in std::fs::read_dir(manifests.join(&folder)).into_iter().flatten().flatten() {
            files.push(format!("{folder}/{}", entry.file_name().to_string_lossy()));
        }
    }
    files.retain(|other| other != file);
    files.sort();
    files
}

/// Plays a run in which each pod ends as the row says that it ended.
fn play(plan: Plan, row: &Value) -> Run {
    let ends: HashMap<&str, &Value> = row["nodes"]
        .as_array()
        .expect("a row has nodes")
        .iter()
        .map(|node| (node["name"].as_str().expect("nodes have names"), node))
        .collect();
    let name = RunName::new("wf-run").expect("a good name");
    let mut run = Run::new(Arc::new(plan), name, RunUid("uid".into()), Timestamp(1_000));
    let mut clock = 1_000;
    run.decide(Observation::Begin, Timestamp(clock));
    for _ in 0..10_000 {
        let actions = run.pending();
        if actions.is_empty() {
            let Some(wake) = run.next_wake() else { break };
            clock = wake.0;
            run.decide(Observation::Time, wake);
        }
        for action in actions {
            clock += 1_000;
            let (node, end) = match action {
                Action::Start(request) => (request.node, end_of(&request, &ends)),
                Action::Stop { node, .. } => (node, PodEnd::exited(143)),
            };
            let running = PodReport::Running { ready: true, ip: Some("127.0.0.1".to_owned()), host: None };
            run.decide(Observation::Pod(node, running), Timestamp(clock));
            if !run.node(node).daemoned {
                run.decide(Observation::Pod(node, PodReport::Ended(end)), Timestamp(clock));
            }
        }
    }
    run
}

fn end_of(request: &PodRequest, ends: &HashMap<&str, &Value>) -> PodEnd {
    let Some(node) = ends.get(name_in_row(&request.node_name).as_str()) else { return PodEnd::exited(99) };
    let code = node["exitCode"].as_str().and_then(|code| code.parse().ok()).unwrap_or(0);
    let mut end = PodEnd::exited(code);
    end.result = node["result"].as_str().map(str::to_owned);
    let outputs = request.template.outputs.clone().unwrap_or_default();
    for parameter in &outputs.parameters {
        let found = node["parameters"][&parameter.name].as_str();
        let file = found.map_or(FileOutput::Absent, |text| FileOutput::Found(text.to_owned()));
        end.parameters.insert(parameter.name.clone(), file);
    }
    for artifact in &outputs.artifacts {
        let key = Some(format!("{}/{}.tgz", request.pod_name, artifact.name));
        let s3 = Some(Box::new(spec::S3Artifact { key, ..Default::default() }));
        let location = spec::ArtifactLocation { s3, ..Default::default() };
        let saved = spec::Artifact { location, ..artifact.clone() };
        end.artifacts.insert(artifact.name.clone(), SavedArtifact::Saved(Box::new(saved)));
    }
    end
}

fn name_in_row(name: &str) -> String {
    name.replacen("wf-run", "WF", 1)
}

fn shown(run: &Run, node: &Node) -> Value {
    let mut children: Vec<String> = node.children.iter().map(|child| name_in_row(&run.node(*child).name)).collect();
    children.sort();
    let outputs = node.outputs.as_deref().cloned().unwrap_or(Outputs::default());
    let parameters: BTreeMap<_, _> = outputs.parameters.iter().map(|p| (p.name.to_string(), p.value.clone())).collect();
    let message = match node.phase {
        Phase::Failed if node.message.starts_with("child ") => "child 'WF-ID' failed".to_owned(),
        _ => node.message.to_string(),
    };
    json!({
        "displayName": name_in_row(&node.display_name),
        "type": node.kind.as_str(),
        "phase": node.phase.as_str(),
        "message": message,
        "templateName": node.template_name(),
        "children": (!children.is_empty()).then_some(children),
        "parameters": (!parameters.is_empty()).then_some(parameters),
        "result": outputs.result.as_deref(),
        "exitCode": outputs.exit_code.map(|code| code.to_string()),
    })
}
