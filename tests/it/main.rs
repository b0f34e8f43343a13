//! The integration tests: one binary, a module a subject.

mod bad_input;
mod cli_errors;
mod cli_help;
mod cli_lint;
mod cli_runs;
mod cluster;
mod conformance;
mod engine_operate;
mod engine_retry;
mod engine_runs;
mod env;
mod examples;
mod generated;
mod golden_log;
mod helper;
mod kill;
mod kubernetes_backend;
mod local_backend;
mod local_runs;
mod readme;
mod recorded;
mod rust_text;
mod shared_runs;
mod simulation;
mod tidy;
