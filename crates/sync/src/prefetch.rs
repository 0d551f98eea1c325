//! Asking for a cache line before it is needed.
//!
//! A burst's lookups are done in stages so that their cache misses overlap: one stage prefetches
//! what the next will touch. A prefetch has no effect but on timing, so these functions are safe,
//! and where the processor's hint cannot be given (anything but x86-64) they do nothing.

/// Asks for the first line of `value`, to be read.
#[inline(always)]
pub fn prefetch_read<T>(value: &T) {
    read(std::ptr::from_ref(value).cast());
}

/// Asks for the first line of `value`, to be written: taken from other cores at once.
#[inline(always)]
pub fn prefetch_write<T>(value: &T) {
    write(std::ptr::from_ref(value).cast());
}

/// Asks for the line where `bytes` begins, to be read.
#[inline(always)]
pub fn prefetch_read_slice(bytes: &[u8]) {
    read(bytes.as_ptr());
}

/// Asks for the line where `bytes` begins, to be written: as [`prefetch_write`].
#[inline(always)]
pub fn prefetch_write_slice(bytes: &[u8]) {
    write(bytes.as_ptr());
}

#[inline(always)]
fn read(line: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch dereferences nothing and faults on no address; SSE is part of x86-64.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(line.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}

/// Asks for the line of an address, to be written.
#[inline(always)]
pub(crate) fn write(line: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: as above. The intrinsic would give the read hint where the target is not known to
    // have `prefetchw`; in 64-bit mode every processor takes the instruction, one that does not
    // know it as a no-op.
    unsafe {
        std::arch::asm!(
            "prefetchw [{line}]",
            line = in(reg) line,
            options(nostack, preserves_flags, readonly)
        );
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_reference_will_do() {
        let value = [7_u64; 32];
        prefetch_read(&value);
        prefetch_write(&value);
        let bytes = vec![3_u8; 100];
        prefetch_read_slice(&bytes);
        prefetch_write_slice(&bytes[99..]);
        // Nothing there: an address that must not be read.
        prefetch_read(&());
        prefetch_read_slice(&[]);
        prefetch_write_slice(&bytes[100..]);
        assert!(value.iter().all(|&word| word == 7) && bytes.iter().all(|&byte| byte == 3));
    }
}
