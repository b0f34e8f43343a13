//! The end of a stream, as much of it as is kept. It is the result of a step.

use crate::wire::RESULT_BYTES_MAX;

/// Bytes that are kept at least: a newline at the end is not counted.
const KEPT: usize = RESULT_BYTES_MAX + 1;

/// Bytes of the buffer. Letting go costs a move of what is kept, so it is done seldom.
pub const TAIL_BYTES: usize = 2 * KEPT + READ_BYTES;

/// Bytes that come at once: as much as a pipe of Linux holds.
pub const READ_BYTES: usize = 64 << 10;

/// The last bytes of what came.
pub struct Tail<'a> {
    buffer: &'a mut [u8],
    length: usize,
}

impl<'a> Tail<'a> {
    /// Begins with nothing. The buffer has [`TAIL_BYTES`].
    pub fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, length: 0 }
    }

    /// Adds [`READ_BYTES`] at most, and lets go of what is too old.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.length + bytes.len() > self.buffer.len() {
            let old = self.length.saturating_sub(KEPT);
            self.buffer.copy_within(old..self.length, 0);
            self.length -= old;
        }
        if let Some(room) = self.buffer.get_mut(self.length..self.length + bytes.len()) {
            room.copy_from_slice(bytes);
            self.length += bytes.len();
        }
    }

    /// Returns the end, without one newline. A character that would be cut in two is left out.
    pub fn bytes(&self) -> &[u8] {
        let kept = &self.buffer[..self.length];
        let kept = kept.strip_suffix(b"\n").unwrap_or(kept);
        if kept.len() <= RESULT_BYTES_MAX {
            return kept;
        }
        let end = &kept[kept.len() - RESULT_BYTES_MAX..];
        let whole = end.iter().take(4).position(|byte| byte & 0xc0 != 0x80);
        &end[whole.unwrap_or(0)..]
    }
}
