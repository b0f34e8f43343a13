//! What calls hand over and get back: inputs from all their sources, artifacts with their places, and outputs.

use super::variables::makes;
use super::*;

/// Returns the node whose name ends so.
fn node<'p>(played: &'p Played, end: &str) -> &'p Node {
    let found = played.run.nodes().find(|node| node.name.ends_with(end));
    found.unwrap_or_else(|| panic!("no {end}: {}", played.show()))
}

fn played(text: &str) -> Played {
    let mut played = Played::new(text);
    played.play(&makes);
    played.check_folds();
    played
}

#[test]
fn an_input_has_the_first_value_that_there_is() {
    let map = "
---
apiVersion: v1
kind: ConfigMap
metadata: {name: there}
data: {k: from the map}
";
    for (declared, argument, expected) in [
        ("value: own", "value: given", "given"),
        ("value: own", "", "own"),
        ("default: own", "", "own"),
        ("valueFrom: {configMapKeyRef: {name: there, key: k}}", "", "from the map"),
        ("valueFrom: {configMapKeyRef: {name: there, key: k}}", "value: given", "given"),
        ("default: own", "valueFrom: {configMapKeyRef: {name: there, key: k}}", "from the map"),
        ("valueFrom: {configMapKeyRef: {name: not, key: k}, default: own}", "", "own"),
        (
            "valueFrom: {configMapKeyRef: {name: not, key: k}}",
            "",
            "inputs.parameters.m: its ConfigMap or key was not found and it has no default",
        ),
        ("enum: [a]", "", "inputs.parameters.m was not supplied"),
    ] {
        let argument = if argument.is_empty() {
            String::new()
        } else {
            format!("arguments: {{parameters: [{{name: m, {argument}}}]}}")
        };
        // A template that is called by a tag is not known before: nothing is refused for it.
        let text = workflow(&format!(
            "  entrypoint: main
  arguments: {{parameters: [{{name: which, value: takes}}]}}
  templates:
  - name: main
    inputs: {{parameters: [{{name: which}}]}}
    steps: [[{{name: a, template: '{{{{inputs.parameters.which}}}}', {argument}}}]]
  - name: takes
    inputs: {{parameters: [{{name: m, {declared}}}]}}
    container: {{image: a, command: [a]}}{map}"
        ));
        let played = played(&text);
        let a = node(&played, ".a");
        let given = a.inputs.as_ref().and_then(|inputs| inputs.parameter("m")).unwrap_or(&a.message);
        assert_eq!(&**given, expected, "{declared}, {argument}");
    }
}

#[test]
fn an_input_artifact_has_the_place_that_it_is_given_or_its_own() {
    let s3 = |key: &str| format!("s3: {{key: '{key}'}}");
    let tagged = s3("{{inputs.parameters.m}}/x");
    for (declared, argument, expected) in [
        (s3("own"), s3("given"), r#"{"name":"f","path":"/f","mode":256,"s3":{"key":"given"}}"#),
        (s3("own"), String::new(), r#"{"name":"f","path":"/f","mode":256,"s3":{"key":"own"}}"#),
        (tagged.clone(), String::new(), r#"{"name":"f","path":"/f","mode":256,"s3":{"key":"v/x"}}"#),
        (tagged.clone(), s3("given"), r#"{"name":"f","path":"/f","mode":256,"s3":{"key":"given"}}"#),
        (
            "recurseMode: true".to_owned(),
            tagged.clone(),
            r#"{"name":"f","path":"/f","mode":256,"s3":{"key":"w/x"},"recurseMode":true}"#,
        ),
        (
            "optional: true".to_owned(),
            s3("given"),
            r#"{"name":"f","path":"/f","mode":256,"s3":{"key":"given"},"optional":true}"#,
        ),
        ("optional: true".to_owned(), "mode: 1".to_owned(), ""),
        ("optional: true".to_owned(), String::new(), ""),
        ("optional: false".to_owned(), "mode: 1".to_owned(), "inputs.artifacts.f missing location information"),
        ("optional: false".to_owned(), String::new(), "inputs.artifacts.f was not supplied"),
    ] {
        let artifacts =
            if argument.is_empty() { String::new() } else { format!("artifacts: [{{name: f, {argument}}}]") };
        let text = workflow(&format!(
            "  entrypoint: main
  arguments: {{parameters: [{{name: which, value: takes}}, {{name: m, value: w}}]}}
  templates:
  - name: main
    inputs: {{parameters: [{{name: which}}, {{name: m}}]}}
    steps: [[{{name: a, template: '{{{{inputs.parameters.which}}}}', arguments: {{parameters: [{{name: m, value: v}}], {artifacts}}}}}]]
  - name: takes
    inputs: {{parameters: [{{name: m}}], artifacts: [{{name: f, path: /f, mode: 256, {declared}}}]}}
    container: {{image: a, command: [a], args: ['{{{{inputs.parameters.m}}}}']}}
"
        ));
        let played = played(&text);
        let a = node(&played, ".a");
        let given = a.inputs.as_ref().and_then(|inputs| inputs.artifact("f"));
        let given = given.map_or_else(|| a.message.to_string(), |it| serde_json::to_string(it).expect("it is JSON"));
        assert_eq!(given, expected, "{declared}, {argument}");
    }
}

#[test]
fn an_artifact_of_another_step_may_be_taken_in_part() {
    for (key, below, expected) in [
        ("from: '{{steps.a.outputs.artifacts.o}}'", "", "store/key"),
        ("from: '{{steps.a.outputs.artifacts.o}}', subPath: ''", "", "store/key"),
        ("from: '{{steps.a.outputs.artifacts.o}}', subPath: '/{{inputs.parameters.m}}/y'", "v", "store/key/v/y"),
        ("fromExpression: steps.a.outputs.artifacts.o, subPath: x", "", "store/key/x"),
    ] {
        let text = workflow(&format!(
            "  entrypoint: main
  arguments: {{parameters: [{{name: m, value: '{below}'}}]}}
  templates:
  - name: main
    inputs: {{parameters: [{{name: m}}]}}
    steps:
    - - {{name: a, template: made}}
    - - {{name: b, template: takes, arguments: {{parameters: [{{name: p, value: plain}}], artifacts: [{{name: f, {key}}}]}}}}
  - {{name: made, outputs: {{artifacts: [{{name: o, path: /o}}]}}, container: {{image: a, command: [a]}}}}
  - {{name: takes, inputs: {{parameters: [{{name: p}}], artifacts: [{{name: f, path: /f}}]}}, container: {{image: a, command: [a]}}}}
"
        ));
        let played = played(&text);
        let given =
            node(&played, ".b").inputs.clone().unwrap_or_else(|| panic!("it was given both: {}", played.show()));
        let found = given.artifact("f").and_then(|artifact| artifact.location.s3.clone()).and_then(|s3| s3.key);
        assert_eq!(found.as_deref(), Some(expected), "{key}");
        assert_eq!(given.parameter("p").map(|value| &**value), Some("plain"), "{key}");
    }
}

#[test]
fn an_output_that_is_not_there_is_an_error_unless_it_is_optional() {
    for (declared, expected) in [
        ("path: /o, optional: true", "Succeeded "),
        ("path: /o", "Error failed to save output artifact `o`: there is no file `/o`"),
        ("path: /o, optional: false", "Error failed to save output artifact `o`: there is no file `/o`"),
    ] {
        for absent in [None, Some(SavedArtifact::Absent)] {
            let text = workflow(&format!(
                "  entrypoint: main
  templates:
  - {{name: main, outputs: {{artifacts: [{{name: o, {declared}}}]}}, container: {{image: a, command: [a]}}}}
"
            ));
            let mut played = Played::new(&text);
            played.play(&|_| PodEnd {
                artifacts: absent.iter().map(|absent| ("o".to_owned(), absent.clone())).collect(),
                ..PodEnd::exited(0)
            });
            assert_eq!(format!("{} {}", played.run.phase(), played.run.message()), expected, "{absent:?}");
        }
    }
}

#[test]
fn a_template_hands_out_the_artifacts_of_its_calls() {
    for (when, optional, expected) in
        [("true", "false", "Succeeded store/key"), ("false", "true", "Succeeded "), ("false", "false", "Error ")]
    {
        let text = workflow(&format!(
            "  entrypoint: main
  templates:
  - name: main
    dag: {{tasks: [{{name: a, template: made, when: '{when}'}}]}}
    outputs: {{artifacts: [{{name: o, optional: {optional}, from: '{{{{tasks.a.outputs.artifacts.o}}}}'}}]}}
  - {{name: made, outputs: {{artifacts: [{{name: o, path: /o}}]}}, container: {{image: a, command: [a]}}}}
"
        ));
        let played = played(&text);
        let made = node(&played, "wf").outputs.as_ref().and_then(|outputs| outputs.artifact("o").cloned());
        let key = made.and_then(|artifact| artifact.location.s3.clone()).and_then(|s3| s3.key);
        assert_eq!(format!("{} {}", played.run.phase(), key.unwrap_or_default()), expected);
    }
}

/// Outputs of the run go by their global names, which may have tags; the last that is written counts.
#[test]
fn global_outputs_are_kept_by_their_names() {
    let text = workflow(
        "  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: a, template: group, arguments: {parameters: [{name: g, value: one}, {name: v, value: first}]}}
    - - {name: b, template: group, arguments: {parameters: [{name: g, value: two}, {name: v, value: second}]}}
    - - {name: c, template: group, arguments: {parameters: [{name: g, value: one}, {name: v, value: third}]}}
  - name: group
    inputs: {parameters: [{name: g}, {name: v}]}
    steps: [[{name: x, template: made}]]
    outputs:
      parameters: [{name: q, globalName: 'g-{{inputs.parameters.g}}', valueFrom: {parameter: '{{inputs.parameters.v}}'}}, {name: r, globalName: plain, valueFrom: {parameter: '{{inputs.parameters.g}}'}}]
  - {name: made, outputs: {artifacts: [{name: o, path: /o, globalName: file}]}, container: {image: a, command: [a]}}
",
    );
    let played = played(&text);
    let outputs = played.run.outputs();
    let parameters =
        outputs.parameters.iter().map(|it| format!("{}={}", it.name, it.value.as_deref().unwrap_or_default()));
    assert_eq!(parameters.collect::<Vec<_>>().join(" "), "g-one=third plain=one g-two=second");
    let artifacts = serde_json::to_string(&outputs.artifacts).expect("it is JSON");
    assert_eq!(artifacts, r#"[{"name":"file","s3":{"key":"store/key"}}]"#, "without what was of its pod only");
}

#[test]
fn items_of_a_loop_may_have_tags() {
    let text = workflow(&format!(
        "  entrypoint: main
  arguments: {{parameters: [{{name: m, value: v}}]}}
  templates:
  - {{name: main, inputs: {{parameters: [{{name: m}}]}}, steps: [[{{name: a, template: echo, withItems: ['{{{{inputs.parameters.m}}}}', w]}}]]}}{ECHO}"
    ));
    let played = played(&text);
    let names = played.run.nodes().filter(|node| node.kind == NodeType::Pod).map(|node| &*node.display_name);
    assert_eq!(names.collect::<Vec<_>>(), ["a(0:v)", "a(1:w)"]);
}

#[test]
fn attempts_know_the_name_of_their_step_or_task() {
    for (root, body) in
        [("steps", "steps: [[{name: a, template: tries}]]"), ("tasks", "dag: {tasks: [{name: a, template: tries}]}")]
    {
        let text = workflow(&format!(
            "  entrypoint: main
  templates:
  - {{name: main, {body}}}
  - {{name: tries, retryStrategy: {{limit: 1}}, container: {{image: a, command: [a], args: ['{{{{{root}.name}}}}']}}}}
"
        ));
        let (_, told) = super::variables::told(&text, &makes);
        assert_eq!(told.values().flatten().collect::<Vec<_>>(), ["a"], "{root}");
    }
}

/// Reports repeat; only what is new is written down.
#[test]
fn what_is_known_of_a_pod_is_written_once() {
    let mut played = Played::new(&workflow(
        "  entrypoint: main
  templates:
  - {name: main, daemon: true, container: {image: a, command: [a]}}
",
    ));
    played.observe(Observation::Begin);
    let pod = node(&played, "wf").ix;
    let waits = |reason: &str| PodReport::Waiting { reason: reason.to_owned() };
    let runs = |ready: bool| PodReport::Running { ready, ip: Some("10.0.0.1".to_owned()), host: None };
    for (report, is_new) in [
        (waits("no room"), true),
        (waits("no room"), false),
        (waits("no image"), true),
        (runs(false), true),
        (runs(false), false),
        (waits("late"), false),
        (runs(true), true),
        (runs(true), false),
        (runs(false), false),
    ] {
        let words = format!("{report:?}");
        let known = played.run.decide(Observation::Pod(pod, report), Timestamp(played.clock));
        assert_eq!(
            known.iter().any(|event| matches!(event, Event::Waits { .. } | Event::Runs { .. })),
            is_new,
            "{words}"
        );
    }
}
