//! Every rule with its meaning and its page: what `wf explain` prints and reports carry along.

use crate::source::formats::RuleText;
use crate::source::{Levels, RuleId};
use crate::{plan, source, spec};

use super::unsupported;

/// The pages: sections of Markdown, each under the name of its rule.
const PAGES: [&str; 4] = [source::rules::PAGES, spec::rules::PAGES, plan::rules::PAGES, include_str!("rules.md")];

/// Returns every rule, in the order of their names.
pub fn all() -> Vec<RuleText> {
    let mut rules: Vec<(RuleId, &'static str)> = [source::rules::ALL, spec::rules::ALL, plan::rules::ALL].concat();
    rules.extend(unsupported::RULES);
    rules.sort();
    let text = |(id, meaning): (RuleId, &'static str)| RuleText { id, meaning, page: page(id).to_owned() };
    rules.into_iter().map(text).collect()
}

/// Returns the names of all rules.
pub fn ids() -> Vec<RuleId> {
    all().into_iter().map(|rule| rule.id).collect()
}

/// Returns the levels of a project that sets none: what is a matter of taste is not told.
pub fn default_levels() -> Levels {
    Levels::without(plan::rules::PEDANTIC)
}

/// Returns the page of a rule, without its heading; empty where there is none.
fn page(rule: RuleId) -> &'static str {
    let heading = format!("## {}\n", rule.0);
    let found = PAGES.iter().find_map(|pages| pages.split_once(&heading));
    found.map_or("", |(_, rest)| rest.split("\n## ").next().unwrap_or(rest).trim())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_rules_have_one_name() {
        let names: BTreeSet<RuleId> = ids().into_iter().collect();
        assert_eq!(names.len(), all().len());
    }

    #[test]
    fn every_rule_has_a_page_and_every_page_a_rule() {
        let lacking: Vec<&str> = all().iter().filter(|rule| rule.page.is_empty()).map(|rule| rule.id.0).collect();
        assert_eq!(lacking, Vec::<&str>::new());
        let known = ids();
        let headings = PAGES.iter().flat_map(|pages| pages.lines()).filter_map(|line| line.strip_prefix("## "));
        let stray: Vec<&str> = headings.filter(|name| !known.iter().any(|rule| rule.0 == *name)).collect();
        assert_eq!(stray, Vec::<&str>::new());
    }
}
