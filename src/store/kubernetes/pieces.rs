//! Bytes that are too many for one object: compressed, and cut into immutable pieces.
//!
//! **Invariant:** pure; the pieces of the same bytes are always the same.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

/// The bytes of one piece: half of what a ConfigMap holds, since its request carries base64.
pub(super) const PIECE_BYTES_MAX: usize = 512 << 10;

/// What pieces may unpack to: the largest manifest as JSON, with room, so that a bomb ends here.
pub(super) const UNPACKED_BYTES_MAX: u64 = 256 << 20;

/// Compresses `bytes` and cuts them; there is always one piece at least.
pub(super) fn cut(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("a vector takes all that is written");
    let packed = encoder.finish().expect("a vector takes all that is written");
    packed.chunks(PIECE_BYTES_MAX).map(<[u8]>::to_vec).collect()
}

/// Undoes [`cut`], or says why the pieces are none.
pub(super) fn join(pieces: &[Vec<u8>]) -> Result<Vec<u8>, String> {
    let packed = pieces.concat();
    let mut bytes = Vec::new();
    let read = ZlibDecoder::new(packed.as_slice()).take(UNPACKED_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| format!("its pieces do not fit together: {error}"))?;
    match bytes.len() as u64 > UNPACKED_BYTES_MAX {
        true => Err(format!("it unpacks to more than {UNPACKED_BYTES_MAX} bytes (UNPACKED_BYTES_MAX)")),
        false => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that do not compress, by a linear congruence.
    fn noise(count: usize) -> Vec<u8> {
        let next = |state: &mut u32| {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Some((*state >> 24) as u8)
        };
        std::iter::repeat_n((), count).scan(7, |state, ()| next(state)).collect()
    }

    #[test]
    fn what_was_cut_is_joined() {
        for bytes in [Vec::new(), b"x".to_vec(), vec![b'a'; 3 << 20], noise(PIECE_BYTES_MAX * 3)] {
            let pieces = cut(&bytes);
            assert!(!pieces.is_empty() && pieces.iter().all(|piece| piece.len() <= PIECE_BYTES_MAX));
            assert_eq!(join(&pieces).as_ref(), Ok(&bytes));
        }
        assert_eq!(cut(&noise(PIECE_BYTES_MAX * 3)).len(), 4);
    }

    #[test]
    fn missing_and_altered_pieces_are_noticed() {
        let pieces = cut(&noise(PIECE_BYTES_MAX * 2));
        assert!(join(&pieces[..1]).is_err());
        assert!(join(&pieces[1..]).is_err());
        assert!(join(&[]).is_err());
    }
}
