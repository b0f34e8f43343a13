//! What goes wrong: the message says what, where and what to do, and the code says which kind.

use insta::assert_snapshot;

use crate::env::TestEnv;

const HELLO: &str = "\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: hello-}
spec:
  entrypoint: main
  templates:
  - name: main
    container: {image: busybox, command: [echo, hello]}
";

#[test]
fn a_missing_file_suggests_its_neighbour() {
    let env = TestEnv::new();
    env.write("workflow.yaml", HELLO);
    assert_snapshot!(env.wf(&["submit", "workflwo.yaml"]).all(), @"
    exit 3
    --- stderr
    error: failed to read `workflwo.yaml`: No such file or directory (os error 2)
    hint: did you mean `workflow.yaml`?
    ");
}

#[test]
fn a_folder_without_manifests_is_not_found() {
    let env = TestEnv::new();
    env.write("docs/readme.md", "# nothing");
    assert_snapshot!(env.wf(&["lint", "docs"]).all(), @"
    exit 3
    --- stderr
    error: found no .yaml, .yml or .json file in `docs`
    ");
}

#[test]
fn what_is_no_text_is_refused() {
    let env = TestEnv::new();
    for (name, bytes, rule) in [
        ("binary.yaml", &b"\x7fELF\x02\x01\0\0\0"[..], "WF001"),
        ("latin1.yaml", b"# caf\xe9\nkind: Workflow\n", "WF005"),
    ] {
        env.write(name, bytes);
        for command in ["lint", "submit"] {
            let outcome = env.wf(&[command, name]);
            assert_eq!(outcome.code, 1, "{}", outcome.all());
            assert!(outcome.all().contains(rule) && outcome.all().contains(name), "{}", outcome.all());
        }
    }
}

#[test]
fn a_huge_file_is_refused_before_it_is_read() {
    let env = TestEnv::new();
    let path = env.write("huge.yaml", "");
    std::fs::File::options().write(true).open(path).and_then(|file| file.set_len(100 << 20)).expect("a sparse file");
    assert_snapshot!(env.wf(&["lint", "huge.yaml"]).all(), @"
    exit 2
    --- stderr
    error: `huge.yaml` is larger than 32 MiB (MANIFEST_BYTES_MAX), so it is no manifest
    ");
}

#[test]
fn a_file_without_a_workflow_says_what_can_be_submitted() {
    let env = TestEnv::new();
    let template =
        HELLO.replace("kind: Workflow", "kind: WorkflowTemplate").replace("generateName: hello-", "name: hello");
    env.write("t.yaml", template);
    assert_snapshot!(env.wf(&["submit", "t.yaml"]).all(), @"
    exit 2
    --- stderr
    error: the files hold no Workflow
    hint: submit a template with --from workflowtemplate/hello
    ");
    assert_snapshot!(env.wf(&["submit", "t.yaml", "--from", "wftmpl/helo"]).all(), @"
    exit 3
    --- stderr
    error: the files hold no WorkflowTemplate `helo`
    hint: did you mean `hello`?
    ");
}

#[test]
fn unknown_runs_and_no_runs_are_not_found() {
    let env = TestEnv::new();
    assert_snapshot!(env.wf(&["get", "@latest"]).all(), @"
    exit 3
    --- stderr
    error: there are no runs yet
    hint: wf submit FILE
    ");
    assert_snapshot!(env.wf(&["logs", "nothing"]).all(), @"
    exit 3
    --- stderr
    error: there is no run `nothing`
    hint: wf list
    ");
    assert_snapshot!(env.wf(&["delete", "No_Name"]).all(), @"
    exit 3
    --- stderr
    error: `No_Name` is not a valid name: it may hold only lower-case letters, digits, `-` and `.`
    hint: wf list
    ");
    for command in ["watch", "wait", "suspend", "resume", "stop", "terminate", "retry", "resubmit"] {
        assert_eq!(env.wf(&[command, "nothing"]).code, 3, "{command}");
    }
    assert_eq!(env.wf(&["wait", "--ignore-not-found", "nothing"]).code, 0);
}

#[test]
fn usage_errors_exit_2() {
    let env = TestEnv::new();
    env.write("w.yaml", HELLO);
    for args in [
        &["frobnicate"][..],
        &["submit"],
        &["submit", "w.yaml", "-p", "novalue"],
        &["submit", "w.yaml", "--watch", "--wait"],
        &["submit", "w.yaml", "--name", "Not_A_Name"],
        &["get", "x", "-o", "table"],
        &["get", "x", "-o", "jsonpath={.a"],
        &["logs", "x", "--grep", "("],
        &["list", "--since", "yesterday"],
        &["delete"],
    ] {
        let outcome = env.wf(args);
        assert_eq!(outcome.code, 2, "{args:?}: {}", outcome.all());
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let mut child = TestEnv::new().command(&["explain"]).spawn().expect("wf starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("wf ends");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}

#[test]
fn a_state_folder_that_cannot_be_written_says_what_to_do() {
    let env = TestEnv::new();
    env.write("w.yaml", HELLO);
    env.write("a-file", "");
    let outcome = env.wf(&["submit", "--state-dir", "a-file", "w.yaml"]);
    assert_eq!(outcome.code, 5, "{}", outcome.all());
    assert!(outcome.stderr.contains("a-file/runs") && outcome.stderr.contains("--state-dir"), "{}", outcome.all());
}
