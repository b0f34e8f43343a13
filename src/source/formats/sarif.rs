//! SARIF 2.1.0, which code scanning of GitHub, GitLab and Azure reads.
//! Source: docs.oasis-open.org/sarif/sarif/v2.1.0; a test holds the text against its schema.

use serde_json::{Value, json};

use super::report::{Region, Report, message};
use crate::source::{Diagnostic, Fix, Label, Severity, Span};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// Returns the diagnostics as a SARIF log of one run.
pub fn sarif(report: &Report<'_>) -> String {
    let results = report.diagnostics.iter().zip(report.fingerprints());
    let results: Vec<Value> =
        results.map(|(diagnostic, fingerprint)| result(report, diagnostic, &fingerprint)).collect();
    let driver = json!({
        "name": "wf",
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "rules": report.rules.iter().map(rule).collect::<Vec<_>>(),
    });
    let run = json!({"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results});
    format!("{:#}\n", json!({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}))
}

fn rule(rule: &super::RuleText) -> Value {
    let mut value = json!({"id": rule.id.0, "shortDescription": {"text": rule.meaning}});
    if !rule.page.is_empty() {
        value["help"] = json!({"text": rule.page, "markdown": rule.page});
    }
    value
}

fn result(report: &Report<'_>, diagnostic: &Diagnostic, fingerprint: &str) -> Value {
    let level = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let mut value = json!({
        "ruleId": diagnostic.rule.0,
        "level": level,
        "message": {"text": message(diagnostic)},
        "partialFingerprints": {"wf/v1": fingerprint},
    });
    if let Some(index) = report.rules.iter().position(|rule| rule.id == diagnostic.rule) {
        value["ruleIndex"] = index.into();
    }
    if let Some((primary, others)) = diagnostic.labels.split_first() {
        value["locations"] = json!([location(report, primary)]);
        if !others.is_empty() {
            value["relatedLocations"] = others.iter().map(|label| location(report, label)).collect();
        }
    }
    if let Some(fix) = diagnostic.fix.as_ref().filter(|fix| fix.is_certain) {
        value["fixes"] = json!([change(report, fix)]);
    }
    value
}

fn location(report: &Report<'_>, label: &Label) -> Value {
    let physical = json!({"artifactLocation": artifact(report, label.span), "region": region(report, label.span)});
    match label.text.is_empty() {
        true => json!({"physicalLocation": physical}),
        false => json!({"physicalLocation": physical, "message": {"text": label.text}}),
    }
}

fn change(report: &Report<'_>, fix: &Fix) -> Value {
    let replacement = json!({"deletedRegion": region(report, fix.span), "insertedContent": {"text": fix.replacement}});
    json!({"artifactChanges": [{"artifactLocation": artifact(report, fix.span), "replacements": [replacement]}]})
}

fn region(report: &Report<'_>, span: Span) -> Value {
    let Region { start, end } = report.region(span);
    json!({"startLine": start.line, "startColumn": start.column, "endLine": end.line, "endColumn": end.column})
}

fn artifact(report: &Report<'_>, span: Span) -> Value {
    json!({"uri": uri(report.sources.name(span.file))})
}

/// Returns the name of a file as a reference: relative names stay relative.
fn uri(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let escaped: String = name
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    let is_absolute = escaped.starts_with('/');
    if is_absolute { format!("file://{escaped}") } else { escaped.trim_start_matches("./").to_owned() }
}
