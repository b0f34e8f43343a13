//! From the volumes of a template and its workflow to what is mounted here.

use serde_json::Value;

use super::environment::{PodFacts, field, items, object, text};
use super::fault::Fault;
use super::files::Data;
use super::order::{Volume, VolumeFile};
use super::prepare::Surroundings;

/// What files of a volume may do when the manifest says nothing: Kubernetes' `defaultMode`.
const MODE_DEFAULT: u32 = 0o644;

/// The kinds of volumes that there are here.
pub(super) const KINDS: [&str; 5] = ["emptyDir", "configMap", "secret", "downwardAPI", "projected"];

/// Returns the volume that `volume` declares.
pub(super) fn volume(volume: &Value, around: &Surroundings<'_>) -> Result<Volume, Fault> {
    let name = text(volume, "name").unwrap_or_default().to_owned();
    // The name becomes that of a folder.
    if name.is_empty() || name.contains('/') || name.starts_with('.') {
        return Err(refused(&name, "must be named as Kubernetes wants it: by letters, digits and `-`"));
    }
    let kind = kind(volume).unwrap_or("emptyDir");
    let source = &volume[kind];
    let mut files = Vec::new();
    match kind {
        "emptyDir" => {}
        "projected" => {
            for part in items(source, "sources") {
                let mode = default_mode(source, MODE_DEFAULT);
                let part_kind =
                    ["configMap", "secret", "downwardAPI"].into_iter().find(|kind| part.get(kind).is_some());
                let part_kind = part_kind.ok_or_else(|| refused(&name, "projects what is not known here"))?;
                files.extend(content(part_kind, &part[part_kind], mode, around)?);
            }
        }
        known if KINDS.contains(&known) => files = content(known, source, default_mode(source, MODE_DEFAULT), around)?,
        other => return Err(refused(&name, &format!("is of kind `{other}`, which there is not here"))),
    }
    let in_memory = kind != "emptyDir" || source["medium"] == "Memory";
    Ok(Volume { name, files, in_memory })
}

/// Returns the kind of a volume: its field besides the name.
pub(super) fn kind(volume: &Value) -> Option<&str> {
    volume.as_object()?.keys().map(String::as_str).find(|key| *key != "name")
}

fn refused(name: &str, why: &str) -> Fault {
    Fault::refused(format!("the volume `{name}` {why}"))
}

fn default_mode(source: &Value, otherwise: u32) -> u32 {
    mode(&source["defaultMode"]).unwrap_or(otherwise)
}

fn mode(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|mode| u32::try_from(mode).ok()).map(|mode| mode & 0o777)
}

fn content(kind: &str, source: &Value, mode: u32, around: &Surroundings<'_>) -> Result<Vec<VolumeFile>, Fault> {
    let objects = match kind {
        "configMap" => &around.files.config_maps,
        "secret" => &around.files.secrets,
        _ => return items(source, "items").map(|item| fact(item, mode, &around.facts)).collect(),
    };
    let title = if kind == "secret" { "Secret" } else { "ConfigMap" };
    let Some(data) = object(title, source, objects)? else { return Ok(Vec::new()) };
    if source["items"].is_array() { chosen(source, data, mode) } else { Ok(whole(data, mode)) }
}

fn whole(data: &Data, mode: u32) -> Vec<VolumeFile> {
    data.iter().map(|(key, data)| VolumeFile { path: key.clone(), data: data.clone(), mode }).collect()
}

fn chosen(source: &Value, data: &Data, mode_default: u32) -> Result<Vec<VolumeFile>, Fault> {
    let optional = source["optional"] == true;
    let mut files = Vec::new();
    for item in items(source, "items") {
        let key = text(item, "key").unwrap_or_default();
        match data.get(key) {
            Some(data) => {
                let mode = mode(&item["mode"]).unwrap_or(mode_default);
                files.push(VolumeFile { path: relative(item)?, data: data.clone(), mode });
            }
            None if optional => {}
            None => return Err(Fault::refused(format!("a volume names the key `{key}`, which is not there"))),
        }
    }
    Ok(files)
}

fn fact(item: &Value, mode_default: u32, facts: &PodFacts) -> Result<VolumeFile, Fault> {
    let path = text(&item["fieldRef"], "fieldPath").unwrap_or_default();
    let mode = mode(&item["mode"]).unwrap_or(mode_default);
    Ok(VolumeFile { path: relative(item)?, data: field(path, facts)?.into_bytes(), mode })
}

fn relative(item: &Value) -> Result<String, Fault> {
    let path = text(item, "path").unwrap_or_default();
    if path.is_empty() || path.starts_with('/') || path.split('/').any(|part| part == "..") {
        return Err(Fault::refused(format!("the path `{path}` in a volume must be relative and without `..`")));
    }
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::super::files::LocalFiles;
    use super::*;

    fn files() -> LocalFiles {
        let data = Data::from([("a".to_owned(), b"1".to_vec()), ("b".to_owned(), b"2".to_vec())]);
        LocalFiles {
            config_maps: BTreeMap::from([("conf".into(), data.clone())]),
            secrets: BTreeMap::from([("cred".into(), data)]),
        }
    }

    fn check(declared: Value, expected: Result<(&str, bool), ()>) {
        let files = files();
        let facts = PodFacts { name: "pod".into(), ..PodFacts::default() };
        let around = Surroundings { facts, files: &files, base_env: &[] };
        let actual = volume(&declared, &around).map_err(|_| ()).map(|volume| {
            let show =
                |file: &VolumeFile| format!("{}={}:{:o}", file.path, String::from_utf8_lossy(&file.data), file.mode);
            (volume.files.iter().map(show).collect::<Vec<_>>().join(" "), volume.in_memory)
        });
        assert_eq!(actual, expected.map(|(text, secret)| (text.to_owned(), secret)), "{declared}");
    }

    #[test]
    fn volumes_have_the_files_of_their_source() {
        check(json!({ "name": "v", "emptyDir": {} }), Ok(("", false)));
        check(json!({ "name": "v", "emptyDir": { "medium": "Memory" } }), Ok(("", true)));
        check(json!({ "name": "v", "configMap": { "name": "conf" } }), Ok(("a=1:644 b=2:644", true)));
        let item = json!({ "key": "b", "path": "x/b", "mode": 0o400 });
        check(json!({ "name": "v", "secret": { "secretName": "cred", "items": [item] } }), Ok(("x/b=2:400", true)));
        check(json!({ "name": "v", "secret": { "secretName": "no", "optional": true } }), Ok(("", true)));
        check(json!({ "name": "v", "secret": { "secretName": "no" } }), Err(()));
        check(
            json!({ "name": "v", "configMap": { "name": "conf", "items": [{ "key": "a", "path": "../a" }] } }),
            Err(()),
        );
        let name = json!({ "path": "n", "fieldRef": { "fieldPath": "metadata.name" } });
        check(json!({ "name": "v", "downwardAPI": { "items": [name] } }), Ok(("n=pod:644", true)));
        let parts = json!([{ "secret": { "name": "cred" } }, { "downwardAPI": { "items": [name] } }]);
        check(json!({ "name": "v", "projected": { "sources": parts } }), Ok(("a=1:644 b=2:644 n=pod:644", true)));
        check(json!({ "name": "v", "nfs": { "server": "x" } }), Err(()));
        check(json!({ "name": "../v", "emptyDir": {} }), Err(()));
    }
}
