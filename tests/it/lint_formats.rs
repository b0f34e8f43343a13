//! `wf lint -o`: the formats that other programs read.

use serde_json::Value;

use crate::conformance;
use crate::env::{TestEnv, package};
use crate::json_schema;

/// A manifest with eight faults.
pub const BROKEN: &str = "\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: broken-}
spec:
  entrypoint: mian
  onExit: notify
  templates:
  - name: main
    dag:
      tasks:
      - {name: a, template: work, arguments: {parameters: [{name: text, value: '{{tasks.b.outputs.result}}'}]}}
      - {name: b, template: wrok}
      - {name: c, template: work, depends: 'a.Suceeded', withParam: '{not json'}
  - name: work
    inputs: {parameters: [{name: text}, {name: other}]}
    timeout: '30'
    container: {image: 'alpine:3.23', comand: [echo], args: ['{{inputs.parameters.txt}}']}
";

/// The lines of [`BROKEN`] that have a fault each.
const BROKEN_LINES: [u64; 7] = [5, 6, 11, 12, 13, 16, 17];

fn sarif(env: &TestEnv, files: &[&str]) -> Value {
    let outcome = env.wf(&[&["lint", "-o", "sarif", "--pedantic"], files].concat());
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|fault| panic!("{fault}: {}", outcome.all()))
}

fn sarif_faults(log: &Value) -> Vec<String> {
    let path = package().join("tests/schemas/sarif-2.1.0.json");
    let schema = std::fs::read_to_string(path).expect("the schema is part of the package");
    json_schema::faults(&serde_json::from_str(&schema).expect("the schema is JSON"), log)
}

#[test]
fn sarif_is_valid() {
    let env = TestEnv::new();
    env.write("broken.yaml", BROKEN);
    let log = sarif(&env, &["broken.yaml"]);
    assert_eq!(sarif_faults(&log), Vec::<String>::new());
    let results = log["runs"][0]["results"].as_array().expect("results");
    assert!(results.len() >= 8, "{results:#?}");
    assert!(results.iter().any(|result| result["fixes"].is_array()), "{results:#?}");
    let mut wrong = log.clone();
    wrong["runs"][0]["results"][0]["level"] = "fatal".into();
    assert_ne!(sarif_faults(&wrong), Vec::<String>::new());
}

#[test]
fn sarif_of_all_examples_is_valid() {
    let Some(folder) = conformance::folder("sarif") else { return };
    let (manifests, probes) = (folder.join("manifests"), folder.join("probes"));
    let path = |path: &std::path::Path| path.to_str().expect("a path in UTF-8").to_owned();
    let log = sarif(&TestEnv::new(), &[&path(&manifests), &path(&probes)]);
    assert_eq!(sarif_faults(&log), Vec::<String>::new());
    println!("sarif: {} results are valid", log["runs"][0]["results"].as_array().map_or(0, Vec::len));
}

#[test]
fn eight_faults_are_told_each_at_its_line() {
    let env = TestEnv::new();
    env.write("broken.yaml", BROKEN);
    let outcome = env.wf(&["lint", "-o", "json", "broken.yaml"]);
    let problems: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    let lines: Vec<u64> = problems
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|problem| problem["labels"][0]["at"]["line"].as_u64())
        .collect();
    assert!(BROKEN_LINES.iter().all(|line| lines.contains(line)), "{lines:?}");
    assert!(lines.len() >= 8, "{problems:#}");
    assert_eq!(outcome.code, 1);
}

#[test]
fn github_gets_annotations_and_a_summary() {
    let env = TestEnv::new();
    env.write("broken.yaml", BROKEN);
    let mut command = env.command(&["lint", "-o", "github", "broken.yaml"]);
    let summary = env.work().join("summary.md");
    let output = command.env("GITHUB_STEP_SUMMARY", &summary).output().expect("wf runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.lines().count() <= 10, "{text}");
    assert!(text.starts_with("::error file=broken.yaml,line="), "{text}");
    let page = std::fs::read_to_string(summary).expect("the summary is written");
    assert!(page.contains("| error | WF101 | `broken.yaml:5` | there is no template `mian`"), "{page}");
}

#[test]
fn gitlab_and_junit_tell_every_problem() {
    let env = TestEnv::new();
    env.write("broken.yaml", BROKEN);
    let gitlab: Value = serde_json::from_str(&env.wf(&["lint", "-o", "gitlab", "broken.yaml"]).stdout).expect("JSON");
    let json: Value = serde_json::from_str(&env.wf(&["lint", "-o", "json", "broken.yaml"]).stdout).expect("JSON");
    let count = json.as_array().map_or(0, Vec::len);
    assert_eq!(gitlab.as_array().map_or(0, Vec::len), count);
    let junit = env.wf(&["lint", "-o", "junit", "broken.yaml"]).stdout;
    assert_eq!(junit.matches("<failure ").count(), count, "{junit}");
}
