//! The containers of a pod as its kubelet shows them, one after another. Pure.

use serde_json::{Value, json};

use super::machines::{End, Kept};
use crate::backend::kubernetes::helper::wire::{LINE_MARK, MESSAGE_MARK, PIECE_BYTES_MAX, sum};
use crate::backend::kubernetes::names;
use crate::backend::tries::Tries;
use crate::base::{TimeSpan, Timestamp};
use crate::sim::course::{Ending, KILLED, Member};
use crate::sim::program::{Fate, MAIN, Origin, args};

/// Bytes that a kubelet keeps of a termination message.
const MESSAGE_BYTES_MAX: usize = 4_096;

/// Returns the containers of a pod, as the helper is told to run them.
pub(super) fn members(pod: &Value, node: &str, seed: u64, earlier: usize) -> Vec<Member> {
    let annotations = &pod["metadata"]["annotations"];
    let due = due(pod);
    let origin = Origin { node, is_daemon: due["daemon"] == true, seed, earlier };
    let is_set = due["set"].is_array();
    let member = |container: &Value| {
        let name = container["name"].as_str().unwrap_or_default().to_owned();
        let mut texts = args(container);
        texts.extend(annotations[names::SCRIPT].as_str().filter(|_| name == MAIN));
        let fate = if is_set { origin.fate_in_set(&name, &texts) } else { origin.fate(&texts) };
        let options = Options::of(container);
        let (after, until) = (options.marks("--after"), options.marks("--until"));
        let tries = Tries {
            count: options.number("--tries").map_or(1, |count| count as u32),
            pause: TimeSpan(options.number("--pause").unwrap_or(0)),
        };
        Member { name, after, until, tries, fate }
    };
    pod["spec"]["containers"].as_array().into_iter().flatten().map(member).collect()
}

/// What the helper is told in a container's command, before the command itself.
struct Options<'a>(Vec<&'a str>);

impl<'a> Options<'a> {
    fn of(container: &'a Value) -> Self {
        let words = container["command"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let words: Vec<&str> = words.collect();
        let end = words.iter().position(|word| *word == "--");
        Self(words[..end.unwrap_or(0)].to_vec())
    }

    fn all(&self, option: &'static str) -> impl Iterator<Item = &'a str> {
        self.0.windows(2).filter(move |pair| pair[0] == option).map(|pair| pair[1])
    }

    fn number(&self, option: &'static str) -> Option<u64> {
        self.all(option).next()?.parse().ok()
    }

    /// Returns the containers whose marks are named.
    fn marks(&self, option: &'static str) -> Vec<String> {
        let marks = self.all(option).map(|path| path.rsplit('/').next().unwrap_or_default());
        marks.map(str::to_owned).collect()
    }
}

/// Returns what its objects say that a pod hands out.
fn due(pod: &Value) -> Value {
    let text = pod["metadata"]["annotations"][names::DUE].as_str();
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// Returns the states of the containers of a pod of that age.
pub(super) fn shown(pod: &Value, kept: &Kept, age: TimeSpan) -> Vec<Value> {
    let shown = |(container, ending): (usize, Ending)| {
        let begins = kept.begins[container];
        if begins > age {
            let lacks_image = kept.lacks_image == Some(container);
            return json!({ "waiting": { "reason": if lacks_image { "ImagePullBackOff" } else { "ContainerCreating" } } });
        }
        match (ending.is_over(age), kept.started_at) {
            (true, Some(began)) => terminated(pod, kept, container, &ending, began),
            (_, began) => json!({ "running": { "startedAt": (began.unwrap_or_default() + begins).rfc3339() } }),
        }
    };
    kept.course().into_iter().enumerate().map(shown).collect()
}

/// Returns whether one of these states is that of a container that has not begun.
pub(super) fn wait(states: &[Value]) -> bool {
    states.iter().any(|state| !state["waiting"].is_null())
}

/// Returns the states of the containers of a pod that ended at that age.
pub(super) fn ended(pod: &Value, kept: &Kept, age: TimeSpan, end: End) -> Vec<Value> {
    let shown = |(container, ending): (usize, Ending)| {
        if kept.begins[container] > age {
            let message = "The container could not be located when the pod was terminated";
            return json!({ "terminated": { "exitCode": KILLED, "reason": "ContainerStatusUnknown", "message": message } });
        }
        let ending = end.exit_code().map_or(ending, |code| ending.cut(age, code));
        terminated(pod, kept, container, &ending, kept.started_at.unwrap_or_default())
    };
    kept.course().into_iter().enumerate().map(shown).collect()
}

fn terminated(pod: &Value, kept: &Kept, container: usize, ending: &Ending, began: Timestamp) -> Value {
    let member = &kept.members[container];
    let reason = match ending.code {
        0 => "Completed",
        _ if kept.killed.is_some_and(|(who, _)| who == container) && ending.is_killed => "OOMKilled",
        _ => "Error",
    };
    let mut state = json!({
        "exitCode": ending.code, "reason": reason,
        "startedAt": (began + kept.begins[container]).rfc3339(),
        "finishedAt": (began + ending.ends.unwrap_or_default()).rfc3339(),
    });
    if let Some((message, _)) = report(pod, member, ending) {
        state["message"] = message.into();
    }
    json!({ "terminated": state })
}

/// Sets the states of the containers of a pod, in their order.
pub(super) fn set_states(pod: &mut Value, states: &[Value]) {
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    let status = |(container, state): (&Value, &Value)| {
        json!({
            "name": container["name"], "image": "x", "imageID": "", "restartCount": 0,
            "ready": !state["running"].is_null(), "state": state,
        })
    };
    pod["status"]["containerStatuses"] = containers.zip(states).map(status).collect::<Vec<_>>().into();
}

/// Returns the end of the log of a pod.
pub(super) fn log(pod: &Value, kept: &Kept) -> String {
    let mut all = kept.members.iter().zip(kept.course());
    all.find_map(|(member, ending)| Some(report(pod, member, &ending)?.1)).unwrap_or_default()
}

/// Returns the last words of a main container that the helper wraps, and the end of its log.
fn report(pod: &Value, member: &Member, ending: &Ending) -> Option<(String, String)> {
    let due = due(pod);
    let has_outputs = due["result"] == true || due["parameters"].is_array();
    let reports = has_outputs && member.name == MAIN && ending.runs && !ending.is_killed;
    reports.then(|| words(&due, &member.fate))
}

fn words(due: &Value, fate: &Fate) -> (String, String) {
    let parameters = due["parameters"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let parameters: Vec<&str> = parameters.map(|name| fate.output(name)).collect();
    let mut report = json!({ "parameters": parameters });
    if due["result"] == true {
        report["result"] = fate.result().into();
    }
    let text = report.to_string();
    if text.len() + MESSAGE_MARK.len() <= MESSAGE_BYTES_MAX {
        return (format!("{MESSAGE_MARK}{text}"), "words\n".to_owned());
    }
    let sum = sum(&text);
    let pieces: Vec<&[u8]> = text.as_bytes().chunks(PIECE_BYTES_MAX).collect();
    let line =
        |(at, piece): (usize, &&[u8])| format!("{LINE_MARK}{sum:016x}:{at}:{}\n", String::from_utf8_lossy(piece));
    let lines: String = pieces.iter().enumerate().map(line).collect();
    let pointer = json!({ "log": { "lines": pieces.len(), "sum": sum } });
    (format!("{MESSAGE_MARK}{pointer}"), format!("words\n{lines}"))
}
