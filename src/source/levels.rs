//! How much each rule weighs in a project: what is told, and as what.

use std::collections::BTreeMap;

use super::{Diagnostic, RuleId, Severity};

/// What becomes of the diagnostics of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// They are not told.
    Off,
    /// They are told with this weight.
    At(Severity),
}

impl Level {
    /// Every level, by the word that settings use.
    pub const WORDS: [(&str, Level); 4] = [
        ("off", Level::Off),
        ("note", Level::At(Severity::Note)),
        ("warning", Level::At(Severity::Warning)),
        ("error", Level::At(Severity::Error)),
    ];

    /// Returns the level that a word names.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::WORDS.into_iter().find(|(known, _)| *known == word).map(|(_, level)| level)
    }
}

/// The levels of a project. A rule without one keeps the weight that it gives.
#[derive(Debug, Clone, Default)]
pub struct Levels {
    by_rule: BTreeMap<RuleId, Level>,
}

impl Levels {
    /// Returns levels with some rules off: those that only tell who asks for it.
    pub fn without(rules: &[RuleId]) -> Self {
        Self { by_rule: rules.iter().map(|rule| (*rule, Level::Off)).collect() }
    }

    /// Sets the level of a rule.
    pub fn set(&mut self, rule: RuleId, level: Level) {
        self.by_rule.insert(rule, level);
    }

    /// Takes back that a rule has a level of its own.
    pub fn reset(&mut self, rule: RuleId) {
        self.by_rule.remove(&rule);
    }

    /// Returns a diagnostic with the weight that it has here; none when it is not told.
    pub fn judge(&self, diagnostic: Diagnostic) -> Option<Diagnostic> {
        match self.by_rule.get(&diagnostic.rule) {
            None => Some(diagnostic),
            Some(Level::Off) => None,
            Some(Level::At(severity)) => Some(Diagnostic { severity: *severity, ..diagnostic }),
        }
    }
}
