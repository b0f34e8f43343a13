//! What is wrapped, and that each side of the wire understands the other; and hostile input.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::wire::{MESSAGE_MARK, RESULT_BYTES_MAX, report_capacity, sum};
use super::writer::{LINE_BYTES_MAX, Output, ReportWriter, line, pieces};
use super::*;
use crate::base::limits::OUTPUT_PARAMETER_BYTES_MAX;
use crate::engine::{FileOutput, Phase, PodEnd};

fn needs(result: bool, paths: &[&str]) -> Needs {
    let file = |path: &&str| OutputFile { name: path.trim_start_matches('/').to_owned(), path: (*path).to_owned() };
    Needs { result, parameters: paths.iter().map(file).collect() }
}

fn write(fill: impl FnOnce(&mut ReportWriter<'_>)) -> String {
    let mut buffer = vec![0; report_capacity(8)];
    let mut writer = ReportWriter::new(&mut buffer);
    fill(&mut writer);
    writer.finish().expect("there is room").to_owned()
}

fn read(report: &str, needs: &Needs) -> Result<Report, BadReport> {
    match read_message(&format!("{MESSAGE_MARK}{report}"), needs)? {
        Said::Report(report) => Ok(report),
        other => panic!("it is a report: {other:?}"),
    }
}

/// Returns the lines of a log with a report at its end, and what the termination message then says.
fn in_log(report: &str) -> (Vec<Vec<u8>>, String) {
    let sum = sum(report);
    let lines = pieces(report).enumerate();
    let lines: Vec<_> = lines.map(|(at, piece)| line(sum, at, piece, &mut [0; LINE_BYTES_MAX]).to_vec()).collect();
    let pointer = write(|writer| writer.in_log(lines.len(), sum));
    (lines, format!("{MESSAGE_MARK}{pointer}"))
}

fn read_log<'a>(message: &str, lines: impl IntoIterator<Item = &'a [u8]>, needs: &Needs) -> Result<Report, BadReport> {
    let Said::InLog(mut trailer) = read_message(message, needs)? else { panic!("it points to the log") };
    lines.into_iter().for_each(|line| trailer.push(line));
    trailer.finish(needs)
}

fn wrapped(mut container: Value, needs: &Needs) -> Result<String, String> {
    wrap_worker(&mut container, needs, &Turn::default(), 1).map_err(|fault| fault.to_string())?;
    assert_eq!(container["volumeMounts"][0]["mountPath"], "/wf.internal");
    let words = |field: &str| container[field].as_array().cloned().unwrap_or_default();
    let show = |words: Vec<Value>| words.iter().map(|word| word.as_str().unwrap_or("?").to_owned()).collect::<Vec<_>>();
    Ok(format!("{} | {}", show(words("command")).join(" "), show(words("args")).join(" ")))
}

#[test]
fn commands_are_wrapped() {
    let cases = [
        (
            json!({ "command": ["sh", "-c"], "args": ["x"] }),
            needs(true, &[]),
            "/wf.internal/helper run --result --room 3072 -- sh -c | x",
        ),
        (
            json!({ "command": ["x"], "terminationMessagePath": "/m$(A)" }),
            needs(false, &["/a", "/b$(B)"]),
            "/wf.internal/helper run --output /a --output /b$$(B) --room 3072 --message /m$$(A) -- x | ",
        ),
        (
            json!({ "image": "docker.io/argoproj/argosay:v2", "args": ["echo"] }),
            needs(true, &[]),
            "/wf.internal/helper run --result --room 3072 -- /argosay | echo",
        ),
        (
            json!({ "image": "alpine@sha256:1" }),
            needs(true, &[]),
            "/wf.internal/helper run --result --room 3072 -- | /bin/sh",
        ),
    ];
    for (container, needs, expected) in cases {
        assert_eq!(wrapped(container.clone(), &needs).as_deref(), Ok(expected), "{container}");
    }
    let unknown = wrapped(json!({ "image": "localhost:5000/alpine" }), &needs(true, &[]));
    assert!(unknown.is_err_and(|why| why.contains("`localhost:5000/alpine`")));
}

#[test]
fn sidecars_stay() {
    let mut sidecar = json!({ "command": ["nginx"], "volumeMounts": [{ "name": "v", "mountPath": "/v" }] });
    assert!(wrap_sidecar(&mut sidecar));
    assert_eq!(sidecar["command"], json!(["/wf.internal/helper", "stay", "--", "nginx"]));
    assert_eq!(sidecar["volumeMounts"].as_array().map(Vec::len), Some(2));
    let unknown = json!({ "image": "mine" });
    let mut same = unknown.clone();
    assert!(!wrap_sidecar(&mut same));
    assert_eq!(same, unknown);
}

#[test]
fn a_pod_has_room_for_the_messages_of_all_its_containers() {
    for (containers, room) in [(1, "3072"), (2, "2457"), (9, "1024"), (100, "119")] {
        let mut container = json!({ "command": ["x"] });
        wrap_worker(&mut container, &needs(true, &[]), &Turn::default(), containers).expect("it can be wrapped");
        assert_eq!(container["command"][4], room, "{containers}");
    }
}

#[test]
fn templates_that_cannot_report_are_known_before_they_run() {
    let template = |template: Value| serde_json::from_value(template).expect("a template");
    let unknown = json!({ "container": { "image": "mine" } });
    assert_eq!(template_fault(&template(unknown.clone()), false), None);
    assert_eq!(template_fault(&template(unknown), true), Some(Unwrappable::NoCommand { image: "mine".into() }));
    let script = json!({ "script": { "image": "mine", "command": ["sh"], "source": "" } });
    assert_eq!(template_fault(&template(script), true), None);
    let set = |b: Value, retries: Value| {
        let containers =
            json!([{ "name": "a", "image": "mine" }, b, { "name": "main", "image": "mine", "command": ["x"] }]);
        template(json!({ "containerSet": { "containers": containers, "retryStrategy": retries } }))
    };
    let alone = || json!({ "name": "b", "image": "mine" });
    let fault = |name: &str| Some(Unwrappable::NoMemberCommand { name: name.into(), image: "mine".into() });
    assert_eq!(template_fault(&set(alone(), Value::Null), true), None);
    assert_eq!(template_fault(&set(alone(), json!({ "retries": 2 })), false), fault("a"));
    let after = |name: &str| json!({ "name": "b", "image": "mine", "dependencies": [name] });
    assert_eq!(template_fault(&set(after("a"), Value::Null), false), fault("a"));
    assert_eq!(template_fault(&set(after("main"), Value::Null), false), fault("b"));
}

#[test]
fn the_program_is_in_an_immutable_object() {
    let name = config_map_name("run");
    assert!(name.starts_with("wf.helper.run.") && name.len() == "wf.helper.run.".len() + 12, "{name}");
    let object = config_map(Default::default());
    assert_eq!(object.immutable, Some(true));
    let program = &object.binary_data.expect("it has a program")["helper"].0;
    assert_eq!(program.is_empty(), !is_built_in());
    assert_eq!(volume("x")["configMap"]["defaultMode"], 0o555);
}

#[test]
fn all_that_can_become_of_a_file_is_told() {
    let needs = needs(false, &["/a", "/b", "/c", "/d", "/e", "/f"]);
    let outputs =
        [Output::Found("x"), Output::Absent, Output::Large(9), Output::NotFile, Output::NotText, Output::Refused(13)];
    let report = write(|writer| writer.parameters(outputs.len(), |at, parameter| parameter.write(outputs[at])));
    let unusable = |why: &str| FileOutput::Unusable(why.to_owned());
    let expected = [
        FileOutput::Found("x".into()),
        FileOutput::Absent,
        unusable("`/c` has 9 bytes; a parameter may have 1048576, an artifact any number"),
        unusable("`/d` is no file"),
        unusable("`/e` is not UTF-8 text; an artifact may be anything"),
        unusable("failed to read `/f`: Permission denied (os error 13)"),
    ];
    assert_eq!(read(&report, &needs).map(|report| report.parameters), Ok(expected.to_vec()));
}

#[test]
fn what_has_no_room_is_told_and_the_rest_is_there() {
    let text = "\u{1}".repeat(OUTPUT_PARAMETER_BYTES_MAX);
    let needs = needs(false, &["/a", "/b", "/c"]);
    let outputs = [Output::Found(&text), Output::Found(&text), Output::Found("c")];
    let report = write(|writer| writer.parameters(3, |at, parameter| parameter.write(outputs[at])));
    let (lines, message) = in_log(&report);
    let read = read_log(&message, lines.iter().map(Vec::as_slice), &needs).expect("a report");
    assert_eq!(read.parameters[0], FileOutput::Found(text.clone()));
    assert!(matches!(&read.parameters[1], FileOutput::Unusable(why) if why.contains("no room")));
    assert_eq!(read.parameters[2], FileOutput::Found("c".into()));
}

#[test]
fn a_command_that_did_not_start_is_told_as_elsewhere() {
    let cases = [
        ("nope", 2, "main: failed to start: command `nope` not found on PATH"),
        ("/nope", 2, "main: failed to start: failed to start `/nope`: No such file or directory (os error 2)"),
        ("run", 8, "main: failed to start: failed to start `run`: Exec format error (os error 8)"),
    ];
    let needs = needs(true, &["/a"]);
    for (command, errno, message) in cases {
        let report = write(|writer| writer.unstarted(command.as_bytes(), errno));
        let end = read(&report, &needs).expect("a report").complete(&needs, PodEnd::exited(128));
        assert_eq!((end.phase, end.exit_code, &*end.message), (Phase::Failed, Some(128), message));
        assert!(end.result.is_none() && end.parameters.is_empty());
    }
}

#[test]
fn outputs_complete_an_end() {
    let needs = needs(true, &["/a"]);
    let report = write(|writer| {
        writer.result(b"r\xff");
        writer.parameters(1, |_, parameter| parameter.write(Output::Found("x\"\\\n\t\u{7f}")));
        writer.message(b"words\n");
    });
    let report = read(&report, &needs).expect("a report");
    assert_eq!(report.message.as_deref(), Some("words\n"));
    assert_eq!(report.clone().complete(&needs, PodEnd::exited(0)).message, "");
    let end = report.complete(&needs, PodEnd::exited(3));
    assert_eq!((end.exit_code, end.result.as_deref()), (Some(3), Some("r\u{fffd}")));
    assert_eq!(end.message, "main: Error (exit code 3): words");
    assert_eq!(end.parameters["a"], FileOutput::Found("x\"\\\n\t\u{7f}".into()));
}

#[test]
fn trailers_are_hidden_and_lines_of_others_passed_over() {
    let report = write(|writer| writer.result("é".repeat(5000).as_bytes()));
    let (lines, message) = in_log(&report);
    let mut log: Vec<Vec<u8>> = vec![b"before\n".to_vec(), [b"no end", &*lines[0]].concat(), b"other\n".to_vec()];
    log.extend_from_slice(&lines[1..]);
    log.push(b"after\n".to_vec());
    let needs = needs(true, &[]);
    let read = read_log(&message, log.iter().map(Vec::as_slice), &needs).expect("a report");
    assert_eq!(read.result.map(|result| result.len()), Some(10_000));
    let shown: Vec<_> = log.iter().filter_map(|line| without_trailer(line)).map(String::from_utf8_lossy).collect();
    assert_eq!(shown, ["before\n", "no end", "other\n", "after\n"]);
}

#[test]
fn a_cut_log_is_known() {
    let report = write(|writer| writer.result(&vec![b'x'; RESULT_BYTES_MAX]));
    let (lines, message) = in_log(&report);
    let needs = needs(true, &[]);
    let line = |at: usize| lines[at].as_slice();
    let cuts: [Vec<&[u8]>; 4] = [
        lines.iter().skip(1).map(Vec::as_slice).collect(),
        lines.iter().take(lines.len() - 1).map(Vec::as_slice).collect(),
        vec![line(0), line(2)],
        Vec::new(),
    ];
    for cut in cuts {
        assert_eq!(read_log(&message, cut, &needs), Err(BadReport::LogCut));
    }
    let Ok(Said::InLog(trailer)) = read_message(&message, &needs) else { panic!("it points to the log") };
    assert!(trailer.tail_lines() >= 2 * lines.len());
}

#[test]
fn messages_that_are_damaged_are_no_reports() {
    let needs = needs(true, &["/a"]);
    let bad = [
        "wf1:".to_owned(),
        "wf1:{".to_owned(),
        "wf1:{}".to_owned(),
        "wf1:{\"result\":\"x\"}".to_owned(),
        "wf1:{\"result\":\"x\",\"parameters\":[]}".to_owned(),
        "wf1:{\"result\":\"x\",\"parameters\":[{\"large\":-1}]}".to_owned(),
        "wf1:{\"log\":{\"lines\":0,\"sum\":1}}".to_owned(),
        "wf1:{\"log\":{\"lines\":999999999999,\"sum\":1}}".to_owned(),
        format!("wf1:{}", "[".repeat(10_000)),
        format!("wf1:{{\"result\":\"{}\"}}", "x".repeat(100_000)),
    ];
    for message in bad {
        assert_eq!(read_message(&message, &needs), Err(BadReport::Damaged), "{message:.80}");
    }
    for message in ["", "words of the command", "wf2:{}"] {
        assert_eq!(read_message(message, &needs), Ok(Said::Nothing), "{message}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        result in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..9000)),
        texts in proptest::collection::vec(".{0,50}", 0..5),
        message in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let paths: Vec<String> = (0..texts.len()).map(|at| format!("/{at}")).collect();
        let needs = needs(result.is_some(), &paths.iter().map(String::as_str).collect::<Vec<_>>());
        let report = write(|writer| {
            if let Some(result) = &result {
                writer.result(result);
            }
            writer.parameters(texts.len(), |at, parameter| parameter.write(Output::Found(&texts[at])));
            writer.message(&message);
        });
        let expected = Report {
            result: result.map(|result| String::from_utf8_lossy(&result).into_owned()),
            parameters: texts.into_iter().map(FileOutput::Found).collect(),
            message: Some(String::from_utf8_lossy(&message).into_owned()),
            not_started: None,
        };
        let (lines, pointer) = in_log(&report);
        prop_assert_eq!(read_log(&pointer, lines.iter().map(Vec::as_slice), &needs), Ok(expected));
    }

    #[test]
    fn anything_may_come_back(message in ".{0,300}", lines in proptest::collection::vec(".{0,80}", 0..5)) {
        let needs = needs(true, &["/a"]);
        for message in [message.clone(), format!("{MESSAGE_MARK}{message}")] {
            let _ = read_message(&message, &needs);
        }
        let Ok(Said::InLog(mut trailer)) = read_message("wf1:{\"log\":{\"lines\":2,\"sum\":3}}", &needs) else {
            panic!("it points to the log")
        };
        for (at, line) in lines.iter().enumerate() {
            trailer.push(line.as_bytes());
            trailer.push(format!("::wf-report:{:016x}:{at}:{line}", 3).as_bytes());
            let _ = without_trailer(line.as_bytes());
        }
        prop_assert!(trailer.finish(&needs).is_err());
    }
}
