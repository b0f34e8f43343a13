//! What all parts of a simulated world share: its time, what is going to happen, its chance, who
//! is dead, and the trace.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::chance::Chance;
use crate::base::{TimeSpan, Timestamp};
use crate::driver::Clock;

/// The time when a world begins; any that is not zero does.
pub(super) const BEGINNING: Timestamp = Timestamp(1_700_000_000_000);

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
    serial: u64,
    agenda: BTreeMap<(Timestamp, u64), Box<dyn FnOnce()>>,
    chance: Chance,
    deaths: Deaths,
    dead: BTreeSet<Pid>,
    /// The processes that can die.
    mortal: BTreeSet<Pid>,
    steps: u64,
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
            serial: 0,
            agenda: BTreeMap::new(),
            chance: Chance::new(seed),
            deaths,
            dead: BTreeSet::new(),
            mortal: BTreeSet::new(),
            steps: 0,
            trace: crc32fast::Hasher::new(),
            lines: keeps_lines.then(Vec::new),
            violations: Vec::new(),
        })))
    }

    pub(super) fn now(&self) -> Timestamp {
        self.0.borrow().now
    }

    /// Draws from the world's chance.
    pub(super) fn draw<T>(&self, draw: impl FnOnce(&mut Chance) -> T) -> T {
        draw(&mut self.0.borrow_mut().chance)
    }

    /// Lets `then` happen at `at`.
    pub(super) fn at(&self, at: Timestamp, then: impl FnOnce() + 'static) -> Appointment {
        let mut state = self.0.borrow_mut();
        state.serial += 1;
        let appointment = (at.max(state.now), state.serial);
        state.agenda.insert(appointment, Box::new(then));
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
                state.now = *at;
            }
            next
        };
        next.map(|(_, then)| then()).is_some()
    }

    /// Lets a driver's process be one that can die.
    pub(super) fn make_mortal(&self, pid: Pid) {
        self.0.borrow_mut().mortal.insert(pid);
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
        state.steps += 1;
        if !state.mortal.contains(&pid) || !state.deaths.strikes(state.steps, &mut state.chance) {
            return true;
        }
        state.dead.insert(pid);
        let line = format!("process {pid} dies at step {}", state.steps);
        state.note(line);
        false
    }

    pub(super) fn steps(&self) -> u64 {
        self.0.borrow().steps
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
    fn note(&mut self, line: String) {
        self.trace.update(&self.now.0.to_le_bytes());
        self.trace.update(line.as_bytes());
        self.keep(line);
    }

    fn keep(&mut self, line: String) {
        let now = self.now.since(BEGINNING).as_secs_f64();
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
