//! Sprig's functions of upper and lower case.

use super::{Call, Function, Outcome};
use crate::expr::value::Value;

pub(super) static TABLE: [Function; 6] = [
    Function::new("camelcase", 1, 1, "string", camel),
    Function::new("kebabcase", 1, 1, "string", |call| delimited(call, '-')),
    Function::new("snakecase", 1, 1, "string", |call| delimited(call, '_')),
    Function::new("swapcase", 1, 1, "string", swap),
    Function::new("title", 1, 1, "string", |call| first_letters(call, |c| c.to_uppercase().collect())),
    Function::new("untitle", 1, 1, "string", |call| first_letters(call, |c| c.to_lowercase().collect())),
];

/// Changes the first letter of each word.
fn first_letters(call: &mut Call<'_, '_>, change: fn(char) -> String) -> Outcome {
    let mut starts = true;
    let mut out = String::new();
    for c in call.text(0)?.chars() {
        if starts {
            out.push_str(&change(c))
        } else {
            out.push(c)
        }
        starts = c.is_whitespace() || (c.is_ascii_punctuation() && c != '_');
    }
    Ok(Value::from(out))
}

fn swap(call: &mut Call<'_, '_>) -> Outcome {
    let swapped = call.text(0)?.chars().map(|c| match c.is_uppercase() {
        true => c.to_lowercase().to_string(),
        false => c.to_uppercase().to_string(),
    });
    Ok(Value::from(swapped.collect::<String>()))
}

/// Returns the words of a text, which end at signs and before a capital.
fn words(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut words: Vec<String> = vec![String::new()];
    for (at, c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| chars[at]);
        let after = chars.get(at + 1);
        let is_break = c.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase()
                    || before.is_numeric()
                    || (before.is_uppercase() && after.is_some_and(|after| after.is_lowercase()))
            });
        let is_sign = !c.is_alphanumeric();
        if (is_break || is_sign) && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if let (false, Some(word)) = (is_sign, words.last_mut()) {
            word.push(*c);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn delimited(call: &mut Call<'_, '_>, delimiter: char) -> Outcome {
    let words: Vec<String> = words(call.text(0)?).iter().map(|word| word.to_lowercase()).collect();
    Ok(Value::from(words.join(&delimiter.to_string())))
}

fn camel(call: &mut Call<'_, '_>) -> Outcome {
    let text = call.text(0)?;
    // Signs at the beginning are kept.
    let first = text.find(|c| !"_- .".contains(c)).unwrap_or(text.len());
    let mut out = text[..first].to_owned();
    for word in text[first..].split(['_', '-', ' ', '.']).filter(|word| !word.is_empty()) {
        let mut chars = word.chars();
        out.extend(chars.next().into_iter().flat_map(char::to_uppercase));
        out.push_str(chars.as_str());
    }
    Ok(Value::from(out))
}
