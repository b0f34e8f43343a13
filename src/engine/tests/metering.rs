//! Metrics of templates and of the run.

use super::*;
use crate::engine::durations::ResourcesDurations;
use crate::engine::metrics;

#[test]
fn metrics_are_what_templates_say_of_their_nodes() {
    let text = workflow(
        "  entrypoint: main
  metrics:
    prometheus:
    - {name: runs, help: of the run, labels: [{key: status, value: '{{workflow.status}}'}], counter: {value: '1'}}
    - {name: long, help: of the run, when: '{{workflow.duration}} > 1000', gauge: {value: '{{workflow.duration}}'}}
  templates:
  - name: main
    steps:
    - - {name: each, template: one, withItems: [x, y]}
    - - {name: tries, template: tries}
  - name: one
    inputs: {parameters: [{name: m, default: none}]}
    container: {image: alpine, command: [echo]}
    metrics:
      prometheus:
      - {name: nodes, help: 'in \"all\"', labels: [{key: m, value: '{{inputs.parameters.m}}'}], counter: {value: '2'}}
      - {name: secs, help: how long, histogram: {value: '{{duration}}', buckets: [0.5, 1.5]}}
      - {name: last, help: h, gauge: {value: '{{exitCode}}'}}
      - {name: broken, help: h, gauge: {value: '{{status}}'}}
      - {name: never, help: h, when: '{{status}} == Failed', counter: {value: '1'}}
  - name: tries
    retryStrategy: {limit: 2}
    container: {image: alpine, command: [echo]}
    metrics: {prometheus: [{name: tried, help: h, gauge: {value: '{{retries}}', operation: Add}}]}
",
    );
    let mut played = Played::new(&text);
    played.play(&|request| PodEnd::exited(i32::from(&*request.node_name == "wf[1].tries(0)")));
    let metrics = metrics::of(&played.run);
    let values = metrics.metrics.iter().flat_map(|(name, metric)| metric.values.iter().map(move |value| (name, value)));
    let lines: Vec<String> = values.map(|(name, (labels, reading))| format!("{name} {labels:?} {reading:?}")).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    last [] Gauge(0.0)
    nodes [("m", "none")] Counter(4.0)
    runs [("status", "Succeeded")] Counter(1.0)
    secs [] Histogram { buckets: [(0.5, 0), (1.5, 1)], sum: 3.0, count: 2 }
    tried [] Gauge(1.0)
    "#);
    assert_eq!(metrics.faults, ["metric `broken`: its value `Succeeded` is no number"; 2]);
}

#[test]
fn a_gauge_is_set_or_moved_from_where_it_stands() {
    for (operation, expected) in
        [("", 4.0), ("operation: Set", 4.0), ("operation: Add", 14.0), ("operation: Sub", -14.0)]
    {
        let text = workflow(&format!(
            "  entrypoint: main
  templates:
  - {{name: main, steps: [[{{name: a, template: one, withItems: ['10'], arguments: {{parameters: [{{name: m, value: '{{{{item}}}}'}}]}}}}],
      [{{name: b, template: one, arguments: {{parameters: [{{name: m, value: '4'}}]}}}}]]}}
  - name: one
    inputs: {{parameters: [{{name: m}}]}}
    container: {{image: a, command: [a]}}
    metrics: {{prometheus: [{{name: it, help: h, gauge: {{value: '{{{{inputs.parameters.m}}}}', {operation}}}}}]}}
"
        ));
        let mut played = Played::new(&text);
        played.play(&ok);
        let metrics = metrics::of(&played.run);
        let reading = metrics.metrics["it"].values.values().next();
        assert_eq!(reading, Some(&metrics::Reading::Gauge(expected)), "{operation}");
    }
}

/// A node's own names are those that its pod had; of one with attempts the last one's.
#[test]
fn metrics_may_name_what_the_pod_was_called() {
    let text = workflow(
        "  entrypoint: main
  templates:
  - {name: main, steps: [[{name: a, template: one}, {name: b, template: tries}]]}
  - name: one
    container: {image: a, command: [a]}
    metrics: {prometheus: [{name: it, help: h, labels: [{key: node, value: '{{node.name}}'}], counter: {value: '1'}}]}
  - name: tries
    retryStrategy: {limit: 1}
    container: {image: a, command: [a]}
    metrics: {prometheus: [{name: it, help: h, labels: [{key: node, value: '{{node.name}}'}], counter: {value: '1'}}]}
",
    );
    let mut played = Played::new(&text);
    played.play(&|request| PodEnd::exited(i32::from(request.node_name.ends_with("(0)"))));
    let metrics = metrics::of(&played.run);
    let labels = metrics.metrics["it"].values.keys().map(|labels| &*labels[0].1);
    assert_eq!(labels.collect::<Vec<_>>(), ["wf[0].a", "wf[0].b(1)"]);
}

/// Per resource: seconds times the amount that is asked for, by Argo's units.
#[test]
fn resources_are_held_from_the_first_sight_of_a_pod_to_its_end() {
    let text = workflow(
        "  entrypoint: main
  templates:
  - name: main
    steps: [[{name: big, template: big}, {name: small, template: small}]]
  - name: big
    container:
      image: alpine
      command: [echo]
      resources: {requests: {cpu: '2', memory: 1Gi, ephemeral-storage: 30Gi, storage: 10Gi}, limits: {cpu: '4', nvidia.com/gpu: 1}}
    metrics: {prometheus: [{name: held, help: h, gauge: {value: '{{resourcesDuration.memory}}'}}]}
  - name: small
    container: {image: alpine, command: [echo]}
",
    );
    let mut played = Played::new(&text);
    played.observe(Observation::Begin);
    for action in played.run.pending() {
        let Action::Start(request) = action else { panic!("two pods start") };
        played.clock += 10_000;
        played.observe(Observation::Pod(request.node, PodReport::Running { ready: true, ip: None, host: None }));
        played.clock += 20_000;
        played.observe(Observation::Pod(request.node, PodReport::Ended(PodEnd::exited(0))));
    }
    let held = ResourcesDurations::of(&played.run);
    let of = |name: &str| played.run.find_ix(name).map(|ix| format!("{:?}", held.node(ix))).expect("there is one");
    let big = r#"{"cpu": 40, "ephemeral-storage": 60, "memory": 204, "nvidia.com/gpu": 20, "storage": 20}"#;
    assert_eq!(of("wf[0].big"), big);
    assert_eq!(of("wf[0].small"), r#"{"cpu": 2, "memory": 20}"#);
    assert_eq!(of("wf"), big.replace("40", "42").replace("204", "224"));
    assert_eq!(format!("{:?}", held.run), of("wf"));
    let metrics = metrics::of(&played.run);
    let reading = metrics.metrics["held"].values.values().next();
    assert_eq!(reading, Some(&metrics::Reading::Gauge(204.0)));
}
