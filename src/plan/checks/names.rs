//! Names: form, length, and that no list has one twice.
//!
//! Source: `validateWorkflowFieldNames`, `isValidParamOrArtifactName`, `isValidStepName`.

use std::collections::BTreeMap;

use super::{Called, Checked, given};
use crate::base::limits;
use crate::expr::TemplateStr;
use crate::plan::model::{Body, Scope};
use crate::plan::problem::{Place, Problem};
use crate::plan::problems::Problems;
use crate::plan::rules;
use crate::spec;

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    let draft = checked.draft;
    let spec = Place::root().key("spec");
    let mut list = List { problems };
    let own = draft.resolved.spec.templates.iter().map(|template| template.name.as_deref());
    list.check(own, Form::Field, &spec.key("templates"), "templates");
    if let Some(arguments) = &draft.resolved.spec.arguments {
        list.arguments(arguments, &spec.key("arguments"));
    }
    for (template, calls) in checked.each() {
        list.template(template, calls);
    }
    object_name(checked, problems);
}

/// The form that a name has to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Of templates and tasks.
    Field,
    /// Of steps, in which tags are replaced when the template is called.
    Step,
    /// Of parameters and artifacts.
    Value,
}

struct List<'a> {
    problems: &'a mut Problems,
}

impl List<'_> {
    fn template(&mut self, template: &crate::plan::model::Template, called: &[Called<'_>]) {
        if let Some(inputs) = &template.spec.inputs {
            let place = template.place.key("inputs");
            self.values(&inputs.parameters, &inputs.artifacts, &place, "input");
        }
        if let Some(outputs) = &template.spec.outputs {
            let place = template.place.key("outputs");
            self.values(&outputs.parameters, &outputs.artifacts, &place, "output");
        }
        let (kind, form) = match template.body {
            Body::Dag(_) => ("tasks", Form::Field),
            _ => ("steps", Form::Step),
        };
        let names: Vec<(Option<&str>, Place)> =
            called.iter().map(|call| (given(Some(&call.task.name)), call.place.clone())).collect();
        self.placed(&names, form, kind);
        for call in called {
            if let Some(arguments) = &call.task.spec.arguments {
                self.arguments(arguments, &call.place.key("arguments"));
            }
        }
    }

    fn arguments(&mut self, arguments: &spec::Arguments, place: &Place) {
        self.values(&arguments.parameters, &arguments.artifacts, place, "passed");
    }

    fn values(&mut self, parameters: &[spec::Parameter], artifacts: &[spec::Artifact], place: &Place, of: &str) {
        let names = parameters.iter().map(|parameter| given(Some(&parameter.name)));
        self.check(names, Form::Value, &place.key("parameters"), &format!("{of} parameters"));
        let names = artifacts.iter().map(|artifact| given(Some(&artifact.name)));
        self.check(names, Form::Value, &place.key("artifacts"), &format!("{of} artifacts"));
    }

    fn check<'n>(&mut self, names: impl Iterator<Item = Option<&'n str>>, form: Form, place: &Place, kind: &str) {
        let names: Vec<_> = names.enumerate().map(|(index, name)| (name, place.index(index))).collect();
        self.placed(&names, form, kind);
    }

    fn placed(&mut self, names: &[(Option<&str>, Place)], form: Form, kind: &str) {
        let mut seen: BTreeMap<&str, &Place> = BTreeMap::new();
        for (name, place) in names {
            let Some(name) = given(*name) else {
                self.problems.push(
                    Problem::error(rules::NAME_MISSING, place.clone(), format!("one of the {kind} has no name"))
                        .help("add `name`"),
                );
                continue;
            };
            if let Some(fault) = form.fault(name) {
                self.problems.push(bad_form(name, fault, form, place));
            }
            if let Some(first) = seen.get(name) {
                let message = format!("two of the {kind} are named `{name}`");
                let problem = Problem::error(rules::NAME_DUPLICATE, place.key("name"), message);
                self.problems.push(problem.also(first.key("name"), "the first is here").help("rename one of them"));
            }
            seen.entry(name).or_insert(place);
        }
    }
}

impl Form {
    fn fault(self, name: &str) -> Option<&'static str> {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '-';
        match self {
            Self::Step => Self::Field.fault(&TemplateStr::blot(name, |_| "x".to_owned())),
            Self::Field if name.contains("{{") => Some("Argo replaces tags in the names of steps alone"),
            Self::Field if name.len() > limits::TEMPLATE_NAME_BYTES_MAX => Some("it is longer than 128 characters"),
            Self::Field if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) => {
                Some("it must begin with a letter or a digit")
            }
            Self::Field if !name.chars().all(word) => Some("it may hold only letters, digits and `-`"),
            Self::Value if !name.chars().all(|c| word(c) || c == '_') => {
                Some("it may hold only letters, digits, `-` and `_`")
            }
            _ => None,
        }
    }
}

fn bad_form(name: &str, fault: &str, form: Form, place: &Place) -> Problem {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || (c == '_' && form == Form::Value);
    let mended: String = name.chars().map(|c| if allowed(c) { c } else { '-' }).collect();
    let mended = mended.trim_start_matches('-');
    let problem = Problem::error(rules::NAME_FORM, place.key("name"), format!("`{name}` is not a valid name: {fault}"));
    match mended.is_empty() || mended.len() > limits::TEMPLATE_NAME_BYTES_MAX {
        true => problem,
        false => problem.help(format!("call it `{mended}`")),
    }
}

/// The name of the object itself must fit into a label.
fn object_name(checked: &Checked<'_>, problems: &mut Problems) {
    let metadata = &checked.draft.resolved.metadata;
    let name = metadata.name.as_deref().unwrap_or_default();
    if name.len() > limits::RUN_NAME_BYTES_MAX {
        let place = Place::of(Scope::Local).down("metadata.name");
        let message =
            format!("the name has {} characters; at most {} fit into a label", name.len(), limits::RUN_NAME_BYTES_MAX);
        problems.push(Problem::error(rules::NAME_FORM, place, message).help("shorten it"));
    }
}
