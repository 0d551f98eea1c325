//! Carry-less multiplication, by the burst, where the processor has it.
//!
//! It is what makes a software Toeplitz hash cheap: the hash of a 32-bit word is 32 bits out of the
//! middle of a carry-less product with the key. It lives here because the instruction has to be
//! asked for, which takes `unsafe`.

/// The knowledge that this processor multiplies without carry.
#[derive(Clone, Copy, Debug)]
pub struct Clmul(());

impl Clmul {
    /// Asks the processor. Always `None` where we do not know how.
    pub fn detect() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if std::is_x86_feature_detected!("pclmulqdq") {
            return Some(Self(()));
        }
        None
    }

    /// For each item: `input` says its words, and `output` is given the exclusive or of the
    /// carry-less products of the words with `factors`, the low 64 bits of it. Both work on
    /// `state`.
    #[inline]
    pub fn products<S: ?Sized, I: Copy, const N: usize>(
        self,
        items: impl Iterator<Item = I>,
        factors: &[u64; N],
        state: &mut S,
        input: impl Fn(&S, I) -> [u32; N],
        output: impl Fn(&mut S, I, u64),
    ) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a `Clmul` exists only if `detect` found the instruction.
        unsafe {
            products_pclmulqdq(items, factors, state, input, output);
        }
        #[cfg(not(target_arch = "x86_64"))]
        for item in items {
            let product = product_portable(&input(state, item), factors);
            output(state, item, product);
        }
    }
}

/// The loop is in here, and its closures with it, because a function with the instruction is not
/// inlined into one without.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "pclmulqdq")]
fn products_pclmulqdq<S: ?Sized, I: Copy, const N: usize>(
    items: impl Iterator<Item = I>,
    factors: &[u64; N],
    state: &mut S,
    input: impl Fn(&S, I) -> [u32; N],
    output: impl Fn(&mut S, I, u64),
) {
    use std::arch::x86_64::{
        _mm_clmulepi64_si128, _mm_cvtsi64_si128, _mm_cvtsi128_si64, _mm_setzero_si128,
        _mm_xor_si128,
    };
    for item in items {
        let mut sum = _mm_setzero_si128();
        for (word, factor) in input(state, item).iter().zip(factors) {
            let word = _mm_cvtsi64_si128(i64::from(*word));
            let factor = _mm_cvtsi64_si128(factor.cast_signed());
            sum = _mm_xor_si128(sum, _mm_clmulepi64_si128::<0>(word, factor));
        }
        output(state, item, _mm_cvtsi128_si64(sum).cast_unsigned());
    }
}

/// What the instruction does, bit by bit.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn product_portable<const N: usize>(words: &[u32; N], factors: &[u64; N]) -> u64 {
    words.iter().zip(factors).fold(0, |sum, (word, factor)| {
        (0..u32::BITS)
            .filter(|bit| word >> bit & 1 == 1)
            .fold(sum, |sum, bit| sum ^ factor << bit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_instruction_does_what_it_should(
            inputs in proptest::collection::vec(any::<[u32; 3]>(), 0..9),
            factors: [u64; 3],
        ) {
            let Some(clmul) = Clmul::detect() else {
                println!("this processor has no carry-less multiplication: nothing to compare");
                return Ok(());
            };
            let mut products = Vec::new();
            clmul.products(
                0..inputs.len(),
                &factors,
                &mut products,
                |_, item| inputs[item],
                |products, _, product| products.push(product),
            );
            let expected: Vec<_> =
                inputs.iter().map(|words| product_portable(words, &factors)).collect();
            prop_assert_eq!(products, expected);
        }
    }
}
