//! What one pod says of itself: from its status to what the node is told. Pure.
//!
//! Messages are those that Argo gives. Source: `assessNodeStatus`, `inferFailedReason` and
//! `getPendingReason` of `operator.go`.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::containers::MAIN;
use super::due::Due;
use super::kinds::{ContainerStateTerminated, ContainerStatus, Pod, PodStatus};
use super::{helper, names};
use crate::base::{NodeIx, TimeSpan, Timestamp};
use crate::engine::{ContainerEnd, Phase, PodEnd};

/// Exit codes of a container that was ended by SIGKILL and by SIGTERM: those of sidecars say nothing.
const KILLED: [i32; 2] = [137, 143];

/// Why a container waits when all goes its way.
const ON_THE_WAY: [&str; 2] = ["ContainerCreating", "PodInitializing"];

/// What is known of one pod.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PodFacts {
    /// The node whose pod it is.
    pub node: NodeIx,
    /// What tells it from another pod of the node.
    pub uid: String,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// What it says.
    pub state: PodState,
    /// Why it is being drained, preempted or evicted, when it is.
    pub disruption: Option<String>,
    /// How long it has to end, when it was asked to.
    pub grace: Option<TimeSpan>,
    /// What it is to hand out.
    pub due: Due,
}

/// What a pod says of itself.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum PodState {
    /// It does not run yet; with the reason when it is one to be told.
    Waiting(Option<String>),
    /// It does not run, since its containers lack something: an image, a secret. It may never.
    Stuck(String),
    /// It runs.
    Running {
        /// Whether all its containers are ready.
        ready: bool,
        /// Its address.
        ip: Option<String>,
        /// Its machine.
        host: Option<String>,
    },
    /// It ended because it was drained, preempted or evicted: the Job replaces it.
    Disrupted(String),
    /// It was ended by somebody who deleted it.
    Deleted,
    /// It ended, with the last words of its main container.
    Ended(Box<PodEnd>, Option<String>),
}

impl PodFacts {
    /// Returns whether it has not ended, as far as is known.
    pub(super) fn is_alive(&self) -> bool {
        matches!(self.state, PodState::Waiting(_) | PodState::Stuck(_) | PodState::Running { .. })
    }
}

/// Returns what `pod` says; nothing of a pod that is no node's.
pub(super) fn facts(pod: &Pod) -> Option<PodFacts> {
    let node = pod.metadata.labels.as_ref()?.get(names::NODE)?.parse().ok().map(NodeIx)?;
    Some(PodFacts {
        node,
        uid: pod.metadata.uid.clone()?,
        name: pod.metadata.name.clone()?,
        created_at: pod.metadata.creation_timestamp.as_ref().map(instant),
        state: state(pod),
        disruption: pod.status.as_ref().and_then(disruption),
        grace: grace(pod),
        due: Due::read(pod.metadata.annotations.as_ref()),
    })
}

/// Returns what `pod` says of itself.
pub(super) fn state(pod: &Pod) -> PodState {
    let blank = PodStatus::default();
    let status = pod.status.as_ref().unwrap_or(&blank);
    let due = Due::read(pod.metadata.annotations.as_ref());
    match status.phase.as_deref() {
        Some("Succeeded") => ended(pod, status, &due, Phase::Succeeded, String::new()),
        Some("Failed") => failed(pod, status, &due),
        // The containers that it waits for are those beside the main one: the work is done.
        Some("Running") if is_done(status, &due) => ended(pod, status, &due, Phase::Succeeded, String::new()),
        Some("Running" | "Unknown") => running(pod, status, &due),
        _ => waiting(status),
    }
}

fn running(pod: &Pod, status: &PodStatus, due: &Due) -> PodState {
    if let Some(reason) = status.container_statuses.iter().flatten().find_map(|container| never_began(container, due)) {
        return PodState::Stuck(reason);
    }
    let ready = status.container_statuses.iter().flatten().all(|container| container.ready);
    PodState::Running { ready, ip: status.pod_ip.clone(), host: host(pod) }
}

fn is_done(status: &PodStatus, due: &Due) -> bool {
    due.workers().into_iter().all(|name| end_of(status, name).is_some_and(|end| end.exit_code == 0))
}

/// Returns why a container of a set that still runs failed before its helper began: those that wait for it would for
/// ever.
fn never_began(container: &ContainerStatus, due: &Due) -> Option<String> {
    const NOT_BEGUN: [&str; 2] = ["StartError", "ContainerCannotRun"];
    let end = terminated(container).filter(|_| due.set.contains(&container.name))?;
    end.reason.as_deref().filter(|reason| NOT_BEGUN.contains(reason)).map(|_| exit_message(&container.name, end))
}

/// Returns why a pod that is pending will be for longer than it takes to start.
fn waiting(status: &PodStatus) -> PodState {
    let containers = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    let waiting = containers.filter_map(|container| container.state.as_ref()?.waiting.as_ref());
    let mut lacking = waiting.filter_map(|waiting| {
        let reason = waiting.reason.as_deref().filter(|reason| !ON_THE_WAY.contains(reason))?;
        Some(joined(reason, waiting.message.as_deref()))
    });
    if let Some(reason) = lacking.next() {
        return PodState::Stuck(reason);
    }
    let mut of_scheduler = status.conditions.iter().flatten().filter_map(|condition| {
        let reason = condition.reason.as_deref()?;
        let waits = condition.type_ == "PodScheduled" && condition.status == "False";
        waits.then(|| joined(reason, condition.message.as_deref()))
    });
    PodState::Waiting(of_scheduler.next())
}

fn joined(reason: &str, message: Option<&str>) -> String {
    match message.filter(|message| !message.is_empty()) {
        Some(message) => format!("{reason}: {message}"),
        None => reason.to_owned(),
    }
}

fn failed(pod: &Pod, status: &PodStatus, due: &Due) -> PodState {
    if let Some(reason) = disruption(status) {
        return PodState::Disrupted(reason);
    }
    if was_deleted(pod, status, due) {
        return PodState::Deleted;
    }
    let (phase, message) = failure(pod, status, due);
    ended(pod, status, due, phase, message)
}

/// Returns why Kubernetes itself ends the pod, in its words.
fn disruption(status: &PodStatus) -> Option<String> {
    let mut conditions = status.conditions.iter().flatten();
    let target = conditions.find(|condition| condition.type_ == "DisruptionTarget" && condition.status == "True")?;
    let reason = target.reason.as_deref().or(status.reason.as_deref()).unwrap_or("disrupted");
    Some(joined(reason, target.message.as_deref()))
}

/// Returns how long a pod has to end that was asked to.
fn grace(pod: &Pod) -> Option<TimeSpan> {
    pod.metadata.deletion_timestamp.as_ref()?;
    let seconds = pod.metadata.deletion_grace_period_seconds.unwrap_or(0);
    Some(TimeSpan(u64::try_from(seconds).unwrap_or(0).saturating_mul(1000)))
}

/// Returns whether a pod that failed did so because somebody deleted it: its main container, or one of its set, was
/// still at work by then.
fn was_deleted(pod: &Pod, status: &PodStatus, due: &Due) -> bool {
    let gone_by = pod.metadata.deletion_timestamp.as_ref().map(instant);
    let (Some(gone_by), Some(grace)) = (gone_by, grace(pod)) else { return false };
    let asked_at = gone_by - grace;
    let ended_at = |name| end_of(status, name).and_then(|end| end.finished_at.as_ref()).map(instant);
    due.workers().into_iter().any(|name| ended_at(name).is_none_or(|ended_at| ended_at >= asked_at))
}

/// Returns the phase and message of a pod that failed.
fn failure(pod: &Pod, status: &PodStatus, due: &Due) -> (Phase, String) {
    if let Some(message) = status.message.as_deref().filter(|message| !message.is_empty()) {
        return (Phase::Failed, message.to_owned());
    }
    let containers = in_order_of_blame(pod, status, due);
    if containers.is_empty() {
        let reason = status.reason.as_deref().unwrap_or("Failed");
        return (Phase::Failed, format!("the pod failed before any container started: {reason}"));
    }
    containers
        .into_iter()
        .find_map(|container| blame(container, due))
        .unwrap_or_else(|| (Phase::Failed, "the pod failed, and none of its containers says why".to_owned()))
}

/// Returns the init containers, the main one, the others of its set, the sidecars: what came first explains what
/// followed.
fn in_order_of_blame<'a>(pod: &Pod, status: &'a PodStatus, due: &Due) -> Vec<&'a ContainerStatus> {
    let declared = pod.spec.iter().flat_map(|spec| spec.init_containers.iter().flatten());
    let native: Vec<&str> = declared
        .filter(|container| container.restart_policy.as_deref() == Some("Always"))
        .map(|container| container.name.as_str())
        .collect();
    let rank = |container: &&ContainerStatus, at_start: bool| match container.name.as_str() {
        name if native.contains(&name) => usize::MAX,
        _ if at_start => 0,
        MAIN => 1,
        name => due.set.iter().position(|of_set| of_set == name).map_or(usize::MAX, |at| 2 + at),
    };
    let before = status.init_container_statuses.iter().flatten().map(|container| (rank(&container, true), container));
    let beside = status.container_statuses.iter().flatten().map(|container| (rank(&container, false), container));
    let mut all: Vec<_> = before.chain(beside).collect();
    all.sort_by_key(|(rank, _)| *rank);
    all.into_iter().map(|(_, container)| container).collect()
}

fn blame(container: &ContainerStatus, due: &Due) -> Option<(Phase, String)> {
    let (name, state) = (&container.name, container.state.as_ref()?);
    if let Some(waiting) = &state.waiting {
        let reason = waiting.reason.as_deref().unwrap_or_default();
        // A container that was still to come is not what failed.
        if ON_THE_WAY.contains(&reason) || reason.is_empty() {
            return None;
        }
        let message = waiting.message.as_deref().unwrap_or_default();
        return Some((Phase::Error, format!("Pod failed before {name} container starts due to {reason}: {message}")));
    }
    let end = state.terminated.as_ref().filter(|end| end.exit_code != 0)?;
    let does_the_work = due.workers().contains(&name.as_str());
    (does_the_work || !KILLED.contains(&end.exit_code)).then(|| (Phase::Failed, exit_message(name, end)))
}

/// Returns Argo's words for a container that failed, such as `main: Error (exit code 1)`, with what
/// it left as its last words. Where these are the helper's, they may say why it did not start.
fn exit_message(name: &str, end: &ContainerStateTerminated) -> String {
    if let Some(why) = end.message.as_deref().and_then(helper::not_started) {
        return format!("{name}: failed to start: {why}");
    }
    let reason = end.reason.as_deref().unwrap_or_default();
    let words = end.message.as_deref().filter(|words| !words.is_empty() && !helper::is_report(words));
    let words = words.map(|words| format!(": {}", words.trim_end())).unwrap_or_default();
    format!("{name}: {reason} (exit code {}){words}", end.exit_code)
}

fn ended(pod: &Pod, status: &PodStatus, due: &Due, phase: Phase, message: String) -> PodState {
    let main = end_of(status, MAIN);
    let began = due.workers().into_iter().filter_map(|name| end_of(status, name)?.started_at.as_ref());
    let ends = status.container_statuses.iter().flatten().filter_map(terminated);
    let end = PodEnd {
        phase,
        exit_code: main.map(|end| end.exit_code),
        message,
        // Of a container that could not be started, kubelets say that it began in 1970.
        started_at: began
            .map(instant)
            .filter(|at| *at > Timestamp(0))
            .min()
            .or(status.start_time.as_ref().map(instant)),
        finished_at: ends.filter_map(|end| end.finished_at.as_ref()).map(instant).max(),
        host: host(pod),
        containers: ends_of_set(status, due),
        ..PodEnd::exited(0)
    };
    PodState::Ended(Box::new(end), main.and_then(|end| end.message.clone()))
}

/// Returns how the containers of a set ended, as far as their statuses say it.
fn ends_of_set(status: &PodStatus, due: &Due) -> BTreeMap<String, ContainerEnd> {
    let of_set = status.container_statuses.iter().flatten().filter(|container| due.set.contains(&container.name));
    let ends = of_set.filter_map(|container| {
        let has_succeeded = terminated(container).is_some_and(|end| end.exit_code == 0);
        let (phase, message) = match has_succeeded {
            true => (Phase::Succeeded, String::new()),
            false => blame(container, due)?,
        };
        Some((container.name.clone(), ContainerEnd { phase, message }))
    });
    ends.collect()
}

fn end_of<'s>(status: &'s PodStatus, name: &str) -> Option<&'s ContainerStateTerminated> {
    status.container_statuses.iter().flatten().find(|container| container.name == name).and_then(terminated)
}

fn terminated(container: &ContainerStatus) -> Option<&ContainerStateTerminated> {
    container.state.as_ref()?.terminated.as_ref()
}

fn host(pod: &Pod) -> Option<String> {
    pod.spec.as_ref()?.node_name.clone()
}

fn instant(time: &Time) -> Timestamp {
    Timestamp(time.0.as_millisecond())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(status: Value, deletion: Option<&str>) -> Pod {
        let mut pod = json!({
            "metadata": {
                "name": "wf-1-abc", "uid": "u1", "labels": { "wf.internal/node": "7" },
                "creationTimestamp": "2026-01-01T00:00:00Z",
            },
            "spec": {
                "nodeName": "n1",
                "initContainers": [{ "name": "first" }, { "name": "proxy", "restartPolicy": "Always" }],
                "containers": [{ "name": "main" }],
            },
            "status": status,
        });
        if let Some(at) = deletion {
            pod["metadata"]["deletionTimestamp"] = at.into();
            pod["metadata"]["deletionGracePeriodSeconds"] = 30.into();
        }
        serde_json::from_value(pod).expect("a pod")
    }

    fn said(status: Value, deletion: Option<&str>) -> String {
        let facts = facts(&pod(status, deletion)).expect("a node's pod");
        assert_eq!(facts.node, NodeIx(7));
        match facts.state {
            PodState::Waiting(reason) => format!("waiting {}", reason.unwrap_or_default()),
            PodState::Stuck(reason) => format!("stuck {reason}"),
            PodState::Running { ready, ip, host } => {
                format!("running {ready} {} {}", ip.unwrap_or_default(), host.unwrap_or_default())
            }
            PodState::Disrupted(reason) => format!("disrupted {reason}"),
            PodState::Deleted => "deleted".to_owned(),
            PodState::Ended(end, words) => {
                format!("{} {:?} `{}` {}", end.phase, end.exit_code, end.message, words.unwrap_or_default())
            }
        }
    }

    fn check(status: Value, expected: &str) {
        assert_eq!(said(status.clone(), None), expected, "{status}");
    }

    fn container(name: &str, state: Value) -> Value {
        json!({ "name": name, "ready": false, "image": "i", "imageID": "", "restartCount": 0, "state": state })
    }

    fn exited(name: &str, code: i32, reason: &str, message: &str) -> Value {
        let mut end = json!({
            "exitCode": code, "reason": reason,
            "startedAt": "2026-01-01T00:00:01Z", "finishedAt": "2026-01-01T00:00:09Z",
        });
        if !message.is_empty() {
            end["message"] = message.into();
        }
        container(name, json!({ "terminated": end }))
    }

    fn waiting(name: &str, reason: &str, message: &str) -> Value {
        container(name, json!({ "waiting": { "reason": reason, "message": message } }))
    }

    #[test]
    fn a_pod_waits_for_a_reason_that_is_one() {
        check(json!({}), "waiting ");
        check(
            json!({ "phase": "Pending", "containerStatuses": [waiting("main", "ContainerCreating", "")] }),
            "waiting ",
        );
        let unschedulable = json!({
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available.",
        });
        check(
            json!({ "phase": "Pending", "conditions": [unschedulable] }),
            "waiting Unschedulable: 0/1 nodes are available.",
        );
        check(
            json!({ "phase": "Pending", "containerStatuses": [waiting("main", "ImagePullBackOff", "no such image")] }),
            "stuck ImagePullBackOff: no such image",
        );
        check(
            json!({
                "phase": "Pending",
                "initContainerStatuses": [waiting("first", "CreateContainerConfigError", "secret \"x\" not found")],
                "containerStatuses": [waiting("main", "PodInitializing", "")],
            }),
            "stuck CreateContainerConfigError: secret \"x\" not found",
        );
    }

    #[test]
    fn a_pod_runs_until_its_main_container_has_done_its_work() {
        let run = container("main", json!({ "running": {} }));
        check(
            json!({ "phase": "Running", "podIP": "10.0.0.1", "containerStatuses": [run] }),
            "running false 10.0.0.1 n1",
        );
        check(
            json!({ "phase": "Running", "containerStatuses": [exited("main", 0, "Completed", "")] }),
            "Succeeded Some(0) `` ",
        );
        // It may yet turn out to be a disruption.
        check(
            json!({ "phase": "Running", "containerStatuses": [exited("main", 1, "Error", "")] }),
            "running false  n1",
        );
        check(
            json!({ "phase": "Succeeded", "containerStatuses": [exited("main", 0, "Completed", "words")] }),
            "Succeeded Some(0) `` words",
        );
    }

    #[test]
    fn failures_are_told_as_argo_does() {
        let fails = |containers: Value| json!({ "phase": "Failed", "containerStatuses": containers });
        check(fails(json!([exited("main", 1, "Error", "")])), "Failed Some(1) `main: Error (exit code 1)` ");
        check(
            fails(json!([exited("main", 137, "OOMKilled", "")])),
            "Failed Some(137) `main: OOMKilled (exit code 137)` ",
        );
        check(
            json!({
                "phase": "Failed",
                "initContainerStatuses": [
                    exited("first", 3, "Error", ""),
                    exited("proxy", 143, "Error", ""),
                ],
                "containerStatuses": [waiting("main", "PodInitializing", "")],
            }),
            "Failed None `first: Error (exit code 3)` ",
        );
        check(
            fails(json!([waiting("main", "ErrImageNeverPull", "it is not here")])),
            "Error None `Pod failed before main container starts due to ErrImageNeverPull: it is not here` ",
        );
        check(
            json!({
                "phase": "Failed", "reason": "DeadlineExceeded",
                "message": "Pod was active on the node longer than the specified deadline",
                "containerStatuses": [exited("main", 137, "Error", "")],
            }),
            "Failed Some(137) `Pod was active on the node longer than the specified deadline` ",
        );
        check(
            json!({ "phase": "Failed", "reason": "NodeAffinity" }),
            "Failed None `the pod failed before any container started: NodeAffinity` ",
        );
    }

    fn set(status: Value, deletion: Option<&str>) -> String {
        let mut pod = pod(status, deletion);
        let due = Due { set: ["b", "a", "main"].map(str::to_owned).into(), ..Due::default() };
        pod.metadata.annotations = Some([(names::DUE.to_owned(), due.write())].into());
        match facts(&pod).expect("a node's pod").state {
            PodState::Ended(end, _) => {
                let ends = end.containers.iter().map(|(name, end)| format!(", {name} {} `{}`", end.phase, end.message));
                format!("{} {:?} `{}`{}", end.phase, end.exit_code, end.message, ends.collect::<String>())
            }
            PodState::Running { .. } => "running".to_owned(),
            PodState::Stuck(reason) => format!("stuck {reason}"),
            PodState::Deleted => "deleted".to_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_pod_of_a_set_ends_with_all_of_its_containers() {
        let running = |name: &str| container(name, json!({ "running": {} }));
        let ok = |name: &str| exited(name, 0, "Completed", "");
        let fault = |name: &str, code: i32| exited(name, code, "Error", "");
        let unstarted = "wf1:{\"unstarted\":{\"command\":\"nope\",\"errno\":2}}";
        for (phase, containers, expected) in [
            ("Running", json!([running("a"), ok("b"), ok("main")]), "running"),
            (
                "Running",
                json!([ok("a"), ok("b"), ok("main"), running("injected")]),
                "Succeeded Some(0) ``, a Succeeded ``, b Succeeded ``, main Succeeded ``",
            ),
            (
                "Failed",
                json!([fault("a", 137), fault("b", 64), ok("main"), fault("injected", 1)]),
                "Failed Some(0) `b: Error (exit code 64)`, a Failed `a: Error (exit code 137)`, \
                 b Failed `b: Error (exit code 64)`, main Succeeded ``",
            ),
            (
                "Failed",
                json!([fault("a", 3), ok("b"), fault("main", 64)]),
                "Failed Some(64) `main: Error (exit code 64)`, a Failed `a: Error (exit code 3)`, b Succeeded ``, \
                 main Failed `main: Error (exit code 64)`",
            ),
            (
                "Failed",
                json!([exited("a", 128, "Error", unstarted), running("b")]),
                "Failed None `a: failed to start: command `nope` not found on PATH`, \
                 a Failed `a: failed to start: command `nope` not found on PATH`",
            ),
            (
                "Running",
                json!([exited("a", 128, "StartError", "no such device"), running("b"), ok("main")]),
                "stuck a: StartError (exit code 128): no such device",
            ),
        ] {
            assert_eq!(set(json!({ "phase": phase, "containerStatuses": containers }), None), expected);
        }
        // One was still at work, or was never heard of, when somebody deleted the pod.
        let failed = |containers: Value| json!({ "phase": "Failed", "containerStatuses": containers });
        let all = json!([ok("a"), fault("b", 1), ok("main")]);
        assert_eq!(set(failed(all.clone()), Some("2026-01-01T00:00:35Z")), "deleted");
        assert!(set(failed(all), Some("2026-01-01T00:00:59Z")).starts_with("Failed"));
        assert_eq!(set(failed(json!([ok("main")])), Some("2026-01-01T00:00:59Z")), "deleted");
    }

    #[test]
    fn a_disruption_is_no_end() {
        let target = json!({
            "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI",
            "message": "Eviction API: evicting",
        });
        check(
            json!({ "phase": "Failed", "conditions": [target], "containerStatuses": [exited("main", 137, "Error", "")] }),
            "disrupted EvictionByEvictionAPI: Eviction API: evicting",
        );
        check(
            json!({ "phase": "Succeeded", "conditions": [target], "containerStatuses": [exited("main", 0, "Completed", "")] }),
            "Succeeded Some(0) `` ",
        );
    }

    #[test]
    fn a_pod_that_was_deleted_at_work_did_not_fail_by_itself() {
        let failed = json!({ "phase": "Failed", "containerStatuses": [exited("main", 143, "Error", "")] });
        assert_eq!(said(failed.clone(), Some("2026-01-01T00:00:35Z")), "deleted");
        assert_eq!(said(failed, Some("2026-01-01T00:00:59Z")), "Failed Some(143) `main: Error (exit code 143)` ");
        assert_eq!(said(json!({ "phase": "Failed" }), Some("2026-01-01T00:00:35Z")), "deleted");
        let done = json!({ "phase": "Succeeded", "containerStatuses": [exited("main", 0, "Completed", "")] });
        assert_eq!(said(done, Some("2026-01-01T00:00:35Z")), "Succeeded Some(0) `` ");
    }

    #[test]
    fn the_end_has_its_times_and_its_machine() {
        let status = json!({ "phase": "Succeeded", "containerStatuses": [exited("main", 0, "Completed", "")] });
        let PodState::Ended(end, _) = facts(&pod(status, None)).expect("a node's pod").state else {
            panic!("it ended")
        };
        assert_eq!(end.started_at.map(Timestamp::rfc3339).as_deref(), Some("2026-01-01T00:00:01Z"));
        assert_eq!(end.finished_at.map(Timestamp::rfc3339).as_deref(), Some("2026-01-01T00:00:09Z"));
        assert_eq!(end.host.as_deref(), Some("n1"));
        let mut unstarted = exited("main", 128, "StartError", "no such device");
        unstarted["state"]["terminated"]["startedAt"] = "1970-01-01T00:00:00Z".into();
        let status =
            json!({ "phase": "Failed", "startTime": "2026-01-01T00:00:00Z", "containerStatuses": [unstarted] });
        let PodState::Ended(end, _) = state(&pod(status, None)) else { panic!("it ended") };
        assert_eq!(end.started_at.map(Timestamp::rfc3339).as_deref(), Some("2026-01-01T00:00:00Z"));
    }
}
