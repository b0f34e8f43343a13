//! What follows from news of a node's Job and pods, told as scripts.

use super::*;
use crate::base::{NodeIx, Timestamp};

/// Returns a pod in a state that a word names.
fn pod(name: &str, word: &str) -> PodFacts {
    let end = |phase, code: i32| {
        PodState::Ended(Box::new(PodEnd { phase, ..PodEnd::exited(code) }), Some("words".to_owned()))
    };
    let state = match word {
        "waits" => PodState::Waiting(None),
        "unplaced" => PodState::Waiting(Some("Unschedulable".to_owned())),
        "stuck" => PodState::Stuck("ImagePullBackOff".to_owned()),
        "runs" | "leaves" | "evicted" | "evicted-away" => PodState::Running { ready: true, ip: None, host: None },
        "disrupted" => PodState::Disrupted("drained".to_owned()),
        "deleted" => PodState::Deleted,
        "succeeded" => end(Phase::Succeeded, 0),
        "failed" => end(Phase::Failed, 1),
        other => panic!("no state {other}"),
    };
    PodFacts {
        node: NodeIx(1),
        uid: format!("uid-{name}"),
        name: name.to_owned(),
        created_at: Some(Timestamp(0)),
        disruption: word.starts_with("evicted").then(|| "evicted".to_owned()),
        grace: matches!(word, "evicted" | "leaves").then(|| TimeSpan::from_secs(30)),
        due: Due::default(),
        state,
    }
}

fn told(effect: Effect) -> String {
    match effect {
        Effect::Report(PodReport::Waiting { reason }) => format!("waiting ({reason})"),
        Effect::Report(PodReport::Running { .. }) => "running".to_owned(),
        Effect::Report(PodReport::Ended(end)) if end.message.is_empty() => end.phase.to_string(),
        Effect::Report(PodReport::Ended(end)) => format!("{} ({})", end.phase, end.message),
        Effect::Report(PodReport::Lost { message }) => format!("lost ({message})"),
        Effect::Collect { pod, .. } => format!("collect {pod}"),
        Effect::StopPod { pod, .. } => format!("stop {pod}"),
        Effect::Search => "search".to_owned(),
        Effect::EndJob => "end job".to_owned(),
        Effect::Leave(..) => "leave".to_owned(),
        Effect::Expire => "expire".to_owned(),
        Effect::Await { uid, grace } => format!("await {uid} {grace}"),
        Effect::Abandon { pod, .. } => format!("abandon {pod}"),
        Effect::Tell(told) => format!("tell {}", told.reason),
        Effect::NextPod(before) => format!("next pod after {before}"),
        Effect::Settle { phase, .. } => format!("settle {phase}"),
    }
}

/// Feeds news, one a line, and compares what follows from each: `pod a runs: running`.
fn check_due(due: Due, script: &str) {
    check_track(Track { due, ..Track::default() }, script);
}

fn check_track(mut track: Track, script: &str) {
    track.posted();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (news, expected) = line.split_once(':').expect("news: effects");
        let words: Vec<&str> = news.split_whitespace().collect();
        let effects = match words[..] {
            ["pod", name, word] => track.pod(pod(name, word)),
            ["gone", name, word] => track.pod_gone(pod(name, word)),
            ["missing", name, word] => track.pod_missing(pod(name, word)),
            ["job", "complete"] => track.job(JobState::Complete),
            ["job", "failed"] => track.job(JobState::Failed("BackoffLimitExceeded".to_owned())),
            ["job", "gone"] => track.job(JobState::Gone),
            ["job", "there"] => track.job(JobState::Active),
            ["recorded"] => {
                track.recorded();
                Vec::new()
            }
            ["refused", word] => track.refused(word, word == "quota"),
            ["expired"] => track.expired(),
            ["unheard", name] => track.unheard(&format!("uid-{name}")),
            ["stays", "lost"] => track.stays_lost("you may not"),
            ["none", "found"] => track.searched_in_vain(),
            ["unseen", number] => track.pod_unseen(number.parse().expect("a number")),
            ["made", number] => {
                track.made_pod(number.parse().expect("a number"));
                Vec::new()
            }
            ["stop"] => {
                track.stop();
                Vec::new()
            }
            _ => panic!("no news: {news}"),
        };
        let effects: Vec<String> = effects.into_iter().map(told).collect();
        assert_eq!(effects.join(", "), expected.trim(), "{line} in {script}");
    }
}

fn check(script: &str) {
    check_due(Due::default(), script);
}

#[test]
fn news_that_repeat_are_told_once() {
    check(
        "pod a waits:
         pod a unplaced: waiting (Unschedulable)
         pod a unplaced:
         pod a runs: running
         pod a runs:
         pod a succeeded: Succeeded
         pod a succeeded:
         job complete:
         gone a succeeded:
         job gone:",
    );
}

#[test]
fn a_disrupted_pod_is_replaced() {
    check(
        "pod a runs: running
         pod a disrupted: waiting (replaced after a disruption: drained)
         pod a disrupted:
         gone a disrupted:
         pod b runs: running
         pod b failed: Failed (main: Error (exit code 1))",
    );
    check(
        "pod a runs: running
         gone a evicted-away: waiting (replaced after a disruption: evicted)
         pod b succeeded: Succeeded",
    );
}

#[test]
fn a_pod_on_a_lost_machine_is_replaced() {
    check(
        "pod a runs: running
         pod a evicted: await uid-a 30s
         pod a evicted:
         unheard a: abandon a
         pod a disrupted: waiting (replaced after a disruption: drained)
         unheard a:
         pod b runs: running
         pod b succeeded: Succeeded",
    );
    check(
        "pod a runs: running
         pod a leaves: await uid-a 30s
         pod a failed: Failed (main: Error (exit code 1))
         unheard a:",
    );
    check(
        "pod a leaves: running, await uid-a 30s
         unheard a: abandon a
         gone a leaves: waiting (its pod is gone, and its Job goes on)
         job failed: search
         none found: Error (pod deleted)
         stays lost:",
    );
    check(
        "pod a evicted: running, await uid-a 30s
         unheard a: abandon a
         stays lost: Error (its machine is lost, and the pod cannot be replaced: you may not), end job
         unheard a:",
    );
}

#[test]
fn what_cannot_start_is_given_up() {
    check(
        "pod a stuck: waiting (ImagePullBackOff), expire
         pod a stuck:
         expired: Error (its pod did not start within 1h00m (`pendingTimeout` when not given): ImagePullBackOff), end job
         expired:",
    );
    check(
        "pod a stuck: waiting (ImagePullBackOff), expire
         pod a runs: running
         expired:",
    );
    check(
        "refused policy: waiting (policy), expire
         refused policy:
         expired: Error (its pod did not start within 1h00m (`pendingTimeout` when not given): policy), end job",
    );
    check("refused quota: waiting (quota)\n expired:");
    check_due(Due { has_patience: true, ..Due::default() }, "pod a stuck: waiting (ImagePullBackOff)");
}

#[test]
fn what_is_missing_in_a_list_is_the_jobs_to_tell() {
    check(
        "pod a runs: running
         missing a runs: waiting (its pod is gone, and its Job goes on)
         pod b runs: running
         pod b succeeded: Succeeded",
    );
    check("pod a runs: running\n job complete:\n missing a runs: search\n none found: Succeeded");
    check("pod a runs: running\n stop:\n missing a runs: Failed (stopped)");
    check_track(
        Track { is_managed: true, ..Track::default() },
        "pod a runs: running\n missing a runs: settle Error, Error (pod deleted)",
    );
}

#[test]
fn replacing_has_an_end() {
    let mut track = Track::default();
    let mut last = Vec::new();
    for round in 0..=DISRUPTIONS_PER_NODE_MAX {
        assert!(!track.is_over());
        last = track.pod(pod(&format!("p{round}"), "disrupted"));
    }
    let last: Vec<String> = last.into_iter().map(told).collect();
    let words = "disrupted 21 times, which is the most that a pod is replaced: drained";
    assert_eq!(last, [format!("Error ({words})"), "end job".to_owned()]);
}

#[test]
fn a_daemon_that_is_disrupted_fails() {
    check_due(
        Due { daemon: true, ..Due::default() },
        "pod a runs: running
         pod a disrupted: Failed (the daemon was disrupted: drained), end job",
    );
}

#[test]
fn a_job_that_comes_after_it_was_to_go_goes_too() {
    check(
        "stop:
         job gone: search
         none found: Failed (stopped)
         job there: end job
         pod a runs: stop a",
    );
    check_track(Track { job: JobState::Gone, is_stopped: true, ..Track::default() }, "job there: end job");
    // One whose pod is at work ends as its pod does.
    check(
        "pod a runs: running
         stop:
         job gone:
         job there:
         pod a succeeded: Succeeded",
    );
}

#[test]
fn what_is_recorded_is_forgotten_but_for_which_pod_it_was() {
    check(
        "pod a runs: running
         recorded:
         pod a succeeded: Succeeded
         recorded:
         pod a succeeded:
         pod b runs: stop b
         gone a succeeded:
         job complete:",
    );
}

#[test]
fn of_two_pods_the_first_counts() {
    check(
        "pod a runs: running
         pod b runs:
         pod b failed:
         pod a succeeded: Succeeded",
    );
    check(
        "pod a runs: running
         pod b runs:
         pod a succeeded: Succeeded
         pod b runs: stop b
         pod b runs:
         pod c waits: stop c",
    );
    // The other ended well first, and the Job controller ended the one that counted.
    check(
        "pod a runs: running
         pod b runs:
         pod b succeeded:
         job complete:
         pod a deleted: Succeeded",
    );
    // The Job controller ended the other, then the one that counted was drained.
    check(
        "pod a runs: running
         pod b runs:
         pod b deleted:
         pod a disrupted: waiting (replaced after a disruption: drained)
         gone b deleted:
         pod c succeeded: Succeeded",
    );
    // The one that counted was drained while the Job controller ended the other: it makes a third.
    check(
        "pod a runs: running
         pod b runs:
         pod a disrupted:
         pod b deleted: waiting (its pod is gone, and its Job goes on)
         gone b deleted:
         pod c succeeded: Succeeded",
    );
    // The same, as a list tells it that comes after both.
    check(
        "pod a disrupted: waiting (replaced after a disruption: drained)
         pod b leaves: running, await uid-b 30s
         pod b deleted: waiting (its pod is gone, and its Job goes on)
         gone b deleted:
         pod c succeeded: Succeeded",
    );
    // The Job controller ended the one that counted, not the other.
    check(
        "pod a runs: running
         pod b runs:
         pod a deleted:
         pod b succeeded: Succeeded",
    );
}

#[test]
fn a_deleted_pod_is_an_error_unless_it_was_to_stop() {
    check(
        "pod a runs: running
         gone a runs: waiting (its pod is gone, and its Job goes on)
         job failed: search
         none found: Error (pod deleted)",
    );
    check(
        "pod a runs: running
         stop:
         pod a deleted: Failed (stopped)",
    );
    check(
        "pod a runs: running
         stop:
         pod a disrupted: Failed (stopped), end job",
    );
}

#[test]
fn what_the_job_controller_does_is_done_here_in_managed_mode() {
    let managed = || Track { is_managed: true, ..Track::default() };
    assert!(managed().lacks_pod());
    check_track(
        managed(),
        "pod a disrupted: waiting (replaced after a disruption: drained), next pod after 1
         pod b runs: running
         pod b succeeded: settle Succeeded, Succeeded
         job complete:",
    );
    // An earlier driver made a pod before, which is gone.
    check_track(managed(), "pod job-3 disrupted: waiting (replaced after a disruption: drained), next pod after 4");
    check_track(managed(), "gone a runs: settle Error, Error (pod deleted)");
    check_track(managed(), "job gone: search\n none found: lost (its Job was deleted)");
}

#[test]
fn a_pod_that_was_made_and_never_seen_is_made_again() {
    let managed = || Track { is_managed: true, ..Track::default() };
    let words = "replaced after a disruption: it went before anything was seen of it";
    check_track(
        managed(),
        &format!(
            "made 0:
             unseen 0: waiting ({words}), next pod after 1
             unseen 0:
             made 1:
             pod job-1 runs: running
             unseen 1:"
        ),
    );
    check_track(managed(), "made 0:\n job gone: search\n none found: lost (its Job was deleted)\n unseen 0:");
}

#[test]
fn nobody_replaces_a_pod_whose_job_is_over() {
    check(
        "pod a runs: running
         job gone:
         pod a disrupted: search
         none found: lost (its Job was deleted)",
    );
}

#[test]
fn the_job_speaks_for_a_pod_that_nobody_saw() {
    check("job complete: search\n none found: Succeeded");
    check("job failed: search\n none found: Failed (BackoffLimitExceeded)");
    check("job gone: search\n none found: lost (its Job was deleted)");
    check("job complete: search\n pod a succeeded: Succeeded\n none found:");
    check("stop:\n job gone: search\n none found: Failed (stopped)");
    let due = || Due { result: true, ..Due::default() };
    check_due(
        due(),
        "job complete: search
         none found: lost (the pod ended well and was deleted before its outputs were read)",
    );
    check_due(due(), "pod a succeeded: collect a");
}
