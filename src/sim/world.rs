//! What all parts of a simulated world share: its time, what is going to happen, its chance, who
//! is dead, and the trace.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::time::Instant;

use super::chance::Chance;
use crate::base::{TimeSpan, Timestamp};
use crate::driver::Clock;

/// The time when a world begins; any that is not zero does.
pub(super) const BEGINNING: Timestamp = Timestamp(1_700_000_000_000);

/// How long a world may last: every fault is over long before, and every run.
const LIFE_MAX: TimeSpan = TimeSpan::from_secs(2 * 3600);

/// A process of the simulated machine; each life of a driver is a new one.
pub(super) type Pid = u32;

/// When drivers die.
#[derive(Debug, Clone)]
pub(super) enum Deaths {
    /// At these steps of the world.
    At(BTreeSet<u64>),
    /// At any step, so often in a thousand, and so many times at most.
    ByChance { in_thousand: u64, left: u32 },
}

/// The shared part of a world.
#[derive(Clone)]
pub(super) struct World(Rc<RefCell<State>>);

struct State {
    now: Timestamp,
    /// When the world began by tokio's clock, where that is the world's clock too.
    origin: Option<Instant>,
    /// Whom to wake when something is to happen.
    waker: Option<Waker>,
    /// The processes that stand still, and until when.
    paused: BTreeMap<Pid, Timestamp>,
    /// The processes that ever stood still.
    stood_still: BTreeSet<Pid>,
    /// How often each kind of fault happened.
    counts: BTreeMap<String, u64>,
    serial: u64,
    agenda: BTreeMap<(Timestamp, u64), Box<dyn FnOnce()>>,
    chance: Chance,
    deaths: Deaths,
    dead: BTreeSet<Pid>,
    pids: Pid,
    /// The processes that can die.
    mortal: BTreeSet<Pid>,
    steps: u64,
    polls: u64,
    trace: crc32fast::Hasher,
    lines: Option<Vec<String>>,
    violations: Vec<String>,
}

/// Something that is going to happen, for taking it back.
pub(super) type Appointment = (Timestamp, u64);

impl World {
    pub(super) fn new(seed: u64, deaths: Deaths, keeps_lines: bool) -> Self {
        Self(Rc::new(RefCell::new(State {
            now: BEGINNING,
            origin: None,
            waker: None,
            paused: BTreeMap::new(),
            stood_still: BTreeSet::new(),
            counts: BTreeMap::new(),
            serial: 0,
            agenda: BTreeMap::new(),
            chance: Chance::new(seed),
            deaths,
            dead: BTreeSet::new(),
            pids: 0,
            mortal: BTreeSet::new(),
            steps: 0,
            polls: 0,
            trace: crc32fast::Hasher::new(),
            lines: keeps_lines.then(Vec::new),
            violations: Vec::new(),
        })))
    }

    /// Returns a world whose clock is that of the tokio runtime that this is called in, which is paused:
    /// it goes on when nobody has anything left to do.
    pub(super) fn in_virtual_time(seed: u64, deaths: Deaths, keeps_lines: bool) -> Self {
        let world = Self::new(seed, deaths, keeps_lines);
        world.0.borrow_mut().origin = Some(Instant::now());
        world
    }

    pub(super) fn now(&self) -> Timestamp {
        self.0.borrow().now()
    }

    /// Returns when the next thing happens.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.0.borrow().agenda.first_key_value().map(|((at, _), _)| *at)
    }

    /// Sets whom to wake when something is to happen.
    pub(super) fn wake_by(&self, waker: &Waker) {
        self.0.borrow_mut().waker = Some(waker.clone());
    }

    /// Lets a process stand still until `until`, as one whose machine does not let it run.
    pub(super) fn pause(&self, pid: Pid, until: Timestamp) {
        self.note(|| format!("process {pid} stands still until {}", until.since(BEGINNING)));
        self.0.borrow_mut().paused.insert(pid, until);
        self.0.borrow_mut().stood_still.insert(pid);
        self.at(until, || {});
    }

    /// Returns whether a process ever stood still.
    pub(super) fn has_stood_still(&self, pid: Pid) -> bool {
        self.0.borrow().stood_still.contains(&pid)
    }

    /// Returns when a process goes on: now, unless it stands still.
    pub(super) fn goes_on_at(&self, pid: Pid) -> Timestamp {
        let state = self.0.borrow();
        state.paused.get(&pid).copied().unwrap_or_default().max(state.now())
    }

    /// Returns whether the world is so old that nothing good comes any more.
    pub(super) fn has_lasted_too_long(&self) -> bool {
        self.now() > BEGINNING + LIFE_MAX
    }

    /// Counts a fault of some kind.
    pub(super) fn count(&self, kind: impl Into<String>) {
        *self.0.borrow_mut().counts.entry(kind.into()).or_default() += 1;
    }

    /// Returns how often each kind of fault happened.
    pub(super) fn counts(&self) -> BTreeMap<String, u64> {
        self.0.borrow().counts.clone()
    }

    /// Draws from the world's chance.
    pub(super) fn draw<T>(&self, draw: impl FnOnce(&mut Chance) -> T) -> T {
        draw(&mut self.0.borrow_mut().chance)
    }

    /// Lets `then` happen at `at`.
    pub(super) fn at(&self, at: Timestamp, then: impl FnOnce() + 'static) -> Appointment {
        let mut state = self.0.borrow_mut();
        state.serial += 1;
        let appointment = (at.max(state.now()), state.serial);
        state.agenda.insert(appointment, Box::new(then));
        state.waker.iter().for_each(Waker::wake_by_ref);
        appointment
    }

    pub(super) fn cancel(&self, appointment: Appointment) {
        self.0.borrow_mut().agenda.remove(&appointment);
    }

    /// Lets the next thing happen; false when there is none.
    pub(super) fn go_on(&self) -> bool {
        let next = {
            let mut state = self.0.borrow_mut();
            let next = state.agenda.pop_first();
            if let Some(((at, _), _)) = &next {
                state.now = (*at).max(state.now);
            }
            next
        };
        next.map(|(_, then)| then()).is_some()
    }

    /// Returns the number of a process that begins, which may be one that can die.
    pub(super) fn begin_process(&self, is_mortal: bool) -> Pid {
        let state = &mut *self.0.borrow_mut();
        state.pids += 1;
        if is_mortal {
            state.mortal.insert(state.pids);
        }
        state.pids
    }

    /// Ends the world: what was still going to happen does not.
    pub(super) fn end(&self) {
        let agenda = std::mem::take(&mut self.0.borrow_mut().agenda);
        drop(agenda);
    }

    pub(super) fn is_dead(&self, pid: Pid) -> bool {
        self.0.borrow().dead.contains(&pid)
    }

    /// Marks a step at which a process may die, and returns whether it is alive after it. What a
    /// dead process does from here has no effect.
    pub(super) fn step(&self, pid: Pid) -> bool {
        let state = &mut *self.0.borrow_mut();
        if state.dead.contains(&pid) {
            return false;
        }
        state.polls += 1;
        if !state.mortal.contains(&pid) {
            return true;
        }
        state.steps += 1;
        if !state.deaths.strikes(state.steps, &mut state.chance) {
            return true;
        }
        state.dead.insert(pid);
        *state.counts.entry("death of a driver".to_owned()).or_default() += 1;
        let line = format!("process {pid} dies at step {}", state.steps);
        state.note(line);
        false
    }

    /// Returns how many steps there were at which a process could die.
    pub(super) fn steps(&self) -> u64 {
        self.0.borrow().steps
    }

    /// Returns how many steps there were in all.
    pub(super) fn polls(&self) -> u64 {
        self.0.borrow().polls
    }

    /// Returns how many processes have died.
    pub(super) fn deaths(&self) -> u32 {
        self.0.borrow().dead.len() as u32
    }

    /// Writes into the trace.
    pub(super) fn note(&self, line: impl FnOnce() -> String) {
        self.0.borrow_mut().note(line());
    }

    /// Writes into the trace what its checksum does not need, when the trace is kept.
    pub(super) fn detail(&self, line: impl FnOnce() -> String) {
        let state = &mut *self.0.borrow_mut();
        if state.lines.is_some() {
            state.keep(line());
        }
    }

    /// Records that an invariant does not hold.
    pub(super) fn violation(&self, text: String) {
        let state = &mut *self.0.borrow_mut();
        state.note(format!("VIOLATION: {text}"));
        state.violations.push(text);
    }

    pub(super) fn violations(&self) -> Vec<String> {
        self.0.borrow().violations.clone()
    }

    /// Returns the checksum of the trace so far.
    pub(super) fn trace_hash(&self) -> u32 {
        self.0.borrow().trace.clone().finalize()
    }

    /// Returns the trace, when it is kept.
    pub(super) fn lines(&self) -> Vec<String> {
        self.0.borrow().lines.clone().unwrap_or_default()
    }

    /// Waits for a while.
    pub(super) fn sleep(&self, span: TimeSpan) -> Sleep {
        Sleep { world: self.clone(), at: self.now() + span, appointment: None }
    }
}

impl State {
    fn now(&self) -> Timestamp {
        match self.origin {
            Some(origin) => BEGINNING + TimeSpan(origin.elapsed().as_millis() as u64),
            None => self.now,
        }
    }

    fn note(&mut self, line: String) {
        self.trace.update(&self.now().0.to_le_bytes());
        self.trace.update(line.as_bytes());
        self.keep(line);
    }

    fn keep(&mut self, line: String) {
        let now = self.now().since(BEGINNING).as_secs_f64();
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{now:>10.3} {line}"));
        }
    }
}

impl Deaths {
    fn strikes(&mut self, step: u64, chance: &mut Chance) -> bool {
        match self {
            Deaths::At(steps) => steps.contains(&step),
            Deaths::ByChance { left: 0, .. } => false,
            Deaths::ByChance { in_thousand, left } => {
                let strikes = chance.in_thousand(*in_thousand);
                *left -= u32::from(strikes);
                strikes
            }
        }
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        World::now(self)
    }

    fn sleep_until(&self, at: Timestamp) -> impl Future<Output = ()> {
        Sleep { world: self.clone(), at, appointment: None }
    }
}

/// Waits until a time of the world.
pub(super) struct Sleep {
    world: World,
    at: Timestamp,
    appointment: Option<Appointment>,
}

impl Sleep {
    fn forget(&mut self) {
        if let Some(appointment) = self.appointment.take() {
            self.world.cancel(appointment);
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.forget();
        if self.world.now() >= self.at {
            return Poll::Ready(());
        }
        let waker = context.waker().clone();
        self.appointment = Some(self.world.at(self.at, move || waker.wake()));
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.forget();
    }
}
