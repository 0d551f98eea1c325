//! What makes a frame known again at the end of its way: a number of its own within its class of flows.
//!
//! ```text
//! payload  ├── number ──┬── its complement ──┬── hash ──┬── magic and stream ──┤ ...
//!          0            4                    8         12                     16
//! ```
//!
//! The hash is the receive side scaling hash of addresses and ports (under the key that engines have
//! unless told otherwise), and its low seven bits with the address family are the class: frames of a class
//! take the same way through an engine, so that they have to arrive in the order of their numbers. (A
//! worker goes through a burst family by family.) That is stricter than the order of each flow, and holds
//! for any number of flows in a few kilobytes.
//!
//! The stream is that of a profile, in each byte of the magic, so that a byte that somebody changed does not make it
//! another's.
//!
//! A number and its complement add up to the same in the arithmetic of the checksum, whatever the number
//! is: the checksum of a frame is that of its layout, and stays right.
//!
//! A UDP frame over IPv4 has room for a signature from 64 bytes on, one over IPv6 from 82 on (frame
//! check sequence included). Those that are smaller have none, nor has what is not a UDP datagram:
//! their order and uniqueness are not checked, and the report says of how many. On real links, where a frame is
//! known by nothing else, all of them are made large enough, and TCP segments (IPv4 from 74 on, IPv6 from 94 on) and
//! echo requests have one too.

use corelane::engine::rss::INDIRECTION_ENTRIES;

/// Bytes of a signature.
pub const SIGNATURE: usize = 16;

/// Classes of flows.
pub const CLASSES: usize = 2 * INDIRECTION_ENTRIES;

/// Streams that frames can be of.
pub const STREAMS: usize = 16;

const MAGIC: u32 = 0xc07e_1a9e;

/// The magic of a stream: each differs from any other in every byte.
const fn magic(stream: u8) -> u32 {
    MAGIC ^ u32::from_be_bytes([stream; 4])
}

/// What is said in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The number within the class; it wraps.
    pub number: u32,
    /// The hash of addresses and ports.
    pub hash: u32,
    /// The stream, below [`STREAMS`].
    pub stream: u8,
}

/// The class of a frame with this hash and family.
#[inline]
pub const fn class(hash: u32, is_v6: bool) -> usize {
    hash as usize % INDIRECTION_ENTRIES + if is_v6 { INDIRECTION_ENTRIES } else { 0 }
}

/// Whether a frame without VLAN tags is IPv6, if it is IP.
#[inline]
pub fn is_v6(frame: &[u8]) -> bool {
    frame.get(14).is_some_and(|byte| byte >> 4 == 6)
}

impl Signature {
    /// Its bytes.
    #[inline]
    pub fn bytes(self) -> [u8; SIGNATURE] {
        let Self {
            number,
            hash,
            stream,
        } = self;
        let words = [number, !number, hash, magic(stream)].map(u32::to_be_bytes);
        let mut bytes = [0; SIGNATURE];
        for (to, from) in bytes.chunks_exact_mut(4).zip(words) {
            to.copy_from_slice(&from);
        }
        bytes
    }

    /// What the front of a UDP payload says: none if it does not look like a signature at all, an error
    /// if it does and cannot be right.
    #[inline]
    pub fn read(payload: &[u8]) -> Option<Result<Self, Corrupt>> {
        let (words, _) = payload.first_chunk::<SIGNATURE>()?.as_chunks::<4>();
        let &[number, complement, hash, last] = words.first_chunk::<4>()?;
        let [number, complement, hash, last] =
            [number, complement, hash, last].map(u32::from_be_bytes);
        let stream = (last ^ MAGIC) as u8;
        let is_magic = last == magic(stream) && usize::from(stream) < STREAMS;
        if number == !complement && is_magic {
            return Some(Ok(Self {
                number,
                hash,
                stream,
            }));
        }
        // One of the two is there, but not both: it was a signature.
        (number == !complement || is_magic).then_some(Err(Corrupt))
    }
}

/// A signature that somebody changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt;
