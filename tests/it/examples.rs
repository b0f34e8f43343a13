//! The commands that stand at the head of each manifest of `examples/`, run as they stand there.

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use crate::env::{TestEnv, package};

/// What a command comes to: its exit code, and what it says, or the steps of its run say.
type End = (i32, &'static str);

const EXAMPLES: [(&str, &[End]); 10] = [
    ("ci.yaml", &[(0, "count 1.0.0: 8 checks passed, checksum "), (0, "count 2.0.0: 8 checks passed, checksum ")]),
    ("map-reduce.yaml", &[(0, "most-frequent = 5 the"), (0, "most-frequent = 5 the")]),
    ("fan-out.yaml", &[(0, "6 cities, highest mean 29.5 in city-6"), (0, "12 cities, highest mean 59.5 in city-12")]),
    ("approval.yaml", &[(7, "is suspended"), (0, ""), (0, "released, approved by ada")]),
    ("retry.yaml", &[(0, "fetched by attempt 2"), (1, "attempt 3: nobody answers"), (1, "attempt 0: nobody answers")]),
    ("recursion.yaml", &[(0, "6 reaches 1 in 8 steps"), (1, "depth")]),
    ("exit-handler.yaml", &[(0, "all is well"), (1, r#"main: Error (exit code 3)\","#)]),
    ("daemon.yaml", &[(0, "the third file")]),
    ("templates.yaml", &[(0, "HELLO HELLO!"), (0, "no problems")]),
    ("checkpoint.yaml", &[(1, "piece 3 is broken"), (0, "reused from"), (1, "piece 3 is broken"), (0, "[sum] 91")]),
];

#[test]
fn the_commands_of_each_example_do_what_it_says() {
    let port = free_port();
    std::thread::scope(|threads| {
        for (file, ends) in EXAMPLES {
            threads.spawn(move || follow(file, ends, port));
        }
    });
}

#[test]
fn the_examples_have_no_problems_and_are_all_run() {
    let env = TestEnv::new();
    let mut command = env.command(&["lint", "--deny", "warnings", "examples"]);
    let lint = command.current_dir(package()).output().expect("wf starts");
    assert!(lint.status.success(), "{}", String::from_utf8_lossy(&lint.stderr));

    let files = std::fs::read_dir(package().join("examples")).expect("the folder is part of the package");
    let names = files.map(|file| file.expect("an entry").file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".yaml")).collect();
    let mut known = EXAMPLES.map(|(file, _)| file.to_owned());
    names.sort();
    known.sort();
    assert_eq!(names, known);
}

fn follow(file: &str, ends: &[End], port: u16) {
    let env = TestEnv::new();
    copy_examples(&env, port);
    let text = std::fs::read_to_string(package().join("examples").join(file)).expect("an example is text");
    let commands: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("#   wf ")).collect();
    assert_eq!(commands.len(), ends.len(), "{file} has other commands than are expected here");
    for (command, (code, told)) in commands.iter().zip(ends) {
        let (found, all) = run(&env, command);
        assert_eq!(found, *code, "wf {command}\n{all}");
        assert!(all.contains(told), "wf {command}: no {told:?} in\n{all}");
    }
}

/// Runs a command, and returns its exit code, what it said, and what the steps of the latest run said.
fn run(env: &TestEnv, command: &str) -> (i32, String) {
    let outcome = wf(env, command);
    let logs = wf(env, "logs @latest");
    let code = outcome.status.code().expect("wf was not killed");
    let texts = [outcome.stdout, outcome.stderr, logs.stdout].map(|text| String::from_utf8_lossy(&text).into_owned());
    (code, texts.join("\n---\n"))
}

fn wf(env: &TestEnv, command: &str) -> std::process::Output {
    let words: Vec<&str> = command.split_whitespace().collect();
    let mut command = env.command(&words);
    // Some installations of python are found through it.
    command.env("HOME", std::env::var_os("HOME").unwrap_or_default());
    command.output().expect("wf starts")
}

/// Copies the examples to where commands run, with a port that nobody has.
fn copy_examples(env: &TestEnv, port: u16) {
    let mut folders = vec![PathBuf::from("examples")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(package().join(&folder)).expect("the folder is part of the package") {
            let path = folder.join(entry.expect("an entry").file_name());
            if package().join(&path).is_dir() {
                folders.push(path);
            } else {
                copy(env, &path, port);
            }
        }
    }
}

fn copy(env: &TestEnv, path: &Path, port: u16) {
    let text = std::fs::read_to_string(package().join(path)).expect("an example is text");
    env.write(&path.display().to_string(), text.replace("18080", &port.to_string()));
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    listener.local_addr().expect("it has an address").port()
}
