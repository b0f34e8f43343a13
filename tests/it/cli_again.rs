//! Plans before retries and resubmissions, and runs that Argo began, through the real program.

use insta::assert_snapshot;

use crate::env::TestEnv;

const PIPELINE: &str = "\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: pipeline}
spec:
  entrypoint: main
  arguments: {parameters: [{name: code, value: '1'}, {name: word, value: hello}]}
  templates:
  - name: main
    dag:
      tasks:
      - {name: build, template: say}
      - {name: greet, template: say, arguments: {parameters: [{name: m, value: '{{workflow.parameters.word}}'}]}}
      - {name: test, template: test, dependencies: [build]}
      - {name: ship, template: say, dependencies: [test, greet]}
  - name: say
    inputs: {parameters: [{name: m, default: built}]}
    container: {image: busybox, command: [echo, '{{inputs.parameters.m}}']}
  - name: test
    container: {image: busybox, command: [sh, -c], args: ['exit {{workflow.parameters.code}}']}
";

/// What `argo get -o yaml` prints of a workflow that failed at its second step.
const OF_ARGO: &str = "\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata:
  name: argos-x7k2p
  generateName: argos-
  namespace: argo
  uid: 0b1e6f0c-6c36-4a5e-9d5c-0d6f9c1d1c11
  resourceVersion: '1234'
  creationTimestamp: '2024-05-01T10:00:00Z'
  labels: {workflows.argoproj.io/completed: 'true', workflows.argoproj.io/phase: Failed, team: a}
spec:
  entrypoint: main
  arguments: {parameters: [{name: code, value: '1'}]}
  templates:
  - name: main
    inputs: {}
    outputs: {}
    metadata: {}
    steps:
    - - {name: build, arguments: {}, template: say}
    - - {name: test, arguments: {parameters: [{name: m, value: '{{steps.build.outputs.result}}'}]}, template: test}
  - name: say
    container: {image: busybox, command: [echo, built], name: '', resources: {}}
  - name: test
    inputs: {parameters: [{name: m}]}
    container: {image: busybox, command: [sh, -c], args: ['echo got {{inputs.parameters.m}}; exit {{workflow.parameters.code}}'], name: '', resources: {}}
status:
  phase: Failed
  message: child 'argos-x7k2p-3' failed
  startedAt: '2024-05-01T10:00:00Z'
  finishedAt: '2024-05-01T10:00:20Z'
  progress: 1/2
  nodes:
    argos-x7k2p: {id: argos-x7k2p, name: argos-x7k2p, displayName: argos-x7k2p, type: Steps, templateName: main, templateScope: local/argos-x7k2p, phase: Failed, message: child 'argos-x7k2p-3' failed, startedAt: '2024-05-01T10:00:00Z', finishedAt: '2024-05-01T10:00:20Z', children: [argos-x7k2p-0]}
    argos-x7k2p-0: {id: argos-x7k2p-0, name: 'argos-x7k2p[0]', displayName: '[0]', type: StepGroup, phase: Succeeded, boundaryID: argos-x7k2p, startedAt: '2024-05-01T10:00:00Z', finishedAt: '2024-05-01T10:00:10Z', children: [argos-x7k2p-1]}
    argos-x7k2p-1: {id: argos-x7k2p-1, name: 'argos-x7k2p[0].build', displayName: build, type: Pod, templateName: say, phase: Succeeded, boundaryID: argos-x7k2p, startedAt: '2024-05-01T10:00:00Z', finishedAt: '2024-05-01T10:00:10Z', outputs: {result: built, exitCode: '0'}, children: [argos-x7k2p-2]}
    argos-x7k2p-2: {id: argos-x7k2p-2, name: 'argos-x7k2p[1]', displayName: '[1]', type: StepGroup, phase: Failed, message: child 'argos-x7k2p-3' failed, boundaryID: argos-x7k2p, startedAt: '2024-05-01T10:00:10Z', finishedAt: '2024-05-01T10:00:20Z', children: [argos-x7k2p-3]}
    argos-x7k2p-3: {id: argos-x7k2p-3, name: 'argos-x7k2p[1].test', displayName: test, type: Pod, templateName: test, phase: Failed, message: Error (exit code 1), boundaryID: argos-x7k2p, startedAt: '2024-05-01T10:00:10Z', finishedAt: '2024-05-01T10:00:20Z', inputs: {parameters: [{name: m, value: built}]}, outputs: {exitCode: '1'}}
";

#[test]
fn a_plan_says_what_would_run_and_how_to_have_it_otherwise() {
    let env = TestEnv::new();
    env.write("pipeline.yaml", PIPELINE);
    let dry = env.wf(&["submit", "--local", "--dry-run", "pipeline.yaml"]);
    assert_snapshot!(dry.all(), @"
    exit 0
    --- stdout
    NODE   PLAN  REASON       OTHERWISE
    build  RUN   in its turn
    greet  RUN   in its turn
    test   RUN   in its turn
    ship   RUN   in its turn
    --- stderr
    `pipeline`: 4 run, 0 reused, 0 skipped; nothing was done (--dry-run)
    ");
    assert_eq!(env.wf(&["submit", "--local", "pipeline.yaml"]).code, 1);
    assert_snapshot!(env.wf(&["retry", "--local", "--dry-run", "pipeline"]).all(), @"
    exit 0
    --- stdout
    NODE   PLAN   REASON                 OTHERWISE
    build  REUSE  it succeeded           --from-node pipeline.build
    greet  REUSE  it succeeded           --from-node pipeline.greet
    test   RUN    it failed              --node-field-selector name!=pipeline.test
    ship   RUN    it comes after `test`
    --- stderr
    `pipeline`: 2 run, 2 reused, 0 skipped; nothing was done (--dry-run)
    ");
    let changed = ["retry", "--local", "--dry-run", "pipeline", "-p", "word=hi", "-p", "code=0", "-o"];
    let jsonpath = r#"jsonpath={range .items[*]}{.name} {.plan}{"\n"}{end}"#;
    assert_snapshot!(env.wf(&[&changed[..], &[jsonpath]].concat()).success(), @"
    pipeline.build REUSE
    pipeline.greet RUN
    pipeline.test RUN
    pipeline.ship RUN
    ");
}

#[test]
fn a_plan_of_a_resubmission_says_what_is_taken_over() {
    let env = TestEnv::new();
    env.write("pipeline.yaml", PIPELINE);
    assert_eq!(env.wf(&["submit", "--local", "pipeline.yaml"]).code, 1);
    let memoized = ["resubmit", "--local", "--dry-run", "--memoized", "pipeline", "-p", "code=0"];
    assert_snapshot!(env.wf(&memoized).all(), @"
    exit 0
    --- stdout
    NODE   PLAN   REASON                               OTHERWISE
    build  REUSE  it succeeded, and is given the same  without --memoized
    greet  REUSE  it succeeded, and is given the same  without --memoized
    test   RUN    it failed
    ship   RUN    it comes after `test`, which runs
    --- stderr
    `pipeline`: 2 run, 2 reused, 0 skipped; nothing was done (--dry-run)
    ");
    assert_eq!(env.wf(&["retry", "--local", "pipeline", "-p", "code=0"]).code, 0);
    assert_snapshot!(env.wf(&["retry", "--local", "--dry-run", "pipeline"]).all(), @"
    exit 2
    --- stderr
    error: run `pipeline`: the run succeeded: pick what is to run again with `--from-node`, or with `--restart-successful --node-field-selector`, or start it anew with `wf resubmit`
    hint: wf get pipeline
    ");
    let again = env.wf(&["retry", "--local", "pipeline", "--from-node", "test"]);
    assert_eq!(again.code, 0, "{}", again.all());
}

#[test]
fn a_run_of_argos_goes_on_here() {
    let env = TestEnv::new();
    env.write("argos.yaml", OF_ARGO);
    assert_snapshot!(env.wf(&["import", "--local", "argos.yaml"]).all(), @"
    exit 0
    --- stderr
    `argos-x7k2p` imported: Failed, 5 nodes
    ");
    assert_snapshot!(env.wf(&["list", "--local", "-o", "name"]).success(), @"argos-x7k2p");
    let status = r#"jsonpath={.metadata.uid} {.status.phase} {.status.nodes.*.phase}"#;
    assert_snapshot!(env.wf(&["get", "--local", "argos-x7k2p", "-o", status]).success(), @"0b1e6f0c-6c36-4a5e-9d5c-0d6f9c1d1c11 Failed Failed Succeeded Succeeded Failed Failed");
    let memoized = env.wf(&["resubmit", "--local", "--memoized", "argos-x7k2p", "-p", "code=0"]);
    assert_eq!(memoized.code, 0, "{}", memoized.all());
    let reused = r#"jsonpath={.metadata.labels} {.status.nodes.*.message}"#;
    assert_snapshot!(env.wf(&["get", "--local", "@latest", "-o", reused]).success(), @r#"{"team":"a","workflows.argoproj.io/resubmitted-from-workflow":"argos-x7k2p","workflows.argoproj.io/phase":"Succeeded","workflows.argoproj.io/completed":"true"} reused from argos-x7k2p"#);
    let retried = env.wf(&["retry", "--local", "argos-x7k2p", "-p", "code=0"]);
    assert_eq!(retried.code, 0, "{}", retried.all());
    assert_snapshot!(env.wf(&["logs", "--local", "argos-x7k2p", "test"]).success(), @"got built");
    let twice = env.wf(&["import", "--local", "argos.yaml"]);
    assert_ne!(twice.code, 0, "{}", twice.all());
}

#[test]
fn what_is_no_run_of_argos_is_refused() {
    let env = TestEnv::new();
    env.write("none.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n");
    env.write("fresh.yaml", PIPELINE);
    env.write("list.json", r#"{"kind": "List", "items": []}"#);
    env.write(
        "offloaded.yaml",
        "kind: Workflow\nmetadata: {name: x}\nstatus: {phase: Failed, offloadNodeStatusVersion: 'fnv:1'}\n",
    );
    env.write("broken.yaml", "kind: [\n");
    let refused = |file: &str| {
        let outcome = env.wf(&["import", "--local", file]);
        format!("{} {}", outcome.code, outcome.stderr.lines().next().unwrap_or_default())
    };
    let files = ["none.yaml", "fresh.yaml", "list.json", "offloaded.yaml", "broken.yaml", "missing.yaml"];
    assert_snapshot!(files.map(refused).join("\n"), @"
    2 error: `none.yaml`: it is a `Pod` object; a run is made of a Workflow that Argo has run
    2 error: `fresh.yaml`: the workflow has no status: it has not been run
    2 error: the files hold no Workflow
    2 error: `offloaded.yaml`: Argo keeps the nodes of this workflow in its database (offloadNodeStatusVersion): print it with `argo get NAME -o yaml`, which fetches them
    2 error: `broken.yaml` cannot be read: unclosed bracket '['
    3 error: failed to read `missing.yaml`: No such file or directory (os error 2)
    ");
    assert_eq!(env.wf(&["list", "--local", "-o", "name"]).success(), "");
}

#[test]
fn a_run_that_outlived_its_time_is_removed_by_the_next_look() {
    let env = TestEnv::new();
    let keeps = PIPELINE.replace("name: pipeline}", "name: keeps}").replace("value: '1'", "value: '0'");
    let ttl = |seconds: u32| format!("spec:\n  ttlStrategy: {{secondsAfterSuccess: {seconds}}}\n");
    env.write("keeps.yaml", keeps.replace("spec:\n", &ttl(3600)));
    env.write("goes.yaml", keeps.replace("name: keeps", "name: goes").replace("spec:\n", &ttl(0)));
    for file in ["keeps.yaml", "goes.yaml"] {
        assert_eq!(env.wf(&["submit", "--local", file]).code, 0);
    }
    assert_snapshot!(env.wf(&["list", "--local", "-o", "name"]).success(), @"keeps");
    assert_eq!(env.wf(&["get", "--local", "goes"]).code, 3);
}

const SET: &str = "\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: set}
spec:
  entrypoint: main
  arguments: {parameters: [{name: code, value: '0'}]}
  templates:
  - name: main
    containerSet:
      containers:
      - {name: a, image: busybox, command: [sh, -c], args: ['echo first > /tmp/order']}
      - {name: b, image: busybox, command: [sh, -c], args: ['exit {{workflow.parameters.code}}'], dependencies: [a]}
      - {name: main, image: busybox, command: [sh, -c], args: ['echo second >> /tmp/order; cat /tmp/order'], dependencies: [a, b]}
    outputs: {parameters: [{name: order, valueFrom: {path: /tmp/order}}]}
";

#[test]
fn the_containers_of_a_set_run_here_as_they_depend_on_each_other() {
    let env = TestEnv::new();
    env.write("set.yaml", SET);
    assert_eq!(env.wf(&["submit", "--local", "set.yaml", "--name", "good"]).code, 0);
    assert_eq!(env.wf(&["submit", "--local", "set.yaml", "--name", "bad", "-p", "code=3"]).code, 1);
    let shown = r#"jsonpath={range .status.nodes.*}{.displayName}: {.phase} ({.message}){"\n"}{end}"#;
    assert_snapshot!(env.wf(&["get", "--local", "good", "-o", shown]).success(), @"
    good: Succeeded ()
    a: Succeeded ()
    b: Succeeded ()
    main: Succeeded ()
    ");
    assert_snapshot!(env.wf(&["get", "--local", "bad", "-o", shown]).success(), @"
    bad: Failed (main: Error (exit code 64))
    a: Succeeded ()
    b: Failed (b: Error (exit code 3))
    main: Failed (main: Error (exit code 64))
    ");
    let order = "jsonpath={.status.nodes.good.outputs.parameters[0].value}";
    assert_snapshot!(env.wf(&["get", "--local", "good", "-o", order]).success(), @r"
    first
    second
    ");
}

#[test]
fn the_containers_of_a_set_are_tried_again_here() {
    let env = TestEnv::new();
    let set = "
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: set}
spec:
  entrypoint: main
  templates:
  - name: main
    containerSet:
      retryStrategy: {retries: 3, duration: 50ms}
      containers:
      - {name: a, image: busybox, command: [sh, -c], args: ['echo try; echo >> /tmp/count; test $(wc -l < /tmp/count) -ge 3']}
      - {name: b, image: busybox, command: [sh, -c], args: ['echo fails; exit 3'], dependencies: [a]}
      - {name: c, image: busybox, command: ['true'], dependencies: [b]}
";
    env.write("set.yaml", set);
    assert_eq!(env.wf(&["submit", "--local", "set.yaml", "--name", "set"]).code, 1);
    let shown = r#"jsonpath={range .status.nodes.*}{.displayName}: {.phase} ({.message}){"\n"}{end}"#;
    assert_snapshot!(env.wf(&["get", "--local", "set", "-o", shown]).success(), @"
    set: Failed (b: Error (exit code 3))
    a: Succeeded ()
    b: Failed (b: Error (exit code 3))
    c: Failed (c: Error (exit code 64))
    ");
    assert_snapshot!(env.wf(&["logs", "--local", "set"]).success(), @"
    [a] try
    [a] try
    [a] try
    [b] fails
    [b] fails
    [b] fails
    ");
    assert_snapshot!(env.wf(&["logs", "--local", "set", "b", "--tail", "1"]).success(), @"fails");
}

#[test]
fn a_request_is_sent_from_here() {
    use std::io::{Read, Write};
    let env = TestEnv::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello");
        }
    });
    let workflow = format!(
        "apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {{name: asks}}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {{name: ask, template: ask}}
    - - {{name: say, template: say, arguments: {{parameters: [{{name: m, value: '{{{{steps.ask.outputs.result}}}}'}}]}}}}
  - name: ask
    http: {{url: 'http://{address}/', successCondition: response.statusCode == 404}}
  - name: say
    inputs: {{parameters: [{{name: m}}]}}
    container: {{image: busybox, command: [echo, '{{{{inputs.parameters.m}}}}']}}
"
    );
    env.write("asks.yaml", workflow);
    let outcome = env.wf(&["submit", "--local", "asks.yaml"]);
    assert_eq!(outcome.code, 0, "{}", outcome.all());
    assert_snapshot!(env.wf(&["logs", "--local", "asks", "say"]).success(), @"hello");
}
