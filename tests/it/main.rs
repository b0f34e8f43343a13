//! The integration tests: one binary, a module a subject.

mod conformance;
mod engine_operate;
mod engine_retry;
mod engine_runs;
