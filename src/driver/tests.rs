//! The loop with a toy run; the engine's own run is driven by the simulated world's tests.

mod toy;

use std::future::pending;
use std::rc::Rc;

use serde_json::json;

use super::control::{Outcome, RequestError, request};
use super::{DriveError, Driven, Driver, End, Machine, Options, RealClock};
use crate::base::{NodeIx, RunName, Timestamp};
use crate::engine::{Batch, Control, Event, Phase};
use crate::store::{Answer, DirectoryStore, Header, Request, RequestId, Store, Stored};
use toy::{Jumping, MemoryLog, Script, Toy, Trace, ended};

/// One test's run, with what surrounds it.
#[derive(Default)]
struct Bench {
    log: MemoryLog,
    backend: Script,
    clock: Jumping,
    options: Options,
}

impl Bench {
    fn new() -> Self {
        let log = MemoryLog::default();
        let backend = Script { trace: log.trace.clone(), ..Script::default() };
        Self { log, backend, ..Self::default() }
    }

    async fn drive(&self, run: Toy) -> Result<Driven<Toy>, DriveError> {
        let driver = Driver::new(run, self.log.clone(), &self.backend, &self.clock).options(self.options);
        driver.drive(pending(), |_, _| {}).await
    }

    /// Returns what happened, without what `skip` begins with, and begins anew.
    fn trace(&self, skip: &str) -> Vec<String> {
        let trace = std::mem::take(&mut *self.log.trace.borrow_mut());
        trace.into_iter().filter(|line| !line.starts_with(skip)).collect()
    }
}

/// A run whose log holds `events`.
fn folded(mut run: Toy, events: Vec<Event>) -> Toy {
    run.apply(&Batch { at: Timestamp(1), events });
    run
}

fn finished(node: u32) -> Event {
    let (n, p) = (NodeIx(node), Phase::Succeeded);
    Event::Finished { n, p, m: "".into(), out: None, host: None, decree: false }
}

#[tokio::test]
async fn nothing_is_done_before_it_is_durable() {
    let bench = Bench::new();
    let driven = bench.drive(Toy::new(3, 1)).await.expect("it ends");
    assert_eq!(driven.end, End::Finished(Phase::Succeeded));
    assert_eq!(
        bench.trace("summary"),
        [
            "append 1 taken 0",
            "start 0",
            "append 1 taken 0",
            "start 1",
            "append 1 taken 0",
            "start 2",
            "append 1 taken 0",
        ]
    );
}

#[tokio::test]
async fn one_wake_up_is_one_record() {
    let bench = Bench::new();
    let driven = bench.drive(Toy::new(2, 20)).await.expect("it ends");
    assert_eq!(driven.end, End::Finished(Phase::Succeeded));
    let appends: Vec<_> = bench.trace("s").into_iter().collect();
    assert_eq!(appends, ["append 1 taken 0", "append 20 taken 0", "append 20 taken 0"]);
}

#[tokio::test]
async fn the_listener_is_told_what_was_appended() {
    let bench = Bench::new();
    let mut told = Vec::new();
    let driver = Driver::new(Toy::new(2, 2), bench.log.clone(), &bench.backend, &bench.clock);
    driver.drive(pending(), |_, batches| told.extend_from_slice(batches)).await.expect("it ends");
    assert_eq!(told, bench.log.batches());
}

#[tokio::test]
async fn what_a_dead_driver_left_is_looked_at_before_anything_is_done() {
    let mut bench = Bench::new();
    bench.backend.known = vec![(NodeIx(0), ended(0)), (NodeIx(1), ended(1))];
    let run = folded(Toy::new(1, 3), vec![Event::Began]);
    let driven = bench.drive(run).await.expect("it ends");
    assert_eq!(driven.end, End::Finished(Phase::Failed));
    assert_eq!(bench.trace("summary"), ["relist 3", "append 2 taken 0", "start 2", "append 1 taken 0"]);
}

#[tokio::test]
async fn a_run_that_is_over_is_left_alone() {
    let bench = Bench::new();
    let run = folded(Toy::new(1, 1), vec![Event::Began, finished(0)]);
    let driven = bench.drive(run).await.expect("it is over");
    assert_eq!(driven.end, End::Finished(Phase::Succeeded));
    assert_eq!(bench.trace("summary"), Vec::<String>::new());
}

#[tokio::test]
async fn a_log_that_refuses_ends_the_drive_before_the_act() {
    let bench = Bench::new();
    bench.log.appends_left.set(Some(1));
    let error = bench.drive(Toy::new(2, 1)).await.err().expect("it breaks off");
    assert!(matches!(error, DriveError::Store(_)), "{error}");
    assert_eq!(bench.trace("summary"), ["append 1 taken 0", "start 0"]);
}

#[tokio::test]
async fn a_start_that_fails_is_tried_again() {
    let bench = Bench::new();
    bench.backend.start_failures.set(3);
    let driven = bench.drive(Toy::new(1, 1)).await.expect("it ends");
    assert_eq!(driven.end, End::Finished(Phase::Succeeded));
    assert_eq!(bench.trace("s").len(), 2);
    assert_eq!(bench.clock.now.get(), Timestamp(700), "0.1, 0.2 and 0.4 seconds");
}

#[tokio::test]
async fn a_start_that_always_fails_ends_its_node() {
    let bench = Bench::new();
    bench.backend.start_failures.set(8);
    let driven = bench.drive(Toy::new(1, 1)).await.expect("it ends");
    assert_eq!(driven.end, End::Finished(Phase::Error));
    assert_eq!(bench.trace("start").iter().filter(|line| line.starts_with("stop 0")).count(), 1);
    let batches = bench.log.batches();
    let Event::Finished { m, .. } = &batches[1].events[0] else { panic!("{batches:?}") };
    assert_eq!(&**m, "the toy backend failed to start a pod: it sulks");
}

#[tokio::test]
async fn an_unreachable_backend_is_waited_for_and_then_given_up() {
    for (failures, ends) in [(5, true), (12, false)] {
        let bench = Bench::new();
        bench.backend.news_failures.set(failures);
        let result = bench.drive(folded(Toy::new(1, 1), vec![Event::Began])).await;
        match result {
            Ok(driven) => assert!(ends && driven.end == End::Finished(Phase::Succeeded)),
            Err(error) => assert!(!ends && matches!(error, DriveError::Backend(_)), "{error}"),
        }
    }
}

#[tokio::test]
async fn an_interrupted_drive_leaves_its_pods_alone() {
    let mut bench = Bench::new();
    bench.backend.holds = true;
    let driver = Driver::new(Toy::new(1, 2), bench.log.clone(), &bench.backend, &bench.clock);
    let stop = async {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    };
    let driven = driver.drive(stop, |_, _| {}).await.expect("it is interrupted");
    assert_eq!((driven.end, driven.run.phase()), (End::Interrupted, Phase::Running));
    let mut trace = bench.trace("summary Running 0/2");
    trace.sort_unstable();
    assert_eq!(trace, ["append 1 taken 0", "start 0", "start 1"]);
}

#[tokio::test]
async fn a_run_that_waits_for_a_person_can_be_left() {
    let mut bench = Bench::new();
    bench.options.waits_for_people = false;
    let run = folded(Toy::new(2, 1), vec![Event::Began, finished(0), Event::Suspended]);
    assert_eq!(bench.drive(run).await.expect("it is left").end, End::Waiting);

    let mut run = folded(Toy::new(2, 1), vec![Event::Began, finished(0), Event::Suspended]);
    run.timer = Some(Timestamp(5_000));
    assert_eq!(bench.drive(run).await.expect("time makes it go on").end, End::Finished(Phase::Succeeded));
    assert!(bench.clock.now.get() >= Timestamp(5_000));
}

#[tokio::test]
async fn requests_are_recorded_before_they_are_answered() {
    let mut bench = Bench::new();
    bench.options.waits_for_people = false;
    let ask = |id: &str, control| Request { id: RequestId(id.to_owned()), control };
    bench.log.requests.borrow_mut().extend([ask("1", Control::Suspend), ask("2", Control::Terminate)]);
    let driven = bench.drive(Toy::new(2, 1)).await.expect("it is left");
    assert_eq!(driven.end, End::Waiting);
    let trace = bench.trace("summary");
    let recorded = trace.iter().position(|line| line.ends_with("taken 1")).expect("one is obeyed");
    assert_eq!(
        trace[recorded + 1..recorded + 3],
        ["respond 1 Accepted", "respond 2 Refused { reason: \"a toy can only pause\" }"]
    );
}

#[tokio::test]
async fn times_in_the_log_never_decrease() {
    let bench = Bench::new();
    let driver = Driver::new(Toy::new(1, 1), bench.log.clone(), &bench.backend, &bench.clock);
    driver.since(Timestamp(9_000)).drive(pending(), |_, _| {}).await.expect("it ends");
    assert!(bench.log.batches().iter().all(|batch| batch.at >= Timestamp(9_000)));
}

/// A run in a real folder, for what only two processes can do to each other.
struct Shared {
    _folder: tempfile::TempDir,
    store: DirectoryStore,
    name: RunName,
}

impl Shared {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = DirectoryStore::new(folder.path());
        Self { _folder: folder, store, name: RunName::new("toy").expect("a valid name") }
    }

    fn header(&self) -> Header {
        serde_json::from_value(json!({
            "version": 1, "name": self.name, "uid": "u", "createdAt": 0,
            "resolved": {"metadata": {}, "spec": {}},
        }))
        .expect("a header")
    }

    async fn ask(&self, control: Control) -> Result<Outcome, RequestError<std::convert::Infallible>> {
        request(&self.store, &RealClock::new(), &self.name, &control, |stored| Ok(fold(stored))).await
    }
}

fn fold(stored: &Stored) -> Toy {
    let mut run = Toy::new(2, 2);
    stored.records.iter().flat_map(|record| &record.batches).for_each(|batch| run.apply(batch));
    run
}

#[tokio::test]
async fn a_live_driver_obeys_other_processes() {
    let shared = Shared::new();
    let log = shared.store.create(&shared.header()).await.expect("it can be created");
    let (backend, clock) = (Script { holds: true, ..Script::default() }, RealClock::new());
    let drive = Driver::new(Toy::new(2, 2), log, &backend, &clock).drive(pending(), |_, _| {});
    let asked = async {
        let suspended = shared.ask(Control::Suspend).await.expect("an answer");
        let refused = shared.ask(Control::Terminate).await.expect("an answer");
        (suspended, refused)
    };
    let (suspended, refused) = tokio::select! {
        driven = drive => panic!("nothing ends here: {:?}", driven.map(|driven| driven.end)),
        answers = asked => answers,
    };
    assert_eq!(suspended, Outcome { answer: Answer::Accepted, is_driven: true });
    assert!(refused.is_driven && matches!(refused.answer, Answer::Refused { .. }));
    let stored = shared.store.load(&shared.name).await.expect("it can be loaded");
    assert_eq!(stored.records.last().expect("records").batches[0].events, [Event::Suspended]);
}

#[tokio::test]
async fn without_a_driver_the_asker_decides_and_does_nothing() {
    let shared = Shared::new();
    drop(shared.store.create(&shared.header()).await.expect("it can be created"));
    let left = shared.store.ask(&shared.name, &Control::Suspend, Timestamp(1)).await.expect("a dead driver was asked");
    let resume = Control::Resume { selector: String::new(), message: String::new() };
    let outcome = shared.ask(resume).await.expect("an answer");
    assert_eq!(outcome, Outcome { answer: Answer::Accepted, is_driven: false });
    let stored = shared.store.load(&shared.name).await.expect("it can be loaded");
    let events: Vec<_> = stored.records.iter().flat_map(|r| &r.batches).flat_map(|b| b.events.clone()).collect();
    assert_eq!(events, [Event::Suspended, Event::Resumed]);
    assert_eq!(stored.records[0].taken[0], left);
}

#[tokio::test]
async fn two_drivers_cannot_both_hold_a_run() {
    let shared = Shared::new();
    let log = shared.store.create(&shared.header()).await.expect("it can be created");
    assert!(shared.store.acquire(&shared.name).await.is_err());
    let (trace, clock) = (Trace::default(), RealClock::new());
    let backend = Script { trace: Rc::clone(&trace), ..Script::default() };
    let driven = Driver::new(Toy::new(2, 2), log, &backend, &clock).drive(pending(), |_, _| {}).await;
    assert_eq!(driven.expect("it ends").end, End::Finished(Phase::Succeeded));
    assert_eq!(trace.borrow().iter().filter(|line| line.starts_with("start")).count(), 4);
    let (_log, stored) = shared.store.acquire(&shared.name).await.expect("it was let go");
    assert_eq!(fold(&stored).phase(), Phase::Succeeded);
}
