//! Secrets that stand in the manifest, for everybody to read who may read manifests or runs.
//!
//! Told are values of variables whose name says so, and texts in the form of known credentials.

use serde_json::Value;

use super::Checked;
use super::containers::{containers, list, text};
use crate::plan::problem::{Place, Problem};
use crate::plan::problems::Problems;
use crate::plan::rules;

/// Words that, at the end of a variable's name, say that its value is secret.
const SECRET_WORDS: [&str; 8] =
    ["PASSWORD", "PASSWD", "SECRET", "TOKEN", "APIKEY", "API_KEY", "SECRET_KEY", "PRIVATE_KEY"];

/// Beginnings of well-known credentials, and how long they are at least.
const CREDENTIALS: [(&str, usize, &str); 9] = [
    ("AKIA", 20, "an access key of AWS"),
    ("ghp_", 40, "a token of GitHub"),
    ("github_pat_", 60, "a token of GitHub"),
    ("gho_", 40, "a token of GitHub"),
    ("glpat-", 26, "a token of GitLab"),
    ("xoxb-", 30, "a token of Slack"),
    ("sk_live_", 24, "a key of Stripe"),
    ("AIza", 39, "a key of Google"),
    ("-----BEGIN ", 40, "a private key"),
];

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    for template in &checked.draft.templates {
        for (container, place) in containers(template) {
            variables(container, &place, problems);
            credentials(container, &place, problems);
        }
    }
    let arguments = checked.draft.resolved.spec.arguments.iter().flat_map(|arguments| &arguments.parameters);
    let place = Place::root().down("spec.arguments.parameters");
    for (index, parameter) in arguments.enumerate() {
        let value = parameter.value.as_ref().map_or("", |value| value.as_str());
        problems.extend(credential(value).map(|what| found(what, &place.index(index).key("value"))));
    }
}

fn variables(container: &Value, place: &Place, problems: &mut Problems) {
    for (index, variable) in list(container, "env").iter().enumerate() {
        let (name, value) = (text(variable, "name"), text(variable, "value"));
        let upper = name.to_uppercase().replace('-', "_");
        let is_secret = SECRET_WORDS.iter().any(|word| upper == *word || upper.ends_with(&format!("_{word}")));
        if !is_secret || is_harmless(value) {
            continue;
        }
        let message = format!("the value of `{name}` is a secret, and stands in the manifest as plain text");
        let problem = Problem::warning(rules::SECRET, place.key("env").index(index).key("value"), message);
        problems.push(problem.help("take it from a Secret: `valueFrom: {secretKeyRef: {name: …, key: …}}`"));
    }
}

/// Returns whether a value is empty, comes from elsewhere, or is the path of a file or a truth value.
fn is_harmless(value: &str) -> bool {
    value.is_empty()
        || value.contains("{{")
        || value.contains("$(")
        || value.starts_with('/')
        || ["true", "false"].contains(&value)
}

fn credentials(container: &Value, place: &Place, problems: &mut Problems) {
    for key in ["args", "command"] {
        for (index, value) in list(container, key).iter().enumerate() {
            let what = value.as_str().and_then(credential);
            problems.extend(what.map(|what| found(what, &place.key(key).index(index))));
        }
    }
    for (index, variable) in list(container, "env").iter().enumerate() {
        let what = credential(text(variable, "value"));
        problems.extend(what.map(|what| found(what, &place.key("env").index(index).key("value"))));
    }
    problems.extend(credential(text(container, "source")).map(|what| found(what, &place.key("source"))));
}

fn found(what: &str, place: &Place) -> Problem {
    Problem::warning(rules::SECRET, place.clone(), format!("{what} stands in the manifest as plain text"))
        .help("withdraw it, since it has been written down, and take the new one from a Secret")
}

/// Returns what kind of credential a text holds.
fn credential(text: &str) -> Option<&'static str> {
    let known = CREDENTIALS.iter().find(|(beginning, bytes_min, _)| {
        text.match_indices(beginning).any(|(at, _)| {
            let rest = &text[at..];
            let is_key = *beginning == "-----BEGIN ";
            let is_private = rest.lines().next().is_some_and(|line| line.contains("PRIVATE KEY-----"));
            let word = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "_-".contains(c))).unwrap_or(rest.len());
            let begins = text[..at].chars().last().is_none_or(|c| !c.is_alphanumeric());
            if is_key { is_private } else { begins && word >= *bytes_min }
        })
    });
    known.map(|(_, _, what)| *what)
}
