//! What the README lists, against the program that it describes.

use wf::cli::{Kind, complete};

use crate::env::package;

fn readme() -> String {
    std::fs::read_to_string(package().join("README.md")).expect("it is part of the package")
}

#[test]
fn every_exit_code_is_listed() {
    let readme = readme();
    for kind in Kind::ERRORS {
        let row = format!("| {} | {}", kind.code(), kind.meaning());
        assert!(readme.contains(&row), "no row of the README begins `{row}`");
    }
}

#[test]
fn every_variable_is_listed() {
    let readme = readme();
    let command = complete::command();
    let variables = command.get_arguments().filter_map(|argument| argument.get_env());
    for variable in variables.map(|name| name.to_string_lossy().into_owned()) {
        assert!(readme.contains(&format!("`{variable}`")), "the README does not list {variable}");
    }
}

#[test]
fn every_command_and_example_is_listed() {
    let readme = readme();
    for command in complete::command().get_subcommands() {
        let name = command.get_name();
        let is_shown =
            ["completion", "help", "version", "wait"].contains(&name) || readme.contains(&format!("wf {name} "));
        assert!(is_shown, "the README does not show `wf {name}`");
    }
    for example in std::fs::read_dir(package().join("examples")).expect("it is part of the package") {
        let name = example.expect("an entry").file_name().to_string_lossy().into_owned();
        assert!(
            !name.ends_with(".yaml") || readme.contains(&format!("| `{name}` |")),
            "the README does not list {name}"
        );
    }
}
