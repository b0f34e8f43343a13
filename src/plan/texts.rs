//! Finds the texts of a JSON value that have tags, and reads them.

use serde_json::Value;

use super::model::Text;
use crate::expr::{ParseError, TemplateStr};
use crate::source::Segment;

/// A text that cannot be read.
pub(super) struct BadText {
    /// Its place in the value.
    pub pointer: Vec<Segment>,
    /// What is wrong.
    pub fault: ParseError,
    /// Whether only an expression is at fault, so that its tag may be kept as it is.
    pub in_expression: bool,
}

/// Returns every text of `value` that has tags, in the order of the value, and those that cannot be read.
///
/// A text whose expression cannot be read is in both lists: where Argo leaves unresolved tags as
/// they are, it leaves such a tag too.
pub(super) fn collect(value: &Value) -> (Vec<Text>, Vec<BadText>) {
    let mut walk = Walk { way: Vec::new(), texts: Vec::new(), bad: Vec::new() };
    walk.visit(value);
    (walk.texts, walk.bad)
}

struct Walk {
    way: Vec<Segment>,
    texts: Vec<Text>,
    bad: Vec<BadText>,
}

impl Walk {
    /// Recursion is bounded by the depth of the manifest (`YAML_DEPTH_MAX`).
    fn visit(&mut self, value: &Value) {
        match value {
            Value::String(text) if text.contains("{{") => self.text(text),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.step(Segment::Index(index), item);
                }
            }
            Value::Object(fields) => {
                for (key, field) in fields {
                    self.step(Segment::Key(key.as_str().into()), field);
                }
            }
            _ => {}
        }
    }

    fn step(&mut self, segment: Segment, value: &Value) {
        // Most values have no text with tags below them: their segments need not be made.
        if matches!(value, Value::Null | Value::Bool(_) | Value::Number(_)) {
            return;
        }
        self.way.push(segment);
        self.visit(value);
        self.way.pop();
    }

    fn text(&mut self, text: &str) {
        match TemplateStr::parse_lenient(text) {
            Ok(text) => {
                let pointer = self.way.clone();
                let faults =
                    text.faults().map(|fault| BadText { pointer: pointer.clone(), fault, in_expression: true });
                self.bad.extend(faults);
                self.texts.push(Text { pointer: self.way.clone(), text });
            }
            Err(fault) => self.bad.push(BadText { pointer: self.way.clone(), fault, in_expression: false }),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_are_found_with_their_places() {
        let value = json!({"a": ["x", {"b": "{{c}}"}], "d": 1, "e": "{{=1 +}}"});
        let key = |key: &str| Segment::Key(key.into());
        let (texts, bad) = collect(&value);
        let pointers: Vec<_> = texts.iter().map(|text| text.pointer.clone()).collect();
        let a = vec![key("a"), Segment::Index(1), key("b")];
        assert_eq!(pointers, [a, vec![key("e")]]);
        assert_eq!(bad.len(), 1);
        assert!(bad[0].in_expression);
    }
}
