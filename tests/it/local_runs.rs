//! Argo's example manifests, run on this machine by the real program, against what Argo came to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::conformance;
use crate::env::TestEnv;

/// A stand-in for the test image's entrypoint, with the few verbs that the manifests use.
const ARGOSAY: &str = r#"#!/bin/sh
set -eu
verb=${1:-echo}
case $verb in
  echo)
    if [ $# -ge 3 ]; then mkdir -p "$(dirname "$3")"; printf '%s\n' "$2" > "$3"
    else printf '%s\n' "${2:-hello argo}"; fi ;;
  cat) shift; cat "$@" ;;
  sleep) sleep "$2" ;;
  exit) exit "${2:-0}" ;;
  assert_contains) grep -F -- "$3" "$2" ;;
  *) exit 1 ;;
esac
"#;

const NEEDS_A_CLUSTER: &str = "creates or reads objects of a cluster";
const CONTAINER_SET: &str = "container sets do not run here yet";
const EXCEPTED: &[(&str, &str)] = &[
    ("container-set-template/outputs-result-workflow.yaml", CONTAINER_SET),
    ("container-set-template/parallel-workflow.yaml", CONTAINER_SET),
    ("container-set-template/sequence-workflow.yaml", CONTAINER_SET),
    ("container-set-template/workspace-workflow.yaml", CONTAINER_SET),
    ("k8s-owner-reference.yaml", NEEDS_A_CLUSTER),
    ("k8s-patch-json-pod.yaml", NEEDS_A_CLUSTER),
    ("k8s-patch-merge-pod.yaml", NEEDS_A_CLUSTER),
    ("k8s-patch-pod.yaml", NEEDS_A_CLUSTER),
    ("k8s-wait-wf.yaml", NEEDS_A_CLUSTER),
];

/// The same for an image whose steps talk through a cow.
const COWSAY: &str = "#!/bin/sh\nprintf '%s\\n' \"$*\"\n";

/// How many runs are under way at once: they mostly sleep.
const WORKERS: usize = 4;

struct Case {
    file: String,
    /// How it must end; absent where a coin decides even that.
    phase: Option<String>,
    /// What its nodes must come to; absent where a coin decides which there are.
    nodes: Option<Vec<Value>>,
}

#[test]
fn manifests_run_here_as_they_ran_there() {
    let (Some(rows), Some(folder)) = (conformance::rows("runs"), conformance::folder("runs")) else { return };
    let manifests = folder.join("manifests");
    let mut cases: Vec<Case> = rows.iter().map(|row| case_of(&manifests, row)).collect();
    let recorded = cases.len();
    cases.extend(unrecorded(&manifests, &cases));
    let total = cases.len();
    // A step sees a `/tmp` of its own.
    let tools = tempfile::tempdir_in("/var/tmp").expect("a temporary folder");
    write_tools(tools.path());
    let queue = Mutex::new(cases);
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(case) = { queue.lock().expect("no worker panics").pop() } {
                    if let Err(why) = run(&manifests, tools.path(), &case) {
                        failed.lock().expect("no worker panics").push((case.file, why));
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().expect("no worker panics");
    failed.sort();
    println!("  of them recorded on Argo: {recorded}");
    conformance::report("runs (this machine)", total, &failed, EXCEPTED);
}

fn case_of(manifests: &Path, row: &Value) -> Case {
    let file = row["file"].as_str().expect("a row names its file").to_owned();
    let text = std::fs::read_to_string(manifests.join(&file)).expect("the manifests stand beside the table");
    // `random` is how every one of them tosses its coin, some for the exit code of a step.
    let tossed = text.contains("random") || text.contains("Random");
    let fails_by_chance = tossed && (text.contains("exit") || text.contains("fail"));
    let nodes = (!tossed).then(|| row["nodes"].as_array().expect("a row has nodes").clone());
    let phase = row["phase"].as_str().expect("a row has a phase").to_owned();
    Case { file, phase: (!fails_by_chance).then_some(phase), nodes }
}

/// The manifests without a row that need nothing but the common images, and are meant to be run alone.
fn unrecorded(manifests: &Path, recorded: &[Case]) -> Vec<Case> {
    let mut files = Vec::new();
    walk(manifests, manifests, &mut files);
    files.sort();
    let common = ["busybox", "alpine", "python", "argosay", "curl"];
    let elsewhere = ["no-test", "s3:", "volumeClaimTemplates", "resource:", "http:\n", "plugin:", "hdfs:", "  data:"];
    files.retain(|file| {
        let text = std::fs::read_to_string(manifests.join(file)).unwrap_or_default();
        let images = text.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("image:"));
        text.contains("kind: Workflow\n")
            && !recorded.iter().any(|case| case.file == *file)
            && !elsewhere.iter().any(|word| text.contains(word))
            && images.into_iter().all(|image| common.iter().any(|known| image.contains(known)))
    });
    files.into_iter().map(|file| Case { file, phase: Some("Succeeded".to_owned()), nodes: None }).collect()
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("the manifests can be read").flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path.strip_prefix(root).expect("it lies below").to_string_lossy().into_owned());
        }
    }
}

fn write_tools(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    for (name, text) in [("argosay", ARGOSAY), ("cowsay", COWSAY)] {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("permissions");
    }
}

fn run(manifests: &Path, tools: &Path, case: &Case) -> Result<(), String> {
    let env = TestEnv::new();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut arguments = vec!["submit".to_owned(), "--local".into(), "--wait".into(), "--name".into(), "wf-run".into()];
    arguments.push(manifests.join(&case.file).to_string_lossy().into_owned());
    arguments.extend(library(manifests, &case.file).into_iter().map(|path| path.to_string_lossy().into_owned()));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut command = env.command(&arguments);
    command.env("PATH", format!("{}:{path}", tools.display()));
    let output = command.output().map_err(|fault| fault.to_string())?;
    let shown = env.wf(&["get", "--local", "wf-run", "-o", "json"]);
    let object: Value = serde_json::from_str(&shown.stdout)
        .map_err(|_| format!("no run: {}", String::from_utf8_lossy(&output.stderr)))?;
    let status = &object["status"];
    let phase = status["phase"].as_str().unwrap_or_default();
    let code = match phase {
        "Succeeded" => Some(0),
        "Failed" | "Error" => Some(1),
        _ => None,
    };
    if code.is_none() || case.phase.as_deref().is_some_and(|due| due != phase) || output.status.code() != code {
        let nodes: Vec<String> = nodes_of(&object).values().map(Value::to_string).collect();
        return Err(format!(
            "{} {}, exit {:?}\n{}",
            status["phase"],
            status["message"],
            output.status.code(),
            nodes.join("\n")
        ));
    }
    case.nodes.as_ref().map_or(Ok(()), |nodes| compare(&nodes_of(&object), nodes))
}

/// The files that hold what the manifest refers to: templates of its folder, ConfigMaps.
fn library(manifests: &Path, file: &str) -> Vec<PathBuf> {
    let mut folders = vec![manifests.join("configmaps")];
    folders.extend(file.rsplit_once('/').map(|(folder, _)| manifests.join(folder)));
    let entries = folders.iter().flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten().flatten());
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.retain(|path| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        *path != manifests.join(file) && !text.contains("kind: Workflow\n") && !text.contains("kind: CronWorkflow")
    });
    files.sort();
    files
}

/// Returns the nodes of a run as the rows have them, by name.
fn nodes_of(object: &Value) -> BTreeMap<String, Value> {
    let known = object["status"]["nodes"].as_object().cloned().unwrap_or_default();
    let name = |node: &Value| node["name"].as_str().unwrap_or_default().replacen("wf-run", "WF", 1);
    let names: BTreeMap<&str, String> = known.iter().map(|(id, node)| (id.as_str(), name(node))).collect();
    known
        .values()
        .map(|node| {
            let children = node["children"].as_array().into_iter().flatten();
            let mut children: Vec<&String> = children.filter_map(|id| names.get(id.as_str()?)).collect();
            children.sort();
            let outputs = &node["outputs"];
            let parameters = outputs["parameters"].as_array().into_iter().flatten();
            let parameters: BTreeMap<String, Value> = parameters
                .map(|parameter| {
                    (parameter["name"].as_str().unwrap_or_default().to_owned(), parameter["value"].clone())
                })
                .collect();
            let shown = json!({
                "type": node["type"], "phase": node["phase"],
                "children": (!children.is_empty()).then_some(children),
                "parameters": (!parameters.is_empty()).then_some(parameters),
                "result": outputs["result"], "exitCode": outputs["exitCode"],
            });
            (name(node), shown)
        })
        .collect()
}

fn compare(actual: &BTreeMap<String, Value>, expected: &[Value]) -> Result<(), String> {
    for node in expected {
        let name = node["name"].as_str().expect("nodes have names");
        let Some(found) = actual.get(name) else { return Err(format!("{name} is missing")) };
        for key in ["type", "phase", "children", "parameters", "result", "exitCode"] {
            if found[key] != node[key] {
                return Err(format!("{name}: {key} is {}, expected {}", found[key], node[key]));
            }
        }
    }
    if actual.len() != expected.len() {
        return Err(format!("{} nodes, expected {}", actual.len(), expected.len()));
    }
    Ok(())
}
