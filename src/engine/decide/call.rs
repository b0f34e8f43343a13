//! A call of a template: the one way in which nodes come to be. Source: Argo's `executeTemplate`.

use std::sync::Arc;

use super::Decider;
use super::memo::Remembered;
use super::room::Block;
use crate::base::{NodeIx, TimeSpan, Timestamp, limits};
use crate::engine::event::{Caller, Created};
use crate::engine::memo::Memo;
use crate::engine::model::{NodeType, Phase};
use crate::engine::run::Shutdown;
use crate::engine::scope::global::pod_name;
use crate::engine::scope::inner::{Chain, Inner};
use crate::engine::scope::outer::{Around, Outer};
use crate::engine::value::{Inputs, Outputs, Parameter};
use crate::expr::{TemplateStr, Unresolved};
use crate::plan::{Body, Scope, Template, TemplateIx};
use crate::spec;

/// A call that is to be made.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Call {
    /// The full name of the node.
    pub name: Arc<str>,
    /// Who calls.
    pub caller: Caller,
    /// The nodes that the new one comes after.
    pub parents: Vec<NodeIx>,
    /// What is called.
    pub template: TemplateIx,
    /// The template's words, where the caller's do not say them.
    pub called: Option<(Scope, Arc<str>)>,
    /// What it is handed; values are final.
    pub arguments: Option<Arc<spec::Arguments>>,
    /// The steps whose absent outputs it was to be handed, by parameter: their inputs take defaults.
    pub absent: Vec<Arc<str>>,
    /// The name of the step or task, for `steps.name` and `tasks.name`.
    pub local: Option<(&'static str, Arc<str>)>,
    /// What the texts of an inline template name around it.
    pub outer: Option<Arc<Outer>>,
}

/// One of the things that a group or a loop is to do, in order.
#[derive(Debug, Clone)]
pub(in crate::engine) enum Todo {
    /// Make a call.
    Make(Box<Call>),
    /// Make a node that is not called: its name, its caller, its phase, and why.
    Skip(Arc<str>, Caller, Phase, String),
}

/// What came of a call.
pub(in crate::engine) enum Outcome {
    /// A node, which may have ended already.
    Made,
    /// It is put off, and its frame will be woken when it can be made.
    Blocked,
    /// The node ended in an error whose words the caller passes on.
    Broken(String),
}

/// Where the value of an input comes from.
enum Given {
    /// From the call, or a ConfigMap: nothing in it is replaced.
    Final(Option<Arc<str>>),
    /// From the template's own declaration, where tags are replaced.
    Own(Arc<str>),
}

impl Given {
    fn into_text(self) -> Option<Arc<str>> {
        match self {
            Given::Final(value) => value,
            Given::Own(text) => Some(text),
        }
    }
}

/// What a call was let in with.
#[derive(Default)]
pub(super) struct Admission {
    /// The locks that it takes, or waits for.
    pub locks: Vec<Arc<str>>,
    /// The words to wait with, when it waits.
    pub waits: Option<Arc<str>>,
    /// The template's texts, by which a node that waits knows its locks.
    pub texts: Vec<Arc<str>>,
    /// Where its result is to be kept.
    pub memo: Option<Memo>,
}

impl Admission {
    /// Returns the phase in which a node begins that runs nothing itself. One that waits or is memoized
    /// stays pending until it ends, as in Argo.
    fn phase(&self) -> Phase {
        if self.memo.is_some() || self.waits.is_some() { Phase::Pending } else { Phase::Running }
    }

    fn admit(self, node: Created) -> Created {
        let (waits, message) = (self.waits.is_some(), self.waits.unwrap_or_else(|| node.message.clone()));
        let texts = if waits { self.texts } else { Vec::new() };
        Created { memo: self.memo, locks: self.locks, waits, message, texts, ..node }
    }
}

/// The words that a template's own texts may use beside its inputs.
#[derive(Debug, Default)]
pub(super) struct Locals {
    /// Words about the node.
    pub node: Words,
    /// What an inline template names around it.
    pub outer: Option<Arc<Outer>>,
}

/// Names with their texts.
pub(super) type Words = Vec<(&'static str, Arc<str>)>;

impl Decider<'_> {
    pub(super) fn call(&mut self, call: &Call) -> Outcome {
        let plan = self.plan.clone();
        let template = plan.template(call.template);
        if let Some(words) = self.too_much(&call.caller) {
            return self.broken(call, words);
        }
        let inputs = match self.inputs(call, template) {
            Ok(inputs) => Arc::new(inputs),
            Err(words) => return self.broken(call, words),
        };
        if let Some(block) = self.crowded(&call.caller) {
            self.starve(&call.caller, block);
            return Outcome::Blocked;
        }
        if let Some(node) = self.reused(call, template, &inputs) {
            return self.made(node);
        }
        let mut admission = match self.locks(call, template, &inputs) {
            Ok(admission) => admission,
            Err(words) => return self.broken(call, words),
        };
        if admission.waits.is_none() {
            admission.memo = match self.remember(call, template, &inputs) {
                Remembered::No => None,
                Remembered::Later(memo) => {
                    self.starve(&call.caller, Block::Answer(memo));
                    return Outcome::Blocked;
                }
                Remembered::Unusable(words) => return self.broken(call, words),
                Remembered::Nothing(memo) => Some(memo),
                Remembered::Result(memo, outputs) => return self.taken(call, template, &inputs, memo, outputs),
            };
        }
        if self.retry_strategy(call.template).is_some() {
            let node = self.blank(call, NodeType::Retry, admission.phase(), &inputs);
            return self.made(admission.admit(node));
        }
        self.execute(call, template, &inputs, Vec::new(), admission)
    }

    /// Makes the node of one attempt, or the only one.
    pub(super) fn execute(
        &mut self,
        call: &Call,
        template: &Template,
        inputs: &Arc<Inputs>,
        more: Words,
        admission: Admission,
    ) -> Outcome {
        let locals = self.locals(call, template, more);
        let phase = admission.phase();
        match template.body {
            Body::Steps(_) => {
                let node = self.blank(call, NodeType::Steps, phase, inputs);
                self.made(admission.admit(node))
            }
            Body::Dag(ref dag) => match self.targets(dag, inputs) {
                Ok(targets) => {
                    let node = self.blank(call, NodeType::Dag, phase, inputs);
                    self.made(admission.admit(Created { targets, ..node }))
                }
                Err(words) => self.broken(call, words),
            },
            Body::Pod => self.leaf(call, template, NodeType::Pod, inputs, &locals, admission),
            Body::Http => self.leaf(call, template, NodeType::Http, inputs, &locals, admission),
            Body::Plugin => self.leaf(call, template, NodeType::Plugin, inputs, &locals, admission),
            Body::Suspend => self.suspend(call, template, inputs, &locals),
        }
    }

    /// Returns the node of a pod that another run has run already, with what it made there.
    fn reused(&self, call: &Call, template: &Template, inputs: &Arc<Inputs>) -> Option<Created> {
        let (from, known) = self.run.reuses.as_ref()?;
        if call.parents.iter().any(|parent| self.run.slot(*parent).fresh) {
            return None;
        }
        let known = known.get(&call.name[self.run.name.as_str().len()..])?;
        let (texts, given) = self.template_texts(template, inputs, &self.locals(call, template, Vec::new())).ok()?;
        if known.digest != crate::engine::reuse::digest(template, &given, &texts) {
            return None;
        }
        let mut node = self.blank(call, NodeType::Pod, Phase::Succeeded, &given);
        node.message = format!("reused from {from}").into();
        node.texts = texts;
        node.outputs = known.outputs.clone();
        Some(node)
    }

    pub(super) fn locals(&self, call: &Call, template: &Template, mut node: Words) -> Locals {
        node.push(("node.name", call.name.clone()));
        node.extend(call.local.clone());
        if matches!(template.body, Body::Pod) {
            let pod = pod_name(self.run.name.as_str(), &call.name, &template.name);
            node.push(("pod.name", pod.into()));
        }
        Locals { node, outer: call.outer.clone() }
    }

    fn leaf(
        &mut self,
        call: &Call,
        template: &Template,
        kind: NodeType,
        inputs: &Arc<Inputs>,
        locals: &Locals,
        admission: Admission,
    ) -> Outcome {
        let (texts, given) = match self.template_texts(template, inputs, locals) {
            Ok(rendered) => rendered,
            Err(words) => return self.broken(call, words),
        };
        let mut node = admission.admit(self.blank(call, kind, Phase::Pending, &given));
        if let Some(words) = self.no_new_pods(&call.caller) {
            (node.phase, node.message) = (Phase::Failed, words.into());
            return self.made(node);
        }
        let resolved = super::render::part(template, &texts, &["timeout", "pendingTimeout"]);
        node.until = self.patience(&resolved);
        node.texts = texts;
        let pod = self.create(node);
        if let Some(set) = &template.spec.container_set {
            self.containers(pod, set);
        }
        Outcome::Made
    }

    fn suspend(&mut self, call: &Call, template: &Template, inputs: &Arc<Inputs>, locals: &Locals) -> Outcome {
        let (texts, _) = match self.template_texts(template, inputs, locals) {
            Ok(rendered) => rendered,
            Err(words) => return self.broken(call, words),
        };
        let resolved = super::render::template(template, &texts);
        let duration = resolved.suspend.as_ref().and_then(|suspend| suspend.duration.as_deref());
        let mut node = self.blank(call, NodeType::Suspend, Phase::Running, inputs);
        match duration.map(TimeSpan::parse).transpose() {
            Ok(duration) => node.until = duration.map(|duration| self.at + duration),
            Err(fault) => return self.broken(call, fault.to_string()),
        }
        if let Some(words) = self.no_new_pods(&call.caller) {
            (node.phase, node.message) = (Phase::Failed, words.into());
        }
        node.outputs = supplied(&resolved).map(Arc::new);
        node.texts = texts;
        let until = node.until;
        let ends = node.phase.is_final();
        let ix = self.create(node);
        if !ends {
            let on = Some(crate::engine::model::Waiting::Approval { until });
            self.emit(crate::engine::event::Event::Waits { n: ix, on });
        }
        Outcome::Made
    }

    pub(super) fn made(&mut self, node: Created) -> Outcome {
        let ix = self.create(node);
        self.share_outputs(ix);
        Outcome::Made
    }

    pub(super) fn blank(&self, call: &Call, kind: NodeType, phase: Phase, inputs: &Arc<Inputs>) -> Created {
        let inherits = matches!(&call.caller, Caller::Attempt(retry, _)
            if self.run.node(*retry).inputs.as_deref().unwrap_or(&Inputs::default()) == &**inputs);
        let empty = inputs.parameters.is_empty() && inputs.artifacts.is_empty();
        Created {
            inputs: (!inherits && !empty).then(|| inputs.clone()),
            called: call.called.clone(),
            outer: call.outer.clone(),
            ..Created::bare(call.name.clone(), kind, phase, call.caller.clone(), call.parents.clone())
        }
    }

    /// Makes a node that ends in an error at once: Argo's `initializeNodeOrMarkError`.
    pub(super) fn broken(&mut self, call: &Call, words: String) -> Outcome {
        let words = match call.caller {
            Caller::Task(..) => format!("task '{}' errored: {words}", call.name),
            _ => words,
        };
        let mut node = self.blank(call, NodeType::Skipped, Phase::Error, &Arc::default());
        node.message = words.as_str().into();
        self.create(node);
        Outcome::Broken(words)
    }

    fn too_much(&self, caller: &Caller) -> Option<String> {
        let depth = crate::engine::fold::caller_node(caller).map_or(0, |ix| self.run.slot(ix).depth);
        if depth + 1 >= limits::TEMPLATE_DEPTH_MAX {
            let max = limits::TEMPLATE_DEPTH_MAX;
            return Some(format!("max depth exceeded: templates call each other {max} deep (TEMPLATE_DEPTH_MAX)"));
        }
        self.is_full().then(|| format!("the run has {} nodes (NODES_PER_RUN_MAX)", limits::NODES_PER_RUN_MAX))
    }

    /// Returns the words with which a new pod fails at once, because the run is being ended.
    fn no_new_pods(&self, caller: &Caller) -> Option<String> {
        let on_exit = matches!(caller, Caller::Exit)
            || matches!(caller, Caller::Hook(_, name) if &**name == "exit")
            || crate::engine::fold::caller_node(caller).is_some_and(|ix| self.run.slot(ix).on_exit);
        match self.run.shutdown {
            Some(Shutdown::Terminate) => Some("workflow shutdown with strategy: Terminate".to_owned()),
            Some(Shutdown::Stop) if !on_exit => Some("workflow shutdown with strategy: Stop".to_owned()),
            _ if self.run.expired && !on_exit => Some("Step exceeded its deadline".to_owned()),
            _ => None,
        }
    }

    /// Returns until when a node may stay pending.
    fn patience(&self, template: &spec::Template) -> Option<Timestamp> {
        let spans = [&template.timeout, &template.pending_timeout];
        let spans = spans.into_iter().flatten().filter_map(|text| TimeSpan::parse(text).ok());
        spans.min().map(|span| self.at + span)
    }

    /// Returns the values that a call gives to its template. Source: Argo's `ProcessArgs`.
    pub(super) fn inputs(&self, call: &Call, template: &Template) -> Result<Inputs, String> {
        let Some(declared) = &template.spec.inputs else { return Ok(Inputs::default()) };
        let arguments = call.arguments.as_deref();
        let mut inputs = Inputs::default();
        let mut own = Vec::new();
        for (at, parameter) in declared.parameters.iter().enumerate() {
            let given = self.input_value(call, parameter, arguments)?;
            if let Given::Own(text) = &given
                && text.contains("{{")
            {
                own.push(at);
            }
            inputs.parameters.push(Parameter { name: parameter.name.as_str().into(), value: given.into_text() });
        }
        self.own_texts_of_inputs(call, template, &mut inputs, &own)?;
        for artifact in &declared.artifacts {
            inputs.artifacts.extend(input_artifact(artifact, arguments)?.map(Arc::new));
        }
        Ok(inputs)
    }

    fn input_value(
        &self,
        call: &Call,
        declared: &spec::Parameter,
        arguments: Option<&spec::Arguments>,
    ) -> Result<Given, String> {
        let absent = call.absent.iter().any(|name| **name == *declared.name);
        let given = arguments.into_iter().flat_map(|arguments| &arguments.parameters);
        let given = given.into_iter().find(|argument| !absent && argument.name == declared.name);
        if let Some(value) = given.and_then(|argument| argument.value.as_ref()) {
            return Ok(Given::Final(Some(value.0.as_str().into())));
        }
        let from = given.and_then(|argument| argument.value_from.as_ref());
        if let Some(from) = from.or(declared.value_from.as_ref()) {
            return self.input_from(&declared.name, from).map(Given::Final);
        }
        let own = declared.value.as_ref().or(declared.default.as_ref());
        match own {
            Some(own) => Ok(Given::Own(own.0.as_str().into())),
            None if absent => Err(format!(
                "inputs.parameters.{}: argument references an absent optional (skipped/omitted node output with no default)",
                declared.name
            )),
            None => Err(format!("inputs.parameters.{} was not supplied", declared.name)),
        }
    }

    /// Replaces the tags in those inputs that have the template's own value: the run's words and the
    /// other inputs, as the template declares them. Source: Argo's `SubstituteParams`.
    fn own_texts_of_inputs(
        &self,
        call: &Call,
        template: &Template,
        inputs: &mut Inputs,
        own: &[usize],
    ) -> Result<(), String> {
        if own.is_empty() {
            return Ok(());
        }
        let before = inputs.clone();
        let inner = Inner { template: &template.spec, inputs: &before, locals: &[] };
        let (outer, global) = (Around(call.outer.as_deref()), self.global());
        for at in own {
            let parameter = &mut inputs.parameters[*at];
            let text = parameter.value.as_deref().unwrap_or_default();
            let parsed = TemplateStr::parse_lenient(text).map_err(|fault| fault.to_string())?;
            let rendered =
                parsed.render(&Chain(&[&outer, &inner, &global]), Unresolved::Keep, &self.ambient(*at as u64));
            parameter.value = Some(rendered.map_err(|fault| fault.to_string())?.into());
        }
        Ok(())
    }

    fn input_from(&self, name: &str, from: &spec::ValueFrom) -> Result<Option<Arc<str>>, String> {
        if from.supplied.is_some() {
            return Ok(None);
        }
        let scope = self.global();
        match crate::engine::scope::global::from_config_map(self.run, from, &scope) {
            Some(value) => Ok(Some(value.as_str().into())),
            None => Err(format!("inputs.parameters.{name}: its ConfigMap or key was not found and it has no default")),
        }
    }
}

/// Returns an input artifact with the place that the argument, or the template, gives it.
fn input_artifact(
    declared: &spec::Artifact,
    arguments: Option<&spec::Arguments>,
) -> Result<Option<spec::Artifact>, String> {
    let given = arguments.into_iter().flat_map(|arguments| &arguments.artifacts);
    let given = given.into_iter().find(|argument| argument.name == declared.name);
    let optional = declared.optional == Some(true);
    let located = |artifact: &spec::Artifact| artifact.location != spec::ArtifactLocation::default();
    match given {
        Some(given) if located(given) => Ok(Some(spec::Artifact {
            path: declared.path.clone(),
            mode: declared.mode,
            recurse_mode: declared.recurse_mode,
            optional: declared.optional,
            ..given.clone()
        })),
        None if located(declared) => Ok(Some(declared.clone())),
        _ if optional => Ok(None),
        Some(_) => Err(format!("inputs.artifacts.{} missing location information", declared.name)),
        None => Err(format!("inputs.artifacts.{} was not supplied", declared.name)),
    }
}

/// Returns the outputs that a suspended node waits for: Argo's `addRawOutputFields`.
fn supplied(template: &spec::Template) -> Option<Outputs> {
    let declared = template.outputs.as_ref()?;
    let waits = declared
        .parameters
        .iter()
        .filter(|parameter| parameter.value_from.as_ref().is_some_and(|from| from.supplied.is_some()));
    let parameters: Vec<Parameter> =
        waits.map(|parameter| Parameter { name: parameter.name.as_str().into(), value: None }).collect();
    (!parameters.is_empty()).then(|| Outputs { parameters, ..Outputs::default() })
}
