//! Addresses, the frames to them, and the link that feeds those to an engine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use corelane::engine::link::{Link, LinkError, Queues, RxQueue, RxStatus};
use corelane::frame::{Burst, Frame, Pool, PoolCache};
use corelane::wire::MacAddr;
use corelane::wire::build::{FrameSpec, Ports, build_udp_ipv4, build_udp_ipv6};

use crate::random::Random;

/// The points at which ours and the rival are measured: a name, how many addresses, and how many at
/// a tiny size.
pub const POINTS: [(&str, u32, u32); 3] = [
    ("1k", 1_000, 100),
    ("100k", 100_000, 300),
    ("1m", 1_000_000, 500),
];

/// The port that frames go to.
pub const PORT: u16 = 9;

/// Bytes of a frame: one line.
pub const FRAME: usize = 64;

/// The bytes of a frame.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub struct Line(pub [u8; FRAME]);

/// Which families the addresses are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
    /// Every second one: IPv4, IPv6.
    Mixed,
}

/// The addresses of a NIC, by number.
#[derive(Clone, Copy, Debug)]
pub struct Population {
    /// Their families.
    pub mix: Mix,
    /// How many there are.
    pub len: u32,
}

impl Population {
    /// The address of this number; those behind the last one are addresses that the NIC does not
    /// have.
    pub fn address(self, number: u32) -> IpAddr {
        match self.mix {
            Mix::V4 => v4(number),
            Mix::V6 => v6(number),
            Mix::Mixed if number.is_multiple_of(2) => v4(number / 2),
            Mix::Mixed => v6(number / 2),
        }
    }

    /// All of them.
    pub fn addresses(self) -> impl Iterator<Item = IpAddr> {
        (0..self.len).map(move |number| self.address(number))
    }

    /// An address of the same families that nobody has, at random among 2^30 (IPv4) and 2^64
    /// (IPv6).
    pub fn nobodys(self, random: &mut Random) -> IpAddr {
        let bits = random.bits();
        let v4 = match self.mix {
            Mix::V4 => true,
            Mix::V6 => false,
            Mix::Mixed => random.bits() & 1 == 0,
        };
        if v4 {
            Ipv4Addr::from_bits(1 << 31 | (bits as u32) >> 2).into()
        } else {
            Ipv6Addr::from_bits(0x2001_0db8_ffff_0000_u128 << 64 | u128::from(bits)).into()
        }
    }
}

/// Within 10.0.0.0/8 and the networks behind it.
fn v4(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0a00_0001 + number).into()
}

fn v6(number: u32) -> IpAddr {
    Ipv6Addr::from_bits(0x2001_0db8_0000_0000_u128 << 64 | u128::from(number + 1)).into()
}

/// Lays out a UDP frame of [`FRAME`] bytes.
pub fn frame_to(destination: IpAddr) -> Line {
    let mut line = Line([0; FRAME]);
    let (source_mac, destination_mac) = (MacAddr([2, 0, 0, 0, 0, 1]), MacAddr([2, 0, 0, 0, 0, 2]));
    let ports = Ports {
        source: 1024,
        destination: PORT,
    };
    let len = match destination {
        IpAddr::V4(destination) => {
            let source = Ipv4Addr::new(198, 18, 0, 1);
            let spec = FrameSpec {
                source_mac,
                destination_mac,
                source,
                destination,
                ttl: 64,
            };
            build_udp_ipv4(&mut line.0, &spec, ports, &[0x55; FRAME - 42])
        }
        IpAddr::V6(destination) => {
            let source = Ipv6Addr::from_bits(0x2001_0db8_eeee_0000_u128 << 64 | 1);
            let spec = FrameSpec {
                source_mac,
                destination_mac,
                source,
                destination,
                ttl: 64,
            };
            build_udp_ipv6(&mut line.0, &spec, ports, &[0x55; FRAME - 62])
        }
    };
    assert_eq!(len.ok(), Some(FRAME));
    line
}

/// Frames in the order of their sending.
pub enum Frames {
    /// Each drawn when it is sent: for where the sending is not measured. No destination comes
    /// again before its time, and nothing can be learnt by heart.
    Drawn(Draw),
    /// Drawn and laid out before, sent round and round: for where sending has to be fast.
    LaidOut {
        /// The frames.
        lines: Vec<Line>,
        /// The next one.
        at: usize,
    },
    /// To destinations that somebody else draws.
    To(Box<dyn FnMut() -> IpAddr + Send>),
}

/// How destinations are drawn.
pub struct Draw {
    /// The NIC's addresses.
    pub population: Population,
    /// Whether frames go to addresses of the NIC; otherwise to nobody's.
    pub hit: bool,
    /// What they are drawn from.
    pub random: Random,
}

impl Draw {
    /// The next destination.
    pub fn destination(&mut self) -> IpAddr {
        if self.hit {
            self.population
                .address(self.random.below(self.population.len))
        } else {
            self.population.nobodys(&mut self.random)
        }
    }
}

impl Frames {
    /// Draws `count` frames and lays them out.
    pub fn lay_out(mut draw: Draw, count: usize) -> Self {
        Self::LaidOut {
            lines: (0..count).map(|_| frame_to(draw.destination())).collect(),
            at: 0,
        }
    }

    /// Gives the next frame's bytes to `take`.
    #[inline]
    pub fn next<R>(&mut self, take: impl FnOnce(&[u8; FRAME]) -> R) -> R {
        match self {
            Self::Drawn(draw) => take(&frame_to(draw.destination()).0),
            Self::To(destination) => take(&frame_to(destination()).0),
            Self::LaidOut { lines, at } => {
                let result = take(&lines[*at].0);
                *at += 1;
                if *at == lines.len() {
                    *at = 0;
                }
                result
            }
        }
    }

    /// Fills each frame with the next one's bytes.
    #[inline]
    pub fn fill(&mut self, frames: &mut [Frame]) {
        for frame in frames {
            let filled = self.next(|line| frame.set_data(line));
            debug_assert!(filled.is_ok(), "every slot holds a line");
        }
    }
}

/// How many frames a [`Feed`] may still send.
#[derive(Clone, Debug, Default)]
pub struct Allowance(Arc<AtomicU64>);

impl Allowance {
    /// No end to them.
    pub const UNLIMITED: u64 = u64::MAX;

    /// From now on this many.
    pub fn set(&self, frames: u64) {
        self.0.store(frames, Ordering::Relaxed);
    }
}

/// A receive queue of [`Frames`], as many as its [`Allowance`] says.
pub struct Feed {
    /// What it sends.
    pub frames: Frames,
    /// How much of it.
    pub allowance: Allowance,
    /// Whether the frames come with an RSS hash, as from a device.
    pub hashed: bool,
}

/// The link of a [`Feed`].
pub struct FeedLink(Option<Feed>);

impl From<Feed> for FeedLink {
    fn from(feed: Feed) -> Self {
        Self(Some(feed))
    }
}

impl Link for FeedLink {
    fn name(&self) -> &str {
        "feed"
    }

    fn mtu(&self) -> usize {
        1500
    }

    fn open(&mut self, _pool: &Pool) -> Result<Queues, LinkError> {
        let Some(feed) = self.0.take() else {
            return Err(LinkError::already_open(self.name()));
        };
        Ok(Queues {
            rx: vec![Box::new(feed)],
            tx: Vec::new(),
        })
    }
}

impl RxQueue for Feed {
    #[inline]
    fn rx_burst(&mut self, cache: &mut PoolCache, out: &mut Burst) -> Result<RxStatus, LinkError> {
        let allowed = self.allowance.0.load(Ordering::Relaxed);
        let first = out.len();
        let room = out.remaining_capacity();
        let got = cache.alloc_burst(out, usize::try_from(allowed).unwrap_or(room).min(room));
        if got == 0 {
            return Ok(RxStatus::Idle);
        }
        if allowed != Allowance::UNLIMITED {
            self.allowance.set(allowed - got as u64);
        }
        let frames = &mut out[first..];
        self.frames.fill(frames);
        if self.hashed {
            frames.iter_mut().for_each(|frame| frame.set_rss_hash(1));
        }
        Ok(RxStatus::Ready)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn addresses_are_distinct_and_of_their_families() {
        let population = Population {
            mix: Mix::Mixed,
            len: 1000,
        };
        let all: HashSet<IpAddr> = population.addresses().collect();
        assert_eq!(all.len(), 1000);
        assert_eq!(all.iter().filter(|a| a.is_ipv4()).count(), 500);
        assert!(
            Population {
                mix: Mix::V6,
                len: 9
            }
            .addresses()
            .all(|a| a.is_ipv6())
        );
        let mut random = Random::new(3);
        for _ in 0..1000 {
            let nobodys = population.nobodys(&mut random);
            assert!(!all.contains(&nobodys) && !nobodys.is_multicast());
        }
    }

    #[test]
    fn frames_are_valid() {
        use corelane::wire::{parse_ethernet, parse_ipv4, parse_ipv6};
        for destination in (Population {
            mix: Mix::Mixed,
            len: 2,
        })
        .addresses()
        {
            let line = frame_to(destination);
            let packet = parse_ethernet(&line.0).unwrap().payload;
            match destination {
                IpAddr::V4(address) => {
                    assert_eq!(parse_ipv4(packet).unwrap().destination(), address);
                }
                IpAddr::V6(address) => {
                    assert_eq!(parse_ipv6(packet).unwrap().destination(), address);
                }
            }
        }
    }
}
