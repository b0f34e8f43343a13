//! The verdicts of Argo: `validate.jsonl` (its own tests) and `lint-verdicts.json` (its examples,
//! and manifests that are broken on purpose).

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::plan::{Call, Library, check, is_checkable, lint, lint_all};
use crate::source::{Diagnostic, Sources};
use crate::spec;

fn folder(table: &str) -> Option<PathBuf> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/conformance").to_owned();
    let folder = PathBuf::from(std::env::var("WF_CONFORMANCE").unwrap_or(default));
    if folder.is_dir() {
        return Some(folder);
    }
    println!("conformance {table}: skipped, ../shared/conformance is absent");
    None
}

/// Cases whose verdict differs from Argo's, each with its reason.
const VALIDATE_EXCEPTIONS: &[(&str, &str)] = &[
    ("91:validate.TestWorkflowTemplateWithEmptyEnumList", EMPTY_ENUM),
    ("92:validate.TestWorkflowTemplateWithEmptyEnumList", EMPTY_ENUM),
    ("93:validate.TestWorkflowTemplateWithEmptyEnumList", EMPTY_ENUM),
];

const EMPTY_ENUM: &str = "the empty list that it is about was lost when the row was recorded";

#[test]
fn argo_validates_the_same() {
    let Some(folder) = folder("validate.jsonl") else { return };
    let table = fs::read_to_string(folder.join("validate.jsonl")).expect("the table is readable");
    let (mut passed, mut total, mut failed) = (0, 0, Vec::new());
    for (line, case) in table.lines().enumerate() {
        let case: Value = serde_json::from_str(case).expect("a line is JSON");
        let name = format!("{}:{}", line + 1, case["test"].as_str().unwrap_or_default());
        total += 1;
        let diagnostics = validate(&case);
        let errors: Vec<&str> = diagnostics.iter().filter(|d| d.is_error()).map(|d| d.message.as_str()).collect();
        if errors.is_empty() == case["valid"].as_bool().expect("`valid` is a boolean") {
            passed += 1;
        } else if !VALIDATE_EXCEPTIONS.iter().any(|(exception, _)| *exception == name) {
            failed.push(format!("{name}: argo says {}, we say {errors:?}", case["error"]));
        }
    }
    println!("conformance validate.jsonl: {passed}/{total}, {} skipped by name", VALIDATE_EXCEPTIONS.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

fn validate(case: &Value) -> Vec<Diagnostic> {
    let mut sources = Sources::new();
    let mut object = case["object"].clone();
    if object["kind"].is_null() {
        object["kind"] = match object["spec"].get("workflowSpec") {
            Some(_) => "CronWorkflow".into(),
            None => "Workflow".into(),
        };
    }
    // What is submitted is found by its name, which some rows lack.
    if object["metadata"]["name"].is_null() {
        object["metadata"]["name"] = "unnamed".into();
    }
    add(&mut sources, &mut object);
    for (list, kind) in
        [("workflowTemplates", "WorkflowTemplate"), ("clusterWorkflowTemplates", "ClusterWorkflowTemplate")]
    {
        for template in case[list].as_array().cloned().unwrap_or_default() {
            let mut template = template;
            template["kind"] = kind.into();
            add(&mut sources, &mut template);
        }
    }
    let (reads, mut diagnostics) = spec::read_all(&sources);
    let (library, duplicates) = Library::new(&reads);
    diagnostics.extend(duplicates);
    // A row is strict where `lint` is not: only `Lint` lets a workflow's arguments lack their
    // values, and a template's unless it is submitted.
    let options = &case["options"];
    let is_submitted = options["Submit"] == true || (object["kind"] == "Workflow" && options["Lint"] != true);
    diagnostics.extend(match is_submitted {
        true => check(&sources, &reads[0], &library, &Call::default()).1,
        false => lint(&sources, &reads[0], &library),
    });
    diagnostics
}

fn add(sources: &mut Sources, object: &mut Value) {
    object["apiVersion"] = spec::API_VERSION.into();
    let text = serde_json::to_string_pretty(&object).expect("a value is JSON");
    sources.add(format!("{}.json", object["kind"].as_str().unwrap_or_default()), text);
}

/// Files whose verdict differs from Argo's, each with its reason.
const LINT_EXCEPTIONS: &[(&str, &str)] = &[];

/// Files that have an error among all others too, each with its reason.
const TOGETHER_EXCEPTIONS: &[(&str, &str)] = &[
    ("manifests/k8s-patch-json-workflow.yaml", "a key stands twice, and Argo refuses to read it"),
    ("manifests/dag-inline-cronworkflow.yaml", "the WorkflowTemplate that it refers to is not in the folder"),
];

#[test]
fn argo_lints_the_same() {
    let Some(folder) = folder("lint-verdicts.json") else { return };
    let verdicts = fs::read_to_string(folder.join("lint-verdicts.json")).expect("the table is readable");
    let verdicts: BTreeMap<String, Value> = serde_json::from_str(&verdicts).expect("the table is JSON");
    let manifests: Vec<&String> = verdicts.keys().filter(|file| file.starts_with("manifests/")).collect();
    let mut failed = Vec::new();
    for file in &manifests {
        let errors = errors_alone(&folder, file);
        let accepted = verdicts[*file]["accepted_alone"] == true;
        if errors.is_empty() != accepted && !LINT_EXCEPTIONS.iter().any(|(exception, _)| exception == file) {
            failed.push(format!("{file}: argo says {}, we say {errors:?}", verdicts[*file]["output"]));
        }
    }
    let (total, skipped) = (manifests.len(), LINT_EXCEPTIONS.len());
    println!("conformance lint-verdicts.json: {}/{total}, {skipped} skipped by name", total - failed.len() - skipped);
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn all_examples_together_have_no_error() {
    let Some(folder) = folder("lint-verdicts.json (together)") else { return };
    let verdicts = fs::read_to_string(folder.join("lint-verdicts.json")).expect("the table is readable");
    let verdicts: BTreeMap<String, Value> = serde_json::from_str(&verdicts).expect("the table is JSON");
    let is_excepted = |file: &&String| TOGETHER_EXCEPTIONS.iter().any(|(exception, _)| *exception == file.as_str());
    let manifests = verdicts.keys().filter(|file| file.starts_with("manifests/"));
    let manifests: Vec<&String> = manifests.filter(|file| !is_excepted(file)).collect();
    let diagnostics = lint_files(&folder, &manifests);
    assert_eq!(errors(&diagnostics), Vec::<String>::new());
}

#[test]
fn probes_are_found() {
    let Some(folder) = folder("probes") else { return };
    let mut files: Vec<String> = fs::read_dir(folder.join("probes"))
        .expect("the folder is readable")
        .map(|file| format!("probes/{}", file.expect("an entry is readable").file_name().to_string_lossy()))
        .collect();
    files.sort();
    let mut silent = Vec::new();
    for file in &files {
        let said = lint_files(&folder, &[file]);
        match said.iter().find(|diagnostic| diagnostic.severity >= crate::source::Severity::Warning) {
            Some(found) => println!("{file}: {:?} {} {}", found.severity, found.rule.0, found.message),
            None => silent.push(file.as_str()),
        }
    }
    println!("conformance probes: {}/{}, 0 skipped by name", files.len() - silent.len(), files.len());
    assert_eq!(silent, Vec::<&str>::new());
}

fn lint_files(folder: &std::path::Path, files: &[impl AsRef<str>]) -> Vec<Diagnostic> {
    let mut sources = Sources::new();
    for file in files {
        sources.add(file.as_ref(), fs::read(folder.join(file.as_ref())).expect("a manifest is readable"));
    }
    let (reads, mut diagnostics) = spec::read_all(&sources);
    diagnostics.extend(lint_all(&sources, &reads));
    diagnostics
}

/// Returns the errors of a file on its own; to have nothing to check is one.
fn errors_alone(folder: &std::path::Path, file: &str) -> Vec<String> {
    let (mut errors, mut sources) = (errors(&lint_files(folder, &[file])), Sources::new());
    sources.add(file, fs::read(folder.join(file)).expect("a manifest is readable"));
    if errors.is_empty() && !is_checkable(&spec::read_all(&sources).0) {
        errors.push("nothing to check".to_owned());
    }
    errors
}

fn errors(diagnostics: &[Diagnostic]) -> Vec<String> {
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.is_error());
    errors.map(|error| format!("{} {}", error.rule.0, error.message)).collect()
}
