//! Manifests of many nodes, made for the purpose: a chain, a fan, layers, loops in loops.

use std::fmt::Write;
use std::sync::Arc;

use wf::plan::{self, Library, Plan};
use wf::source::Sources;
use wf::spec;

/// Tasks of one layer of [`layers`].
const LAYER_TASKS: usize = 100;

const HEAD: &str = "\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata:
  generateName: shape-
spec:
  entrypoint: main
  templates:
  - name: work
    inputs:
      parameters: [{name: number}]
    container: {image: 'alpine:3.23', command: ['true'], args: ['{{inputs.parameters.number}}']}
  - name: main
";

/// Returns a DAG in which each task waits for the one before it.
pub fn chain(tasks: usize) -> String {
    dag(tasks, |number| number.checked_sub(1).into_iter().collect())
}

/// Returns a DAG of layers; each task waits for three of the layer before.
pub fn layers(tasks: usize) -> String {
    dag(tasks, |number| match number.checked_sub(LAYER_TASKS) {
        Some(above) => {
            let row = above - above % LAYER_TASKS;
            [0, 1, 7].map(|shift| row + (above + shift) % LAYER_TASKS).to_vec()
        }
        None => Vec::new(),
    })
}

/// Returns a DAG in which all tasks wait for the first.
pub fn wide(tasks: usize) -> String {
    dag(tasks, |number| if number == 0 { Vec::new() } else { vec![0] })
}

/// Returns one step that is looped over `items` numbers.
pub fn fan(items: usize) -> String {
    format!(
        "{HEAD}    steps:\n    - - name: each\n        template: work\n        withSequence: {{count: '{items}'}}\n        \
         arguments: {{parameters: [{{name: number, value: '{{{{item}}}}'}}]}}\n"
    )
}

/// Returns a loop over groups, in each of which a loop runs over 100 numbers.
pub fn nested(items: usize) -> String {
    let each = |name: &str, template: &str, count: usize| {
        format!(
            "    steps:\n    - - name: {name}\n        template: {template}\n        withSequence: {{count: '{count}'}}\n        \
             arguments: {{parameters: [{{name: number, value: '{{{{item}}}}'}}]}}\n"
        )
    };
    let inner = "  - name: group\n    inputs:\n      parameters: [{name: number}]\n";
    format!("{HEAD}{}{inner}{}", each("groups", "group", items / 100), each("each", "work", 100))
}

fn dag(tasks: usize, above: impl Fn(usize) -> Vec<usize>) -> String {
    let mut text = format!("{HEAD}    dag:\n      tasks:\n");
    for number in 0..tasks {
        let names: Vec<String> = above(number).iter().map(|other| format!("t{other}")).collect();
        let _ = writeln!(
            text,
            "      - {{name: t{number}, template: work, dependencies: [{}], arguments: {{parameters: [{{name: number, \
             value: '{number}'}}]}}}}",
            names.join(", ")
        );
    }
    text
}

/// Returns the plan of a manifest's text, which must be a good one.
pub fn plan_of(text: &str) -> Arc<Plan> {
    let mut sources = Sources::default();
    sources.add("shape.yaml", text);
    let (reads, _) = spec::read_all(&sources);
    let (library, _) = Library::new(&[]);
    let (plan, diagnostics) = plan::check(&sources, &reads[0], &library, &plan::Call::default());
    let faults: Vec<&str> = diagnostics.iter().map(|found| found.message.as_str()).collect();
    Arc::new(plan.unwrap_or_else(|| panic!("a shape is a good manifest: {faults:?}")))
}
