//! A `data` template: the keys of the run's artifacts below one, transformed by expressions. It runs nothing,
//! and ends at once. Source: Argo's `workflow/data`.

use std::collections::BTreeMap;
use std::path::Path;

use super::fault::{Doing, Fault};
use super::{repository, support};
use crate::base::Timestamp;
use crate::base::limits::ARCHIVE_ENTRIES_MAX;
use crate::engine::PodEnd;
use crate::expr::{Ambient, Value, lang};
use crate::spec;

/// Returns the end of a node that transforms the list of what is in the repository at `artifacts`.
pub(super) fn end(data: &spec::Data, artifacts: &Path) -> Result<PodEnd, Fault> {
    let Some(source) = &data.source.artifact_paths else {
        return Err(Fault::refused("the template names no source of data"));
    };
    let keys = keys(&source.artifact.location, artifacts)?;
    let transformed = transform(keys, &data.transformation).map_err(Fault::refused)?;
    let result = transformed.to_json_text().unwrap_or_default();
    Ok(PodEnd { exit_code: None, result: Some(result), ..PodEnd::exited(0) })
}

/// Returns why a template's source cannot be listed here, if it cannot.
pub(super) fn refusal(data: &spec::Data) -> Option<String> {
    let location = &data.source.artifact_paths.as_ref()?.artifact.location;
    support::foreign_store(location).map(|store| format!("it lists what {store} holds"))
}

/// Returns the keys at and below that of a location, sorted as object stores list them.
fn keys(location: &spec::ArtifactLocation, artifacts: &Path) -> Result<Vec<String>, Fault> {
    let prefix = repository::own_key(location).unwrap_or_default().trim_matches('/');
    let mut keys = Vec::new();
    let mut folders = vec![artifacts.to_owned()];
    while let Some(folder) = folders.pop() {
        if !folder.exists() {
            continue;
        }
        for entry in std::fs::read_dir(&folder).doing("list", &folder)? {
            let path = entry.doing("list", &folder)?.path();
            let key = path.strip_prefix(artifacts).unwrap_or(&path).to_string_lossy().into_owned();
            if path.symlink_metadata().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            } else if key.starts_with(prefix) {
                keys.push(key);
            }
        }
        if keys.len() > ARCHIVE_ENTRIES_MAX {
            let most = ARCHIVE_ENTRIES_MAX;
            return Err(Fault::refused(format!("there are more than {most} artifacts (ARCHIVE_ENTRIES_MAX)")));
        }
    }
    keys.sort();
    Ok(keys)
}

fn transform(keys: Vec<String>, steps: &[spec::TransformationStep]) -> Result<Value, String> {
    let mut data = Value::from_json(&serde_json::Value::from(keys));
    for (number, step) in steps.iter().enumerate().filter(|(_, step)| !step.expression.is_empty()) {
        let scope = BTreeMap::from([("data".to_owned(), data)]);
        // Neither time nor chance is in a list.
        let ambient = Ambient { now: Timestamp(0), seed: 0 };
        let ast = lang::parse(&step.expression).map_err(|fault| fault.to_string());
        let made = ast.and_then(|ast| lang::eval(&ast, &scope, &ambient).map_err(|fault| fault.to_string()));
        data = made.map_err(|fault| format!("error processing data step {number}: {fault}"))?;
    }
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_below_one_are_listed_and_transformed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for key in ["a/x.pdf", "a/b/y.pdf", "a/z.txt", "other/w.pdf"] {
            let path = folder.path().join(key);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, "").expect("a file");
        }
        let data = |key: &str, expressions: &[&str]| -> spec::Data {
            let steps: Vec<_> = expressions.iter().map(|text| serde_json::json!({"expression": text})).collect();
            let source = serde_json::json!({"artifactPaths": {"name": "", "s3": {"key": key}}});
            serde_json::from_value(serde_json::json!({"source": source, "transformation": steps})).expect("data")
        };
        for (key, expressions, expected) in [
            ("a", &["filter(data, {# endsWith '.pdf'})"][..], r#"["a/b/y.pdf","a/x.pdf"]"#),
            (
                "a/",
                &["filter(data, {# endsWith '.pdf'})", "map(data, {# + '.done'})"],
                r#"["a/b/y.pdf.done","a/x.pdf.done"]"#,
            ),
            ("none", &[], "[]"),
            ("", &["len(data)"], "4"),
        ] {
            let end = end(&data(key, expressions), folder.path()).expect(key);
            assert_eq!(end.result.as_deref(), Some(expected), "{key}");
        }
        let fault = end(&data("a", &["data +"]), folder.path()).expect_err("it cannot be read").to_string();
        assert!(fault.starts_with("error processing data step 0"), "{fault}");
    }
}
