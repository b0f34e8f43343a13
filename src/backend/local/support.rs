//! What cannot run on this machine, and what a run here does without: told before anything starts.
//!
//! Pure: it looks at the plan alone. What a node lacks that is known only when it starts, such as
//! a ConfigMap that was not given, is the node's end.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::container::{command_words, entrypoint};
use super::environment::{items, text};
use super::{data, repository, volumes};
use crate::plan::{Body, Plan, Template};
use crate::spec;

/// Something that the local backend cannot run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// The template that has it.
    pub template: Arc<str>,
    /// What it is, as a sentence's begin: `it changes a Kubernetes object`.
    pub what: String,
    /// What can be done.
    pub help: &'static str,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "template `{}` cannot run on this machine: {}; {}", self.template, self.what, self.help)
    }
}

const IN_A_CLUSTER: &str = "run it in a cluster";
const SAY_COMMAND: &str = "say `command:`; images are not pulled here";
const GIVE_A_VALUE: &str = "give it a `value`";
const BRING_IT: &str = "fetch it in a step of its own, or run it in a cluster";
const ANOTHER_VOLUME: &str =
    "use `emptyDir`, `configMap`, `secret`, `downwardAPI` or `projected`, or run it in a cluster";

/// Returns what of `plan` cannot run here, template by template, as far as a run can come to it.
pub fn unsupported(plan: &Plan) -> Vec<Unsupported> {
    let reachable = plan.reachable();
    let faults = reachable.iter().flat_map(|ix| {
        let template = plan.template(*ix);
        let found = template_faults(template, plan.spec());
        found.into_iter().map(|(what, help)| Unsupported { template: template.name.clone(), what, help })
    });
    faults.collect()
}

/// Returns what a run of `plan` here ignores or takes something else for, each once.
pub fn notes(plan: &Plan) -> Vec<String> {
    let reachable = plan.reachable();
    let templates: Vec<&spec::Template> = reachable.iter().map(|ix| &*plan.template(*ix).spec).collect();
    let mut notes = Vec::new();
    notes.extend(note_images(&templates));
    notes.extend(note_stores(&templates));
    notes.extend(note_ignored(&templates, plan.spec()));
    notes
}

/// Returns the absolute paths that pods write their outputs to. Where pods have no view of their
/// own ([`Isolation::Plain`](super::Isolation)), those that run together share them.
pub fn shared_paths(plan: &Plan) -> BTreeSet<String> {
    let reachable = plan.reachable();
    let outputs = reachable.iter().filter_map(|ix| plan.template(*ix).spec.outputs.as_ref());
    let paths = outputs.flat_map(|outputs| {
        let parameters = outputs.parameters.iter().filter_map(|parameter| parameter.value_from.as_ref()?.path.clone());
        parameters.chain(outputs.artifacts.iter().filter_map(|artifact| artifact.path.clone()))
    });
    paths.filter(|path| path.starts_with('/')).collect()
}

type Faults = Vec<(String, &'static str)>;

fn template_faults(template: &Template, workflow: &spec::WorkflowSpec) -> Faults {
    match template.body {
        Body::Steps(_) | Body::Dag(_) | Body::Suspend | Body::Http => return Faults::new(),
        Body::Plugin => return vec![("it calls a plugin".to_owned(), IN_A_CLUSTER)],
        Body::Pod => {}
    }
    let template = &*template.spec;
    let kinds = [(template.resource.is_some(), "it acts on a Kubernetes object")];
    if let Some((_, what)) = kinds.into_iter().find(|(is_it, _)| *is_it) {
        return vec![(what.to_owned(), IN_A_CLUSTER)];
    }
    let mut faults = Faults::new();
    faults.extend(template.data.as_deref().and_then(data::refusal).map(|what| (what, IN_A_CLUSTER)));
    for container in containers(template) {
        container_faults(container, template, workflow, &mut faults);
    }
    if let Some(field) = template.pod_spec_patch.as_deref().and_then(patched_field) {
        faults.push((format!("its `podSpecPatch` changes `{field}`"), "write it in the template itself"));
    }
    for artifact in template.inputs.iter().flat_map(|inputs| &inputs.artifacts) {
        if let Some(store) = foreign_store(&artifact.location).filter(|_| artifact.optional != Some(true)) {
            faults.push((format!("its input artifact `{}` lies in {store}", artifact.name), BRING_IT));
        }
    }
    faults
}

/// Returns the containers of a template: the main one first.
fn containers(template: &spec::Template) -> Vec<&Value> {
    let main = template.container.as_deref().or(template.script.as_ref().map(|script| &*script.container));
    let set = template.container_set.iter().flat_map(|set| &set.containers).map(|node| &*node.container);
    let beside = template.init_containers.iter().chain(&template.sidecars).map(|user| &*user.container);
    main.into_iter().chain(set).chain(beside).collect()
}

fn container_faults(container: &Value, template: &spec::Template, workflow: &spec::WorkflowSpec, faults: &mut Faults) {
    let image = text(container, "image").unwrap_or_default();
    if command_words(container).next().is_none() && entrypoint(image).is_none() {
        faults.push((
            format!("a container has no command, and what the image `{image}` starts is not known here"),
            SAY_COMMAND,
        ));
    }
    for entry in items(container, "env") {
        if entry["valueFrom"].get("resourceFieldRef").is_some() {
            let name = text(entry, "name").unwrap_or_default();
            faults.push((
                format!("its variable `{name}` is a limit of resources, of which there are none"),
                GIVE_A_VALUE,
            ));
        }
    }
    if items(container, "volumeDevices").next().is_some() {
        faults.push(("it uses block devices".to_owned(), IN_A_CLUSTER));
    }
    for mount in items(container, "volumeMounts") {
        let fault = text(mount, "name").and_then(|name| volume_fault(name, template, workflow));
        faults.extend(fault.map(|what| (what, ANOTHER_VOLUME)));
    }
}

/// What of a pod matters here, as its patch may change it.
const FIELDS_THAT_MATTER: [&str; 6] = ["args", "command", "env", "envFrom", "volumeMounts", "workingDir"];

/// Returns a field that a pod's patch changes and that matters here. A patch that is known only when
/// its tags are replaced is taken to change none: most are about resources.
fn patched_field(patch: &str) -> Option<&'static str> {
    let patch: Value = serde_yaml::from_str(patch).ok()?;
    let mut containers = items(&patch, "containers").chain(items(&patch, "initContainers"));
    let found =
        containers.find_map(|container| FIELDS_THAT_MATTER.into_iter().find(|field| container.get(field).is_some()));
    found.or_else(|| patch.get("volumes").map(|_| "volumes"))
}

fn volume_fault(name: &str, template: &spec::Template, workflow: &spec::WorkflowSpec) -> Option<String> {
    let is_named = |volume: &&spec::Json| text(volume, "name") == Some(name);
    if let Some(volume) = template.volumes.iter().find(is_named).or_else(|| workflow.volumes.iter().find(is_named)) {
        let kind = volumes::kind(volume).unwrap_or("emptyDir");
        return (!volumes::KINDS.contains(&kind)).then(|| format!("its volume `{name}` is of kind `{kind}`"));
    }
    let is_claim = |claim: &&spec::Json| text(&claim["metadata"], "name") == Some(name);
    workflow.volume_claim_templates.iter().find(is_claim).map(|_| format!("its volume `{name}` is a persistent claim"))
}

/// Returns the store of an artifact that does not lie in the run's own repository, in words.
pub(super) fn foreign_store(location: &spec::ArtifactLocation) -> Option<&'static str> {
    let stores = [
        (location.s3.is_some() && repository::own_key(location).is_none(), "a bucket of S3"),
        (location.git.is_some(), "a Git repository"),
        (location.http.is_some(), "the web"),
        (location.artifactory.is_some(), "Artifactory"),
        (location.hdfs.is_some(), "HDFS"),
        (location.oss.is_some(), "OSS"),
        (location.gcs.is_some(), "Google Cloud Storage"),
        (location.azure.is_some(), "Azure"),
        (location.plugin.is_some(), "a plugin's store"),
    ];
    stores.into_iter().find(|(is_it, _)| *is_it).map(|(_, name)| name)
}

fn note_images(templates: &[&spec::Template]) -> Option<String> {
    let all = templates.iter().flat_map(|template| containers(template));
    let images: BTreeSet<&str> = all.filter_map(|container| text(container, "image")).collect();
    let listed = listed(images.into_iter())?;
    Some(format!("images are not pulled; the programs of this machine stand in for those of {listed}"))
}

fn note_stores(templates: &[&spec::Template]) -> Option<String> {
    let outputs = templates.iter().filter_map(|template| template.outputs.as_ref());
    let foreign = outputs.flat_map(|outputs| &outputs.artifacts);
    let foreign: BTreeSet<&str> = foreign
        .filter(|artifact| foreign_store(&artifact.location).is_some())
        .map(|artifact| artifact.name.as_str())
        .collect();
    let listed = listed(foreign.into_iter())?;
    Some(format!("artifacts are kept in the run's folder, not in their stores: {listed}"))
}

/// Fields of a container that mean nothing here, as manifests write them.
const IGNORED_OF_CONTAINERS: [&str; 7] =
    ["resources", "securityContext", "lifecycle", "livenessProbe", "startupProbe", "imagePullPolicy", "restartPolicy"];

fn note_ignored(templates: &[&spec::Template], workflow: &spec::WorkflowSpec) -> Option<String> {
    let mut found: BTreeMap<&str, bool> = BTreeMap::new();
    for template in templates {
        for (name, is_there) in ignored_of_template(template) {
            *found.entry(name).or_default() |= is_there;
        }
        for container in containers(template) {
            for name in IGNORED_OF_CONTAINERS {
                *found.entry(name).or_default() |= container.get(name).is_some_and(|value| !value.is_null());
            }
        }
    }
    for (name, is_there) in ignored_of_workflow(workflow) {
        *found.entry(name).or_default() |= is_there;
    }
    let listed = listed(found.into_iter().filter(|(_, is_there)| *is_there).map(|(name, _)| name))?;
    Some(format!("ignored here: {listed}"))
}

fn ignored_of_template(template: &spec::Template) -> [(&'static str, bool); 11] {
    [
        ("affinity", template.affinity.is_some()),
        ("hostAliases", !template.host_aliases.is_empty()),
        ("nodeSelector", !template.node_selector.is_empty()),
        ("podResources", template.pod_resources.is_some()),
        ("podSpecPatch", template.pod_spec_patch.is_some()),
        ("priorityClassName", template.priority_class_name.is_some()),
        ("resourceClaims", !template.resource_claims.is_empty()),
        ("schedulerName", template.scheduler_name.is_some()),
        ("securityContext", template.security_context.is_some()),
        ("serviceAccountName", template.service_account_name.is_some()),
        ("tolerations", !template.tolerations.is_empty()),
    ]
}

fn ignored_of_workflow(workflow: &spec::WorkflowSpec) -> [(&'static str, bool); 18] {
    [
        ("affinity", workflow.affinity.is_some()),
        ("artifactRepositoryRef", workflow.artifact_repository_ref.is_some()),
        ("dnsConfig", workflow.dns_config.is_some()),
        ("dnsPolicy", workflow.dns_policy.is_some()),
        ("executorPlugins", !workflow.executor_plugins.is_empty()),
        ("hostAliases", !workflow.host_aliases.is_empty()),
        ("hostNetwork", workflow.host_network.is_some()),
        ("imagePullSecrets", !workflow.image_pull_secrets.is_empty()),
        ("nodeSelector", !workflow.node_selector.is_empty()),
        ("podDisruptionBudget", workflow.pod_disruption_budget.is_some()),
        ("podGC", workflow.pod_gc.is_some()),
        ("podPriorityClassName", workflow.pod_priority_class_name.is_some()),
        ("podResources", workflow.pod_resources.is_some()),
        ("podSpecPatch", workflow.pod_spec_patch.is_some()),
        ("schedulerName", workflow.scheduler_name.is_some()),
        ("securityContext", workflow.security_context.is_some()),
        ("serviceAccountName", workflow.service_account_name.is_some()),
        ("tolerations", !workflow.tolerations.is_empty()),
    ]
}

/// Lists names in backticks; nothing when there are none.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> Option<String> {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::{Resolved, plan_of};

    fn plan(spec: Value) -> Plan {
        let resolved: Resolved =
            serde_json::from_value(json!({ "metadata": { "name": "w" }, "spec": spec })).expect("resolved");
        let (plan, problems) = plan_of(resolved);
        plan.unwrap_or_else(|| panic!("a plan; {} problems", problems.len()))
    }

    fn check(template: Value, expected: &[&str]) {
        let mut template = template;
        template["name"] = json!("t");
        let plan = plan(json!({ "entrypoint": "t", "templates": [template.clone()], "volumes": [
            { "name": "pvc", "persistentVolumeClaim": { "claimName": "c" } }, { "name": "host", "hostPath": { "path": "/" } },
            { "name": "empty", "emptyDir": {} },
        ]}));
        let actual: Vec<String> = unsupported(&plan).into_iter().map(|fault| fault.what).collect();
        assert_eq!(actual, expected, "{template}");
    }

    #[test]
    fn what_needs_a_cluster_is_refused() {
        check(json!({ "container": { "image": "x", "command": ["y"] } }), &[]);
        check(json!({ "container": { "image": "argoproj/argosay:v2" } }), &[]);
        check(
            json!({ "container": { "image": "golang" } }),
            &["a container has no command, and what the image `golang` starts is not known here"],
        );
        check(
            json!({ "resource": { "action": "create", "manifest": "apiVersion: v1\nkind: Pod\nmetadata:\n  name: x\n" } }),
            &["it acts on a Kubernetes object"],
        );
        check(json!({ "http": { "url": "http://x" } }), &[]);
        let mounts = json!([
            { "name": "pvc", "mountPath": "/a" }, { "name": "host", "mountPath": "/b" }, { "name": "empty", "mountPath": "/c" },
        ]);
        check(
            json!({ "container": { "image": "x", "command": ["y"], "volumeMounts": mounts } }),
            &["its volume `pvc` is of kind `persistentVolumeClaim`", "its volume `host` is of kind `hostPath`"],
        );
        let patched = |patch: &str| json!({ "container": { "image": "x", "command": ["y"] }, "podSpecPatch": patch });
        check(patched("containers:\n- name: main\n  resources: {}\n"), &[]);
        check(patched("{\"containers\": [{\"env\": []}]}"), &["its `podSpecPatch` changes `env`"]);
        let artifacts = json!([
            { "name": "code", "path": "/code", "git": { "repo": "https://x" } },
            { "name": "own", "path": "/own", "s3": { "key": "k" } },
            { "name": "text", "path": "/text", "raw": { "data": "x" } },
        ]);
        check(
            json!({ "container": { "image": "x", "command": ["y"] }, "inputs": { "artifacts": artifacts } }),
            &["its input artifact `code` lies in a Git repository"],
        );
    }

    #[test]
    fn what_is_never_reached_is_no_hindrance() {
        let plan = plan(json!({ "entrypoint": "a", "onExit": "b", "templates": [
            { "name": "a", "steps": [[{ "name": "s", "template": "b" }]] },
            { "name": "b", "container": { "image": "x", "command": ["y"] } },
            { "name": "c", "plugin": { "x": {} } },
        ]}));
        assert_eq!(unsupported(&plan), []);
    }

    #[test]
    fn what_is_ignored_is_said_once() {
        let container =
            |image: &str| json!({ "image": image, "command": ["y"], "resources": { "limits": { "cpu": "1" } } });
        let plan = plan(json!({
            "entrypoint": "a", "serviceAccountName": "me", "templates": [
                { "name": "a", "steps": [[{ "name": "s", "template": "b" }, { "name": "t", "template": "c" }]] },
                { "name": "b", "container": container("x"), "outputs": { "artifacts": [
                    { "name": "art", "path": "/out", "gcs": { "bucket": "b", "key": "k" } },
                ]}},
                { "name": "c", "container": container("x"), "nodeSelector": { "a": "b" } },
            ],
        }));
        assert_eq!(
            notes(&plan),
            [
                "images are not pulled; the programs of this machine stand in for those of `x`",
                "artifacts are kept in the run's folder, not in their stores: `art`",
                "ignored here: `nodeSelector`, `resources`, `serviceAccountName`",
            ]
        );
        assert_eq!(shared_paths(&plan), BTreeSet::from(["/out".to_owned()]));
    }
}
