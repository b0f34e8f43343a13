//! Types of expressions: what Argo hands to them are texts, whatever they look like.
//!
//! `inputs.parameters.count > 5` fails when it runs, and `tasks.a.exitCode == 0` is never true.

use super::{Called, Checked, expressions};
use crate::expr::lang;
use crate::plan::model::{Template, Text};
use crate::plan::problem::{Place, Problem};
use crate::plan::problems::Problems;
use crate::plan::rules;

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    for (template, calls) in checked.each() {
        of_texts(&template.texts, &template.place, problems);
        for call in calls {
            of_texts(&call.task.texts, &call.place, problems);
        }
        of_fields(template, calls, problems);
    }
}

/// Returns whether Argo hands a variable over as a text.
fn is_text(name: &str) -> bool {
    const FIELDS: [&str; 5] = ["exitCode", "status", "id", "startedAt", "finishedAt"];
    let below = |root: &str| name.strip_prefix(root).filter(|rest| !rest.is_empty() && !rest.contains('.'));
    if below("inputs.parameters.").is_some() || below("workflow.parameters.").is_some_and(|name| name != "json") {
        return true;
    }
    let Some(rest) = name.strip_prefix("steps.").or_else(|| name.strip_prefix("tasks.")) else { return false };
    let Some((_, field)) = rest.split_once('.') else { return false };
    FIELDS.contains(&field)
        || field == "outputs.result"
        || field.strip_prefix("outputs.parameters.").is_some_and(|name| !name.contains('.'))
}

fn of_texts(texts: &[Text], place: &Place, problems: &mut Problems) {
    for text in texts {
        for (expression, start) in text.text.expressions() {
            if let Err(fault) = lang::check_texts(expression, &is_text) {
                let place = place.below(&text.pointer);
                problems.push(problem(fault, start, place));
            }
        }
    }
}

fn of_fields(template: &Template, calls: &[Called<'_>], problems: &mut Problems) {
    for (text, place) in expressions::fields(template, calls) {
        if text.contains("{{") {
            continue;
        }
        let Ok(expression) = lang::parse(text) else { continue };
        if let Err(fault) = lang::check_texts(&expression, &is_text) {
            problems.push(problem(fault, 0, place));
        }
    }
}

fn problem(fault: crate::expr::EvalError, start: usize, place: Place) -> Problem {
    let at = fault.at.start + start..fault.at.end + start;
    let mut problem = Problem::warning(rules::EXPRESSION_TYPE, place, fault.message).within(at);
    problem.help = fault.help;
    problem
}
