//! Which objects a list or a watch is about.

use serde_json::Value;

/// A selection by labels and by name.
#[derive(Debug, Clone, Default)]
pub(super) struct Selection {
    labels: Vec<(String, String)>,
    name: Option<String>,
}

impl Selection {
    /// Reads the selectors of a request: `a=b,c=d` for labels, `metadata.name=x` for fields.
    pub(super) fn new(labels: Option<&str>, fields: Option<&str>) -> Self {
        let pairs = |text: Option<&str>| -> Vec<(String, String)> {
            let parts = text.unwrap_or_default().split(',').filter_map(|part| part.split_once('='));
            parts.map(|(key, value)| (key.to_owned(), value.trim_start_matches('=').to_owned())).collect()
        };
        let name = pairs(fields).into_iter().find(|(key, _)| key == "metadata.name").map(|(_, name)| name);
        Self { labels: pairs(labels), name }
    }

    /// Returns whether an object is selected.
    pub(super) fn takes(&self, object: &Value) -> bool {
        let metadata = &object["metadata"];
        let is_named = self.name.as_deref().is_none_or(|name| metadata["name"] == name);
        is_named && self.labels.iter().all(|(key, value)| metadata["labels"][key] == value.as_str())
    }
}
