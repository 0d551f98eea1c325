//! The layers of a frame.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use corelane::wire::MacAddr;

/// A layer. None is what the rules compute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Layer {
    Eth {
        source: MacAddr,
        destination: MacAddr,
        ethertype: Option<u16>,
        pad: usize,
    },
    Ip4(Ip4),
    Ip6 {
        source: Ipv6Addr,
        destination: Ipv6Addr,
        hop: u8,
        class: u8,
        flow: u32,
        length: Option<u16>,
        next: Option<u8>,
    },
    Alert {
        value: u16,
        next: Option<u8>,
    },
    /// Hop-by-hop or destination options, each whole; what fills up the header is computed.
    Options {
        is_hop_by_hop: bool,
        options: Vec<Vec<u8>>,
        length: Option<u8>,
        next: Option<u8>,
    },
    Routing {
        kind: u8,
        left: u8,
        data: Vec<u8>,
        length: Option<u8>,
        next: Option<u8>,
    },
    /// `offset` in units of eight bytes.
    Fragment {
        id: u32,
        offset: u16,
        mf: bool,
        next: Option<u8>,
    },
    Udp {
        source: u16,
        destination: u16,
        length: Option<u16>,
        checksum: Option<u16>,
    },
    Tcp(Tcp),
    /// ICMP of either version with the bytes behind its first four.
    Icmp {
        kind: u8,
        code: u8,
        checksum: Option<u16>,
        body: IcmpBody,
    },
    Igmp {
        checksum: Option<u16>,
        body: Membership<Ipv4Addr>,
    },
    Mld {
        code: u8,
        checksum: Option<u16>,
        body: Membership<Ipv6Addr>,
    },
    Arp {
        operation: u16,
        sender: (MacAddr, Ipv4Addr),
        target: (MacAddr, Ipv4Addr),
    },
    Bytes(Vec<u8>),
    /// Bytes that count: the first is `from`, each further one greater by `step`, modulo 256.
    Fill {
        len: usize,
        from: u8,
        step: u8,
    },
}

/// A segment. `flags` as its fourteenth byte has them, `reserved` as the four bits in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tcp {
    pub(super) source: u16,
    pub(super) destination: u16,
    pub(super) seq: u32,
    pub(super) ack: u32,
    pub(super) flags: u8,
    pub(super) reserved: u8,
    pub(super) window: u16,
    pub(super) urgent: u16,
    pub(super) options: Vec<u8>,
    pub(super) checksum: Option<u16>,
}

/// The flags of TCP, from the least bit.
pub(super) const TCP_FLAGS: [char; 8] = ['F', 'S', 'R', 'P', 'A', 'U', 'E', 'C'];

/// The bytes of [`Layer::Fill`].
pub(super) fn fill(len: usize, from: u8, step: u8) -> Vec<u8> {
    let next = |byte: &u8| Some(byte.wrapping_add(step));
    std::iter::successors(Some(from), next).take(len).collect()
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ip4 {
    pub(super) source: Ipv4Addr,
    pub(super) destination: Ipv4Addr,
    pub(super) ttl: u8,
    pub(super) tos: u8,
    pub(super) id: u16,
    pub(super) df: bool,
    pub(super) mf: bool,
    pub(super) offset: u16,
    pub(super) options: Vec<u8>,
    pub(super) proto: Option<u8>,
    pub(super) total: Option<u16>,
    pub(super) checksum: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum IcmpBody {
    /// What the layers behind are.
    Plain,
    Echo {
        id: u16,
        seq: u16,
    },
    /// An error; the layers behind are the packet it quotes.
    Error {
        what: IcmpError,
        v6: bool,
        /// Pointer or MTU.
        value: u32,
    },
    Neighbor {
        /// R, S and O as the first byte has them.
        flags: u8,
        target: Ipv6Addr,
        options: Vec<Vec<u8>>,
    },
}

/// What an ICMP error is, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IcmpError {
    Unreachable,
    TooBig,
    Exceeded,
    Problem,
}

/// The ICMP errors: type in IPv4 (0: none) and in IPv6.
pub(super) const ERRORS: [(IcmpError, u8, u8); 4] = [
    (IcmpError::Unreachable, 3, 1),
    (IcmpError::TooBig, 0, 2),
    (IcmpError::Exceeded, 11, 3),
    (IcmpError::Problem, 12, 4),
];

impl IcmpError {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::TooBig => "too-big",
            Self::Exceeded => "exceeded",
            Self::Problem => "problem",
        }
    }

    /// The names of its codes; those without are written as numbers.
    pub(super) const fn codes(self, v6: bool) -> &'static [(u8, &'static str)] {
        match (self, v6) {
            (Self::Unreachable, false) => &[
                (0, "net"),
                (1, "host"),
                (2, "protocol"),
                (3, "port"),
                (UNREACHABLE_TOO_BIG, "too-big"),
                (13, "prohibited"),
            ],
            (Self::Unreachable, true) => &[
                (0, "no-route"),
                (1, "prohibited"),
                (3, "address"),
                (4, "port"),
            ],
            (Self::Exceeded, _) => &[(0, "hops"), (1, "reassembly")],
            (Self::TooBig | Self::Problem, _) => &[],
        }
    }

    /// Whether its code is a word of its own.
    pub(super) const fn has_code_word(self) -> bool {
        matches!(self, Self::Unreachable | Self::Exceeded)
    }

    /// The name of its value, and where its least bit is in the four bytes behind the checksum.
    pub(super) const fn value(self, v6: bool, code: u8) -> Option<(&'static str, u32)> {
        match (self, v6, code) {
            (Self::TooBig, true, _) | (Self::Unreachable, false, UNREACHABLE_TOO_BIG) => {
                Some(("mtu", 0))
            }
            (Self::Problem, true, _) => Some(("pointer", 0)),
            (Self::Problem, false, _) => Some(("pointer", 24)),
            _ => None,
        }
    }
}

/// The code of an ICMPv4 unreachable with an MTU.
const UNREACHABLE_TOO_BIG: u8 = 4;

pub(super) const HOP_BY_HOP: u8 = 0;
pub(super) const ROUTING: u8 = 43;
pub(super) const FRAGMENT: u8 = 44;
pub(super) const DESTINATION_OPTIONS: u8 = 60;

/// The padding options that fill `len` bytes up to a multiple of 8, behind the two of a header.
pub(super) fn padding(len: usize) -> Vec<u8> {
    match (len + 2).next_multiple_of(8) - (len + 2) {
        0 => Vec::new(),
        1 => vec![0],
        missing => {
            let mut pad = vec![0; missing];
            pad[0] = 1;
            pad[1] = missing as u8 - 2;
            pad
        }
    }
}

/// A message of IGMP or MLD; `version` as in the protocol's own numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Membership<A> {
    /// `what` as it is written: query, report, leave or done.
    Simple {
        version: u8,
        what: &'static str,
        group: A,
        max: u16,
    },
    Query {
        group: A,
        max: u16,
        suppress: bool,
        qrv: u8,
        qqic: u8,
        sources: Vec<A>,
    },
    Report(Vec<(u8, A, Vec<A>)>),
}

/// The option of RFC 2113.
pub(super) const ROUTER_ALERT: [u8; 4] = [0x94, 4, 0, 0];

/// What is in a routing header unless it is written.
pub(super) const ROUTING_DATA: [u8; 4] = [0; 4];

/// The records of a report, from type 1.
pub(super) const RECORDS: [&str; 6] = ["is_in", "is_ex", "to_in", "to_ex", "allow", "block"];

pub(super) const NONCE: u8 = 14;
pub(super) const SOURCE_LINK: u8 = 1;
pub(super) const TARGET_LINK: u8 = 2;
pub(super) const NS: u8 = 135;
pub(super) const NA: u8 = 136;

/// A family's address as bytes.
pub(super) fn octets(address: impl Into<IpAddr>) -> Vec<u8> {
    match address.into() {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}
