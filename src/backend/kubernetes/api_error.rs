//! What an API server refused, as one sentence: what, to whom, which permission is missing.
//!
//! **Invariant:** nothing here asks a server; it only reads what one answered.

use std::error::Error as _;

use kube::core::Status;

/// What a cluster refused, or why it could not be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// What kind of refusal.
    pub kind: ApiErrorKind,
    /// What was refused, to whom, and why.
    pub message: String,
    /// What mends it, when that is known.
    pub hint: Option<String>,
}

/// Kinds of refusals, as far as callers tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiErrorKind {
    /// The cluster does not know who asks: a wrong or expired token or certificate.
    Unauthorized,
    /// Who asks may not, a quota is used up, or a policy forbids it.
    Forbidden,
    /// The namespace or the object is not there.
    NotFound,
    /// There is an object of that name already.
    Exists,
    /// The object was changed since it was read.
    Conflict,
    /// The object is not valid, or too large.
    Invalid,
    /// What was watched is too old: list again.
    Expired,
    /// Nobody answered, or the server has trouble; the same request may go through later.
    Unreachable,
}

impl ApiError {
    /// Returns the refusal that `error` is for somebody who wanted to `action`, a verb with its object.
    pub fn new(action: &str, error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::of_status(action, status),
            kube::Error::Auth(fault) => Self {
                kind: ApiErrorKind::Unauthorized,
                message: format!("failed to {action}: the configuration's credentials cannot be used: {fault}"),
                hint: Some("log in to the cluster again".to_owned()),
            },
            other => Self {
                kind: ApiErrorKind::Unreachable,
                message: format!("failed to {action}: the cluster cannot be reached: {}", root_cause(other)),
                hint: None,
            },
        }
    }

    /// Returns the refusal that an API server's answer is.
    pub fn of_status(action: &str, status: &Status) -> Self {
        let (kind, why, hint) = explain(status);
        Self { kind, message: format!("failed to {action}: {why}"), hint }
    }

    /// Returns the error of a name that somebody else's object has.
    pub fn taken(action: &str, kind: &str, name: &str) -> Self {
        Self {
            kind: ApiErrorKind::Exists,
            message: format!("failed to {action}: there is a {kind} `{name}` already, and it is not this run's"),
            hint: Some("choose another name with --name".to_owned()),
        }
    }

    /// Returns whether the same request may go through later, without anybody doing anything about it.
    pub fn is_passing(&self) -> bool {
        matches!(self.kind, ApiErrorKind::Unreachable | ApiErrorKind::Expired)
    }
}

fn explain(status: &Status) -> (ApiErrorKind, String, Option<String>) {
    let said = || status.message.trim().to_owned();
    match status.code {
        401 => (
            ApiErrorKind::Unauthorized,
            "the cluster does not accept your credentials: the token or certificate is wrong, or has expired"
                .to_owned(),
            Some("log in to the cluster again, or choose another context with --context".to_owned()),
        ),
        403 => forbidden(&status.message),
        404 => not_found(&status.message),
        409 if status.is_already_exists() => (ApiErrorKind::Exists, said(), None),
        409 => (ApiErrorKind::Conflict, "it was changed by somebody else meanwhile".to_owned(), None),
        410 => (ApiErrorKind::Expired, said(), None),
        400 | 413 | 422 => (ApiErrorKind::Invalid, said(), None),
        code => (ApiErrorKind::Unreachable, format!("the API server answered {code}: {}", said()), None),
    }
}

/// Reads what the API server says when its authorization, a quota or a policy refuses.
fn forbidden(message: &str) -> (ApiErrorKind, String, Option<String>) {
    if let Some(missing) = Permission::parse(message) {
        let Permission { user, verb, resource, place } = &missing;
        let why = format!("user `{user}` may not {verb} {resource}{place}");
        let hint = format!("ask for the verb `{verb}` on `{resource}`; `wf doctor` shows all that is missing");
        return (ApiErrorKind::Forbidden, why, Some(hint));
    }
    let why = message.split_once("is forbidden: ").map_or(message, |(_, why)| why);
    let hint = why.starts_with("exceeded quota").then(|| "wait for room, or ask for a larger quota".to_owned());
    (ApiErrorKind::Forbidden, why.to_owned(), hint)
}

/// A permission that somebody lacks.
struct Permission<'a> {
    user: &'a str,
    verb: &'a str,
    resource: String,
    place: String,
}

impl<'a> Permission<'a> {
    /// Reads `… User "bob" cannot create resource "jobs" in API group "batch" in the namespace "ci"`.
    fn parse(message: &'a str) -> Option<Self> {
        let (_, rest) = message.split_once("User \"")?;
        let (user, rest) = rest.split_once("\" cannot ")?;
        let (verb, rest) = rest.split_once(" resource \"")?;
        let (resource, rest) = rest.split_once('"')?;
        let group = quoted_after(rest, "in API group \"").filter(|group| !group.is_empty());
        let place = quoted_after(rest, "in the namespace \"").map(|namespace| format!(" in namespace `{namespace}`"));
        let resource = group.map_or_else(|| resource.to_owned(), |group| format!("{resource}.{group}"));
        Some(Self { user, verb, resource, place: place.unwrap_or_default() })
    }
}

fn quoted_after<'a>(text: &'a str, before: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once('"').map(|(quoted, _)| quoted)
}

fn not_found(message: &str) -> (ApiErrorKind, String, Option<String>) {
    match quoted_after(message, "namespaces \"").filter(|_| message.ends_with("not found")) {
        Some(namespace) => (
            ApiErrorKind::NotFound,
            format!("there is no namespace `{namespace}` in the cluster"),
            Some(format!("choose another with -n, or make it: kubectl create namespace {namespace}")),
        ),
        None => (ApiErrorKind::NotFound, message.trim().to_owned(), None),
    }
}

/// Returns the innermost cause, which is the one that says something: `Connection refused`.
fn root_cause(error: &kube::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    match (cause.to_string(), error.source()) {
        (text, _) if !text.is_empty() => text,
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, reason: &str, message: &str) -> Status {
        Status::failure(message, reason).with_code(code)
    }

    #[test]
    fn each_refusal_is_one_clear_sentence() {
        let cases = [
            (
                status(
                    403,
                    "Forbidden",
                    "jobs.batch is forbidden: User \"bob\" cannot create resource \"jobs\" in API group \"batch\" in the namespace \"ci\"",
                ),
                ApiErrorKind::Forbidden,
                "failed to create run `a`: user `bob` may not create jobs.batch in namespace `ci`",
            ),
            (
                status(
                    403,
                    "Forbidden",
                    "configmaps \"x\" is forbidden: User \"system:serviceaccount:ci:d\" cannot get resource \"configmaps\" in API group \"\" in the namespace \"ci\"",
                ),
                ApiErrorKind::Forbidden,
                "failed to create run `a`: user `system:serviceaccount:ci:d` may not get configmaps in namespace `ci`",
            ),
            (
                status(
                    403,
                    "Forbidden",
                    "jobs.batch \"a\" is forbidden: exceeded quota: small, requested: count/jobs.batch=1, used: count/jobs.batch=2, limited: count/jobs.batch=2",
                ),
                ApiErrorKind::Forbidden,
                "failed to create run `a`: exceeded quota: small, requested: count/jobs.batch=1, used: count/jobs.batch=2, limited: count/jobs.batch=2",
            ),
            (
                status(404, "NotFound", "namespaces \"nope\" not found"),
                ApiErrorKind::NotFound,
                "failed to create run `a`: there is no namespace `nope` in the cluster",
            ),
            (
                status(401, "Unauthorized", "Unauthorized"),
                ApiErrorKind::Unauthorized,
                "failed to create run `a`: the cluster does not accept your credentials: the token or certificate is wrong, or has expired",
            ),
            (
                status(409, "AlreadyExists", "jobs.batch \"a\" already exists"),
                ApiErrorKind::Exists,
                "failed to create run `a`: jobs.batch \"a\" already exists",
            ),
            (
                status(409, "Conflict", "Operation cannot be fulfilled"),
                ApiErrorKind::Conflict,
                "failed to create run `a`: it was changed by somebody else meanwhile",
            ),
            (
                status(503, "ServiceUnavailable", "etcd is away"),
                ApiErrorKind::Unreachable,
                "failed to create run `a`: the API server answered 503: etcd is away",
            ),
            (
                status(0, "", "odd"),
                ApiErrorKind::Unreachable,
                "failed to create run `a`: the API server answered 0: odd",
            ),
        ];
        for (status, kind, message) in cases {
            let refusal = ApiError::of_status("create run `a`", &status);
            assert_eq!((refusal.kind, refusal.message.as_str()), (kind, message));
        }
    }

    #[test]
    fn answers_that_are_cut_anywhere_are_read_without_harm() {
        let message = "jobs.batch is forbidden: User \"bob\" cannot create resource \"jobs\" in API group \"batch\" in the namespace \"ci\"";
        for end in 0..=message.len() {
            let refusal = ApiError::of_status("x", &status(403, "Forbidden", &message[..end]));
            assert_eq!(refusal.kind, ApiErrorKind::Forbidden);
        }
    }
}
