//! Many seeds: which scenario each is, what is checked of it, and the sum of what happened.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::breaks::Breaks;
use super::generate::generated;
use super::scenarios::scenarios;
use super::seed::{Report, Scenario};
use super::shrink::Failure;

/// Where a history takes place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On a machine, with the store of folders.
    Local,
    /// In a cluster.
    Cluster,
}

/// The name of scenarios that a seed makes.
const GENERATED: &str = "generated";

/// The scenarios of seeds: the fixed ones, and those that a seed makes.
pub struct Scenarios {
    fixed: Vec<(&'static str, Scenario)>,
}

impl Default for Scenarios {
    fn default() -> Self {
        Self { fixed: scenarios() }
    }
}

impl Scenarios {
    /// Returns the scenario of a seed with its name: of three, one is fixed.
    pub fn of(&self, seed: u64) -> (String, Scenario) {
        match seed % 3 {
            0 => {
                let (name, scenario) = &self.fixed[(seed / 3) as usize % self.fixed.len()];
                ((*name).to_owned(), scenario.clone())
            }
            _ => (GENERATED.to_owned(), generated(seed)),
        }
    }
}

/// What came of many seeds.
#[derive(Default)]
pub struct Tally {
    /// How many there were.
    pub seeds: u64,
    /// How many pods ran, and how many drivers died.
    pub pods: u64,
    /// How many requests the API server got.
    pub calls: u64,
    /// How often each kind of fault happened.
    pub faults: BTreeMap<String, u64>,
    /// The seeds in which an invariant did not hold, each with its scenario and what did not hold.
    pub failed: Vec<(u64, String, Vec<String>)>,
    /// The first of them.
    pub first: Option<Failure>,
}

impl Tally {
    /// Takes in what came of a history in the scenario of that name.
    pub fn add(&mut self, name: String, seed: u64, breaks: &Breaks, scenario: &Scenario, report: &Report) {
        self.seeds += 1;
        self.pods += u64::from(report.pods);
        self.calls += report.calls;
        for (kind, times) in &report.counts {
            *self.faults.entry(kind.clone()).or_default() += times;
        }
        if !report.violations.is_empty() {
            let failure = || Failure::of(seed, breaks, scenario, name == GENERATED, report);
            self.first = self.first.take().or_else(failure);
            self.failed.push((seed, name, report.violations.clone()));
        }
    }

    /// Takes in another sum.
    pub fn merge(&mut self, other: Tally) {
        self.seeds += other.seeds;
        self.pods += other.pods;
        self.calls += other.calls;
        other.faults.into_iter().for_each(|(kind, times)| *self.faults.entry(kind).or_default() += times);
        self.failed.extend(other.failed);
        self.first = self.first.take().or(other.first);
    }
}

/// Runs these seeds, as far as the names of their scenarios contain `only`.
/// With `fails_fast`, no seed is begun after one that failed.
pub fn by_chance(place: Place, seeds: Range<u64>, only: &str, threads: u64, fails_fast: bool) -> Tally {
    let (next, has_failed) = (AtomicU64::new(seeds.start), AtomicBool::new(false));
    let work = || {
        let (scenarios, mut tally) = (Scenarios::default(), Tally::default());
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end || (fails_fast && has_failed.load(Ordering::Relaxed)) {
                return tally;
            }
            let (name, scenario) = scenarios.of(seed);
            if name.contains(only) {
                let breaks = Breaks::of(place, seed);
                let report = breaks.check(seed, &scenario);
                tally.add(name, seed, &breaks, &scenario, &report);
                has_failed.fetch_or(!tally.failed.is_empty(), Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        let mut sum = Tally::default();
        threads.into_iter().for_each(|thread| sum.merge(thread.join().expect("a history panicked")));
        sum
    })
}
