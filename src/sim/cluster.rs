//! Simulated pods, which go on when their driver dies, and the backend through which a driver
//! sees them: late, twice, out of order, and refusing now and then.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};

use super::check::Checker;
use super::course::{ASKED, Ending, Member, course};
use super::program;
use super::world::{Appointment, Pid, World};
use crate::backend::{Backend, BackendError};
use crate::base::{NodeIx, TimeSpan, Timestamp};
use crate::engine::{Phase, PodEnd, PodReport, PodRequest};

/// How the cluster misbehaves.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Manners {
    /// Whether reports come late, twice and out of order, and calls take time.
    pub(super) is_late: bool,
    /// How often in a thousand a call is refused, half of them after it had its effect.
    pub(super) refusals: u64,
    /// Whether pods are forgotten as soon as they have ended, as no backend may: for testing the checks.
    pub(super) forgets_pods: bool,
}

/// How many refusals in a row there can be: fewer than a driver has patience for.
const REFUSALS_IN_A_ROW_MAX: u32 = 3;

/// How late a report can be.
const LATE_MILLIS_MAX: u64 = 2_000;

/// How long a call can take.
const CALL_MILLIS_MAX: u64 = 40;

/// The longest that processes take to end after SIGTERM.
const STOP_MILLIS_MAX: u64 = 1_000;

/// All pods of a run.
#[derive(Clone)]
pub(super) struct Cluster {
    world: World,
    seed: u64,
    manners: Manners,
    checker: Checker,
    state: Rc<RefCell<State>>,
}

#[derive(Default)]
struct State {
    pods: BTreeMap<NodeIx, Pod>,
    /// What is under way to the drivers that listen.
    inboxes: BTreeMap<Pid, Inbox>,
    refusals_in_a_row: u32,
}

struct Pod {
    request: Arc<PodRequest>,
    report: PodReport,
    members: Vec<Member>,
    began: Option<Timestamp>,
    deadline: Option<Timestamp>,
    ending: Option<Appointment>,
}

#[derive(Default)]
struct Inbox {
    reports: VecDeque<(NodeIx, PodReport)>,
    waker: Option<Waker>,
}

impl Cluster {
    pub(super) fn new(world: &World, seed: u64, manners: Manners, checker: &Checker) -> Self {
        let (world, checker) = (world.clone(), checker.clone());
        Self { world, seed, manners, checker, state: Rc::default() }
    }

    /// Returns the backend of the process `pid`, which hears of pods from now on.
    pub(super) fn seen_by(&self, pid: Pid) -> SimBackend {
        self.state.borrow_mut().inboxes.insert(pid, Inbox::default());
        SimBackend { cluster: self.clone(), pid }
    }

    /// Makes a pod; its key makes it the only one.
    fn make(&self, request: &PodRequest) {
        let is_there = self.state.borrow().pods.contains_key(&request.node);
        if is_there && !self.manners.forgets_pods {
            return;
        }
        self.checker.starts(&request.node_name);
        self.world.note(|| format!("pod {} of {} is made", request.node, request.node_name));
        let earlier =
            self.state.borrow().pods.values().filter(|pod| pod.request.node_name == request.node_name).count();
        let members = program::members(request, self.seed, earlier);
        let begins = self.world.now() + self.lateness(LATE_MILLIS_MAX / 10);
        let deadline =
            [request.deadline_after.map(|after| begins + after), request.deadline].into_iter().flatten().min();
        let node = request.node;
        let report = PodReport::Waiting { reason: "ContainerCreating".to_owned() };
        let pod = Pod { request: Arc::new(request.clone()), report, members, began: None, deadline, ending: None };
        self.state.borrow_mut().pods.insert(node, pod);
        self.report(node);
        let cluster = self.clone();
        self.world.at(begins, move || cluster.run(node));
    }

    fn run(&self, node: NodeIx) {
        let now = self.world.now();
        let (deadline, takes) = {
            let mut state = self.state.borrow_mut();
            let pod = state.pods.get_mut(&node).expect("it was made");
            if matches!(pod.report, PodReport::Ended(_)) {
                return;
            }
            pod.report =
                PodReport::Running { ready: true, ip: Some("10.0.0.1".to_owned()), host: Some("here".to_owned()) };
            pod.began = Some(now);
            (pod.deadline, pod.takes())
        };
        self.report(node);
        let ends = takes.map(|takes| now + takes);
        match (ends, deadline) {
            (Some(ends), deadline) if deadline.is_none_or(|deadline| ends <= deadline) => {
                self.end_at(node, ends, false)
            }
            (_, Some(deadline)) => self.end_at(node, deadline, true),
            (None, None) | (Some(_), None) => {}
        }
    }

    /// Lets a pod end at `at`, as its program does or by being asked, and not otherwise.
    fn end_at(&self, node: NodeIx, at: Timestamp, is_asked: bool) {
        let cluster = self.clone();
        let appointment = self.world.at(at, move || cluster.end(node, is_asked));
        let mut state = self.state.borrow_mut();
        let pod = state.pods.get_mut(&node).expect("it was made");
        if let Some(earlier) = pod.ending.replace(appointment) {
            self.world.cancel(earlier);
        }
    }

    fn end(&self, node: NodeIx, is_asked: bool) {
        let now = self.world.now();
        {
            let mut state = self.state.borrow_mut();
            let pod = state.pods.get_mut(&node).expect("it was made");
            pod.ending = None;
            pod.report = PodReport::Ended(pod.end(now, is_asked));
        }
        self.world.note(|| format!("pod {node} ends"));
        self.report(node);
    }

    fn stop(&self, node: NodeIx, grace: TimeSpan) {
        let goes_on = |pod: &Pod| !matches!(pod.report, PodReport::Ended(_));
        if !self.state.borrow().pods.get(&node).is_some_and(goes_on) {
            return;
        }
        let takes = self.lateness(grace.0.min(STOP_MILLIS_MAX));
        self.end_at(node, self.world.now() + takes, true);
    }

    /// Sends what is known of a pod now, perhaps twice, to whoever listens when it arrives.
    fn report(&self, node: NodeIx) {
        let report = self.state.borrow().pods[&node].report.clone();
        let times = if self.manners.is_late && self.world.draw(|chance| chance.below(4)) == 0 { 2 } else { 1 };
        for _ in 0..times {
            let arrives = self.world.now() + self.lateness(LATE_MILLIS_MAX);
            let (cluster, report) = (self.clone(), report.clone());
            self.world.at(arrives, move || cluster.deliver(node, &report));
        }
    }

    fn deliver(&self, node: NodeIx, report: &PodReport) {
        for inbox in self.state.borrow_mut().inboxes.values_mut() {
            inbox.reports.push_back((node, report.clone()));
            if let Some(waker) = inbox.waker.take() {
                waker.wake();
            }
        }
    }

    fn lateness(&self, millis_max: u64) -> TimeSpan {
        if self.manners.is_late {
            TimeSpan(self.world.draw(|chance| chance.below(millis_max + 1)))
        } else {
            TimeSpan::ZERO
        }
    }

    /// Nothing of a run that has ended runs any more.
    pub(super) fn check_all_ended(&self) {
        let state = self.state.borrow();
        let alive = state.pods.iter().find(|(_, pod)| !matches!(pod.report, PodReport::Ended(_)));
        if let Some((node, pod)) = alive {
            self.world.violation(format!("pod {node} of `{}` runs for ever", pod.request.node_name));
        }
    }

    /// Returns whether a call is refused now.
    fn refuses(&self) -> bool {
        let state = &mut *self.state.borrow_mut();
        let may = self.manners.refusals > 0 && state.refusals_in_a_row < REFUSALS_IN_A_ROW_MAX;
        let refuses = may && self.world.draw(|chance| chance.in_thousand(self.manners.refusals));
        state.refusals_in_a_row = if refuses { state.refusals_in_a_row + 1 } else { 0 };
        refuses
    }
}

impl Pod {
    /// Returns what comes of its containers, which begin together.
    fn course(&self) -> Vec<Ending> {
        course(&self.members, &vec![TimeSpan::ZERO; self.members.len()], None)
    }

    /// Returns how long it takes when nobody stops it; nothing when it goes on for ever.
    fn takes(&self) -> Option<TimeSpan> {
        let ends: Option<Vec<TimeSpan>> = self.course().iter().map(|ending| ending.ends).collect();
        ends.and_then(|ends| ends.into_iter().max())
    }

    /// Returns its end, when it is over or its containers were asked to end.
    fn end(&self, now: Timestamp, is_asked: bool) -> PodEnd {
        let mut endings = self.course();
        if is_asked {
            let at = self.began.map(|began| now.since(began));
            // One that was asked before it began has run nothing.
            let cut = |ending: Ending| match at {
                Some(at) => ending.cut(at, ASKED),
                None => Ending { code: ASKED, runs: false, is_killed: true, ..ending },
            };
            endings = endings.into_iter().map(cut).collect();
        }
        program::end(&self.request, &self.members, &endings)
    }
}

/// The cluster as one driver sees it.
pub(super) struct SimBackend {
    cluster: Cluster,
    pid: Pid,
}

impl SimBackend {
    /// Lets a call take its time; the process may die before it has an effect.
    async fn take_time(&self) {
        let span = self.cluster.lateness(CALL_MILLIS_MAX);
        self.cluster.world.sleep(span).await;
        self.survive().await;
    }

    /// Goes on if the process lives, and otherwise never.
    async fn survive(&self) {
        if !self.cluster.world.step(self.pid) {
            std::future::pending::<()>().await;
        }
    }

    /// Does something, or refuses, before or after.
    async fn call<T>(&self, action: &str, effect: impl FnOnce(&Cluster) -> T) -> Result<T, BackendError> {
        self.take_time().await;
        let refusal = self.cluster.refuses().then(|| BackendError::Unavailable {
            backend: "simulated",
            action: action.to_owned(),
            reason: "it does not answer".to_owned(),
        });
        let is_before = refusal.is_some() && self.cluster.world.draw(|chance| chance.below(2)) == 0;
        let value = if is_before { None } else { Some(effect(&self.cluster)) };
        self.survive().await;
        match (refusal, value) {
            (None, Some(value)) => Ok(value),
            (Some(refusal), _) => Err(refusal),
            (None, None) => unreachable!("only a refusal keeps the effect away"),
        }
    }
}

impl Backend for SimBackend {
    async fn start(&self, request: &PodRequest) -> Result<(), BackendError> {
        self.cluster.checker.may_start(self.pid, request);
        self.call("start a pod", |cluster| cluster.make(request)).await
    }

    async fn stop(&self, node: NodeIx, grace: TimeSpan) -> Result<(), BackendError> {
        self.cluster.checker.may_stop(self.pid, node);
        self.call("stop a pod", |cluster| cluster.stop(node, grace)).await
    }

    fn recorded(&self, _nodes: &[NodeIx]) {}

    async fn finish(&self, _phase: Phase) -> Result<(), BackendError> {
        Ok(())
    }

    async fn next(&self) -> Result<Vec<(NodeIx, PodReport)>, BackendError> {
        std::future::poll_fn(|context| {
            let mut state = self.cluster.state.borrow_mut();
            let inbox = state.inboxes.entry(self.pid).or_default();
            if inbox.reports.is_empty() || self.cluster.world.is_dead(self.pid) {
                inbox.waker = Some(context.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(Ok(inbox.reports.drain(..).collect()))
        })
        .await
    }

    async fn relist(&self, nodes: &[NodeIx]) -> Result<Vec<(NodeIx, PodReport)>, BackendError> {
        self.call("list pods", |cluster| {
            let state = cluster.state.borrow();
            nodes.iter().filter_map(|node| Some((*node, state.pods.get(node)?.report.clone()))).collect()
        })
        .await
    }
}

impl Drop for SimBackend {
    fn drop(&mut self) {
        self.cluster.state.borrow_mut().inboxes.remove(&self.pid);
    }
}
