//! One command, one file: the arguments are the manual, `run` is the behaviour.

pub mod lint;
pub mod submit;
pub mod list;
pub mod get;
pub mod watch;
pub mod wait;
pub mod logs;
pub mod suspend;
pub mod resume;
pub mod going_on;
pub mod stop;
pub mod terminate;
pub mod retry;
pub mod resubmit;
pub mod node;
pub mod delete;
pub mod install;
pub mod uninstall;
pub mod explain;
pub mod completion;
pub mod version;
