//! Collects what a workflow refers to: objects whose templates it calls, and ConfigMaps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::call::{Callee, calls, of_hooks};
use super::library::Library;
use super::link::object_not_found;
use super::model::{Resolved, Scope};
use super::problem::{Place, Problem};
use super::problems::Problems;
use crate::spec;

/// Takes every object whose templates can be reached; one that is missing is a problem at the
/// call that needs it.
pub(super) fn objects(resolved: &mut Resolved, library: &Library, problems: &mut Problems) {
    let (names, seen, whole, queue) = Default::default();
    Collector { library, resolved, problems, names, seen, whole, queue }.run();
}

/// Takes the ConfigMaps that the specs name, as far as the files given have them.
pub(super) fn config_maps(resolved: &mut Resolved, library: &Library) {
    if library.config_map_names().next().is_none() {
        return;
    }
    let mut named = Named::default();
    let specs =
        std::iter::once(&resolved.spec).chain(resolved.templates.values()).chain(resolved.cluster_templates.values());
    for spec in specs {
        named.collect(&serde_json::to_value(spec).expect("manifest types are plain data with text keys"));
    }
    let wanted = library.config_map_names().filter(|name| named.any || named.names.contains(*name));
    resolved.config_maps =
        wanted.filter_map(|name| Some((name.to_owned(), library.config_map(name)?.clone()))).collect();
}

/// The ConfigMaps that a JSON value names.
#[derive(Default)]
struct Named {
    names: BTreeSet<String>,
    /// One is named by a tag, and may be any.
    any: bool,
}

impl Named {
    /// Recursion is bounded by the depth of the manifest.
    fn collect(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.collect(item)),
            Value::Object(fields) => {
                for (key, field) in fields {
                    if matches!(key.as_str(), "configMapKeyRef" | "configMapRef" | "configMap") {
                        self.name(field.get("name").unwrap_or(field));
                    }
                    self.collect(field);
                }
            }
            _ => {}
        }
    }

    fn name(&mut self, name: &Value) {
        if let Some(name) = name.as_str() {
            self.any |= name.contains("{{");
            self.names.insert(name.to_owned());
        }
    }
}

/// Follows references from template to template, and takes every object that is met.
struct Collector<'a> {
    library: &'a Library,
    resolved: &'a mut Resolved,
    problems: &'a mut Problems,
    /// By scope: the place of each template in its list, by name.
    names: BTreeMap<Scope, BTreeMap<String, usize>>,
    seen: BTreeSet<(Scope, usize)>,
    /// The scopes of which everything was taken.
    whole: BTreeSet<Scope>,
    /// Templates to look at, each in its scope and at its place in the list of that scope.
    queue: Vec<(Scope, usize)>,
}

impl<'a> Collector<'a> {
    fn run(mut self) {
        let spec = &self.resolved.spec;
        let roots = of_hooks(spec.on_exit.as_deref(), &spec.hooks, &Place::root().key("spec"));
        self.all_of(&Scope::Local);
        self.follow(&Scope::Local, roots);
        while let Some((scope, index)) = self.queue.pop() {
            let found = {
                let template = &templates(self.resolved, self.library, &scope)[index];
                calls(template, &Place::of(scope.clone()).key("spec").key("templates").index(index))
            };
            self.follow(&scope, found);
        }
    }

    fn follow(&mut self, scope: &Scope, calls: Vec<(Callee, Place)>) {
        for (callee, place) in calls {
            match callee {
                Callee::Named(name) => self.template(scope, &name),
                Callee::Referred(reference) => self.reference(&reference, &place.key("templateRef")),
                Callee::Dynamic(None) => self.all_of(scope),
                Callee::Dynamic(Some(reference)) => self.any_of(&reference, &place.key("templateRef")),
                Callee::Inline | Callee::Faulty(_) => {}
            }
        }
    }

    fn reference(&mut self, reference: &spec::TemplateRef, place: &Place) {
        let scope = Scope::of(reference);
        if self.take(&scope, place) {
            self.template(&scope, reference.template.as_deref().unwrap_or_default());
        }
    }

    /// Takes everything that a reference with tags may turn out to mean.
    fn any_of(&mut self, reference: &spec::TemplateRef, place: &Place) {
        let scope = Scope::of(reference);
        let scopes = match reference.name.as_deref().is_some_and(|name| name.contains("{{")) {
            true => self.library.scopes_like(&scope),
            false => vec![scope],
        };
        for scope in scopes {
            if self.take(&scope, place) {
                self.all_of(&scope);
            }
        }
    }

    /// Copies the object into what is resolved; returns whether it is there.
    fn take(&mut self, scope: &Scope, place: &Place) -> bool {
        let Some(object) = self.library.object(scope) else {
            self.problems.push(missing(scope, self.library, place));
            return false;
        };
        let (objects, name) = match scope {
            Scope::Local => return true,
            Scope::Namespaced(name) => (&mut self.resolved.templates, name),
            Scope::Cluster(name) => (&mut self.resolved.cluster_templates, name),
        };
        objects.entry(name.to_string()).or_insert_with(|| object.spec.clone());
        true
    }

    fn all_of(&mut self, scope: &Scope) {
        if !self.whole.insert(scope.clone()) {
            return;
        }
        let templates = templates(self.resolved, self.library, scope);
        let names: Vec<String> = templates.iter().filter_map(|template| template.name.clone()).collect();
        for name in names {
            self.template(scope, &name);
        }
    }

    fn template(&mut self, scope: &Scope, name: &str) {
        let templates = templates(self.resolved, self.library, scope);
        let names = self.names.entry(scope.clone()).or_insert_with(|| first_by_name(templates));
        let Some(&index) = names.get(name) else { return };
        if self.seen.insert((scope.clone(), index)) {
            self.queue.push((scope.clone(), index));
        }
    }
}

fn templates<'t>(resolved: &'t Resolved, library: &'t Library, scope: &Scope) -> &'t [Arc<spec::Template>] {
    match scope {
        Scope::Local => &resolved.spec.templates,
        scope => library.object(scope).map(|object| object.spec.templates.as_slice()).unwrap_or_default(),
    }
}

fn first_by_name(templates: &[Arc<spec::Template>]) -> BTreeMap<String, usize> {
    let named = templates.iter().enumerate().rev();
    named.filter_map(|(index, template)| Some((template.name.clone()?, index))).collect()
}

/// Returns the problem of an object that is referred to, with the names of those that there are.
pub(super) fn missing(scope: &Scope, library: &Library, place: &Place) -> Problem {
    let name = |scope: &Scope| match scope {
        Scope::Local => String::new(),
        Scope::Namespaced(name) | Scope::Cluster(name) => name.to_string(),
    };
    let names: Vec<String> = library.scopes_like(scope).iter().map(name).collect();
    object_not_found(scope, place).help("give its file too").suggest(&name(scope), names.iter().map(String::as_str))
}
