//! Expressions that stand in fields of their own, outside of tags.
//!
//! Argo reads them only when it needs them, and fails the node then.

use super::{Called, Checked, given};
use crate::expr::{functions, lang};
use crate::plan::globals::Globals;
use crate::plan::model::Template;
use crate::plan::problem::{Place, Problem};
use crate::plan::problems::Problems;
use crate::plan::rules;
use crate::plan::scopes::{self, Items, Look, Variables};
use crate::source::Severity;
use crate::spec;

/// The roots that some expression knows. Another one is no variable anywhere.
pub(super) const ROOTS: [&str; 18] = [
    "workflow",
    "steps",
    "tasks",
    "inputs",
    "outputs",
    "item",
    "pod",
    "node",
    "lastRetry",
    "retries",
    "status",
    "duration",
    "exitCode",
    "resourcesDuration",
    "request",
    "response",
    "cronworkflow",
    "data",
];

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    let mut found = Vec::new();
    of_workflow(checked, &mut found);
    found.drain(..).for_each(|field| field.check(&Known::Workflow(&checked.globals), problems));
    let spec = &checked.draft.resolved.spec;
    of_retry(spec.retry_strategy.as_ref(), &Place::root().key("spec"), problems);
    for (template, calls) in checked.each() {
        let variables = Variables::of(checked.draft, &checked.globals, template, true);
        of_retry(template.spec.retry_strategy.as_ref(), &template.place, problems);
        of_template(template, problems);
        over_nodes(template, calls, &mut found);
        found.drain(..).for_each(|field| field.check(&Known::Nodes(&variables), problems));
    }
}

/// What an expression knows, beside functions.
enum Known<'a> {
    /// `workflow.*`.
    Workflow(&'a Globals<'a>),
    /// What has just happened, below these roots, and nothing else: the attempt that failed, the answer that came.
    Moment(&'static [&'static str]),
    /// The inputs, steps and tasks of a template.
    Nodes(&'a Variables<'a>),
}

impl Known<'_> {
    fn lacks(&self, name: &str) -> bool {
        let (root, rest) = name.split_once('.').unwrap_or((name, ""));
        if !ROOTS.contains(&root) {
            return true;
        }
        match self {
            Self::Workflow(globals) => root != "workflow" || !has_part(globals, rest),
            Self::Moment(roots) => !roots.contains(&root) || !knows_moment(root, rest),
            Self::Nodes(_) if !["workflow", "inputs", "steps", "tasks"].contains(&root) => true,
            Self::Nodes(variables) => {
                scopes::is_variable(name) && variables.look_up_part(name, &Items::None) == Look::Unknown
            }
        }
    }

    fn candidates(&self, name: &str) -> Vec<String> {
        let mut names = match self {
            Self::Workflow(globals) => globals.names().collect(),
            Self::Moment(roots) => {
                let fields = MOMENTS.iter().filter(|(root, _)| roots.contains(root));
                fields.map(|(root, field)| format!("{root}.{field}")).collect()
            }
            Self::Nodes(variables) => variables.candidates(name, &Items::None),
        };
        if !name.contains('.') {
            names.extend(functions::names().chain(ROOTS).map(str::to_owned));
        }
        names
    }
}

/// Returns whether `workflow.REST` exists, or the value that it is a part of, or the group that it is.
fn has_part(globals: &Globals<'_>, rest: &str) -> bool {
    let groups = ["", "parameters", "labels", "annotations", "outputs", "outputs.parameters", "outputs.artifacts"];
    let prefixes = rest.match_indices('.').map(|(at, _)| &rest[..at]);
    let is_value = |part: &str| !groups.contains(&part) && globals.has(part, true);
    groups.contains(&rest) || globals.has(rest, true) || prefixes.into_iter().any(is_value)
}

/// Fields of what has just happened. Source: `buildRetryStrategyLocalScope`, `executeHTTPTemplate`.
const MOMENTS: [(&str, &str); 12] = [
    ("lastRetry", "exitCode"),
    ("lastRetry", "status"),
    ("lastRetry", "duration"),
    ("lastRetry", "message"),
    ("request", "method"),
    ("request", "url"),
    ("request", "body"),
    ("request", "bodyBytes"),
    ("request", "headers"),
    ("response", "statusCode"),
    ("response", "body"),
    ("response", "headers"),
];

fn knows_moment(root: &str, rest: &str) -> bool {
    let field = rest.split('.').next().unwrap_or_default();
    let mut of_root = MOMENTS.iter().filter(|(known, _)| *known == root).peekable();
    rest.is_empty() || of_root.peek().is_none() || of_root.any(|(_, known)| *known == field)
}

/// An expression and its place.
struct Field<'a> {
    text: &'a str,
    place: Place,
}

impl Field<'_> {
    /// Checks that it can be read, and that what it names exists, where that is known.
    fn check(&self, known: &Known<'_>, problems: &mut Problems) {
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
            Ok(expression) if problems.has_room(rules::VARIABLE, Severity::Error) => {
                let unknown = expression.variables().iter().filter(|named| !named.guarded && known.lacks(&named.name));
                problems.extend(unknown.map(|named| self.unknown(named, known)));
            }
            Ok(_) => {}
        }
    }

    fn unknown(&self, named: &lang::Named, known: &Known<'_>) -> Problem {
        let name = &named.name;
        let message = match name.contains('.') {
            true => format!("there is no `{name}` here"),
            false => format!("`{name}` is neither a variable nor a function"),
        };
        let candidates = known.candidates(name);
        Problem::error(rules::VARIABLE, self.place.clone(), message)
            .within(named.at.clone())
            .suggest(name, candidates.iter().map(String::as_str))
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
}

/// Returns the expressions over the inputs, steps and tasks of a template, with their places.
pub(super) fn fields<'a>(template: &'a Template, calls: &[Called<'a>]) -> Vec<(&'a str, Place)> {
    let mut found = Vec::new();
    over_nodes(template, calls, &mut found);
    found.into_iter().map(|field| (field.text, field.place)).collect()
}

/// Checks when a node is tried again.
fn of_retry(strategy: Option<&spec::RetryStrategy>, place: &Place, problems: &mut Problems) {
    let Some(text) = strategy.and_then(|strategy| given(strategy.expression.as_deref())) else { return };
    let field = Field { text, place: place.down("retryStrategy.expression") };
    field.check(&Known::Moment(&["lastRetry", "retries"]), problems);
}

/// Checks the expressions of a template over what comes to it while it runs.
fn of_template(template: &Template, problems: &mut Problems) {
    let spec = &template.spec;
    let place = &template.place;
    if let Some(text) = spec.http.as_ref().and_then(|http| given(http.success_condition.as_deref())) {
        let field = Field { text, place: place.down("http.successCondition") };
        field.check(&Known::Moment(&["request", "response"]), problems);
    }
    for (index, step) in spec.data.iter().flat_map(|data| data.transformation.iter().enumerate()) {
        let place = place.down("data.transformation").index(index).key("expression");
        Field { text: &step.expression, place }.check(&Known::Moment(&["data"]), problems);
    }
}

/// Expressions over the steps or tasks of the template.
fn over_nodes<'a>(template: &'a Template, calls: &[Called<'a>], found: &mut Vec<Field<'a>>) {
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
    for call in calls {
        let task = &call.task.spec;
        found.extend(task.hooks.iter().filter_map(|(name, hook)| {
            Some(Field {
                text: given(hook.expression.as_deref())?,
                place: call.place.key("hooks").key(name).key("expression"),
            })
        }));
    }
}
