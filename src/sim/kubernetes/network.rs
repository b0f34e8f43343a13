//! The way between a process and the API server, on which requests are late, refused and lost.
//!
//! A request that was sent takes its effect even when its sender has died meanwhile.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{HeaderValue, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tower::retry::RetryLayer;
use tower::{BoxError, Layer, Service};

use super::jobs::has_condition;
use super::machines::Machines;
use super::watches::Watching;
use super::weather::{Mode, Trouble, Weather};
use crate::backend::kubernetes::{Cluster, Patience};
use crate::base::{TimeSpan, Timestamp};
use crate::sim::apiserver::{Answer, Asked, Change, Key, Refused, State, to_response};
use crate::sim::executor::Process;
use crate::sim::world::{BEGINNING, Pid, World};

/// The namespace of all that there is.
pub(super) const NAMESPACE: &str = "ci";

/// What a Secret of the cluster holds that pods use, and how the Secret shows it.
const SECRETS: [&str; 2] = ["s3cr3t-0f-the-cluster", "czNjcjN0LTBmLXRoZS1jbHVzdGVy"];

/// How long a request or an answer is on its way: on a good day, and else.
const CALL_MILLIS: u64 = 8;
const SLOW_CALL_MILLIS: u64 = 1_500;

/// How many requests of one kind meet trouble in a row by chance: fewer than a driver has patience for.
const TROUBLES_IN_A_ROW_MAX: u32 = 3;

/// How long the server cannot be reached, at most: less than a driver has patience for.
const OUTAGE_MILLIS_MAX: u64 = 15_000;

/// How long it takes until a broken connection is known to be one.
const LOSS_MILLIS_MAX: u64 = 3_000;

/// How long the weather is bad: after that a run must come to its end.
const STORM: TimeSpan = TimeSpan::from_secs(180);

/// A cluster: the server, all that acts on it, and the way there. Clones are the same one.
#[derive(Clone)]
pub(super) struct Remote(pub(super) Rc<Inner>);

pub(super) struct Inner {
    pub(super) world: World,
    pub(super) seed: u64,
    pub(super) weather: Weather,
    pub(super) state: RefCell<State>,
    pub(super) watches: RefCell<Vec<Watching>>,
    pub(super) machines: RefCell<Machines>,
    /// When Jobs are looked at next.
    pub(super) syncs: RefCell<BTreeMap<Key, Timestamp>>,
    /// How many pods of a Job were made, and how often it was disrupted.
    pub(super) made: RefCell<BTreeMap<String, u32>>,
    /// When Jobs were deleted, by name.
    went: RefCell<BTreeMap<String, Timestamp>>,
    pub(super) doubles_left: Cell<u32>,
    /// Up to which change all was heeded.
    seen: Cell<u64>,
    /// How many requests came, and how many things watches told.
    pub(super) calls: Cell<u64>,
    pub(super) told: Cell<u64>,
    writes: Cell<u64>,
    in_a_row: RefCell<BTreeMap<String, u32>>,
    outage_until: Cell<Timestamp>,
    /// The highest epoch of each log, by the head that owns it.
    epochs: RefCell<BTreeMap<String, u64>>,
    sender: mpsc::UnboundedSender<Call>,
    receiver: RefCell<Option<mpsc::UnboundedReceiver<Call>>>,
}

/// Returns whether a text shows what the Secret holds.
pub(super) fn holds_secret(text: &[u8]) -> bool {
    SECRETS.iter().any(|secret| text.windows(secret.len()).any(|part| part == secret.as_bytes()))
}

/// A request under way.
pub(super) struct Call {
    pid: Pid,
    head: http::request::Parts,
    body: Bytes,
    answer: oneshot::Sender<Result<Answer, std::io::ErrorKind>>,
}

impl Remote {
    pub(super) fn new(world: &World, seed: u64, weather: &Weather) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        let remote = Self(Rc::new(Inner {
            world: world.clone(),
            seed,
            weather: weather.clone(),
            state: RefCell::new(State::lively(&[NAMESPACE])),
            watches: RefCell::default(),
            machines: RefCell::default(),
            syncs: RefCell::default(),
            made: RefCell::default(),
            went: RefCell::default(),
            doubles_left: Cell::new(weather.doubles_max),
            seen: Cell::new(0),
            calls: Cell::new(0),
            told: Cell::new(0),
            writes: Cell::new(0),
            in_a_row: RefCell::default(),
            outage_until: Cell::new(Timestamp::default()),
            epochs: RefCell::default(),
            sender,
            receiver: RefCell::new(Some(receiver)),
        }));
        let secret = json!({"metadata": {"name": "simulated"}, "data": {"token": SECRETS[1]}});
        remote.0.state.borrow_mut().create("secrets", NAMESPACE, secret).expect("the namespace is there, and empty");
        remote.begin_disturbances();
        remote
    }

    /// Returns the cluster as the process `pid` sees it.
    pub(super) fn seen_by(&self, pid: Pid) -> Cluster {
        let wire = Wire { pid, sender: self.0.sender.clone() };
        let client = Client::new(RetryLayer::new(Patience::default()).layer(wire), NAMESPACE);
        Cluster { client, namespace: NAMESPACE.to_owned() }
    }

    /// Returns the process that takes requests in.
    pub(super) fn server(&self) -> Process {
        let remote = self.clone();
        Process::in_background(move |_| {
            let remote = remote.clone();
            Box::pin(async move {
                let Some(mut calls) = remote.0.receiver.borrow_mut().take() else { return };
                while let Some(call) = calls.recv().await {
                    remote.take(call);
                }
            })
        })
    }

    /// Returns how many writes of drivers had an effect.
    pub(super) fn writes(&self) -> u64 {
        self.0.writes.get()
    }

    /// Returns how many Jobs were made for nodes.
    pub(super) fn jobs_made(&self) -> u32 {
        self.0.made.borrow().keys().filter(|what| what.starts_with("job ")).count() as u32
    }

    pub(super) fn now(&self) -> Timestamp {
        self.0.world.now()
    }

    pub(super) fn below(&self, bound: u64) -> u64 {
        self.0.world.draw(|chance| chance.below(bound))
    }

    pub(super) fn in_thousand(&self, times: u64) -> bool {
        times > 0 && self.0.world.draw(|chance| chance.in_thousand(times))
    }

    /// Returns whether the weather is still bad.
    pub(super) fn is_stormy(&self) -> bool {
        self.now() < BEGINNING + STORM
    }

    /// Lets `then` happen after a while.
    pub(super) fn after(&self, millis: u64, then: impl FnOnce(&Remote) + 'static) {
        let remote = self.clone();
        let at = self.now() + TimeSpan(millis);
        self.0.world.at(at, move || then(&remote));
    }

    /// Changes objects, and lets everybody who looks know.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = {
            let mut state = self.0.state.borrow_mut();
            state.set_time(self.now());
            change(&mut state)
        };
        self.heed();
        changed
    }

    /// Has the server forget its history.
    pub(super) fn cut_history(&self) {
        self.0.world.count("history cut");
        self.0.world.note(|| "the server forgets its history".to_owned());
        self.0.state.borrow_mut().cut_history();
    }

    /// Lets nobody reach the server for a while.
    pub(super) fn begin_outage(&self) {
        let lasts = TimeSpan(1 + self.below(OUTAGE_MILLIS_MAX));
        self.0.world.count("outage");
        self.0.world.note(|| format!("nobody reaches the server for {lasts}"));
        self.0.outage_until.set(self.now() + lasts);
        self.break_watches();
    }

    fn heed(&self) {
        let changes: Vec<Change> = {
            let state = self.0.state.borrow();
            let changes = state.changes_since(self.0.seen.get()).map(|changes| changes.cloned().collect());
            self.0.seen.set(state.version());
            changes.unwrap_or_default()
        };
        for change in &changes {
            self.0.world.note(|| {
                format!("{} {}/{} is {}{}", change.version, change.key.0, change.key.2, change.what, state_of(change))
            });
            match change.key.0.as_str() {
                "jobs" => self.heed_job(change),
                "pods" => self.heed_pod(change),
                _ => {}
            }
            if change.what == "DELETED" && change.key.0 == "jobs" {
                self.0.went.borrow_mut().insert(change.key.2.clone(), self.now());
            }
            match change.what {
                "DELETED" => self.heed_deletion(change),
                "ADDED" => self.heed_orphan(change),
                _ => {}
            }
            if change.key.2.starts_with("wf.log.") {
                self.heed_epoch(change);
            }
        }
        self.tell(&changes);
    }

    /// I11: whoever takes a log over raises its epoch, and nobody writes with an earlier one.
    fn heed_epoch(&self, change: &Change) {
        let epoch = change.object["metadata"]["annotations"]["wf.internal/epoch"].as_str();
        let Some(epoch) = epoch.and_then(|epoch| epoch.parse().ok()).filter(|_| change.what != "DELETED") else {
            return;
        };
        let owner = change.object["metadata"]["ownerReferences"][0]["uid"].as_str().unwrap_or_default();
        let before = self.0.epochs.borrow_mut().insert(owner.to_owned(), epoch).unwrap_or_default();
        if epoch < before {
            self.0.world.violation(format!("a log of epoch {before} is written by epoch {epoch}"));
        }
    }

    fn latency(&self) -> u64 {
        match self.0.weather.is_slow && self.is_stormy() && self.below(10) == 0 {
            true => self.below(SLOW_CALL_MILLIS),
            false => 1 + self.below(CALL_MILLIS),
        }
    }

    fn take(&self, call: Call) {
        let number = self.0.calls.get() + 1;
        self.0.calls.set(number);
        let asked = Asked::new(&call.head, serde_json::from_slice(&call.body).unwrap_or(Value::Null));
        let site = site(&asked);
        let trouble = self.trouble(number, &asked, &site);
        if let Some(trouble) = trouble {
            self.0.world.count(format!("{trouble:?} at {site}"));
        }
        let shown = trouble.map(|trouble| format!(", {trouble:?}")).unwrap_or_default();
        self.0.world.note(|| format!("{} call {number} {} {}{shown}", call.pid, asked.method, asked.about()));
        // I13: what was never read cannot be told; nor is it, in what can be seen of objects.
        if asked.plural == "secrets" {
            self.0.world.violation(format!("a secret is read: {}", asked.about()));
        }
        if holds_secret(&call.body) {
            self.0.world.violation(format!("a secret is written: {}", asked.about()));
        }
        let (pid, sent_at, answer) = (call.pid, self.now(), call.answer);
        self.after(self.latency(), move |remote| remote.perform(pid, sent_at, asked, trouble, answer));
    }

    fn trouble(&self, number: u64, asked: &Asked, site: &str) -> Option<Trouble> {
        let method = asked.method.as_str();
        if let Some((at, trouble)) = self.0.weather.trouble_at {
            // A piece of the log that is said to be missing is damage, and told as such.
            let is_damage = trouble == Trouble::NotFound && asked.plural == "configmaps";
            return (at == number && trouble.fits(method) && !is_damage).then_some(trouble);
        }
        if self.now() < self.0.outage_until.get() {
            return Some(if self.below(2) == 0 { Trouble::LostBefore } else { Trouble::Unavailable });
        }
        let mut in_a_row = self.0.in_a_row.borrow_mut();
        let before = in_a_row.entry(site.to_owned()).or_default();
        if *before >= TROUBLES_IN_A_ROW_MAX
            || !self.is_stormy()
            || !self.in_thousand(self.0.weather.troubles_in_thousand)
        {
            *before = 0;
            return None;
        }
        let possible: Vec<Trouble> =
            Trouble::ALL.into_iter().filter(|trouble| trouble.passes() && trouble.fits(method)).collect();
        let trouble = possible[self.below(possible.len() as u64) as usize];
        // Only who lists is told that a version is forgotten.
        let makes_sense = match trouble {
            Trouble::Gone => asked.name.is_none(),
            Trouble::Quota => matches!(asked.plural.as_str(), "jobs" | "pods"),
            _ => true,
        };
        *before += 1;
        makes_sense.then_some(trouble)
    }

    fn perform(
        &self,
        pid: Pid,
        sent_at: Timestamp,
        asked: Asked,
        trouble: Option<Trouble>,
        answer: oneshot::Sender<Result<Answer, std::io::ErrorKind>>,
    ) {
        let refusal = trouble.and_then(|trouble| trouble.refusal(&asked.about()));
        let has_effect = matches!(trouble, None | Some(Trouble::LostAfter));
        let is_lost = matches!(trouble, Some(Trouble::LostBefore | Trouble::LostAfter));
        let result = match refusal {
            Some(refused) => Ok(with_wait(to_response(Err(refused)))),
            None if has_effect && asked.is_watch() => Ok(self.watch(pid, asked)),
            None if has_effect => Ok(self.act(pid, sent_at, &asked)),
            None => Err(std::io::ErrorKind::ConnectionReset),
        };
        let result = if is_lost { Err(std::io::ErrorKind::ConnectionReset) } else { result };
        let way = self.latency() + if is_lost { self.below(LOSS_MILLIS_MAX) } else { 0 };
        let arrives = (self.now() + TimeSpan(way)).max(self.0.world.goes_on_at(pid));
        // Who waits for it may be gone.
        self.0.world.at(arrives, move || drop(answer.send(result)));
    }

    fn act(&self, pid: Pid, sent_at: Timestamp, asked: &Asked) -> Answer {
        if asked.part.as_deref() == Some("log") {
            return self.log_of(asked);
        }
        // What runs share costs as much as there are runs that want it.
        let is_shared = ["wf.lock.", "wf.cache.", "cache-"].iter().any(|mark| asked.about().contains(mark));
        let is_write = asked.method != "GET" && !is_shared && asked.plural != "events";
        let mut dropped = None;
        if self.0.weather.mode == Mode::Dropped && asked.method == "POST" && asked.plural == "jobs" {
            let mut body = asked.body.clone();
            body["spec"].as_object_mut().map(|spec| spec.remove("managedBy"));
            dropped = Some(body);
        }
        let result = self.change(|state| match dropped {
            Some(body) => state.create(&asked.plural, NAMESPACE, body),
            None => asked.act(state),
        });
        if is_write && result.is_ok() {
            self.0.writes.set(self.0.writes.get() + 1);
        }
        self.check_start(pid, sent_at, asked, &result);
        to_response(result)
    }

    /// A Job of a node is made once. A process that stood still between its decision and its request, and a
    /// request that takes its time, can be too late, and make one again that others have deleted since: no
    /// server can tell.
    fn check_start(&self, pid: Pid, sent_at: Timestamp, asked: &Asked, result: &Result<Value, Refused>) {
        let Ok(made) = result else { return };
        let is_start = asked.method == "POST"
            && asked.plural == "jobs"
            && !made["metadata"]["labels"]["wf.internal/node"].is_null();
        if !is_start {
            return;
        }
        let name = made["metadata"]["name"].as_str().unwrap_or_default();
        let times = self
            .0
            .made
            .borrow_mut()
            .entry(format!("job {name}"))
            .and_modify(|times| *times += 1)
            .or_insert(1)
            .to_owned();
        let run = &made["metadata"]["ownerReferences"][0];
        let has_run = (self.0.state.borrow().object("jobs", NAMESPACE, run["name"].as_str().unwrap_or_default()))
            .is_some_and(|head| head["metadata"]["uid"] == run["uid"]);
        let went_at = self.0.went.borrow().get(name).copied();
        if times > 1 && went_at.is_some_and(|went_at| went_at >= sent_at) {
            self.0.world.count("Job made again by a request that was under way");
        } else if times > 1 && !has_run {
            self.0.world.count("Job made again for a run that was deleted");
        } else if times > 1 && self.0.world.has_stood_still(pid) {
            self.0.world.count("Job made again by a process that stood still");
        } else if times > 1 && !self.0.weather.is_hostile() {
            self.0.world.violation(format!("the Job `{name}` is made a second time"));
        }
    }
}

/// Returns what a pod says of itself, for the trace.
fn state_of(change: &Change) -> String {
    let phase = change.object["status"]["phase"].as_str().filter(|_| change.key.0 == "pods").unwrap_or_default();
    let words = [
        (phase, !phase.is_empty()),
        ("is to go", !change.object["metadata"]["deletionTimestamp"].is_null()),
        ("is disrupted", has_condition(&change.object, "DisruptionTarget")),
    ];
    words.into_iter().filter(|(_, holds)| *holds).map(|(word, _)| format!(", {word}")).collect()
}

/// Returns the kind of a request: its method, and what it is about without what is its own.
fn site(asked: &Asked) -> String {
    let name = asked.name.as_deref().or_else(|| asked.body["metadata"]["name"].as_str()).unwrap_or_default();
    let kind = match name.strip_prefix("wf.").and_then(|rest| rest.split('.').next()) {
        Some(kind) => format!(" {kind}"),
        None if asked.plural == "jobs" && !name.is_empty() => {
            if name.contains("simulated-") {
                " node".to_owned()
            } else {
                " head".to_owned()
            }
        }
        None => String::new(),
    };
    let part = asked.part.as_ref().map(|part| format!("/{part}")).unwrap_or_default();
    let verb = match asked.method.as_str() {
        "GET" if asked.is_watch() => "WATCH",
        "GET" if asked.name.is_none() => "LIST",
        verb => verb,
    };
    format!("{verb} {}{part}{kind}", asked.plural)
}

/// Adds the wait that a server asks for with 429.
fn with_wait(mut answer: Answer) -> Answer {
    if answer.status() == 429 {
        answer.headers_mut().insert("Retry-After", HeaderValue::from_static("1"));
    }
    answer
}

/// The end of the way at which a process is.
#[derive(Clone)]
struct Wire {
    pid: Pid,
    sender: mpsc::UnboundedSender<Call>,
}

impl Service<Request<Body>> for Wire {
    type Response = Response<UnsyncBoxBody<Bytes, Infallible>>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Self { pid, sender } = self.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect_bytes().await?;
            let (answer, answered) = oneshot::channel();
            sender.send(Call { pid, head, body, answer }).map_err(|_| "the world is over")?;
            match answered.await {
                Ok(answer) => Ok(answer.map_err(std::io::Error::from)?),
                Err(_) => Err("the world is over".into()),
            }
        }
        .boxed()
    }
}
