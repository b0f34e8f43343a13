//! The simulated world: virtual time, processes that die at any step, a disk that forgets, pods
//! whose reports come late, twice and out of order; and in it the real driver, engine and store.
//!
//! One seed is one history. Chance comes from it alone, so that the same seed gives the same
//! history, step by step, and a failure can be looked at again.
//!
//! **Invariant:** nothing here is read by what ships; it only stands in for clocks, disks and
//! backends behind their traits.

pub mod apiserver;
mod breaks;
mod campaign;
mod chance;
mod check;
mod cluster;
mod course;
mod disk;
mod executor;
mod exhaustive;
mod generate;
mod kubernetes;
mod order;
mod person;
mod play;
mod program;
mod scenarios;
mod seed;
mod shrink;
mod world;

pub use breaks::Breaks;
pub use campaign::{Place, Scenarios, Tally, by_chance};
pub use chance::Chance;
pub use disk::SimDisk;
pub use exhaustive::exhaustive;
pub use generate::{generated, generated_manifest};
pub use kubernetes::{Mode, Tampering, Trouble, Weather, check_cluster_seed, run_cluster_seed};
pub use scenarios::{read_scenario, scenarios};
pub use seed::{Faults, Report, Scenario, check_seed, run_seed};
pub use shrink::Failure;

#[cfg(test)]
mod tests;
