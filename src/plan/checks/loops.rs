//! Loops: one source of items, and one that can be read.
//!
//! Source: `addItemsToScope`, `expandTask`, `expandSequence`.

use serde_json::Value;

use super::{Called, Checked};
use crate::plan::problem::{Place, Problem};
use crate::plan::problems::Problems;
use crate::plan::rules;
use crate::spec;

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    for (_, calls) in checked.each() {
        for call in calls {
            one_source(call, problems);
            of_list(call, problems);
            of_argument(checked, call, problems);
            of_numbers(call, problems);
        }
    }
}

fn one_source(call: &Called<'_>, problems: &mut Problems) {
    let task = &call.task.spec;
    let sources = [
        ("withItems", !task.with_items.is_empty()),
        ("withParam", task.with_param.as_deref().is_some_and(|text| !text.is_empty())),
        ("withSequence", task.with_sequence.is_some()),
    ];
    let given: Vec<&str> = sources.iter().filter(|(_, given)| *given).map(|(source, _)| *source).collect();
    if let [first, second, ..] = given.as_slice() {
        let message = format!("`{}` loops over both `{first}` and `{second}`", task.name);
        let problem = Problem::error(rules::LOOP, call.place.key(second), message);
        problems.push(problem.also(call.place.key(first), "the other is here").help("keep the one that is meant"));
    }
}

/// A list that has no tags can be read now.
fn of_list(call: &Called<'_>, problems: &mut Problems) {
    let Some(text) = call.task.spec.with_param.as_deref().filter(|text| !text.is_empty() && !text.contains("{{"))
    else {
        return;
    };
    let fault = match serde_json::from_str::<Value>(text) {
        Ok(Value::Array(_)) => return,
        Ok(_) => "it is JSON, but no list".to_owned(),
        Err(fault) => format!("it is not JSON: {fault}"),
    };
    let message = format!("`withParam` of `{}` is not a list: {fault}", call.task.name);
    let help =
        "give a JSON list such as `[1, 2]`, or a tag that becomes one, such as `{{steps.generate.outputs.result}}`";
    problems.push(Problem::error(rules::LOOP_ITEMS, call.place.key("withParam"), message).help(help));
}

/// A parameter of the workflow that is no list as it stands; who submits it may give another one.
fn of_argument(checked: &Checked<'_>, call: &Called<'_>, problems: &mut Problems) {
    let Some(text) = call.task.spec.with_param.as_deref() else { return };
    let tag = text.trim().strip_prefix("{{").and_then(|text| text.strip_suffix("}}")).map(str::trim);
    let Some(name) = tag.and_then(|tag| tag.strip_prefix("workflow.parameters.")) else { return };
    let arguments = checked.draft.resolved.spec.arguments.iter().flat_map(|arguments| &arguments.parameters);
    let mut named = arguments.enumerate().filter(|(_, parameter)| parameter.name == name);
    let Some((index, Some(value))) = named.next().map(|(index, parameter)| (index, parameter.value.as_deref())) else {
        return;
    };
    let is_list = matches!(serde_json::from_str(value), Ok(Value::Array(_)));
    if !is_list && !value.contains("{{") {
        let message = format!("`{}` loops over the parameter `{name}`, whose value is no list", call.task.name);
        let place = Place::root().down("spec.arguments.parameters").index(index).key("value");
        let problem = Problem::warning(rules::LOOP_ITEMS, call.place.key("withParam"), message);
        problems.push(problem.also(place, "the value is here").help("give a JSON list such as `[1, 2]`"));
    }
}

fn of_numbers(call: &Called<'_>, problems: &mut Problems) {
    let Some(sequence) = &call.task.spec.with_sequence else { return };
    let place = call.place.key("withSequence");
    if sequence.count.is_some() && sequence.end.is_some() {
        let message = format!("`withSequence` of `{}` has both `count` and `end`", call.task.name);
        let problem = Problem::error(rules::LOOP_ITEMS, place.key("end"), message);
        problems.push(problem.also(place.key("count"), "the other is here").help("keep the one that is meant"));
    }
    if sequence.count.is_none() && sequence.end.is_none() {
        let message = format!("`withSequence` of `{}` has no end", call.task.name);
        problems.push(Problem::error(rules::LOOP_ITEMS, place.clone(), message).help("add `count` or `end`"));
    }
    for (field, number) in [("count", &sequence.count), ("start", &sequence.start), ("end", &sequence.end)] {
        problems.extend(number.as_ref().and_then(|number| no_number(field, number, &place)));
    }
    if let Some(format) = sequence.format.as_deref().filter(|format| !format.contains("{{") && !has_one_verb(format)) {
        let message = format!("the format `{format}` does not write each number once");
        let problem = Problem::warning(rules::LOOP_ITEMS, place.key("format"), message);
        problems.push(problem.help("write one verb for whole numbers, such as `%d` or `%02x`"));
    }
}

/// Returns whether a format of Go's `Sprintf` has one verb, and that for whole numbers. An empty one is none.
fn has_one_verb(format: &str) -> bool {
    let mut verbs = 0;
    let mut rest = format;
    while let Some((_, behind)) = rest.split_once('%') {
        let verb = behind.trim_start_matches(|c: char| c.is_ascii_digit() || "+-# .".contains(c));
        let Some(letter) = verb.chars().next() else { return false };
        rest = &verb[letter.len_utf8()..];
        match letter {
            '%' => {}
            'b' | 'c' | 'd' | 'o' | 'O' | 'q' | 'x' | 'X' | 'U' | 'v' => verbs += 1,
            _ => return false,
        }
    }
    format.is_empty() || verbs == 1
}

fn no_number(field: &str, number: &spec::IntOrString, place: &Place) -> Option<Problem> {
    let text = number.as_text();
    if text.contains("{{") || text.is_empty() || text.parse::<i64>().is_ok() {
        return None;
    }
    let message = format!("`withSequence.{field}` is `{text}`, which is no whole number");
    Some(Problem::error(rules::LOOP_ITEMS, place.key(field), message))
}
