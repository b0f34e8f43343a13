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
    let wants = |played: &mut Played| -> Vec<String> {
        let wants = played.run.wants().into_iter();
        wants.map(|Want { lock, places, limit }| format!("{lock} {places}/{limit}")).collect()
    };
    let granted = |lock: &str| Observation::Held { lock: format!("default/Mutex/{lock}"), others: 0 };
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
