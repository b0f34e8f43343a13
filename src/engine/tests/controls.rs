//! What people ask of a run, and how a run that is being ended comes to its end.

use super::*;

fn resume(selector: &str) -> Control {
    Control::Resume { selector: selector.to_owned(), message: String::new() }
}

fn stop(selector: &str) -> Control {
    Control::Stop { selector: selector.to_owned(), message: "enough".to_owned() }
}

fn begun(text: &str) -> Played {
    let mut played = Played::new(text);
    played.observe(Observation::Begin);
    played
}

/// Returns the phases of nodes by the ends of their names, with their messages.
fn came_to(played: &Played, names: &[&str]) -> String {
    let one = |name: &&str| match played.run.nodes().find(|node| node.name.ends_with(*name)) {
        Some(node) => format!("{name} {} {}", node.phase, node.message).trim_end().to_owned(),
        None => format!("{name} missing"),
    };
    names.iter().map(one).collect::<Vec<_>>().join(", ")
}

const TWO_PAUSES: &str = "  entrypoint: main
  templates:
  - {name: main, dag: {failFast: false, tasks: [{name: a, template: wait}, {name: b, template: wait}]}}
  - {name: wait, suspend: {}}
";

#[test]
fn nothing_is_asked_of_a_run_that_has_ended() {
    let mut played = Played::new(&workflow(&format!("  entrypoint: echo\n  templates:{ECHO}")));
    played.play(&ok);
    let set = |selector: &str| Control::NodeSet {
        selector: selector.to_owned(),
        parameters: BTreeMap::new(),
        phase: None,
        message: String::new(),
    };
    for control in [Control::Suspend, resume(""), stop(""), stop("displayName=wf"), Control::Terminate, set("")] {
        let refused = played.run.check_control(&control).map_err(|fault| fault.to_string());
        assert_eq!(refused, Err("the run has ended".to_owned()), "{control:?}");
    }
}

#[test]
fn a_run_is_suspended_once_and_resumed_as_a_whole() {
    let mut played = begun(&workflow(TWO_PAUSES));
    assert!(played.run.check_control(&Control::Suspend).is_ok());
    played.observe(Observation::Control(Control::Suspend));
    let refused = played.run.check_control(&Control::Suspend).map_err(|fault| fault.to_string());
    assert_eq!(refused, Err("the run is suspended already".to_owned()));
    played.observe(Observation::Control(resume("displayName=a")));
    assert_eq!((played.run.is_suspended(), &*came_to(&played, &[".a", ".b"])), (true, ".a Succeeded, .b Running"));
    played.observe(Observation::Control(resume("")));
    assert_eq!((played.run.is_suspended(), &*came_to(&played, &[".a", ".b"])), (false, ".a Succeeded, .b Succeeded"));
}

#[test]
fn a_stop_with_a_selector_fails_the_pauses_that_it_matches() {
    let mut played = begun(&workflow(TWO_PAUSES));
    played.observe(Observation::Control(stop("displayName=a")));
    assert_eq!((played.run.phase(), &*came_to(&played, &[".a", ".b"])), (Phase::Running, ".a Failed enough, .b Running"));
    assert_eq!(played.run.shutdown(), None);
    played.observe(Observation::Control(resume("")));
    assert_eq!((played.run.phase(), &*came_to(&played, &[".b"])), (Phase::Failed, ".b Succeeded"));
}

#[test]
fn a_manifest_may_end_its_run_as_it_begins() {
    for (shutdown, expected) in [
        ("Stop", "wf Failed workflow shutdown with strategy: Stop, wf.onExit Succeeded"),
        ("Terminate", "wf Failed workflow shutdown with strategy: Terminate, wf.onExit missing"),
    ] {
        let mut played = Played::new(&workflow(&format!(
            "  entrypoint: echo\n  shutdown: {shutdown}\n  onExit: echo\n  templates:{ECHO}"
        )));
        played.play(&ok);
        assert_eq!(came_to(&played, &["wf", "wf.onExit"]), expected);
        assert_eq!(played.run.message(), format!("Stopped with strategy '{shutdown}'"));
    }
}

/// Exit handlers and all inside them run after a stop; other hooks do not.
#[test]
fn a_stop_lets_exit_hooks_run_and_no_others() {
    for template in ["echo", "inner"] {
        let mut played = begun(&workflow(&format!(
            "  entrypoint: main
  templates:
  - name: main
    steps:
    - - name: a
        template: echo
        hooks:
          exit: {{template: {template}}}
          bad: {{expression: steps.a.status == 'Failed', template: {template}}}
  - {{name: inner, steps: [[{{name: x, template: echo}}]]}}{ECHO}"
        )));
        played.observe(Observation::Control(stop("")));
        played.play(&ok);
        let inner = if template == "inner" { "[0].x" } else { "" };
        let (exit, other) = (format!(".a.onExit{inner}"), format!(".a.hooks.bad{inner}"));
        assert_eq!(
            came_to(&played, &[&exit, &other]),
            format!("{exit} Succeeded, {other} Failed workflow shutdown with strategy: Stop")
        );
    }
}

#[test]
fn a_dag_that_was_stopped_failed_whatever_its_tasks_let_pass() {
    let mut played = begun(&workflow(&format!(
        "  entrypoint: main
  templates:
  - {{name: main, dag: {{tasks: [{{name: a, template: echo, continueOn: {{failed: true}}}}]}}}}{ECHO}"
    )));
    played.observe(Observation::Control(stop("")));
    played.play(&ok);
    assert_eq!(came_to(&played, &[".a", "wf"]), ".a Failed workflow shutdown with strategy:  Stop, wf Failed");
}

#[test]
fn after_the_deadline_only_exit_handlers_begin() {
    let mut played = Played::new(&workflow(&format!(
        "  entrypoint: main
  activeDeadlineSeconds: 10
  onExit: echo
  templates:
  - {{name: main, dag: {{tasks: [{{name: a, template: wait, hooks: {{exit: {{template: echo}}}}}}, {{name: b, depends: a.Failed, template: echo}}]}}}}
  - {{name: wait, suspend: {{}}}}{ECHO}"
    )));
    played.play(&ok);
    assert_eq!(
        came_to(&played, &[".a", ".b", "wf.onExit", ".a.onExit"]),
        ".a Failed Step exceeded its deadline, .b Failed Step exceeded its deadline, wf.onExit Succeeded, .a.onExit Succeeded"
    );
}

#[test]
fn a_run_waits_for_its_hooks() {
    let mut played = begun(&workflow(&format!(
        "  entrypoint: echo
  hooks: {{done: {{expression: workflow.status == 'Succeeded', template: echo, arguments: {{parameters: [{{name: m, value: '{{{{workflow.status}}}} of {{{{workflow.name}}}}'}}]}}}}}}
  templates:{ECHO}"
    )));
    let ended = || PodReport::Ended(PodEnd::exited(0));
    let entry = played.run.find("wf").expect("it was made").ix;
    played.observe(Observation::Pod(entry, ended()));
    let hook = played.run.find("wf.hooks.done").expect("it was made");
    let (ix, given) = (hook.ix, hook.inputs.clone().expect("it was given something"));
    assert_eq!(given.parameter("m").map(|value| &**value), Some("Succeeded of wf"));
    assert_eq!(played.run.phase(), Phase::Running);
    played.observe(Observation::Pod(ix, PodReport::Running { ready: true, ip: None, host: None }));
    played.observe(Observation::Time);
    assert_eq!(played.run.phase(), Phase::Running);
    played.observe(Observation::Pod(ix, ended()));
    assert_eq!(played.run.phase(), Phase::Succeeded);
}

/// A pod that is the whole run begins to run when it is seen to.
#[test]
fn hooks_of_a_run_follow_the_phase_of_its_entry() {
    let mut played = begun(&workflow(&format!(
        "  entrypoint: echo
  hooks: {{works: {{expression: workflow.status == 'Running', template: echo}}}}
  templates:{ECHO}"
    )));
    assert!(played.run.find("wf.hooks.works").is_none());
    let entry = played.run.find("wf").expect("it was made").ix;
    played.observe(Observation::Pod(entry, PodReport::Running { ready: true, ip: None, host: None }));
    assert!(played.run.find("wf.hooks.works").is_some(), "{}", played.show());
}

#[test]
fn hooks_come_in_after_a_failure_but_not_beyond_the_places() {
    let mut played = begun(&workflow(&format!(
        "  entrypoint: main
  templates:
  - name: main
    failFast: true
    parallelism: 1
    steps: [[{{name: a, template: echo, hooks: {{exit: {{template: echo}}, bad: {{expression: steps.a.status == 'Failed', template: echo}}}}}}]]{ECHO}"
    )));
    let a = played.run.find("wf[0].a").expect("it was made").ix;
    played.observe(Observation::Pod(a, PodReport::Ended(PodEnd::exited(1))));
    assert_eq!(played.run.live_pods().len(), 1, "{}", played.show());
    played.play(&ok);
    assert_eq!(came_to(&played, &[".hooks.bad", ".onExit", "wf[0].a"]), ".hooks.bad Succeeded, .onExit Succeeded, wf[0].a Failed main: Error (exit code 1)");
}
