//! Every variable of Argo's catalogue has its value at the places where it is known. Those of schedules are
//! the schedule's matter.

use super::*;
use crate::engine::model::node_id;

/// What pods were told: their arguments by node name.
pub(super) type Told = BTreeMap<String, Vec<String>>;

/// Plays a workflow, and returns the arguments of each pod that it starts.
pub(super) fn told(text: &str, ends: Ends<'_>) -> (Played, Told) {
    let told = std::cell::RefCell::new(Told::new());
    let mut played = Played::new(text);
    played.play(&|request| {
        let args = request.template.container.as_ref().map(|container| container.0["args"].clone());
        let args: Vec<String> = serde_json::from_value(args.unwrap_or_default()).unwrap_or_default();
        told.borrow_mut().insert(request.node_name.to_string(), args);
        ends(request)
    });
    (played, told.into_inner())
}

fn args<'v>(variables: impl IntoIterator<Item = &'v str>) -> String {
    let quoted: Vec<String> = variables.into_iter().map(|name| format!("'{{{{{name}}}}}'")).collect();
    format!("[{}]", quoted.join(", "))
}

/// Returns how a pod ends that makes a parameter, an artifact and a result.
pub(super) fn makes(request: &PodRequest) -> PodEnd {
    let mut end = PodEnd::exited(0);
    end.host = Some("machine".to_owned());
    end.result = request.capture_result.then(|| "\"said\"".to_owned());
    for parameter in request.template.outputs.iter().flat_map(|outputs| &outputs.parameters) {
        end.parameters.insert(parameter.name.clone(), FileOutput::Found("made".to_owned()));
    }
    for artifact in request.template.outputs.iter().flat_map(|outputs| &outputs.artifacts) {
        let location = serde_json::from_value(serde_json::json!({"s3": {"key": "store/key"}})).expect("a location");
        let saved = spec::Artifact { location, ..artifact.clone() };
        end.artifacts.insert(artifact.name.clone(), SavedArtifact::Saved(Box::new(saved)));
    }
    end
}

#[test]
fn words_of_the_run_and_of_a_template() {
    let table = [
        ("workflow.name", "wf"),
        ("workflow.namespace", "team"),
        ("workflow.uid", "uid"),
        ("workflow.mainEntrypoint", "main"),
        ("workflow.serviceAccountName", "robot"),
        ("workflow.priority", "7"),
        ("workflow.creationTimestamp", "1970-01-01T00:00:00Z"),
        ("workflow.creationTimestamp.Y", "1970"),
        ("workflow.creationTimestamp.s", "0"),
        ("workflow.creationTimestamp.RFC3339", "1970-01-01T00:00:00Z"),
        ("workflow.scheduledTime", "2024-01-01T00:00:00Z"),
        ("workflow.parameters", r#"[{"name":"p","value":"v"}]"#),
        ("workflow.parameters.json", r#"[{"name":"p","value":"v"}]"#),
        ("workflow.parameters.p", "v"),
        ("workflow.labels", r#"{"l":"1"}"#),
        ("workflow.labels.json", r#"{"l":"1"}"#),
        ("workflow.labels.l", "1"),
        ("workflow.annotations", r#"{"workflows.argoproj.io/scheduled-time":"2024-01-01T00:00:00Z"}"#),
        ("workflow.annotations.json", r#"{"workflows.argoproj.io/scheduled-time":"2024-01-01T00:00:00Z"}"#),
        ("workflow.annotations.workflows.argoproj.io/scheduled-time", "2024-01-01T00:00:00Z"),
        ("workflow.status", "Running"),
        ("workflow.duration", "0.000000"),
        ("inputs.parameters", r#"[{"name":"m","value":"given"}]"#),
        ("inputs.parameters.m", "given"),
        ("inputs.artifacts.f.path", "/in/f"),
        ("outputs.artifacts.o.path", "/out/o"),
        ("outputs.parameters.q.path", "/out/q"),
        ("node.name", "wf[0].a"),
        ("pod.name", "wf-say-2815212150"),
        ("steps.name", "a"),
    ];
    let text = format!(
        "apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata:
  name: wf
  namespace: team
  labels: {{l: '1'}}
  annotations: {{workflows.argoproj.io/scheduled-time: '2024-01-01T00:00:00Z'}}
spec:
  entrypoint: main
  priority: 7
  serviceAccountName: robot
  arguments: {{parameters: [{{name: p, value: v}}]}}
  templates:
  - name: main
    steps:
    - - {{name: a, template: say, arguments: {{parameters: [{{name: m, value: given}}], artifacts: [{{name: f, raw: {{data: x}}}}]}}}}
  - name: say
    inputs: {{parameters: [{{name: m}}], artifacts: [{{name: f, path: /in/f}}]}}
    outputs: {{parameters: [{{name: q, valueFrom: {{path: /out/q}}}}], artifacts: [{{name: o, path: /out/o}}]}}
    container: {{image: alpine, command: [echo], args: {}}}
",
        args(table.map(|(name, _)| name))
    );
    let (_, told) = told(&text, &makes);
    for ((name, expected), actual) in table.iter().zip(&told["wf[0].a"]) {
        match *name {
            "pod.name" => assert_eq!(*actual, format!("wf-say-{}", crate::engine::model::fnv1a_32("wf[0].a"))),
            _ => assert_eq!(actual, expected, "{name}"),
        }
    }
}

#[test]
fn words_of_a_call_before_in_steps_and_in_a_dag() {
    let fields = [
        "id",
        "status",
        "exitCode",
        "startedAt",
        "finishedAt",
        "hostNodeName",
        "outputs.result",
        "outputs.parameters.q",
    ];
    for (root, body, first) in [
        (
            "steps",
            "steps:\n    - - {name: a, template: made}\n      - {name: d, template: server}\n    - - {name: b, CALL}",
            "wf[0].a",
        ),
        (
            "tasks",
            "dag:\n      tasks:\n      - {name: a, template: made}\n      - {name: d, template: server}\n      - {name: b, depends: a && d, CALL}",
            "wf.a",
        ),
    ] {
        let named = |field: &str| format!("{root}.a.{field}");
        let values: Vec<String> = fields.iter().map(|field| named(field)).chain([format!("{root}.d.ip")]).collect();
        let parameter = |(at, name): (usize, &String)| format!("{{name: p{at}, value: '{{{{{name}}}}}'}}");
        let given: Vec<String> = values.iter().enumerate().map(parameter).collect();
        let call = format!(
            "template: many, arguments: {{parameters: [{}], artifacts: [{{name: f, from: '{{{{{root}.a.outputs.artifacts.o}}}}'}}]}}",
            given.join(", ")
        );
        let inputs: Vec<String> = (0..values.len()).map(|at| format!("inputs.parameters.p{at}")).collect();
        let declared: Vec<String> = (0..values.len()).map(|at| format!("{{name: p{at}}}")).collect();
        let own = format!("{root}.name");
        let text = workflow(&format!(
            "  entrypoint: main
  templates:
  - name: main
    {}
  - name: made
    outputs: {{parameters: [{{name: q, valueFrom: {{path: /q}}}}], artifacts: [{{name: o, path: /o}}]}}
    container: {{image: alpine, command: [echo]}}
  - name: server
    daemon: true
    container: {{image: alpine, command: [echo]}}
  - name: many
    inputs: {{parameters: [{}], artifacts: [{{name: f, path: /f}}]}}
    container: {{image: alpine, command: [echo], args: {}}}
",
            body.replace("CALL", &call),
            declared.join(", "),
            args(inputs.iter().map(String::as_str).chain([&*own]))
        ));
        let (played, told) = told(&text, &makes);
        let node = played.run.find(first).expect("it ran");
        let last = told.keys().find(|name| name.ends_with(".b")).expect("it ran");
        let finished = node.finished_at.expect("it ended").rfc3339();
        let id = node_id("wf", first);
        let expected = [
            &*id,
            "Succeeded",
            "0",
            &node.started_at.rfc3339(),
            &finished,
            "machine",
            "\"said\"",
            "made",
            "10.0.0.1",
            "b",
        ];
        assert_eq!(told[last], expected, "{root}");
        let given = played.run.find(last).and_then(|node| node.inputs.clone()).expect("it was given an artifact");
        let s3 = given.artifact("f").and_then(|artifact| artifact.location.s3.clone()).expect("in a store");
        assert_eq!(s3.key.as_deref(), Some("store/key"), "{root}");
    }
}

#[test]
fn words_of_loops_inside_and_after_them() {
    for (root, body) in [
        ("steps", "steps:\n    - - {name: each, LOOP}\n    - - {name: z, CALL}"),
        ("tasks", "dag:\n      tasks:\n      - {name: each, LOOP}\n      - {name: z, depends: each, CALL}"),
    ] {
        let looped = "template: one, withItems: [{k: x}, {k: y}], arguments: {parameters: [{name: m, value: '{{item}} {{item.k}}'}]}";
        let after = format!(
            "template: all, arguments: {{parameters: [{{name: r, value: '{{{{{root}.each.outputs.result}}}}'}}, {{name: s, value: '{{{{{root}.each.outputs.parameters}}}}'}}, {{name: t, value: '{{{{{root}.each.outputs.parameters.q}}}}'}}]}}"
        );
        let text = workflow(&format!(
            "  entrypoint: main
  templates:
  - name: main
    {}
  - name: one
    inputs: {{parameters: [{{name: m}}]}}
    outputs: {{parameters: [{{name: q, valueFrom: {{path: /q}}}}]}}
    container: {{image: alpine, command: [echo], args: {}}}
  - name: all
    inputs: {{parameters: [{{name: r}}, {{name: s}}, {{name: t}}]}}
    container: {{image: alpine, command: [echo], args: {}}}
",
            body.replace("LOOP", looped).replace("CALL", &after),
            args(["inputs.parameters.m"]),
            args(["inputs.parameters.r", "inputs.parameters.s", "inputs.parameters.t"])
        ));
        let (_, told) = told(&text, &makes);
        let of = |end: &str| told.iter().find(|(name, _)| name.ends_with(end)).map(|(_, args)| args.clone());
        assert_eq!(of("each(0:k:x)"), Some(vec![r#"{"k":"x"} x"#.to_owned()]), "{root}");
        let lists = [r#"["said","said"]"#, r#"[{"q":"made"},{"q":"made"}]"#, r#"["made","made"]"#].map(str::to_owned);
        assert_eq!(of(".z"), Some(lists.to_vec()), "{root}");
    }
}

#[test]
fn words_of_attempts_of_the_run_s_outputs_and_of_its_end() {
    let text = workflow(&format!(
        "  entrypoint: main
  onExit: bye
  templates:
  - name: main
    steps:
    - - {{name: tries, template: tries}}
    - - {{name: made, template: made}}
    - - {{name: uses, template: uses, arguments: {{artifacts: [{{name: f, from: '{{{{workflow.outputs.artifacts.ga}}}}'}}]}}}}
    - - {{name: fails, template: made}}
  - name: tries
    retryStrategy: {{limit: 1}}
    container: {{image: alpine, command: [echo], args: {}}}
  - name: made
    outputs: {{parameters: [{{name: q, valueFrom: {{path: /q}}, globalName: g}}], artifacts: [{{name: o, path: /o, globalName: ga}}]}}
    container: {{image: alpine, command: [echo]}}
  - name: uses
    inputs: {{artifacts: [{{name: f, path: /f}}]}}
    container: {{image: alpine, command: [echo], args: {}}}
  - name: bye
    container: {{image: alpine, command: [echo], args: {}}}
",
        args(["retries", "lastRetry.exitCode", "lastRetry.status", "lastRetry.duration", "lastRetry.message"]),
        args(["workflow.outputs.parameters.g", "=inputs.artifacts.f.s3.key"]),
        args(["workflow.status", "workflow.failures", "workflow.duration", "workflow.outputs.parameters.g"])
    ));
    let (played, told) = told(&text, &|request| match &*request.node_name {
        "wf[0].tries(0)" => PodEnd::exited(3),
        "wf[3].fails" => PodEnd::exited(4),
        _ => makes(request),
    });
    assert_eq!(told["wf[0].tries(0)"], ["0", "0", "", "0", ""]);
    assert_eq!(told["wf[0].tries(1)"], ["1", "3", "Failed", "1", "main: Error (exit code 3)"]);
    assert_eq!(told["wf[2].uses"], ["made", "store/key"]);
    let [status, failures, duration, global] = &told["wf.onExit"][..] else { panic!("four arguments") };
    assert_eq!((&**status, &**global), ("Failed", "made"));
    assert!(duration.parse::<f64>().is_ok_and(|seconds| seconds > 0.0), "{duration}");
    let once: String = serde_json::from_str(failures).expect("it is decoded twice");
    let list: Vec<serde_json::Value> = serde_json::from_str(&once).expect("it is decoded twice");
    let names: Vec<&str> = list.iter().filter_map(|failure| failure["displayName"].as_str()).collect();
    assert_eq!(names, ["wf", "tries(0)", "[3]", "fails"]);
    assert_eq!(played.run.phase(), Phase::Failed);
}

/// Argo replaces tags in all of a template, the names of its steps included, before it runs it.
#[test]
fn names_of_steps_are_made_of_inputs() {
    let (played, told) = told(
        &workflow(
            "  entrypoint: main
  templates:
  - name: main
    steps: [[{name: day, template: day, arguments: {parameters: [{name: date, value: '15'}]}}]]
  - name: day
    inputs: {parameters: [{name: date}]}
    steps:
    - - {name: 'run-{{inputs.parameters.date}}', template: say, arguments: {parameters: [{name: text, value: ran}]}}
      - {name: 'each-{{inputs.parameters.date}}', template: say, withItems: [x], arguments: {parameters: [{name: text, value: '{{item}}'}]}}
      - {name: 'not-{{inputs.parameters.date}}', template: say, when: 1 == 2, arguments: {parameters: [{name: text, value: ''}]}}
    - - name: after
        template: say
        when: '{{steps.run-{{inputs.parameters.date}}.status}} == Succeeded'
        arguments: {parameters: [{name: text, value: '{{steps.each-15.outputs.result}} {{steps.not-15.status}}'}]}
  - name: say
    inputs: {parameters: [{name: text}]}
    container: {image: alpine, command: [echo], args: ['{{inputs.parameters.text}}']}
",
        ),
        &makes,
    );
    assert_eq!(played.run.phase(), Phase::Succeeded, "{:?}", played.run.find("wf[0].day").map(|node| &node.message));
    let told: Vec<(&str, &str)> = told.iter().map(|(name, args)| (name.as_str(), args[0].as_str())).collect();
    assert_eq!(
        told,
        [
            ("wf[0].day[0].each-15(0:x)", "x"),
            ("wf[0].day[0].run-15", "ran"),
            ("wf[0].day[1].after", "[\"said\"] Skipped"),
        ]
    );
    assert_eq!(played.run.find("wf[0].day[0].not-15").map(|node| node.phase), Some(Phase::Skipped));
}
