//! The run's artifact repository: a folder in which each key is a file or a folder.

use std::io;
use std::path::{Component, Path, PathBuf};

use super::fault::Fault;
use super::layout::Layout;
use crate::engine::PodRequest;
use crate::spec;

/// Returns the beginning of the keys of a pod's artifacts. The run's name is in it, so that what
/// another run made can lie beside what this one makes.
pub(super) fn folder_key(request: &PodRequest) -> String {
    format!("{}/{}", request.pod_name, request.node)
}

/// Gives the run in the folder `to` those of `artifacts` that the run in the folder `from` made, so
/// that they stay when that run is deleted.
pub fn share_artifacts<'a>(
    from: &Path,
    to: &Path,
    artifacts: impl IntoIterator<Item = &'a spec::Artifact>,
) -> io::Result<()> {
    let keys = artifacts.into_iter().filter_map(|artifact| own_key(&artifact.location));
    share(&Layout::new(from).artifacts(), &Layout::new(to).artifacts(), keys)
}

/// Puts artifacts of one repository into another, under the same keys: as further names of the
/// same files where the disk can do that. What is there already stays, and what is not there is
/// left to whoever asks for it.
fn share<'k>(from: &Path, to: &Path, keys: impl IntoIterator<Item = &'k str>) -> io::Result<()> {
    for key in keys {
        if let (Ok(source), Ok(target)) = (place(from, key), place(to, key)) {
            share_file(&source, &target)?;
        }
    }
    Ok(())
}

/// Recursion is bounded by the depth of the folder that a step made.
fn share_file(source: &Path, target: &Path) -> io::Result<()> {
    let Ok(kind) = source.symlink_metadata() else { return Ok(()) };
    if kind.is_dir() {
        for entry in std::fs::read_dir(source)? {
            let entry = entry?;
            share_file(&entry.path(), &target.join(entry.file_name()))?;
        }
        return Ok(());
    }
    if target.exists() {
        return Ok(());
    }
    if let Some(folder) = target.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::hard_link(source, target).or_else(|_| std::fs::copy(source, target).map(|_| ()))
}

/// Returns the place of `key` below `root`. A key is a relative path that never goes up; slashes
/// at its edges, which object stores are given at times, mean nothing.
pub(super) fn place(root: &Path, key: &str) -> Result<PathBuf, Fault> {
    let path = Path::new(key.trim_matches('/'));
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    if plain && !path.as_os_str().is_empty() {
        Ok(root.join(path))
    } else {
        Err(Fault::refused(format!("`{key}` is no key: it must be a relative path without `.` and `..`")))
    }
}

/// Returns the key of an artifact that lies in the run's repository: one whose location is an
/// S3 key without bucket and endpoint, which Argo completes from the default repository.
pub(super) fn own_key(location: &spec::ArtifactLocation) -> Option<&str> {
    let s3 = location.s3.as_ref()?;
    (s3.bucket.bucket.is_none() && s3.bucket.endpoint.is_none()).then_some(())?;
    s3.key.as_deref().filter(|key| !key.is_empty())
}

/// Returns the location in the run's repository of what has `key`.
pub(super) fn location(key: &str) -> spec::ArtifactLocation {
    let s3 = spec::S3Artifact { key: Some(key.to_owned()), ..Default::default() };
    spec::ArtifactLocation { s3: Some(Box::new(s3)), ..Default::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_below_the_root() {
        let root = Path::new("/r");
        for (key, place_) in [("a", "/r/a"), ("a/b.tgz", "/r/a/b.tgz"), ("/a/", "/r/a"), ("a//b", "/r/a/b")] {
            assert_eq!(place(root, key).expect(key), Path::new(place_));
        }
        for key in ["", "/", "..", "a/../..", "./..", "a/..", "../x"] {
            assert!(place(root, key).is_err(), "{key}");
        }
    }

    #[test]
    fn a_shared_artifact_outlives_its_first_run() {
        let folder = tempfile::tempdir().expect("a folder");
        let (old, new) = (folder.path().join("old"), folder.path().join("new"));
        std::fs::create_dir_all(old.join("r/1/deep")).expect("folders");
        std::fs::write(old.join("r/1/deep/f"), "kept").expect("a file");
        share(&old, &new, ["r/1/deep", "r/2/missing", "../out"]).expect("shared");
        share(&old, &new, ["r/1/deep"]).expect("shared again");
        std::fs::remove_dir_all(&old).expect("removed");
        assert_eq!(std::fs::read_to_string(new.join("r/1/deep/f")).expect("still there"), "kept");
    }

    #[test]
    fn only_keys_without_a_bucket_are_ours() {
        assert_eq!(own_key(&location("a/b")), Some("a/b"));
        let mut other = location("a");
        other.s3.as_mut().expect("just made").bucket.bucket = Some("mine".into());
        assert_eq!(own_key(&other), None);
        assert_eq!(own_key(&spec::ArtifactLocation::default()), None);
    }
}
