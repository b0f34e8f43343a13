//! Names, labels and annotations as the API server takes them.
//!
//! A run here does without them, so that what is wrong with labels is a warning.
//!
//! Source: Kubernetes' `apimachinery/pkg/util/validation`: `IsDNS1123Subdomain`, `IsQualifiedName`,
//! `IsValidLabelValue`.

use indexmap::IndexMap;

use super::Checked;
use crate::plan::problem::{Place, Problem};
use crate::plan::problems::Problems;
use crate::plan::rules;
use crate::source::Severity;

/// Bytes of a label's value, and of the name in a key.
const LABEL_BYTES_MAX: usize = 63;

/// Bytes of a DNS subdomain: names of objects, and the prefix of a key.
const SUBDOMAIN_BYTES_MAX: usize = 253;

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    let own = &checked.draft.resolved.metadata;
    let metadata = Place::root().key("metadata");
    problems.extend(object_name(own.name.as_deref(), &metadata.key("name"), ""));
    // What chance adds begins with a letter or a digit.
    problems.extend(object_name(own.generate_name.as_deref(), &metadata.key("generateName"), "x"));
    let spec = &checked.draft.resolved.spec;
    let place = Place::root().key("spec");
    problems.extend(account(spec.service_account_name.as_deref(), &place));
    let templates = checked.draft.templates.iter();
    problems.extend(templates.filter_map(|of| account(of.spec.service_account_name.as_deref(), &of.place)));
    let mut found = Found { problems };
    found.labels(&own.labels, &metadata.key("labels"));
    found.keys(own.annotations.keys(), &metadata.key("annotations"));
    if let Some(metadata) = &spec.workflow_metadata {
        found.labels(&metadata.labels, &place.down("workflowMetadata.labels"));
        found.keys(metadata.annotations.keys(), &place.down("workflowMetadata.annotations"));
        found.keys(metadata.labels_from.keys(), &place.down("workflowMetadata.labelsFrom"));
    }
    if let Some(metadata) = &spec.pod_metadata {
        found.labels(&metadata.labels, &place.down("podMetadata.labels"));
        found.keys(metadata.annotations.keys(), &place.down("podMetadata.annotations"));
    }
    for template in &checked.draft.templates {
        if let Some(metadata) = &template.spec.metadata {
            found.labels(&metadata.labels, &template.place.down("metadata.labels"));
            found.keys(metadata.annotations.keys(), &template.place.down("metadata.annotations"));
        }
    }
}

struct Found<'a> {
    problems: &'a mut Problems,
}

impl Found<'_> {
    fn labels(&mut self, labels: &IndexMap<String, String>, place: &Place) {
        self.keys(labels.keys(), place);
        for (key, value) in labels {
            if let Some(fault) = label_fault(value) {
                let message = format!("`{value}` cannot be the value of a label: {fault}");
                self.problems.push(Problem::warning(rules::METADATA, place.key(key), message));
            }
        }
    }

    fn keys<'k>(&mut self, keys: impl Iterator<Item = &'k String>, place: &Place) {
        for key in keys {
            if let Some(fault) = key_fault(key) {
                let message = format!("`{key}` cannot be the key of a label or annotation: {fault}");
                self.problems.push(Problem::warning(rules::METADATA, place.key(key), message));
            }
        }
    }
}

/// Returns the problem of the account that a pod is to have. What runs where there are no accounts runs all the
/// same.
fn account(name: Option<&str>, place: &Place) -> Option<Problem> {
    let problem = object_name(name, &place.key("serviceAccountName"), "")?;
    Some(Problem { rule: rules::POD, severity: Severity::Warning, ..problem })
}

fn object_name(name: Option<&str>, place: &Place, added: &str) -> Option<Problem> {
    let name = name.filter(|name| !name.is_empty() && !name.contains("{{"))?;
    let whole = format!("{name}{added}");
    // Names that are too long for a run are told as such.
    if is_subdomain(&whole) || whole.len() > SUBDOMAIN_BYTES_MAX {
        return None;
    }
    let message = format!(
        "`{name}` cannot be the name of an object: it may hold only small letters, digits, `-` and `.`, and begins and ends with a letter or a digit"
    );
    let problem = Problem::error(rules::METADATA, place.clone(), message);
    let mended = name.to_ascii_lowercase().replace(['_', ' '], "-");
    Some(match is_subdomain(&format!("{mended}{added}")) {
        true => problem.help(format!("call it `{mended}`")),
        false => problem,
    })
}

/// Returns why a text cannot be the value of a label; tags are replaced before.
pub(super) fn label_fault(value: &str) -> Option<&'static str> {
    match value {
        "" => None,
        _ if value.contains("{{") => None,
        _ if value.len() > LABEL_BYTES_MAX => Some("it is longer than 63 characters"),
        _ if !is_word(value) => {
            Some("it may hold only letters, digits, `-`, `_` and `.`, and begins and ends with a letter or a digit")
        }
        _ => None,
    }
}

/// Returns why a text cannot be the key of a label or an annotation.
pub(super) fn key_fault(key: &str) -> Option<&'static str> {
    if key.contains("{{") {
        return None;
    }
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    if prefix.is_some_and(|prefix| !is_subdomain(prefix) || prefix.len() > SUBDOMAIN_BYTES_MAX) {
        return Some("what stands before `/` is no DNS name");
    }
    if name.len() > LABEL_BYTES_MAX {
        return Some("the name is longer than 63 characters");
    }
    (!is_word(name)).then_some("a name holds only letters, digits, `-`, `_` and `.`")
}

/// Letters, digits, `-`, `_` and `.`, with a letter or a digit at both ends.
fn is_word(text: &str) -> bool {
    let is_end = |c: char| c.is_ascii_alphanumeric();
    text.starts_with(is_end) && text.ends_with(is_end) && text.chars().all(|c| is_end(c) || "-_.".contains(c))
}

fn is_subdomain(text: &str) -> bool {
    text.split('.').all(is_label)
}

/// Returns whether a text is a DNS label in small letters.
pub(super) fn is_label(text: &str) -> bool {
    let is_end = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(is_end) && text.ends_with(is_end) && text.chars().all(|c| is_end(c) || c == '-')
}
