//! What a run is made of: documents, references, and what the call says.

use indexmap::IndexMap;

use crate::plan::{Call, Library, Resolved, check, resolve};
use crate::source::Sources;
use crate::spec;

const FILES: &str = "
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: w-, labels: {a: '1'}}
spec:
  entrypoint: main
  arguments: {parameters: [{name: p, value: '1', enum: ['1', '2']}]}
  templates:
  - name: main
    steps: [[{name: a, templateRef: {name: lib, template: first}}]]
    volumes: [{name: v, configMap: {name: used}}]
---
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: lib}
spec:
  entrypoint: first
  arguments: {parameters: [{name: p, value: x}]}
  templates:
  - name: first
    steps: [[{name: a, templateRef: {name: wide, template: second, clusterScope: true}}]]
---
apiVersion: argoproj.io/v1alpha1
kind: ClusterWorkflowTemplate
metadata: {name: wide}
spec:
  templates:
  - {name: second, suspend: {}}
  - {name: unused, steps: [[{name: a, templateRef: {name: nowhere, template: second}}]]}
---
apiVersion: argoproj.io/v1alpha1
kind: CronWorkflow
metadata: {name: nightly, labels: {x: 'y'}}
spec:
  schedules: ['0 3 * * *']
  workflowMetadata: {labels: {team: t}}
  workflowSpec: {workflowTemplateRef: {name: lib}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: used}, data: {k: value}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: other}, data: {k: value}}
---
{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {k: value}}
";

/// Resolves the object at `index` of the files.
fn resolved(index: usize, call: &Call) -> Resolved {
    let mut sources = Sources::new();
    sources.add("files.yaml", FILES);
    let (reads, diagnostics) = spec::read_all(&sources);
    assert_eq!(diagnostics, []);
    let (library, diagnostics) = Library::new(&reads);
    assert_eq!(diagnostics, []);
    assert!(library.secret_keys("s").is_some_and(|keys| keys.contains("k")));
    let (resolved, diagnostics) = resolve(&reads[index], &library, call);
    assert_eq!(diagnostics, []);
    resolved.expect("everything is there")
}

fn parameters(resolved: &Resolved) -> Vec<(&str, &str)> {
    let arguments = resolved.spec.arguments.iter().flat_map(|arguments| &arguments.parameters);
    arguments.map(|parameter| (parameter.name.as_str(), parameter.value.as_deref().unwrap_or_default())).collect()
}

#[test]
fn a_workflow_takes_along_what_it_reaches() {
    let resolved = resolved(0, &Call::default());
    assert_eq!(resolved.templates.keys().collect::<Vec<_>>(), ["lib"]);
    assert_eq!(resolved.cluster_templates.keys().collect::<Vec<_>>(), ["wide"]);
    assert_eq!(resolved.config_maps.keys().collect::<Vec<_>>(), ["used"]);
    let text = serde_json::to_string(&resolved).expect("plain data");
    let again: Resolved = serde_json::from_str(&text).expect("what was written can be read");
    assert_eq!(serde_json::to_string(&again).expect("plain data"), text);
}

#[test]
fn the_call_wins_over_the_manifest() {
    let parameters_given = [("p".to_owned(), "2".to_owned()), ("q".to_owned(), "3".to_owned())];
    let call = Call {
        parameters: IndexMap::from(parameters_given),
        entrypoint: Some("other".to_owned()),
        service_account: Some("account".to_owned()),
        priority: Some(3),
        labels: IndexMap::from([("b".to_owned(), "2".to_owned())]),
        name: Some("fixed".to_owned()),
        ..Default::default()
    };
    let resolved = resolved(0, &call);
    assert_eq!(parameters(&resolved), [("p", "2"), ("q", "3")]);
    assert_eq!(resolved.spec.entrypoint.as_deref(), Some("other"));
    assert_eq!(resolved.spec.service_account_name.as_deref(), Some("account"));
    assert_eq!(resolved.spec.priority, Some(3));
    assert_eq!(resolved.metadata.labels.keys().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(resolved.metadata.name.as_deref(), Some("fixed"));
}

#[test]
fn templates_and_schedules_can_be_submitted() {
    let template = resolved(1, &Call::default());
    assert_eq!(template.metadata.generate_name.as_deref(), Some("lib-"));
    assert_eq!(template.metadata.labels["workflows.argoproj.io/workflow-template"], "lib");
    assert_eq!(template.spec.entrypoint.as_deref(), Some("first"));
    assert_eq!(parameters(&template), [("p", "x")]);
    let cron = resolved(3, &Call::default());
    assert_eq!(cron.metadata.labels["workflows.argoproj.io/cron-workflow"], "nightly");
    assert_eq!(cron.metadata.labels["team"], "t");
    assert_eq!(cron.spec.templates.len(), 1);
}

#[test]
fn a_value_of_the_call_must_be_allowed() {
    let mut sources = Sources::new();
    sources.add("files.yaml", FILES);
    let (reads, _) = spec::read_all(&sources);
    let (library, _) = Library::new(&reads);
    for (value, message) in [("2", None), ("7", Some("`p` is `7`, which its `enum` does not allow"))] {
        let parameters = IndexMap::from([("p".to_owned(), value.to_owned())]);
        let (plan, diagnostics) = check(&sources, &reads[0], &library, &Call { parameters, ..Default::default() });
        assert_eq!(diagnostics.first().map(|diagnostic| diagnostic.message.as_str()), message);
        assert_eq!(plan.is_some(), message.is_none());
    }
}

#[test]
fn configuration_cannot_be_submitted() {
    let mut sources = Sources::new();
    sources.add("files.yaml", FILES);
    let (reads, _) = spec::read_all(&sources);
    let (library, _) = Library::new(&reads);
    let (resolved, diagnostics) = resolve(&reads[4], &library, &Call::default());
    assert!(resolved.is_none());
    assert_eq!(diagnostics[0].message, "a ConfigMap cannot be submitted");
}
