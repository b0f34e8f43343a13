//! Expressions that stand in fields of their own, outside of tags.
//!
//! Argo reads them only when it needs them, and fails the node then.

use super::{Checked, called, given};
use crate::expr::lang;
use crate::plan::problem::{Place, Problem};
use crate::plan::rules;
use crate::plan::scopes::{self, Items, Look, Variables};

pub(super) fn check(checked: &Checked<'_>, problems: &mut Vec<Problem>) {
    let mut found = Vec::new();
    of_workflow(checked, &mut found);
    for template in &checked.draft.templates {
        let variables = Variables::of(checked.draft, &checked.globals, template, true);
        of_template(template, &mut found);
        found.drain(..).for_each(|field| field.check(None, problems));
        over_nodes(template, &mut found);
        found.drain(..).for_each(|field| field.check(Some(&variables), problems));
    }
}

/// An expression and its place.
struct Field<'a> {
    text: &'a str,
    place: Place,
}

impl Field<'_> {
    /// Checks that it can be read, and that what it names exists, where that is known.
    fn check(&self, variables: Option<&Variables<'_>>, problems: &mut Vec<Problem>) {
        if self.text.contains("{{") {
            return;
        }
        match lang::parse(self.text) {
            Err(fault) => {
                let message = format!("the expression cannot be read: {}", fault.message);
                let mut problem = Problem::error(rules::EXPRESSION, self.place.clone(), message).within(fault.at);
                problem.help = fault.help;
                problems.push(problem);
            }
            Ok(expression) => {
                problems.extend(variables.into_iter().flat_map(|variables| self.unknown(&expression, variables)))
            }
        }
    }

    fn unknown(&self, expression: &lang::Ast, variables: &Variables<'_>) -> Vec<Problem> {
        let named = expression.variables().iter();
        let unknown = named.filter(|named| {
            !named.guarded
                && scopes::is_variable(&named.name)
                && variables.look_up_part(&named.name, &Items::None) == Look::Unknown
        });
        let problem = |named: &lang::Named| {
            let candidates = variables.candidates(&named.name, &Items::None);
            Problem::error(rules::VARIABLE, self.place.clone(), format!("there is no `{}` here", named.name))
                .within(named.at.clone())
                .suggest(&named.name, candidates.iter().map(String::as_str))
        };
        unknown.map(problem).collect()
    }
}

fn of_workflow<'a>(checked: &'a Checked<'_>, found: &mut Vec<Field<'a>>) {
    let spec = &checked.draft.resolved.spec;
    let place = Place::root().key("spec");
    let labels = spec.workflow_metadata.iter().flat_map(|metadata| &metadata.labels_from);
    found.extend(labels.map(|(name, from)| Field {
        text: &from.expression,
        place: place.down("workflowMetadata.labelsFrom").key(name).key("expression"),
    }));
    found.extend(spec.hooks.iter().filter_map(|(name, hook)| {
        Some(Field { text: given(hook.expression.as_deref())?, place: place.key("hooks").key(name).key("expression") })
    }));
    let retry = spec.retry_strategy.as_ref().and_then(|strategy| given(strategy.expression.as_deref()));
    found.extend(retry.map(|text| Field { text, place: place.down("retryStrategy.expression") }));
}

/// Returns the expressions over the inputs, steps and tasks of a template, with their places.
pub(super) fn fields(template: &crate::plan::model::Template) -> Vec<(&str, Place)> {
    let mut found = Vec::new();
    over_nodes(template, &mut found);
    found.into_iter().map(|field| (field.text, field.place)).collect()
}

/// Expressions over what only a run knows: their names are not looked at.
fn of_template<'a>(template: &'a crate::plan::model::Template, found: &mut Vec<Field<'a>>) {
    let spec = &template.spec;
    let place = &template.place;
    let retry = spec.retry_strategy.as_ref().and_then(|strategy| given(strategy.expression.as_deref()));
    found.extend(retry.map(|text| Field { text, place: place.down("retryStrategy.expression") }));
    let success = spec.http.as_ref().and_then(|http| given(http.success_condition.as_deref()));
    found.extend(success.map(|text| Field { text, place: place.down("http.successCondition") }));
    let steps = spec.data.iter().flat_map(|data| data.transformation.iter().enumerate());
    found.extend(steps.map(|(index, step)| Field {
        text: &step.expression,
        place: place.down("data.transformation").index(index).key("expression"),
    }));
}

/// Expressions over the steps or tasks of the template.
fn over_nodes<'a>(template: &'a crate::plan::model::Template, found: &mut Vec<Field<'a>>) {
    let outputs = template.spec.outputs.iter();
    let place = template.place.key("outputs");
    for outputs in outputs {
        for (index, output) in outputs.parameters.iter().enumerate() {
            let text = output.value_from.as_ref().and_then(|from| given(from.expression.as_deref()));
            let place = || place.key("parameters").index(index).down("valueFrom.expression");
            found.extend(text.map(|text| Field { text, place: place() }));
        }
        for (index, output) in outputs.artifacts.iter().enumerate() {
            let text = given(output.from_expression.as_deref());
            let place = || place.key("artifacts").index(index).key("fromExpression");
            found.extend(text.map(|text| Field { text, place: place() }));
        }
    }
    for call in called(template) {
        let task = &call.task.spec;
        found.extend(task.hooks.iter().filter_map(|(name, hook)| {
            Some(Field {
                text: given(hook.expression.as_deref())?,
                place: call.place.key("hooks").key(name).key("expression"),
            })
        }));
    }
}
