//! What a loop gives out is a list of what its items gave: it is no single value, and has no artifacts.
//!
//! Source: `processAggregateNodeOutputs`, which makes lists of results and parameters only.

use std::collections::BTreeMap;

use super::{Called, Checked};
use crate::plan::model::Text;
use crate::plan::problem::{Place, Problem};
use crate::plan::problems::Problems;
use crate::plan::rules;
use crate::plan::scopes::Items;
use crate::source::Segment;

/// Fields of a step or task whose value is one word or number, never a list.
const SINGLE: [&str; 7] = ["status", "exitCode", "id", "ip", "startedAt", "finishedAt", "hostNodeName"];

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    for (template, calls) in checked.each() {
        let loops = loops(calls);
        for call in calls {
            problems.extend(loop_over_single(call));
            if !loops.is_empty() {
                call.task.texts.iter().for_each(|text| problems.extend(used_as_one(call, text, &loops)));
            }
        }
        if !loops.is_empty() {
            problems.extend(template.texts.iter().filter_map(|text| artifact(text, &template.place, &loops)));
        }
    }
}

/// Returns the places of those steps or tasks that loop.
fn loops<'a>(calls: &[Called<'a>]) -> Loops<'a> {
    let looping = calls.iter().filter(|call| Items::of(&call.task.spec).exist());
    looping.map(|call| (&*call.task.name, call.place.key("name"))).collect()
}

/// Places by name.
type Loops<'a> = BTreeMap<&'a str, Place>;

/// Splits `steps.NAME.FIELD` of a loop.
fn of_loop<'n>(name: &'n str, loops: &Loops<'_>) -> Option<(&'n str, &'n str)> {
    let rest = name.strip_prefix("steps.").or_else(|| name.strip_prefix("tasks."))?;
    rest.split_once('.').filter(|(name, _)| loops.contains_key(name))
}

fn is_list(field: &str) -> bool {
    field == "outputs.result" || field.starts_with("outputs.parameters")
}

/// A condition that compares the list with a word, and a count that is a list.
fn used_as_one(call: &Called<'_>, text: &Text, loops: &Loops<'_>) -> Option<Problem> {
    if let Some(problem) = artifact(text, &call.place, loops) {
        return Some(problem);
    }
    let key = |key: &str| text.pointer.first() == Some(&Segment::Key(key.into()));
    let source = text.text.source();
    // A list may well be compared with a list, or searched.
    let compares = key("when") && !source.contains(['[', '~']) && !source.contains(" in ");
    if !compares && !key("withSequence") {
        return None;
    }
    let variable = text.text.variables().find(|variable| {
        !variable.in_expression && of_loop(&variable.name, loops).is_some_and(|(_, field)| is_list(field))
    })?;
    let (name, _) = of_loop(&variable.name, loops)?;
    let message =
        format!("`{}` is a list with a value for each item of `{name}`, and is used as one value", variable.name);
    let problem = Problem::warning(rules::AGGREGATE, call.place.below(&text.pointer), message);
    Some(
        problem
            .within(variable.at)
            .also(loops[name].clone(), format!("`{name}` loops here"))
            .help("take one of the values in an expression: `{{=jsonpath(steps.NAME.outputs.result, '$[0]')}}`"),
    )
}

/// An artifact that is taken from a loop, which has none.
fn artifact(text: &Text, place: &Place, loops: &Loops<'_>) -> Option<Problem> {
    let is_from = text.pointer.last() == Some(&Segment::Key("from".into()));
    let name = text.text.sole_variable().filter(|_| is_from)?;
    let (task, _) = of_loop(name, loops).filter(|(_, field)| field.starts_with("outputs.artifacts."))?;
    let message = format!("`{task}` loops, and a loop gives out no artifacts: `{name}` cannot be resolved");
    let problem = Problem::error(rules::AGGREGATE, place.below(&text.pointer), message);
    Some(problem.help("let each item write to a key of its own, and the next step read the folder"))
}

/// A loop over what is never a list.
fn loop_over_single(call: &Called<'_>) -> Option<Problem> {
    let text = call.task.spec.with_param.as_deref()?.trim();
    let name = text.strip_prefix("{{")?.strip_suffix("}}")?.trim();
    let rest = name.strip_prefix("steps.").or_else(|| name.strip_prefix("tasks."))?;
    let (_, field) = rest.split_once('.')?;
    SINGLE.contains(&field).then(|| {
        let message = format!("`withParam` of `{}` is `{name}`, which is no list", call.task.name);
        let problem = Problem::error(rules::LOOP_ITEMS, call.place.key("withParam"), message);
        problem.help("loop over an output that is a JSON list, such as `outputs.result`")
    })
}
