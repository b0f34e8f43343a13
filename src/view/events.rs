//! NDJSON for programs: one object a line, versioned. Fields are only ever added.

use serde_json::{Map, Value, json};

use super::watch::{Change, What};
use crate::base::Timestamp;
use crate::engine::Phase;

/// The version that each line carries in `v`.
pub const VERSION: u32 = 1;

/// What happened to the run as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEvent {
    /// It is followed from here on.
    Started,
    /// It was suspended.
    Suspended,
    /// It goes on.
    Resumed,
    /// It ended.
    Finished,
}

/// Returns the line of a change of a node, ended by a newline.
pub fn node_line(run: &str, change: &Change) -> String {
    let kind = match change.what {
        What::Started => "node.started",
        What::Ready => "node.ready",
        What::Waits => "node.waiting",
        What::Suspended => "node.suspended",
        What::Ended => "node.finished",
    };
    let mut object = line(kind, run, change.at);
    object.insert("node".to_owned(), node(change));
    Value::Object(object).to_string() + "\n"
}

/// Returns the line of a change of the run, ended by a newline.
pub fn run_line(run: &str, event: RunEvent, phase: Phase, message: &str, at: Timestamp) -> String {
    let kind = match event {
        RunEvent::Started => "run.started",
        RunEvent::Suspended => "run.suspended",
        RunEvent::Resumed => "run.resumed",
        RunEvent::Finished => "run.finished",
    };
    let mut object = line(kind, run, at);
    object.insert("phase".to_owned(), json!(phase.as_str()));
    if !message.is_empty() {
        object.insert("message".to_owned(), json!(message));
    }
    Value::Object(object).to_string() + "\n"
}

fn line(kind: &str, run: &str, at: Timestamp) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("v".to_owned(), json!(VERSION));
    object.insert("ts".to_owned(), json!(at.to_jiff().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()));
    object.insert("type".to_owned(), json!(kind));
    object.insert("run".to_owned(), json!(run));
    object
}

fn node(change: &Change) -> Value {
    let node = &change.node;
    let mut object = Map::new();
    object.insert("id".to_owned(), json!(node.id));
    object.insert("name".to_owned(), json!(&*node.name));
    object.insert("label".to_owned(), json!(change.label));
    object.insert("type".to_owned(), json!(node.kind.as_str()));
    object.insert("template".to_owned(), json!(&*node.template));
    object.insert("phase".to_owned(), json!(node.phase.as_str()));
    let reason = node.reason(change.at);
    if !reason.is_empty() {
        object.insert("message".to_owned(), json!(reason));
    }
    if let Some(code) = node.outputs.as_ref().and_then(|outputs| outputs.exit_code) {
        object.insert("exitCode".to_owned(), json!(code));
    }
    if node.phase.is_final() {
        object.insert("durationMs".to_owned(), json!(node.duration(change.at).0));
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::model::tests::node;

    #[test]
    fn lines_are_versioned_objects() {
        let node = node("wf", "wf.a Pod Failed tmpl=say msg=boom for=2");
        let change =
            Change { at: node.started_at, what: What::Ended, ix: crate::base::NodeIx(1), label: "a".to_owned(), node };
        assert_eq!(
            node_line("wf", &change),
            r#"{"v":1,"ts":"2023-11-14T22:13:20.000Z","type":"node.finished","run":"wf","node":{"id":"wf-2962115457","name":"wf.a","label":"a","type":"Pod","template":"say","phase":"Failed","message":"boom","durationMs":2000}}
"#
        );
        assert_eq!(
            run_line("wf", RunEvent::Finished, Phase::Failed, "", Timestamp(0)),
            "{\"v\":1,\"ts\":\"1970-01-01T00:00:00.000Z\",\"type\":\"run.finished\",\"run\":\"wf\",\"phase\":\"Failed\"}\n"
        );
    }
}
