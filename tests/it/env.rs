//! A command's surroundings in tests: state, width, locale and colour are fixed, so that output is a snapshot.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A folder and an environment of one test's own.
pub struct TestEnv {
    folder: tempfile::TempDir,
}

/// What a command did. It must be looked at.
#[must_use]
pub struct Outcome {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl TestEnv {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("work")).expect("a working folder");
        Self { folder }
    }

    /// Returns the folder that commands run in.
    pub fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// Returns the folder that holds the runs.
    pub fn runs(&self) -> PathBuf {
        self.folder.path().join("state/runs")
    }

    /// Writes a file of the working folder.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.work().join(name);
        std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("a folder");
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// Returns the command `wf ARGS`, ready to be run.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wf"));
        command.args(args).current_dir(self.work()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.folder.path()).env("WF_STATE_DIR", self.folder.path().join("state"));
        command.env("LANG", "C.UTF-8").env("COLUMNS", "100").env("NO_COLOR", "1");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs `wf ARGS` to its end.
    pub fn wf(&self, args: &[&str]) -> Outcome {
        self.finish(self.command(args), b"")
    }

    /// Runs `wf ARGS` with a variable in its environment.
    pub fn wf_with_variable(&self, name: &str, value: impl AsRef<std::ffi::OsStr>, args: &[&str]) -> Outcome {
        let mut command = self.command(args);
        command.env(name, value);
        self.finish(command, b"")
    }

    /// Runs `wf ARGS` with `input` on its standard input.
    pub fn wf_with_input(&self, args: &[&str], input: &[u8]) -> Outcome {
        let mut command = self.command(args);
        command.stdin(Stdio::piped());
        self.finish(command, input)
    }

    /// Runs a command to its end with `input` on its standard input, if that is a pipe.
    pub fn finish(&self, mut command: Command, input: &[u8]) -> Outcome {
        let mut child = command.spawn().expect("wf starts");
        if let Some(mut stdin) = child.stdin.take() {
            // A command may refuse its input before it has read all of it.
            let _ = stdin.write_all(input);
        }
        let output = child.wait_with_output().expect("wf ends");
        Outcome {
            code: output.status.code().expect("wf was not killed"),
            stdout: self.redact(&output.stdout),
            stderr: self.redact(&output.stderr),
        }
    }

    /// Replaces what differs from one test to the next.
    fn redact(&self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes);
        text.replace(&self.folder.path().display().to_string(), "[TMP]")
    }
}

impl Outcome {
    /// Returns everything in one text: the code, then both streams.
    pub fn all(&self) -> String {
        let stream =
            |name: &str, text: &str| if text.is_empty() { String::new() } else { format!("--- {name}\n{text}") };
        format!("exit {}\n{}{}", self.code, stream("stdout", &self.stdout), stream("stderr", &self.stderr))
    }

    /// Returns standard output of a command that must have succeeded.
    pub fn success(self) -> String {
        assert_eq!(self.code, 0, "{}", self.all());
        self.stdout
    }
}

/// Returns the folder of the package.
pub fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
