//! Big texts live beside the log: in a record stands their digest instead.
//!
//! A text of more than [`INLINE_BYTES_MAX`] bytes becomes `{"$blob": "<sha256>"}`. An object of
//! the user's that looks like one gets another `$` (`{"$$blob": …}`), and loses it on the way back.
//!
//! **Invariant:** nothing here touches a disk; where blobs are kept is the caller's.

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// A text up to this length stays in its record: a file of its own costs two syncs, and takes a
/// block of the file system whatever its length.
pub const INLINE_BYTES_MAX: usize = 4 << 10;

/// The key of a reference, without its `$`s.
const KEY: &str = "blob";

/// What names a text: the SHA-256 of its bytes in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(String);

impl Digest {
    /// Returns the digest of `text`.
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Returns the digest that `text` spells, if it spells one.
    pub fn parse(text: &str) -> Option<Self> {
        let is_digest = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_digest.then(|| Self(text.to_owned()))
    }

    /// Returns the digest as text, fit for a file's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns whether a record, as JSON text, can be written as it is: nothing in it is big, and
/// nothing looks like a reference. Most records are so, and never become a tree of values.
pub fn is_plain(json: &str) -> bool {
    json.len() <= INLINE_BYTES_MAX && !has_reference(json)
}

/// Returns whether a record may hold a reference, or something that was made to differ from one.
pub fn has_reference(json: &str) -> bool {
    json.contains("$blob\"")
}

/// Replaces every big text in `value` by its digest, giving the text to `keep` first.
pub fn spill<E>(value: &mut Value, keep: &mut impl FnMut(&Digest, &str) -> Result<(), E>) -> Result<(), E> {
    match value {
        Value::String(text) if text.len() > INLINE_BYTES_MAX => {
            let digest = Digest::of(text);
            keep(&digest, text)?;
            *value = reference(format!("${KEY}"), Value::String(digest.0));
        }
        Value::Array(items) => items.iter_mut().try_for_each(|item| spill(item, keep))?,
        Value::Object(map) => {
            map.values_mut().try_for_each(|item| spill(item, keep))?;
            escape(map);
        }
        _ => {}
    }
    Ok(())
}

/// Undoes [`spill`], asking `find` for each text. `None` for a reference that names no digest.
pub fn restore<E>(value: &mut Value, find: &mut impl FnMut(Option<Digest>) -> Result<String, E>) -> Result<(), E> {
    match value {
        Value::Array(items) => items.iter_mut().try_for_each(|item| restore(item, find)),
        Value::Object(map) if dollars(map) == Some(1) => {
            let digest = map.values().next().and_then(Value::as_str).and_then(Digest::parse);
            *value = Value::String(find(digest)?);
            Ok(())
        }
        Value::Object(map) => {
            unescape(map);
            map.values_mut().try_for_each(|item| restore(item, find))
        }
        _ => Ok(()),
    }
}

/// Returns the digests that references in `value` name.
pub fn references(value: &Value) -> Vec<Digest> {
    match value {
        Value::Array(items) => items.iter().flat_map(references).collect(),
        Value::Object(map) if dollars(map) == Some(1) => {
            map.values().next().and_then(Value::as_str).and_then(Digest::parse).into_iter().collect()
        }
        Value::Object(map) => map.values().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

/// Returns how many `$` the only key of `map` begins with, if it is like a reference's.
fn dollars(map: &Map<String, Value>) -> Option<usize> {
    let (key, None) = (map.keys().next()?, map.keys().nth(1)) else { return None };
    let name = key.trim_start_matches('$');
    (name == KEY && key.len() > name.len()).then(|| key.len() - name.len())
}

fn escape(map: &mut Map<String, Value>) {
    if dollars(map).is_some() {
        rename_only_key(map, |key| format!("${key}"));
    }
}

fn unescape(map: &mut Map<String, Value>) {
    if dollars(map).is_some() {
        rename_only_key(map, |key| key[1..].to_owned());
    }
}

fn rename_only_key(map: &mut Map<String, Value>, rename: impl FnOnce(&str) -> String) {
    let entries = std::mem::take(map).into_iter().next();
    map.extend(entries.map(|(key, value)| (rename(&key), value)));
}

fn reference(key: String, value: Value) -> Value {
    Value::Object(Map::from_iter([(key, value)]))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::convert::Infallible;

    use serde_json::json;

    use super::*;

    fn round_trip(value: &Value) -> (Value, BTreeMap<Digest, String>) {
        let mut blobs = BTreeMap::new();
        let mut spilled = value.clone();
        let kept: Result<(), Infallible> = spill(&mut spilled, &mut |digest, text| {
            blobs.insert(digest.clone(), text.to_owned());
            Ok(())
        });
        kept.expect("keeping in a map cannot fail");
        let mut back = spilled.clone();
        restore(&mut back, &mut |digest| digest.and_then(|digest| blobs.get(&digest).cloned()).ok_or("no such blob"))
            .expect("every reference was kept");
        assert_eq!(back, *value);
        (spilled, blobs)
    }

    #[test]
    fn big_texts_are_kept_once_each() {
        let big = "x".repeat(INLINE_BYTES_MAX + 1);
        let (spilled, blobs) = round_trip(&json!({"a": big, "b": [{"c": big}], "d": "x".repeat(INLINE_BYTES_MAX)}));
        let digest = Digest::of(&big);
        assert_eq!(blobs.keys().collect::<Vec<_>>(), [&digest]);
        assert_eq!(spilled["a"], json!({"$blob": digest.as_str()}));
        assert_eq!(spilled["a"], spilled["b"][0]["c"]);
        assert!(spilled["d"].is_string());
    }

    #[test]
    fn what_looks_like_a_reference_survives() {
        let big = "é".repeat(INLINE_BYTES_MAX);
        for value in [
            json!({"$blob": "no digest"}),
            json!({"$blob": Digest::of("x").as_str()}),
            json!({"$$blob": {"$blob": {"$$$blob": 1}}}),
            json!({"$blob": big}),
            json!({"$blob": 1, "other": 2}),
            json!({"blob": 1}),
            json!([{"$": 1}, {"": 1}, {"$blobs": 1}, {}]),
        ] {
            round_trip(&value);
        }
    }

    #[test]
    fn plain_records_are_told_apart_by_their_text() {
        assert!(is_plain("{\"a\":1}"));
        assert!(!is_plain("{\"$blob\":1}") && !is_plain("{\"$$$blob\":1}"));
        assert!(!is_plain(&"x".repeat(INLINE_BYTES_MAX + 1)));
        assert!(has_reference("{\"a\":{\"$blob\":\"\"}}") && !has_reference("{\"blob\":1}"));
    }

    #[test]
    fn digests_are_sixty_four_small_hexadecimal_digits() {
        assert_eq!(Digest::parse(Digest::of("x").as_str()), Some(Digest::of("x")));
        for text in ["", "../../etc/passwd", &"A".repeat(64), &"a".repeat(63)] {
            assert_eq!(Digest::parse(text), None, "{text}");
        }
    }
}
