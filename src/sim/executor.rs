//! Runs the processes of a world, one poll at a time, in an order that chance decides, until none
//! of them has anything left to do.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

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
    woken: Arc<Flag>,
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Process {
    pub(super) fn new(is_mortal: bool, begin: impl Fn(Pid) -> Life + 'static) -> Self {
        let woken = Arc::new(Flag(AtomicBool::new(true)));
        Self { begin: Box::new(begin), is_mortal, life: None, is_done: false, woken }
    }

    fn is_woken(&self) -> bool {
        !self.is_done && self.woken.0.load(Ordering::Relaxed)
    }
}

/// Runs `processes` to their ends. `bury` is called after each death.
pub(super) fn run(world: &World, processes: &mut [Process], mut bury: impl FnMut()) {
    let mut pids: Pid = 0;
    while processes.iter().any(|process| !process.is_done) {
        let woken: Vec<usize> = (0..processes.len()).filter(|&at| processes[at].is_woken()).collect();
        if woken.is_empty() {
            if !world.go_on() {
                world.violation("nothing happens any more, and the run has not ended".to_owned());
                return;
            }
            continue;
        }
        if world.steps() > STEPS_MAX {
            world.violation(format!("the run has not ended after {STEPS_MAX} steps"));
            return;
        }
        let chosen = woken[world.draw(|chance| chance.below(woken.len() as u64)) as usize];
        poll(world, &mut processes[chosen], &mut pids, &mut bury);
    }
}

fn poll(world: &World, process: &mut Process, pids: &mut Pid, bury: &mut impl FnMut()) {
    process.woken.0.store(false, Ordering::Relaxed);
    let (pid, life) = process.life.get_or_insert_with(|| {
        *pids += 1;
        if process.is_mortal {
            world.make_mortal(*pids);
        }
        (*pids, (process.begin)(*pids))
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
