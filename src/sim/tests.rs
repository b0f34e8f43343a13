//! The real driver, engine and store in the simulated world.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::seed::differences;
use super::{Faults, Report, Scenario, check_seed, run_seed};
use crate::base::TimeSpan;
use crate::engine::{Control, Phase};
use crate::plan::{Plan, Resolved};
use crate::spec;

/// Returns the scenario of a manifest.
fn scenario(text: &str) -> Scenario {
    let workflow: spec::Workflow = serde_yaml::from_str(text).expect("a workflow");
    let resolved = Resolved {
        metadata: workflow.metadata,
        spec: workflow.spec,
        templates: BTreeMap::new(),
        cluster_templates: BTreeMap::new(),
        config_maps: BTreeMap::new(),
    };
    let problems = |problems: Vec<crate::plan::Problem>| panic!("{problems:?}");
    Scenario::new(Arc::new(Plan::compile(resolved).unwrap_or_else(problems)))
}

const DIAMOND: &str = "
metadata: {generateName: diamond-}
spec:
  entrypoint: main
  templates:
  - name: main
    dag:
      tasks:
      - {name: a, template: pod}
      - {name: b, template: pod, depends: a}
      - {name: c, template: pod, depends: a, withItems: [1, 2, 3]}
      - {name: d, template: pod, depends: b && c}
  - name: pod
    container: {image: x, command: [sh]}
";

const LIST: &str = "
metadata: {generateName: list-}
spec:
  entrypoint: main
  onExit: tidy
  templates:
  - name: main
    steps:
    - - {name: make, template: make}
    - - name: use
        template: use
        withParam: '{{steps.make.outputs.result}}'
        arguments: {parameters: [{name: item, value: '{{item}}'}]}
    - - name: last
        template: use
        when: \"{{steps.make.status}} == Succeeded\"
        arguments: {parameters: [{name: item, value: '{{steps.use.outputs.parameters.out}}'}]}
  - name: make
    script: {image: x, command: [sh], source: 'sim:result=[\"a\",\"b\",\"c\"]'}
  - name: use
    inputs: {parameters: [{name: item}]}
    container: {image: x, command: [sh], args: ['{{inputs.parameters.item}}', 'sim:out.out=done']}
    outputs: {parameters: [{name: out, valueFrom: {path: /tmp/out}}]}
  - name: tidy
    container: {image: x, command: [sh], args: ['{{workflow.status}}']}
";

const RETRY: &str = "
metadata: {generateName: retry-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: flaky, template: flaky, continueOn: {failed: true}}
      - {name: steady, template: steady}
    - - {name: after, template: steady}
  - name: flaky
    retryStrategy: {limit: 2, backoff: {duration: 5, factor: 2}}
    container: {image: x, command: [sh], args: ['sim:exit=3']}
  - name: steady
    container: {image: x, command: [sh]}
";

const APPROVAL: &str = "
metadata: {generateName: approval-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: build, template: pod}
    - - {name: approve, template: approve}
      - {name: pause, template: pause}
    - - {name: release, template: pod}
  - name: approve
    suspend: {}
  - name: pause
    suspend: {duration: 20}
  - name: pod
    container: {image: x, command: [sh]}
";

const DAEMON: &str = "
metadata: {generateName: daemon-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: server, template: server}
    - - {name: client, template: client, arguments: {parameters: [{name: at, value: '{{steps.server.ip}}'}]}}
  - name: server
    daemon: true
    container: {image: x, command: [sh]}
  - name: client
    inputs: {parameters: [{name: at}]}
    container: {image: x, command: [sh], args: ['{{inputs.parameters.at}}']}
";

fn approval() -> Scenario {
    let resume = || Control::Resume { selector: String::new(), message: String::new() };
    let asks = [(4, Control::Suspend), (9, resume()), (30, resume()), (60, resume()), (90, resume())];
    let asks = asks.into_iter().map(|(after, control)| (TimeSpan::from_secs(after), control)).collect();
    Scenario { asks, ..scenario(APPROVAL) }
}

fn scenarios() -> [(&'static str, Scenario, Phase); 5] {
    [
        ("diamond", scenario(DIAMOND), Phase::Succeeded),
        ("list", scenario(LIST), Phase::Succeeded),
        ("retry", scenario(RETRY), Phase::Succeeded),
        ("approval", approval(), Phase::Succeeded),
        ("daemon", scenario(DAEMON), Phase::Succeeded),
    ]
}

/// Fails with the history of a seed, when an invariant did not hold in it.
fn assert_holds(what: &str, seed: u64, scenario: &Scenario, faults: &Faults, report: &Report) {
    if report.violations.is_empty() {
        return;
    }
    let again = run_seed(seed, scenario, &Faults { keeps_trace: true, ..faults.clone() });
    panic!("{what}, seed {seed}: {:#?}\n{faults:?}\n{}", report.violations, again.trace.join("\n"));
}

#[test]
fn without_faults_every_scenario_ends_as_it_should() {
    for (what, scenario, phase) in scenarios() {
        let faults = Faults::none();
        let report = run_seed(1, &scenario, &faults);
        assert_holds(what, 1, &scenario, &faults, &report);
        assert_eq!((report.phase, report.deaths), (Some(phase), 0), "{what}");
    }
}

#[test]
fn the_same_seed_is_the_same_history() {
    for (what, scenario, _) in scenarios() {
        for seed in 0..5 {
            let hash = || run_seed(seed, &scenario, &Faults::of(seed)).trace_hash;
            assert_eq!(hash(), hash(), "{what}, seed {seed}");
        }
        let (one, other) = (run_seed(1, &scenario, &Faults::of(1)), run_seed(2, &scenario, &Faults::of(2)));
        assert_ne!(one.trace_hash, other.trace_hash, "{what}");
    }
}

#[test]
fn faults_by_chance_change_no_outcome() {
    let mut deaths = 0;
    for (what, scenario, _) in scenarios() {
        for seed in 0..40 {
            let report = check_seed(seed, &scenario);
            assert_holds(what, seed, &scenario, &Faults::of(seed), &report);
            deaths += report.deaths;
        }
    }
    assert!(deaths > 100, "drivers die: {deaths}");
}

#[test]
fn a_death_at_any_step_changes_no_outcome() {
    for (what, scenario, _) in scenarios() {
        let expected = run_seed(7, &scenario, &Faults::none());
        for step in 1..=expected.steps {
            let faults = Faults { loses_power: step % 2 == 0, ..Faults::death_at(step) };
            let mut report = run_seed(7, &scenario, &faults);
            report.violations.extend(differences(&expected, &report, &scenario));
            assert_holds(&format!("{what}, death at step {step}"), 7, &scenario, &faults, &report);
        }
    }
}
