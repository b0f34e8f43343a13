//! Texts that reach a pod as files: its script and its raw input artifacts.
//!
//! Each lies in an annotation of the pod, which a `downwardAPI` volume projects to a file: no
//! further object is made, and what is too large fails before anything is. The files cannot be
//! written to.

use serde_json::{Map, Value, json};

use super::fault::Refusal;
use super::json::list;
use super::names;
use crate::engine::PodRequest;
use crate::spec;

/// Where a script is put, as in Argo: its name is the last argument of the command.
pub(super) const SCRIPT_PATH: &str = "/argo/staging/script";

/// What may be done with a script: `sh -c` runs its file as a program. Source: Argo's `StageFiles`.
const SCRIPT_MODE: i32 = 0o755;

/// The volume of the files.
pub(super) const VOLUME: &str = "wf-files";

/// A text that a pod sees as a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TextFile {
    /// The annotation that holds it.
    annotation: String,
    /// Its name in the volume.
    name: String,
    /// What it holds.
    text: String,
    /// The absolute path where the main container expects it.
    path: String,
    /// Its mode; the volume's default when absent.
    mode: Option<i32>,
}

/// Returns the files that `request` brings.
pub(super) fn files(request: &PodRequest) -> Result<Vec<TextFile>, Refusal> {
    let script = request.template.script.as_ref().filter(|script| !script.source.is_empty());
    let mut files: Vec<TextFile> = script.into_iter().map(|script| of_script(&script.source)).collect();
    let declared = request.template.inputs.iter().flat_map(|inputs| &inputs.artifacts);
    for (at, declared) in declared.enumerate() {
        let given = request.inputs.artifact(&declared.name).map_or(declared, |given| given);
        files.extend(of_artifact(at, declared, given)?);
    }
    Ok(files)
}

fn of_script(source: &str) -> TextFile {
    TextFile {
        annotation: names::SCRIPT.to_owned(),
        name: "script".to_owned(),
        text: source.to_owned(),
        path: SCRIPT_PATH.to_owned(),
        mode: Some(SCRIPT_MODE),
    }
}

/// Returns the file of an input: `declared` says where it is wanted, `given` what it is.
fn of_artifact(at: usize, declared: &spec::Artifact, given: &spec::Artifact) -> Result<Option<TextFile>, Refusal> {
    let Some(path) = declared.path.as_deref().or(given.path.as_deref()) else { return Ok(None) };
    let Some(raw) = &given.location.raw else {
        let optional = declared.optional == Some(true) || given.optional == Some(true);
        return match optional {
            true => Ok(None),
            false => Err(Refusal::NoArtifact { artifact: declared.name.clone() }),
        };
    };
    Ok(Some(TextFile {
        annotation: format!("{}{at}", names::RAW),
        name: format!("raw-{at}"),
        text: raw.data.clone(),
        path: if path.starts_with('/') { path.to_owned() } else { format!("/{path}") },
        mode: declared.mode,
    }))
}

impl TextFile {
    /// Returns the mount by which a container sees it.
    pub(super) fn mount(&self) -> Value {
        json!({ "name": VOLUME, "mountPath": self.path, "subPath": self.name, "readOnly": true })
    }
}

/// Adds what the files need to a pod: annotations and the volume that projects them.
pub(super) fn add(files: &[TextFile], annotations: &mut Map<String, Value>, spec: &mut Map<String, Value>) {
    if files.is_empty() {
        return;
    }
    annotations.extend(files.iter().map(|file| (file.annotation.clone(), file.text.as_str().into())));
    let items: Vec<Value> = files.iter().map(item).collect();
    list(spec, "volumes").push(json!({ "name": VOLUME, "downwardAPI": { "items": items } }));
}

fn item(file: &TextFile) -> Value {
    let field = format!("metadata.annotations['{}']", file.annotation);
    let mut item = json!({ "path": file.name, "fieldRef": { "fieldPath": field } });
    if let Some(mode) = file.mode {
        item["mode"] = mode.into();
    }
    item
}
