//! Volumes and volume claims that decode, and that the API server refuses all the same.
//!
//! Source: Kubernetes' `pkg/apis/core/validation`: `ValidateVolumes`, `ValidatePersistentVolumeClaimSpec`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Checked;
use super::containers::{list, text};
use super::metadata::is_label;
use super::pods::{choice, error};
use crate::plan::problem::{Place, Problem};
use crate::plan::problems::Problems;
use crate::plan::rules;
use crate::spec;

/// Bytes of a container's or a volume's name.
pub(super) const NAME_BYTES_MAX: usize = 63;

const HOST_PATHS: [&str; 7] =
    ["DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"];
const ACCESS_MODES: [&str; 4] = ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"];

/// Bits that the mode of a file may have.
const MODE_MAX: i64 = 0o777;

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    let spec = &checked.draft.resolved.spec;
    let place = Place::root().key("spec");
    volumes(&spec.volumes, &place.key("volumes"), problems);
    claims(&spec.volume_claim_templates, &place.key("volumeClaimTemplates"), problems);
    for template in &checked.draft.templates {
        volumes(&template.spec.volumes, &template.place.key("volumes"), problems);
    }
}

/// Volumes have a name each, and one source.
fn volumes(volumes: &[spec::Json], place: &Place, problems: &mut Problems) {
    let mut seen: BTreeMap<&str, Place> = BTreeMap::new();
    for (index, volume) in volumes.iter().enumerate() {
        let place = place.index(index);
        let name = text(&volume.0, "name");
        if name.is_empty() {
            problems.push(error(place, "a volume has no name").help("add `name`"));
            continue;
        }
        problems.extend(bad_name(name, "a volume", &place));
        problems.extend(two_sources(&volume.0, name, &place));
        of_source(&volume.0, &place, problems);
        if let Some(first) = seen.get(name) {
            let problem = error(place.key("name"), format!("two volumes are named `{name}`"));
            problems.push(problem.also(first.clone(), "the first is here").help("rename one of them"));
        }
        seen.entry(name).or_insert(place.key("name"));
    }
}

/// Returns what is wrong with the name of a container, a volume or a claim.
pub(super) fn bad_name(name: &str, what: &str, place: &Place) -> Option<Problem> {
    let is_fine = name.is_empty() || name.contains("{{") || (is_label(name) && name.len() <= NAME_BYTES_MAX);
    let message = || format!("`{name}` cannot be the name of {what}: small letters, digits and `-`, at most 63");
    (!is_fine).then(|| error(place.key("name"), message()))
}

fn two_sources(volume: &Value, name: &str, place: &Place) -> Option<Problem> {
    let fields = volume.as_object().into_iter().flatten();
    let mut sources = fields.filter(|(key, value)| *key != "name" && !value.is_null()).map(|(key, _)| key);
    let (first, second) = (sources.next()?, sources.next()?);
    let problem = error(place.key(second), format!("the volume `{name}` is both `{first}` and `{second}`"));
    Some(problem.also(place.key(first), "the other is here").help("make two volumes of it"))
}

fn of_source(volume: &Value, place: &Place, problems: &mut Problems) {
    if let Some(host) = volume.get("hostPath") {
        let place = place.key("hostPath");
        problems.extend(choice(text(host, "type"), &HOST_PATHS, "a type of `hostPath`", &place.key("type")));
        problems.extend(upwards(text(host, "path"), &place.key("path")));
    }
    if let Some(medium) = volume.pointer("/emptyDir/medium").and_then(Value::as_str) {
        let is_huge = medium.starts_with("HugePages");
        let place = place.down("emptyDir.medium");
        problems.extend(choice(medium, &["Memory"], "a medium of `emptyDir`", &place).filter(|_| !is_huge));
    }
    for key in ["configMap", "secret", "downwardAPI", "projected"] {
        let Some(source) = volume.get(key) else { continue };
        let place = place.key(key);
        problems.extend(bad_mode(source, "defaultMode", &place));
        files(source, &place, problems);
        for (index, part) in list(source, "sources").iter().enumerate() {
            let place = place.key("sources").index(index);
            for (key, part) in part.as_object().into_iter().flatten() {
                files(part, &place.key(key), problems);
            }
        }
    }
}

/// The files that a ConfigMap, a Secret or the downward API becomes.
fn files(source: &Value, place: &Place, problems: &mut Problems) {
    for (index, item) in list(source, "items").iter().enumerate() {
        let place = place.key("items").index(index);
        let path = text(item, "path");
        problems.extend(bad_mode(item, "mode", &place));
        problems.extend(upwards(path, &place.key("path")));
        if path.starts_with('/') {
            let message = format!("the path `{path}` has to be relative: it lies within the volume");
            problems.push(error(place.key("path"), message).help("take the first `/` away"));
        }
    }
}

/// Returns the problem of a path that goes up.
pub(super) fn upwards(path: &str, place: &Place) -> Option<Problem> {
    let goes_up = path.split('/').any(|part| part == "..");
    goes_up.then(|| error(place.clone(), format!("the path `{path}` contains `..`")))
}

fn bad_mode(source: &Value, key: &str, place: &Place) -> Option<Problem> {
    let mode = source.get(key).and_then(Value::as_i64).filter(|mode| !(0..=MODE_MAX).contains(mode))?;
    let message = format!("`{mode}` is no mode of a file: modes go from 0 to 0777, which is 511");
    let problem = error(place.key(key), message);
    // `644` is what people write who mean the octal number.
    let meant = i64::from_str_radix(&mode.to_string(), 8).ok().filter(|meant| (0..=MODE_MAX).contains(meant));
    Some(match meant {
        Some(_) => problem.help(format!("write the octal number: `0{mode}`")),
        None => problem,
    })
}

fn claims(claims: &[spec::Json], place: &Place, problems: &mut Problems) {
    let mut seen: BTreeMap<&str, Place> = BTreeMap::new();
    for (index, claim) in claims.iter().enumerate() {
        let place = place.index(index);
        let name = claim.0.get("metadata").map_or("", |metadata| text(metadata, "name"));
        let spec = claim.0.get("spec").unwrap_or(&Value::Null);
        if name.is_empty() {
            problems.push(error(place.clone(), "a volume claim has no name").help("add `metadata.name`"));
        } else if let Some(first) = seen.get(name) {
            let problem = error(place.down("metadata.name"), format!("two volume claims are named `{name}`"));
            problems.push(problem.also(first.clone(), "the first is here").help("rename one of them"));
        }
        problems.extend(bad_name(name, "a volume claim", &place.key("metadata")));
        of_claim(name, spec, &place.key("spec"), problems);
        seen.entry(name).or_insert(place.down("metadata.name"));
    }
}

fn of_claim(name: &str, spec: &Value, place: &Place, problems: &mut Problems) {
    if list(spec, "accessModes").is_empty() {
        let message = format!("the volume claim `{name}` does not say how it is accessed");
        problems.push(error(place.clone(), message).help("add `accessModes`, such as `[ReadWriteOnce]`"));
    }
    for (index, mode) in list(spec, "accessModes").iter().enumerate() {
        let place = place.key("accessModes").index(index);
        problems.extend(choice(mode.as_str().unwrap_or_default(), &ACCESS_MODES, "an access mode", &place));
    }
    if spec.pointer("/resources/requests/storage").is_none() {
        let message = format!("the volume claim `{name}` does not say how much it needs");
        problems.push(error(place.clone(), message).help("add `resources.requests.storage`"));
    }
    problems.extend(choice(
        text(spec, "volumeMode"),
        &["Filesystem", "Block"],
        "a volume mode",
        &place.key("volumeMode"),
    ));
}

/// What is mounted lies at a path of its own, within its container and within its volume.
pub(super) fn mounts(container: &Value, place: &Place, problems: &mut Problems) {
    for (index, mount) in list(container, "volumeMounts").iter().enumerate() {
        let place = place.key("volumeMounts").index(index);
        let (path, below) = (text(mount, "mountPath"), text(mount, "subPath"));
        if path.is_empty() {
            problems.push(error(place.clone(), "a volume is mounted nowhere").help("add `mountPath`"));
        } else if path.contains(':') && !path.contains("{{") {
            problems.push(error(place.key("mountPath"), format!("the path `{path}` contains `:`")));
        }
        problems.extend(
            upwards(below, &place.key("subPath"))
                .map(|problem| Problem { message: "`subPath` leads out of the volume by `..`".to_owned(), ..problem }),
        );
        if below.starts_with('/') {
            let message = format!("`subPath` is `{below}`, and has to be relative");
            problems.push(error(place.key("subPath"), message).help("take the first `/` away"));
        }
        if !below.is_empty() && !text(mount, "subPathExpr").is_empty() {
            let problem = error(place.key("subPathExpr"), "a mount has both `subPath` and `subPathExpr`");
            problems.push(problem.also(place.key("subPath"), "`subPath` is here").help("keep the one that is meant"));
        }
        let known = ["None", "HostToContainer", "Bidirectional"];
        let place = place.key("mountPropagation");
        problems.extend(choice(text(mount, "mountPropagation"), &known, "a way to propagate mounts", &place));
    }
}

/// Returns what stands in the manifest instead of a volume: a problem of [`rules::MOUNT`].
pub(super) fn mounted_twice(path: &str, place: &Place, first: &Place) -> Problem {
    let message = format!("two things are mounted at `{path}`");
    Problem::error(rules::MOUNT, place.clone(), message).also(first.clone(), "the first is here")
}
