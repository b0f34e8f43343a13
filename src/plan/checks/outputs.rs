//! Output parameters: where their values come from, and their names in the whole run.
//!
//! Source: `validateOutputs`, `validateOutputParameter`.

use super::{Checked, given};
use crate::expr::jq_fault;
use crate::plan::model::Template;
use crate::plan::problem::{Place, Problem};
use crate::plan::problems::Problems;
use crate::plan::rules;
use crate::spec;

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    for template in &checked.draft.templates {
        let Some(outputs) = &template.spec.outputs else { continue };
        let place = template.place.key("outputs");
        for (index, output) in outputs.parameters.iter().enumerate() {
            let place = place.key("parameters").index(index);
            problems.extend(of_value(output, &place).or_else(|| of_type(template, output, &place)));
            problems.extend(global_name(output.global_name.as_deref(), &place));
        }
        for (index, output) in outputs.artifacts.iter().enumerate() {
            problems.extend(global_name(output.global_name.as_deref(), &place.key("artifacts").index(index)));
        }
    }
}

/// The sources that an output's value can have, with their fields.
fn sources(from: &spec::ValueFrom) -> Vec<&'static str> {
    let texts = [
        ("path", &from.path),
        ("jqFilter", &from.jq_filter),
        ("jsonPath", &from.json_path),
        ("parameter", &from.parameter),
        ("expression", &from.expression),
    ];
    let texts = texts.into_iter().filter(|(_, text)| given(text.as_deref()).is_some()).map(|(field, _)| field);
    texts.chain(from.supplied.is_some().then_some("supplied")).collect()
}

fn of_value(output: &spec::Parameter, place: &Place) -> Option<Problem> {
    let name = &output.name;
    let error = |place: Place, message: String| Some(Problem::error(rules::OUTPUT, place, message));
    match (&output.value, &output.value_from) {
        (Some(_), Some(_)) => {
            let problem =
                error(place.key("valueFrom"), format!("the output `{name}` has both `value` and `valueFrom`"));
            problem
                .map(|problem| problem.also(place.key("value"), "`value` is here").help("keep the one that is meant"))
        }
        (Some(_), None) => None,
        (None, None) => {
            let problem = error(place.clone(), format!("the output `{name}` does not say where its value comes from"));
            problem.map(|problem| problem.help("add `valueFrom`"))
        }
        (None, Some(from)) => match sources(from).as_slice() {
            [_] => None,
            [] => {
                let problem =
                    error(place.key("valueFrom"), format!("`valueFrom` of the output `{name}` names no source"));
                problem.map(|problem| {
                    problem.help("add one of `path`, `parameter`, `expression`, `jsonPath`, `jqFilter`, `supplied`")
                })
            }
            [first, second, ..] => {
                let message = format!("`valueFrom` of the output `{name}` has both `{first}` and `{second}`");
                let problem = error(place.key("valueFrom").key(second), message);
                problem.map(|problem| {
                    problem
                        .also(place.key("valueFrom").key(first), "the other is here")
                        .help("keep the one that is meant")
                })
            }
        },
    }
}

/// The source has to be one that the template can have.
fn of_type(template: &Template, output: &spec::Parameter, place: &Place) -> Option<Problem> {
    let from = output.value_from.as_ref()?;
    let spec = &template.spec;
    let (kind, allowed): (&str, &[&str]) =
        if spec.container.is_some() || spec.container_set.is_some() || spec.script.is_some() {
            ("a container", &["path"])
        } else if spec.resource.is_some() {
            ("a resource template", &["jsonPath", "jqFilter"])
        } else if spec.dag.is_some() || spec.steps.is_some() {
            ("steps or a DAG", &["parameter", "expression"])
        } else {
            return None;
        };
    let source = *sources(from).first()?;
    let place = place.key("valueFrom").key(source);
    if !allowed.contains(&source) {
        let message = format!("an output of {kind} cannot come from `valueFrom.{source}`");
        let help = format!("use `valueFrom.{}`", allowed.join("` or `valueFrom."));
        return Some(Problem::error(rules::OUTPUT, place, message).help(help));
    }
    bad_query(from, &place)
}

/// A query that cannot be read fails the node when it ends.
fn bad_query(from: &spec::ValueFrom, place: &Place) -> Option<Problem> {
    if let Some(filter) = given(from.jq_filter.as_deref()).filter(|filter| !filter.contains("{{")) {
        return jq_fault(filter).map(|fault| Problem::error(rules::QUERY, place.clone(), fault));
    }
    let path = given(from.json_path.as_deref()).filter(|path| !path.contains("{{"))?;
    let message = "the query cannot be read: its brackets do not close";
    (!is_balanced(path)).then(|| Problem::error(rules::QUERY, place.clone(), message))
}

/// Returns whether every bracket is closed by its like, texts in quotes apart.
fn is_balanced(path: &str) -> bool {
    let mut open = Vec::new();
    let mut quote = None;
    for c in path.chars() {
        match (quote, c) {
            (Some(end), c) if c == end => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '{') => open.push('}'),
            (None, '[') => open.push(']'),
            (None, '(') => open.push(')'),
            (None, '}' | ']' | ')') if open.pop() != Some(c) => return false,
            _ => {}
        }
    }
    open.is_empty() && quote.is_none()
}

fn global_name(name: Option<&str>, place: &Place) -> Option<Problem> {
    let name = given(name).filter(|name| !name.contains("{{"))?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.chars().all(allowed) {
        return None;
    }
    let message = format!("`{name}` is not a valid name: it may hold only letters, digits, `-` and `_`");
    Some(Problem::error(rules::NAME_FORM, place.key("globalName"), message))
}
