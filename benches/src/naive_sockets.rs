//! The rival with sockets: what one would write first. A bounded channel of `Vec<u8>`, one per frame;
//! behind an `RwLock`, read for every packet, the channels of sockets in a `HashMap` with its default
//! hash, by address and port; a `Vec<u8>` for each payload, copied; counters on lines that all threads
//! write.
//!
//! It does the same work as a worker: the same parsers and checks, the checksum of UDP included.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use corelane::wire::{EtherType, IpProtocol, parse_ethernet, parse_ipv4, parse_ipv6, parse_udp};

use crate::bare::Return;
use crate::bed::QUEUE;
use crate::channel::Channel;
use crate::harness::{Budget, Sample, in_rounds};
use crate::traffic::{Frames, PORT, Population};

/// From whom, and the payload.
type Datagram = (SocketAddr, Vec<u8>);

/// Sockets behind a lock.
pub struct NaiveSockets {
    sockets: RwLock<HashMap<(IpAddr, u16), SyncSender<Datagram>>>,
    queues: Vec<Receiver<Datagram>>,
    delivered: AtomicU64,
    dropped: AtomicU64,
    channel: Channel,
}

impl NaiveSockets {
    /// With a socket at each address, and a channel of this many frames.
    pub fn new(frames: Frames, population: Population, channel: usize) -> Self {
        let mut sockets = HashMap::new();
        let mut queues = Vec::new();
        for address in population.addresses() {
            let (socket, queue) = sync_channel(QUEUE);
            assert!(sockets.insert((address, PORT), socket).is_none());
            queues.push(queue);
        }
        Self {
            sockets: RwLock::new(sockets),
            queues,
            delivered: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            channel: Channel::new(frames, channel),
        }
    }

    /// One packet.
    fn deliver(&self, frame: &[u8]) {
        let counter = match self.queue(frame) {
            Some(()) => &self.delivered,
            None => &self.dropped,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn queue(&self, frame: &[u8]) -> Option<()> {
        let (source, destination, payload) = parse(frame)?;
        let sockets = self.sockets.read().unwrap_or_else(PoisonError::into_inner);
        let socket = sockets.get(&destination)?;
        socket.try_send((source, payload.to_vec())).ok()
    }

    /// Reads the queues of all sockets; returns how many datagrams there were.
    fn read(&self) -> u64 {
        let queues = self.queues.iter();
        queues.map(|queue| queue.try_iter().count() as u64).sum()
    }

    /// One round: fills the channel, then takes the time it needs to empty it, and to read the queues of
    /// the sockets or not.
    pub fn round(&mut self, read: Return) -> (u64, Duration) {
        self.channel.fill();
        let start = Instant::now();
        let frames = self.channel.drain(|frame| self.deliver(&frame));
        let mut time = start.elapsed();
        let datagrams = self.read();
        if read == Return::Measured {
            time = start.elapsed();
        }
        let sent = self.channel.capacity();
        assert_eq!((frames, datagrams), (sent, sent));
        (frames, time)
    }

    /// A sample of it alone.
    pub fn sample_alone(&mut self, budget: Budget, read: Return) -> Sample {
        let sample = in_rounds(budget, || self.round(read));
        let dropped = self.dropped.load(Ordering::Relaxed);
        assert_eq!(dropped, 0, "a socket has every packet");
        assert!(self.delivered.load(Ordering::Relaxed) >= sample.operations);
        sample
    }
}

/// From whom a valid datagram is, to whom, and its payload.
fn parse(frame: &[u8]) -> Option<(SocketAddr, (IpAddr, u16), &[u8])> {
    let frame = parse_ethernet(frame).ok()?;
    let (source, destination, datagram): (IpAddr, IpAddr, _) = match frame.header.ethertype() {
        EtherType::IPV4 => {
            let packet = parse_ipv4(frame.payload).ok()?;
            let (source, destination) = (packet.source(), packet.destination());
            let is_whole = packet.protocol() == IpProtocol::UDP && !packet.is_fragment();
            let datagram = parse_udp(is_whole.then_some(packet.payload)?).ok()?;
            datagram.verify_checksum_ipv4(source, destination).ok()?;
            (source.into(), destination.into(), datagram)
        }
        EtherType::IPV6 => {
            let packet = parse_ipv6(frame.payload).ok()?;
            let (source, destination) = (packet.source(), packet.destination());
            let is_udp = packet.next_header() == IpProtocol::UDP;
            let datagram = parse_udp(is_udp.then_some(packet.payload)?).ok()?;
            datagram.verify_checksum_ipv6(source, destination).ok()?;
            (source.into(), destination.into(), datagram)
        }
        _ => return None,
    };
    let source = SocketAddr::new(source, datagram.source_port());
    let destination = (destination, datagram.destination_port());
    Some((source, destination, datagram.payload))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::{FRAME, Mix, frame_to};

    #[test]
    fn it_delivers_what_a_socket_has() {
        let population = Population {
            mix: Mix::Mixed,
            len: 10,
        };
        let mut numbers = [3, 4, 3].into_iter().cycle();
        let next = move || population.address(numbers.next().expect("endless"));
        let mut sockets = NaiveSockets::new(Frames::To(Box::new(next)), population, 3);
        assert_eq!(sockets.round(Return::Measured).0, 3);
        sockets.deliver(&frame_to(population.address(11)).0);
        let mut line = frame_to(population.address(3)).0;
        line[FRAME - 1] ^= 1;
        sockets.deliver(&line);
        sockets.deliver(&line[..3]);
        assert_eq!(sockets.read(), 0, "nobody's, damaged, short");
        sockets.deliver(&frame_to(population.address(3)).0);
        let (source, payload) = sockets.queues[3].try_recv().expect("a datagram");
        assert_eq!((source.port(), &*payload), (1024, &[0x55; FRAME - 62][..]));
        let counted = [&sockets.delivered, &sockets.dropped].map(|it| it.load(Ordering::Relaxed));
        assert_eq!(counted, [4, 3]);
    }
}
