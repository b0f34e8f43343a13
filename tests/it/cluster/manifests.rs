//! Argo's example manifests on real pods, against what Argo came to.

use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::PostParams;
use serde::Deserialize;
use serde_json::{Value, json};

use super::space::{Space, block, sure};
use crate::recorded::Case;
use crate::{conformance, recorded};

/// How many runs are under way at once, each in a namespace of its own, since manifests name what they make.
const WORKERS: usize = 4;

/// No manifest takes longer than this.
const TIMEOUT: &str = "300s";

const ARTIFACTS: &str = "artifacts go from pod to pod by a store, which does not work in a cluster yet";
const ARGO_KIND: &str = "it makes an object of Argo's own kinds, which this cluster does not know";
const OWN_POD: &str = "it changes the pod that Argo runs for a resource template, of which there is none here";
const EXCEPTED: &[(&str, &str)] = &[
    ("artifact-passing-subpath.yaml", ARTIFACTS),
    ("artifact-path-placeholders.yaml", ARTIFACTS),
    ("artifact-repository-ref.yaml", ARTIFACTS),
    ("conditional-artifacts.yaml", ARTIFACTS),
    ("container-set-template/workspace-workflow.yaml", ARTIFACTS),
    ("dag-conditional-artifacts.yaml", ARTIFACTS),
    ("global-outputs.yaml", ARTIFACTS),
    ("handle-large-output-results.yaml", ARTIFACTS),
    ("k8s-owner-reference.yaml", ARGO_KIND),
    ("k8s-patch-json-pod.yaml", OWN_POD),
    ("k8s-patch-merge-pod.yaml", OWN_POD),
    ("k8s-patch-pod.yaml", OWN_POD),
    ("k8s-wait-wf.yaml", ARGO_KIND),
    ("key-only-artifact.yaml", ARTIFACTS),
    ("scripts-javascript.yaml", "there is no image with `node` at hand"),
];

#[test]
fn manifests_run_there_as_argo_ran_them() {
    let (Some(rows), Some(folder)) = (conformance::rows("runs"), conformance::folder("runs")) else { return };
    let manifests = folder.join("manifests");
    let spaces: Option<Vec<Space>> = (0..WORKERS).map(|worker| Space::new(&format!("manifests-{worker}"))).collect();
    let Some(spaces) = spaces else { return };
    let (mut cases, recorded) = recorded::cases(&manifests, &rows);
    // They are taken from the end: what takes longest begins first.
    cases.sort_by(|one, other| one.seconds.total_cmp(&other.seconds));
    let total = cases.len();
    spaces.iter().for_each(|space| provide(space, &manifests));
    let times = Mutex::new(Vec::new());
    let failed = recorded::run_all(cases, WORKERS, |worker, case| {
        let begin = Instant::now();
        let verdict = run(&spaces[worker], &manifests, case);
        times.lock().expect("no worker panics").push((begin.elapsed().as_secs(), case.file.clone()));
        verdict
    });
    println!("  of them recorded on Argo: {recorded}");
    let mut times = times.into_inner().expect("no worker panics");
    times.sort_unstable();
    println!("  the slowest, in seconds: {:?}", times.iter().rev().take(5).collect::<Vec<_>>());
    conformance::report("runs (a cluster)", total, &failed, EXCEPTED);
}

/// Makes the objects that manifests refer to.
fn provide(space: &Space, manifests: &Path) {
    for entry in sure("the ConfigMaps", std::fs::read_dir(manifests.join("configmaps"))).flatten() {
        let text = sure("a file", std::fs::read_to_string(entry.path()));
        for document in serde_yaml::Deserializer::from_str(&text) {
            let map = sure("a ConfigMap", ConfigMap::deserialize(document));
            sure("create it", block(space.api().create(&PostParams::default(), &map)));
        }
    }
    let secret = json!({"metadata": {"name": "my-secret"}, "stringData": {"mypassword": "S00perS3cretPa55word"}});
    let secret: Secret = sure("a Secret", serde_json::from_value(secret));
    sure("create it", block(space.api().create(&PostParams::default(), &secret)));
}

fn run(space: &Space, manifests: &Path, case: &Case) -> Result<(), String> {
    let name = name(&case.file);
    let mut files = vec![manifests.join(&case.file)];
    files.extend(recorded::library(manifests, &case.file));
    let files: Vec<String> = files.iter().map(|path| path.to_string_lossy().into_owned()).collect();
    let mut arguments = vec!["submit", "--wait", "--timeout", TIMEOUT, "--name", &name];
    arguments.extend(files.iter().map(String::as_str));
    let outcome = space.wf(&arguments);
    let shown = space.wf(&["get", &name, "-o", "json"]);
    let object: Value = serde_json::from_str(&shown.stdout).map_err(|_| format!("no run: {}", outcome.all()))?;
    let verdict = recorded::judge(case, &name, &object, Some(outcome.code));
    let deleted = space.wf(&["delete", &name]);
    verdict.and(if deleted.code == 0 { Ok(()) } else { Err(format!("delete: {}", deleted.all())) })
}

/// Returns a run's name that is the file's.
fn name(file: &str) -> String {
    let name: String = file
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' })
        .collect();
    name.trim_end_matches("-yaml").chars().take(40).collect::<String>().trim_end_matches('-').to_owned()
}
