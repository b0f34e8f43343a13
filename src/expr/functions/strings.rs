//! Functions of texts, as Go's `strings` has them: places and lengths are in bytes.

use super::Call;
use crate::expr::value::Value;

type Outcome = Result<Value, String>;

/// How often `repeat` repeats, as Go's expr bounds it.
const REPEATS_MAX: usize = 1_000_000;

/// Returns a list of texts.
pub fn texts<T: AsRef<str>>(parts: impl IntoIterator<Item = T>) -> Value {
    Value::list(parts.into_iter().map(Value::text).collect())
}

/// Splits as Go's `SplitN`: an empty separator parts characters; `most` below zero is no bound.
pub fn split_n<'t>(text: &'t str, separator: &str, most: i64) -> Vec<&'t str> {
    if most == 0 {
        return Vec::new();
    }
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    if separator.is_empty() {
        return explode(text, most);
    }
    text.splitn(most, separator).collect()
}

fn explode(text: &str, most: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if parts.len() + 1 == most {
            break;
        }
        let (head, tail) = rest.split_at(first.len_utf8());
        parts.push(head);
        rest = tail;
    }
    if !rest.is_empty() {
        parts.push(rest);
    }
    parts
}

pub(super) fn trim(call: &mut Call<'_, '_>) -> Outcome {
    let text = call.text(0)?;
    if call.args.len() == 1 {
        return Ok(Value::text(text.trim()));
    }
    let set = call.text(1)?;
    Ok(Value::text(text.trim_matches(|c| set.contains(c))))
}

pub(super) fn trim_prefix(call: &mut Call<'_, '_>) -> Outcome {
    let prefix = if call.args.len() == 2 { call.text(1)? } else { " " };
    let text = call.text(0)?;
    Ok(Value::text(text.strip_prefix(prefix).unwrap_or(text)))
}

pub(super) fn trim_suffix(call: &mut Call<'_, '_>) -> Outcome {
    let suffix = if call.args.len() == 2 { call.text(1)? } else { " " };
    let text = call.text(0)?;
    Ok(Value::text(text.strip_suffix(suffix).unwrap_or(text)))
}

pub(super) fn upper(call: &mut Call<'_, '_>) -> Outcome {
    Ok(Value::from(uppercase(call.text(0)?)))
}

/// Returns a text in capitals, letter by letter as Go does: what would become two stays.
pub fn uppercase(text: &str) -> String {
    text.chars().map(|c| sole(c.to_uppercase()).unwrap_or(c)).collect()
}

/// Returns a text in small letters, letter by letter.
pub fn lowercase(text: &str) -> String {
    text.chars().map(|c| sole(c.to_lowercase()).unwrap_or(c)).collect()
}

fn sole(mut chars: impl Iterator<Item = char>) -> Option<char> {
    let first = chars.next();
    first.filter(|_| chars.next().is_none())
}

pub(super) fn lower(call: &mut Call<'_, '_>) -> Outcome {
    Ok(Value::from(lowercase(call.text(0)?)))
}

pub(super) fn split(call: &mut Call<'_, '_>) -> Outcome {
    let most = if call.args.len() == 3 { call.int(2)? } else { -1 };
    Ok(texts(split_n(call.text(0)?, call.text(1)?, most)))
}

pub(super) fn split_after(call: &mut Call<'_, '_>) -> Outcome {
    let most = if call.args.len() == 3 { call.int(2)? } else { -1 };
    let separator = call.text(1)?;
    let parts = split_n(call.text(0)?, separator, most);
    let last = parts.len().saturating_sub(1);
    Ok(texts(
        parts
            .iter()
            .enumerate()
            .map(|(at, part)| if at == last { (*part).to_owned() } else { format!("{part}{separator}") }),
    ))
}

pub(super) fn replace(call: &mut Call<'_, '_>) -> Outcome {
    let most = if call.args.len() == 4 { call.int(3)? } else { -1 };
    let (text, old, new) = (call.text(0)?, call.text(1)?, call.text(2)?);
    replaced(call, text, old, new, most)
}

/// Replaces the first `most` occurrences, or all when it is below zero.
pub fn replaced(call: &mut Call<'_, '_>, text: &str, old: &str, new: &str, most: i64) -> Outcome {
    let places = if old.is_empty() { text.len() + 1 } else { text.len() / old.len() };
    let count = usize::try_from(most).unwrap_or(usize::MAX).min(places);
    call.will_make(count.saturating_mul(new.len()))?;
    Ok(Value::from(match most {
        ..0 => text.replace(old, new),
        most => text.replacen(old, new, most as usize),
    }))
}

pub(super) fn repeat(call: &mut Call<'_, '_>) -> Outcome {
    let count = call.int(1)?;
    let text = call.text(0)?;
    repeated(call, text, count)
}

/// Repeats a text, which is paid for first.
pub fn repeated(call: &mut Call<'_, '_>, text: &str, count: i64) -> Outcome {
    let count = usize::try_from(count).map_err(|_| format!("`{}` takes no negative count", call.name))?;
    if count > REPEATS_MAX {
        return Err(format!("`{}` repeats no more than {REPEATS_MAX} times", call.name));
    }
    call.will_make(text.len().saturating_mul(count))?;
    Ok(Value::from(text.repeat(count)))
}

pub(super) fn join(call: &mut Call<'_, '_>) -> Outcome {
    let glue = if call.args.len() == 2 { call.text(1)? } else { "" };
    let items = call.list(0)?;
    let mut parts = Vec::with_capacity(items.len());
    for item in items.iter() {
        parts.push(item.as_str().ok_or_else(|| format!("`join` takes texts, not a {}", item.type_name()))?);
    }
    joined(call, &parts, glue)
}

/// Joins texts, which is paid for first.
pub fn joined(call: &mut Call<'_, '_>, parts: &[&str], glue: &str) -> Outcome {
    call.will_make(parts.len().saturating_mul(glue.len()))?;
    Ok(Value::from(parts.join(glue)))
}

fn place(found: Option<usize>) -> Outcome {
    Ok(Value::Int(found.map_or(-1, |place| place as i64)))
}

pub(super) fn index_of(call: &mut Call<'_, '_>) -> Outcome {
    place(call.text(0)?.find(call.text(1)?))
}

pub(super) fn last_index_of(call: &mut Call<'_, '_>) -> Outcome {
    place(call.text(0)?.rfind(call.text(1)?))
}

pub(super) fn has_prefix(call: &mut Call<'_, '_>) -> Outcome {
    Ok(Value::Bool(call.text(0)?.starts_with(call.text(1)?)))
}

pub(super) fn has_suffix(call: &mut Call<'_, '_>) -> Outcome {
    Ok(Value::Bool(call.text(0)?.ends_with(call.text(1)?)))
}
