//! Where the conformance tables are, and what to say when they are not there.

use std::path::PathBuf;

/// Returns the folder of the tables; `None`, with a line that says so, in a checkout without them.
pub fn folder(table: &str) -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance");
    let folder = std::env::var_os("WF_CONFORMANCE").map_or_else(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("conformance {table}: skipped, ../shared/conformance is absent");
    None
}

/// Returns the rows of a table.
pub fn rows(table: &str) -> Option<Vec<serde_json::Value>> {
    let path = folder(table)?.join(format!("{table}.jsonl"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
    Some(text.lines().map(|line| serde_json::from_str(line).expect("a table has one JSON value a line")).collect())
}

/// Prints the count of a table, and fails when a case that is not excepted failed, or an excepted one passed.
pub fn report(table: &str, total: usize, failed: &[(String, String)], excepted: &[(&str, &str)]) {
    let is_excepted = |name: &str| excepted.iter().any(|(known, _)| *known == name);
    let skipped = failed.iter().filter(|(name, _)| is_excepted(name)).count();
    println!("conformance {table}: {}/{total}, {skipped} skipped by name", total - failed.len());
    for (name, reason) in excepted {
        println!("  {name}: {reason}");
        assert!(failed.iter().any(|(known, _)| known == name), "{name} passes now: take it off the list");
    }
    let new: Vec<String> =
        failed.iter().filter(|(name, _)| !is_excepted(name)).map(|(name, why)| format!("{name}: {why}")).collect();
    assert!(new.is_empty(), "{} of {total} fail:\n{}", new.len(), new.join("\n"));
}
