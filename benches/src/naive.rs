//! The rival: what one would write first. A bounded channel of `Vec<u8>`, one per frame; a
//! `HashMap` with its default hash behind an `RwLock`, read for every packet; a reference counted
//! up and down for every packet; counters on lines that all threads write.
//!
//! It does the same work as a worker: the same parsers and checks, the same addresses, the same
//! rule (an address of ours, or nobody's).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, TrySendError};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use corelane::wire::{EtherType, parse_ethernet, parse_ipv4, parse_ipv6};

use crate::channel::Channel;
use crate::harness::{Budget, Sample, Stop, beside, in_rounds, in_windows};
use crate::traffic::{Frames, Population};

/// An address of the NIC.
#[derive(Debug, Default)]
pub struct NaiveEndpoint {
    packets: AtomicU64,
}

/// A NIC behind a lock.
#[derive(Debug, Default)]
pub struct NaiveNic {
    endpoints: RwLock<HashMap<IpAddr, Arc<NaiveEndpoint>>>,
    received: AtomicU64,
    delivered: AtomicU64,
    dropped: AtomicU64,
}

impl NaiveNic {
    /// With these addresses.
    pub fn with(population: Population) -> Self {
        let nic = Self::default();
        population
            .addresses()
            .for_each(|address| assert!(nic.add_address(address)));
        nic
    }

    /// Adds an address; false if it is there.
    pub fn add_address(&self, address: IpAddr) -> bool {
        let mut endpoints = self
            .endpoints
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        endpoints.insert(address, Arc::default()).is_none()
    }

    /// Removes an address; false if it is not there.
    pub fn remove_address(&self, address: IpAddr) -> bool {
        let mut endpoints = self
            .endpoints
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        endpoints.remove(&address).is_some()
    }

    /// One packet.
    pub fn deliver(&self, frame: &[u8]) {
        self.received.fetch_add(1, Ordering::Relaxed);
        let counter = match destination(frame).and_then(|address| self.endpoint(address)) {
            Some(endpoint) => {
                endpoint.packets.fetch_add(1, Ordering::Relaxed);
                &self.delivered
            }
            None => &self.dropped,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// A reference to the endpoint of an address.
    fn endpoint(&self, address: IpAddr) -> Option<Arc<NaiveEndpoint>> {
        let endpoints = self
            .endpoints
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        endpoints.get(&address).cloned()
    }

    /// Packets delivered and dropped.
    pub fn counts(&self) -> (u64, u64) {
        let delivered = self.delivered.load(Ordering::Relaxed);
        let dropped = self.dropped.load(Ordering::Relaxed);
        assert_eq!(self.received.load(Ordering::Relaxed), delivered + dropped);
        (delivered, dropped)
    }
}

/// The destination of a valid packet.
fn destination(frame: &[u8]) -> Option<IpAddr> {
    let frame = parse_ethernet(frame).ok()?;
    match frame.header.ethertype() {
        EtherType::IPV4 => Some(parse_ipv4(frame.payload).ok()?.destination().into()),
        EtherType::IPV6 => Some(parse_ipv6(frame.payload).ok()?.destination().into()),
        _ => None,
    }
}

/// A generator, a channel and a worker of the naive kind.
pub struct Naive {
    nic: Arc<NaiveNic>,
    channel: Channel,
}

impl Naive {
    /// With a channel of this many frames.
    pub fn new(frames: Frames, population: Population, channel: usize) -> Self {
        Self {
            nic: Arc::new(NaiveNic::with(population)),
            channel: Channel::new(frames, channel),
        }
    }

    /// Its NIC.
    pub fn nic(&self) -> Arc<NaiveNic> {
        Arc::clone(&self.nic)
    }

    /// One packet from the channel; false if it is empty.
    #[inline]
    fn work(nic: &NaiveNic, receiver: &Receiver<Vec<u8>>) -> bool {
        match receiver.try_recv() {
            Ok(frame) => {
                nic.deliver(&frame);
                true
            }
            Err(_) => false,
        }
    }

    /// One round of the worker alone: fills the channel, then takes the time it needs to empty it.
    pub fn round(&mut self) -> (u64, Duration) {
        self.channel.fill();
        let start = Instant::now();
        let frames = self.channel.drain(|frame| self.nic.deliver(&frame));
        let time = start.elapsed();
        assert_eq!(frames, self.channel.capacity());
        (frames, time)
    }

    /// A sample of the worker alone.
    pub fn sample_alone(&mut self, budget: Budget) -> Sample {
        let before = self.nic.counts();
        let sample = in_rounds(budget, || self.round());
        assert!(
            self.nic.counts().0 - before.0 >= sample.operations,
            "every packet is a hit"
        );
        sample
    }

    /// A sample of generator and worker on two cores.
    pub fn sample_handover(&mut self, budget: Budget) -> Sample {
        let Self { nic, channel } = self;
        let Channel {
            frames,
            sender,
            receiver,
            ..
        } = channel;
        let before = nic.counts();
        let sender = sender.clone();
        let send = move |stop: &mut Stop<'_>| {
            let mut held = None;
            let mut sent = 0_u64;
            while !stop.requested() {
                let frame = held
                    .take()
                    .unwrap_or_else(|| frames.next(|line| line.to_vec()));
                match sender.try_send(frame) {
                    Ok(()) => sent += 1,
                    Err(TrySendError::Full(frame) | TrySendError::Disconnected(frame)) => {
                        held = Some(frame);
                    }
                }
            }
            sent
        };
        let (sent, sample) = beside(send, || {
            in_windows(budget, || {
                (0..64).map(|_| u64::from(Self::work(nic, receiver))).sum()
            })
        });
        while Self::work(nic, receiver) {}
        assert_eq!(nic.counts().0 - before.0, sent, "every packet is a hit");
        sample
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::{Mix, frame_to};

    #[test]
    fn it_delivers_what_is_its_own() {
        let population = Population {
            mix: Mix::Mixed,
            len: 10,
        };
        let nic = NaiveNic::with(population);
        nic.deliver(&frame_to(population.address(3)).0);
        nic.deliver(&frame_to(population.address(11)).0);
        nic.deliver(&[0; 3]);
        assert_eq!(nic.counts(), (1, 2));
        assert!(nic.remove_address(population.address(3)));
        nic.deliver(&frame_to(population.address(3)).0);
        assert_eq!(nic.counts(), (1, 3));
        assert!(!nic.remove_address(population.address(3)));
    }
}
