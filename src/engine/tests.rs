//! Runs played without a backend: text in, a list of nodes out.

mod again;
mod calls;
mod controller;
mod decisions;
mod facts;
mod imports;
mod metering;
mod oracle;
mod pods;
mod sharing;
mod variables;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::base::{RunName, RunUid, Timestamp};
use crate::plan::{Plan, Resolved};
use crate::source::Sources;
use crate::spec::{self, Manifest};

/// How a pod of a played run ends.
type Ends<'e> = &'e dyn Fn(&PodRequest) -> PodEnd;

struct Played {
    run: Run,
    batches: Vec<Batch>,
    clock: i64,
}

impl Played {
    fn new(text: &str) -> Self {
        let mut sources = Sources::default();
        let file = sources.add("test.yaml", text);
        let (read, diagnostics) = spec::read(&sources, file);
        let errors: Vec<_> = diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).collect();
        assert!(errors.is_empty(), "{errors:?}");
        let mut manifests = read.into_iter().map(|read| read.manifest);
        let Some(Manifest::Workflow(workflow)) = manifests.next() else { panic!("the text begins with a workflow") };
        let mut resolved = Resolved {
            metadata: workflow.metadata,
            spec: workflow.spec,
            templates: BTreeMap::new(),
            cluster_templates: BTreeMap::new(),
            config_maps: BTreeMap::new(),
        };
        for manifest in manifests {
            let named = |metadata: &spec::ObjectMeta| metadata.name.clone().expect("a name");
            match manifest {
                Manifest::WorkflowTemplate(it) => drop(resolved.templates.insert(named(&it.metadata), it.spec)),
                Manifest::ClusterWorkflowTemplate(it) => {
                    resolved.cluster_templates.insert(named(&it.metadata), it.spec);
                }
                Manifest::ConfigMap(it) => {
                    resolved.config_maps.insert(named(&it.metadata), it.data.into_iter().collect());
                }
                other => panic!("{other:?} is nothing that a workflow refers to"),
            }
        }
        let plan = Plan::compile(resolved).unwrap_or_else(|problems| panic!("{problems:?}"));
        let name = RunName::new("wf").expect("a good name");
        let run = Run::new(Arc::new(plan), name, RunUid("uid".into()), Timestamp(0));
        Self { run, batches: Vec::new(), clock: 1_000 }
    }

    fn observe(&mut self, observation: Observation) {
        let at = Timestamp(self.clock);
        let events = self.run.decide(observation, at);
        self.batches.push(Batch { at, events });
    }

    /// Plays until nothing happens any more, letting time pass where it is waited for.
    fn play(&mut self, ends: Ends<'_>) -> &mut Self {
        if self.batches.is_empty() {
            self.observe(Observation::Begin);
        }
        for _ in 0..10_000 {
            let actions = self.run.pending();
            if actions.is_empty() {
                let Some(wake) = self.run.next_wake() else { break };
                self.clock = wake.0;
                self.observe(Observation::Time);
                continue;
            }
            for action in actions {
                self.clock += 1_000;
                match action {
                    Action::Start(request) if request.template.daemon == Some(true) => {
                        let ip = Some("10.0.0.1".to_owned());
                        let report = PodReport::Running { ready: true, ip, host: None };
                        self.observe(Observation::Pod(request.node, report));
                    }
                    Action::Start(request) => {
                        let end = ends(&request);
                        self.observe(Observation::Pod(request.node, PodReport::Ended(end)));
                    }
                    Action::Stop { node, .. } => {
                        self.observe(Observation::Pod(node, PodReport::Ended(PodEnd::exited(143))));
                    }
                }
            }
        }
        self
    }

    fn show(&self) -> String {
        let mut lines = vec![format!("{} {}", self.run.phase(), self.run.message()).trim_end().to_owned()];
        for node in self.run.nodes() {
            let children: Vec<String> = node.children.iter().map(|child| child.to_string()).collect();
            let line = format!(
                "{} {} {} {} [{}] {}",
                node.ix,
                node.name,
                node.kind.as_str(),
                node.phase,
                children.join(" "),
                node.message
            );
            lines.push(line.trim_end().to_owned());
        }
        self.check_folds();
        lines.join("\n")
    }

    /// Folding the log, and the log as JSON, gives the same run: there is no second path.
    fn check_folds(&self) {
        let written = serde_json::to_string(&self.batches).expect("events are JSON");
        let batches: Vec<Batch> = serde_json::from_str(&written).expect("and can be read");
        assert_eq!(batches, self.batches);
        let mut folded =
            Run::new(self.run.plan().clone(), self.run.name().clone(), self.run.uid().clone(), Timestamp(0));
        batches.iter().for_each(|batch| folded.apply(batch));
        assert_eq!(folded.phase(), self.run.phase());
        let shown = |run: &Run| -> Vec<String> { run.nodes().map(|node| format!("{node:?}")).collect() };
        assert_eq!(shown(&folded), shown(&self.run));
    }
}

fn ok(_: &PodRequest) -> PodEnd {
    PodEnd::exited(0)
}

fn workflow(spec: &str) -> String {
    format!("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {{name: wf}}\nspec:\n{spec}")
}

const ECHO: &str = "
  - name: echo
    inputs: {parameters: [{name: m, default: hi}]}
    container: {image: alpine, command: [echo, '{{inputs.parameters.m}}']}
";

#[test]
fn steps_run_group_after_group() {
    let text = workflow(&format!(
        "  entrypoint: main
  templates:
  - name: main
    steps:
    - - {{name: a, template: echo}}
      - {{name: b, template: echo, when: '1 == 2'}}
    - - {{name: c, template: echo, withItems: [x, y]}}{ECHO}"
    ));
    let mut played = Played::new(&text);
    insta::assert_snapshot!(played.play(&ok).show(), @"
    Succeeded
    0 wf Steps Succeeded [1]
    1 wf[0] StepGroup Succeeded [2 3]
    2 wf[0].a Pod Succeeded [4]
    3 wf[0].b Skipped Skipped [4] when '1 == 2' evaluated false
    4 wf[1] StepGroup Succeeded [5 6]
    5 wf[1].c(0:x) Pod Succeeded []
    6 wf[1].c(1:true) Pod Succeeded []
    ");
}

#[test]
fn a_dag_omits_what_depends_on_a_failure() {
    let text = workflow(&format!(
        "  entrypoint: main
  templates:
  - name: main
    dag:
      tasks:
      - {{name: a, template: echo}}
      - {{name: b, template: echo, dependencies: [a]}}
      - {{name: c, template: echo, depends: a.Failed}}
      - {{name: d, template: echo, depends: b || c}}{ECHO}"
    ));
    let mut played = Played::new(&text);
    let fails = |request: &PodRequest| PodEnd::exited(i32::from(&*request.node_name == "wf.a"));
    insta::assert_snapshot!(played.play(&fails).show(), @"
    Succeeded
    0 wf DAG Succeeded [1]
    1 wf.a Pod Failed [2 3] main: Error (exit code 1)
    2 wf.b Skipped Omitted [4] omitted: depends condition not met
    3 wf.c Pod Succeeded [4]
    4 wf.d Pod Succeeded []
    ");
}

#[test]
fn retries_back_off_and_give_up() {
    let text = workflow(
        "  entrypoint: main
  templates:
  - name: main
    retryStrategy: {limit: 2, backoff: {duration: '10', factor: 2}}
    container: {image: alpine, command: [sh, -c, 'exit {{retries}}']}
",
    );
    let mut played = Played::new(&text);
    insta::assert_snapshot!(played.play(&|_| PodEnd::exited(1)).show(), @"
    Failed No more retries left
    0 wf Retry Failed [1 2 3] No more retries left
    1 wf(0) Pod Failed [] main: Error (exit code 1)
    2 wf(1) Pod Failed [] main: Error (exit code 1)
    3 wf(2) Pod Failed [] main: Error (exit code 1)
    ");
    assert_eq!(played.clock, 34_000, "1 s an attempt, and waits of 10 s and 20 s");
}

/// A pod that prints its arguments as its result.
fn prints(request: &PodRequest) -> PodEnd {
    let container = request.template.container.as_ref().expect("a container");
    let words = container.0["command"].as_array().expect("a command").iter().skip(1);
    let words: Vec<&str> = words.map(|word| word.as_str().expect("a text")).collect();
    PodEnd { result: request.capture_result.then(|| words.join(" ")), ..PodEnd::exited(0) }
}

#[test]
fn results_pass_through_templates_and_loops() {
    let text = workflow(&format!(
        "  entrypoint: main
  arguments: {{parameters: [{{name: who, value: '{{{{workflow.name}}}}'}}]}}
  templates:
  - name: main
    steps:
    - - {{name: list, template: echo, arguments: {{parameters: [{{name: m, value: '[1, {{\"a\": 2}}]'}}]}}}}
    - - name: each
        template: echo
        arguments: {{parameters: [{{name: m, value: '\"{{{{item}}}} {{{{workflow.parameters.who}}}}\"'}}]}}
        withParam: '{{{{steps.list.outputs.result}}}}'
    - - {{name: all, template: inner, arguments: {{parameters: [{{name: m, value: '{{{{steps.each.outputs.result}}}}'}}]}}}}
    outputs: {{parameters: [{{name: out, globalName: seen, valueFrom: {{parameter: '{{{{steps.all.outputs.parameters.size}}}}'}}}}]}}
  - name: inner
    inputs: {{parameters: [{{name: m}}]}}
    dag:
      tasks: [{{name: a, template: echo, arguments: {{parameters: [{{name: m, value: '{{{{=len(fromJSON(inputs.parameters.m))}}}}'}}]}}}}]
    outputs: {{parameters: [{{name: size, valueFrom: {{expression: 'tasks.a.outputs.result'}}}}]}}{ECHO}"
    ));
    let mut played = Played::new(&text);
    insta::assert_snapshot!(played.play(&prints).show(), @"
    Succeeded
    0 wf Steps Succeeded [1]
    1 wf[0] StepGroup Succeeded [2]
    2 wf[0].list Pod Succeeded [3]
    3 wf[1] StepGroup Succeeded [4 5]
    4 wf[1].each(0:1) Pod Succeeded [6]
    5 wf[1].each(1:a:2) Pod Succeeded [6]
    6 wf[2] StepGroup Succeeded [7]
    7 wf[2].all DAG Succeeded [8]
    8 wf[2].all.a Pod Succeeded []
    ");
    assert_eq!(played.run.outputs().parameter("seen").map(|value| &**value), Some("2"));
    let each = played.run.find("wf[1].each(0:1)").and_then(|node| node.outputs.clone()).expect("it has a result");
    assert_eq!(each.result.as_deref(), Some("\"1 wf\""));
}

#[test]
fn hooks_and_exit_handlers_run_and_are_waited_for() {
    let text = workflow(&format!(
        "  entrypoint: main
  hooks:
    exit: {{template: echo}}
    running: {{expression: 'workflow.status == \"Running\"', template: echo}}
  templates:
  - name: main
    dag:
      tasks:
      - name: a
        template: echo
        hooks:
          exit: {{template: echo, arguments: {{parameters: [{{name: m, value: '{{{{tasks.a.status}}}}'}}]}}}}
          done: {{expression: 'tasks.a.status == \"Succeeded\"', template: echo}}
      - {{name: b, template: echo, dependencies: [a]}}{ECHO}"
    ));
    let mut played = Played::new(&text);
    insta::assert_snapshot!(played.play(&ok).show(), @"
    Succeeded
    0 wf DAG Succeeded [1 2]
    1 wf.hooks.running Pod Succeeded []
    2 wf.a Pod Succeeded [3 4 5]
    3 wf.a.hooks.done Pod Succeeded []
    4 wf.a.onExit Pod Succeeded []
    5 wf.b Pod Succeeded []
    6 wf.onExit Pod Succeeded []
    ");
    let exit = played.run.find("wf.a.onExit").and_then(|node| node.inputs.clone()).expect("it has inputs");
    assert_eq!(exit.parameter("m").map(|value| &**value), Some("Succeeded"));
}

/// What hooks are given of a node that never ran is their own default, as it is for steps.
#[test]
fn hooks_take_their_defaults_for_what_never_ran() {
    let text = workflow(&format!(
        "  entrypoint: main
  templates:
  - name: main
    steps:
    - - {{name: maker, template: maker, when: 'false'}}
    - - name: work
        template: echo
        hooks:
          exit:
            template: takes
            arguments:
              parameters:
              - {{name: a, value: '{{{{steps.maker.outputs.parameters.m}}}}'}}
              - {{name: b, value: \"{{{{=steps.maker.outputs.parameters.m ?? 'else'}}}}\"}}
  - name: maker
    outputs: {{parameters: [{{name: m, valueFrom: {{path: /m}}}}]}}
    container: {{image: alpine, command: [echo]}}
  - name: takes
    inputs: {{parameters: [{{name: a, default: own}}, {{name: b}}]}}
    container: {{image: alpine, command: [echo]}}{ECHO}"
    ));
    let mut played = Played::new(&text);
    played.play(&ok);
    let exit = played.run.find("wf[1].work.onExit").and_then(|node| node.inputs.clone()).expect("it has inputs");
    let given = |name: &str| exit.parameter(name).map(|value| value.to_string());
    assert_eq!((given("a"), given("b")), (Some("own".to_owned()), Some("else".to_owned())));
}

#[test]
fn daemons_are_up_while_their_template_is_at_work() {
    let text = workflow(&format!(
        "  entrypoint: main
  templates:
  - name: main
    steps:
    - - {{name: server, template: server}}
    - - {{name: client, template: echo, arguments: {{parameters: [{{name: m, value: '{{{{steps.server.ip}}}}'}}]}}}}
  - name: server
    daemon: true
    container: {{image: alpine, command: [serve]}}{ECHO}"
    ));
    let mut played = Played::new(&text);
    insta::assert_snapshot!(played.play(&ok).show(), @"
    Succeeded
    0 wf Steps Succeeded [1]
    1 wf[0] StepGroup Succeeded [2]
    2 wf[0].server Pod Succeeded [3]
    3 wf[1] StepGroup Succeeded [4]
    4 wf[1].client Pod Succeeded []
    ");
    let client = played.run.find("wf[1].client").and_then(|node| node.inputs.clone()).expect("it has inputs");
    assert_eq!(client.parameter("m").map(|value| &**value), Some("10.0.0.1"));
}

#[test]
fn a_pause_waits_for_a_person_or_its_end() {
    let text = workflow(&format!(
        "  entrypoint: main
  templates:
  - name: main
    steps:
    - - {{name: wait, template: wait}}
    - - {{name: ask, template: ask}}
    - - {{name: go, template: echo, arguments: {{parameters: [{{name: m, value: '{{{{steps.ask.outputs.parameters.ok}}}}'}}]}}}}
  - name: wait
    suspend: {{duration: 1m}}
  - name: ask
    suspend: {{}}
    inputs: {{parameters: [{{name: ok, value: 'no', enum: ['yes', 'no']}}]}}
    outputs: {{parameters: [{{name: ok, valueFrom: {{supplied: {{}}}}}}]}}{ECHO}"
    ));
    let mut played = Played::new(&text);
    played.play(&ok);
    assert_eq!(played.run.phase(), Phase::Running);
    let resume = Control::Resume { selector: String::new(), message: String::new() };
    let refused = played.run.check_control(&resume).unwrap_err();
    insta::assert_snapshot!(refused, @"raw output parameter 'ok' has not been set and does not have a default value");
    let set = |value: &str| Control::NodeSet {
        selector: "displayName=ask".to_owned(),
        parameters: BTreeMap::from([("ok".to_owned(), value.to_owned())]),
        phase: None,
        message: String::new(),
    };
    let refused = played.run.check_control(&set("perhaps")).unwrap_err();
    insta::assert_snapshot!(refused, @"`perhaps` is no choice for `ok` of node `ask`: it takes yes, no");
    played.observe(Observation::Control(set("yes")));
    played.observe(Observation::Control(resume));
    insta::assert_snapshot!(played.play(&ok).show(), @"
    Succeeded
    0 wf Steps Succeeded [1]
    1 wf[0] StepGroup Succeeded [2]
    2 wf[0].wait Suspend Succeeded [3]
    3 wf[1] StepGroup Succeeded [4]
    4 wf[1].ask Suspend Succeeded [5]
    5 wf[2] StepGroup Succeeded [6]
    6 wf[2].go Pod Succeeded []
    ");
    let go = played.run.find("wf[2].go").and_then(|node| node.inputs.clone()).expect("it has inputs");
    assert_eq!(go.parameter("m").map(|value| &**value), Some("yes"));
}

#[test]
fn parallelism_holds_at_every_level() {
    for spec in ["  parallelism: 2\n", ""] {
        let text = workflow(&format!(
            "{spec}  entrypoint: main
  templates:
  - name: main
    parallelism: 2
    dag:
      tasks:
      - {{name: a, template: echo, withSequence: {{count: 5}}}}
      - {{name: b, template: echo, hooks: {{exit: {{template: echo}}, done: {{expression: 'tasks.b.status == \"Succeeded\"', template: echo}}}}}}{ECHO}"
        ));
        let mut played = Played::new(&text);
        played.observe(Observation::Begin);
        let mut most = 0;
        let mut at_work: Vec<crate::base::NodeIx> = Vec::new();
        loop {
            at_work.extend(played.run.pending().into_iter().filter_map(|action| match action {
                Action::Start(request) => Some(request.node),
                Action::Stop { .. } => None,
            }));
            most = most.max(at_work.len());
            let Some(node) = at_work.pop() else { break };
            played.observe(Observation::Pod(node, PodReport::Ended(PodEnd::exited(0))));
        }
        assert_eq!(played.run.phase(), Phase::Succeeded);
        assert_eq!((most, played.run.progress()), (2, (8, 8)));
    }
}

#[test]
fn stop_ends_pods_and_runs_exit_handlers() {
    let text = workflow(&format!(
        "  entrypoint: main
  onExit: echo
  templates:
  - name: main
    dag: {{tasks: [{{name: a, template: echo}}, {{name: b, template: echo, dependencies: [a]}}]}}{ECHO}"
    ));
    let mut played = Played::new(&text);
    played.observe(Observation::Begin);
    assert_eq!(played.run.pending().len(), 1);
    let stop = Control::Stop { selector: String::new(), message: "enough".to_owned() };
    played.observe(Observation::Control(stop));
    insta::assert_snapshot!(played.play(&ok).show(), @"
    Failed Stopped with strategy 'Stop'
    0 wf DAG Failed [1]
    1 wf.a Pod Failed [2] workflow shutdown with strategy:  Stop
    2 wf.b Skipped Omitted [] omitted: depends condition not met
    3 wf.onExit Pod Succeeded []
    ");
}

#[test]
fn a_deadline_ends_what_is_at_work() {
    let text = workflow(&format!(
        "  entrypoint: main
  activeDeadlineSeconds: 10
  templates:
  - name: main
    steps: [[{{name: a, template: echo}}], [{{name: b, template: wait}}]]
  - name: wait
    suspend: {{}}{ECHO}"
    ));
    let mut played = Played::new(&text);
    insta::assert_snapshot!(played.play(&ok).show(), @"
    Failed child 'wf-2760215211' failed
    0 wf Steps Failed [1] child 'wf-2760215211' failed
    1 wf[0] StepGroup Succeeded [2]
    2 wf[0].a Pod Succeeded [3]
    3 wf[1] StepGroup Failed [4] child 'wf-2760215211' failed
    4 wf[1].b Suspend Failed [] Step exceeded its deadline
    ");
}

#[test]
fn a_retry_starts_from_what_failed() {
    let text = workflow(&format!(
        "  entrypoint: main
  onExit: echo
  templates:
  - name: main
    dag:
      tasks:
      - {{name: a, template: echo}}
      - {{name: b, template: echo, dependencies: [a], withItems: [x, z]}}
      - {{name: c, template: echo, dependencies: [b]}}{ECHO}"
    ));
    let mut played = Played::new(&text);
    let fails = |request: &PodRequest| PodEnd::exited(i32::from(&*request.node_name == "wf.b(1:z)"));
    insta::assert_snapshot!(played.play(&fails).show(), @"
    Failed
    0 wf DAG Failed [1]
    1 wf.a Pod Succeeded [2]
    2 wf.b TaskGroup Failed [3 4]
    3 wf.b(0:x) Pod Succeeded [5]
    4 wf.b(1:z) Pod Failed [5] main: Error (exit code 1)
    5 wf.c Skipped Omitted [] omitted: depends condition not met
    6 wf.onExit Pod Succeeded []
    ");
    let retry = Control::Retry {
        restart_successful: false,
        selector: String::new(),
        from: String::new(),
        parameters: BTreeMap::new(),
    };
    played.observe(Observation::Control(retry));
    insta::assert_snapshot!(played.play(&ok).show(), @"
    Succeeded
    0 wf DAG Succeeded [1]
    1 wf.a Pod Succeeded [2]
    2 wf.b TaskGroup Succeeded [3 7]
    3 wf.b(0:x) Pod Succeeded [8]
    7 wf.b(1:z) Pod Succeeded [8]
    8 wf.c Pod Succeeded []
    9 wf.onExit Pod Succeeded []
    ");
}

#[test]
fn a_memoized_resubmit_runs_only_what_is_new() {
    let text = workflow(&format!(
        "  entrypoint: main
  arguments: {{parameters: [{{name: p, value: one}}]}}
  templates:
  - name: main
    dag:
      tasks:
      - {{name: a, template: echo}}
      - {{name: b, template: echo, arguments: {{parameters: [{{name: m, value: '{{{{workflow.parameters.p}}}}'}}]}}}}
      - {{name: c, template: echo, dependencies: [a, b]}}{ECHO}"
    ));
    let mut old = Played::new(&text);
    old.play(&|request| PodEnd::exited(i32::from(&*request.node_name == "wf.c")));
    let mut new = Played::new(&text.replace("value: one", "value: two"));
    let events = vec![reuse(&old.run)];
    let batch = Batch { at: Timestamp(0), events };
    new.run.apply(&batch);
    new.batches.push(batch);
    new.observe(Observation::Begin);
    insta::assert_snapshot!(new.play(&ok).show(), @"
    Succeeded
    0 wf DAG Succeeded [1 2]
    1 wf.a Pod Succeeded [3] reused from wf
    2 wf.b Pod Succeeded [3]
    3 wf.c Pod Succeeded []
    ");
}

#[test]
fn outputs_of_skipped_nodes_are_defaults() {
    let text = workflow(
        "  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: a, template: maker, when: 'false'}
    - - {name: b, template: taker, arguments: {parameters: [{name: m, value: '{{steps.a.outputs.parameters.with}}'}]}}
      - {name: c, template: taker, arguments: {parameters: [{name: m, value: '{{steps.a.outputs.parameters.without}}'}]}}
  - name: maker
    container: {image: alpine, command: [x]}
    outputs:
      parameters:
      - {name: with, valueFrom: {path: /x, default: made}}
      - {name: without, valueFrom: {path: /y}}
  - name: taker
    inputs: {parameters: [{name: m, default: own}]}
    container: {image: alpine, command: [x]}
",
    );
    let mut played = Played::new(&text);
    played.play(&ok);
    let given = |name: &str| {
        let inputs = played.run.find(name).and_then(|node| node.inputs.clone()).expect("it has inputs");
        inputs.parameter("m").map(|value| value.to_string())
    };
    assert_eq!(given("wf[1].b").as_deref(), Some("made"));
    assert_eq!(given("wf[1].c").as_deref(), Some("own"));
}

#[test]
fn recursion_ends_at_its_bound() {
    let text = workflow(
        "  entrypoint: main
  templates:
  - name: main
    steps: [[{name: again, template: main}]]
",
    );
    let mut played = Played::new(&text);
    played.play(&ok);
    assert_eq!(played.run.phase(), Phase::Failed);
    assert!(played.run.nodes().any(|node| node.message.contains("TEMPLATE_DEPTH_MAX")));
}

#[test]
fn containers_of_a_set_end_as_they_are_told_or_with_their_pod() {
    let text = workflow(&format!(
        "  entrypoint: main
  templates:
  - name: main
    containerSet:
      containers:
      - {{name: b, image: a, command: [a], dependencies: [a]}}
      - {{name: a, image: a, command: [a]}}{ECHO}"
    ));
    let fails = |_: &PodRequest| {
        let ended = ContainerEnd { phase: Phase::Failed, message: "a: Error (exit code 1): ".to_owned() };
        let not_run = ContainerEnd { phase: Phase::Pending, message: String::new() };
        let containers = [("a".to_owned(), ended), ("b".to_owned(), not_run)].into();
        PodEnd { containers, ..PodEnd::exited(1) }
    };
    insta::assert_snapshot!(Played::new(&text).play(&fails).show(), @"
    Failed main: Error (exit code 1)
    0 wf Pod Failed [1] main: Error (exit code 1)
    1 wf.a Container Failed [2] a: Error (exit code 1):
    2 wf.b Container Pending []
    ");
}

#[test]
fn a_run_of_argos_is_taken_over_where_it_stood() {
    let text = workflow(&format!(
        "  entrypoint: main
  templates:
  - name: main
    steps: [[{{name: a, template: echo}}], [{{name: b, template: echo}}]]{ECHO}"
    ));
    let status = serde_json::json!({"phase": "Running", "startedAt": "2020-01-01T00:00:00Z", "nodes": {
        "wf": {"id": "wf", "name": "wf", "type": "Steps", "phase": "Running", "children": ["wf-1"]},
        "wf-1": {"id": "wf-1", "name": "wf[0]", "type": "StepGroup", "phase": "Running", "children": ["wf-2"]},
        "wf-2": {"id": "wf-2", "name": "wf[0].a", "type": "Pod", "phase": "Succeeded", "finishedAt": "2020-01-01T00:00:01Z"},
    }});
    let mut played = Played::new(&text);
    let event = import(played.run.plan(), played.run.name(), played.run.uid(), &status).expect("it can be placed");
    let batch = Batch { at: Timestamp(0), events: vec![event] };
    played.run.apply(&batch);
    played.batches.push(batch);
    played.observe(Observation::Begin);
    insta::assert_snapshot!(played.play(&ok).show(), @"
    Succeeded
    0 wf Steps Succeeded [1]
    1 wf[0] StepGroup Succeeded [2]
    2 wf[0].a Pod Succeeded [3]
    3 wf[1] StepGroup Succeeded [4]
    4 wf[1].b Pod Succeeded []
    ");
    let stray = serde_json::json!({"nodes": {"x": {"id": "x", "name": "wf[0].zzz", "type": "Pod"}}});
    assert!(import(played.run.plan(), played.run.name(), played.run.uid(), &stray).is_err());
}

#[test]
fn inline_templates_name_what_stands_around_them() {
    let text = workflow(
        "  entrypoint: main
  templates:
  - name: main
    inputs: {parameters: [{name: p, value: outer}]}
    steps:
    - - {name: a, inline: {container: {image: a, command: [echo, from-a]}}}
    - - name: b
        withItems: [x]
        inline:
          retryStrategy: {limit: 1}
          inputs: {parameters: [{name: q, value: 'q-{{item}}'}]}
          container: {image: a, command: [echo, '{{steps.a.outputs.result}} {{item}} {{inputs.parameters.p}} {{inputs.parameters.q}} {{retries}}']}
    - - name: c
        withItems: [{k: v}]
        inline:
          dag:
            tasks:
            - {name: d, inline: {container: {image: a, command: [echo, '{{item.k}} {{=inputs.parameters.p + steps.a.outputs.result}}']}}}
",
    );
    let said = std::cell::RefCell::new(Vec::new());
    let mut played = Played::new(&text);
    played.play(&|request| {
        let container = request.template.container.as_ref().expect("a container");
        said.borrow_mut().push(format!("{} {}", request.node_name, container.0["command"][1]));
        let code = i32::from(&*request.node_name == "wf[1].b(0:x)(0)");
        PodEnd {
            phase: if code == 0 { Phase::Succeeded } else { Phase::Failed },
            exit_code: Some(code),
            ..prints(request)
        }
    });
    insta::assert_snapshot!(said.borrow().join("\n"), @r#"
    wf[0].a "from-a"
    wf[1].b(0:x)(0) "from-a x outer q-x 0"
    wf[1].b(0:x)(1) "from-a x outer q-x 1"
    wf[2].c(0:k:v).d "v outerfrom-a"
    "#);
    played.check_folds();
    assert_eq!(played.run.phase(), Phase::Succeeded, "{}", played.show());
}
