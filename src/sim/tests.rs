//! The real driver, engine and store in the simulated world.

use super::seed::differences;
use super::{Faults, Report, Scenario, check_seed, run_seed, scenarios};
use crate::engine::Phase;

/// Fails with the history of a seed, when an invariant did not hold in it.
fn assert_holds(what: &str, seed: u64, scenario: &Scenario, faults: &Faults, report: &Report) {
    if report.violations.is_empty() {
        return;
    }
    let again = run_seed(seed, scenario, &Faults { keeps_trace: true, ..faults.clone() });
    panic!("{what}, seed {seed}: {:#?}\n{faults:?}\n{}", report.violations, again.trace.join("\n"));
}

#[test]
fn without_faults_every_scenario_ends_as_it_should() {
    for (what, scenario) in scenarios() {
        let faults = Faults::none();
        let report = run_seed(1, &scenario, &faults);
        assert_holds(what, 1, &scenario, &faults, &report);
        let phase = if matches!(what, "stopped" | "deadline") { Phase::Failed } else { Phase::Succeeded };
        assert_eq!((report.phase, report.deaths), (Some(phase), 0), "{what}");
    }
}

#[test]
fn the_same_seed_is_the_same_history() {
    for (what, scenario) in scenarios() {
        for seed in 0..5 {
            let hash = || run_seed(seed, &scenario, &Faults::of(seed)).trace_hash;
            assert_eq!(hash(), hash(), "{what}, seed {seed}");
        }
        let (one, other) = (run_seed(1, &scenario, &Faults::of(1)), run_seed(2, &scenario, &Faults::of(2)));
        assert_ne!(one.trace_hash, other.trace_hash, "{what}");
    }
}

#[test]
fn faults_by_chance_change_no_outcome() {
    let mut deaths = 0;
    for (what, scenario) in scenarios() {
        for seed in 0..20 {
            let report = check_seed(seed, &scenario, &Faults::of(seed));
            assert_holds(what, seed, &scenario, &Faults::of(seed), &report);
            deaths += report.deaths;
        }
    }
    assert!(deaths > 100, "drivers die: {deaths}");
}

#[test]
fn a_death_at_any_step_changes_no_outcome() {
    for (what, scenario) in scenarios() {
        let expected = run_seed(7, &scenario, &Faults::none());
        // Long histories repeat themselves; every fifth of their steps, an odd number, is both kinds of death.
        let stride = if expected.steps > 250 { 5 } else { 1 };
        for step in (1..=expected.steps).step_by(stride) {
            let faults = Faults { loses_power: step % 2 == 0, ..Faults::death_at(step) };
            let mut report = run_seed(7, &scenario, &faults);
            report.violations.extend(differences(&expected, &report, &scenario));
            assert_holds(&format!("{what}, death at step {step}"), 7, &scenario, &faults, &report);
        }
    }
}

/// A new driver over the beginning of a log comes to the same end, whatever the beginning.
#[test]
fn every_beginning_of_a_log_leads_to_the_same_end() {
    for (what, scenario) in scenarios() {
        let expected = run_seed(3, &scenario, &Faults::none());
        let records = expected.stored.as_ref().map_or(0, |stored| stored.records.len());
        for kept in 0..records {
            let faults = Faults { begins_after: Some(kept), ..Faults::none() };
            let mut report = run_seed(3, &scenario, &faults);
            report.violations.extend(differences(&expected, &report, &scenario));
            assert_holds(&format!("{what}, after {kept} records"), 3, &scenario, &faults, &report);
        }
    }
}

/// The checks can fail: a disk that lies, and a cluster that forgets, are found out.
#[test]
fn a_world_that_breaks_its_promises_is_found_out() {
    let (_, scenario) = scenarios().remove(0);
    let lies = |seed| Faults { deaths_in_thousand: 20, deaths_max: 3, loses_power: true, ..Faults::of(seed) };
    let found = |faults: &dyn Fn(u64) -> Faults| {
        (0..50).any(|seed| !run_seed(seed, &scenario, &faults(seed)).violations.is_empty())
    };
    assert!(!found(&lies), "an honest world has no violations");
    assert!(found(&|seed| Faults { syncs_nothing: true, ..lies(seed) }), "syncs that do nothing");
    assert!(found(&|seed| Faults { forgets_pods: true, ..lies(seed) }), "pods that are forgotten");
}
