//! Keys of ConfigMaps that are among the files given: what is read of them has to be there.
//!
//! A ConfigMap that is not given may be in the cluster, and is not looked at.

use serde_json::Value;

use super::Checked;
use super::containers::{containers, list, text};
use crate::plan::problem::{Place, Problem};
use crate::plan::problems::Problems;
use crate::plan::rules;
use crate::source::RuleId;
use crate::spec;

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    if checked.draft.resolved.config_maps.is_empty() {
        return;
    }
    let arguments = checked.draft.resolved.spec.arguments.iter().flat_map(|arguments| &arguments.parameters);
    of_parameters(checked, arguments, &Place::root().down("spec.arguments.parameters"), problems);
    for (template, calls) in checked.each() {
        let inputs = template.spec.inputs.iter().flat_map(|inputs| &inputs.parameters);
        of_parameters(checked, inputs, &template.place.down("inputs.parameters"), problems);
        for call in calls {
            let arguments = call.task.spec.arguments.iter().flat_map(|arguments| &arguments.parameters);
            of_parameters(checked, arguments, &call.place.down("arguments.parameters"), problems);
        }
        for (container, place) in containers(template) {
            of_variables(checked, container, &place.key("env"), problems);
        }
    }
}

fn of_parameters<'p>(
    checked: &Checked<'_>,
    parameters: impl Iterator<Item = &'p spec::Parameter>,
    place: &Place,
    problems: &mut Problems,
) {
    for (index, parameter) in parameters.enumerate() {
        let Some(from) = parameter.value_from.as_ref().filter(|from| from.default.is_none()) else { continue };
        let Some(key) = from.config_map_key_ref.as_ref().filter(|key| key.optional != Some(true)) else { continue };
        let place = || place.index(index).down("valueFrom.configMapKeyRef.key");
        let name = key.name.as_deref().unwrap_or_default();
        problems.extend(missing(checked, rules::ARGUMENT_VALUE, name, &key.key, place));
    }
}

fn of_variables(checked: &Checked<'_>, container: &Value, place: &Place, problems: &mut Problems) {
    for (index, variable) in list(container, "env").iter().enumerate() {
        let Some(key) = variable.pointer("/valueFrom/configMapKeyRef") else { continue };
        if key.get("optional").and_then(Value::as_bool) == Some(true) {
            continue;
        }
        let place = || place.index(index).down("valueFrom.configMapKeyRef.key");
        problems.extend(missing(checked, rules::POD, text(key, "name"), text(key, "key"), place));
    }
}

fn missing(
    checked: &Checked<'_>,
    rule: RuleId,
    name: &str,
    key: &str,
    place: impl FnOnce() -> Place,
) -> Option<Problem> {
    let data = checked.draft.resolved.config_maps.get(name)?;
    if key.is_empty() || key.contains("{{") || data.contains_key(key) {
        return None;
    }
    let problem = Problem::error(rule, place(), format!("the ConfigMap `{name}` has no key `{key}`"));
    Some(problem.suggest(key, data.keys().map(String::as_str)))
}
