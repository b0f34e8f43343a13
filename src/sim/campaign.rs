//! Many seeds: which scenario each is, what is checked of it, and the sum of what happened.

use std::collections::BTreeMap;

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
