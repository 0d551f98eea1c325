//! What takes packets: UDP echo and sinks.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use corelane::stack::{Handler, Nic, NicId, Packet};
use corelane::wire::build::{FrameSpec, Ports, build_udp_ipv4, build_udp_ipv6};
use corelane::wire::ipv4::ipv4_header_mut;
use corelane::wire::{ETHERNET_HEADER_LEN, IpProtocol, MacAddr, parse_ethernet};

use crate::config::{Config, ServiceKind, ServiceSetting};

/// The hop limit of answers.
const HOP_LIMIT: u8 = 64;

/// The services of all workers, which may be replaced while they run.
#[derive(Default)]
pub(crate) struct Services {
    table: ArcSwap<Table>,
}

/// What handlers look at.
#[derive(Default)]
struct Table {
    services: Vec<Arc<Service>>,
    /// The NICs that answers leave by.
    nics: Vec<Outgoing>,
    seed: u64,
}

/// What is known of a NIC when an answer is made.
struct Outgoing {
    id: NicId,
    mac: MacAddr,
    mtu: usize,
}

/// A service and what it counted.
pub(crate) struct Service {
    /// What it is.
    pub(crate) setting: ServiceSetting,
    nic: Option<NicId>,
    counts: Arc<Counts>,
}

/// What a service counted, also while its NIC was another.
#[derive(Default)]
struct Counts {
    received: AtomicU64,
    bytes: AtomicU64,
    answered: AtomicU64,
    checksum_errors: AtomicU64,
}

impl Service {
    fn new(setting: &ServiceSetting, nics: &[Nic]) -> Self {
        Self {
            nic: Self::nic_of(setting, nics),
            setting: setting.clone(),
            counts: Arc::default(),
        }
    }

    fn nic_of(setting: &ServiceSetting, nics: &[Nic]) -> Option<NicId> {
        let id = |name: &str| nics.iter().find(|nic| nic.name() == name).map(Nic::id);
        setting.nic.as_deref().and_then(id)
    }

    /// The same, on the NIC that has the name now.
    fn on(self: Arc<Self>, nics: &[Nic]) -> Arc<Self> {
        let nic = Self::nic_of(&self.setting, nics);
        if nic == self.nic {
            return self;
        }
        Arc::new(Self {
            setting: self.setting.clone(),
            nic,
            counts: Arc::clone(&self.counts),
        })
    }

    /// Packets that it took.
    pub(crate) fn received(&self) -> u64 {
        self.counts.received.load(Ordering::Relaxed)
    }

    /// Bytes of them: what UDP carried; for a raw sink, what follows the network header.
    pub(crate) fn bytes(&self) -> u64 {
        self.counts.bytes.load(Ordering::Relaxed)
    }

    /// Datagrams that it sent back.
    pub(crate) fn answered(&self) -> u64 {
        self.counts.answered.load(Ordering::Relaxed)
    }

    /// Datagrams for it with a wrong checksum: they are not among those it took.
    pub(crate) fn checksum_errors(&self) -> u64 {
        self.counts.checksum_errors.load(Ordering::Relaxed)
    }

    fn count(&self, bytes: usize) {
        self.counts.received.fetch_add(1, Ordering::Relaxed);
        self.counts.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Whether it takes packets from this NIC.
    fn is_on(&self, nic: NicId) -> bool {
        self.nic.is_none_or(|own| own == nic)
    }
}

impl Services {
    /// Makes them those of a configuration. One that was there goes on as it is.
    pub(crate) fn set(&self, config: &Config, nics: &[Nic]) {
        let mut before = self.list();
        let service = |setting: &ServiceSetting| {
            let kept = before
                .iter()
                .position(|service| service.setting == *setting);
            kept.map_or_else(
                || Arc::new(Service::new(setting, nics)),
                |at| before.swap_remove(at).on(nics),
            )
        };
        self.table.store(Arc::new(Table {
            services: config.services.iter().map(service).collect(),
            nics: nics
                .iter()
                .map(|nic| Outgoing {
                    id: nic.id(),
                    mac: nic.mac(),
                    mtu: nic.mtu(),
                })
                .collect(),
            seed: config.seed,
        }));
    }

    /// Each of them.
    pub(crate) fn list(&self) -> Vec<Arc<Service>> {
        self.table.load().services.clone()
    }

    /// The handler of a worker.
    pub(crate) fn handler(self: &Arc<Self>) -> ServiceHandler {
        ServiceHandler {
            services: Arc::clone(self),
            payload: Vec::new(),
        }
    }
}

impl Table {
    /// The UDP services that a datagram is for: all that fit if it is for many, otherwise one of
    /// the most specific ones (BEHAVIOURS K5 to K7).
    fn udp(&self, datagram: &Datagram, nic: NicId, for_many: bool) -> Vec<&Service> {
        let fits = |service: &&Service| {
            let bind = &service.setting.bind;
            service.setting.kind.is_udp()
                && service.is_on(nic)
                && bind.port == Some(datagram.ports.destination)
                && bind.address.takes(datagram.destination)
        };
        let fitting: Vec<_> = self
            .services
            .iter()
            .map(|service| &**service)
            .filter(fits)
            .collect();
        if for_many {
            return fitting;
        }
        // A named address comes before any; within that, a named NIC before any.
        let rank = |service: &&Service| {
            let specific = service.setting.bind.address.is_specific();
            (specific, service.nic.is_some())
        };
        let Some(best) = fitting.iter().map(rank).max() else {
            return Vec::new();
        };
        let best: Vec<_> = fitting
            .into_iter()
            .filter(|service| rank(service) == best)
            .collect();
        let chosen = datagram.flow(self.seed) % best.len().max(1) as u64;
        best.get(chosen as usize).copied().into_iter().collect()
    }
}

/// The addresses and ports of a datagram.
struct Datagram {
    source: IpAddr,
    destination: IpAddr,
    ports: Ports,
}

impl Datagram {
    /// A number that is the same for all datagrams of a flow.
    fn flow(&self, seed: u64) -> u64 {
        let address = |address: IpAddr| match address {
            IpAddr::V4(v4) => u128::from(v4.to_bits()),
            IpAddr::V6(v6) => v6.to_bits(),
        };
        let (source, destination) = (address(self.source), address(self.destination));
        let ports = u64::from(self.ports.source) << 16 | u64::from(self.ports.destination);
        [
            source as u64,
            (source >> 64) as u64,
            destination as u64,
            (destination >> 64) as u64,
            ports,
        ]
        .into_iter()
        .fold(seed, |state, word| mix(state ^ word))
    }
}

/// The finalizer of SplitMix64.
fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

/// Gives a worker's packets to the services. A packet for none of them is refused, so that its sender is
/// told; so is one whose checksum is wrong, which nobody is told of. A raw sink sees packets beside
/// (BEHAVIOURS K2): it takes none.
pub(crate) struct ServiceHandler {
    services: Arc<Services>,
    /// What is sent back, while its frame is made anew.
    payload: Vec<u8>,
}

impl Handler for ServiceHandler {
    fn packet(&mut self, packet: &mut Packet<'_>) {
        let (nic, destination) = (packet.nic(), packet.destination());
        let table = self.services.table.load();
        let raw = |service: &&Arc<Service>| {
            service.setting.kind == ServiceKind::RawSink
                && service.is_on(nic)
                && service.setting.bind.address.takes(destination)
        };
        for service in table.services.iter().filter(raw) {
            service.count(packet.payload().len());
        }
        if packet.protocol() != IpProtocol::UDP || !self.datagram(packet, &table) {
            packet.refuse();
        }
    }
}

impl ServiceHandler {
    /// Gives a datagram to those it is for; returns whether there are any.
    fn datagram(&mut self, packet: &mut Packet<'_>, table: &Table) -> bool {
        let Some(udp) = packet.udp() else {
            return false;
        };
        let datagram = Datagram {
            source: packet.source(),
            destination: packet.destination(),
            ports: Ports {
                source: udp.source_port(),
                destination: udp.destination_port(),
            },
        };
        let valid = match (datagram.source, datagram.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                udp.verify_checksum_ipv4(source, destination).is_ok()
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                udp.verify_checksum_ipv6(source, destination).is_ok()
            }
            _ => false,
        };
        let for_many = packet.is_for_many();
        let len = udp.payload.len();
        let takers = table.udp(&datagram, packet.nic(), for_many);
        for service in &takers {
            if valid {
                service.count(len);
            } else {
                service
                    .counts
                    .checksum_errors
                    .fetch_add(1, Ordering::Relaxed);
            }
        }
        let is_taken = valid && !takers.is_empty();
        let echo = takers
            .into_iter()
            .find(|service| service.setting.kind == ServiceKind::UdpEcho);
        // What is for many has no sender's address to answer from.
        if let Some(service) = echo.filter(|_| valid && !for_many && is_host(&datagram)) {
            self.payload.clear();
            self.payload.extend_from_slice(udp.payload);
            if answer(packet, &datagram, &self.payload, &table.nics) {
                service.counts.answered.fetch_add(1, Ordering::Relaxed);
            }
        }
        is_taken
    }
}

/// Whether there is somebody to answer to.
fn is_host(datagram: &Datagram) -> bool {
    let source = datagram.source;
    let broadcast = matches!(source, IpAddr::V4(v4) if v4.is_broadcast());
    // A promiscuous NIC also takes what is for groups it is not in.
    let many = broadcast || source.is_multicast() || datagram.destination.is_multicast();
    datagram.ports.source != 0 && !source.is_unspecified() && !many
}

/// Sends the packet back: addresses and ports change places. It leaves from the NIC's link address,
/// whatever it was sent to.
fn answer(packet: &mut Packet<'_>, datagram: &Datagram, payload: &[u8], nics: &[Outgoing]) -> bool {
    let Some(nic) = nics.iter().find(|nic| nic.id == packet.nic()) else {
        return false;
    };
    let Ok(ethernet) = parse_ethernet(packet.frame().data()) else {
        return false;
    };
    let source = ethernet.header.source;
    if source.is_multicast() {
        return false;
    }
    let ports = Ports {
        source: datagram.ports.destination,
        destination: datagram.ports.source,
    };
    let mut frame = packet.take();
    frame.truncate(0);
    let written = match (datagram.destination, datagram.source) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let spec = spec(nic.mac, source, from, to);
            let written = build_udp_ipv4(frame.spare_mut(), &spec, ports, payload);
            // What came in fragments goes back in fragments.
            written.inspect(|len| {
                if *len > ETHERNET_HEADER_LEN + nic.mtu {
                    allow_fragments(frame.spare_mut());
                }
            })
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let spec = spec(nic.mac, source, from, to);
            build_udp_ipv6(frame.spare_mut(), &spec, ports, payload)
        }
        _ => return false,
    };
    let Ok(len) = written else {
        return false;
    };
    frame.set_len(len).is_ok() && packet.send(frame).is_ok()
}

/// Lets an IPv4 packet be cut.
fn allow_fragments(frame: &mut [u8]) {
    if let Some(header) = frame
        .get_mut(ETHERNET_HEADER_LEN..)
        .and_then(ipv4_header_mut)
    {
        header.allow_fragments();
    }
}

fn spec<A>(
    source_mac: MacAddr,
    destination_mac: MacAddr,
    source: A,
    destination: A,
) -> FrameSpec<A> {
    FrameSpec {
        source_mac,
        destination_mac,
        source,
        destination,
        ttl: HOP_LIMIT,
    }
}
