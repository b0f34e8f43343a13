//! Sprig's functions of paths, with Unix separators everywhere.

use super::{Function, Outcome};
use crate::expr::value::Value;

pub(super) static TABLE: [Function; 10] = [
    Function::new("base", 1, 1, "string", |call| base(call.text(0)?)),
    Function::new("clean", 1, 1, "string", |call| Ok(Value::from(clean(call.text(0)?)))),
    Function::new("dir", 1, 1, "string", |call| dir(call.text(0)?)),
    Function::new("ext", 1, 1, "string", |call| ext(call.text(0)?)),
    Function::new("isAbs", 1, 1, "bool", |call| Ok(Value::Bool(call.text(0)?.starts_with('/')))),
    Function::new("osBase", 1, 1, "string", |call| base(call.text(0)?)),
    Function::new("osClean", 1, 1, "string", |call| Ok(Value::from(clean(call.text(0)?)))),
    Function::new("osDir", 1, 1, "string", |call| dir(call.text(0)?)),
    Function::new("osExt", 1, 1, "string", |call| ext(call.text(0)?)),
    Function::new("osIsAbs", 1, 1, "bool", |call| Ok(Value::Bool(call.text(0)?.starts_with('/')))),
];

fn base(path: &str) -> Outcome {
    let trimmed = path.trim_end_matches('/');
    Ok(Value::text(match (path, trimmed) {
        ("", _) => ".",
        (_, "") => "/",
        (_, trimmed) => trimmed.rsplit('/').next().unwrap_or(trimmed),
    }))
}

fn dir(path: &str) -> Outcome {
    let end = path.rfind('/').map_or(0, |slash| slash + 1);
    Ok(Value::from(clean(&path[..end])))
}

fn ext(path: &str) -> Outcome {
    let name = path.rsplit('/').next().unwrap_or(path);
    Ok(Value::text(name.rfind('.').map_or("", |dot| &name[dot..])))
}

/// Drops what a path can do without: doubled slashes, `.`, and `..` behind a name.
fn clean(path: &str) -> String {
    let absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match (part, parts.last()) {
            ("" | ".", _) => {}
            ("..", Some(last)) if *last != ".." => drop(parts.pop()),
            ("..", None) if absolute => {}
            (part, _) => parts.push(part),
        }
    }
    match (absolute, parts.join("/")) {
        (true, joined) => format!("/{joined}"),
        (false, joined) if joined.is_empty() => ".".to_owned(),
        (false, joined) => joined,
    }
}
