//! Workflows that Argo ran, taken over: where their nodes stand, by their names and the plan.

use serde_json::{Value as Json, json};

use super::*;
use crate::engine::import::stored;

fn imported(text: &str, nodes: &[(&str, Json)]) -> Played {
    let nodes = nodes.iter().map(|(name, own)| {
        let mut node = json!({"id": name, "name": name, "phase": "Running"});
        own.as_object().into_iter().flatten().for_each(|(key, value)| node[key] = value.clone());
        ((*name).to_owned(), node)
    });
    let status = json!({"phase": "Running", "nodes": serde_json::Map::from_iter(nodes)});
    let mut played = Played::new(text);
    let event = import(played.run.plan(), played.run.name(), played.run.uid(), &status).expect("it can be placed");
    let batch = Batch { at: Timestamp(0), events: vec![event] };
    played.run.apply(&batch);
    played.batches.push(batch);
    played
}

/// Returns each node with the type and template that it was found to have.
fn placed(played: &Played) -> String {
    let slots = played.run.slots.iter();
    let line = slots
        .map(|slot| format!("{} {} {} {:?}", slot.node.name, slot.node.kind.as_str(), slot.node.template, slot.caller));
    line.collect::<Vec<_>>().join("\n")
}

#[test]
fn nodes_are_placed_by_their_names() {
    let text = workflow(&format!(
        "  entrypoint: main
  onExit: echo
  hooks: {{works: {{expression: 'true', template: echo}}}}
  templates:
  - name: main
    steps: [[{{name: a, template: echo, hooks: {{exit: {{template: other}}}}}}, {{name: set, template: set}}]]
  - {{name: set, containerSet: {{containers: [{{name: main, image: a, command: [a]}}]}}}}
  - {{name: other, container: {{image: a, command: [a]}}}}{ECHO}"
    ));
    let pod = || json!({"type": "Pod", "phase": "Succeeded"});
    let played = imported(
        &text,
        &[
            ("wf", json!({})),
            ("wf[0]", json!({})),
            // What the plan says counts, not an older version of it.
            ("wf[0].a", json!({"type": "Pod", "phase": "Succeeded", "templateName": "other"})),
            ("wf[0].a.onExit", pod()),
            ("wf[0].set", pod()),
            ("wf[0].set.main", json!({"type": "Container", "phase": "Succeeded"})),
            ("wf.hooks.works", pod()),
            ("wf.onExit", pod()),
        ],
    );
    insta::assert_snapshot!(placed(&played), @r#"
    wf Steps main Entry
    wf[0] StepGroup  Group(NodeIx(0), 0)
    wf[0].a Pod echo Step(NodeIx(1), 0, None)
    wf[0].a.onExit Pod other Hook(NodeIx(2), "exit")
    wf[0].set Pod set Step(NodeIx(1), 1, None)
    wf[0].set.main Container set Container(NodeIx(4), 0)
    wf.onExit Pod echo Exit
    wf.hooks.works Pod echo RunHook("works")
    "#);
}

const LIBRARY: &str = "
---
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: lib}
spec:
  templates:
  - {name: pause, suspend: {}}
  - {name: outer, inputs: {parameters: [{name: t}]}, steps: [[{name: inner, template: '{{inputs.parameters.t}}'}]]}
---
apiVersion: argoproj.io/v1alpha1
kind: ClusterWorkflowTemplate
metadata: {name: all}
spec:
  templates:
  - {name: sleep, suspend: {}}
  - {name: outer, inputs: {parameters: [{name: t}]}, steps: [[{name: inner, template: '{{inputs.parameters.t}}'}]]}
";

/// Of a template whose name was made of tags, the node's own words say where it is from.
#[test]
fn what_was_called_by_tags_is_known_by_the_words_of_its_node() {
    let text = workflow(
        "  entrypoint: main
  arguments: {parameters: [{name: t, value: wait}]}
  templates:
  - name: main
    inputs: {parameters: [{name: t}]}
    steps:
    - - {name: own, template: '{{inputs.parameters.t}}'}
      - {name: ref, templateRef: {name: lib, template: '{{inputs.parameters.t}}'}}
      - {name: all, templateRef: {name: all, template: '{{inputs.parameters.t}}', clusterScope: true}}
      - {name: lib, templateRef: {name: lib, template: outer}, arguments: {parameters: [{name: t, value: pause}]}}
      - {name: everyone, templateRef: {name: all, template: outer, clusterScope: true}, arguments: {parameters: [{name: t, value: sleep}]}}
  - {name: wait, suspend: {}}
",
    );
    let played = imported(
        &format!("{text}{LIBRARY}"),
        &[
            ("wf", json!({})),
            ("wf[0]", json!({})),
            ("wf[0].own", json!({"templateName": "wait", "templateScope": "local/wf"})),
            ("wf[0].ref", json!({"templateRef": {"name": "lib", "template": "pause"}})),
            ("wf[0].all", json!({"templateRef": {"name": "all", "template": "sleep", "clusterScope": true}})),
            ("wf[0].lib", json!({})),
            ("wf[0].lib[0]", json!({})),
            ("wf[0].lib[0].inner", json!({"templateName": "pause", "templateScope": "namespaced/lib"})),
            ("wf[0].everyone", json!({})),
            ("wf[0].everyone[0]", json!({})),
            ("wf[0].everyone[0].inner", json!({"templateName": "sleep", "templateScope": "cluster/all"})),
        ],
    );
    insta::assert_snapshot!(placed(&played), @"
    wf Steps main Entry
    wf[0] StepGroup  Group(NodeIx(0), 0)
    wf[0].all Suspend sleep Step(NodeIx(1), 2, None)
    wf[0].everyone Steps outer Step(NodeIx(1), 4, None)
    wf[0].everyone[0] StepGroup  Group(NodeIx(3), 0)
    wf[0].everyone[0].inner Suspend sleep Step(NodeIx(4), 0, None)
    wf[0].lib Steps outer Step(NodeIx(1), 3, None)
    wf[0].lib[0] StepGroup  Group(NodeIx(6), 0)
    wf[0].lib[0].inner Suspend pause Step(NodeIx(7), 0, None)
    wf[0].own Suspend wait Step(NodeIx(1), 0, None)
    wf[0].ref Suspend pause Step(NodeIx(1), 1, None)
    ");
}

/// Argo keeps in the status what it ran with, since the objects may have changed.
#[test]
fn a_workflow_is_taken_over_with_the_templates_that_it_ran_with() {
    let workflow = json!({
        "spec": {"entrypoint": "new", "shutdown": "Stop", "workflowTemplateRef": {"name": "lib"}},
        "status": {
            "storedWorkflowTemplateSpec": {"entrypoint": "old", "suspend": true, "templates": []},
            "storedTemplates": {
                "namespaced/lib/one": {"name": "one"},
                "namespaced/lib/two": {"name": "two"},
                "cluster/all/one": {"name": "one"},
            },
        },
    });
    let (ran, objects) = stored(&workflow);
    assert_eq!(ran["spec"], json!({"entrypoint": "new", "shutdown": "Stop", "templates": []}));
    let objects: Vec<String> = objects
        .iter()
        .map(|object| format!("{} {} {}", object["kind"], object["metadata"]["name"], object["spec"]["templates"]))
        .collect();
    assert_eq!(
        objects,
        [
            r#""ClusterWorkflowTemplate" "all" [{"name":"one"}]"#,
            r#""WorkflowTemplate" "lib" [{"name":"one"},{"name":"two"}]"#,
        ]
    );
}
