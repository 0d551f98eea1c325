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
    Udp {
        source: u16,
        destination: u16,
        length: Option<u16>,
        checksum: Option<u16>,
    },
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
    Neighbor {
        /// R, S and O as the first byte has them.
        flags: u8,
        target: Ipv6Addr,
        options: Vec<Vec<u8>>,
    },
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
