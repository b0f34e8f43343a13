//! What the compiler calls for memory, which a C library has otherwise.
//!
//! The crate is `no_builtins`: the loops here would become calls of themselves.

/// Copies memory that does not overlap.
///
/// # Safety
/// As of C's `memcpy`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, bytes: usize) -> *mut u8 {
    // SAFETY: upwards is right for memory that does not overlap; the caller answers for the rest.
    unsafe { copy_up(to, from, bytes) };
    to
}

/// Copies memory that may overlap.
///
/// # Safety
/// As of C's `memmove`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, bytes: usize) -> *mut u8 {
    if (to as usize).wrapping_sub(from as usize) >= bytes {
        // SAFETY: upwards never overwrites what is still to be read; the caller answers for the rest.
        unsafe { copy_up(to, from, bytes) };
        return to;
    }
    for at in (0..bytes).rev() {
        // SAFETY: the caller answers for so many bytes at both places.
        unsafe { *to.add(at) = *from.add(at) };
    }
    to
}

/// Fills memory.
///
/// # Safety
/// As of C's `memset`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memset(to: *mut u8, byte: i32, bytes: usize) -> *mut u8 {
    for at in 0..bytes {
        // SAFETY: the caller answers for so many bytes.
        unsafe { *to.add(at) = byte as u8 };
    }
    to
}

/// Compares memory: negative, zero, positive.
///
/// # Safety
/// As of C's `memcmp`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memcmp(one: *const u8, other: *const u8, bytes: usize) -> i32 {
    for at in 0..bytes {
        // SAFETY: the caller answers for so many bytes at both places.
        let (one, other) = unsafe { (*one.add(at), *other.add(at)) };
        if one != other {
            return i32::from(one) - i32::from(other);
        }
    }
    0
}

/// Says whether memory differs.
///
/// # Safety
/// As of C's `bcmp`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bcmp(one: *const u8, other: *const u8, bytes: usize) -> i32 {
    // SAFETY: the caller answers for so many bytes at both places.
    unsafe { memcmp(one, other, bytes) }
}

/// Counts the bytes before a zero.
///
/// # Safety
/// As of C's `strlen`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strlen(text: *const u8) -> usize {
    let mut bytes = 0;
    // SAFETY: the caller answers for a zero, before which all can be read.
    while unsafe { *text.add(bytes) } != 0 {
        bytes += 1;
    }
    bytes
}

/// Named by the tables of the core library for unwinding, which a program that aborts never does.
#[unsafe(no_mangle)]
pub extern "C" fn rust_eh_personality() {}

/// Copies from the first byte to the last.
///
/// # Safety
/// So many bytes must be readable and writable, and `to` must not begin within what is read.
#[cfg(target_arch = "x86_64")]
unsafe fn copy_up(to: *mut u8, from: *const u8, bytes: usize) {
    // SAFETY: the caller answers for the memory; the direction flag is clear, as everywhere in Rust.
    unsafe {
        core::arch::asm!("rep movsb", inout("rcx") bytes => _, inout("rdi") to => _, inout("rsi") from => _,
            options(nostack, preserves_flags));
    }
}

/// Copies from the first byte to the last.
///
/// # Safety
/// So many bytes must be readable and writable, and `to` must not begin within what is read.
#[cfg(target_arch = "aarch64")]
unsafe fn copy_up(to: *mut u8, from: *const u8, bytes: usize) {
    let words = bytes / 8;
    for at in 0..words {
        let (to, from) = (to.cast::<u64>(), from.cast::<u64>());
        // SAFETY: the caller answers for the memory; nothing is asked of how it is aligned.
        unsafe { to.add(at).write_unaligned(from.add(at).read_unaligned()) };
    }
    for at in words * 8..bytes {
        // SAFETY: the caller answers for the memory.
        unsafe { *to.add(at) = *from.add(at) };
    }
}
