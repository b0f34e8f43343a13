//! The command line: one file per command in [`commands`], whose arguments are its manual.
//!
//! **Invariant:** [`ui`] is the only module of the program that prints, [`mod@env`] the only one that
//! looks at the surroundings, and [`error`] the only one that knows exit codes.

pub mod app;
pub mod commands;
pub mod session;
pub mod place;
pub mod input;
pub mod planning;
pub mod linting;
pub mod project;
pub mod rulebook;
pub mod referred;
pub mod unsupported;
pub mod create;
pub mod parameters;
pub mod runs;
pub mod given;
pub mod outlived;
pub mod foretold;
pub mod drive;
pub mod handover;
pub mod serve;
pub mod report;
pub mod logs;
pub mod pod_logs;
pub mod prompt;
pub mod complete;
pub mod error;
pub mod ui;
pub mod env;

pub use app::main;
pub use error::{Error, Kind};
