//! What an embedder uses: `use corelane::prelude::*;`.

#[doc(no_inline)]
pub use corelane_engine::{
    BuildError, Builder, Control, Distributor, Engine, EngineReport, Idle, Monitor, NicConfig,
    Parts, Polled, Running, Warning, WhenFull, Worker, WorkerId,
    link::{Link, LinkError, Queues, RxQueue, RxStatus, TxQueue},
    rss::RssKey,
};
#[doc(no_inline)]
pub use corelane_frame::{BURST, Burst, Frame, Pool, PoolCache, PoolConfig};
#[doc(no_inline)]
pub use corelane_io::{
    memory::{MemoryConfig, MemoryLink, MemoryPeer, memory_link},
    pcap::{Capture, PcapLink, PcapTx},
};
#[doc(no_inline)]
pub use corelane_stack::{
    AddressConfig, AddressKind, Delivery, DropReason, EndpointRef, Event, Events, Family, Handler,
    Nic, NicId, NicTotals, Packet, Prefix, PrimaryEndpointBehavior, Transaction,
};
#[doc(no_inline)]
pub use corelane_wire::{
    Echo, EchoKind, IpProtocol, MacAddr,
    build::{FrameSpec, Ports},
};
