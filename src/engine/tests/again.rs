//! Retries and resubmissions: what runs again, what is used again, and what the plan said of it. The tests
//! with numbers are faults that Argo has or had.

use super::*;
use crate::engine::forecast;

pub(super) fn retry(selector: &str, from: &str, parameters: &[(&str, &str)]) -> Control {
    let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    Control::Retry { restart_successful: false, selector: selector.to_owned(), from: from.to_owned(), parameters }
}

impl Played {
    /// Returns what a retry would do, a line a node.
    pub(super) fn foretell(&self, control: &Control) -> String {
        lines(&forecast::retry(&self.run, control).expect("it can be retried"))
    }

    /// Retries, plays on, and returns the names of the pods that were started.
    pub(super) fn again(&mut self, control: &Control, ends: Ends<'_>) -> String {
        let made = self.run.slots.len();
        self.observe(Observation::Control(control.clone()));
        self.play(ends);
        let new = self.run.slots[made..].iter().filter(|slot| slot.node.kind == NodeType::Pod);
        new.map(|slot| &slot.node.name["wf".len()..]).collect::<Vec<_>>().join(" ")
    }
}

fn lines(forecasts: &[Forecast]) -> String {
    let line = |it: &Forecast| format!("{} {} {} [{}]", it.display_name, it.verdict.as_str(), it.reason, it.flag);
    forecasts.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn fails<'n>(names: &'n [&'n str]) -> impl Fn(&PodRequest) -> PodEnd + 'n {
    |request| PodEnd::exited(i32::from(names.iter().any(|name| request.node_name.starts_with(name))))
}

fn dag(tasks: &str, more: &str) -> String {
    workflow(&format!(
        "  entrypoint: main
  arguments: {{parameters: [{{name: p, value: one}}, {{name: list, value: '[\"pass\", \"fail\"]'}}]}}
  templates:
  - name: main
    dag:
      failFast: false
      tasks:
{tasks}{more}{ECHO}"
    ))
}

const TRIES: &str = "
  - name: tries
    inputs: {parameters: [{name: m, default: hi}]}
    retryStrategy: {limit: 1}
    container: {image: alpine, command: [echo, '{{inputs.parameters.m}}']}
";

#[test]
fn what_succeeded_before_a_failure_stays_also_with_attempts_14796() {
    let text = dag(
        "      - {name: apply, template: tries}
      - {name: a, template: tries, dependencies: [apply]}
      - {name: b, template: tries, dependencies: [apply]}
      - {name: c, template: tries, dependencies: [a, b]}",
        TRIES,
    );
    let mut played = Played::new(&text);
    played.play(&fails(&["wf.b"]));
    insta::assert_snapshot!(played.foretell(&retry("", "", &[])), @"
    apply(0) REUSE it succeeded [--from-node wf.apply]
    a(0) REUSE it succeeded [--from-node wf.a]
    b(0) RUN it failed [--node-field-selector name!=wf.b]
    b(1) RUN it failed [--node-field-selector name!=wf.b]
    c RUN it comes after `b(1)` []
    ");
    assert_eq!(played.again(&retry("", "", &[]), &ok), ".b(0) .c(0)");
    assert_eq!(played.run.phase(), Phase::Succeeded);
}

#[test]
fn one_of_several_failures_is_retried_when_it_alone_is_picked_12543() {
    let text = dag(
        "      - {name: a, template: echo}
      - {name: b, template: echo, dependencies: [a]}
      - {name: c, template: echo, dependencies: [a]}
      - {name: d, template: echo, dependencies: [b]}",
        "",
    );
    let mut played = Played::new(&text);
    played.play(&fails(&["wf.b", "wf.c"]));
    let control = retry("displayName=b", "", &[]);
    insta::assert_snapshot!(played.foretell(&control), @"
    a REUSE it succeeded [--from-node wf.a]
    b RUN it failed [--node-field-selector name!=wf.b]
    c SKIP it failed, and the selector does not match it [--from-node wf.c]
    d RUN it comes after `b` []
    ");
    let all_but = |name: &str| {
        let planned = forecast::retry(&played.run, &retry(&format!("name!=wf.{name}"), "", &[])).expect("it can be");
        let runs = planned.iter().filter(|it| it.verdict == Verdict::Run).map(|it| it.display_name.to_string());
        runs.collect::<Vec<_>>().join(" ")
    };
    assert_eq!((&*all_but("b"), &*all_but("c")), ("c", "b d"));
    assert_eq!(played.again(&control, &ok), ".b .d");
    assert_eq!(played.run.phase(), Phase::Failed);
    assert_eq!(
        played.run.check_control(&retry("displayName=x", "", &[])).unwrap_err().to_string(),
        "no node matches `displayName=x`"
    );
}

#[test]
fn what_was_reused_is_reused_again_14556() {
    let text = dag(
        "      - {name: a, template: echo}
      - {name: b, template: echo, dependencies: [a]}",
        "",
    );
    let mut first = Played::new(&text);
    first.play(&fails(&["wf.b"]));
    let second = resubmitted(&first, &text, &fails(&["wf.b"]));
    let third = resubmitted(&second, &text, &ok);
    let phases = |played: &Played| -> Vec<String> {
        played.run.nodes().map(|node| format!("{} {} {}", node.name, node.phase, node.message)).collect()
    };
    assert_eq!(phases(&second)[1], "wf.a Succeeded reused from wf");
    assert_eq!(phases(&third), ["wf Succeeded ", "wf.a Succeeded reused from wf", "wf.b Succeeded "]);
}

fn resubmitted(old: &Played, text: &str, ends: Ends<'_>) -> Played {
    let mut new = Played::new(text);
    let batch = Batch { at: Timestamp(0), events: vec![reuse(&old.run)] };
    new.run.apply(&batch);
    new.batches.push(batch);
    new.observe(Observation::Begin);
    new.play(ends);
    new
}

#[test]
fn what_comes_after_a_node_that_runs_is_not_reused() {
    let text = dag(
        "      - {name: a, template: echo, arguments: {parameters: [{name: m, value: '{{workflow.parameters.p}}'}]}}
      - {name: b, template: echo, dependencies: [a]}
      - {name: c, template: echo}
      - {name: d, template: echo, dependencies: [c]}",
        "",
    );
    let mut old = Played::new(&text);
    old.play(&fails(&["wf.d"]));
    let changed = text.replace("value: one", "value: two");
    let new = resubmitted(&old, &changed, &ok);
    let reused = new.run.nodes().filter(|node| node.message.starts_with("reused"));
    assert_eq!(reused.map(|node| &*node.name).collect::<Vec<_>>(), ["wf.c"]);
    let mut run = Played::new(&changed).run;
    run.apply(&Batch { at: Timestamp(0), events: vec![reuse(&old.run)] });
    insta::assert_snapshot!(lines(&forecast::resubmission(&old.run, run, Timestamp(1))), @"
    a RUN it is given something else []
    c REUSE it succeeded, and is given the same [without --memoized]
    d RUN it failed []
    b RUN it comes after `a`, which runs []
    ");
    let plain = Played::new(&text).run;
    insta::assert_snapshot!(lines(&forecast::resubmission(&old.run, plain, Timestamp(1))), @"
    a RUN nothing is taken over [--memoized]
    c RUN nothing is taken over [--memoized]
    b RUN nothing is taken over [--memoized]
    d RUN nothing is taken over [--memoized]
    ");
}

#[test]
fn a_loop_over_another_list_ends_15802() {
    let text = dag(
        "      - {name: a, template: echo}
      - {name: each, template: tries, dependencies: [a], withParam: '{{workflow.parameters.list}}',
         arguments: {parameters: [{name: m, value: '{{item}}'}]}}
      - {name: c, template: echo, dependencies: [each]}",
        TRIES,
    );
    for (list, again, phase) in [
        ("[\"fail\"]", ".each(0:fail)(0) .each(0:fail)(1)", Phase::Failed),
        ("[\"good\"]", ".each(0:good)(0) .c", Phase::Succeeded),
        ("[]", ".c", Phase::Succeeded),
    ] {
        let mut played = Played::new(&text);
        let ends = |request: &PodRequest| PodEnd::exited(i32::from(request.node_name.contains(":fail")));
        played.play(&ends);
        assert_eq!(played.run.phase(), Phase::Failed);
        assert_eq!(played.again(&retry("", "", &[("list", list)]), &ends), again, "{list}");
        assert_eq!(played.run.phase(), phase, "{list}");
        played.check_folds();
    }
}

#[test]
fn a_pause_that_ran_out_is_decided_anew_14282() {
    let text = workflow(&format!(
        "  entrypoint: main
  templates:
  - name: main
    steps:
    - - {{name: approve, template: approve}}
    - - {{name: deploy, template: echo, when: '{{{{steps.approve.outputs.parameters.ok}}}} == yes'}}
  - name: approve
    suspend: {{duration: 10s}}
    inputs: {{parameters: [{{name: ok, default: 'no', enum: ['yes', 'no']}}]}}
    outputs: {{parameters: [{{name: ok, valueFrom: {{supplied: {{}}}}}}]}}{ECHO}"
    ));
    let mut played = Played::new(&text);
    played.play(&ok);
    assert_eq!(played.run.find("wf[1].deploy").map(|node| node.phase), Some(Phase::Skipped));
    let control = retry("", "approve", &[]);
    played.observe(Observation::Control(control));
    let parameters = [("ok".to_owned(), "yes".to_owned())].into();
    let phase = Some(Phase::Succeeded);
    let set =
        Control::NodeSet { selector: "displayName=approve".to_owned(), parameters, phase, message: String::new() };
    played.run.check_control(&set).expect("it waits for `ok`");
    played.observe(Observation::Control(set));
    played.play(&ok);
    assert_eq!(played.run.find("wf[1].deploy").map(|node| node.phase), Some(Phase::Succeeded));
    assert_eq!(played.run.phase(), Phase::Succeeded);
}

#[test]
fn what_depends_on_a_changed_parameter_runs_again_and_sees_it() {
    let text = workflow(&format!(
        "  entrypoint: main
  arguments: {{parameters: [{{name: p, value: one}}, {{name: q, value: other}}]}}
  templates:
  - name: main
    inputs: {{parameters: [{{name: p}}, {{name: q}}]}}
    steps:
    - - {{name: free, template: echo}}
      - {{name: handed, template: echo, arguments: {{parameters: [{{name: m, value: '{{{{inputs.parameters.p}}}}'}}]}}}}
      - {{name: inner, template: inner, arguments: {{parameters: [{{name: x, value: '{{{{inputs.parameters.p}}}}'}}]}}}}
      - {{name: other, template: echo, arguments: {{parameters: [{{name: m, value: '{{{{workflow.parameters.q}}}}'}}]}}}}
    - - {{name: last, template: echo, arguments: {{parameters: [{{name: m, value: '{{{{inputs.parameters.p}}}}'}}]}}}}
  - name: inner
    inputs: {{parameters: [{{name: x}}]}}
    dag:
      tasks:
      - {{name: uses, template: echo, arguments: {{parameters: [{{name: m, value: '{{{{inputs.parameters.x}}}}'}}]}}}}
      - {{name: not, template: echo}}{ECHO}"
    ));
    let mut played = Played::new(&text);
    played.play(&fails(&["wf[1].last"]));
    let control = retry("", "", &[("p", "two"), ("q", "other")]);
    insta::assert_snapshot!(played.foretell(&control), @"
    free REUSE it succeeded [--from-node wf[0].free]
    handed RUN parameter `p` changed, on which it depends [without -p p]
    other REUSE it succeeded [--from-node wf[0].other]
    uses RUN parameter `p` changed, on which it depends [without -p p]
    not REUSE it succeeded [--from-node wf[0].inner.not]
    last RUN it comes after `handed` []
    ");
    let started = std::cell::RefCell::new(Vec::new());
    let sees = |request: &PodRequest| {
        let json = request.template.container.as_ref().map(|container| container.0["command"][1].to_string());
        started.borrow_mut().push(format!("{} {}", &request.node_name[2..], json.unwrap_or_default()));
        PodEnd::exited(0)
    };
    played.again(&control, &sees);
    started.borrow_mut().sort();
    assert_eq!(*started.borrow(), ["[0].handed \"two\"", "[0].inner.uses \"two\"", "[1].last \"two\""]);
    assert_eq!(played.run.phase(), Phase::Succeeded);
    played.check_folds();
    let stranger = played.run.check_control(&retry("", "free", &[("pp", "x")])).unwrap_err().to_string();
    assert!(stranger.contains("did you mean `p`?"), "{stranger}");
}

#[test]
fn a_failure_that_was_got_over_stays() {
    let text = dag(
        "      - {name: a, template: echo}
      - {name: cures, template: echo, depends: a.Failed}
      - {name: b, template: echo}
      - {name: c, template: echo, dependencies: [b]}",
        "",
    );
    let mut played = Played::new(&text);
    played.play(&fails(&["wf.a", "wf.b"]));
    let control = retry("", "", &[]);
    insta::assert_snapshot!(played.foretell(&control), @"
    a SKIP it failed, and what comes after it succeeded [--from-node wf.a]
    b RUN it failed [--node-field-selector name!=wf.b]
    cures REUSE it succeeded [--from-node wf.cures]
    c RUN it comes after `b` []
    ");
    // It is named by what it is, not by what it is not.
    for (selector, expected) in [("displayName=a", "a cures"), ("displayName!=b", "")] {
        let planned = forecast::retry(&played.run, &retry(selector, "", &[])).expect("it can be");
        let runs = planned.iter().filter(|it| it.verdict == Verdict::Run).map(|it| it.display_name.to_string());
        assert_eq!(runs.collect::<Vec<_>>().join(" "), expected, "{selector}");
    }
    assert_eq!(played.again(&control, &ok), ".b .c");
    assert_eq!(played.again(&retry("", "a", &[]), &ok), ".a", "what follows from `a` is omitted now");
}

#[test]
fn a_run_goes_again_from_a_node_that_succeeded() {
    let text = dag(
        "      - {name: a, template: echo}
      - {name: b, template: echo, dependencies: [a]}
      - {name: c, template: echo, dependencies: [b]}
      - {name: d, template: echo}",
        "",
    );
    let mut played = Played::new(&text);
    played.play(&ok);
    let refused = |control: Control| played.run.check_control(&control).unwrap_err().to_string();
    assert!(refused(retry("", "", &[])).contains("--from-node"));
    assert!(refused(retry("", "bb", &[])).contains("did you mean `b`?"));
    for name in ["b", "wf.b", ".b"] {
        insta::allow_duplicates! { insta::assert_snapshot!(played.foretell(&retry("", name, &[])), @"
    a REUSE it succeeded [--from-node wf.a]
    d REUSE it succeeded [--from-node wf.d]
    b RUN it was picked []
    c RUN it comes after `b` []
    "); }
    }
    assert_eq!(played.again(&retry("", "b", &[]), &ok), ".b .c");
    assert_eq!(played.run.phase(), Phase::Succeeded);
}

#[test]
fn a_reused_node_that_is_picked_runs() {
    let text = dag("      - {name: a, template: echo}\n      - {name: b, template: echo, dependencies: [a]}", "");
    let mut old = Played::new(&text);
    old.play(&fails(&["wf.b"]));
    let mut new = resubmitted(&old, &text, &ok);
    assert_eq!(new.again(&retry("", "a", &[]), &ok), ".a .b");
    assert!(new.run.nodes().all(|node| node.message.is_empty()));
}

#[test]
fn exit_handlers_are_not_reused() {
    let text = dag("      - {name: a, template: echo}\n      - {name: b, template: echo}", "")
        .replace("entrypoint: main", "entrypoint: main\n  onExit: echo");
    let mut old = Played::new(&text);
    old.play(&fails(&["wf.b"]));
    let new = resubmitted(&old, &text, &ok);
    assert_eq!(new.run.find("wf.a").map(|node| &*node.message), Some("reused from wf"));
    assert_eq!(new.run.find("wf.onExit").map(|node| &*node.message), Some(""));
}

#[test]
fn a_submission_is_foretold() {
    let text = workflow(&format!(
        "  entrypoint: main
  templates:
  - name: main
    steps:
    - - {{name: a, template: echo}}
      - {{name: never, template: echo, when: 'a == b'}}
      - {{name: each, template: echo, withItems: [x, z]}}
    - - {{name: wait, template: wait}}
    - - {{name: perhaps, template: echo, when: '{{{{steps.a.outputs.result}}}} == x'}}
  - name: wait
    suspend: {{}}{ECHO}"
    ));
    insta::assert_snapshot!(lines(&forecast::submission(Played::new(&text).run, Timestamp(1))), @"
    a RUN in its turn []
    never SKIP when 'a == b' evaluated false []
    each(0:x) RUN in its turn []
    each(1:z) RUN in its turn []
    wait RUN it waits for a person or its time []
    perhaps RUN decided when what comes before it has run []
    ");
}

#[test]
fn only_what_pods_made_can_be_reused_and_by_the_name_of_what_called_them() {
    let text = workflow(&format!(
        "  entrypoint: main
  onExit: inner
  templates:
  - name: main
    dag:
      failFast: false
      tasks:
      - {{name: pod, template: made, hooks: {{exit: {{template: echo}}}}}}
      - {{name: skipped, template: echo, when: 'false'}}
      - {{name: failed, template: echo}}
      - {{name: tried, template: tries}}
      - {{name: steps, template: inner, hooks: {{exit: {{template: inner}}}}}}
      - {{name: retried, template: again}}
      - {{name: set, template: set}}
      - {{name: daemon, template: daemon}}
      - {{name: wait, template: wait}}
  - {{name: inner, steps: [[{{name: x, template: echo}}]]}}
  - {{name: again, retryStrategy: {{limit: 1}}, steps: [[{{name: x, template: echo}}]]}}
  - {{name: set, containerSet: {{containers: [{{name: main, image: a, command: [a]}}]}}}}
  - {{name: daemon, daemon: true, container: {{image: a, command: [a]}}}}
  - {{name: wait, suspend: {{duration: 1s}}}}
  - {{name: made, outputs: {{artifacts: [{{name: o, path: /o}}]}}, container: {{image: a, command: [a]}}}}{TRIES}{ECHO}"
    ));
    let mut played = Played::new(&text);
    played.play(&|request| match request.node_name.ends_with(".failed") {
        true => PodEnd::exited(1),
        false => super::variables::makes(request),
    });
    let event = reuse(&played.run);
    assert_eq!(event.artifacts().map(|artifact| &*artifact.name).collect::<Vec<_>>(), ["o"]);
    assert_eq!(Event::Suspended.artifacts().count(), 0);
    let Event::Reuses { nodes, .. } = event else { panic!("it says what may be reused") };
    let names: Vec<&str> = nodes.iter().map(|node| &*node.name).collect();
    assert_eq!(names.join(" "), ".pod .tried .set .steps[0].x .retried(0)[0].x .pod.onExit .steps.onExit[0].x");
}

/// Names of the run are not what a pod is given: they differ between any two runs.
#[test]
fn what_is_given_the_same_is_reused_whatever_the_run_is_called() {
    let text = dag(
        "      - {name: a, template: tells}
      - {name: tried, template: tries}
      - {name: b, template: echo, dependencies: [a, tried]}",
        &format!(
            "{TRIES}  - {{name: tells, container: {{image: a, command: [a], args: ['{{{{workflow.uid}}}}', '{{{{workflow.parameters.p}}}}']}}}}"
        ),
    );
    let mut old = Played::new(&text);
    old.play(&fails(&["wf.b"]));
    for (text, expected) in [(text.clone(), ".a .tried"), (text.replace("value: one", "value: two"), ".tried")] {
        let Run { plan, name, .. } = Played::new(&text).run;
        let mut run = Run::new(plan, name, RunUid("another".into()), Timestamp(0));
        run.apply(&Batch { at: Timestamp(0), events: vec![reuse(&old.run)] });
        let mut new = Played { run, batches: Vec::new(), clock: 1_000 };
        new.play(&ok);
        let reused = new.run.nodes().filter(|node| &*node.message == "reused from wf").map(|node| &node.name[2..]);
        assert_eq!(reused.collect::<Vec<_>>().join(" "), expected);
    }
}

#[test]
fn a_resubmission_has_what_the_user_wrote_and_nothing_of_the_old_run() {
    for (metadata, spec, expected_metadata, expected_spec) in [
        (
            "generateName: g-, namespace: team, labels: {l: '1', workflows.argoproj.io/phase: Failed}, annotations: {a: b}",
            "shutdown: Stop, activeDeadlineSeconds: 0",
            r#"{"generateName":"g-","namespace":"team","labels":{"l":"1","workflows.argoproj.io/resubmitted-from-workflow":"wf"},"annotations":{"a":"b"}}"#,
            "null null",
        ),
        (
            "name: wf, generateName: ''",
            "activeDeadlineSeconds: 60",
            r#"{"generateName":"wf-","labels":{"workflows.argoproj.io/resubmitted-from-workflow":"wf"}}"#,
            "60 null",
        ),
    ] {
        let text = format!(
            "apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {{{metadata}}}
spec: {{entrypoint: echo, {spec}, arguments: {{parameters: [{{name: p, value: one}}, {{name: q, value: two}}]}}, templates: [{{name: echo, container: {{image: a, command: [a]}}}}]}}
"
        );
        let mut played = Played::new(&text);
        played.play(&fails(&["wf"]));
        played.again(&retry("", "", &[("q", "other")]), &ok);
        let made = crate::engine::resubmit::resolved(&played.run.plan().resolved, &played.run);
        let json = |value: serde_json::Value| value.to_string();
        assert_eq!(json(serde_json::to_value(&made.metadata).expect("it is JSON")), expected_metadata);
        let spec = serde_json::to_value(&made.spec).expect("it is JSON");
        assert_eq!(format!("{} {}", spec["activeDeadlineSeconds"], spec["shutdown"]), expected_spec);
        let parameters = json(spec["arguments"]["parameters"].clone());
        assert_eq!(parameters, r#"[{"name":"p","value":"one"},{"name":"q","value":"other"}]"#);
    }
}

/// Each task says in another way what it depends on; `p` is another now, and the last task failed.
#[test]
fn every_way_to_name_a_parameter_is_followed() {
    let text = workflow(&format!(
        "  entrypoint: main
  arguments: {{parameters: [{{name: p, value: one}}, {{name: q, value: one}}]}}
  templates:
  - name: main
    inputs: {{parameters: [{{name: p}}, {{name: q}}]}}
    dag:
      failFast: false
      tasks:
      - {{name: text, template: text}}
      - {{name: never, template: text, when: 'false'}}
      - {{name: whole, template: echo, arguments: {{parameters: [{{name: m, value: '{{{{workflow.parameters}}}}'}}]}}}}
      - {{name: json, template: echo, arguments: {{parameters: [{{name: m, value: '{{{{workflow.parameters.json}}}}'}}]}}}}
      - {{name: inputs, template: echo, arguments: {{parameters: [{{name: m, value: '{{{{=toJson(inputs.parameters)}}}}'}}]}}}}
      - {{name: default, template: default, arguments: {{parameters: [{{name: a, value: same}}]}}}}
      - {{name: second, template: second, arguments: {{parameters: [{{name: a, value: '{{{{inputs.parameters.q}}}}'}}, {{name: b, value: '{{{{inputs.parameters.p}}}}'}}]}}}}
      - {{name: other, template: second, arguments: {{parameters: [{{name: b, value: same}}, {{name: a, value: '{{{{inputs.parameters.q}}}}'}}]}}}}
      - {{name: inner, template: inner, arguments: {{parameters: [{{name: x, value: '{{{{inputs.parameters.p}}}}'}}]}}}}
      - {{name: fails, template: echo}}
  - name: text
    container: {{image: a, command: [a, '{{{{workflow.parameters.p}}}}']}}
  - name: default
    inputs: {{parameters: [{{name: a, value: '{{{{workflow.parameters.p}}}}'}}, {{name: b, value: '{{{{workflow.parameters.q}}}}'}}]}}
    container: {{image: a, command: [a, '{{{{inputs.parameters.b}}}}']}}
  - name: second
    inputs: {{parameters: [{{name: a}}, {{name: b}}]}}
    container: {{image: a, command: [a, '{{{{inputs.parameters.b}}}}']}}
  - name: inner
    inputs: {{parameters: [{{name: x}}]}}
    dag: {{tasks: [{{name: uses, template: echo, arguments: {{parameters: [{{name: m, value: '{{{{inputs.parameters.x}}}}'}}]}}}}]}}{ECHO}"
    ));
    let mut played = Played::new(&text);
    played.play(&fails(&["wf.fails"]));
    let control = retry("", "", &[("p", "two")]);
    let runs = forecast::retry(&played.run, &control).expect("it can be retried");
    let runs = runs.iter().filter(|it| it.verdict == Verdict::Run).map(|it| it.display_name.to_string());
    assert_eq!(runs.collect::<Vec<_>>().join(" "), "text whole json inputs default second fails uses");
    played.again(&control, &ok);
    let uses = played.run.find("wf.inner.uses").and_then(|node| node.inputs.clone()).expect("it was given something");
    assert_eq!(uses.parameter("m").map(|value| &**value), Some("two"));
}

#[test]
fn what_can_be_retried_is_said_before_it_is_done() {
    let text = dag("      - {name: a, template: tries}\n      - {name: b, template: echo}", TRIES);
    let restart = |selector: &str| Control::Retry {
        restart_successful: true,
        selector: selector.to_owned(),
        from: String::new(),
        parameters: BTreeMap::new(),
    };
    for (ends, control, expected) in [
        (&["wf.a(0)"][..], retry("", "", &[]), "the run succeeded"),
        (&["wf.a(0)"], retry("displayName=a", "", &[]), "the run succeeded"),
        (&["wf.a(0)"], restart(""), "the run succeeded"),
        (&["wf.a(0)"], restart("displayName=x"), "no node matches `displayName=x`"),
        (&["wf.a(0)"], restart("displayName=b"), ".b"),
        // One attempt that is picked takes the others along.
        (&["wf.a"], restart("displayName=a(1)"), ".a(0)"),
        (&["wf.a"], retry("displayName=b", "", &[]), ""),
        (&["wf.a"], retry("displayName=x", "", &[]), "no node matches `displayName=x`"),
    ] {
        let mut played = Played::new(&text);
        played.play(&fails(ends));
        match played.run.check_control(&control) {
            Ok(()) => assert_eq!(played.again(&control, &ok), expected, "{control:?}"),
            Err(fault) => assert!(fault.to_string().contains(expected), "{control:?}: {fault}"),
        }
    }
}

#[test]
fn hooks_of_a_group_that_is_opened_again_run_again() {
    let text = dag(
        "      - {name: a, template: inner, hooks: {exit: {template: echo}}}",
        "\n  - {name: inner, steps: [[{name: first, template: echo}], [{name: last, template: echo}]]}",
    );
    let mut played = Played::new(&text);
    played.play(&fails(&["wf.a[1].last"]));
    assert_eq!(played.again(&retry("", "", &[]), &ok), ".a[1].last .a.onExit");
    assert_eq!(played.run.phase(), Phase::Succeeded);
}
