//! The rival that forwards: what one would write first. A bounded channel of `Vec<u8>`, one per frame;
//! behind an `RwLock`, read for every packet, routes in a hash table for each prefix length, asked from
//! the longest on, and neighbors in another; counters on lines
//! that all threads write.
//!
//! It does the same work as a worker: the same parsers and checks, TTL, link addresses.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use corelane::stack::Prefix;
use corelane::wire::ipv4::ipv4_header_mut;
use corelane::wire::ipv6::ipv6_header_mut;
use corelane::wire::{EtherType, MacAddr, parse_ethernet, parse_ipv4, parse_ipv6};
use corelane_tools::generator::RoutePlan;

use crate::channel::Channel;
use crate::harness::{Budget, Sample, in_rounds};
use crate::traffic::Frames;

/// Bytes of an Ethernet header.
const NETWORK: usize = 14;

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 3]);

#[derive(Default)]
struct Tables {
    /// By length, the longest last.
    v4: BTreeMap<u8, HashMap<Ipv4Addr, IpAddr>>,
    v6: BTreeMap<u8, HashMap<Ipv6Addr, IpAddr>>,
    neighbors: HashMap<IpAddr, MacAddr>,
}

impl Tables {
    fn of(plan: &RoutePlan) -> Self {
        let mut tables = Self {
            neighbors: plan.neighbors().collect(),
            ..Self::default()
        };
        for (network, router) in plan.iter() {
            let len = network.len();
            match network.address() {
                IpAddr::V4(address) => {
                    tables.v4.entry(len).or_default().insert(address, router);
                }
                IpAddr::V6(address) => {
                    tables.v6.entry(len).or_default().insert(address, router);
                }
            }
        }
        tables
    }

    fn router(&self, destination: IpAddr) -> Option<IpAddr> {
        let network = |len| Some(Prefix::new(destination, len).ok()?.network().address());
        match destination {
            IpAddr::V4(_) => self.v4.iter().rev().find_map(|(len, routes)| {
                let IpAddr::V4(network) = network(*len)? else {
                    return None;
                };
                routes.get(&network).copied()
            }),
            IpAddr::V6(_) => self.v6.iter().rev().find_map(|(len, routes)| {
                let IpAddr::V6(network) = network(*len)? else {
                    return None;
                };
                routes.get(&network).copied()
            }),
        }
    }
}

/// A router behind locks.
pub struct NaiveRouter {
    tables: RwLock<Tables>,
    forwarded: AtomicU64,
    dropped: AtomicU64,
    channel: Channel,
}

impl NaiveRouter {
    /// With these routes, and a channel of this many frames.
    pub fn new(frames: Frames, plan: &RoutePlan, channel: usize) -> Self {
        Self {
            tables: RwLock::new(Tables::of(plan)),
            forwarded: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            channel: Channel::new(frames, channel),
        }
    }

    /// One packet: made ready to leave, or None.
    fn forward(&self, mut frame: Vec<u8>) -> Option<Vec<u8>> {
        let sent = self.prepare(&mut frame);
        let counter = match sent {
            Some(()) => &self.forwarded,
            None => &self.dropped,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        sent.map(|()| frame)
    }

    fn prepare(&self, frame: &mut [u8]) -> Option<()> {
        let ethernet = parse_ethernet(frame).ok()?;
        let is_v4 = ethernet.header.ethertype() == EtherType::IPV4;
        let destination: IpAddr = if is_v4 {
            parse_ipv4(ethernet.payload).ok()?.destination().into()
        } else {
            parse_ipv6(ethernet.payload).ok()?.destination().into()
        };
        let mac = {
            let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
            let router = tables.router(destination)?;
            *tables.neighbors.get(&router)?
        };
        let packet = frame.get_mut(NETWORK..)?;
        if is_v4 {
            let may_go_on = ipv4_header_mut(packet)?.decrement_ttl();
            may_go_on.then_some(())?;
        } else {
            let may_go_on = ipv6_header_mut(packet)?.decrement_hop_limit();
            may_go_on.then_some(())?;
        }
        frame.get_mut(..6)?.copy_from_slice(&mac.octets());
        frame.get_mut(6..12)?.copy_from_slice(&MAC.octets());
        Some(())
    }

    /// One round: fills the channel, then takes the time it needs to empty it and to send what comes
    /// out, to somebody who frees it.
    pub fn round(&mut self) -> (u64, Duration) {
        self.channel.fill();
        let start = Instant::now();
        let frames = self.channel.drain(|frame| drop(self.forward(frame)));
        let time = start.elapsed();
        assert_eq!(frames, self.channel.capacity());
        (frames, time)
    }

    /// A sample of it alone.
    pub fn sample_alone(&mut self, budget: Budget) -> Sample {
        let sample = in_rounds(budget, || self.round());
        assert_eq!(
            self.dropped.load(Ordering::Relaxed),
            0,
            "a route leads on from every packet"
        );
        assert!(self.forwarded.load(Ordering::Relaxed) >= sample.operations);
        sample
    }
}
