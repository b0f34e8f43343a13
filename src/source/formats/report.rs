//! What every format renders: the diagnostics, their files, and the texts of the rules.

use std::cmp::Reverse;

use sha2::{Digest, Sha256};

use crate::source::{Diagnostic, Position, RuleId, Sources, Span};

/// How many hexadecimal digits name a diagnostic: 64 bits, far beyond what one project holds.
const FINGERPRINT_DIGITS: usize = 16;

/// What a rule says of itself.
#[derive(Debug, Clone)]
pub struct RuleText {
    /// The rule.
    pub id: RuleId,
    /// Its meaning in one line.
    pub meaning: &'static str,
    /// Its page, in Markdown; may be empty.
    pub page: String,
}

/// What is told, and of which files.
pub struct Report<'a> {
    /// The diagnostics, in the order of the files.
    pub diagnostics: &'a [Diagnostic],
    /// The files.
    pub sources: &'a Sources,
    /// Every rule, in the order of their names.
    pub rules: &'a [RuleText],
}

/// The two ends of a span, as editors count them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Region {
    pub start: Position,
    pub end: Position,
}

impl Report<'_> {
    pub(super) fn region(&self, span: Span) -> Region {
        let position = |offset| self.sources.position(span.file, offset);
        Region { start: position(span.start), end: position(span.end.max(span.start)) }
    }

    /// Returns the name of the file that a diagnostic is about; none when it is about no file.
    pub(super) fn file(&self, diagnostic: &Diagnostic) -> Option<&str> {
        Some(self.sources.name(diagnostic.span()?.file))
    }

    /// Returns the diagnostics, the worst first, and otherwise in their order.
    pub(super) fn worst_first(&self) -> Vec<&Diagnostic> {
        let mut sorted: Vec<&Diagnostic> = self.diagnostics.iter().collect();
        sorted.sort_by_key(|diagnostic| Reverse(diagnostic.severity));
        sorted
    }

    /// Returns a name for each diagnostic that stays when lines move: made of file, rule and message, and
    /// of how many like it came before.
    pub(super) fn fingerprints(&self) -> Vec<String> {
        let mut seen: std::collections::BTreeMap<(Option<&str>, RuleId, &str), usize> = Default::default();
        let fingerprint = |diagnostic: &Diagnostic, nth: usize, file: Option<&str>| {
            let whole = format!("{}\0{}\0{}\0{nth}", file.unwrap_or_default(), diagnostic.rule.0, diagnostic.message);
            let digest = Sha256::digest(whole.as_bytes());
            digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>()[..FINGERPRINT_DIGITS].to_owned()
        };
        let mut fingerprints = Vec::with_capacity(self.diagnostics.len());
        for diagnostic in self.diagnostics {
            let file = self.file(diagnostic);
            let nth = seen.entry((file, diagnostic.rule, &diagnostic.message)).or_default();
            fingerprints.push(fingerprint(diagnostic, *nth, file));
            *nth += 1;
        }
        fingerprints
    }
}

/// Returns the message with its help, as one text.
pub(super) fn message(diagnostic: &Diagnostic) -> String {
    match &diagnostic.help {
        Some(help) => format!("{}\nhelp: {help}", diagnostic.message),
        None => diagnostic.message.clone(),
    }
}
