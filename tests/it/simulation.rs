//! Five thousand histories of the real driver, engine and stores, on a machine and in a cluster, in a world
//! with faults of all kinds: fixed scenarios and workflows by chance.
//!
//! A failing seed is looked at again with `cargo run --features sim --bin wf-sim -- --world WORLD --trace --from SEED`.

use wf::sim::{Place, by_chance};

/// How many seeds there are in each world. One of a cluster takes as long as many of a machine.
const LOCAL_SEEDS: u64 = 4_800;
const CLUSTER_SEEDS: u64 = 200;

/// How many threads share them.
const THREADS: u64 = 2;

#[test]
fn four_thousand_eight_hundred_histories_on_a_machine_hold_every_invariant() {
    run(Place::Local, "local", LOCAL_SEEDS);
}

#[test]
fn two_hundred_histories_in_a_cluster_hold_every_invariant() {
    run(Place::Cluster, "cluster", CLUSTER_SEEDS);
}

fn run(place: Place, world: &str, seeds: u64) {
    let tally = by_chance(place, 0..seeds, "", THREADS, false);
    let faults: u64 = tally.faults.values().sum();
    println!("simulation {world}: {}/{seeds} seeds, {faults} faults", seeds - tally.failed.len() as u64);
    assert!(tally.failed.is_empty(), "{:#?}", tally.failed);
}
