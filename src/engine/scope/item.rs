//! `item` and `item.<key>`: what a loop's round is about. Source: Argo's `processItem`.

use serde_json::Value as Json;

use super::text;
use crate::expr::{Scope, Value};

/// One item of a loop.
pub(in crate::engine) struct Item<'i> {
    pub value: &'i Json,
}

impl Scope for Item<'_> {
    fn get(&self, name: &str) -> Option<Value> {
        if name == "item" {
            return Some(text(item_text(self.value)));
        }
        let Json::Object(map) = self.value else { return None };
        map.get(name.strip_prefix("item.")?).map(|value| text(go_print(value)))
    }

    fn under(&self, root: &str, each: &mut dyn FnMut(&str, Value)) {
        if root != "item" {
            return;
        }
        for (key, value) in self.value.as_object().into_iter().flatten() {
            each(&format!("item.{key}"), text(go_print(value)));
        }
    }

    fn roots(&self, each: &mut dyn FnMut(&str)) {
        each("item");
    }
}

/// Returns the name of a loop's round: `name(2:text)`. Source: `generateNodeName`.
pub(in crate::engine) fn round_name(name: &str, index: usize, value: &Json) -> String {
    let words = match value {
        Json::Object(map) => {
            let mut entries: Vec<String> =
                map.iter().map(|(key, value)| format!("{key}:{}", go_print(value))).collect();
            entries.sort();
            entries.join(",")
        }
        value => go_print(value),
    };
    format!("{name}({index}:{})", words.replace(['(', ')'], ""))
}

/// Returns what `{{item}}` becomes.
fn item_text(value: &Json) -> String {
    match value {
        Json::Object(_) | Json::Array(_) => crate::expr::Value::from_json(value).to_json_text().unwrap_or_default(),
        value => go_print(value),
    }
}

/// Returns a value as Go's `fmt.Sprint` prints what Argo decoded it to.
fn go_print(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null => "null".to_owned(),
        Json::Array(list) => {
            let parts: Vec<String> = list.iter().map(go_print).collect();
            format!("[{}]", parts.join(" "))
        }
        Json::Object(map) => {
            let mut parts: Vec<String> = map.iter().map(|(key, value)| format!("{key}:{}", go_print(value))).collect();
            parts.sort();
            format!("map[{}]", parts.join(" "))
        }
        scalar => scalar.to_string(),
    }
}
