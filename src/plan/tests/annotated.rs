//! Small manifests, each with a note at the end of every line that is wrong: `#! RULE words`.

use crate::plan::{lint_all, rules};
use crate::source::{RuleId, Severity, Sources};
use crate::spec;

/// Checks that exactly the lines with a note are complained about, by the rule of the note and
/// with its words.
pub(super) fn check(yaml: &str) {
    let mut sources = Sources::new();
    let file = sources.add("test.yaml", yaml);
    let (reads, mut diagnostics) = spec::read_all(&sources);
    diagnostics.extend(lint_all(&sources, &reads));
    // What every small manifest would be told is only looked at where a note names it.
    let quiet = [rules::PEDANTIC, &[rules::TEMPLATE_UNUSED]].concat();
    let is_quiet = |rule: &RuleId| quiet.contains(rule) && !yaml.contains(&format!("#! {}", rule.0));
    let told = diagnostics.iter().filter(|found| found.severity >= Severity::Warning && !is_quiet(&found.rule));
    let found = told.map(|diagnostic| {
        let line = diagnostic.span().map_or(0, |span| sources.position(file, span.start).line);
        (line, diagnostic.rule.0, diagnostic.message.as_str())
    });
    let mut unexpected: Vec<_> = found.collect();
    let notes = yaml.lines().enumerate().filter_map(|(line, text)| Some((line + 1, text.split_once("#! ")?.1)));
    for (line, notes) in notes {
        for note in notes.split("; ") {
            let (rule, words) = note.split_once(' ').unwrap_or((note, ""));
            let place =
                unexpected.iter().position(|found| found.0 == line && found.1 == rule && found.2.contains(words));
            match place {
                Some(place) => drop(unexpected.remove(place)),
                None => panic!("line {line}: `{note}` was not found, but {unexpected:?} in\n{yaml}"),
            }
        }
    }
    assert_eq!(unexpected, [], "in\n{yaml}");
}

/// As [`check`], with the templates of a workflow only.
pub(super) fn check_templates(templates: &str) {
    check(&format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {{generateName: w-}}\nspec:\n  entrypoint: main\n  templates:\n{templates}"
    ));
}

const WORK: &str = "
  - name: work
    inputs: {parameters: [{name: m, default: none}]}
    container: {image: busybox}
    outputs: {parameters: [{name: o, valueFrom: {path: /o}}]}";

#[test]
fn where_a_workflow_begins() {
    let head = "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: w-}\n";
    check(&format!("{head}spec: #! WF100 `entrypoint` is missing\n  templates: [{{name: a, suspend: {{}}}}]\n"));
    check(&format!(
        "{head}spec:\n  entrypoint: mian #! WF101 no template `mian`\n  templates: [{{name: main, suspend: {{}}}}]\n"
    ));
}

#[test]
fn what_is_called_exists() {
    check_templates(&format!(
        "  - name: main
    steps:
    - - {{name: a, template: wrok}} #! WF101 `wrok`
      - {{name: b, templateRef: {{name: lib, template: t}}}} #! WF102 the WorkflowTemplate `lib` is not
      - {{name: c}} #! WF103 nothing is called
      - name: d
        template: work
        onExit: nope #! WF101 `nope`
        hooks:
          running: {{template: nope2, expression: 'true'}} #! WF101 `nope2`
      - {{name: e, inline: {{container: {{image: busybox}}}}}}
      - {{name: f, template: work, templateRef: {{name: l, template: t}}}} #! WF103 both{WORK}"
    ));
}

#[test]
fn templates_of_other_objects() {
    check(
        "apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: w-}
spec:
  entrypoint: main
  templates:
  - name: main
    dag:
      tasks:
      - {name: a, templateRef: {name: lib, template: first}}
      - {name: b, templateRef: {name: lib, template: frist}} #! WF101 in the WorkflowTemplate `lib`
      - {name: c, templateRef: {name: lib, template: first, clusterScope: true}} #! WF102 ClusterWorkflowTemplate `lib`
---
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: lib}
spec:
  templates:
  - name: first
    steps: [[{name: a, template: second}]]
  - name: second
    container: {image: busybox, args: ['{{workflow.parameters.anything}}', '{{inputs.parameters.x}}']} #! WF119 inputs.parameters.x; WF119 workflow.parameters.anything
---
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: lib} #! WF105 two WorkflowTemplates
spec: {templates: [{name: first, suspend: {}}]}
",
    );
}

#[test]
fn a_template_does_one_thing() {
    check_templates(
        "  - name: main #! WF106 does not say what it does
  - name: both
    container: {image: a}
    suspend: {} #! WF106 both `container` and `suspend`
",
    );
}

#[test]
fn names_have_a_form_and_are_unique() {
    check_templates(
        "  - name: main
    inputs:
      parameters:
      - {name: a b, default: ''} #! WF107 `a b`
      - {name: a_b, default: ''}
      - {name: a_b, default: ''} #! WF108 two of the input parameters
      - {default: ''} #! WF109 no name
    container: {image: a}
  - name: a_b #! WF107 `a_b`
    suspend: {}
  - name: dynamic
    inputs: {parameters: [{name: p}]}
    steps:
    - - {name: 'a-{{inputs.parameters.p}}', template: dup}
      - {name: 'a_{{inputs.parameters.p}}', template: dup} #! WF107 `a_{{inputs.parameters.p}}`
    - - {name: b, template: dup, when: '{{steps.a-{{inputs.parameters.p}}.status}} == Succeeded'}
  - name: graph
    inputs: {parameters: [{name: p}]}
    dag:
      tasks:
      - {name: 'a-{{inputs.parameters.p}}', template: dup} #! WF107 steps alone
  - name: dup
    suspend: {}
  - name: dup #! WF108 `dup`
    suspend: {}
",
    );
}

#[test]
fn dependencies_exist_and_end() {
    check_templates(&format!(
        "  - name: main
    dag:
      tasks:
      - name: a
        template: work
        depends: c #! WF110 `a` → `c` → `b` → `a`
      - {{name: b, template: work, depends: a}}
      - {{name: c, template: work, depends: b && d.Failed}} #! WF111 `d`
      - {{name: e, template: work, depends: 'b &&'}} #! WF112 `e`
      - {{name: f, template: work, depends: b.AllFailed}} #! WF115 does not loop
  - name: mixed
    dag:
      target: x z #! WF116 `z`
      tasks:
      - {{name: x, template: work}}
      - {{name: w, template: work, depends: x}}
      - name: 3z #! WF114 `3z`
        template: work
        continueOn: {{failed: true}} #! WF113 `continueOn`
        dependencies: [x] #! WF113 both used
  - name: empty
    dag: {{tasks: []}} #! WF117 no tasks{WORK}"
    ));
}

#[test]
fn variables_exist_where_they_are_used() {
    check_templates(&format!(
        "  - name: main
    steps:
    - - name: a
        template: work
        arguments: {{parameters: [{{name: m, value: '{{{{steps.b.outputs.parameters.o}}}}'}}]}} #! WF119 not a step of an earlier group
      - {{name: b, template: work, when: '{{{{steps.a.status}}}} == Failed'}} #! WF119 `steps.a.status`
    - - name: c
        template: work
        arguments:
          parameters:
          - name: m
            value: |-
              {{{{steps.a.outputs.parameters.o}}}} {{{{ steps.a.outputs.result }}}} {{{{workflow.name}}}}
              {{{{steps.a.outputs.parameters.oo}}}} #! WF119 no `steps.a.outputs.parameters.oo`
              {{{{steps.z.id}}}} #! WF119 no `steps.z.id`
              {{{{item.x}}}} #! WF119 outside of a loop
              {{{{inputs.parameters.q}}}} #! WF119 `inputs.parameters.q`
              {{{{workflow.parameters.p}}}} #! WF119 `workflow.parameters.p`
              {{{{foo.bar}}}} #! WF120 `foo.bar`
        hooks:
          done: {{template: work, expression: steps.c.status == 'Failed', arguments: {{parameters: [{{name: m, value: '{{{{steps.c.status}}}}'}}]}}}}
      - {{name: d, template: work, withItems: [{{k: 1}}], arguments: {{parameters: [{{name: m, value: '{{{{item.k}}}}'}}]}}}}
      - {{name: e, template: work, withItems: [{{k: 1}}], arguments: {{parameters: [{{name: m, value: '{{{{item.l}}}}'}}]}}}} #! WF119 `item.l`
    outputs:
      parameters:
      - {{name: x, valueFrom: {{parameter: '{{{{steps.c.outputs.parameters.o}}}}'}}}}
      - {{name: w, valueFrom: {{parameter: '{{{{steps.c.outputs.parameters.p}}}}'}}}} #! WF119 `steps.c.outputs.parameters.p`
      - {{name: z, valueFrom: {{expression: steps.nope.outputs.result}}}} #! WF119 `steps.nope.outputs.result`{WORK}"
    ));
}

#[test]
fn a_task_waits_for_what_it_uses() {
    check_templates(&format!(
        "  - name: main
    dag:
      tasks:
      - {{name: a, template: work}}
      - {{name: b, template: work, depends: a}}
      - {{name: c, template: work, depends: b, arguments: {{parameters: [{{name: m, value: 'x {{{{tasks.a.outputs.result}}}}'}}]}}}}
      - {{name: d, template: work, arguments: {{parameters: [{{name: m, value: 'x {{{{tasks.a.outputs.result}}}}'}}]}}}} #! WF119 does not wait for `a`
      - {{name: e, template: work, depends: a, arguments: {{parameters: [{{name: m, value: '{{{{=tasks.zz.outputs.result}}}}'}}]}}}} #! WF119 `tasks.zz.outputs.result`
      - {{name: f, template: work, depends: a, arguments: {{parameters: [{{name: m, value: '{{{{tasks.a.outputs.parameters}}}}'}}]}}}} #! WF119 `tasks.a.outputs.parameters`{WORK}"
    ));
}

#[test]
fn inline_templates_see_what_their_call_sees() {
    check_templates(
        "  - name: main
    inputs: {parameters: [{name: p, default: x}]}
    dag:
      tasks:
      - name: a
        inline: {container: {image: a, args: ['{{inputs.parameters.p}} {{pod.name}}', '{{inputs.parameters.q}}']}} #! WF119 `inputs.parameters.q`
      - name: b
        depends: a
        withItems: [1]
        arguments: {parameters: [{name: own, value: '1'}]}
        inline:
          inputs: {parameters: [{name: own}]}
          container: {image: a, args: ['{{tasks.a.outputs.result}} {{item}} {{inputs.parameters.own}}']}
",
    );
}

#[test]
fn arguments_meet_inputs() {
    check_templates(
        "  - name: main
    steps:
    - - {name: a, template: needs} #! WF122 does not pass `m`; WF122 the artifact `f`
    - - name: b
        template: needs
        arguments:
          parameters:
          - {name: m, value: 1}
          - {name: nn, value: 1} #! WF123 no input `nn`
          - {name: o} #! WF124 no value; WF123 no input `o`
          artifacts:
          - {name: f} #! WF126 comes from nowhere
  - name: handled
    steps:
    - - name: a
        template: needs
        arguments: {parameters: [{name: m, value: 1}], artifacts: [{name: f, raw: {data: ''}}]}
        onExit: needs
        hooks:
          early: {template: needs, expression: 'true'} #! WF122 the hook `early` does not pass `m`; WF122 the artifact
  - name: needs
    inputs:
      parameters: [{name: m}]
      artifacts: [{name: f, path: /f}, {name: g, path: /g, optional: true}]
    container: {image: a}
",
    );
}

#[test]
fn values_of_the_workflow() {
    check(
        "apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: w-}
spec:
  entrypoint: main
  arguments:
    parameters:
    - {name: a, value: x, enum: [y, z]} #! WF125 which its `enum` does not allow
    - {name: b, enum: []} #! WF125 allows nothing
    - {name: c, valueFrom: {path: /x}} #! WF124 from where arguments cannot
  podGC: {strategy: Sometimes} #! WF138 `Sometimes`
  templates: [{name: main, suspend: {}}]
",
    );
}

#[test]
fn loops_have_one_source_that_can_be_read() {
    check_templates(&format!(
        "  - name: main
    steps:
    - - {{name: a, template: work, withItems: [1], withParam: '[1]'}} #! WF128 both `withItems` and `withParam`
      - {{name: b, template: work, withParam: 'x'}} #! WF129 it is not JSON
      - {{name: c, template: work, withParam: '{{\"a\": 1}}'}} #! WF129 no list
      - {{name: d, template: work, withSequence: {{count: x}}}} #! WF129 no whole number
      - {{name: e, template: work, withSequence: {{start: 1}}}} #! WF129 no end
      - {{name: f, template: work, withSequence: {{count: 1, end: 2}}}} #! WF129 both `count` and `end`
      - {{name: g, template: work, when: 'a =='}} #! WF130 cannot be read
      - name: h
        template: work
        hooks: {{early: {{template: work}}}} #! WF131 `early`{WORK}"
    ));
}

#[test]
fn outputs_come_from_what_the_template_has() {
    check_templates(
        "  - name: main
    container: {image: a}
    outputs:
      parameters:
      - {name: a, valueFrom: {parameter: x}} #! WF132 cannot come from `valueFrom.parameter`
      - {name: b} #! WF132 where its value comes from
      - {name: c, value: x, valueFrom: {path: /c}} #! WF132 both `value` and `valueFrom`
      - {name: d, valueFrom: {}} #! WF132 names no source
      - {name: e, globalName: a b, valueFrom: {path: /e}} #! WF107 `a b`
      artifacts:
      - {name: f} #! WF127 no `path`
      - {name: g, path: /a/../b} #! WF127 `..`
",
    );
}

#[test]
fn containers_can_start() {
    check_templates(
        "  - name: main
    inputs: {artifacts: [{name: x, path: /x, raw: {data: ''}}]} #! WF134 `/x`
    container: #! WF133 no image
      volumeMounts:
      - {name: v, mountPath: /v}
      - {name: w, mountPath: /x} #! WF135 no volume `w`
      env: [{value: x}] #! WF150 no name
    volumes: [{name: v, emptyDir: {}}]
    sidecars: [{name: wait, image: a}] #! WF143 `wait`
    initContainers: [{image: a}] #! WF109 no name
  - name: set
    containerSet:
      containers:
      - {name: a, image: a, dependencies: [b]} #! WF140 wait for each other
      - {name: b, image: a, dependencies: [a]}
      - {name: c, image: a, dependencies: [z]} #! WF140 `z`
",
    );
}

#[test]
fn numbers_and_durations_can_be_read() {
    check_templates(
        "  - name: main
    activeDeadlineSeconds: -1 #! WF137 `-1`
    timeout: '30' #! WF137 no unit
    retryStrategy:
      limit: many #! WF136 `many`
      retryPolicy: OnFailed #! WF138 `OnFailed`
      expression: 'lastRetry.exitCode >' #! WF121 cannot be read
      backoff: {duration: soon} #! WF137 `soon`
    memoize: {key: a b, maxAge: 1h, cache: {configMap: {name: c}}} #! WF146 `a b`
    parallelism: 2 #! WF142 `parallelism`
    container: {image: a}
  - name: set
    containerSet:
      retryStrategy:
        retries: some #! WF136 `some`
        duration: '5' #! WF137 Go's form
      containers: [{name: main, image: a}]
  - name: less
    containerSet:
      retryStrategy: {retries: '-1', duration: 1m30s} #! WF136 less than zero
      containers: [{name: main, image: a}]
  - name: fine
    containerSet:
      retryStrategy: {retries: '3', duration: '{{workflow.name}}'}
      containers: [{name: main, image: a}]
  - name: wait
    suspend: {duration: later} #! WF137 `later`
    timeout: 1m #! WF142 `timeout`
  - name: metered
    container: {image: a}
    metrics: {prometheus: [{name: a.b, help: x, counter: {value: '1'}}]} #! WF139 `a.b`
  - name: thing
    resource: {action: make, manifest: 'a: b: c'} #! WF141 `make`; WF141 not YAML
",
    );
}

#[test]
fn calling_oneself_needs_a_way_out() {
    check_templates(
        "  - name: main #! WF147 `main` → `other` → `main`
    steps: [[{name: a, template: other}]]
  - name: other
    steps: [[{name: a, template: main}]]
  - name: fine
    steps: [[{name: a, template: fine, when: '{{steps.name}} == x'}]]
",
    );
}

#[test]
fn the_spec_of_another_object() {
    check(
        "apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: w-}
spec:
  workflowTemplateRef: {name: lib}
  arguments:
    parameters:
    - {name: q, value: '1'}
    - {name: p, value: '1'}
---
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: lib}
spec:
  entrypoint: main
  arguments:
    parameters:
    - {name: p, value: x, enum: [x]}
    - {name: r, value: x, enum: [y]} #! WF125 `r`
  templates:
  - {name: main, container: {image: a, args: ['{{workflow.parameters.q}}']}}
  - {name: bad, container: {image: a, args: ['{{inputs.parameters.q}}']}} #! WF119
",
    );
}

#[test]
fn schedules() {
    check(
        "apiVersion: argoproj.io/v1alpha1
kind: CronWorkflow
metadata: {name: c}
spec:
  schedules: ['0 * * * *', '0 * * *'] #! WF148 not five
  concurrencyPolicy: Sometimes #! WF138 `Sometimes`
  workflowSpec:
    entrypoint: main
    templates:
    - {name: main, container: {image: a, args: ['{{inputs.parameters.q}}']}} #! WF119 `inputs.parameters.q`
",
    );
}
