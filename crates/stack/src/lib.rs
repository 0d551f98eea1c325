//! A NIC's addresses, endpoints and delivery: the behaviour of gVisor netstack's `nic.go`, without
//! its locks.
//!
//! The two sides are apart. [`Nic`] is the control plane: ordinary calls from any thread,
//! serialised by one lock per NIC, each publishing a snapshot. [`NicDatapath`] is what a worker
//! has: it loads a snapshot per burst and looks destinations up in it. What outlives a burst is an
//! [`EndpointRef`]; to send, a [`Route`]. What happened comes as [`Event`]s.
//!
//! | module | holds |
//! |---|---|
//! | `nic`, `config` | the handle, and what a NIC is made from |
//! | `address`, `range`, `broadcast`, `interface_id` | addresses, prefixes, the subnets a NIC accepts, the addresses it gives itself |
//! | `endpoint` | the endpoint line, its life, references, held temporaries |
//! | `table` | addresses to endpoints, copy-on-write by page |
//! | [`fib`] | routes, and the longest prefix that a destination is in |
//! | `demux`, `socket` | which socket a packet is for; UDP and raw sockets |
//! | `packet_endpoint` | copies of frames for who wants to see them |
//! | `group` | multicast membership, IGMP and MLD |
//! | `stack` | what NICs share: publishing routes and neighbors, running neighbors, errors received |
//! | `neighbor` | link addresses of neighbors: ARP and NDP resolution, reachability |
//! | `source`, `source_filter` | source address selection; which sources nobody on the link may have |
//! | `control` | transactions, duplicate address detection, timers, source address order, publishing, reclamation |
//! | `route`, `queue` | sending from outside the workers |
//! | `datapath` | snapshot, lookup by burst, handlers and packets |
//! | `drop_reason`, `counters`, `icmp_counter`, `protocol_counters`, `event`, `error` | what is counted, told and refused |
//! | `reassembly` | fragments put together, by worker |
//! | `icmp_limit`, `path_mtu` | how many ICMP errors are sent; what those received say of paths |
//! | `sent_packets` | what was sent lately, and errors can be about |
//! | `clock` | time, real or set by hand |
#![forbid(unsafe_code)]

mod address;
mod broadcast;
mod clock;
mod config;
mod control;
mod counters;
mod datapath;
mod demux;
mod drop_reason;
mod endpoint;
mod error;
mod event;
pub mod fib;
mod group;
mod icmp_counter;
mod icmp_limit;
mod interface_id;
mod labelled;
mod neighbor;
mod nic;
mod packet_endpoint;
mod path_mtu;
mod places;
mod protocol_counters;
mod queue;
mod range;
mod reassembly;
mod route;
mod sent_packets;
mod socket;
mod source;
mod source_filter;
mod stack;
mod table;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use address::{AddressConfig, Family, Key, Prefix, PrefixError, PrimaryEndpointBehavior};
pub use clock::{Clock, ManualClock, Time};
pub use config::{Forwarding, LinkInfo, NdpConfig, NicConfig, NicParts, Protocols};
pub use control::{AddressInfo, Transaction, Verdict};
pub use corelane_sync::refs::AddressKind;
pub use counters::{NicCounter, NicTotals};
pub use datapath::{
    Delivery, ErrorSources, Found, Handler, Inbound, NicDatapath, NicView, Packet, PacketBurst,
    PacketFlags, Sink,
};
pub use demux::{Demux, DemuxDatapath, Flow, FlowWord, Flows, Identity, Sockets};
pub use drop_reason::DropReason;
pub use endpoint::EndpointRef;
pub use error::{
    AddAddressError, BadAddress, DuplicateDetectedError, EnableError, HoldError, JoinGroupError,
    LeaveGroupError, NicGone, RemoveAddressError, RouteError, SendError,
};
pub use event::{AbortReason, Event, EventSender, Events, events};
pub use fib::Hop;
pub use group::{IgmpVersion, MldVersion};
pub use icmp_counter::IcmpCounter;
pub use icmp_limit::IcmpLimiter;
pub use interface_id::LinkLocal;
pub use neighbor::{
    LinkWord, NeighborAnswer, NeighborChange, NeighborConfig, NeighborCounts, NeighborError,
    NeighborInfo, NeighborState,
};
pub use nic::{GroupInfo, Nic, NicId};
pub use packet_endpoint::{
    Direction, PacketEndpoint, PacketEndpointConfig, PacketEndpointError, PacketEndpointStats,
    PacketKind, PacketProtocol, PacketQueue, RegisterPacketEndpointError, Shown, ShownBurst,
    TapWriter,
};
pub use path_mtu::{PathMtu, PathMtuCache};
pub use protocol_counters::ProtocolCounter;
pub use queue::QueuedFrames;
pub use reassembly::{
    FragmentPlace, Outcome as ReassemblyOutcome, ParameterProblem, Reassembly, ReassemblyConfig,
    ReassemblyCounts, ReassemblyDrop, ReassemblyError, TimedOutDatagram,
};
pub use route::{Route, SendOptions, SourceFragmentation};
pub use socket::{
    BindError, Datagram, DatagramBurst, Queued, RawBind, RawSocket, Socket, SocketDrop,
    SocketError, SocketErrorKind, SocketQueue, SocketStats, UdpBind, UdpSendError, UdpSocket,
};
pub use source_filter::Spans;
pub use stack::{
    AddNeighborError, Adjacency, FibDatapath, NeighborId, NeighborWait, Resolution, RouteSpec,
    RoutesError, RoutesTransaction, SocketWriter, Stack, StackConfig, StackDatapath, StackError,
    StackParts,
};
