//! A namespace of one test's own, with the program and a client that work in it.

use std::fmt::Debug;
use std::future::Future;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::{LazyLock, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::{DeleteParams, ObjectMeta, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, Resource};
use serde_json::Value;
use tokio::runtime::Handle;

use crate::env::{Outcome, TestEnv};

/// The kubeconfig of the cluster.
const CLUSTER: &str = "WF_TEST_KUBECONFIG";

/// The program that stops and starts parts of the cluster, where it is one of `tests/cluster`.
const CONTROL: &str = "WF_TEST_CLUSTER_CONTROL";

/// How long anything may take that is waited for: far longer than it does.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The clients of all tests live on one thread, so that a test is as plain as the others.
static RUNTIME: LazyLock<Handle> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let handle = runtime.handle().clone();
    std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
    handle
});

/// Held by each test; alone by one that disturbs the whole cluster.
static CALM: RwLock<()> = RwLock::new(());

/// A namespace of one test's own. It is deleted with the value.
pub struct Space {
    /// What commands run in.
    pub env: TestEnv,
    /// The namespace.
    pub name: String,
    /// The way to the cluster, with this namespace in it.
    pub kubeconfig: Kubeconfig,
    /// A client with all rights.
    pub client: Client,
    is_managed: bool,
    _calm: Calm,
}

#[expect(dead_code, reason = "the guards are held, not read")]
enum Calm {
    Borrowed,
    Shared(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

impl Space {
    /// Returns a namespace; `None`, with a line that says so, without a cluster.
    pub fn new(test: &str) -> Option<Self> {
        let kubeconfig = cluster(test)?;
        Some(Self::make(test, kubeconfig, Calm::Shared(CALM.read().unwrap_or_else(|held| held.into_inner()))))
    }

    /// The same, whose commands make pods themselves.
    pub fn managed(test: &str) -> Option<Self> {
        let mut space = Self::new(test)?;
        space.is_managed = true;
        Some(space)
    }

    /// The same for a test that stops parts of the cluster, which no other test bears beside it.
    pub fn alone(test: &str) -> Option<Self> {
        let kubeconfig = cluster(test)?;
        if std::env::var_os(CONTROL).is_none() {
            println!("cluster {test}: skipped, {CONTROL} is not set: this cluster's parts cannot be stopped");
            return None;
        }
        Some(Self::make(test, kubeconfig, Calm::Alone(CALM.write().unwrap_or_else(|held| held.into_inner()))))
    }

    /// Returns another namespace for the same test.
    pub fn beside(&self, test: &str) -> Self {
        Self::make(test, self.kubeconfig.clone(), Calm::Borrowed)
    }

    fn make(test: &str, kubeconfig: Kubeconfig, calm: Calm) -> Self {
        let name = format!("wf-{}-{test}", std::process::id());
        let kubeconfig = with_namespace(kubeconfig, &name);
        let client = client(&kubeconfig);
        let namespace = Namespace { metadata: named(&name), ..Namespace::default() };
        block(async {
            let created = Api::all(client.clone()).create(&PostParams::default(), &namespace).await;
            created.expect("a namespace can be created");
        });
        let space = Self { env: TestEnv::new(), name, kubeconfig, client, is_managed: false, _calm: calm };
        space.env.write("kubeconfig", serde_yaml::to_string(&space.kubeconfig).expect("it is plain data"));
        // Pods are refused until then.
        let accounts: Api<ServiceAccount> = space.api();
        eventually("the namespace's service account", || block(accounts.get_opt("default")).ok().flatten());
        space
    }

    /// Returns the objects of a kind in the namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.name)
    }

    /// Returns the command `wf ARGS`, ready to be run in the namespace.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.env.command(args);
        command.env("KUBECONFIG", self.path("kubeconfig"));
        if self.is_managed {
            command.env("WF_MANAGED", "true");
        }
        command
    }

    /// Runs `wf ARGS` to its end.
    pub fn wf(&self, args: &[&str]) -> Outcome {
        self.env.finish(self.command(args), b"")
    }

    /// Starts `wf ARGS`, which ends with the value at the latest.
    pub fn start(&self, args: &[&str]) -> Started {
        Started(Some(self.command(args).spawn().expect("wf starts")))
    }

    /// Writes a file of the working folder and returns its path.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        self.env.write(name, text).to_string_lossy().into_owned()
    }

    /// Writes a kubeconfig that differs, and returns its path.
    pub fn configure(&self, name: &str, change: impl FnOnce(&mut Kubeconfig)) -> String {
        let mut kubeconfig = self.kubeconfig.clone();
        change(&mut kubeconfig);
        self.write(name, serde_yaml::to_string(&kubeconfig).expect("it is plain data"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.env.work().join(name)
    }

    /// Returns a run as `wf get -o json` shows it.
    pub fn object(&self, run: &str) -> Value {
        let shown = self.wf(&["get", run, "-o", "json"]);
        serde_json::from_str(&shown.stdout).unwrap_or_else(|_| panic!("get {run}: {}", shown.all()))
    }

    /// Fails unless every node of a run that runs pods succeeded, `pods` of them, and the run did.
    pub fn assert_succeeded(&self, run: &str, pods: usize) {
        let object = self.object(run);
        let status = &object["status"];
        let nodes = status["nodes"].as_object().into_iter().flatten().map(|(_, node)| node);
        let failed: Vec<&Value> =
            nodes.clone().filter(|node| node["type"] == "Pod" && node["phase"] != "Succeeded").collect();
        assert_eq!(status["phase"], "Succeeded", "{}: {failed:#?}", status["message"]);
        assert!(failed.is_empty(), "{failed:#?}");
        assert_eq!(nodes.filter(|node| node["type"] == "Pod").count(), pods);
    }

    /// Waits until `wf get` shows the run, and what `found` looks for in it.
    pub fn until_run<T>(&self, run: &str, what: &str, found: impl Fn(&Value) -> Option<T>) -> T {
        eventually(what, || {
            let shown = self.wf(&["get", run, "-o", "json"]);
            found(&serde_json::from_str(&shown.stdout).ok()?)
        })
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", self.wf(&["list"]).all());
        }
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        // A server that a test has broken must not hide what the test found.
        let _ = block(async {
            tokio::time::timeout(PATIENCE, namespaces.delete(&self.name, &DeleteParams::default())).await
        });
    }
}

/// A process that is killed with the value.
pub struct Started(Option<Child>);

impl Started {
    /// Kills it as `kill -9` does; whether it was still running.
    pub fn kill(mut self) -> bool {
        let mut child = self.0.take().expect("it is taken once");
        let ran = child.try_wait().expect("wf can be waited for").is_none();
        child.kill().expect("wf can be killed");
        child.wait().expect("wf ends");
        ran
    }

    /// Ends it by SIGTERM, and returns what it said.
    pub fn terminate(self) -> Outcome {
        self.signal("TERM");
        self.end()
    }

    /// Sends it a signal: `STOP`, `CONT`.
    pub fn signal(&self, name: &str) {
        let pid = self.0.as_ref().expect("it is there").id().to_string();
        let sent = Command::new("kill").args([format!("-{name}"), pid]).status().expect("there is `kill`");
        assert!(sent.success(), "it cannot be sent SIG{name}");
    }

    /// Returns whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.0.as_mut().is_some_and(|child| child.try_wait().expect("wf can be waited for").is_some())
    }

    /// Waits for its end and returns what it said.
    pub fn end(mut self) -> Outcome {
        let output = self.0.take().expect("it is taken once").wait_with_output().expect("wf ends");
        Outcome {
            code: output.status.code().expect("wf was not killed"),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn cluster(test: &str) -> Option<Kubeconfig> {
    let Some(path) = std::env::var_os(CLUSTER) else {
        println!("cluster {test}: skipped, {CLUSTER} is not set: `tests/cluster/run` sets it");
        return None;
    };
    Some(Kubeconfig::read_from(PathBuf::from(path)).expect("WF_TEST_KUBECONFIG is a kubeconfig"))
}

fn with_namespace(mut kubeconfig: Kubeconfig, namespace: &str) -> Kubeconfig {
    let current = kubeconfig.current_context.clone();
    for context in kubeconfig.contexts.iter_mut().filter(|context| Some(&context.name) == current.as_ref()) {
        context.context.get_or_insert_default().namespace = Some(namespace.to_owned());
    }
    kubeconfig
}

/// Returns a client of what a kubeconfig says.
pub fn client(kubeconfig: &Kubeconfig) -> Client {
    block(async {
        let config = Config::from_custom_kubeconfig(kubeconfig.clone(), &KubeConfigOptions::default()).await;
        Client::try_from(config.expect("the kubeconfig can be used")).expect("a client")
    })
}

/// Returns metadata that are a name.
pub fn named(name: &str) -> ObjectMeta {
    ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() }
}

/// Waits for the future, on the runtime of all tests.
pub fn block<F: Future>(future: F) -> F::Output {
    RUNTIME.block_on(future)
}

/// Runs the future beside the tests.
pub fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    RUNTIME.spawn(future);
}

/// Asks until there is an answer.
pub fn eventually<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begin.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Does something to a part of the cluster: `restart apiserver`, `stop kubelet`.
pub fn control(verb: &str, part: &str) {
    let program = std::env::var_os(CONTROL).expect("only tests that are alone control the cluster");
    let output = Command::new(program).args([verb, part]).output().expect("the control script starts");
    assert!(output.status.success(), "{verb} {part}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Returns the value that must be there, with the error in the message otherwise.
pub fn sure<T, E: Debug>(what: &str, result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{what}: {error:?}"))
}
