//! The real driver, Kubernetes backend and store in the simulated cluster.

use super::{Mode, Weather, check_cluster_seed, run_cluster_seed};
use crate::engine::Phase;
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

#[test]
fn bad_weather_changes_no_outcome() {
    for (what, scenario) in scenarios() {
        for seed in 0..5 {
            let report = check_cluster_seed(seed, &scenario);
            assert_holds(what, seed, &scenario, &Weather::of(seed), &report);
        }
    }
}
