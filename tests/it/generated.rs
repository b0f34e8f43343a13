//! `completions/` and `man/` come from the command line's own definition. This fails when they are
//! stale; `WF_UPDATE=1 cargo test --test it generated` writes them anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use wf::cli::commands::completion::Shell;
use wf::cli::complete;

use crate::env::package;

#[test]
fn completions_are_up_to_date() {
    let files = [
        ("wf.bash", Shell::Bash),
        ("_wf", Shell::Zsh),
        ("wf.fish", Shell::Fish),
        ("wf.elv", Shell::Elvish),
        ("wf.ps1", Shell::Powershell),
    ];
    check("completions", &files.map(|(name, shell)| (name.to_owned(), complete::script(shell))).into());
}

#[test]
fn man_pages_are_up_to_date() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    clap_mangen::generate_to(complete::command(), folder.path()).expect("pages are written");
    check("man", &read(folder.path()));
}

fn check(folder: &str, wanted: &BTreeMap<String, String>) {
    let folder = package().join(folder);
    if std::env::var_os("WF_UPDATE").is_some() {
        write(&folder, wanted);
    }
    let found = read(&folder);
    let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(wanted), "{} is stale: run with WF_UPDATE=1", folder.display());
    for (name, text) in wanted {
        assert!(found.get(name) == Some(text), "{}/{name} is stale: run with WF_UPDATE=1", folder.display());
    }
}

fn write(folder: &Path, files: &BTreeMap<String, String>) {
    std::fs::create_dir_all(folder).expect("a folder");
    for name in read(folder).keys() {
        std::fs::remove_file(folder.join(name)).expect("a generated file is ours");
    }
    for (name, text) in files {
        std::fs::write(folder.join(name), text).expect("a file");
    }
}

fn read(folder: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("an entry").path());
    let read = |path: PathBuf| {
        let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
        (name, std::fs::read_to_string(&path).expect("generated files are text"))
    };
    entries.map(read).collect()
}
