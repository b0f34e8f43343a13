//! Sprig's `urlParse` and `urlJoin`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Call, Function, Outcome};
use crate::expr::value::Value;

pub(super) static TABLE: [Function; 2] =
    [Function::new("urlParse", 1, 1, "map", parse), Function::new("urlJoin", 1, 1, "string", join)];

/// Splits a URL into a map of scheme, userinfo, host, hostname, path, query, opaque, fragment.
fn parse(call: &mut Call<'_, '_>) -> Outcome {
    let text = call.text(0)?;
    if text.chars().any(|c| c.is_ascii_control()) {
        return Err(format!("`{}` is not a URL: it holds control characters", text.escape_default()));
    }
    let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (scheme, rest) = scheme_of(rest);
    let (authority, path, opaque) = match rest.strip_prefix("//") {
        Some(after) => {
            let slash = after.find('/').unwrap_or(after.len());
            (&after[..slash], &after[slash..], "")
        }
        None if !scheme.is_empty() && !rest.starts_with('/') => ("", "", rest),
        None => ("", rest, ""),
    };
    let (userinfo, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let parts = [
        ("scheme", scheme.to_lowercase()),
        ("userinfo", userinfo.to_owned()),
        ("host", host.to_owned()),
        ("hostname", hostname(host).to_owned()),
        ("path", percent_decoded(path)),
        ("query", query.to_owned()),
        ("opaque", opaque.to_owned()),
        ("fragment", percent_decoded(fragment)),
    ];
    Ok(Value::map(parts.map(|(name, part)| (name, Value::from(part)))))
}

fn scheme_of(text: &str) -> (&str, &str) {
    let is_scheme = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    };
    match text.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => (scheme, rest),
        _ => ("", text),
    }
}

fn hostname(host: &str) -> &str {
    match host.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((address, _)) => address,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    }
}

fn percent_decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let code = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if *first == b'%' => {
                out.push(byte);
                rest = &after[2..];
            }
            _ => {
                out.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Returns a part of the map, empty where it lacks it.
fn part<'m>(map: &'m BTreeMap<Arc<str>, Value>, name: &str) -> Result<&'m str, String> {
    match map.get(name) {
        None => Ok(""),
        Some(Value::Str(text)) => Ok(text),
        Some(other) => Err(format!("`{name}` of a URL must be a string, not a {}", other.type_name())),
    }
}

fn join(call: &mut Call<'_, '_>) -> Outcome {
    let map = call.map(0)?;
    let mut out = String::new();
    let scheme = part(map, "scheme")?;
    if !scheme.is_empty() {
        out.push_str(&format!("{scheme}:"));
    }
    let (opaque, host, userinfo) = (part(map, "opaque")?, part(map, "host")?, part(map, "userinfo")?);
    if !opaque.is_empty() {
        out.push_str(opaque);
    } else {
        if !host.is_empty() || !userinfo.is_empty() {
            let at = if userinfo.is_empty() { "" } else { "@" };
            out.push_str(&format!("//{userinfo}{at}{host}"));
        }
        let path = part(map, "path")?;
        if !path.is_empty() && !path.starts_with('/') && !host.is_empty() {
            out.push('/');
        }
        out.push_str(&path.replace(' ', "%20"));
    }
    for (sign, name) in [('?', "query"), ('#', "fragment")] {
        let text = part(map, name)?;
        if !text.is_empty() {
            out.push(sign);
            out.push_str(text);
        }
    }
    Ok(Value::from(out))
}
