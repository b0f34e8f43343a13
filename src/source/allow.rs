//! Comments that allow a rule where they stand: `# wf: allow WF151`.
//!
//! At the end of a line the comment is about that line, on a line of its own about the next line that
//! is no comment, and `# wf: allow-file WF151` about the whole file. Words behind the rules say why.

use std::collections::BTreeMap;

use super::{Diagnostic, FileId, RuleId, Sources, Span, rules};
use crate::base::suggest;

const MARK: &str = "wf: allow";

/// What the comments of some files allow.
#[derive(Debug, Clone, Default)]
pub struct Allowed {
    /// Rules by file and line, from 1; line 0 is the whole file.
    by_line: BTreeMap<(FileId, usize), Vec<RuleId>>,
}

impl Allowed {
    /// Reads the comments of all files; what names no rule is a diagnostic.
    pub fn read(sources: &Sources, known: &[RuleId]) -> (Self, Vec<Diagnostic>) {
        let (mut allowed, mut diagnostics) = (Self::default(), Vec::new());
        for file in sources.ids().filter(|file| sources.text(*file).contains(MARK)) {
            allowed.read_file(file, sources.text(file), known, &mut diagnostics);
        }
        (allowed, diagnostics)
    }

    /// Returns whether a comment allows what a diagnostic complains about.
    pub fn covers(&self, diagnostic: &Diagnostic, sources: &Sources) -> bool {
        let Some(span) = diagnostic.span().filter(|_| !self.by_line.is_empty()) else { return false };
        let line = sources.position(span.file, span.start).line;
        let covers = |line| self.by_line.get(&(span.file, line)).is_some_and(|rules| rules.contains(&diagnostic.rule));
        covers(line) || covers(0)
    }

    fn read_file(&mut self, file: FileId, text: &str, known: &[RuleId], diagnostics: &mut Vec<Diagnostic>) {
        let mut start = 0;
        // Rules of comments that wait for the line that they are about.
        let mut waiting: Vec<RuleId> = Vec::new();
        for (number, line) in text.split_inclusive('\n').enumerate() {
            let is_comment = line.trim_start().starts_with('#');
            let found = comment(line).map(|(is_file, at)| (is_file, names(line, at, start, file, known, diagnostics)));
            match found {
                Some((true, rules)) => self.add(file, 0, rules),
                Some((false, rules)) if is_comment => waiting.extend(rules),
                Some((false, rules)) => self.add(file, number + 1, rules),
                None => {}
            }
            if !is_comment && !line.trim().is_empty() {
                self.add(file, number + 1, std::mem::take(&mut waiting));
            }
            start += line.len();
        }
    }

    fn add(&mut self, file: FileId, line: usize, rules: Vec<RuleId>) {
        if !rules.is_empty() {
            self.by_line.entry((file, line)).or_default().extend(rules);
        }
    }
}

/// Returns whether the comment of a line is about the file, and where its rules begin.
fn comment(line: &str) -> Option<(bool, usize)> {
    let at = line.find(MARK)?;
    let before = line[..at].trim_end();
    let is_comment = before.ends_with('#') && before[..before.len() - 1].chars().last().is_none_or(char::is_whitespace);
    let rest = &line[at + MARK.len()..];
    let is_file = rest.starts_with("-file");
    let rules = at + MARK.len() + if is_file { "-file".len() } else { 0 };
    let is_end = line[rules..].chars().next().is_none_or(char::is_whitespace);
    (is_comment && is_end).then_some((is_file, rules))
}

/// Returns the rules that a comment names: words in the form of a rule, as far as they follow each other.
fn names(
    line: &str,
    at: usize,
    line_start: usize,
    file: FileId,
    known: &[RuleId],
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<RuleId> {
    let mut rules = Vec::new();
    let mut told = false;
    let mut next = line_start + at;
    for word in line[at..].split([' ', '\t', ',', '\r', '\n']) {
        let start = next as u32;
        next += word.len() + 1;
        if word.is_empty() {
            continue;
        }
        if !word.starts_with("WF") {
            break;
        }
        told = true;
        let span = Span { file, start, end: start + word.len() as u32 };
        match known.iter().find(|rule| rule.0 == word) {
            Some(rule) => rules.push(*rule),
            None => diagnostics.push(no_rule(word, span, known)),
        }
    }
    if !told {
        let start = (line_start + at) as u32;
        let span = Span { file, start: start - MARK.len() as u32, end: start };
        let fault = Diagnostic::warning(rules::ALLOW, span, "the comment does not say which rule it allows");
        diagnostics.push(fault.help("write `# wf: allow WF151 because …`"));
    }
    rules
}

fn no_rule(word: &str, span: Span, known: &[RuleId]) -> Diagnostic {
    let fault = Diagnostic::warning(rules::ALLOW, span, format!("there is no rule `{word}`"));
    match suggest::nearest(word, known.iter().map(|rule| rule.0)) {
        Some(near) => fault.help(format!("did you mean `{near}`?")).guess(span, near),
        None => fault.help("`wf explain` lists all rules"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_allow_rules_where_they_stand() {
        let text = "a: 1 # wf: allow WF001, WF002 since it is old\n# wf: allow WF003\n# more words\n\nb: 2\n\
                    c: '# wf: allowed'\n# wf: allow-file WF004\n# wf: allow\nd: 3 # wf: allow WF999\n";
        let mut sources = Sources::new();
        let file = sources.add("a.yaml", text);
        let known = [rules::SYNTAX, rules::DUPLICATE_KEY, rules::KEY_TYPE, rules::UNQUOTED_TAG];
        let (allowed, faults) = Allowed::read(&sources, &known);
        let at = |word: &str, rule| {
            let start = text.find(word).expect("the word is there") as u32;
            let diagnostic = Diagnostic::error(rule, Span { file, start, end: start + 1 }, "x");
            allowed.covers(&diagnostic, &sources)
        };
        for (word, rule, covered) in [
            ("a:", rules::SYNTAX, true),
            ("a:", rules::DUPLICATE_KEY, true),
            ("a:", rules::KEY_TYPE, false),
            ("b:", rules::KEY_TYPE, true),
            ("b:", rules::SYNTAX, false),
            ("c:", rules::SYNTAX, false),
            ("d:", rules::UNQUOTED_TAG, true),
        ] {
            assert_eq!(at(word, rule), covered, "{word} {rule:?}");
        }
        let told: Vec<&str> = faults.iter().map(|fault| fault.message.as_str()).collect();
        assert_eq!(told, ["the comment does not say which rule it allows", "there is no rule `WF999`"]);
    }
}
