//! GitHub's workflow commands, which become annotations of a pull request, and the page of a step.
//!
//! Source: docs.github.com, "Workflow commands for GitHub Actions". A step shows ten annotations of
//! a kind and drops the others, so the worst come first, and the page holds all of them.

use std::fmt::Write;

use super::report::{Region, Report, message};
use crate::source::{Diagnostic, Severity, render};

/// Annotations of one step; GitHub shows no more.
const ANNOTATIONS_MAX: usize = 10;

/// Rows of the page: GitHub refuses pages of more than a mebibyte.
const ROWS_MAX: usize = 1000;

/// Returns the worst of the diagnostics as workflow commands, one a line.
pub fn annotations(report: &Report<'_>) -> String {
    let shown = report.worst_first().into_iter().take(ANNOTATIONS_MAX);
    shown.map(|diagnostic| annotation(report, diagnostic) + "\n").collect()
}

fn annotation(report: &Report<'_>, diagnostic: &Diagnostic) -> String {
    let command = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let mut properties = Vec::new();
    if let Some(span) = diagnostic.span() {
        let Region { start, end } = report.region(span);
        properties.push(format!("file={}", property(report.sources.name(span.file))));
        properties.push(format!("line={},endLine={}", start.line, end.line));
        // Columns are only taken within one line.
        if start.line == end.line {
            properties.push(format!("col={},endColumn={}", start.column, end.column));
        }
    }
    properties.push(format!("title={}", property(diagnostic.rule.0)));
    format!("::{command} {}::{}", properties.join(","), data(&message(diagnostic)))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Returns all diagnostics as a page in Markdown, for the file that `GITHUB_STEP_SUMMARY` names.
pub fn step_summary(report: &Report<'_>) -> String {
    let count = report.diagnostics.len();
    if count == 0 {
        return "### wf lint\n\nNo problems.\n".to_owned();
    }
    let mut page = format!("### wf lint\n\n{count} problem{}\n\n", if count == 1 { "" } else { "s" });
    page.push_str("| | rule | place | problem |\n| --- | --- | --- | --- |\n");
    for diagnostic in report.worst_first().into_iter().take(ROWS_MAX) {
        let place = diagnostic.span().map_or_else(String::new, |span| {
            format!("`{}:{}`", cell(report.sources.name(span.file)), report.region(span).start.line)
        });
        let (severity, rule) = (render::severity(diagnostic.severity), diagnostic.rule.0);
        let _ = writeln!(page, "| {severity} | {rule} | {place} | {} |", cell(&message(diagnostic)));
    }
    if count > ROWS_MAX {
        let _ = writeln!(page, "\n{} more are not shown.", count - ROWS_MAX);
    }
    page
}

/// Returns a text that stays in its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").replace('\r', "").replace('\n', "<br>")
}
