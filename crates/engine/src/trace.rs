//! Watching frames on their way: what each stage made of each frame.
//!
//! Stages are compiled twice, with somebody who watches and without. An engine without a tracer
//! runs those without: tracing costs it nothing per packet.

use std::fmt;

use corelane_stack::{DropReason, NicId, Verdict};

use crate::worker::WorkerId;

/// Watches frames. Each thread of an engine has its own, and calls it between stages: it slows
/// down what it watches.
pub trait Tracer: Send {
    /// Whether the way of this frame is wanted, which a worker has just taken up from the NIC's link:
    /// its trace bit is set or not, and [`Step::is_wanted`] has it in each step from here on, on
    /// whichever thread.
    fn wants(&mut self, nic: NicId, data: &[u8]) -> bool {
        let _ = (nic, data);
        true
    }

    /// What one stage made of one frame.
    fn step(&mut self, step: &Step<'_>);
}

/// Whose tracer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Actor {
    /// A worker's.
    Worker(WorkerId),
    /// That of the distributor of this NIC.
    Distributor(NicId),
    /// The control plane's.
    Control,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Worker(WorkerId(number)) => write!(f, "worker-{number}"),
            Self::Distributor(nic) => write!(f, "distributor-{nic}"),
            Self::Control => f.write_str("control"),
        }
    }
}

/// What one stage made of one frame.
#[derive(Clone, Copy, Debug)]
pub struct Step<'f> {
    /// The NIC whose frame it is.
    pub nic: NicId,
    /// Who took the step.
    pub actor: Actor,
    /// When the frame was received, in nanoseconds on its link's clock.
    pub rx_time: u64,
    /// The slot of the pool that the frame is in: no other one has it on its way through the engine.
    pub slot: u32,
    /// Whether [`Tracer::wants`] wanted it. What the engine makes itself nobody was asked about.
    pub is_wanted: bool,
    /// The frame as it is after the stage, Ethernet header first. Empty where the stage gave it
    /// away.
    pub data: &'f [u8],
    /// The stage.
    pub stage: Stage,
    /// What came of it.
    pub outcome: Outcome,
}

/// Declares the stages: each with its label, and its outcomes with theirs. Outcomes that carry
/// something have the label of what they carry.
macro_rules! stages {
    ($($(#[$meta:meta])* $stage:ident => $label:literal, $outcome:ident {
        $($(#[$plain_meta:meta])* $plain:ident => $plain_label:literal,)*
        $(; $(#[$carrier_meta:meta])* $carrier:ident($carried:ty))?
    })*) => {
        /// A stage of a frame's way.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Stage {
            $($(#[$meta])* $stage,)*
        }

        impl Stage {
            /// The name, in snake case.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$stage => $label,)* }
            }
        }

        /// What came of a frame in a stage.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Outcome {
            $($(#[$meta])* $stage($outcome),)*
        }

        impl Outcome {
            /// The stage it is of.
            pub const fn stage(self) -> Stage {
                match self { $(Self::$stage(_) => Stage::$stage,)* }
            }

            /// The name, in snake case: for what was dropped, the reason's.
            pub fn label(self) -> &'static str {
                match self { $(Self::$stage(outcome) => outcome.label(),)* }
            }
        }

        $(
            /// What comes of a frame in this stage:
            $(#[$meta])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub enum $outcome {
                $($(#[$plain_meta])* $plain,)*
                $($(#[$carrier_meta])* $carrier($carried),)?
            }

            impl $outcome {
                /// The name, in snake case.
                pub fn label(self) -> &'static str {
                    match self {
                        $(Self::$plain => $plain_label,)*
                        $(Self::$carrier(it) => it.label(),)?
                    }
                }
            }
        )*
    };
}

stages! {
    /// Sorting by network protocol.
    EthernetInput => "ethernet_input", EthernetInput {
        /// To `ip4_input`.
        Ip4 => "ip4",
        /// To `ip6_input`.
        Ip6 => "ip6",
        /// To `arp_input`.
        Other => "other",
        ;
        /// Dropped here.
        Dropped(DropReason)
    }
    /// Telling ARP from what nobody here speaks.
    ArpInput => "arp_input", ArpInput {
        /// On its way to the control plane.
        Punted => "punted",
        ;
        /// Dropped here.
        Dropped(DropReason)
    }
    /// Validating an IPv4 header.
    Ip4Input => "ip4_input", Ip4Input {
        /// Valid: to the lookup.
        Valid => "valid",
        ;
        /// Dropped here.
        Dropped(DropReason)
    }
    /// Validating an IPv6 header.
    Ip6Input => "ip6_input", Ip6Input {
        /// Valid: to the lookup.
        Valid => "valid",
        ;
        /// Dropped here.
        Dropped(DropReason)
    }
    /// Looking the destination up.
    Lookup => "lookup", Lookup {
        /// An address of the NIC.
        Permanent => "permanent",
        /// A removed address that somebody holds, accepted because the NIC is promiscuous.
        PermanentExpired => "permanent_expired",
        /// Nobody's address, which somebody holds.
        Held => "held",
        /// Nobody's address, accepted because the NIC is promiscuous or a range has it.
        Temporary => "temporary",
        /// A group the NIC is a member of.
        Group => "group",
        /// A broadcast address.
        Broadcast => "broadcast",
        /// Not the NIC's.
        Nothing => "nothing",
    }
    /// Finding a route for a packet for another host.
    IpLookup => "ip_lookup", IpLookup {
        /// There is one: to `ip_forward`.
        Routed => "routed",
        ;
        /// Dropped here.
        Dropped(DropReason)
    }
    /// Sending a packet for another host on.
    IpForward => "ip_forward", IpForward {
        /// To `link_output` of the next NIC.
        Forwarded => "forwarded",
        /// Cut into fragments, which are sent on.
        Fragmented => "fragmented",
        /// To the control plane, until the link address of the next hop is known.
        Waits => "waits",
        /// For an address of the next NIC: to `local_deliver`.
        Local => "local",
        ;
        /// Dropped here.
        Dropped(DropReason)
    }
    /// Deciding who takes a packet for this host.
    LocalDeliver => "local_deliver", LocalDeliver {
        /// The sockets, or the handler.
        Transport => "transport",
        /// `icmp_input`.
        IcmpInput => "icmp_input",
        /// `control_input`.
        ControlInput => "control_input",
        /// `reassemble`.
        Reassemble => "reassemble",
        ;
        /// Dropped here.
        Dropped(DropReason)
    }
    /// Walking extension headers and options.
    Extension => "extension", Extension {
        /// Nothing against going on.
        Walked => "walked",
        ;
        /// Dropped here.
        Dropped(DropReason)
    }
    /// Putting fragments together.
    Reassemble => "reassemble", Reassemble {
        /// Kept for the rest of its datagram.
        Held => "held",
        /// It came before.
        Duplicate => "duplicate",
        /// The last one: the whole datagram goes on in its place.
        Complete => "complete",
        ;
        /// Dropped here.
        Dropped(DropReason)
    }
    /// Dealing with ICMP.
    IcmpInput => "icmp_input", IcmpInput {
        /// The frame is the reply to an echo request now.
        Replied => "replied",
        /// To the control plane.
        ControlInput => "control_input",
        /// For whoever listens.
        PassedOn => "passed_on",
        ;
        /// Dropped here.
        Dropped(DropReason)
    }
    /// Finding the sockets of a packet.
    TransportDemux => "transport_demux", TransportDemux {
        /// In the queue of a socket.
        Delivered => "delivered",
        /// A copy, in the queue of one of several sockets, or of a raw one.
        Copied => "copied",
        /// No socket has it: to the handler.
        NoSocket => "no_socket",
        ;
        /// Dropped here.
        Dropped(DropReason)
    }
    /// What nobody takes.
    UnknownDestination => "unknown_destination", UnknownDestination {
        /// A raw socket has the protocol, and a copy of the packet.
        Raw => "raw",
        ;
        /// Dropped here.
        Dropped(DropReason)
    }
    /// An ICMP error that the stack makes.
    IcmpError => "icmp_error", IcmpError {
        /// To `link_output`.
        Sent => "sent",
    }
    /// Validating what is for the control plane.
    ControlInput => "control_input", ControlInput {
        /// On its way to the control plane.
        Punted => "punted",
        /// Not for the control plane.
        PassedOn => "passed_on",
        ;
        /// Dropped here.
        Dropped(DropReason)
    }
    /// The embedder's handler.
    Handler => "handler", Handler {
        /// It was given the packet.
        Delivered => "delivered",
        /// It does not want it: to `unknown_destination`.
        Refused => "refused",
        ;
        /// It panicked over the packet.
        Dropped(DropReason)
    }
    /// Sending.
    LinkOutput => "link_output", LinkOutput {
        /// To the distributor, which sends it.
        Queued => "queued",
        /// The link took it.
        Sent => "sent",
        /// A super-frame, which the link does not take: cut into segments, which are sent.
        Segmented => "segmented",
        /// Longer than the link takes: cut into fragments, which are sent.
        Fragmented => "fragmented",
        /// Neither the link nor the distributor had room; the link cannot send; or the frame is longer
        /// than it takes and may not be cut.
        NoRoom => "no_room",
    }
    /// What the control plane did.
    Control => "control", Control {
        /// The NIC was removed meanwhile.
        NicGone => "nic_gone",
        /// A packet for another host: the link address of its next hop is looked for.
        Resolving => "resolving",
        ;
        /// What it made of it.
        Verdict(Verdict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_know_their_stage_and_name() {
        let dropped = Outcome::Ip4Input(Ip4Input::Dropped(DropReason::Ip4Checksum));
        assert_eq!(dropped.stage(), Stage::Ip4Input);
        assert_eq!(
            (dropped.stage().label(), dropped.label()),
            ("ip4_input", "ip4_checksum")
        );
        let found = Outcome::Lookup(Lookup::Group);
        assert_eq!((found.stage().label(), found.label()), ("lookup", "group"));
        assert_eq!(Actor::Worker(WorkerId(3)).to_string(), "worker-3");
        assert_eq!(Actor::Distributor(NicId(1)).to_string(), "distributor-1");
        assert_eq!(Actor::Control.to_string(), "control");
    }
}
