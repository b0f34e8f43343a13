//! Small ways about JSON objects of Kubernetes.

use serde_json::{Map, Value};

/// Returns the items of a list field; none when there is no such list.
pub(super) fn items<'a>(object: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    object.get(field).and_then(Value::as_array).into_iter().flatten()
}

/// Returns a text field.
pub(super) fn text<'a>(object: &'a Value, field: &str) -> Option<&'a str> {
    object.get(field)?.as_str()
}

/// Returns a list field to add to, made when it is not there. What is no list is replaced by one:
/// the server would refuse it.
pub(super) fn list<'a>(object: &'a mut Map<String, Value>, field: &str) -> &'a mut Vec<Value> {
    let entry = object.entry(field).or_insert_with(|| Value::Array(Vec::new()));
    if !entry.is_array() {
        *entry = Value::Array(Vec::new());
    }
    entry.as_array_mut().expect("made a list above")
}
