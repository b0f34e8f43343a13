//! `successCondition` and `failureCondition`: label selectors whose labels are places in an object.
//! Pure. Source: Argo's `matchConditions`, `k8s.io/apimachinery/pkg/labels`.

use serde_json::Value;

/// A condition: requirements, of which a success needs all and a failure one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Condition(Vec<Requirement>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Requirement {
    text: String,
    path: String,
    test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Exists,
    Absent,
    In(Vec<String>),
    NotIn(Vec<String>),
    Above(i64),
    Below(i64),
}

impl Condition {
    /// Parses a condition, such as `status.succeeded > 3, status.phase in (Done, Over)`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts = split(text).into_iter().map(str::trim).filter(|part| !part.is_empty());
        parts.map(requirement).collect::<Result<_, _>>().map(Self)
    }

    /// Returns whether every requirement holds; when there is none, too.
    pub fn holds(&self, object: &Value) -> bool {
        self.0.iter().all(|requirement| requirement.holds(object))
    }

    /// Returns the first requirement that holds, as it was written.
    pub fn first(&self, object: &Value) -> Option<&str> {
        self.0.iter().find(|requirement| requirement.holds(object)).map(|requirement| requirement.text.as_str())
    }
}

/// Splits at commas that are not within parentheses.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut begin) = (Vec::new(), 0usize, 0);
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&text[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[begin..]);
    parts
}

fn requirement(text: &str) -> Result<Requirement, String> {
    let fault = || format!("the condition `{text}` is none: write `status.x == value`, `>`, `<`, `!=`, `in (…)`");
    let made = |path: &str, test| {
        let path = path.trim();
        let is_path = !path.is_empty() && !path.contains(|c: char| c.is_whitespace() || "()!=<>,".contains(c));
        is_path.then(|| Requirement { text: text.to_owned(), path: path.to_owned(), test }).ok_or_else(fault)
    };
    if let Some(path) = text.strip_prefix('!') {
        return made(path, Test::Absent);
    }
    // The longer operators come first, since the shorter are parts of them.
    for operator in ["!=", "==", "=", ">", "<"] {
        let Some((path, value)) = text.split_once(operator) else { continue };
        let value = value.trim();
        if value.contains(|c: char| c.is_whitespace() || "()!=<>".contains(c)) {
            return Err(fault());
        }
        let number = || value.parse().map_err(|_| fault());
        return made(
            path,
            match operator {
                "!=" => Test::NotIn(vec![value.to_owned()]),
                ">" => Test::Above(number()?),
                "<" => Test::Below(number()?),
                _ => Test::In(vec![value.to_owned()]),
            },
        );
    }
    for (word, is_in) in [(" notin ", false), (" in ", true)] {
        let Some((path, values)) = text.split_once(word) else { continue };
        let values = values.trim().strip_prefix('(').and_then(|values| values.strip_suffix(')')).ok_or_else(fault)?;
        let values = values.split(',').map(|value| value.trim().to_owned()).collect();
        return made(path, if is_in { Test::In(values) } else { Test::NotIn(values) });
    }
    made(text, Test::Exists)
}

impl Requirement {
    fn holds(&self, object: &Value) -> bool {
        let found = find(object, &self.path).map(text_of);
        let number = || found.as_ref().and_then(|found| found.parse::<i64>().ok());
        match &self.test {
            Test::Exists => found.is_some(),
            Test::Absent => found.is_none(),
            Test::In(values) => found.is_some_and(|found| values.contains(&found)),
            Test::NotIn(values) => found.is_none_or(|found| !values.contains(&found)),
            Test::Above(bound) => number().is_some_and(|number| number > *bound),
            Test::Below(bound) => number().is_some_and(|number| number < *bound),
        }
    }
}

/// Returns what lies at a path of keys and indices with dots in between.
pub fn find<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(object, |value, key| match value {
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        Value::Object(fields) => fields.get(key),
        _ => None,
    })
}

/// Returns a value as text: without quotes, and nothing for `null`.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn conditions_are_label_selectors_over_places() {
        let object =
            json!({ "status": { "succeeded": 3, "phase": "Done", "conditions": [{ "status": "True" }], "off": null } });
        for (text, expected) in [
            ("", true),
            ("status.succeeded > 2", true),
            ("status.succeeded > 3", false),
            ("status.succeeded < 4, status.phase == Done", true),
            ("status.succeeded == 3", true),
            ("status.phase=Done", true),
            ("status.phase != Done", false),
            ("status.phase in (Over, Done)", true),
            ("status.phase notin (Over, Done)", false),
            ("status.missing notin (a)", true),
            ("status.conditions.0.status == True", true),
            ("status.phase", true),
            ("!status.phase", false),
            ("status.failed > 0", false),
            ("status.phase > 1", false),
        ] {
            let condition = Condition::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
            assert_eq!(condition.holds(&object), expected, "{text}");
        }
        let condition = Condition::parse("status.failed > 1, status.phase == Done").expect("a condition");
        assert_eq!(condition.first(&object), Some("status.phase == Done"));
        for text in ["a b", "status.x > many", "status.x in a", "== 3", "status.x = = y"] {
            assert!(Condition::parse(text).is_err(), "{text}");
        }
    }
}
