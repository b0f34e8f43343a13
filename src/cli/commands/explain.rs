//! `wf explain`.

use clap::Args;

use crate::base::suggest;
use crate::cli::error::{Error, Kind};
use crate::cli::session::Session;
use crate::cli::unsupported;
use crate::source::RuleId;
use crate::{plan, source, spec};

/// Say what a rule of `wf lint` means
#[derive(Debug, Args)]
pub struct Explain {
    /// The rule, such as WF004; all rules when absent
    #[arg(value_name = "RULE")]
    pub rule: Option<String>,
}

impl Explain {
    /// Prints the meaning of the rule, or of all.
    pub fn run(&self, session: &Session) -> Result<(), Error> {
        let rules = rules();
        let Some(wanted) = &self.rule else {
            let lines: String = rules.iter().map(|(rule, meaning)| format!("{}  {meaning}\n", rule.0)).collect();
            return session.ui.data(&lines);
        };
        match rules.iter().find(|(rule, _)| rule.0.eq_ignore_ascii_case(wanted)) {
            Some((rule, meaning)) => session.ui.data(&format!("{}: {meaning}\n", rule.0)),
            None => Err(unknown(wanted, &rules)),
        }
    }
}

/// Returns every rule with its meaning, in the order of their names.
pub fn rules() -> Vec<(RuleId, &'static str)> {
    let mut rules: Vec<_> = [source::rules::ALL, spec::rules::ALL, plan::rules::ALL].concat();
    rules.extend(unsupported::RULES);
    rules.sort();
    rules
}

fn unknown(wanted: &str, rules: &[(RuleId, &str)]) -> Error {
    let error = Error::new(Kind::NotFound, format!("there is no rule `{wanted}`"));
    match suggest::nearest(wanted, rules.iter().map(|(rule, _)| rule.0)) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint("wf explain"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_rules_have_one_name() {
        let rules = rules();
        let names: std::collections::BTreeSet<&str> = rules.iter().map(|(rule, _)| rule.0).collect();
        assert_eq!(names.len(), rules.len());
    }
}
