//! Why something cannot be done in a cluster, as sentences.

use super::api_error::ApiError;
use crate::backend::BackendError;

/// A pod that can never start as it was asked for: the node's end, in these words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// Only templates with a container have pods.
    #[error("a `{kind}` template cannot run in a pod of a cluster yet")]
    NoPod {
        /// What the template does.
        kind: &'static str,
    },
    /// A mount names a volume that is not there.
    #[error("there is no volume `{volume}` to mount; declare it in the template's or the workflow's `volumes`")]
    NoVolume {
        /// The volume.
        volume: String,
    },
    /// An input artifact lies where pods cannot get it from.
    #[error("the input artifact `{artifact}` does not come with its content; give it as `raw` or make it optional")]
    NoArtifact {
        /// The artifact.
        artifact: String,
    },
    /// A patch cannot be read.
    #[error("the `podSpecPatch` cannot be applied: {reason}")]
    Patch {
        /// Why not.
        reason: String,
    },
    /// Something is larger than Linux or Kubernetes takes.
    #[error("{what} has {bytes} bytes, more than the {limit} that {bound} allows; hand it over as a file")]
    TooLarge {
        /// What.
        what: String,
        /// How large it is.
        bytes: usize,
        /// How large it may be.
        limit: usize,
        /// Whose limit that is.
        bound: &'static str,
    },
    /// How often its containers are tried cannot be understood.
    #[error("{why}")]
    NoTries {
        /// Why not, with what is wrong.
        why: String,
    },
    /// What it hands out cannot be read.
    #[error("{why}; {help}")]
    NoHelper {
        /// Why not.
        why: String,
        /// What can be done.
        help: &'static str,
    },
}

/// What a refusal of the API server means for the one who asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// An object of the name is there already.
    Exists,
    /// There is no such object.
    Missing,
    /// It may go through later, at the server's convenience.
    Later(String),
    /// It may go through when others are done, or somebody gives a permission back.
    Blocked(String),
    /// It will never go through.
    Never(String),
}

/// Returns what `error` means.
pub(super) fn trouble(error: &kube::Error) -> Trouble {
    let kube::Error::Api(status) = error else { return Trouble::Later(chain(error)) };
    let words = match status.message.as_str() {
        "" => status.reason.clone(),
        message => message.to_owned(),
    };
    match status.code {
        409 if status.is_already_exists() => Trouble::Exists,
        // The server is at work on the same object.
        401 | 408 | 409 | 429 | 500.. => Trouble::Later(words),
        403 if is_blocked(&words) => Trouble::Blocked(words),
        404 if !words.starts_with("namespaces ") => Trouble::Missing,
        _ => Trouble::Never(words),
    }
}

/// Returns whether a refusal is one of quota or of permissions, which come and go; what an
/// admission rule refuses, it refuses again. Only the text tells them apart: all are `Forbidden`.
fn is_blocked(message: &str) -> bool {
    is_quota(message) || (message.contains("User \"") && message.contains("\" cannot "))
}

/// Returns whether a refusal is one of quota.
pub(super) fn is_quota(message: &str) -> bool {
    message.contains("exceeded quota")
}

/// Returns an error with its causes: the first alone says little more than that there is one.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

/// Returns the error of a call that failed while it did `action`.
pub(super) fn failed(action: impl Into<String>, error: &kube::Error) -> BackendError {
    let action = action.into();
    match trouble(error) {
        Trouble::Never(_) => BackendError::Refused { reason: ApiError::new(&action, error).message },
        Trouble::Later(reason) | Trouble::Blocked(reason) => unavailable(action, reason),
        Trouble::Exists => unavailable(action, "there is one already".to_owned()),
        Trouble::Missing => unavailable(action, "there is none".to_owned()),
    }
}

fn unavailable(action: String, reason: String) -> BackendError {
    BackendError::Unavailable { backend: "kubernetes", action, reason }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn refusals_are_told_apart() {
        let quota = "pods \"a\" is forbidden: exceeded quota: two, requested: pods=1, used: pods=2, limited: pods=2";
        let rbac = "jobs.batch is forbidden: User \"u\" cannot create resource \"jobs\" in API group \"batch\" in the namespace \"n\"";
        let security = "pods \"a\" is forbidden: violates PodSecurity \"restricted:latest\": runAsNonRoot != true";
        for (code, reason, message, expected) in [
            (409, "AlreadyExists", "jobs.batch \"a\" already exists", Trouble::Exists),
            (404, "NotFound", "jobs.batch \"a\" not found", Trouble::Missing),
            (404, "NotFound", "namespaces \"n\" not found", Trouble::Never("namespaces \"n\" not found".into())),
            (429, "TooManyRequests", "slow down", Trouble::Later("slow down".into())),
            (500, "InternalError", "", Trouble::Later("InternalError".into())),
            (403, "Forbidden", quota, Trouble::Blocked(quota.into())),
            (403, "Forbidden", rbac, Trouble::Blocked(rbac.into())),
            (403, "Forbidden", security, Trouble::Never(security.into())),
            (422, "Invalid", "spec.x: Invalid", Trouble::Never("spec.x: Invalid".into())),
        ] {
            let status = Status::failure(message, reason).with_code(code);
            assert_eq!(trouble(&kube::Error::Api(status.boxed())), expected, "{message}");
        }
    }
}
