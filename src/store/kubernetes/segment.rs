//! How a log is cut into segments, and put together again.
//!
//! A segment is a zlib stream of its own that is never finished: each append adds what it takes
//! and a flush, so that writing one record costs the work for one record, and a reader gets all
//! that was appended. A segment also says at which byte of the log it begins: one that begins
//! before the end of those before it takes the place of a torn record, which an append left that
//! was never completed.
//!
//! **Invariant:** pure. One segment is open; the write that fills it seals it, and only then is
//! there a next one.

use std::collections::BTreeMap;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// The bytes of a segment, compressed. A write costs 2 ms at 1 KB and 7 at 100 KB, and each
/// append writes the whole segment.
pub(super) const SEGMENT_BYTES_MAX: usize = 30 << 10;

/// Bytes of the log that are compressed at once; what they come to decides whether more fit.
const SLICE_BYTES: usize = 4 << 10;

/// What a slice comes to at worst, flush included: incompressible bytes are stored, five more for
/// each block.
const SLICE_BYTES_PACKED_MAX: usize = SLICE_BYTES + 64;

/// What one segment may unpack to. Zlib reaches 1 : 1032; more is damage, or an attack.
const SEGMENT_BYTES_UNPACKED_MAX: usize = SEGMENT_BYTES_MAX * 1040;

/// A segment as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    /// At which byte of the log it begins.
    pub(super) from: u64,
    /// A zlib stream without an end.
    pub(super) packed: Vec<u8>,
    /// Whether it is never written again.
    pub(super) is_sealed: bool,
}

/// One write of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Write {
    /// Which segment.
    pub(super) index: u32,
    /// Whether it is created; it must not be there yet. Otherwise it is replaced.
    pub(super) is_new: bool,
    /// What it holds from now on.
    pub(super) segment: Segment,
}

/// The end of a log, to which records are appended.
pub(super) struct Segmenter {
    index: u32,
    is_new: bool,
    from: u64,
    length: u64,
    packed: Vec<u8>,
    deflate: Compress,
}

impl Segmenter {
    /// Returns the end of a log of `length` bytes whose segments are all sealed; `index` is the next.
    pub(super) fn fresh(index: u32, length: u64) -> Self {
        let deflate = Compress::new(Compression::fast(), true);
        Self { index, is_new: true, from: length, length, packed: Vec::new(), deflate }
    }

    /// Returns the end of a log whose open segment `index` begins at `from` and holds `text`. What
    /// another process compressed is compressed anew.
    pub(super) fn reopen(index: u32, from: u64, text: &[u8]) -> Self {
        let mut segmenter = Self::fresh(index, from);
        segmenter.pack(text);
        segmenter.is_new = false;
        segmenter
    }

    /// Returns which segment is open, or comes next.
    pub(super) fn index(&self) -> u32 {
        self.index
    }

    /// Returns the open segment as it is, for a write that only says whose it is.
    pub(super) fn open(&mut self) -> Write {
        let write = self.write(false);
        self.is_new = false;
        write
    }

    /// Appends a line, and returns the writes that make it durable, to be done in order.
    pub(super) fn append(&mut self, line: &[u8]) -> Vec<Write> {
        let mut writes = Vec::new();
        for slice in line.chunks(SLICE_BYTES) {
            if self.packed.len() + SLICE_BYTES_PACKED_MAX > SEGMENT_BYTES_MAX {
                writes.push(self.seal());
            }
            self.pack(slice);
        }
        if self.packed.len() + SLICE_BYTES_PACKED_MAX > SEGMENT_BYTES_MAX {
            writes.push(self.seal());
        } else if self.length > self.from {
            writes.push(self.open());
        }
        writes
    }

    /// Closes the open segment, and begins the next.
    fn seal(&mut self) -> Write {
        let write = self.write(true);
        *self = Self::fresh(self.index + 1, self.length);
        write
    }

    fn write(&self, is_sealed: bool) -> Write {
        let segment = Segment { from: self.from, packed: self.packed.clone(), is_sealed };
        Write { index: self.index, is_new: self.is_new, segment }
    }

    /// Compresses `bytes` to their end, so that a reader gets them all.
    fn pack(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        let begin = self.deflate.total_in();
        loop {
            self.packed.reserve(SLICE_BYTES_PACKED_MAX);
            let taken = (self.deflate.total_in() - begin) as usize;
            let status = self.deflate.compress_vec(&bytes[taken..], &mut self.packed, FlushCompress::Sync);
            status.expect("deflate takes all bytes");
            let is_taken = (self.deflate.total_in() - begin) as usize == bytes.len();
            // Room that is left says that the flush is out, too.
            if is_taken && self.packed.len() < self.packed.capacity() {
                return;
            }
        }
    }
}

/// Returns the bytes that a segment holds, or what is wrong with it.
pub(super) fn unpack(packed: &[u8]) -> Result<Vec<u8>, String> {
    let mut inflate = Decompress::new(true);
    let mut text = Vec::new();
    loop {
        text.reserve((packed.len() * 4).max(SLICE_BYTES));
        let (taken, given) = (inflate.total_in() as usize, text.len());
        let status = inflate.decompress_vec(&packed[taken..], &mut text, FlushDecompress::Sync);
        let status = status.map_err(|error| format!("it is not compressed as it was: {error}"))?;
        if text.len() > SEGMENT_BYTES_UNPACKED_MAX {
            return Err(format!("it unpacks to more than {SEGMENT_BYTES_UNPACKED_MAX} bytes"));
        }
        let is_stuck = inflate.total_in() as usize == taken && text.len() == given;
        if status == Status::StreamEnd || is_stuck {
            return Ok(text);
        }
    }
}

/// A log, put together of its segments.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Assembled {
    /// The bytes of the log that are known.
    pub(super) text: Vec<u8>,
    /// Which segment comes next: one that is open is this one.
    pub(super) next: u32,
    /// The open segment's beginning, if there is one.
    pub(super) open: Option<u64>,
}

/// Why segments do not make a log.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken {
    /// Which segment.
    pub(super) index: u32,
    /// What is wrong with it.
    pub(super) reason: String,
}

impl Assembled {
    /// Takes what is new in `segments`, which may lack those that were sealed before. Returns
    /// whether anything was.
    pub(super) fn take(&mut self, segments: &BTreeMap<u32, Segment>) -> Result<bool, Broken> {
        let before = (self.text.len(), self.next);
        while let Some(segment) = segments.get(&self.next) {
            self.put(segment).map_err(|reason| Broken { index: self.next, reason })?;
            self.open = (!segment.is_sealed).then_some(segment.from);
            if self.open.is_some() {
                break;
            }
            self.next += 1;
        }
        match segments.keys().next_back() {
            Some(&last) if last > self.next => {
                let reason = "it is missing, and later ones are there".to_owned();
                Err(Broken { index: self.next, reason })
            }
            _ => Ok(before != (self.text.len(), self.next)),
        }
    }

    fn put(&mut self, segment: &Segment) -> Result<(), String> {
        let from = usize::try_from(segment.from).ok().filter(|from| *from <= self.text.len());
        let from = from.ok_or_else(|| format!("it begins at byte {}, beyond the end", segment.from))?;
        let text = unpack(&segment.packed)?;
        let known = &self.text[from..];
        let complete = known.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        if !text.starts_with(&known[..complete]) {
            return Err(format!("it begins at byte {from}, within what was complete"));
        }
        self.text.truncate(from);
        self.text.extend_from_slice(&text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Segments = BTreeMap<u32, Segment>;

    /// Does what an API server would, and checks what it would refuse.
    fn write(segments: &mut Segments, writes: Vec<Write>) {
        for Write { index, is_new, segment } in writes {
            assert_eq!(is_new, !segments.contains_key(&index), "segment {index}");
            assert!(segments.values().all(|kept| kept.is_sealed) || !is_new, "one is open at most");
            assert!(segments.get(&index).is_none_or(|kept| !kept.is_sealed), "sealed is for ever");
            assert!(segment.packed.len() <= SEGMENT_BYTES_MAX, "{}", segment.packed.len());
            segments.insert(index, segment);
        }
    }

    fn read(segments: &Segments) -> Vec<u8> {
        let mut assembled = Assembled::default();
        assembled.take(segments).expect("segments of one log");
        assembled.text
    }

    /// A line of `length` bytes; the seed decides how well it compresses.
    fn line(seed: u32, length: usize) -> Vec<u8> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if seed.is_multiple_of(3) { b'a' } else { b'!' + (state >> 25) as u8 % 90 }
        };
        (0..length).map(|_| next()).chain([b'\n']).collect()
    }

    #[test]
    fn what_was_appended_is_read_whatever_its_size() {
        let mut segments = Segments::new();
        let mut segmenter = Segmenter::fresh(0, 0);
        let mut expected = Vec::new();
        for (seed, length) in
            (0..400).map(|at| (at, 100 + at as usize * 7)).chain([(7, 300_000), (9, 3_000_000), (8, 1)])
        {
            let line = line(seed, length);
            expected.extend_from_slice(&line);
            let writes = segmenter.append(&line);
            assert!(!writes.is_empty());
            write(&mut segments, writes);
            assert_eq!(read(&segments).len(), expected.len(), "after {seed}");
        }
        assert_eq!(read(&segments), expected);
        assert!(segments.len() > 10, "{}", segments.len());
    }

    #[test]
    fn an_open_segment_is_taken_over() {
        let mut segments = Segments::new();
        write(&mut segments, Segmenter::fresh(0, 0).append(b"one\n"));
        let mut segmenter = Segmenter::reopen(0, 0, b"one\n");
        write(&mut segments, vec![segmenter.open()]);
        write(&mut segments, segmenter.append(b"two\n"));
        assert_eq!(read(&segments), b"one\ntwo\n");
    }

    #[test]
    fn a_torn_record_is_replaced_and_nothing_else_is() {
        let sealed =
            |from, text: &[u8]| Segment { from, packed: Segmenter::reopen(0, 0, text).packed, is_sealed: true };
        let mut segments = Segments::from([(0, sealed(0, b"one\ntw"))]);
        write(&mut segments, Segmenter::fresh(1, 4).append(b"three\n"));
        assert_eq!(read(&segments), b"one\nthree\n");
        for (from, why) in [(3, "within"), (40, "beyond")] {
            let segments = Segments::from([(0, sealed(0, b"one\ntw")), (1, sealed(from, b"x\n"))]);
            let broken = Assembled::default().take(&segments).expect_err("it does not fit");
            assert!(broken.index == 1 && broken.reason.contains(why), "{broken:?}");
        }
    }

    #[test]
    fn readers_go_on_from_where_they_were() {
        let mut segments = Segments::new();
        let mut segmenter = Segmenter::fresh(0, 0);
        let mut assembled = Assembled::default();
        assert_eq!(assembled.take(&segments), Ok(false));
        for at in 0..50 {
            write(&mut segments, segmenter.append(&line(at, 3_000)));
            assert_eq!(assembled.take(&segments), Ok(true));
            assert_eq!(assembled.take(&segments), Ok(false));
            // Only the newest is given again.
            let newest = segments.pop_last().expect("there is one");
            segments = Segments::from([newest]);
        }
        assert_eq!(assembled.text.len(), 50 * 3_001);
    }

    #[test]
    fn what_is_missing_or_altered_is_told() {
        let mut segments = Segments::new();
        let mut segmenter = Segmenter::fresh(0, 0);
        (0..30).for_each(|at| write(&mut segments, segmenter.append(&line(1 + 3 * at, 5_000))));
        assert!(segments.len() > 2);
        segments.remove(&1);
        assert_eq!(Assembled::default().take(&segments).expect_err("one is missing").index, 1);
        let packed = &segments[&0].packed;
        for at in (0..packed.len()).step_by(97) {
            let mut altered = packed.clone();
            altered[at] ^= 0x55;
            // Whatever comes out, nothing breaks; the checksums of the lines find the rest.
            let _ = unpack(&altered);
        }
    }
}
