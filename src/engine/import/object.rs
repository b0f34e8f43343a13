//! Workflow objects as Argo's tools print them: lists taken apart, packed nodes unpacked, and what cannot
//! become a run refused.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use serde_json::Value as Json;

use super::{ImportError, text};
use crate::base::limits;

/// What gzip and zstd begin with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Returns the objects of a document: one, or those of a list.
pub fn objects(document: Json) -> Vec<Json> {
    let is_list = text(&document["kind"]).ends_with("List");
    match document {
        Json::Object(mut list) if is_list => match list.remove("items") {
            Some(Json::Array(items)) => items,
            _ => Vec::new(),
        },
        object => vec![object],
    }
}

/// Returns the object with its nodes in place, or why it cannot become a run.
pub fn complete(mut workflow: Json) -> Result<Json, ImportError> {
    let kind = text(&workflow["kind"]);
    if kind != "Workflow" {
        return Err(ImportError::NotAWorkflow(kind.to_owned()));
    }
    let status = &mut workflow["status"];
    let phase = text(&status["phase"]).to_owned();
    if phase.is_empty() {
        return Err(ImportError::NoStatus);
    }
    if matches!(phase.as_str(), "Pending" | "Running") {
        return Err(ImportError::AtWork(phase));
    }
    if status["nodes"].as_object().is_some_and(|nodes| !nodes.is_empty()) {
        return Ok(workflow);
    }
    if let Some(packed) = status["compressedNodes"].as_str().filter(|packed| !packed.is_empty()) {
        status["nodes"] = unpack(packed, limits::IMPORT_BYTES_MAX)?;
    } else if !text(&status["offloadNodeStatusVersion"]).is_empty() {
        return Err(ImportError::Offloaded);
    }
    Ok(workflow)
}

/// Returns the nodes that Argo packed: JSON of at most so many bytes, compressed, in base64. Source: Argo's `packer`.
fn unpack(packed: &str, most: usize) -> Result<Json, ImportError> {
    let bytes = STANDARD.decode(packed.trim()).map_err(|fault| ImportError::Packed(format!("not base64: {fault}")))?;
    if !bytes.starts_with(&GZIP) {
        return Err(ImportError::Packed("compressed, but not by gzip".to_owned()));
    }
    let mut json = Vec::new();
    let read = GzDecoder::new(&bytes[..]).take(most as u64 + 1).read_to_end(&mut json);
    read.map_err(|fault| ImportError::Packed(fault.to_string()))?;
    if json.len() > most {
        return Err(ImportError::Packed(format!("larger than {} MiB (IMPORT_BYTES_MAX)", most >> 20)));
    }
    serde_json::from_slice(&json).map_err(|fault| ImportError::Packed(fault.to_string()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::write::GzEncoder;
    use serde_json::json;

    use super::*;

    fn packed(nodes: &str) -> String {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(nodes.as_bytes()).expect("memory takes it");
        STANDARD.encode(encoder.finish().expect("memory takes it"))
    }

    fn workflow(status: Json) -> Json {
        json!({"kind": "Workflow", "status": status})
    }

    #[test]
    fn packed_nodes_are_unpacked() {
        let nodes = r#"{"a": {"name": "a"}}"#;
        let complete = complete(workflow(json!({"phase": "Failed", "compressedNodes": packed(nodes)})));
        assert_eq!(complete.expect("complete")["status"]["nodes"]["a"]["name"], "a");
    }

    #[test]
    fn nodes_that_are_there_need_no_unpacking() {
        let nodes = json!({"a": {"name": "a"}});
        for elsewhere in ["compressedNodes", "offloadNodeStatusVersion"] {
            let status = json!({"phase": "Failed", "nodes": nodes, elsewhere: "%"});
            assert_eq!(complete(workflow(status)).expect("complete")["status"]["nodes"], nodes, "{elsewhere}");
        }
        let status = json!({"phase": "Failed", "nodes": {}, "compressedNodes": packed(&nodes.to_string())});
        assert_eq!(complete(workflow(status)).expect("complete")["status"]["nodes"], nodes);
    }

    #[test]
    fn unpacking_ends_at_its_bound() {
        let nodes = json!({"name": "x".repeat(100)}).to_string();
        let unpacked = |most: usize| unpack(&packed(&nodes), most);
        assert_eq!(unpacked(nodes.len()).expect("it fits").to_string(), nodes);
        let fault = unpacked(nodes.len() - 1).expect_err("it does not fit").to_string();
        assert!(fault.contains("IMPORT_BYTES_MAX"), "{fault}");
    }

    #[test]
    fn what_cannot_become_a_run_is_refused_in_words() {
        let failed = |field: &str, value: &str| workflow(json!({"phase": "Failed", field: value}));
        for (object, part) in [
            (json!({"kind": "CronWorkflow"}), "is a `CronWorkflow`"),
            (json!({}), "is a `` object"),
            (json!({"kind": "Workflow"}), "no status"),
            (workflow(json!({})), "no status"),
            (workflow(json!({"phase": "Running"})), "still at work"),
            (failed("offloadNodeStatusVersion", "fnv:1"), "argo get"),
            (failed("compressedNodes", "%"), "not base64"),
            (failed("compressedNodes", "KLUv/QA="), "not by gzip"),
            (failed("compressedNodes", "H4sI"), "cannot be unpacked"),
            (failed("compressedNodes", &packed("nonsense")), "expected ident"),
        ] {
            let fault = complete(object).expect_err(part).to_string();
            assert!(fault.contains(part), "{fault}");
        }
    }

    #[test]
    fn lists_are_taken_apart() {
        let list = json!({"kind": "List", "items": [{"kind": "Workflow"}, {"kind": "WorkflowTemplate"}]});
        assert_eq!(objects(list).len(), 2);
        assert_eq!(objects(json!({"kind": "WorkflowList", "items": [{}]})).len(), 1);
        assert_eq!(objects(json!({"kind": "Workflow"})).len(), 1);
        assert_eq!(objects(json!(3)).len(), 1);
    }
}
