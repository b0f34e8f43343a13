//! The integration tests: one binary, a module a subject.

mod conformance;
mod engine_runs;
mod golden_log;
mod simulation;
