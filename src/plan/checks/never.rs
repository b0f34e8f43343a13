//! Conditions that nothing can satisfy: the step or task is left out in every run.
//!
//! A `when` is tried with values for its tags that could satisfy it: what it compares them with,
//! and values beside those. A `depends` is tried with the results that its tasks can have.

use std::collections::BTreeSet;

use super::{Called, Checked};
use crate::base::limits;
use crate::expr::depends::{self, TaskResult};
use crate::expr::when;
use crate::plan::model::{Body, Dag, Task};
use crate::plan::problem::{Place, Problem};
use crate::plan::problems::Problems;
use crate::plan::rules;
use crate::plan::scopes::Items;

/// Variables of one condition that are tried; the trials grow by a power of them.
const NAMES_MAX: usize = 6;

/// A long condition counts as one trial more for each of so many bytes, or tasks that it names.
const TRIAL_BYTES: usize = 100;
const TRIAL_MENTIONS: usize = 10;

/// The results that `status` of a step or task can be.
const STATUS: [&str; 8] = ["Succeeded", "Failed", "Error", "Skipped", "Omitted", "Daemoned", "Running", "Pending"];

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    let mut budget = limits::CONDITION_TRIALS_MAX;
    for (template, calls) in checked.each() {
        for call in calls {
            let text = call.task.spec.when.as_deref().unwrap_or_default();
            problems.extend(when_never(checked, text, &call.place.key("when"), &mut budget));
            if let Body::Dag(dag) = &template.body {
                problems.extend(depends_never(checked, dag, call, &mut budget));
            }
        }
    }
}

/// A condition cut at its tags.
struct Condition<'t> {
    /// The texts before, between and behind the tags.
    texts: Vec<&'t str>,
    /// By tag: which of the names it is.
    tags: Vec<usize>,
    names: Vec<&'t str>,
}

impl<'t> Condition<'t> {
    /// Cuts a condition; none where a tag is more than a name.
    fn cut(text: &'t str) -> Option<Self> {
        let mut condition = Self { texts: Vec::new(), tags: Vec::new(), names: Vec::new() };
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, behind) = after.split_once("}}")?;
            let name = name.trim();
            if name.starts_with('=') || name.contains("{{") {
                return None;
            }
            let known = condition.names.iter().position(|known| *known == name);
            condition.tags.push(known.unwrap_or(condition.names.len()));
            if known.is_none() {
                condition.names.push(name);
            }
            if condition.names.len() > NAMES_MAX {
                return None;
            }
            condition.texts.push(before);
            rest = behind;
        }
        condition.texts.push(rest);
        Some(condition)
    }

    fn with(&self, values: &[&str]) -> String {
        let mut out = self.texts[0].to_owned();
        for (tag, text) in self.tags.iter().zip(&self.texts[1..]) {
            out.push_str(values[*tag]);
            out.push_str(text);
        }
        out
    }

    /// Returns the words that the condition consists of, and what lies beside them.
    fn words(&self) -> BTreeSet<String> {
        let mut words: BTreeSet<String> = ["", "true", "false", "something-else"].map(str::to_owned).into();
        for text in &self.texts {
            words.extend(text.split(['\'', '"']).map(|part| part.trim().to_owned()));
            let is_word = |c: char| c.is_alphanumeric() || "_-./:".contains(c);
            for word in text.split(|c| !is_word(c)).filter(|word| !word.is_empty()) {
                words.insert(word.to_owned());
                if let Ok(number) = word.parse::<f64>() {
                    words.extend([-1.0, -0.5, 0.5, 1.0].map(|beside| (number + beside).to_string()));
                }
            }
        }
        words
    }
}

/// Returns whether the condition computes, or looks into texts: too much to be tried.
fn is_too_clever(condition: &Condition<'_>) -> bool {
    condition.texts.iter().any(|text| text.contains(['~', '+', '*', '/', '%', '^']) || text.contains(" - "))
}

fn when_never(checked: &Checked<'_>, text: &str, place: &Place, budget: &mut usize) -> Option<Problem> {
    // `when: false` is how people take a step out.
    if text.trim().is_empty() || text.trim() == "false" {
        return None;
    }
    let condition = Condition::cut(text).filter(|condition| !is_too_clever(condition))?;
    let words = condition.words();
    let domains: Vec<Vec<&str>> = condition.names.iter().map(|name| domain(checked, name, &words)).collect();
    let mut saw_false = false;
    for values in Combinations::of(&domains) {
        *budget = budget.checked_sub(1 + text.len() / TRIAL_BYTES)?;
        match when::eval(&condition.with(&values)) {
            Ok(true) => return None,
            Ok(false) => saw_false = true,
            Err(_) => {}
        }
    }
    // What cannot be read is told elsewhere.
    saw_false.then(|| {
        let problem =
            Problem::warning(rules::WHEN_NEVER, place.clone(), "`when` can never hold: this is left out in every run");
        match condition.names.iter().any(|name| is_status(name)) {
            true => problem.help("a status is one of `Succeeded`, `Failed`, `Error`, `Skipped`, `Omitted`, `Daemoned`"),
            false => problem.help("mend the condition, or write `when: false` to leave it out on purpose"),
        }
    })
}

fn is_status(name: &str) -> bool {
    name.ends_with(".status") && (name.starts_with("steps.") || name.starts_with("tasks."))
}

/// Returns the values that a tag may become, as far as they matter.
fn domain<'a>(checked: &'a Checked<'_>, name: &str, words: &'a BTreeSet<String>) -> Vec<&'a str> {
    if is_status(name) {
        return STATUS.to_vec();
    }
    let parameters = checked.draft.resolved.spec.arguments.iter().flat_map(|arguments| &arguments.parameters);
    let allowed = name.strip_prefix("workflow.parameters.").and_then(|name| {
        parameters.into_iter().find(|parameter| parameter.name == name && !parameter.enum_.is_empty())
    });
    match allowed {
        Some(parameter) => parameter.enum_.iter().map(|value| &*value.0).collect(),
        None => words.iter().map(String::as_str).collect(),
    }
}

/// Every choice of one value from each list.
struct Combinations<'a> {
    domains: &'a [Vec<&'a str>],
    next: Option<Vec<usize>>,
}

impl<'a> Combinations<'a> {
    fn of(domains: &'a [Vec<&'a str>]) -> Self {
        let is_possible = domains.iter().all(|domain| !domain.is_empty());
        Self { domains, next: is_possible.then(|| vec![0; domains.len()]) }
    }
}

impl<'a> Iterator for Combinations<'a> {
    type Item = Vec<&'a str>;

    fn next(&mut self) -> Option<Vec<&'a str>> {
        let places = self.next.as_mut()?;
        let values = places.iter().zip(self.domains).map(|(place, domain)| domain[*place]).collect();
        let mut carries = true;
        for (place, domain) in places.iter_mut().zip(self.domains) {
            *place += usize::from(carries);
            carries = *place == domain.len();
            if carries {
                *place = 0;
            } else {
                break;
            }
        }
        if carries {
            self.next = None;
        }
        Some(values)
    }
}

/// Tries a `depends` with every result that its tasks can have.
fn depends_never(checked: &Checked<'_>, dag: &Dag, call: &Called<'_>, budget: &mut usize) -> Option<Problem> {
    call.task.spec.depends.as_deref().filter(|text| !text.is_empty())?;
    let expression = dag.depends[call.ix].as_ref()?;
    let mentions: Vec<depends::TaskRef<'_>> = expression.tasks().collect();
    if mentions.iter().any(|mention| mention.result.is_some_and(TaskResult::is_about_items)) {
        return None;
    }
    let names: Vec<&str> = mentions.iter().map(|mention| mention.name).collect::<BTreeSet<_>>().into_iter().collect();
    if names.len() > NAMES_MAX {
        return None;
    }
    let tasks = names.iter().map(|name| Some((&dag.tasks[*dag.by_name.get(*name)?], *dag.by_name.get(*name)?)));
    let results: Vec<Vec<&str>> = tasks
        .map(|task| task.map(|(task, ix)| results(checked, task, !dag.parents[ix].is_empty())))
        .collect::<Option<_>>()?;
    for values in Combinations::of(&results) {
        *budget = budget.checked_sub(1 + mentions.len() / TRIAL_MENTIONS)?;
        let holds = |name: &str, asked: Option<TaskResult>| {
            let result = names.iter().position(|known| *known == name).map_or("", |at| values[at]);
            match asked {
                Some(asked) => asked.as_str() == result,
                None => TaskResult::bare(true, true).any(|bare| bare.as_str() == result),
            }
        };
        if expression.eval(&holds) {
            return None;
        }
    }
    let problem = Problem::warning(
        rules::DEPENDS_NEVER,
        call.place.key("depends"),
        format!("`depends` of `{}` can never hold", call.task.name),
    );
    Some(
        problem.help(
            impossible(&mentions, &names, &results).unwrap_or_else(|| "a task ends with one result only".to_owned()),
        ),
    )
}

/// Returns the results that a task can have, the usual one first.
fn results(checked: &Checked<'_>, task: &Task, has_parents: bool) -> Vec<&'static str> {
    let mut results = vec!["Succeeded", "Failed", "Errored"];
    if task.spec.when.is_some() || Items::of(&task.spec).exist() {
        results.push("Skipped");
    }
    if has_parents {
        results.push("Omitted");
    }
    if checked.target(task).is_none_or(|target| target.spec.daemon == Some(true)) {
        results.push("Daemoned");
    }
    results
}

/// Returns why a result that is asked for cannot be.
fn impossible(mentions: &[depends::TaskRef<'_>], names: &[&str], results: &[Vec<&str>]) -> Option<String> {
    let is_impossible = |mention: &&depends::TaskRef<'_>| {
        let at = names.iter().position(|name| *name == mention.name);
        mention.result.is_some_and(|result| at.is_some_and(|at| !results[at].contains(&result.as_str())))
    };
    let mention = mentions.iter().find(is_impossible)?;
    let name = mention.name;
    Some(match mention.result? {
        TaskResult::Skipped => format!("`{name}` has no `when` and no loop, so it is never skipped"),
        TaskResult::Omitted => format!("`{name}` depends on nothing, so it is never omitted"),
        _ => format!("what `{name}` calls is no daemon"),
    })
}
