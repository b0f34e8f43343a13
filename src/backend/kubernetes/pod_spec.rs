//! The pod of a node: what the template and the workflow say of it, laid together as Argo does.
//! Pure. Source: `workflowpod.go`, `build` and `addSchedulingConstraints`.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::due::Due;
use super::fault::Refusal;
use super::job::{Around, labels};
use super::json::text;
use super::{affinity, containers, files, helper, names, outputs, patch};
use crate::engine::PodRequest;
use crate::spec;

/// A pod template, and what it needs to be there.
pub(super) struct Drafted {
    /// Metadata and spec.
    pub template: Value,
    /// Whether the ConfigMap with the helper must be there.
    pub needs_helper: bool,
}

/// Returns the pod template for `request`.
pub(super) fn pod_template(request: &PodRequest, around: &Around<'_>) -> Result<Drafted, Refusal> {
    let (template, workflow) = (&*request.template, &*request.workflow);
    let files = files::files(request)?;
    let work = containers::work(template, &files)?;
    let main = containers::foremost(&work).ok_or(Refusal::NoPod { kind: "containerSet" })?;
    let mut before = containers::init(template, main);
    before.extend(containers::sidecars(template, main));
    let mut metadata = metadata(request, around);
    metadata.annotations.insert(names::DEFAULT_CONTAINER.to_owned(), main["name"].clone());
    let mut spec = Map::new();
    spec.insert("restartPolicy".to_owned(), "Never".into());
    let volumes = volumes(request, around, before.iter().chain(&work))?;
    insert_list(&mut spec, "volumes", volumes);
    insert_list(&mut spec, "initContainers", before);
    insert_list(&mut spec, "containers", work);
    if let Some(seconds) = active_seconds(request, around) {
        spec.insert("activeDeadlineSeconds".to_owned(), seconds.into());
    }
    account(template, workflow, &mut spec);
    network(template, workflow, &mut spec);
    placement(template, workflow, &mut spec);
    files::add(&files, &mut metadata.annotations, &mut spec);
    let mut spec = Value::Object(spec);
    for text in [&workflow.pod_spec_patch, &template.pod_spec_patch].into_iter().flatten() {
        patch::apply(&mut spec, text)?;
    }
    affinity::avoid(&mut spec, &request.avoided_hosts);
    let needs_helper = outputs::wrap(&mut spec, request, &helper::config_map_name(around.owner.run.as_str()))?;
    let metadata = json!({ "labels": metadata.labels, "annotations": metadata.annotations });
    Ok(Drafted { template: json!({ "metadata": metadata, "spec": spec }), needs_helper })
}

struct Metadata {
    labels: Map<String, Value>,
    annotations: Map<String, Value>,
}

/// Returns the labels and annotations of the pod: the workflow's, the template's over them, ours over all.
fn metadata(request: &PodRequest, around: &Around<'_>) -> Metadata {
    let mut all = Metadata { labels: Map::new(), annotations: Map::new() };
    let texts = |from: &indexmap::IndexMap<String, String>| -> Vec<(String, Value)> {
        from.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect()
    };
    for users in [request.workflow.pod_metadata.as_ref(), request.template.metadata.as_ref()].into_iter().flatten() {
        all.labels.extend(texts(&users.labels));
        all.annotations.extend(texts(&users.annotations));
    }
    all.labels.extend(labels(request, around.owner));
    let name = Value::from(&*request.node_name);
    all.annotations.insert(names::NODE_NAME.to_owned(), name.clone());
    all.annotations.insert(names::ARGO_NODE_NAME.to_owned(), name);
    all.annotations.insert(names::DUE.to_owned(), Due::of(request).write().into());
    all
}

/// Returns the volumes of the pod: the template's own, and what its containers mount of the
/// workflow's, its claims included.
fn volumes<'a>(
    request: &PodRequest,
    around: &Around<'_>,
    containers: impl Iterator<Item = &'a Value>,
) -> Result<Vec<Value>, Refusal> {
    let (template, workflow) = (&*request.template, &*request.workflow);
    let mut volumes: Vec<Value> = template.volumes.iter().map(|volume| volume.0.clone()).collect();
    let used: BTreeSet<&str> = containers.flat_map(containers::mounted).filter(|name| *name != files::VOLUME).collect();
    for name in used {
        if volumes.iter().any(|volume| text(volume, "name") == Some(name)) {
            continue;
        }
        let of_workflow = workflow.volumes.iter().find(|volume| text(volume, "name") == Some(name));
        let mut claims = workflow.volume_claim_templates.iter();
        let is_claim = claims.any(|claim| claim.pointer("/metadata/name").and_then(Value::as_str) == Some(name));
        volumes.push(match of_workflow {
            Some(volume) => volume.0.clone(),
            None if is_claim => containers::claim_volume(name, around.owner.run.as_str()),
            None => return Err(Refusal::NoVolume { volume: name.to_owned() }),
        });
    }
    Ok(volumes)
}

/// Returns how many seconds the pod may be active: its own deadline or what is left of the run's,
/// whichever is sooner, at least one. Source: Argo's `build`.
fn active_seconds(request: &PodRequest, around: &Around<'_>) -> Option<u64> {
    let left = request.deadline.map(|deadline| deadline.since(around.now));
    let span = request.deadline_after.into_iter().chain(left).min()?;
    Some(span.0.div_ceil(1000).max(1))
}

/// A pod never talks to the API server for us: it gets a token only when the manifest names an account.
fn account(template: &spec::Template, workflow: &spec::WorkflowSpec, spec: &mut Map<String, Value>) {
    let account = template.service_account_name.as_ref().or(workflow.service_account_name.as_ref());
    let account = account.filter(|name| !name.is_empty());
    let mounts = template.automount_service_account_token.or(workflow.automount_service_account_token);
    insert(spec, "serviceAccountName", account.map(|name| name.as_str().into()));
    let mounts = mounts.or(account.is_none().then_some(false));
    insert(spec, "automountServiceAccountToken", mounts.map(Value::from));
    insert_list(spec, "imagePullSecrets", plain(&workflow.image_pull_secrets));
}

fn network(template: &spec::Template, workflow: &spec::WorkflowSpec, spec: &mut Map<String, Value>) {
    insert(spec, "hostNetwork", workflow.host_network.map(Value::from));
    insert(spec, "dnsPolicy", workflow.dns_policy.as_deref().map(Value::from));
    insert(spec, "dnsConfig", workflow.dns_config.as_ref().map(|config| config.0.clone()));
    let aliases = [plain(&workflow.host_aliases), plain(&template.host_aliases)].concat();
    insert_list(spec, "hostAliases", aliases);
}

/// Where the pod may be, and what it may take: the template's word, else the workflow's.
fn placement(template: &spec::Template, workflow: &spec::WorkflowSpec, spec: &mut Map<String, Value>) {
    let either =
        |own: &Option<spec::Json>, all: &Option<spec::Json>| own.as_ref().or(all.as_ref()).map(|v| v.0.clone());
    let word = |own: &Option<String>, all: &Option<String>| {
        let own = own.as_deref().filter(|name| !name.is_empty()).or(all.as_deref());
        own.filter(|name| !name.is_empty()).map(Value::from)
    };
    let list = |own: &[spec::Json], all: &[spec::Json]| plain(if own.is_empty() { all } else { own });
    let selector = if template.node_selector.is_empty() { &workflow.node_selector } else { &template.node_selector };
    insert(spec, "nodeSelector", (!selector.is_empty()).then(|| json!(selector)));
    insert(spec, "affinity", either(&template.affinity, &workflow.affinity));
    insert_list(spec, "tolerations", list(&template.tolerations, &workflow.tolerations));
    insert(spec, "schedulerName", word(&template.scheduler_name, &workflow.scheduler_name));
    insert(spec, "priorityClassName", word(&template.priority_class_name, &workflow.pod_priority_class_name));
    insert(spec, "securityContext", either(&template.security_context, &workflow.security_context));
    insert(spec, "resources", either(&template.pod_resources, &workflow.pod_resources));
    insert_list(spec, "resourceClaims", list(&template.resource_claims, &workflow.resource_claims));
}

fn plain(list: &[spec::Json]) -> Vec<Value> {
    list.iter().map(|item| item.0.clone()).collect()
}

fn insert(spec: &mut Map<String, Value>, field: &str, value: Option<Value>) {
    if let Some(value) = value {
        spec.insert(field.to_owned(), value);
    }
}

fn insert_list(spec: &mut Map<String, Value>, field: &str, items: Vec<Value>) {
    insert(spec, field, (!items.is_empty()).then_some(Value::Array(items)));
}
