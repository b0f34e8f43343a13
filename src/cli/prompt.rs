//! Questions, asked only of a person at a terminal, and never with `--no-input`.

use dialoguer::{Confirm, Input, Select};

use super::error::{Error, Kind};
use super::session::Session;
use crate::spec::Parameter;

/// Returns whether somebody can be asked.
pub fn may_ask(session: &Session) -> bool {
    session.env.stdin_is_terminal && session.env.stderr_is_terminal && !session.global.no_input
}

/// Asks whether to go on; without somebody to ask, the flag that means yes must be given.
pub fn confirm(session: &Session, question: &str, flag: &str) -> Result<(), Error> {
    if !may_ask(session) {
        return Err(Error::new(Kind::Usage, format!("{question} needs a yes")).hint(format!("say it with {flag}")));
    }
    match Confirm::new().with_prompt(question).default(false).interact() {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::new(Kind::Interrupted, "nothing was done")),
        Err(_) => Err(Error::told(Kind::Interrupted)),
    }
}

/// Asks for the value of a parameter: from its list where it has one.
pub fn parameter(parameter: &Parameter) -> Result<String, Error> {
    let about = parameter.description.as_ref().map(|text| format!(" ({})", text.as_str())).unwrap_or_default();
    let question = format!("{}{about}", parameter.name);
    let choices: Vec<&str> = parameter.enum_.iter().map(|choice| choice.as_str()).collect();
    let answer = if choices.is_empty() {
        Input::<String>::new().with_prompt(question).allow_empty(true).interact_text()
    } else {
        let chosen = Select::new().with_prompt(question).items(&choices).default(0).interact();
        chosen.map(|at| choices[at].to_owned())
    };
    answer.map_err(|_| Error::told(Kind::Interrupted))
}
