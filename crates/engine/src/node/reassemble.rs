//! Fragments to this host: kept until their datagram is whole (RFC 791, RFC 815, RFC 8200 section
//! 4.5), which then goes on in place of the last of them.

use corelane_frame::{Frame, PoolCache};
use corelane_stack::{
    DropReason, FragmentPlace, Inbound, Key, NicId, NicView, PacketFlags, ReassemblyDrop,
    ReassemblyOutcome,
};
use corelane_wire::{IPV4_HEADER_LEN, IPV6_HEADER_LEN, parse_ethernet, parse_ipv4, parse_ipv6};

use super::context::Context;
use super::icmp_error::{self, Error};
use super::observer::Observer;
use super::{Stages, extension, link_output, transport};
use crate::port::Port;
use crate::trace::{self, Outcome};

/// Takes a fragment in. Returns whether `packet` is a whole datagram now, in place of the fragment.
pub(super) fn reassemble<O: Observer>(
    context: &mut Context<'_, O>,
    view: &NicView<'_>,
    frames: &mut [Frame],
    packet: &mut Inbound,
    place: FragmentPlace,
) -> bool {
    let Some(frame) = frames.get_mut(usize::from(packet.frame)) else {
        return false;
    };
    let now = context.stack.now();
    let nic = context.arrival.id();
    let sights = context.observer.look(std::slice::from_ref(frame));
    let outcome = context.stack.reassembly.input(nic.0, frame, place, now);
    context.stack.note_deadline();
    let (outcome, error) = match outcome {
        ReassemblyOutcome::Complete(whole) => {
            let part = std::mem::replace(frame, whole);
            if !part.is_vacant() {
                context.cache.recycle(part);
            }
            match describe(frame, packet) {
                Some(()) => (trace::Reassemble::Complete, None),
                None => (
                    trace::Reassemble::Dropped(DropReason::FragmentInvalid),
                    None,
                ),
            }
        }
        ReassemblyOutcome::Held => (trace::Reassemble::Held, None),
        ReassemblyOutcome::Duplicate => (trace::Reassemble::Duplicate, None),
        ReassemblyOutcome::Dropped(reason) => {
            (trace::Reassemble::Dropped(drop_reason(reason)), None)
        }
        ReassemblyOutcome::ParameterProblem(problem) => (
            trace::Reassemble::Dropped(DropReason::FragmentInvalid),
            Some(Error::ParameterProblem {
                code: problem.code,
                pointer: problem.pointer,
            }),
        ),
    };
    for sight in &sights {
        context
            .observer
            .step_of(sight, Outcome::Reassemble(outcome));
    }
    match outcome {
        trace::Reassemble::Complete => return true,
        trace::Reassemble::Held | trace::Reassemble::Duplicate => context.tally.consumed(),
        trace::Reassemble::Dropped(reason) => {
            if let Some(error) = error {
                context.answer(view, frames, packet, error);
            }
            context.tally.dropped(reason, 1);
        }
    }
    false
}

fn drop_reason(reason: ReassemblyDrop) -> DropReason {
    match reason {
        ReassemblyDrop::Overlap | ReassemblyDrop::Abandoned => DropReason::FragmentOverlap,
        ReassemblyDrop::NoSlot => DropReason::ReassemblyFull,
        ReassemblyDrop::Truncated
        | ReassemblyDrop::Empty
        | ReassemblyDrop::Unaligned
        | ReassemblyDrop::TooLong
        | ReassemblyDrop::OverLimit
        | ReassemblyDrop::HeadersTooLong
        | ReassemblyDrop::End
        | ReassemblyDrop::Congestion => DropReason::FragmentInvalid,
    }
}

/// What the input stages would have said of the whole datagram.
fn describe(frame: &Frame, packet: &mut Inbound) -> Option<()> {
    let network = usize::from(packet.network);
    let data = frame.data().get(network..)?;
    let (header_len, payload_len);
    if packet.flags.has(PacketFlags::V4) {
        let whole = parse_ipv4(data).ok()?;
        (header_len, payload_len) = (IPV4_HEADER_LEN + whole.options.len(), whole.payload.len());
        packet.protocol = whole.protocol();
        let seen = transport::check_v4(packet.protocol, whole.payload);
        packet.ports = seen.ports;
        packet.flags = seen.flags.with(PacketFlags::V4, true);
    } else {
        let whole = parse_ipv6(data).ok()?;
        (header_len, payload_len) = (IPV6_HEADER_LEN, whole.payload.len());
        packet.protocol = whole.next_header();
        let seen = transport::check_v6(packet.protocol, whole.payload);
        packet.ports = seen.ports;
        let is_extended = extension::is_extension(packet.protocol);
        packet.flags = seen.flags.with(PacketFlags::EXTENDED, is_extended);
    }
    packet.transport = u16::try_from(network + header_len).ok()?;
    packet.end = u32::try_from(network + header_len + payload_len).ok()?;
    Some(())
}

/// Ends the datagrams whose time is over, and tells their senders. Returns how many there were.
#[cold]
pub(crate) fn expire<O: Observer>(
    stages: &mut Stages,
    ports: &mut [Box<Port>],
    cache: &mut PoolCache,
    observer: &mut O,
) -> usize {
    let mut ended = 0;
    let now = stages.stack.now();
    let (reassembly, limiter, seat) = stages.stack.reassembly_parts();
    let touched = &mut stages.touched;
    reassembly.expire(now, |datagram| {
        ended += 1;
        let Some(first) = datagram.first else {
            return;
        };
        let at = ports
            .iter()
            .position(|port| port.id() == NicId(datagram.nic));
        let Some((at, port)) = at.and_then(|at| Some((at, ports.get_mut(at)?))) else {
            return;
        };
        let (view, counters) = port.nic.load();
        if !view.is_enabled() {
            return;
        }
        let sender = Sender::of(first, &view);
        if sender == Sender::Nobody {
            return;
        }
        let timed_out = icmp_error::reassembly_timeout(view, first, limiter, now, cache, counters);
        let Some(frame) = timed_out else {
            return;
        };
        observer.turn_to(view.id());
        observer.step(&frame, Outcome::IcmpError(trace::IcmpError::Sent));
        if sender == Sender::Itself {
            link_output::loop_back(frame, &view, cache, counters);
            return;
        }
        port.output
            .stage(frame, &view, seat, cache, counters, observer);
        if !touched.contains(&at) && !touched.is_full() {
            touched.push(at);
        }
    });
    stages.stack.note_deadline();
    ended
}

/// Who is told of a datagram whose time is over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sender {
    /// A host on the link or behind it, or who a loopback link brings it to.
    Other,
    /// The NIC itself: what it answers to itself is on no link.
    Itself,
    /// Frames are the NIC's, and the address is its own no more.
    Nobody,
}

impl Sender {
    fn of(first: &Frame, view: &NicView<'_>) -> Self {
        let Ok(link) = parse_ethernet(first.data()) else {
            return Self::Nobody;
        };
        if link.header.source != view.mac() || view.is_loopback() {
            return Self::Other;
        }
        let v4 = || parse_ipv4(link.payload).map(|it| Key::v4(it.source().to_bits()));
        let v6 = || parse_ipv6(link.payload).map(|it| Key::v6(it.source().to_bits()));
        let source = v4().ok().or_else(|| v6().ok());
        if source.is_some_and(|source| view.is_own_source(source)) {
            Self::Itself
        } else {
            Self::Nobody
        }
    }
}
