//! Templates that act on objects of the cluster.

use k8s_openapi::api::core::v1::ConfigMap;

use super::space::{Space, block, sure};

/// Makes a ConfigMap, changes it, runs a Job until it is complete, reads of both, and deletes the former.
const ACTING: &str = r#"
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: acting-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: create, template: create}
    - - {name: patch, template: patch}
    - - {name: job, template: job}
    - - name: tell
        template: tell
        arguments:
          parameters:
          - {name: color, value: '{{steps.patch.outputs.parameters.color}}'}
          - {name: succeeded, value: '{{steps.job.outputs.parameters.succeeded}}'}
    - - {name: delete, template: delete}
  - name: create
    resource:
      action: create
      setOwnerReference: true
      manifest: |
        {apiVersion: v1, kind: ConfigMap, metadata: {name: paint}, data: {color: red}}
  - name: patch
    resource:
      action: patch
      mergeStrategy: merge
      manifest: |
        {apiVersion: v1, kind: ConfigMap, metadata: {name: paint}, data: {color: blue}}
    outputs: {parameters: [{name: color, valueFrom: {jsonPath: '{.data.color}'}}]}
  - name: job
    resource:
      action: create
      successCondition: status.succeeded > 0
      failureCondition: status.failed > 0
      manifest: |
        apiVersion: batch/v1
        kind: Job
        metadata: {generateName: work-}
        spec:
          backoffLimit: 0
          template: {spec: {restartPolicy: Never, containers: [{name: main, image: busybox, command: ['CODE']}]}}
    outputs: {parameters: [{name: succeeded, valueFrom: {jqFilter: '.status.succeeded'}}]}
  - name: tell
    inputs: {parameters: [{name: color}, {name: succeeded}]}
    container:
      image: busybox
      command: [sh, -c, 'test "{{inputs.parameters.color}} {{inputs.parameters.succeeded}}" = "blue 1"']
  - name: delete
    resource:
      action: delete
      manifest: |
        {apiVersion: v1, kind: ConfigMap, metadata: {name: paint}}
"#;

#[test]
fn a_run_acts_on_objects_of_the_cluster() {
    let Some(space) = Space::new("resources") else { return };
    let file = space.write("acting.yaml", ACTING.replace("CODE", "true"));
    let outcome = space.wf(&["submit", "--wait", "--name", "acting", &file]);
    assert_eq!(outcome.code, 0, "{}", outcome.all());
    space.assert_succeeded("acting", 5);
    let paint = sure("the ConfigMap", block(space.api::<ConfigMap>().get_opt("paint")));
    assert!(paint.is_none_or(|paint| paint.metadata.deletion_timestamp.is_some()));
}

#[test]
fn an_object_that_fails_fails_its_node() {
    let Some(space) = Space::new("resource-fails") else { return };
    let file = space.write("acting.yaml", ACTING.replace("CODE", "false"));
    let outcome = space.wf(&["submit", "--wait", "--name", "acting", &file]);
    assert_eq!(outcome.code, 1, "{}", outcome.all());
    let object = space.object("acting");
    let nodes = object["status"]["nodes"].as_object().into_iter().flatten().map(|(_, node)| node);
    let job = { nodes }.find(|node| node["displayName"] == "job").expect("there is the node");
    assert!(job["phase"] == "Failed" && job["message"].to_string().contains("status.failed"), "{job:#}");
}
