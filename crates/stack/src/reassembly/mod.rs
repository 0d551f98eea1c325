//! Putting fragments together again: RFC 791, 815, 8200 section 4.5, 5722, 6946, 7112.
//!
//! | file | holds |
//! |---|---|
//! | `config` | how much and how long, and the pool for it |
//! | `fragment` | one fragment, parsed: where its parts are, and which datagram it is of |
//! | `datagram` | a datagram in progress, and its headers when it is whole |
//! | `units` | which parts of it have come |
//! | `header_chain` | whether a first fragment has all the headers |
//! | `congestion` | the congestion marks of the fragments |
//! | `outcome` | what becomes of a fragment |

mod config;
mod congestion;
mod datagram;
mod fragment;
mod header_chain;
mod outcome;
#[cfg(test)]
mod tests;
mod units;

pub use config::{ReassemblyConfig, ReassemblyError};
pub use fragment::FragmentPlace;
pub use outcome::{Outcome, ParameterProblem, ReassemblyCounts, ReassemblyDrop, TimedOutDatagram};

use corelane_frame::{BURST, Burst, Frame, Pool, PoolCache};
use foldhash::SharedSeed;
use foldhash::fast::SeedableRandomState;
use std::hash::BuildHasher;
use std::time::Duration;

use crate::address::Family;
use crate::clock::Time;
use datagram::{Added, Datagram};
use fragment::{DatagramKey, Fragment};

/// The datagrams that a worker has received parts of.
///
/// Memory is bounded by construction: a datagram in progress has one slot of a pool of its own, into
/// which its fragments are copied, so that a flood of them holds no frame of the pool that the links
/// fill. The newest wins: where there is no room, the oldest datagram goes.
///
/// Overlapping fragments end their datagram, in both families: RFC 5722 demands it of IPv6, and for
/// IPv4, whose hosts have always differed over which bytes win, nothing honest overlaps either. An
/// exact repetition is harmless and ignored.
///
/// Nothing here reads a clock, allocates or locks. All fragments of a datagram must come to the same
/// worker: the hash that chooses it must not cover ports for any of them.
#[derive(Debug)]
pub struct Reassembly {
    cache: PoolCache,
    hasher: SeedableRandomState,
    timeouts: [Duration; 2],
    max_size: usize,
    /// Where there is a datagram: a bit for each place.
    occupied: u64,
    /// What is to be looked through for a key: a part of each place's hash, seeded, so that nobody
    /// can aim at equal ones.
    tags: Box<[u32]>,
    datagrams: Box<[Datagram]>,
    /// How many datagrams were begun: the age of each.
    begun: u64,
    counts: ReassemblyCounts,
    /// Whether any was put together lately.
    has_completed: bool,
}

impl Reassembly {
    /// An empty one, with its slots from `pool`, which workers may share; see
    /// [`ReassemblyConfig::pool_config`]. Allocates: for the control plane.
    ///
    /// # Errors
    /// A field of `config` out of range, or a pool whose slots or headroom are too small for it.
    pub fn new(config: &ReassemblyConfig, pool: &Pool) -> Result<Self, ReassemblyError> {
        config.check(pool.config())?;
        Ok(Self {
            cache: pool.cache(),
            hasher: SeedableRandomState::with_seed(fastrand::u64(..), &SHARED_SEED),
            timeouts: [config.timeout_ipv4, config.timeout_ipv6],
            max_size: config.max_size,
            occupied: 0,
            tags: vec![0; config.datagrams].into(),
            datagrams: std::iter::repeat_with(Datagram::default)
                .take(config.datagrams)
                .collect(),
            begun: 0,
            counts: ReassemblyCounts::default(),
            has_completed: false,
        })
    }

    /// Takes in a fragment that came by the NIC of this number. The frame stays with the caller, who
    /// recycles it, but for one case: a fragment that is a whole datagram (RFC 6946) is itself the
    /// frame that comes back, without its fragment header, and leaves an empty handle.
    ///
    /// [`expire`](Self::expire) is to be called before, once per burst: what is overdue by then is
    /// still here.
    pub fn input(
        &mut self,
        nic: u16,
        frame: &mut Frame,
        place: FragmentPlace,
        now: Time,
    ) -> Outcome {
        let Some(fragment) = Fragment::parse(frame.data(), place) else {
            return Outcome::Dropped(ReassemblyDrop::Truncated);
        };
        if fragment.is_atomic() {
            // Alone whatever else has the same identification: it cannot be held up, spoilt or
            // evicted by anybody's fragments.
            return match fragment::unwrap_atomic(frame, place) {
                Some(()) => Outcome::Complete(std::mem::take(frame)),
                None => Outcome::Dropped(ReassemblyDrop::Truncated),
            };
        }
        if let Err(refused) = fragment.check(self.max_size) {
            return refused;
        }
        let key = fragment.key(nic);
        let tag = self.hasher.hash_one(key) as u32;
        let at = match self.find(&key, tag) {
            Some(at) => at,
            None => match self.begin(key, tag, now) {
                Some(at) => at,
                None => return Outcome::Dropped(ReassemblyDrop::NoSlot),
            },
        };
        self.add(at, frame, &fragment)
    }

    /// Ends the datagrams whose time is over at `now`, and shows each to `timed_out`, for the ICMP
    /// error that its sender is due if the first fragment is there. A datagram has its time from its
    /// first fragment to arrive; later ones do not prolong it.
    pub fn expire(&mut self, now: Time, mut timed_out: impl FnMut(TimedOutDatagram<'_>)) {
        for at in places(self.occupied) {
            let Some(datagram) = self.datagrams.get_mut(at) else {
                continue;
            };
            if datagram.deadline > now {
                continue;
            }
            if !datagram.is_abandoned() {
                self.counts.timed_out += 1;
                timed_out(datagram.timed_out());
            }
            self.remove(at);
        }
    }

    /// When [`expire`](Self::expire) next has something to do.
    pub fn next_deadline(&self) -> Option<Time> {
        self.entries().map(|(_, datagram)| datagram.deadline).min()
    }

    /// Forgets what came by the NIC of this number.
    pub fn clear_nic(&mut self, nic: u16) {
        for at in places(self.occupied) {
            let Some(datagram) = self.datagrams.get(at) else {
                continue;
            };
            if datagram.key.nic != nic {
                continue;
            }
            self.counts.cleared += u64::from(!datagram.is_abandoned());
            self.remove(at);
        }
    }

    /// A frame with room for a copy of whatever is put together.
    pub fn alloc(&mut self) -> Option<Frame> {
        self.cache.alloc()
    }

    /// Takes a frame back that it gave out.
    pub fn recycle(&mut self, frame: Frame) {
        if !frame.is_vacant() {
            self.cache.recycle(frame);
        }
    }

    /// Whether a frame has one of the slots that datagrams are put together in.
    pub fn owns(&self, frame: &Frame) -> bool {
        self.cache.owns(frame)
    }

    /// Whether enough slots are left for what a burst makes whole, so that those given out may stay out for
    /// as long as a reader likes.
    pub fn has_reserve(&mut self) -> bool {
        let wanted = RESERVE.saturating_sub(self.len());
        let mut free = Burst::new();
        let is_there = self.cache.alloc_burst(&mut free, wanted) == wanted;
        self.cache.recycle_burst(&mut free);
        is_there
    }

    /// Whether a datagram was put together since this was asked last.
    #[inline]
    pub fn take_completed(&mut self) -> bool {
        std::mem::take(&mut self.has_completed)
    }

    /// Datagrams in progress.
    pub fn len(&self) -> usize {
        self.entries()
            .filter(|(_, datagram)| !datagram.is_abandoned())
            .count()
    }

    /// Whether no datagram is in progress.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What became of the datagrams so far.
    pub fn counts(&self) -> ReassemblyCounts {
        self.counts
    }

    fn entries(&self) -> impl Iterator<Item = (usize, &Datagram)> {
        places(self.occupied).filter_map(|at| Some((at, self.datagrams.get(at)?)))
    }

    fn find(&self, key: &DatagramKey, tag: u32) -> Option<usize> {
        // All tags, without a branch for each: there are 64 at most.
        let mut equal = 0;
        for (at, &other) in self.tags.iter().enumerate() {
            equal |= u64::from(other == tag) << at;
        }
        places(equal & self.occupied).find(|&at| {
            self.datagrams
                .get(at)
                .is_some_and(|datagram| datagram.key == *key)
        })
    }

    /// A place, a slot and the time for a datagram that is new.
    fn begin(&mut self, key: DatagramKey, tag: u32, now: Time) -> Option<usize> {
        if self.occupied.count_ones() as usize >= self.datagrams.len() {
            self.evict(|_| true);
        }
        let frame = match self.cache.alloc() {
            Some(frame) => frame,
            None => {
                self.evict(|datagram| !datagram.is_abandoned());
                self.cache.alloc()?
            }
        };
        let at = self.occupied.trailing_ones() as usize;
        let timeout = match key.family {
            Family::V4 => self.timeouts[0],
            Family::V6 => self.timeouts[1],
        };
        *self.tags.get_mut(at)? = tag;
        self.begun += 1;
        self.datagrams
            .get_mut(at)?
            .begin(key, frame, now + timeout, self.begun);
        self.occupied |= 1 << at;
        self.counts.begun += 1;
        Some(at)
    }

    fn add(&mut self, at: usize, frame: &Frame, fragment: &Fragment<'_>) -> Outcome {
        let Some(datagram) = self.datagrams.get_mut(at) else {
            return Outcome::Dropped(ReassemblyDrop::NoSlot);
        };
        if datagram.is_abandoned() {
            return Outcome::Dropped(ReassemblyDrop::Abandoned);
        }
        let reason = match datagram.add(frame, fragment) {
            Added::Held => return Outcome::Held,
            Added::Duplicate => return Outcome::Duplicate,
            Added::Last => match datagram.finish(self.max_size) {
                Ok(frame) => {
                    self.counts.completed += 1;
                    self.has_completed = true;
                    self.remove(at);
                    return Outcome::Complete(frame);
                }
                Err(reason) => reason,
            },
            Added::Refused(reason) => reason,
        };
        // The slot goes back; the key stays until the time is over, so that the rest of the
        // fragments does not begin the datagram again.
        self.counts.abandoned += 1;
        let frame = datagram.abandon();
        self.recycle(frame);
        Outcome::Dropped(reason)
    }

    /// Makes room: the oldest of those that qualify goes.
    fn evict(&mut self, qualifies: impl Fn(&Datagram) -> bool) {
        let oldest = self
            .entries()
            .filter(|(_, datagram)| qualifies(datagram))
            .min_by_key(|(_, datagram)| datagram.age)
            .map(|(at, datagram)| (at, datagram.is_abandoned()));
        if let Some((at, is_abandoned)) = oldest {
            self.counts.evicted += u64::from(!is_abandoned);
            self.remove(at);
        }
    }

    fn remove(&mut self, at: usize) {
        self.occupied &= !(1 << at);
        if let Some(datagram) = self.datagrams.get_mut(at) {
            let frame = datagram.abandon();
            self.recycle(frame);
        }
    }
}

/// A burst makes no more datagrams whole: each has two fragments at least.
const RESERVE: usize = BURST / 2;

/// The second seed of the hash, process-wide: the secret is each worker's own.
static SHARED_SEED: SharedSeed = SharedSeed::from_u64(0x636f_7265_6c61_6e65);

/// The numbers of the bits that are set.
fn places(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let at = bits.trailing_zeros();
        // Zero has 64 trailing zeros: there is no such place.
        (at < u64::BITS).then(|| {
            bits &= bits - 1;
            at as usize
        })
    })
}
