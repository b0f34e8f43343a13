//! What was meant by a field that its object does not have.

use super::schema::{Field, Object, Schemas, ShapeId};
use crate::base::suggest::nearest;

/// How many fields a help text lists at most.
const FIELDS_LISTED_MAX: usize = 12;

/// What was meant.
pub(super) struct Suggestion {
    /// A field that is the same word in other letters (`image_pull_policy`, `Image`): certain.
    pub(super) same_word: Option<String>,
    /// A field with a similar name: probable.
    pub(super) near: Option<String>,
    /// What to tell the user.
    pub(super) help: Option<String>,
}

/// Returns what `key` may mean: a field with a similar name; or that it belongs one level down or
/// up; or what fields there are.
pub(super) fn field(schemas: &'static Schemas, object: &Object, above: Option<&Object>, key: &str) -> Suggestion {
    let names = || object.fields.keys().copied();
    let same_word = names().find(|name| squeezed(name) == squeezed(key)).map(str::to_owned);
    let near = nearest(key, names()).map(str::to_owned);
    let help = same_word
        .as_deref()
        .or(near.as_deref())
        .map(|name| format!("did you mean `{name}`?"))
        .or_else(|| below(schemas, object, key))
        .or_else(|| {
            let above = above.filter(|above| above.fields.contains_key(key))?;
            Some(format!("`{key}` is a field of `{}`: indent it less", above.name))
        })
        .or_else(|| list(object));
    Suggestion { same_word, near, help }
}

/// Returns a name without what people vary: case, `-` and `_`.
fn squeezed(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '-' | '_')).map(|c| c.to_ascii_lowercase()).collect()
}

/// Returns that the key belongs to a field of the object, or to the items of one.
fn below(schemas: &'static Schemas, object: &Object, key: &str) -> Option<String> {
    let holders = |object_in: fn(&'static Schemas, ShapeId) -> Option<&'static Object>| {
        let has_key =
            |field: &Field| object_in(schemas, field.shape).is_some_and(|inner| inner.fields.contains_key(key));
        let holders = object.fields.iter().filter(|(_, field)| has_key(field)).take(3);
        holders.map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(" or ")
    };
    let direct = holders(Schemas::object);
    let holders = if direct.is_empty() { holders(Schemas::object_in) } else { direct };
    (!holders.is_empty()).then(|| format!("`{key}` is a field of {holders}: put it below"))
}

fn list(object: &Object) -> Option<String> {
    let names: Vec<String> = object.fields.keys().map(|name| format!("`{name}`")).collect();
    match names.len() {
        0 => Some("it has no fields".to_owned()),
        1..=FIELDS_LISTED_MAX => Some(format!("its fields are {}", names.join(", "))),
        _ => None,
    }
}
