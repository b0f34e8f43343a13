//! Container sets: several containers in one pod, kept in order by the helper.

use serde_json::Value;

use super::space::Space;

/// A diamond of containers, the result of `main`, and an output that a container beside it writes late.
const DIAMOND: &str = "
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: diamond-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: set, template: set, arguments: {artifacts: [{name: text, raw: {data: handed}}]}}
    - - name: check
        template: check
        arguments: {parameters: [
          {name: words, value: '{{steps.set.outputs.parameters.out}} {{steps.set.outputs.result}} {{steps.set.exitCode}}'},
        ]}
  - name: check
    inputs: {parameters: [{name: words}]}
    container: {image: busybox, command: [sh, -c, 'test \"{{inputs.parameters.words}}\" = \"late said handed 0\"']}
  - name: set
    inputs: {artifacts: [{name: text, path: /in/text}]}
    outputs: {parameters: [{name: out, valueFrom: {path: /work/out}}]}
    volumes: [{name: work, emptyDir: {}}]
    securityContext: {runAsUser: 1234, runAsNonRoot: true}
    containerSet:
      volumeMounts: [{name: work, mountPath: /work}]
      containers:
      - {name: a, image: busybox, command: [sh, -c], args: ['umask 0; sleep 1; echo a says it; echo a >> /work/order']}
      - {name: b, image: busybox, command: [sh, -c], args: ['sleep 1; echo b >> /work/order'], dependencies: [a]}
      - name: c
        image: busybox
        command: [sh, -c]
        args: ['echo c >> /work/order']
        dependencies: [a]
        securityContext: {runAsUser: 4321, readOnlyRootFilesystem: true}
      - name: main
        image: busybox
        command: [sh, -c]
        args: ['test \"$(echo $(cat /work/order))\" = \"a c b\" && echo said $(cat /in/text)']
        dependencies: [b, c]
      - {name: late, image: busybox, command: [sh, -c], args: ['sleep 6; echo late > /work/out']}
";

/// One is tried until it succeeds, one fails each time, one has no command, one takes more memory than it may.
const FAILING: &str = "
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: failing-}
spec:
  entrypoint: main
  templates:
  - name: main
    containerSet:
      retryStrategy: {retries: 3, duration: 100ms}
      containers:
      - {name: a, image: busybox, command: [sh, -c], args: ['echo >> /count; test $(wc -l < /count) -ge 2']}
      - {name: b, image: busybox, command: [sh, -c], args: ['exit 3'], dependencies: [a]}
      - {name: c, image: busybox, command: [sh, -c], args: ['echo never'], dependencies: [b]}
      - {name: d, image: busybox, command: [nope], dependencies: [a]}
      - name: eats
        image: busybox
        command: [sh, -c, 'x=eats; while :; do x=$x$x; done']
        resources: {limits: {memory: 32Mi}}
      - {name: starves, image: busybox, command: ['true'], dependencies: [eats]}
      - {name: main, image: busybox, command: [sh, -c], args: ['sleep 2; echo fine']}
";

#[test]
fn a_set_keeps_its_order_and_hands_out_what_main_does() {
    check_diamond(Space::new("diamond"));
}

#[test]
fn a_set_keeps_its_order_in_managed_mode() {
    check_diamond(Space::managed("diamond-managed"));
}

fn check_diamond(space: Option<Space>) {
    let Some(space) = space else { return };
    let file = space.write("diamond.yaml", DIAMOND);
    let outcome = space.wf(&["submit", "--wait", "--name", "diamond", &file]);
    assert_eq!(outcome.code, 0, "{}", outcome.all());
    assert_eq!(ends(&space, "diamond"), "a Succeeded; b Succeeded; c Succeeded; late Succeeded; main Succeeded");
    for (arguments, expected) in [
        (&["logs", "diamond"][..], "[set.a] a says it\n[set.main] said handed\n"),
        (&["logs", "diamond", "set.main"], "said handed\n"),
        (&["logs", "diamond", "-c", "a"], "[set.a] a says it\n"),
    ] {
        let logs = space.wf(arguments);
        assert_eq!(logs.stdout, expected, "{}", logs.all());
    }
    assert_ne!(space.wf(&["logs", "diamond", "-c", "z"]).code, 0);
}

#[test]
fn a_container_of_a_set_that_fails_takes_those_with_it_that_wait() {
    let Some(space) = Space::new("failing") else { return };
    let file = space.write("failing.yaml", FAILING);
    let outcome = space.wf(&["submit", "--wait", "--name", "failing", &file]);
    assert_eq!(outcome.code, 1, "{}", outcome.all());
    assert_eq!(
        ends(&space, "failing"),
        "a Succeeded; b Failed b: Error (exit code 3); c Failed c: Error (exit code 64); \
         d Failed d: failed to start: command `nope` not found on PATH; eats Failed eats: OOMKilled (exit code 137); \
         main Succeeded; starves Failed starves: Error (exit code 64)"
    );
    let object = space.object("failing");
    assert_eq!(object["status"]["phase"], "Failed");
    assert_eq!(object["status"]["message"], "b: Error (exit code 3)", "the first of the set tells why");
}

/// Returns how the containers of a run's sets ended, by name.
fn ends(space: &Space, run: &str) -> String {
    let object = space.object(run);
    let nodes = object["status"]["nodes"].as_object().into_iter().flatten().map(|(_, node)| node);
    let text = |node: &Value, field: &str| node[field].as_str().unwrap_or_default().to_owned();
    let of_set = nodes.filter(|node| node["type"] == "Container");
    let mut ends: Vec<String> = of_set
        .map(|node| {
            let end = format!("{} {} {}", text(node, "displayName"), text(node, "phase"), text(node, "message"));
            end.trim_end().to_owned()
        })
        .collect();
    ends.sort_unstable();
    ends.join("; ")
}
