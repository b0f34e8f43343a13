//! Packing and unpacking, without trusting what is unpacked.
//!
//! An archive came from a step, which may have made it as it liked. Entries stay below the folder
//! that they are unpacked to, and nothing is written through a link: the `tar` crate sees to both.
//! Here are the caps, and what an archive may hold: files, folders, links that stay inside.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read};
use std::path::{Component, Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use tar::{Archive, Builder, Entry, EntryType};

use super::fault::{Doing, Fault};
use crate::base::limits::{ARCHIVE_BYTES_MAX, ARCHIVE_ENTRIES_MAX};

/// Packs the file or folder at `path` to `target`. Its name stands at the root of the archive.
pub(super) fn pack(path: &Path, target: &Path, level: u32) -> Result<(), Fault> {
    let name = path.file_name().map_or_else(|| PathBuf::from("root"), PathBuf::from);
    let file = File::create(target).doing("make", target)?;
    let mut builder = Builder::new(GzEncoder::new(BufWriter::new(file), Compression::new(level)));
    builder.follow_symlinks(false);
    let real = fs::canonicalize(path).doing("read", path)?;
    if real.is_dir() { builder.append_dir_all(&name, &real) } else { builder.append_path_with_name(&real, &name) }
        .doing("pack", path)?;
    let file = builder.into_inner().and_then(GzEncoder::finish).doing("write", target)?;
    file.into_inner().map_err(io::IntoInnerError::into_error).doing("write", target).map(drop)
}

/// Unpacks `archive` to the new folder `target`; says no when it is no gzipped tar file.
pub(super) fn unpack(archive: &Path, target: &Path) -> Result<bool, Fault> {
    if !is_packed(archive)? {
        return Ok(false);
    }
    fs::create_dir(target).doing("make", target)?;
    let file = File::open(archive).doing("open", archive)?;
    let mut archive_ = Archive::new(GzDecoder::new(BufReader::new(file)).take(ARCHIVE_BYTES_MAX));
    archive_.set_preserve_mtime(true);
    let mut entries = 0;
    for entry in archive_.entries().doing("unpack", archive)? {
        let mut entry = entry.doing("unpack", archive)?;
        entries += 1;
        if entries > ARCHIVE_ENTRIES_MAX {
            return Err(Fault::refused(format!("`{}` has more than {ARCHIVE_ENTRIES_MAX} entries", archive.display())));
        }
        unpack_entry(&mut entry, target).doing("unpack", archive)?;
    }
    let unread = archive_.into_inner();
    if unread.limit() == 0 {
        return Err(Fault::refused(format!("`{}` unpacks to more than {ARCHIVE_BYTES_MAX} bytes", archive.display())));
    }
    Ok(true)
}

fn unpack_entry<R: Read>(entry: &mut Entry<'_, R>, target: &Path) -> io::Result<()> {
    let refused = |why: &str, path: &Path| io::Error::other(format!("its entry `{}` {why}", path.display()));
    let path = entry.path()?.into_owned();
    if !stays_inside(&path) {
        return Err(refused("leaves the folder", &path));
    }
    match entry.header().entry_type() {
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse | EntryType::Directory => {}
        kind @ (EntryType::Symlink | EntryType::Link) => {
            let link = entry.link_name()?.map(std::borrow::Cow::into_owned).unwrap_or_default();
            let from = if kind == EntryType::Symlink { path.parent().unwrap_or(Path::new("")) } else { Path::new("") };
            if link.is_absolute() || !stays_inside(&from.join(&link)) {
                return Err(refused("is a link that leaves the folder", &path));
            }
        }
        EntryType::XGlobalHeader => return Ok(()),
        _ => return Err(refused("is neither file, folder nor link", &path)),
    }
    entry.unpack_in(target).map(drop)
}

/// Returns whether a relative path never leaves the folder that it starts in.
fn stays_inside(path: &Path) -> bool {
    let mut depth = 0i64;
    path.components().all(|part| {
        match part {
            Component::Normal(_) => depth += 1,
            Component::ParentDir => depth -= 1,
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return false,
        }
        depth >= 0
    })
}

/// Returns whether a file is a tar file in gzip, by what it begins with.
fn is_packed(path: &Path) -> Result<bool, Fault> {
    let file = File::open(path).doing("open", path)?;
    let mut block = [0; 512];
    let read = GzDecoder::new(BufReader::new(file)).read_exact(&mut block);
    // An empty archive is two blocks of zeros.
    Ok(read.is_ok() && (&block[257..262] == b"ustar" || block.iter().all(|byte| *byte == 0)))
}

/// Copies what is at `from`, through links, with all that is in it; links further down are copied as
/// links, other kinds left out. The path is used as it is, since its real one may be out of sight.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), Fault> {
    let mut entries = 0;
    let mut waiting = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = waiting.pop() {
        entries += 1;
        if entries > ARCHIVE_ENTRIES_MAX {
            return Err(Fault::refused(format!("there are more than {ARCHIVE_ENTRIES_MAX} files to copy")));
        }
        let found = if entries == 1 { fs::metadata(&from) } else { fs::symlink_metadata(&from) };
        let kind = found.doing("read", &from)?.file_type();
        if kind.is_dir() {
            fs::create_dir(&to).doing("make", &to)?;
            for entry in fs::read_dir(&from).doing("list", &from)? {
                let name = entry.doing("list", &from)?.file_name();
                waiting.push((from.join(&name), to.join(&name)));
            }
        } else if kind.is_symlink() {
            let link = fs::read_link(&from).doing("read", &from)?;
            std::os::unix::fs::symlink(link, &to).doing("make", &to)?;
        } else if kind.is_file() {
            fs::copy(&from, &to).doing("copy", &from)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn packed(fill: impl FnOnce(&mut Builder<GzEncoder<File>>), at: &Path) {
        let file = File::create(at).expect("a file");
        let mut builder = Builder::new(GzEncoder::new(file, Compression::fast()));
        fill(&mut builder);
        builder.into_inner().and_then(GzEncoder::finish).expect("an archive");
    }

    fn entry(builder: &mut Builder<GzEncoder<File>>, name: &str, kind: EntryType, link: &str) {
        let mut header = tar::Header::new_gnu();
        // The checked way refuses the very names that are tried here.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(0);
        header.set_cksum();
        builder.append(&header, io::empty()).expect("an entry");
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        let folder = tempfile::tempdir().expect("a folder");
        let (tree, archive, out) = (folder.path().join("tree"), folder.path().join("a.tgz"), folder.path().join("out"));
        fs::create_dir_all(tree.join("sub")).expect("a folder");
        fs::write(tree.join("sub/file"), "text").expect("a file");
        std::os::unix::fs::symlink("sub/file", tree.join("link")).expect("a link");
        pack(&tree, &archive, 1).expect("packed");
        assert!(unpack(&archive, &out).expect("unpacked"));
        assert_eq!(fs::read_to_string(out.join("tree/link")).expect("through the link"), "text");
        copy(&tree, &folder.path().join("copy")).expect("copied");
        assert_eq!(fs::read_to_string(folder.path().join("copy/link")).expect("through the link"), "text");
    }

    #[test]
    fn other_files_are_no_archives() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, out) = (folder.path().join("f"), folder.path().join("out"));
        let mut zipped = GzEncoder::new(Vec::new(), Compression::fast());
        zipped.write_all(b"text").expect("memory");
        for content in [b"".to_vec(), b"text".to_vec(), zipped.finish().expect("memory")] {
            fs::write(&file, content).expect("a file");
            assert!(!unpack(&file, &out).expect("no archive is no error"));
            assert!(!out.exists());
        }
    }

    #[test]
    fn entries_that_leave_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let cases: [(&str, EntryType, &str); 7] = [
            ("../x", EntryType::Regular, ""),
            ("a/../../x", EntryType::Regular, ""),
            ("/x", EntryType::Regular, ""),
            ("l", EntryType::Symlink, "/etc/passwd"),
            ("l", EntryType::Symlink, "../x"),
            ("a/l", EntryType::Link, "../x"),
            ("p", EntryType::Fifo, ""),
        ];
        for (at, (name, kind, link)) in cases.into_iter().enumerate() {
            let (archive, out) = (folder.path().join("a.tgz"), folder.path().join(format!("out{at}")));
            packed(|builder| entry(builder, name, kind, link), &archive);
            let fault = unpack(&archive, &out).expect_err(name).to_string();
            assert!(fault.contains("entry"), "{fault}");
            assert!(!folder.path().join("x").exists());
        }
    }

    #[test]
    fn too_many_entries_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let archive = folder.path().join("a.tgz");
        packed(
            |builder| (0..=ARCHIVE_ENTRIES_MAX).for_each(|_| entry(builder, "d", EntryType::Directory, "")),
            &archive,
        );
        let fault = unpack(&archive, &folder.path().join("out")).expect_err("too many").to_string();
        assert!(fault.contains("entries"), "{fault}");
    }
}
