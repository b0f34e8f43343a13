//! `wf lint` of a project: settings, libraries, comments, and mends.

use insta::assert_snapshot;

use crate::env::TestEnv;

const CALLER: &str = "\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: caller-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps: [[{name: a, templateRef: {name: lib, template: work}}]]
  - name: spare
    suspend: {}
";

const LIBRARY: &str = "\
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: lib}
spec:
  templates:
  - {name: work, container: {image: busybox, comand: [echo]}}
";

const OLD: &str = "\
# Kept as it is:   every blank, every comment.
apiVersion: argoproj.io/v1alpha1
kind: CronWorkflow
metadata: {name: old}   # the name
spec:
  schedule: \"0 3 * * *\"
  workflowSpec:
    entrypoint: main
    synchronization:
      mutex:
        # one at a time
        name: 'lock'
    templates:
    -   name: main
        timeout: \"30\"
        container: {image: busybox, Command: [sh], args: [-c, \"exit 0\"]}
        synchronization: {semaphore: {configMapKeyRef: {name: c, key: k}}}
";

#[test]
fn templates_are_found_in_libraries() {
    let env = TestEnv::new();
    env.write("flows/caller.yaml", CALLER);
    env.write("lib/lib.yaml", LIBRARY);
    assert_snapshot!(env.wf(&["lint", "-o", "short", "flows"]).all(), @"");
    assert_snapshot!(env.wf(&["lint", "-o", "short", "--library", "lib", "flows"]).all(), @"");
    assert_snapshot!(env.wf(&["lint", "-o", "short", "--ignore-missing", "flows"]).all(), @"");
}

#[test]
fn a_project_has_settings() {
    let env = TestEnv::new();
    env.write("flows/caller.yaml", CALLER);
    env.write("lib/lib.yaml", LIBRARY);
    env.write(".wf.yaml", "library: [lib]\nrules: {WF151: error}\n");
    assert_snapshot!(env.wf(&["lint", "-o", "short", "flows"]).all(), @"");
    env.write(".wf.yaml", "library: lib\nrules:\n  WF151: off\n");
    assert_snapshot!(env.wf(&["lint", "-o", "short", "flows"]).all(), @"");
    env.write(".wf.yaml", "libary: [lib]\nrules: {WF151: fatal, WF999: off}\npedantic: 1\n");
    assert_snapshot!(env.wf(&["lint", "-o", "short", "flows"]).all(), @"");
}

#[test]
fn comments_allow_what_stands_there() {
    let env = TestEnv::new();
    env.write("lib.yaml", LIBRARY);
    env.write("caller.yaml", CALLER.replace("  - name: spare", "  # wf: allow WF151 kept for tests\n  - name: spare"));
    assert_snapshot!(env.wf(&["lint", "-o", "short", "--library", "lib.yaml", "caller.yaml", "--deny", "warnings"]).all(), @"");
    env.write("caller.yaml", CALLER.replace("  - name: spare", "  - name: spare # wf: allow WF51"));
    assert_snapshot!(env.wf(&["lint", "-o", "short", "--library", "lib.yaml", "caller.yaml", "--deny", "warnings"]).all(), @"");
}

#[test]
fn mends_change_nothing_else() {
    let env = TestEnv::new();
    let path = env.write("old.yaml", OLD);
    assert_snapshot!(env.wf(&["lint", "-o", "short", "old.yaml"]).all(), @"");
    assert_snapshot!(env.wf(&["lint", "-o", "short", "--fix", "old.yaml"]).all(), @"");
    assert_snapshot!(std::fs::read_to_string(&path).expect("the file"), @"");
}

#[test]
fn what_was_probably_meant_is_only_taken_when_asked_for() {
    let env = TestEnv::new();
    let broken = LIBRARY.replace("work,", "\"work\", ");
    let path = env.write("lib.yaml", &broken);
    assert_eq!(env.wf(&["lint", "--fix", "lib.yaml"]).code, 1);
    assert_eq!(std::fs::read_to_string(&path).expect("the file"), broken);
    assert_eq!(env.wf(&["lint", "--fix=likely", "lib.yaml"]).code, 0);
    assert_eq!(std::fs::read_to_string(&path).expect("the file"), broken.replace("comand", "command"));
    assert_eq!(env.wf(&["lint", "--fix", "-"]).code, 2);
}

#[test]
fn nothing_to_check_is_told() {
    let env = TestEnv::new();
    env.write("config.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: b}\n");
    assert_snapshot!(env.wf(&["lint", "config.yaml"]).all(), @"");
}
