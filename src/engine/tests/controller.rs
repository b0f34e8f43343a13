//! Decisions in which Argo's controller was seen to differ when workflows made at random were given to both, each in
//! its smallest form: every node with its phase and its words.

use super::*;
use crate::engine::model::node_id;

/// Plays a workflow in which the pods of the template `bad` fail, and compares all that it comes to.
fn check(main: &str, expected: &[&str]) {
    let text = workflow(&format!(
        "  entrypoint: main
  templates:
{main}
  - {{name: bad, container: {{image: a, command: [bad]}}}}
  - {{name: list, script: {{image: a, command: [sh], source: list}}}}{ECHO}"
    ));
    let mut played = Played::new(&text);
    played.play(&|request| match request.template.name.as_deref().unwrap_or_default() {
        "bad" => PodEnd { phase: Phase::Failed, message: "Error (exit code 1)".to_owned(), ..PodEnd::exited(1) },
        "list" => PodEnd { result: Some("[1, 2]".to_owned()), ..PodEnd::exited(0) },
        _ => prints(request),
    });
    played.check_folds();
    let run = ("run", played.run.phase(), played.run.message());
    let nodes = played.run.nodes().map(|node| (&node.name["wf".len()..], node.phase, &*node.message));
    let lines = std::iter::once(run).chain(nodes);
    let lines: Vec<String> =
        lines.map(|(name, phase, words)| format!("{name} {phase} {words}").trim().to_owned()).collect();
    assert_eq!(lines, expected, "{}", played.show());
}

#[test]
fn a_loop_that_is_not_wanted_has_no_rounds_when_others_say_what_it_goes_over() {
    let steps = |over: &str| {
        format!(
            "  - name: main
    steps:
    - [{{name: a, template: list}}]
    - [{{name: b, template: echo, when: '1 == 2', withParam: '{over}'}}]"
        )
    };
    check(
        &steps("{{steps.a.outputs.result}}"),
        &[
            "run Succeeded",
            "Succeeded",
            "[0] Succeeded",
            "[0].a Succeeded",
            "[1] Succeeded",
            "[1].b Skipped Skipped, empty params",
        ],
    );
    check(
        &steps("[7]"),
        &[
            "run Succeeded",
            "Succeeded",
            "[0] Succeeded",
            "[0].a Succeeded",
            "[1] Succeeded",
            "[1].b(0:7) Skipped when '1 == 2' evaluated false",
        ],
    );
}

#[test]
fn a_condition_that_is_none_is_told_by_the_round_that_it_is_for() {
    let words = r#"Error Invalid 'when' expression '{"x":1} == a': Invalid token: '{' (hint: try wrapping the affected expression in quotes ("))"#;
    let failed = words.replacen("Error", "Failed", 1);
    let looped = "template: echo, when: '{{item}} == a', withItems: [a, {x: 1}, a], onExit: echo";
    check(
        &format!("  - {{name: main, steps: [[{{name: a, {looped}}}]]}}"),
        &[
            &format!("run {failed}"),
            &failed,
            &format!("[0] {words}"),
            "[0].a(0:a) Failed the workflow ended",
            &format!("[0].a(1:x:1) {words}"),
        ],
    );
    check(
        &format!("  - {{name: main, dag: {{tasks: [{{name: a, {looped}}}]}}}}"),
        &[
            "run Error",
            "Error",
            ".a Error",
            ".a(0:a) Succeeded",
            &format!(".a(1:x:1) {words}"),
            ".a(2:a) Succeeded",
            ".a(1:x:1).onExit Succeeded",
            ".a(0:a).onExit Succeeded",
            ".a(2:a).onExit Succeeded",
            ".a.onExit Succeeded",
        ],
    );
    check(
        "  - {name: main, dag: {tasks: [{name: a, template: echo, when: 'a == == b'}]}}",
        &["run Error", "Error", ".a Error Invalid 'when' expression 'a == == b': `==` cannot follow `==`"],
    );
    check(
        "  - {name: main, dag: {tasks: [{name: a, template: echo, when: '1 + 1'}]}}",
        &["run Error", "Error", ".a Error Expected boolean evaluation for '1 + 1'. Got 2"],
    );
}

#[test]
fn outputs_that_cannot_be_had_are_told_in_the_words_of_the_caller() {
    let broken = "Unable to resolve: \"steps.a.outputs.parameters.o\"";
    let gone = "  - name: inner
    outputs: {parameters: [{name: o, valueFrom: {parameter: '{{steps.a.outputs.parameters.o}}'}}]}
    steps: [[{name: a, template: bad, continueOn: {failed: true}}]]";
    let a = "Failed Error (exit code 1)";
    check(
        &gone.replace("name: inner", "name: main"),
        &[
            &format!("run Error error in entry template execution: {broken}"),
            &format!("Error {broken}"),
            "[0] Succeeded",
            &format!("[0].a {a}"),
        ],
    );
    check(
        &format!("  - {{name: main, dag: {{tasks: [{{name: t, template: inner}}]}}}}\n{gone}"),
        &[
            "run Error",
            "Error",
            &format!(".t Error task 'wf.t' errored: {broken}"),
            ".t[0] Succeeded",
            &format!(".t[0].a {a}"),
        ],
    );
    let words = format!("step group deemed errored due to child wf[0].s error: {broken}");
    check(
        &format!("  - {{name: main, steps: [[{{name: s, template: inner}}]]}}\n{gone}"),
        &[
            &format!("run Failed {words}"),
            &format!("Failed {words}"),
            &format!("[0] Error {words}"),
            &format!("[0].s Error {broken}"),
            "[0].s[0] Succeeded",
            &format!("[0].s[0].a {a}"),
        ],
    );
}

#[test]
fn a_template_that_fails_fast_lets_no_failure_of_a_pod_pass() {
    let steps = |first: &str| {
        format!(
            "  - name: main
    failFast: true
    steps: [[{{name: a, template: {first}, continueOn: {{failed: true}}}}], [{{name: b, template: echo}}]]
  - {{name: inner, steps: [[{{name: c, template: bad}}]]}}"
        )
    };
    let fast = "Failed template has failed or errored children and failFast enabled";
    check(&steps("bad"), &[&format!("run {fast}"), fast, &format!("[0] {fast}"), "[0].a Failed Error (exit code 1)"]);
    check(
        &steps("echo"),
        &["run Succeeded", "Succeeded", "[0] Succeeded", "[0].a Succeeded", "[1] Succeeded", "[1].b Succeeded"],
    );
}

/// Argo looks at the steps inside before it looks for failures, so that a template's failure is its own.
#[test]
fn a_template_that_fails_fast_says_which_child_failed_when_that_has_steps() {
    let steps = |first: &str| {
        format!(
            "  - {{name: main, failFast: true, steps: [[{{name: a, template: {first}}}]]}}
  - {{name: inner, steps: [[{{name: c, template: bad}}]]}}"
        )
    };
    let fast = "Failed template has failed or errored children and failFast enabled";
    check(&steps("bad"), &[&format!("run {fast}"), fast, &format!("[0] {fast}"), "[0].a Failed Error (exit code 1)"]);
    let failed = |name: &str| format!("Failed child '{}' failed", node_id("wf", name));
    let (outer, inner) = (failed("wf[0].a"), failed("wf[0].a[0].c"));
    check(
        &steps("inner"),
        &[
            &format!("run {outer}"),
            &outer,
            &format!("[0] {outer}"),
            &format!("[0].a {inner}"),
            &format!("[0].a[0] {inner}"),
            "[0].a[0].c Failed Error (exit code 1)",
        ],
    );
}

#[test]
fn a_step_that_was_not_called_has_no_hooks() {
    let hook = "when: '1 == 2', hooks: {h: {template: echo, expression: \"KIND['a'].status != 'Pending'\"}}";
    check(
        &format!("  - {{name: main, steps: [[{{name: a, template: echo, {}}}]]}}", hook.replace("KIND", "steps")),
        &["run Succeeded", "Succeeded", "[0] Succeeded", "[0].a Skipped when '1 == 2' evaluated false"],
    );
    check(
        &format!(
            "  - {{name: main, dag: {{tasks: [{{name: a, template: echo, {}}}]}}}}",
            hook.replace("KIND", "tasks")
        ),
        &["run Succeeded", "Succeeded", ".a Skipped when '1 == 2' evaluated false", ".a.hooks.h Succeeded"],
    );
}

#[test]
fn the_result_of_what_was_not_called_is_unknown() {
    let words = "Unable to resolve: \"steps.a.outputs.result\"";
    check(
        "  - name: main
    outputs: {parameters: [{name: o, valueFrom: {parameter: '{{steps.a.outputs.result}}'}}]}
    steps: [[{name: a, template: list, when: '1 == 2'}]]",
        &[
            &format!("run Error error in entry template execution: {words}"),
            &format!("Error {words}"),
            "[0] Succeeded",
            "[0].a Skipped when '1 == 2' evaluated false",
        ],
    );
}

#[test]
fn an_output_of_what_was_not_called_is_told_by_its_parameter() {
    let words = "output parameter \"o\": \"{{steps.a.outputs.parameters.p}}\" is an absent optional \
        (skipped/omitted node output with no default)";
    check(
        "  - name: main
    outputs: {parameters: [{name: o, valueFrom: {parameter: '{{steps.a.outputs.parameters.p}}'}}]}
    steps: [[{name: a, template: makes, when: '1 == 2'}]]
  - name: makes
    outputs: {parameters: [{name: p, valueFrom: {path: /p}}]}
    container: {image: a, command: [sh]}",
        &[
            &format!("run Error error in entry template execution: {words}"),
            &format!("Error {words}"),
            "[0] Succeeded",
            "[0].a Skipped when '1 == 2' evaluated false",
        ],
    );
}

/// A task that lets one kind of failure pass lets no other pass.
#[test]
fn what_depends_on_a_task_goes_on_after_the_failures_that_it_lets_pass() {
    for (passes, goes_on) in [("failed: true", true), ("error: true", false), ("failed: false, error: true", false)] {
        let main = format!(
            "  - {{name: main, dag: {{tasks: [
      {{name: a, template: bad, continueOn: {{{passes}}}}},
      {{name: b, template: echo, dependencies: [a]}}]}}}}"
        );
        let (run, b) = match goes_on {
            true => ("Succeeded", ".b Succeeded"),
            false => ("Failed", ".b Omitted omitted: depends condition not met"),
        };
        check(&main, &[&format!("run {run}"), run, ".a Failed Error (exit code 1)", b]);
    }
}
