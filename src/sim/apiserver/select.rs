//! Which objects a list or a watch is about.

use serde_json::Value;

/// A selection by labels and by fields.
#[derive(Debug, Clone, Default)]
pub(super) struct Selection {
    labels: Vec<(String, Wanted)>,
    fields: Vec<(String, String)>,
}

/// What is wanted of a label.
#[derive(Debug, Clone)]
enum Wanted {
    /// One of these values.
    Among(Vec<String>),
    /// Any value.
    Any,
}

impl Selection {
    /// Reads the selectors of a request: `a=b,c in (d,e),f` for labels, `metadata.name=x,reason=y` for fields.
    ///
    /// # Panics
    ///
    /// When a label is wanted in another way: a server that selects more than was asked for would be another one.
    pub(super) fn new(labels: Option<&str>, fields: Option<&str>) -> Self {
        let fields = fields.unwrap_or_default().split(',').filter_map(|part| part.split_once('='));
        let pointer = |path: &str| format!("/{}", path.replace('.', "/"));
        Self {
            labels: parts(labels.unwrap_or_default()).into_iter().map(wanted).collect(),
            fields: fields.map(|(path, value)| (pointer(path), value.trim_start_matches('=').to_owned())).collect(),
        }
    }

    /// Returns whether an object is selected.
    pub(super) fn takes(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        let is_wanted = |(key, wanted): &(String, Wanted)| match (labels[key].as_str(), wanted) {
            (Some(value), Wanted::Among(values)) => values.iter().any(|among| among == value),
            (found, _) => found.is_some() && matches!(wanted, Wanted::Any),
        };
        let has = |(path, value): &(String, String)| object.pointer(path).is_some_and(|found| found == value.as_str());
        self.fields.iter().all(has) && self.labels.iter().all(is_wanted)
    }
}

/// Takes a selector apart at the commas outside of parentheses.
fn parts(selector: &str) -> Vec<&str> {
    let mut is_inside = false;
    let outside = selector.split(|letter| {
        is_inside = letter == '(' || (is_inside && letter != ')');
        letter == ',' && !is_inside
    });
    outside.map(str::trim).filter(|part| !part.is_empty()).collect()
}

fn wanted(part: &str) -> (String, Wanted) {
    assert!(!part.contains('!') && !part.contains(" notin "), "the simulated server does not select by `{part}`");
    if let Some((key, values)) = part.split_once(" in ") {
        let values = values.trim().trim_start_matches('(').trim_end_matches(')').split(',');
        return (key.trim().to_owned(), Wanted::Among(values.map(|value| value.trim().to_owned()).collect()));
    }
    match part.split_once('=') {
        Some((key, value)) => (key.to_owned(), Wanted::Among(vec![value.trim_start_matches('=').to_owned()])),
        None => (part.to_owned(), Wanted::Any),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Selection;

    #[test]
    fn labels_are_wanted_in_the_ways_of_kubernetes() {
        let object = json!({ "metadata": { "name": "x", "labels": { "a": "1", "b": "2" } } });
        for (labels, expected) in [
            ("", true),
            ("a=1", true),
            ("a==1,b=2", true),
            ("a=2", false),
            ("a in (0,1),b", true),
            ("a in (0, 2)", false),
            ("b in (2),a in (3,4)", false),
            ("c", false),
            ("c in (1)", false),
        ] {
            assert_eq!(Selection::new(Some(labels), None).takes(&object), expected, "{labels}");
        }
        assert!(Selection::new(None, Some("metadata.name=x")).takes(&object));
        assert!(!Selection::new(None, Some("metadata.name=y")).takes(&object));
    }
}
