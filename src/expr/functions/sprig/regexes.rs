//! Sprig's functions of regular expressions; the expression comes first.

use super::{Call, Function, Outcome};
use crate::expr::functions::regex::expand;
use crate::expr::functions::strings::texts;
use crate::expr::value::Value;

pub(super) static TABLE: [Function; 13] = [
    Function::new("mustRegexFind", 2, 2, "string", find),
    Function::new("mustRegexFindAll", 3, 3, "array", find_all),
    Function::new("mustRegexMatch", 2, 2, "bool", is_match),
    Function::new("mustRegexReplaceAll", 3, 3, "string", replace_all),
    Function::new("mustRegexReplaceAllLiteral", 3, 3, "string", replace_all_literal),
    Function::new("mustRegexSplit", 3, 3, "array", split),
    Function::new("regexFind", 2, 2, "string", find),
    Function::new("regexFindAll", 3, 3, "array", find_all),
    // Sprig ignores a fault here.
    Function::new("regexMatch", 2, 2, "bool", |call| Ok(is_match(call).unwrap_or(Value::Bool(false)))),
    Function::new("regexQuoteMeta", 1, 1, "string", |call| Ok(Value::from(quoted(call.text(0)?)))),
    Function::new("regexReplaceAll", 3, 3, "string", replace_all),
    Function::new("regexReplaceAllLiteral", 3, 3, "string", replace_all_literal),
    Function::new("regexSplit", 3, 3, "array", split),
];

/// Escapes Go's metacharacters.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if "\\.+*?()|[]{}^$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn is_match(call: &mut Call<'_, '_>) -> Outcome {
    let text = call.text(1)?;
    let pattern = call.text(0)?;
    Ok(Value::Bool(call.tools.regex(pattern)?.is_match(text)))
}

fn find(call: &mut Call<'_, '_>) -> Outcome {
    let (pattern, text) = (call.text(0)?, call.text(1)?);
    let regex = call.tools.regex(pattern)?;
    Ok(Value::text(regex.find(text).map_or("", |found| found.as_str())))
}

/// Returns a count that is a bound when it is not negative.
fn bound(count: i64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn find_all(call: &mut Call<'_, '_>) -> Outcome {
    let (pattern, text, most) = (call.text(0)?, call.text(1)?, call.int(2)?);
    let regex = call.tools.regex(pattern)?;
    Ok(texts(regex.find_iter(text).take(bound(most)).map(|found| found.as_str())))
}

fn replace_all(call: &mut Call<'_, '_>) -> Outcome {
    let template = call.text(2)?;
    replaced(call, |captures, out| expand(captures, template, out))
}

fn replace_all_literal(call: &mut Call<'_, '_>) -> Outcome {
    let literal = call.text(2)?;
    replaced(call, |_, out| out.push_str(literal))
}

fn replaced(call: &mut Call<'_, '_>, write: impl Fn(&regex::Captures<'_>, &mut String)) -> Outcome {
    let (pattern, text) = (call.text(0)?, call.text(1)?);
    let regex = call.tools.regex(pattern)?;
    let mut out = String::with_capacity(text.len());
    let mut end = 0;
    for captures in regex.captures_iter(text) {
        let Some(whole) = captures.get(0) else { continue };
        let before = out.len();
        out.push_str(&text[end..whole.start()]);
        write(&captures, &mut out);
        call.will_make(out.len() - before)?;
        end = whole.end();
    }
    out.push_str(&text[end..]);
    Ok(Value::from(out))
}

fn split(call: &mut Call<'_, '_>) -> Outcome {
    let (pattern, text, most) = (call.text(0)?, call.text(1)?, call.int(2)?);
    let regex = call.tools.regex(pattern)?;
    match most {
        0 => Ok(Value::list(Vec::new())),
        most => Ok(texts(regex.splitn(text, bound(most)))),
    }
}
