//! `wf lint`: wiring and formats; what is found is tested beside the rules.

use insta::assert_snapshot;

use crate::env::TestEnv;

const BROKEN: &str = "\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: broken-}
spec:
  entrypoint: mian
  templates:
  - name: main
    container: {image: busybox, comand: [echo]}
";

#[test]
fn problems_are_shown_where_they_stand() {
    let env = TestEnv::new();
    env.write("broken.yaml", BROKEN);
    assert_snapshot!(env.wf(&["lint", "broken.yaml"]).all(), @"");
}

#[test]
fn problems_can_be_lines_or_json() {
    let env = TestEnv::new();
    env.write("broken.yaml", BROKEN);
    assert_snapshot!(env.wf(&["lint", "-o", "short", "broken.yaml"]).all(), @"");
    let json: serde_json::Value = serde_json::from_str(&env.wf(&["lint", "-o", "json", "broken.yaml"]).stdout).expect("JSON");
    let first = &json[0];
    assert_eq!((&first["severity"], &first["labels"][0]["at"]["file"]), (&"error".into(), &"broken.yaml".into()), "{json}");
}

#[test]
fn manifests_come_from_folders_and_standard_input() {
    let env = TestEnv::new();
    let good = BROKEN.replace("mian", "main").replace("comand", "command");
    env.write("all/a.yaml", &good);
    env.write("all/deep/b.yml", &good);
    env.write("all/notes.txt", "not: [read");
    assert_snapshot!(env.wf(&["lint", "all"]).all(), @"");
    assert_snapshot!(env.wf_with_input(&["lint", "-"], good.as_bytes()).all(), @"");
}
