//! How diagnostics look: in full as rustc shows them, or one line each.
//!
//! **Invariant:** nothing here prints, or knows whether there is a terminal.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Patch, Renderer, Snippet};

use super::{Diagnostic, Fix, Label, Position, Severity, Sources, Span, files};

/// Lines that are drawn hold no more than this.
const EXCERPT_BYTES_MAX: usize = 64 << 10;

/// How a full rendering looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether to colour; the words say the same without.
    pub colour: bool,
    /// The width of the terminal in columns.
    pub width: usize,
}

impl Default for Style {
    fn default() -> Self {
        Self { colour: false, width: 120 }
    }
}

/// Returns one diagnostic in full: the places with their lines, the help, and the mend as a change.
pub fn full(diagnostic: &Diagnostic, sources: &Sources, style: Style) -> String {
    let level = level(diagnostic.severity);
    let title = level.primary_title(diagnostic.message.as_str()).id(diagnostic.rule.0);
    let mut group = title.elements(snippets(diagnostic, sources));
    let mut groups = Vec::new();
    // A guess is said in words; only what is certain is shown as a change.
    let help = diagnostic.help.as_deref();
    let fix = diagnostic.fix.as_ref().filter(|fix| fix.is_certain);
    match (help, fix.and_then(|fix| mend(help.unwrap_or("mend it so"), fix, sources))) {
        (_, Some(mend)) => groups.extend([group, mend]),
        (Some(help), None) => {
            group = group.element(Level::HELP.message(help));
            groups.push(group);
        }
        (None, None) => groups.push(group),
    }
    let renderer = if style.colour { Renderer::styled() } else { Renderer::plain() };
    renderer.decor_style(DecorStyle::Ascii).term_width(style.width).render(&groups)
}

/// Returns one diagnostic as `file:line:column: error[WF001]: message`.
pub fn short(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let severity = severity(diagnostic.severity);
    let (rule, message) = (diagnostic.rule.0, &diagnostic.message);
    match diagnostic.span() {
        None => format!("{severity}[{rule}]: {message}"),
        Some(span) => {
            let Position { line, column } = sources.position(span.file, span.start);
            format!("{}:{line}:{column}: {severity}[{rule}]: {message}", sources.name(span.file))
        }
    }
}

/// Returns the word for a severity.
pub fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

fn level(severity: Severity) -> Level<'static> {
    match severity {
        Severity::Note => Level::NOTE,
        Severity::Warning => Level::WARNING,
        Severity::Error => Level::ERROR,
    }
}

/// Returns what shows the places of a diagnostic: a snippet for each file, the primary one's first.
fn snippets<'a>(diagnostic: &'a Diagnostic, sources: &'a Sources) -> Vec<Element<'a>> {
    let mut files: Vec<_> = Vec::new();
    for label in &diagnostic.labels {
        if !files.contains(&label.span.file) {
            files.push(label.span.file);
        }
    }
    let of_file = |file| {
        let labels = diagnostic.labels.iter().enumerate();
        let labels: Vec<_> = labels.filter(|(_, label)| label.span.file == file).collect();
        shown(&labels, sources)
    };
    files.into_iter().flat_map(of_file).collect()
}

/// Shows labels of one file together where their lines are near each other, each on its own where not. Of a
/// line that is too long to be looked at only its place is told: drawing costs what the lines hold.
fn shown<'a>(labels: &[(usize, &'a Label)], sources: &'a Sources) -> Vec<Element<'a>> {
    let spans = || labels.iter().map(|(_, label)| label.span);
    let (Some(start), Some(end)) = (spans().map(|span| span.start).min(), spans().map(|span| span.end).max()) else {
        return Vec::new();
    };
    let whole = Span { file: labels[0].1.span.file, start, end };
    let (bytes, line) = sources.lines(whole);
    match labels {
        _ if bytes.len() <= EXCERPT_BYTES_MAX => vec![snippet(labels, bytes, line, sources).into()],
        [(_, label)] => vec![origin(label.span, sources).into()],
        _ => labels.iter().flat_map(|label| shown(&[*label], sources)).collect(),
    }
}

fn snippet<'a>(
    labels: &[(usize, &'a Label)],
    bytes: Range<usize>,
    line: usize,
    sources: &'a Sources,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let file = labels[0].1.span.file;
    let annotations = labels.iter().map(|(place, label)| {
        let kind = if *place == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
        let annotation = kind.span(range(label.span, bytes.start, sources));
        if label.text.is_empty() { annotation } else { annotation.label(label.text.as_str()) }
    });
    let text = &sources.text(file)[bytes.clone()];
    Snippet::source(text).line_start(line).path(sources.name(file)).annotations(annotations)
}

fn origin(span: Span, sources: &Sources) -> Origin<'_> {
    let Position { line, column } = sources.position(span.file, span.start);
    Origin::path(sources.name(span.file)).line(line).char_column(column)
}

/// Returns the change of a fix; none where its lines are too long to be looked at.
fn mend<'a>(help: &'a str, fix: &'a Fix, sources: &'a Sources) -> Option<Group<'a>> {
    let file = fix.span.file;
    let (bytes, line) = sources.lines(fix.span);
    if bytes.len() > EXCERPT_BYTES_MAX {
        return None;
    }
    let patch = Patch::new(range(fix.span, bytes.start, sources), fix.replacement.as_str());
    let snippet = Snippet::source(&sources.text(file)[bytes]).line_start(line).path(sources.name(file)).patch(patch);
    Some(Level::HELP.secondary_title(help).element(snippet))
}

/// Returns the range of a span within an excerpt of its text. A value of several lines is marked in its first
/// one only: what is wrong with it is wrong from its beginning.
fn range(span: Span, excerpt_start: usize, sources: &Sources) -> Range<usize> {
    let start = files::char_start(sources.text(span.file), span.start as usize);
    let slice = sources.slice(span);
    start - excerpt_start..start - excerpt_start + slice.find('\n').unwrap_or(slice.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{read, rules};

    fn rendered(text: &str) -> String {
        let mut sources = Sources::new();
        let file = sources.add("a.yaml", text);
        let (_, diagnostics) = read(&sources, file);
        let all = diagnostics.iter().map(|diagnostic| {
            format!("{}\n{}", short(diagnostic, &sources), full(diagnostic, &sources, Style::default()))
        });
        all.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn two_places_and_a_help() {
        insta::assert_snapshot!(rendered("é: 1\nb: 2\né: 3\n"), @r#"
        a.yaml:3:1: error[WF002]: the key `é` stands twice in this map
        error[WF002]: the key `é` stands twice in this map
         --> a.yaml:3:1
          |
        1 | é: 1
          | - first here
        2 | b: 2
        3 | é: 3
          | ^ again here
          |
          = help: remove one of the two
        "#);
    }

    #[test]
    fn a_mend() {
        insta::assert_snapshot!(rendered("a:\n  b: {{x}}\n"), @r#"
        a.yaml:2:6: error[WF004]: a value that starts with `{{` must be quoted
        error[WF004]: a value that starts with `{{` must be quoted
         --> a.yaml:2:6
          |
        2 |   b: {{x}}
          |      ^^^^^ YAML reads a map here
          |
        help: write `"{{x}}"`
          |
        2 -   b: {{x}}
        2 +   b: "{{x}}"
          |
        "#);
    }

    #[test]
    fn several_files_and_no_place() {
        let mut sources = Sources::new();
        let (a, b) = (sources.add("a.yaml", "x: |\n  1\n"), sources.add("b.yaml", "y: 2"));
        let at = |file, end| Span { file, start: 0, end };
        let placed = Diagnostic::warning(rules::SYNTAX, at(a, 9), "x is y").says("x").also(at(b, 1), "y");
        let free = Diagnostic::new(rules::SIZE, Severity::Note, None, "nowhere").help("look elsewhere");
        let text = [placed, free].map(|diagnostic| full(&diagnostic, &sources, Style::default())).join("\n");
        insta::assert_snapshot!(text, @r#"
        warning[WF001]: x is y
         --> a.yaml:1:1
          |
        1 | x: |
          | ^^^^ x
          |
         ::: b.yaml:1:1
          |
        1 | y: 2
          | - y
        note[WF006]: nowhere
         |
         = help: look elsewhere
        "#);
        let coloured =
            full(&Diagnostic::error(rules::SIZE, at(b, 1), "y"), &sources, Style { colour: true, width: 80 });
        assert!(coloured.contains("\u{1b}["));
    }
}
