//! Reading what a pod leaves: output parameters, output artifacts, its log as an artifact.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use super::fault::{Doing, Fault};
use super::order::{Order, OutputArtifact};
use super::{archive, logs, repository};
use crate::base::limits::OUTPUT_PARAMETER_BYTES_MAX;
use crate::engine::{FileOutput, SavedArtifact};

/// Reads the files of all output parameters.
pub(super) fn parameters(order: &Order) -> BTreeMap<String, FileOutput> {
    let read = |path: &str| match parameter(Path::new(path)) {
        Ok(output) => output,
        Err(fault) if fault.is_absent() => FileOutput::Absent,
        Err(fault) => FileOutput::Unusable(fault.to_string()),
    };
    order.parameters.iter().map(|parameter| (parameter.name.clone(), read(&parameter.path))).collect()
}

fn parameter(path: &Path) -> Result<FileOutput, Fault> {
    let unusable = |why: String| Ok(FileOutput::Unusable(format!("`{}` {why}", path.display())));
    // A named pipe would be waited for when it is opened.
    let found = fs::metadata(path).doing("read", path)?;
    if !found.is_file() {
        return unusable("is no file".to_owned());
    }
    let mut bytes = Vec::new();
    let file = File::open(path).doing("read", path)?;
    file.take(OUTPUT_PARAMETER_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).doing("read", path)?;
    if bytes.len() > OUTPUT_PARAMETER_BYTES_MAX {
        let size = found.len();
        return unusable(format!(
            "has {size} bytes; a parameter may have {OUTPUT_PARAMETER_BYTES_MAX}, an artifact any number"
        ));
    }
    match String::from_utf8(bytes) {
        Err(_) => unusable("is not UTF-8 text; an artifact may be anything".to_owned()),
        Ok(mut text) => {
            if text.ends_with('\n') {
                text.pop();
            }
            Ok(FileOutput::Found(text))
        }
    }
}

/// Saves all output artifacts to the repository below `artifacts`, the main container's log included.
pub(super) fn artifacts(order: &Order, artifacts: &Path, main_log: &Path) -> BTreeMap<String, SavedArtifact> {
    let mut saved = BTreeMap::new();
    for output in &order.artifacts {
        let done = save(output, artifacts, |target| keep(output, target));
        saved.insert(output.artifact.name.clone(), done);
    }
    if let Some(output) = &order.main_log {
        let done = save(output, artifacts, |target| keep_log(main_log, target));
        saved.insert(output.artifact.name.clone(), done);
    }
    saved
}

fn save(output: &OutputArtifact, artifacts: &Path, keep: impl FnOnce(&Path) -> Result<(), Fault>) -> SavedArtifact {
    let stored = repository::place(artifacts, &output.key).and_then(|target| store(&target, keep));
    match stored {
        Ok(()) => SavedArtifact::Saved(Box::new(output.artifact.clone())),
        Err(fault) if fault.is_absent() && !Path::new(&output.path).exists() => SavedArtifact::Absent,
        Err(fault) => SavedArtifact::Unusable(fault.to_string()),
    }
}

/// Has `keep` make something beside `target`, and puts it there whole.
fn store(target: &Path, keep: impl FnOnce(&Path) -> Result<(), Fault>) -> Result<(), Fault> {
    let folder = target.parent().unwrap_or(target);
    fs::create_dir_all(folder).doing("make", folder)?;
    let made = tempfile::Builder::new().prefix(".saving-").tempdir_in(folder).doing("make a folder in", folder)?;
    let part = made.path().join("part");
    keep(&part)?;
    if target.is_dir() {
        // Folders are not renamed over; only a key that the manifest gives is written twice.
        fs::remove_dir_all(target).doing("replace", target)?;
    }
    fs::rename(&part, target).doing("store", target)
}

fn keep(output: &OutputArtifact, target: &Path) -> Result<(), Fault> {
    let path = PathBuf::from(&output.path);
    match output.pack {
        Some(level) => archive::pack(&path, target, level),
        None => archive::copy(&path, target),
    }
}

fn keep_log(log: &Path, target: &Path) -> Result<(), Fault> {
    if !log.exists() {
        return fs::write(target, "").doing("make", target);
    }
    let mut reader = BufReader::new(File::open(log).doing("open", log)?);
    let mut writer = BufWriter::new(File::create(target).doing("make", target)?);
    logs::copy_text(&mut reader, &mut writer).and_then(|()| writer.flush()).doing("copy", log)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: Option<&[u8]>) -> FileOutput {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("p");
        if let Some(content) = content {
            fs::write(&path, content).expect("a file");
        }
        parameter(&path).unwrap_or_else(|fault| {
            assert!(fault.is_absent(), "{fault}");
            FileOutput::Absent
        })
    }

    #[test]
    fn parameters_are_read_within_bounds() {
        let found = |text: &str| FileOutput::Found(text.to_owned());
        assert_eq!(read(Some(b"a\n\n")), found("a\n"));
        assert_eq!(read(Some(b"")), found(""));
        assert_eq!(read(None), FileOutput::Absent);
        let full = vec![b'x'; OUTPUT_PARAMETER_BYTES_MAX];
        assert!(matches!(read(Some(&full)), FileOutput::Found(_)));
        let over = vec![b'x'; OUTPUT_PARAMETER_BYTES_MAX + 1];
        for (content, part) in [(&over[..], "has 1048577 bytes"), (&b"\xff\xfe"[..], "is not UTF-8")] {
            let FileOutput::Unusable(why) = read(Some(content)) else { panic!("it cannot be taken: {part}") };
            assert!(why.contains(part), "{why}");
        }
        let FileOutput::Unusable(why) = parameter(Path::new("/")).expect("a folder is there") else {
            panic!("a folder")
        };
        assert_eq!(why, "`/` is no file");
    }

    #[test]
    fn a_key_is_written_whole_and_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("a/b");
        for text in ["one", "two"] {
            store(&target, |part| fs::write(part, text).doing("write", part)).expect("stored");
            assert_eq!(fs::read_to_string(&target).expect("a file"), text);
        }
        let failed = store(&target, |part| Err(Fault::refused(part.display().to_string())));
        assert!(failed.is_err());
        assert_eq!(fs::read_dir(folder.path().join("a")).expect("a folder").count(), 1, "nothing is left behind");
    }
}
