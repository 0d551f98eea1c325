//! How many datagrams are put together at a time, how large, and how long they may take.

use std::time::Duration;

use corelane_frame::{BURST, HugePages, LINE, PoolConfig};
use corelane_wire::{ETHERNET_HEADER_LEN, IPV6_HEADER_LEN};

use super::fragment::MAX_PACKET;
use super::units::UNITS;

/// Bytes in front of the payload in a slot: for the headers of the longest first fragment that is
/// put together, which are Ethernet's, IPv6's, one extension header of full length (2,048 bytes) and
/// the fragment header; and as much as other pools have, for whoever encapsulates the result.
const HEADROOM: usize =
    (ETHERNET_HEADER_LEN + IPV6_HEADER_LEN + 2048 + 8 + 128).next_multiple_of(LINE);

/// The most datagrams that a worker puts together at a time: all of them may have to be looked at
/// for a fragment.
pub(super) const MAX_DATAGRAMS: usize = u64::BITS as usize;

/// The least that every host must be able to put together (RFC 8200 section 5).
const MIN_SIZE: usize = 1500;

/// What a worker's [`Reassembly`](super::Reassembly) is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReassemblyConfig {
    /// Datagrams in progress at a time, for each worker: 1 to 64, which is the default.
    pub datagrams: usize,
    /// How long an IPv4 datagram may take from its first fragment to arrive: 30 seconds as in
    /// netstack, where RFC 1122 section 3.3.2 recommends 60 to 120.
    pub timeout_ipv4: Duration,
    /// How long an IPv6 packet may take: 60 seconds (RFC 8200 section 4.5).
    pub timeout_ipv6: Duration,
    /// The largest packet that is put together: IPv4's total length or IPv6's payload length, 1,500
    /// to 65,535 bytes, which is the default. A smaller one makes for smaller slots.
    pub max_size: usize,
}

impl Default for ReassemblyConfig {
    fn default() -> Self {
        Self {
            datagrams: MAX_DATAGRAMS,
            timeout_ipv4: Duration::from_secs(30),
            timeout_ipv6: Duration::from_secs(60),
            max_size: MAX_PACKET,
        }
    }
}

impl ReassemblyConfig {
    /// A pool for so many workers, with a slot for each datagram in progress and for a burst of
    /// whole ones on their way, per worker.
    ///
    /// At the default that is about 17 MiB of addresses per worker, of which memory is taken for
    /// what was ever in use: the slots of 64 datagrams are 4 MiB. Huge pages would take all of it,
    /// so there are none.
    pub fn pool_config(&self, workers: usize) -> PoolConfig {
        let in_flight = workers.saturating_mul(self.datagrams.saturating_add(BURST));
        PoolConfig {
            slots: PoolConfig::slots_for(in_flight, workers),
            slot_size: self.slot_size(),
            headroom: HEADROOM,
            huge_pages: HugePages::Off,
            ..PoolConfig::default()
        }
    }

    /// Bytes of a slot with room for every packet that is put together.
    fn slot_size(&self) -> usize {
        HEADROOM
            .saturating_add(self.max_size)
            .next_multiple_of(LINE)
    }

    pub(super) fn check(&self, pool: &PoolConfig) -> Result<(), ReassemblyError> {
        let &Self {
            datagrams,
            max_size,
            ..
        } = self;
        if !(1..=MAX_DATAGRAMS).contains(&datagrams) {
            return Err(ReassemblyError::Datagrams { datagrams });
        }
        if !(MIN_SIZE..=MAX_PACKET).contains(&max_size) {
            return Err(ReassemblyError::MaxSize { max_size });
        }
        if pool.headroom < HEADROOM || pool.slot_size - pool.headroom < max_size {
            return Err(ReassemblyError::Pool {
                slot_size: pool.slot_size,
                headroom: pool.headroom,
                max_size,
            });
        }
        Ok(())
    }
}

const _: () = assert!(MAX_PACKET <= UNITS * 8);

/// Why there is no reassembly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReassemblyError {
    /// The number of datagrams is out of range.
    #[error("a worker puts together 1 to {MAX_DATAGRAMS} datagrams at a time, not {datagrams}")]
    Datagrams {
        /// The number asked for.
        datagrams: usize,
    },
    /// The size of the largest packet is out of range.
    #[error(
        "the largest packet to put together has {MIN_SIZE} to {MAX_PACKET} bytes, not {max_size}"
    )]
    MaxSize {
        /// The bytes asked for.
        max_size: usize,
    },
    /// The slots of the pool are too small.
    #[error(
        "slots of {slot_size} bytes with {headroom} of headroom: packets of {max_size} bytes need \
         a headroom of {HEADROOM} and their length behind it"
    )]
    Pool {
        /// The pool's slot size.
        slot_size: usize,
        /// The pool's headroom.
        headroom: usize,
        /// The largest packet that was asked for.
        max_size: usize,
    },
}
