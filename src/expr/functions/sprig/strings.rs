//! Sprig's functions of texts. Most take the text last.

use super::arguments::texts;
use super::{Call, Function, Outcome};
use crate::expr::functions::call::ANY_NUMBER;
use crate::expr::functions::strings::{joined, lowercase, repeated, replaced, split_n, texts as list_of, uppercase};
use crate::expr::value::Value;

pub(super) static TABLE: [Function; 33] = [
    Function::new("abbrev", 2, 2, "string", |call| abbreviate(call.text(1)?, 0, call.int(0)?)),
    Function::new("abbrevboth", 3, 3, "string", abbrev_both),
    Function::new("cat", 0, ANY_NUMBER, "string", cat),
    Function::new("contains", 2, 2, "bool", |call| Ok(Value::Bool(call.text(1)?.contains(call.text(0)?)))),
    Function::new("hasPrefix", 2, 2, "bool", |call| Ok(Value::Bool(call.text(1)?.starts_with(call.text(0)?)))),
    Function::new("hasSuffix", 2, 2, "bool", |call| Ok(Value::Bool(call.text(1)?.ends_with(call.text(0)?)))),
    Function::new("hello", 0, 0, "string", |_| Ok(Value::text("Hello!"))),
    Function::new("indent", 2, 2, "string", |call| indent(call, "")),
    Function::new("initials", 1, 1, "string", initials),
    Function::new("join", 2, 2, "string", join),
    Function::new("lower", 1, 1, "string", |call| Ok(Value::from(lowercase(call.text(0)?)))),
    Function::new("nindent", 2, 2, "string", |call| indent(call, "\n")),
    Function::new("nospace", 1, 1, "string", nospace),
    Function::new("plural", 3, 3, "string", plural),
    Function::new("quote", 0, ANY_NUMBER, "string", quote),
    Function::new("repeat", 2, 2, "string", repeat),
    Function::new("replace", 3, 3, "string", replace),
    Function::new("split", 2, 2, "map", |call| split_map(call.text(1)?, call.text(0)?, -1)),
    Function::new("splitList", 2, 2, "array", |call| Ok(list_of(split_n(call.text(1)?, call.text(0)?, -1)))),
    Function::new("splitn", 3, 3, "map", |call| split_map(call.text(2)?, call.text(0)?, call.int(1)?)),
    Function::new("squote", 0, ANY_NUMBER, "string", squote),
    Function::new("substr", 3, 3, "string", substr),
    Function::new("toString", 1, 1, "string", |call| Ok(Value::from(call.arg(0).to_string()))),
    Function::new("toStrings", 1, 1, "array", |call| Ok(list_of(texts(call.arg(0))))),
    Function::new("trim", 1, 1, "string", |call| Ok(Value::text(call.text(0)?.trim()))),
    Function::new("trimAll", 2, 2, "string", trim_all),
    Function::new("trimPrefix", 2, 2, "string", trim_prefix),
    Function::new("trimSuffix", 2, 2, "string", trim_suffix),
    Function::new("trimall", 2, 2, "string", trim_all),
    Function::new("trunc", 2, 2, "string", trunc),
    Function::new("upper", 1, 1, "string", |call| Ok(Value::from(uppercase(call.text(0)?)))),
    Function::new("wrap", 2, 2, "string", |call| wrap(call.text(1)?, call.int(0)?, "\n", false)),
    Function::new("wrapWith", 3, 3, "string", |call| wrap(call.text(2)?, call.int(0)?, call.text(1)?, true)),
];

/// Returns bytes of a text as a text.
fn lossy(bytes: &[u8]) -> Value {
    Value::from(String::from_utf8_lossy(bytes).into_owned())
}

/// Shortens a text with an ellipsis to `width` bytes, of which `offset` must be seen
/// (goutils' `AbbreviateFull`).
fn abbreviate(text: &str, offset: i64, width: i64) -> Outcome {
    let (bytes, len) = (text.as_bytes(), text.len() as i64);
    if width < 4 || len <= width {
        return Ok(Value::text(text));
    }
    let mut offset = offset.clamp(0, len);
    if len - offset < width - 3 {
        offset = len - (width - 3);
    }
    if offset <= 4 {
        return Ok(Value::from(format!("{}...", lossy(&bytes[..(width - 3) as usize]))));
    }
    if width < 7 {
        return Ok(Value::text(text));
    }
    if offset + width - 3 < len {
        let inner = abbreviate(&lossy(&bytes[offset as usize..]).to_string(), 0, width - 3)?;
        return Ok(Value::from(format!("...{inner}")));
    }
    Ok(Value::from(format!("...{}", lossy(&bytes[(len - (width - 3)) as usize..]))))
}

fn abbrev_both(call: &mut Call<'_, '_>) -> Outcome {
    let (left, right, text) = (call.int(0)?, call.int(1)?, call.text(2)?);
    if right < 4 || (left > 0 && right < 7) {
        return Ok(Value::text(text));
    }
    abbreviate(text, left, right)
}

fn cat(call: &mut Call<'_, '_>) -> Outcome {
    let parts: Vec<String> = call.args.iter().filter(|arg| !arg.is_nil()).map(Value::to_string).collect();
    Ok(Value::from(parts.join(" ")))
}

fn indent(call: &mut Call<'_, '_>, before: &str) -> Outcome {
    let count = usize::try_from(call.int(0)?).map_err(|_| "`indent` takes no negative count".to_owned())?;
    let text = call.text(1)?;
    call.will_make(count.saturating_mul(text.matches('\n').count() + 1))?;
    let pad = " ".repeat(count);
    Ok(Value::from(format!("{before}{pad}{}", text.replace('\n', &format!("\n{pad}")))))
}

fn initials(call: &mut Call<'_, '_>) -> Outcome {
    let words = call.text(0)?.split_whitespace();
    Ok(Value::from(words.filter_map(|word| word.chars().next()).collect::<String>()))
}

fn join(call: &mut Call<'_, '_>) -> Outcome {
    let parts = texts(call.arg(1));
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let glue = call.text(0)?;
    joined(call, &parts, glue)
}

fn nospace(call: &mut Call<'_, '_>) -> Outcome {
    Ok(Value::from(call.text(0)?.chars().filter(|c| !c.is_whitespace()).collect::<String>()))
}

fn plural(call: &mut Call<'_, '_>) -> Outcome {
    let which = if call.int(2)? == 1 { 0 } else { 1 };
    call.text(which).map(Value::text)
}

fn quote(call: &mut Call<'_, '_>) -> Outcome {
    let quoted = call.args.iter().filter(|arg| !arg.is_nil()).map(|arg| go_quoted(&arg.to_string()));
    Ok(Value::from(quoted.collect::<Vec<_>>().join(" ")))
}

/// Returns a text in quotes as Go's `%q` writes it.
fn go_quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            c if (c as u32) < 0x20 || c == '\u{7f}' => out.push_str(&format!("\\x{:02x}", c as u32)),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn squote(call: &mut Call<'_, '_>) -> Outcome {
    let quoted = call.args.iter().filter(|arg| !arg.is_nil()).map(|arg| format!("'{arg}'"));
    Ok(Value::from(quoted.collect::<Vec<_>>().join(" ")))
}

fn repeat(call: &mut Call<'_, '_>) -> Outcome {
    let (count, text) = (call.int(0)?, call.text(1)?);
    repeated(call, text, count)
}

fn replace(call: &mut Call<'_, '_>) -> Outcome {
    let (old, new, text) = (call.text(0)?, call.text(1)?, call.text(2)?);
    replaced(call, text, old, new, -1)
}

/// Splits to a map of `_0`, `_1` and so on.
fn split_map(text: &str, separator: &str, most: i64) -> Outcome {
    let parts = split_n(text, separator, most);
    Ok(Value::map(parts.into_iter().enumerate().map(|(at, part)| (format!("_{at}"), Value::text(part)))))
}

fn substr(call: &mut Call<'_, '_>) -> Outcome {
    let (start, end, bytes) = (call.int(0)?, call.int(1)?, call.text(2)?.as_bytes());
    let out_of_range = || format!("`substr` from {start} to {end} is outside of a text of {} bytes", bytes.len());
    let from = usize::try_from(start).unwrap_or(0);
    let to = if start >= 0 && (end < 0 || end > bytes.len() as i64) { bytes.len() as i64 } else { end };
    let to = usize::try_from(to).map_err(|_| out_of_range())?;
    bytes.get(from..to).map(lossy).ok_or_else(out_of_range)
}

fn trim_all(call: &mut Call<'_, '_>) -> Outcome {
    let set = call.text(0)?;
    Ok(Value::text(call.text(1)?.trim_matches(|c| set.contains(c))))
}

fn trim_prefix(call: &mut Call<'_, '_>) -> Outcome {
    let text = call.text(1)?;
    Ok(Value::text(text.strip_prefix(call.text(0)?).unwrap_or(text)))
}

fn trim_suffix(call: &mut Call<'_, '_>) -> Outcome {
    let text = call.text(1)?;
    Ok(Value::text(text.strip_suffix(call.text(0)?).unwrap_or(text)))
}

/// Keeps the first bytes, or with a negative count the last.
fn trunc(call: &mut Call<'_, '_>) -> Outcome {
    let (count, text) = (call.int(0)?, call.text(1)?);
    let size = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX).min(text.len());
    let bytes = text.as_bytes();
    Ok(lossy(if count < 0 { &bytes[text.len() - size..] } else { &bytes[..size] }))
}

/// Breaks lines at blanks (goutils' `WrapCustom`); `breaks_words` cuts what is too long.
fn wrap(text: &str, width: i64, newline: &str, breaks_words: bool) -> Outcome {
    let width = usize::try_from(width).unwrap_or(1).max(1);
    let bytes = text.as_bytes();
    let (mut out, mut at): (Vec<u8>, usize) = (Vec::with_capacity(text.len() + 16), 0);
    while bytes.len() - at > width {
        if bytes[at] == b' ' {
            at += 1;
            continue;
        }
        let end = at + width;
        let back = bytes[at..=end].iter().rposition(|b| *b == b' ').map(|offset| at + offset);
        let ahead = bytes[end..].iter().position(|b| *b == b' ').map(|offset| end + offset);
        let (stop, next) = match (back, breaks_words, ahead) {
            (Some(blank), _, _) if blank > at => (blank, blank + 1),
            (_, true, _) => (end, end),
            (_, false, Some(blank)) => (blank, blank + 1),
            (_, false, None) => (bytes.len(), bytes.len()),
        };
        out.extend_from_slice(&bytes[at..stop]);
        if stop < bytes.len() {
            out.extend_from_slice(newline.as_bytes());
        }
        at = next;
    }
    out.extend_from_slice(&bytes[at..]);
    Ok(lossy(&out))
}
