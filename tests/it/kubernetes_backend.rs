//! The Kubernetes backend with real pods: the cluster that `WF_TEST_KUBECONFIG` names, in the
//! namespace that `WF_TEST_NAMESPACE` names. Logs are kept in folders.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DeleteParams, EvictParams, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use wf::backend::kubernetes::{Cluster, KubernetesBackend, Options, Owner};
use wf::base::{RunName, RunUid, Timestamp};
use wf::driver::{Driver, RealClock, fold};
use wf::engine::{Phase, Run};
use wf::plan::{Plan, Resolved};
use wf::store::{DirectoryStore, FORMAT_VERSION, Header, Store, Stored};

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
    stored: Stored,
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
        let stored = Stored { header, records: Vec::new(), torn: None };
        let head = head(cluster, &name).await;
        let owner = Owner { run: name, uid, head };
        Self { cluster: cluster.clone(), owner, resolved: Arc::new(resolved), stored, store, _folder: folder }
    }

    fn backend(&self) -> KubernetesBackend {
        KubernetesBackend::new(self.cluster.clone(), self.owner.clone(), self.resolved.clone(), Options::default())
    }

    fn plan(&self) -> Arc<Plan> {
        let plan = Plan::compile((*self.resolved).clone());
        Arc::new(plan.unwrap_or_else(|problems| panic!("a plan: {problems:?}")))
    }

    /// Drives the run to its end, or until `stop` completes.
    async fn drive(&self, stop: impl Future<Output = ()>) -> Run {
        let (log, stored) = self.store.acquire(&self.owner.run).await.expect("it is held by nobody");
        let backend = self.backend();
        let clock = RealClock::new();
        let driver = Driver::resume(self.plan(), log, &stored, &backend, &clock);
        let driven = tokio::time::timeout(PATIENCE, driver.drive(stop, |_, _| {})).await;
        driven.expect("it takes no longer").expect("it is driven").run
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
