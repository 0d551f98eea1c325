//! ICMP errors about packets that end here (RFC 1122 section 3.2.2, RFC 1812 section 4.3, RFC 4443).

use std::net::IpAddr;

use corelane_frame::{Frame, PoolCache};
use corelane_stack::{
    ErrorSources, IcmpCounter, IcmpLimiter, Inbound, NicCounter, NicView, PacketFlags, Time,
};
use corelane_sync::counters::CounterWriter;
use corelane_wire::icmp_error::{
    Icmpv4Problem, Icmpv4Unreachable, Icmpv6Problem, Icmpv6Unreachable, TimeExceeded,
    build_icmp_error_ipv4, build_icmp_error_ipv6, may_answer_with_error_ipv4,
    may_answer_with_error_ipv6,
};
use corelane_wire::{MacAddr, parse_ethernet, parse_ipv4, parse_ipv6};

use super::context::Context;
use super::ip_lookup::NETWORK;
use super::observer::Observer;
use crate::trace::{self, Outcome};

/// What is wrong with a packet, in either family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Error {
    /// No route leads to its destination.
    NoRoute,
    /// Its source is a link-local address, and it would have to leave the link: of IPv6 alone.
    BeyondScope,
    /// Its next hop does not answer.
    AddressUnreachable,
    /// It has been through as many routers as it may.
    HopLimit,
    /// It is larger than the next link takes.
    TooBig {
        /// What the link takes, in bytes.
        mtu: u32,
    },
    /// Nobody here has its port.
    PortUnreachable,
    /// Nobody here takes its transport protocol, which an IPv6 packet names at `pointer`.
    ProtocolUnreachable {
        /// In bytes from the start of the IPv6 header.
        pointer: u32,
    },
    /// A field is wrong.
    ParameterProblem {
        /// IPv6's code; 0 in IPv4.
        code: u8,
        /// Where, in bytes from the start of the header.
        pointer: u32,
    },
    /// An IPv4 option of a packet for another host is malformed.
    OptionProblem {
        /// Where, in bytes from the start of the header.
        pointer: u32,
    },
    /// Not all of its fragments came.
    ReassemblyTimeout,
}

impl Error {
    fn v4(self) -> Icmpv4Problem {
        match self {
            Self::NoRoute | Self::BeyondScope => Icmpv4Problem::Unreachable(Icmpv4Unreachable::Net),
            Self::AddressUnreachable => Icmpv4Problem::Unreachable(Icmpv4Unreachable::Host),
            Self::HopLimit => Icmpv4Problem::TimeExceeded(TimeExceeded::HopLimit),
            Self::TooBig { mtu } => {
                let mtu = u16::try_from(mtu).unwrap_or(u16::MAX);
                Icmpv4Problem::Unreachable(Icmpv4Unreachable::FragmentationNeeded { mtu })
            }
            Self::PortUnreachable => Icmpv4Problem::Unreachable(Icmpv4Unreachable::Port),
            Self::ProtocolUnreachable { .. } => {
                Icmpv4Problem::Unreachable(Icmpv4Unreachable::Protocol)
            }
            Self::ParameterProblem { pointer, .. } | Self::OptionProblem { pointer } => {
                Icmpv4Problem::ParameterProblem {
                    code: 0,
                    pointer: u8::try_from(pointer).unwrap_or(u8::MAX),
                }
            }
            Self::ReassemblyTimeout => Icmpv4Problem::TimeExceeded(TimeExceeded::Reassembly),
        }
    }

    fn v6(self) -> Icmpv6Problem {
        match self {
            Self::NoRoute => Icmpv6Problem::Unreachable(Icmpv6Unreachable::NoRoute),
            Self::BeyondScope => Icmpv6Problem::Unreachable(Icmpv6Unreachable::BeyondScope),
            Self::AddressUnreachable => Icmpv6Problem::Unreachable(Icmpv6Unreachable::Address),
            Self::HopLimit => Icmpv6Problem::TimeExceeded(TimeExceeded::HopLimit),
            Self::TooBig { mtu } => Icmpv6Problem::PacketTooBig { mtu },
            Self::PortUnreachable => Icmpv6Problem::Unreachable(Icmpv6Unreachable::Port),
            // RFC 8200 section 4: an unrecognized next header.
            Self::ProtocolUnreachable { pointer } => Icmpv6Problem::ParameterProblem {
                code: corelane_wire::extension::UNRECOGNIZED_NEXT_HEADER,
                pointer,
            },
            Self::ParameterProblem { code, pointer } => {
                Icmpv6Problem::ParameterProblem { code, pointer }
            }
            Self::OptionProblem { pointer } => Icmpv6Problem::ParameterProblem { code: 0, pointer },
            Self::ReassemblyTimeout => Icmpv6Problem::TimeExceeded(TimeExceeded::Reassembly),
        }
    }

    /// Whether it is about a packet for another host: then it comes from the router, otherwise from
    /// the address that the packet was for.
    const fn is_of_router(self) -> bool {
        matches!(
            self,
            Self::NoRoute
                | Self::BeyondScope
                | Self::AddressUnreachable
                | Self::HopLimit
                | Self::TooBig { .. }
                | Self::OptionProblem { .. }
        )
    }

    fn counter(self, is_v4: bool) -> IcmpCounter {
        match (self, is_v4) {
            (Self::HopLimit | Self::ReassemblyTimeout, true) => IcmpCounter::V4TimeExceededSent,
            (Self::ParameterProblem { .. } | Self::OptionProblem { .. }, true) => {
                IcmpCounter::V4ParameterProblemSent
            }
            (_, true) => IcmpCounter::V4DestinationUnreachableSent,
            (Self::HopLimit | Self::ReassemblyTimeout, false) => IcmpCounter::V6TimeExceededSent,
            (
                Self::ParameterProblem { .. }
                | Self::OptionProblem { .. }
                | Self::ProtocolUnreachable { .. },
                false,
            ) => IcmpCounter::V6ParameterProblemSent,
            (Self::TooBig { .. }, false) => IcmpCounter::V6PacketTooBigSent,
            (_, false) => IcmpCounter::V6DestinationUnreachableSent,
        }
    }
}

/// Who tells of an error.
struct Teller<'v> {
    /// The NIC that the packet came by.
    arrival: &'v NicView<'v>,
    /// The NIC whose address it is for.
    local: &'v NicView<'v>,
    /// From where, if the error is a router's.
    sources: ErrorSources,
}

/// Tells the sender of a packet, back the way it came, if he may be told: not about errors, nor what was
/// for many, and only so many in a second. `local` is the NIC whose address the packet is for.
pub(super) fn icmp_error<O: Observer>(
    context: &mut Context<'_, O>,
    local: &NicView<'_>,
    frame: &Frame,
    packet: &Inbound,
    error: Error,
) {
    let now = context.stack.now();
    let is_v4 = packet.flags.has(PacketFlags::V4);
    let arrival = &context.arrival;
    let sources = arrival.error_sources();
    let teller = Teller {
        arrival,
        local,
        sources: sources.or(context.stack.fib.error_sources()),
    };
    let made = make(
        &teller,
        frame,
        is_v4,
        error,
        &mut context.stack.limiter,
        now,
        context.cache,
        context.tally.counters(),
    );
    if let Some(made) = made {
        let outcome = trace::IcmpError::Sent;
        context.observer.step(&made, Outcome::IcmpError(outcome));
        context.reply(made);
    }
}

/// The error about a datagram of which `first` is the first fragment.
pub(super) fn reassembly_timeout(
    view: NicView<'_>,
    first: &Frame,
    limiter: &mut IcmpLimiter,
    now: Time,
    cache: &mut PoolCache,
    counters: &mut CounterWriter<NicCounter>,
) -> Option<Frame> {
    let is_v4 = first.data().get(NETWORK).is_some_and(|byte| byte >> 4 == 4);
    let error = Error::ReassemblyTimeout;
    // It is from the address that the datagram was for.
    let teller = Teller {
        arrival: &view,
        local: &view,
        sources: view.error_sources(),
    };
    make(&teller, first, is_v4, error, limiter, now, cache, counters)
}

#[expect(clippy::too_many_arguments, reason = "parts of two workers' contexts")]
fn make(
    teller: &Teller<'_>,
    frame: &Frame,
    is_v4: bool,
    error: Error,
    limiter: &mut IcmpLimiter,
    now: Time,
    cache: &mut PoolCache,
    counters: &mut CounterWriter<NicCounter>,
) -> Option<Frame> {
    let ethernet = parse_ethernet(frame.data()).ok()?;
    let (from, to) = (ethernet.header.source, ethernet.header.destination);
    if from.is_multicast() {
        return None;
    }
    let (source, destination) = addresses(teller, ethernet.payload, to, is_v4, error)?;
    let (rate_limited, unsent) = if is_v4 {
        (IcmpCounter::V4RateLimited, IcmpCounter::V4Unsent)
    } else {
        (IcmpCounter::V6RateLimited, IcmpCounter::V6Unsent)
    };
    if !limiter.allow(now) {
        counters.add(NicCounter::Icmp(rate_limited), 1);
        return None;
    }
    let made = source.and_then(|source| {
        let mut made = cache.alloc()?;
        let mac = teller.arrival.mac();
        match write(
            &mut made,
            mac,
            from,
            source,
            destination,
            error,
            ethernet.payload,
        ) {
            Some(()) => {
                made.set_nic(teller.arrival.id().0);
                made.set_rx_time(frame.rx_time());
                Some(made)
            }
            None => {
                cache.recycle(made);
                None
            }
        }
    });
    let counter = if made.is_some() {
        error.counter(is_v4)
    } else {
        unsent
    };
    counters.add(NicCounter::Icmp(counter), 1);
    made
}

/// From where to where the error goes; None if there may be none. There may be no address to send
/// from.
fn addresses(
    teller: &Teller<'_>,
    packet: &[u8],
    link_destination: MacAddr,
    is_v4: bool,
    error: Error,
) -> Option<(Option<IpAddr>, IpAddr)> {
    let to_many = link_destination.is_multicast();
    if is_v4 {
        let packet = parse_ipv4(packet).ok()?;
        let (source, destination) = (packet.source(), packet.destination());
        let to_many = to_many
            || teller.local.is_directed_broadcast(destination)
            || teller.arrival.is_directed_broadcast(source);
        if !may_answer_with_error_ipv4(&packet, to_many) {
            return None;
        }
        let from = if error.is_of_router() {
            teller.sources.v4
        } else {
            Some(destination)
        };
        return Some((from.map(IpAddr::V4), source.into()));
    }
    let packet = parse_ipv6(packet).ok()?;
    let (source, destination) = (packet.source(), packet.destination());
    if !may_answer_with_error_ipv6(&packet, error.v6(), to_many) {
        return None;
    }
    let from = if error.is_of_router() || destination.is_multicast() {
        teller.sources.v6
    } else {
        Some(destination)
    };
    Some((from.map(IpAddr::V6), source.into()))
}

fn write(
    frame: &mut Frame,
    source_mac: MacAddr,
    destination_mac: MacAddr,
    source: IpAddr,
    destination: IpAddr,
    error: Error,
    packet: &[u8],
) -> Option<()> {
    let buffer = frame.spare_mut();
    let len = match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => build_icmp_error_ipv4(
            buffer,
            source_mac,
            destination_mac,
            source,
            destination,
            error.v4(),
            packet,
        ),
        (IpAddr::V6(source), IpAddr::V6(destination)) => build_icmp_error_ipv6(
            buffer,
            source_mac,
            destination_mac,
            source,
            destination,
            error.v6(),
            packet,
        ),
        _ => return None,
    };
    frame.set_len(len.ok()?).ok()
}
