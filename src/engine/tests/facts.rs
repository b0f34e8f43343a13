//! What a run says of itself and of its nodes: times, words, progress, and where templates are from.

use super::*;
use crate::engine::scope::global::ambient;

fn echo(spec: &str) -> Played {
    Played::new(&workflow(&format!("{spec}  entrypoint: echo\n  templates:{ECHO}")))
}

#[test]
fn a_run_may_be_removed_when_its_strategy_says_counted_from_its_end() {
    for (ttl, code, expected) in [
        ("secondsAfterSuccess: 5, secondsAfterFailure: 9", 0, Some(7_000)),
        ("secondsAfterSuccess: 5, secondsAfterFailure: 9", 1, Some(11_000)),
        ("secondsAfterCompletion: 60, secondsAfterFailure: 9", 0, Some(62_000)),
        ("secondsAfterCompletion: 60, secondsAfterSuccess: 5", 1, Some(62_000)),
        ("secondsAfterFailure: 9", 0, None),
    ] {
        let mut played = echo(&format!("  ttlStrategy: {{{ttl}}}\n"));
        assert_eq!((played.run.finished_at(), played.run.expires_at()), (None, None), "it has not ended");
        played.play(&|_| PodEnd::exited(code));
        assert_eq!(played.run.finished_at(), Some(Timestamp(2_000)));
        assert_eq!(played.run.expires_at(), expected.map(Timestamp), "{ttl}, exit code {code}");
    }
}

#[test]
fn a_run_tells_when_it_was_made_what_it_was_given_and_how_it_is_ended() {
    let mut played = echo("  arguments: {parameters: [{name: p, value: '{{workflow.name}}'}, {name: q, value: b}]}\n");
    let Run { plan, name, uid, .. } = &played.run;
    let made = Run::new(plan.clone(), name.clone(), uid.clone(), Timestamp(1_700));
    assert_eq!(made.created_at(), Timestamp(1_700));
    let given = made.arguments().iter().map(|it| format!("{} {}", it.name, it.value.as_deref().unwrap_or_default()));
    assert_eq!(given.collect::<Vec<_>>(), ["p wf", "q b"]);
    played.observe(Observation::Begin);
    assert_eq!(played.run.shutdown(), None);
    played.observe(Observation::Control(Control::Terminate));
    assert_eq!(played.run.shutdown().map(Shutdown::as_str), Some("Terminate"));
}

/// The manifest's own, then those that `workflowMetadata` says, then those that it makes of words of the run.
#[test]
fn labels_are_those_of_all_their_sources() {
    let text = "apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: wf, labels: {a: own, b: own}}
spec:
  entrypoint: echo
  arguments: {parameters: [{name: p, value: v}, {name: q, value: w}]}
  workflowMetadata:
    labels: {b: more}
    labelsFrom:
      c: {expression: workflow.parameters.p}
      d: {expression: 'workflow.namespace + \"-\" + workflow.name'}
      e: {expression: 'string(len(workflow.parameters))'}
      f: {expression: workflow.labels.a}
  templates:
  - {name: echo, container: {image: a, command: [a]}}
";
    let labels = Played::new(text).run.labels();
    let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name} {value}")).collect();
    assert_eq!(labels, ["a own", "b more", "c v", "d default-wf", "e 2"], "labels are not made of labels");
}

#[test]
fn progress_counts_what_a_retry_keeps() {
    let mut played = Played::new(&workflow(&format!(
        "  entrypoint: main
  templates:
  - {{name: main, steps: [[{{name: a, template: echo}}], [{{name: b, template: echo}}], [{{name: c, template: echo}}]]}}{ECHO}"
    )));
    played.play(&|request| PodEnd::exited(i32::from(request.node_name.ends_with(".b"))));
    assert_eq!(played.run.progress(), (2, 2));
    played.observe(Observation::Control(super::again::retry("", "", &[])));
    assert_eq!(played.run.progress(), (1, 2));
    played.play(&ok);
    assert_eq!(played.run.progress(), (3, 3));
}

const LIBRARY: &str = "
---
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: lib}
spec:
  templates:
  - {name: wait, suspend: {}}
  - {name: outer, steps: [[{name: inner, template: wait}]]}
---
apiVersion: argoproj.io/v1alpha1
kind: ClusterWorkflowTemplate
metadata: {name: all}
spec: {templates: [{name: wait, suspend: {}}]}
";

#[test]
fn nodes_tell_where_their_templates_are_from_and_can_be_selected_by_it() {
    let text = workflow(
        "  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: own, template: wait}
      - {name: ref, templateRef: {name: lib, template: wait}}
      - {name: all, templateRef: {name: all, template: wait, clusterScope: true}}
      - {name: deep, templateRef: {name: lib, template: outer}}
  - {name: wait, suspend: {}}
",
    );
    let mut played = Played::new(&format!("{text}{LIBRARY}"));
    played.observe(Observation::Begin);
    let nodes: Vec<String> = played
        .run
        .nodes()
        .filter(|node| node.kind != NodeType::StepGroup)
        .map(|node| format!("{} {} {:?}", node.display_name, node.scope, node.called_by))
        .collect();
    insta::assert_snapshot!(nodes.join("\n"), @r#"
    wf local/wf Name
    own local/wf Name
    ref local/wf Reference { object: "lib", cluster: false }
    all local/wf Reference { object: "all", cluster: true }
    deep local/wf Reference { object: "lib", cluster: false }
    inner namespaced/lib Name
    "#);
    for (selector, expected) in [
        ("templateRef.name=lib", "ref inner"),
        ("templateRef.name=all", "all"),
        ("templateRef.name=lib,templateRef.template=wait", "ref inner"),
        ("templateRef.template=outer", ""),
        ("templateRef.name!=lib", "own all"),
        ("templateName=wait,templateRef.name=", "own"),
    ] {
        let selector = crate::engine::selector::Selector::parse(selector).expect("a good selector");
        let matched = played.run.paused_nodes().filter(|node| selector.matches(&played.run, node.ix));
        assert_eq!(matched.map(|node| &*node.display_name).collect::<Vec<_>>().join(" "), expected, "{selector:?}");
    }
}

/// A driver that takes a run over makes its pods of the same random values, also one of a later release.
#[test]
fn chance_at_an_instant_of_a_run_is_always_the_same() {
    let run = echo("").run;
    let seeds = [(0, 0), (1_700_000_000_123, 0), (1_700_000_000_123, 7)].map(|(at, salt)| {
        let ambient = ambient(&run, Timestamp(at), salt);
        format!("{:016x}", ambient.seed)
    });
    insta::assert_snapshot!(seeds.join(" "), @"5cc7e6cd00000000 8a2382fe64fb2617 8a2382fe64fb2610");
}
