//! The problems of one plan, of which there is a bound for each rule.

use std::collections::BTreeMap;

use super::problem::Problem;
use crate::base::limits;
use crate::source::{RuleId, Severity};

/// Collects problems. A mistake that is made in each of 100,000 tasks is one mistake: of a rule and a
/// severity only so many are kept as anybody reads, and one more stands for all others, so that what is
/// wrong never looks right.
#[derive(Debug, Default)]
pub(super) struct Problems {
    found: Vec<Problem>,
    counts: BTreeMap<(RuleId, Severity), usize>,
}

impl Problems {
    /// Adds a problem, while there is room for its rule.
    pub fn push(&mut self, problem: Problem) {
        let count = self.counts.entry((problem.rule, problem.severity)).or_default();
        *count += 1;
        match (*count).cmp(&(limits::PROBLEMS_PER_RULE_MAX + 1)) {
            std::cmp::Ordering::Less => self.found.push(problem),
            std::cmp::Ordering::Equal => self.found.push(others(problem)),
            std::cmp::Ordering::Greater => {}
        }
    }

    /// Adds a problem that costs much to describe, while there is room for its rule.
    pub fn push_error(&mut self, rule: RuleId, describe: impl FnOnce() -> Problem) {
        if self.has_room(rule, Severity::Error) {
            self.push(describe());
        }
    }

    /// Returns whether a further problem of a rule would be kept: describing one that is not can cost more
    /// than finding it.
    pub fn has_room(&self, rule: RuleId, severity: Severity) -> bool {
        self.counts.get(&(rule, severity)).is_none_or(|count| *count <= limits::PROBLEMS_PER_RULE_MAX)
    }

    /// Returns all, in the order in which they were added.
    pub fn into_vec(self) -> Vec<Problem> {
        self.found
    }
}

impl Extend<Problem> for Problems {
    fn extend<I: IntoIterator<Item = Problem>>(&mut self, problems: I) {
        problems.into_iter().for_each(|problem| self.push(problem));
    }
}

impl From<Vec<Problem>> for Problems {
    fn from(problems: Vec<Problem>) -> Self {
        let mut all = Self::default();
        all.extend(problems);
        all
    }
}

/// Returns what stands for a problem and all that would follow it.
fn others(problem: Problem) -> Problem {
    let message = format!("there are more than {} problems of this rule", limits::PROBLEMS_PER_RULE_MAX);
    Problem { message, within: None, label: String::new(), also: Vec::new(), mend: None, ..problem }
        .help("mend those that are told first")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::problem::Place;
    use crate::plan::rules;

    #[test]
    fn each_rule_has_a_bound_and_says_so() {
        let most = limits::PROBLEMS_PER_RULE_MAX;
        let mut problems = Problems::default();
        for number in 0..most + 10 {
            problems.push(Problem::warning(rules::NAME_FORM, Place::root(), format!("{number}")));
        }
        assert!(!problems.has_room(rules::NAME_FORM, Severity::Warning));
        // Warnings take no room from errors.
        problems.push_error(rules::NAME_FORM, || Problem::error(rules::NAME_FORM, Place::root(), "last"));
        let found = problems.into_vec();
        assert_eq!(found.len(), most + 2);
        assert!(found[most].message.starts_with("there are more than"), "{}", found[most].message);
        assert!(found[most + 1].is_error());
    }
}
