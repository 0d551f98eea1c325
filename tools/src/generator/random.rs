//! Random numbers that a seed repeats.

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;

/// A stream of random numbers for one purpose of a run: the same seed and purpose give the same
/// numbers, and streams of different purposes have nothing to do with each other.
pub fn stream(seed: u64, purpose: &str) -> Xoshiro256PlusPlus {
    // FNV-1a: any fixed hash serves.
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for byte in purpose.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    Xoshiro256PlusPlus::seed_from_u64(seed ^ hash)
}
