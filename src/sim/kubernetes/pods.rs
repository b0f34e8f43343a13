//! Pods: bound by a scheduler, run by a kubelet, in phases that come in their order.

use futures_util::StreamExt;
use futures_util::stream;
use http::Response;
use serde_json::{Value, json};

use super::jobs::{has_ended, key};
use super::machines::{End, Kept};
use super::network::{NAMESPACE, Remote};
use crate::backend::kubernetes::helper::wire::{LINE_MARK, MESSAGE_MARK, PIECE_BYTES_MAX, sum};
use crate::backend::kubernetes::names;
use crate::base::TimeSpan;
use crate::sim::apiserver::{Answer, Asked, Change, Key, Refused, body, to_response};
use crate::sim::program::{self, Fate};

/// How long it takes until a pod has a machine, and then until it runs.
const BIND_MILLIS: u64 = 15;
const BEGIN_MILLIS: u64 = 300;

/// How long processes take to end after SIGTERM, and a kubelet to forget a pod.
const STOP_MILLIS_MAX: u64 = 1_000;
const FORGET_MILLIS: u64 = 500;

/// The longest that a pod waits for a machine, or for its image, in bad weather.
const LACK_MILLIS_MAX: u64 = 12_000;

/// Bytes that a kubelet keeps of a termination message.
const MESSAGE_BYTES_MAX: usize = 4_096;

impl Remote {
    /// Takes note of a change of a pod.
    pub(super) fn heed_pod(&self, change: &Change) {
        self.heed_pod_of_job(change);
        let uid = uid_of(&change.object);
        match change.what {
            "ADDED" => {
                let kept = self.keep(change);
                self.0.machines.borrow_mut().pods.insert(uid.clone(), kept);
                self.after(1 + self.below(BIND_MILLIS), move |remote| remote.bind(&uid));
            }
            "MODIFIED" => self.heed_change(&uid, &change.object),
            _ => {
                if let Some(kept) = self.0.machines.borrow_mut().pods.remove(&uid) {
                    kept.ending.into_iter().for_each(|ending| self.0.world.cancel(ending));
                }
            }
        }
    }

    /// Returns what becomes of a pod that nobody stops: the same for all pods of a Job.
    fn keep(&self, change: &Change) -> Kept {
        let pod = &change.object;
        let text = |pointer: &str| pod.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let name = text("/metadata/annotations/wf.internal~1node-name");
        let job = text("/metadata/ownerReferences/0/name");
        let run = text("/metadata/labels/wf.internal~1head");
        let earlier = self.0.machines.borrow_mut().earlier(&format!("{run}/{name}"), &job);
        let fate = program::fate_of_pod(pod, &name, self.0.seed, earlier);
        Kept::new(change.key.clone(), fate)
    }

    /// Has the scheduler find a machine for a pod.
    fn bind(&self, uid: &str) {
        let Some((key, pod)) = self.find_pod(uid) else { return };
        if !pod["metadata"]["deletionTimestamp"].is_null() {
            return self.end(uid, End::Killed);
        }
        let is_bad = self.0.weather.troubles_in_thousand > 0 && self.is_stormy();
        if is_bad && pod["status"].is_null() && self.below(12) == 0 {
            self.0.world.count("pod without a machine");
            self.set_condition(&key, "PodScheduled", "False", "Unschedulable", "0/1 nodes are available.");
            let uid = uid.to_owned();
            return self.after(self.below(LACK_MILLIS_MAX), move |remote| remote.bind(&uid));
        }
        let machine = format!("machine-{}", self.below(3));
        self.change(|state| {
            state.update(&key, |pod| {
                pod["spec"]["nodeName"] = machine.into();
                pod["status"]["phase"] = "Pending".into();
            });
        });
        self.set_condition(&key, "PodScheduled", "True", "", "");
        let lacks_image = is_bad && self.below(15) == 0;
        if lacks_image {
            self.0.world.count("pod without its image");
            let waiting = json!({ "waiting": { "reason": "ImagePullBackOff", "message": "back-off" } });
            self.change(|state| state.update(&key, |pod| set_states(pod, &waiting, false)));
        }
        let uid = uid.to_owned();
        let begins = 1 + self.below(if lacks_image { LACK_MILLIS_MAX } else { BEGIN_MILLIS });
        self.after(begins, move |remote| remote.run(&uid));
    }

    /// Has the kubelet run a pod.
    fn run(&self, uid: &str) {
        let Some((key, pod)) = self.find_pod(uid) else { return };
        if has_ended(&pod) || !pod["metadata"]["deletionTimestamp"].is_null() {
            return;
        }
        let now = self.now();
        let fate = {
            let mut machines = self.0.machines.borrow_mut();
            let Some(kept) = machines.pods.get_mut(uid).filter(|kept| !kept.is_lost) else { return };
            kept.started_at = Some(now);
            kept.fate.clone()
        };
        let ends = fate.takes.map(|takes| now + takes);
        if ends.is_none_or(|ends| ends > now + TimeSpan(2)) {
            let running = json!({ "running": { "startedAt": now.rfc3339() } });
            self.change(|state| {
                state.update(&key, |pod| {
                    pod["status"]["phase"] = "Running".into();
                    pod["status"]["startTime"] = now.rfc3339().into();
                    pod["status"]["podIP"] = "10.0.0.1".into();
                    set_states(pod, &running, true);
                });
            });
        }
        if let Some(ends) = ends {
            self.end_at(uid, ends.since(now).0, End::Own);
        }
        if let Some((_, pod)) = self.find_pod(uid) {
            self.heed_deadline(uid, &pod);
        }
    }

    /// Has a kubelet look at what was changed of its pod.
    fn heed_change(&self, uid: &str, pod: &Value) {
        if has_ended(pod) {
            return;
        }
        self.heed_deadline(uid, pod);
        let is_lost = self.0.machines.borrow().pods.get(uid).is_none_or(|kept| kept.is_lost || kept.is_going);
        if pod["metadata"]["deletionTimestamp"].is_null() || is_lost {
            return;
        }
        if let Some(kept) = self.0.machines.borrow_mut().pods.get_mut(uid) {
            kept.is_going = true;
        }
        let grace = pod["metadata"]["deletionGracePeriodSeconds"].as_u64().unwrap_or(0) * 1_000;
        self.end_at(uid, self.below(grace.min(STOP_MILLIS_MAX) + 1), End::Killed);
    }

    fn heed_deadline(&self, uid: &str, pod: &Value) {
        let Some(seconds) = pod["spec"]["activeDeadlineSeconds"].as_u64() else { return };
        let due = {
            let mut machines = self.0.machines.borrow_mut();
            let Some(kept) = machines.pods.get_mut(uid).filter(|kept| kept.deadline != Some(seconds)) else { return };
            let Some(started_at) = kept.started_at else { return };
            kept.deadline = Some(seconds);
            started_at + TimeSpan::from_secs(seconds)
        };
        let uid = uid.to_owned();
        self.after(due.since(self.now()).0, move |remote| {
            let is_same = remote
                .0
                .machines
                .borrow()
                .pods
                .get(&uid)
                .is_some_and(|kept| kept.deadline == Some(seconds) && !kept.is_lost);
            if is_same {
                remote.end_at(&uid, remote.below(STOP_MILLIS_MAX), End::Deadline);
            }
        });
    }

    /// Lets a pod end after a while in some way, and in no other.
    pub(super) fn end_at(&self, uid: &str, millis: u64, end: End) {
        let (remote, name) = (self.clone(), uid.to_owned());
        let at = self.now() + TimeSpan(millis);
        let appointment = self.0.world.at(at, move || remote.end(&name, end));
        let mut machines = self.0.machines.borrow_mut();
        let Some(kept) = machines.pods.get_mut(uid) else { return };
        if let Some(before) = kept.ending.replace(appointment) {
            self.0.world.cancel(before);
        }
    }

    /// Has the kubelet say that a pod has ended.
    pub(super) fn end(&self, uid: &str, end: End) {
        let Some((key, pod)) = self.find_pod(uid) else { return };
        let Some(fate) = self.0.machines.borrow().pods.get(uid).map(|kept| kept.fate.clone()) else { return };
        if has_ended(&pod) {
            return self.forget(&key, uid);
        }
        let started_at = self.0.machines.borrow().pods.get(uid).and_then(|kept| kept.started_at);
        let (message, log) = if end == End::Own { report(&pod, &fate) } else { (None, String::new()) };
        self.0.machines.borrow_mut().logs.insert(key.2.clone(), log);
        let code = end.exit_code(&fate);
        let phase = if code == 0 { "Succeeded" } else { "Failed" };
        let mut state = json!({
            "exitCode": code, "reason": end.reason(code),
            "startedAt": started_at.unwrap_or(self.now()).rfc3339(), "finishedAt": self.now().rfc3339(),
        });
        if let Some(message) = message {
            state["message"] = message.into();
        }
        self.change(|objects| {
            objects.update(&key, |pod| {
                pod["status"]["phase"] = phase.into();
                if let Some((reason, message)) = end.words() {
                    pod["status"]["reason"] = reason.into();
                    pod["status"]["message"] = message.into();
                }
                if started_at.is_some() && end != End::Collected {
                    set_states(pod, &json!({ "terminated": state }), false);
                }
            });
        });
        self.forget(&key, uid);
    }

    /// A pod that has ended and is to go goes when nobody holds it.
    fn forget(&self, key: &Key, uid: &str) {
        let (key, uid) = (key.clone(), uid.to_owned());
        self.after(1 + self.below(FORGET_MILLIS), move |remote| {
            let Some((_, pod)) = remote.find_pod(&uid) else { return };
            let is_held = pod["metadata"]["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty());
            if !pod["metadata"]["deletionTimestamp"].is_null() && !is_held {
                remote.change(|state| state.remove(&key));
            }
        });
    }

    /// Deletes a pod as its own grace says.
    pub(super) fn delete_pod(&self, key: &Key) {
        // One that is gone needs no deletion.
        let _ = self.change(|state| state.delete(key, &Value::Null));
        let found = self.0.state.borrow().find(key).cloned();
        if let Some(pod) = found.filter(|pod| pod["spec"]["nodeName"].is_null() && !has_ended(pod)) {
            // Nobody runs it; the pod collector says that it failed.
            self.end_at(&uid_of(&pod), 1_000, End::Killed);
        }
    }

    pub(super) fn find_pod(&self, uid: &str) -> Option<(Key, Value)> {
        let key = self.0.machines.borrow().pods.get(uid).map(|kept| kept.key.clone())?;
        let pod = self.0.state.borrow().find(&key).map(|pod| (**pod).clone())?;
        (uid_of(&pod) == uid).then_some((key, pod))
    }

    pub(super) fn set_condition(&self, key: &Key, word: &str, status: &str, reason: &str, message: &str) {
        self.change(|state| {
            state.update(key, |pod| {
                let mut conditions = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
                conditions.retain(|condition| condition["type"] != word);
                conditions.push(json!({ "type": word, "status": status, "reason": reason, "message": message }));
                pod["status"]["conditions"] = conditions.into();
            });
        });
    }

    /// Answers a request for a pod's log.
    pub(super) fn log_of(&self, asked: &Asked) -> Answer {
        let name = asked.name.clone().unwrap_or_default();
        let is_there = self.0.state.borrow().find(&key("pods", &name)).is_some();
        match self.0.machines.borrow().logs.get(&name).filter(|_| is_there) {
            Some(log) => Response::new(body(stream::iter([log.clone()]).boxed())),
            None => {
                to_response(Err(Refused::new(404, "NotFound", format!("pods \"{name}\" not found in {NAMESPACE}"))))
            }
        }
    }
}

fn uid_of(pod: &Value) -> String {
    pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned()
}

/// Sets the state of all main containers of a pod.
fn set_states(pod: &mut Value, state: &Value, ready: bool) {
    let names: Vec<Value> =
        pod["spec"]["containers"].as_array().into_iter().flatten().map(|container| container["name"].clone()).collect();
    let status = |name: Value| {
        json!({
            "name": name, "image": "x", "imageID": "", "restartCount": 0, "ready": ready, "state": state,
        })
    };
    pod["status"]["containerStatuses"] = names.into_iter().map(status).collect::<Vec<_>>().into();
}

/// Returns the last words of a main container that the helper wraps, and the end of its log.
fn report(pod: &Value, fate: &Fate) -> (Option<String>, String) {
    let due =
        pod["metadata"]["annotations"][names::DUE].as_str().and_then(|due| serde_json::from_str::<Value>(due).ok());
    let Some(due) = due.filter(|due| due["result"] == true || due["parameters"].is_array()) else {
        return (None, String::new());
    };
    let parameters = due["parameters"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let parameters: Vec<&str> = parameters.map(|name| fate.output(name)).collect();
    let mut report = json!({ "parameters": parameters });
    if due["result"] == true {
        report["result"] = fate.result().into();
    }
    let text = report.to_string();
    if text.len() + MESSAGE_MARK.len() <= MESSAGE_BYTES_MAX {
        return (Some(format!("{MESSAGE_MARK}{text}")), "words\n".to_owned());
    }
    let sum = sum(&text);
    let pieces: Vec<&[u8]> = text.as_bytes().chunks(PIECE_BYTES_MAX).collect();
    let line =
        |(at, piece): (usize, &&[u8])| format!("{LINE_MARK}{sum:016x}:{at}:{}\n", String::from_utf8_lossy(piece));
    let lines: String = pieces.iter().enumerate().map(line).collect();
    (
        Some(format!("{MESSAGE_MARK}{}", json!({ "log": { "lines": pieces.len(), "sum": sum } }))),
        format!("words\n{lines}"),
    )
}
