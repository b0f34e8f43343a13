//! What steps wrote, after their pods are gone.

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{DeleteParams, ListParams};

use super::space::{Space, block, eventually, sure};

/// Two steps with the same words; one with an init container and one that fails.
fn talkers(more: &str) -> String {
    format!(
        "apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {{generateName: talk-}}
spec:
  entrypoint: main
  {more}
  templates:
  - name: main
    dag:
      failFast: false
      tasks:
      - {{name: a, template: say, arguments: {{parameters: [{{name: text, value: alpha}}]}}}}
      - {{name: b, template: say, arguments: {{parameters: [{{name: text, value: beta}}]}}}}
      - {{name: c, template: fail}}
  - name: say
    inputs: {{parameters: [{{name: text}}]}}
    initContainers: [{{name: before, image: busybox, command: [sh, -c, 'echo before']}}]
    script: {{image: busybox, command: [sh], source: 'for i in $(seq 200); do echo {{{{inputs.parameters.text}}}} $i; done'}}
  - name: fail
    container: {{image: busybox, command: [sh, -c, 'echo gamma; exit 3']}}
"
    )
}

fn of_run(run: &str) -> ListParams {
    ListParams::default().labels(&format!("wf.internal/run={run},wf.internal/kind=node"))
}

fn no_pods(space: &Space, run: &str) {
    eventually("no pods", || block(space.api::<Pod>().list(&of_run(run))).ok()?.items.is_empty().then_some(()));
}

#[test]
fn logs_are_read_after_pod_gc_took_the_pods() {
    let Some(space) = Space::new("logs-gc") else { return };
    let file = space.write("talk.yaml", talkers("podGC: {strategy: OnPodCompletion, deleteDelayDuration: 1s}"));
    assert_eq!(space.wf(&["submit", "--wait", "--name", "talk", &file]).code, 1);
    no_pods(&space, "talk");
    let all = space.wf(&["logs", "talk"]);
    assert_eq!(all.code, 0, "{}", all.all());
    for (words, count) in [("alpha", 200), ("beta", 200), ("gamma", 1), ("before", 0)] {
        assert_eq!(all.stdout.matches(words).count(), count, "{words}: {}", all.all());
    }
    let one = space.wf(&["logs", "talk", "b", "--tail", "2", "--timestamps"]);
    assert_eq!(one.stdout.lines().count(), 2, "{}", one.all());
    assert!(one.stdout.contains("Z beta 200"), "{}", one.all());
    let before = space.wf(&["logs", "talk", "a", "-c", "before"]);
    assert_eq!(before.stdout, "before\n", "{}", before.all());
    // They go with the run.
    assert_eq!(space.wf(&["delete", "talk"]).code, 0);
    let kept = ListParams::default().labels("wf.internal/kind=logs");
    eventually("no logs", || block(space.api::<ConfigMap>().list(&kept)).ok()?.items.is_empty().then_some(()));
}

#[test]
fn only_pods_that_are_meant_go_and_only_the_end_of_a_long_log_is_kept() {
    let Some(space) = Space::new("logs-some") else { return };
    let gc = "podGC: {strategy: OnPodSuccess, deleteDelayDuration: 1s, labelSelector: {matchLabels: {wf.internal/template: say}}}";
    let file = space.write("talk.yaml", talkers(gc));
    let annotation = "wf.internal/log-bytes=2Ki";
    assert_eq!(space.wf(&["submit", "--wait", "--name", "talk", "--annotations", annotation, &file]).code, 1);
    eventually("one pod", || (block(space.api::<Pod>().list(&of_run("talk"))).ok()?.items.len() == 1).then_some(()));
    let all = space.wf(&["logs", "talk"]);
    assert!(all.stdout.contains("alpha 200") && !all.stdout.contains("alpha 1\n"), "{}", all.all());
    assert!(all.stderr.contains("without its beginning") && all.stdout.contains("gamma"), "{}", all.all());
}

#[test]
fn logs_that_are_to_be_archived_are_there_when_somebody_deletes_the_pods() {
    let Some(space) = Space::new("logs-archive") else { return };
    let file = space.write("talk.yaml", talkers("archiveLogs: true"));
    assert_eq!(space.wf(&["submit", "--wait", "--name", "talk", &file]).code, 1);
    let pods = sure("list", block(space.api::<Pod>().list(&of_run("talk"))));
    assert_eq!(pods.items.len(), 3, "nothing says that pods are to go");
    let before = space.wf(&["logs", "talk"]).stdout;
    sure("delete", block(space.api::<Pod>().delete_collection(&DeleteParams::default(), &of_run("talk"))));
    no_pods(&space, "talk");
    assert_eq!(space.wf(&["logs", "talk"]).stdout, before);
}

#[test]
fn what_a_template_says_of_its_logs_counts_for_more() {
    let Some(space) = Space::new("logs-template") else { return };
    let all = talkers("archiveLogs: false")
        .replace("  - name: fail\n", "  - name: fail\n    archiveLocation: {archiveLogs: true}\n");
    let file = space.write("talk.yaml", all);
    assert_eq!(space.wf(&["submit", "--wait", "--name", "talk", &file]).code, 1);
    sure("delete", block(space.api::<Pod>().delete_collection(&DeleteParams::default(), &of_run("talk"))));
    no_pods(&space, "talk");
    let kept = space.wf(&["logs", "talk"]);
    assert!(kept.stdout.contains("gamma") && !kept.stdout.contains("alpha"), "{}", kept.all());
}
