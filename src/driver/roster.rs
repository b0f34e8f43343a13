//! Which runs a controller drives, and which it looks at later. Pure.
//!
//! What it is told may repeat or be late: a run that needs nobody is found out by driving it, which is
//! harmless. Others may drive runs of the namespace too; those are looked at again after a while, and as
//! soon as their drivers let go.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::base::{RunName, TimeSpan, Timestamp};

/// How often a run that another process drives is looked at: that costs its driver a write.
const LOOK_EVERY: TimeSpan = TimeSpan::from_secs(30);

/// The first pause after a run could not be driven; it doubles up to the most.
const PAUSE_MIN: TimeSpan = TimeSpan::from_secs(5);
const PAUSE_DOUBLINGS_MAX: u32 = 6;

/// What came of driving a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It has ended, or is gone.
    Over,
    /// Another process drives it.
    Held,
    /// Only a person can make it go on.
    Waits,
    /// It could not be driven.
    Failed,
    /// The controller itself stops.
    Stopped,
}

/// Which of the runs that wait comes first: that of the highest priority, and the oldest of these. Source:
/// Argo's throttler, `sync/throttler.go`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rank {
    /// Its `spec.priority`, 0 unless given.
    pub priority: i32,
    /// When it was submitted.
    pub created_at: Timestamp,
}

impl Rank {
    /// Returns what is smallest for the first.
    fn order(self) -> (Reverse<i32>, Timestamp) {
        (Reverse(self.priority), self.created_at)
    }
}

/// The runs that have not ended, as far as is known.
#[derive(Debug, Default)]
pub struct Roster {
    runs: BTreeMap<RunName, Entry>,
    at_once: usize,
}

#[derive(Debug)]
struct Entry {
    rank: Rank,
    state: State,
    /// How often in a row it could not be driven.
    failures: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It waits for its turn.
    Due,
    /// It is driven from here; the flag says that something happened to it meanwhile.
    Driven(bool),
    /// It is looked at again then.
    Later(Timestamp),
    /// It waits for a person.
    Waits,
}

impl Roster {
    /// Returns the roster of a controller that drives `at_once` runs.
    pub fn new(at_once: usize) -> Self {
        Self { runs: BTreeMap::new(), at_once }
    }

    /// Takes the news that a run is there and has not ended, or has changed.
    pub fn seen(&mut self, run: RunName, rank: Rank) {
        let entry = self.runs.entry(run).or_insert(Entry { rank, state: State::Due, failures: 0 });
        entry.rank = rank;
        match entry.state {
            // What was waited for may have come.
            State::Waits => entry.state = State::Due,
            State::Driven(_) => entry.state = State::Driven(true),
            // A driver of others changes its run all the time.
            State::Due | State::Later(_) => {}
        }
    }

    /// Takes the news that a run has ended, or is gone. One that is driven from here finds out itself.
    pub fn gone(&mut self, run: &RunName) {
        if self.runs.get(run).is_some_and(|entry| !matches!(entry.state, State::Driven(_))) {
            self.runs.remove(run);
        }
    }

    /// Takes the list of all runs that have not ended.
    pub fn listed(&mut self, there: &BTreeSet<RunName>) {
        let missing: Vec<RunName> = self.runs.keys().filter(|run| !there.contains(*run)).cloned().collect();
        missing.iter().for_each(|run| self.gone(run));
    }

    /// Takes the news that the driver of a run has let go.
    pub fn freed(&mut self, run: &RunName) {
        if let Some(entry) = self.runs.get_mut(run).filter(|entry| matches!(entry.state, State::Later(_))) {
            entry.state = State::Due;
        }
    }

    /// Returns the run to be driven next, by its rank, and counts it as driven.
    pub fn next(&mut self, at: Timestamp) -> Option<RunName> {
        let driven = self.runs.values().filter(|entry| matches!(entry.state, State::Driven(_))).count();
        if driven >= self.at_once {
            return None;
        }
        let due = self.runs.iter_mut().filter(|(_, entry)| match entry.state {
            State::Due => true,
            State::Later(when) => when <= at,
            State::Driven(_) | State::Waits => false,
        });
        let (run, entry) = due.min_by_key(|(run, entry)| (entry.rank.order(), (*run).clone()))?;
        entry.state = State::Driven(false);
        Some(run.clone())
    }

    /// Takes what came of driving a run.
    pub fn ended(&mut self, run: &RunName, outcome: Outcome, at: Timestamp) {
        let Some(entry) = self.runs.get_mut(run) else { return };
        let has_changed = entry.state == State::Driven(true);
        entry.failures = if outcome == Outcome::Failed { entry.failures + 1 } else { 0 };
        entry.state = match outcome {
            Outcome::Over => {
                self.runs.remove(run);
                return;
            }
            Outcome::Held => State::Later(at + LOOK_EVERY),
            Outcome::Failed => {
                let doublings = (entry.failures - 1).min(PAUSE_DOUBLINGS_MAX);
                State::Later(at + TimeSpan(PAUSE_MIN.0 << doublings))
            }
            // The last thing that a driver does is to change the run, which is no news.
            Outcome::Waits if !has_changed => State::Waits,
            Outcome::Waits => State::Later(at + PAUSE_MIN),
            Outcome::Stopped => State::Due,
        };
    }

    /// Returns when a run is to be looked at by time alone.
    pub fn wake(&self) -> Option<Timestamp> {
        let later = self.runs.values().filter_map(|entry| match entry.state {
            State::Later(when) => Some(when),
            _ => None,
        });
        later.min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(name: &str) -> RunName {
        RunName::new(name).expect("a name")
    }

    /// Plays a script, one step a line, with what is begun after it: `0 seen a: a`.
    fn check(at_once: usize, script: &str) {
        let mut roster = Roster::new(at_once);
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (step, expected) = line.split_once(':').expect("step: what is begun");
            let words: Vec<&str> = step.split_whitespace().collect();
            let at = Timestamp(words[0].parse::<i64>().expect("seconds") * 1000);
            let name = || run(words[2]);
            match words[1] {
                "seen" => {
                    let priority = words.get(3).map_or(0, |word| word.parse().expect("a priority"));
                    let created_at = Timestamp(i64::from(words[2].as_bytes()[0]));
                    roster.seen(name(), Rank { priority, created_at });
                }
                "gone" => roster.gone(&name()),
                "freed" => roster.freed(&name()),
                "listed" => roster.listed(&words[2..].iter().map(|name| run(name)).collect()),
                "over" => roster.ended(&name(), Outcome::Over, at),
                "held" => roster.ended(&name(), Outcome::Held, at),
                "waits" => roster.ended(&name(), Outcome::Waits, at),
                "failed" => roster.ended(&name(), Outcome::Failed, at),
                "stopped" => roster.ended(&name(), Outcome::Stopped, at),
                "later" => {}
                other => panic!("no step {other}"),
            }
            let begun: Vec<String> = std::iter::from_fn(|| roster.next(at)).map(|run| run.to_string()).collect();
            assert_eq!(begun.join(" "), expected.trim(), "{line}");
        }
    }

    #[test]
    fn as_many_runs_as_may_be_are_driven_the_oldest_first() {
        check(2, "0 seen c: c\n 0 seen b: b\n 0 seen d:\n 0 seen a:\n 1 over c: a\n 2 over a: d\n 3 seen d:");
    }

    #[test]
    fn of_those_that_wait_the_highest_priority_comes_first() {
        check(1, "0 seen x: x\n 0 seen b:\n 0 seen a -1:\n 0 seen c 5:\n 1 over x: c\n 2 over c: b\n 3 over b: a");
        // A retry or an edit may have changed it.
        check(1, "0 seen x: x\n 0 seen a:\n 0 seen b:\n 0 seen b 1:\n 1 over x: b");
    }

    #[test]
    fn a_run_of_another_driver_is_looked_at_later_or_when_it_is_let_go() {
        check(9, "0 seen a: a\n 0 held a:\n 1 seen a:\n 29 later:\n 30 later: a\n 31 held a:\n 32 freed a: a");
        check(9, "0 seen a: a\n 0 held a:\n 1 gone a:\n 60 later:");
    }

    #[test]
    fn a_run_that_waits_for_a_person_takes_no_place() {
        check(
            1,
            "0 seen a: a\n 0 seen b:\n 1 waits a: b\n 2 seen a:\n 3 over b: a\n 4 waits a:\n 99 later:\n 99 seen a: a",
        );
        // Something happened while it was let go: it is looked at once more.
        check(1, "0 seen a: a\n 1 seen a:\n 1 waits a:\n 6 later: a\n 7 waits a:\n 99 later:");
    }

    #[test]
    fn what_cannot_be_driven_is_tried_less_and_less_often() {
        check(
            9,
            "0 seen a: a\n 0 failed a:\n 4 seen a:\n 5 later: a\n 5 failed a:\n 14 later:\n 15 later: a\n 16 over a:",
        );
        let mut roster = Roster::new(1);
        roster.seen(run("a"), Rank::default());
        for _ in 0..99 {
            assert!(roster.next(Timestamp(i64::MAX)).is_some());
            roster.ended(&run("a"), Outcome::Failed, Timestamp(0));
        }
        assert_eq!(roster.wake(), Some(Timestamp(320_000)));
    }

    #[test]
    fn a_run_that_is_driven_is_forgotten_only_by_its_end() {
        check(9, "0 seen a: a\n 1 gone a:\n 2 stopped a: a\n 3 listed b:\n 4 over a:\n 5 listed a:");
    }
}
