//! The report: collected from the output's end and the files, and put where the driver finds it.

use core::ffi::CStr;

use crate::arguments::Arguments;
use crate::sys::{self, ENOBUFS, ENOENT, ENXIO, Errno, Fd, Open, POLLOUT, Poll};
use crate::tail::Tail;
use crate::wire::{MESSAGE_MARK, OUTPUT_BYTES_MAX, REPEATED_BYTES_MAX, report_capacity, sum};
use crate::writer::{LINE_BYTES_MAX, Output, ReportWriter, line, pieces};

/// Bytes of a termination message that a kubelet keeps.
const MESSAGE_BYTES_MAX: usize = 4096;

/// Bytes of a report that only says where the report is.
const POINTER_BYTES_MAX: usize = 128;

/// Reports the outputs of a command that ended.
pub fn report(arguments: &Arguments, tail: Option<&Tail<'_>>) -> Result<(), Errno> {
    let count = arguments.outputs().count();
    let mut writer = ReportWriter::new(sys::memory(report_capacity(count))?);
    if let Some(tail) = tail {
        writer.result(tail.bytes());
    }
    if count > 0 {
        let mut outputs = arguments.outputs();
        let scratch = sys::memory(OUTPUT_BYTES_MAX + 1)?;
        writer.parameters(count, |_, parameter| {
            parameter.write(outputs.next().map_or(Output::Absent, |path| output(path, scratch)));
        });
    }
    let mut said = [0; REPEATED_BYTES_MAX];
    let said = read_message(arguments.message, &mut said);
    if !said.is_empty() {
        writer.message(said);
    }
    deliver(arguments, writer)
}

/// Reports that the command could not be started.
pub fn report_unstarted(arguments: &Arguments, command: &CStr, errno: Errno) -> Result<(), Errno> {
    let mut writer = ReportWriter::new(sys::memory(report_capacity(0))?);
    writer.unstarted(command.to_bytes(), errno.0);
    deliver(arguments, writer)
}

/// Puts a report into the termination message, or where it does not fit, into the log.
fn deliver(arguments: &Arguments, writer: ReportWriter<'_>) -> Result<(), Errno> {
    let report = writer.finish().ok_or(ENOBUFS)?;
    let room = arguments.room.min(MESSAGE_BYTES_MAX).saturating_sub(MESSAGE_MARK.len());
    if report.len() <= room {
        return write_message(arguments.message, report);
    }
    let (lines, sum) = (pieces(report).count(), sum(report));
    for (number, piece) in pieces(report).enumerate() {
        write_all(1, line(sum, number, piece, &mut [0; LINE_BYTES_MAX]))?;
    }
    let mut pointer = [0; POINTER_BYTES_MAX];
    let mut writer = ReportWriter::new(&mut pointer);
    writer.in_log(lines, sum);
    write_message(arguments.message, writer.finish().ok_or(ENOBUFS)?)
}

/// Returns what became of an output's file. The last newline of a text is not part of it.
fn output<'s>(path: &CStr, scratch: &'s mut [u8]) -> Output<'s> {
    let fd = match sys::open(path, Open::Read) {
        Ok(fd) => fd,
        Err(ENOENT) => return Output::Absent,
        Err(ENXIO) => return Output::NotFile,
        Err(errno) => return Output::Refused(errno.0),
    };
    let output = read_output(fd, scratch);
    sys::close(fd);
    output
}

fn read_output(fd: Fd, scratch: &mut [u8]) -> Output<'_> {
    let size = match sys::regular_size(fd) {
        Ok(Some(size)) => size,
        Ok(None) => return Output::NotFile,
        Err(errno) => return Output::Refused(errno.0),
    };
    let bytes = match read_all(fd, scratch) {
        Ok(bytes) if bytes.len() > OUTPUT_BYTES_MAX => return Output::Large(size.max(bytes.len() as u64)),
        Ok(bytes) => bytes,
        Err(errno) => return Output::Refused(errno.0),
    };
    match core::str::from_utf8(bytes) {
        Ok(text) => Output::Found(text.strip_suffix('\n').unwrap_or(text)),
        Err(_) => Output::NotText,
    }
}

/// Returns what the command itself left as its last words. Without the file it left none.
fn read_message<'s>(path: &CStr, buffer: &'s mut [u8]) -> &'s [u8] {
    let Ok(fd) = sys::open(path, Open::Read) else { return &[] };
    let said = read_all(fd, buffer).unwrap_or_default();
    sys::close(fd);
    said
}

/// Writes the message at once, so that who is killed meanwhile leaves all of it or nothing.
fn write_message(path: &CStr, report: &str) -> Result<(), Errno> {
    let mut message = [0; MESSAGE_BYTES_MAX];
    let (mark, rest) = message.split_at_mut(MESSAGE_MARK.len());
    mark.copy_from_slice(MESSAGE_MARK.as_bytes());
    rest.get_mut(..report.len()).ok_or(ENOBUFS)?.copy_from_slice(report.as_bytes());
    let fd = sys::open(path, Open::Overwrite)?;
    let written = write_all(fd, &message[..MESSAGE_MARK.len() + report.len()]);
    sys::close(fd);
    written
}

/// Reads until the end or until the buffer is full.
fn read_all(fd: Fd, buffer: &mut [u8]) -> Result<&[u8], Errno> {
    let mut length = 0;
    while length < buffer.len() {
        match sys::read(fd, &mut buffer[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(sys::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(&buffer[..length])
}

/// Writes everything. The command may have had the descriptor never wait, so this waits itself.
pub fn write_all(fd: Fd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match sys::write(fd, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(sys::EINTR) => {}
            Err(sys::EAGAIN) => sys::poll(&mut [Poll::new(fd, POLLOUT)])?,
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
