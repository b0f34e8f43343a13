//! The ConfigMaps and Secrets that pods here may refer to, from the files that the run came from:
//! Secrets are never copied into a log. ConfigMaps are in it; the backend takes those that it misses.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use indexmap::IndexMap;

use super::input;
use super::ui::Ui;
use crate::backend::local::LocalFiles;
use crate::spec::{self, Manifest};
use crate::store::Header;

/// Returns what pods of the run may refer to. A file that is gone is told, since what was in it
/// may be missed.
pub fn local_files(header: &Header, ui: &Ui) -> LocalFiles {
    let mut files = LocalFiles::default();
    for path in &header.files {
        match objects(path) {
            Ok(objects) => objects.iter().for_each(|object| add(object, &mut files)),
            Err(error) => ui.warning(&format!("{}; a Secret in it would be missing", error.message)),
        }
    }
    files
}

fn objects(path: &PathBuf) -> Result<Vec<Manifest>, super::Error> {
    let input = input::read(std::slice::from_ref(path))?;
    Ok(spec::read_all(&input.sources).0.into_iter().map(|read| read.manifest).collect())
}

fn add(object: &Manifest, files: &mut LocalFiles) {
    match object {
        Manifest::ConfigMap(map) => {
            let name = map.metadata.name.clone().unwrap_or_default();
            files.config_maps.insert(name, contents(&map.binary_data, &map.data));
        }
        Manifest::Secret(secret) => {
            let name = secret.metadata.name.clone().unwrap_or_default();
            files.secrets.insert(name, contents(&secret.data, &secret.string_data));
        }
        _ => {}
    }
}

/// Returns the bytes of an object's keys; texts win over base64. What is no base64 is left out,
/// and the pod that refers to it says so.
fn contents(base64: &IndexMap<String, String>, texts: &IndexMap<String, String>) -> BTreeMap<String, Vec<u8>> {
    let decoded = base64.iter().filter_map(|(key, text)| Some((key.clone(), STANDARD.decode(text.trim()).ok()?)));
    let texts = texts.iter().map(|(key, text)| (key.clone(), text.clone().into_bytes()));
    decoded.chain(texts).collect()
}
