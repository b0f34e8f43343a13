//! What a plan says of a manifest.

use serde_json::{Value, json};

use crate::plan::{Body, Dag, Plan, Resolved, Scope, Segment, Task};
use crate::spec;

fn plan_of(spec: Value) -> Plan {
    let spec: spec::WorkflowSpec = serde_json::from_value(spec).expect("well typed");
    let library: spec::WorkflowSpec = serde_json::from_value(json!({
        "templates": [{"name": "a", "steps": [[{"name": "x", "template": "b"}]]}, {"name": "b", "suspend": {}}],
    }))
    .expect("well typed");
    let resolved = Resolved {
        metadata: Default::default(),
        spec,
        templates: [("lib".to_owned(), library)].into(),
        cluster_templates: Default::default(),
        config_maps: Default::default(),
    };
    Plan::compile(resolved).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn dag(plan: &Plan) -> &Dag {
    match &plan.template(plan.entrypoint).body {
        Body::Dag(dag) => dag,
        _ => panic!("`main` is a DAG"),
    }
}

fn steps(plan: &Plan) -> Vec<&Task> {
    match &plan.template(plan.entrypoint).body {
        Body::Steps(groups) => groups.iter().flatten().collect(),
        _ => panic!("`main` has steps"),
    }
}

#[test]
fn calls_are_linked_within_their_scopes() {
    let plan = plan_of(json!({
        "entrypoint": "main", "onExit": "b", "hooks": {"exit": {"template": "main"}, "other": {"template": "b"}},
        "templates": [
            {"name": "main", "steps": [[
                {"name": "near", "template": "b", "onExit": "b", "hooks": {"h": {"templateRef": {"name": "lib", "template": "b"}}}},
                {"name": "far", "templateRef": {"name": "lib", "template": "a"}},
                {"name": "here", "inline": {"suspend": {}}},
                {"name": "late", "template": "{{inputs.parameters.t}}"},
            ]]},
            {"name": "b", "container": {"image": "i"}},
        ],
    }));
    let local = plan.lookup(&Scope::Local, "b").expect("`b` is declared");
    let other = Scope::Namespaced("lib".into());
    let far = plan.lookup(&other, "a").expect("`lib/a` is called");
    let far_b = plan.lookup(&other, "b").expect("`lib/b` is called by `lib/a`");
    assert_ne!(local, far_b);
    let steps = steps(&plan);
    assert_eq!(steps.iter().map(|step| step.target.is_some()).collect::<Vec<_>>(), [true, true, true, false]);
    assert_eq!(steps[0].target, Some(local));
    assert_eq!(steps[0].hooks, [("exit".into(), local), ("h".into(), far_b)].into());
    assert_eq!(steps[1].target, Some(far));
    let here = plan.template(steps[2].target.expect("an inline template is compiled"));
    assert_eq!((&*here.name, matches!(here.body, Body::Suspend)), ("here", true));
    assert_eq!((plan.on_exit, plan.hooks.get("other")), (Some(local), Some(&local)));
    let Body::Steps(groups) = &plan.template(far).body else { panic!("`lib/a` has steps") };
    assert_eq!(groups[0][0].target, Some(far_b));
}

#[test]
fn a_graph_knows_who_waits_for_whom() {
    let plan = plan_of(json!({"entrypoint": "main", "templates": [
        {"name": "t", "suspend": {}},
        {"name": "main", "dag": {"tasks": [
            {"name": "d", "template": "t", "depends": "b && (c.Failed || b.Succeeded)"},
            {"name": "c", "template": "t", "depends": "a"},
            {"name": "b", "template": "t", "depends": "a"},
            {"name": "a", "template": "t"},
            {"name": "z", "template": "t", "depends": "!a"},
        ]}},
    ]}));
    let dag = dag(&plan);
    assert_eq!(dag.parents, [vec![2, 1], vec![3], vec![3], vec![], vec![3]]);
    assert_eq!(dag.dependents, [vec![], vec![0], vec![0], vec![1, 2, 4], vec![]]);
    assert_eq!(dag.targets, [0, 4]);
    assert_eq!(dag.by_name["b"], 2);
    let holds = |name: &str, result: Option<crate::expr::depends::TaskResult>| {
        (name, result) == ("a", Some(crate::expr::depends::TaskResult::Skipped))
    };
    let hold: Vec<bool> = dag.depends.iter().map(|expr| expr.as_ref().is_none_or(|expr| expr.eval(&holds))).collect();
    assert_eq!(hold, [false, true, true, true, false]);
}

#[test]
fn targets_are_named_or_computed() {
    let of = |target: &str| {
        plan_of(json!({"entrypoint": "main", "templates": [
            {"name": "t", "suspend": {}},
            {"name": "main", "inputs": {"parameters": [{"name": "p", "default": "b"}]}, "dag": {"target": target, "tasks": [
                {"name": "a", "template": "t"}, {"name": "b", "template": "t", "dependencies": ["a"]},
            ]}},
        ]}))
    };
    assert_eq!(dag(&of("a")).targets, [0]);
    assert_eq!(dag(&of("b a")).targets, [1, 0]);
    let computed = of("{{inputs.parameters.p}}");
    assert!(dag(&computed).target_text.is_some());
    let pointer = [Segment::Key("dag".into()), Segment::Key("target".into())];
    assert!(computed.template(computed.entrypoint).texts.iter().any(|text| text.pointer == pointer));
}

#[test]
fn texts_are_found_where_they_stand() {
    let plan = plan_of(json!({"entrypoint": "main", "templates": [
        {"name": "main",
         "outputs": {"parameters": [{"name": "o", "valueFrom": {"parameter": "{{steps.a.outputs.result}}"}}]},
         "steps": [[{"name": "a", "template": "t", "when": "{{workflow.name}} == x"}, {"name": "b", "template": "t"}]]},
        {"name": "t", "container": {"image": "i", "args": ["x", "{{pod.name}}"]}},
    ]}));
    let pointers = |texts: &[crate::plan::Text]| -> Vec<String> {
        texts.iter().map(|text| text.pointer.iter().cloned().collect::<crate::source::Path>().to_string()).collect()
    };
    let main = plan.template(plan.entrypoint);
    assert_eq!(pointers(&main.texts), ["outputs.parameters[0].valueFrom.parameter"]);
    let steps = steps(&plan);
    assert_eq!(pointers(&steps[0].texts), ["when"]);
    assert_eq!([steps[0].captures_result, steps[1].captures_result], [true, false]);
    let t = plan.template(plan.lookup(&Scope::Local, "t").expect("`t` is declared"));
    assert_eq!(pointers(&t.texts), ["container.args[1]"]);
}

#[test]
fn defaults_lie_under_each_template() {
    let plan = plan_of(json!({
        "entrypoint": "main",
        "templateDefaults": {"timeout": "30s", "container": {"image": "d"}, "script": {"image": "s"}},
        "templates": [{"name": "main", "container": {"args": ["a"]}}],
    }));
    let main = &plan.template(plan.entrypoint).spec;
    assert_eq!(main.timeout.as_deref(), Some("30s"));
    assert_eq!(
        main.container.as_ref().map(|container| container.0.clone()),
        Some(json!({"args": ["a"], "image": "d"}))
    );
    assert!(main.script.is_none());
}

#[test]
fn a_name_that_is_computed_may_be_any() {
    let plan = plan_of(json!({"entrypoint": "main", "templates": [
        {"name": "main", "steps": [[{"name": "a", "templateRef": {"name": "lib", "template": "{{workflow.name}}"}}]]},
    ]}));
    let reference = spec::TemplateRef { name: Some("lib".into()), template: Some("b".into()), cluster_scope: None };
    assert!(plan.lookup_call(&Scope::Local, None, Some(&reference)).is_some());
}
