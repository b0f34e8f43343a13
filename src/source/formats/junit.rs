//! JUnit's XML: a suite per file, a case per problem; a file without problems is a case that passed.

use std::fmt::Write;

use super::report::{Report, message};
use crate::source::{Diagnostic, FileId, render};

/// Returns the diagnostics as JUnit's XML.
pub fn junit(report: &Report<'_>) -> String {
    let files = report.sources.ids().map(Some).chain([None]);
    let suites: Vec<(Option<FileId>, Vec<&Diagnostic>)> = files
        .map(|file| (file, of_file(report, file)))
        .filter(|(file, found)| file.is_some() || !found.is_empty())
        .collect();
    let failures = report.diagnostics.len();
    let tests: usize = suites.iter().map(|(_, found)| found.len().max(1)).sum();
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"wf lint\" tests=\"{tests}\" failures=\"{failures}\">\n"
    );
    suites.iter().for_each(|(file, found)| suite(&mut xml, report, *file, found));
    xml + "</testsuites>\n"
}

/// Returns the diagnostics of a file, or those that are about none.
fn of_file<'a>(report: &Report<'a>, file: Option<FileId>) -> Vec<&'a Diagnostic> {
    report.diagnostics.iter().filter(|diagnostic| diagnostic.span().map(|span| span.file) == file).collect()
}

fn suite(xml: &mut String, report: &Report<'_>, file: Option<FileId>, found: &[&Diagnostic]) {
    let name = escaped(file.map_or("all files", |file| report.sources.name(file)));
    let (tests, failures) = (found.len().max(1), found.len());
    let _ = writeln!(xml, "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\">");
    if found.is_empty() {
        let _ = writeln!(xml, "    <testcase classname=\"{name}\" name=\"lint\"/>");
    }
    for diagnostic in found {
        let line = diagnostic.span().map_or(1, |span| report.region(span).start.line);
        let rule = diagnostic.rule.0;
        let _ = writeln!(xml, "    <testcase classname=\"{name}\" name=\"{rule} line {line}\">");
        let (title, severity) = (escaped(&diagnostic.message), render::severity(diagnostic.severity));
        let text = escaped(&format!("{}\n{}", render::short(diagnostic, report.sources), message(diagnostic)));
        let _ =
            writeln!(xml, "      <failure type=\"{severity}\" message=\"{title}\">{text}</failure>\n    </testcase>");
    }
    xml.push_str("  </testsuite>\n");
}

/// Returns a text for an attribute or an element; what XML cannot hold at all is replaced.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
