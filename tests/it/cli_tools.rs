//! The commands around manifests that run nothing: graph, fmt, convert, schema, eval, explain.

use insta::assert_snapshot;
use serde_json::Value;

use crate::conformance;
use crate::env::TestEnv;
use crate::json_schema;

const DIAMOND: &str = "\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: diamond-}
spec:
  entrypoint: main
  onExit: bye
  templates:
  - name: main
    dag:
      tasks:
      - {name: a, template: work}
      - {name: b, template: inner, depends: a}
      - {name: c, template: work, depends: a, withItems: [1, 2], when: '{{tasks.a.status}} == Succeeded'}
      - {name: d, template: wait, depends: b && c}
  - name: inner
    steps:
    - - {name: one, template: work}
      - {name: two, template: work}
  - {name: work, container: {image: 'alpine:3.23', command: ['true']}}
  - {name: wait, suspend: {}}
  - {name: bye, container: {image: 'alpine:3.23', command: ['true']}}
";

#[test]
fn graphs_are_rows_in_the_terminal() {
    let env = TestEnv::new();
    env.write("diamond.yaml", DIAMOND);
    assert_snapshot!(env.wf(&["graph", "diamond.yaml"]).all(), @"
    exit 0
    --- stdout
    ○  main
    ●    a  work
    ├─╮
    ○ │    b  inner
    ├───╮
    ● │ │  b.one  work
    │ │ ●  b.two  work
    ├───╯
    │ ●  c  work, for 2 items, when {{tasks.a.status}} == Succeeded
    ├─╯
    ◇  d  wait
    ●  onExit: bye
    ");
    assert_snapshot!(env.wf(&["graph", "--no-utf8", "--flat", "diamond.yaml"]).all(), @r"
    exit 0
    --- stdout
    O  main
    o    a  work
    |\
    O |  b  inner
    | o  c  work, for 2 items, when {{tasks.a.status}} == Succeeded
    |/
    ?  d  wait
    o  onExit: bye
    ");
}

#[test]
fn graphs_are_texts_for_others() {
    let env = TestEnv::new();
    env.write("diamond.yaml", DIAMOND);
    assert_snapshot!(env.wf(&["graph", "-o", "mermaid", "--flat", "diamond.yaml"]).all(), @r#"
    exit 0
    --- stdout
    flowchart TD
      n0(["main"])
      n1["a<br><i>work</i>"]
      n2(["b<br><i>inner</i>"])
      n3["c<br><i>work, for 2 items, when {{tasks.a.status}} == Succeeded</i>"]
      n4{{"d<br><i>wait</i>"}}
      n5["onExit: bye"]
      n0 --> n1
      n1 --> n2
      n1 --> n3
      n2 --> n4
      n3 --> n4
      n4 --> n5
    "#);
    assert_snapshot!(env.wf(&["graph", "-o", "dot", "--flat", "diamond.yaml"]).all(), @r#"
    exit 0
    --- stdout
    digraph workflow {
      rankdir=TB;
      node [fontname="sans-serif"];
      n0 [label="main", shape=ellipse];
      n1 [label="a\nwork", shape=box];
      n2 [label="b\ninner", shape=ellipse];
      n3 [label="c\nwork, for 2 items, when {{tasks.a.status}} == Succeeded", shape=box];
      n4 [label="d\nwait", shape=diamond];
      n5 [label="onExit: bye", shape=box];
      n0 -> n1;
      n1 -> n2;
      n1 -> n3;
      n2 -> n4;
      n3 -> n4;
      n4 -> n5;
    }
    "#);
    let svg = env.wf(&["graph", "-o", "svg", "diamond.yaml"]).success();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"), "{svg}");
    assert_eq!((svg.matches("<rect ").count(), svg.matches("<path ").count()), (8, 9), "{svg}");
    assert_snapshot!(env.wf(&["graph", "--name", "nobody", "diamond.yaml"]).all(), @"
    exit 3
    --- stderr
    error: found no workflow to draw in the files
    ");
}

#[test]
fn files_get_one_layout() {
    let env = TestEnv::new();
    let path = env.write("a.yaml", "a:\n    -   b: 1   # one  \n        c: |\n            x\n\n\n");
    assert_snapshot!(env.wf(&["fmt", "--check", "a.yaml"]).all(), @"
    exit 1
    --- stdout
    a.yaml
    ");
    assert_snapshot!(env.wf(&["fmt", "a.yaml"]).all(), @"
    exit 0
    --- stdout
    a.yaml
    ");
    assert_snapshot!(std::fs::read_to_string(path).expect("the file"), @"
    a:
    - b: 1   # one
      c: |
          x
    ");
    assert_eq!(env.wf(&["fmt", "--check", "a.yaml"]).code, 0);
    assert_snapshot!(env.wf_with_input(&["fmt", "-"], b"a:\n      b: [").all(), @"
    exit 0
    --- stdout
    a:
          b: [--- stderr
    warning: `<stdin>` stays as it is: it cannot be read
    ");
}

const JOB: &str = "\
apiVersion: batch/v1
kind: CronJob
metadata: {name: backup, uid: '1'}
spec:
  schedule: 0 3 * * *
  timeZone: Europe/Berlin
  jobTemplate:
    spec:
      completions: 3
      completionMode: Indexed
      parallelism: 2
      backoffLimit: 1
      podReplacementPolicy: Failed
      template:
        metadata: {labels: {app: backup}}
        spec:
          restartPolicy: Never
          terminationGracePeriodSeconds: 5
          serviceAccountName: backup
          volumes: [{name: v, emptyDir: {}}]
          containers:
          - name: backup
            image: alpine:3.23
            command: [sh, -c, 'echo $JOB_COMPLETION_INDEX']
            volumeMounts: [{name: v, mountPath: /v}]
";

#[test]
fn jobs_become_workflows() {
    let env = TestEnv::new();
    env.write("job.yaml", JOB);
    let outcome = env.wf(&["convert", "job.yaml"]);
    for part in [
        "kind: CronWorkflow",
        "schedules:\n  - 0 3 * * *",
        "timezone: Europe/Berlin",
        "parallelism: 2",
        "count: '3'",
        "name: JOB_COMPLETION_INDEX\n          value: '{{inputs.parameters.index}}'",
        "limit: 1",
        "podSpecPatch: |\n        terminationGracePeriodSeconds: 5",
        "serviceAccountName: backup",
    ] {
        assert!(outcome.stdout.contains(part), "no `{part}` in\n{}", outcome.stdout);
    }
    assert!(
        outcome.stderr.contains("`spec.jobTemplate.spec.podReplacementPolicy` of `job.yaml`"),
        "{}",
        outcome.stderr
    );
    env.write("workflow.yaml", outcome.stdout);
    assert_snapshot!(env.wf(&["lint", "--deny", "warnings", "workflow.yaml"]).all(), @"
    exit 0
    --- stderr
    no problems in 1 manifest
    ");
}

#[test]
fn old_fields_get_their_new_form() {
    let env = TestEnv::new();
    env.write("old.yaml", "# kept\nkind: CronWorkflow # here too\napiVersion: argoproj.io/v1alpha1\nspec:\n  schedule:   '* * * * *'\n---\nkind: Other\n");
    assert_snapshot!(env.wf(&["convert", "old.yaml"]).all(), @"
    exit 0
    --- stdout
    # kept
    kind: CronWorkflow # here too
    apiVersion: argoproj.io/v1alpha1
    spec:
      schedules: ['* * * * *']
    ---
    kind: Other
    ");
}

#[test]
fn expressions_come_to_values() {
    let env = TestEnv::new();
    env.write("v.yaml", "inputs: {parameters: {count: '21'}}\nsteps.a.status: Failed\n");
    for (args, wanted) in [
        (&["1 + 2"][..], "3\n"),
        (&["int(inputs.parameters.count) * 2", "--with", "v.yaml"], "42\n"),
        (&["{{inputs.parameters.count}}-{{=sprig.upper(x)}}", "--with", "v.yaml", "--set", "x=y"], "21-Y\n"),
        (&["--when", "{{steps.a.status}} == Succeeded", "--with", "v.yaml"], "false\n"),
        (&["[1, {\"a\": nil}]"], "[1,{\"a\":null}]\n"),
        (&["-1"], "-1\n"),
    ] {
        assert_eq!(env.wf(&[&["eval"], args].concat()).success(), wanted, "{args:?}");
    }
    let fault = env.wf(&["eval", "inputs.parameters.count + 1", "--with", "v.yaml"]);
    assert!(fault.code == 1 && fault.stderr.contains("cannot be used"), "{}", fault.all());
    let fault = env.wf(&["eval", "{{nothing}}"]);
    assert!(fault.code == 1 && fault.stderr.contains("failed to resolve {{nothing}}"), "{}", fault.all());
}

#[test]
fn rules_have_pages() {
    let env = TestEnv::new();
    assert_snapshot!(env.wf(&["explain", "wf155"]).all(), @r#"
    exit 0
    --- stdout
    WF155: the outputs of all items of a loop are used as if they were one value

    The outputs of a loop are lists, with a value for each item that succeeded, and a loop gives out no artifacts. Take one of the values in
    an expression, or loop over the list:

        withParam: "{{steps.generate.outputs.parameters.name}}"
    "#);
}

/// Every manifest that Argo accepts is valid by our schema.
#[test]
fn the_schema_accepts_what_argo_accepts() {
    let Some(folder) = conformance::folder("schema") else { return };
    let schema: Value = serde_json::from_str(&TestEnv::new().wf(&["schema"]).success()).expect("the schema is JSON");
    let verdicts = std::fs::read_to_string(folder.join("lint-verdicts.json")).expect("the table is readable");
    let verdicts: Value = serde_json::from_str(&verdicts).expect("the table is JSON");
    let (mut count, mut faults) = (0, Vec::new());
    for (file, verdict) in verdicts.as_object().expect("a map") {
        if !file.starts_with("manifests/") || verdict["accepted_alone"] != true {
            continue;
        }
        let mut sources = wf::source::Sources::new();
        let id = sources.add(file.as_str(), std::fs::read(folder.join(file)).expect("a manifest is readable"));
        for document in wf::source::read(&sources, id).0 {
            count += 1;
            let found = json_schema::faults(&schema, &document.root.to_json());
            faults.extend(found.into_iter().map(|fault| format!("{file}{fault}")));
        }
    }
    println!("schema: {count} objects of Argo's examples are valid");
    assert_eq!(faults, Vec::<String>::new());
    let wrong =
        serde_json::json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "spec": {"entrypont": "x"}});
    assert_ne!(json_schema::faults(&schema, &wrong), Vec::<String>::new());
}
