//! Whole manifests in, typed values and diagnostics out.

use std::path::{Path as FilePath, PathBuf};

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::source::{Diagnostic, Severity, Sources};

fn conformance(table: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("WF_CONFORMANCE")
        .map_or_else(|| FilePath::new(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance"), PathBuf::from);
    let path = folder.join(table);
    if !path.exists() {
        println!("conformance {table}: skipped, ../shared/conformance is absent");
    }
    path.exists().then_some(path)
}

fn read_text(text: &str) -> (Sources, Vec<Read>, Vec<Diagnostic>) {
    let mut sources = Sources::new();
    let file = sources.add("test.yaml", text);
    let (reads, diagnostics) = read(&sources, file);
    (sources, reads, diagnostics)
}

/// Returns the diagnostics as `severity rule line:column text-that-is-marked: message; help`.
fn complaints(text: &str) -> Vec<String> {
    let (sources, _, diagnostics) = read_text(text);
    let line = |diagnostic: &Diagnostic| {
        let span = diagnostic.span().expect("all faults of a text have a place");
        let place = sources.position(span.file, span.start);
        let help = diagnostic.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        format!("{}:{} {}: {}{help}", place.line, place.column, sources.slice(span), diagnostic.message)
    };
    diagnostics.iter().map(line).collect()
}

fn workflow(spec: &str) -> String {
    let indented: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    format!("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {{name: w}}\nspec:\n{indented}")
}

/// Returns the files below a folder, in the order of their names.
fn files_below(folder: &FilePath) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder exists");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    paths.into_iter().flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

/// What Argo finds nothing to lint in either: the one has a key twice, the other is a `ResourceQuota`.
const MANIFEST_EXCEPTIONS: &[&str] = &["k8s-patch-json-workflow.yaml", "workflow-count-resourcequota.yaml"];

#[test]
fn conformance_manifests() {
    let Some(folder) = conformance("manifests") else { return };
    let mut failures = Vec::new();
    let mut files = files_below(&folder);
    files.retain(|path| MANIFEST_EXCEPTIONS.iter().all(|name| !path.ends_with(name)));
    for path in &files {
        let mut sources = Sources::new();
        let file = sources.add(path.display().to_string(), std::fs::read(path).expect("readable"));
        let (reads, diagnostics) = read(&sources, file);
        let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity > Severity::Note);
        failures.extend(errors.map(|diagnostic| crate::source::render::short(diagnostic, &sources)));
        failures.extend(reads.is_empty().then(|| format!("{}: nothing was read", path.display())));
        failures.extend(reads.iter().filter_map(lost_field));
    }
    let (total, skipped) = (files.len(), MANIFEST_EXCEPTIONS.len());
    println!("conformance manifests (read): {}/{total}, {skipped} skipped by name", total - failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Returns the object, when writing it again loses or changes something.
fn lost_field(read: &Read) -> Option<String> {
    let original = read.document.root.to_json();
    let written = serde_json::to_value(&read.manifest).expect("plain data");
    (!contains(&written, &original)).then(|| format!("{original}\nis written as\n{written}"))
}

/// Returns whether `whole` has all of `part`; null and empty are as good as absent, and texts may
/// have been numbers.
fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (_, Value::Null) => true,
        (Value::Object(whole), Value::Object(part)) => part.iter().all(|(key, part)| match whole.get(key) {
            Some(whole) => contains(whole, part),
            None => part.is_null() || part.as_array().is_some_and(Vec::is_empty),
        }),
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(whole, part)| contains(whole, part))
        }
        (Value::String(whole), Value::Number(_) | Value::Bool(_)) => {
            AnyString::from_json(part).is_some_and(|text| text.as_str() == whole)
        }
        _ => whole == part,
    }
}

/// Line 112 is a `WorkflowTemplate` that Argo's test read as a `Workflow` and so wrote with a `status`.
const VALIDATE_EXCEPTIONS: &[usize] = &[111];

#[test]
fn conformance_validate_objects() {
    let Some(table) = conformance("validate.jsonl") else { return };
    let table = std::fs::read_to_string(table).expect("readable");
    let mut failures = Vec::new();
    let mut total = 0;
    for (number, line) in table.lines().enumerate().filter(|(number, _)| !VALIDATE_EXCEPTIONS.contains(number)) {
        let case: Value = serde_json::from_str(line).expect("the table is JSON lines");
        let text = serde_json::to_string_pretty(&case["object"]).expect("plain data");
        let (sources, _, diagnostics) = read_text(&text);
        total += 1;
        let first_error = diagnostics.iter().find(|diagnostic| diagnostic.is_error());
        failures
            .extend(first_error.map(|error| format!("{number}: {}", crate::source::render::short(error, &sources))));
    }
    let skipped = VALIDATE_EXCEPTIONS.len();
    println!("conformance validate (read): {}/{total}, {skipped} skipped by name", total - failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn workflows_with_a_status_are_decoded() {
    for table in ["operate.jsonl", "retry-resubmit.jsonl"] {
        let Some(path) = conformance(table) else { return };
        for line in std::fs::read_to_string(path).expect("readable").lines() {
            let case: Value = serde_json::from_str(line).expect("the table is JSON lines");
            let calls = case.get("calls").and_then(Value::as_array).cloned().unwrap_or_else(|| vec![case]);
            for workflow in calls.iter().filter_map(|call| call.get("in")) {
                let manifest = Manifest::decode(Kind::Workflow, workflow.clone()).expect("Argo wrote it");
                assert!(contains(&serde_json::to_value(manifest).expect("plain data"), workflow), "{workflow}");
            }
        }
    }
}

#[test]
fn probes_are_found_at_their_place() {
    let Some(folder) = conformance("probes") else { return };
    for (file, expected) in [
        ("unknown_field.yaml", "8:27 imagee: `Container` has no field `imagee`; did you mean `image`?"),
        ("bad_cpu.yaml", "8:55 \"abc\": `abc` is not a quantity such as `500m` or `1Gi`"),
        ("seq_bad.yaml", " y: `end` must be an integer or a string, but is a boolean"),
    ] {
        let text = std::fs::read_to_string(folder.join(file)).expect("readable");
        let found = complaints(&text);
        assert!(found.len() == 1 && found[0].contains(expected), "{file}: {found:?}");
    }
}

#[test]
fn unknown_fields_are_explained() {
    for (spec, expected) in [
        (
            "entrypont: main",
            &["5:3 entrypont: `WorkflowSpec` has no field `entrypont`; did you mean `entrypoint`?"][..],
        ),
        (
            "templates:\n- name: a\n  container:\n    imagePullPolcy: Always\n    env: [{nam: a}]",
            &[
                "8:7 imagePullPolcy: `Container` has no field `imagePullPolcy`; did you mean `imagePullPolicy`?",
                "9:14 nam: `EnvVar` has no field `nam`; did you mean `name`?",
            ],
        ),
        (
            "templates:\n- name: a\n  image: b",
            &[
                "7:5 image: `Template` has no field `image`; `image` is a field of `container` or `script`: put it below",
            ],
        ),
        (
            "templates:\n- dag:\n    tasks:\n    - name: a\n      arguments: {depends: b}",
            &["9:21 depends: `Arguments` has no field `depends`; `depends` is a field of `DAGTask`: indent it less"],
        ),
        ("podGc: {}", &["5:3 podGc: `WorkflowSpec` has no field `podGc`; did you mean `podGC`?"]),
        (
            "templates:\n- outputs: {parameters: [{name: a, valueFrom: {supplied: {zzz: 1}}}]}",
            &["6:61 zzz: `SuppliedValueFrom` has no field `zzz`; it has no fields"],
        ),
    ] {
        assert_eq!(complaints(&workflow(spec)), expected, "{spec}");
    }
}

#[test]
fn below_steps_argo_drops_what_it_does_not_know() {
    let spec = "templates:\n- steps: [[{name: a, arguments: {parameters: [{name: p, qqq: 1, Value: 2}]}, zzz: 1}]]";
    let (_, reads, diagnostics) = read_text(&workflow(spec));
    let severities: Vec<Severity> = diagnostics.iter().map(|diagnostic| diagnostic.severity).collect();
    assert_eq!(severities, [Severity::Warning, Severity::Error, Severity::Error]);
    assert_eq!(reads.len(), 1);
}

#[test]
fn wrong_types_are_explained() {
    for (spec, expected) in [
        ("entrypoint: 5", &["5:15 5: `entrypoint` must be a string, but is an integer; write `\"5\"`"][..]),
        ("suspend: \"true\"", &["5:12 \"true\": `suspend` must be a boolean, but is a string; write `true`"]),
        ("parallelism: '3'", &["5:16 '3': `parallelism` must be an integer, but is a string; write `3`"]),
        ("priority: 3000000000", &["5:13 3000000000: `priority` is too large or too small for an integer"]),
        ("parallelism: 1.5", &["5:16 1.5: `parallelism` must be an integer, but is a number"]),
        (
            "parallelism: \"{{x}}\"",
            &[
                "5:16 \"{{x}}\": `parallelism` must be an integer, but is a string; tags are replaced in strings only; `podSpecPatch` can set this field from one",
            ],
        ),
        (
            "templates: {name: a}",
            &["5:14 {name: a}: `templates` must be a list, but is a map; begin each item with `- `"],
        ),
        (
            "templates:\n- steps:\n  - name: a",
            &[
                "7:7 name: a: `steps` must be a list, but is a map; a step belongs to a group of steps that run together: write `- - name: …`",
            ],
        ),
        ("templates:\n-\n- name: a", &["6:4 : an item of `templates` is empty; remove it"]),
        (
            "arguments: {parameters: [{name: a, value: [1]}]}",
            &["5:45 [1]: `value` must be a string, number or boolean, but is a list"],
        ),
        ("templates: [{plugin: {a: 1, b: 2}}]", &["5:24 {a: 1, b: 2}: `plugin` has 2 keys"]),
        ("nodeSelector: {a: yes}", &["5:21 yes: `nodeSelector` must be a string, but is a boolean; write `\"yes\"`"]),
    ] {
        assert_eq!(complaints(&workflow(spec)), expected, "{spec}");
    }
}

#[test]
fn what_go_takes_is_taken() {
    for spec in [
        "parallelism: 1e1",
        "arguments: {parameters: [{name: a, value: 1.10, default: true, enum: [1, yes], description: 5}]}",
        "templates: [{retryStrategy: {limit: \"{{x}}\"}, activeDeadlineSeconds: 5, steps: null, container: null}]",
        "templates: [{container: {resources: {limits: {cpu: 1, memory: 1Gi, a/b: 0.5}}, ports: [{containerPort: 80}]}}]",
        "templates: [{inputs: {artifacts: [{name: a, mode: 0755, git: {repo: r, depth: 1}}]}}]",
        "templates: [{steps: [[{name: a, withItems: [1, a, {b: [c]}, null]}]]}]",
        "templates: [{steps: [null, []], dag: {tasks: [{name: a, dependencies: [null]}]}, metadata: {labels: {a: null}}}]",
        "volumeClaimTemplates: [{metadata: {name: a, creationTimestamp: null}, spec: {}, status: {}}]",
    ] {
        assert_eq!(complaints(&workflow(spec)), Vec::<String>::new(), "{spec}");
        assert_eq!(read_text(&workflow(spec)).1.len(), 1, "{spec}");
    }
}

#[test]
fn a_wrong_value_does_not_hide_the_rest() {
    let spec = "entrypoint: main\nparallelism: x\nnodeSelector: {a: [b]}\ntemplates: [5, {steps: [5, [6]]}]";
    let (_, reads, diagnostics) = read_text(&workflow(spec));
    assert_eq!(diagnostics.len(), 5);
    let Manifest::Workflow(workflow) = &reads[0].manifest else { panic!("a workflow is a workflow") };
    assert_eq!(workflow.spec.entrypoint.as_deref(), Some("main"));
    assert_eq!(workflow.spec.parallelism, None);
    assert_eq!(workflow.spec.templates.len(), 2);
}

#[test]
fn fields_of_argo_3_are_read_with_a_warning() {
    let cron = "apiVersion: argoproj.io/v1alpha1\nkind: CronWorkflow\nspec:\n  schedule: \"* * * * *\"\n  \
                workflowSpec:\n    podPriority: 1\n    synchronization: {mutex: {name: m}}\n";
    let (_, reads, diagnostics) = read_text(cron);
    assert!(diagnostics.iter().all(|diagnostic| diagnostic.severity == Severity::Warning));
    assert_eq!(
        complaints(cron),
        [
            "4:3 schedule: Argo 4 has no field `schedule`; it is read as Argo 3 did; write `schedules: [\"* * * * *\"]`",
            "6:5 podPriority: Argo 4 has no field `podPriority`; it is read as Argo 3 did; use `podPriorityClassName`",
            "7:23 mutex: Argo 4 has no field `mutex`; it is read as Argo 3 did; use `mutexes`, a list of such maps",
        ]
    );
    let Manifest::CronWorkflow(cron) = &reads[0].manifest else { panic!("a cron workflow is one") };
    assert_eq!(cron.spec.schedule.as_deref(), Some("* * * * *"));
}

#[test]
fn kinds_and_versions() {
    for (text, read, expected) in [
        ("kind: ConfigMap\napiVersion: v1\ndata: {a: b}", 1, &[][..]),
        ("kind: Secret\napiVersion: v1\nstringData: {a: b}\ntype: Opaque", 1, &[]),
        ("kind: Deployment\napiVersion: apps/v1", 0, &["1:7 Deployment: `Deployment` is not read"]),
        ("kind: Workflow\napiVersion: foo.io/v1", 0, &["2:13 foo.io/v1: `foo.io/v1 Workflow` is not read"]),
        (
            "kind: Workflow\napiVersion: argoproj.io/v1",
            1,
            &["2:13 argoproj.io/v1: a Workflow of `argoproj.io/v1` is not supported; write `argoproj.io/v1alpha1`"],
        ),
        ("kind: Workflow", 1, &["1:1 kind: the Workflow has no `apiVersion`; add `apiVersion: argoproj.io/v1alpha1`"]),
        (
            "apiVersion: argoproj.io/v1alpha1\nkind: workflowTemplate",
            0,
            &["2:7 workflowTemplate: Argo has no kind `workflowTemplate`; did you mean `WorkflowTemplate`?"],
        ),
        ("apiVersion: argoproj.io/v1alpha1\nkind: Sensor", 0, &["2:7 Sensor: `Sensor` is not read"]),
        ("a: 1", 0, &["1:1 a: the document has no `kind`, and is not read"]),
        ("- 1", 0, &["1:1 - 1: the document is a list, not an object, and is not read"]),
        (
            "kind: List\napiVersion: v1\nitems:\n- {kind: Secret, apiVersion: v1}\n- {kind: Pod, apiVersion: v1}",
            1,
            &["5:10 Pod: `Pod` is not read"],
        ),
    ] {
        assert_eq!(complaints(text), expected, "{text}");
        assert_eq!(read_text(text).1.len(), read, "{text}");
    }
}

proptest! {
    #[test]
    fn no_manifest_is_too_strange(kind in 0..Kind::ALL.len(), text in "[a-z]{0,3}(: |, |\\{|\\}|\\[|\\]|\n  |\n- |[0-9]|templates|steps|name|spec|container){0,40}") {
        let kind = Kind::ALL[kind];
        let text = format!("kind: {kind}\napiVersion: {}\nspec: {text}", kind.api_version());
        let (_, reads, diagnostics) = read_text(&text);
        prop_assert!(reads.len() + diagnostics.len() > 0);
    }
}
