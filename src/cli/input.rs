//! Reading manifests: files, folders, standard input, each with a bound and a clear refusal.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::error::{Error, Kind};
use crate::base::limits;
use crate::source::Sources;

/// Files of one command. A folder with more is more likely a mistake than a project.
const FILES_MAX: usize = 10_000;

/// How deep folders are entered; links that lead back up end here.
const FOLDER_DEPTH_MAX: usize = 32;

/// What ends the name of a manifest in a folder.
const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// The name of standard input as a file, and in diagnostics.
pub const STDIN: &str = "-";

/// What was read, and where from.
#[derive(Debug, Default)]
pub struct Input {
    /// The texts.
    pub sources: Sources,
    /// The files, without standard input; what a run reads its secrets from again.
    pub files: Vec<PathBuf>,
}

/// Reads every file that `paths` name; folders are searched for `.yaml`, `.yml` and `.json`.
pub fn read(paths: &[PathBuf]) -> Result<Input, Error> {
    let mut input = Input::default();
    for path in paths {
        if path.as_os_str() == STDIN {
            let bytes = bounded("standard input", &mut std::io::stdin().lock(), MANIFEST)?;
            input.sources.add("<stdin>", bytes);
            continue;
        }
        let mut found = Vec::new();
        collect(path, 0, &mut found)?;
        for file in found {
            input.sources.add(file.display().to_string(), read_bytes(&file)?);
            input.files.push(std::path::absolute(&file).unwrap_or(file));
        }
    }
    if input.sources.ids().next().is_none() {
        let names: Vec<String> = paths.iter().map(|path| format!("`{}`", path.display())).collect();
        return Err(Error::new(Kind::NotFound, format!("found no .yaml, .yml or .json file in {}", names.join(", "))));
    }
    Ok(input)
}

/// Collects the files of a path in the order of their names.
fn collect(path: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Error> {
    let about = |error: std::io::Error| unreadable(path, &error);
    if !std::fs::metadata(path).map_err(about)?.is_dir() {
        found.push(path.to_owned());
    } else if depth < FOLDER_DEPTH_MAX {
        let entries = std::fs::read_dir(path).map_err(about)?;
        let mut entries: Vec<PathBuf> =
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().map_err(about)?;
        entries.sort();
        for entry in entries.iter().filter(|entry| is_wanted(entry)) {
            collect(entry, depth + 1, found)?;
        }
    }
    if found.len() > FILES_MAX {
        return Err(Error::new(Kind::Usage, format!("`{}` holds more than {FILES_MAX} files", path.display())));
    }
    Ok(())
}

/// Returns whether an entry of a folder is looked at: manifests and folders that are not hidden.
fn is_wanted(path: &Path) -> bool {
    let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    !is_hidden && (path.is_dir() || EXTENSIONS.contains(&extension))
}

/// Reads a text file within the bound for manifests.
pub fn read_text(path: &Path) -> Result<String, Error> {
    text_of(&format!("`{}`", path.display()), read_bytes(path)?)
}

/// Reads a text, which may be standard input, of at most `most` bytes.
pub fn read_large(path: &Path, most: Bound) -> Result<String, Error> {
    if path.as_os_str() == STDIN {
        return text_of("standard input", bounded("standard input", &mut std::io::stdin().lock(), most)?);
    }
    text_of(&format!("`{}`", path.display()), read_within(path, most)?)
}

/// Reads a file within the bound for manifests; whether it is text is for diagnostics to say.
fn read_bytes(path: &Path) -> Result<Vec<u8>, Error> {
    read_within(path, MANIFEST)
}

/// How many bytes are read at most, and the limit that says so.
pub type Bound = (usize, &'static str);

const MANIFEST: Bound = (limits::MANIFEST_BYTES_MAX, "MANIFEST_BYTES_MAX");

/// The bound for what is imported.
pub const IMPORT: Bound = (limits::IMPORT_BYTES_MAX, "IMPORT_BYTES_MAX");

fn read_within(path: &Path, most: Bound) -> Result<Vec<u8>, Error> {
    let name = format!("`{}`", path.display());
    let about = |error: std::io::Error| unreadable(path, &error);
    let mut file = File::open(path).map_err(about)?;
    let metadata = file.metadata().map_err(about)?;
    if metadata.is_dir() {
        return Err(Error::new(Kind::Usage, format!("{name} is a folder, not a file")));
    }
    // The size of a pipe is 0; reading is bounded all the same.
    if metadata.len() > most.0 as u64 {
        return Err(too_large(&name, most));
    }
    bounded(&name, &mut file, most)
}

fn bounded(name: &str, from: &mut impl Read, most: Bound) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = from.take(most.0 as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| Error::io(format!("read {name}"), &error))?;
    if bytes.len() > most.0 { Err(too_large(name, most)) } else { Ok(bytes) }
}

fn too_large(name: &str, (most, limit): Bound) -> Error {
    Error::new(Kind::Usage, format!("{name} is larger than {} MiB ({limit}), so it is no manifest", most >> 20))
}

/// Returns the text of `bytes`, or where they stop being text.
fn text_of(name: &str, bytes: Vec<u8>) -> Result<String, Error> {
    if let Some(at) = bytes.iter().position(|&byte| byte == 0) {
        return Err(Error::new(Kind::Usage, format!("{name} is binary: there is a zero byte at offset {at}")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes()[..at].iter().filter(|&&byte| byte == b'\n').count();
        Error::new(Kind::Usage, format!("{name} is not UTF-8: line {line}, offset {at}"))
            .hint("convert it, for example: iconv -f latin1 -t utf-8")
    })
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    let failed = Error::io(format!("read `{}`", path.display()), error);
    let near = if failed.kind == Kind::NotFound { nearest_sibling(path) } else { None };
    match near {
        Some(name) => failed.hint(format!("did you mean `{name}`?")),
        None => failed,
    }
}

/// Returns the file beside `path` whose name is nearest.
fn nearest_sibling(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let entries = std::fs::read_dir(folder.unwrap_or(Path::new("."))).ok()?.take(FILES_MAX);
    let names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    let nearest = crate::base::suggest::nearest(name, names.iter().map(String::as_str))?;
    Some(folder.map_or_else(|| nearest.to_owned(), |folder| folder.join(nearest).display().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, bytes) in [
            ("b.yaml", b"kind: b\n".as_slice()),
            ("sub/a.yml", b"kind: a\n"),
            ("sub/.hidden/x.yaml", b"kind: x\n"),
            ("notes.txt", b"no manifest"),
            ("latin", b"a: 1\nb: caf\xe9\n"),
            ("binary", b"\x7fELF\0\0"),
        ] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, bytes).expect("a file");
        }
        folder
    }

    #[test]
    fn folders_are_searched_in_order() {
        let folder = folder();
        let input = read(&[folder.path().to_owned()]).expect("manifests");
        let names: Vec<_> =
            input.files.iter().map(|file| file.strip_prefix(folder.path()).expect("inside").to_owned()).collect();
        assert_eq!(names, [PathBuf::from("b.yaml"), PathBuf::from("sub/a.yml")]);
    }

    #[test]
    fn what_is_no_text_is_refused_with_its_place() {
        let folder = folder();
        std::fs::File::create(folder.path().join("huge.yaml"))
            .and_then(|file| file.set_len(100 << 20))
            .expect("a sparse file");
        for (name, kind, part) in [
            ("latin", Kind::Usage, "is not UTF-8: line 2, offset 11"),
            ("binary", Kind::Usage, "is binary: there is a zero byte at offset 4"),
            ("huge.yaml", Kind::Usage, "is larger than 32 MiB"),
            ("b.yml", Kind::NotFound, "failed to read"),
        ] {
            let error = read_text(&folder.path().join(name)).expect_err(name);
            assert_eq!(error.kind, kind, "{error:?}");
            assert!(error.message.contains(part), "{error:?}");
        }
        let missing = read(&[folder.path().join("b.yml")]).expect_err("missing");
        assert!(missing.hints.iter().any(|hint| hint.contains("b.yaml")), "{missing:?}");
    }
}
