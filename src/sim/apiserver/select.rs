//! Which objects a list or a watch is about.

use serde_json::Value;

/// A selection by labels and by fields.
#[derive(Debug, Clone, Default)]
pub(super) struct Selection {
    labels: Vec<(String, String)>,
    fields: Vec<(String, String)>,
}

impl Selection {
    /// Reads the selectors of a request: `a=b,c=d` for labels, `metadata.name=x,reason=y` for fields.
    pub(super) fn new(labels: Option<&str>, fields: Option<&str>) -> Self {
        let pairs = |text: Option<&str>| -> Vec<(String, String)> {
            let parts = text.unwrap_or_default().split(',').filter_map(|part| part.split_once('='));
            parts.map(|(key, value)| (key.to_owned(), value.trim_start_matches('=').to_owned())).collect()
        };
        let pointer = |path: String| format!("/{}", path.replace('.', "/"));
        let fields = pairs(fields).into_iter().map(|(path, value)| (pointer(path), value)).collect();
        Self { labels: pairs(labels), fields }
    }

    /// Returns whether an object is selected.
    pub(super) fn takes(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        let has = |(path, value): &(String, String)| object.pointer(path).is_some_and(|found| found == value.as_str());
        self.fields.iter().all(has) && self.labels.iter().all(|(key, value)| labels[key] == value.as_str())
    }
}
