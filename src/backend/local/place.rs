//! Putting input artifacts and the files of volumes where the containers expect them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::fault::{Doing, Fault};
use super::order::{InputArtifact, Source, Volume};
use super::{archive, repository};
use crate::base::limits::ARCHIVE_ENTRIES_MAX;

/// Puts an input artifact where it is expected. With `isolated`, what is there is the pod's own, and
/// makes way; on the host only a file does.
pub(super) fn input(input: &InputArtifact, artifacts: &Path, isolated: bool) -> Result<(), Fault> {
    let target = Path::new(&input.path);
    let folder = target.parent().ok_or_else(|| Fault::refused("an artifact cannot be the root folder"))?;
    fs::create_dir_all(folder).doing("make", folder)?;
    match &input.source {
        Source::Text(text) => {
            make_way(target, isolated)?;
            fs::write(target, text).doing("write", target)?;
        }
        Source::Key(key) => {
            let source = repository::place(artifacts, key)?;
            if !source.exists() {
                return absent(input, key);
            }
            make_way(target, isolated)?;
            stored(&source, target, input.unpack)?;
        }
    }
    input.mode.map_or(Ok(()), |mode| set_mode(target, mode, input.recurse_mode))
}

fn absent(input: &InputArtifact, key: &str) -> Result<(), Fault> {
    if input.optional { Ok(()) } else { Err(Fault::refused(format!("nothing is stored under the key `{key}`"))) }
}

fn make_way(target: &Path, isolated: bool) -> Result<(), Fault> {
    match fs::symlink_metadata(target) {
        Ok(found) if found.is_dir() && isolated => fs::remove_dir_all(target).doing("replace", target),
        Ok(found) if found.is_dir() => fs::remove_dir(target).doing("replace", target),
        Ok(_) => fs::remove_file(target).doing("replace", target),
        Err(_) => Ok(()),
    }
}

fn stored(source: &Path, target: &Path, unpack: bool) -> Result<(), Fault> {
    let unpacked = beside(target);
    if source.is_file() && unpack && archive::unpack(source, &unpacked)? {
        return unwrap(&unpacked, target);
    }
    archive::copy(source, target)
}

/// Returns a name in the same folder, so that renaming it is possible.
fn beside(target: &Path) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(".unpacked");
    target.with_file_name(name)
}

/// Makes the only thing in `folder`, else all of it, `target`: a packed file has its own name in its
/// archive, not the one that is expected. Source: `unpack` of Argo's executor.
fn unwrap(folder: &Path, target: &Path) -> Result<(), Fault> {
    let mut entries = fs::read_dir(folder).doing("list", folder)?;
    let only = match (entries.next(), entries.next()) {
        (Some(Ok(only)), None) => only.path(),
        _ => return fs::rename(folder, target).doing("move", folder),
    };
    fs::rename(&only, target).doing("move", &only)?;
    fs::remove_dir(folder).doing("remove", folder)
}

fn set_mode(path: &Path, mode: u32, recurse: bool) -> Result<(), Fault> {
    let mut waiting = vec![path.to_owned()];
    let mut entries = 0;
    while let Some(path) = waiting.pop() {
        entries += 1;
        let found = fs::symlink_metadata(&path).doing("read", &path)?;
        if found.is_symlink() || entries > ARCHIVE_ENTRIES_MAX {
            continue;
        }
        if recurse && found.is_dir() {
            for entry in fs::read_dir(&path).doing("list", &path)? {
                waiting.push(entry.doing("list", &path)?.path());
            }
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).doing("set the mode of", &path)?;
    }
    Ok(())
}

/// Fills a volume's folder below `volumes`, which is made when it is not there.
pub(super) fn volume(volume: &Volume, volumes: &Path) -> Result<(), Fault> {
    let folder = volumes.join(&volume.name);
    fs::create_dir_all(&folder).doing("make", &folder)?;
    // As a kubelet's: whoever a container's process is may write there.
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).doing("set the mode of", &folder)?;
    for file in &volume.files {
        let path = folder.join(&file.path);
        path.parent().map_or(Ok(()), fs::create_dir_all).doing("make", &path)?;
        fs::write(&path, &file.data).doing("write", &path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(file.mode)).doing("set the mode of", &path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(path: &Path, source: Source) -> InputArtifact {
        InputArtifact {
            name: "a".into(),
            path: path.display().to_string(),
            source,
            optional: false,
            unpack: true,
            mode: None,
            recurse_mode: false,
        }
    }

    #[test]
    fn an_archive_of_one_file_becomes_that_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let (store, target) = (folder.path().join("store"), folder.path().join("in/here"));
        fs::create_dir(&store).expect("a folder");
        fs::write(folder.path().join("made"), "text").expect("a file");
        archive::pack(&folder.path().join("made"), &store.join("k.tgz"), 1).expect("packed");
        let mut wanted = artifact(&target, Source::Key("k.tgz".into()));
        wanted.mode = Some(0o500);
        input(&wanted, &store, false).expect("placed");
        assert_eq!(fs::read_to_string(&target).expect("a file"), "text");
        assert_eq!(fs::metadata(&target).expect("a file").permissions().mode() & 0o777, 0o500);
        input(&wanted, &store, false).expect("a file makes way");
    }

    #[test]
    fn a_folder_stays_a_folder_and_never_makes_way_on_the_host() {
        let folder = tempfile::tempdir().expect("a folder");
        let (store, target) = (folder.path().join("store"), folder.path().join("here"));
        fs::create_dir_all(store.join("k/sub")).expect("a folder");
        fs::write(store.join("k/sub/f"), "text").expect("a file");
        input(&artifact(&target, Source::Key("k".into())), &store, false).expect("placed");
        assert_eq!(fs::read_to_string(target.join("sub/f")).expect("a file"), "text");
        assert!(input(&artifact(&target, Source::Text("x".into())), &store, false).is_err());
        input(&artifact(&target, Source::Text("x".into())), &store, true).expect("its own folder makes way");
    }

    #[test]
    fn what_is_not_stored_may_be_optional() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut wanted = artifact(&folder.path().join("x"), Source::Key("none".into()));
        let fault = input(&wanted, folder.path(), false).expect_err("it is not there").to_string();
        assert_eq!(fault, "nothing is stored under the key `none`");
        wanted.optional = true;
        input(&wanted, folder.path(), false).expect("it need not be there");
    }
}
