//! GitLab's code quality report. Source: docs.gitlab.com, "Code Quality report format".

use serde_json::{Value, json};

use super::report::{Report, message};
use crate::source::{Diagnostic, Severity};

/// Returns the diagnostics as a code quality report. One without a place is told of the first line of
/// the first file, since the format has no other way.
pub fn gitlab(report: &Report<'_>) -> String {
    let list = report.diagnostics.iter().zip(report.fingerprints());
    let list = list.map(|(diagnostic, fingerprint)| issue(report, diagnostic, &fingerprint)).collect();
    format!("{:#}\n", Value::Array(list))
}

fn issue(report: &Report<'_>, diagnostic: &Diagnostic, fingerprint: &str) -> Value {
    let severity = match diagnostic.severity {
        Severity::Error => "major",
        Severity::Warning => "minor",
        Severity::Note => "info",
    };
    let first_file = || report.sources.ids().next().map_or("", |file| report.sources.name(file));
    let line = diagnostic.span().map_or(1, |span| report.region(span).start.line);
    json!({
        "description": message(diagnostic),
        "check_name": diagnostic.rule.0,
        "fingerprint": fingerprint,
        "severity": severity,
        "location": {"path": report.file(diagnostic).unwrap_or_else(first_file), "lines": {"begin": line}},
    })
}
