//! Texts with tags become texts without, in parsed values: a value can never change the structure.

use std::sync::Arc;

use serde_json::Value as Json;

use super::Decider;
use super::call::{Locals, Words};
use crate::base::NodeIx;
use crate::engine::event::Caller;
use crate::engine::scope::calls::Calls;
use crate::engine::scope::global::{Global, ambient};
use crate::engine::scope::inner::{Chain, Inner};
use crate::engine::scope::item::Item;
use crate::engine::scope::outer::{self, Around, Outer};
use crate::engine::value::Inputs;
use crate::expr::{Ambient, Scope, TemplateStr, Unresolved};
use crate::plan::{PodParts, Segment, Task, Template, Text};
use crate::spec;

/// Returns the template with its texts replaced by those that a node was made with.
pub(in crate::engine) fn template(template: &Template, texts: &[Arc<str>]) -> Arc<spec::Template> {
    if texts.is_empty() {
        return template.spec.clone();
    }
    if own_texts(template).all(|place| begins(place, &["container"])) {
        return container(template, texts);
    }
    let mut json = serde_json::to_value(&*template.spec).unwrap_or_default();
    for (place, text) in own_texts(template).zip(texts) {
        put(&mut json, &place.pointer, Json::from(&**text));
    }
    serde_json::from_value(json).map_or_else(|_| template.spec.clone(), Arc::new)
}

/// Most templates have tags in their container only, which is kept as JSON: the rest need not become
/// JSON and back, once for each pod.
fn container(template: &Template, texts: &[Arc<str>]) -> Arc<spec::Template> {
    let mut spec = (*template.spec).clone();
    if let Some(container) = &mut spec.container {
        for (place, text) in own_texts(template).zip(texts) {
            put(&mut container.0, &place.pointer[1..], Json::from(&**text));
        }
    }
    Arc::new(spec)
}

/// Returns what a workflow says of all its pods with its tags replaced. A tag that means nothing
/// stays, and the cluster says what is wrong with it.
pub(in crate::engine) fn pod_parts(parts: &PodParts, scope: &dyn Scope, ambient: &Ambient) -> Arc<spec::WorkflowSpec> {
    let mut json = serde_json::to_value(&*parts.spec).unwrap_or_default();
    for place in &parts.texts {
        if let Ok(text) = place.text.render(scope, Unresolved::Keep, ambient) {
            put(&mut json, &place.pointer, Json::from(text));
        }
    }
    serde_json::from_value(json).map_or_else(|_| parts.spec.clone(), Arc::new)
}

/// Returns the template with at least the texts below `keys` replaced; most have none there.
pub(in crate::engine) fn part(template: &Template, texts: &[Arc<str>], keys: &[&str]) -> Arc<spec::Template> {
    let concerns = |place: &Text| keys.iter().any(|key| begins(place, &[key]));
    if own_texts(template).any(concerns) { self::template(template, texts) } else { template.spec.clone() }
}

/// Returns the texts that are replaced when the template is called: all but the declared values of
/// input parameters, which the call's own values have taken the place of.
pub(in crate::engine) fn own_texts(template: &Template) -> impl Iterator<Item = &Text> {
    template.texts.iter().filter(|text| !begins(text, &["inputs", "parameters"]))
}

fn begins(text: &Text, keys: &[&str]) -> bool {
    text.pointer.len() >= keys.len()
        && keys.iter().zip(&text.pointer).all(|(key, at)| matches!(at, Segment::Key(at) if **at == **key))
}

pub(super) fn put(json: &mut Json, pointer: &[Segment], value: Json) {
    let place = pointer.iter().try_fold(json, |json, segment| match segment {
        Segment::Key(key) => json.get_mut(&**key),
        Segment::Index(index) => json.get_mut(*index),
    });
    if let Some(place) = place {
        *place = value;
    }
}

/// A step or task whose texts have been replaced.
pub(super) struct Rendered {
    pub spec: Arc<spec::DAGTask>,
    /// The parameters whose value was the output of a node that never ran.
    pub absent: Vec<Arc<str>>,
    /// What the texts of an inline template name around it.
    pub outer: Option<Arc<Outer>>,
}

impl Rendered {
    /// Returns a task in which nothing was to be replaced.
    pub(super) fn as_declared(task: &Task) -> Self {
        Self { spec: task.spec.clone(), absent: Vec::new(), outer: None }
    }
}

/// Which texts of a step or task are replaced.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Its condition.
    When,
    /// What its loop goes over.
    Loop,
    /// All but its loop, hooks and inline templates, which have their own time.
    Call,
}

impl Part {
    /// Returns whether a text is of this part.
    pub(super) fn has(self, text: &Text) -> bool {
        let Some(Segment::Key(first)) = text.pointer.first() else { return false };
        match self {
            Part::When => &**first == "when",
            Part::Loop => first.starts_with("with"),
            // Where an artifact comes from is looked up, not written out.
            Part::Call => {
                !matches!(&**first, "hooks" | "inline" | "name" | "onExit" | "withItems" | "withParam" | "withSequence")
                    && !is_artifact_source(text)
            }
        }
    }

    /// Returns the fields that are read of the part. A list of a thousand items, copied for the call of
    /// each, would be a million.
    fn of(self, task: &spec::DAGTask) -> spec::DAGTask {
        let blank = spec::DAGTask::default();
        match self {
            Part::When => spec::DAGTask { when: task.when.clone(), ..blank },
            Part::Loop => spec::DAGTask {
                with_items: task.with_items.clone(),
                with_param: task.with_param.clone(),
                with_sequence: task.with_sequence.clone(),
                ..blank
            },
            Part::Call => spec::DAGTask {
                template: task.template.clone(),
                template_ref: task.template_ref.clone(),
                arguments: task.arguments.clone(),
                ..blank
            },
        }
    }
}

fn is_artifact_source(text: &Text) -> bool {
    begins(text, &["arguments", "artifacts"])
        && matches!(text.pointer.last(), Some(Segment::Key(last)) if matches!(&**last, "from" | "fromExpression"))
}

impl Decider<'_> {
    pub(super) fn global(&self) -> Global<'_> {
        Global { run: self.run, at: self.at }
    }

    pub(super) fn ambient(&self, salt: u64) -> Ambient {
        ambient(self.run, self.at, salt ^ (self.run.slots.len() as u64) << 20)
    }

    /// Replaces the texts of a template for a call of it. The artifacts that the template itself
    /// places come with their places replaced too.
    pub(super) fn template_texts(
        &self,
        plan: &Template,
        inputs: &Arc<Inputs>,
        locals: &Locals,
    ) -> Result<(Vec<Arc<str>>, Arc<Inputs>), String> {
        let inner = Inner { template: &plan.spec, inputs, locals: &locals.node };
        let (outer, global) = (Around(locals.outer.as_deref()), self.global());
        let scope = Chain(&[&outer, &inner, &global]);
        let mut texts = Vec::new();
        for (salt, text) in own_texts(plan).enumerate() {
            let rendered = text.text.render(&scope, Unresolved::Keep, &self.ambient(salt as u64));
            texts.push(rendered.map_err(|fault| fault.to_string())?.into());
        }
        if inputs.artifacts.is_empty() || texts.is_empty() {
            return Ok((texts, inputs.clone()));
        }
        let resolved = template(plan, &texts);
        Ok((texts, Arc::new(place_artifacts(inputs, &plan.spec, &resolved))))
    }

    /// Replaces what a template's own default may name: the run's words.
    pub(super) fn own_text(&self, text: &str) -> Result<Arc<str>, String> {
        if !text.contains("{{") {
            return Ok(text.into());
        }
        let parsed = TemplateStr::parse_lenient(text).map_err(|fault| fault.to_string())?;
        let rendered = parsed.render(&self.global(), Unresolved::Keep, &self.ambient(0));
        rendered.map(Arc::from).map_err(|fault| fault.to_string())
    }

    /// Returns the name of a step of the node `of`, its tags replaced: Argo replaces them in all of a
    /// template before it looks at a step.
    pub(super) fn step_name(&self, of: NodeIx, step: &Task) -> Result<Arc<str>, String> {
        let Some(text) = step.texts.iter().find(|text| begins(text, &["name"])) else { return Ok(step.name.clone()) };
        let rendered = self.within(of, None, |scope| text.text.render(scope, Unresolved::Keep, &self.ambient(0)));
        rendered.map(Arc::from).map_err(|fault| fault.to_string())
    }

    /// Replaces texts of a step or task of the node `of`. Under `strict` every tag must be known.
    pub(super) fn task(
        &self,
        of: NodeIx,
        task: &Task,
        part: Part,
        item: Option<&Json>,
        strict: bool,
    ) -> Result<Rendered, String> {
        let outer = if part == Part::Call { self.around(of, task, item) } else { None };
        if !task.texts.iter().any(|text| part.has(text)) {
            return Ok(Rendered { outer, ..Rendered::as_declared(task) });
        }
        self.within(of, item, |scope| {
            let mut spec = part.of(&task.spec);
            let (mut absent, mut elsewhere) = (Vec::new(), Vec::new());
            let unresolved = if strict { Unresolved::Refuse } else { Unresolved::RefuseUnder(&["steps", "tasks"]) };
            for (salt, text) in task.texts.iter().enumerate().filter(|(_, text)| part.has(text)) {
                if let Some(parameter) = absent_task_argument(task, text, scope) {
                    absent.push(parameter);
                    continue;
                }
                let rendered = text.text.render(scope, unresolved, &self.ambient(salt as u64));
                let rendered = rendered.map_err(|fault| fault.to_string())?;
                match argument(&mut spec, text) {
                    Some(value) => *value = rendered,
                    None => elsewhere.push((text, rendered)),
                }
            }
            if !elsewhere.is_empty() {
                spec = put_all(&spec, elsewhere).map_err(|fault| fault.to_string())?;
            }
            Ok(Rendered { spec: Arc::new(spec), absent, outer })
        })
    }

    /// Returns what the texts of the task's inline template name outside it. Argo replaces the whole
    /// task, the template in it included, before it looks at the template: what is known here wins.
    fn around(&self, of: NodeIx, task: &Task, item: Option<&Json>) -> Option<Arc<Outer>> {
        let mut texts = task.texts.iter().filter(|text| begins(text, &["inline"])).peekable();
        texts.peek()?;
        let outer = self.within(of, item, |scope| outer::named(texts.map(|text| &text.text), scope));
        (!outer.is_empty()).then(|| Arc::new(outer))
    }

    /// Runs `look` with what the calls of the steps or DAG node `of` may name.
    pub(super) fn within<T>(&self, of: NodeIx, item: Option<&Json>, look: impl FnOnce(&dyn Scope) -> T) -> T {
        let slot = self.run.slot(of);
        let empty = Arc::default();
        let blank = Arc::default();
        let inputs: &Arc<Inputs> = slot.node.inputs.as_ref().unwrap_or(&empty);
        let spec: &Arc<spec::Template> = self.run.template_of(of).map_or(&blank, |template| &template.spec);
        let mut locals = self.attempt_words(&slot.caller);
        locals.push(("node.name", slot.node.name.clone()));
        let inner = Inner { template: spec, inputs, locals: &locals };
        let calls = Calls { run: self.run, of };
        let (outer, global) = (Around(slot.outer.as_deref()), self.global());
        match item {
            Some(value) => look(&Chain(&[&outer, &Item { value }, &calls, &inner, &global])),
            None => look(&Chain(&[&outer, &calls, &inner, &global])),
        }
    }

    /// Returns `retries` and `lastRetry.*` for an attempt. Source: Argo's `executeTemplate`.
    pub(super) fn attempt_words(&self, caller: &Caller) -> Words {
        let Caller::Attempt(retry, number) = caller else { return Vec::new() };
        let crate::engine::run::Frame::Retry(attempts) = &self.run.slot(*retry).frame else { return Vec::new() };
        let last = number.checked_sub(1).and_then(|last| attempts.get(last as usize)).map(|ix| self.run.node(*ix));
        let code = last.and_then(|last| last.outputs.as_ref()?.exit_code);
        let duration = last.and_then(|last| Some(last.finished_at?.since(last.started_at).as_secs_f64()));
        vec![
            ("retries", number.to_string().into()),
            ("lastRetry.exitCode", code.unwrap_or(0).to_string().into()),
            ("lastRetry.duration", duration.unwrap_or(0.0).to_string().into()),
            ("lastRetry.status", last.map_or("", |last| last.phase.as_str()).into()),
            ("lastRetry.message", last.map_or_else(|| "".into(), |last| last.message.clone())),
        ]
    }
}

/// Returns the place of `text` when it is the value of a parameter that the task hands on, as most are:
/// the task need not become JSON and back for it.
fn argument<'t>(task: &'t mut spec::DAGTask, text: &Text) -> Option<&'t mut String> {
    let index = argument_index(text)?;
    task.arguments.as_mut()?.parameters.get_mut(index)?.value.as_mut().map(|value| &mut value.0)
}

fn argument_index(text: &Text) -> Option<usize> {
    match &text.pointer[..] {
        [Segment::Key(a), Segment::Key(b), Segment::Index(index), Segment::Key(c)]
            if (&**a, &**b, &**c) == ("arguments", "parameters", "value") =>
        {
            Some(*index)
        }
        _ => None,
    }
}

/// Returns the task with texts put at their places; one whose place is in another part is left out.
fn put_all(task: &spec::DAGTask, texts: Vec<(&Text, String)>) -> Result<spec::DAGTask, serde_json::Error> {
    let mut json = serde_json::to_value(task)?;
    for (text, rendered) in texts {
        put(&mut json, &text.pointer, Json::from(rendered));
    }
    serde_json::from_value(json)
}

fn absent_task_argument(task: &Task, text: &Text, scope: &dyn Scope) -> Option<Arc<str>> {
    let [Segment::Key(first), rest @ ..] = &text.pointer[..] else { return None };
    let arguments = task.spec.arguments.as_ref().filter(|_| &**first == "arguments")?;
    absent_argument(arguments, rest, &text.text, scope)
}

/// Returns the parameter of `arguments` whose value is the text at `pointer` in them, when the text is one tag
/// that names the output of a node that never ran. Source: Argo's `markAbsentOptionalArgs`.
pub(super) fn absent_argument(
    arguments: &spec::Arguments,
    pointer: &[Segment],
    text: &TemplateStr,
    scope: &dyn Scope,
) -> Option<Arc<str>> {
    let [Segment::Key(list), Segment::Index(index), Segment::Key(key)] = pointer else { return None };
    let is_value = (&**list, &**key) == ("parameters", "value");
    let parameter = arguments.parameters.get(*index).filter(|_| is_value)?;
    scope.get(text.sole_variable()?).is_some_and(|value| value.is_nil()).then(|| parameter.name.as_str().into())
}

/// Returns the inputs with the places that the template gives to its artifacts.
fn place_artifacts(inputs: &Inputs, declared: &spec::Template, resolved: &spec::Template) -> Inputs {
    let mut placed = inputs.clone();
    let lists = declared.inputs.as_ref().zip(resolved.inputs.as_ref());
    let Some((declared, resolved)) = lists else { return placed };
    for artifact in &mut placed.artifacts {
        let of = |list: &'_ [spec::Artifact]| list.iter().position(|declared| declared.name == artifact.name);
        let Some(at) = of(&declared.artifacts) else { continue };
        let new = &resolved.artifacts[at];
        let own = artifact.location == declared.artifacts[at].location;
        let mut moved = if own { new.clone() } else { (**artifact).clone() };
        moved.path.clone_from(&new.path);
        *artifact = Arc::new(moved);
    }
    placed
}
