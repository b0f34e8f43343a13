//! Builds the helper, which the library embeds: an own small program, compiled by the compiler at hand.
//!
//! It is built for the machine that `wf` is built for. Where that is not Linux on a processor that
//! the helper knows, or where it cannot be built, what is embedded is empty: `wf` then says so when a
//! node needs it. Nothing is fetched, and no target or C library needs to be installed.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

const FOLDER: &str = "src/helper";

fn main() {
    println!("cargo::rerun-if-changed={FOLDER}");
    let program = Path::new(&variable("OUT_DIR")).join("helper");
    std::fs::write(&program, "").expect("the folder of a build script can be written to");
    let os = env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    let processor = env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    if os != "linux" || !["x86_64", "aarch64"].contains(&&*processor) {
        return;
    }
    if let Err(why) = build(&program) {
        let _ = std::fs::write(&program, "");
        let why = why.lines().next().unwrap_or_default();
        println!("cargo::warning=without the helper for pods in a cluster, which could not be built: {why}");
    }
}

fn build(program: &Path) -> Result<(), String> {
    let mut rustc = Command::new(variable("RUSTC"));
    rustc.args(["--crate-name=helper", "--crate-type=bin", "--edition=2024", "--target"]).arg(variable("TARGET"));
    rustc.arg("-o").arg(program).arg(Path::new(FOLDER).join("main.rs"));
    let codegen = [
        "opt-level=s",
        "panic=abort",
        "codegen-units=1",
        "strip=symbols",
        // Addresses are fixed, since there is no loader that would change them.
        "relocation-model=static",
        "target-feature=+crt-static",
        "link-args=-nostartfiles -nostdlib -static -Wl,--gc-sections,--build-id=none,-z,noexecstack",
    ];
    rustc.args(codegen.into_iter().flat_map(|option| ["-C", option]));
    if env::var_os("CARGO_CFG_TARGET_ENV").is_some_and(|env| env == "musl") {
        // Rust's own start files of that library would be linked.
        rustc.args(["-C", "link-self-contained=no"]);
    }
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        rustc.arg("-C").arg(join("linker=", linker));
    }
    let done = rustc.output().map_err(|error| error.to_string())?;
    if done.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&done.stderr).into_owned()) }
}

fn join(begin: &str, end: OsString) -> OsString {
    let mut joined = OsString::from(begin);
    joined.push(end);
    joined
}

fn variable(name: &str) -> OsString {
    env::var_os(name).expect("cargo sets it for build scripts")
}
