//! `wf explain`.

use clap::Args;

use crate::base::suggest;
use crate::cli::error::{Error, Kind};
use crate::cli::rulebook;
use crate::cli::session::Session;
use crate::source::formats::RuleText;

/// Say what a rule of `wf lint` means, and how to mend what it finds
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  wf explain\n  wf explain WF119")]
pub struct Explain {
    /// The rule, such as WF004; all rules when absent
    #[arg(value_name = "RULE")]
    pub rule: Option<String>,
}

impl Explain {
    /// Prints the page of the rule, or all rules with their meaning.
    pub fn run(&self, session: &Session) -> Result<(), Error> {
        let rules = rulebook::all();
        let Some(wanted) = &self.rule else {
            let lines: String = rules.iter().map(|rule| format!("{}  {}\n", rule.id.0, rule.meaning)).collect();
            return session.ui.data(&lines);
        };
        match rules.iter().find(|rule| rule.id.0.eq_ignore_ascii_case(wanted)) {
            Some(rule) => session.ui.data(&format!("{}: {}\n\n{}\n", rule.id.0, rule.meaning, rule.page)),
            None => Err(unknown(wanted, &rules)),
        }
    }
}

fn unknown(wanted: &str, rules: &[RuleText]) -> Error {
    let error = Error::new(Kind::NotFound, format!("there is no rule `{wanted}`"));
    match suggest::nearest(wanted, rules.iter().map(|rule| rule.id.0)) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint("wf explain"),
    }
}
