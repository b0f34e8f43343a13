//! Containers: images, names, mounts and environment.
//!
//! Source: `validateLeaf`, `ContainerSetTemplate.Validate`. That a mounted volume is declared is
//! what Argo leaves to Kubernetes, which refuses the pod.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Checked, Purpose, given, images, title, volumes};
use crate::plan::graph;
use crate::plan::model::Template;
use crate::plan::problem::{Place, Problem};
use crate::plan::problems::Problems;
use crate::plan::rules;
use crate::source::Segment;
use crate::spec;

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    let shared = Shared::of(&checked.draft.resolved.spec);
    for template in &checked.draft.templates {
        named_images(template, problems);
        reserved(template, problems);
        if let Some(set) = &template.spec.container_set {
            container_set(template, set, problems);
        }
        mounts_once(template, problems);
        declared(checked, template, &shared, problems);
        for (container, place) in containers(template) {
            environment(container, &place, problems);
        }
        let spec = &template.spec;
        let beside = [
            ("initContainers", &spec.init_containers, "an init container has no name"),
            ("sidecars", &spec.sidecars, "a sidecar has no name"),
        ];
        for (key, containers, message) in beside {
            let nameless = containers.iter().enumerate().filter(|(_, other)| text(&other.container, "name").is_empty());
            problems.extend(nameless.map(|(index, _)| {
                Problem::error(rules::NAME_MISSING, template.place.key(key).index(index), message).help("add `name`")
            }));
        }
    }
}

/// Returns every container of a template with its place.
pub(super) fn containers(template: &Template) -> Vec<(&Value, Place)> {
    let spec = &template.spec;
    let at = |key: &str| template.place.key(key);
    let mut found: Vec<(&Value, Place)> = Vec::new();
    found.extend(spec.container.iter().map(|container| (&container.0, at("container"))));
    found.extend(spec.script.iter().map(|script| (&script.container.0, at("script"))));
    let set = spec.container_set.iter().flat_map(|set| set.containers.iter().enumerate());
    found.extend(set.map(|(index, node)| (&node.container.0, at("containerSet").key("containers").index(index))));
    let init = spec.init_containers.iter().enumerate();
    found.extend(init.map(|(index, container)| (&container.container.0, at("initContainers").index(index))));
    let sidecars = spec.sidecars.iter().enumerate();
    found.extend(sidecars.map(|(index, container)| (&container.container.0, at("sidecars").index(index))));
    found
}

/// Returns the text of a key, empty where there is none.
pub(super) fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Returns the items of a key, none where there is no list.
pub(super) fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn named_images(template: &Template, problems: &mut Problems) {
    for (container, place) in containers(template) {
        let image = text(container, "image");
        let main = template.spec.container.is_some() || template.spec.script.is_some();
        let own = main && (place == template.place.key("container") || place == template.place.key("script"));
        if image.is_empty() && own {
            let message = format!("the container of {} has no image", title(template));
            problems.push(Problem::error(rules::IMAGE, place, message).help("add `image`"));
        } else if let Some(fault) = given(Some(image)).and_then(images::fault) {
            let message = format!("`{image}` is not the name of an image: {fault}");
            problems.push(Problem::error(rules::IMAGE, place.key("image"), message));
        }
    }
}

/// Source: `IsArgoSidecar`.
fn reserved(template: &Template, problems: &mut Problems) {
    let is_reserved = |name: &str| name == "wait" || name == "supervisor" || name.starts_with("artifact-plugin-");
    let set = template.spec.container_set.iter().flat_map(|set| set.containers.iter().enumerate());
    let set =
        set.map(|(index, node)| (&node.container, template.place.key("containerSet").key("containers").index(index)));
    let sidecars = template.spec.sidecars.iter().enumerate();
    let sidecars = sidecars.map(|(index, sidecar)| (&sidecar.container, template.place.key("sidecars").index(index)));
    for (container, place) in set.chain(sidecars) {
        let name = text(container, "name");
        if is_reserved(name) {
            let message = format!("Argo keeps the container name `{name}` for itself");
            problems.push(Problem::error(rules::RESERVED, place.key("name"), message).help("choose another name"));
        }
    }
}

fn container_set(template: &Template, set: &spec::ContainerSetTemplate, problems: &mut Problems) {
    let at = template.place.key("containerSet");
    let place = at.key("containers");
    let names: Vec<&str> = set.containers.iter().map(|node| text(&node.container, "name")).collect();
    if names.is_empty() {
        let message = format!("the container set of {} has no containers", title(template));
        problems.push(Problem::error(rules::CONTAINER_SET, at, message));
        return;
    }
    set_names(&names, &place, problems);
    set_graph(set, &names, &place, problems);
    let inputs = template.spec.inputs.as_ref().is_some_and(|inputs| !inputs.artifacts.is_empty());
    let outputs = template.spec.outputs.as_ref();
    let outputs = outputs.is_some_and(|outputs| !outputs.parameters.is_empty() || !outputs.artifacts.is_empty());
    if (inputs || outputs) && !names.contains(&"main") {
        let message =
            format!("{} has inputs or outputs, but no container named `main` to handle them", title(template));
        let problem = Problem::error(rules::CONTAINER_SET, place, message);
        problems.push(problem.help("name the container `main` that reads and writes the files"));
    }
}

fn set_names(names: &[&str], place: &Place, problems: &mut Problems) {
    let error = |place: Place, message: String| Problem::error(rules::CONTAINER_SET, place, message);
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, name) in names.iter().enumerate() {
        let first = seen.get(name).copied();
        seen.entry(name).or_insert(index);
        if name.is_empty() {
            problems
                .push(error(place.index(index), "a container of the set has no name".to_owned()).help("add `name`"));
        } else if let Some(first) = first {
            let problem =
                error(place.index(index).key("name"), format!("two containers of the set are named `{name}`"));
            problems.push(problem.also(place.index(first).key("name"), "the first is here"));
        }
    }
}

fn set_graph(set: &spec::ContainerSetTemplate, names: &[&str], place: &Place, problems: &mut Problems) {
    let by_name: BTreeMap<&str, usize> = names.iter().enumerate().map(|(index, name)| (*name, index)).collect();
    let mut parents = Vec::new();
    for (index, node) in set.containers.iter().enumerate() {
        let known = node.dependencies.iter().filter_map(|name| by_name.get(name.as_str()).copied());
        parents.push(known.collect());
        let dependencies = place.index(index).key("dependencies");
        for (at, name) in node.dependencies.iter().enumerate().filter(|(_, name)| !by_name.contains_key(name.as_str()))
        {
            let message = format!("`{}` depends on `{name}`, which is no container of the set", names[index]);
            let problem = Problem::error(rules::CONTAINER_SET, dependencies.index(at), message);
            problems.push(problem.suggest(name, names.iter().copied().filter(|other| *other != names[index])));
        }
    }
    for cycle in graph::cycles(&parents) {
        let way: Vec<&str> = cycle.iter().chain(&cycle[..1]).map(|&index| names[index]).collect();
        let message = format!("containers wait for each other: {}", graph::circle(&way));
        let place = place.index(cycle[0]).key("dependencies");
        problems.push(Problem::error(rules::CONTAINER_SET, place, message));
    }
}

/// Nothing is mounted twice at one path of a container; input artifacts are mounted too, into the main one.
fn mounts_once(template: &Template, problems: &mut Problems) {
    for (container, place) in containers(template) {
        let is_main = [Some(&Segment::Key("container".into())), Some(&Segment::Key("script".into()))]
            .contains(&place.path.last());
        let inputs = template.spec.inputs.iter().filter(|_| is_main);
        let inputs = inputs.flat_map(|inputs| inputs.artifacts.iter().enumerate());
        let at = template.place.key("inputs").key("artifacts");
        let artifacts =
            inputs.map(|(index, artifact)| (artifact.path.as_deref().unwrap_or_default(), at.index(index).key("path")));
        paths_once(mounts_of(list(container, "volumeMounts"), &place).chain(artifacts), problems);
    }
    if let Some(set) = &template.spec.container_set {
        let mounts: Vec<Value> = set.volume_mounts.iter().map(|mount| mount.0.clone()).collect();
        paths_once(mounts_of(&mounts, &template.place.key("containerSet")), problems);
    }
}

fn paths_once<'v>(paths: impl Iterator<Item = (&'v str, Place)>, problems: &mut Problems) {
    let mut seen: BTreeMap<&str, Place> = BTreeMap::new();
    for (path, place) in paths.filter(|(path, _)| !path.is_empty()) {
        if let Some(first) = seen.get(path) {
            problems.push(volumes::mounted_twice(path, &place, first));
        }
        seen.entry(path).or_insert(place);
    }
}

fn mounts_of<'v>(mounts: &'v [Value], place: &Place) -> impl Iterator<Item = (&'v str, Place)> + use<'v> {
    let place = place.key("volumeMounts");
    mounts.iter().enumerate().map(move |(index, mount)| (text(mount, "mountPath"), place.index(index).key("mountPath")))
}

/// The volumes that the workflow declares for all its templates.
struct Shared<'a> {
    names: BTreeSet<&'a str>,
    /// Whether more may be declared than can be known: a name has tags, or there is a patch, which need not be
    /// readable before the run.
    is_open: bool,
}

impl<'a> Shared<'a> {
    fn of(spec: &'a spec::WorkflowSpec) -> Self {
        let claims = spec.volume_claim_templates.iter().filter_map(|claim| claim.get("metadata"));
        let volumes = spec.volumes.iter().map(|volume| &volume.0).chain(claims);
        let names: BTreeSet<&str> = volumes.map(|volume| text(volume, "name")).collect();
        let is_open = spec.pod_spec_patch.is_some() || names.iter().any(|name| name.contains("{{"));
        Self { names, is_open }
    }
}

/// What is mounted is declared.
fn declared(checked: &Checked<'_>, template: &Template, shared: &Shared<'_>, problems: &mut Problems) {
    let own: BTreeSet<&str> = template.spec.volumes.iter().map(|volume| text(&volume.0, "name")).collect();
    let is_open = template.spec.pod_spec_patch.is_some() || own.iter().any(|name| name.contains("{{"));
    if is_open || shared.is_open {
        return;
    }
    let is_declared = |name: &str| own.contains(name) || shared.names.contains(name);
    for (container, place) in containers(template) {
        for (index, mount) in list(container, "volumeMounts").iter().enumerate() {
            let name = text(mount, "name");
            if !name.is_empty() && !name.contains("{{") && !is_declared(name) {
                let place = place.key("volumeMounts").index(index).key("name");
                let message = format!("there is no volume `{name}`");
                // The volumes of a library's template may be those of the workflow that calls it.
                let problem = match checked.purpose {
                    Purpose::Library => Problem::warning(rules::VOLUME, place, message),
                    Purpose::Run | Purpose::Lint => Problem::error(rules::VOLUME, place, message),
                };
                problems.push(
                    problem
                        .help("declare it in `volumes` of the template or of the workflow")
                        .suggest(name, own.iter().chain(&shared.names).copied()),
                );
            }
        }
    }
}

fn environment(container: &Value, place: &Place, problems: &mut Problems) {
    for (index, variable) in list(container, "env").iter().enumerate() {
        if text(variable, "name").is_empty() {
            let place = place.key("env").index(index);
            problems.push(Problem::error(rules::ENV, place, "an environment variable has no name").help("add `name`"));
        }
    }
}
