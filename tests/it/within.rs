//! Tests that run once more as another user, or in namespaces of their own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// The variable that names the folder in which runs are made, in place of Cargo's.
pub const FOLDER: &str = "WF_TEST_FOLDER";

/// Runs the test `name` of the local backend again as the user who `setup`, a shell's words, makes of it in
/// namespaces of its own, with the variable [`FOLDER`] set to an empty folder. Returns whether it
/// is that second run, which must go on.
pub fn is_within(name: &str, setup: &str) -> bool {
    if std::env::var_os(FOLDER).is_some() {
        return true;
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("its mode");
    let mut again = Command::new("sh");
    again.args(["-c", &format!("{setup} \"$0\" \"$@\"")]).arg(std::env::current_exe().expect("this binary"));
    again.args([&format!("local_backend::{name}"), "--exact", "--nocapture"]).env(FOLDER, folder.path());
    let output = again.output().expect("there is a shell");
    let said = String::from_utf8_lossy(&output.stderr);
    // What has no right to make namespaces, or lacks the tools, never comes to the test.
    if String::from_utf8_lossy(&output.stdout).contains("running 1 test") {
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stdout));
    } else {
        eprintln!("{name}: skipped, this user cannot: {setup}: {said}");
    }
    false
}
