//! The integration tests: one binary, a module a subject.

mod conformance;
mod engine_runs;
mod examples;
mod local_backend;
mod rust_text;
mod tidy;
