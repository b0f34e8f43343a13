//! Values of inputs that their own `enum` does not allow.
//!
//! Argo asks this of the arguments of a workflow only; a step with such a value runs. What somebody wrote
//! down as the allowed values is worth a warning all the same.

use super::Checked;
use crate::plan::model::Template;
use crate::plan::problem::{Place, Problem};
use crate::plan::problems::Problems;
use crate::plan::rules;
use crate::spec;

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    for (template, calls) in checked.each() {
        of_inputs(template, problems);
        for call in calls {
            let Some(target) = checked.target(call.task).filter(|target| has_enum(target)) else { continue };
            let arguments = call.task.spec.arguments.iter().flat_map(|arguments| &arguments.parameters);
            let place = call.place.down("arguments.parameters");
            let refused = arguments.enumerate().filter_map(|(index, argument)| {
                let inputs = target.spec.inputs.iter().flat_map(|inputs| &inputs.parameters);
                let input = inputs.into_iter().find(|input| input.name == argument.name)?;
                refused(input, argument.value.as_ref(), place.index(index).key("value"))
            });
            problems.extend(refused);
        }
    }
}

fn has_enum(template: &Template) -> bool {
    let mut inputs = template.spec.inputs.iter().flat_map(|inputs| &inputs.parameters);
    inputs.any(|input| !input.enum_.is_empty())
}

fn of_inputs(template: &Template, problems: &mut Problems) {
    let inputs = template.spec.inputs.iter().flat_map(|inputs| &inputs.parameters);
    for (index, input) in inputs.enumerate().filter(|(_, input)| !input.enum_.is_empty()) {
        let place = template.place.down("inputs.parameters").index(index);
        problems.extend(refused(input, input.default.as_ref(), place.key("default")));
        problems.extend(refused(input, input.value.as_ref(), place.key("value")));
    }
}

/// Returns the problem of a value without tags that is none of those that are allowed.
fn refused(input: &spec::Parameter, value: Option<&spec::AnyString>, place: Place) -> Option<Problem> {
    let value = value.filter(|value| !value.contains("{{"))?;
    if input.enum_.is_empty() || input.enum_.contains(value) {
        return None;
    }
    let message = format!("`{}` is `{value}`, which its `enum` does not allow", input.name);
    let allowed = input.enum_.iter().map(|value| value.as_str());
    Some(Problem::warning(rules::ENUM, place, message).suggest(value, allowed))
}
