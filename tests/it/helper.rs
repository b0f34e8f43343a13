//! The helper of task pods, run as a process on this machine: it was built for it.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use wf::backend::kubernetes::helper::{self, Needs, OutputFile, Report, Said, Turn, read_message};
use wf::base::limits::{OUTPUT_PARAMETER_BYTES_MAX, RESULT_BYTES_MAX};
use wf::engine::FileOutput;

/// Whether this is a machine for which the helper is built.
const IS_BUILT_HERE: bool = cfg!(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")));

/// A folder with the helper in it, and where its reports go.
struct Ground {
    folder: tempfile::TempDir,
}

/// What came of a command.
struct Done {
    output: Output,
    report: Report,
}

impl Ground {
    /// Nothing where the helper is not built: other systems.
    fn new() -> Option<Self> {
        assert!(helper::is_built_in() || !IS_BUILT_HERE, "the build says why it could not build the helper");
        if !helper::is_built_in() {
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let ground = Self { folder };
        // Written by another process: a program cannot be started while a fork of this one, which another test
        // made, has it open for writing.
        std::fs::write(ground.path("program"), program()).expect("the program is written");
        let copied = Command::new("cp").args([ground.path("program"), ground.path("helper")]).status();
        assert!(copied.expect("there is `cp`").success());
        std::fs::set_permissions(ground.path("helper"), PermissionsExt::from_mode(0o555)).expect("its mode");
        std::fs::write(ground.path("message"), "").expect("a kubelet makes the file");
        Some(ground)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn needs(&self, result: bool, files: &[&str]) -> Needs {
        let path = |name: &str| self.path(name).to_str().expect("a path in UTF-8").to_owned();
        let parameters = files.iter().map(|name| OutputFile { name: (*name).to_owned(), path: path(name) }).collect();
        Needs { result, parameters }
    }

    /// Returns what a kubelet would start for a container of `words`, the helper being elsewhere.
    fn command(&self, needs: &Needs, words: &[&str]) -> Command {
        let message = self.path("message");
        let mut container = json!({ "command": words, "terminationMessagePath": message });
        helper::wrap_worker(&mut container, needs, &Turn::default(), 1).expect("it has a command");
        self.started(&container)
    }

    fn sidecar(&self, words: &[&str]) -> Command {
        let mut container = json!({ "command": words, "terminationMessagePath": self.path("message") });
        assert!(helper::wrap_sidecar(&mut container));
        self.started(&container)
    }

    fn started(&self, container: &Value) -> Command {
        let words = container["command"].as_array().expect("it has a command");
        let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
        let mut command = Command::new(self.path("helper"));
        command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.current_dir(self.folder.path());
        command
    }

    fn run(&self, needs: &Needs, words: &[&str]) -> Done {
        let output = self.command(needs, words).output().expect("the helper runs");
        let report = self.report(needs, &output);
        Done { output, report }
    }

    fn sh(&self, needs: &Needs, script: &str) -> Done {
        self.run(needs, &["sh", "-c", script])
    }

    fn message(&self) -> String {
        std::fs::read_to_string(self.path("message")).expect("it is text")
    }

    fn report(&self, needs: &Needs, output: &Output) -> Report {
        match read_message(&self.message(), needs).expect("it is not damaged") {
            Said::Report(report) => report,
            Said::InLog(mut trailer) => {
                output.stdout.split_inclusive(|byte| *byte == b'\n').for_each(|line| trailer.push(line));
                trailer.finish(needs).expect("the log has all of it")
            }
            Said::Nothing => panic!("there is a report"),
        }
    }
}

fn program() -> Vec<u8> {
    let object = helper::config_map(Default::default());
    object.binary_data.and_then(|mut data| data.remove("helper")).expect("the object has the program").0
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Waits for an end that comes soon.
fn wait(child: &mut Child) -> ExitStatus {
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            return status;
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "it does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).expect("a process id")), signal).expect("it lives");
}

/// Waits until the command has made a file.
fn wait_for(file: &Path) {
    let begin = Instant::now();
    while !file.exists() {
        assert!(begin.elapsed() < Duration::from_secs(20), "`{}` is not made", file.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_program_is_small_and_needs_nothing() {
    let Some(_) = Ground::new() else { return };
    let program = program();
    assert!(program.len() < 64 << 10, "{} bytes", program.len());
    assert_eq!(&program[..4], b"\x7fELF");
    // Program headers of kind 3 name an interpreter, those of kind 2 libraries.
    let number = |at: usize, bytes: usize| {
        program[at..at + bytes].iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
    };
    let (begin, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    let kinds: Vec<usize> = (0..count).map(|at| number(begin + at * size, 4)).collect();
    assert!(!kinds.contains(&3) && !kinds.contains(&2), "{kinds:?}");
}

#[test]
fn streams_go_through_and_stay_apart() {
    let Some(ground) = Ground::new() else { return };
    let done = ground.sh(&ground.needs(true, &[]), "echo out; echo err >&2; exit 3");
    assert_eq!((text(&done.output.stdout), text(&done.output.stderr)), ("out\n".into(), "err\n".into()));
    assert_eq!(done.output.status.code(), Some(3));
    assert_eq!(done.report.result.as_deref(), Some("out"));
}

#[test]
fn standard_input_goes_through_and_may_be_closed() {
    let Some(ground) = Ground::new() else { return };
    let needs = ground.needs(true, &[]);
    let mut child = ground.command(&needs, &["cat"]).stdin(Stdio::piped()).spawn().expect("the helper runs");
    child.stdin.take().expect("it is a pipe").write_all(b"typed").expect("it is read");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(ground.report(&needs, &output).result.as_deref(), Some("typed"));
    let closed = format!("exec {} run --result --message message -- cat <&-", ground.path("helper").display());
    let output = Command::new("sh").args(["-c", &closed]).current_dir(ground.folder.path()).output();
    let output = output.expect("a shell runs");
    assert_eq!(ground.report(&needs, &output).result.as_deref(), Some(""));
}

#[test]
fn exit_codes_are_those_of_the_command() {
    let Some(ground) = Ground::new() else { return };
    for (script, code) in [("true", 0), ("exit 1", 1), ("exit 255", 255), ("kill -9 $$", 137), ("kill -TERM $$", 143)] {
        let done = ground.sh(&ground.needs(true, &[]), script);
        assert_eq!(done.output.status.code(), Some(code), "{script}");
        assert_eq!(done.report.not_started, None, "{script}");
    }
}

#[test]
fn what_cannot_start_is_told() {
    let Some(ground) = Ground::new() else { return };
    std::fs::write(ground.path("data"), "no program").expect("a file");
    let data = ground.path("data");
    let data = data.to_str().expect("a path in UTF-8");
    let cases = [
        ("nope", "command `nope` not found on PATH".to_owned()),
        ("/nope", "failed to start `/nope`: No such file or directory (os error 2)".to_owned()),
        (data, format!("failed to start `{data}`: Permission denied (os error 13)")),
    ];
    for (command, why) in cases {
        let done = ground.run(&ground.needs(true, &["a"]), &[command]);
        assert_eq!(done.output.status.code(), Some(128), "{command}");
        assert_eq!(done.report.not_started, Some(why));
        assert!(text(&done.output.stderr).starts_with("wf: failed to start"), "people see it in the log");
    }
    let without_path = ground.command(&ground.needs(true, &[]), &["true"]).env_remove("PATH").output();
    assert_eq!(without_path.expect("the helper runs").status.code(), Some(128));
}

#[test]
fn the_command_is_given_what_it_would_have() {
    let Some(ground) = Ground::new() else { return };
    let script = r#"printf '%s|' "$0" "$@" "$A" "$(pwd)""#;
    let mut command = ground.command(&ground.needs(true, &[]), &["sh", "-c", script, "zero", "", "--", "a b"]);
    let output = command.env("A", "from outside").output().expect("the helper runs");
    let folder = std::fs::canonicalize(ground.folder.path()).expect("a folder");
    assert_eq!(text(&output.stdout), format!("zero||--|a b|from outside|{}|", folder.display()));
    // No signal stays blocked, and no descriptor is left behind.
    let done = ground.sh(&ground.needs(true, &[]), "grep SigBlk /proc/self/status; ls /proc/self/fd | wc -l");
    let expected = Command::new("sh").args(["-c", "grep SigBlk /proc/self/status; ls /proc/self/fd | wc -l"]).output();
    assert_eq!(done.report.result.as_deref(), Some(text(&expected.expect("a shell runs").stdout).trim_end()));
}

#[test]
fn files_are_reported_whatever_they_are() {
    let Some(ground) = Ground::new() else { return };
    let script = "printf 'one\\n\\n' > a; : > empty; mkdir folder; mkfifo pipe; printf '\\377' > binary; ln -s a link
        head -c 1048577 /dev/zero > large; exit 5";
    let names = ["a", "empty", "absent", "folder", "pipe", "binary", "link", "large"];
    let done = ground.sh(&ground.needs(false, &names), script);
    assert_eq!(done.output.status.code(), Some(5));
    let path = |name: &str| ground.path(name).display().to_string();
    let unusable = |name: &str, why: &str| FileOutput::Unusable(format!("`{}` {why}", path(name)));
    let expected = [
        FileOutput::Found("one\n".into()),
        FileOutput::Found(String::new()),
        FileOutput::Absent,
        unusable("folder", "is no file"),
        unusable("pipe", "is no file"),
        unusable("binary", "is not UTF-8 text; an artifact may be anything"),
        FileOutput::Found("one\n".into()),
        unusable("large", "has 1048577 bytes; a parameter may have 1048576, an artifact any number"),
    ];
    assert_eq!(done.report.parameters, expected);
}

#[test]
fn large_reports_are_in_the_log() {
    let Some(ground) = Ground::new() else { return };
    let script = "printf 'é%.0s' $(seq 20000); printf err >&2; head -c 1048576 /dev/zero | tr '\\0' x > full";
    let done = ground.sh(&ground.needs(true, &["full"]), script);
    assert_eq!(done.report.result, Some("é".repeat(20_000)));
    assert_eq!(done.report.parameters, [FileOutput::Found("x".repeat(OUTPUT_PARAMETER_BYTES_MAX))]);
    assert_eq!(text(&done.output.stderr), "err");
    assert!(ground.message().len() < 100);
    let lines = done.output.stdout.split_inclusive(|byte| *byte == b'\n');
    assert!(lines.clone().skip(1).all(|line| line.len() <= 4096), "a pipe takes a line whole");
    assert_eq!(shown(&done.output), "é".repeat(20_000), "what the command did not end stands before the trailer");
}

/// Returns what of standard output is the command's.
fn shown(output: &Output) -> String {
    let lines = output.stdout.split_inclusive(|byte| *byte == b'\n');
    lines.filter_map(helper::without_trailer).map(text).collect()
}

#[test]
fn many_parameters_are_reported() {
    let Some(ground) = Ground::new() else { return };
    let names: Vec<String> = (0..1000).map(|at| format!("p{at}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let done = ground.sh(&ground.needs(false, &names), "for at in $(seq 0 999); do echo $at > p$at; done");
    let expected: Vec<_> = (0..1000).map(|at| FileOutput::Found(at.to_string())).collect();
    assert_eq!(done.report.parameters, expected);
}

#[test]
fn the_commands_own_last_words_are_kept() {
    let Some(ground) = Ground::new() else { return };
    let done = ground.sh(&ground.needs(true, &[]), "echo words > message; exit 1");
    assert_eq!(done.report.message.as_deref(), Some("words\n"));
    assert_eq!(done.report.result.as_deref(), Some(""));
}

#[test]
fn a_result_is_the_end_of_the_output() {
    let Some(ground) = Ground::new() else { return };
    let needs = ground.needs(true, &[]);
    let cut = format!("printf 'é'; head -c {} /dev/zero | tr '\\0' x; echo", RESULT_BYTES_MAX - 1);
    for (script, length) in [
        (&*cut, RESULT_BYTES_MAX - 1),
        ("head -c 262144 /dev/zero | tr '\\0' x; echo", RESULT_BYTES_MAX),
        ("seq 1000000", RESULT_BYTES_MAX),
    ] {
        let done = ground.sh(&needs, script);
        let (whole, result) = (shown(&done.output), done.report.result.expect("it was asked for"));
        assert_eq!(result.len(), length, "{script}");
        assert!(whole.strip_suffix('\n').is_some_and(|whole| whole.ends_with(&result)), "{script}");
    }
}

#[test]
fn output_without_end_takes_no_memory() {
    let Some(ground) = Ground::new() else { return };
    let needs = ground.needs(true, &[]);
    let script = format!("head -c {} /dev/zero; printf end", 1 << 30);
    let mut child = ground.command(&needs, &["sh", "-c", &script]).spawn().expect("the helper runs");
    let mut stdout = child.stdout.take().expect("it is a pipe");
    let (mut bytes, mut count, mut peak_kib, mut end) = (vec![0; 1 << 20], 0_u64, 0, Vec::new());
    loop {
        let read = stdout.read(&mut bytes).expect("a pipe");
        if read == 0 {
            break;
        }
        let before = count;
        count += read as u64;
        if before >> 26 != count >> 26 {
            peak_kib = peak_kib.max(resident_kib(child.id()));
        }
        if count > 1 << 30 {
            end.extend_from_slice(&bytes[..read]);
        }
    }
    let mut output = child.wait_with_output().expect("it ends");
    output.stdout = end;
    assert!((1..8 << 10).contains(&peak_kib), "{peak_kib} KiB");
    assert!(ground.report(&needs, &output).result.is_some_and(|result| result.ends_with("\0end")));
}

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[test]
fn signals_reach_the_command() {
    let Some(ground) = Ground::new() else { return };
    let needs = ground.needs(true, &["a"]);
    for (number, trap) in [(Signal::SIGTERM, "TERM"), (Signal::SIGINT, "INT"), (Signal::SIGUSR1, "USR1")] {
        let _ = std::fs::remove_file(ground.path("up"));
        let script = format!("trap 'echo got {trap}; echo x > a; exit 7' {trap}; : > up; while :; do sleep 0.01; done");
        let mut child = ground.command(&needs, &["sh", "-c", &script]).spawn().expect("the helper runs");
        wait_for(&ground.path("up"));
        signal(&child, number);
        assert_eq!(wait(&mut child).code(), Some(7), "{trap}");
        let output = child.wait_with_output().expect("it ended");
        let report = ground.report(&needs, &output);
        assert_eq!(report.result, Some(format!("got {trap}")));
        assert_eq!(report.parameters, [FileOutput::Found("x".into())], "it reports when it was ended, too");
    }
}

#[test]
fn a_signal_ends_the_whole_group() {
    let Some(ground) = Ground::new() else { return };
    let mut child =
        ground.command(&ground.needs(true, &[]), &["sh", "-c", ": > up; sleep 1000; :"]).spawn().expect("it runs");
    wait_for(&ground.path("up"));
    signal(&child, Signal::SIGTERM);
    assert_eq!(wait(&mut child).code(), Some(143));
}

#[test]
fn what_is_left_behind_is_not_waited_for() {
    let Some(ground) = Ground::new() else { return };
    let begin = Instant::now();
    let done = ground.sh(&ground.needs(true, &[]), "sleep 1000 & echo $! > pid; (sleep 1000; echo late) & echo done");
    assert!(begin.elapsed() < Duration::from_secs(10));
    assert_eq!(done.report.result.as_deref(), Some("done"));
    // A process that left the group goes with its container; here it may live on, and is not waited for either.
    let done = ground.sh(&ground.needs(true, &[]), "setsid sh -c 'sleep 3; echo late' & echo done");
    assert_eq!(done.report.result.as_deref(), Some("done"));
    assert!(begin.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_reader_that_goes_away_is_the_commands_matter() {
    let Some(ground) = Ground::new() else { return };
    let mut child = ground.command(&ground.needs(true, &[]), &["yes"]).spawn().expect("the helper runs");
    drop(child.stdout.take());
    assert_eq!(wait(&mut child).code(), Some(128 + 13), "it gets SIGPIPE as it would otherwise");
}

#[test]
fn a_reader_that_sleeps_does_not_keep_signals_away() {
    let Some(ground) = Ground::new() else { return };
    let script = "trap 'exit 9' TERM; yes & : > up; wait";
    let mut command = ground.command(&ground.needs(true, &[]), &["sh", "-c", script]);
    let mut child = command.stderr(Stdio::null()).spawn().expect("the helper runs");
    wait_for(&ground.path("up"));
    std::thread::sleep(Duration::from_millis(50));
    signal(&child, Signal::SIGTERM);
    let stdout = child.stdout.take();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // What is left goes through once somebody reads again.
            std::thread::sleep(Duration::from_millis(100));
            stdout.map(|mut stdout| std::io::copy(&mut stdout, &mut std::io::sink()))
        });
        assert_eq!(wait(&mut child).code(), Some(9));
    });
}

#[test]
fn without_a_place_for_the_report_the_code_is_the_commands() {
    let Some(ground) = Ground::new() else { return };
    std::fs::remove_file(ground.path("message")).expect("it was there");
    let output = ground.command(&ground.needs(true, &[]), &["sh", "-c", "exit 4"]).output().expect("the helper runs");
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(text(&output.stderr), "wf: failed to report the outputs (os error 2)\n");
}

#[test]
fn a_helper_that_is_called_wrong_says_so() {
    let Some(ground) = Ground::new() else { return };
    for words in [&[][..], &["run"], &["run", "true"], &["fly", "--", "true"], &["run", "--room", "x", "--", "true"]] {
        let output = Command::new(ground.path("helper")).args(words).output().expect("the helper runs");
        assert_eq!(output.status.code(), Some(125), "{words:?}");
        assert!(text(&output.stderr).starts_with("wf: it is called as"), "{words:?}");
    }
}

/// Returns the containers of a set, `name[:dependency,…]=script` each, running: their marks lie in the ground's folder.
fn set(ground: &Ground, tries: u32, containers: &[&str]) -> Vec<Child> {
    let start = |container: &&str| {
        let (head, script) = container.split_once('=').expect("a name and a script");
        let (name, after) = head.split_once(':').unwrap_or((head, ""));
        let mark = |name: &str| ground.path(&format!("mark-{name}")).display().to_string();
        let mut command = Command::new(ground.path("helper"));
        command.args(["run", "--mark", &mark(name), "--tries", &tries.to_string(), "--pause", "20"]);
        after.split(',').filter(|name| !name.is_empty()).for_each(|name| {
            command.args(["--after", &mark(name)]);
        });
        command.args(["--", "sh", "-c", script]).current_dir(ground.folder.path()).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the helper runs")
    };
    containers.iter().map(start).collect()
}

fn codes(children: &mut [Child]) -> Vec<Option<i32>> {
    children.iter_mut().map(|child| wait(child).code()).collect()
}

#[test]
fn containers_of_a_set_keep_their_order() {
    let Some(ground) = Ground::new() else { return };
    // The last are started first.
    let diamond = [
        "d:b,c=echo d >> order",
        "c:a=sleep 0.2; echo c >> order",
        "b:a=echo b >> order",
        "a=sleep 0.2; echo a >> order",
    ];
    assert_eq!(codes(&mut set(&ground, 1, &diamond)), [Some(0); 4]);
    assert_eq!(std::fs::read_to_string(ground.path("order")).expect("they ran"), "a\nb\nc\nd\n");
}

#[test]
fn a_container_whose_dependency_failed_is_not_run() {
    let Some(ground) = Ground::new() else { return };
    let mut children = set(&ground, 1, &["c:b=: > ran", "b:a=: > ran", "a=exit 3", "free=exit 0"]);
    assert_eq!(codes(&mut children), [Some(64), Some(64), Some(3), Some(0)]);
    assert!(!ground.path("ran").exists());
    let mut said = String::new();
    children[0].stderr.take().expect("it is a pipe").read_to_string(&mut said).expect("it is text");
    assert_eq!(said, "wf: a container that this one depends on has failed\n");
    assert_eq!(ground.message(), "", "without outputs the last words are the command's");
}

#[test]
fn a_container_that_was_killed_is_not_waited_for() {
    let Some(ground) = Ground::new() else { return };
    let mut children = set(&ground, 1, &["a=: > up; exec sleep 1000", "b:a=exit 0"]);
    wait_for(&ground.path("up"));
    std::thread::sleep(Duration::from_millis(150));
    assert!(children[1].try_wait().expect("it is our child").is_none(), "it waits");
    children[0].kill().expect("it lives");
    assert_eq!(wait(&mut children[1]).code(), Some(64));
}

#[test]
fn a_container_that_waits_ends_when_it_is_asked() {
    let Some(ground) = Ground::new() else { return };
    let mut children = set(&ground, 1, &["b:a=exit 0", "c:b=exit 0"]);
    wait_for(&ground.path("mark-b"));
    signal(&children[0], Signal::SIGTERM);
    assert_eq!(codes(&mut children), [Some(143), Some(64)]);
}

#[test]
fn a_command_is_tried_until_it_succeeds() {
    let Some(ground) = Ground::new() else { return };
    let script = "echo >> count; test $(wc -l < count) -ge 3";
    let mut children = set(&ground, 3, &[&format!("a={script}"), "b:a=exit 5"]);
    assert_eq!(codes(&mut children), [Some(0), Some(5)]);
    assert_eq!(std::fs::read_to_string(ground.path("count")).expect("it ran"), "\n\n\n");
    // The output of all tries is the result.
    let words = ["run", "--result", "--message", "message", "--tries", "4", "--", "sh", "-c"];
    let script = "echo >> tries; wc -l < tries; test $(wc -l < tries) -ge 3";
    let mut command = Command::new(ground.path("helper"));
    let output = command.args(words).arg(script).current_dir(ground.folder.path()).output().expect("the helper runs");
    assert_eq!(ground.report(&ground.needs(true, &[]), &output).result.as_deref(), Some("1\n2\n3"));
}

#[test]
fn a_command_that_is_asked_to_end_is_not_tried_again() {
    let Some(ground) = Ground::new() else { return };
    let mut children = set(&ground, 100, &["a=echo >> count; : > up; exec sleep 1000"]);
    wait_for(&ground.path("up"));
    signal(&children[0], Signal::SIGTERM);
    assert_eq!(codes(&mut children), [Some(143)]);
    assert_eq!(std::fs::read_to_string(ground.path("count")).expect("it ran"), "\n");
}

#[test]
fn outputs_that_others_write_are_read_when_they_have_ended() {
    let Some(ground) = Ground::new() else { return };
    let needs = ground.needs(false, &["out"]);
    let [out, late, own] = ["out", "mark-late", "mark-main"].map(|name| ground.path(name).display().to_string());
    let words = ["run", "--output", &out, "--message", "message", "--mark", &own, "--until", &late, "--", "true"];
    let mut main = Command::new(ground.path("helper"));
    let main = main.args(words).current_dir(ground.folder.path()).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut main = main.expect("the helper runs");
    // What depends on the command does not wait for its outputs.
    let mut others = set(&ground, 1, &["late:main=echo written > out; exit 1"]);
    assert_eq!(codes(&mut others), [Some(1)]);
    assert_eq!(wait(&mut main).code(), Some(0));
    let output = main.wait_with_output().expect("it ended");
    assert_eq!(ground.report(&needs, &output).parameters, [FileOutput::Found("written".into())]);
}

#[test]
fn a_sidecar_that_ended_stays_until_it_is_asked() {
    let Some(ground) = Ground::new() else { return };
    let mut child = ground.sidecar(&["sh", "-c", "echo up; : > up; exit 6"]).spawn().expect("the helper runs");
    wait_for(&ground.path("up"));
    std::thread::sleep(Duration::from_millis(100));
    assert!(child.try_wait().expect("it is our child").is_none(), "it stays");
    signal(&child, Signal::SIGTERM);
    assert_eq!(wait(&mut child).code(), Some(6));
    assert_eq!(ground.message(), "", "a sidecar reports nothing");
}

#[test]
fn a_sidecar_that_runs_ends_when_it_is_asked() {
    let Some(ground) = Ground::new() else { return };
    let mut child = ground.sidecar(&["sh", "-c", ": > up; exec sleep 1000"]).spawn().expect("the helper runs");
    wait_for(&ground.path("up"));
    signal(&child, Signal::SIGTERM);
    assert_eq!(wait(&mut child).code(), Some(143));
}

#[test]
fn a_sidecar_that_cannot_start_says_so_and_stays() {
    let Some(ground) = Ground::new() else { return };
    let mut child = ground.sidecar(&["nope"]).spawn().expect("the helper runs");
    let begin = Instant::now();
    while ground.message().is_empty() {
        assert!(begin.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(child.try_wait().expect("it is our child").is_none(), "it stays");
    signal(&child, Signal::SIGTERM);
    let status = wait(&mut child);
    assert_eq!((status.code(), status.signal()), (Some(128), None));
    let Ok(Said::Report(report)) = read_message(&ground.message(), &Needs::default()) else { panic!("a report") };
    assert_eq!(report.not_started.as_deref(), Some("command `nope` not found on PATH"));
}
