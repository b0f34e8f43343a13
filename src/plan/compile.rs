//! Compiles what is resolved: finds every template that can be called, reads every text, and
//! links calls to their templates.
//!
//! Nothing stops at the first problem; what cannot be linked stays open, and the problem says so.
//! What is merely unwise, or fails only when it runs, is for the checks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::call::Callee;
use super::model::{Body, Plan, Resolved, Scope, Task, Template, TemplateIx, Text};
use super::pod_parts::PodParts;
use super::problem::{Place, Problem};
use super::problems::Problems;
use super::results;
use super::rules;
use super::texts;
use crate::base::limits;
use crate::source::Segment;
use crate::spec;

/// A plan that may still have holes, and the problems that were found on the way.
pub(super) struct Draft {
    pub resolved: Resolved,
    pub templates: Vec<Template>,
    pub by_name: BTreeMap<(Scope, Arc<str>), TemplateIx>,
    pub entrypoint: Option<TemplateIx>,
    pub on_exit: Option<TemplateIx>,
    pub hooks: BTreeMap<Arc<str>, TemplateIx>,
    pub problems: Problems,
}

impl Plan {
    /// Makes the plan of a manifest that was checked before, such as the one that a run's log
    /// holds. Only what makes it impossible to run is a problem here: a run that was accepted is
    /// not refused later because a newer version checks more.
    pub fn compile(resolved: Resolved) -> Result<Plan, Vec<Problem>> {
        Draft::new(resolved).finish()
    }
}

impl Draft {
    /// Compiles all that is in the workflow, and all that can be reached from it.
    pub fn new(resolved: Resolved) -> Self {
        let mut compiler = Compiler::new(&resolved);
        compiler.declare_local();
        let (entrypoint, on_exit, hooks) = compiler.roots();
        let mut templates = Vec::new();
        while let Some(template) = compiler.next(templates.len()) {
            templates.push(template);
        }
        let Compiler { by_name, problems, .. } = compiler;
        Self { resolved, templates, by_name, entrypoint, on_exit, hooks, problems }
    }

    /// Returns the plan, or its errors when it has some, in the order of the manifest.
    pub fn finish(self) -> Result<Plan, Vec<Problem>> {
        let errors: Vec<Problem> = self.problems.into_vec().into_iter().filter(Problem::is_error).collect();
        match self.entrypoint {
            Some(entrypoint) if errors.is_empty() => Ok(Plan {
                pod_parts: PodParts::of(&self.resolved.spec),
                resolved: self.resolved,
                templates: self.templates,
                by_name: self.by_name,
                entrypoint,
                on_exit: self.on_exit,
                hooks: self.hooks,
            }),
            None if errors.is_empty() => Err(vec![no_entrypoint()]),
            _ => Err(errors),
        }
    }
}

/// Returns the problem of a workflow that does not say where to begin.
pub(super) fn no_entrypoint() -> Problem {
    Problem::error(rules::ENTRYPOINT, Place::root().key("spec"), "`entrypoint` is missing")
        .help("name the template that comes first: `entrypoint: main`")
}

/// A template that was found and is to be compiled.
pub(super) struct Declared {
    pub name: Arc<str>,
    pub scope: Scope,
    pub spec: Arc<spec::Template>,
    pub place: Place,
}

pub(super) struct Compiler<'r> {
    pub resolved: &'r Resolved,
    /// By scope: the place of each template in its list, by name.
    pub names: BTreeMap<Scope, BTreeMap<&'r str, usize>>,
    /// What was found, by `TemplateIx`; what is compiled is taken out.
    pub declared: Vec<Option<Declared>>,
    pub by_name: BTreeMap<(Scope, Arc<str>), TemplateIx>,
    pub problems: Problems,
    /// The scopes of which everything was declared.
    pub whole: BTreeSet<Scope>,
    /// How large the defaults of templates are, once somebody asked.
    pub defaults_bytes: Option<usize>,
    pub defaults_bytes_left: usize,
}

impl<'r> Compiler<'r> {
    fn new(resolved: &'r Resolved) -> Self {
        Self {
            resolved,
            names: BTreeMap::new(),
            declared: Vec::new(),
            by_name: BTreeMap::new(),
            problems: Problems::default(),
            whole: BTreeSet::new(),
            defaults_bytes: None,
            defaults_bytes_left: limits::TEMPLATE_DEFAULTS_BYTES_MAX,
        }
    }

    fn declare_local(&mut self) {
        for template in &self.resolved.spec.templates {
            if let Some(name) = template.name.as_deref() {
                self.declare(&Scope::Local, name);
            }
        }
    }

    /// Links the workflow's own calls: entrypoint, exit handler, hooks.
    fn roots(&mut self) -> (Option<TemplateIx>, Option<TemplateIx>, BTreeMap<Arc<str>, TemplateIx>) {
        let resolved = self.resolved;
        let place = Place::root().key("spec");
        let entrypoint = resolved.spec.entrypoint.as_deref().filter(|name| !name.is_empty());
        let entrypoint = entrypoint.and_then(|name| self.named(&Scope::Local, name, &place.key("entrypoint")));
        let on_exit = resolved.spec.on_exit.as_deref();
        let mut hooks = self.hooks(&Scope::Local, on_exit, &resolved.spec.hooks, &place);
        let on_exit = hooks.remove("exit");
        (entrypoint, on_exit, hooks)
    }

    /// Compiles the template at the index, if so many were found.
    fn next(&mut self, index: usize) -> Option<Template> {
        let declared = self.declared.get_mut(index)?.take().expect("each is compiled once, in order");
        Some(self.template(declared))
    }

    fn template(&mut self, declared: Declared) -> Template {
        let Declared { name, scope, spec, place } = declared;
        let mut references = results::References::default();
        // Tasks have texts of their own, so the graph is left out of the template's.
        let mut texts = self.texts(&*spec, &["steps", "dag"], &place, &mut references);
        let mut body = self.body(&spec, &scope, &place, &mut references);
        if let Body::Dag(dag) = &body {
            texts.extend(
                dag.target_text.clone().map(|text| Text {
                    pointer: vec![Segment::Key("dag".into()), Segment::Key("target".into())],
                    text,
                }),
            );
        }
        references.mark(&mut body);
        Template { name, scope, spec, texts, body, place }
    }

    /// Reads the texts of a template or a task, some of its fields left out; what cannot be read is a problem
    /// at its place.
    fn texts(
        &mut self,
        spec: &impl serde::Serialize,
        without: &[&str],
        place: &Place,
        references: &mut results::References,
    ) -> Vec<Text> {
        let (texts, bad) = texts::collect(spec, without, |text| references.text(text));
        self.problems.extend(bad.into_iter().map(|bad| unreadable(bad, place)));
        texts
    }

    fn body(
        &mut self,
        spec: &spec::Template,
        scope: &Scope,
        place: &Place,
        references: &mut results::References,
    ) -> Body {
        if let Some(steps) = &spec.steps {
            return Body::Steps(self.steps(steps, scope, &place.key("steps"), references));
        }
        if let Some(dag) = &spec.dag {
            return Body::Dag(self.dag(dag, scope, &place.key("dag"), references));
        }
        if spec.suspend.is_some() {
            Body::Suspend
        } else if spec.http.is_some() {
            Body::Http
        } else if spec.plugin.is_some() {
            Body::Plugin
        } else {
            Body::Pod
        }
    }

    fn steps(
        &mut self,
        groups: &[Vec<spec::WorkflowStep>],
        scope: &Scope,
        place: &Place,
        references: &mut results::References,
    ) -> Vec<Vec<Task>> {
        let mut compiled = Vec::with_capacity(groups.len());
        for (index, group) in groups.iter().enumerate() {
            let place = place.index(index);
            let steps = group.iter().enumerate();
            compiled.push(
                steps
                    .map(|(index, step)| self.task(Arc::new(as_task(step)), scope, place.index(index), references))
                    .collect(),
            );
        }
        compiled
    }

    pub(super) fn task(
        &mut self,
        spec: Arc<spec::DAGTask>,
        scope: &Scope,
        place: Place,
        references: &mut results::References,
    ) -> Task {
        let name: Arc<str> = spec.name.as_str().into();
        let texts = self.texts(&*spec, &[], &place, references);
        let target = match (Callee::of_task(&spec), &spec.inline) {
            (Callee::Inline, Some(inline)) => {
                Some(self.declare_inline(name.clone(), scope.clone(), inline.clone(), place.key("inline")))
            }
            (callee, _) => self.call(scope, &callee, &place),
        };
        let hooks = self.hooks(scope, spec.on_exit.as_deref(), &spec.hooks, &place);
        Task { name, spec, texts, target, hooks, captures_result: false }
    }

    /// Links hooks by name; `onExit` is the hook `exit` and wins over it, as in Argo.
    fn hooks(
        &mut self,
        scope: &Scope,
        on_exit: Option<&str>,
        hooks: &spec::LifecycleHooks,
        place: &Place,
    ) -> BTreeMap<Arc<str>, TemplateIx> {
        let mut linked = BTreeMap::new();
        for (name, hook) in hooks {
            let place = place.key("hooks").key(name);
            let target = self.call(scope, &Callee::of_hook(hook), &place);
            linked.extend(target.map(|target| (Arc::from(name.as_str()), target)));
        }
        if let Some(name) = on_exit.filter(|name| !name.is_empty()) {
            let target = self.named(scope, name, &place.key("onExit"));
            linked.extend(target.map(|target| (Arc::from("exit"), target)));
        }
        linked
    }
}

/// A step in the form of a task.
fn as_task(step: &spec::WorkflowStep) -> spec::DAGTask {
    let step = step.clone();
    spec::DAGTask {
        name: step.name.unwrap_or_default(),
        template: step.template,
        inline: step.inline,
        arguments: step.arguments,
        template_ref: step.template_ref,
        dependencies: Vec::new(),
        with_items: step.with_items,
        with_param: step.with_param,
        with_sequence: step.with_sequence,
        when: step.when,
        continue_on: step.continue_on,
        on_exit: step.on_exit,
        depends: None,
        hooks: step.hooks,
    }
}

pub(super) fn unreadable(bad: texts::BadText, place: &Place) -> Problem {
    let texts::BadText { pointer, fault, in_expression } = bad;
    let place = place.below(&pointer);
    let mut problem = if in_expression {
        // Argo leaves such a tag as it is where it leaves unresolved ones.
        Problem::warning(rules::EXPRESSION, place, format!("the expression cannot be read: {}", fault.message))
    } else {
        Problem::error(rules::TAG_SYNTAX, place, fault.message)
    };
    problem.help = fault.help;
    problem.within(fault.at)
}
