//! Two thousand histories of the real driver, engine and store in a world with faults of all kinds.
//!
//! A failing seed is looked at again with `WF_SIM_SEED=<seed> cargo test simulation`, which prints
//! its trace.

use wf::sim::{Faults, Scenario, check_seed, run_seed, scenarios};

/// How many seeds there are, over all scenarios.
const SEEDS: u64 = 2_000;

/// How many threads share them.
const THREADS: u64 = 2;

#[test]
fn two_thousand_histories_hold_every_invariant() {
    if let Some(seed) = std::env::var("WF_SIM_SEED").ok().and_then(|text| text.parse().ok()) {
        print_history(seed);
    }
    let failed: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|first| scope.spawn(move || check_every(first))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a history panicked")).collect()
    });
    println!("simulation: {}/{SEEDS} seeds", SEEDS - failed.len() as u64);
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Checks every seed that leaves `first` when divided among the threads.
fn check_every(first: u64) -> Vec<String> {
    let scenarios = scenarios();
    let seeds = (first..SEEDS).step_by(THREADS as usize);
    let check = |seed: u64| {
        let (what, scenario) = of(&scenarios, seed);
        let violations = check_seed(seed, scenario).violations;
        (!violations.is_empty()).then(|| format!("seed {seed}, {what}: {violations:?}"))
    };
    seeds.filter_map(check).collect()
}

fn print_history(seed: u64) {
    let scenarios = scenarios();
    let (what, scenario) = of(&scenarios, seed);
    let faults = Faults { keeps_trace: true, ..Faults::of(seed) };
    println!("seed {seed}, {what}, {faults:?}\n{}", run_seed(seed, scenario, &faults).trace.join("\n"));
}

fn of<'a>(scenarios: &'a [(&'static str, Scenario)], seed: u64) -> (&'static str, &'a Scenario) {
    let (what, scenario) = &scenarios[(seed / THREADS) as usize % scenarios.len()];
    (what, scenario)
}
