//! Compiles what is resolved: finds every template that can be called, reads every text, and
//! links calls to their templates.
//!
//! Nothing stops at the first problem; what cannot be linked stays open, and the problem says so.
//! What is merely unwise, or fails only when it runs, is for the checks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::call::Callee;
use super::graph;
use super::merge;
use super::model::{Body, Dag, Plan, Resolved, Scope, Task, TaskIx, Template, TemplateIx, Text};
use super::problem::{Place, Problem};
use super::results;
use super::rules;
use super::texts;
use crate::expr::{TemplateStr, depends};
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
    pub problems: Vec<Problem>,
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
        let errors: Vec<Problem> = self.problems.into_iter().filter(Problem::is_error).collect();
        match self.entrypoint {
            Some(entrypoint) if errors.is_empty() => Ok(Plan {
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
struct Declared {
    name: Arc<str>,
    scope: Scope,
    spec: spec::Template,
    place: Place,
}

struct Compiler<'r> {
    resolved: &'r Resolved,
    /// By scope: the place of each template in its list, by name.
    names: BTreeMap<Scope, BTreeMap<&'r str, usize>>,
    /// What was found, by `TemplateIx`; what is compiled is taken out.
    declared: Vec<Option<Declared>>,
    by_name: BTreeMap<(Scope, Arc<str>), TemplateIx>,
    problems: Vec<Problem>,
}

impl<'r> Compiler<'r> {
    fn new(resolved: &'r Resolved) -> Self {
        Self { resolved, names: BTreeMap::new(), declared: Vec::new(), by_name: BTreeMap::new(), problems: Vec::new() }
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
        let Declared { name, scope, mut spec, place } = declared;
        // Tasks have texts of their own, so the graph is left out of the template's.
        let (steps, dag) = (spec.steps.take(), spec.dag.take());
        let mut references = results::References::default();
        let mut texts = self.texts(&spec, &place, &mut references);
        let mut body = self.body(&spec, steps.as_deref(), dag.as_ref(), &scope, &place, &mut references);
        if let Body::Dag(dag) = &body {
            texts.extend(
                dag.target_text.clone().map(|text| Text {
                    pointer: vec![Segment::Key("dag".into()), Segment::Key("target".into())],
                    text,
                }),
            );
        }
        references.mark(&mut body);
        (spec.steps, spec.dag) = (steps, dag);
        Template { name, scope, spec: Arc::new(spec), texts, body, place }
    }

    /// Reads the texts of a template or a task; what cannot be read is a problem at its place.
    fn texts(
        &mut self,
        spec: &impl serde::Serialize,
        place: &Place,
        references: &mut results::References,
    ) -> Vec<Text> {
        let value = serde_json::to_value(spec).expect("manifest types are plain data with text keys");
        references.collect(&value);
        let (texts, bad) = texts::collect(&value);
        self.problems.extend(bad.into_iter().map(|bad| unreadable(bad, place)));
        texts
    }

    fn body(
        &mut self,
        spec: &spec::Template,
        steps: Option<&[Vec<spec::WorkflowStep>]>,
        dag: Option<&spec::DAGTemplate>,
        scope: &Scope,
        place: &Place,
        references: &mut results::References,
    ) -> Body {
        if let Some(steps) = steps {
            return Body::Steps(self.steps(steps, scope, &place.key("steps"), references));
        }
        if let Some(dag) = dag {
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
                steps.map(|(index, step)| self.task(as_task(step), scope, place.index(index), references)).collect(),
            );
        }
        compiled
    }

    fn dag(
        &mut self,
        dag: &spec::DAGTemplate,
        scope: &Scope,
        place: &Place,
        references: &mut results::References,
    ) -> Dag {
        let at = place.key("tasks");
        let tasks = dag.tasks.iter().enumerate();
        let tasks: Vec<Task> =
            tasks.map(|(index, task)| self.task(task.clone(), scope, at.index(index), references)).collect();
        let by_name = by_name(&dag.tasks);
        let depends: Vec<Option<depends::Expr>> =
            dag.tasks.iter().enumerate().map(|(index, task)| self.condition(task, &at.index(index))).collect();
        let parents = self.parents(&dag.tasks, &depends, &by_name, &at);
        self.problems.extend(graph::cycles(&parents).iter().map(|cycle| circle(cycle, &dag.tasks, &at)));
        let depends = depends.into_iter().map(|expr| Some(graph::expand(expr?, &dag.tasks, &by_name))).collect();
        let dependents = graph::dependents(&parents);
        let (targets, target_text) = self.targets(dag, &dependents, &by_name, place);
        Dag { tasks, depends, parents, dependents, targets, target_text, by_name }
    }

    /// Reads what a task waits for; `dependencies` are a condition too.
    fn condition(&mut self, task: &spec::DAGTask, place: &Place) -> Option<depends::Expr> {
        match task.depends.as_deref().filter(|text| !text.is_empty()) {
            None if task.dependencies.is_empty() => None,
            None => Some(depends::Expr::from_dependencies(task.dependencies.iter().map(String::as_str))),
            Some(text) => match depends::parse(text) {
                Ok(expr) => Some(expr),
                Err(fault) => {
                    let mut problem = Problem::error(
                        rules::DEPENDS_SYNTAX,
                        place.key("depends"),
                        format!("`depends` of `{}` cannot be read: {}", task.name, fault.message),
                    )
                    .within(fault.at);
                    problem.help = fault.help;
                    self.problems.push(problem);
                    None
                }
            },
        }
    }

    /// Returns the tasks that each condition names, each once.
    fn parents(
        &mut self,
        tasks: &[spec::DAGTask],
        depends: &[Option<depends::Expr>],
        by_name: &BTreeMap<Arc<str>, TaskIx>,
        place: &Place,
    ) -> Vec<Vec<TaskIx>> {
        let mut all = Vec::with_capacity(tasks.len());
        for (index, expr) in depends.iter().enumerate() {
            let mut seen = BTreeSet::new();
            let mut parents = Vec::new();
            for mention in expr.iter().flat_map(depends::Expr::tasks) {
                match by_name.get(mention.name) {
                    Some(&parent) if seen.insert(parent) => parents.push(parent),
                    Some(_) => {}
                    None => self.problems.push(unknown_dependency(&mention, &tasks[index], tasks, &place.index(index))),
                }
            }
            all.push(parents);
        }
        all
    }

    fn targets(
        &mut self,
        dag: &spec::DAGTemplate,
        dependents: &[Vec<TaskIx>],
        by_name: &BTreeMap<Arc<str>, TaskIx>,
        place: &Place,
    ) -> (Vec<TaskIx>, Option<TemplateStr>) {
        let leaves = || graph::leaves(&dag.tasks, dependents);
        let Some(target) = dag.target.as_deref().filter(|target| !target.trim().is_empty()) else {
            return (leaves(), None);
        };
        if target.contains("{{") {
            return match TemplateStr::parse(target) {
                Ok(text) => (leaves(), Some(text)),
                Err(fault) => {
                    let bad =
                        texts::BadText { pointer: vec![Segment::Key("target".into())], fault, in_expression: false };
                    self.problems.push(unreadable(bad, place));
                    (leaves(), None)
                }
            };
        }
        let mut targets = Vec::new();
        for name in target.split_whitespace() {
            match by_name.get(name) {
                Some(&task) => targets.push(task),
                None => self.problems.push(
                    Problem::error(rules::TARGET, place.key("target"), format!("there is no task `{name}` to aim at"))
                        .suggest(name, dag.tasks.iter().map(|task| task.name.as_str())),
                ),
            }
        }
        (targets, None)
    }

    fn task(
        &mut self,
        mut spec: spec::DAGTask,
        scope: &Scope,
        place: Place,
        references: &mut results::References,
    ) -> Task {
        let name: Arc<str> = spec.name.as_str().into();
        let texts = self.texts(&spec, &place, references);
        let callee = Callee::of_task(&spec);
        let target = match (callee, spec.inline.take()) {
            (Callee::Inline, Some(inline)) => {
                let ix = self.declare_inline(name.clone(), scope.clone(), (*inline).clone(), place.key("inline"));
                spec.inline = Some(inline);
                Some(ix)
            }
            (callee, inline) => {
                let target = self.call(scope, &callee, &place);
                spec.inline = inline;
                target
            }
        };
        let hooks = self.hooks(scope, spec.on_exit.as_deref(), &spec.hooks, &place);
        Task { name, spec: Arc::new(spec), texts, target, hooks, captures_result: false }
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

    /// Returns the template that is called, or none when that is only known when it runs.
    fn call(&mut self, scope: &Scope, callee: &Callee, place: &Place) -> Option<TemplateIx> {
        match callee {
            Callee::Named(name) => self.named(scope, name, &place.key("template")),
            Callee::Referred(reference) => self.referred(reference, &place.key("templateRef")),
            Callee::Inline => None,
            Callee::Dynamic(reference) => {
                self.declare_all(scope, reference.as_ref());
                None
            }
            Callee::Faulty(fault) => {
                self.problems.push(Problem::error(rules::CALL, place.clone(), fault.message()).help(fault.help()));
                None
            }
        }
    }

    /// Declares all templates that a name may mean which is known only when it runs.
    fn declare_all(&mut self, scope: &Scope, reference: Option<&spec::TemplateRef>) {
        let resolved = self.resolved;
        let scopes: Vec<Scope> = match reference.map(Scope::of) {
            None => vec![scope.clone()],
            Some(Scope::Namespaced(name)) if name.contains("{{") => {
                resolved.templates.keys().map(|name| Scope::Namespaced(name.as_str().into())).collect()
            }
            Some(Scope::Cluster(name)) if name.contains("{{") => {
                resolved.cluster_templates.keys().map(|name| Scope::Cluster(name.as_str().into())).collect()
            }
            Some(scope) => vec![scope],
        };
        for scope in scopes {
            for name in self.templates_of(&scope).iter().filter_map(|template| template.name.as_deref()) {
                self.declare(&scope, name);
            }
        }
    }

    fn named(&mut self, scope: &Scope, name: &str, place: &Place) -> Option<TemplateIx> {
        if name.contains("{{") {
            return None;
        }
        let found = self.declare(scope, name);
        if found.is_none() {
            let problem = Problem::error(
                rules::TEMPLATE_NOT_FOUND,
                place.clone(),
                format!("there is no template `{name}`{}", whereabouts(scope)),
            );
            let names = self.templates_of(scope).iter().filter_map(|template| template.name.as_deref());
            self.problems.push(problem.says("called here").suggest(name, names));
        }
        found
    }

    fn referred(&mut self, reference: &spec::TemplateRef, place: &Place) -> Option<TemplateIx> {
        let scope = Scope::of(reference);
        let known = match &scope {
            Scope::Local => true,
            Scope::Namespaced(name) => self.resolved.templates.contains_key(&**name),
            Scope::Cluster(name) => self.resolved.cluster_templates.contains_key(&**name),
        };
        if !known {
            self.problems.push(object_not_found(&scope, place));
            return None;
        }
        self.named(&scope, reference.template.as_deref().unwrap_or_default(), &place.key("template"))
    }

    fn templates_of(&self, scope: &Scope) -> &'r [spec::Template] {
        let spec = match scope {
            Scope::Local => Some(&self.resolved.spec),
            Scope::Namespaced(name) => self.resolved.templates.get(&**name),
            Scope::Cluster(name) => self.resolved.cluster_templates.get(&**name),
        };
        spec.map(|spec| spec.templates.as_slice()).unwrap_or_default()
    }

    /// Returns the template's index, which it gets when it is first asked for.
    fn declare(&mut self, scope: &Scope, name: &str) -> Option<TemplateIx> {
        let key = (scope.clone(), Arc::from(name));
        if let Some(&ix) = self.by_name.get(&key) {
            return Some(ix);
        }
        let templates = self.templates_of(scope);
        let names = self.names.entry(scope.clone()).or_insert_with(|| first_by_name(templates));
        let place = *names.get(name)?;
        let at = Place::of(scope.clone()).key("spec").key("templates").index(place);
        let ix = self.push(key.1.clone(), scope.clone(), templates[place].clone(), at);
        self.by_name.insert(key, ix);
        Some(ix)
    }

    fn declare_inline(&mut self, name: Arc<str>, scope: Scope, spec: spec::Template, place: Place) -> TemplateIx {
        self.push(name, scope, spec, place)
    }

    fn push(&mut self, name: Arc<str>, scope: Scope, spec: spec::Template, place: Place) -> TemplateIx {
        let spec = match self.resolved.spec.template_defaults.as_deref() {
            Some(defaults) => merge::with_defaults(&spec, defaults),
            None => spec,
        };
        let ix = TemplateIx(u32::try_from(self.declared.len()).expect("manifests are bounded in size"));
        self.declared.push(Some(Declared { name, scope, spec, place }));
        ix
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

fn first_by_name(templates: &[spec::Template]) -> BTreeMap<&str, usize> {
    let named = templates.iter().enumerate();
    named.rev().filter_map(|(place, template)| Some((template.name.as_deref()?, place))).collect()
}

fn by_name(tasks: &[spec::DAGTask]) -> BTreeMap<Arc<str>, TaskIx> {
    tasks.iter().enumerate().rev().map(|(index, task)| (Arc::from(task.name.as_str()), index)).collect()
}

/// Says where a template was looked for, unless it is the workflow itself.
fn whereabouts(scope: &Scope) -> String {
    match scope {
        Scope::Local => String::new(),
        Scope::Namespaced(name) => format!(" in the WorkflowTemplate `{name}`"),
        Scope::Cluster(name) => format!(" in the ClusterWorkflowTemplate `{name}`"),
    }
}

/// Returns the problem of an object that is referred to and was not given.
pub(super) fn object_not_found(scope: &Scope, place: &Place) -> Problem {
    let (kind, name) = match scope {
        Scope::Local => ("Workflow", ""),
        Scope::Namespaced(name) => ("WorkflowTemplate", &**name),
        Scope::Cluster(name) => ("ClusterWorkflowTemplate", &**name),
    };
    Problem::error(
        rules::OBJECT_NOT_FOUND,
        place.key("name"),
        format!("the {kind} `{name}` is not among the files given"),
    )
    .says("referred to here")
}

fn unreadable(bad: texts::BadText, place: &Place) -> Problem {
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

fn unknown_dependency(
    mention: &depends::TaskRef<'_>,
    task: &spec::DAGTask,
    tasks: &[spec::DAGTask],
    place: &Place,
) -> Problem {
    let message = format!("`{}` depends on `{}`, which is no task of this DAG", task.name, mention.name);
    let names = tasks.iter().map(|task| task.name.as_str()).filter(|name| *name != task.name);
    let listed = task.dependencies.iter().position(|name| name == mention.name);
    let problem = match listed {
        Some(index) if mention.span.is_empty() => {
            Problem::error(rules::DEPENDENCY, place.key("dependencies").index(index), message)
        }
        _ => Problem::error(rules::DEPENDENCY, place.key("depends"), message).within(mention.span.clone()),
    };
    problem.suggest(mention.name, names)
}

fn circle(cycle: &[TaskIx], tasks: &[spec::DAGTask], place: &Place) -> Problem {
    let name = |task: TaskIx| tasks[task].name.as_str();
    let edge = |task: TaskIx| {
        let field = if tasks[task].dependencies.is_empty() { "depends" } else { "dependencies" };
        place.index(task).key(field)
    };
    let way: Vec<&str> = cycle.iter().chain(cycle.first()).map(|&task| name(task)).collect();
    let message = format!("tasks wait for each other: `{}`", way.join("` → `"));
    let mut problem = Problem::error(rules::CYCLE, edge(cycle[0]), message)
        .says(format!("`{}` waits for `{}`", way[0], way[1]))
        .help("take one of the dependencies away");
    for (&task, pair) in cycle.iter().zip(way.windows(2)).skip(1) {
        problem = problem.also(edge(task), format!("`{}` waits for `{}`", pair[0], pair[1]));
    }
    problem
}
