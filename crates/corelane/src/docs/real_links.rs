//! Links made of network devices, on Linux.
//!
//! | | [`TapLink`] | [`AfPacketLink`] | [`AfXdpLink`] |
//! |---|---|---|---|
//! | the other end | this machine's kernel | what is wired to the device | what is wired to the device |
//! | the device | is made, or one made to stay is taken | is there: a NIC, a veth, a bridge | is there: a NIC, a veth |
//! | the kernel's own stack | is the other end | sees the same frames | sees none |
//! | privilege | CAP_NET_ADMIN | CAP_NET_RAW | CAP_NET_RAW, CAP_NET_ADMIN, CAP_BPF; CAP_IPC_LOCK or a limit of locked memory |
//! | receive | a system call per frame | copied from a ring shared with the kernel, no system call | in the frame itself, no system call |
//! | send | a system call per frame | a system call per burst, or [nothing](#to-listen) | from the frame itself, a system call per burst or some frames of it |
//! | longest frame | a slot | a slot | 3,840 bytes, 1,792 in the default slot |
//! | super-frames in | whole; cut by the kernel where slots are small | whole; dropped where slots are small, `super_frames_dropped` | dropped |
//! | super-frames out | whole | whole | cut in software |
//! | checksums left to hardware, in | taken so | taken so | counted, `partial_checksums` |
//! | the same, out | left to the kernel | left to the device | completed |
//!
//! The capabilities are those of the network namespace that the calling thread is in; `unshare -rn`
//! gives anyone one of their own, with all of them but CAP_BPF, which has to be the machine's: AF_XDP
//! takes root, or `setcap`. A device stays in the namespace that its link was made in.
//!
//! # A host on a TAP
//!
//! ```no_run
//! use corelane::prelude::*;
//!
//! let link = TapLink::new(TapConfig { name: "tap0".to_owned(), ..TapConfig::default() })?;
//! let counters = link.counters();
//! let mut builder = Engine::builder();
//! let id = builder.nic(NicConfig::new("lan"), Box::new(link));
//! let engine = builder.build()?;
//! engine.nic(id).ok_or("a NIC")?.add_address("192.0.2.2/24".parse::<Prefix>()?)?;
//! let running = engine.start()?;
//! // Elsewhere: ip addr add 192.0.2.1/24 dev tap0; ping 192.0.2.2
//! # drop((running, counters));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The same with `AfPacketLink::new(AfPacketConfig { name: "veth0".to_owned(), queues: 1,
//! ..AfPacketConfig::default() })`, or with `AfXdpLink` and `AfXdpConfig`.
//!
//! # AF_XDP
//!
//! [The module](crate::io::af_xdp) tells it all. In short: the frame pool is the memory of the device's
//! sockets, so that a frame is received where the engine reads it; a small program steers the device's
//! frames past the kernel's stack, natively in the driver or generically behind it, and is gone with
//! the link or its process. The rings keep frames of the pool for themselves
//! ([`Link::holds`](crate::engine::link::Link::holds)): an engine that makes its own pool adds them, an
//! embedder who gives it one does ([`Builder::pool`](crate::engine::Builder::pool)); if there are too
//! few, or the slots are too small, the error says what to set.
//!
//! What goes wrong first is the checksum: ping works, and UDP and TCP do not, while `partial_checksums`
//! rises. The peer of a veth leaves its checksums to hardware, and AF_XDP has no word to say so:
//!
//! ```text
//! ethtool -K PEER tx off          # in the peer's namespace
//! ethtool -K eth0 gro off lro off rxvlan off   # a NIC: super-frames, and tags that are taken off
//! ```
//!
//! # Made early
//!
//! `new` takes the privilege and asks the device for its MTU; [`build`](crate::engine::Builder::build)
//! opens the link, and then frames arrive. So a program makes its links, drops its privileges, and
//! builds its engine. (A TAP's device exists from `new` on, with up to a queue of frames before the
//! engine looks.)
//!
//! # Link addresses
//!
//! The device's own address is the kernel's. The engine gets another, random and locally
//! administered, unless [`NicConfig::mac`](crate::engine::NicConfig::mac) gives it one: on a segment
//! where addresses are learnt for long, give it one. An AF_PACKET or AF_XDP device is made promiscuous
//! for it.
//! What carries frames of the device's own address only (Wi-Fi, most clouds) takes the device's
//! address for the engine ([`AfPacketLink::device_mac`]) and no address of the kernel's on the device.
//!
//! # Queues
//!
//! With as many queues as workers (two or more), each worker polls its own and the kernel spreads
//! flows; with one queue, a distributor polls it and spreads flows by RSS, unless the engine has one
//! worker that is to run to completion
//! ([`Builder::run_to_completion`](crate::engine::Builder::run_to_completion), as in `corelane up`):
//! then it polls the link itself. Any other number is polled by the distributor too. AF_PACKET spreads by a hash of the flow that is the same both ways. So does
//! a TAP, until a flow is answered: then it comes by the queue that its answers go by. An AF_XDP link
//! has as many queues as its device (`ethtool -L eth0 combined 2`), or refuses, and takes the device's
//! spread.
//!
//! # To listen
//!
//! A link that is there to capture, to count, or to receive what a device under test sends has no use for a
//! frame at once, and none for a transmit queue. [`receive_only`] gives an AF_PACKET link rings of blocks
//! (TPACKET_V3): the kernel puts frames one behind the other into blocks of 256 KiB, and hands over a block
//! that is full, or that has had frames for [10 ms](crate::io::af_packet::AfPacketConfig::block_timeout). So
//! the same memory holds a dozen times as many of the shortest frames, and a burst that finds nobody looking
//! is kept; a frame costs less to take, and is taken later, with the time that the kernel had it. All else
//! is as with the other ring: queues, offloads, VLAN tags, counters, sleep, ends; super-frames are in the
//! blocks themselves, whole, and no limit on what is kept beside a ring applies.
//!
//! Nothing is sent: what the engine, a route, a socket or a handler would send by it is dropped and counted,
//! `send_dropped`. So an address on it answers nobody, and packet endpoints and `ctl capture` are shown what
//! would have been sent as any.
//!
//! # Offloads
//!
//! A sender on the same machine leaves work to the hardware, and there is none in between: transport
//! checksums, and to cut **super-frames**, up to 64 KiB of TCP segments or UDP datagrams under one header.
//! A NIC makes super-frames, too, of what it receives (GRO). TAP and AF_PACKET are told with each frame
//! what is left to do with it, and [`Frame::offload`](crate::frame::Frame::offload) tells the rest of
//! the engine.
//!
//! - **A router** passes both on undone where the link they leave by takes that
//!   ([`TxQueue::offloads`](crate::engine::link::TxQueue::offloads)): one look-up, one copy and one
//!   system call for some 45 segments. Where it does not (AF_XDP, memory, captures) the thread that sends
//!   completes the checksum or cuts the segments, by buffers of its own cache (`checksums_completed`;
//!   `segmented`, `segments`). A super-frame is too big where its segments are; without a DF bit they
//!   are cut into fragments, each its own.
//! - **To this host**, packets are done first. Each datagram of a UDP super-frame is delivered by itself
//!   (`unpacked`). A super-frame of TCP goes to handlers and raw sockets whole, its checksum left undone,
//!   and packet endpoints are shown any frame as it came: `offload` says so.
//! - **What a handler sends** may say what is left to do
//!   ([`Frame::set_offload`](crate::frame::Frame::set_offload)). Who builds another packet in a
//!   super-frame that it took says that nothing is.
//!
//! **Room.** A super-frame needs a slot of 64 KiB. An engine that makes its own pool gives it such slots
//! if a link [asks](crate::engine::link::Link::longest_frame), as TAP and AF_PACKET do unless
//! `super_frames` is false in their configuration. Only what is in flight is touched, and of a small
//! frame's slot a page or two. (With an AF_XDP link beside, which pins its pool, all of it is there:
//! some hundred MiB.) In a pool of smaller slots, the kernel cuts what a TAP receives to the MTU;
//! AF_PACKET cannot tell it to, and such frames are dropped and counted, so that TCP stalls until they
//! are turned off at their source: `ethtool -K eth0 gro off lro off` for what a NIC puts together,
//! `ethtool -K PEER tso off gso off` for what a veth's peer does not cut.
//!
//! The kernel keeps super-frames for an AF_PACKET link beside its ring, in memory of its own: 32 MiB for
//! each queue, or, without the machine's own CAP_NET_ADMIN, twice `net.core.rmem_max`, which on some
//! kernels is half a dozen of them; more is `super_frames_dropped`.
//!
//! What the kernel says of a frame is checked before it is believed: `offload_invalid`.
//!
//! A VLAN tag that the kernel or the NIC took off is put back (not by AF_XDP, which does not see it).
//!
//! # Sleep
//!
//! A thread of the link, `watch-NAME`, waits in the kernel for the link's descriptors and rings the
//! worker (or distributor) that sleeps, and sleeps itself until then: a host that is idle uses next to
//! nothing of a core. It is armed by who goes to sleep, so that it costs nothing
//! while frames flow: one more thread's wake-up, some tens of microseconds, on the first frame after
//! a sleep. [`Idle::BusyPoll`](crate::engine::Idle::BusyPoll) never pays it. A worker that waits in
//! the kernel itself would save that thread; that is not done yet.
//!
//! # In between
//!
//! [`middleware`](crate::io::middleware) goes around any link, and is a link again:
//! [`Faults`](crate::io::middleware::Faults) drops, doubles, reorders, corrupts, delays and stalls frames by
//! a plan and a seed, exactly as often as asked for, and counts what it did;
//! [`Mirror`](crate::io::middleware::Mirror) writes what goes by to a pcapng file, or in lines of text. A
//! configuration has them as `[nic.faults]` and `[nic.capture]`. Nothing waits for a capture: what it has no
//! room for is lost to it, and the file says how much.
//!
//! What is there without having been asked for at the beginning: a [packet
//! endpoint](crate::stack::PacketEndpoint) with a pool of its own, which `corelane ctl capture` is, and
//! [`Lifecycle::trace`](crate::engine::Lifecycle::trace), which `corelane ctl trace` is. Both come and go
//! while traffic runs, and cost nothing while there is none.
//!
//! # Counters
//!
//! [`TapCounters::read`], [`AfPacketCounters::read`] and [`AfXdpCounters::read`] tell, by name, what
//! the engine does not see: frames that were too long for a slot; super-frames, received, sent and
//! dropped; what the kernel dropped since a ring was full (AF_PACKET, AF_XDP; for a TAP the device
//! itself counts it, `ip -s link`); bursts that found no buffer; sends that found no room. A frame that
//! the device does not take (longer than its MTU of now) stays behind in its burst while others go, and the
//! engine counts it as `send_dropped`. What the driver of an AF_XDP link drops of what was sent is `send_lost`, as far as
//! the kernel tells.
//!
//! # Ends
//!
//! A device that is set down, or that has no carrier, is quiet until it is up again: nothing arrives, and what is sent is
//! dropped and counted (but for a burst in the ring of AF_XDP, which goes when the device is up). A
//! device that is taken away ends the link's queues at once, also while all sleep, and
//! [`Event::LinkFailed`](crate::stack::Event::LinkFailed) says so. AF_XDP's program ends with the link,
//! or with its process.
//!
//! # Not yet
//!
//! Super-frames of what is in a tunnel, and with AF_XDP; receive times; the device's state as the NIC's; frames of several buffers with AF_XDP.
//!
//! [`receive_only`]: crate::io::af_packet::AfPacketConfig::receive_only
//! [`TapLink`]: crate::io::tap::TapLink
//! [`TapCounters::read`]: crate::io::tap::TapCounters::read
//! [`AfPacketLink`]: crate::io::af_packet::AfPacketLink
//! [`AfPacketLink::device_mac`]: crate::io::af_packet::AfPacketLink::device_mac
//! [`AfPacketCounters::read`]: crate::io::af_packet::AfPacketCounters::read
//! [`AfXdpLink`]: crate::io::af_xdp::AfXdpLink
//! [`AfXdpCounters::read`]: crate::io::af_xdp::AfXdpCounters::read
