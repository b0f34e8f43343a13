//! Decisions that Argo's tables leave open, each in its smallest run: what the plan says, how pods end, and what
//! the nodes come to.

use super::*;

/// Plays a workflow whose pods end as `ends` says, `a 1, b error` by the end of their names, and compares what the
/// run and the nodes named in `expected` come to: `Failed: a Failed, b Omitted`.
fn check(spec: &str, ends: &str, expected: &str) -> Played {
    let mut played = Played::new(&workflow(&format!("{spec}{ECHO}")));
    played.play(&|request| {
        let own = ends.split(", ").filter_map(|end| end.split_once(' '));
        let end = own.filter(|(name, _)| request.node_name.ends_with(name)).map(|(_, end)| end).next();
        match end {
            None => prints(request),
            Some("error") => PodEnd { phase: Phase::Error, message: "lost".to_owned(), ..PodEnd::exited(1) },
            Some("reset") => {
                let message = "read: connection reset by peer".to_owned();
                PodEnd { phase: Phase::Error, message, ..PodEnd::exited(1) }
            }
            Some(code) => PodEnd { phase: Phase::Failed, exit_code: code.parse().ok(), ..prints(request) },
        }
    });
    played.check_folds();
    let (_, nodes) = expected.split_once(": ").expect("a phase and nodes");
    let phases = nodes.split(", ").filter_map(|node| node.split_once(' ')).map(|(name, _)| {
        let found = played.run.nodes().find(|node| node.name.ends_with(name));
        format!("{name} {}", found.map_or_else(|| "missing".to_owned(), |node| node.phase.to_string()))
    });
    let actual = format!("{}: {}", played.run.phase(), phases.collect::<Vec<_>>().join(", "));
    assert_eq!(actual, expected, "{}", played.show());
    played
}

const LOOP: &str = "  entrypoint: main
  templates:
  - name: main
    dag:
      failFast: false
      tasks:
      - {name: each, template: echo, withParam: LIST}
      - {name: none, template: echo, depends: each.AllFailed}
      - {name: some, template: echo, depends: each.AnySucceeded}
";

#[test]
fn rounds_of_a_loop_are_counted_where_there_are_any() {
    for (list, ends, expected) in [
        ("'[]'", "", "Succeeded: .each Skipped, .none Omitted, .some Omitted"),
        ("'[1]'", "", "Succeeded: .none Omitted, .some Succeeded"),
        ("'[1, 2]'", ".each(0:1) 1, .each(1:2) 1", "Failed: .none Succeeded, .some Omitted"),
        ("'[1, 2]'", ".each(0:1) 1", "Failed: .none Omitted, .some Succeeded"),
    ] {
        check(&LOOP.replace("LIST", list), ends, expected);
    }
}

#[test]
fn rounds_that_failed_hand_out_nothing() {
    let played = check(
        "  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: each, template: echo, withItems: [one, two], arguments: {parameters: [{name: m, value: '{{item}}'}]}, continueOn: {failed: true}}
    - - {name: all, template: echo, arguments: {parameters: [{name: m, value: '{{steps.each.outputs.result}}'}]}}
",
        ".each(1:two) 1",
        "Succeeded: .each(0:one) Succeeded, .each(1:two) Failed, .all Succeeded",
    );
    let inputs = played.run.find("wf[1].all").and_then(|node| node.inputs.clone()).expect("it has inputs");
    assert_eq!(inputs.parameter("m").map(|value| value.to_string()).as_deref(), Some(r#"["one"]"#));
}

#[test]
fn only_what_is_named_lets_a_failure_pass() {
    for (on, ends, expected) in [
        ("failed", "1", "Succeeded: .a Failed, .b Succeeded"),
        ("failed", "error", "Failed: .a Error, .b missing"),
        ("error", "1", "Failed: .a Failed, .b missing"),
        ("error", "error", "Succeeded: .a Error, .b Succeeded"),
    ] {
        let spec = format!(
            "  entrypoint: main
  templates:
  - name: main
    steps: [[{{name: a, template: echo, continueOn: {{{on}: true}}}}], [{{name: b, template: echo}}]]
"
        );
        check(&spec, &format!(".a {ends}"), expected);
    }
}

#[test]
fn only_what_is_named_lets_a_failure_of_a_dependency_pass() {
    for (on, ends, expected) in [
        ("failed", "1", "Succeeded: .a Failed, .b Succeeded"),
        ("failed", "error", "Error: .a Error, .b Omitted"),
        ("error", "1", "Failed: .a Failed, .b Omitted"),
        ("error", "error", "Succeeded: .a Error, .b Succeeded"),
    ] {
        let spec = format!(
            "  entrypoint: main
  templates:
  - name: main
    dag: {{tasks: [{{name: a, template: echo, continueOn: {{{on}: true}}}}, {{name: b, template: echo, dependencies: [a]}}]}}
"
        );
        check(&spec, &format!(".a {ends}"), expected);
    }
}

#[test]
fn each_way_in_which_a_task_can_end_may_be_depended_upon() {
    for (ends, when, expected) in [
        ("", "true", "Succeeded: .a Succeeded, .Succeeded Succeeded"),
        (".a 1", "true", "Failed: .a Failed, .Failed Succeeded"),
        (".a error", "true", "Error: .a Error, .Errored Succeeded"),
        ("", "false", "Succeeded: .a Skipped, .Skipped Succeeded"),
        (".first 1", "true", "Failed: .a Omitted, .Omitted Succeeded"),
    ] {
        let ways = ["Succeeded", "Failed", "Errored", "Skipped", "Omitted"];
        let tasks = ways.map(|way| format!("{{name: {way}, template: echo, depends: a.{way}}}")).join(", ");
        let spec = format!(
            "  entrypoint: main
  templates:
  - name: main
    dag: {{failFast: false, tasks: [{{name: first, template: echo}}, {{name: a, template: echo, depends: first, when: '{when}'}}, {tasks}]}}
"
        );
        let played = check(&spec, ends, expected);
        let omitted =
            ways.iter().filter(|way| played.run.find(&format!("wf.{way}")).map(|it| it.phase) == Some(Phase::Omitted));
        assert_eq!(omitted.count(), 4, "{ends}");
    }
}

#[test]
fn the_first_bad_target_decides_or_without_fail_fast_the_last() {
    for (fail_fast, expected) in [("true", "Failed"), ("false", "Error")] {
        let spec = format!(
            "  entrypoint: main
  templates:
  - {{name: main, dag: {{failFast: {fail_fast}, tasks: [{{name: a, template: echo}}, {{name: b, template: echo}}]}}}}
"
        );
        check(&spec, ".a 1, .b error", &format!("{expected}: .a Failed, .b Error"));
    }
}

#[test]
fn a_condition_that_cannot_be_judged_is_an_error() {
    let spec = "  entrypoint: main
  arguments: {parameters: [{name: w, value: '((('}]}
  templates:
  - {name: main, inputs: {parameters: [{name: w}]}, BODY}
";
    let when = "template: echo, when: '{{inputs.parameters.w}}'";
    check(&spec.replace("BODY", &format!("steps: [[{{name: a, {when}}}]]")), "", "Failed: .a missing, [0] Error");
    check(&spec.replace("BODY", &format!("dag: {{tasks: [{{name: a, {when}}}]}}")), "", "Error: .a Error");
}

#[test]
fn an_empty_loop_is_skipped() {
    let spec = "  entrypoint: main
  templates:
  - {name: main, steps: [[{name: a, template: echo, withParam: '[]'}], [{name: b, template: echo}]]}
";
    check(spec, "", "Succeeded: .a Skipped, .b Succeeded");
}

#[test]
fn templates_call_each_other_so_deep_and_no_deeper() {
    let played = check(
        "  entrypoint: main
  templates:
  - {name: main, dag: {tasks: [{name: a, template: main}]}}
",
        "",
        "Error: wf Error",
    );
    let names = played.run.nodes().filter(|node| node.kind == NodeType::Dag);
    let deepest = names.map(|node| node.name.matches(".a").count() + 1).max();
    assert_eq!(deepest, Some(crate::base::limits::TEMPLATE_DEPTH_MAX as usize - 1));
}

/// An attempt takes a second, and ten are between two.
#[test]
fn the_last_moment_for_an_attempt_is_still_in_time() {
    for (most, attempts, words) in [
        ("11", 2, "Max duration limit exceeded"),
        ("10", 1, "Backoff would exceed max duration limit"),
        ("1", 1, "Backoff would exceed max duration limit"),
        ("0", 1, "Max duration limit exceeded"),
    ] {
        let played = check(
            &format!(
                "  entrypoint: main
  templates:
  - name: main
    retryStrategy: {{limit: 9, backoff: {{duration: '10', maxDuration: '{most}'}}}}
    container: {{image: a, command: [a]}}
"
            ),
            "(0) 1, (1) 1, (2) 1",
            "Failed: wf(0) Failed",
        );
        assert_eq!((played.run.nodes().count() - 1, played.run.message()), (attempts, words), "{most}");
    }
}

#[test]
fn an_expression_of_a_retry_sees_the_attempts_so_far() {
    for (expression, ends, attempts) in
        [("asInt(retries) < 2", "(0) 1, (1) 1, (2) 1, (3) 1", 3), ("asInt(lastRetry.exitCode) == 7", "(0) 7, (1) 1", 2)]
    {
        let spec = format!(
            "  entrypoint: main
  templates:
  - name: main
    retryStrategy: {{limit: 9, expression: '{expression}'}}
    container: {{image: a, command: [a]}}
"
        );
        let played = check(&spec, ends, "Failed: wf(0) Failed");
        assert_eq!(played.run.nodes().count() - 1, attempts, "{expression}");
    }
}

#[test]
fn a_policy_of_retries_says_what_is_tried_again() {
    for (policy, end, expected) in [
        ("Always", "1", "Succeeded: .a(0) Failed, .a(1) Succeeded"),
        ("Always", "error", "Succeeded: .a(0) Error, .a(1) Succeeded"),
        ("OnError", "1", "Failed: .a(0) Failed, .a(1) missing"),
        ("OnError", "error", "Succeeded: .a(0) Error, .a(1) Succeeded"),
        ("OnFailure", "1", "Succeeded: .a(0) Failed, .a(1) Succeeded"),
        ("OnFailure", "error", "Failed: .a(0) Error, .a(1) missing"),
        ("OnTransientError", "reset", "Succeeded: .a(0) Error, .a(1) Succeeded"),
        ("OnTransientError", "error", "Failed: .a(0) Error, .a(1) missing"),
    ] {
        let spec = format!(
            "  entrypoint: main
  templates:
  - {{name: main, steps: [[{{name: a, template: tries}}]]}}
  - {{name: tries, retryStrategy: {{limit: 3, retryPolicy: {policy}}}, container: {{image: a, command: [a]}}}}
"
        );
        check(&spec, &format!(".a(0) {end}"), expected);
    }
}

#[test]
fn the_longest_time_of_retries_begins_with_the_first() {
    check(
        "  entrypoint: main
  templates:
  - name: main
    retryStrategy: {limit: 9, backoff: {duration: '10', maxDuration: '25'}}
    container: {image: a, command: [a]}
",
        "(0) 1, (1) 1, (2) 1, (3) 1, (4) 1",
        "Failed: wf(0) Failed, wf(1) Failed, wf(2) Failed, wf(3) missing",
    );
}

#[test]
fn attempts_count_among_the_pods_of_a_run() {
    let spec = workflow(
        "  entrypoint: main
  parallelism: 1
  templates:
  - {name: main, dag: {tasks: [{name: a, template: tries}, {name: b, template: tries}]}}
  - {name: tries, retryStrategy: {limit: 1}, container: {image: a, command: [a]}}
",
    );
    let mut played = Played::new(&spec);
    played.observe(Observation::Begin);
    assert!(played.run.find("wf.a(0)").is_some() && played.run.find("wf.b").is_none());
    let shown = played.play(&ok).show();
    assert!(shown.starts_with("Succeeded"), "{shown}");
}

/// A skipped task gives no place back, and a retry of the run lets no more in than its beginning did.
#[test]
fn nodes_with_attempts_hold_places_of_the_run_from_their_first_moment() {
    let spec = workflow(
        "  entrypoint: main
  parallelism: 1
  templates:
  - {name: main, dag: {tasks: [{name: a, template: tries}, {name: b, template: tries, when: 'false'}, {name: c, template: tries}]}}
  - {name: tries, retryStrategy: {limit: 0}, container: {image: a, command: [a]}}
",
    );
    let mut played = Played::new(&spec);
    played.observe(Observation::Begin);
    assert!(played.run.find("wf.a(0)").is_some() && played.run.find("wf.c").is_none(), "{}", played.show());
    played.play(&|_| PodEnd::exited(1));
    assert_eq!(played.run.phase(), Phase::Failed);
    played.observe(Observation::Control(super::again::retry("", "", &[])));
    let started = |played: &mut Played| played.run.live_pods().len();
    assert_eq!(started(&mut played), 1, "{}", played.show());
    assert!(played.play(&ok).show().starts_with("Succeeded"), "{}", played.show());
}

/// What a retry opens again takes its place in its template, and what it keeps as failed counts for `failFast`.
#[test]
fn a_retry_keeps_the_places_of_a_template() {
    let spec = |more: &str| {
        workflow(&format!(
            "  entrypoint: main
  templates:
  - {{name: main, {more}, dag: {{failFast: false, tasks: [{{name: inner, template: inner}}, {{name: other, template: echo}}]}}}}
  - {{name: inner, dag: {{tasks: [{{name: x, template: echo}}]}}}}{ECHO}"
        ))
    };
    let again = |text: &str, selector: &str| {
        let mut played = Played::new(text);
        played.play(&|_| PodEnd::exited(1));
        played.observe(Observation::Control(super::again::retry(selector, "", &[])));
        let live = played.run.live_pods();
        let names = live.iter().map(|ix| played.run.node(*ix).name.to_string()).collect::<Vec<_>>();
        (names.join(" "), played.run.phase())
    };
    assert_eq!(again(&spec("parallelism: 1"), ""), ("wf.inner.x".to_owned(), Phase::Running));
    assert_eq!(again(&spec("parallelism: 2"), ""), ("wf.other wf.inner.x".to_owned(), Phase::Running));
    assert_eq!(again(&spec("parallelism: 1"), "displayName=other"), ("wf.other".to_owned(), Phase::Running));
    assert_eq!(again(&spec("failFast: true"), "displayName=other"), (String::new(), Phase::Failed));
}

#[test]
fn a_failing_exit_handler_fails_the_run() {
    let spec = "  entrypoint: echo
  onExit: last
  templates:
  - {name: last, container: {image: a, command: [a]}}
";
    check(spec, "", "Succeeded: .onExit Succeeded");
    check(spec, ".onExit 1", "Failed: .onExit Failed");
    check(spec, ".onExit error", "Error: .onExit Error");
}

#[test]
fn the_deadline_of_a_run_spares_its_exit_handler() {
    check(
        "  entrypoint: echo
  activeDeadlineSeconds: 10
  onExit: later
  templates:
  - {name: later, suspend: {duration: '60'}}
",
        "",
        "Succeeded: .onExit Succeeded",
    );
}

#[test]
fn daemons_go_with_the_template_that_they_belong_to() {
    for body in ["steps: [[DAEMON], [LAST]]", "dag: {tasks: [DAEMON, LAST]}"] {
        let body = body.replace("DAEMON", "{name: up, template: daemon}").replace("LAST", "{name: e, template: echo}");
        let spec = format!(
            "  entrypoint: main
  templates:
  - {{name: main, steps: [[{{name: inner, template: inner}}], [{{name: after, template: echo}}]]}}
  - {{name: inner, {body}}}
  - {{name: daemon, daemon: true, container: {{image: a, command: [a]}}}}
"
        );
        let played = check(&spec, "", "Succeeded: .up Succeeded, .after Succeeded");
        let ended = |name: &str| played.run.nodes().find(|node| node.name.ends_with(name)).and_then(|n| n.finished_at);
        assert!(ended(".up") < ended(".after") && ended(".up") <= ended(".inner"), "{body}");
    }
}

#[test]
fn a_template_that_fails_fast_waits_for_what_is_at_work() {
    let text = workflow(&format!(
        "  entrypoint: main
  templates:
  - name: main
    failFast: true
    dag: {{tasks: [{{name: a, template: echo}}, {{name: b, template: echo}}, {{name: c, template: echo, depends: a || b}}]}}{ECHO}"
    ));
    let mut played = Played::new(&text);
    played.observe(Observation::Begin);
    let node = |name: &str| played.run.find(name).expect("it was made").ix;
    let (a, b) = (node("wf.a"), node("wf.b"));
    played.observe(Observation::Pod(a, PodReport::Ended(PodEnd::exited(1))));
    assert_eq!(played.run.phase(), Phase::Running);
    played.observe(Observation::Pod(b, PodReport::Ended(PodEnd::exited(0))));
    assert_eq!(played.run.phase(), Phase::Failed, "{}", played.show());
    // What failed before the retry is no failure after it.
    assert_eq!(played.again(&super::again::retry("", "", &[]), &ok), ".a .c");
    assert_eq!(played.run.phase(), Phase::Succeeded);
}

#[test]
fn failing_fast_needs_a_failure() {
    let spec = "  entrypoint: main
  templates:
  - {name: main, failFast: true, steps: [[{name: a, template: echo}, {name: b, template: echo}], [{name: c, template: echo}]]}
";
    check(spec, "", "Succeeded: .a Succeeded, .b Succeeded, .c Succeeded");
    check(spec, ".a 1", "Failed: .a Failed, .b Succeeded, .c missing");
}

#[test]
fn containers_go_with_their_pod() {
    let text = workflow(
        "  entrypoint: main
  templates:
  - {name: main, containerSet: {containers: [{name: a, image: a, command: [a]}, {name: main, image: a, command: [a]}]}}
",
    );
    let mut played = Played::new(&text);
    played.observe(Observation::Begin);
    let pod = played.run.find("wf").expect("it was made").ix;
    played.observe(Observation::Pod(pod, PodReport::Lost { message: "its machine is gone".to_owned() }));
    assert!(played.run.nodes().count() == 3 && played.run.nodes().all(|node| node.phase.is_bad()), "{}", played.show());
}

#[test]
fn a_stop_that_matches_nothing_is_refused() {
    let mut played = Played::new(&workflow(PAUSED));
    played.play(&ok);
    let stop = |selector: &str| Control::Stop { selector: selector.to_owned(), message: String::new() };
    for (selector, is_allowed) in [("", true), ("displayName=wait", true), ("displayName=other", false)] {
        assert_eq!(played.run.check_control(&stop(selector)).is_ok(), is_allowed, "`{selector}`");
    }
}

const PAUSED: &str = "  entrypoint: main
  templates:
  - name: main
    steps: [[{name: wait, template: ask}]]
  - name: ask
    inputs: {parameters: [{name: answer, default: theirs}]}
    suspend: {}
    outputs: {parameters: [{name: answer, valueFrom: {supplied: {}, default: ours}}]}
";

#[test]
fn what_was_supplied_goes_before_defaults() {
    for (given, expected) in [(Some("mine"), "mine"), (None, "ours")] {
        let mut played = Played::new(&workflow(PAUSED));
        played.play(&ok);
        let selector = "displayName=wait".to_owned();
        let parameters = given.map(|value| ("answer".to_owned(), value.to_owned())).into_iter().collect();
        let set = Control::NodeSet { selector: selector.clone(), parameters, phase: None, message: String::new() };
        if given.is_some() {
            played.observe(Observation::Control(set));
        }
        played.observe(Observation::Control(Control::Resume { selector, message: String::new() }));
        let outputs = played.run.find("wf[0].wait").and_then(|node| node.outputs.clone()).expect("it has outputs");
        let answer = outputs.parameters.iter().find(|parameter| &*parameter.name == "answer");
        assert_eq!(answer.and_then(|answer| answer.value.clone()).as_deref(), Some(expected));
        played.check_folds();
    }
}

#[test]
fn a_suspended_run_that_is_stopped_ends() {
    let mut played = Played::new(&workflow(&format!("  entrypoint: echo\n  templates:{ECHO}")));
    played.observe(Observation::Begin);
    played.observe(Observation::Control(Control::Suspend));
    assert!(played.run.is_suspended());
    played.observe(Observation::Control(Control::Stop { selector: String::new(), message: String::new() }));
    assert!(!played.run.is_suspended());
    assert!(played.play(&ok).show().starts_with("Failed Stopped with strategy 'Stop'"));
}

#[test]
fn whoever_takes_over_stops_what_was_to_be_stopped() {
    let mut played = Played::new(&workflow(&format!("  entrypoint: echo\n  templates:{ECHO}")));
    played.observe(Observation::Begin);
    let node = played.run.find("wf").expect("it was made").ix;
    played.observe(Observation::Pod(node, PodReport::Running { ready: true, ip: None, host: None }));
    played.observe(Observation::Control(Control::Terminate));
    let mut folded =
        Run::new(played.run.plan().clone(), played.run.name().clone(), played.run.uid().clone(), Timestamp(0));
    played.batches.iter().for_each(|batch| folded.apply(batch));
    let actions = folded.pending();
    let stops = |action: &Action| matches!(action, Action::Stop { node: stopped, .. } if *stopped == node);
    assert!(!actions.is_empty() && actions.iter().all(stops), "{actions:?}");
}

#[test]
fn what_failed_is_not_remembered() {
    let text = workflow(
        "  entrypoint: main
  templates:
  - name: main
    memoize: {key: k, cache: {configMap: {name: cache}}}
    container: {image: a, command: [a]}
",
    );
    for (code, expected) in [(0, true), (1, false)] {
        let mut played = Played::new(&text);
        played.run.recall();
        played.observe(Observation::Begin);
        let [memo] = &played.run.recalls()[..] else { panic!("the cache is asked once: {}", played.show()) };
        played.observe(Observation::Recalled { memo: memo.clone(), found: Recollection::Nothing });
        played.play(&|_| PodEnd::exited(code));
        assert_eq!(played.run.memories().iter().any(|memory| memory.made.is_some()), expected, "exit code {code}");
    }
}
