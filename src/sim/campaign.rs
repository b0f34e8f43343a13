//! Many seeds: which scenario each is, what is checked of it, and the sum of what happened.

use std::collections::BTreeMap;

use super::generate::generated;
use super::kubernetes::{Weather, check_cluster_seed, run_cluster_seed};
use super::scenarios::scenarios;
use super::seed::{Faults, Report, Scenario, check_seed, run_seed};

/// Where a history takes place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On a machine, with the store of folders.
    Local,
    /// In a cluster.
    Cluster,
}

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
            _ => ("generated".to_owned(), generated(seed)),
        }
    }
}

/// What came of many seeds.
#[derive(Debug, Default)]
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
}

impl Tally {
    /// Takes in what came of a seed.
    pub fn add(&mut self, seed: u64, scenario: String, report: &Report) {
        self.seeds += 1;
        self.pods += u64::from(report.pods);
        self.calls += report.calls;
        for (kind, times) in &report.counts {
            *self.faults.entry(kind.clone()).or_default() += times;
        }
        if !report.violations.is_empty() {
            self.failed.push((seed, scenario, report.violations.clone()));
        }
    }

    /// Takes in another sum.
    pub fn merge(&mut self, other: Tally) {
        self.seeds += other.seeds;
        self.pods += other.pods;
        self.calls += other.calls;
        other.faults.into_iter().for_each(|(kind, times)| *self.faults.entry(kind).or_default() += times);
        self.failed.extend(other.failed);
    }
}

/// Checks one seed.
pub fn check(place: Place, seed: u64, scenario: &Scenario) -> Report {
    match place {
        Place::Local => check_seed(seed, scenario),
        Place::Cluster => check_cluster_seed(seed, scenario),
    }
}

/// Returns all that happens in a seed, line by line.
pub fn trace(place: Place, seed: u64, scenario: &Scenario) -> Vec<String> {
    let report = match place {
        Place::Local => run_seed(seed, scenario, &Faults { keeps_trace: true, ..Faults::of(seed) }),
        Place::Cluster => run_cluster_seed(seed, scenario, &Weather { keeps_trace: true, ..Weather::of(seed) }),
    };
    report.trace
}
