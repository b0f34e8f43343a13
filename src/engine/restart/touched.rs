//! What depends on parameters of the workflow: which calls would be given something else when they
//! change, and which groups would be given other inputs.
//!
//! Names are followed, not values: from the workflow's parameter to the arguments that name it, and
//! from a template's input to what names that input inside.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::base::NodeIx;
use crate::engine::decide::render::own_texts;
use crate::engine::event::Caller;
use crate::engine::model::NodeType;
use crate::engine::run::{Run, Slot};
use crate::expr::TemplateStr;
use crate::plan::{Segment, Task, Template, Text};

/// What changed parameters touch.
#[derive(Default)]
pub(in crate::engine) struct Touched {
    /// Calls that are to be made again, each with the parameter that is why.
    pub calls: Vec<(NodeIx, Arc<str>)>,
    /// Steps, DAGs and retried nodes whose inputs are others now.
    pub groups: Vec<NodeIx>,
}

/// The inputs of a node that are others now, each with the parameter that is why.
type Inputs = BTreeMap<Arc<str>, Arc<str>>;

/// Returns the parameters that get another value than they have.
pub(in crate::engine) fn parameters(run: &Run, given: &BTreeMap<String, Arc<str>>) -> BTreeSet<Arc<str>> {
    let has = |name: &str| run.arguments.iter().find(|argument| *argument.name == *name)?.value.clone();
    given
        .iter()
        .filter(|(name, value)| has(name).as_ref() != Some(value))
        .map(|(name, _)| name.as_str().into())
        .collect()
}

/// Returns what the change of `parameters` touches.
pub(in crate::engine) fn nodes(run: &Run, parameters: &BTreeSet<Arc<str>>) -> Touched {
    let mut touched = Touched::default();
    if parameters.is_empty() {
        return touched;
    }
    let mut follow = Follow { run, parameters, inputs: vec![Inputs::new(); run.slots.len()] };
    for slot in run.slots.iter().filter(|slot| !slot.gone) {
        let ix = slot.node.ix;
        let inputs = follow.inputs_of(slot);
        if let Some(why) = follow.call(slot, &inputs) {
            touched.calls.push((ix, why));
        } else if !inputs.is_empty() {
            touched.groups.push(ix);
        }
        follow.inputs[ix.index()] = inputs;
    }
    touched
}

struct Follow<'r> {
    run: &'r Run,
    parameters: &'r BTreeSet<Arc<str>>,
    inputs: Vec<Inputs>,
}

impl Follow<'_> {
    /// Returns the inputs of a node that are others now.
    fn inputs_of(&self, slot: &Slot) -> Inputs {
        let template = slot.template.map(|template| self.run.plan.template(template));
        let Some(template) = template.filter(|_| slot.node.kind != NodeType::Skipped) else { return Inputs::new() };
        match &slot.caller {
            Caller::Attempt(retry, _) => self.inputs[retry.index()].clone(),
            Caller::Container(..) | Caller::Group(..) => Inputs::new(),
            Caller::Entry | Caller::Exit => self.given(template, |name| self.parameters.get(name).cloned()),
            Caller::RunHook(_) | Caller::Hook(..) => Inputs::new(),
            caller => {
                let around = self.around(slot);
                let task = self.run.task_of(caller);
                self.given(template, |name| self.argument(task?, name, around))
            }
        }
    }

    /// Returns the inputs that `argument` touches, or whose own text in the template is touched.
    fn given(&self, template: &Template, argument: impl Fn(&str) -> Option<Arc<str>>) -> Inputs {
        let declared = template.spec.inputs.as_ref().map_or(&[][..], |inputs| &inputs.parameters);
        let own = |at: usize| {
            let mut texts = template.texts.iter().filter(|text| is_input(text, at));
            texts.find_map(|text| self.names(&text.text, &Inputs::new()))
        };
        let touched = declared.iter().enumerate().filter_map(|(at, parameter)| {
            let why = argument(&parameter.name).or_else(|| own(at))?;
            Some((parameter.name.as_str().into(), why))
        });
        touched.collect()
    }

    /// Returns why the argument of a task called `name` is another now.
    fn argument(&self, task: &Task, name: &str, around: &Inputs) -> Option<Arc<str>> {
        let arguments = task.spec.arguments.as_ref()?;
        let at = arguments.parameters.iter().position(|argument| argument.name == name)?;
        let mut texts = task.texts.iter().filter(|text| is_argument(text, at));
        texts.find_map(|text| self.names(&text.text, around))
    }

    /// Returns why the call of a node is to be made again, if it is. A group whose inputs are others is
    /// looked into instead.
    fn call(&self, slot: &Slot, inputs: &Inputs) -> Option<Arc<str>> {
        let is_group = matches!(slot.node.kind, NodeType::Steps | NodeType::Dag | NodeType::Retry);
        self.decision(slot).or_else(|| match slot.node.kind {
            _ if is_group => None,
            NodeType::Skipped | NodeType::StepGroup | NodeType::TaskGroup | NodeType::Container => None,
            _ => inputs.values().next().cloned().or_else(|| self.own(slot)),
        })
    }

    /// Returns why the condition, the loop, the artifacts or the inline template of a call say
    /// something else now.
    fn decision(&self, slot: &Slot) -> Option<Arc<str>> {
        let task = self.run.task_of(&slot.caller).filter(|_| !matches!(slot.caller, Caller::Attempt(..)))?;
        let around = self.around(slot);
        let decides = |text: &&Text| {
            !matches!(text.pointer.first(), Some(Segment::Key(key)) if matches!(&**key, "hooks" | "onExit"))
                && !matches!(&text.pointer[..], [Segment::Key(a), Segment::Key(b), ..] if &**a == "arguments" && &**b == "parameters")
        };
        task.texts.iter().filter(decides).find_map(|text| self.names(&text.text, around))
    }

    /// Returns why a pod's own texts, or the workflow's for all pods, say something else now.
    fn own(&self, slot: &Slot) -> Option<Arc<str>> {
        let template = self.run.plan.template(slot.template?);
        let own = own_texts(template).find_map(|text| self.names(&text.text, &Inputs::new()));
        let all = || self.run.plan.pod_parts.texts.iter().find_map(|text| self.names(&text.text, &Inputs::new()));
        own.or_else(all)
    }

    /// Returns the inputs of the template that a call stands in.
    fn around(&self, slot: &Slot) -> &Inputs {
        const NONE: &Inputs = &Inputs::new();
        slot.node.boundary.map_or(NONE, |boundary| &self.inputs[boundary.index()])
    }

    /// Returns the parameter because of which a text says something else, if it does.
    fn names(&self, text: &TemplateStr, inputs: &Inputs) -> Option<Arc<str>> {
        text.variables().find_map(|variable| self.variable(&variable.name, inputs))
    }

    /// A name that means several parameters at once means each of them.
    fn variable(&self, name: &str, inputs: &Inputs) -> Option<Arc<str>> {
        let own = |path: Option<&str>| self.parameters.iter().find(|own| path.is_none_or(|path| is_part(path, own)));
        let given = |path: Option<&str>| inputs.iter().find(|(input, _)| path.is_none_or(|path| is_part(path, input)));
        match name {
            "workflow" | "workflow.parameters" | "workflow.parameters.json" => own(None).cloned(),
            "inputs" | "inputs.parameters" => given(None).map(|(_, why)| why.clone()),
            _ => match (name.strip_prefix("workflow.parameters."), name.strip_prefix("inputs.parameters.")) {
                (Some(path), _) => own(Some(path)).cloned(),
                (_, Some(path)) => given(Some(path)).map(|(_, why)| why.clone()),
                _ => None,
            },
        }
    }
}

/// Returns whether `path` is `name`, or something in it.
fn is_part(path: &str, name: &str) -> bool {
    path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn is_input(text: &Text, at: usize) -> bool {
    matches!(&text.pointer[..], [Segment::Key(a), Segment::Key(b), Segment::Index(index), ..]
        if &**a == "inputs" && &**b == "parameters" && *index == at)
}

fn is_argument(text: &Text, at: usize) -> bool {
    matches!(&text.pointer[..], [Segment::Key(a), Segment::Key(b), Segment::Index(index), ..]
        if &**a == "arguments" && &**b == "parameters" && *index == at)
}
