//! ICMP errors about packets that were sent from here (BEHAVIOURS section L).
//!
//! Anybody can send one. It counts only if it quotes a packet that this host may have sent: from the
//! address that the error came to, which is one of its own, and of a socket that is there.

use std::net::{IpAddr, SocketAddr};

use corelane_wire::icmp_error::{
    Icmpv4Problem, Icmpv4Unreachable, Icmpv6Problem, Icmpv6Unreachable, QuotedPacket,
    parse_icmp_error_ipv4, parse_icmp_error_ipv6,
};
use corelane_wire::{
    IPV6_HEADER_LEN, IpProtocol, Ipv4Packet, Ipv6Packet, parse_icmpv4, parse_icmpv6,
};

use super::StackShared;
use crate::address::Family;
use crate::control::Verdict;
use crate::demux::Flow;
use crate::nic::Nic;
use crate::path_mtu::PathMtuCache;
use crate::protocol_counters::ProtocolCounter;
use crate::socket::{SocketError, SocketErrorKind};

/// What an error says, in either family.
#[derive(Clone, Copy)]
enum Problem {
    /// For the socket.
    Told(SocketErrorKind),
    /// The packet was larger than the path takes; 0 if the router does not say what that is.
    TooBig { mtu: usize },
}

/// The packet that an error is about.
struct Quoted {
    source: IpAddr,
    destination: IpAddr,
    protocol: IpProtocol,
    ports: Option<(u16, u16)>,
    is_first: bool,
    /// All of it, in bytes.
    len: usize,
}

impl StackShared {
    pub(crate) fn icmpv4_error(&self, nic: &Nic, packet: &Ipv4Packet<'_>) -> Verdict {
        let message = parse_icmpv4(packet.payload).ok();
        let error = message.and_then(|message| parse_icmp_error_ipv4(&message).ok());
        let Some((problem, quoted)) = error else {
            return ignored(nic);
        };
        let problem = match problem {
            Icmpv4Problem::Unreachable(Icmpv4Unreachable::Port) => {
                Problem::Told(SocketErrorKind::PortUnreachable)
            }
            Icmpv4Problem::Unreachable(Icmpv4Unreachable::FragmentationNeeded { mtu }) => {
                Problem::TooBig {
                    mtu: usize::from(mtu),
                }
            }
            Icmpv4Problem::Unreachable(Icmpv4Unreachable::Host) => {
                Problem::Told(SocketErrorKind::HostUnreachable)
            }
            Icmpv4Problem::Unreachable(Icmpv4Unreachable::Net) => {
                Problem::Told(SocketErrorKind::NetworkUnreachable)
            }
            // Others say nothing that a socket could go by.
            _ => return noted(nic),
        };
        let len = usize::from(quoted.length);
        let to = packet.destination().into();
        self.error_about(nic, to, problem, &quoted_of(&quoted, len))
    }

    pub(crate) fn icmpv6_error(
        &self,
        nic: &Nic,
        packet: &Ipv6Packet<'_>,
        message: &[u8],
    ) -> Verdict {
        let message = parse_icmpv6(message, packet.source(), packet.destination()).ok();
        let error = message.and_then(|message| parse_icmp_error_ipv6(&message).ok());
        let Some((problem, quoted)) = error else {
            return ignored(nic);
        };
        let problem = match problem {
            Icmpv6Problem::Unreachable(Icmpv6Unreachable::Port) => {
                Problem::Told(SocketErrorKind::PortUnreachable)
            }
            Icmpv6Problem::Unreachable(Icmpv6Unreachable::Address) => {
                Problem::Told(SocketErrorKind::HostUnreachable)
            }
            Icmpv6Problem::Unreachable(Icmpv6Unreachable::NoRoute) => {
                Problem::Told(SocketErrorKind::NetworkUnreachable)
            }
            Icmpv6Problem::PacketTooBig { mtu } => Problem::TooBig {
                mtu: usize::try_from(mtu).unwrap_or(usize::MAX),
            },
            _ => return noted(nic),
        };
        let len = IPV6_HEADER_LEN + usize::from(quoted.length);
        let to = packet.destination().into();
        self.error_about(nic, to, problem, &quoted_of(&quoted, len))
    }

    fn error_about(&self, nic: &Nic, to: IpAddr, problem: Problem, quoted: &Quoted) -> Verdict {
        // Who sent the packet is told of it, and nobody else (BEHAVIOURS L4).
        if quoted.source != to || !self.is_own(to) {
            return ignored(nic);
        }
        let flow = quoted.ports.map(|(local, remote)| {
            let local = (quoted.source.into(), local);
            let remote = (quoted.destination.into(), remote);
            let family = Family::of(quoted.source);
            Flow::new(quoted.protocol, family, local, remote, nic.id())
        });
        let socket = flow
            .filter(|_| quoted.is_first)
            .and_then(|flow| self.demux().find_for_error(&flow));
        let remote_port = quoted.ports.map_or(0, |(_, remote)| remote);
        let remote = SocketAddr::new(quoted.destination, remote_port);
        match problem {
            Problem::Told(kind) => {
                let Some(socket) = socket else {
                    return ignored(nic);
                };
                socket.push_error(SocketError { kind, remote });
            }
            Problem::TooBig { mtu } => {
                // Of UDP there has to be a socket; of the rest, nobody here keeps count.
                let is_unsent = quoted.protocol == IpProtocol::UDP && socket.is_none();
                // A router that drops a packet for its size takes none of that size.
                let is_no_less = mtu >= quoted.len;
                // No IPv6 link has less (RFC 8201 section 4).
                let is_too_little = to.is_ipv6() && mtu < PathMtuCache::MIN_IPV6;
                if is_unsent || is_no_less || is_too_little {
                    return ignored(nic);
                }
                let now = self.clock.now();
                let mut paths = self.path_mtus();
                let lowered = if mtu == 0 {
                    paths.update_unknown(quoted.destination, quoted.len, now)
                } else {
                    paths.update(quoted.destination, mtu, now)
                };
                let mtu = paths.mtu(quoted.destination, now);
                drop(paths);
                if lowered {
                    nic.shared().count(ProtocolCounter::PathMtuReports);
                }
                if let (Some(socket), Some(mtu)) = (socket, mtu) {
                    let kind = SocketErrorKind::MessageTooBig { mtu };
                    socket.push_error(SocketError { kind, remote });
                }
            }
        }
        noted(nic)
    }
}

fn quoted_of<A: Copy + Into<IpAddr>>(quoted: &QuotedPacket<'_, A>, len: usize) -> Quoted {
    Quoted {
        source: quoted.source.into(),
        destination: quoted.destination.into(),
        protocol: quoted.protocol,
        ports: quoted.ports.map(|ports| (ports.source, ports.destination)),
        is_first: quoted.is_first_fragment,
        len,
    }
}

fn noted(nic: &Nic) -> Verdict {
    nic.shared().count(ProtocolCounter::ErrorsReceived);
    Verdict::Noted
}

fn ignored(nic: &Nic) -> Verdict {
    nic.shared().count(ProtocolCounter::ErrorsIgnored);
    Verdict::Ignored
}
