//! Resource templates: an action, and an object where it takes one.
//!
//! Source: `validateLeaf`.

use super::{Checked, given, title};
use crate::expr::TemplateStr;
use crate::expr::conditions::Condition;
use crate::plan::model::Template;
use crate::plan::problem::Problem;
use crate::plan::problems::Problems;
use crate::plan::rules;
use crate::source::{self, Sources};
use crate::spec;

const ACTIONS: [&str; 6] = ["get", "create", "apply", "delete", "replace", "patch"];

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    for template in &checked.draft.templates {
        if let Some(resource) = &template.spec.resource {
            problems.extend(action(template, resource));
            conditions(template, resource, problems);
            if !["delete", "get"].contains(&resource.action.as_str()) {
                problems.extend(object(template, resource));
            }
        }
    }
}

fn action(template: &Template, resource: &spec::ResourceTemplate) -> Option<Problem> {
    let action = resource.action.as_str();
    if ACTIONS.contains(&action) || action.contains("{{") {
        return None;
    }
    let message = match action {
        "" => format!("{} does not say what to do with its object", title(template)),
        _ => format!("`{action}` is nothing that can be done with an object"),
    };
    let problem = Problem::error(rules::RESOURCE, template.place.key("resource").key("action"), message);
    Some(problem.suggest(action, ACTIONS))
}

/// Argo reads them when the object is there, and the node is an error then.
fn conditions(template: &Template, resource: &spec::ResourceTemplate, problems: &mut Problems) {
    let conditions =
        [("successCondition", &resource.success_condition), ("failureCondition", &resource.failure_condition)];
    for (field, text) in conditions {
        let text = given(text.as_deref()).filter(|text| !text.contains("{{"));
        if let Some(Err(fault)) = text.map(Condition::parse) {
            problems.push(Problem::error(rules::RESOURCE, template.place.key("resource").key(field), fault));
        }
    }
}

fn object(template: &Template, resource: &spec::ResourceTemplate) -> Option<Problem> {
    let place = template.place.key("resource");
    let error = |place, message: String| Some(Problem::error(rules::RESOURCE, place, message));
    match (given(resource.manifest.as_deref()), &resource.manifest_from) {
        (None, None) => error(place, format!("{} has no object", title(template)))
            .map(|problem| problem.help("add `manifest`, or `manifestFrom`")),
        (Some(_), Some(_)) => {
            error(place.key("manifestFrom"), format!("{} has both `manifest` and `manifestFrom`", title(template)))
        }
        (Some(manifest), None) => {
            let fault = bad_object(manifest, resource.action == "patch")?;
            error(place.key("manifest"), fault)
        }
        (None, Some(from)) => {
            let name = from.artifact.as_ref()?.name.as_str();
            let inputs = template.spec.inputs.iter().flat_map(|inputs| &inputs.artifacts);
            let names: Vec<&str> = inputs.map(|input| input.name.as_str()).collect();
            if names.contains(&name) {
                return None;
            }
            let message =
                format!("`manifestFrom` names the artifact `{name}`, which is no input of {}", title(template));
            error(place.down("manifestFrom.artifact.name"), message).map(|problem| problem.suggest(name, names))
        }
    }
}

/// Returns why a text is no object of Kubernetes; tags are replaced before, since they seldom are YAML. What
/// consists of tags may become anything, and a patch needs to say only what it changes.
fn bad_object(text: &str, is_patch: bool) -> Option<String> {
    let mut sources = Sources::new();
    let file = sources.add("manifest", TemplateStr::blot(text, |_| "x".to_owned()));
    let (documents, diagnostics) = source::read(&sources, file);
    if let Some(fault) = diagnostics.into_iter().find(source::Diagnostic::is_error) {
        return Some(format!("`manifest` is not YAML: {}", fault.message));
    }
    let object =
        documents.first().filter(|document| !is_patch && matches!(document.root.value, source::Value::Map(_)))?;
    let missing = ["apiVersion", "kind"].into_iter().find(|key| object.root.get(key).is_none())?;
    Some(format!("the object in `manifest` has no `{missing}`"))
}
