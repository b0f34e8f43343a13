//! A run, a log, a backend and a clock with nothing in them but what the loop can get wrong.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use super::super::{Clock, Machine};
use crate::backend::{Backend, BackendError};
use crate::base::{NodeIx, RunName, RunUid, TimeSpan, Timestamp};
use crate::engine::{
    Action, Batch, Control, ControlError, Event, Inputs, Memo, Observation, Phase, PodEnd, PodReport, PodRequest, Want,
};
use crate::store::{Answer, Claim, Log, Request, RequestId, Shared, StoreError, Summary};

/// What happened, in order; every part of a test writes into the same one.
pub(super) type Trace = Rc<RefCell<Vec<String>>>;

/// A run of layers: the pods of one start together, when those of the one before have ended.
pub(super) struct Toy {
    pub(super) layers: u32,
    pub(super) width: u32,
    pub(super) timer: Option<Timestamp>,
    began: bool,
    suspended: bool,
    ended: BTreeMap<NodeIx, Phase>,
    fetched: BTreeSet<NodeIx>,
}

impl Toy {
    pub(super) fn new(layers: u32, width: u32) -> Self {
        let (ended, fetched) = (BTreeMap::new(), BTreeSet::new());
        Self { layers, width, timer: None, began: false, suspended: false, ended, fetched }
    }

    /// The pods that were asked for: all up to the first layer that is not over.
    fn asked_for(&self) -> impl Iterator<Item = NodeIx> {
        let full = self.ended.len() as u32 / self.width;
        let begun = if self.suspended { full } else { full + 1 };
        let last = if self.began { begun.min(self.layers) * self.width } else { 0 };
        (0..last).map(NodeIx)
    }
}

impl Machine for Toy {
    fn apply(&mut self, batch: &Batch) {
        for event in &batch.events {
            match event {
                Event::Began => self.began = true,
                Event::Suspended => self.suspended = true,
                Event::Resumed => self.suspended = false,
                Event::Finished { n, p, .. } => drop(self.ended.insert(*n, *p)),
                other => unreachable!("a toy has no {other:?}"),
            }
        }
    }

    fn decide(&mut self, observation: Observation, at: Timestamp) -> Vec<Event> {
        let event = match observation {
            Observation::Begin if !self.began => Event::Began,
            Observation::Pod(n, PodReport::Ended(end)) if !self.ended.contains_key(&n) => {
                Event::Finished { n, p: end.phase, m: end.message.into(), out: None, host: None, decree: false }
            }
            Observation::Control(Control::Suspend) => Event::Suspended,
            Observation::Control(Control::Resume { .. }) => Event::Resumed,
            Observation::Time => {
                self.timer = None;
                Event::Resumed
            }
            _ => return Vec::new(),
        };
        self.apply(&Batch { at, events: vec![event.clone()] });
        vec![event]
    }

    fn check_control(&self, control: &Control) -> Result<(), ControlError> {
        match control {
            _ if self.phase().is_final() => Err(ControlError::Ended),
            Control::Suspend | Control::Resume { .. } => Ok(()),
            _ => Err(ControlError::Refused("a toy can only pause".to_owned())),
        }
    }

    fn pending(&mut self) -> Vec<Action> {
        let open: Vec<_> = self.asked_for().filter(|node| !self.ended.contains_key(node)).collect();
        open.into_iter().filter(|&node| self.fetched.insert(node)).map(start).collect()
    }

    fn wants(&mut self) -> Vec<Want> {
        Vec::new()
    }

    fn recalls(&mut self) -> Vec<Memo> {
        Vec::new()
    }

    fn memories(&mut self) -> Vec<(Memo, Option<String>)> {
        Vec::new()
    }

    fn rank(&self) -> (i32, Timestamp) {
        (0, Timestamp(0))
    }

    fn next_wake(&self) -> Option<Timestamp> {
        self.timer
    }

    fn live_pods(&self) -> Vec<NodeIx> {
        self.asked_for().filter(|node| !self.ended.contains_key(node)).collect()
    }

    fn is_vain(&self, request: &PodRequest) -> bool {
        self.ended.contains_key(&request.node)
    }

    fn phase(&self) -> Phase {
        let is_over = self.began && self.ended.len() as u32 == self.layers * self.width;
        match self.ended.values().find(|phase| phase.is_bad()) {
            _ if !is_over => Phase::Running,
            Some(bad) => *bad,
            None => Phase::Succeeded,
        }
    }

    fn summary(&self) -> Summary {
        Summary {
            name: RunName::new("toy").expect("a valid name"),
            uid: RunUid("u".into()),
            created_at: Timestamp(0),
            started_at: None,
            finished_at: None,
            phase: self.phase().to_string(),
            message: String::new(),
            progress: format!("{}/{}", self.ended.len(), self.layers * self.width),
            suspended: self.suspended,
            priority: 0,
            expires_at: None,
            labels: BTreeMap::new(),
        }
    }
}

pub(super) fn start(node: NodeIx) -> Action {
    Action::Start(Box::new(PodRequest {
        node,
        node_name: Arc::from(format!("toy.{node}")),
        pod_name: format!("toy-{node}"),
        template: Arc::default(),
        is_running: false,
        avoided_hosts: Vec::new(),
        workflow: Arc::default(),
        inputs: Arc::new(Inputs::default()),
        capture_result: false,
        deadline_after: None,
        deadline: None,
    }))
}

/// A log in memory that can refuse.
#[derive(Clone, Default)]
pub(super) struct MemoryLog {
    pub(super) trace: Trace,
    pub(super) records: Rc<RefCell<Vec<Vec<Batch>>>>,
    pub(super) requests: Rc<RefCell<VecDeque<Request>>>,
    pub(super) appends_left: Rc<Cell<Option<u32>>>,
}

impl MemoryLog {
    pub(super) fn batches(&self) -> Vec<Batch> {
        self.records.borrow().concat()
    }
}

/// A toy shares nothing.
pub(super) struct Alone;

impl Shared for Alone {
    async fn claim(&self, claim: &Claim) -> Result<u32, StoreError> {
        Ok(claim.wanted)
    }

    async fn freed(&self, _: &str, _: u32) -> Result<(), StoreError> {
        std::future::pending().await
    }

    async fn recall(&self, _: &Memo) -> Result<Option<String>, StoreError> {
        Ok(None)
    }

    async fn remember(&self, _: &Memo, _: &str) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Log for MemoryLog {
    type Shared = Alone;

    fn shared(&self) -> Alone {
        Alone
    }

    async fn append(&mut self, batches: &[Batch], taken: &[RequestId]) -> Result<(), StoreError> {
        if self.appends_left.get() == Some(0) {
            let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
            return Err(StoreError::Io { action: "append".to_owned(), source });
        }
        self.appends_left.set(self.appends_left.get().map(|left| left - 1));
        self.trace.borrow_mut().push(format!("append {} taken {}", batches.len(), taken.len()));
        self.records.borrow_mut().push(batches.to_vec());
        Ok(())
    }

    async fn summarize(&mut self, summary: &Summary) -> Result<(), StoreError> {
        self.trace.borrow_mut().push(format!("summary {} {}", summary.phase, summary.progress));
        Ok(())
    }

    async fn requests(&mut self) -> Result<Vec<Request>, StoreError> {
        if self.requests.borrow().is_empty() {
            std::future::pending::<()>().await;
        }
        Ok(self.requests.borrow_mut().drain(..).collect())
    }

    fn summarize_every(&self) -> TimeSpan {
        TimeSpan(500)
    }

    async fn release(self) {
        drop(self);
    }

    async fn respond(&mut self, id: &RequestId, answer: &Answer) -> Result<(), StoreError> {
        self.trace.borrow_mut().push(format!("respond {id} {answer:?}"));
        Ok(())
    }
}

/// A backend whose pods end at once, unless told otherwise.
#[derive(Default)]
pub(super) struct Script {
    pub(super) trace: Trace,
    pub(super) reports: RefCell<VecDeque<(NodeIx, PodReport)>>,
    /// What `relist` knows.
    pub(super) known: Vec<(NodeIx, PodReport)>,
    /// How many calls of `start` fail before one goes through.
    pub(super) start_failures: Cell<u32>,
    /// How many calls of `next` and `relist` fail before one goes through.
    pub(super) news_failures: Cell<u32>,
    /// Whether pods end at all.
    pub(super) holds: bool,
}

impl Script {
    fn fail(&self, left: &Cell<u32>, action: &str) -> Result<(), BackendError> {
        if left.get() == 0 {
            return Ok(());
        }
        left.set(left.get() - 1);
        Err(BackendError::Unavailable { backend: "toy", action: action.to_owned(), reason: "it sulks".to_owned() })
    }
}

pub(super) fn ended(code: i32) -> PodReport {
    PodReport::Ended(PodEnd::exited(code))
}

impl Backend for Script {
    async fn start(&self, request: &PodRequest) -> Result<(), BackendError> {
        tokio::task::yield_now().await;
        self.trace.borrow_mut().push(format!("start {}", request.node));
        self.fail(&self.start_failures, "start a pod")?;
        if !self.holds {
            // Reports repeat.
            self.reports.borrow_mut().extend([(request.node, ended(0)), (request.node, ended(0))]);
        }
        Ok(())
    }

    async fn stop(&self, node: NodeIx, grace: TimeSpan) -> Result<(), BackendError> {
        self.trace.borrow_mut().push(format!("stop {node} {grace}"));
        Ok(())
    }

    fn recorded(&self, _: &[NodeIx]) {}

    async fn finish(&self, _: Phase) -> Result<(), BackendError> {
        Ok(())
    }

    async fn next(&self) -> Result<Vec<(NodeIx, PodReport)>, BackendError> {
        self.fail(&self.news_failures, "tell")?;
        let report = self.reports.borrow_mut().pop_front();
        if let Some(report) = report {
            return Ok(vec![report]);
        }
        std::future::pending().await
    }

    async fn relist(&self, nodes: &[NodeIx]) -> Result<Vec<(NodeIx, PodReport)>, BackendError> {
        self.trace.borrow_mut().push(format!("relist {}", nodes.len()));
        self.fail(&self.news_failures, "list")?;
        Ok(self.known.iter().filter(|(node, _)| nodes.contains(node)).cloned().collect())
    }
}

/// A clock that goes on when everybody waits for it.
#[derive(Default)]
pub(super) struct Jumping {
    pub(super) now: Cell<Timestamp>,
}

impl Clock for Jumping {
    fn now(&self) -> Timestamp {
        self.now.get()
    }

    async fn sleep_until(&self, at: Timestamp) {
        if at > self.now.get() {
            tokio::task::yield_now().await;
            self.now.set(self.now.get().max(at));
        }
    }
}
