//! The integration tests: one binary, a module a subject.

mod bad_input;
mod bombs;
mod cli_errors;
mod cli_help;
mod cli_lint;
mod cli_runs;
mod cli_tools;
mod conformance;
mod engine_operate;
mod engine_retry;
mod engine_runs;
mod env;
mod examples;
mod fuzz;
mod generated;
mod golden_log;
mod json_schema;
mod kill;
mod lint_formats;
mod lint_project;
mod local_backend;
mod local_runs;
mod readme;
mod rust_text;
mod simulation;
mod tidy;
