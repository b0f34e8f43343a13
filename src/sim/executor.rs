//! Runs the processes of a world, one poll at a time, in an order that chance decides, until none
//! of them has anything left to do.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;
use tokio::time::Instant;

use super::world::{Pid, World};
use crate::base::TimeSpan;

/// What a process does.
pub(super) type Life = Pin<Box<dyn Future<Output = ()>>>;

/// How long it takes until somebody notices that a driver died, at most.
const RESTART_MILLIS_MAX: u64 = 3_000;

/// How many steps a world may take: above it, it is taken for one that never ends.
const STEPS_MAX: u64 = 2_000_000;

/// A process, or the place of one that died and comes again.
pub(super) struct Process {
    /// Begins a life, in a process of that number.
    begin: Box<dyn Fn(Pid) -> Life>,
    /// Whether it can die, and comes again.
    is_mortal: bool,
    life: Option<(Pid, Life)>,
    is_done: bool,
    /// Whether nobody waits for its end.
    is_background: bool,
    woken: Arc<Flag>,
}

/// Whether a process is woken, and who is to know.
struct Flag(AtomicBool, AtomicWaker);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
        self.1.wake();
    }
}

impl Process {
    pub(super) fn new(is_mortal: bool, begin: impl Fn(Pid) -> Life + 'static) -> Self {
        let woken = Arc::new(Flag(AtomicBool::new(true), AtomicWaker::new()));
        Self { begin: Box::new(begin), is_mortal, life: None, is_done: false, is_background: false, woken }
    }

    /// Returns a process that goes on for ever, and whose end nobody waits for.
    pub(super) fn in_background(begin: impl Fn(Pid) -> Life + 'static) -> Self {
        Self { is_background: true, ..Self::new(false, begin) }
    }

    fn is_woken(&self) -> bool {
        !self.is_done && self.woken.0.load(Ordering::Relaxed)
    }
}

/// Runs `processes` to their ends in a tokio runtime whose clock is the world's. What they spawn is run
/// by tokio, in the order in which it is woken. `before` is called before each step of a process that can
/// die.
pub(super) async fn run_in_virtual_time(world: &World, processes: &mut [Process], mut before: impl FnMut(Pid)) {
    let mut timer = pin!(tokio::time::sleep_until(Instant::now()));
    poll_fn(|context| {
        world.wake_by(context.waker());
        processes.iter().for_each(|process| process.woken.1.register(context.waker()));
        while processes.iter().any(|process| !process.is_done && !process.is_background) {
            let now = world.now();
            let may_run = |process: &Process| {
                process.is_woken() && process.life.as_ref().is_none_or(|(pid, _)| world.goes_on_at(*pid) <= now)
            };
            let woken: Vec<usize> = (0..processes.len()).filter(|&at| may_run(&processes[at])).collect();
            let next = world.next_at();
            if next.is_some_and(|at| at <= now) {
                world.go_on();
            } else if !woken.is_empty() {
                let chosen = &mut processes[woken[world.draw(|chance| chance.below(woken.len() as u64)) as usize]];
                if let (true, Some((pid, _))) = (chosen.is_mortal, &chosen.life) {
                    before(*pid);
                }
                poll(world, chosen, &mut || {});
            } else {
                let left = next.map_or(std::time::Duration::MAX / 4, |at| at.since(now).to_std());
                timer.as_mut().reset(Instant::now() + left.min(IDLE_MAX));
                if timer.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
            }
            if world.polls() > STEPS_MAX || world.has_lasted_too_long() {
                world.violation("the run does not end".to_owned());
                return Poll::Ready(());
            }
        }
        Poll::Ready(())
    })
    .await;
}

/// The longest sleep of the executor: so a world in which nothing happens any more is noticed.
const IDLE_MAX: std::time::Duration = std::time::Duration::from_secs(3600);

/// Runs `processes` to their ends. `bury` is called after each death.
pub(super) fn run(world: &World, processes: &mut [Process], mut bury: impl FnMut()) {
    while processes.iter().any(|process| !process.is_done) {
        let woken: Vec<usize> = (0..processes.len()).filter(|&at| processes[at].is_woken()).collect();
        if woken.is_empty() {
            if !world.go_on() {
                world.violation("nothing happens any more, and the run has not ended".to_owned());
                return;
            }
            continue;
        }
        if world.polls() > STEPS_MAX {
            world.violation(format!("the run has not ended after {STEPS_MAX} steps"));
            return;
        }
        let chosen = woken[world.draw(|chance| chance.below(woken.len() as u64)) as usize];
        poll(world, &mut processes[chosen], &mut bury);
    }
}

fn poll(world: &World, process: &mut Process, bury: &mut impl FnMut()) {
    process.woken.0.store(false, Ordering::Relaxed);
    let (pid, life) = process.life.get_or_insert_with(|| {
        let pid = world.begin_process(process.is_mortal);
        (pid, (process.begin)(pid))
    });
    let waker = Waker::from(process.woken.clone());
    let polled = life.as_mut().poll(&mut Context::from_waker(&waker));
    // Every await is a place to die at.
    if !world.step(*pid) {
        process.life = None;
        bury();
        let at = world.now() + TimeSpan(world.draw(|chance| chance.below(RESTART_MILLIS_MAX)));
        world.at(at, move || waker.wake());
    } else if polled == Poll::Ready(()) {
        process.life = None;
        process.is_done = true;
    }
}
