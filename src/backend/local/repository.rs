//! The run's artifact repository: a folder in which each key is a file or a folder.

use std::path::{Component, Path, PathBuf};

use super::fault::Fault;
use crate::spec;

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
    spec::ArtifactLocation { s3: Some(s3), ..Default::default() }
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
    fn only_keys_without_a_bucket_are_ours() {
        assert_eq!(own_key(&location("a/b")), Some("a/b"));
        let mut other = location("a");
        other.s3.as_mut().expect("just made").bucket.bucket = Some("mine".into());
        assert_eq!(own_key(&other), None);
        assert_eq!(own_key(&spec::ArtifactLocation::default()), None);
    }
}
