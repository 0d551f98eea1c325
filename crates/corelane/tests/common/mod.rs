//! An engine over a memory link, polled by the test itself: no threads, no clock, no chance.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

pub mod net;
pub mod packets;
pub mod sockets;

use std::net::IpAddr;

use corelane::engine::{Builder, Engine, NicConfig, Parts};
use corelane::frame::{Burst, Frame, PoolCache, PoolConfig};
use corelane::io::memory::{MemoryConfig, MemoryPeer, memory_link};
use corelane::stack::{DropReason, Nic, NicTotals, Sink};
use corelane::wire::build::{
    FrameSpec, build_echo_ipv4, build_echo_ipv6, build_udp_ipv4, build_udp_ipv6,
};
use corelane::wire::udp::Ports;
use corelane::wire::{Echo, EchoKind, MacAddr};

pub const HOST: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
pub const PEER: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);

pub fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// An engine whose threads the test plays.
pub struct Bench {
    pub parts: Parts,
    pub nic: Nic,
    pub peer: MemoryPeer,
    pub cache: PoolCache,
    pub pool: corelane::frame::Pool,
}

fn roomy() -> MemoryConfig {
    MemoryConfig {
        ring: 4096,
        ..MemoryConfig::default()
    }
}

impl Bench {
    /// One NIC; `configure` sets the rest.
    pub fn new(configure: impl FnOnce(&mut Builder)) -> Self {
        Self::with_link(roomy(), configure)
    }

    pub fn with_link(link: MemoryConfig, configure: impl FnOnce(&mut Builder)) -> Self {
        Self::build(link, |builder| {
            builder.handler(|_| Sink);
            configure(builder);
        })
    }

    /// One without a handler: what no socket takes is refused.
    pub fn refusing(configure: impl FnOnce(&mut Builder)) -> Self {
        Self::build(roomy(), configure)
    }

    fn build(link: MemoryConfig, configure: impl FnOnce(&mut Builder)) -> Self {
        let (link, peer) = memory_link(link).expect("a link");
        let mut builder = Engine::builder();
        builder.pool(PoolConfig {
            slots: 16_384,
            ..PoolConfig::default()
        });
        configure(&mut builder);
        let id = builder.nic(NicConfig::new("test").seed(7), Box::new(link));
        let engine = builder.build().expect("an engine");
        let nic = engine.nic(id).expect("the NIC").clone();
        let pool = engine.pool().clone();
        let cache = pool.cache();
        Self {
            parts: engine.into_workers(),
            nic,
            peer,
            cache,
            pool,
        }
    }

    /// A frame of these bytes.
    pub fn frame(&mut self, bytes: &[u8]) -> Frame {
        let mut frame = self.cache.alloc().expect("a free slot");
        frame.set_data(bytes).expect("room");
        frame
    }

    /// Sends frames of these bytes into the engine.
    pub fn send(&mut self, frames: &[Vec<u8>]) {
        for chunk in frames.chunks(64) {
            let mut burst: Burst = chunk.iter().map(|bytes| self.frame(bytes)).collect();
            while !burst.is_empty() {
                if self.peer.send(0, &mut burst) == 0 {
                    self.poll();
                }
            }
        }
    }

    /// Polls everything until nothing moves.
    pub fn poll(&mut self) {
        let mut quiet = 0;
        while quiet < 8 {
            let mut moved = 0;
            for distributor in &mut self.parts.distributors {
                moved += usize::from(distributor.poll() == corelane::engine::Polled::Worked);
            }
            for worker in &mut self.parts.workers {
                moved += worker.poll();
            }
            quiet = if moved == 0 { quiet + 1 } else { 0 };
        }
        self.parts.control.poll();
    }

    /// Sends, polls, and returns what the NIC counted for it and what came back.
    pub fn run(&mut self, frames: &[Vec<u8>]) -> (NicTotals, Vec<Vec<u8>>) {
        let before = self.nic.counters();
        self.send(frames);
        self.poll();
        let totals = self.nic.counters().since(&before);
        assert_eq!(
            totals.balance(),
            0,
            "the accounting identity holds: {totals:?}"
        );
        assert_eq!(totals.received, frames.len() as u64);
        let mut replies = Vec::new();
        let mut burst = Burst::new();
        while self.peer.recv(&mut burst) > 0 {
            for frame in burst.drain(..) {
                replies.push(frame.data().to_vec());
                self.cache.recycle(frame);
            }
        }
        (totals, replies)
    }

    /// Asserts that every frame is back in the pool.
    pub fn assert_no_leak(&mut self) {
        self.poll();
        assert_eq!(self.pool.out(), 0, "frames that nobody returned");
    }
}

/// What a run of drops of one kind looks like.
pub fn only_drop(totals: &NicTotals, reason: DropReason) -> u64 {
    for (other, count) in totals.drops() {
        assert!(other == reason || count == 0, "{count} {}", other.label());
    }
    totals.dropped_for(reason)
}

/// An Ethernet frame with a UDP datagram; both addresses of one family.
pub fn udp(source: &str, destination: &str, ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let mut buffer = vec![0; 64 + payload.len() + 64];
    let ports = Ports {
        source: ports.0,
        destination: ports.1,
    };
    let len = match (ip(source), ip(destination)) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            build_udp_ipv4(&mut buffer, &spec(source, destination), ports, payload)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            build_udp_ipv6(&mut buffer, &spec(source, destination), ports, payload)
        }
        _ => panic!("one family"),
    };
    buffer.truncate(len.expect("room"));
    buffer
}

/// An Ethernet frame with an echo request.
pub fn ping(source: &str, destination: &str, payload: &[u8]) -> Vec<u8> {
    let mut buffer = vec![0; 128 + payload.len()];
    let echo = Echo {
        kind: EchoKind::Request,
        identifier: 7,
        sequence: 9,
        data: payload,
    };
    let len = match (ip(source), ip(destination)) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            build_echo_ipv4(&mut buffer, &spec(source, destination), &echo)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            build_echo_ipv6(&mut buffer, &spec(source, destination), &echo)
        }
        _ => panic!("one family"),
    };
    buffer.truncate(len.expect("room"));
    buffer
}

fn spec<A>(source: A, destination: A) -> FrameSpec<A> {
    FrameSpec {
        source_mac: PEER,
        destination_mac: HOST,
        source,
        destination,
        ttl: 3,
    }
}
