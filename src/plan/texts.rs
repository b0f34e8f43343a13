//! Finds the texts of a value that have tags, and reads them.

use serde::Serialize;

use super::model::Text;
use super::strings::strings;
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
/// The fields `without` are left out; `also` is shown every text.
///
/// A text whose expression cannot be read is in both lists: where Argo leaves unresolved tags as
/// they are, it leaves such a tag too.
pub(super) fn collect(
    value: &impl Serialize,
    without: &[&str],
    mut also: impl FnMut(&str),
) -> (Vec<Text>, Vec<BadText>) {
    let (mut texts, mut bad) = (Vec::new(), Vec::new());
    strings(value, without, &mut |way, text| {
        also(text);
        if !text.contains("{{") {
            return;
        }
        let pointer = way.segments();
        match TemplateStr::parse_lenient(text) {
            Ok(text) => {
                let faults =
                    text.faults().map(|fault| BadText { pointer: pointer.clone(), fault, in_expression: true });
                bad.extend(faults);
                texts.push(Text { pointer, text });
            }
            Err(fault) => bad.push(BadText { pointer, fault, in_expression: false }),
        }
    });
    (texts, bad)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_are_found_with_their_places() {
        let value = json!({"a": ["x", {"b": "{{c}}"}], "d": "x", "e": "{{=1 +}}"});
        let key = |key: &str| Segment::Key(key.into());
        let mut seen = Vec::new();
        let (texts, bad) = collect(&value, &["d"], |text| seen.push(text.to_owned()));
        let pointers: Vec<_> = texts.iter().map(|text| text.pointer.clone()).collect();
        let a = vec![key("a"), Segment::Index(1), key("b")];
        assert_eq!(pointers, [a, vec![key("e")]]);
        assert_eq!(seen, ["x", "{{c}}", "{{=1 +}}"]);
        assert_eq!(bad.len(), 1);
        assert!(bad[0].in_expression);
    }
}
