//! The rules of `src/ARCHITECTURE.md` that a compiler does not check. Each fault says where it is
//! and what to do.

use std::path::Path;
use std::sync::LazyLock;

use crate::rust_text::{RustFile, read_folder, word_starts};

/// The modules in the order of `src/ARCHITECTURE.md`: each imports only from those before it.
const MODULES: [&str; 12] =
    ["base", "source", "expr", "spec", "plan", "engine", "view", "backend", "store", "driver", "sim", "cli"];

/// The modules that decide and never do.
const PURE: [&str; 7] = ["base", "source", "expr", "spec", "plan", "engine", "view"];

/// Lines of the longest file. It only goes down.
const FILE_LINES_MAX: usize = 717;

/// Lines of the longest function. It only goes down.
const FUNCTION_LINES_MAX: usize = 54;

/// Packages of the lock file. Raising it is a visible edit, to be argued for: the client of Kubernetes,
/// with HTTP and TLS, is eighty of them.
const PACKAGES_MAX: usize = 330;

/// Files `mod.rs` that hold more than declarations. The list only gets shorter.
const MODULES_WITH_LOGIC: [&str; 4] =
    ["src/engine/decide/mod.rs", "src/engine/scope/mod.rs", "src/plan/checks/mod.rs", "src/store/mod.rs"];

/// What no shipped code says.
const NOWHERE: [(&str, &str); 5] = [
    (".unwrap()", "return an error; where it cannot be, `expect(\"why it cannot be\")`"),
    ("todo!", "do it"),
    ("unimplemented!", "do it, or return an error that says what is missing"),
    ("dbg!", "take it out"),
    ("static mut ", "pass the value"),
];

/// What no code says, tests included.
const NEVER: [(&str, &str); 4] = [
    ("#[allow(", "mend it, or `#[expect(lint, reason = \"…\")]`"),
    ("#![allow(", "mend it, or `#![expect(lint, reason = \"…\")]`"),
    ("#[ignore", "make it fast, or remove it"),
    ("#[should_panic", "assert on what is returned"),
];

/// What no pure module says.
const IMPURE: [(&str, &str); 14] = [
    ("SystemTime", "take a `Timestamp` as an argument"),
    ("Instant", "take a `Timestamp` as an argument"),
    ("::now(", "take a `Timestamp` as an argument"),
    ("std::fs", "take the text as an argument"),
    ("std::net", "take the value as an argument"),
    ("std::env", "take the value as an argument; `cli/env.rs` reads the surroundings"),
    ("std::process", "return what is to be done"),
    ("std::thread", "return what is to be done"),
    ("tokio", "decide here, and do it in `driver` or `backend`"),
    ("async fn", "decide here, and do it in `driver` or `backend`"),
    (".await", "decide here, and do it in `driver` or `backend`"),
    ("rand::", "take the value as an argument"),
    ("HashMap", "use `BTreeMap` or `IndexMap`; where no order can be seen, say so in a comment of the line before"),
    ("HashSet", "use `BTreeSet` or `IndexSet`; where no order can be seen, say so in a comment of the line before"),
];

/// What prints.
const PRINTING: [&str; 4] = ["println!", "eprintln!", "print!", "eprint!"];

/// Where printing is the purpose.
const PRINTERS: [(&str, &str); 4] = [
    ("src/sim/main.rs", "a tool for who works on `wf`; what it prints is all that it is for"),
    ("src/cli/ui.rs", "all output of commands"),
    ("src/helper/build.rs", "a build script tells cargo by its output"),
    ("src/backend/local/", "the supervisor has no terminal: its standard error is a file of the run's folder"),
];

#[test]
fn imports_point_upward() {
    let mut faults = Faults::default();
    for file in sources() {
        let Some(own) = MODULES.iter().position(|module| *module == file.module()) else { continue };
        for (at, _) in file.code.match_indices("crate::") {
            for name in imported(&file.code[at + "crate::".len()..]) {
                let Some(other) = MODULES.iter().position(|module| *module == name) else { continue };
                if other > own {
                    let what = format!("`{}` imports from `{name}`, which stands below it", MODULES[own]);
                    faults.add(file, at, &what, "move what both need up, or hand it in as an argument");
                }
            }
        }
    }
    faults.report();
}

/// Returns the first names of what stands after `crate::`: one, or those of a group.
fn imported(code: &str) -> Vec<&str> {
    let Some(group) = code.strip_prefix('{') else {
        return code.split(|letter: char| !letter.is_alphanumeric() && letter != '_').take(1).collect();
    };
    let mut depth = 0;
    let end = group.find(|letter| {
        depth += i32::from(letter == '{') - i32::from(letter == '}');
        depth < 0
    });
    let items = group[..end.unwrap_or(group.len())].split(',');
    items.map(|item| item.trim().split("::").next().unwrap_or_default()).collect()
}

#[test]
fn pure_modules_do_nothing() {
    let mut faults = Faults::default();
    for file in sources().filter(|file| PURE.contains(&file.module())) {
        for (token, help) in IMPURE {
            for at in found(&file.shipped, token).filter(|at| !(token.starts_with("Hash") && is_explained(file, *at))) {
                faults.add(file, at, &format!("`{token}` in the pure module `{}`", file.module()), help);
            }
        }
    }
    faults.report();
}

/// Returns whether a comment at the line of `at`, or the one before, speaks of the order.
fn is_explained(file: &RustFile, at: usize) -> bool {
    let line = file.line_at(at);
    let mut near = file.comments.lines().skip(line.saturating_sub(2)).take(2);
    near.any(|comment| comment.contains("order"))
}

#[test]
fn only_the_printer_prints() {
    let mut faults = Faults::default();
    for file in sources().filter(|file| !PRINTERS.iter().any(|(path, _)| file.path.starts_with(path))) {
        for token in PRINTING {
            for at in found(&file.shipped, token) {
                faults.add(file, at, &format!("`{token}`"), "say it through `Ui`, in `src/cli/ui.rs`");
            }
        }
    }
    faults.report();
}

#[test]
fn nothing_is_left_open() {
    let mut faults = Faults::default();
    for file in all() {
        for (token, help) in NEVER {
            file.code.match_indices(token).for_each(|(at, _)| faults.add(file, at, &format!("`{token}`"), help));
        }
        let open = if file.path.starts_with("src/") { &NOWHERE[..] } else { &[] };
        for (token, help) in open {
            found(&file.shipped, token).for_each(|at| faults.add(file, at, &format!("`{token}`"), help));
        }
        for word in ["TODO", "FIXME", "XXX", "HACK"] {
            word_starts(&file.comments, word).for_each(|at| faults.add(file, at, word, "do it, or open an issue"));
        }
    }
    faults.report();
}

#[test]
fn files_and_functions_are_short() {
    let mut faults = Faults::default();
    let mut lengths = Vec::new();
    for file in all() {
        let lines = file.text.lines().count();
        if lines > FILE_LINES_MAX {
            faults.add(
                file,
                0,
                &format!("{lines} lines, {FILE_LINES_MAX} are the most"),
                "one idea, one file: split it",
            );
        }
        for (at, lines) in file.functions() {
            lengths.push(lines);
            if lines > FUNCTION_LINES_MAX {
                let what = format!("a function of {lines} lines, {FUNCTION_LINES_MAX} are the most");
                faults.add(file, at, &what, "push ifs up and fors down");
            }
        }
    }
    lengths.sort_unstable();
    let at = |part: f64| lengths.get((lengths.len() as f64 * part) as usize).copied().unwrap_or_default();
    println!("{} functions: median {} lines, 90 % within {}, longest {}", lengths.len(), at(0.5), at(0.9), at(0.9999));
    faults.report();
}

#[test]
fn modules_say_what_they_are() {
    let mut faults = Faults::default();
    for file in all() {
        if !file.text.starts_with("//!") {
            faults.add(file, 0, "no words on the module", "begin with `//!`: what it decides, and what it never does");
        }
    }
    faults.report();
}

#[test]
fn mod_files_only_declare() {
    let mut faults = Faults::default();
    for file in sources().filter(|file| file.path.ends_with("/mod.rs")) {
        let functions = file.functions();
        let is_known = MODULES_WITH_LOGIC.contains(&file.path.as_str());
        match functions.first() {
            Some((at, _)) if !is_known => faults.add(file, *at, "logic in mod.rs", "move it to a file with a name"),
            None if is_known => faults.add(file, 0, "it only declares now", "take it off `MODULES_WITH_LOGIC`"),
            _ => {}
        }
    }
    faults.report();
}

#[test]
fn the_top_level_stays_as_it_is() {
    let known = [
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "benches",
        "completions",
        "examples",
        "man",
        "src",
        "tests",
    ];
    let listing = std::process::Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output();
    // Without git, as in a package of the registry, there is nothing to compare.
    let Some(listing) = listing.ok().filter(|listing| listing.status.success()) else { return };
    let listing = String::from_utf8_lossy(&listing.stdout);
    let tops = listing.split('\0').filter_map(|path| path.split('/').next());
    let strange: Vec<&str> =
        tops.filter(|top| !top.is_empty() && !top.starts_with('.') && !known.contains(top)).collect();
    assert!(strange.is_empty(), "new at the top level: {strange:?}; find a place below {known:?}, or a dot-file");
}

#[test]
fn the_lock_file_does_not_grow_unseen() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).expect("the lock file is part of the repository");
    let packages = lock.matches("[[package]]").count();
    assert!(
        packages <= PACKAGES_MAX,
        "{packages} packages, {PACKAGES_MAX} are the most: do without, or raise the bound"
    );
}

/// A defect that no longer fits would be one that nothing looks for.
#[test]
fn seeded_defects_fit_the_sources() {
    let folder = std::fs::read_dir(root().join("tests/mutants")).expect("the folder is part of the checkout");
    let paths = folder.flatten().map(|entry| entry.path());
    let mut faults = Vec::new();
    for path in paths.filter(|path| path.extension().is_some_and(|end| end == "patch")) {
        let patch = std::fs::read_to_string(&path).expect("a patch is text");
        let changed = patch.lines().find_map(|line| line.strip_prefix("+++ b/")).expect("a patch names its file");
        let source = std::fs::read_to_string(root().join(changed)).unwrap_or_default();
        for hunk in patch.split("\n@@ ").skip(1) {
            let before = hunk.lines().skip(1).filter(|line| !line.starts_with('+'));
            let before: String = before.map(|line| format!("{}\n", line.get(1..).unwrap_or_default())).collect();
            if !source.contains(&before) {
                faults.push(format!("{}: {changed} is not as it was: make the defect anew", path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file of the package, read once.
static FILES: LazyLock<Vec<RustFile>> =
    LazyLock::new(|| ["src", "tests", "benches"].iter().flat_map(|folder| read_folder(root(), folder)).collect());

fn all() -> impl Iterator<Item = &'static RustFile> {
    FILES.iter()
}

fn sources() -> impl Iterator<Item = &'static RustFile> {
    all().filter(|file| file.path.starts_with("src/"))
}

/// Returns where `token` stands; one that begins or ends with a letter, as a word.
fn found<'a>(code: &'a str, token: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_word = token.starts_with(|letter: char| letter.is_alphanumeric());
    let word = token.trim_end_matches(|letter: char| !letter.is_alphanumeric());
    let (plain, word) =
        if is_word { (None, Some(word_starts(code, word))) } else { (Some(code.match_indices(token)), None) };
    let plain = plain.into_iter().flatten().map(|(at, _)| at);
    plain.chain(word.into_iter().flatten()).filter(move |at| code[*at..].starts_with(token))
}

/// What is wrong, all of it at once.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn add(&mut self, file: &RustFile, at: usize, what: &str, help: &str) {
        self.0.push(format!("{}:{}: {what}: {help}", file.path, file.line_at(at)));
    }

    fn report(self) {
        assert!(self.0.is_empty(), "{} faults\n{}", self.0.len(), self.0.join("\n"));
    }
}
