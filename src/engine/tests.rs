//! Runs played without a backend: text in, a list of nodes out.

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
        let Some(Manifest::Workflow(workflow)) = read.into_iter().map(|read| read.manifest).next() else {
            panic!("the text is a workflow");
        };
        let resolved = Resolved {
            metadata: workflow.metadata,
            spec: workflow.spec,
            templates: BTreeMap::new(),
            cluster_templates: BTreeMap::new(),
            config_maps: BTreeMap::new(),
        };
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
                node.ix, node.name, node.kind.as_str(), node.phase, children.join(" "), node.message
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
        let mut folded = Run::new(self.run.plan().clone(), self.run.name().clone(), self.run.uid().clone(), Timestamp(0));
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
    insta::assert_snapshot!(played.play(&ok).show(), @"");
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
    insta::assert_snapshot!(played.play(&fails).show(), @"");
}

#[test]
fn retries_back_off_and_give_up() {
    let text = workflow(
        "  entrypoint: main
  templates:
  - name: main
    retryStrategy: {limit: 2, backoff: {duration: 10, factor: 2}}
    container: {image: alpine, command: [sh, -c, 'exit {{retries}}']}
",
    );
    let mut played = Played::new(&text);
    insta::assert_snapshot!(played.play(&|_| PodEnd::exited(1)).show(), @"");
    assert_eq!(played.clock, 0);
}
