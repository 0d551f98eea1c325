//! What an embedder uses: `use corelane::prelude::*;`.

#[doc(no_inline)]
pub use corelane_engine::{
    BuildError, Builder, Control, CreateNicError, Distributor, EnableNicError, Engine,
    EngineReport, Idle, Lifecycle, Monitor, NicConfig, Parts, Polled, Running, UnknownNic, Warning,
    WhenFull, Worker, WorkerId,
    link::{Link, LinkError, Queues, RxQueue, RxStatus, TxQueue},
    rss::RssKey,
};
#[doc(no_inline)]
pub use corelane_frame::{BURST, Burst, Frame, Pool, PoolCache, PoolConfig};
#[cfg(target_os = "linux")]
#[doc(no_inline)]
pub use corelane_io::{
    af_packet::{AfPacketConfig, AfPacketCounters, AfPacketLink},
    af_xdp::{AfXdpConfig, AfXdpCounters, AfXdpLink, XdpMode, ZeroCopy},
    tap::{TapConfig, TapCounters, TapLink},
};
#[doc(no_inline)]
pub use corelane_io::{
    loopback::{LoopbackConfig, LoopbackLink, loopback_link},
    memory::{MemoryConfig, MemoryLink, MemoryPeer, memory_link},
    middleware::{FaultPlan, Faults, FaultsConfig, Layered, Mirror, MirrorConfig, Share, Stall},
    pcap::{Capture, PcapLink, PcapTx},
};
#[doc(no_inline)]
pub use corelane_stack::{
    AddressConfig, AddressKind, Clock, Datagram, DatagramBurst, Delivery, DropReason, EndpointRef,
    Event, Events, Family, Forwarding, Handler, IgmpVersion, LinkLocal, MldVersion, NdpConfig,
    NeighborConfig, Nic, NicGone, NicId, NicTotals, Packet, PacketEndpointConfig, PacketProtocol,
    Prefix, PrimaryEndpointBehavior, ProtocolCounter, Protocols, RawBind, Route, RouteSpec,
    SendOptions, SocketQueue, Stack, StackConfig, Time, Transaction, UdpBind, UdpSocket,
};
#[doc(no_inline)]
pub use corelane_wire::{
    Echo, EchoKind, IpProtocol, MacAddr,
    build::{FrameSpec, Ports},
};
