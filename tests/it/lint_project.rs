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
    assert_snapshot!(env.wf(&["lint", "-o", "short", "flows"]).all(), @"
    exit 1
    --- stdout
    flows/caller.yaml:8:44: error[WF102]: the WorkflowTemplate `lib` is not among the files given
    --- stderr
    1 error in 1 manifest
    ");
    assert_snapshot!(env.wf(&["lint", "-o", "short", "--library", "lib", "flows"]).all(), @"
    exit 0
    --- stdout
    flows/caller.yaml:9:11: warning[WF151]: nothing calls template `spare`
    --- stderr
    1 warning in 1 manifest
    ");
    assert_snapshot!(env.wf(&["lint", "-o", "short", "--ignore-missing", "flows"]).all(), @"
    exit 0
    --- stderr
    no problems in 1 manifest
    ");
}

#[test]
fn a_project_has_settings() {
    let env = TestEnv::new();
    env.write("flows/caller.yaml", CALLER);
    env.write("lib/lib.yaml", LIBRARY);
    env.write(".wf.yaml", "library: [lib]\nrules: {WF151: error}\n");
    assert_snapshot!(env.wf(&["lint", "-o", "short", "flows"]).all(), @"
    exit 1
    --- stdout
    flows/caller.yaml:9:11: error[WF151]: nothing calls template `spare`
    --- stderr
    1 error in 1 manifest
    ");
    env.write(".wf.yaml", "library: lib\nrules:\n  WF151: off\n");
    assert_snapshot!(env.wf(&["lint", "-o", "short", "flows"]).all(), @"
    exit 0
    --- stderr
    no problems in 1 manifest
    ");
    env.write(".wf.yaml", "libary: [lib]\nrules: {WF151: fatal, WF999: off}\npedantic: 1\n");
    assert_snapshot!(env.wf(&["lint", "-o", "short", "flows"]).all(), @"
    exit 2
    --- stderr
    error[WF016]: there is no setting `libary`
     --> .wf.yaml:1:1
      |
    1 | libary: [lib]
      | ^^^^^^
      |
      = help: did you mean `library`?
    error[WF016]: a level is one of `off`, `note`, `warning`, `error`
     --> .wf.yaml:2:16
      |
    2 | rules: {WF151: fatal, WF999: off}
      |                ^^^^^
    error[WF016]: there is no rule `WF999`
     --> .wf.yaml:2:23
      |
    2 | rules: {WF151: fatal, WF999: off}
      |                       ^^^^^
      |
      = help: did you mean `WF009`?
    error[WF016]: `pedantic` must be true or false
     --> .wf.yaml:3:11
      |
    3 | pedantic: 1
      |           ^
    error: `.wf.yaml` cannot be used: 4 errors
    ");
}

#[test]
fn comments_allow_what_stands_there() {
    let env = TestEnv::new();
    env.write("lib.yaml", LIBRARY);
    env.write("caller.yaml", CALLER.replace("  - name: spare", "  # wf: allow WF151 kept for tests\n  - name: spare"));
    assert_snapshot!(env.wf(&["lint", "-o", "short", "--library", "lib.yaml", "caller.yaml", "--deny", "warnings"]).all(), @"
    exit 0
    --- stderr
    no problems in 1 manifest
    ");
    env.write("caller.yaml", CALLER.replace("  - name: spare", "  - name: spare # wf: allow WF51"));
    assert_snapshot!(env.wf(&["lint", "-o", "short", "--library", "lib.yaml", "caller.yaml", "--deny", "warnings"]).all(), @"
    exit 1
    --- stdout
    caller.yaml:9:11: warning[WF151]: nothing calls template `spare`
    caller.yaml:9:29: warning[WF015]: there is no rule `WF51`
    --- stderr
    2 warnings in 1 manifest
    ");
}

#[test]
fn mends_change_nothing_else() {
    let env = TestEnv::new();
    let path = env.write("old.yaml", OLD);
    assert_snapshot!(env.wf(&["lint", "-o", "short", "old.yaml"]).all(), @"
    exit 1
    --- stdout
    old.yaml:6:3: warning[WF024]: Argo 4 has no field `schedule`; it is read as Argo 3 did
    old.yaml:10:7: warning[WF024]: Argo 4 has no field `mutex`; it is read as Argo 3 did
    old.yaml:15:18: error[WF137]: `timeout` is `30`, which has no unit
    old.yaml:16:37: error[WF020]: `Container` has no field `Command`
    old.yaml:17:27: warning[WF024]: Argo 4 has no field `semaphore`; it is read as Argo 3 did
    --- stderr
    2 errors, 3 warnings in 1 manifest
    hint: 5 can be mended with `wf lint --fix`
    ");
    assert_snapshot!(env.wf(&["lint", "-o", "short", "--fix", "old.yaml"]).all(), @"
    exit 0
    --- stderr
    5 mended
    no problems in 1 manifest
    ");
    assert_snapshot!(std::fs::read_to_string(&path).expect("the file"), @r#"
    # Kept as it is:   every blank, every comment.
    apiVersion: argoproj.io/v1alpha1
    kind: CronWorkflow
    metadata: {name: old}   # the name
    spec:
      schedules: ["0 3 * * *"]
      workflowSpec:
        entrypoint: main
        synchronization:
          mutexes:
            # one at a time
          - name: 'lock'
        templates:
        -   name: main
            timeout: "30s"
            container: {image: busybox, command: [sh], args: [-c, "exit 0"]}
            synchronization: {semaphores: [{configMapKeyRef: {name: c, key: k}}]}
    "#);
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
    assert_snapshot!(env.wf(&["lint", "config.yaml"]).all(), @"
    exit 3
    --- stderr
    no problems in 1 manifest
    error: found nothing to check in the files
    hint: a manifest has a `kind` such as Workflow
    ");
}
