//! What chance does not reach: a break at each place of a history in turn, compared with the history
//! in which nothing breaks.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::breaks::Breaks;
use super::campaign::{Place, Tally};
use super::kubernetes::{Mode, Tampering, Trouble, Weather, run_cluster_seed};
use super::scenarios::scenarios;
use super::seed::{Faults, Report, Scenario, differences, run_seed};

/// The seed of all these histories: they differ in what breaks alone.
const SEED: u64 = 7;

/// One history to be run.
struct Case {
    what: String,
    scenario: Scenario,
    expected: Report,
    breaks: Breaks,
}

/// Runs all of them, for the fixed scenarios whose names contain `only`.
/// With `fails_fast`, the first failure is the last history.
pub fn exhaustive(place: Place, only: &str, threads: u64, fails_fast: bool) -> Tally {
    let mut tally = Tally::default();
    for (name, scenario) in scenarios().into_iter().filter(|(name, _)| name.contains(only)) {
        let cases = match place {
            Place::Local => local_cases(name, &scenario),
            Place::Cluster => {
                [Mode::Plain, Mode::Managed].into_iter().flat_map(|mode| cluster_cases(name, &scenario, mode)).collect()
            }
        };
        tally.merge(run_all(&cases, threads, fails_fast));
        if fails_fast && !tally.failed.is_empty() {
            break;
        }
    }
    tally
}

fn local_cases(name: &str, scenario: &Scenario) -> Vec<Case> {
    let expected = run_seed(SEED, scenario, &Faults::none());
    let case = |what: String, faults| Case {
        what: format!("{name}, {what}"),
        scenario: scenario.clone(),
        expected: expected.clone(),
        breaks: Breaks::Local(faults),
    };
    let deaths = (1..=expected.steps).flat_map(|step| {
        [false, true]
            .map(|loses_power| case(format!("death at step {step}"), Faults { loses_power, ..Faults::death_at(step) }))
    });
    let records = expected.stored.as_ref().map_or(0, |stored| stored.records.len());
    let beginnings = (0..records)
        .map(|kept| case(format!("after {kept} records"), Faults { begins_after: Some(kept), ..Faults::none() }));
    deaths.chain(beginnings).collect()
}

/// Returns every death, every trouble of every request, every tampering with every event, and every
/// beginning of the log.
fn cluster_weathers(expected: &Report, mode: Mode) -> Vec<(String, Weather)> {
    let fair = || Weather::fair(mode);
    let deaths = (1..=expected.steps)
        .map(|step| (format!("death at step {step}"), Weather { deaths_at: [step].into(), ..fair() }));
    let troubles = (1..=expected.calls).flat_map(|call| {
        Trouble::ALL.map(|trouble| {
            (format!("{trouble:?} at call {call}"), Weather { trouble_at: Some((call, trouble)), ..fair() })
        })
    });
    let tamperings = (1..=expected.told).flat_map(|event| {
        Tampering::ALL.map(|tampering| {
            (format!("{tampering:?} of event {event}"), Weather { tampering_at: Some((event, tampering)), ..fair() })
        })
    });
    let records = expected.stored.as_ref().map_or(0, |stored| stored.records.len());
    let beginnings =
        (0..records).map(|kept| (format!("after {kept} records"), Weather { begins_after: Some(kept), ..fair() }));
    deaths.chain(troubles).chain(tamperings).chain(beginnings).collect()
}

fn cluster_cases(name: &str, scenario: &Scenario, mode: Mode) -> Vec<Case> {
    let expected = run_cluster_seed(SEED, scenario, &Weather::fair(mode));
    let weathers = cluster_weathers(&expected, mode);
    let case = |(what, weather): (String, Weather)| Case {
        what: format!("{name}, {mode:?}, {what}"),
        scenario: scenario.clone(),
        expected: expected.clone(),
        breaks: Breaks::Cluster(weather),
    };
    weathers.into_iter().map(case).collect()
}

impl Case {
    /// Runs it, and returns what came of it, with what differs as violations.
    fn run(&self) -> Report {
        let mut report = self.breaks.run(SEED, &self.scenario);
        if !matches!(&self.breaks, Breaks::Cluster(weather) if weather.is_hostile()) {
            report.violations.extend(differences(&self.expected, &report, &self.scenario));
        }
        report
    }
}

fn run_all(cases: &[Case], threads: u64, fails_fast: bool) -> Tally {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut tally = Tally::default();
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let report = case.run();
            tally.add(case.what.clone(), SEED, &case.breaks, &case.scenario, &report);
            if fails_fast && !tally.failed.is_empty() {
                next.store(cases.len(), Ordering::Relaxed);
            }
        }
        tally
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        let mut sum = Tally::default();
        threads.into_iter().for_each(|thread| sum.merge(thread.join().expect("a history panicked")));
        sum
    })
}
