//! The local backend with real processes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wf::backend::Backend;
use wf::backend::local::{Isolation, LocalBackend, LocalFiles, LocalOptions};
use wf::base::{NodeIx, TimeSpan, Timestamp};
use wf::engine::{FileOutput, Inputs, Phase, PodEnd, PodReport, PodRequest, SavedArtifact};
use wf::plan::Resolved;
use wf::spec;

use crate::within::{FOLDER, is_within};

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
        let base = std::env::var_os(FOLDER).unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").into());
        let folder = tempfile::Builder::new().prefix("run-").tempdir_in(base).expect("a folder");
        Self { folder, resolved: serde_json::from_value(resolved).expect("a workflow"), files: LocalFiles::default() }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn backend(&self) -> LocalBackend {
        let executable = PathBuf::from(env!("CARGO_BIN_EXE_wf"));
        let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/bin:/bin".to_owned());
        let base_env = vec![("PATH".to_owned(), path), ("HOME".to_owned(), "/".to_owned())];
        LocalBackend::new(self.path(), &self.resolved, self.files.clone(), LocalOptions { executable, base_env })
    }

    /// Returns the supervisor, whose working directory is the run's folder.
    fn supervisor(&self) -> Option<i32> {
        let run = fs::canonicalize(self.path()).expect("the folder is there");
        let processes = fs::read_dir("/proc").expect("processes").flatten();
        let mut ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        ids.find(|pid: &i32| {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            name == "step-supervisor\n" && fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == run)
        })
    }

    fn monitor(&self, node: u32) -> Option<i32> {
        let text = fs::read_to_string(self.path().join(format!("nodes/{node}/monitor"))).ok()?;
        text.lines().next()?.rsplit_once(' ')?.1.parse().ok()
    }
}

impl Drop for TestRun {
    /// Ends what a test that failed left behind.
    fn drop(&mut self) {
        let nodes = fs::read_dir(self.path().join("nodes")).into_iter().flatten().flatten();
        let open = nodes.filter(|node| !node.path().join("exit.json").exists());
        let monitor = |node: fs::DirEntry| self.monitor(node.file_name().to_str()?.parse().ok()?);
        let monitors: Vec<i32> = open.filter_map(monitor).collect();
        self.supervisor().into_iter().chain(monitors).filter(|pid| is_process(*pid)).for_each(kill);
    }
}

fn request(node: u32, template: Value) -> PodRequest {
    PodRequest {
        node: NodeIx(node),
        node_name: format!("wf.{node}").into(),
        pod_name: format!("wf-{node}"),
        template: Arc::new(serde_json::from_value(template).expect("a template")),
        is_running: false,
        avoided_hosts: Vec::new(),
        workflow: Arc::default(),
        inputs: Arc::new(Inputs::default()),
        capture_result: true,
        deadline_after: None,
        deadline: None,
    }
}

fn container(script: &str) -> Value {
    json!({ "image": "busybox", "command": ["sh", "-c", script] })
}

fn sh(script: &str) -> Value {
    json!({ "container": container(script) })
}

fn is_over(report: &PodReport) -> bool {
    matches!(report, PodReport::Ended(_) | PodReport::Lost { .. })
}

fn is_running(report: &PodReport) -> bool {
    matches!(report, PodReport::Running { .. })
}

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it happens in time")
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
    in_time(seen).await
}

fn ended(report: PodReport) -> PodEnd {
    match report {
        PodReport::Ended(end) => end,
        other => panic!("it did not end: {other:?}"),
    }
}

async fn run(backend: &LocalBackend, request: PodRequest) -> PodEnd {
    backend.start(&request).await.expect("started");
    ended(report(backend, request.node.0, is_over).await)
}

async fn run_sh(script: &str) -> PodEnd {
    run(&TestRun::new().backend(), request(1, sh(script))).await
}

async fn wait_for(what: impl Fn() -> bool) {
    in_time(async {
        while !what() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

fn is_process(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

fn kill(pid: i32) {
    let pid = nix::unistd::Pid::from_raw(pid);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).expect("it is there to be killed");
}

#[tokio::test]
async fn a_container_runs_and_its_end_is_reported() {
    let test = TestRun::new();
    let end = run(&test.backend(), request(1, sh("echo out; echo err >&2; exit 3"))).await;
    assert_eq!((end.phase, end.exit_code), (Phase::Failed, Some(3)));
    assert_eq!(end.message, "main: Error (exit code 3)");
    assert_eq!(end.result.as_deref(), Some("out"));
    assert!(end.started_at <= end.finished_at && end.started_at.is_some());
    let log = test.read("nodes/1/main.log");
    assert!(log.contains(" stdout F out\n") && log.contains(" stderr F err\n"), "{log}");
}

#[tokio::test]
async fn a_result_is_the_end_of_a_long_output() {
    let end = run_sh("i=0; while [ $i -lt 40000 ]; do echo line $i; i=$((i+1)); done").await;
    let result = end.result.expect("it was asked for");
    assert_eq!(result.len(), 256 << 10);
    assert!(result.ends_with("\nline 39999"), "the end is there");
}

#[tokio::test]
async fn the_environment_is_clean() {
    let mut template = sh("env | sort; pwd");
    template["container"]["env"] = json!([{ "name": "A", "value": "1" }, { "name": "B", "value": "$(A)2" }]);
    let end = run(&TestRun::new().backend(), request(1, template)).await;
    let result = end.result.expect("it was asked for");
    let lines: Vec<&str> = result.lines().filter(|line| !line.starts_with("PATH=")).collect();
    let known = ["A=1", "B=12", "HOME=/", "HOSTNAME=wf-1", "PWD=/", "TMPDIR=/tmp", "/"];
    assert_eq!(
        lines.into_iter().filter(|line| !line.starts_with("_=") && !line.starts_with("SHLVL")).collect::<Vec<_>>(),
        known
    );
}

#[tokio::test]
async fn a_script_is_given_to_its_command() {
    let script =
        json!({ "script": { "image": "python", "command": ["python"], "source": "import sys\nprint(sys.argv[0])" } });
    let end = run(&TestRun::new().backend(), request(1, script)).await;
    assert_eq!(end.result.as_deref(), Some("/argo/staging/script"), "{}", end.message);
}

/// Argo's script file is a program, so that a shell's `-c` can run it.
#[tokio::test]
async fn a_script_can_be_run_as_a_program() {
    let script = json!({ "script": { "image": "busybox", "command": ["sh", "-c"], "source": "echo done" } });
    let end = run(&TestRun::new().backend(), request(1, script)).await;
    assert_eq!(end.result.as_deref(), Some("done"), "{}", end.message);
}

#[tokio::test]
async fn pods_together_do_not_see_each_other_and_leave_the_host_alone() {
    let test = TestRun::new();
    let backend = test.backend();
    let name = format!("/result-{}.txt", std::process::id());
    let script = format!(
        "echo $HOSTNAME > /tmp/out.txt; echo $HOSTNAME > {name}; echo x > /usr/bin/new; sleep 0.2; cat /tmp/out.txt {name}; ls /tmp"
    );
    for node in 0..8 {
        let mut template = sh(&script);
        template["outputs"] = json!({ "parameters": [{ "name": "p", "valueFrom": { "path": "/tmp/out.txt" } }] });
        backend.start(&request(node, template)).await.expect("started");
    }
    let mut left: Vec<u32> = (0..8).collect();
    while !left.is_empty() {
        for (node, report) in
            in_time(backend.next()).await.expect("reports").into_iter().filter(|(_, report)| is_over(report))
        {
            let end = ended(report);
            let own = format!("wf-{node}");
            assert_eq!(end.result, Some(format!("{own}\n{own}\nout.txt")), "{}", end.message);
            assert_eq!(end.parameters["p"], FileOutput::Found(own));
            left.retain(|waiting| *waiting != node.0);
        }
    }
    for path in [name.as_str(), "/usr/bin/new"] {
        assert!(!Path::new(path).exists(), "{path} is on the host");
    }
}

#[tokio::test]
async fn the_state_of_the_run_is_not_to_be_changed_by_pods() {
    let test = TestRun::new();
    let run_dir = fs::canonicalize(test.path()).expect("a folder");
    let script = format!("rm -rf {0}/nodes {0}/artifacts; echo x > {0}/x || true", run_dir.display());
    let end = run(&test.backend(), request(1, sh(&script))).await;
    assert_eq!(end.phase, Phase::Succeeded, "{}", end.message);
    assert!(test.path().join("nodes/1/exit.json").exists() && !test.path().join("x").exists());
}

#[tokio::test]
async fn a_driver_that_dies_loses_nothing() {
    let test = TestRun::new();
    let first = test.backend();
    first.start(&request(1, sh("sleep 0.3; echo late"))).await.expect("started");
    first.start(&request(2, sh("echo soon"))).await.expect("started");
    drop(first);
    wait_for(|| test.path().join("nodes/2/exit.json").exists()).await;
    let second = test.backend();
    let nodes = [NodeIx(1), NodeIx(2), NodeIx(3)];
    let listed = second.relist(&nodes).await.expect("a list");
    assert_eq!(listed.iter().map(|(node, _)| node.0).collect::<Vec<_>>(), [1, 2], "3 was never started");
    assert!(is_running(&listed[0].1), "{:?}", listed[0]);
    assert_eq!(ended(listed[1].1.clone()).result.as_deref(), Some("soon"));
    assert_eq!(ended(report(&second, 1, is_over).await).result.as_deref(), Some("late"));
}

#[tokio::test]
async fn a_repeated_start_does_nothing() {
    let test = TestRun::new();
    let (first, second) = (test.backend(), test.backend());
    // The volume of the file is the host's, so that a second start would be seen.
    let request = request(1, sh("sleep 0.2; echo once"));
    for backend in [&first, &first, &second] {
        backend.start(&request).await.expect("started");
    }
    for backend in [&first, &second] {
        assert_eq!(ended(report(backend, 1, is_over).await).result.as_deref(), Some("once"));
    }
    second.start(&request).await.expect("it has ended, and stays so");
    assert_eq!(ended(report(&second, 1, is_over).await).result.as_deref(), Some("once"));
    assert_eq!(test.read("nodes/1/main.log").lines().count(), 1);
}

#[tokio::test]
async fn a_killed_supervisor_loses_nothing() {
    let test = TestRun::new();
    let backend = test.backend();
    backend.start(&request(1, sh("sleep 0.5; echo late"))).await.expect("started");
    kill(test.supervisor().expect("a supervisor"));
    assert_eq!(ended(report(&backend, 1, is_over).await).result.as_deref(), Some("late"));
    kill(test.supervisor().expect("another supervisor"));
    assert_eq!(run(&backend, request(2, sh("echo next"))).await.result.as_deref(), Some("next"));
}

#[tokio::test]
async fn a_killed_monitor_is_a_lost_pod() {
    let test = TestRun::new();
    let backend = test.backend();
    backend.start(&request(1, sh("sh -c 'sleep 600 & echo $!; wait'"))).await.expect("started");
    wait_for(|| test.path().join("nodes/1/main.log").exists() && test.read("nodes/1/main.log").ends_with('\n')).await;
    let line = test.read("nodes/1/main.log");
    let sleeper: i32 = line.trim().rsplit(' ').next().and_then(|word| word.parse().ok()).expect("an id");
    assert!(is_process(sleeper));
    kill(test.monitor(1).expect("a monitor"));
    assert!(matches!(report(&backend, 1, is_over).await, PodReport::Lost { .. }));
    wait_for(|| !is_process(sleeper)).await;
    let listed = test.backend().relist(&[NodeIx(1)]).await.expect("a list");
    assert!(matches!(listed[..], [(NodeIx(1), PodReport::Lost { .. })]), "{listed:?}");
}

#[tokio::test]
async fn a_killed_monitor_and_supervisor_leave_a_lost_pod() {
    let test = TestRun::new();
    let backend = test.backend();
    backend.start(&request(1, sh("sleep 600"))).await.expect("started");
    report(&backend, 1, is_running).await;
    let (supervisor, monitor) = (test.supervisor().expect("a supervisor"), test.monitor(1).expect("a monitor"));
    drop(backend);
    kill(supervisor);
    kill(monitor);
    wait_for(|| !is_process(monitor)).await;
    let listed = test.backend().relist(&[NodeIx(1)]).await.expect("a list");
    assert!(matches!(listed[..], [(NodeIx(1), PodReport::Lost { .. })]), "{listed:?}");
}

#[tokio::test]
async fn the_supervisor_ends_when_nobody_needs_it() {
    let test = TestRun::new();
    let backend = test.backend();
    run(&backend, request(1, sh("true"))).await;
    let supervisor = test.supervisor().expect("a supervisor");
    drop(backend);
    wait_for(|| !is_process(supervisor)).await;
    assert!(!test.path().join("supervisor.socket").exists());
}

#[tokio::test]
async fn init_containers_and_sidecars_share_volumes_with_the_main_container() {
    let workflow = json!({ "volumes": [{ "name": "v", "emptyDir": {} }] });
    let test = TestRun::of(workflow);
    let mount = json!([{ "name": "v", "mountPath": "/mnt/deep/v" }]);
    let mut main = container("cat /mnt/deep/v/init; until [ -e /mnt/deep/v/side ]; do sleep 0.01; done; echo main");
    main["volumeMounts"] = mount;
    let mut init = container("echo init > /else/init; [ ! -e /mnt/deep/v/init ] && echo init ran");
    init["name"] = json!("first");
    init["volumeMounts"] = json!([{ "name": "v", "mountPath": "/else" }]);
    let mut side = container("touch /mnt/deep/v/side; trap 'echo stopped; exit 7' TERM; while :; do sleep 0.01; done");
    side["name"] = json!("beside");
    side["mirrorVolumeMounts"] = json!(true);
    let template = json!({ "container": main, "initContainers": [init], "sidecars": [side] });
    let end = run(&test.backend(), request(1, template)).await;
    assert_eq!((end.phase, end.result.as_deref()), (Phase::Succeeded, Some("init\nmain")), "{}", end.message);
    assert!(test.read("nodes/1/first.log").ends_with(" stdout F init ran\n"));
    assert!(test.read("nodes/1/beside.log").contains(" stdout F stopped\n"), "{}", test.read("nodes/1/beside.log"));
    wait_for(|| !test.path().join("nodes/1/scratch").exists()).await;
}

#[tokio::test]
async fn an_init_container_that_fails_ends_the_pod() {
    let mut init = container("exit 4");
    init["name"] = json!("first");
    let template = json!({ "container": container("echo never"), "initContainers": [init] });
    let end = run(&TestRun::new().backend(), request(1, template)).await;
    assert_eq!((end.phase, end.exit_code, end.message.as_str()), (Phase::Failed, None, "first: Error (exit code 4)"));
}

#[tokio::test]
async fn volumes_hold_what_was_given() {
    let workflow = json!({ "volumes": [
        { "name": "conf", "configMap": { "name": "conf" } },
        { "name": "cred", "secret": { "secretName": "cred", "defaultMode": 0o400 } },
        { "name": "empty", "emptyDir": {} },
    ]});
    let mut test = TestRun::of(workflow);
    let data = |key: &str, text: &str| [(key.to_owned(), text.as_bytes().to_vec())].into();
    test.files.config_maps.insert("conf".into(), data("level", "debug"));
    test.files.secrets.insert("cred".into(), data("token", "s3cret"));
    let mut main = container(
        "cat /conf/level; echo; cat /cred/token; echo; stat -c %a /cred/token; echo $LEVEL $TOKEN; \
         touch /ro/x || echo read-only; echo y > /part/y; ls /all/sub; grep -c ' /part ' /proc/mounts",
    );
    main["volumeMounts"] = json!([
        { "name": "conf", "mountPath": "/conf" },
        { "name": "cred", "mountPath": "/cred" },
        { "name": "empty", "mountPath": "/ro", "readOnly": true },
        { "name": "empty", "mountPath": "/all" },
        { "name": "empty", "mountPath": "/part", "subPath": "sub" },
    ]);
    main["env"] = json!([
        { "name": "LEVEL", "valueFrom": { "configMapKeyRef": { "name": "conf", "key": "level" } } },
        { "name": "TOKEN", "valueFrom": { "secretKeyRef": { "name": "cred", "key": "token" } } },
    ]);
    let end = run(&test.backend(), request(1, json!({ "container": main }))).await;
    let expected = "debug\ns3cret\n400\ndebug s3cret\nread-only\ny\n1";
    assert_eq!(end.result.as_deref(), Some(expected), "{}", end.message);
    let found =
        Command::new("grep").args(["-rl", "s3cret"]).arg(test.path().join("nodes/1/scratch")).output().expect("grep");
    assert_eq!(String::from_utf8_lossy(&found.stdout), "", "a secret is on the disk");
}

#[tokio::test]
async fn what_a_pod_needs_and_nobody_gave_is_its_end() {
    let mut template = sh("true");
    template["container"]["env"] =
        json!([{ "name": "X", "valueFrom": { "secretKeyRef": { "name": "no", "key": "k" } } }]);
    let end = run(&TestRun::new().backend(), request(1, template)).await;
    let expected = "there is no Secret `no`; give the file that has it too";
    assert_eq!((end.phase, end.message.as_str()), (Phase::Error, expected));
}

#[tokio::test]
async fn artifacts_pass_from_pod_to_pod() {
    let test = TestRun::new();
    let backend = test.backend();
    let mut make =
        sh("mkdir -p /data/dir/sub; echo one > /data/dir/sub/f; echo two > /data/file; echo three > /plain.txt");
    make["outputs"] = json!({ "artifacts": [
        { "name": "dir", "path": "/data/dir" },
        { "name": "file", "path": "/data/file" },
        { "name": "plain", "path": "/plain.txt", "archive": { "none": {} } },
        { "name": "none", "path": "/none", "optional": true },
    ]});
    make["archiveLocation"] = json!({ "archiveLogs": true });
    let made = run(&backend, request(1, make)).await;
    assert_eq!(made.artifacts["none"], SavedArtifact::Absent);
    let saved = |name: &str| match &made.artifacts[name] {
        SavedArtifact::Saved(artifact) => Arc::new(spec::Artifact { ..(**artifact).clone() }),
        other => panic!("{name}: {other:?}"),
    };
    let key = |name: &str| saved(name).location.s3.clone().and_then(|s3| s3.key).expect("a key");
    assert!(test.path().join("artifacts").join(key("main-logs")).exists());
    assert_eq!(test.read(&format!("artifacts/{}", key("plain"))), "three\n");
    let mut take = sh("cat /in/sub/f /f /p /raw; stat -c %a /raw");
    take["inputs"] = json!({ "artifacts": [
        { "name": "dir", "path": "/in" }, { "name": "file", "path": "/f" }, { "name": "plain", "path": "/p" },
        { "name": "raw", "path": "/raw", "mode": 0o700, "raw": { "data": "four\n" } },
    ]});
    let mut second = request(2, take);
    let artifacts = vec![saved("dir"), saved("file"), saved("plain")];
    second.inputs = Arc::new(Inputs { parameters: Vec::new(), artifacts });
    let taken = run(&backend, second).await;
    assert_eq!(taken.result.as_deref(), Some("one\ntwo\nthree\nfour\n700"), "{}", taken.message);
}

#[tokio::test]
async fn an_artifact_that_is_not_stored_is_an_error() {
    let mut template = sh("true");
    template["inputs"] = json!({ "artifacts": [{ "name": "a", "path": "/a", "s3": { "key": "no/such" } }] });
    let end = run(&TestRun::new().backend(), request(1, template)).await;
    let expected = "failed to load the input artifact `a`: nothing is stored under the key `no/such`";
    assert_eq!((end.phase, end.message.as_str()), (Phase::Error, expected));
}

#[tokio::test]
async fn outputs_are_read_where_they_are() {
    let workflow = json!({ "volumes": [{ "name": "v", "emptyDir": {} }] });
    let mut template = sh("echo good > /v/good; printf '\\377' > /v/bytes; head -c 2000000 /dev/zero > /v/large");
    template["container"]["volumeMounts"] = json!([{ "name": "v", "mountPath": "/v" }]);
    let parameter = |name: &str| json!({ "name": name, "valueFrom": { "path": format!("/v/{name}") } });
    template["outputs"] = json!({
        "parameters": [parameter("good"), parameter("bytes"), parameter("large"), parameter("absent")],
        "artifacts": [{ "name": "whole", "path": "/v" }],
    });
    let end = run(&TestRun::of(workflow).backend(), request(1, template)).await;
    assert_eq!(end.parameters["good"], FileOutput::Found("good".into()));
    assert_eq!(end.parameters["absent"], FileOutput::Absent);
    for (name, part) in [("bytes", "is not UTF-8"), ("large", "has 2000000 bytes")] {
        let FileOutput::Unusable(why) = &end.parameters[name] else { panic!("{name}: {:?}", end.parameters[name]) };
        assert!(why.contains(part), "{why}");
    }
    assert!(matches!(end.artifacts["whole"], SavedArtifact::Saved(_)));
}

#[tokio::test]
async fn a_command_that_is_not_there_is_told() {
    let template = json!({ "container": { "image": "x", "command": ["no-such-command"] } });
    let end = run(&TestRun::new().backend(), request(1, template)).await;
    assert_eq!((end.phase, end.exit_code), (Phase::Failed, Some(128)));
    assert_eq!(end.message, "main: failed to start: command `no-such-command` not found on PATH");
}

#[tokio::test]
async fn a_signal_is_an_exit_code() {
    let end = run_sh("kill -9 $$$$").await;
    assert_eq!(
        (end.phase, end.exit_code, end.message.as_str()),
        (Phase::Failed, Some(137), "main: Error (exit code 137)")
    );
}

#[tokio::test]
async fn a_pod_is_stopped_gently_and_then_by_force() {
    let test = TestRun::new();
    let backend = test.backend();
    for (node, trap, code) in [(1, "trap 'echo bye; exit 9' TERM", 9), (2, "trap '' TERM", 137), (3, ":", 143)] {
        backend
            .start(&request(node, sh(&format!("{trap}; echo up; while :; do sleep 0.01; done"))))
            .await
            .expect("started");
        wait_for(|| {
            test.path().join(format!("nodes/{node}/main.log")).exists()
                && !test.read(&format!("nodes/{node}/main.log")).is_empty()
        })
        .await;
        backend.stop(NodeIx(node), TimeSpan(200)).await.expect("asked");
        let end = ended(report(&backend, node, is_over).await);
        assert_eq!((end.phase, end.exit_code), (Phase::Failed, Some(code)), "{trap}");
        backend.stop(NodeIx(node), TimeSpan(0)).await.expect("it has ended");
    }
    backend.stop(NodeIx(9), TimeSpan(0)).await.expect("it was never started");
}

#[tokio::test]
async fn a_pod_is_stopped_under_another_supervisor() {
    let test = TestRun::new();
    let backend = test.backend();
    backend.start(&request(1, sh("sleep 600"))).await.expect("started");
    kill(test.supervisor().expect("a supervisor"));
    backend.stop(NodeIx(1), TimeSpan(30_000)).await.expect("asked");
    assert_eq!(ended(report(&backend, 1, is_over).await).exit_code, Some(143));
}

#[tokio::test]
async fn deadlines_end_pods() {
    let test = TestRun::new();
    let backend = test.backend();
    let message = "Pod was active on the node longer than the specified deadline";
    let mut after = request(1, sh("sleep 600"));
    after.deadline_after = Some(TimeSpan(100));
    let mut at = request(2, sh("sleep 600"));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    at.deadline = Some(Timestamp(now.as_millis() as i64 + 100));
    for request in [after, at] {
        let end = run(&backend, request).await;
        assert_eq!((end.phase, end.exit_code, end.message.as_str()), (Phase::Failed, Some(143), message));
    }
}

#[tokio::test]
async fn what_leaves_its_group_ends_with_its_pod() {
    let end = run_sh("setsid sh -c 'sleep 600' & echo $!; sleep 0.1").await;
    let stray: i32 = end.result.and_then(|text| text.parse().ok()).expect("an id");
    wait_for(|| !is_process(stray)).await;
}

#[tokio::test]
async fn a_daemon_is_ready_when_its_probe_holds() {
    let test = TestRun::new();
    let backend = test.backend();
    let mut template = sh("sleep 0.3; touch /tmp/up; sleep 600");
    template["daemon"] = json!(true);
    template["container"]["readinessProbe"] = json!({ "exec": { "command": ["test", "-e", "/tmp/up"] } });
    let began = Instant::now();
    backend.start(&request(1, template)).await.expect("started");
    let ready = |report: &PodReport| matches!(report, PodReport::Running { ready: true, .. });
    let seen = report(&backend, 1, ready).await;
    assert!(began.elapsed() >= Duration::from_millis(300));
    let PodReport::Running { ip, .. } = seen else { panic!("it is up") };
    assert_eq!(ip.as_deref(), Some("127.0.0.1"));
    let listed = test.backend().relist(&[NodeIx(1)]).await.expect("a list");
    assert!(ready(&listed[0].1), "{listed:?}");
    backend.stop(NodeIx(1), TimeSpan(30_000)).await.expect("asked");
    assert_eq!(ended(report(&backend, 1, is_over).await).exit_code, Some(143));
}

#[tokio::test]
async fn a_daemon_without_probe_is_ready_at_once() {
    let test = TestRun::new();
    let backend = test.backend();
    let mut template = sh("sleep 600");
    template["daemon"] = json!(true);
    backend.start(&request(1, template)).await.expect("started");
    report(&backend, 1, |report| matches!(report, PodReport::Running { ready: true, .. })).await;
    backend.stop(NodeIx(1), TimeSpan(0)).await.expect("asked");
    report(&backend, 1, is_over).await;
}

#[tokio::test]
async fn more_pods_than_there_is_room_for_wait_their_turn() {
    let test = TestRun::new();
    let backend = test.backend();
    let count = wf::base::limits::LOCAL_PODS_MAX as u32 + 10;
    for node in 0..count {
        backend.start(&request(node, sh("sleep 0.2"))).await.expect("started");
    }
    assert_eq!(fs::read_dir(test.path().join("nodes")).expect("pods").count(), count as usize - 10);
    let (mut over, mut waited) = (0, 0);
    while over < count {
        for (_, report) in in_time(backend.next()).await.expect("reports") {
            over += u32::from(is_over(&report));
            waited += u32::from(matches!(report, PodReport::Waiting { .. }));
        }
    }
    assert_eq!(waited, 10);
}

#[tokio::test]
async fn a_state_folder_that_cannot_be_written_is_told() {
    let test = TestRun::new();
    fs::write(test.path().join("nodes"), "in the way").expect("a file");
    let fault = test.backend().start(&request(1, sh("true"))).await.expect_err("it cannot start").to_string();
    assert!(
        fault.starts_with("the local backend failed to start node 1: the supervisor of the run ended at once"),
        "{fault}"
    );
}

#[tokio::test]
async fn a_long_path_of_the_run_is_no_hindrance() {
    let mut test = TestRun::new();
    let deep = test.path().join("x".repeat(120));
    fs::create_dir(&deep).expect("a folder");
    let outer = std::mem::replace(&mut test.folder, tempfile::tempdir_in(deep).expect("a folder"));
    assert_eq!(run(&test.backend(), request(1, sh("echo deep"))).await.result.as_deref(), Some("deep"));
    drop((test, outer));
}

#[tokio::test]
async fn an_unprivileged_user_has_views_too() {
    let setup =
        if nix::unistd::geteuid().is_root() { "setpriv --reuid 65534 --regid 65534 --clear-groups" } else { "" };
    if !is_within("an_unprivileged_user_has_views_too", setup) {
        return;
    }
    let test = TestRun::of(json!({ "volumes": [{ "name": "v", "emptyDir": {} }] }));
    let backend = test.backend();
    let mut template = sh(
        "id -u; echo a > /result.txt; echo b > /tmp/out.txt; echo c > /mnt/v/x; cat /result.txt /tmp/out.txt /mnt/v/x; \
         echo d > /opt/made/d; mount | grep -c ' / '",
    );
    template["container"]["volumeMounts"] = json!([{ "name": "v", "mountPath": "/mnt/v" }]);
    template["outputs"] = json!({ "parameters": [{ "name": "d", "valueFrom": { "path": "/opt/made/d" } }] });
    let end = run(&backend, request(1, template)).await;
    if backend.isolation() == Some(Isolation::Plain) {
        eprintln!("skipped: the kernel lets this user make no namespaces");
        return;
    }
    assert_eq!((backend.isolation(), end.message.as_str()), (Some(Isolation::UserOverlay), ""));
    assert_eq!(end.result.as_deref(), Some(&*format!("{}\na\nb\nc\n1", nix::unistd::geteuid())));
    assert_eq!(end.parameters["d"], FileOutput::Found("d".into()));
    assert!(!Path::new("/opt/made").exists(), "the host is as it was");
    let left = fs::read_dir(test.path().join("nodes/1")).expect("a folder").flatten();
    let left: BTreeSet<_> = left.map(|entry| entry.file_name()).filter(|name| name != "scratch").collect();
    assert_eq!(left, ["exit.json", "main.log"].map(Into::into).into());
}

#[tokio::test]
async fn without_namespaces_pods_share_the_host() {
    let setup = "unshare -Urm sh -c 'echo 0 > /proc/sys/user/max_mnt_namespaces; \
                 echo 0 > /proc/sys/user/max_user_namespaces; exec \"$0\" \"$@\"'";
    if !is_within("without_namespaces_pods_share_the_host", setup) {
        return;
    }
    let test = TestRun::of(json!({ "volumes": [{ "name": "v", "emptyDir": {} }] }));
    let backend = test.backend();
    let path = test.path().join("shared.txt");
    let mut template = json!({ "script": {
        "command": ["sh"], "source": format!("echo x > {}; echo $TMPDIR; pwd; touch here $TMPDIR/there", path.display()),
    }});
    template["outputs"] = json!({ "parameters": [{ "name": "p", "valueFrom": { "path": path } }] });
    let end = run(&backend, request(1, template)).await;
    assert_eq!((backend.isolation(), end.message.as_str()), (Some(Isolation::Plain), ""));
    let scratch = fs::canonicalize(test.path()).expect("a folder").join("nodes/1/scratch");
    assert_eq!(end.result, Some(format!("{0}/tmp\n{0}/work", scratch.display())));
    assert_eq!(end.parameters["p"], FileOutput::Found("x".into()));
    wait_for(|| !scratch.exists()).await;
    let mut template = sh("true");
    template["container"]["volumeMounts"] = json!([{ "name": "v", "mountPath": "/v" }]);
    let end = run(&backend, request(2, template)).await;
    let expected = "pods cannot mount volumes here: the kernel lets this user make no namespaces";
    assert_eq!((end.phase, end.message.as_str()), (Phase::Error, expected));
}

#[tokio::test]
async fn on_a_full_disk_a_pod_ends_and_its_end_is_known() {
    let setup = format!("unshare -Urm sh -c 'mount -t tmpfs -o size=512k full ${FOLDER}; exec \"$0\" \"$@\"'");
    if !is_within("on_a_full_disk_a_pod_ends_and_its_end_is_known", &setup) {
        return;
    }
    let test = TestRun::new();
    let end = run(&test.backend(), request(1, sh("yes | head -c 4000000; sleep 600"))).await;
    let expected = "failed to write the log of `main`: No space left on device (os error 28)";
    assert_eq!((end.phase, end.message.as_str()), (Phase::Error, expected));
}

#[tokio::test]
async fn a_hundred_pods_run_in_a_row() {
    let test = TestRun::new();
    let backend = test.backend();
    for node in 1..=100 {
        let end = run(&backend, request(node, sh("true"))).await;
        assert_eq!(end.phase, Phase::Succeeded, "{}", end.message);
    }
}
