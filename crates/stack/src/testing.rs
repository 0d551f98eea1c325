//! What this crate's tests have in common: a NIC with a clock that is set by hand, and frames.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use corelane_frame::{Burst, Pool, PoolConfig};
use corelane_wire::MacAddr;
use corelane_wire::ndp::{
    AdvertisementSpec, NdpMessage, SolicitationSpec, build_neighbor_advertisement,
    build_neighbor_solicitation, parse_ndp,
};
use corelane_wire::{parse_ethernet, parse_ipv6};

use crate::*;

/// The NIC's link address.
pub(crate) const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);

/// Somebody else's.
pub(crate) const OTHER: MacAddr = MacAddr([2, 0, 0, 0, 0, 9]);

/// A NIC and all around it.
pub(crate) struct Bed {
    pub(crate) nic: Nic,
    pub(crate) events: Events,
    pub(crate) clock: ManualClock,
    pub(crate) pool: Pool,
    outbound: QueuedFrames,
}

/// An enabled NIC with the defaults.
pub(crate) fn bed() -> Bed {
    bed_of(NicConfig::new("test"))
}

/// One that probes its addresses, once for a second.
pub(crate) fn probing_bed() -> Bed {
    bed_of(NicConfig::new("test").ndp(NdpConfig::default()))
}

pub(crate) fn bed_of(config: NicConfig) -> Bed {
    bed_on(config, false)
}

/// One on a link that takes packets of this size.
pub(crate) fn bed_with_mtu(mtu: usize) -> Bed {
    bed_at(NicConfig::new("test"), mtu, false)
}

pub(crate) fn bed_on(config: NicConfig, is_loopback: bool) -> Bed {
    bed_at(config, 1500, is_loopback)
}

fn bed_at(config: NicConfig, mtu: usize, is_loopback: bool) -> Bed {
    let (sender, events) = events(4096);
    let (clock, hand) = Clock::manual();
    let pool = Pool::new(PoolConfig {
        slots: 512,
        ..PoolConfig::default()
    })
    .unwrap();
    let enabled = config.is_enabled();
    let stack = Stack::new(StackParts {
        config: StackConfig {
            seed: Some(42),
            ..StackConfig::default()
        },
        workers: 1,
        clock,
        events: sender,
        pool: pool.clone(),
    })
    .unwrap();
    let nic = Nic::new(NicParts {
        id: NicId(1),
        config: config.seed(42),
        link: LinkInfo {
            mac: Some(MAC),
            mtu,
            is_loopback,
        },
        stack,
    });
    if enabled {
        nic.enable().unwrap();
        assert_eq!(events.try_next(), Some(Event::NicEnabled { nic: NicId(1) }));
    }
    Bed {
        outbound: nic.outbound(),
        nic,
        events,
        clock: hand,
        pool,
    }
}

impl Bed {
    /// Lets time pass, step by step of what is due.
    pub(crate) fn advance(&self, duration: Duration) {
        let end = self.clock.now() + duration;
        while let Some(due) = self.nic.poll()
            && due <= end
        {
            self.clock.set(due);
        }
        self.clock.set(end);
        self.nic.poll();
    }

    /// What the NIC sent by itself since the last call.
    pub(crate) fn sent(&self) -> Vec<Vec<u8>> {
        take(&self.outbound)
    }

    /// The targets of the probes sent since the last call; nothing else may have been sent.
    pub(crate) fn probes(&self) -> Vec<Ipv6Addr> {
        self.sent()
            .iter()
            .map(|frame| {
                let packet = parse_ipv6(parse_ethernet(frame).unwrap().payload).unwrap();
                let (source, destination) = (packet.source(), packet.destination());
                assert!(source.is_unspecified());
                match parse_ndp(source, destination, packet.header.hop_limit, packet.payload) {
                    Ok(NdpMessage::NeighborSolicitation(message)) => message.target,
                    other => panic!("{other:?}"),
                }
            })
            .collect()
    }

    /// Gives the NIC a frame as a worker would hand it over.
    pub(crate) fn input(&self, bytes: &[u8]) -> Verdict {
        let mut frame = self.pool.cache().alloc().unwrap();
        frame.set_data(bytes).unwrap();
        self.nic.control_input(&frame)
    }

    pub(crate) fn solicit(&self, spec: &SolicitationSpec) -> Verdict {
        let mut buffer = [0; 128];
        let len = build_neighbor_solicitation(&mut buffer, spec).unwrap();
        self.input(&buffer[..len])
    }

    pub(crate) fn advertise(&self, spec: &AdvertisementSpec) -> Verdict {
        let mut buffer = [0; 128];
        let len = build_neighbor_advertisement(&mut buffer, spec).unwrap();
        self.input(&buffer[..len])
    }

    /// Everything that happened since the last call.
    pub(crate) fn happened(&self) -> Vec<Event> {
        std::iter::from_fn(|| self.events.try_next()).collect()
    }

    /// The addresses in use, sorted.
    pub(crate) fn listed(&self) -> Vec<String> {
        let mut list: Vec<_> = self
            .nic
            .addresses()
            .iter()
            .map(|a| a.prefix.to_string())
            .collect();
        list.sort();
        list
    }

    /// What the endpoint of an address is.
    pub(crate) fn kind(&self, address: &str) -> Option<AddressKind> {
        let address = ip(address);
        let mut endpoints = self.nic.endpoints();
        endpoints.retain(|info| info.prefix.address() == address);
        assert!(endpoints.len() <= 1, "at most one under an address");
        endpoints.first().map(|info| info.kind)
    }

    /// What a worker finds for destinations.
    pub(crate) fn lookup(&self, addresses: &[&str]) -> Vec<Found> {
        lookup(&mut self.nic.datapath(), addresses)
    }

    pub(crate) fn accepts(&self, address: &str) -> bool {
        self.lookup(&[address]) != [Found::NOTHING]
    }

    pub(crate) fn add(&self, address: impl Into<AddressConfig>) {
        self.nic.add_address(address).unwrap();
    }

    pub(crate) fn remove(&self, address: &str) {
        self.nic.remove_address(ip(address)).unwrap();
    }

    /// The addresses whose endpoints were closed since the last call; nothing else may have
    /// happened.
    pub(crate) fn closed(&self) -> Vec<String> {
        let closed = self.happened().into_iter().map(|event| match event {
            Event::EndpointClosed { address, .. } => address.to_string(),
            other => panic!("unexpected {other:?}"),
        });
        closed.collect()
    }

    /// The source addresses of a family, best first.
    pub(crate) fn primary(&self, family: Family) -> Vec<String> {
        let primary = self.nic.primary_addresses(family);
        primary
            .iter()
            .map(|info| info.prefix.address().to_string())
            .collect()
    }

    /// The source that a route without a local address starts from.
    pub(crate) fn source(&self, remote: &str) -> Option<String> {
        match self.nic.route(None, ip(remote)) {
            Ok(route) => Some(route.local().to_string()),
            Err(RouteError::NoRoute(_)) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// What came back to the NIC of what it sent, since the last call.
    pub(crate) fn looped(&self) -> Vec<Vec<u8>> {
        take(&self.nic.looped())
    }

    /// All that can be seen of the NIC, to tell that something left no trace.
    pub(crate) fn state(&self) -> String {
        let nic = &self.nic;
        let sorted = |mut infos: Vec<AddressInfo>| {
            infos.sort_by_key(|info| info.prefix.address());
            infos
        };
        format!(
            "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
            sorted(nic.addresses()),
            sorted(nic.endpoints()),
            (nic.endpoint_count(), nic.held_temporaries()),
            nic.primary_addresses(Family::V4),
            nic.primary_addresses(Family::V6),
            nic.groups(),
            nic.ranges(),
            (nic.is_promiscuous(), nic.is_spoofing(), nic.is_enabled()),
        )
    }
}

pub(crate) fn take(queue: &QueuedFrames) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut burst = Burst::new();
    while queue.pop_burst(&mut burst) > 0 {
        frames.extend(burst.drain(..).map(|frame| frame.data().to_vec()));
    }
    frames
}

/// An address of another than the default place in the primary order.
pub(crate) fn placed(address: &str, primary: PrimaryEndpointBehavior) -> AddressConfig {
    AddressConfig::from(prefix(address)).primary(primary)
}

/// What a worker finds for destinations.
pub(crate) fn lookup(worker: &mut NicDatapath, addresses: &[&str]) -> Vec<Found> {
    let mut packets = PacketBurst::default();
    for (place, address) in addresses.iter().enumerate() {
        packets.push(
            ip(address).into(),
            Inbound {
                frame: place as u8,
                ports: [0; 4],
                protocol: corelane_wire::IpProtocol::UDP,
                flags: PacketFlags::default(),
                network: 14,
                transport: 34,
                end: 42,
            },
        );
    }
    worker.load().0.lookup(&mut packets);
    let mut found = Vec::new();
    packets.retain(|_, it| {
        found.push(it);
        true
    });
    found
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn v6(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

pub(crate) fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}
