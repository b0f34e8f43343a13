//! What Argo came to with its example manifests, and whether a run of ours came to the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde_json::{Value, json};

/// A manifest that is to be run.
pub struct Case {
    /// Its file, below the folder of the manifests.
    pub file: String,
    /// How it must end; absent where a coin decides even that.
    phase: Option<String>,
    /// What its nodes must come to; absent where a coin decides which there are.
    nodes: Option<Vec<Value>>,
    /// How long it took on Argo, as far as is known.
    pub seconds: f64,
}

/// Returns the recorded cases, then those without a record, and the count of the former.
pub fn cases(manifests: &Path, rows: &[Value]) -> (Vec<Case>, usize) {
    let mut cases: Vec<Case> = rows.iter().map(|row| case_of(manifests, row)).collect();
    let recorded = cases.len();
    cases.extend(unrecorded(manifests, &cases));
    (cases, recorded)
}

fn case_of(manifests: &Path, row: &Value) -> Case {
    let file = row["file"].as_str().expect("a row names its file").to_owned();
    let text = std::fs::read_to_string(manifests.join(&file)).expect("the manifests stand beside the table");
    // `random` is how every one of them tosses its coin, some for the exit code of a step.
    let tossed = text.contains("random") || text.contains("Random");
    let fails_by_chance = tossed && (text.contains("exit") || text.contains("fail"));
    let nodes = (!tossed).then(|| row["nodes"].as_array().expect("a row has nodes").clone());
    let phase = row["phase"].as_str().expect("a row has a phase").to_owned();
    let seconds = row["seconds_on_argo"].as_f64().unwrap_or(0.0);
    Case { file, phase: (!fails_by_chance).then_some(phase), nodes, seconds }
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
    files
        .into_iter()
        .map(|file| Case { file, phase: Some("Succeeded".to_owned()), nodes: None, seconds: 0.0 })
        .collect()
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

/// Runs every case, several at once; `run` is told which worker it is. Returns which failed, and why.
pub fn run_all(
    cases: Vec<Case>,
    workers: usize,
    run: impl Fn(usize, &Case) -> Result<(), String> + Sync,
) -> Vec<(String, String)> {
    let queue = Mutex::new(cases);
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for worker in 0..workers {
            let (queue, failed, run) = (&queue, &failed, &run);
            scope.spawn(move || {
                while let Some(case) = { queue.lock().expect("no worker panics").pop() } {
                    if let Err(why) = run(worker, &case) {
                        failed.lock().expect("no worker panics").push((case.file, why));
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().expect("no worker panics");
    failed.sort();
    failed
}

/// The files that hold what the manifest refers to: templates of its folder, ConfigMaps.
pub fn library(manifests: &Path, file: &str) -> Vec<PathBuf> {
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

/// Compares what `run` came to, as `wf get -o json` shows it, and how the command ended, with what is due.
pub fn judge(case: &Case, run: &str, object: &Value, code: Option<i32>) -> Result<(), String> {
    let status = &object["status"];
    let phase = status["phase"].as_str().unwrap_or_default();
    let due = match phase {
        "Succeeded" => Some(0),
        "Failed" | "Error" => Some(1),
        _ => None,
    };
    let found = nodes_of(run, object);
    if due.is_none() || case.phase.as_deref().is_some_and(|due| due != phase) || code != due {
        let nodes: Vec<String> = found.iter().map(|(name, node)| format!("  {name}: {node}")).collect();
        return Err(format!("{phase} {}, exit {code:?}\n{}", status["message"], nodes.join("\n")));
    }
    case.nodes.as_ref().map_or(Ok(()), |nodes| compare(&found, nodes))
}

/// Returns the nodes of a run as the rows have them, by name.
fn nodes_of(run: &str, object: &Value) -> BTreeMap<String, Value> {
    let known = object["status"]["nodes"].as_object().cloned().unwrap_or_default();
    let name = |node: &Value| node["name"].as_str().unwrap_or_default().replacen(run, "WF", 1);
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
