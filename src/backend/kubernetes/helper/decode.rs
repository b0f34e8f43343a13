//! What the helper reported: from a termination message and the end of a log to values.
//!
//! All of it was in the hands of the user's command, so nothing of it is believed: texts that are too
//! long, cut, or of another form are a [`BadReport`].

use std::collections::BTreeMap;
use std::io;

use serde::Deserialize;

use super::needs::Needs;
use super::wire::{self, LINE_MARK, MESSAGE_MARK, PIECE_BYTES_MAX, report_capacity, sum};
use crate::backend::kubernetes::containers::MAIN;
use crate::base::limits::{DRAIN_BYTES_MAX, OUTPUT_PARAMETER_BYTES_MAX, RESULT_BYTES_MAX};
use crate::engine::{FileOutput, Phase, PodEnd};

/// The exit code of a container whose command could not be started, as container runtimes have it.
const EXIT_CODE_NOT_STARTED: i32 = 128;

/// Bytes of a termination message that are looked at. A kubelet keeps 4,096.
const MESSAGE_BYTES_MAX: usize = 16 << 10;

/// Lines of a log that may stand after or within a trailer: of processes that live on for a moment.
const OTHER_LINES: usize = 64;

// The helper has its own copies of these, since it shares no other file with the driver.
const _: () = assert!(wire::RESULT_BYTES_MAX == RESULT_BYTES_MAX);
const _: () = assert!(wire::OUTPUT_BYTES_MAX == OUTPUT_PARAMETER_BYTES_MAX);
const _: () = assert!(wire::DRAIN_BYTES_MAX == DRAIN_BYTES_MAX);

/// What a termination message says.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// It is not the helper's, which was killed before it could say anything: no outputs.
    Nothing,
    /// Everything.
    Report(Report),
    /// That the report is at the end of the log.
    InLog(Trailer),
}

/// What the helper reported.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// The end of standard output, when it was asked for.
    pub result: Option<String>,
    /// The output parameters, in the order of [`Needs::parameters`].
    pub parameters: Vec<FileOutput>,
    /// What the command itself left as its termination message.
    pub message: Option<String>,
    /// Why the command could not be started.
    pub not_started: Option<String>,
}

/// Why a report cannot be used. The outputs are lost, and with them what was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadReport {
    /// The termination message was cut, or is something else.
    #[error("the container's termination message is damaged")]
    Damaged,
    /// The log lacks lines of the trailer, or has others in their place.
    #[error("the end of the container's log is not there: it was rotated, or written over")]
    LogCut,
}

/// Reads the termination message of a main container that was wrapped for `needs`.
pub fn read_message(message: &str, needs: &Needs) -> Result<Said, BadReport> {
    let Some(text) = message.strip_prefix(MESSAGE_MARK) else { return Ok(Said::Nothing) };
    if text.len() > MESSAGE_BYTES_MAX {
        return Err(BadReport::Damaged);
    }
    let wire: WireReport = serde_json::from_str(text).map_err(|_| BadReport::Damaged)?;
    match wire.log {
        Some(log) => Trailer::new(log, needs).map(Said::InLog),
        None => wire.report(needs).map(Said::Report),
    }
}

/// Returns whether a termination message is the helper's.
pub fn is_report(message: &str) -> bool {
    message.starts_with(MESSAGE_MARK)
}

/// Returns why a container's command could not be started, when its termination message says so.
pub fn not_started(message: &str) -> Option<String> {
    match read_message(message, &Needs::default()) {
        Ok(Said::Report(report)) => report.not_started,
        _ => None,
    }
}

/// Returns what of a log's line is the command's, for showing it: nothing for a line of a trailer.
/// The command may have left a line without an end, which then stands before the trailer's first.
pub fn without_trailer(line: &[u8]) -> Option<&[u8]> {
    let Some(at) = mark_at(line) else { return Some(line) };
    (at > 0).then(|| &line[..at])
}

fn mark_at(line: &[u8]) -> Option<usize> {
    line.windows(LINE_MARK.len()).position(|window| window == LINE_MARK.as_bytes())
}

/// A report that is put together from lines of a log.
#[derive(Debug, Clone, PartialEq)]
pub struct Trailer {
    lines: usize,
    sum: u64,
    next: usize,
    text: Vec<u8>,
}

impl Trailer {
    fn new(log: WireLog, needs: &Needs) -> Result<Self, BadReport> {
        // A piece lacks three bytes at most, where a character would be cut.
        let lines_max = report_capacity(needs.parameters.len()).div_ceil(PIECE_BYTES_MAX - 3);
        if log.lines == 0 || log.lines > lines_max {
            return Err(BadReport::Damaged);
        }
        Ok(Self { lines: log.lines, sum: log.sum, next: 0, text: Vec::new() })
    }

    /// Returns how many lines of the end of the log to ask for (`tailLines`). A runtime may keep one
    /// line as two, when the end of its buffer falls into it.
    pub fn tail_lines(&self) -> usize {
        2 * self.lines + OTHER_LINES
    }

    /// Takes one line of the log, with or without its newline; whatever is not the trailer's is passed over.
    pub fn push(&mut self, line: &[u8]) {
        let Some(piece) = self.piece(line) else { return };
        self.text.extend_from_slice(piece);
        self.next += 1;
    }

    /// Returns whether all lines were taken.
    pub fn is_whole(&self) -> bool {
        self.next == self.lines
    }

    /// Returns the report when all lines were taken.
    pub fn finish(self, needs: &Needs) -> Result<Report, BadReport> {
        let text = String::from_utf8(self.text).map_err(|_| BadReport::LogCut)?;
        if self.next != self.lines || sum(&text) != self.sum {
            return Err(BadReport::LogCut);
        }
        let wire: WireReport = serde_json::from_str(&text).map_err(|_| BadReport::Damaged)?;
        wire.report(needs)
    }

    /// Returns what `line` adds, when it is the one that comes next.
    fn piece<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = &line[mark_at(line)?..];
        let own = format!("{LINE_MARK}{:016x}:{}:", self.sum, self.next);
        let piece = line.strip_prefix(own.as_bytes())?;
        (self.next < self.lines && piece.len() <= PIECE_BYTES_MAX).then_some(piece)
    }
}

impl Report {
    /// Puts the outputs into a node's end, as its container's status alone makes it.
    pub fn complete(self, needs: &Needs, end: PodEnd) -> PodEnd {
        if let Some(why) = self.not_started {
            let message = format!("main: failed to start: {why}");
            return PodEnd { phase: Phase::Failed, exit_code: Some(EXIT_CODE_NOT_STARTED), message, ..end };
        }
        let names = needs.parameters.iter().map(|file| file.name.clone());
        let parameters: BTreeMap<_, _> = names.zip(self.parameters).collect();
        let mut end = PodEnd { result: self.result.filter(|_| needs.result), parameters, ..end };
        // Argo has its command's own last words beside why it failed (`inferFailedReason`).
        let words = self.message.as_deref().map(str::trim_end).filter(|words| !words.is_empty());
        if let Some(words) = words.filter(|_| end.phase != Phase::Succeeded && end.exit_code != Some(0)) {
            end.message = format!("{}: {words}", end.message);
            if let Some(main) = end.containers.get_mut(MAIN) {
                main.message = format!("{}: {words}", main.message);
            }
        }
        end
    }
}

#[derive(Deserialize)]
struct WireReport {
    result: Option<String>,
    #[serde(default)]
    parameters: Vec<Option<WireOutput>>,
    message: Option<String>,
    unstarted: Option<WireUnstarted>,
    log: Option<WireLog>,
}

#[derive(Deserialize)]
struct WireLog {
    lines: usize,
    sum: u64,
}

#[derive(Deserialize)]
struct WireUnstarted {
    command: String,
    errno: i32,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WireOutput {
    Found(String),
    Unusable(WireUnusable),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum WireUnusable {
    Large(u64),
    NoRoom(u64),
    Not(WireNot),
    Errno(i32),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum WireNot {
    File,
    Text,
}

impl WireReport {
    fn report(self, needs: &Needs) -> Result<Report, BadReport> {
        let not_started = self.unstarted.map(WireUnstarted::words);
        let is_due = not_started.is_none();
        if is_due && (self.parameters.len() != needs.parameters.len() || self.result.is_some() != needs.result) {
            return Err(BadReport::Damaged);
        }
        let outputs = self.parameters.into_iter().zip(&needs.parameters);
        let parameters = outputs.map(|(output, file)| file_output(output, &file.path)).collect();
        Ok(Report { result: self.result, parameters, message: self.message, not_started })
    }
}

impl WireUnstarted {
    /// Returns the words of a shell, and of the local backend.
    fn words(self) -> String {
        let Self { command, errno } = self;
        if errno == NOT_FOUND && !command.contains('/') {
            return format!("command `{command}` not found on PATH");
        }
        format!("failed to start `{command}`: {}", io::Error::from_raw_os_error(errno))
    }
}

/// Linux's `ENOENT`, wherever the driver runs.
const NOT_FOUND: i32 = 2;

fn file_output(output: Option<WireOutput>, path: &str) -> FileOutput {
    let unusable = |why: String| FileOutput::Unusable(format!("`{path}` {why}"));
    match output {
        None => FileOutput::Absent,
        Some(WireOutput::Found(text)) if text.len() > OUTPUT_PARAMETER_BYTES_MAX => unusable(too_large(text.len())),
        Some(WireOutput::Found(text)) => FileOutput::Found(text),
        Some(WireOutput::Unusable(why)) => match why {
            WireUnusable::Large(bytes) => unusable(too_large(bytes)),
            WireUnusable::NoRoom(bytes) => {
                unusable(format!("has {bytes} bytes, for which the pod's report has no room beside its other outputs"))
            }
            WireUnusable::Not(WireNot::File) => unusable("is no file".to_owned()),
            WireUnusable::Not(WireNot::Text) => unusable("is not UTF-8 text; an artifact may be anything".to_owned()),
            WireUnusable::Errno(errno) => {
                FileOutput::Unusable(format!("failed to read `{path}`: {}", io::Error::from_raw_os_error(errno)))
            }
        },
    }
}

fn too_large(bytes: impl std::fmt::Display) -> String {
    format!("has {bytes} bytes; a parameter may have {OUTPUT_PARAMETER_BYTES_MAX}, an artifact any number")
}
