//! What pods are given: their words, how long they may take, and the machines that they keep off.

use super::*;

/// Returns the requests of a played run in their order.
fn requests(text: &str, ends: Ends<'_>) -> Vec<PodRequest> {
    let requests = std::cell::RefCell::new(Vec::new());
    let mut played = Played::new(text);
    played.play(&|request| {
        requests.borrow_mut().push(request.clone());
        ends(request)
    });
    played.check_folds();
    requests.into_inner()
}

#[test]
fn a_pod_ends_after_the_lesser_of_its_two_limits() {
    for (limits, expected) in [
        ("activeDeadlineSeconds: '{{inputs.parameters.m}}'", Some(20)),
        ("timeout: 5m", Some(300)),
        ("activeDeadlineSeconds: 10, timeout: 5m", Some(10)),
        ("activeDeadlineSeconds: 600, timeout: 5m", Some(300)),
        ("daemon: false", None),
    ] {
        let text = workflow(&format!(
            "  entrypoint: main
  arguments: {{parameters: [{{name: m, value: '20'}}]}}
  templates:
  - {{name: main, inputs: {{parameters: [{{name: m}}]}}, {limits}, container: {{image: a, command: [a]}}}}
"
        ));
        let given = requests(&text, &ok)[0].deadline_after;
        assert_eq!(given, expected.map(crate::base::TimeSpan::from_secs), "{limits}");
    }
}

#[test]
fn exit_handlers_may_outlive_the_deadline_of_the_run() {
    let text =
        workflow(&format!("  entrypoint: echo\n  activeDeadlineSeconds: 10\n  onExit: echo\n  templates:{ECHO}"));
    let given = requests(&text, &ok);
    let given: Vec<_> = given.iter().map(|request| (&*request.node_name, request.deadline)).collect();
    assert_eq!(given, [("wf", Some(Timestamp(11_000))), ("wf.onExit", None)]);
}

#[test]
fn a_pod_is_told_what_the_workflow_says_of_all_pods() {
    for (said, expected) in [
        ("serviceAccountName: robot", "robot "),
        (
            "podSpecPatch: '{{workflow.name}} {{inputs.parameters.m}} {{node.name}} {{pod.name}} {{item}}'",
            " wf hi wf wf {{item}}",
        ),
    ] {
        let text = workflow(&format!("  entrypoint: echo\n  {said}\n  templates:{ECHO}"));
        let given = requests(&text, &ok)[0].workflow.clone();
        let [account, patch] = [&given.service_account_name, &given.pod_spec_patch].map(|it| it.as_deref());
        assert_eq!(format!("{} {}", account.unwrap_or_default(), patch.unwrap_or_default()), expected, "{said}");
    }
}

#[test]
fn results_are_captured_where_somebody_asks_for_them() {
    let text = workflow(&format!(
        "  entrypoint: main
  templates:
  - name: main
    steps:
    - - {{name: a, template: tries}}
      - {{name: b, template: tries}}
    - - {{name: c, template: echo, arguments: {{parameters: [{{name: m, value: '{{{{steps.a.outputs.result}}}}'}}]}}}}
  - {{name: tries, retryStrategy: {{limit: 1}}, container: {{image: a, command: [a]}}}}{ECHO}"
    ));
    let fails = |request: &PodRequest| PodEnd {
        result: request.capture_result.then(|| "said".to_owned()),
        ..PodEnd::exited(i32::from(request.node_name.ends_with("(0)")))
    };
    let given = requests(&text, &fails);
    let given: Vec<_> = given.iter().map(|request| (&request.node_name[2..], request.capture_result)).collect();
    let expected = [("[0].a(0)", true), ("[0].b(0)", false), ("[0].a(1)", true), ("[0].b(1)", false), ("[1].c", false)];
    assert_eq!(given, expected);
}

/// Pods that succeeded are no reason, and so is nothing before the node that is retried.
#[test]
fn attempts_keep_off_the_machines_where_attempts_before_them_failed() {
    let body = "steps: [[{name: good, template: echo}], [{name: bad, template: echo}]]";
    for (strategy, body, expected) in [
        (
            "affinity: {nodeAntiAffinity: {}}",
            "container: {image: a, command: [a]}",
            "wf(0) [] | wf(1) [wf(0)] | wf(2) [wf(0) wf(1)]",
        ),
        ("affinity: {}", "container: {image: a, command: [a]}", "wf(0) [] | wf(1) [] | wf(2) []"),
        (
            "affinity: {nodeAntiAffinity: {}}",
            body,
            "wf(0)[0].good [] | wf(0)[1].bad [] | wf(1)[0].good [wf(0)[1].bad] | wf(1)[1].bad [wf(0)[1].bad] | \
             wf(2)[0].good [wf(0)[1].bad wf(1)[1].bad] | wf(2)[1].bad [wf(0)[1].bad wf(1)[1].bad]",
        ),
    ] {
        let text = workflow(&format!(
            "  entrypoint: main
  templates:
  - name: main
    retryStrategy: {{limit: 2, {strategy}}}
    {body}{ECHO}"
        ));
        let given = requests(&text, &|request| PodEnd {
            host: Some(request.node_name.to_string()),
            ..PodEnd::exited(i32::from(!request.node_name.ends_with("good")))
        });
        let given = given.iter().map(|request| format!("{} [{}]", request.node_name, request.avoided_hosts.join(" ")));
        assert_eq!(given.collect::<Vec<_>>().join(" | "), expected);
    }
}

/// What a template that is called by a tag is, the log has to say: nothing else does.
#[test]
fn a_template_may_be_called_by_an_input() {
    let text = workflow(&format!(
        "  entrypoint: main
  arguments: {{parameters: [{{name: which, value: echo}}]}}
  templates:
  - name: main
    inputs: {{parameters: [{{name: which}}]}}
    steps: [[{{name: a, template: '{{{{inputs.parameters.which}}}}'}}]]{ECHO}"
    ));
    let given = requests(&text, &ok);
    assert_eq!(given[0].template.name.as_deref(), Some("echo"));
}

#[test]
fn attempts_do_not_repeat_in_the_log_what_their_node_was_given() {
    let mut played = Played::new(&workflow(
        "  entrypoint: main
  arguments: {parameters: [{name: m, value: v}]}
  templates:
  - name: main
    inputs: {parameters: [{name: m}]}
    retryStrategy: {limit: 1}
    container: {image: a, command: [a]}
",
    ));
    played.play(&ok);
    let created = played.batches.iter().flat_map(|batch| &batch.events).filter_map(|event| match event {
        Event::Created(created) => Some((&*created.name, created.inputs.is_some())),
        _ => None,
    });
    assert_eq!(created.collect::<Vec<_>>(), [("wf", true), ("wf(0)", false)]);
    let given = played.run.find("wf(0)").and_then(|node| node.inputs.clone()).expect("it was given what its node was");
    assert_eq!(given.parameter("m").map(|value| &**value), Some("v"));
}
