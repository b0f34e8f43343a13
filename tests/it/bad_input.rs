//! Bad input of every kind, through the real program: what, where, how to mend it, the right exit code,
//! and nothing lost. Files that are no manifests are in `cli_errors`.

use crate::env::{Outcome, TestEnv};

/// Returns a workflow with this spec.
fn workflow(spec: &str) -> String {
    format!("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {{generateName: bad-}}\nspec:\n{spec}")
}

/// Submits a manifest, and checks that it is refused before anything starts, in words that hold `expected`.
fn refused(text: impl AsRef<[u8]>, expected: &[&str]) {
    let env = TestEnv::new();
    env.write("bad.yaml", text);
    let outcome = env.wf(&["submit", "--local", "bad.yaml"]);
    said(&outcome, 1, expected);
    assert!(outcome.stderr.contains("nothing was started"), "{}", outcome.stderr);
    assert!(!env.runs().exists() || env.wf(&["list", "--local", "-o", "name"]).stdout.is_empty());
}

/// Runs a manifest that is refused only as it runs.
fn fails(spec: &str, expected: &[&str]) {
    let env = TestEnv::new();
    env.write("bad.yaml", workflow(spec));
    said(&env.wf(&["submit", "--local", "bad.yaml"]), 1, expected);
}

fn said(outcome: &Outcome, code: i32, expected: &[&str]) {
    let all = format!("{}{}", outcome.stdout, outcome.stderr);
    assert_eq!(outcome.code, code, "{all}");
    for words in expected {
        assert!(all.contains(words), "{words:?} is not in\n{all}");
    }
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        text += &format!("a{level}: &a{level} [{aliases}]\n");
    }
    refused(text, &["bad.yaml:", "error[WF"]);
}

#[test]
fn deep_nesting_is_refused() {
    refused("a: ".to_owned() + &"[".repeat(20_000), &["bad.yaml:1:", "128"]);
    refused("{a: ".repeat(20_000), &["bad.yaml:1:", "128"]);
}

#[test]
fn a_cycle_is_shown_whole() {
    refused(
        workflow(
            "  entrypoint: main
  templates:
  - name: main
    dag: {tasks: [{name: a, template: t, depends: b}, {name: b, template: t, depends: a}]}
  - name: t
    container: {image: x, command: ['true']}
",
        ),
        &["tasks wait for each other: `a` → `b` → `a`", "bad.yaml:8:"],
    );
}

#[test]
fn an_unknown_template_is_named_with_the_nearest() {
    refused(
        workflow(
            "  entrypoint: main
  templates:
  - name: main
    steps: [[{name: a, template: prnt}]]
  - name: print
    container: {image: x, command: ['true']}
",
        ),
        &["`prnt`", "did you mean `print`?", "bad.yaml:8:"],
    );
}

#[test]
fn what_cannot_run_here_is_refused_before_anything_starts() {
    refused(
        workflow(
            "  entrypoint: main
  templates:
  - name: main
    resource: {action: get, manifest: 'kind: Pod'}
",
        ),
        &["WF090", "bad.yaml:7:"],
    );
}

#[test]
fn a_loop_over_no_list_ends_the_run_with_words() {
    fails(
        "  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: make, template: make}
    - - {name: each, template: make, withParam: '{{steps.make.outputs.result}}'}
  - name: make
    container: {image: x, command: [echo, no list]}
",
        &["withParam value could not be parsed as a JSON list", "no list"],
    );
}

#[test]
fn an_expression_that_grows_without_end_is_stopped() {
    fails(
        "  entrypoint: main
  arguments: {parameters: [{name: p, value: x}]}
  templates:
  - name: main
    steps:
    - - {name: a, template: t, arguments: {parameters: [{name: m, value: '{{=repeat(repeat(workflow.parameters.p, 100000), 100000)}}'}]}}
  - name: t
    inputs: {parameters: [{name: m}]}
    container: {image: x, command: [echo, '{{inputs.parameters.m}}']}
",
        &["EXPR_BYTES_MADE_MAX"],
    );
}

#[test]
fn outputs_that_cannot_be_taken_end_the_step_with_words() {
    for (script, words) in [
        ("true", "there is no file `/tmp/out`"),
        ("head -c 2000000 /dev/zero | tr '\\0' x > /tmp/out", "1048576"),
        ("printf '\\377\\376' > /tmp/out", "UTF-8"),
    ] {
        fails(
            &format!(
                "  entrypoint: main
  templates:
  - name: main
    container: {{image: x, command: [sh, -c, \"{}\"]}}
    outputs: {{parameters: [{{name: out, valueFrom: {{path: /tmp/out}}}}]}}
",
                script.replace('\\', "\\\\")
            ),
            &["output parameter `out`", words],
        );
    }
}

#[test]
fn a_command_that_does_not_exist_is_named() {
    fails(
        "  entrypoint: main
  templates:
  - name: main
    container: {image: x, command: [no-such-command]}
",
        &["command `no-such-command` not found on PATH"],
    );
}

#[test]
fn a_damaged_log_is_told_with_its_line() {
    let env = TestEnv::new();
    let good =
        workflow("  entrypoint: main\n  templates:\n  - name: main\n    container: {image: x, command: ['true']}\n");
    env.write("good.yaml", good);
    said(&env.wf(&["submit", "--local", "--name", "kept", "good.yaml"]), 0, &[]);
    let path = env.runs().join("kept/events.jsonl");
    let log = std::fs::read_to_string(&path).expect("the log");
    std::fs::write(&path, log.replacen("began", "begun", 1)).expect("altered");
    let outcome = env.wf(&["get", "--local", "kept"]);
    assert_ne!(outcome.code, 0);
    assert!(outcome.stderr.contains("is damaged") && outcome.stderr.contains("line 2"), "{}", outcome.stderr);
    assert_eq!(std::fs::read_to_string(&path).expect("the log").len(), log.len(), "nothing is lost by looking");
    let lines: Vec<&str> = log.split_inclusive('\n').collect();
    std::fs::write(&path, lines[..1].concat() + &lines[2..].concat()).expect("cut in the middle");
    assert!(env.wf(&["get", "--local", "kept"]).stderr.contains("is damaged"));
}
