//! The way of a frame, the crates, and the decisions behind them.
//!
//! # The way of a frame
//!
//! ```text
//!  link                     distributor                     worker, one burst at a time
//!  ────                     ───────────                     ───────────────────────────
//!  receive queue ─rx_burst─► NIC, RSS hash ─► SPSC ring ─► one snapshot of the NIC
//!                                                           │
//!                                                           ├─ ethernet_input: sort by family
//!                                                           ├─ ip4_input, ip6_input: validate
//!                                                           ├─ lookup: whose is each destination?
//!                                                           ├─ ip_lookup, ip_forward: other hosts'
//!                                                           ├─ local_deliver ─► transport_demux ─► sockets
//!                                                           │   │                     └─► handler
//!                                                           │   ├─► icmp_input ────┐
//!                                                           │   └─► control_input ─┼─► punt rings
//!  transmit queue ◄─tx_burst─ ◄──────────── SPSC ring ◄─────┴── link_output ◄──────┘
//!         ▲
//!         └──── the NIC's queue ◄── control thread ◄── punt rings
//!                               ◄── routes and sockets, on any thread
//! ```
//!
//! 1. **Link to worker.** A link with a receive queue for each of several workers is polled by the
//!    workers themselves, without the middle column. Any other link gets a
//!    [`Distributor`](crate::engine::Distributor): it polls the link by bursts of up to
//!    [`BURST`](crate::frame::BURST) frames, marks each frame with its NIC and, if the link did not,
//!    with its RSS hash, and sorts them by the hash's low seven bits and a table of 128 entries into
//!    one line per worker. A line is handed over when 32 frames stand in it, or after 4 polls, or at
//!    once if the link has gone quiet: few frames do not wait for company that does not come. A full
//!    ring is a counted drop or back-pressure, as [`WhenFull`](crate::engine::WhenFull) says.
//! 2. **Input.** The worker takes one burst from each of its inputs per
//!    [`poll`](crate::engine::Worker::poll). It loads the NIC's snapshot once, sorts the frames by
//!    EtherType, validates headers, and writes down where the parts of each packet are
//!    ([`Inbound`](crate::stack::Inbound)); nothing is copied.
//! 3. **Lookup** in three passes over the burst, so that cache misses overlap: hash and prefetch the
//!    bucket; match the tags and prefetch the endpoint; compare the key and read kind and count.
//! 4. **Forwarding**, on a NIC that does: what is not the NIC's is looked up in the stack's routes, and
//!    those that leave by one NIC go on together: hop limit, size, the next hop's link address. What is
//!    for an address of that NIC is for this host. A packet whose next hop has no link address yet goes
//!    to the control plane through a ring of its own, and waits there.
//! 5. **Delivery.** What is nobody's is dropped with its reason. Fragments are put together, extension
//!    headers walked. An echo request from one host to one host is turned into its reply in place.
//!    The rest goes to the sockets that have its port, and what none has to the worker's
//!    [`Handler`](crate::stack::Handler), all packets of the burst in one call. What that
//!    [refuses](crate::stack::Packet::refuse) is answered by an ICMP error or a reset.
//!    ARP, neighbor solicitations and advertisements, MLD, IGMP and ICMP errors are validated by the
//!    worker and handed to the control plane through the worker's punt ring (`control_input`):
//!    whatever needs state, a lock, or a timer is done there.
//! 6. **Afterwards** the counters are added to once, replies are sent, and what is left of the burst
//!    goes back to the worker's own stock of frames.
//!
//! A frame may have something left to do: a checksum that its sender left to hardware, or to be cut
//! into segments ([`Frame::offload`](crate::frame::Frame::offload)). It goes through lookup and routes
//! as it is; what this host takes is done before it is delivered (`unpack`), and what a link does not
//! take undone, by the thread that sends it (`segment`). A burst is asked once whether it has any such
//! frame: the path of the others has no branch for it.
//!
//! A frame that is dropped is counted and stays where it is in the burst, which the worker returns
//! as a whole at the end. The stages are the files of `crates/engine/src/node/`.
//!
//! # Crates
//!
//! ```text
//! wire ──► sync ──► frame ──► stack ──► engine ──► io ──► corelane ──► tools, benches
//!                     └──────► sys ───────────────┘
//! ```
//!
//! A crate uses those to its left, or some of them, and none to its right.
//!
//! | crate | holds | `unsafe` |
//! |---|---|---|
//! | [`wire`](crate::wire) | header views and builders, checksums, super-frames | none |
//! | [`sync`](crate::sync) | ring, snapshot, references, counters, depot, doorbell, slab, seats, carry-less products | fence 1 |
//! | [`frame`](crate::frame) | pool, frame handle, burst | fence 2 |
//! | [`stack`](crate::stack) | NIC, addresses, endpoint table, groups, duplicate address detection, source selection, lookup, delivery, counters; routes, neighbors, reassembly, sockets, packet endpoints | none |
//! | [`engine`](crate::engine) | RSS, distributors, workers, stages, control thread, NICs at run time, tracing | none |
//! | `sys` | system calls of Linux for `io`: TAP, AF_PACKET, AF_XDP, epoll | fence 3 |
//! | [`io`](crate::io) | links: memory, loopback, pcap and pcapng files, TAP, AF_PACKET, AF_XDP; what stands between them and the engine: faults, captures | none |
//! | [`corelane`](crate) | this crate: what embedders depend on | none |
//!
//! 'None' is `#![forbid(unsafe_code)]`; in the three fenced crates each `unsafe` block states the
//! invariant it rests on, or clippy fails. `tools/` is the `corelane` command with the load
//! generator as its library, `benches/` compares parts with their rivals.
//!
//! # Control plane and datapath
//!
//! | | control plane | datapath |
//! |---|---|---|
//! | is | [`Nic`](crate::stack::Nic): ordinary calls, from any thread | [`Worker`](crate::engine::Worker), [`Distributor`](crate::engine::Distributor): one thread each |
//! | locks | one mutex per NIC, for changes and listings | none |
//! | allocates | yes | no, after warm-up |
//! | writes | its own version of the table, then one pointer | its own counters, frames, rings |
//! | frees | what no worker can see any more | nothing that another thread published |
//!
//! A change is in effect when the call returns: a worker sees it from its next burst, and a removed
//! address already in lookups that start later, because the kind of an endpoint is read from the
//! endpoint and not from the snapshot. Many changes in one
//! [`transaction`](crate::stack::Nic::transaction) are one publish.
//!
//! The control thread ([`Control`](crate::engine::Control)) sleeps until its next timer, or until it is
//! called: by a worker that punts, by whoever makes a change, and by whoever lets the last reference to an
//! endpoint go. It looks every millisecond while something waits for a worker to move on: it unlinks
//! endpoints whose last reference was dropped, tells that they are closed, and frees old snapshots. Every
//! change does the same in passing. It also takes what workers punted, and the steps that are due: probes,
//! addresses that nobody objected to, reports of groups. (An embedder who polls it has no bell, and is told
//! to come back within 10 ms.)
//!
//! # Protocols of the control plane
//!
//! Duplicate address detection and the hosts of IGMP and MLD are plain state machines: they are told
//! the time, draw from a generator that they are handed, and push what is to be sent into a list.
//! The NIC runs them under its lock, makes frames of the list after the lock is released, and puts
//! them into its queue. So nothing is ever sent with a lock held, a link that answers at once cannot
//! deadlock, and with a clock that is [set by hand](crate::stack::Clock::manual) everything repeats
//! exactly: that is what `corelane sim` and the tests are.
//!
//! Groups are not endpoints. A snapshot has them in a set of their own, with the joins counted in it,
//! those of users apart from the NIC's own: one place, so that nothing can drift.
//! Workers ask it for multicast destinations only, and the broadcasts of its subnets for addresses
//! that end as one of them does: a hit in the address table pays nothing for either.
//!
//! # What NICs share
//!
//! [`Stack`](crate::stack::Stack) has it: routes, neighbors, sockets, path MTUs, limits. It is
//! published in two snapshots beside those of the NICs: routes with neighbors, and sockets; a worker
//! looks once per poll whether there are newer ones.
//!
//! **Routes** are rows, several for one destination if need be; the best usable one of each stands in
//! a trie that is copied by node ([`fib`](crate::stack::fib)). A lookup costs the depth, never the
//! number of routes. What a row's gateway is among the NIC's neighbors is in the trie's entry, so a
//! packet to a gateway needs no second search.
//!
//! **Neighbors** are a line each, read in one load: link address and state. A change of state is one
//! store and publishes nothing. A worker writes to a line only to say that it used a neighbor that
//! nobody has heard of for a while, once, and tells the control plane, which has the states of RFC
//! 4861 and asks. Who never answered competes for room among its like, so that a scan of a
//! subnet pushes out nobody who did (RFC 6583).
//!
//! **Sockets** are found as endpoints are, by another key, and have a ring for each worker. Each worker
//! has a *seat*, a value that exists once; by it the worker reaches its own cell of what all share,
//! without a lock ([`seat`](crate::sync::seat)). Of the sockets a datagram touches three lines: the entry, which
//! has the address of the cells; the worker's cell, which begins with its end of the ring and the ring's
//! index ([`SeatRings`](crate::sync::ring::SeatRings)); and a slot. Two passes ask for entries and cells, a
//! third sums and pushes. Ports are in the burst since the first look at the transport header; the sender's
//! address is dug out only where a socket is bound to one. Which entry it is, a worker guesses from the last
//! time (512 KiB of numbers, touched as they are used) and searches for only where the entry turns out to
//! be another's, so that a guess is never believed.
//!
//! What it took to get from 2.34 to 1.95 times the bare handler (bench `sockets`, both in turns): two lines
//! less were worth nothing by themselves, as they had been asked for in time; that the cell needs no line
//! before it let a pass go, with which data and results of each packet were carried from one to the next
//! (3.5 of 49 ns); the rest are instructions, 643 to 549, most of them in reading ports and lengths twice
//! and in what the compiler kept on the stack. Asking for slots ahead costs 1 ns among a thousand sockets
//! and saves 4 % among a hundred thousand: it is left out.
//!
//! **Reassembly** is a worker's own: RSS hashes fragments by addresses alone, so that those of a
//! datagram meet on one worker. Each datagram in progress has one slot of a pool apart, so that a flood
//! of fragments holds no frame that links need.
//!
//! **ICMP errors** are made by the worker that drops the packet and go back the way it came. Each
//! worker has its share of the limit on their rate. Of packets that waited for a next hop that does not
//! answer the control thread makes them, out of the workers' shares: whichever has something left. So
//! the limit holds for all together, and none of it lies idle with a thread that rarely needs it. A
//! share is one atomic word, which nobody touches but for an error.
//!
//! **Packets that wait** for their next hop's link address do so whole, with the control thread. It cuts
//! those that are larger than the link takes when the address is known, and queues all fragments or none;
//! an error quotes the packet that came.
//!
//! # NICs at run time
//!
//! A worker owns its ports (a NIC's receive side, snapshot reader and way out). It is given more, or
//! asked to give one up, by commands through a ring that it looks at once per poll; what it gives up
//! goes back through another, and the control plane drops it. A [disabled](crate::stack::Nic::disable)
//! NIC keeps its ports: a flag of the snapshot has every burst dropped, and counted.
//!
//! The lint `clippy::disallowed_types` keeps locks, channels and `DashMap` out of the datapath
//! crates; where the control plane uses one it says so with `expect` and a reason. There is one
//! exception on the datapath: while somebody holds temporary endpoints, a packet whose destination
//! is not in the table takes a shared lock on a part of the map that they are in.
//!
//! # Decisions
//!
//! What was decided before the code, and what became of it. Where the code differs, the reason is
//! given.
//!
//! **The unit is the burst.** Stages take up to 64 frames at once. The input stage sorts by family
//! without a branch, since at random mixes every second branch on the family is mispredicted, in
//! each stage again.
//!
//! **The ring is our own**: by bursts, each end remembering the other's index. A burst is copied in
//! at most two pieces, and a line of indices crosses between the cores once per burst. The
//! alternatives are in `benches/`.
//!
//! **Frames are handles.** A [`Frame`](crate::frame::Frame) is 32 bytes: pool, slot, place and
//! length of the data, NIC, receive time, RSS hash, trace bit. *Differs:* the metadata was to stand
//! in the slot, in front of the data. In the handle it travels through the rings with the frame, by
//! the lines that cross anyway; whoever needs the hash or the time touches no line of the slot, and
//! the slot holds packet bytes only.
//! What is left to do with a frame is too much for it and rare: the handle has a bit, and the rest
//! stands in an array of the pool, by slot, that nobody reads for the others.
//!
//! **Slots are spread.** *Differs:* slots of 2,048 bytes were to lie side by side. The first lines
//! of all of them would then share two sets of a 64-set cache. The default
//! [`Stride`](crate::frame::Stride) adds one line, an odd number of lines in all, so that headers
//! visit every set; `Packed` is there for memory that a device has to address (zero-copy AF_XDP; what
//! copies takes any stride).
//!
//! **The endpoint table copies by page.** *Differs:* pages were to be raw memory, replaced through a
//! directory of pointers, with a chain of retired pages beside the snapshots. It is extendible
//! hashing over `Arc`-shared pages of 4 KiB in a two-level directory (root, leaves of 64 pages)
//! instead, without `unsafe`: a page that a snapshot shares is copied, one that only the next
//! version has is edited in place, and the `Arc` tells which. A change copies one page, one leaf
//! and the root; a page that is full splits alone; cloning a table is one count; and a snapshot
//! frees its pages by being dropped, so there is no chain to keep. A page is 62 buckets of one cache
//! line: eight one-byte tags, matched at once, and eight indices. Keys are compared in the endpoint,
//! which a hit touches anyway. The hash has a random seed per NIC, unless one is given.
//!
//! **Endpoints are lines in a slab**, found by a 32-bit index and never moved: key, kind and count,
//! configuration, neighbours in the source address list. So an entry of the table is a tag and an index, and a slot is used again after the wait that frees a snapshot ([memory model](super::memory_model)).
//! A slab is blocks of 16,384 behind a table of their addresses. Chunks of doubling sizes need no table, but
//! the highest bit of the index, which takes baseline x86-64 more than all the rest of the way.
//!
//! **Routes are tries, not arrays.** DIR-24-8 finds an IPv4 route in one load (10 ns beside our 20, with
//! 500,000), and pays with 64 MiB, nothing for IPv6, and changes in place that a snapshot cannot have. The
//! trie takes 8 bits a step up to bit 40 and 4 beyond; a node from bit 24 on with little below it takes 16
//! at once, in three lines. Where most lookups end or nearly end, a node is one line or two,
//! as runs of equal slots: with a million routes a lookup waits for lines and for the places of pages, of which 30 MB of
//! slots have more than a core remembers, and under a hypervisor none is large. 10 MB instead, with those routes together
//! that lookups end at, made forwarding 15 % faster. The price is instructions, and more shapes of nodes. Passes ask for
//! the lines that the next one reads, even where the processor could read ahead by itself. The first three have no branch
//! on what they find: with one, a lookup in a thousand routes took a third longer; without the 16 bits, IPv6 in 500,000
//! took 54 ns and not 44 (`--bench routes`, `--bench forward`).
//!
//! What is on its way in a pass is a set of places, a bit each, and the baseline of x86-64 is slow at sets: a burst's
//! lookups are compiled for the newer instructions as well ([`isa`](crate::sync::isa)), and those are used where the
//! processor has them, which made a lookup among a million routes 6 % faster, and hardly among a thousand. Twenty
//! instructions less for a search in runs of slots, sixteen compared at once, were worth nothing: it waits for lines.
//!
//! **Whatever is not plain is odd.** A packet that is sent on has nothing in its way by the first bytes of its addresses,
//! its options and its length, and its next hop is known. Any other is taken out of the loop and looked into from the
//! beginning, also if nothing turns out to be wrong with it (`0:1::1`, harmless options). So the loop keeps nothing at hand
//! but what nearly all need: 75 instructions, not 81.
//!
//! **Snapshots go through arc-swap** and are read through its `Cache`, once per burst. *Added:* what
//! a snapshot was the last to lead to is handed back to the publisher when its last reader is gone.
//! That makes the snapshot's own life the proof that an endpoint can be closed: there is no second
//! mechanism of epochs.
//!
//! **No reference per packet.** Within a burst the snapshot keeps what was found in memory, and
//! nothing is counted. What outlives the burst is an [`EndpointRef`](crate::stack::EndpointRef),
//! taken by a try-increment that never counts up from zero.
//!
//! **Temporary endpoints.** *Differs:* a packet accepted for nobody's address (a promiscuous NIC, a
//! range) was to get an endpoint that lives in its worker and dies with the burst. It gets none:
//! being accepted is a constant in the lookup's result, and an endpoint is made only if somebody
//! [holds](crate::stack::Packet::hold) it. That one stands in a shared map, visible to all workers
//! without a publish, and becomes the permanent endpoint if the address is added.
//!
//! **Close is an event.** The last reference gone and the last handler that could see it returned,
//! an endpoint is closed exactly once: its slot can be used again, and
//! [`Event::EndpointClosed`](crate::stack::Event::EndpointClosed) says so, also of a NIC that was
//! removed meanwhile. There is no callback on a thread of ours.
//!
//! **Workers are objects**, and so are distributors and the control plane's share. Threads are
//! [`Engine::start`](crate::engine::Engine::start)'s business or the embedder's
//! ([embedding](super::embedding)).
//!
//! **The frame pool counts what moves per thread.** Allocations and recyclings are counted by each
//! thread's cache, and only the slow return (a frame dropped anywhere) touches a shared word. A
//! frame therefore holds no counted reference to its pool; who frees a pool whose handles are gone
//! while frames are out is told in the [memory model](super::memory_model).
//!
//! **Accounting is exact** ([accounting](super::accounting)): a drop reason is declared once and is
//! the counter, the label and the description.
//!
//! **A handler's panic costs its packet**: it is caught around the handler's burst, counted, told as
//! an event, and the handler is called again with the packets behind.
