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
#[doc(no_inline)]
pub use corelane_io::{
    loopback::{LoopbackConfig, LoopbackLink, loopback_link},
    memory::{MemoryConfig, MemoryLink, MemoryPeer, memory_link},
    pcap::{Capture, PcapLink, PcapTx},
};
#[doc(no_inline)]
pub use corelane_stack::{
    AddressConfig, AddressKind, Clock, Delivery, DropReason, EndpointRef, Event, Events, Family,
    Handler, IgmpVersion, LinkLocal, MldVersion, NdpConfig, Nic, NicGone, NicId, NicTotals, Packet,
    Prefix, PrimaryEndpointBehavior, ProtocolCounter, Protocols, Route, Time, Transaction,
};
#[doc(no_inline)]
pub use corelane_wire::{
    Echo, EchoKind, IpProtocol, MacAddr,
    build::{FrameSpec, Ports},
};
