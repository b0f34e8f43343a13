//! Loops: from a call with `withItems`, `withParam` or `withSequence` to one call for each item.
//! Source: Argo's `expandTask`, `expandSequence`, `processItem`.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value as Json;

use super::Decider;
use super::call::Call;
use super::render::{Part, Rendered};
use crate::base::{NodeIx, limits};
use crate::engine::event::Caller;
use crate::engine::model::Phase;
use crate::engine::scope::item::round_name;
use crate::expr::when::{self, WhenError};
use crate::plan::{Task, TemplateIx};
use crate::spec;

/// What a step or task comes to when it is looked at.
pub(super) enum Expanded {
    /// It is not called, in these words.
    Skipped(String),
    /// It cannot be called, in these words.
    Broken(String),
    /// It is called once.
    Once(Box<Planned>),
    /// It is called for each item; with none it is skipped.
    Each(VecDeque<Planned>),
}

/// One call of an expansion, or the reason why it is not made.
pub(super) struct Planned {
    /// The name of the round, without its boundary's.
    pub name: Arc<str>,
    pub item: Option<u32>,
    pub what: Result<Rendered, String>,
    /// What its node says instead of being called: that its condition is false, or no condition.
    pub skip: Option<(Phase, String)>,
}

/// A template, and the words that name it when they were made of tags.
type Target = (TemplateIx, Option<(crate::plan::Scope, Arc<str>)>);

/// Returns whether the task is a loop.
pub(super) fn is_loop(task: &spec::DAGTask) -> bool {
    !task.with_items.is_empty() || task.with_param.is_some() || task.with_sequence.is_some()
}

impl Decider<'_> {
    /// Looks at a step or task of the node `of` that is to be called now.
    pub(super) fn expand(&self, of: NodeIx, task: &Task) -> Expanded {
        let looped = is_loop(&task.spec);
        let name = match self.step_name(of, task) {
            Ok(name) => name,
            Err(words) => return Expanded::Broken(words),
        };
        match self.condition(of, task, None) {
            Ok(None) => {}
            Ok(Some(words)) if !looped => return Expanded::Skipped(words),
            // A false condition is judged for each item, but before what the loop goes over.
            Ok(Some(_)) => return self.expand_unwanted(of, task, &name),
            Err(words) if !looped => return Expanded::Broken(words),
            Err(_) => {}
        }
        if !looped {
            let what = self.task(of, task, Part::Call, None, false);
            return match what {
                Ok(what) => Expanded::Once(Box::new(Planned { name, item: None, what: Ok(what), skip: None })),
                Err(words) => Expanded::Broken(words),
            };
        }
        match self.items(of, task) {
            Ok(items) => {
                let rounds = self.rounds(of, task, &name, &items);
                match rounds.iter().find_map(|round| round.what.as_ref().err().cloned()) {
                    Some(words) => Expanded::Broken(words),
                    None => Expanded::Each(rounds),
                }
            }
            Err(words) => Expanded::Broken(words),
        }
    }

    /// A loop whose condition is false without looking at an item: its rounds are skipped, and what
    /// it goes over may be broken. Argo does not look up what others handed out for it: it has no rounds then.
    fn expand_unwanted(&self, of: NodeIx, task: &Task, name: &str) -> Expanded {
        match self.items(of, task) {
            Ok(items) if !goes_over_outputs(task) => Expanded::Each(self.rounds(of, task, name, &items)),
            _ => Expanded::Each(VecDeque::new()),
        }
    }

    fn rounds(&self, of: NodeIx, task: &Task, name: &str, items: &[Json]) -> VecDeque<Planned> {
        let round = |(index, item): (usize, &Json)| {
            let name = round_name(name, index, item).into();
            let (what, skip) = match self.condition(of, task, Some(item)) {
                Ok(None) => (self.task(of, task, Part::Call, Some(item), true), None),
                Ok(Some(words)) => (Ok(Rendered::as_declared(task)), Some((Phase::Skipped, words))),
                Err(words) => (Ok(Rendered::as_declared(task)), Some((Phase::Error, words))),
            };
            Planned { name, item: Some(index as u32), what, skip }
        };
        items.iter().enumerate().map(round).collect()
    }

    /// Judges `when`: `None` when it holds, else the words that say that it does not.
    fn condition(&self, of: NodeIx, task: &Task, item: Option<&Json>) -> Result<Option<String>, String> {
        if task.spec.when.is_none() {
            return Ok(None);
        }
        let rendered = self.task(of, task, Part::When, item, false)?;
        let text = rendered.spec.when.as_deref().unwrap_or_default();
        if text.is_empty() {
            return Ok(None);
        }
        match when::eval(text) {
            Ok(true) => Ok(None),
            Ok(false) => Ok(Some(format!("when '{text}' evaluated false"))),
            Err(fault) => Err(no_condition(text, &fault)),
        }
    }

    pub(super) fn items(&self, of: NodeIx, task: &Task) -> Result<Vec<Json>, String> {
        let rendered = self.task(of, task, Part::Loop, None, false)?.spec;
        let items = if !rendered.with_items.is_empty() {
            rendered.with_items.iter().map(|item| item.0.clone()).collect()
        } else if let Some(text) = &rendered.with_param {
            list(text)?
        } else {
            sequence(rendered.with_sequence.as_ref().expect("a loop has one of the three"))?
        };
        if items.len() > limits::LOOP_ITEMS_MAX {
            let most = limits::LOOP_ITEMS_MAX;
            return Err(format!("the loop has {} items, of which a run takes {most} (LOOP_ITEMS_MAX)", items.len()));
        }
        Ok(items)
    }

    /// Returns the call that a planned round is to make.
    pub(super) fn planned_call(
        &self,
        of: NodeIx,
        task: &Task,
        planned: &Planned,
        rendered: &Rendered,
        caller: Caller,
        name: Arc<str>,
    ) -> Result<Call, String> {
        let (template, called) = self.target(of, task, &rendered.spec)?;
        let kind = if matches!(caller, Caller::Task(..)) { "tasks.name" } else { "steps.name" };
        Ok(Call {
            name,
            parents: Vec::new(),
            template,
            called,
            arguments: self.resolve_artifacts(of, &rendered.spec).map_err(|fault| match caller {
                Caller::Task(..) => fault,
                _ => format!("failed to resolve references: unable to resolve references: {fault}"),
            })?,
            absent: rendered.absent.clone(),
            local: Some((kind, planned.name.clone())),
            outer: rendered.outer.clone(),
            caller,
        })
    }

    /// Returns what is called, and its words when they were made of tags.
    fn target(&self, of: NodeIx, task: &Task, rendered: &spec::DAGTask) -> Result<Target, String> {
        if let Some(target) = task.target {
            return Ok((target, None));
        }
        let scope = self.run.template_of(of).map_or(crate::plan::Scope::Local, |template| template.scope.clone());
        let (scope, name) = match &rendered.template_ref {
            Some(reference) => (crate::plan::Scope::of(reference), reference.template.as_deref()),
            None => (scope, rendered.template.as_deref()),
        };
        let name: Arc<str> = name.unwrap_or_default().into();
        match self.plan.lookup(&scope, &name) {
            Some(target) => Ok((target, Some((scope, name)))),
            None => Err(format!("template `{name}` not found")),
        }
    }
}

/// Returns whether other steps or tasks say what a loop goes over.
fn goes_over_outputs(task: &Task) -> bool {
    let mut over = task.texts.iter().filter(|text| Part::Loop.has(text)).flat_map(|text| text.text.variables());
    over.any(|variable| variable.name.starts_with("steps.") || variable.name.starts_with("tasks."))
}

/// Says why a text is no condition. Source: Argo's `shouldExecute`.
fn no_condition(text: &str, fault: &WhenError) -> String {
    match fault {
        WhenError::Parse(fault) => match fault.message.strip_prefix("invalid token `") {
            Some(token) => {
                let hint = "(hint: try wrapping the affected expression in quotes (\"))";
                format!("Invalid 'when' expression '{text}': Invalid token: '{}' {hint}", token.trim_end_matches('`'))
            }
            None => format!("Invalid 'when' expression '{text}': {fault}"),
        },
        WhenError::Eval(fault) => format!("Failed to evaluate 'when' expression '{text}': {fault}"),
        WhenError::NotBool(value) => format!("Expected boolean evaluation for '{text}'. Got {value}"),
    }
}

fn list(text: &str) -> Result<Vec<Json>, String> {
    serde_json::from_str(text)
        .map_err(|fault| format!("withParam value could not be parsed as a JSON list: {}: {fault}", text.trim()))
}

/// Returns the numbers of a sequence as texts. With neither `end` nor `count` it is refused earlier.
fn sequence(sequence: &spec::Sequence) -> Result<Vec<Json>, String> {
    let number = |value: &spec::IntOrString| {
        value
            .as_text()
            .trim()
            .parse::<i64>()
            .map_err(|_| format!("withSequence: `{}` is not a number", value.as_text()))
    };
    let start = sequence.start.as_ref().map(number).transpose()?.unwrap_or(0);
    let end = match (&sequence.end, &sequence.count) {
        (Some(end), _) => number(end)?,
        (None, Some(count)) => match number(count)? {
            0 => return Ok(Vec::new()),
            count => start.saturating_add(count).saturating_sub(1),
        },
        (None, None) => return Err("withSequence: neither `end` nor `count` was specified".to_owned()),
    };
    let count = start.abs_diff(end).saturating_add(1);
    if count > limits::LOOP_ITEMS_MAX as u64 {
        let most = limits::LOOP_ITEMS_MAX;
        return Err(format!("the loop has {count} items, of which a run takes {most} (LOOP_ITEMS_MAX)"));
    }
    let format = sequence.format.as_deref().filter(|format| !format.is_empty()).unwrap_or("%d");
    let step = if start <= end { 1 } else { -1 };
    Ok((0..count as i64).map(|index| Json::from(printf(format, start + index * step))).collect())
}

/// Returns the number as C's `printf` writes it: `%d`, `%x`, `%X`, `%o`, with `0`, `-`, `+` and a width.
fn printf(format: &str, number: i64) -> String {
    let (mut before, mut left) = (String::new(), format);
    let rest = loop {
        let Some((text, rest)) = left.split_once('%') else { return before + left };
        before.push_str(text);
        match rest.strip_prefix('%') {
            Some(behind) => (before, left) = (before + "%", behind),
            None => break rest,
        }
    };
    let flags_end = rest.find(|c| !matches!(c, '0' | '-' | '+' | ' ' | '#')).unwrap_or(rest.len());
    let (flags, rest) = rest.split_at(flags_end);
    let width_end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (width, rest) = rest.split_at(width_end);
    let (verb, after) = rest.split_at(rest.chars().next().map_or(0, char::len_utf8));
    let digits = match verb {
        "x" => format!("{:x}", number.unsigned_abs()),
        "X" => format!("{:X}", number.unsigned_abs()),
        "o" => format!("{:o}", number.unsigned_abs()),
        "b" => format!("{:b}", number.unsigned_abs()),
        _ => number.unsigned_abs().to_string(),
    };
    let sign = if number < 0 {
        "-"
    } else if flags.contains('+') {
        "+"
    } else {
        ""
    };
    // A width from a manifest is bounded like any other text that is made.
    let width = width.parse::<usize>().unwrap_or(0).min(limits::ARGUMENT_BYTES_MAX);
    let room = width.saturating_sub(sign.len() + digits.len());
    let padded = match (flags.contains('-'), flags.contains('0')) {
        (true, _) => format!("{sign}{digits}{}", " ".repeat(room)),
        (false, true) => format!("{sign}{}{digits}", "0".repeat(room)),
        (false, false) => format!("{}{sign}{digits}", " ".repeat(room)),
    };
    before + &padded + &after.replace("%%", "%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_print_as_in_c() {
        for (format, number, expected) in [
            ("%d", 5, "5"),
            ("testuser%02X", 10, "testuser0A"),
            ("%03d", -7, "-07"),
            ("%-4d|", 7, "7   |"),
            ("x", 1, "x"),
        ] {
            assert_eq!(printf(format, number), expected, "{format}");
        }
    }

    #[test]
    fn sequences_count_both_ways() {
        let text = |start: i64, end: i64| {
            let sequence = spec::Sequence {
                start: Some(spec::IntOrString::Int(start)),
                end: Some(spec::IntOrString::Int(end)),
                ..Default::default()
            };
            serde_json::Value::from(super::sequence(&sequence).unwrap()).to_string()
        };
        assert_eq!(text(1, 3), r#"["1","2","3"]"#);
        assert_eq!(text(2, 0), r#"["2","1","0"]"#);
        let named = spec::Sequence {
            count: Some(spec::IntOrString::Int(2)),
            format: Some("f%02d".to_owned()),
            ..Default::default()
        };
        assert_eq!(sequence(&named).unwrap(), ["f00", "f01"]);
        let endless = spec::Sequence { count: Some(spec::IntOrString::Int(i64::MAX)), ..Default::default() };
        assert!(sequence(&endless).unwrap_err().contains("LOOP_ITEMS_MAX"));
    }

    #[test]
    fn numbers_are_written_as_c_does() {
        for (format, number, expected) in [
            ("n%d.txt", 7, "n7.txt"),
            ("%03d", 7, "007"),
            ("%+d", 7, "+7"),
            ("%4d|", -7, "  -7|"),
            ("%-4d|", 7, "7   |"),
            ("%x%%", 255, "ff%"),
            ("100%% of %d", 7, "100% of 7"),
            ("%X", 255, "FF"),
            ("%o", 8, "10"),
            ("%b", 5, "101"),
            ("none", 5, "none"),
        ] {
            assert_eq!(printf(format, number), expected, "{format}");
        }
    }
}
