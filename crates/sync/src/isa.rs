//! The newer instructions of x86-64 (AVX2, BMI1 and BMI2, as in x86-64-v3), where the processor has them.
//!
//! Loops over a burst that keep sets of places, a bit each, in a word take the lowest bit, count the zeros below it and
//! shift by the number: an instruction each with these, and without waiting for one register; three on the baseline. And
//! what they ask of all places alike, they ask of eight at once. Server processors have had them since 2015, but a
//! program that is built for all has to ask. It is here because compiling for them takes `unsafe`.

/// Work that is worth being compiled twice: for the newer instructions, and for the baseline.
pub trait Work {
    /// What comes of it.
    type Output;

    /// Does it. To be `#[inline(always)]`, and so is what it calls in its loops: what is a function of its own stays
    /// without the instructions.
    fn run(self) -> Self::Output;
}

/// Does `work` with the newer instructions if the processor has them, or else without: the result is the same.
#[inline]
pub fn run<W: Work>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    if has_newer() {
        // SAFETY: the processor has just been asked for what `with_newer` is compiled for.
        return unsafe { with_newer(work) };
    }
    with_baseline(work)
}

/// Asks the processor; the standard library remembers what it said, in a load and a test each.
#[cfg(target_arch = "x86_64")]
#[inline]
fn has_newer() -> bool {
    std::is_x86_feature_detected!("avx2")
        && std::is_x86_feature_detected!("bmi1")
        && std::is_x86_feature_detected!("bmi2")
        && std::is_x86_feature_detected!("lzcnt")
        && std::is_x86_feature_detected!("popcnt")
}

/// The work is in here, because a function with the instructions is not inlined into one without.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn with_newer<W: Work>(work: W) -> W::Output {
    work.run()
}

#[inline(never)]
fn with_baseline<W: Work>(work: W) -> W::Output {
    work.run()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The places of the bits that are set, added up.
    struct Places(u64);

    impl Work for Places {
        type Output = u32;

        #[inline(always)]
        fn run(self) -> u32 {
            let (mut left, mut sum) = (self.0, 0);
            while left != 0 {
                sum += left.trailing_zeros();
                left &= left - 1;
            }
            sum
        }
    }

    #[test]
    fn the_result_is_the_same() {
        for (bits, sum) in [(0, 0), (1, 0), (0b1010, 4), (1 << 63, 63), (u64::MAX, 2016)] {
            assert_eq!(run(Places(bits)), sum);
            assert_eq!(with_baseline(Places(bits)), sum);
        }
    }
}
