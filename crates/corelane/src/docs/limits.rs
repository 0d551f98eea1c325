//! What corelane does not do yet.
//!
//! | | as it is |
//! |---|---|
//! | **Real links** | memory and capture files only: no TAP, AF_PACKET, AF_XDP or DPDK |
//! | **ARP and neighbor discovery** | not answered, nothing resolved: ARP is dropped as `unknown_protocol`; neighbor discovery for an address of the NIC goes to the handler as any ICMPv6 |
//! | **Duplicate address detection** | an address is in use as soon as it is added |
//! | **Groups** | no multicast membership, IGMP or MLD: packets to groups and broadcasts are `invalid_address`, unless the NIC is promiscuous |
//! | **Fragments** | dropped as `fragment_unsupported`, IPv4 and IPv6 |
//! | **IPv6 extension headers** | not looked into on delivery: the first one stands as the packet's protocol (RSS does look behind some, for the ports) |
//! | **IPv4 options** | skipped, not interpreted |
//! | **Forwarding and routes** | none: `forwarded` is always 0 |
//! | **Sockets and demultiplexing** | none: a worker's handler gets every packet of every NIC and sorts it itself |
//! | **TCP** | the header is checked for being there whole, no more |
//! | **Transport checksums** | UDP's and TCP's are not verified on delivery; ICMP's are |
//! | **Sending** | a handler sends frames, headers and all, on the NIC the packet came from ([`Packet::send`](crate::stack::Packet::send)); no route or link address is looked up for them, and no other thread can send |
//! | **ICMP errors** | none are sent, received ones go to the handler |
//! | **MAC filter** | none: the destination MAC address is looked at only to leave an echo request to a group unanswered |
//! | **VLAN** | tagged frames are `unknown_protocol` (RSS does look behind up to two tags) |
//! | **MTU** | a link has one, nothing is measured against it |
//! | **Offloads** | none: no checksum, segmentation or coalescing; one frame is one slot, at most 128 KiB |
//! | **Traces and taps** | a frame has a trace bit that nothing reads yet; no packet endpoints |
//! | **Links' own counters** | are read from the link ([`PcapCounters`](crate::io::pcap::PcapCounters)), not in reports |
//! | **Handlers at run time** | handlers, NICs and workers are fixed when the engine is built |
//! | **RSS at run time** | key and table are fixed when the engine is built |
//! | **Shrinking** | the endpoint table and its slab do not give memory back when addresses go; slots and pages are used again |
//! | **Command** | `bench` and `replay` are there; `search`, `sim`, `up`, `ctl`, `top` and the others are not |
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
//! | events not yet read | 4,096 endpoints closed, 256 others |
//!
//! # Where a NIC differs from netstack's
//!
//! The behaviour is that of netstack's `nic.go` of October 2019, whose observable behaviours the
//! project numbers; a comment or test that says `BEHAVIOURS A16` means number 16 of section A of
//! that list. What is built so far differs in this:
//!
//! | number | netstack | here, and why |
//! |---|---|---|
//! | A5 | an address added again keeps its old prefix length and primary behaviour | takes the new ones: a defect there |
//! | A11 | any address can be added | the unspecified, multicast, limited broadcast and IPv4-mapped ones are refused: no host can have them (RFC 1122 section 3.2.1.3, RFC 4291 section 2.5) |
//! | A13 | an IPv6 address joins its solicited-node group | not yet: there are no groups |
//! | A25 | the listing of ranges has every address too | ranges only; addresses have their own listing |
//! | C5 | endpoints made for packets can become source addresses | never: a defect there |
//! | C6 | an expired address takes its old place in the primary order when it is added again | takes the place its new configuration says, as A5 |
//! | D3 | a tentative address can be found through promiscuous mode or a range | never (RFC 4862 section 5.4) |
//! | I1 | received bytes are those of the network packet | those of the frame, Ethernet header included |
//! | I11 | header checksums are not verified | IPv4's is (RFC 1122 section 3.2.1.2); malformed packets are counted by what is wrong with them, also for IPv6 |
//! | I6 | packets from multicast, broadcast or our own source addresses are taken | as there, but no echo reply goes to one |
