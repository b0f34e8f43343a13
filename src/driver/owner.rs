//! The run and its log in one hand: what comes in is decided, made durable, then told.

use super::clock::{Clock, RunClock};
use super::machine::Machine;
use crate::base::{NodeIx, TimeSpan, Timestamp};
use crate::engine::{Batch, Observation, PodReport};
use crate::store::{Answer, Log, Request, RequestId, StoreError};

/// How many inputs one record takes: what a wake-up brings is one record unless it is more than
/// this, which bounds the length of a line.
const RECORD_INPUTS_MAX: usize = 4096;

/// The least time between two looks at a timer that is due and changes nothing, as while a run is
/// suspended; it doubles with each look in vain, up to the most.
const TIMER_STEP_MIN: TimeSpan = TimeSpan(10);
const TIMER_DOUBLINGS_MAX: u32 = 7;

/// What one wake-up can bring.
#[derive(Debug)]
pub(super) enum Input {
    /// This driver begins.
    Begin,
    /// Another process asks.
    Asked(Request),
    /// A pod was seen.
    Seen(NodeIx, PodReport),
    /// Something that runs share was looked at.
    Told(Observation),
    /// Timers may be due.
    Tick,
}

/// What inputs came to, before it is durable.
#[derive(Default)]
struct Decided {
    batches: Vec<Batch>,
    taken: Vec<RequestId>,
    answers: Vec<(RequestId, Answer)>,
}

/// The only one who changes a run.
pub(super) struct Owner<'a, M, L, C, T> {
    pub(super) run: M,
    pub(super) log: L,
    pub(super) clock: RunClock<'a, C>,
    tell: T,
    /// When a timer is looked at again that was due and changed nothing.
    timer_not_before: Timestamp,
    /// How often in a row it changed nothing.
    timer_vain: u32,
    summary_due: Option<Timestamp>,
    summary_at: Option<Timestamp>,
}

impl<'a, M: Machine, L: Log, C: Clock, T: FnMut(&M, &[Batch])> Owner<'a, M, L, C, T> {
    pub(super) fn new(run: M, log: L, clock: RunClock<'a, C>, tell: T) -> Self {
        let timer_not_before = Timestamp(i64::MIN);
        Self { run, log, clock, tell, timer_not_before, timer_vain: 0, summary_due: None, summary_at: None }
    }

    /// Decides all of `inputs`. When it returns `Ok`, what was decided is durable, and
    /// [`Machine::pending`] may be acted upon.
    pub(super) async fn commit(&mut self, inputs: Vec<Input>) -> Result<(), StoreError> {
        let mut inputs = inputs.into_iter().chain([Input::Tick]).peekable();
        let at = self.clock.now();
        while inputs.peek().is_some() {
            let mut decided = Decided::default();
            for input in inputs.by_ref().take(RECORD_INPUTS_MAX) {
                self.decide(input, at, &mut decided);
            }
            self.record(decided, at).await?;
        }
        self.summarize_if_due(at).await;
        Ok(())
    }

    /// Returns when there is something to do even when nothing comes in.
    pub(super) fn wake(&self) -> Option<Timestamp> {
        let timer = self.run.next_wake().map(|at| at.max(self.timer_not_before));
        timer.into_iter().chain(self.summary_due).min()
    }

    /// Writes the last summary and lets go of the log. Returns the run, and whether that summary
    /// was written.
    pub(super) async fn close(mut self) -> (M, Result<(), StoreError>) {
        let summarized = self.log.summarize(&self.run.summary()).await;
        self.log.release().await;
        (self.run, summarized)
    }

    fn decide(&mut self, input: Input, at: Timestamp, decided: &mut Decided) {
        match input {
            Input::Begin => self.observe(Observation::Begin, at, decided),
            Input::Seen(node, report) => self.observe(Observation::Pod(node, report), at, decided),
            Input::Told(observation) => self.observe(observation, at, decided),
            Input::Tick => self.tick(at, decided),
            Input::Asked(Request { id, control }) => match self.run.check_control(&control) {
                Ok(()) => {
                    self.observe(Observation::Control(control), at, decided);
                    decided.taken.push(id.clone());
                    decided.answers.push((id, Answer::Accepted));
                }
                Err(error) => decided.answers.push((id, Answer::Refused { reason: error.to_string() })),
            },
        }
    }

    fn observe(&mut self, observation: Observation, at: Timestamp, decided: &mut Decided) {
        let events = self.run.decide(observation, at);
        if !events.is_empty() {
            decided.batches.push(Batch { at, events });
        }
    }

    fn tick(&mut self, at: Timestamp, decided: &mut Decided) {
        if !decided.batches.is_empty() {
            // What was waited for in vain may have come.
            self.timer_vain = 0;
        }
        if self.run.next_wake().is_none_or(|wake| wake > at) {
            return;
        }
        let decided_before = decided.batches.len();
        self.observe(Observation::Time, at, decided);
        if decided.batches.len() == decided_before {
            self.timer_not_before = at + TimeSpan(TIMER_STEP_MIN.0 << self.timer_vain.min(TIMER_DOUBLINGS_MAX));
            self.timer_vain += 1;
        }
    }

    /// Appends what was decided as one record, answers who asked, and tells who listens.
    async fn record(&mut self, decided: Decided, at: Timestamp) -> Result<(), StoreError> {
        let Decided { batches, taken, answers } = decided;
        if !batches.is_empty() || !taken.is_empty() {
            self.log.append(&batches, &taken).await?;
            self.summary_due.get_or_insert(self.summary_at.map_or(at, |last| last + self.log.summarize_every()));
            (self.tell)(&self.run, &batches);
        }
        for (id, answer) in answers {
            // The log has it; an answer that cannot be written now is given by the next scan.
            let _ = self.log.respond(&id, &answer).await;
        }
        Ok(())
    }

    async fn summarize_if_due(&mut self, at: Timestamp) {
        if self.summary_due.is_some_and(|due| due <= at) {
            (self.summary_due, self.summary_at) = (None, Some(at));
            // A lost summary is allowed; the last one of a run is not written here.
            let _ = self.log.summarize(&self.run.summary()).await;
        }
    }
}
