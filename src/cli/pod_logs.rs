//! What pods of a cluster wrote: read as it is, or followed while the run goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use super::error::Error;
use super::logs::{Line, label_in_set};
use crate::backend::BackendError;
use crate::backend::kubernetes::{Cluster, Kept, LogOptions, LoggedPod, archived_logs, logged_pods, logs};
use crate::base::{NodeIx, RunName, Timestamp};

/// How long after the end of a run the last lines of its pods are waited for.
const LAST_LINES_WAIT: Duration = Duration::from_secs(5);

/// How often a log is asked for whose container has not started, and how long in between: no watch
/// tells when a container's log can be read.
const OPENS_MAX: u32 = 60;
const OPEN_EVERY: Duration = Duration::from_millis(500);

/// Returns the logs of a run's pods that are still there, by node, the oldest first.
pub async fn pods(cluster: &Cluster, run: &RunName) -> Result<BTreeMap<NodeIx, Vec<LoggedPod>>, Error> {
    let mut by_node: BTreeMap<NodeIx, Vec<LoggedPod>> = BTreeMap::new();
    for pod in logged_pods(cluster, run, None).await? {
        by_node.entry(pod.node).or_default().push(pod);
    }
    Ok(by_node)
}

/// Reads all that a pod's container has written.
pub async fn read(
    cluster: &Cluster,
    pod: &LoggedPod,
    container: &str,
    tail: Option<usize>,
) -> Result<Vec<Line>, Error> {
    let tail = tail.map(|lines| u32::try_from(lines).unwrap_or(u32::MAX));
    let options = LogOptions { tail, ..options(container) };
    let mut opened = logs(cluster, &pod.name, &options).await?;
    let mut lines = Vec::new();
    while let Some(raw) = opened.next().await? {
        lines.push(line(&raw));
    }
    Ok(lines)
}

/// What was kept of a log, with its lines.
pub struct KeptLog {
    /// The container.
    pub container: String,
    /// Its lines.
    pub lines: Vec<Line>,
    /// What is to be said of it, if it is not whole.
    pub words: Option<String>,
}

/// Returns the logs of nodes that were kept when their pods went.
pub async fn kept(
    cluster: &Cluster,
    run: &RunName,
    nodes: &BTreeSet<NodeIx>,
    container: Option<&str>,
) -> Result<BTreeMap<NodeIx, Vec<KeptLog>>, Error> {
    let kept = archived_logs(cluster, run, nodes).await?;
    let is_meant = |log: &Kept| container.map_or(log.about.is_main, |name| log.about.container == name);
    let of_node = |(node, logs): (NodeIx, Vec<Kept>)| {
        let logs: Vec<KeptLog> = logs.iter().filter(|log| is_meant(log)).map(kept_log).collect();
        (node, logs)
    };
    Ok(kept.into_iter().map(of_node).collect())
}

fn kept_log(kept: &Kept) -> KeptLog {
    let lines = kept.text.split(|byte| *byte == b'\n').filter(|raw| !raw.is_empty()).map(line).collect();
    let words = match (kept.about.is_left_out, kept.about.is_cut) {
        (true, _) => Some("was not kept: the run's logs are more than KEPT_LOGS_PER_RUN_BYTES_MAX"),
        (_, true) => Some("is kept without its beginning"),
        _ => None,
    };
    KeptLog { container: kept.about.container.clone(), lines, words: words.map(str::to_owned) }
}

/// Returns which containers of a pod are meant: when none is named, those that do the work.
pub fn meant(pod: &LoggedPod, container: Option<&str>) -> Vec<String> {
    match container {
        None => pod.work.clone(),
        Some(name) => pod.containers.iter().filter(|own| *own == name).cloned().collect(),
    }
}

fn options(container: &str) -> LogOptions {
    LogOptions { container: Some(container.to_owned()), timestamps: true, ..LogOptions::default() }
}

/// Takes the time off a line.
fn line(raw: &[u8]) -> Line {
    let space = raw.iter().position(|byte| *byte == b' ').unwrap_or(raw.len());
    let stamp = String::from_utf8_lossy(&raw[..space]).into_owned();
    match Timestamp::parse_rfc3339(&stamp) {
        Some(at) => Line { at: Some(at), stamp, text: raw.get(space + 1..).unwrap_or_default().to_vec() },
        None => Line { at: None, stamp: String::new(), text: raw.to_vec() },
    }
}

/// The logs of the nodes that go on, each followed by a task of its own.
pub struct PodFollower {
    cluster: Cluster,
    run: RunName,
    container: Option<String>,
    sender: UnboundedSender<(String, Line)>,
    lines: UnboundedReceiver<(String, Line)>,
    tasks: BTreeMap<NodeIx, JoinHandle<()>>,
}

impl PodFollower {
    /// Returns a follower of no node yet.
    pub fn new(cluster: Cluster, run: RunName, container: Option<String>) -> Self {
        let (sender, lines) = unbounded_channel();
        Self { cluster, run, container, sender, lines, tasks: BTreeMap::new() }
    }

    /// Follows a node from the beginning of its log to its end.
    pub fn add(&mut self, node: NodeIx, label: &str) {
        let Self { cluster, run, container, sender, .. } = self;
        self.tasks.entry(node).or_insert_with(|| {
            let (cluster, run, container) = (cluster.clone(), run.clone(), container.clone());
            let (sender, label) = (sender.clone(), label.to_owned());
            tokio::spawn(async move {
                // What cannot be read any more is not followed; `wf logs` says why.
                let _ = follow(&cluster, &run, node, container.as_deref(), |of_set, line| {
                    let _ = sender.send((label_of(&label, &run, of_set), line));
                })
                .await;
            })
        });
    }

    /// Reads the last lines of a node's log, once.
    pub fn add_end(&mut self, node: NodeIx, label: &str, count: usize) {
        let Self { cluster, run, container, sender, .. } = self;
        let (cluster, run, container) = (cluster.clone(), run.clone(), container.clone());
        let (sender, label) = (sender.clone(), label.to_owned());
        let task = tokio::spawn(async move {
            let pods = logged_pods(&cluster, &run, Some(node)).await.unwrap_or_default();
            let Some(pod) = pods.last() else { return };
            for name in meant(pod, container.as_deref()) {
                let label = label_of(&label, &run, pod.is_set.then_some(&name));
                // Without its log, the node's message is all there is to tell.
                for line in read(&cluster, pod, &name, Some(count)).await.unwrap_or_default() {
                    let _ = sender.send((label.clone(), line));
                }
            }
        });
        self.tasks.insert(node, task);
    }

    /// Returns the new lines of all nodes with their labels.
    pub fn read_new(&mut self) -> Vec<(String, Line)> {
        std::iter::from_fn(|| self.lines.try_recv().ok()).collect()
    }

    /// Waits until the logs of the nodes that are followed have ended.
    pub async fn finish(&mut self) {
        let tasks = std::mem::take(&mut self.tasks).into_values();
        let ends = futures_util::future::join_all(tasks);
        // A pod that somebody deletes may never end its log.
        let _ = tokio::time::timeout(LAST_LINES_WAIT, ends).await;
    }
}

impl Drop for PodFollower {
    fn drop(&mut self) {
        self.tasks.values().for_each(JoinHandle::abort);
    }
}

/// Returns the label of lines of a node, or of one of its set.
fn label_of(node: &str, run: &RunName, of_set: Option<&String>) -> String {
    of_set.map_or_else(|| node.to_owned(), |container| label_in_set(node, run.as_str(), container))
}

/// Gives each line of a node's pod to `tell`, until its containers end; with the container's name, when it is one of
/// a set.
async fn follow(
    cluster: &Cluster,
    run: &RunName,
    node: NodeIx,
    container: Option<&str>,
    tell: impl Fn(Option<&String>, Line),
) -> Result<(), BackendError> {
    for opens in 0..=OPENS_MAX {
        let pods = logged_pods(cluster, run, Some(node)).await?;
        if pods.is_empty() && opens == 0 && tell_kept(cluster, run, node, container, &tell).await {
            return Ok(());
        }
        if let Some(pod) = pods.last() {
            let names = meant(pod, container);
            let follows = names.iter().map(|name| {
                let tell = &tell;
                follow_container(cluster, run, pod, name, move |line| tell(pod.is_set.then_some(name), line))
            });
            return futures_util::future::join_all(follows).await.into_iter().collect();
        }
        tokio::time::sleep(OPEN_EVERY).await;
    }
    Ok(())
}

/// Gives each line of a container to `tell`, until it ends. Before it begins, `pod` may be replaced by another of its
/// node.
async fn follow_container(
    cluster: &Cluster,
    run: &RunName,
    pod: &LoggedPod,
    container: &str,
    tell: impl Fn(Line),
) -> Result<(), BackendError> {
    let options = LogOptions { follow: true, ..options(container) };
    let (mut opens, mut name) = (0, Some(pod.name.clone()));
    let mut opened = loop {
        if let Some(name) = name {
            match logs(cluster, &name, &options).await {
                Ok(opened) => break opened,
                Err(error) if opens >= OPENS_MAX => return Err(error),
                Err(_) => {}
            }
        }
        opens += 1;
        if opens > OPENS_MAX {
            return Ok(());
        }
        tokio::time::sleep(OPEN_EVERY).await;
        name = logged_pods(cluster, run, Some(pod.node)).await?.pop().map(|pod| pod.name);
    };
    while let Some(raw) = opened.next().await? {
        tell(line(&raw));
    }
    Ok(())
}

/// Gives what was kept of a node's log to `tell`. Returns whether there was any.
async fn tell_kept(
    cluster: &Cluster,
    run: &RunName,
    node: NodeIx,
    container: Option<&str>,
    tell: impl Fn(Option<&String>, Line),
) -> bool {
    let kept = kept(cluster, run, &[node].into(), container).await.unwrap_or_default();
    let logs: Vec<KeptLog> = kept.into_values().flatten().collect();
    let is_there = logs.iter().any(|log| !log.lines.is_empty());
    // Only of a set there is more than one that does the work.
    let is_set = logs.len() > 1;
    for log in logs {
        log.lines.into_iter().for_each(|line| tell(is_set.then_some(&log.container), line));
    }
    is_there
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use kube::Client;
    use kube::client::Body;
    use serde_json::json;

    use super::*;

    /// Returns a cluster with one pod, a set of two, each with a line in its log; and what it is asked for.
    fn cluster() -> (Cluster, Arc<Mutex<Vec<String>>>) {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        let pod = json!({
            "metadata": {
                "name": "p", "labels": { "wf.internal/node": "1" },
                "annotations": { "wf.internal/due": "{\"set\":[\"a\",\"b\"]}" },
            },
            "spec": { "containers": [{ "name": "a" }, { "name": "b" }] },
        });
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let path = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
            let text = match path.as_str() {
                "log" => "a line\n".to_owned(),
                _ => json!({ "metadata": {}, "items": [pod] }).to_string(),
            };
            seen.lock().expect("nobody panics").push(path);
            async move { Ok::<_, std::convert::Infallible>(http::Response::new(Body::from(text.into_bytes()))) }
        });
        (Cluster { client: Client::new(service, "ns"), namespace: "ns".to_owned() }, asked)
    }

    #[tokio::test]
    async fn the_pod_of_a_set_is_looked_for_once() {
        let (cluster, asked) = cluster();
        let told = Mutex::new(Vec::new());
        let run = RunName::new("r").expect("a name");
        let tell = |name: Option<&String>, line: Line| {
            told.lock().expect("nobody panics").push((name.cloned().unwrap_or_default(), line.text));
        };
        follow(&cluster, &run, NodeIx(1), None, tell).await.expect("it answers");
        let line = |name: &str| (name.to_owned(), b"a line".to_vec());
        assert_eq!(*told.lock().expect("nobody panics"), [line("a"), line("b")]);
        assert_eq!(*asked.lock().expect("nobody panics"), ["pods", "log", "log"]);
    }

    #[test]
    fn the_time_is_taken_off_a_line() {
        let parsed = line(b"2026-11-22T11:03:12.123456789Z hello world");
        assert_eq!((parsed.text.as_slice(), parsed.at.is_some()), (&b"hello world"[..], true));
        assert_eq!(line(b"2026-11-22T11:03:12Z").text, b"");
        assert_eq!(line(b"no time").text, b"no time");
    }
}
