//! What cannot run in a cluster yet: told before anything starts.
//!
//! Pure: it looks at the plan alone. What depends on the cluster is the node's end.

use std::sync::Arc;

use super::helper;
use crate::plan::{Body, Plan, Template};
use crate::spec;

/// Something that this backend cannot run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// The template that has it.
    pub template: Arc<str>,
    /// What it is, as a sentence's begin: `it sends a request`.
    pub what: String,
    /// What can be done.
    pub help: &'static str,
}

const HERE: &str = "run it on this machine with --local";
const CURL: &str = "send it by `curl` in a container";
const AS_PARAMETER: &str = "hand the content over as a parameter, or run it on this machine with --local";
const AS_RAW: &str = "give it as `raw`, fetch it in a step of its own, or make it `optional`";

/// Returns what of `plan` cannot run in a cluster, template by template, as far as a run can come to it.
pub fn unsupported(plan: &Plan) -> Vec<Unsupported> {
    let reachable = plan.reachable();
    let captured = plan.captured(&reachable);
    let faults = reachable.iter().flat_map(|ix| {
        let template = plan.template(*ix);
        let mut found = template_faults(template);
        let unknown = helper::template_fault(&template.spec, captured.contains(ix));
        found.extend(unknown.map(|fault| (fault.to_string(), fault.help())));
        found.into_iter().map(|(what, help)| Unsupported { template: template.name.clone(), what, help })
    });
    faults.collect()
}

type Faults = Vec<(String, &'static str)>;

fn template_faults(template: &Template) -> Faults {
    match template.body {
        Body::Steps(_) | Body::Dag(_) | Body::Suspend => return Faults::new(),
        Body::Http => return vec![("it sends a request without a container".to_owned(), CURL)],
        Body::Plugin => return vec![("it calls a plugin".to_owned(), CURL)],
        Body::Pod => {}
    }
    let template = &*template.spec;
    let kinds = [
        (template.data.is_some(), "it lists what an object store holds", CURL),
        (template.container_set.is_some(), "it runs several containers in one pod as a graph", HERE),
    ];
    if let Some((_, what, help)) = kinds.into_iter().find(|(is_it, ..)| *is_it) {
        return vec![(what.to_owned(), help)];
    }
    let inputs = template.inputs.iter().flat_map(|inputs| &inputs.artifacts);
    let outputs = template.outputs.iter().flat_map(|outputs| &outputs.artifacts);
    let foreign = inputs.filter(|artifact| lies_elsewhere(artifact)).map(|artifact| {
        (format!("its input artifact `{}` lies where pods cannot get it from yet", artifact.name), AS_RAW)
    });
    let kept = outputs
        .filter(|artifact| artifact.optional != Some(true))
        .map(|artifact| (format!("its output artifact `{}` has no store yet", artifact.name), AS_PARAMETER));
    foreign.chain(kept).collect()
}

/// Returns whether an input names a store of its own. One that names none comes from its caller.
fn lies_elsewhere(artifact: &spec::Artifact) -> bool {
    let location = &artifact.location;
    let names_a_store = location.s3.is_some()
        || location.git.is_some()
        || location.http.is_some()
        || location.artifactory.is_some()
        || location.hdfs.is_some()
        || location.oss.is_some()
        || location.gcs.is_some()
        || location.azure.is_some()
        || location.plugin.is_some();
    names_a_store && artifact.optional != Some(true)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::plan::{Resolved, plan_of};

    fn check(caller: &str, expected: &[&str]) {
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
        check("1 == 1", &[]);
        let what =
            "its outputs cannot be collected, since it has no `command`, and what the image `mine` runs is not known";
        check("{{steps.a.outputs.result}} == 1", &[what]);
    }
}
