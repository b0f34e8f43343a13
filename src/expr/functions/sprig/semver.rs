//! Sprig's `semverCompare`, as Masterminds' library reads versions: a leading
//! `v` and missing parts are allowed.

use std::cmp::Ordering;

use super::{Call, Function, Outcome};
use crate::expr::value::Value;

pub(super) static TABLE: [Function; 2] =
    [Function::new("semver", 1, 1, "any", semver), Function::new("semverCompare", 2, 2, "bool", compare)];

/// A version; of a partial one, how many numbers were written.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    numbers: [u64; 3],
    written: usize,
    pre: String,
}

impl Version {
    /// Reads a version; `x`, `X` and `*` stand for missing parts where `wild`.
    fn parse(text: &str, wild: bool) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix('v').unwrap_or(text);
        let (rest, metadata) = text.split_once('+').unwrap_or((text, ""));
        let (core, pre) = rest.split_once('-').unwrap_or((rest, ""));
        let mut version = Self { numbers: [0; 3], written: 0, pre: pre.to_owned() };
        for (at, part) in core.split('.').enumerate() {
            if wild && matches!(part, "x" | "X" | "*") {
                return Some(version);
            }
            *version.numbers.get_mut(at)? = part.parse().ok()?;
            version.written = at + 1;
        }
        let is_named = |part: &str| part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'));
        (is_named(pre) && is_named(metadata)).then_some(version)
    }

    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| compare_pre(&self.pre, &other.pre))
    }

    /// Returns the first version that no longer begins with the first `kept` numbers.
    fn next(&self, kept: usize) -> Self {
        let mut numbers = [0; 3];
        numbers[..kept].copy_from_slice(&self.numbers[..kept]);
        numbers[kept - 1] = numbers[kept - 1].saturating_add(1);
        Self { numbers, written: 3, pre: String::new() }
    }
}

/// Compares pre-releases: none is the greatest, numbers come before words.
fn compare_pre(left: &str, right: &str) -> Ordering {
    match (left.is_empty(), right.is_empty()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let key = |part: &str| match part.parse::<u64>() {
        Ok(number) => (0, number, String::new()),
        Err(_) => (1, 0, part.to_owned()),
    };
    left.split('.').map(key).cmp(right.split('.').map(key))
}

fn version(text: &str) -> Result<Version, String> {
    Version::parse(text, false).ok_or_else(|| format!("`{text}` is not a semantic version"))
}

/// Refuses: in Go the result is an object with methods.
fn semver(_: &mut Call<'_, '_>) -> Outcome {
    Err("unsupported function `sprig.semver`: compare versions by `sprig.semverCompare`".to_owned())
}

/// Checks a version against constraints: alternatives by `||`, of each all by `,` or a blank.
fn compare(call: &mut Call<'_, '_>) -> Outcome {
    let version = version(call.text(1)?)?;
    let constraint = call.text(0)?;
    let fault = || format!("`{constraint}` is not a version constraint");
    let mut holds = false;
    for alternative in constraint.split("||") {
        let mut all = true;
        for single in singles(alternative).ok_or_else(fault)? {
            all &= satisfies(&version, &single).ok_or_else(fault)?;
        }
        holds |= all;
    }
    Ok(Value::Bool(holds))
}

/// Splits `>= 1.2, < 2`, and rewrites `1.2 - 1.4.5` as its two bounds.
fn singles(text: &str) -> Option<Vec<String>> {
    if let Some((low, high)) = text.split_once(" - ") {
        return Some(vec![format!(">={}", low.trim()), format!("<={}", high.trim())]);
    }
    let mut found = Vec::new();
    let mut operator = String::new();
    for part in text.split([',', ' ']).filter(|part| !part.is_empty()) {
        if part.chars().all(|c| "=!<>~^".contains(c)) {
            operator = part.to_owned();
        } else {
            found.push(format!("{}{part}", std::mem::take(&mut operator)));
        }
    }
    (!found.is_empty() && operator.is_empty()).then_some(found)
}

fn satisfies(version: &Version, single: &str) -> Option<bool> {
    let split = single.find(|c: char| !"=!<>~^".contains(c))?;
    let (operator, text) = single.split_at(split);
    let wanted = Version::parse(text, true)?;
    // A pre-release only satisfies a constraint that names one.
    if !version.pre.is_empty() && wanted.pre.is_empty() && operator != "!=" {
        return Some(false);
    }
    let order = version.cmp(&wanted);
    // A partial version stands for all that begin with it.
    let within = |kept: usize| order.is_ge() && (kept == 0 || version.cmp(&wanted.next(kept)).is_lt());
    let partial = wanted.written < 3;
    Some(match operator {
        "" | "=" | "==" if partial => within(wanted.written),
        "" | "=" | "==" => order.is_eq(),
        "!=" if partial => !within(wanted.written),
        "!=" => order.is_ne(),
        ">" if partial && wanted.written > 0 => version.cmp(&wanted.next(wanted.written)).is_ge(),
        ">" => order.is_gt(),
        "<" => order.is_lt(),
        ">=" | "=>" => order.is_ge(),
        "<=" | "=<" if partial => order.is_lt() || within(wanted.written),
        "<=" | "=<" => order.is_le(),
        "~" | "~>" => within(wanted.written.min(2)),
        "^" => within(caret_kept(&wanted)),
        _ => return None,
    })
}

/// Returns how many numbers `^` keeps: those up to the first that is not zero.
fn caret_kept(wanted: &Version) -> usize {
    let written = wanted.written.max(1);
    let first = wanted.numbers[..written].iter().position(|number| *number > 0);
    if wanted.written == 0 { 0 } else { first.map_or(written, |at| at + 1) }
}
