//! The real driver, Kubernetes backend and store in the simulated cluster.

use super::{Mode, Tampering, Weather, check_cluster_seed, run_cluster_seed};
use crate::engine::Phase;
use crate::sim::seed::differences;
use crate::sim::{Report, Scenario, scenarios};

/// Fails with the history of a seed, when an invariant did not hold in it.
fn assert_holds(what: &str, seed: u64, scenario: &Scenario, weather: &Weather, report: &Report) {
    if report.violations.is_empty() {
        return;
    }
    let again = run_cluster_seed(seed, scenario, &Weather { keeps_trace: true, ..weather.clone() });
    panic!("{what}, seed {seed}: {:#?}\n{weather:?}\n{}", report.violations, again.trace.join("\n"));
}

#[test]
fn in_fair_weather_every_scenario_ends_as_it_should() {
    for (what, scenario) in scenarios() {
        for mode in [Mode::Plain, Mode::Managed, Mode::Dropped] {
            let weather = Weather::fair(mode);
            let report = run_cluster_seed(1, &scenario, &weather);
            assert_holds(what, 1, &scenario, &weather, &report);
            let phase = if matches!(what, "stopped" | "deadline") { Phase::Failed } else { Phase::Succeeded };
            assert_eq!((report.phase, report.deaths), (Some(phase), 0), "{what}");
        }
    }
}

#[test]
fn the_same_seed_is_the_same_history() {
    for (what, scenario) in scenarios() {
        for seed in 0..3 {
            let hash = || run_cluster_seed(seed, &scenario, &Weather::of(seed)).trace_hash;
            assert_eq!(hash(), hash(), "{what}, seed {seed}");
        }
    }
}

/// A new driver over the beginning of a log comes to the same end, whatever the beginning.
#[test]
fn every_beginning_of_a_log_leads_to_the_same_end() {
    // Beginnings that follow each other differ little; between the scenarios and modes all kinds come up.
    const STRIDE: usize = 5;
    for (at, (what, scenario)) in scenarios().into_iter().enumerate() {
        let mode = if at % 2 == 0 { Mode::Plain } else { Mode::Managed };
        let expected = run_cluster_seed(3, &scenario, &Weather::fair(mode));
        let records = expected.stored.as_ref().map_or(0, |stored| stored.records.len());
        for kept in (at % STRIDE..records).step_by(STRIDE) {
            let weather = Weather { begins_after: Some(kept), ..Weather::fair(mode) };
            let mut report = run_cluster_seed(3, &scenario, &weather);
            report.violations.extend(differences(&expected, &report, &scenario));
            assert_holds(&format!("{what}, after {kept} records"), 3, &scenario, &weather, &report);
        }
    }
}

/// What a watch does not tell is found out.
#[test]
fn a_lost_event_changes_no_outcome() {
    let (what, scenario) = scenarios().remove(0);
    for mode in [Mode::Plain, Mode::Managed] {
        let expected = run_cluster_seed(3, &scenario, &Weather::fair(mode));
        for event in (1..=expected.told).step_by(3) {
            let weather = Weather { tampering_at: Some((event, Tampering::Lose)), ..Weather::fair(mode) };
            let mut report = run_cluster_seed(3, &scenario, &weather);
            report.violations.extend(differences(&expected, &report, &scenario));
            assert_holds(&format!("{what}, without event {event}"), 3, &scenario, &weather, &report);
        }
    }
}

#[test]
fn bad_weather_changes_no_outcome() {
    for (what, scenario) in scenarios() {
        for seed in 0..4 {
            let report = check_cluster_seed(seed, &scenario, &Weather::of(seed));
            assert_holds(what, seed, &scenario, &Weather::of(seed), &report);
        }
    }
}
