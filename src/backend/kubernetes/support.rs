//! What cannot run in a cluster yet: told before anything starts.
//!
//! Pure: it looks at the plan alone.

use std::fmt;
use std::sync::Arc;

use super::archive::policy;
use super::helper;
use crate::plan::{Body, Plan, Template};
use crate::spec;

/// Something that the Kubernetes backend cannot run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// The template that has it.
    pub template: Arc<str>,
    /// What it is, as a sentence's begin: `it calls a plugin`.
    pub what: String,
    /// What can be done.
    pub help: &'static str,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "template `{}` cannot run in a cluster yet: {}; {}", self.template, self.what, self.help)
    }
}

const NO_STORE: &str = "hand it over as a parameter, or through a volume";

/// Returns what of `plan` a cluster does otherwise than it says, each as a sentence.
pub fn notes(plan: &Plan) -> Vec<String> {
    policy::note(&plan.resolved).into_iter().collect()
}

/// Returns what of `plan` cannot run in a cluster, template by template, as far as a run can come to it.
pub fn unsupported(plan: &Plan) -> Vec<Unsupported> {
    let reachable = plan.reachable();
    let captured = plan.captured(&reachable);
    let faults = reachable.into_iter().flat_map(|ix| {
        let template = plan.template(ix);
        let found = template_faults(template, captured.contains(&ix));
        found.into_iter().map(|(what, help)| Unsupported { template: template.name.clone(), what, help })
    });
    faults.collect()
}

fn template_faults(template: &Template, result: bool) -> Vec<(String, &'static str)> {
    match template.body {
        Body::Steps(_) | Body::Dag(_) | Body::Suspend | Body::Http => Vec::new(),
        Body::Plugin => vec![("it calls a plugin".to_owned(), "do its work in a container")],
        Body::Pod => pod_faults(&template.spec, result),
    }
}

fn pod_faults(template: &spec::Template, result: bool) -> Vec<(String, &'static str)> {
    if template.data.is_some() {
        return vec![("it lists what an object store holds".to_owned(), "list it in a container")];
    }
    if template.resource.is_some() {
        return Vec::new();
    }
    let mut faults: Vec<_> =
        helper::template_fault(template, result).map(|fault| (fault.to_string(), fault.help())).into_iter().collect();
    let inputs = template.inputs.iter().flat_map(|inputs| &inputs.artifacts);
    let inputs = inputs.filter(|artifact| artifact.optional != Some(true) && is_stored(&artifact.location));
    faults.extend(inputs.map(|artifact| (format!("its input artifact `{}` is not `raw`", artifact.name), NO_STORE)));
    let outputs = template.outputs.iter().flat_map(|outputs| &outputs.artifacts);
    let outputs = outputs.filter(|artifact| artifact.optional != Some(true));
    faults.extend(outputs.map(|artifact| (format!("its output artifact `{}` has no store", artifact.name), NO_STORE)));
    faults
}

/// Returns whether an artifact lies in a store: one without any place is handed in by the caller.
fn is_stored(location: &spec::ArtifactLocation) -> bool {
    let without_raw = spec::ArtifactLocation { raw: None, archive_logs: None, ..location.clone() };
    location.raw.is_none() && without_raw != spec::ArtifactLocation::default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::plan::{Resolved, plan_of};

    fn check(mut template: Value, expected: &[&str]) {
        template["name"] = "t".into();
        let spec = json!({ "entrypoint": "t", "templates": [template] });
        let resolved: Resolved =
            serde_json::from_value(json!({ "metadata": { "name": "w" }, "spec": spec })).expect("resolved");
        let plan = plan_of(resolved).0.expect("a plan");
        let found: Vec<String> = unsupported(&plan).iter().map(|fault| fault.what.clone()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_cannot_run_is_told() {
        let container = json!({ "image": "busybox", "command": ["true"] });
        check(json!({ "container": container }), &[]);
        check(json!({ "http": { "url": "http://x" } }), &[]);
        check(json!({ "plugin": { "mine": {} } }), &["it calls a plugin"]);
        check(json!({ "containerSet": { "containers": [{ "name": "main", "image": "mine" }] } }), &[]);
        check(
            json!({ "containerSet": { "containers": [
                { "name": "a", "image": "busybox" }, { "name": "b", "image": "mine", "dependencies": ["a"] },
            ]}}),
            &[
                "its container `b` cannot be kept in order, since it has no `command`, and what the image `mine` runs is \
               not known",
            ],
        );
        check(
            json!({ "container": container, "inputs": { "artifacts": [
                { "name": "r", "path": "/r", "raw": { "data": "x" } },
                { "name": "g", "path": "/g", "git": { "repo": "https://x/y" } },
                { "name": "o", "path": "/o", "optional": true, "http": { "url": "https://x" } },
            ]}}),
            &["its input artifact `g` is not `raw`"],
        );
        check(
            json!({ "container": container, "outputs": { "artifacts": [{ "name": "a", "path": "/a" }] } }),
            &["its output artifact `a` has no store"],
        );
    }

    fn check_result(caller: &str, expected: &[&str]) {
        let spec: Value = json!({ "entrypoint": "main", "templates": [
            { "name": "main", "steps": [
                [{ "name": "a", "template": "image" }],
                [{ "name": "b", "template": "known", "when": caller }],
            ]},
            { "name": "image", "container": { "image": "mine" } },
            { "name": "known", "container": { "image": "mine", "command": ["x"] } },
        ]});
        let resolved: Resolved =
            serde_json::from_value(json!({ "metadata": { "name": "w" }, "spec": spec })).expect("resolved");
        let plan = plan_of(resolved).0.expect("a plan");
        let actual: Vec<String> = unsupported(&plan).into_iter().map(|fault| fault.what).collect();
        assert_eq!(actual, expected, "{caller}");
    }

    #[test]
    fn an_image_must_say_its_command_when_its_result_is_asked_for() {
        check_result("1 == 1", &[]);
        let what =
            "its outputs cannot be collected, since it has no `command`, and what the image `mine` runs is not known";
        check_result("{{steps.a.outputs.result}} == 1", &[what]);
    }
}
