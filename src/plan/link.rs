//! Links calls to the templates that they mean.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::call::Callee;
use super::compile::{Compiler, Declared};
use super::merge;
use super::model::{Scope, TemplateIx};
use super::problem::{Place, Problem};
use super::rules;
use crate::base::limits;
use crate::source;
use crate::spec;

impl<'r> Compiler<'r> {
    /// Returns the template that is called, or none when that is only known when it runs.
    pub(super) fn call(&mut self, scope: &Scope, callee: &Callee, place: &Place) -> Option<TemplateIx> {
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
            if !self.whole.insert(scope.clone()) {
                continue;
            }
            for name in self.templates_of(&scope).iter().filter_map(|template| template.name.as_deref()) {
                self.declare(&scope, name);
            }
        }
    }

    pub(super) fn named(&mut self, scope: &Scope, name: &str, place: &Place) -> Option<TemplateIx> {
        if name.contains("{{") {
            return None;
        }
        let found = self.declare(scope, name);
        if found.is_none() {
            let names = self.templates_of(scope).iter().filter_map(|template| template.name.as_deref());
            self.problems.push_error(rules::TEMPLATE_NOT_FOUND, || {
                let message = format!("there is no template `{name}`{}", whereabouts(scope));
                let problem = Problem::error(rules::TEMPLATE_NOT_FOUND, place.clone(), message);
                problem.says("called here").suggest(name, names)
            });
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

    fn templates_of(&self, scope: &Scope) -> &'r [Arc<spec::Template>] {
        let spec = match scope {
            Scope::Local => Some(&self.resolved.spec),
            Scope::Namespaced(name) => self.resolved.templates.get(&**name),
            Scope::Cluster(name) => self.resolved.cluster_templates.get(&**name),
        };
        spec.map(|spec| spec.templates.as_slice()).unwrap_or_default()
    }

    /// Returns the template's index, which it gets when it is first asked for.
    pub(super) fn declare(&mut self, scope: &Scope, name: &str) -> Option<TemplateIx> {
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

    pub(super) fn declare_inline(
        &mut self,
        name: Arc<str>,
        scope: Scope,
        spec: Arc<spec::Template>,
        place: Place,
    ) -> TemplateIx {
        self.push(name, scope, spec, place)
    }

    fn push(&mut self, name: Arc<str>, scope: Scope, spec: Arc<spec::Template>, place: Place) -> TemplateIx {
        let spec = self.with_defaults(spec);
        let ix = TemplateIx(u32::try_from(self.declared.len()).expect("manifests are bounded in size"));
        self.declared.push(Some(Declared { name, scope, spec, place }));
        ix
    }
}

impl Compiler<'_> {
    /// Lays the defaults under a template, for which the bound on such copies pays.
    fn with_defaults(&mut self, spec: Arc<spec::Template>) -> Arc<spec::Template> {
        let Some(defaults) = self.resolved.spec.template_defaults.as_deref() else { return spec };
        let bytes =
            *self.defaults_bytes.get_or_insert_with(|| serde_json::to_string(defaults).map_or(0, |text| text.len()));
        let Some(left) = self.defaults_bytes_left.checked_sub(bytes) else {
            let most = limits::TEMPLATE_DEFAULTS_BYTES_MAX;
            let message =
                format!("`templateDefaults` make more than {most} bytes when they are laid under each template");
            let problem =
                Problem::error(source::rules::EXPANSION, Place::root().down("spec.templateDefaults"), message);
            self.problems.push(problem.help("move what only some templates need into those"));
            return spec;
        };
        self.defaults_bytes_left = left;
        Arc::new(merge::with_defaults(&spec, defaults))
    }
}

fn first_by_name(templates: &[Arc<spec::Template>]) -> BTreeMap<&str, usize> {
    let named = templates.iter().enumerate();
    named.rev().filter_map(|(place, template)| Some((template.name.as_deref()?, place))).collect()
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
