//! The workflow as a whole: where it begins, and what it asks for beside its templates.
//!
//! Source: `Workflow` in `validate.go`, `AsExecutorPluginSpec`.

use serde_json::Value;

use super::fields::pod_resources;
use super::{Checked, Purpose, given};
use crate::plan::compile::no_entrypoint;
use crate::plan::problem::{Place, Problem};
use crate::plan::problems::Problems;
use crate::plan::rules;
use crate::spec;

const POD_GC: [&str; 4] = ["OnPodCompletion", "OnPodSuccess", "OnWorkflowCompletion", "OnWorkflowSuccess"];
const OPERATORS: [&str; 4] = ["In", "NotIn", "Exists", "DoesNotExist"];

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    let spec = &checked.draft.resolved.spec;
    let place = Place::root().key("spec");
    if checked.purpose != Purpose::Library && given(spec.entrypoint.as_deref()).is_none() {
        let names = spec.templates.iter().filter_map(|template| template.name.as_deref());
        problems.push(no_entrypoint().suggest("main", names));
    }
    if let Some(pod_gc) = &spec.pod_gc {
        clean_up(pod_gc, &place.key("podGC"), problems);
    }
    if let Some(resources) = &spec.pod_resources {
        problems.extend(pod_resources(resources, &place.key("podResources")));
    }
    for (index, plugin) in spec.executor_plugins.iter().enumerate() {
        problems.extend(executor_plugin(plugin, &place.key("executorPlugins").index(index)));
    }
}

fn clean_up(pod_gc: &spec::PodGC, place: &Place, problems: &mut Problems) {
    let strategy = pod_gc.strategy.as_deref().unwrap_or_default();
    if !strategy.is_empty() && !POD_GC.contains(&strategy) {
        let message = format!("`{strategy}` is no time to delete pods");
        problems.push(Problem::error(rules::CHOICE, place.key("strategy"), message).suggest(strategy, POD_GC));
    }
    let selector = pod_gc.label_selector.as_ref();
    let conditions = selector.and_then(|selector| selector.get("matchExpressions")).and_then(Value::as_array);
    for (index, condition) in conditions.into_iter().flatten().enumerate() {
        let operator = condition.get("operator").and_then(Value::as_str).unwrap_or_default();
        if !OPERATORS.contains(&operator) {
            let place = place.down("labelSelector.matchExpressions").index(index).key("operator");
            let message = format!("`{operator}` is not an operator of label selectors");
            problems.push(Problem::error(rules::CHOICE, place, message).suggest(operator, OPERATORS));
        }
    }
}

fn executor_plugin(plugin: &spec::ExecutorPlugin, place: &Place) -> Option<Problem> {
    let error =
        |place: Place, message: &str, help: &str| Some(Problem::error(rules::PLUGIN, place, message).help(help));
    if given(plugin.metadata.name.as_deref()).is_none() {
        return error(place.clone(), "the plugin has no name", "add `metadata.name`");
    }
    let place = place.down("spec.sidecar.container");
    let has = |key: &str| {
        plugin.spec.sidecar.container.get(key).is_some_and(|value| match value {
            Value::Array(items) => !items.is_empty(),
            Value::Object(fields) => !fields.is_empty(),
            value => !value.is_null(),
        })
    };
    let parts = [
        ("ports", "the plugin listens at no port", "add `ports`"),
        ("resources", "the plugin does not say how much it needs", "add `resources` with `requests` and `limits`"),
        ("securityContext", "the plugin does not say what it may do", "add `securityContext`"),
    ];
    parts.into_iter().find(|(key, _, _)| !has(key)).and_then(|(_, message, help)| error(place, message, help))
}
