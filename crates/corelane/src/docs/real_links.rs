//! Links made of network devices, on Linux.
//!
//! | | [`TapLink`] | [`AfPacketLink`] | [`AfXdpLink`] |
//! |---|---|---|---|
//! | the other end | this machine's kernel | what is wired to the device | what is wired to the device |
//! | the device | is made, or one made to stay is taken | is there: a NIC, a veth, a bridge | is there: a NIC, a veth |
//! | the kernel's own stack | is the other end | sees the same frames | sees none |
//! | privilege | CAP_NET_ADMIN | CAP_NET_RAW | CAP_NET_RAW, CAP_NET_ADMIN, CAP_BPF; CAP_IPC_LOCK or a limit of locked memory |
//! | receive | a system call per frame | copied from a ring shared with the kernel, no system call | in the frame itself, no system call |
//! | send | a system call per frame | a system call per burst | from the frame itself, a system call per burst or some frames of it |
//! | longest frame | a slot | a slot | 3,840 bytes, 1,792 in the default slot |
//! | super-frames | none come | dropped, `super_frames` | dropped |
//! | checksums left to hardware | completed | completed | counted, `partial_checksums` |
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
//! let link = TapLink::new(TapConfig { name: "tap0".to_owned(), queues: 1 })?;
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
//! # Offloads
//!
//! A sender on the same machine leaves transport checksums to the hardware, and there is none in
//! between. TAP and AF_PACKET are told so with each frame, and complete the checksum as it arrives
//! (`checksums_completed`): a pass over the payload. Sent frames have all their checksums.
//!
//! Super-frames (up to 64 KiB, to be cut by hardware) are more than the engine takes. A TAP says so to
//! the kernel. AF_PACKET cannot: they are dropped and counted, and TCP through such a link stalls
//! until they are turned off at their source: `ethtool -K eth0 gro off lro off` for what a NIC puts
//! together, `ethtool -K PEER tso off gso off` for what a veth's peer does not cut.
//!
//! A VLAN tag that the kernel or the NIC took off is put back (not by AF_XDP, which does not see it).
//!
//! # Sleep
//!
//! A thread of the link, `watch-NAME`, waits in the kernel for the link's descriptors and rings the
//! worker (or distributor) that sleeps. It is armed by who goes to sleep, so that it costs nothing
//! while frames flow: one more thread's wake-up, some tens of microseconds, on the first frame after
//! a sleep. [`Idle::BusyPoll`](crate::engine::Idle::BusyPoll) never pays it. A worker that waits in
//! the kernel itself would save that thread; that is not done yet.
//!
//! # Counters
//!
//! [`TapCounters::read`], [`AfPacketCounters::read`] and [`AfXdpCounters::read`] tell, by name, what
//! the engine does not see: frames that were too long for a slot, or super-frames; what the kernel
//! dropped since a ring was full (AF_PACKET, AF_XDP; for a TAP the device itself counts it, `ip -s
//! link`); bursts that found no buffer; sends that found no room. A frame that the device does not take
//! (longer than its MTU) stays behind in its burst while others go, and the engine counts it as
//! `send_dropped`.
//!
//! # Ends
//!
//! A device that is set down is quiet until it is up again: nothing arrives, and what is sent is
//! dropped and counted (but for a burst in the ring of AF_XDP, which goes when the device is up). A
//! device that is taken away ends the link's queues, and
//! [`Event::LinkFailed`](crate::stack::Event::LinkFailed) says so. AF_XDP's program ends with the link,
//! or with its process.
//!
//! # Not yet
//!
//! Super-frames carried whole or cut in software; checksums left to the device; receive times;
//! TPACKET_V3 for capture; the device's state as the NIC's; frames of several buffers with AF_XDP.
//!
//! [`TapLink`]: crate::io::tap::TapLink
//! [`TapCounters::read`]: crate::io::tap::TapCounters::read
//! [`AfPacketLink`]: crate::io::af_packet::AfPacketLink
//! [`AfPacketLink::device_mac`]: crate::io::af_packet::AfPacketLink::device_mac
//! [`AfPacketCounters::read`]: crate::io::af_packet::AfPacketCounters::read
//! [`AfXdpLink`]: crate::io::af_xdp::AfXdpLink
//! [`AfXdpCounters::read`]: crate::io::af_xdp::AfXdpCounters::read
