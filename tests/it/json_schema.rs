//! Holds JSON against a JSON schema: the keywords that our schemas use, and no other.

use serde_json::{Map, Value};

/// How deep a schema may refer to itself on the way to a fault.
const DEPTH_MAX: usize = 200;

/// Returns everything that is wrong with `value`, each with its place.
pub fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    Checker { root: schema }.check(schema, value, "", 0, &mut faults);
    faults
}

struct Checker<'a> {
    root: &'a Value,
}

impl Checker<'_> {
    fn check(&self, schema: &Value, value: &Value, at: &str, depth: usize, faults: &mut Vec<String>) {
        assert!(depth < DEPTH_MAX, "the schema goes round in circles at {at}");
        let Value::Object(keywords) = schema else {
            if *schema == Value::Bool(false) {
                faults.push(format!("{at}: nothing is allowed here"));
            }
            return;
        };
        for (keyword, rule) in keywords {
            let holds = self.parts(keywords, keyword, rule, (value, at, depth), faults)
                || self.combines(keyword, rule, (value, at, depth)).unwrap_or_else(|| simple(keyword, rule, value));
            if !holds {
                faults.push(format!("{at}: `{keyword}` of {rule} does not hold for {}", short(value)));
            }
        }
    }

    /// Checks what is below the value; returns whether the keyword is of that kind.
    fn parts(
        &self,
        keywords: &Map<String, Value>,
        keyword: &str,
        rule: &Value,
        (value, at, depth): (&Value, &str, usize),
        faults: &mut Vec<String>,
    ) -> bool {
        let below = |schema: &Value, value: &Value, key: &dyn std::fmt::Display, faults: &mut Vec<String>| {
            self.check(schema, value, &format!("{at}/{key}"), depth + 1, faults);
        };
        match keyword {
            "$ref" => {
                let pointer =
                    rule.as_str().and_then(|reference| reference.strip_prefix('#')).expect("a local reference");
                let schema = self.root.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}"));
                self.check(schema, value, at, depth + 1, faults);
            }
            "allOf" => {
                rule.as_array()
                    .into_iter()
                    .flatten()
                    .for_each(|schema| self.check(schema, value, at, depth + 1, faults));
            }
            "if" => {
                let holds = self.holds(rule, value, at, depth);
                if let Some(schema) = keywords.get(if holds { "then" } else { "else" }) {
                    self.check(schema, value, at, depth + 1, faults);
                }
            }
            "properties" => {
                let known = rule.as_object().into_iter().flatten();
                known
                    .filter_map(|(key, schema)| Some((key, schema, value.get(key)?)))
                    .for_each(|(key, schema, value)| below(schema, value, key, faults));
            }
            "additionalProperties" => {
                let known = keywords.get("properties").and_then(Value::as_object);
                let others = value.as_object().into_iter().flatten();
                let others = others.filter(|(key, _)| !known.is_some_and(|known| known.contains_key(*key)));
                others.for_each(|(key, value)| below(rule, value, key, faults));
            }
            "items" => {
                value
                    .as_array()
                    .into_iter()
                    .flatten()
                    .enumerate()
                    .for_each(|(index, value)| below(rule, value, &index, faults));
            }
            _ => return false,
        }
        true
    }

    fn holds(&self, schema: &Value, value: &Value, at: &str, depth: usize) -> bool {
        let mut faults = Vec::new();
        self.check(schema, value, at, depth + 1, &mut faults);
        faults.is_empty()
    }

    /// Returns whether a keyword that combines schemas holds; none of any other keyword.
    fn combines(&self, keyword: &str, rule: &Value, (value, at, depth): (&Value, &str, usize)) -> Option<bool> {
        let holds = |schema: &Value| self.holds(schema, value, at, depth);
        let count = || rule.as_array().into_iter().flatten().filter(|schema| holds(schema)).count();
        Some(match keyword {
            "anyOf" => count() > 0,
            "oneOf" => count() == 1,
            "not" => !holds(rule),
            _ => return None,
        })
    }
}

/// Returns whether a keyword holds that looks at the value alone.
fn simple(keyword: &str, rule: &Value, value: &Value) -> bool {
    let number = || rule.as_f64().unwrap_or_default();
    let (map, list) = (value.as_object(), value.as_array());
    match keyword {
        "type" => match rule {
            Value::Array(types) => types.iter().any(|name| is_of(value, name)),
            name => is_of(value, name),
        },
        "enum" => rule.as_array().is_some_and(|values| values.contains(value)),
        "const" => rule == value,
        "required" => {
            let keys = || rule.as_array().into_iter().flatten().filter_map(Value::as_str);
            map.is_none_or(|map| keys().all(|key| map.contains_key(key)))
        }
        "minItems" => list.is_none_or(|items| items.len() as f64 >= number()),
        "minProperties" => map.is_none_or(|map| map.len() as f64 >= number()),
        "maxProperties" => map.is_none_or(|map| map.len() as f64 <= number()),
        "uniqueItems" => {
            let is_unique = |items: &Vec<Value>| (1..items.len()).all(|at| !items[..at].contains(&items[at]));
            *rule == Value::Bool(false) || list.is_none_or(is_unique)
        }
        "minimum" => value.as_f64().is_none_or(|value| value >= number()),
        "maximum" => value.as_f64().is_none_or(|value| value <= number()),
        "pattern" => {
            let pattern = regex::Regex::new(rule.as_str().expect("a pattern is a text")).expect("a pattern");
            value.as_str().is_none_or(|text| pattern.is_match(text))
        }
        "$schema" | "$id" | "id" | "title" | "description" | "default" | "definitions" | "$defs" | "format"
        | "then" | "else" | "deprecated" => true,
        word if word.starts_with("x-") => true,
        word => panic!("the keyword `{word}` is not checked"),
    }
}

fn is_of(value: &Value, name: &Value) -> bool {
    match name.as_str().expect("a type is a word") {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no type `{other}`"),
    }
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(80).collect()
}
