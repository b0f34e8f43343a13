//! What the helper says to the driver, in both directions of the wire: this file is compiled into both.
//!
//! A *report* is one JSON object on one line:
//!
//! ```text
//! {"result":"…","parameters":["found",null,{"large":9999999}],"message":"…"}
//! {"unstarted":{"command":"nope","errno":2}}
//! ```
//!
//! When it is short it is the container's termination message, after [`MESSAGE_MARK`]. Otherwise the
//! message says where it is, `{"log":{"lines":3,"sum":1234}}`, and the report stands at the end of
//! the container's log, cut into lines, each after [`LINE_MARK`], the sum, and its number:
//!
//! ```text
//! ::wf-report:00000000000004d2:0:{"result":"the beg
//! ```
//!
//! The trailer goes to standard output: runtimes keep the order of one stream, not of the two together,
//! and what makes a report large is mostly the result, which then lies right before it. A line is one
//! write that a pipe takes whole, so what others write meanwhile, and the end of a line that the
//! command left open, may stand before the mark, never behind it. A log that was rotated in between
//! lacks lines.
//!
//! The JSON is not compressed: most reports fit as they are, `kubectl describe pod` then shows the
//! result to people, and a compressor would be a third of the helper for saving one read of a log.
//!
//! `writer.rs` writes reports; the driver reads them in `backend/kubernetes/helper/decode.rs`.

/// The exit code of a container that waited for one that failed, as Argo's emissary has it.
pub const EXIT_CODE_NOT_WANTED: i32 = 64;

/// What is kept of a command's standard output as its result: the end of it.
pub const RESULT_BYTES_MAX: usize = 256 << 10;

/// Bytes of an output parameter's file.
pub const OUTPUT_BYTES_MAX: usize = 1 << 20;

/// What is still read of a command's output after its end, should others go on writing.
pub const DRAIN_BYTES_MAX: usize = 16 << 20;

/// What a termination message of the helper begins with; the number is the version.
pub const MESSAGE_MARK: &str = "wf1:";

/// What comes before each part of a report in a log.
pub const LINE_MARK: &str = "::wf-report:";

/// Bytes of a report in one line of a log. With what is before it, a line stays below the 4,096
/// bytes that a pipe takes whole.
pub const PIECE_BYTES_MAX: usize = 4000;

/// Bytes of the contents in one report. Kubelets keep 10 MiB of a log that is not rotated.
pub const REPORT_BYTES_MAX: usize = 8 << 20;

/// Bytes of what a report holds besides the contents, per parameter: `{"large":18446744073709551615},`.
pub const PARAMETER_OVERHEAD_BYTES_MAX: usize = 48;

/// Bytes of a command's name, and of a message, that a report repeats. Each may take six in JSON.
pub const REPEATED_BYTES_MAX: usize = 4096;

/// Bytes that a whole report can take.
pub const fn report_capacity(parameters: usize) -> usize {
    REPORT_BYTES_MAX + parameters * PARAMETER_OVERHEAD_BYTES_MAX + 2 * 6 * REPEATED_BYTES_MAX + 256
}

/// Returns a sum over a report (FNV-1a), by which a damaged one is known, and its lines from others'.
pub fn sum(report: &str) -> u64 {
    report.bytes().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
