//! Whatever stands in a manifest, checking it says something and does not panic.

use serde_json::{Value, json};

use crate::plan::{Call, Library, check, lint_all};
use crate::source::Sources;
use crate::spec;

/// A manifest with most of what can be linked and looked up.
const MANIFEST: &str = "
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: w, labels: {a: b}}
spec:
  entrypoint: main
  onExit: work
  hooks: {exit: {template: work}, late: {template: work, expression: 'true'}}
  arguments: {parameters: [{name: p, value: x, enum: [x]}], artifacts: [{name: f, raw: {data: x}}]}
  templateDefaults: {retryStrategy: {limit: 1, backoff: {duration: 1s}}}
  podGC: {strategy: OnPodSuccess, labelSelector: {matchExpressions: [{key: a, operator: In, values: [b]}]}}
  volumes: [{name: v, emptyDir: {}}]
  templates:
  - name: main
    inputs: {parameters: [{name: t, default: b}]}
    dag:
      target: '{{inputs.parameters.t}}'
      tasks:
      - {name: a, template: list, withParam: '[1]', when: '{{item}} == 1', arguments: {parameters: [{name: q, value: '{{item}}'}]}}
      - {name: b, depends: a.AnySucceeded && !a.Failed, templateRef: {name: lib, template: t}, withSequence: {count: '{{tasks.a.outputs.result}}'}}
      - {name: c, depends: b, inline: {container: {image: i, args: ['{{tasks.a.id}}', '{{= tasks.b.status }}']}}, hooks: {exit: {template: work}}}
    outputs: {parameters: [{name: o, globalName: g, valueFrom: {expression: tasks.a.outputs.result}}]}
  - name: list
    inputs: {parameters: [{name: q}], artifacts: [{name: f, path: /f, optional: true}]}
    steps: [[{name: s, template: work, withItems: [{k: [1]}, 2], continueOn: {failed: true}}], [{name: u, template: list, when: 'a == b', arguments: {parameters: [{name: q, value: '{{steps.s.outputs.parameters}}'}]}}]]
  - name: work
    containerSet:
      volumeMounts: [{name: v, mountPath: /v}]
      containers: [{name: main, image: i, dependencies: [x]}, {name: x, image: i, env: [{name: e, value: '{{workflow.parameters.p}}'}]}]
    outputs: {parameters: [{name: o, valueFrom: {path: /o}}], artifacts: [{name: f, path: /f}]}
    metrics: {prometheus: [{name: m, help: h, gauge: {value: '{{status}}', realtime: true}, labels: [{key: k, value: x}]}]}
    memoize: {key: k, maxAge: 1h, cache: {configMap: {name: c}}}
";

const LIBRARY: &str = "
{apiVersion: argoproj.io/v1alpha1, kind: WorkflowTemplate, metadata: {name: lib}, spec: {entrypoint: t, templates: [{name: t, suspend: {duration: 1s}}]}}
";

#[test]
fn nothing_makes_checking_panic() {
    let mut sources = Sources::new();
    let file = sources.add("test.yaml", MANIFEST);
    let manifest = crate::source::read(&sources, file).0.remove(0).root.to_json();
    let mut pointers = Vec::new();
    collect(&manifest, String::new(), &mut pointers);
    let mut said = 0;
    let values = [json!(null), json!("{{"), json!("a.b"), json!(-1), json!([[{}]]), json!({})];
    for (index, pointer) in pointers.iter().enumerate() {
        // Two values a place, others at the next: all of them everywhere would take a minute.
        for value in [&values[index % values.len()], &values[(index + 3) % values.len()]] {
            let mut changed = manifest.clone();
            *changed.pointer_mut(pointer).expect("the pointer was collected") = value.clone();
            said += usize::from(judge(&changed) > 0);
        }
    }
    // Most changes are wrong; that none were would mean that nothing was checked.
    assert!(said > pointers.len(), "{said} of {} places", pointers.len());
}

fn judge(manifest: &Value) -> usize {
    let mut sources = Sources::new();
    sources.add("test.json", manifest.to_string());
    sources.add("library.yaml", LIBRARY);
    let (reads, diagnostics) = spec::read_all(&sources);
    let (library, _) = Library::new(&reads);
    let checked = reads.first().map_or(0, |read| check(&sources, read, &library, &Call::default()).1.len());
    diagnostics.len() + checked + lint_all(&sources, &reads).len()
}

fn collect(value: &Value, pointer: String, pointers: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(item, format!("{pointer}/{index}"), pointers);
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields {
                collect(field, format!("{pointer}/{key}"), pointers);
            }
        }
        _ => {}
    }
    pointers.push(pointer);
}
