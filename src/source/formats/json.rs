//! A JSON list, with places that people can count.

use serde_json::{Value, json};

use super::report::{Region, Report};
use crate::source::{Diagnostic, Span, render};

/// Returns the diagnostics as a JSON list.
pub fn json(report: &Report<'_>) -> String {
    let list = report.diagnostics.iter().map(|diagnostic| problem(report, diagnostic)).collect();
    format!("{:#}\n", Value::Array(list))
}

fn problem(report: &Report<'_>, diagnostic: &Diagnostic) -> Value {
    let label = |label: &crate::source::Label| json!({"at": place(report, label.span), "text": label.text});
    let fix = diagnostic
        .fix
        .as_ref()
        .map(|fix| json!({"at": place(report, fix.span), "replacement": fix.replacement, "certain": fix.is_certain}));
    json!({
        "rule": diagnostic.rule.0,
        "severity": render::severity(diagnostic.severity),
        "message": diagnostic.message,
        "labels": diagnostic.labels.iter().map(label).collect::<Vec<_>>(),
        "help": diagnostic.help,
        "fix": fix,
    })
}

fn place(report: &Report<'_>, span: Span) -> Value {
    let Region { start, end } = report.region(span);
    json!({
        "file": report.sources.name(span.file),
        "line": start.line, "column": start.column, "endLine": end.line, "endColumn": end.column,
        "offset": span.start, "endOffset": span.end,
    })
}
