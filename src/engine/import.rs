//! From a workflow object that Argo ran to the one event that says the same: `Imported`.
//!
//! A node's place in the run is read from its name, which Argo makes of the names of its callers;
//! the plan says what stands at that place. Nothing is evaluated but the texts of pods that have
//! not ended, which may have to be started again.

mod names;
pub mod object;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;

use self::names::{Step, path};
use super::event::{Caller, Created, Event, Imported, ImportedNode};
use super::model::{NodeType, Phase};
use super::run::{Run, Shutdown};
use super::value::{Inputs, Outputs, Parameter};
use crate::base::{NodeIx, RunName, RunUid, Timestamp, limits};
use crate::plan::{Body, Plan, Scope, Task};
use crate::spec;

/// Why an object cannot be imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// It was never run.
    #[error("the workflow has no status: it has not been run")]
    NoStatus,
    /// It is something else.
    #[error("it is a `{0}` object; a run is made of a Workflow that Argo has run")]
    NotAWorkflow(String),
    /// Argo may still act upon it.
    #[error("the workflow is still at work in Argo ({0}): stop it there, or wait for its end")]
    AtWork(String),
    /// Its nodes are in Argo's database.
    #[error(
        "Argo keeps the nodes of this workflow in its database (offloadNodeStatusVersion): print it with \
         `argo get NAME -o yaml`, which fetches them"
    )]
    Offloaded,
    /// Its nodes are packed in a form that is not read here.
    #[error("the nodes of this workflow cannot be unpacked ({0}): print it with `argo get NAME -o yaml`")]
    Packed(String),
    /// It has more nodes than a run takes.
    #[error("the workflow has {0} nodes, of which a run takes {max} (NODES_PER_RUN_MAX)", max = limits::NODES_PER_RUN_MAX)]
    TooManyNodes(usize),
    /// A node stands nowhere in the workflow.
    #[error("node `{node}` cannot be placed: {why}")]
    Node {
        /// Its name.
        node: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Returns the first event of a run that goes on where Argo left a workflow: `status` is the
/// object's status, `plan` is made of its spec.
pub fn import(plan: &Arc<Plan>, name: &RunName, uid: &RunUid, status: &Json) -> Result<Event, ImportError> {
    let nodes = status["nodes"].as_object().filter(|nodes| !nodes.is_empty());
    if nodes.is_none() && text(&status["phase"]).is_empty() {
        return Err(ImportError::NoStatus);
    }
    let nodes: Vec<&Json> = nodes.into_iter().flatten().map(|(_, node)| node).collect();
    if nodes.len() > limits::NODES_PER_RUN_MAX {
        return Err(ImportError::TooManyNodes(nodes.len()));
    }
    let placed = place(nodes, name.as_str())?;
    let mut draft =
        Draft { run: Run::new(plan.clone(), name.clone(), uid.clone(), Timestamp(0)), status, ids: BTreeMap::new() };
    for (ix, (_, node)) in placed.iter().enumerate() {
        draft.ids.insert(text(&node["id"]).to_owned(), NodeIx(ix as u32));
    }
    let mut imported = draft.head();
    let mut by_path = BTreeMap::new();
    for (ix, (path, node)) in placed.iter().enumerate() {
        let fault = |why: String| ImportError::Node { node: text(&node["name"]).to_owned(), why };
        let created = draft.node(path, node, &by_path, &imported.nodes).map_err(fault)?;
        by_path.insert(path.clone(), NodeIx(ix as u32));
        imported.nodes.push(created);
    }
    Ok(Event::Imported(Box::new(imported)))
}

/// Returns the workflow that Argo ran, and the templates that it ran with: what it stored in the
/// status when it began, since both may have changed. Source: Argo's `setStoredWfSpec`.
pub fn stored(workflow: &Json) -> (Json, Vec<Json>) {
    let mut ran = workflow.clone();
    let stored = &workflow["status"]["storedWorkflowTemplateSpec"];
    if stored.is_object() {
        ran["spec"] = stored.clone();
        for key in ["shutdown", "suspend"] {
            ran["spec"][key] = workflow["spec"][key].clone();
        }
        if workflow["spec"]["entrypoint"].is_string() {
            ran["spec"]["entrypoint"] = workflow["spec"]["entrypoint"].clone();
        }
        if let Some(spec) = ran["spec"].as_object_mut() {
            spec.remove("workflowTemplateRef");
            spec.retain(|_, value| !value.is_null());
        }
    }
    let mut objects: BTreeMap<(&str, &str), Vec<Json>> = BTreeMap::new();
    for (key, template) in workflow["status"]["storedTemplates"].as_object().into_iter().flatten() {
        if let Some((scope, rest)) = key.split_once('/')
            && let Some((object, _)) = rest.split_once('/')
        {
            objects.entry((scope, object)).or_default().push(template.clone());
        }
    }
    (ran, objects.into_iter().map(|((scope, name), templates)| object(scope, name, templates)).collect())
}

fn object(scope: &str, name: &str, templates: Vec<Json>) -> Json {
    let kind = if scope == "cluster" { "ClusterWorkflowTemplate" } else { "WorkflowTemplate" };
    serde_json::json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {"templates": templates},
    })
}

/// Returns the nodes by their places, each after its callers.
fn place<'n>(nodes: Vec<&'n Json>, run: &str) -> Result<Vec<(Vec<Step>, &'n Json)>, ImportError> {
    let mut placed = Vec::with_capacity(nodes.len());
    for node in nodes {
        let name = text(&node["name"]);
        let rest = name.strip_prefix(run).and_then(path);
        let why = || format!("its name does not begin with `{run}` and the names of what calls it");
        let place = rest.ok_or_else(|| ImportError::Node { node: name.to_owned(), why: why() })?;
        placed.push((place, node));
    }
    placed.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(placed)
}

struct Draft<'s> {
    run: Run,
    status: &'s Json,
    ids: BTreeMap<String, NodeIx>,
}

impl Draft<'_> {
    fn head(&self) -> Imported {
        let spec = self.run.plan.spec();
        let phase = phase(text(&self.status["phase"]));
        Imported {
            phase: if phase == Phase::Pending { Phase::Running } else { phase },
            message: text(&self.status["message"]).into(),
            started_at: time(&self.status["startedAt"]),
            finished_at: time(&self.status["finishedAt"]),
            suspended: spec.suspend == Some(true),
            shutdown: match spec.shutdown.as_deref() {
                Some("Stop") => Some(Shutdown::Stop),
                Some("Terminate") => Some(Shutdown::Terminate),
                _ => None,
            },
            outputs: outputs(&self.status["outputs"]).unwrap_or_default(),
            nodes: Vec::new(),
        }
    }

    fn node(
        &self,
        path: &[Step],
        node: &Json,
        by_path: &BTreeMap<Vec<Step>, NodeIx>,
        before: &[ImportedNode],
    ) -> Result<ImportedNode, String> {
        let caller = self.caller(path, by_path, before)?;
        let kind = match text(&node["type"]) {
            "" => self.kind(&caller, called(node), before),
            word => kind(word)?,
        };
        let phase = match (text(&node["phase"]), kind) {
            // A group that says nothing is at work: what is in it tells how it comes out.
            ("", NodeType::Steps | NodeType::StepGroup | NodeType::Dag | NodeType::TaskGroup | NodeType::Retry) => {
                Phase::Running
            }
            (word, _) => phase(word),
        };
        let created = Created {
            message: text(&node["message"]).into(),
            inputs: inputs(&node["inputs"])?.map(Arc::new),
            called: called(node),
            outputs: outputs(&node["outputs"]).map(Arc::new),
            ..Created::bare(text(&node["name"]).into(), kind, phase, caller, Vec::new())
        };
        let children = node["children"].as_array().into_iter().flatten();
        Ok(ImportedNode {
            created,
            started_at: time(&node["startedAt"]).unwrap_or(Timestamp(0)),
            finished_at: time(&node["finishedAt"]),
            children: children.filter_map(|id| self.ids.get(text(id)).copied()).collect(),
            daemoned: node["daemoned"] == true,
            pod_ip: node["podIP"].as_str().map(Arc::from),
            host: node["hostNodeName"].as_str().map(Arc::from),
        })
    }

    fn caller(
        &self,
        path: &[Step],
        by_path: &BTreeMap<Vec<Step>, NodeIx>,
        before: &[ImportedNode],
    ) -> Result<Caller, String> {
        let Some((last, rest)) = path.split_last() else { return Ok(Caller::Entry) };
        let above = |rest: &[Step]| by_path.get(rest).copied().ok_or_else(|| "what calls it is not there".to_owned());
        Ok(match last {
            Step::Hook(name) if rest.is_empty() && &**name == "exit" => Caller::Exit,
            Step::Hook(name) if rest.is_empty() => Caller::RunHook(name.clone()),
            Step::Hook(name) => Caller::Hook(above(rest)?, name.clone()),
            Step::Attempt(number) => Caller::Attempt(above(rest)?, *number),
            Step::Group(number) => Caller::Group(above(rest)?, *number),
            Step::Call(name) => self.call(above(rest)?, name, None, before)?,
            Step::Item(number, _) => match rest.split_last() {
                Some((Step::Call(name), rest)) => self.call(above(rest)?, name, Some(*number), before)?,
                _ => return Err("a round of a loop belongs to a step or a task".to_owned()),
            },
        })
    }

    /// Returns the place of a step, a task or a container of that name below `above`.
    fn call(&self, above: NodeIx, name: &str, item: Option<u32>, before: &[ImportedNode]) -> Result<Caller, String> {
        let missing = || format!("`{name}` is not in the workflow");
        let find = |tasks: &[Task]| tasks.iter().position(|task| &*task.name == name).ok_or_else(missing);
        let caller = &before[above.index()].created.caller;
        match (before[above.index()].created.kind, caller) {
            (NodeType::StepGroup, Caller::Group(steps, number)) => {
                let Some(Body::Steps(groups)) = self.body(*steps, before) else { return Err(missing()) };
                let group = groups.get(*number as usize).ok_or_else(missing)?;
                Ok(Caller::Step(above, find(group)? as u32, item))
            }
            (NodeType::Dag, _) => match self.body(above, before) {
                Some(Body::Dag(dag)) => Ok(Caller::Task(above, find(&dag.tasks)? as u32, item)),
                _ => Err(missing()),
            },
            (NodeType::Pod, _) => Ok(Caller::Container(above, 0)),
            _ => Err(missing()),
        }
    }

    fn body(&self, ix: NodeIx, before: &[ImportedNode]) -> Option<&Body> {
        let template = self.template(ix, before)?;
        Some(&self.run.plan.template(template).body)
    }

    /// Returns the type of a node that does not say it: that of what is called at its place.
    fn kind(&self, caller: &Caller, called: Option<(Scope, Arc<str>)>, before: &[ImportedNode]) -> NodeType {
        let template = self.template_at(caller, called.as_ref(), before).map(|ix| self.run.plan.template(ix));
        match (caller, template.map(|template| &template.body)) {
            (Caller::Group(..), _) => NodeType::StepGroup,
            (Caller::Container(..), _) => NodeType::Container,
            (_, Some(Body::Steps(_))) => NodeType::Steps,
            (_, Some(Body::Dag(_))) => NodeType::Dag,
            (_, Some(Body::Suspend)) => NodeType::Suspend,
            (_, Some(Body::Http)) => NodeType::Http,
            (_, Some(Body::Plugin)) => NodeType::Plugin,
            (_, Some(Body::Pod)) => NodeType::Pod,
            (_, None) => NodeType::Skipped,
        }
    }

    /// Returns the template of a node, by the plan's own words and else by its own.
    fn template(&self, ix: NodeIx, before: &[ImportedNode]) -> Option<crate::plan::TemplateIx> {
        let created = &before[ix.index()].created;
        self.template_at(&created.caller, created.called.as_ref(), before)
    }

    fn template_at(
        &self,
        caller: &Caller,
        called: Option<&(Scope, Arc<str>)>,
        before: &[ImportedNode],
    ) -> Option<crate::plan::TemplateIx> {
        let plan = &self.run.plan;
        let task = |caller: &Caller| match caller {
            Caller::Step(group, step, _) => {
                let Caller::Group(steps, number) = before[group.index()].created.caller else { return None };
                match self.body(steps, before)? {
                    Body::Steps(groups) => groups.get(number as usize)?.get(*step as usize),
                    _ => None,
                }
            }
            Caller::Task(dag, task, _) => match self.body(*dag, before)? {
                Body::Dag(dag) => dag.tasks.get(*task as usize),
                _ => None,
            },
            _ => None,
        };
        let by_caller = match caller {
            Caller::Entry => Some(plan.entrypoint),
            Caller::Exit => plan.on_exit,
            Caller::RunHook(name) => plan.hooks.get(name).copied(),
            Caller::Attempt(of, _) | Caller::Container(of, _) => self.template(*of, before),
            Caller::Hook(of, name) => task(&before[of.index()].created.caller)?.hooks.get(name).copied(),
            caller @ (Caller::Step(..) | Caller::Task(..)) => task(caller)?.target,
            Caller::Group(..) => None,
        };
        let by_name = || called.and_then(|(scope, name)| plan.lookup(scope, name));
        by_caller.or_else(by_name)
    }
}

/// Returns a node's own words for its template.
fn called(node: &Json) -> Option<(Scope, Arc<str>)> {
    let reference = &node["templateRef"];
    if let Some(template) = reference["template"].as_str() {
        let object = text(&reference["name"]).into();
        let scope = if reference["clusterScope"] == true { Scope::Cluster(object) } else { Scope::Namespaced(object) };
        return Some((scope, template.into()));
    }
    let name = node["templateName"].as_str().filter(|name| !name.is_empty())?;
    let scope = match text(&node["templateScope"]).split_once('/') {
        Some(("namespaced", object)) => Scope::Namespaced(object.into()),
        Some(("cluster", object)) => Scope::Cluster(object.into()),
        _ => Scope::Local,
    };
    Some((scope, name.into()))
}

fn text(json: &Json) -> &str {
    json.as_str().unwrap_or_default()
}

pub(super) fn time(json: &Json) -> Option<Timestamp> {
    Timestamp::parse_rfc3339(json.as_str()?)
}

/// Returns a phase; a node or workflow that has none yet is pending.
fn phase(word: &str) -> Phase {
    match word {
        "Running" => Phase::Running,
        "Succeeded" => Phase::Succeeded,
        "Skipped" => Phase::Skipped,
        "Failed" => Phase::Failed,
        "Error" => Phase::Error,
        "Omitted" => Phase::Omitted,
        _ => Phase::Pending,
    }
}

fn kind(word: &str) -> Result<NodeType, String> {
    const KINDS: [NodeType; 11] = [
        NodeType::Pod,
        NodeType::Container,
        NodeType::Steps,
        NodeType::StepGroup,
        NodeType::Dag,
        NodeType::TaskGroup,
        NodeType::Retry,
        NodeType::Skipped,
        NodeType::Suspend,
        NodeType::Http,
        NodeType::Plugin,
    ];
    KINDS.into_iter().find(|kind| kind.as_str() == word).ok_or_else(|| format!("`{word}` is no type of a node"))
}

fn inputs(json: &Json) -> Result<Option<Inputs>, String> {
    if json.is_null() {
        return Ok(None);
    }
    let artifacts = json["artifacts"].as_array().into_iter().flatten();
    let artifacts = artifacts.map(artifact).collect::<Result<_, _>>()?;
    let inputs = Inputs { parameters: parameters(&json["parameters"]), artifacts };
    Ok((inputs != Inputs::default()).then_some(inputs))
}

pub(super) fn outputs(json: &Json) -> Option<Outputs> {
    let artifacts = json["artifacts"].as_array().into_iter().flatten();
    let outputs = Outputs {
        parameters: parameters(&json["parameters"]),
        artifacts: artifacts.filter_map(|json| artifact(json).ok()).collect(),
        result: json["result"].as_str().map(Arc::from),
        exit_code: json["exitCode"].as_str().and_then(|code| code.parse().ok()),
    };
    (!outputs.is_empty()).then_some(outputs)
}

fn parameters(json: &Json) -> Vec<Parameter> {
    let parameter =
        |json: &Json| Parameter { name: text(&json["name"]).into(), value: json["value"].as_str().map(Arc::from) };
    json.as_array().into_iter().flatten().map(parameter).collect()
}

fn artifact(json: &Json) -> Result<Arc<spec::Artifact>, String> {
    serde_json::from_value(json.clone()).map(Arc::new).map_err(|fault| format!("an artifact cannot be read: {fault}"))
}
