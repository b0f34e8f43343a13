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
    assert_snapshot!(env.wf(&["lint", "broken.yaml"]).all(), @"
    exit 1
    --- stdout
    error[WF101]: there is no template `mian`
     --> broken.yaml:5:15
      |
    5 |   entrypoint: mian
      |               ^^^^ called here
      |
      = help: did you mean `main`?

    error[WF020]: `Container` has no field `comand`
     --> broken.yaml:8:33
      |
    8 |     container: {image: busybox, comand: [echo]}
      |                                 ^^^^^^
      |
      = help: did you mean `command`?

    --- stderr
    2 errors in 1 manifest
    ");
}

#[test]
fn problems_can_be_lines_or_json() {
    let env = TestEnv::new();
    env.write("broken.yaml", BROKEN);
    assert_snapshot!(env.wf(&["lint", "-o", "short", "broken.yaml"]).all(), @"
    exit 1
    --- stdout
    broken.yaml:5:15: error[WF101]: there is no template `mian`
    broken.yaml:8:33: error[WF020]: `Container` has no field `comand`
    --- stderr
    2 errors in 1 manifest
    ");
    let json: serde_json::Value =
        serde_json::from_str(&env.wf(&["lint", "-o", "json", "broken.yaml"]).stdout).expect("JSON");
    let first = &json[0];
    assert_eq!(
        (&first["severity"], &first["labels"][0]["at"]["file"]),
        (&"error".into(), &"broken.yaml".into()),
        "{json}"
    );
}

#[test]
fn manifests_come_from_folders_and_standard_input() {
    let env = TestEnv::new();
    let good = BROKEN.replace("mian", "main").replace("comand", "command");
    env.write("all/a.yaml", &good);
    env.write("all/deep/b.yml", &good);
    env.write("all/notes.txt", "not: [read");
    assert_snapshot!(env.wf(&["lint", "all"]).all(), @"
    exit 0
    --- stderr
    no problems in 2 manifests
    ");
    assert_snapshot!(env.wf_with_input(&["lint", "-"], good.as_bytes()).all(), @"
    exit 0
    --- stderr
    no problems in 1 manifest
    ");
}
