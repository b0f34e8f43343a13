//! Whether the variables that tags name exist where the tags stand.
//!
//! A simple tag below one of Argo's roots that cannot be resolved is an error, as in Argo. Argo
//! looks at no expression; one in a call that names what does not exist keeps the run waiting for
//! ever and is an error, one in a template's own texts stays as it is and is a warning.

use super::expressions::ROOTS;
use super::{Called, Checked};
use crate::expr::{Variable, functions};
use crate::plan::graph;
use crate::plan::kinds;
use crate::plan::model::{Body, TaskIx, Template, Text};
use crate::plan::problem::{Place, Problem};
use crate::plan::problems::Problems;
use crate::plan::rules;
use crate::plan::scopes::{self, Items, Look, Variables};
use crate::source::{Segment, Severity};

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    let before_end = kinds::runs_before_end(checked.draft);
    for ((template, called), before_end) in checked.each().zip(before_end) {
        let variables = Variables::of(checked.draft, &checked.globals, template, !before_end);
        // The texts of an inline template are those of its call too, and see what that sees.
        if !(kinds::is_inline(template) && kinds::is_leaf(&template.spec)) {
            own_texts(template, has_retry(checked, template), &variables, problems);
        }
        calls(checked, template, called, &variables, problems);
    }
}

fn own_texts(template: &Template, has_retry: bool, variables: &Variables<'_>, problems: &mut Problems) {
    let graph = matches!(template.body, Body::Steps(_) | Body::Dag(_));
    for text in &template.texts {
        // Argo looks at no more than this of a template that calls others.
        let strict = !graph || ["outputs", "dag"].iter().any(|root| begins_with(text, root));
        for variable in text.text.variables() {
            let severity = match strict && !variable.in_expression {
                true => Severity::Error,
                false => Severity::Warning,
            };
            let words = Words { has_retry, in_metrics: begins_with(text, "metrics") };
            let judge = Judge { variables, items: &Items::None, severity, words };
            let found = judge.problem(&variable, problems, || template.place.below(&text.pointer));
            problems.extend(found);
        }
    }
}

fn calls(
    checked: &Checked<'_>,
    template: &Template,
    called: &[Called<'_>],
    variables: &Variables<'_>,
    problems: &mut Problems,
) {
    let mut uses = Vec::new();
    for call in called {
        let items = Items::of(&call.task.spec);
        // Argo replaces such a word where it arrives, if that is tried again.
        let words = Words { has_retry: true, in_metrics: false };
        let judge = Judge { variables, items: &items, severity: Severity::Error, words };
        for text in &call.task.texts {
            for variable in text.text.variables() {
                if begins_with(text, "inline") && in_inline(checked, call, &items, &variable) {
                    continue;
                }
                if !variable.guarded {
                    uses.extend(use_of_task(&judge, call, text, &variable));
                }
                let found = judge.problem(&variable, problems, || call.place.below(&text.pointer));
                problems.extend(found);
            }
        }
    }
    problems.extend(too_early(template, called, uses));
}

/// A use of what a step or task makes.
struct Use<'a> {
    /// Who uses it.
    task: TaskIx,
    /// Who makes it.
    other: TaskIx,
    text: &'a Text,
    variable: Variable<'a>,
}

fn use_of_task<'a>(judge: &Judge<'_>, call: &Called<'a>, text: &'a Text, variable: &Variable<'a>) -> Option<Use<'a>> {
    let Look::OfTask(other) = judge.look_up(variable) else { return None };
    // A hook is called when its own task has begun or ended.
    let own = begins_with(text, "hooks") && other == call.ix;
    (!own).then(|| Use { task: call.ix, other, text, variable: variable.clone() })
}

/// Returns whether a variable of an inline template's text is right by that template's own account.
/// What is no leaf is not looked at here: its calls are judged when its turn comes.
fn in_inline(checked: &Checked<'_>, call: &Called<'_>, items: &Items<'_>, variable: &Variable<'_>) -> bool {
    let Some(inline) = checked.target(call.task).filter(|inline| kinds::is_leaf(&inline.spec)) else { return true };
    let variables = Variables::of(checked.draft, &checked.globals, inline, false);
    let words = Words { has_retry: true, in_metrics: false };
    Judge { variables: &variables, items, severity: Severity::Error, words }.look_up(variable) == Look::Known
}

fn begins_with(text: &Text, key: &str) -> bool {
    matches!(text.pointer.first(), Some(Segment::Key(first)) if **first == *key)
}

/// Returns the problems of those uses of which the maker has not ended before.
fn too_early(template: &Template, called: &[Called<'_>], uses: Vec<Use<'_>>) -> Vec<Problem> {
    let pairs: Vec<(TaskIx, TaskIx)> = uses.iter().map(|used| (used.task, used.other)).collect();
    let in_order = match &template.body {
        Body::Dag(dag) => graph::waits_for(&dag.parents, &pairs),
        _ => pairs.iter().map(|&(task, other)| called[other].group < called[task].group).collect(),
    };
    let uses = uses.iter().zip(in_order);
    uses.filter(|(_, in_order)| !in_order).map(|(used, _)| not_before(used, called)).collect()
}

fn not_before(used: &Use<'_>, called: &[Called<'_>]) -> Problem {
    let (call, other) = (&called[used.task], &called[used.other]);
    let (name, maker, variable) = (&call.task.name, &other.task.name, &used.variable);
    let (message, help) = if used.task == used.other {
        (format!("`{name}` uses `{}`, which it makes itself", variable.name), "use it in a later one".to_owned())
    } else if variable.name.starts_with("steps.") {
        let message = format!("`{name}` uses `{}`, but `{maker}` is not a step of an earlier group", variable.name);
        (message, format!("put `{maker}` into a group before that of `{name}`"))
    } else {
        let message = format!("`{name}` uses `{}`, but does not wait for `{maker}`", variable.name);
        (message, format!("add `{maker}` to what `{name}` depends on"))
    };
    Problem::error(rules::VARIABLE, call.place.below(&used.text.pointer), message)
        .within(variable.at.clone())
        .says("not known here")
        .also(other.place.key("name"), format!("`{maker}` is declared here"))
        .help(help)
}

/// How the variables of one text are judged.
struct Judge<'a> {
    variables: &'a Variables<'a>,
    items: &'a Items<'a>,
    severity: Severity,
    words: Words,
}

/// Which of the words are known that exist in some places only.
#[derive(Clone, Copy)]
struct Words {
    has_retry: bool,
    in_metrics: bool,
}

impl Words {
    /// Returns where a word would be known that is not known here.
    fn elsewhere(self, name: &str) -> Option<&'static str> {
        match name {
            _ if name == "retries" || name.starts_with("lastRetry.") => {
                (!self.has_retry && !self.in_metrics).then_some("a template with a `retryStrategy`")
            }
            "status" | "duration" | "exitCode" => (!self.in_metrics).then_some("a metric"),
            _ if name.starts_with("resourcesDuration.") || name.starts_with("outputs.") => {
                (!self.in_metrics).then_some("a metric")
            }
            _ if name.starts_with("request.") || name.starts_with("response.") => {
                Some("the `successCondition` of an HTTP template")
            }
            _ if name.starts_with("cronworkflow.") => Some("the conditions of a CronWorkflow"),
            _ => None,
        }
    }
}

/// Returns whether a template is tried again, by its own word or by that of the workflow.
fn has_retry(checked: &Checked<'_>, template: &Template) -> bool {
    template.spec.retry_strategy.is_some() || checked.draft.resolved.spec.retry_strategy.is_some()
}

impl Judge<'_> {
    fn look_up(&self, variable: &Variable<'_>) -> Look {
        match variable.in_expression {
            true => self.variables.look_up_part(&variable.name, self.items),
            false => self.variables.look_up(&variable.name, self.items),
        }
    }

    /// Returns what is wrong with a variable, unless as many of its kind were told as `told` keeps.
    fn problem(&self, variable: &Variable<'_>, told: &Problems, place: impl Fn() -> Place) -> Option<Problem> {
        let name = &*variable.name;
        if variable.guarded {
            return None;
        }
        if !scopes::is_variable(name) {
            let has_room = told.has_room(rules::VARIABLE_KEPT, Severity::Warning);
            return if has_room { self.kept(variable, place) } else { None };
        }
        if self.variables.is_of_other_runs(name) {
            let message = format!("`{name}` exists only in runs of a CronWorkflow, and stays as it is in others");
            return Some(Problem::warning(rules::VARIABLE_KEPT, place(), message).within(variable.at.clone()));
        }
        if self.variables.is_own_output(name) {
            let has_room = told.has_room(rules::VARIABLE_KEPT, Severity::Warning);
            return if has_room { self.kept(variable, place) } else { None };
        }
        if self.look_up(variable) != Look::Unknown || !told.has_room(rules::VARIABLE, self.severity) {
            return None;
        }
        let message = match name.starts_with("item.") && !self.items.exist() {
            true => format!("`{name}` stands outside of a loop"),
            false => format!("there is no `{name}` here"),
        };
        let mut problem = Problem::error(rules::VARIABLE, place(), message).within(variable.at.clone());
        problem.severity = self.severity;
        let candidates = self.variables.candidates(name, self.items);
        Some(problem.says("cannot be resolved").suggest(name, candidates.iter().map(String::as_str)))
    }

    /// A word that Argo does not look at stays as it is, which is seldom what was meant.
    fn kept(&self, variable: &Variable<'_>, place: impl Fn() -> Place) -> Option<Problem> {
        let name = &*variable.name;
        let message = match name {
            "item" if self.items.exist() => return None,
            "item" => "`item` stands outside of a loop, and stays as it is".to_owned(),
            _ if scopes::is_known_word(name) => {
                let place_of = self.words.elsewhere(name)?;
                format!("`{name}` exists only in {place_of}, and stays as it is here")
            }
            _ if variable.in_expression && !name.contains('.') && !ROOTS.contains(&name) => {
                let message = format!("`{name}` is neither a variable nor a function, and the tag stays as it is");
                let problem = Problem::warning(rules::VARIABLE_KEPT, place(), message).within(variable.at.clone());
                return Some(problem.suggest(name, functions::names().chain(ROOTS)));
            }
            _ if !is_path(name) => return None,
            _ => format!("`{name}` is nothing that Argo knows, and stays as it is"),
        };
        let problem = Problem::warning(rules::VARIABLE_KEPT, place(), message).within(variable.at.clone());
        let candidates = self.variables.candidates(name, self.items);
        Some(problem.suggest(name, candidates.iter().map(String::as_str).chain(["item", "retries"])))
    }
}

/// Returns whether a name looks like one of Argo's, and not like another template language's.
fn is_path(name: &str) -> bool {
    let word = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
    };
    name.contains('.') && name.split('.').all(word)
}
