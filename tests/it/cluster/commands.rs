//! Commands on runs and templates of a cluster: what is kept for others, and what a run can be asked.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use serde_json::{Value, json};

use super::space::{Space, block, eventually, sure};

/// Templates of three kinds that a namespace keeps; the second is of cluster scope.
const KEPT: &str = "apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: greet}
spec:
  entrypoint: main
  arguments: {parameters: [{name: who, value: world}]}
  templates:
  - name: main
    inputs: {parameters: [{name: who, value: '{{workflow.parameters.who}}'}]}
    steps: [[{name: say, templateRef: {name: words, template: say, clusterScope: true}, arguments: {parameters: [{name: who, value: '{{inputs.parameters.who}}'}]}}]]
---
apiVersion: argoproj.io/v1alpha1
kind: ClusterWorkflowTemplate
metadata: {name: words}
spec:
  templates:
  - name: say
    inputs: {parameters: [{name: who}]}
    container: {image: busybox, command: [echo, 'hello {{inputs.parameters.who}}']}
---
apiVersion: argoproj.io/v1alpha1
kind: CronWorkflow
metadata: {name: nightly}
spec:
  schedule: '0 0 * * *'
  workflowSpec: {entrypoint: main, templates: [{name: main, container: {image: busybox, command: [echo, nightly]}}]}
";

/// Waits for a person, then for a while.
const PAUSED: &str = "apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: paused-}
spec:
  entrypoint: main
  onExit: bye
  templates:
  - name: main
    steps:
    - - {name: approve, template: approve}
    - - {name: work, template: work, arguments: {parameters: [{name: decision, value: '{{steps.approve.outputs.parameters.decision}}'}]}}
  - name: approve
    suspend: {}
    outputs: {parameters: [{name: decision, valueFrom: {supplied: {}}}]}
  - name: work
    inputs: {parameters: [{name: decision}]}
    container: {image: busybox, command: [sh, -c, 'echo decided {{inputs.parameters.decision}}; sleep 1']}
  - name: bye
    container: {image: busybox, command: [echo, bye]}
";

/// Returns the data of a command that ends well.
fn good(space: &Space, arguments: &[&str]) -> String {
    let outcome = space.wf(arguments);
    assert_eq!(outcome.code, 0, "{arguments:?}: {}", outcome.all());
    outcome.stdout
}

#[test]
fn templates_are_kept_in_the_namespace_and_submitted_by_name() {
    let Some(space) = Space::new("templates") else { return };
    // What is of cluster scope has a namespace of its own; here, the same.
    let shared = ["--shared-namespace", &space.name];
    let with = |arguments: &[&str]| good(&space, &[arguments, &shared].concat());
    let file = space.write("kept.yaml", KEPT);
    with(&["template", "lint", &file]);
    with(&["template", "create", &file]);
    assert_eq!(space.wf(&[&["template", "create", &file], &shared[..]].concat()).code, 2, "they are there already");
    with(&["template", "create", "--replace", &file]);
    let listed = with(&["template", "list", "--names"]);
    for name in ["workflowtemplate/greet", "clusterworkflowtemplate/words", "cronworkflow/nightly"] {
        assert!(listed.contains(name), "{listed}");
    }
    assert!(with(&["template", "get", "clusterworkflowtemplate/words"]).contains("hello {{inputs.parameters.who}}"));
    with(&["submit", "--wait", "--from", "workflowtemplate/greet", "--name", "greeted", "-p", "who=you"]);
    assert_eq!(good(&space, &["logs", "greeted"]), "hello you\n");
    with(&["submit", "--wait", "--from", "cronwf/nightly", "--name", "night"]);
    assert_eq!(good(&space, &["logs", "night"]), "nightly\n");
    with(&["template", "delete", "greet", "clusterworkflowtemplate/words", "cronworkflow/nightly"]);
    let gone = space.wf(&[&["submit", "--from", "workflowtemplate/greet"], &shared[..]].concat());
    assert_eq!(gone.code, 3, "{}", gone.all());
}

#[test]
fn argos_own_templates_are_read_where_its_kinds_are() {
    let Some(space) = Space::new("argo") else { return };
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "workflowtemplates.argoproj.io"},
        "spec": {
            "group": "argoproj.io", "scope": "Namespaced",
            "names": {"kind": "WorkflowTemplate", "plural": "workflowtemplates", "shortNames": ["wftmpl"]},
            "versions": [{
                "name": "v1alpha1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
            }],
        },
    });
    let definition: CustomResourceDefinition = sure("a definition", serde_json::from_value(definition));
    let definitions: Api<CustomResourceDefinition> = Api::all(space.client.clone());
    let applied = PatchParams::apply("test");
    sure("define", block(definitions.patch("workflowtemplates.argoproj.io", &applied, &Patch::Apply(&definition))));
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("argoproj.io", "v1alpha1", "WorkflowTemplate"));
    let templates: Api<DynamicObject> = Api::namespaced_with(space.client.clone(), &space.name, &kind);
    let template = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate", "metadata": {"name": "argos"},
        "spec": {"entrypoint": "main", "templates": [
            {"name": "main", "container": {"image": "busybox", "command": ["echo", "from Argo"]}},
        ]},
    });
    eventually("the kind is served", || block(templates.patch("argos", &applied, &Patch::Apply(&template))).ok());
    good(&space, &["submit", "--wait", "--from", "workflowtemplate/argos", "--name", "read"]);
    assert_eq!(good(&space, &["logs", "read"]), "from Argo\n");
}

fn phase_of(run: &Value, node: &str) -> Option<String> {
    let nodes = run["status"]["nodes"].as_object()?;
    let found = nodes.values().find(|found| found["displayName"] == node)?;
    found["phase"].as_str().map(str::to_owned)
}

#[test]
fn a_run_of_the_cluster_does_what_it_is_asked() {
    let Some(space) = Space::new("verbs") else { return };
    let file = space.write("paused.yaml", PAUSED);
    let submitted = |name: &str| {
        let driver = space.start(&["submit", "--wait", "--name", name, &file]);
        space.until_run(name, "the pause", |run| (phase_of(run, "approve")? == "Running").then_some(()));
        driver
    };
    // A node is given what it waits for, by another process than the one that drives.
    let driver = submitted("decided");
    let approve = ["--node-field-selector", "displayName=approve"];
    good(&space, &[&["node", "set", "decided"], &approve[..], &["-p", "decision=yes"]].concat());
    good(&space, &["suspend", "decided"]);
    good(&space, &["resume", "decided"]);
    assert_eq!(driver.end().code, 0);
    assert!(good(&space, &["logs", "decided"]).contains("decided yes"));
    // Stopped, its exit handler runs; terminated, it does not.
    let driver = submitted("stopped");
    good(&space, &["stop", "stopped", "--message", "enough"]);
    assert_eq!(driver.end().code, 1);
    let stopped = space.object("stopped");
    assert_eq!(phase_of(&stopped, "stopped.onExit").as_deref(), Some("Succeeded"), "{stopped:#}");
    let driver = submitted("terminated");
    drop(driver);
    good(&space, &["terminate", "terminated"]);
    let terminated = space.object("terminated");
    assert_eq!(terminated["status"]["phase"], "Failed");
    assert_eq!(phase_of(&terminated, "terminated.onExit"), None, "{terminated:#}");
    // Again what failed, in the same run; and as a new one.
    let driver = space.start(&["retry", "stopped", "--wait"]);
    space.until_run("stopped", "the pause", |run| (phase_of(run, "approve")? == "Running").then_some(()));
    good(&space, &[&["node", "set", "stopped"], &approve[..], &["-p", "decision=again"]].concat());
    good(&space, &["resume", "stopped"]);
    assert_eq!(driver.end().code, 0);
    good(&space, &["resubmit", "--memoized", "decided", "--no-wait"]);
    let listed = good(&space, &["list", "-o", "name"]);
    assert_eq!(listed.lines().count(), 4, "{listed}");
    assert!(good(&space, &["get", "decided"]).contains("approve"));
    good(&space, &["delete", "--all", "--yes"]);
    assert_eq!(good(&space, &["list", "-o", "name"]).lines().count(), 0);
}
