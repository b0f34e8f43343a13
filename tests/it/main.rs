//! The integration tests: one binary, a module a subject.

mod cli_errors;
mod cli_help;
mod cli_lint;
mod cli_runs;
mod conformance;
mod engine_operate;
mod engine_retry;
mod engine_runs;
mod env;
mod examples;
mod generated;
mod kill;
mod local_backend;
mod local_runs;
mod rust_text;
mod tidy;
