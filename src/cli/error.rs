//! From what went wrong to what the user reads and the exit code: decided here, once.

use std::process::ExitCode;

use crate::backend::BackendError;
use crate::backend::kubernetes::{ApiError, ApiErrorKind, ConnectError};
use crate::engine::ControlError;
use crate::store::StoreError;

/// What went wrong, as a script sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The run, or the lint, failed.
    Failed,
    /// The command makes no sense as typed.
    Usage,
    /// What was named does not exist.
    NotFound,
    /// The machine or the cluster refuses.
    Forbidden,
    /// The backend or the store cannot be reached.
    Unreachable,
    /// The time that was given is over.
    TimedOut,
    /// The run waits for a person.
    Suspended,
    /// Another process drives the run.
    Driven,
    /// The program is wrong.
    Bug,
    /// Ctrl-C.
    Interrupted,
    /// Whoever read the output has gone; nothing is wrong.
    ReaderGone,
}

impl Kind {
    /// Every kind that is an error, for the manual.
    pub const ERRORS: [Kind; 10] = [
        Kind::Failed,
        Kind::Usage,
        Kind::NotFound,
        Kind::Forbidden,
        Kind::Unreachable,
        Kind::TimedOut,
        Kind::Suspended,
        Kind::Driven,
        Kind::Bug,
        Kind::Interrupted,
    ];

    /// Returns the exit code.
    pub fn code(self) -> u8 {
        match self {
            Kind::ReaderGone => 0,
            Kind::Failed => 1,
            Kind::Usage => 2,
            Kind::NotFound => 3,
            Kind::Forbidden => 4,
            Kind::Unreachable => 5,
            Kind::TimedOut => 6,
            Kind::Suspended => 7,
            Kind::Driven => 8,
            Kind::Bug => 70,
            Kind::Interrupted => 130,
        }
    }

    /// Returns what the code means, for the manual.
    pub fn meaning(self) -> &'static str {
        match self {
            Kind::ReaderGone => "success",
            Kind::Failed => "the run or the lint failed",
            Kind::Usage => "usage",
            Kind::NotFound => "not found",
            Kind::Forbidden => "forbidden",
            Kind::Unreachable => "backend or store unreachable",
            Kind::TimedOut => "timeout",
            Kind::Suspended => "suspended",
            Kind::Driven => "driven by another process",
            Kind::Bug => "a bug in wf",
            Kind::Interrupted => "interrupted",
        }
    }
}

/// An end of a command that is no success.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What kind of end.
    pub kind: Kind,
    /// What, where and why; empty when everything has been said already.
    pub message: String,
    /// What the user can type or do next.
    pub hints: Vec<String>,
}

impl Error {
    /// Returns an error with a message.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hints: Vec::new() }
    }

    /// Returns an error about which everything has been said.
    pub fn told(kind: Kind) -> Self {
        Self::new(kind, "")
    }

    /// Adds what the user can do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Returns the exit code.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.kind.code())
    }

    /// Returns the error of a file or folder that could not be used.
    pub fn io(doing: impl std::fmt::Display, error: &std::io::Error) -> Self {
        Self::new(io_kind(error), format!("failed to {doing}: {error}"))
    }
}

/// Returns the kind of a refusal of the operating system.
pub fn io_kind(error: &std::io::Error) -> Kind {
    match error.kind() {
        std::io::ErrorKind::NotFound => Kind::NotFound,
        std::io::ErrorKind::PermissionDenied => Kind::Forbidden,
        std::io::ErrorKind::BrokenPipe => Kind::ReaderGone,
        _ => Kind::Unreachable,
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        match error {
            StoreError::NotFound { run, nearest } => not_found(&run, message, nearest),
            StoreError::Deleted { .. } => Self::new(Kind::NotFound, message),
            StoreError::Exists { run } => Self::new(Kind::Usage, message)
                .hint("choose another name with --name, or let one be made with --generate-name")
                .hint(format!("wf delete {run}")),
            StoreError::DrivenBy { run, .. } => {
                Self::new(Kind::Driven, message).hint(format!("wf watch {run}")).hint(format!("wf stop {run}"))
            }
            StoreError::Stays { .. } => Self::new(Kind::Forbidden, message),
            StoreError::Damaged { run, .. } => Self::new(Kind::Failed, message)
                .hint("the log was changed by something other than wf; restore it from a copy, or give the run up:")
                .hint(format!("wf delete {run}")),
            StoreError::Newer { .. } => Self::new(Kind::Failed, message).hint("use the newer release of wf"),
            StoreError::Cluster(error) => error.into(),
            StoreError::Io { source, .. } => io_error(message, &source),
        }
    }
}

fn not_found(run: &str, message: String, nearest: Option<String>) -> Error {
    if run == "@latest" {
        return Error::new(Kind::NotFound, "there are no runs yet").hint("wf submit FILE");
    }
    let error = Error::new(Kind::NotFound, message);
    match nearest {
        Some(name) => error.hint(format!("did you mean `{name}`?")),
        None => error.hint("wf list"),
    }
}

/// Returns the error of the store's own disk, with what mends the usual causes.
fn io_error(message: String, source: &std::io::Error) -> Error {
    use std::io::ErrorKind;
    let error = Error::new(io_kind(source), message);
    match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            error.hint("make room, then go on with `wf watch @latest`: what was written is kept")
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem | ErrorKind::NotADirectory => {
            error.hint("choose a folder that can be written with --state-dir or WF_STATE_DIR")
        }
        _ => error,
    }
}

impl From<ApiError> for Error {
    fn from(error: ApiError) -> Self {
        let kind = match error.kind {
            ApiErrorKind::Unauthorized | ApiErrorKind::Forbidden => Kind::Forbidden,
            ApiErrorKind::NotFound => Kind::NotFound,
            ApiErrorKind::Exists | ApiErrorKind::Invalid => Kind::Usage,
            ApiErrorKind::Conflict => Kind::Driven,
            ApiErrorKind::Expired | ApiErrorKind::Unreachable => Kind::Unreachable,
        };
        let refused = Self::new(kind, error.message);
        match error.hint {
            Some(hint) => refused.hint(hint),
            None => refused,
        }
    }
}

impl From<ConnectError> for Error {
    fn from(error: ConnectError) -> Self {
        let message = error.to_string();
        let local = "run on this machine with --local";
        match error {
            ConnectError::Refused(error) => Self::from(error).hint(local),
            ConnectError::NoContext { nearest: Some(near), .. } => {
                Self::new(Kind::NotFound, message).hint(format!("did you mean `{near}`?"))
            }
            ConnectError::NoContext { nearest: None, .. } => {
                Self::new(Kind::NotFound, message).hint("kubectl config get-contexts")
            }
            ConnectError::NotConfigured(_) => {
                Self::new(Kind::NotFound, message).hint("name a configuration with KUBECONFIG").hint(local)
            }
            ConnectError::Unusable(_) => Self::new(Kind::Usage, message).hint(local),
        }
    }
}

impl From<BackendError> for Error {
    fn from(error: BackendError) -> Self {
        match error {
            BackendError::Unavailable { .. } => Self::new(Kind::Unreachable, error.to_string()),
            BackendError::Refused { .. } => Self::new(Kind::Forbidden, error.to_string()),
            BackendError::Replaced { .. } => Self::new(Kind::Driven, error.to_string()),
        }
    }
}

impl From<ControlError> for Error {
    fn from(error: ControlError) -> Self {
        Self::new(Kind::Usage, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::RunName;

    #[test]
    fn the_codes_are_the_documented_ones() {
        let codes: Vec<u8> = Kind::ERRORS.iter().map(|kind| kind.code()).collect();
        assert_eq!(codes, [1, 2, 3, 4, 5, 6, 7, 8, 70, 130]);
    }

    #[test]
    fn errors_of_the_store_say_what_to_type() {
        let run = RunName::new("ci").expect("a name");
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let cases: [(StoreError, Kind, &str); 4] = [
            (
                StoreError::NotFound { run: "cj".into(), nearest: Some("ci".into()) },
                Kind::NotFound,
                "did you mean `ci`?",
            ),
            (StoreError::NotFound { run: "@latest".into(), nearest: None }, Kind::NotFound, "wf submit FILE"),
            (StoreError::DrivenBy { run, holder: "process 7".into() }, Kind::Driven, "wf watch ci"),
            (StoreError::Io { action: "write `x`".into(), source: full }, Kind::Unreachable, "make room"),
        ];
        for (error, kind, hint) in cases {
            let error = Error::from(error);
            assert_eq!(error.kind, kind, "{error:?}");
            assert!(error.hints.iter().any(|line| line.starts_with(hint)), "{error:?}");
        }
    }
}
