//! From a request of the engine to a monitor's order: everything looked up, nothing done.

use std::collections::BTreeSet;

use serde_json::Value;

use super::container::container;
use super::environment::{PodFacts, items, text};
use super::fault::Fault;
use super::files::LocalFiles;
use super::order::{Container, InputArtifact, Member, Order, OutputArtifact, OutputParameter, Source, Volume};
use super::{repository, volumes};
use crate::backend::tries::Tries;
use crate::engine::PodRequest;
use crate::plan::Resolved;
use crate::spec;

/// The name of the container whose end is the pod's, as Argo calls it.
pub(super) const MAIN: &str = "main";

/// The level of gzip when the manifest gives none. Stores near at hand gain little from more.
const GZIP_LEVEL_DEFAULT: u32 = 1;

/// What containers are made in the midst of.
pub(super) struct Surroundings<'a> {
    /// The pod.
    pub facts: PodFacts,
    /// The objects that it may refer to.
    pub files: &'a LocalFiles,
    /// What every process has in its environment.
    pub base_env: &'a [(String, String)],
}

/// Returns the order for `request`, or why its pod cannot start.
pub(super) fn order(request: &PodRequest, resolved: &Resolved, around: &Surroundings<'_>) -> Result<Order, Fault> {
    let template = &*request.template;
    let set = set(template, around)?;
    let main = match set.iter().find(|member| member.container.name == MAIN).or(set.first()) {
        Some(member) => member.container.clone(),
        None => main_container(template, around)?,
    };
    let init = beside(&template.init_containers, &main, around)?;
    let sidecars = beside(&template.sidecars, &main, around)?;
    let members = set.iter().map(|member| &member.container);
    let others = init.iter().chain(&sidecars).chain(members);
    let used = main.mounts.iter().chain(others.flat_map(|container| &container.mounts));
    let used: BTreeSet<&str> = used.map(|mount| mount.volume.as_str()).collect();
    let outputs = template.outputs.as_ref();
    Ok(Order {
        node: request.node,
        volumes: mounted_volumes(&used, &resolved.spec.volumes, &template.volumes, around)?,
        inputs: inputs(request)?,
        parameters: outputs.map(output_parameters).unwrap_or_default(),
        artifacts: outputs.map(|outputs| output_artifacts(request, outputs)).unwrap_or_default(),
        main_log: keeps_log(template, &resolved.spec).then(|| main_log(request)),
        capture_result: request.capture_result,
        daemon: template.daemon == Some(true),
        deadline_after_ms: request.deadline_after.map(|span| span.0),
        deadline: request.deadline,
        init,
        main,
        sidecars,
        set,
        tries: tries(template)?,
    })
}

fn tries(template: &spec::Template) -> Result<Tries, Fault> {
    let strategy = template.container_set.as_ref().and_then(|set| set.retry_strategy.as_ref());
    Tries::of(strategy).map_err(Fault::refused)
}

/// Returns what is known of the pod that `request` asks for, in the run called `run`.
pub(super) fn facts(request: &PodRequest, resolved: &Resolved, run: &str, host: &str) -> PodFacts {
    let template = &*request.template;
    let mut facts = PodFacts {
        name: request.pod_name.clone(),
        namespace: resolved.metadata.namespace.clone().unwrap_or_else(|| "default".to_owned()),
        host: host.to_owned(),
        ..PodFacts::default()
    };
    let account = template.service_account_name.as_ref().or(resolved.spec.service_account_name.as_ref());
    facts.service_account = account.cloned().unwrap_or_else(|| "default".to_owned());
    facts.labels.insert("workflows.argoproj.io/workflow".to_owned(), run.to_owned());
    facts.annotations.insert("workflows.argoproj.io/node-name".to_owned(), request.node_name.to_string());
    for metadata in [resolved.spec.pod_metadata.as_ref(), template.metadata.as_ref()].into_iter().flatten() {
        facts.labels.extend(metadata.labels.iter().map(|(key, value)| (key.clone(), value.clone())));
        facts.annotations.extend(metadata.annotations.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    facts
}

fn main_container(template: &spec::Template, around: &Surroundings<'_>) -> Result<Container, Fault> {
    if let Some(script) = &template.script {
        let mut main = container(&script.container, MAIN, around)?;
        main.script = Some(script.source.clone()).filter(|source| !source.is_empty());
        return Ok(main);
    }
    let Some(declared) = &template.container else {
        return Err(Fault::refused("only `container` and `script` templates have pods here"));
    };
    container(declared, MAIN, around)
}

/// Returns the containers of a set. What the set mounts, each of them does.
fn set(template: &spec::Template, around: &Surroundings<'_>) -> Result<Vec<Member>, Fault> {
    let Some(set) = &template.container_set else { return Ok(Vec::new()) };
    let member = |node: &spec::ContainerNode| {
        let name = text(&node.container, "name").unwrap_or_default();
        // The name is that of a log file.
        if name.is_empty() || name.contains('/') {
            return Err(Fault::refused(format!("a container of a set cannot be called `{name}`")));
        }
        let mut declared = node.container.0.clone();
        let shared = set.volume_mounts.iter().map(|mount| mount.0.clone());
        let mounts: Vec<Value> = shared.chain(items(&declared, "volumeMounts").cloned()).collect();
        declared["volumeMounts"] = mounts.into();
        Ok(Member { container: container(&declared, name, around)?, after: node.dependencies.clone() })
    };
    set.containers.iter().map(member).collect()
}

fn beside(
    declared: &[spec::UserContainer],
    main: &Container,
    around: &Surroundings<'_>,
) -> Result<Vec<Container>, Fault> {
    let mut containers = Vec::with_capacity(declared.len());
    for (at, user) in declared.iter().enumerate() {
        let name = text(&user.container, "name").map_or_else(|| format!("container-{at}"), str::to_owned);
        // The name is that of a log file.
        if name.contains('/') || name == MAIN {
            return Err(Fault::refused(format!("a container beside the main one cannot be called `{name}`")));
        }
        let mut made = container(&user.container, &name, around)?;
        if user.mirror_volume_mounts == Some(true) {
            made.mounts.splice(0..0, main.mounts.iter().cloned());
        }
        containers.push(made);
    }
    Ok(containers)
}

fn mounted_volumes(
    used: &BTreeSet<&str>,
    workflow: &[spec::Json],
    template: &[spec::Json],
    around: &Surroundings<'_>,
) -> Result<Vec<Volume>, Fault> {
    let find = |name: &str| -> Option<&Value> {
        let named = |volume: &&spec::Json| text(volume, "name") == Some(name);
        template.iter().find(named).or_else(|| workflow.iter().find(named)).map(|volume| &volume.0)
    };
    let made = used.iter().map(|name| {
        let declared = find(name).ok_or_else(|| Fault::refused(format!("there is no volume `{name}` to mount")))?;
        volumes::volume(declared, around)
    });
    made.collect()
}

fn inputs(request: &PodRequest) -> Result<Vec<InputArtifact>, Fault> {
    let declared = request.template.inputs.iter().flat_map(|inputs| &inputs.artifacts);
    let made = declared.filter_map(|declared| {
        let given = request.inputs.artifact(&declared.name).map_or(declared, |given| given);
        input(declared, given).transpose()
    });
    made.collect()
}

/// Returns one input: `declared` says where it is wanted, `given` where it comes from.
fn input(declared: &spec::Artifact, given: &spec::Artifact) -> Result<Option<InputArtifact>, Fault> {
    let Some(path) = declared.path.clone() else { return Ok(None) };
    let optional = declared.optional == Some(true) || given.optional == Some(true);
    let source = match (&given.location.raw, repository::own_key(&given.location)) {
        (Some(raw), _) => Source::Text(raw.data.clone()),
        (None, Some(key)) => Source::Key(key.to_owned()),
        (None, None) if optional && has_no_location(&given.location) => return Ok(None),
        (None, None) => {
            let name = &declared.name;
            return Err(Fault::refused(format!("the input artifact `{name}` does not lie on this machine")));
        }
    };
    let plain = declared.archive.as_ref().or(given.archive.as_ref()).is_some_and(|archive| archive.none.is_some());
    Ok(Some(InputArtifact {
        name: declared.name.clone(),
        path: absolute(&path),
        unpack: !plain && matches!(source, Source::Key(_)),
        source,
        optional,
        mode: declared.mode.and_then(|mode| u32::try_from(mode).ok()).map(|mode| mode & 0o777),
        recurse_mode: declared.recurse_mode == Some(true),
    }))
}

fn has_no_location(location: &spec::ArtifactLocation) -> bool {
    *location == spec::ArtifactLocation { archive_logs: location.archive_logs, ..Default::default() }
}

fn output_parameters(outputs: &spec::Outputs) -> Vec<OutputParameter> {
    let with_path = |parameter: &spec::Parameter| {
        let path = parameter.value_from.as_ref()?.path.as_ref()?;
        Some(OutputParameter { name: parameter.name.clone(), path: absolute(path) })
    };
    outputs.parameters.iter().filter_map(with_path).collect()
}

fn output_artifacts(request: &PodRequest, outputs: &spec::Outputs) -> Vec<OutputArtifact> {
    let with_path = |declared: &spec::Artifact| {
        let path = absolute(declared.path.as_ref()?);
        let pack = gzip_level(declared.archive.as_ref());
        let file = match pack {
            Some(_) => format!("{}.tgz", declared.name),
            None => path.rsplit('/').find(|part| !part.is_empty()).unwrap_or(&declared.name).to_owned(),
        };
        let key = repository::own_key(&declared.location).map(str::to_owned);
        let key = key.unwrap_or_else(|| format!("{}/{file}", repository::folder_key(request)));
        Some(OutputArtifact { artifact: saved(declared.clone(), &key), path, key, pack })
    };
    outputs.artifacts.iter().filter_map(with_path).collect()
}

fn saved(artifact: spec::Artifact, key: &str) -> spec::Artifact {
    spec::Artifact { location: repository::location(key), ..artifact }
}

/// Returns the level of gzip that an archive asks for. Zip is kept as tar: only `wf` reads it here.
fn gzip_level(archive: Option<&spec::ArchiveStrategy>) -> Option<u32> {
    let Some(archive) = archive else { return Some(GZIP_LEVEL_DEFAULT) };
    if archive.none.is_some() && archive.tar.is_none() {
        return None;
    }
    let level = archive.tar.as_ref().and_then(|tar| tar.compression_level);
    Some(level.map_or(GZIP_LEVEL_DEFAULT, |level| u32::try_from(level).unwrap_or(GZIP_LEVEL_DEFAULT).min(9)))
}

/// Returns whether the main container's log is kept as an artifact: the template's word, else the workflow's.
fn keeps_log(template: &spec::Template, workflow: &spec::WorkflowSpec) -> bool {
    let own = template.archive_location.as_ref().and_then(|location| location.archive_logs);
    own.or(workflow.archive_logs).unwrap_or(false)
}

fn main_log(request: &PodRequest) -> OutputArtifact {
    let key = format!("{}/main.log", repository::folder_key(request));
    let named = spec::Artifact { name: "main-logs".to_owned(), ..spec::Artifact::default() };
    OutputArtifact { artifact: saved(named, &key), path: String::new(), key, pack: None }
}

/// Returns a container's path as an absolute one: what is relative is so to the root, as in Argo's executor.
fn absolute(path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::base::NodeIx;
    use crate::engine::Inputs;

    pub(in crate::backend::local) fn request(template: Value) -> PodRequest {
        PodRequest {
            node: NodeIx(7),
            node_name: "wf.a".into(),
            pod_name: "wf-a-1".to_owned(),
            template: Arc::new(serde_json::from_value(template).expect("a template")),
            is_running: false,
            avoided_hosts: Vec::new(),
            workflow: Arc::default(),
            inputs: Arc::new(Inputs::default()),
            capture_result: false,
            deadline_after: None,
            deadline: None,
        }
    }

    fn resolved(spec: Value) -> Resolved {
        let spec = serde_json::from_value(spec).expect("a workflow's spec");
        Resolved {
            metadata: spec::ObjectMeta::default(),
            spec,
            templates: Default::default(),
            cluster_templates: Default::default(),
            config_maps: Default::default(),
        }
    }

    fn make(request: &PodRequest, workflow: Value) -> Result<Order, String> {
        let files = LocalFiles::default();
        let resolved = resolved(workflow);
        let facts = facts(request, &resolved, "wf", "here");
        let around = Surroundings { facts, files: &files, base_env: &[("PATH".to_owned(), "/bin".to_owned())] };
        order(request, &resolved, &around).map_err(|fault| fault.to_string())
    }

    #[test]
    fn a_script_gets_its_source_and_environment() {
        let template = json!({ "script": { "image": "python", "command": ["python"], "source": "print(1)" } });
        let order = make(&request(template), json!({})).expect("an order");
        assert_eq!(order.main.command, ["python"]);
        assert_eq!(order.main.script.as_deref(), Some("print(1)"));
        let env: Vec<_> = order.main.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(env, ["PATH=/bin", "HOSTNAME=wf-a-1"]);
    }

    #[test]
    fn mounts_find_their_volumes() {
        let template = |name: &str| {
            json!({
                "container": { "command": ["x"], "volumeMounts": [{ "name": name, "mountPath": "/v" }] },
                "initContainers": [{ "name": "i", "command": ["y"], "mirrorVolumeMounts": true }],
            })
        };
        let workflow = json!({ "volumes": [{ "name": "v", "emptyDir": {} }, { "name": "unused", "nfs": {} }] });
        let order = make(&request(template("v")), workflow.clone()).expect("an order");
        assert_eq!(order.volumes.len(), 1);
        assert_eq!(order.init[0].mounts, order.main.mounts);
        assert_eq!(make(&request(template("w")), workflow), Err("there is no volume `w` to mount".to_owned()));
    }

    #[test]
    fn outputs_have_keys_in_the_repository() {
        let template = json!({
            "container": { "command": ["x"] },
            "outputs": { "artifacts": [
                { "name": "a", "path": "/tmp/a.txt" },
                { "name": "b", "path": "tmp/b.txt", "archive": { "none": {} } },
                { "name": "c", "path": "/c/", "s3": { "key": "my/c" }, "archive": { "tar": { "compressionLevel": 0 } } },
            ]},
            "archiveLocation": { "archiveLogs": true },
        });
        let request = request(template);
        let pod = &request.pod_name;
        let order = make(&request, json!({})).expect("an order");
        let shown: Vec<_> = order.artifacts.iter().map(|a| format!("{} {} {:?}", a.path, a.key, a.pack)).collect();
        let expected = [format!("/tmp/a.txt {pod}/7/a.tgz Some(1)"), format!("/tmp/b.txt {pod}/7/b.txt None")];
        assert_eq!(shown[..2], expected);
        assert_eq!(shown[2], "/c/ my/c Some(0)");
        assert_eq!(repository::own_key(&order.artifacts[2].artifact.location), Some("my/c"));
        assert_eq!(order.main_log.expect("logs are kept").key, format!("{pod}/7/main.log"));
    }

    #[test]
    fn inputs_come_from_where_they_lie() {
        let template = json!({
            "container": { "command": ["x"] },
            "inputs": { "artifacts": [
                { "name": "raw", "path": "/r", "mode": 493, "raw": { "data": "text" } },
                { "name": "given", "path": "/g" },
                { "name": "spare", "path": "/s", "optional": true },
            ]},
        });
        let mut request = request(template);
        let given =
            spec::Artifact { name: "given".into(), location: repository::location("3/x.tgz"), ..Default::default() };
        request.inputs = Arc::new(Inputs { parameters: Vec::new(), artifacts: vec![Arc::new(given)] });
        let order = make(&request, json!({})).expect("an order");
        let sources: Vec<_> = order.inputs.iter().map(|input| (&input.source, input.unpack, input.mode)).collect();
        let expected = [(Source::Text("text".into()), false, Some(0o755)), (Source::Key("3/x.tgz".into()), true, None)];
        assert_eq!(sources, expected.iter().map(|(s, u, m)| (s, *u, *m)).collect::<Vec<_>>());
        request.inputs = Arc::new(Inputs::default());
        let fault = make(&request, json!({})).expect_err("it was not given");
        assert_eq!(fault, "the input artifact `given` does not lie on this machine");
    }
}
