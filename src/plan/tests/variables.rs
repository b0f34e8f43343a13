//! Each of Argo's variables at each place of a manifest that takes texts: `variables.txt` says what lint
//! says, and `variables.yaml` has the places.
//!
//! A place is `{{name|default}}` for a text with tags and `"[name|default]"` for an expression. The table was
//! compared with what `argo lint` says of each pair. Where they differ, Argo finds it only when it comes there: it
//! does not read expressions before, nor the keys of input artifacts, and it leaves what is a `w` as it is. It knows
//! global outputs only in templates below the one that makes them, and takes `{{tasks.name}}` for a task.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use crate::plan::{lint_all, rules};
use crate::source::{Severity, Sources};
use crate::spec;

const MANIFEST: &str = include_str!("variables.yaml");

static PLACES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"\{\{(?<tag>[^{}|]+)\|[^{}]*\}\}|"\[(?<expression>[^|\]]+)\|[^"]*\]""#).expect("a constant pattern")
});

/// Argo's catalogue (`util/variables/keys`), with names from the manifest for those that are made of names.
const VARIABLES: [&str; 8] = [
    "workflow.name workflow.namespace workflow.uid workflow.mainEntrypoint workflow.serviceAccountName \
     workflow.priority workflow.creationTimestamp workflow.creationTimestamp.Y workflow.creationTimestamp.s \
     workflow.creationTimestamp.RFC3339 workflow.scheduledTime workflow.parameters workflow.parameters.json \
     workflow.parameters.p workflow.labels workflow.labels.json workflow.labels.l workflow.annotations \
     workflow.annotations.json workflow.annotations.a workflow.status workflow.duration workflow.failures \
     workflow.outputs.parameters.g workflow.outputs.artifacts.h",
    "inputs.parameters inputs.parameters.i inputs.artifacts.x inputs.artifacts.x.path outputs.parameters.o.path \
     outputs.artifacts.b.path node.name pod.name steps.name tasks.name",
    "steps.before.id steps.server.ip steps.before.status steps.before.exitCode steps.before.startedAt \
     steps.before.finishedAt steps.before.hostNodeName steps.before.outputs.result steps.before.outputs.parameters \
     steps.before.outputs.parameters.o steps.before.outputs.artifacts.b",
    "tasks.before.id tasks.server.ip tasks.before.status tasks.before.exitCode tasks.before.startedAt \
     tasks.before.finishedAt tasks.before.hostNodeName tasks.before.outputs.result tasks.before.outputs.parameters \
     tasks.before.outputs.parameters.o tasks.before.outputs.artifacts.b",
    "item item.k item.[0] retries lastRetry.exitCode lastRetry.status lastRetry.duration lastRetry.message",
    "request.method request.url request.body request.headers response.statusCode response.body response.headers",
    "cronworkflow.name cronworkflow.namespace cronworkflow.labels cronworkflow.labels.json cronworkflow.annotations \
     cronworkflow.annotations.json cronworkflow.lastScheduledTime cronworkflow.failed cronworkflow.succeeded",
    "status duration exitCode resourcesDuration.cpu outputs.result outputs.parameters.o",
];

/// Returns the names of the places by the line that each has for itself.
fn places() -> BTreeMap<usize, &'static str> {
    let name = |line: &'static str| {
        let found = PLACES.captures(line)?;
        found.name("tag").or(found.name("expression")).map(|name| name.as_str())
    };
    MANIFEST.lines().zip(1..).filter_map(|(line, number)| Some((number, name(line)?))).collect()
}

/// Returns what is said of a variable by the line of its place: the worst of it.
fn said_of(variable: &str) -> BTreeMap<usize, Severity> {
    let text = PLACES.replace_all(MANIFEST, |found: &Captures<'_>| match found.name("tag") {
        Some(_) => format!("{{{{{variable}}}}}"),
        None => format!("\"{variable}\""),
    });
    let mut sources = Sources::new();
    let file = sources.add("variables.yaml", text.as_ref());
    let (reads, faults) = spec::read_all(&sources);
    assert_eq!(faults, [], "the manifest can be read with `{variable}`");
    let mut said = BTreeMap::new();
    let of_variables = [rules::VARIABLE, rules::VARIABLE_KEPT, rules::EXPRESSION];
    for found in lint_all(&sources, &reads).iter().filter(|found| of_variables.contains(&found.rule)) {
        let line = found.span().map_or(0, |span| sources.position(file, span.start).line);
        let worst: &mut Severity = said.entry(line).or_insert(found.severity);
        *worst = (*worst).max(found.severity);
    }
    said
}

/// Returns the table: a column for each place, a row for each variable.
fn table() -> String {
    let places = places();
    let names: Vec<&str> = places.values().copied().collect();
    let mut table = "`.` nothing is said, `w` a warning, `x` an error. The places, from the left:\n".to_owned();
    names.chunks(7).for_each(|names| table.push_str(&format!("  {}\n", names.join("; "))));
    for group in VARIABLES {
        table.push('\n');
        for variable in group.split(' ') {
            let said = said_of(variable);
            let mark = |line| match said.get(line) {
                Some(Severity::Error) => "x",
                Some(_) => "w",
                None => ".",
            };
            let marks: Vec<&str> = places.keys().map(mark).collect();
            table.push_str(&format!("{variable:<34} {}\n", marks.join(" ")));
        }
    }
    table
}

#[test]
fn every_variable_is_known_where_it_exists() {
    let (table, path) = (table(), Path::new(env!("CARGO_MANIFEST_DIR")).join("src/plan/tests/variables.txt"));
    if std::env::var_os("WF_UPDATE").is_some() {
        std::fs::write(&path, &table).expect("the table is ours");
    }
    let found = std::fs::read_to_string(&path).expect("a text of the package");
    assert!(found == table, "{} differs; with WF_UPDATE=1 it is written anew:\n{table}", path.display());
}
