//! Argo's example manifests, run on this machine by the real program, against what Argo came to.

use std::path::Path;

use serde_json::Value;

use crate::env::TestEnv;
use crate::recorded::Case;
use crate::{conformance, recorded};

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
const EXCEPTED: &[(&str, &str)] = &[
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

#[test]
fn manifests_run_here_as_they_ran_there() {
    let (Some(rows), Some(folder)) = (conformance::rows("runs"), conformance::folder("runs")) else { return };
    let manifests = folder.join("manifests");
    let (cases, recorded) = recorded::cases(&manifests, &rows);
    let total = cases.len();
    // A step sees a `/tmp` of its own.
    let tools = tempfile::tempdir_in("/var/tmp").expect("a temporary folder");
    write_tools(tools.path());
    let failed = recorded::run_all(cases, WORKERS, |_, case| run(&manifests, tools.path(), case));
    println!("  of them recorded on Argo: {recorded}");
    conformance::report("runs (this machine)", total, &failed, EXCEPTED);
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
    arguments
        .extend(recorded::library(manifests, &case.file).into_iter().map(|path| path.to_string_lossy().into_owned()));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut command = env.command(&arguments);
    command.env("PATH", format!("{}:{path}", tools.display()));
    let output = command.output().map_err(|fault| fault.to_string())?;
    let shown = env.wf(&["get", "--local", "wf-run", "-o", "json"]);
    let object: Value = serde_json::from_str(&shown.stdout)
        .map_err(|_| format!("no run: {}", String::from_utf8_lossy(&output.stderr)))?;
    recorded::judge(case, "wf-run", &object, output.status.code())
}
