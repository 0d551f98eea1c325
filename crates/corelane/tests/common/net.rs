//! An engine with several NICs, each on a memory link whose other end the test has: polled by the
//! test, with a clock that is set by hand.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::mpsc;
use std::time::Duration;

use corelane::engine::{Builder, Engine, NicConfig, Parts, Polled, Worker};
use corelane::frame::{Burst, Pool, PoolCache, PoolConfig};
use corelane::io::memory::{MemoryConfig, MemoryPeer, memory_link};
use corelane::stack::{
    Clock, DropReason, Event, Forwarding, Handler, ManualClock, Nic, NicTotals, Packet, Prefix,
    ProtocolCounter, RouteSpec, Stack, StackConfig,
};
use corelane::wire::{MacAddr, Offloads};

use super::packets::between;

/// The link address of the NIC number `n`.
pub fn nic_mac(n: usize) -> MacAddr {
    MacAddr([2, 0, 0, 0, 1, n as u8])
}

/// That of host .9 on the link of NIC `n`.
pub fn host_mac(n: usize) -> MacAddr {
    MacAddr([2, 0, 0, 0, 2, n as u8])
}

/// That of the router .254 on the link of NIC `n`.
pub fn gateway_mac(n: usize) -> MacAddr {
    MacAddr([2, 0, 0, 0, 3, n as u8])
}

pub fn prefix(text: &str) -> Prefix {
    text.parse().expect("a prefix")
}

/// What the handler was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Got {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub protocol: u8,
    /// The NIC it arrived on, and the one whose address it is for.
    pub nics: (u16, u16),
    pub payload: Vec<u8>,
}

/// The port, and the protocol, that the handler refuses.
pub const REFUSED: u16 = 9;
/// A payload behind eight bytes that the handler refuses, and one that it panics over.
pub const REFUSE: &[u8] = b"refuse";
pub const PANIC: &[u8] = b"panic";

/// Takes what there is, but for what it refuses.
struct Host(mpsc::Sender<Got>);

impl Handler for Host {
    fn packet(&mut self, packet: &mut Packet<'_>) {
        let payload = packet.payload().to_vec();
        let protocol = packet.protocol().0;
        let port = match payload.get(2..4) {
            Some(port) if protocol == 6 || protocol == 17 => u16::from_be_bytes([port[0], port[1]]),
            _ => protocol.into(),
        };
        if port == REFUSED || payload.get(8..) == Some(REFUSE) {
            return packet.refuse();
        }
        assert_ne!(payload.get(8..), Some(PANIC), "as it was told to");
        let got = Got {
            source: packet.source(),
            destination: packet.destination(),
            protocol,
            nics: (packet.nic().0, packet.local_nic().0),
            payload,
        };
        self.0.send(got).expect("the test listens");
    }
}

/// A NIC and its link.
pub struct Lan {
    pub config: NicConfig,
    pub mtu: usize,
    /// What the other end takes undone.
    pub offloads: Offloads,
}

impl Lan {
    pub fn new(n: usize) -> Self {
        Self {
            config: NicConfig::new(format!("n{n}")).seed(7),
            mtu: 1500,
            offloads: Offloads::NONE,
        }
    }
}

/// The engine.
pub struct Net {
    pub parts: Parts,
    pub nics: Vec<Nic>,
    pub peers: Vec<MemoryPeer>,
    pub clock: ManualClock,
    pub pool: Pool,
    pub cache: PoolCache,
    pub got: mpsc::Receiver<Got>,
}

/// What a run came to.
#[derive(Debug)]
pub struct Ran {
    /// What each NIC counted for it.
    pub totals: Vec<NicTotals>,
    /// What came out of each NIC.
    pub out: Vec<Vec<Vec<u8>>>,
}

impl Ran {
    /// The one frame that came out, of NIC `n`.
    pub fn only(&self, n: usize) -> &[u8] {
        for (at, out) in self.out.iter().enumerate() {
            assert_eq!(out.len(), usize::from(at == n), "{self:?}");
        }
        &self.out[n][0]
    }

    pub fn nothing_sent(&self) {
        assert!(self.out.iter().all(Vec::is_empty), "{self:?}");
    }

    /// Drops of one reason on NIC `n`, where there was none of another on any.
    pub fn only_drop(&self, n: usize, reason: DropReason) -> u64 {
        for (at, totals) in self.totals.iter().enumerate() {
            for (other, count) in totals.drops() {
                let is_it = at == n && other == reason;
                assert!(is_it || count == 0, "NIC {at}: {count} {}", other.label());
            }
        }
        self.totals[n].dropped_for(reason)
    }
}

/// No limit on ICMP errors, so that each is there to be seen.
pub fn unlimited() -> StackConfig {
    StackConfig {
        seed: Some(7),
        icmp_rate: None,
        ..StackConfig::default()
    }
}

impl Net {
    pub fn build(lans: Vec<Lan>, stack: StackConfig, configure: impl FnOnce(&mut Builder)) -> Self {
        let (clock, hand) = Clock::manual();
        let (sender, got) = mpsc::channel();
        let mut builder = Engine::builder();
        builder
            .pool(PoolConfig {
                slots: 16_384,
                ..PoolConfig::default()
            })
            .clock(clock)
            .stack(stack)
            .handler(move |_| Host(sender.clone()));
        configure(&mut builder);
        let mut peers = Vec::new();
        for (n, lan) in lans.into_iter().enumerate() {
            let (link, peer) = memory_link(MemoryConfig {
                name: format!("link{n}"),
                ring: 4096,
                mac: Some(nic_mac(n)),
                mtu: lan.mtu,
                offloads: lan.offloads,
                ..MemoryConfig::default()
            })
            .expect("a link");
            builder.nic(lan.config, Box::new(link));
            peers.push(peer);
        }
        let engine = builder.build().expect("an engine");
        let (nics, pool) = (engine.nics(), engine.pool().clone());
        let cache = pool.cache();
        Self {
            parts: engine.into_workers(),
            nics,
            peers,
            clock: hand,
            pool,
            cache,
            got,
        }
    }

    /// NICs without addresses that forward nothing.
    pub fn plain(nics: usize) -> Self {
        Self::build((0..nics).map(Lan::new).collect(), unlimited(), |_| {})
    }

    /// NICs that forward, with addresses, routes and neighbors as [`furnish`](Self::furnish) has it.
    pub fn router(nics: usize) -> Self {
        let mut net = Self::plain(nics);
        net.furnish();
        net
    }

    /// NIC `n` gets the addresses 10.0.n.1/24 and 2001:db8:n::1/64, routes to these networks, and on
    /// its link the hosts .9 and ::9 and the routers .254 and ::fe.
    pub fn furnish(&mut self) {
        for n in 0..self.nics.len() {
            self.furnish_nic(n);
        }
        self.poll();
    }

    pub fn furnish_nic(&self, n: usize) {
        let nic = &self.nics[n];
        nic.set_forwarding(Forwarding::ON).unwrap();
        for network in [format!("10.0.{n}.1/24"), format!("2001:db8:{n}::1/64")] {
            let network = prefix(&network);
            nic.add_address(network).unwrap();
            self.route(&network.to_string(), None, n);
        }
        for (address, mac) in [
            (format!("10.0.{n}.9"), host_mac(n)),
            (format!("2001:db8:{n}::9"), host_mac(n)),
            (format!("10.0.{n}.254"), gateway_mac(n)),
            (format!("2001:db8:{n}::fe"), gateway_mac(n)),
        ] {
            let added = nic.stack().add_neighbor(nic.id(), super::ip(&address), mac);
            added.unwrap();
        }
    }

    pub fn stack(&self) -> &Stack {
        self.nics[0].stack()
    }

    /// Adds a route out of NIC `n`.
    pub fn route(&self, to: &str, via: Option<&str>, n: usize) {
        let route = RouteSpec {
            to: prefix(to),
            via: via.map(super::ip),
            nic: self.nics[n].id(),
            metric: 0,
        };
        self.stack().add_route(route).unwrap();
    }

    /// A datagram from the host on the link of NIC `n`, to that NIC's link address.
    pub fn udp(&self, n: usize, destination: &str) -> Vec<u8> {
        let source = if destination.contains(':') {
            format!("2001:db8:{n}::9")
        } else {
            format!("10.0.{n}.9")
        };
        self.host_sends(n, super::udp(&source, destination, (1000, 7), b"payload"))
    }

    /// The frame as the host on the link of NIC `n` sends it to that NIC.
    pub fn host_sends(&self, n: usize, frame: Vec<u8>) -> Vec<u8> {
        between(frame, host_mac(n), nic_mac(n))
    }

    /// Puts a frame on the link of NIC `n`.
    pub fn inject(&mut self, n: usize, bytes: &[u8]) {
        let mut frame = self.cache.alloc().expect("a free slot");
        frame.set_data(bytes).expect("room");
        let mut burst = Burst::new();
        burst.push(frame);
        assert_eq!(self.peers[n].send(0, &mut burst), 1, "room on the link");
    }

    /// What NIC `n` has sent since the last call.
    pub fn take(&mut self, n: usize) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        let mut burst = Burst::new();
        while self.peers[n].recv(&mut burst) > 0 {
            frames.extend(burst.drain(..).map(|frame| frame.data().to_vec()));
        }
        frames
    }

    /// Polls everything until nothing moves.
    pub fn poll(&mut self) {
        for _ in 0..3 {
            self.parts.control.poll();
            self.poll_datapath();
        }
        for nic in &self.nics {
            let totals = nic.counters();
            assert_eq!(totals.balance(), 0, "{}: {totals:?}", nic.name());
        }
    }

    /// Polls all but the control plane until nothing moves.
    pub fn poll_datapath(&mut self) {
        let mut quiet = 0;
        while quiet < 4 {
            let mut moved = 0;
            for distributor in &mut self.parts.distributors {
                moved += usize::from(distributor.poll() == Polled::Worked);
            }
            for worker in &mut self.parts.workers {
                moved += worker.poll();
            }
            quiet = if moved == 0 { quiet + 1 } else { 0 };
        }
    }

    /// Lets time pass, and everybody notice.
    pub fn advance(&mut self, time: Duration) {
        self.clock.advance(time);
        self.poll();
    }

    /// Has NIC `n` receive frames, and tells what came of them.
    pub fn run(&mut self, n: usize, frames: &[Vec<u8>]) -> Ran {
        let before: Vec<_> = self.nics.iter().map(Nic::counters).collect();
        for (at, frame) in frames.iter().enumerate() {
            self.inject(n, frame);
            if at % 64 == 63 {
                self.poll();
            }
        }
        self.ran(&before)
    }

    /// What came of things since the NICs counted `before`.
    pub fn ran(&mut self, before: &[NicTotals]) -> Ran {
        self.poll();
        let nics = self.nics.iter().zip(before);
        Ran {
            totals: nics.map(|(nic, it)| nic.counters().since(it)).collect(),
            out: (0..self.peers.len()).map(|n| self.take(n)).collect(),
        }
    }

    /// What the NICs' protocols have counted, each by its name where it is not 0.
    pub fn protocols(&self, n: usize) -> BTreeMap<&'static str, u64> {
        let value = |counter: &ProtocolCounter| self.nics[n].protocol_counter(*counter);
        let counters = ProtocolCounter::ALL.iter();
        counters.map(|it| (it.label(), value(it))).collect()
    }

    /// What the handler was given since the last call.
    pub fn got(&self) -> Vec<Got> {
        self.got.try_iter().collect()
    }

    /// What happened since the last call.
    pub fn events(&self) -> Vec<Event> {
        std::iter::from_fn(|| self.parts.events.try_next()).collect()
    }

    /// Asserts that every frame is back in its pool.
    pub fn assert_no_leak(&mut self) {
        self.poll();
        for n in 0..self.peers.len() {
            self.take(n);
        }
        self.parts.workers.iter_mut().for_each(Worker::quiesce);
        assert_eq!(self.pool.out(), 0, "frames that nobody returned");
        assert_eq!(self.stack().reassembly_pool().out(), 0, "datagrams");
    }
}
