//! What a run leaves in its namespace: its record, and nothing when that is gone.

use std::collections::BTreeSet;
use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::ListParams;
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::space::{Space, block, eventually, sure};

/// Steps, a script with a result, an output parameter, a failing step that is tried again, and an exit handler.
const RICH: &str = r#"
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: rich-}
spec:
  entrypoint: main
  onExit: bye
  templates:
  - name: main
    steps:
    - - {name: make, template: make}
    - - {name: use, template: use, arguments: {parameters: [{name: text, value: '{{steps.make.outputs.result}}'}]}}
  - name: make
    script: {image: busybox, command: [sh], source: 'echo hello'}
  - name: use
    inputs: {parameters: [{name: text}]}
    outputs: {parameters: [{name: out, valueFrom: {path: /tmp/out}}]}
    retryStrategy: {limit: '1'}
    container: {image: busybox, command: [sh, -c, 'echo {{inputs.parameters.text}} > /tmp/out; exit {{retries}}0']}
  - name: bye
    container: {image: busybox, command: ['true']}
"#;

#[test]
fn a_deleted_run_leaves_nothing() {
    let Some(space) = Space::new("delete") else { return };
    let before = everything(&space);
    let file = space.write("rich.yaml", RICH);
    let outcome = space.wf(&["submit", "--wait", "--name", "rich", &file]);
    assert_eq!(outcome.code, 0, "{}", outcome.all());
    let during = everything(&space);
    println!("cluster delete: a run leaves {:?}", during.difference(&before).collect::<Vec<_>>());
    assert!(during.contains("Job rich"), "{during:?}");
    assert!(!during.iter().any(|name| name.starts_with("Lease ")), "nobody drives, and a Lease is there: {during:?}");
    assert_eq!(space.wf(&["delete", "rich"]).code, 0);
    eventually("nothing", || (everything(&space) == before).then_some(()));
}

#[test]
fn a_run_whose_time_is_over_leaves_nothing() {
    let Some(space) = Space::new("ttl") else { return };
    let before = everything(&space);
    let file = space
        .write("rich.yaml", RICH.replace("onExit: bye", "onExit: bye\n  ttlStrategy: {secondsAfterCompletion: 3}"));
    let outcome = space.wf(&["submit", "--wait", "--name", "brief", &file]);
    assert_eq!(outcome.code, 0, "{}", outcome.all());
    eventually("nothing", || (everything(&space) == before).then_some(()));
    assert_eq!(space.wf(&["get", "brief"]).code, 3);
}

/// Returns every object of the namespace but events, by kind and name.
fn everything(space: &Space) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    add::<Pod>(space, &mut all);
    add::<Job>(space, &mut all);
    add::<CronJob>(space, &mut all);
    add::<ConfigMap>(space, &mut all);
    add::<Lease>(space, &mut all);
    add::<Secret>(space, &mut all);
    add::<Service>(space, &mut all);
    add::<ServiceAccount>(space, &mut all);
    add::<PersistentVolumeClaim>(space, &mut all);
    add::<Role>(space, &mut all);
    add::<RoleBinding>(space, &mut all);
    all
}

fn add<K>(space: &Space, all: &mut BTreeSet<String>)
where
    K: Resource<Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    K::DynamicType: Default,
{
    let kind = K::kind(&K::DynamicType::default()).into_owned();
    let list = sure(&kind, block(space.api::<K>().list_metadata(&ListParams::default())));
    all.extend(list.items.iter().map(|object| format!("{kind} {}", object.name_any())));
}
