//! The internet checksum: RFC 1071, with incremental update by RFC 1624.
//!
//! Words are added in the order of the host: the one's complement sum does not depend on the byte
//! order, only its result has to be stored as it was computed (RFC 1071 section 2 (B)).

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::{Add, AddAssign};

use crate::protocol::IpProtocol;

/// A one's complement sum of 16-bit words, not yet folded.
///
/// Sums of parts of a message may be added in any order as long as every part but the last has an
/// even number of bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum(u64);

impl Sum {
    /// The sum of nothing.
    pub const ZERO: Self = Self(0);

    /// The sum of one 16-bit word.
    #[inline]
    pub const fn word(word: u16) -> Self {
        Self(word.to_be() as u64)
    }

    /// The one's complement sum, 16 bits wide. It is zero only if every byte was.
    #[inline]
    pub const fn fold(self) -> u16 {
        u16::from_be(fold(self.0))
    }

    /// The checksum: the complement of the sum.
    #[inline]
    pub const fn checksum(self) -> u16 {
        !self.fold()
    }

    /// Whether this is the sum of a message that includes its own right checksum.
    #[inline]
    pub const fn is_valid(self) -> bool {
        // It folds to all ones, which read the same in either byte order. Folding keeps the
        // remainder by 65,535 and ends at 0 for 0 alone: so this is the same, in a multiplication.
        self.0 != 0 && self.0.is_multiple_of(0xffff)
    }
}

impl Add for Sum {
    type Output = Self;

    #[inline]
    fn add(self, other: Self) -> Self {
        // The carry goes around: both operands keep their value modulo 2^16 - 1.
        let (sum, carry) = self.0.overflowing_add(other.0);
        Self(sum + u64::from(carry))
    }
}

impl AddAssign for Sum {
    #[inline]
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

#[inline]
const fn fold(sum: u64) -> u16 {
    let sum = (sum >> 32) + (sum & 0xffff_ffff);
    let sum = (sum >> 32) + (sum & 0xffff_ffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    sum as u16
}

/// The sum of bytes; an odd one at the end counts as the first of a word whose second is zero.
#[inline]
pub fn sum(bytes: &[u8]) -> Sum {
    if bytes.len() < LONG {
        sum_short(bytes)
    } else {
        sum_long(bytes)
    }
}

/// From this length on the lanes pay for their set-up.
const LONG: usize = 96;

fn sum_long(bytes: &[u8]) -> Sum {
    let (blocks, rest) = bytes.as_chunks::<32>();
    // 32-bit words into 64-bit lanes: no carry to look after below 2^32 words, and independent
    // lanes are what vector units take.
    let mut lanes = [0u64; 8];
    for block in blocks {
        let (words, _) = block.as_chunks::<4>();
        for (lane, word) in lanes.iter_mut().zip(words) {
            *lane += u64::from(u32::from_ne_bytes(*word));
        }
    }
    let mut total = Sum::ZERO;
    for lane in lanes {
        total += Sum(lane);
    }
    total + sum_short(rest)
}

/// The sum of the first `FRONT + beyond` bytes, of which the first `FRONT` are summed without a look at how
/// many there are: whole words of eight bytes. None if there are less.
///
/// For headers of known length with a payload that is mostly short behind them.
#[inline(always)]
pub fn sum_front<const FRONT: usize>(bytes: &[u8], beyond: usize) -> Option<Sum> {
    const { assert!(FRONT >= 8 && FRONT.is_multiple_of(8)) };
    let (front, rest) = bytes.split_first_chunk::<FRONT>()?;
    let rest = rest.get(..beyond)?;
    let (words, _) = front.as_chunks::<8>();
    let words = words
        .iter()
        .map(|word| u128::from(u64::from_ne_bytes(*word)));
    let total = words.sum();
    if rest.len() >= 32 {
        return Some(fold_carries(total) + sum_apart(rest));
    }
    let last = bytes.get(FRONT - 8 + beyond..)?.first_chunk();
    Some(sum_few(total, rest, last))
}

#[inline(never)]
fn sum_apart(bytes: &[u8]) -> Sum {
    sum(bytes)
}

#[inline]
fn sum_short(bytes: &[u8]) -> Sum {
    let mut total = 0u128;
    let (blocks, rest) = bytes.as_chunks::<32>();
    for block in blocks {
        let (words, _) = block.as_chunks::<8>();
        words.iter().for_each(|word| add(&mut total, word));
    }
    sum_few(total, rest, bytes.last_chunk())
}

/// Adds less than 32 bytes to a total. `last` are the last eight, those summed before included.
#[inline(always)]
fn sum_few(mut total: u128, bytes: &[u8], last: Option<&[u8; 8]>) -> Sum {
    // Not a loop: it would be made one for many words, of which there are three at most.
    let (pair, rest) = bytes.as_chunks::<16>();
    if let [pair, ..] = pair {
        let (words, _) = pair.as_chunks::<8>();
        words.iter().for_each(|word| add(&mut total, word));
    }
    let (word, rest) = rest.as_chunks::<8>();
    if let [word, ..] = word {
        add(&mut total, word);
    }
    // No jump by how many are left, which nobody could predict.
    total += u128::from(match last {
        Some(last) => end_of(u64::from_ne_bytes(*last), rest.len()),
        None => few(rest),
    });
    fold_carries(total)
}

/// The carries of 64-bit words gather in the upper half: two instructions for eight bytes.
#[inline(always)]
fn add(total: &mut u128, word: &[u8; 8]) {
    *total += u128::from(u64::from_ne_bytes(*word));
}

#[inline(always)]
fn fold_carries(total: u128) -> Sum {
    Sum(total as u64) + Sum((total >> 64) as u64)
}

/// The last `len` of eight bytes, 7 at most, as if they were the first.
#[inline]
const fn end_of(word: u64, len: usize) -> u64 {
    // In two steps, of which the second is less than a word.
    let (byte, rest) = (8, 56 - 8 * (len as u32 & 7));
    if cfg!(target_endian = "little") {
        word >> byte >> rest
    } else {
        word << byte << rest
    }
}

/// Less than eight bytes as the first ones of a word.
#[inline]
fn few(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    for (to, from) in word.iter_mut().zip(bytes) {
        *to = *from;
    }
    u64::from_ne_bytes(word)
}

/// The sum of an IPv4 header without options, checksum field included.
#[inline]
pub fn sum_20(bytes: &[u8; 20]) -> Sum {
    let (words, _) = bytes.as_chunks::<4>();
    let mut total = 0;
    for word in words {
        total += u64::from(u32::from_ne_bytes(*word));
    }
    Sum(total)
}

/// The sum of the IPv4 pseudo header of RFC 768 and RFC 9293. `len` is the length of the transport
/// header and its payload in bytes.
#[inline]
pub fn pseudo_header_ipv4(
    source: Ipv4Addr,
    destination: Ipv4Addr,
    protocol: IpProtocol,
    len: u16,
) -> Sum {
    Sum(u64::from(u32::from_ne_bytes(source.octets())))
        + Sum(u64::from(u32::from_ne_bytes(destination.octets())))
        + Sum::word(u16::from(protocol.0))
        + Sum::word(len)
}

/// The sum of the IPv6 pseudo header of RFC 8200 section 8.1. `len` is the length of the
/// upper-layer header and its payload in bytes.
#[inline]
pub fn pseudo_header_ipv6(
    source: Ipv6Addr,
    destination: Ipv6Addr,
    protocol: IpProtocol,
    len: u32,
) -> Sum {
    sum_short(&source.octets())
        + sum_short(&destination.octets())
        + Sum::word(u16::from(protocol.0))
        + Sum(u64::from(len.to_be()))
}

/// The checksum after one 16-bit word of the message changed from `old` to `new` (RFC 1624
/// equation 3).
///
/// A wrong checksum stays wrong. If every byte of the message apart from its checksum is now zero,
/// the result may be 0 where computing it anew gives 0xffff.
#[inline]
pub const fn update_u16(checksum: u16, old: u16, new: u16) -> u16 {
    let sum = !checksum as u64 + !old as u64 + new as u64;
    !fold(sum)
}

/// The checksum after one aligned 32-bit word of the message changed: as [`update_u16`] for both
/// its halves.
#[inline]
pub const fn update_u32(checksum: u16, old: u32, new: u32) -> u16 {
    let sum = !checksum as u64 + !old as u64 + new as u64;
    !fold(sum)
}

#[cfg(test)]
mod tests;
