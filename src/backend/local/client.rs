//! The driver's side: orders to the supervisor, and reports from what pods leave in their folders.
//!
//! The folders are the truth. What the supervisor tells are hints to look there, so that neither
//! a supervisor nor a driver that dies takes anything with it: when the connection breaks while
//! pods live, another supervisor is started, which adopts them, and each pod is looked at again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex as AsyncMutex, oneshot};
use tokio::task::AbortHandle;

use super::connection::{self, Connection};
use super::fault::{Doing, Fault};
use super::files::LocalFiles;
use super::isolation::Isolation;
use super::layout::{Layout, NodeDir};
use super::news::Word;
use super::order::Order;
use super::prepare::{self, Surroundings};
use super::{data, leftover, platform};
use crate::backend::{Backend, BackendError, http};
use crate::base::limits::{LOCAL_PODS_MAX, SUPERVISOR_TRIES_MAX};
use crate::base::{NodeIx, TimeSpan};
use crate::engine::{Phase, PodEnd, PodReport, PodRequest};
use crate::plan::Resolved;

/// What the backend takes from its surroundings, which are read once, by the caller.
#[derive(Debug, Clone)]
pub struct LocalOptions {
    /// This program, whose `main` calls [`intercept`](super::supervise::intercept) first.
    pub executable: PathBuf,
    /// What every process has in its environment unless its container says otherwise: `PATH`,
    /// `HOME`, `LANG`.
    pub base_env: Vec<(String, String)>,
}

/// Runs the pods of one run on this machine.
pub struct LocalBackend {
    layout: Layout,
    resolved: Resolved,
    files: LocalFiles,
    options: LocalOptions,
    /// Held while a connection is made, so that there is one.
    connecting: AsyncMutex<()>,
    /// Holds a few lines per pod that lives, of which there are [`LOCAL_PODS_MAX`]: it needs no bound of its own.
    heard: AsyncMutex<UnboundedReceiver<Heard>>,
    hears: UnboundedSender<Heard>,
    state: Arc<Mutex<State>>,
}

/// What comes over the connection.
#[derive(Debug)]
pub(super) enum Heard {
    /// Look at a node's folder.
    News(Word, NodeIx),
    /// Something waits in [`State::reports`], or the connection broke.
    Wake,
    /// A request was answered, or came to nothing.
    Answered(NodeIx, Box<PodEnd>),
}

/// What is known of the run's pods.
#[derive(Default)]
pub(super) struct State {
    pub connection: Option<Connection>,
    /// How many connections there were.
    pub connections: u64,
    /// Who waits for the supervisor's answer to a start, and over which connection.
    pub starting: BTreeMap<NodeIx, (u64, oneshot::Sender<Result<(), String>>)>,
    /// What pods get, once it is known.
    pub isolation: Option<Isolation>,
    /// Pods that were started, and whose end was not reported.
    live: BTreeSet<NodeIx>,
    /// Pods that wait for their turn.
    queue: VecDeque<(NodeIx, Arc<Vec<u8>>)>,
    /// Requests that are out.
    requests: BTreeMap<NodeIx, AbortHandle>,
    /// What is to be reported next.
    reports: Vec<(NodeIx, PodReport)>,
}

impl State {
    /// Lets go of a connection that broke. Whoever waits for an answer over it asks again.
    pub(super) fn lost(&mut self, id: u64) {
        self.connection.take_if(|connection| connection.id == id);
        self.starting.retain(|_, (over, _)| *over != id);
    }
}

impl LocalBackend {
    /// Makes the backend of the run in `run_dir`, an existing folder. Nothing is started by it.
    pub fn new(run_dir: &Path, resolved: &Resolved, mut files: LocalFiles, options: LocalOptions) -> Self {
        let bytes =
            |data: &BTreeMap<String, String>| data.iter().map(|(k, v)| (k.clone(), v.clone().into_bytes())).collect();
        for (name, data) in &resolved.config_maps {
            files.config_maps.entry(name.clone()).or_insert_with(|| bytes(data));
        }
        let (hears, heard) = unbounded_channel();
        Self {
            // A supervisor works with real paths, and so must those who compare with it.
            layout: Layout::new(fs::canonicalize(run_dir).unwrap_or_else(|_| run_dir.to_owned())),
            resolved: resolved.clone(),
            files,
            options,
            connecting: AsyncMutex::default(),
            heard: AsyncMutex::new(heard),
            hears,
            state: Arc::default(),
        }
    }

    /// Returns what pods get on this machine, once the first was started.
    pub fn isolation(&self) -> Option<Isolation> {
        self.state().isolation
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the lock")
    }

    fn order(&self, request: &PodRequest) -> Result<Order, Fault> {
        let run = self.layout.run.file_name().unwrap_or_default().to_string_lossy();
        let facts = prepare::facts(request, &self.resolved, &run, &platform::host_name());
        let around = Surroundings { facts, files: &self.files, base_env: &self.options.base_env };
        prepare::order(request, &self.resolved, &around)
    }

    /// Puts a report before those that wait.
    fn report(&self, node: NodeIx, report: PodReport) {
        self.state().reports.push((node, report));
        // The receiver lives as long as this.
        let _ = self.hears.send(Heard::Wake);
    }

    /// Connects to the supervisor, and starts one when there is none. Pods that live are looked at.
    async fn connect(&self) -> Result<(), Fault> {
        let _alone = self.connecting.lock().await;
        if self.state().connection.is_some() {
            return Ok(());
        }
        let mut tried = connection::open(&self.layout).await;
        for _ in 0..SUPERVISOR_TRIES_MAX {
            if tried.is_ok() {
                break;
            }
            connection::start_supervisor(&self.layout, &self.options.executable).await?;
            tried = connection::open(&self.layout).await;
        }
        connection::attach(tried?, self.state.clone(), self.hears.clone());
        // News of pods that live may have been told to nobody.
        self.look_at_all();
        let _ = self.hears.send(Heard::Wake);
        Ok(())
    }

    /// Hands an order to the supervisor, and waits until it says that the pod is started.
    async fn send(&self, node: NodeIx, order: &[u8]) -> Result<(), Fault> {
        self.state().live.insert(node);
        for _ in 0..SUPERVISOR_TRIES_MAX {
            self.connect().await?;
            let Some((connection, answered)) = self.awaiting(node) else { continue };
            if connection.start(node, order).await.is_err() {
                self.state().lost(connection.id);
            }
            match answered.await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(why)) => {
                    self.state().live.remove(&node);
                    return Err(Fault::refused(why));
                }
                // The connection broke; asking again is harmless.
                Err(_) => {}
            }
        }
        Err(Fault::refused(
            "the supervisor of the run ends again and again; its log is `supervisor.log` in the run's folder",
        ))
    }

    /// Has a pod end that was started. What is asked is written down first, so that a supervisor that
    /// takes over knows of it as well.
    async fn stop_started(&self, node: NodeIx, folder: &NodeDir, grace: TimeSpan) -> Result<(), Fault> {
        let part = folder.stop().with_extension("part");
        fs::write(&part, grace.0.to_string()).doing("write", &part)?;
        fs::rename(&part, folder.stop()).doing("write", &part)?;
        self.state().live.insert(node);
        self.connect().await?;
        let Some(connection) = self.state().connection.clone() else { return Ok(()) };
        if connection.stop(node).await.is_err() {
            self.state().lost(connection.id);
        }
        Ok(())
    }

    /// Prepares for the answer to a start.
    fn awaiting(&self, node: NodeIx) -> Option<(Connection, oneshot::Receiver<Result<(), String>>)> {
        let (answer, answered) = oneshot::channel();
        let mut state = self.state();
        let connection = state.connection.clone()?;
        state.starting.insert(node, (connection.id, answer));
        Some((connection, answered))
    }

    /// Sends the request of a node, unless it is out already. A driver that takes over sends it again, as
    /// Argo's agent does.
    fn ask(&self, node: NodeIx, http: &crate::spec::HTTP) {
        if self.state().requests.contains_key(&node) {
            return;
        }
        let secrets = |name: &str, key: &str| {
            let secret = self.files.secrets.get(name)?.get(key)?;
            Some(String::from_utf8_lossy(secret).into_owned())
        };
        match http::Order::new(http, &secrets) {
            Err(words) => self.report(node, PodReport::Ended(http::broken(words))),
            Ok(order) => {
                let hears = self.hears.clone();
                let request = tokio::spawn(async move {
                    let end = order.carry_out().await;
                    // Nobody hears it when the driver has gone.
                    let _ = hears.send(Heard::Answered(node, Box::new(end)));
                });
                self.state().requests.insert(node, request.abort_handle());
            }
        }
    }

    /// Starts pods that wait, as far as there is room.
    async fn start_waiting(&self) -> Result<(), Fault> {
        loop {
            let next = {
                let state = self.state();
                state.queue.front().filter(|_| state.live.len() < LOCAL_PODS_MAX).cloned()
            };
            let Some((node, order)) = next else { return Ok(()) };
            // It leaves the queue only when it is started, so that nothing is lost when this is dropped.
            self.send(node, &order).await?;
            self.state().queue.retain(|(waiting, _)| *waiting != node);
        }
    }

    /// Looks at every pod that lives as far as is known: news of it may have been missed.
    fn look_at_all(&self) {
        let live: Vec<NodeIx> = self.state().live.iter().copied().collect();
        for node in live {
            self.look(node);
        }
    }

    /// Looks at a pod, and reports what there is.
    fn look(&self, node: NodeIx) {
        let seen = seen(&self.layout.node(node));
        let mut state = self.state();
        let Some(report) = seen.filter(|_| state.live.contains(&node)) else { return };
        if matches!(report, PodReport::Ended(_) | PodReport::Lost { .. }) {
            state.live.remove(&node);
        }
        state.reports.push((node, report));
    }

    /// Connects anew when pods live and the connection is lost.
    async fn keep_connected(&self) -> Result<(), Fault> {
        let is_lost = {
            let state = self.state();
            state.connection.is_none() && !state.live.is_empty()
        };
        if is_lost { self.connect().await } else { Ok(()) }
    }

    async fn wait_for_news(&self) -> Result<(), Fault> {
        let heard = self.heard.lock().await.recv().await;
        match heard.expect("a sender is kept as long as this") {
            Heard::Wake => {}
            Heard::Answered(node, end) => {
                let mut state = self.state();
                // One that was stopped meanwhile has its end already.
                if state.requests.remove(&node).is_some() {
                    state.reports.push((node, PodReport::Ended(*end)));
                }
            }
            Heard::News(Word::Running, node) => {
                if self.state().live.contains(&node) {
                    self.state().reports.push((node, running(&self.layout.node(node))));
                }
            }
            Heard::News(Word::Ready | Word::Ended, node) => self.look(node),
        }
        Ok(())
    }
}

impl Backend for LocalBackend {
    async fn start(&self, request: &PodRequest) -> Result<(), BackendError> {
        let node = request.node;
        if let Some(http) = &request.template.http {
            self.ask(node, http);
            return Ok(());
        }
        if let Some(data) = &request.template.data {
            let end = data::end(data, &self.layout.artifacts()).unwrap_or_else(|fault| cannot_start(&fault));
            self.report(node, PodReport::Ended(end));
            return Ok(());
        }
        let is_known = {
            let state = self.state();
            state.live.contains(&node) || state.queue.iter().any(|(waiting, _)| *waiting == node)
        };
        if is_known {
            return Ok(());
        }
        if self.layout.node(node).path().exists() {
            self.state().live.insert(node);
            self.look(node);
            let _ = self.hears.send(Heard::Wake);
            return Ok(());
        }
        let order = match self.order(request) {
            Ok(order) => serde_json::to_vec(&order).expect("an order is plain data"),
            Err(fault) => {
                self.report(node, PodReport::Ended(cannot_start(&fault)));
                return Ok(());
            }
        };
        if self.state().live.len() >= LOCAL_PODS_MAX {
            self.state().queue.push_back((node, Arc::new(order)));
            self.report(node, PodReport::Waiting { reason: format!("{LOCAL_PODS_MAX} pods run on this machine") });
            return Ok(());
        }
        self.send(node, &order).await.map_err(|fault| unavailable(format!("start node {node}"), &fault))
    }

    async fn stop(&self, node: NodeIx, grace: TimeSpan) -> Result<(), BackendError> {
        if let Some(request) = self.state().requests.remove(&node) {
            request.abort();
            self.report(node, PodReport::Ended(PodEnd { exit_code: None, message: "stopped".to_owned(), ..failed() }));
            return Ok(());
        }
        let was_waiting = {
            let mut state = self.state();
            let before = state.queue.len();
            state.queue.retain(|(waiting, _)| *waiting != node);
            state.queue.len() < before
        };
        if was_waiting && !self.state().live.contains(&node) {
            let end = PodEnd { exit_code: None, message: "stopped before it started".to_owned(), ..failed() };
            self.report(node, PodReport::Ended(end));
            return Ok(());
        }
        let folder = self.layout.node(node);
        if !folder.path().exists() || folder.exit().exists() {
            return Ok(());
        }
        let stopped = self.stop_started(node, &folder, grace).await;
        stopped.map_err(|fault| unavailable(format!("stop node {node}"), &fault))
    }

    fn recorded(&self, _nodes: &[NodeIx]) {
        // What a pod leaves behind is part of its run's folder, and goes with it.
    }

    async fn finish(&self, _phase: Phase) -> Result<(), BackendError> {
        Ok(())
    }

    async fn next(&self) -> Result<Vec<(NodeIx, PodReport)>, BackendError> {
        let fault = |fault: Fault| unavailable("await news of pods".to_owned(), &fault);
        loop {
            self.keep_connected().await.map_err(fault)?;
            self.start_waiting().await.map_err(fault)?;
            let reports = std::mem::take(&mut self.state().reports);
            if !reports.is_empty() {
                return Ok(reports);
            }
            self.wait_for_news().await.map_err(fault)?;
        }
    }

    async fn relist(&self, nodes: &[NodeIx]) -> Result<Vec<(NodeIx, PodReport)>, BackendError> {
        let mut reports = Vec::new();
        for node in nodes.iter().copied() {
            let folder = self.layout.node(node);
            if !folder.path().exists() {
                continue;
            }
            let report = seen(&folder).unwrap_or_else(|| running(&folder));
            if matches!(report, PodReport::Running { .. }) {
                self.state().live.insert(node);
            }
            reports.push((node, report));
        }
        Ok(reports)
    }
}

/// What is known of a pod without an end.
const LOST: &str = "the process that watched over the pod is gone, and its end unknown; `supervisor.log` in the run's folder may say why";

/// Returns what a pod's folder says; nothing of one that is not started yet, or runs and has no news.
fn seen(folder: &NodeDir) -> Option<PodReport> {
    if !folder.path().exists() {
        return None;
    }
    if let Some(end) = recorded(folder) {
        return Some(PodReport::Ended(end));
    }
    if leftover::is_alive(folder) {
        return folder.ready().exists().then(|| running(folder));
    }
    // The monitor may have recorded the end, and gone, in between.
    let end = recorded(folder).map(PodReport::Ended);
    Some(end.unwrap_or_else(|| {
        leftover::end(folder);
        PodReport::Lost { message: LOST.to_owned() }
    }))
}

fn recorded(folder: &NodeDir) -> Option<PodEnd> {
    let path = folder.exit();
    let text = fs::read(&path).doing("read", &path).ok()?;
    serde_json::from_slice(&text).ok()
}

fn running(folder: &NodeDir) -> PodReport {
    PodReport::Running {
        ready: folder.ready().exists(),
        ip: Some(super::POD_IP.to_owned()),
        host: Some(platform::host_name()),
    }
}

fn failed() -> PodEnd {
    PodEnd { phase: Phase::Failed, ..PodEnd::exited(0) }
}

/// Returns the end of a pod that was never started since what it needs is missing.
fn cannot_start(fault: &Fault) -> PodEnd {
    PodEnd { phase: Phase::Error, exit_code: None, message: fault.to_string(), ..PodEnd::exited(0) }
}

fn unavailable(action: String, fault: &Fault) -> BackendError {
    BackendError::Unavailable { backend: "local", action, reason: fault.to_string() }
}
