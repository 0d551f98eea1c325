//! The engine in a program of your own.
//!
//! The crate's [first page](crate) has a whole program; `examples/` has it and four more
//! (`own_threads`, `pcap`, `router`, `udp_socket`). This page is about what the types do not say.
//!
//! # Threads
//!
//! [`Engine::start`](crate::engine::Engine::start) makes a thread for each distributor, one for each
//! worker, and one for the control plane; it pins the first two kinds to cores of the process's
//! mask as far as there are enough ([`Engine::warnings`](crate::engine::Engine::warnings) tells if
//! not, and if the frame pool is small). [`Running::stop`](crate::engine::Running::stop), or dropping it, stops them in order:
//! distributors take nothing more from their links, workers empty the rings, replies go out.
//!
//! An embedder with threads of its own calls
//! [`Engine::into_workers`](crate::engine::Engine::into_workers) instead and polls three kinds of
//! objects, each from one thread at a time:
//!
//! ```
//! use corelane::prelude::*;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (link, peer) = memory_link(MemoryConfig::default())?;
//! let mut builder = Engine::builder();
//! builder.nic(NicConfig::new("lan"), Box::new(link));
//! let mut parts = builder.build()?.into_workers();
//!
//! # drop(peer);
//! // The simplest loop there is: everything on one thread.
//! let mut open = true;
//! while open {
//!     // Dropped when its link is at its end: that closes the workers' rings.
//!     parts
//!         .distributors
//!         .retain_mut(|distributor| distributor.poll() != Polled::Finished);
//!     open = false;
//!     for worker in &mut parts.workers {
//!         worker.poll();
//!         open |= !worker.is_finished();
//!     }
//!     // At least every few milliseconds; it says how long it can wait.
//!     parts.control.poll();
//! }
//! # Ok(())
//! # }
//! ```
//!
//! - **Poll.** [`Worker::poll`](crate::engine::Worker::poll) takes up to a burst from each input and
//!   returns how many frames that were. It does not block.
//! - **Idle.** What to do after a poll that found nothing is yours; the builder's
//!   [`Idle`](crate::engine::Idle) is for the engine's own threads. There is no way yet to sleep
//!   until a worker is rung from a thread of your own: yield, or sleep for a while.
//! - **Quiesce.** A worker keeps the snapshots of its last poll, and with them whatever is retired
//!   afterwards: endpoints that were removed are not closed, their slots not used again. Before a
//!   thread sleeps or does something else for long, call
//!   [`Worker::quiesce`](crate::engine::Worker::quiesce). The engine's own workers do so before they
//!   sleep. A worker that polls needs no such call: a poll that finds nothing on a NIC exchanges the
//!   NIC's snapshot for the newest.
//! - **Control.** Without [`Control::poll`](crate::engine::Control::poll) nothing is wrong, but late:
//!   dropped references are noticed, and endpoints closed, at the next change only.
//! - **The end.** A distributor is finished when its link is, or after
//!   [`Distributor::end`](crate::engine::Distributor::end). Dropping it closes the workers' rings; a
//!   worker is finished when its rings are closed and empty. Replies still on their way to a dropped
//!   distributor are lost with it, uncounted: with traffic out, poll it until the NIC's
//!   `sent + send_dropped` is what it consumed and the handlers sent
//!   ([accounting](super::accounting)).
//!
//! # Handlers
//!
//! Each worker has its own [`Handler`](crate::stack::Handler), made by the closure given to the
//! builder, so a handler needs no lock for what is its own. It is given packets whose network header
//! has been validated and whose transport header, for UDP and TCP, is there whole; the transport
//! checksum is not verified ([`Packet::udp`](crate::stack::Packet::udp) says how to).
//!
//! - Override [`burst`](crate::stack::Handler::burst) to do something once per burst.
//! - To answer, [take](crate::stack::Packet::take) the frame, change it, and
//!   [send](crate::stack::Packet::send) it.
//! - What a handler allocates or locks is on the datapath. `WorkerReport::allocations` shows it.
//! - On a TAP or AF_PACKET link a TCP packet may be a super-frame: many segments in one, its checksum left
//!   undone, as [`offload`](crate::frame::Frame::offload) of its frame says
//!   ([offloads](super::real_links#offloads)). All other packets come complete.
//! - **A panic** costs the packet it happened over: counted as `handler_panicked`, told as
//!   [`Event::HandlerPanicked`](crate::stack::Event::HandlerPanicked), the frame back in its pool.
//!   The handler is called again with the next packet, so its state must be one to go on from. With
//!   `panic = "abort"` in the profile the process ends, as everywhere.
//! - **A packet to keep:** [`Packet::take`](crate::stack::Packet::take) moves the frame out; it counts
//!   as delivered. A frame that is kept is a slot that the pool lacks, so make the pool larger by
//!   what you keep ([`Builder::pool`](crate::engine::Builder::pool)). Give it back with a
//!   [`PoolCache`](crate::frame::PoolCache) of the thread that has it, or drop it anywhere, on any
//!   thread, a little slower. It may outlive the engine.
//! - **An address to keep:** [`Packet::hold`](crate::stack::Packet::hold) takes a reference that
//!   outlives the burst. For a flow, not for every packet.
//!
//! # Addresses
//!
//! [`Nic`](crate::stack::Nic) is a handle to clone and use from any thread, while traffic flows. A
//! change is in effect when the call returns, for every worker from its next burst. Add many
//! addresses in one [`transaction`](crate::stack::Nic::transaction): workers see all or none, and it
//! is one publish. (Two things are seen at once: a removal, and the return of an address that was
//! removed and is still held.) Inside the closure use the transaction: another control call on the
//! same NIC panics.
//!
//! With [duplicate address detection](crate::stack::NicConfig::ndp) an IPv6 address is tentative
//! first. Nothing waits for it: [`AddressAssigned`](crate::stack::Event::AddressAssigned) or
//! [`DuplicateAddress`](crate::stack::Event::DuplicateAddress) tells the outcome. It runs on the
//! control thread (with threads of your own: on [`Control::poll`](crate::engine::Control::poll), which
//! says how long it can wait).
//!
//! # NICs that come and go
//!
//! [`Running::lifecycle`](crate::engine::Running::lifecycle) creates, enables, disables and removes
//! NICs from any thread, beside the traffic of the others. A removal is in effect when the call
//! returns: no lookup that starts later finds anything, and every change through a handle fails
//! with [`NicGone`](crate::stack::NicGone). References and routes into it stay valid values; what is
//! sent on them fails with the same. [`NicRemoved`](crate::stack::Event::NicRemoved) follows when every
//! worker has let go of it and its link is closed. With threads of your own, poll the distributors
//! that [`take_distributors`](crate::engine::Lifecycle::take_distributors) hands out.
//!
//! # Routers
//!
//! A NIC that [forwards](crate::stack::Nic::set_forwarding) sends on what arrives for other hosts, by
//! the routes of the [`Stack`](crate::stack::Stack) ([`add_route`](crate::stack::Stack::add_route),
//! many at once by [`change_routes`](crate::stack::Stack::change_routes)), and is in the groups of all
//! routers. Link addresses are resolved by ARP and neighbor discovery;
//! [`add_neighbor`](crate::stack::Stack::add_neighbor) gives one by hand. `examples/router.rs` is a
//! router between two links.
//!
//! # Sockets
//!
//! [`Stack::udp_socket`](crate::stack::Stack::udp_socket) binds a port: a handle, and a
//! [`SocketQueue`](crate::stack::SocketQueue) for each worker, to be read by bursts from any thread, one
//! at a time. What no socket has goes to the handler; what that
//! [refuses](crate::stack::Packet::refuse), or all of it in an engine without one, is answered as
//! unreachable. Frames that wait in queues are slots that the pool lacks: make it larger by what the
//! queues hold. `examples/udp_socket.rs` is an echo server of that kind.
//!
//! [`Stack::packet_endpoint`](crate::stack::Stack::packet_endpoint) makes what is shown copies of frames,
//! as for a capture; [`Stack::raw_socket`](crate::stack::Stack::raw_socket) what is shown all packets of
//! a protocol.
//!
//! # Sending from other threads
//!
//! [`Nic::route`](crate::stack::Nic::route) gives a [`Route`](crate::stack::Route): a reference to the
//! address it sends from, chosen if you do not name it. What it writes goes through the NIC's queue
//! to the thread that has the transmit queue. That is for what is rare; a handler's own
//! [`send`](crate::stack::Packet::send) is for what is not.
//!
//! # Frames going in
//!
//! Through a [memory link](crate::io::memory), or a [`Link`](crate::engine::link::Link) of your own:
//! a receive queue that fills frames from the [`PoolCache`](crate::frame::PoolCache) it is given.
//! Send by bursts. Full is an outcome: what did not fit is still in your burst.
//!
//! # Events
//!
//! [`Running::events`](crate::engine::Running::events) (or `Parts::events`) is the stream of what
//! happened: endpoints closed, addresses assigned, conflicts; and, kept apart so that they are not
//! crowded out, duplicates, NICs enabled, disabled and removed, handlers that panicked, links that
//! failed, threads that could not be pinned. A slow reader holds up nothing:
//! what finds the stream full is lost and [counted](crate::stack::Events::lost). A clone can be read
//! after the engine has stopped.
