//! What runs share: locks, and caches of results.

use super::*;
use crate::engine::Want;

#[test]
fn a_mutex_lets_nodes_in_one_by_one_in_their_order() {
    let text = workflow(&format!(
        "  entrypoint: main
  templates:
  - name: main
    steps: [[{{name: a, template: locked, withItems: [1, 2, 3]}}]]
  - name: locked
    synchronization: {{mutexes: [{{name: one}}]}}
    container: {{image: a, command: [a]}}{ECHO}"
    ));
    let mut played = Played::new(&text);
    played.observe(Observation::Begin);
    let second = played.run.find("wf[0].a(1:2)").expect("it was made");
    assert_eq!(
        (second.phase, &*second.message),
        (Phase::Pending, "Waiting for default/Mutex/one lock. Lock status: 0/1")
    );
    for round in ["wf[0].a(0:1)", "wf[0].a(1:2)", "wf[0].a(2:3)"] {
        let actions = played.run.pending();
        let [Action::Start(request)] = &actions[..] else { panic!("one at a time: {actions:?}") };
        assert_eq!(&*request.node_name, round);
        played.observe(Observation::Pod(request.node, PodReport::Ended(PodEnd::exited(0))));
    }
    assert_eq!(played.run.phase(), Phase::Succeeded);
    assert_eq!(played.run.locks().count(), 0);
    played.check_folds();
}

/// A driver that was replaced hears of pods that its successor has let in.
#[test]
fn what_is_told_of_a_node_that_waits_for_its_lock_changes_nothing() {
    let text = workflow(&format!(
        "  entrypoint: main
  templates:
  - name: main
    steps: [[{{name: a, template: locked, withItems: [1, 2]}}]]
  - name: locked
    synchronization: {{mutexes: [{{name: one}}]}}
    container: {{image: a, command: [a]}}{ECHO}"
    ));
    let mut played = Played::new(&text);
    played.observe(Observation::Begin);
    let waits = played.run.find("wf[0].a(1:2)").expect("it was made").ix;
    let before = played.show();
    let running = PodReport::Running { ready: true, ip: None, host: None };
    for report in
        [PodReport::Waiting { reason: "ImagePullBackOff".to_owned() }, running, PodReport::Ended(PodEnd::exited(1))]
    {
        played.observe(Observation::Pod(waits, report));
        assert_eq!(played.show(), before);
    }
    assert_eq!(played.play(&ok).run.phase(), Phase::Succeeded);
}

#[test]
fn a_lock_that_another_run_holds_is_waited_for() {
    let text = workflow(&format!(
        "  entrypoint: echo
  synchronization: {{mutexes: [{{name: one}}]}}
  templates:{ECHO}"
    ));
    let held = |others| Observation::Held { lock: "default/Mutex/one".to_owned(), others };
    let mut played = Played::new(&text);
    played.observe(held(1));
    played.observe(Observation::Begin);
    assert_eq!((played.run.phase(), played.run.nodes().count()), (Phase::Pending, 0));
    assert_eq!(played.run.message(), "Waiting for default/Mutex/one lock. Lock status: 0/1");
    played.observe(held(0));
    assert_eq!(played.run.locks().collect::<Vec<_>>(), [("default/Mutex/one", 1, 0)]);
    assert!(played.play(&ok).show().starts_with("Succeeded"));
    assert_eq!(played.run.locks().count(), 0);
}

#[test]
fn a_result_is_made_once_and_taken_from_the_cache_after() {
    let text = workflow(&format!(
        "  entrypoint: main
  templates:
  - name: main
    steps: [[{{name: a, template: kept}}], [{{name: b, template: kept}}]]
  - name: kept
    memoize: {{key: same, cache: {{configMap: {{name: cache}}}}}}
    container: {{image: a, command: [a]}}{ECHO}"
    ));
    let mut played = Played::new(&text);
    played.run.recall();
    played.observe(Observation::Begin);
    let [memo] = &played.run.recalls()[..] else { panic!("the cache is asked once") };
    assert_eq!((&*memo.cache, &*memo.key), ("cache", "same"));
    assert!(played.run.pending().is_empty(), "nothing starts before the answer");
    played.observe(Observation::Recalled { memo: memo.clone(), found: Recollection::Nothing });
    played.play(&ok);
    let kept: Vec<_> = played.run.memories().into_iter().filter(|memory| memory.made.is_some()).collect();
    assert_eq!(kept.iter().map(|memory| memory.node.0).collect::<Vec<_>>(), [2], "only what was made is kept");
    insta::assert_snapshot!(played.show(), @"
    Succeeded
    0 wf Steps Succeeded [1]
    1 wf[0] StepGroup Succeeded [2]
    2 wf[0].a Pod Succeeded [3]
    3 wf[1] StepGroup Succeeded [4]
    4 wf[1].b Pod Succeeded []
    ");
    let second = played.run.find("wf[1].b").expect("it was made").ix;
    assert!(played.run.memo(second).is_some_and(|memo| memo.hit));
}

#[test]
fn places_are_asked_for_one_lock_after_the_other_and_given_back() {
    let text = workflow(
        "  entrypoint: main
  templates:
  - name: main
    steps: [[{name: a, template: one, withItems: [1, 2]}]]
  - name: one
    synchronization: {mutexes: [{name: second}, {name: first}]}
    container: {image: a, command: [a]}
",
    );
    let mut played = Played::new(&text);
    played.run.share_locks();
    let granted = |lock: &str| held(&format!("Mutex/{lock}"), 0);
    played.observe(Observation::Begin);
    assert_eq!(wants(&mut played), ["default/Mutex/first 1/1"], "locks are asked for in the order of their names");
    played.observe(granted("first"));
    assert!(played.run.pending().is_empty(), "nothing starts with half of its locks");
    assert_eq!(wants(&mut played), ["default/Mutex/second 1/1"]);
    played.observe(granted("second"));
    for round in ["wf[0].a(0:1)", "wf[0].a(1:2)"] {
        let actions = played.run.pending();
        let [Action::Start(request)] = &actions[..] else { panic!("one at a time: {actions:?}") };
        assert_eq!(&*request.node_name, round);
        assert!(wants(&mut played).is_empty(), "the places go from one node to the next");
        played.observe(Observation::Pod(request.node, PodReport::Ended(PodEnd::exited(0))));
    }
    assert_eq!(played.run.phase(), Phase::Succeeded);
    assert_eq!(wants(&mut played), ["default/Mutex/first 0/1", "default/Mutex/second 0/1"]);
    assert_eq!(played.run.locks().count(), 0);
    played.check_folds();
}

const LIMITS: &str = "
---
apiVersion: v1
kind: ConfigMap
metadata: {name: limits}
data: {two: '2', three: ' 3 '}
";

fn wants(played: &mut Played) -> Vec<String> {
    let wants = played.run.wants().into_iter();
    wants.map(|Want { lock, places, limit }| format!("{lock} {places}/{limit}")).collect()
}

fn held(lock: &str, others: u32) -> Observation {
    Observation::Held { lock: format!("default/{lock}"), others }
}

/// Returns the names of the pods that are asked for now, without the run's.
fn started(played: &mut Played) -> String {
    let actions = played.run.pending().into_iter();
    let names = actions.filter_map(|action| match action {
        Action::Start(request) => Some(request.node_name[2..].to_owned()),
        Action::Stop { .. } => None,
    });
    names.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_semaphore_has_the_places_that_its_config_map_says() {
    let text = workflow(
        "  entrypoint: main
  templates:
  - name: main
    steps: [[{name: a, template: one, withItems: [1, 2, 3]}]]
  - name: one
    synchronization: {semaphores: [{configMapKeyRef: {name: limits, key: two}}]}
    container: {image: a, command: [a]}
",
    );
    let text = format!("{text}{LIMITS}");
    let mut played = Played::new(&text);
    played.observe(Observation::Begin);
    assert_eq!(started(&mut played), "[0].a(0:1) [0].a(1:2)");
    let third = played.run.find("wf[0].a(2:3)").expect("it was made");
    assert_eq!(&*third.message, "Waiting for default/ConfigMap/limits/two lock. Lock status: 0/2");
    let first = played.run.find("wf[0].a(0:1)").expect("it was made").ix;
    played.observe(Observation::Pod(first, PodReport::Ended(PodEnd::exited(0))));
    assert_eq!(started(&mut played), "[0].a(2:3)");

    let mut played = Played::new(&text);
    played.run.share_locks();
    played.observe(Observation::Begin);
    assert_eq!(wants(&mut played), ["default/ConfigMap/limits/two 2/2"], "no more than there are");
    played.observe(held("ConfigMap/limits/two", 1));
    assert_eq!(started(&mut played), "[0].a(0:1)");
    assert!(wants(&mut played).is_empty(), "one is held, and one more could be taken");
}

/// What was granted stays granted while more is asked for.
#[test]
fn asking_for_more_places_gives_none_up() {
    let text = workflow(&format!(
        "  entrypoint: main
  templates:
  - name: main
    dag: {{tasks: [{{name: a, template: both}}, {{name: first, template: echo}}, {{name: b, template: one, depends: first}}]}}
  - name: both
    synchronization: {{mutexes: [{{name: m}}], semaphores: [{{configMapKeyRef: {{name: limits, key: three}}}}]}}
    container: {{image: a, command: [a]}}
  - name: one
    synchronization: {{semaphores: [{{configMapKeyRef: {{name: limits, key: three}}}}]}}
    container: {{image: a, command: [a]}}{ECHO}{LIMITS}"
    ));
    let mut played = Played::new(&text);
    played.run.share_locks();
    played.observe(Observation::Begin);
    assert_eq!(
        (started(&mut played), wants(&mut played)),
        (".first".to_owned(), vec!["default/ConfigMap/limits/three 1/3".to_owned()])
    );
    played.observe(held("ConfigMap/limits/three", 0));
    assert_eq!((started(&mut played), wants(&mut played)), (String::new(), vec!["default/Mutex/m 1/1".to_owned()]));
    let first = played.run.find("wf.first").expect("it was made").ix;
    played.observe(Observation::Pod(first, PodReport::Ended(PodEnd::exited(0))));
    assert_eq!(wants(&mut played), ["default/ConfigMap/limits/three 2/3"]);
    played.observe(held("Mutex/m", 0));
    assert_eq!(started(&mut played), ".a", "its place of the semaphore was granted before");
}

#[test]
fn a_run_keeps_its_place_until_it_ends() {
    let mut played = Played::new(&workflow(&format!(
        "  entrypoint: echo\n  synchronization: {{mutexes: [{{name: one}}]}}\n  templates:{ECHO}"
    )));
    played.run.share_locks();
    played.observe(Observation::Begin);
    assert_eq!(wants(&mut played), ["default/Mutex/one 1/1"]);
    played.observe(held("Mutex/one", 0));
    assert_eq!(started(&mut played), "");
    assert!(wants(&mut played).is_empty());
    let entry = played.run.find("wf").expect("it was made").ix;
    played.observe(Observation::Pod(entry, PodReport::Ended(PodEnd::exited(0))));
    assert_eq!(wants(&mut played), ["default/Mutex/one 0/1"]);
}

#[test]
fn who_waits_for_a_lock_that_an_input_names_waits_for_that_one() {
    let mut played = Played::new(&workflow(&format!(
        "  entrypoint: main
  templates:
  - name: main
    steps: [[{{name: a, template: inner, withItems: [1, 2], arguments: {{parameters: [{{name: m, value: same}}]}}}}]]
  - name: inner
    inputs: {{parameters: [{{name: m}}]}}
    synchronization: {{mutexes: [{{name: '{{{{inputs.parameters.m}}}}'}}]}}
    steps: [[{{name: x, template: echo}}]]{ECHO}"
    )));
    played.observe(Observation::Begin);
    assert_eq!(played.run.locks().collect::<Vec<_>>(), [("default/Mutex/same", 1, 1)]);
    assert_eq!(started(&mut played), "[0].a(0:1)[0].x");
    let first = played.run.find("wf[0].a(0:1)[0].x").expect("it was made").ix;
    played.observe(Observation::Pod(first, PodReport::Ended(PodEnd::exited(0))));
    assert_eq!(started(&mut played), "[0].a(1:2)[0].x");
}

/// Of a result from a cache no attempt is made: the places that the node had go to others.
#[test]
fn a_retried_node_that_takes_a_result_gives_its_places_back() {
    let kept = "memoize: {key: same, cache: {configMap: {name: cache}}}
    synchronization: {mutexes: [{name: one}]}
    retryStrategy: {limit: 1}
    container: {image: a, command: [a]}";
    let text = |limit: &str| {
        workflow(&format!(
            "  entrypoint: main
  {limit}
  templates:
  - name: main
    {limit}
    steps: [[{{name: a, template: kept}}, {{name: b, template: kept}}], [{{name: c, template: echo}}, {{name: d, template: echo}}]]
  - name: kept
    {kept}{ECHO}"
        ))
    };
    for (limit, first, last) in [("parallelism: 2", "[0].a(0)", "[1].c [1].d"), ("parallelism: 1", "[0].a(0)", "[1].c")]
    {
        let mut played = Played::new(&text(limit));
        played.run.recall();
        played.observe(Observation::Begin);
        for _ in 0..2 {
            for memo in played.run.recalls() {
                played.observe(Observation::Recalled { memo, found: Recollection::Nothing });
            }
        }
        assert_eq!(started(&mut played), first, "{limit}: {}", played.show());
        let attempt = played.run.find("wf[0].a(0)").expect("it was made").ix;
        played.observe(Observation::Pod(attempt, PodReport::Ended(PodEnd::exited(0))));
        assert_eq!(started(&mut played), last, "{limit}: {}", played.show());
    }
}
