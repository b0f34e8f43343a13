//! The local backend with real processes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wf::backend::Backend;
use wf::backend::local::{LocalBackend, LocalFiles, LocalOptions};
use wf::base::{NodeIx, TimeSpan};
use wf::engine::{FileOutput, Inputs, Phase, PodEnd, PodReport, PodRequest, SavedArtifact};
use wf::plan::Resolved;

/// How long a test waits for what should happen at once, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(60);

struct TestRun {
    folder: tempfile::TempDir,
    resolved: Resolved,
    files: LocalFiles,
}

impl TestRun {
    fn new() -> Self {
        Self::of(json!({}))
    }

    fn of(spec: Value) -> Self {
        let resolved = json!({ "metadata": {}, "spec": spec });
        // Not below `/tmp`, which pods have a new one of.
        let folder = tempfile::Builder::new().prefix("run-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        Self { folder, resolved: serde_json::from_value(resolved).expect("a workflow"), files: LocalFiles::default() }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn backend(&self) -> LocalBackend {
        let executable = PathBuf::from(env!("CARGO_BIN_EXE_wf"));
        let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/bin:/bin".to_owned());
        let base_env = vec![("PATH".to_owned(), path), ("HOME".to_owned(), "/".to_owned())];
        LocalBackend::new(self.path(), &self.resolved, self.files.clone(), LocalOptions { executable, base_env })
    }
}

fn request(node: u32, template: Value) -> PodRequest {
    PodRequest {
        node: NodeIx(node),
        node_name: format!("wf.{node}").into(),
        pod_name: format!("wf-{node}"),
        template: Arc::new(serde_json::from_value(template).expect("a template")),
        inputs: Arc::new(Inputs::default()),
        capture_result: true,
        deadline_after: None,
        deadline: None,
    }
}

fn sh(script: &str) -> Value {
    json!({ "container": { "image": "busybox", "command": ["sh", "-c", script] } })
}

async fn report(backend: &LocalBackend, node: u32, wanted: impl Fn(&PodReport) -> bool) -> PodReport {
    let seen = async {
        loop {
            for (of, report) in backend.next().await.expect("reports") {
                if of == NodeIx(node) && wanted(&report) {
                    return report;
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.expect("the report comes in time")
}

async fn end(backend: &LocalBackend, node: u32) -> PodEnd {
    match report(backend, node, |report| matches!(report, PodReport::Ended(_) | PodReport::Lost { .. })).await {
        PodReport::Ended(end) => end,
        other => panic!("node {node} did not end: {other:?}"),
    }
}

async fn run(backend: &LocalBackend, request: PodRequest) -> PodEnd {
    backend.start(&request).await.expect("started");
    end(backend, request.node.0).await
}

#[tokio::test]
async fn a_container_runs_and_its_end_is_reported() {
    let test = TestRun::new();
    let backend = test.backend();
    let ended = run(&backend, request(1, sh("echo out; echo err >&2; exit 3"))).await;
    assert_eq!((ended.phase, ended.exit_code), (Phase::Failed, Some(3)));
    assert_eq!(ended.message, "main: Error (exit code 3)");
    assert_eq!(ended.result.as_deref(), Some("out"));
    let log = fs::read_to_string(test.path().join("nodes/1/main.log")).expect("a log");
    assert!(log.contains(" stdout F out\n") && log.contains(" stderr F err\n"), "{log}");
}

#[tokio::test]
async fn a_hundred_short_pods_take_little() {
    let test = TestRun::new();
    let backend = test.backend();
    run(&backend, request(0, sh("true"))).await;
    let began = Instant::now();
    for node in 1..=100 {
        let ended = run(&backend, request(node, json!({ "container": { "command": ["true"] } }))).await;
        assert_eq!(ended.phase, Phase::Succeeded, "{}", ended.message);
    }
    eprintln!("100 pods in a row: {:.2} ms each", began.elapsed().as_secs_f64() * 10.0);
}
