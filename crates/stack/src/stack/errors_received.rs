//! ICMP errors about packets that were sent from here (BEHAVIOURS section L).
//!
//! Anybody can send one. It counts only if it quotes a packet that this host may have sent: from the
//! address that the error came to, which is one of its own, and of a socket that is there. What it says
//! of a path's MTU holds for everybody who sends there, so that it has to quote what a [`Route`] has sent
//! there lately: its addresses, protocol and ports, and no more bytes. Not what workers send, who share
//! nothing that each packet writes to: echo replies, resets, errors, and what handlers send go by the
//! MTU of their NIC, and nothing that is said of them is believed.
//!
//! Whoever sees what is sent here, or guesses it, can still lower a path's MTU, to 552 or 1,280 bytes.
//!
//! [`Route`]: crate::route::Route

use std::net::{IpAddr, SocketAddr};

use corelane_wire::icmp_error::{
    Icmpv4Problem, Icmpv4Unreachable, Icmpv6Problem, Icmpv6Unreachable, QuotedPacket,
    parse_icmp_error_ipv4, parse_icmp_error_ipv6,
};
use corelane_wire::{
    IPV6_HEADER_LEN, IpProtocol, Ipv4Packet, Ipv6Packet, parse_icmpv4, parse_icmpv6,
};

use super::StackShared;
use crate::address::{Family, Key};
use crate::control::Verdict;
use crate::demux::Flow;
use crate::nic::Nic;
use crate::path_mtu::PathMtuCache;
use crate::protocol_counters::ProtocolCounter;
use crate::sent_packets::SentKind;
use crate::socket::{Socket, SocketError, SocketErrorKind};

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
        let socket = self.socket_of(nic, quoted);
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
                // Who sent it by a socket that is gone has no use for it any more.
                let is_nobodys = quoted.protocol == IpProtocol::UDP && !self.has_socket_at(quoted);
                // A router that drops a packet for its size takes none of that size.
                let is_no_less = mtu >= quoted.len;
                // No IPv6 link has less (RFC 8201 section 4).
                let is_too_little = to.is_ipv6() && mtu < PathMtuCache::MIN_IPV6;
                if is_nobodys || is_no_less || is_too_little || !self.was_sent(quoted) {
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

    /// The socket that sent a packet.
    fn socket_of(&self, nic: &Nic, quoted: &Quoted) -> Option<Socket> {
        let (local, remote) = quoted.ports.filter(|_| quoted.is_first)?;
        let local = (quoted.source.into(), local);
        let remote = (quoted.destination.into(), remote);
        let family = Family::of(quoted.source);
        let flow = Flow::new(quoted.protocol, family, local, remote, nic.id());
        self.demux().find_for_error(&flow)
    }

    /// Whether there is a socket with the port that a packet was sent from: [`socket_of`](Self::socket_of) finds
    /// neither one that is bound to a group, which sends from an address that it does not have, nor one of another NIC.
    fn has_socket_at(&self, quoted: &Quoted) -> bool {
        let port = quoted.ports.filter(|_| quoted.is_first);
        port.is_some_and(|(local, _)| self.demux().has_port(Family::of(quoted.source), local))
    }

    /// Whether a packet was sent lately that a router may have found too big.
    fn was_sent(&self, quoted: &Quoted) -> bool {
        let kind = SentKind {
            source: quoted.source,
            destination: quoted.destination,
            protocol: quoted.protocol,
            ports: quoted.ports,
        };
        self.has_sent(&kind, quoted.len) && self.is_behind_routers(quoted.destination)
    }

    /// Whether a router may say of a packet to there that it was too big: not if it stays here, nor about
    /// IPv4 packets for many (RFC 1122 section 3.2.2). About those to IPv6 groups they do (RFC 4443
    /// section 2.4).
    fn is_behind_routers(&self, destination: IpAddr) -> bool {
        let key = Key::from(destination);
        let is_for_all = || {
            let nics = self.nics();
            let mut nics = nics.iter();
            nics.any(|nic| nic.snapshots.load().is_directed_broadcast(key))
        };
        let is_for_many = match destination {
            IpAddr::V4(v4) => v4.is_multicast() || v4.is_broadcast() || is_for_all(),
            IpAddr::V6(_) => false,
        };
        let is_here = destination.is_unspecified() || destination.is_loopback();
        !is_for_many && !is_here && !self.is_own(destination)
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
