//! Large graphs: checking is linear in the manifest. Argo takes a minute for 3,000 tasks.

use serde_json::json;

use crate::plan::check::plan_of;
use crate::plan::{Body, Resolved};
use crate::spec;

/// Returns a workflow of `count` tasks in a chain, each of which names its neighbour, the first
/// task and one half way back.
fn chain(count: usize) -> Resolved {
    let task = |index: usize| {
        let tag = |index: usize| format!("{{{{tasks.t{index}.outputs.result}}}}");
        let dependencies: Vec<String> = index.checked_sub(1).map(|before| format!("t{before}")).into_iter().collect();
        let values = [index.saturating_sub(1), 0, index / 2].map(tag).join(" ");
        let values = if index == 0 { "none".to_owned() } else { values };
        json!({
            "name": format!("t{index}"), "template": "work", "dependencies": dependencies,
            "arguments": {"parameters": [{"name": "m", "value": values}]},
        })
    };
    let spec: spec::WorkflowSpec = serde_json::from_value(json!({
        "entrypoint": "main",
        "templates": [
            {"name": "main", "dag": {"tasks": (0..count).map(task).collect::<Vec<_>>()}},
            {"name": "work", "inputs": {"parameters": [{"name": "m"}]}, "container": {"image": "busybox", "args": ["{{inputs.parameters.m}}"]}},
        ],
    }))
    .expect("well typed");
    let config_maps = Default::default();
    Resolved {
        metadata: Default::default(),
        spec,
        templates: Default::default(),
        cluster_templates: Default::default(),
        config_maps,
    }
}

#[test]
fn a_long_chain_is_checked_whole() {
    let count = std::env::var("WF_TEST_TASKS").ok().and_then(|count| count.parse().ok()).unwrap_or(5_000);
    let (plan, problems) = plan_of(chain(count));
    assert_eq!(problems, []);
    let plan = plan.expect("nothing is wrong");
    let Body::Dag(dag) = &plan.template(plan.entrypoint).body else { panic!("`main` is a DAG") };
    assert_eq!(dag.targets, [count - 1]);
    assert!(dag.tasks[..count - 1].iter().all(|task| task.captures_result));
}
