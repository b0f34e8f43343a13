//! The Kubernetes backend with real pods: the cluster that `WF_TEST_KUBECONFIG` names, in the
//! namespace that `WF_TEST_NAMESPACE` names. Logs are kept in folders.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, Pod, ResourceQuota};
use kube::Api;
use kube::api::{DeleteParams, EvictParams, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use wf::backend::Backend;
use wf::backend::kubernetes::{Cluster, KubernetesBackend, LogOptions, Options, Owner, logged_pods, logs};
use wf::base::{NodeIx, RunName, RunUid, Timestamp};
use wf::driver::{Driver, RealClock, fold};
use wf::engine::{Phase, PodReport, PodRequest, Run, STOP_GRACE, Waiting};
use wf::plan::{Plan, Resolved};
use wf::store::{DirectoryStore, FORMAT_VERSION, Header, Store};

/// How long a run of a test may take, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(180);

/// Returns the cluster; none, with a line that says so, where there is none to test with.
async fn cluster() -> Option<Cluster> {
    let Some(path) = std::env::var_os("WF_TEST_KUBECONFIG") else {
        eprintln!("kubernetes: skipped, since WF_TEST_KUBECONFIG names no cluster");
        return None;
    };
    let kubeconfig = Kubeconfig::read_from(path).expect("a kubeconfig");
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    let client = kube::Client::try_from(config.expect("a configuration")).expect("a client");
    let namespace = std::env::var("WF_TEST_NAMESPACE").unwrap_or_else(|_| "default".to_owned());
    Some(Cluster { client, namespace })
}

/// A run of a test: its head is a Job without pods.
struct TestRun {
    cluster: Cluster,
    owner: Owner,
    resolved: Arc<Resolved>,
    options: Options,
    store: DirectoryStore,
    _folder: tempfile::TempDir,
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    Timestamp(since.as_millis() as i64)
}

impl TestRun {
    async fn new(cluster: &Cluster, name: &str, spec: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = RunName::new(format!("{name}-{}-{count}", now().0 % 1_000_000_000)).expect("a name");
        let uid = RunUid(format!("test-{name}").into());
        let spec: Value = serde_yaml::from_str(spec).expect("YAML");
        let resolved = json!({ "metadata": { "namespace": cluster.namespace }, "spec": spec });
        let resolved: Resolved = serde_json::from_value(resolved).expect("a workflow");
        let folder = tempfile::tempdir().expect("a folder");
        let store = DirectoryStore::new(folder.path());
        let header = Header {
            version: FORMAT_VERSION,
            name: name.clone(),
            uid: uid.clone(),
            created_at: now(),
            resolved: resolved.clone(),
            files: Vec::new(),
        };
        drop(store.create(&header).await.expect("a run"));
        let head = head(cluster, &name).await;
        let owner = Owner { run: name, uid, head };
        Self {
            cluster: cluster.clone(),
            owner,
            resolved: Arc::new(resolved),
            store,
            options: Options::default(),
            _folder: folder,
        }
    }

    fn backend(&self) -> KubernetesBackend {
        KubernetesBackend::new(self.cluster.clone(), self.owner.clone(), self.resolved.clone(), self.options.clone())
    }

    fn plan(&self) -> Arc<Plan> {
        let plan = Plan::compile((*self.resolved).clone());
        Arc::new(plan.unwrap_or_else(|problems| panic!("a plan: {problems:?}")))
    }

    /// Drives the run to its end, or until `stop` completes.
    async fn drive(&self, stop: impl Future<Output = ()>) -> Run {
        self.drive_told(stop, |_| {}).await
    }

    async fn run_told(&self, tell: impl FnMut(&Run)) -> Run {
        self.drive_told(pending(), tell).await
    }

    async fn drive_told(&self, stop: impl Future<Output = ()>, mut tell: impl FnMut(&Run)) -> Run {
        let (log, stored) = self.store.acquire(&self.owner.run).await.expect("it is held by nobody");
        let backend = self.backend();
        let clock = RealClock::new();
        let driver = Driver::resume(self.plan(), log, &stored, &backend, &clock);
        let driven = tokio::time::timeout(PATIENCE, driver.drive(stop, |run, _| tell(run))).await;
        let driven = driven.expect("it takes no longer").expect("it is driven");
        assert!(driven.left_behind.is_none(), "{:?}", driven.left_behind);
        driven.run
    }

    async fn run(&self) -> Run {
        self.drive(pending()).await
    }

    async fn run_now(&self) -> Run {
        fold(self.plan(), &self.store.load(&self.owner.run).await.expect("it is there"))
    }

    fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.cluster.client.clone(), &self.cluster.namespace)
    }

    fn jobs(&self) -> Api<Job> {
        Api::namespaced(self.cluster.client.clone(), &self.cluster.namespace)
    }

    fn selector(&self) -> ListParams {
        ListParams::default().labels(&format!("wf.internal/head={}", self.owner.head))
    }

    /// Waits until a pod of the run is in `phase`, and returns its name.
    async fn pod_in(&self, phase: &str) -> String {
        loop {
            let pods = self.pods().list(&self.selector()).await.expect("pods are listed");
            let found = pods.items.iter().find(|pod| {
                let is = pod.status.as_ref().and_then(|status| status.phase.as_deref());
                is == Some(phase) && pod.metadata.deletion_timestamp.is_none()
            });
            if let Some(pod) = found {
                return pod.metadata.name.clone().expect("pods have names");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Returns the template of a pod.
    async fn job_of(&self, pod: &str) -> Option<String> {
        let pod = self.pods().get_opt(pod).await.expect("pods can be read")?;
        pod.metadata.labels.as_ref()?.get("wf.internal/template").cloned()
    }

    async fn end(self) {
        let _ = self.jobs().delete(self.owner.run.as_str(), &DeleteParams::background()).await;
    }
}

/// Makes the head of a run, and returns its uid.
async fn head(cluster: &Cluster, name: &RunName) -> String {
    let head = json!({
        "metadata": { "name": name.as_str() },
        "spec": {
            "suspend": true,
            "template": { "spec": { "restartPolicy": "Never", "containers": [{ "name": "x", "image": "busybox" }] } },
        },
    });
    let head: Job = serde_json::from_value(head).expect("a Job");
    let jobs: Api<Job> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let head = jobs.create(&PostParams::default(), &head).await.expect("the head is made");
    head.metadata.uid.expect("objects have uids")
}

/// Returns what became of each pod node, in order: name below the run, phase, message.
fn shown(run: &Run) -> Vec<String> {
    let name = run.name().as_str();
    let pods = run.nodes().filter(|node| node.kind == wf::engine::NodeType::Pod);
    pods.map(|node| {
        let own = node.name.strip_prefix(name).filter(|own| !own.is_empty()).unwrap_or("-");
        let message = if node.message.is_empty() { String::new() } else { format!(" {}", node.message) };
        format!("{own} {}{message}", node.phase)
    })
    .collect()
}

#[tokio::test]
async fn containers_and_scripts_run_to_their_ends() {
    let Some(cluster) = cluster().await else { return };
    let run = TestRun::new(
        &cluster,
        "ends",
        r#"
        entrypoint: all
        templates:
        - name: all
          dag:
            failFast: false
            tasks:
            - {name: good, template: good}
            - {name: script, template: script}
            - {name: bad, template: bad}
            - {name: raw, template: raw}
            - {name: after, template: good, depends: good}
        - name: good
          container: {image: busybox, command: [echo, hello]}
        - name: bad
          container: {image: busybox, command: [sh, -c, exit 3]}
        - name: script
          script: {image: busybox, command: [sh], source: "test $0 = /argo/staging/script && exit 0"}
        - name: raw
          inputs: {artifacts: [{name: a, path: /tmp/in/a.txt, mode: 256, raw: {data: "two\nlines"}}]}
          container: {image: busybox, command: [sh, -c, 'test "$(cat /tmp/in/a.txt)" = "$(printf "two\nlines")"']}
        "#,
    )
    .await;
    let ended = run.run().await;
    let mut shown = shown(&ended);
    shown.sort();
    assert_eq!(
        shown,
        [
            ".after Succeeded",
            ".bad Failed main: Error (exit code 3)",
            ".good Succeeded",
            ".raw Succeeded",
            ".script Succeeded"
        ]
    );
    assert_eq!(ended.phase(), Phase::Failed);
    run.end().await;
}

#[tokio::test]
async fn outputs_come_out_of_pods() {
    let Some(cluster) = cluster().await else { return };
    let run = TestRun::new(
        &cluster,
        "outputs",
        r#"
        entrypoint: all
        templates:
        - name: all
          dag:
            tasks:
            - {name: make, template: make}
            - {name: large, template: large}
            - name: use
              template: use
              depends: make && large
              arguments:
                parameters:
                - {name: r, value: "{{tasks.make.outputs.result}}"}
                - {name: f, value: "{{tasks.make.outputs.parameters.f}}"}
                - {name: l, value: "{{tasks.large.outputs.result}}"}
        - name: make
          outputs: {parameters: [{name: f, valueFrom: {path: /tmp/f}}]}
          container: {image: busybox, command: [sh, -c, "echo on stderr >&2; echo result; echo file > /tmp/f"]}
        - name: large
          script: {image: busybox, command: [sh], source: "seq 20000"}
          sidecars: [{name: beside, image: busybox, command: [sleep, '600']}]
        - name: use
          inputs: {parameters: [{name: r}, {name: f}, {name: l}]}
          container:
            image: busybox
            command: [sh, -c, "test '{{inputs.parameters.r}}.{{inputs.parameters.f}}' = result.file && test $(echo '{{inputs.parameters.l}}' | wc -l) = 20000"]
        "#,
    )
    .await;
    let ended = run.run().await;
    let mut shown = shown(&ended);
    shown.sort();
    assert_eq!(shown, [".large Succeeded", ".make Succeeded", ".use Succeeded"]);
    run.end().await;
}

#[tokio::test]
async fn an_evicted_pod_is_replaced_and_a_deleted_one_is_an_error() {
    let Some(cluster) = cluster().await else { return };
    let spec = "{entrypoint: a, templates: [{name: a, container: {image: busybox, command: [sh, -c, 'trap exit TERM; sleep 8 & wait']}}]}";
    let run = TestRun::new(&cluster, "evicted", spec).await;
    let evict = async {
        let pod = run.pod_in("Running").await;
        run.pods().evict(&pod, &EvictParams::default()).await.expect("it is evicted");
    };
    let (ended, ()) = tokio::join!(run.run(), evict);
    assert_eq!(shown(&ended), ["- Succeeded"]);
    run.end().await;

    let run = TestRun::new(&cluster, "deleted", spec).await;
    let delete = async {
        let pod = run.pod_in("Running").await;
        run.pods().delete(&pod, &DeleteParams::default()).await.expect("it is deleted");
    };
    let (ended, ()) = tokio::join!(run.run(), delete);
    assert_eq!(shown(&ended), ["- Error pod deleted"]);
    run.end().await;
}

#[tokio::test]
async fn another_driver_goes_on() {
    let Some(cluster) = cluster().await else { return };
    let spec = "{entrypoint: a, templates: [{name: a, steps: [[{name: b, template: c}], [{name: d, template: c}]]}, {name: c, container: {image: busybox, command: [sleep, '5']}}]}";
    let run = TestRun::new(&cluster, "taken", spec).await;
    let first = run.drive(async { drop(run.pod_in("Running").await) }).await;
    assert!(!first.phase().is_final());
    // The step ends while nobody looks.
    run.pod_in("Succeeded").await;
    let ended = run.run().await;
    assert_eq!(shown(&ended), ["[0].b Succeeded", "[1].d Succeeded"]);
    let jobs = run.jobs().list(&run.selector()).await.expect("Jobs are listed");
    assert_eq!(jobs.items.len(), 2);
    assert_eq!(run.run_now().await.phase(), Phase::Succeeded);
    run.end().await;
}

#[tokio::test]
async fn in_managed_mode_this_process_makes_the_pods() {
    let Some(cluster) = cluster().await else { return };
    let spec = r#"
        entrypoint: all
        podGC: {strategy: OnWorkflowCompletion}
        templates:
        - name: all
          steps: [[{name: a, template: good}], [{name: b, template: slow}], [{name: c, template: bad}]]
        - {name: good, container: {image: busybox, command: ["true"]}}
        - {name: bad, container: {image: busybox, command: ["false"]}}
        - {name: slow, container: {image: busybox, command: [sh, -c, 'trap exit TERM; sleep 5 & wait']}}
        "#;
    let mut run = TestRun::new(&cluster, "managed", spec).await;
    run.options.managed = true;
    let evict = async {
        let pod = loop {
            let pod = run.pod_in("Running").await;
            if run.job_of(&pod).await.as_deref() == Some("slow") {
                break pod;
            }
        };
        run.pods().evict(&pod, &EvictParams::default()).await.expect("it is evicted");
    };
    let (ended, ()) = tokio::join!(run.run(), evict);
    assert_eq!(shown(&ended), ["[0].a Succeeded", "[1].b Succeeded", "[2].c Failed main: Error (exit code 1)"]);
    let jobs = run.jobs().list(&run.selector()).await.expect("Jobs are listed");
    let mut ends: Vec<String> = jobs.items.iter().map(end_of).collect();
    ends.sort();
    assert_eq!(ends, ["wf.internal/driver Complete", "wf.internal/driver Complete", "wf.internal/driver Failed"]);
    let pods = run.pods().list(&run.selector()).await.expect("pods are listed");
    assert!(pods.items.iter().all(|pod| pod.metadata.deletion_timestamp.is_some()), "podGC");
    run.end().await;
}

/// Returns who makes a Job's pods, and its last condition.
fn end_of(job: &Job) -> String {
    let by = job.spec.as_ref().and_then(|spec| spec.managed_by.as_deref()).unwrap_or("-");
    let conditions = job.status.iter().flat_map(|status| status.conditions.iter().flatten());
    format!("{by} {}", conditions.map(|condition| condition.type_.as_str()).next_back().unwrap_or("-"))
}

#[tokio::test]
async fn a_pod_that_is_stopped_leaves_its_log() {
    let Some(cluster) = cluster().await else { return };
    let run = TestRun::new(&cluster, "stopped", "{entrypoint: a, templates: [{name: a, suspend: {}}]}").await;
    let backend = run.backend();
    let script = "trap 'exit 7' TERM; echo begun; sleep 600 & wait";
    let template = json!({ "name": "a", "container": { "image": "busybox", "command": ["sh", "-c", script] } });
    let request = PodRequest {
        node: NodeIx(5),
        node_name: "x".into(),
        pod_name: "x".to_owned(),
        template: Arc::new(serde_json::from_value(template).expect("a template")),
        workflow: Arc::default(),
        inputs: Arc::default(),
        is_running: false,
        avoided_hosts: Vec::new(),
        capture_result: false,
        deadline_after: None,
        deadline: None,
    };
    backend.start(&request).await.expect("it starts");
    backend.start(&request).await.expect("a second time does nothing");
    run.backend().start(&request).await.expect("and so does another driver's");
    let running = until(&backend, |report| matches!(report, PodReport::Running { .. })).await;
    assert!(matches!(running, PodReport::Running { host: Some(_), .. }));
    backend.stop(NodeIx(5), STOP_GRACE).await.expect("it is told to stop");
    let ended = until(&backend, |report| matches!(report, PodReport::Ended(_))).await;
    let PodReport::Ended(end) = ended else { panic!("it ended") };
    assert_eq!((end.phase, end.exit_code), (Phase::Failed, Some(7)));
    let pods = logged_pods(&cluster, &run.owner.run, Some(NodeIx(5))).await.expect("pods are listed");
    assert_eq!(pods.len(), 1);
    let mut lines = logs(&cluster, &pods[0].name, &LogOptions::default()).await.expect("its log is there");
    assert_eq!(lines.next().await.expect("it is read").as_deref(), Some(&b"begun"[..]));
    run.end().await;
}

/// Waits for a report that is meant.
async fn until(backend: &KubernetesBackend, is_meant: impl Fn(&PodReport) -> bool) -> PodReport {
    let waiting = async {
        loop {
            let reports = backend.next().await.expect("news of the pod");
            if let Some((_, report)) = reports.into_iter().find(|(_, report)| is_meant(report)) {
                return report;
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it takes no longer")
}

#[tokio::test]
async fn a_quota_is_waited_for() {
    let Some(mut cluster) = cluster().await else { return };
    cluster.namespace = format!("{}-quota-{}", cluster.namespace, now().0);
    let namespaces: Api<Namespace> = Api::all(cluster.client.clone());
    let namespace = json!({ "metadata": { "name": cluster.namespace } });
    let namespace = serde_json::from_value(namespace).expect("a namespace");
    namespaces.create(&PostParams::default(), &namespace).await.expect("a namespace is made");
    let quotas: Api<ResourceQuota> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let quota = json!({ "metadata": { "name": "two" }, "spec": { "hard": { "pods": "2" } } });
    quotas.create(&PostParams::default(), &serde_json::from_value(quota).expect("a quota")).await.expect("it is made");
    let spec = r#"
        entrypoint: all
        podGC: {strategy: OnPodCompletion, deleteDelayDuration: "0"}
        templates:
        - name: all
          steps: [[{name: a, template: good, withSequence: {count: "5"}}]]
        - {name: good, container: {image: busybox, command: ["true"]}}
        "#;
    for managed in [true, false] {
        let mut run = TestRun::new(&cluster, "quota", spec).await;
        run.options.managed = managed;
        let mut waited = false;
        let ended = run.run_told(|run| waited |= run.nodes().any(|node| is_refused(node.waiting.as_ref()))).await;
        assert_eq!(ended.phase(), Phase::Succeeded, "managed {managed}");
        assert!(waited, "managed {managed}");
        run.end().await;
    }
    namespaces.delete(&cluster.namespace, &DeleteParams::background()).await.expect("it goes");
}

fn is_refused(waiting: Option<&Waiting>) -> bool {
    matches!(waiting, Some(Waiting::Pod { reason }) if reason.contains("exceeded quota: two"))
}

/// What can be done with an object: made, looked at, changed, waited for in vain, removed.
const RESOURCES: &str = r#"
entrypoint: all
templates:
- name: all
  steps:
  - - {name: make, template: make}
  - - name: look
      template: look
      arguments: {parameters: [{name: job, value: "{{steps.make.outputs.parameters.name}}"}]}
    - name: patch
      template: patch
      arguments: {parameters: [{name: job, value: "{{steps.make.outputs.parameters.name}}"}]}
    - {name: fails, template: fails, continueOn: {failed: true}}
  - - {name: gone, template: gone}
- name: make
  outputs:
    parameters:
    - {name: name, valueFrom: {jsonPath: "{.metadata.name}"}}
    - {name: done, valueFrom: {jqFilter: ".status.succeeded"}}
  resource:
    action: create
    setOwnerReference: true
    successCondition: status.succeeded > 0
    failureCondition: status.failed > 3
    manifest: |
      apiVersion: batch/v1
      kind: Job
      metadata: {generateName: made-, labels: {test: "{{workflow.name}}"}}
      spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: busybox, command: ["true"]}]}}}
- name: look
  inputs: {parameters: [{name: job}]}
  resource: {action: get, flags: ["job/{{inputs.parameters.job}}"]}
  outputs: {parameters: [{name: n, valueFrom: {jsonPath: "{.status.succeeded}"}}]}
- name: patch
  inputs: {parameters: [{name: job}]}
  resource:
    action: patch
    mergeStrategy: json
    flags: ["job", "{{inputs.parameters.job}}"]
    manifest: '[{op: add, path: /metadata/labels/more, value: "1"}]'
- name: fails
  resource:
    action: create
    successCondition: status.succeeded > 0
    failureCondition: status.failed > 0
    manifest: |
      apiVersion: batch/v1
      kind: Job
      metadata: {name: "{{workflow.name}}-fails", labels: {test: "{{workflow.name}}"}}
      spec: {backoffLimit: 0, template: {spec: {restartPolicy: Never, containers: [{name: a, image: busybox, command: ["false"]}]}}}
- name: gone
  resource: {action: delete, flags: ["jobs", "--selector", "test={{workflow.name}}"]}
"#;

#[tokio::test]
async fn resource_templates_are_done_by_the_driver() {
    let Some(cluster) = cluster().await else { return };
    let run = TestRun::new(&cluster, "resource", RESOURCES).await;
    let ended = run.run().await;
    let mut shown = shown(&ended);
    shown.sort();
    assert_eq!(
        shown,
        [
            "[0].make Succeeded",
            "[1].fails Failed failure condition 'status.failed > 0' evaluated true",
            "[1].look Succeeded",
            "[1].patch Succeeded",
            "[2].gone Succeeded",
        ]
    );
    let made = ended.nodes().find(|node| node.name.ends_with(".make")).and_then(|node| node.outputs.clone());
    assert_eq!(made.expect("it has outputs").parameter("done").map(|done| &**done), Some("1"));
    run.end().await;
}
