//! Pods: bound by a scheduler, run by a kubelet, in phases that come in their order.

use futures_util::StreamExt;
use futures_util::stream;
use http::Response;
use serde_json::{Value, json};

use super::containers::{self, set_states};
use super::jobs::{has_ended, key};
use super::machines::{End, Kept, Next};
use super::network::{NAMESPACE, Remote};
use crate::base::TimeSpan;
use crate::sim::apiserver::{Answer, Asked, Change, Key, Refused, body, to_response};

/// How long it takes until a pod has a machine, and then until it runs.
const BIND_MILLIS: u64 = 15;
const BEGIN_MILLIS: u64 = 300;

/// How long processes take to end after SIGTERM, and a kubelet to forget a pod.
const STOP_MILLIS_MAX: u64 = 1_000;
const FORGET_MILLIS: u64 = 500;

/// The longest that a pod waits for a machine, or for its image, in bad weather.
const LACK_MILLIS_MAX: u64 = 12_000;

/// How long a kubelet takes from one container to the next, and how late it sees that one of several has ended.
const NEXT_MILLIS: u64 = 100;
const LOOK_MILLIS_MAX: u64 = 1_000;

/// What happens within so many milliseconds, a kubelet tells in one.
const AT_ONCE_MILLIS: u64 = 2;

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
        Kept::new(change.key.clone(), containers::members(pod, &name, self.0.seed, earlier))
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
            let all = pod["spec"]["containers"].as_array().map_or(0, Vec::len);
            self.change(|state| state.update(&key, |pod| set_states(pod, &vec![waiting; all])));
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
        {
            let mut machines = self.0.machines.borrow_mut();
            let Some(kept) = machines.pods.get_mut(uid).filter(|kept| !kept.is_lost) else { return };
            kept.started_at = Some(now);
            self.begin_set(kept);
        }
        self.change(|state| state.update(&key, |pod| pod["status"]["startTime"] = now.rfc3339().into()));
        self.go_on(uid);
        if let Some((_, pod)) = self.find_pod(uid) {
            self.heed_deadline(uid, &pod);
        }
    }

    /// Has the containers of a set begin one after another, one of which may lack its image for a while.
    fn begin_set(&self, kept: &mut Kept) {
        let count = kept.members.len();
        if count == 1 {
            return;
        }
        for at in 1..count {
            kept.begins[at] = TimeSpan(kept.begins[at - 1].0 + self.below(NEXT_MILLIS));
        }
        if self.0.weather.troubles_in_thousand > 0 && self.is_stormy() && self.below(6) == 0 {
            self.0.world.count("container without its image");
            let lacking = self.below(count as u64) as usize;
            kept.lacks_image = Some(lacking);
            kept.begins[lacking].0 += self.below(LACK_MILLIS_MAX);
        }
    }

    /// Has the kubelet show what a pod's containers do now, and look again when that changes.
    pub(super) fn go_on(&self, uid: &str) {
        let Some((key, pod)) = self.find_pod(uid).filter(|(_, pod)| !has_ended(pod)) else { return };
        let now = self.now();
        let (next, shown) = {
            let machines = self.0.machines.borrow();
            let Some(kept) = machines.pods.get(uid) else { return };
            let Some(age) = kept.age(now) else { return };
            (kept.next(age), containers::shown(&pod, kept, age))
        };
        let is_soon = |wait: u64| wait <= AT_ONCE_MILLIS;
        let wait = match next {
            Next::End => return self.end(uid, End::Own),
            Next::Nothing => None,
            Next::Change { wait, is_last } => Some(wait.0 + if is_last { 0 } else { self.below(LOOK_MILLIS_MAX) }),
        };
        if !wait.is_some_and(is_soon) {
            self.change(|state| {
                state.update(&key, |pod| {
                    pod["status"]["phase"] = if containers::wait(&shown) { "Pending" } else { "Running" }.into();
                    pod["status"]["podIP"] = "10.0.0.1".into();
                    set_states(pod, &shown);
                });
            });
        }
        if let Some(wait) = wait {
            self.appoint(uid, wait, Remote::go_on);
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
        if let Some(kept) = self.0.machines.borrow_mut().pods.get_mut(uid) {
            kept.is_ending = true;
        }
        self.appoint(uid, millis, move |remote, uid| remote.end(uid, end));
    }

    /// Lets a kubelet do something about a pod after a while, and nothing else.
    fn appoint(&self, uid: &str, millis: u64, then: impl FnOnce(&Remote, &str) + 'static) {
        let (remote, name) = (self.clone(), uid.to_owned());
        let at = self.now() + TimeSpan(millis);
        let appointment = self.0.world.at(at, move || then(&remote, &name));
        let mut machines = self.0.machines.borrow_mut();
        let Some(kept) = machines.pods.get_mut(uid) else { return };
        if let Some(before) = kept.ending.replace(appointment) {
            self.0.world.cancel(before);
        }
    }

    /// Has the kubelet say that a pod has ended.
    pub(super) fn end(&self, uid: &str, end: End) {
        let Some((key, pod)) = self.find_pod(uid) else { return };
        if has_ended(&pod) {
            return self.forget(&key, uid);
        }
        let now = self.now();
        let (states, has_succeeded, log) = {
            let machines = self.0.machines.borrow();
            let Some(kept) = machines.pods.get(uid) else { return };
            let states = kept.age(now).map(|age| containers::ended(&pod, kept, age, end));
            let has_succeeded = end == End::Own && kept.course().iter().all(|ending| ending.code == 0);
            (states, has_succeeded, if end == End::Own { containers::log(&pod, kept) } else { String::new() })
        };
        self.0.machines.borrow_mut().logs.insert(key.2.clone(), log);
        self.change(|objects| {
            objects.update(&key, |pod| {
                pod["status"]["phase"] = if has_succeeded { "Succeeded" } else { "Failed" }.into();
                if let Some((reason, message)) = end.words() {
                    pod["status"]["reason"] = reason.into();
                    pod["status"]["message"] = message.into();
                }
                if let Some(states) = states.filter(|_| end != End::Collected) {
                    set_states(pod, &states);
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
