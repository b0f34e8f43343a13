//! The smallest failure that is like one that was found: less breaks, people ask for less, the workflow does
//! less.

use std::cell::Cell;

use serde_json::Value;

use super::breaks::Breaks;
use super::generate::{generated_value, scenario_of};
use super::seed::{Report, Scenario};

/// Histories that are tried.
const HISTORIES_MAX: u32 = 2_000;

/// Seeds with which each smaller case is tried: with less to happen, chance falls otherwise.
const SEEDS_PER_CASE: u64 = 6;

/// Keys without which there is no workflow.
const NEEDED: [&str; 9] =
    ["apiVersion", "kind", "metadata", "spec", "entrypoint", "templates", "name", "template", "image"];

/// A history that fails.
#[derive(Clone)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// What breaks in it.
    pub breaks: Breaks,
    /// What happens otherwise.
    pub scenario: Scenario,
    /// The workflow, where it was generated.
    pub manifest: Option<Value>,
    /// What does not hold.
    pub violations: Vec<String>,
}

impl Failure {
    /// Returns the failure of a history, if it is one.
    pub fn of(seed: u64, breaks: &Breaks, scenario: &Scenario, is_generated: bool, report: &Report) -> Option<Self> {
        (!report.violations.is_empty()).then(|| Self {
            seed,
            breaks: breaks.clone(),
            scenario: scenario.clone(),
            manifest: is_generated.then(|| generated_value(seed)),
            violations: report.violations.clone(),
        })
    }

    /// Returns the smallest one like it that was found.
    pub fn smallest(mut self) -> Self {
        let histories = Cell::new(0);
        let kind = kind(&self.violations[0]);
        while histories.get() < HISTORIES_MAX {
            let mut smaller = self.smaller().into_iter().filter_map(|case| {
                let mut seeds = (self.seed..self.seed + SEEDS_PER_CASE).take_while(|_| histories.get() < HISTORIES_MAX);
                seeds.find_map(|seed| {
                    histories.set(histories.get() + 2);
                    let report = case.breaks.check(seed, &case.scenario);
                    let is_alike = report.violations.iter().any(|text| self::kind(text) == kind);
                    is_alike.then(|| Self { seed, violations: report.violations, ..case.clone() })
                })
            });
            match smaller.next() {
                Some(smaller) => self = smaller,
                None => break,
            }
        }
        self
    }

    fn smaller(&self) -> Vec<Self> {
        let breaks = self.breaks.easier().into_iter().map(|breaks| Self { breaks, ..self.clone() });
        let asks = (0..self.scenario.asks.len()).map(|at| {
            let mut fewer = self.clone();
            fewer.scenario.asks.remove(at);
            fewer
        });
        let workflows = self.manifest.iter().flat_map(without_a_part).filter_map(|manifest| {
            let scenario = Scenario { plan: scenario_of(&manifest).ok()?.plan, ..self.scenario.clone() };
            Some(Self { manifest: Some(manifest), scenario, ..self.clone() })
        });
        breaks.chain(asks).chain(workflows).collect()
    }
}

/// Returns what a violation is about, without what is this history's own.
fn kind(text: &str) -> String {
    let own = text.split('`').step_by(2).flat_map(str::chars);
    own.filter(|letter| letter.is_alphabetic() || *letter == ' ').take(24).collect::<String>().trim().to_owned()
}

/// Returns every manifest that is `manifest` without one of its parts, large parts first.
fn without_a_part(manifest: &Value) -> Vec<Value> {
    let mut places = vec![String::new()];
    let mut at = 0;
    while let Some(place) = places.get(at).cloned() {
        match manifest.pointer(&place) {
            Some(Value::Array(items)) => places.extend((0..items.len()).map(|item| format!("{place}/{item}"))),
            Some(Value::Object(fields)) => places.extend(fields.keys().map(|key| format!("{place}/{key}"))),
            _ => {}
        }
        at += 1;
    }
    places.iter().filter_map(|place| without(manifest, place)).collect()
}

fn without(manifest: &Value, place: &str) -> Option<Value> {
    let (parent, key) = place.rsplit_once('/')?;
    let mut rest = manifest.clone();
    match rest.pointer_mut(parent)? {
        Value::Array(items) => drop(items.remove(key.parse().ok()?)),
        Value::Object(fields) if !NEEDED.contains(&key) => drop(fields.remove(key)),
        _ => return None,
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{kind, without_a_part};

    #[test]
    fn a_manifest_loses_one_part_at_a_time() {
        let rests = without_a_part(
            &json!({ "kind": "W", "spec": { "templates": [{ "name": "a" }, { "name": "b" }], "x": 1 } }),
        );
        let expected = [
            json!({ "kind": "W", "spec": { "templates": [{ "name": "a" }, { "name": "b" }] } }),
            json!({ "kind": "W", "spec": { "templates": [{ "name": "b" }], "x": 1 } }),
            json!({ "kind": "W", "spec": { "templates": [{ "name": "a" }], "x": 1 } }),
        ];
        assert_eq!(rests, expected);
    }

    #[test]
    fn failures_are_alike_whatever_the_names() {
        assert_eq!(kind("2 children of `a.b` are under way"), kind("17 children of `c` are under way"));
        assert_ne!(kind("the run does not end"), kind("the run ends Some(Error)"));
    }
}
