//! What breaks in one history, in either world; and what breaks a little less.

use super::campaign::Place;
use super::kubernetes::{Weather, check_cluster_seed, run_cluster_seed};
use super::seed::{Faults, Report, Scenario, check_seed, run_seed};

/// What breaks in one history.
#[derive(Debug, Clone, PartialEq)]
pub enum Breaks {
    /// On a machine.
    Local(Faults),
    /// In a cluster.
    Cluster(Weather),
}

impl Breaks {
    /// Returns what a seed decides.
    pub fn of(place: Place, seed: u64) -> Self {
        match place {
            Place::Local => Self::Local(Faults::of(seed)),
            Place::Cluster => Self::Cluster(Weather::of(seed)),
        }
    }

    /// Runs one history.
    pub fn run(&self, seed: u64, scenario: &Scenario) -> Report {
        match self {
            Self::Local(faults) => run_seed(seed, scenario, faults),
            Self::Cluster(weather) => run_cluster_seed(seed, scenario, weather),
        }
    }

    /// Runs one history, and compares it with the one in which nothing breaks.
    pub fn check(&self, seed: u64, scenario: &Scenario) -> Report {
        match self {
            Self::Local(faults) => check_seed(seed, scenario, faults),
            Self::Cluster(weather) => check_cluster_seed(seed, scenario, weather),
        }
    }

    /// Returns all that happens, line by line.
    pub fn trace(&self, seed: u64, scenario: &Scenario) -> Vec<String> {
        let telling = match self.clone() {
            Self::Local(faults) => Self::Local(Faults { keeps_trace: true, ..faults }),
            Self::Cluster(weather) => Self::Cluster(Weather { keeps_trace: true, ..weather }),
        };
        telling.run(seed, scenario).trace
    }

    /// Returns the same with one kind of break left out, or rarer.
    pub(super) fn easier(&self) -> Vec<Self> {
        let all: Vec<Self> = match self {
            Self::Local(faults) => faults.easier().into_iter().map(Self::Local).collect(),
            Self::Cluster(weather) => weather.easier().into_iter().map(Self::Cluster).collect(),
        };
        all.into_iter().filter(|easier| easier != self).collect()
    }
}

/// Returns copies of `of`, each changed in one way.
pub(super) fn each<T: Clone>(of: &T, changes: &[fn(&mut T)]) -> Vec<T> {
    let changed = |change: &fn(&mut T)| {
        let mut copy = of.clone();
        change(&mut copy);
        copy
    };
    changes.iter().map(changed).collect()
}
