//! What corelane does not do yet.
//!
//! | | as it is |
//! |---|---|
//! | **Real links** | memory and capture files only: no TAP, AF_PACKET, AF_XDP or DPDK |
//! | **ARP and resolution** | ARP is dropped as `unknown_protocol`; neighbor solicitations for addresses of the NIC are answered, but nothing is resolved: a route's link address is set by hand |
//! | **Router discovery** | router advertisements and redirects go to the handler as any ICMPv6; there is no address autoconfiguration but the link-local address |
//! | **IPv4 address conflicts** | no detection (RFC 5227) without ARP |
//! | **Source-specific groups** | joins are for any source (RFC 3376's EXCLUDE{}) |
//! | **Fragments** | dropped as `fragment_unsupported`, IPv4 and IPv6 |
//! | **IPv6 extension headers** | not looked into on delivery, but for hop-by-hop options in front of ICMPv6: the first one stands as the packet's protocol (RSS does look behind some, for the ports) |
//! | **IPv4 options** | skipped, not interpreted |
//! | **Forwarding and routes** | none: `forwarded` is always 0 |
//! | **Sockets and demultiplexing** | none: a worker's handler gets every packet of every NIC and sorts it itself |
//! | **TCP** | the header is checked for being there whole, no more |
//! | **Transport checksums** | UDP's and TCP's are not verified on delivery; ICMP's are |
//! | **Sending** | a handler sends frames, headers and all, on the NIC the packet came from ([`Packet::send`](crate::stack::Packet::send)); other threads send through a NIC's queue of 256 frames ([`Nic::send`](crate::stack::Nic::send), [`Route`](crate::stack::Route)): for what is rare |
//! | **ICMP errors** | none are sent, received ones go to the handler |
//! | **MAC filter** | none: the destination MAC address is looked at only to leave an echo request to a group unanswered |
//! | **VLAN** | tagged frames are `unknown_protocol` (RSS does look behind up to two tags) |
//! | **MTU** | routes and [`Nic::send`](crate::stack::Nic::send) refuse what is larger; what a handler sends is not measured against it |
//! | **Offloads** | none: no checksum, segmentation or coalescing; one frame is one slot, at most 128 KiB |
//! | **Traces and taps** | a [`Tracer`](crate::engine::trace::Tracer) watches every frame of its engine or none: a frame has a trace bit that nothing reads yet; no packet endpoints |
//! | **Links' own counters** | are read from the link ([`PcapCounters`](crate::io::pcap::PcapCounters)), not in reports |
//! | **Handlers at run time** | handlers and workers are fixed when the engine is built; NICs come and go |
//! | **RSS at run time** | key and table are fixed when the engine is built |
//! | **Shrinking** | the endpoint table and its slab do not give memory back when addresses go; slots and pages are used again |
//! | **Command** | `bench`, `replay`, `sim` and `check-config` are there; `search`, `up`, `ctl`, `top` and the others are not |
//! | **Platforms** | built and tested on Linux, x86-64 |
//!
//! # Bounds
//!
//! | | at most |
//! |---|---|
//! | frames in a burst | 64 |
//! | workers | 128, the entries of the RSS table |
//! | slots of a pool | 2²⁴ − 1 |
//! | bytes of a slot | 128 KiB, headroom included |
//! | endpoints of a NIC | 10 million is what it is built for; the table's directory ends at 2²² pages of some 250 to 370 |
//! | references to one endpoint | 2³⁰ − 2 |
//! | events not yet read | 4,096 of normal life, 1,024 of what went wrong and of NICs' lives |
//! | frames of a NIC's own, and of routes, on their way | 256 |
//! | control packets of one worker on their way to the control plane | 256 |
