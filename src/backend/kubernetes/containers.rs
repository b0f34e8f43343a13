//! The containers of a pod: the main one, those before it, those beside it. Pure.

use serde_json::{Value, json};

use super::fault::Refusal;
use super::files::{SCRIPT_PATH, TextFile};
use super::json::{list, text};
use crate::spec;

/// The container whose end is the pod's, as Argo calls it.
pub(super) const MAIN: &str = "main";

/// Returns the containers that do the work: the main one, or those of a set.
pub(super) fn work(template: &spec::Template, files: &[TextFile]) -> Result<Vec<Value>, Refusal> {
    match &template.container_set {
        Some(set) => Ok(set.containers.iter().map(|node| member(set, node, files)).collect()),
        None => main(template, files).map(|main| vec![main]),
    }
}

/// Returns the one of `work` that matters most: the main one, or where a set has none, its first.
pub(super) fn foremost(work: &[Value]) -> Option<&Value> {
    work.iter().find(|container| text(container, "name") == Some(MAIN)).or(work.first())
}

/// Returns the names of the containers of a set; none of other templates.
pub(super) fn of_set(template: &spec::Template) -> Vec<String> {
    let nodes = template.container_set.iter().flat_map(|set| &set.containers);
    nodes.map(|node| text(&node.container, "name").unwrap_or_default().to_owned()).collect()
}

/// Returns a container of a set, which mounts what the set does. Files are for the main one.
fn member(set: &spec::ContainerSetTemplate, node: &spec::ContainerNode, files: &[TextFile]) -> Value {
    let mut member = node.container.0.clone();
    let is_main = text(&member, "name") == Some(MAIN);
    let files = files.iter().filter(|_| is_main).map(TextFile::mount);
    let mounts: Vec<Value> = set.volume_mounts.iter().map(|mount| mount.0.clone()).chain(files).collect();
    if let Some(fields) = member.as_object_mut().filter(|_| !mounts.is_empty()) {
        list(fields, "volumeMounts").extend(mounts);
    }
    member
}

/// Returns the main container, with the files that it expects.
fn main(template: &spec::Template, files: &[TextFile]) -> Result<Value, Refusal> {
    let mut main = declared(template)?;
    let Some(fields) = main.as_object_mut() else { return Ok(main) };
    fields.insert("name".to_owned(), MAIN.into());
    if template.script.as_ref().is_some_and(|script| !script.source.is_empty()) {
        list(fields, "args").push(SCRIPT_PATH.into());
    }
    if !files.is_empty() {
        list(fields, "volumeMounts").extend(files.iter().map(TextFile::mount));
    }
    Ok(main)
}

fn declared(template: &spec::Template) -> Result<Value, Refusal> {
    if let Some(container) = &template.container {
        return Ok(container.0.clone());
    }
    if let Some(script) = &template.script {
        return Ok(script.container.0.clone());
    }
    let kind = match template {
        spec::Template { data: Some(_), .. } => "data",
        spec::Template { resource: Some(_), .. } => "resource",
        _ => "nameless",
    };
    Err(Refusal::NoPod { kind })
}

/// Returns the containers that end before the main one begins.
pub(super) fn init(template: &spec::Template, main: &Value) -> Vec<Value> {
    template.init_containers.iter().map(|user| beside(user, main)).collect()
}

/// Returns the sidecars as native ones: they start before the main container and, once it has
/// ended, are ended by the kubelet.
pub(super) fn sidecars(template: &spec::Template, main: &Value) -> Vec<Value> {
    let native = |user| {
        let mut sidecar = beside(user, main);
        sidecar["restartPolicy"] = "Always".into();
        sidecar
    };
    template.sidecars.iter().map(native).collect()
}

fn beside(user: &spec::UserContainer, main: &Value) -> Value {
    let mut container = user.container.0.clone();
    let mounts = main.get("volumeMounts").and_then(Value::as_array);
    if let (Some(true), Some(mounts), Some(fields)) = (user.mirror_volume_mounts, mounts, container.as_object_mut()) {
        list(fields, "volumeMounts").extend(mounts.iter().cloned());
    }
    container
}

/// Returns the names of the volumes that a container mounts, in its order.
pub(super) fn mounted(container: &Value) -> impl Iterator<Item = &str> {
    let mounts = ["volumeMounts", "volumeDevices"].into_iter().filter_map(|field| container.get(field)?.as_array());
    mounts.flatten().filter_map(|mount| mount.get("name")?.as_str())
}

/// Returns the name of the claim that the run `run` makes of a template for claims.
pub(super) fn claim_name(run: &str, template: &str) -> String {
    format!("{run}-{template}")
}

/// Returns the volume that stands for a claim of `volumeClaimTemplates`: the claim of the run
/// that is called so. Source: Argo's `createPVCs`.
pub(super) fn claim_volume(claim: &str, run: &str) -> Value {
    json!({ "name": claim, "persistentVolumeClaim": { "claimName": claim_name(run, claim) } })
}
