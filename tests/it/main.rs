//! The integration tests: one binary, a module a subject.

mod conformance;
mod engine_runs;
mod local_backend;
