//! What expressions know where: whole maps, all names at once, and the words of what was skipped, looped or
//! tried again.

use super::variables::{makes, told};
use super::*;
use crate::engine::scope::global::Global;
use crate::expr::Scope as _;

const ALL: &str = r#"{{=join(sort(keys($env)), " ")}}"#;

#[test]
fn all_names_that_are_known_at_a_place_can_be_had_at_once() {
    let text = workflow(&format!(
        "  entrypoint: main
  templates:
  - name: main
    steps:
    - - {{name: a, template: say, withItems: [{{k: v}}], arguments: {{parameters: [{{name: m, value: '{ALL}'}}]}}}}
    - - {{name: b, template: inner}}
    - - {{name: c, withItems: [{{k: v}}], inline: {{container: {{image: a, command: [a], args: ['{ALL}{{{{item.k}}}}']}}}}}}
  - name: inner
    dag: {{tasks: [{{name: a, template: say, arguments: {{parameters: [{{name: m, value: '{ALL}'}}]}}}}]}}
  - name: say
    inputs: {{parameters: [{{name: m}}]}}
    container: {{image: a, command: [a], args: ['{{{{inputs.parameters.m}}}}', '{ALL}']}}
"
    ));
    let (_, told) = told(&text, &makes);
    let told: Vec<String> = told.iter().map(|(name, args)| format!("{name}: {}", args.join(" | "))).collect();
    insta::assert_snapshot!(told.join("\n"), @"
    wf[0].a(0:k:v): inputs item node steps workflow | inputs node pod steps workflow
    wf[1].b.a: inputs node tasks workflow | inputs node pod tasks workflow
    wf[2].c(0:k:v): inputs item node pod steps workflowv
    ");
}

#[test]
fn expressions_may_take_a_whole() {
    let table = [
        ("len(workflow.parameters)", "2"),
        ("len(workflow.labels)", "3"),
        ("len(workflow.annotations)", "1"),
        ("len(workflow.outputs.parameters)", "2"),
        ("len(workflow.outputs.artifacts)", "1"),
        ("len(item)", "2"),
        ("len(inputs.parameters)", "1"),
        ("len(steps.first.outputs.parameters)", "1"),
    ];
    let values: Vec<String> = table.iter().map(|(expression, _)| format!("{{{{={expression}}}}}")).collect();
    let text = format!(
        "apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {{name: wf, labels: {{a: '1', b: '1', c: '1'}}, annotations: {{a: '1'}}}}
spec:
  entrypoint: main
  arguments: {{parameters: [{{name: p, value: v}}, {{name: q, value: v}}]}}
  templates:
  - name: main
    inputs: {{parameters: [{{name: p}}]}}
    steps:
    - - {{name: first, template: made, arguments: {{parameters: [{{name: g, value: g}}]}}}}
    - - {{name: other, template: made, arguments: {{parameters: [{{name: g, value: h}}]}}}}
    - - {{name: each, template: say, withItems: [{{k: v, l: w}}], arguments: {{parameters: [{{name: m, value: '{}'}}]}}}}
  - name: made
    inputs: {{parameters: [{{name: g}}]}}
    outputs:
      parameters: [{{name: q, valueFrom: {{path: /q}}, globalName: '{{{{inputs.parameters.g}}}}'}}]
      artifacts: [{{name: o, path: /o, globalName: ga}}]
    container: {{image: a, command: [a]}}
  - name: say
    inputs: {{parameters: [{{name: m}}]}}
    container: {{image: a, command: [a], args: ['{{{{inputs.parameters.m}}}}']}}
",
        values.join(" ")
    );
    let (_, told) = told(&text, &makes);
    let expected: Vec<&str> = table.iter().map(|(_, expected)| *expected).collect();
    assert_eq!(told["wf[2].each(0:k:v,l:w)"], [expected.join(" ")]);
}

#[test]
fn only_argo_s_conversions_of_the_creation_timestamp_are_known() {
    let run = Played::new(&workflow(&format!("  entrypoint: echo\n  templates:{ECHO}"))).run;
    let global = Global { run: &run, at: Timestamp(0) };
    for (name, expected) in [("Y", Some("1970")), ("s", Some("0")), ("k", None), ("Yd", None), ("", None)] {
        let value = global.get(&format!("workflow.creationTimestamp.{name}"));
        assert_eq!(value.map(|value| value.to_text()).as_deref(), expected, "`{name}`");
    }
}

/// A step or task `a` that never ran, and what `b` after it is given: its argument, or the error.
#[test]
fn what_never_ran_has_the_words_that_its_template_declares() {
    let given = |root: &str, argument: &str| {
        let body = match root {
            "steps" => "steps: [[{name: a, template: made, when: 'false'}], [{name: b, template: say, ARGUMENT}]]",
            _ => {
                "dag: {tasks: [{name: a, template: made, when: 'false'}, {name: b, depends: a.Skipped, template: say, ARGUMENT}]}"
            }
        };
        let text = workflow(&format!(
            "  entrypoint: main
  templates:
  - name: main
    {}
  - name: made
    outputs:
      parameters: [{{name: with, valueFrom: {{path: /w, default: theirs}}}}, {{name: without, valueFrom: {{path: /o}}}}]
      artifacts: [{{name: o, path: /o}}]
    container: {{image: a, command: [a]}}
  - name: say
    inputs: {{parameters: [{{name: m, default: own}}], artifacts: [{{name: f, path: /f, optional: true}}]}}
    container: {{image: a, command: [a], args: ['{{{{inputs.parameters.m}}}}']}}
",
            body.replace("ARGUMENT", &format!("arguments: {{{argument}}}").replace("ROOT", root))
        ));
        let (played, told) = told(&text, &makes);
        match told.iter().find(|(name, _)| name.ends_with(".b")) {
            Some((_, args)) => args[0].clone(),
            None => played
                .run
                .nodes()
                .map(|node| node.message.to_string())
                .find(|it| it.contains("esolve"))
                .unwrap_or_default(),
        }
    };
    let parameter = |name: &str| format!("parameters: [{{name: m, value: '{{{{ROOT.a.{name}}}}}'}}]");
    let artifact = "artifacts: [{name: f, from: '{{ROOT.a.outputs.artifacts.o}}'}]";
    for root in ["steps", "tasks"] {
        assert_eq!(given(root, &parameter("outputs.parameters.with")), "theirs", "{root}");
        assert_eq!(given(root, &parameter("outputs.parameters.without")), "own", "{root}");
        assert_eq!(given(root, &parameter("outputs.result")), "own", "{root}");
        assert!(
            given(root, &parameter("exitCode")).contains("esolve"),
            "{root}: {}",
            given(root, &parameter("exitCode"))
        );
    }
    assert_eq!(given("steps", artifact), "own", "steps get an empty artifact");
    assert_eq!(given("tasks", artifact), "Unable to resolve: \"tasks.a.outputs.artifacts.o\"");
}

/// Defaults are for what never ran; what ran and made nothing has nothing to refer to.
#[test]
fn what_was_lost_has_no_outputs_by_default() {
    let mut played = Played::new(&workflow(&format!(
        "  entrypoint: main
  templates:
  - name: main
    steps:
    - - {{name: a, template: made, continueOn: {{error: true}}}}
    - - {{name: b, template: echo, arguments: {{parameters: [{{name: m, value: '{{{{steps.a.outputs.parameters.with}}}}'}}]}}}}
  - name: made
    outputs: {{parameters: [{{name: with, valueFrom: {{path: /w, default: theirs}}}}]}}
    container: {{image: a, command: [a]}}{ECHO}"
    )));
    played.observe(Observation::Begin);
    let a = played.run.find("wf[0].a").expect("it was made").ix;
    played.observe(Observation::Pod(a, PodReport::Lost { message: String::new() }));
    let words = "failed to resolve references: failed to resolve {{steps.a.outputs.parameters.with}}";
    assert_eq!((played.run.phase(), played.run.message()), (Phase::Failed, words));
}

#[test]
fn words_of_a_loop_as_a_whole_are_those_of_its_group() {
    for (root, body, group) in [
        (
            "steps",
            "steps: [[{name: each, template: echo, withItems: [x, z]}], [{name: b, template: say, ARGUMENT}]]",
            "wf[0]",
        ),
        (
            "tasks",
            "dag: {tasks: [{name: each, template: echo, withItems: [x, z]}, {name: b, depends: each, template: say, ARGUMENT}]}",
            "wf.each",
        ),
    ] {
        let fields = ["id", "status", "startedAt", "finishedAt"].map(|field| format!("{{{{{root}.each.{field}}}}}"));
        let argument = format!("arguments: {{parameters: [{{name: m, value: '{}'}}]}}", fields.join(" "));
        let text = workflow(&format!(
            "  entrypoint: main
  templates:
  - name: main
    {}
  - name: say
    inputs: {{parameters: [{{name: m}}]}}
    container: {{image: a, command: [a], args: ['{{{{inputs.parameters.m}}}}']}}{ECHO}",
            body.replace("ARGUMENT", &argument)
        ));
        let (played, told) = told(&text, &makes);
        let node = played.run.find(group).expect("it was made");
        let finished = node.finished_at.expect("it ended").rfc3339();
        let expected = format!("{} Succeeded {} {finished}", node.id("wf"), node.started_at.rfc3339());
        let last = told.iter().find(|(name, _)| name.ends_with(".b")).expect("it ran");
        assert_eq!(last.1[0], expected, "{root}");
    }
}

#[test]
fn words_of_a_retried_step_are_those_of_its_last_attempt() {
    let text = workflow(
        "  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: a, template: tries}
    - - {name: b, template: say, arguments: {parameters: [{name: m, value: '{{steps.a.id}} {{steps.a.status}} {{steps.a.startedAt}} {{steps.a.hostNodeName}}'}]}}
  - {name: tries, retryStrategy: {limit: 1}, container: {image: a, command: [a]}}
  - name: say
    inputs: {parameters: [{name: m}]}
    container: {image: a, command: [a], args: ['{{inputs.parameters.m}}']}
",
    );
    let (played, told) = told(&text, &|request| match request.node_name.ends_with("(0)") {
        true => PodEnd::exited(1),
        false => makes(request),
    });
    let last = played.run.find("wf[0].a(1)").expect("it was made");
    let expected = format!("{} Succeeded {} machine", last.id("wf"), last.started_at.rfc3339());
    assert_eq!(told["wf[1].b"], [expected]);
}

/// The exit hook of a loop is each round's, and speaks of the round under the name of the task.
#[test]
fn hooks_of_a_round_are_told_of_their_round() {
    let words = "{{ROOT.each.status}} {{ROOT.each.outputs.result}} {{=len(ROOT.each.outputs.parameters)}}";
    for (root, body) in [("steps", "steps: [[{LOOP}]]"), ("tasks", "dag: {tasks: [{LOOP}]}")] {
        let looped = format!(
            "name: each, template: made, withItems: [x, z], hooks: {{exit: {{template: say, arguments: {{parameters: [{{name: m, value: '{}'}}]}}}}}}",
            words.replace("ROOT", root)
        );
        let text = workflow(&format!(
            "  entrypoint: main
  templates:
  - name: main
    {}
  - name: made
    retryStrategy: {{limit: 1}}
    outputs: {{parameters: [{{name: q, valueFrom: {{path: /q}}}}]}}
    container: {{image: a, command: [a]}}
  - name: say
    inputs: {{parameters: [{{name: m}}]}}
    container: {{image: a, command: [a], args: ['{{{{inputs.parameters.m}}}}']}}
",
            body.replace("LOOP", &looped)
        ));
        let (_, told) = told(&text, &|request| {
            let name = &request.node_name;
            let result = request.capture_result.then(|| name.to_string());
            match name.contains(":z)(") {
                true => PodEnd { phase: Phase::Failed, exit_code: Some(1), result, ..makes(request) },
                false => PodEnd { result, ..makes(request) },
            }
        });
        let said = |round: &str| told.iter().find(|(name, _)| name.ends_with(round)).map(|(_, args)| args[0].clone());
        let place = if root == "steps" { "wf[0]" } else { "wf" };
        assert_eq!(said("each(0:x).onExit"), Some(format!("Succeeded {place}.each(0:x)(0) 1")));
        assert_eq!(said("each(1:z).onExit"), Some(format!("Failed {place}.each(1:z)(1) 1")));
    }
}

#[test]
fn a_run_without_failures_says_so_to_its_exit_handler() {
    let text = workflow(&format!(
        "  entrypoint: echo
  onExit: bye
  templates:
  - {{name: bye, container: {{image: a, command: [a], args: ['{{{{workflow.failures}}}}']}}}}{ECHO}"
    ));
    let (_, told) = told(&text, &makes);
    assert_eq!(told["wf.onExit"], ["\"null\""]);
}

#[test]
fn each_text_has_chance_of_its_own() {
    let text = workflow(
        "  entrypoint: main
  templates:
  - {name: main, steps: [[{name: a, template: say}, {name: b, template: say}]]}
  - {name: say, container: {image: a, command: [a], args: ['{{=sprig.uuidv4()}}', '{{=sprig.uuidv4()}}']}}
",
    );
    let (_, told) = told(&text, &makes);
    let values: std::collections::BTreeSet<&String> = told.values().flatten().collect();
    assert_eq!((told.len(), values.len()), (2, 4), "{told:?}");
}
