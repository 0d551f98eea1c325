//! The Toeplitz hash.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use corelane_sync::clmul::Clmul;

use super::key::{RSS_KEY_LEN, RssKey};

/// The longest input: two IPv6 addresses and two ports.
const MAX_INPUT: usize = 36;

/// The Toeplitz hash under one key.
///
/// The hash is the exclusive or, over the set bits of the input, of the 32 bits of the key that
/// start at the bit's position. For each byte of the input its 256 contributions are computed
/// beforehand (36 KiB), so that a byte costs one lookup. Bursts go another way where the processor
/// multiplies without carry: there a word of the input costs one such product.
pub struct Toeplitz {
    key: RssKey,
    tables: Box<[[u32; 256]; MAX_INPUT]>,
    clmul: Option<Clmul>,
    /// For each word of the input the 64 bits of the key from the word's position on, the first
    /// in the lowest place.
    factors: [u64; MAX_INPUT / 4],
}

impl Toeplitz {
    /// The hash under `key`.
    pub fn new(key: &RssKey) -> Self {
        let mut tables = Box::new([[0; 256]; MAX_INPUT]);
        for (at, table) in tables.iter_mut().enumerate() {
            let windows: [u32; 8] = std::array::from_fn(|bit| window(key.as_bytes(), at * 8 + bit));
            for (byte, entry) in table.iter_mut().enumerate() {
                *entry = windows
                    .iter()
                    .enumerate()
                    .filter(|(bit, _)| byte & (0x80 >> bit) != 0)
                    .fold(0, |hash, (_, window)| hash ^ window);
            }
        }
        Self {
            key: *key,
            tables,
            clmul: Clmul::detect(),
            factors: std::array::from_fn(|word| {
                let [high, low] =
                    [0, 32].map(|bits| u64::from(window(key.as_bytes(), word * 32 + bits)));
                (high << 32 | low).reverse_bits()
            }),
        }
    }

    /// The key.
    pub fn key(&self) -> &RssKey {
        &self.key
    }

    /// The hash of two IPv4 addresses.
    #[inline]
    pub fn hash_v4_addrs(&self, source: Ipv4Addr, destination: Ipv4Addr) -> u32 {
        self.at::<0, _>(&source.octets()) ^ self.at::<4, _>(&destination.octets())
    }

    /// The hash of two IPv4 addresses and two ports.
    #[inline]
    pub fn hash_v4_ports(
        &self,
        source: Ipv4Addr,
        destination: Ipv4Addr,
        source_port: u16,
        destination_port: u16,
    ) -> u32 {
        self.hash_v4_addrs(source, destination)
            ^ self.at::<8, _>(&source_port.to_be_bytes())
            ^ self.at::<10, _>(&destination_port.to_be_bytes())
    }

    /// The hash of two IPv6 addresses.
    #[inline]
    pub fn hash_v6_addrs(&self, source: Ipv6Addr, destination: Ipv6Addr) -> u32 {
        self.at::<0, _>(&source.octets()) ^ self.at::<16, _>(&destination.octets())
    }

    /// The hash of two IPv6 addresses and two ports.
    #[inline]
    pub fn hash_v6_ports(
        &self,
        source: Ipv6Addr,
        destination: Ipv6Addr,
        source_port: u16,
        destination_port: u16,
    ) -> u32 {
        self.hash_v6_addrs(source, destination)
            ^ self.at::<32, _>(&source_port.to_be_bytes())
            ^ self.at::<34, _>(&destination_port.to_be_bytes())
    }

    /// Hashes many inputs of `N` words, from the input's start on: `input` says an item's words,
    /// `output` is given its hash, and both work on `state`.
    ///
    /// A word as a polynomial, its first bit in the highest place, times the key's bits, the first
    /// in the lowest place, has in place 31 + r the sum over all i of bit i of the word times bit
    /// i + r of the key: bit r of the hash. So the hash is there, last bit first, in places 31 to
    /// 62.
    #[inline]
    pub(super) fn many<S: ?Sized, I: Copy, const N: usize>(
        &self,
        items: impl Iterator<Item = I>,
        state: &mut S,
        input: impl Fn(&S, I) -> [u32; N],
        output: impl Fn(&mut S, I, u32),
    ) {
        const { assert!(N * 4 <= MAX_INPUT) }
        let (Some(clmul), Some(factors)) = (self.clmul, self.factors.first_chunk::<N>()) else {
            for item in items {
                let hash = self.one(&input(state, item));
                output(state, item, hash);
            }
            return;
        };
        clmul.products(items, factors, state, input, |state, item, product| {
            output(state, item, ((product >> 31) as u32).reverse_bits());
        });
    }

    /// The hash of `N` words from the input's start.
    pub(super) fn one<const N: usize>(&self, words: &[u32; N]) -> u32 {
        let bytes = words.iter().flat_map(|word| word.to_be_bytes());
        let tables = self.tables.iter();
        bytes
            .zip(tables)
            .fold(0, |hash, (byte, table)| hash ^ table[usize::from(byte)])
    }

    /// What `N` bytes at the position `AT` of the input contribute: `N` lookups and no check.
    #[inline(always)]
    pub(super) fn at<const AT: usize, const N: usize>(&self, bytes: &[u8; N]) -> u32 {
        const { assert!(AT + N <= MAX_INPUT) }
        let mut hash = 0;
        for (i, byte) in bytes.iter().enumerate() {
            hash ^= self.tables[AT + i][usize::from(*byte)];
        }
        hash
    }
}

impl Default for Toeplitz {
    /// The hash under [`RssKey::MICROSOFT`].
    fn default() -> Self {
        Self::new(&RssKey::MICROSOFT)
    }
}

impl fmt::Debug for Toeplitz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Toeplitz")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// The 32 bits of the key that start at `bit`.
fn window(key: &[u8; RSS_KEY_LEN], bit: usize) -> u32 {
    let from = bit / 8;
    let bytes: [u8; 8] = std::array::from_fn(|i| key.get(from + i).copied().unwrap_or(0));
    // Bits beyond the key count as zero; the longest input needs 319 of its 320.
    (u64::from_be_bytes(bytes) << (bit % 8) >> 32) as u32
}

#[cfg(test)]
mod tests;
