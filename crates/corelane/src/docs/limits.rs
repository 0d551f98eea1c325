//! What corelane does not do yet.
//!
//! | | as it is |
//! |---|---|
//! | **Real links** | TAP, AF_PACKET and AF_XDP ([`real_links`](super::real_links)); no DPDK. AF_XDP receives frames of 3,840 bytes at most, and its zero-copy has not met a driver that can |
//! | **Router discovery** | router advertisements and redirects go to the handler as any ICMPv6; there is no address autoconfiguration but the link-local address |
//! | **IPv4 address conflicts** | an ARP packet from an address in use is told as a conflict; addresses are not probed before they are used (RFC 5227 section 2.1) |
//! | **Source-specific groups** | joins are for any source (RFC 3376's EXCLUDE{}) |
//! | **IPv6 extension headers** | walked in packets to this host; hop-by-hop options of forwarded packets are not looked at (RFC 8200 section 4 leaves that to configuration). No routing type and no option is acted on, and echo replies have none of them |
//! | **IPv4 options** | none is acted on: source routes are refused, malformed ones answered, others carried as they are; a router records no route and no time, and echo replies have none of their requests' (RFC 1122 section 3.2.2.6 would have routes and times go back) |
//! | **Multicast forwarding** | none: groups are not routed |
//! | **Redirects** | neither sent nor followed |
//! | **Equal-cost paths** | one way for each destination: the first row whose NIC is up |
//! | **TCP** | segments are checked for their header and answered with a reset where nobody takes them; there is no TCP |
//! | **Transport checksums** | verified for sockets, and before anything is answered; not for handlers ([`Packet::udp`](crate::stack::Packet::udp) says how to) |
//! | **Sending** | a handler sends frames, headers and all, on the NIC the packet came from ([`Packet::send`](crate::stack::Packet::send)); other threads, sockets among them, send through a NIC's queue of 256 frames ([`Nic::send`](crate::stack::Nic::send), [`Route`](crate::stack::Route), [`UdpSocket`](crate::stack::UdpSocket)): for what is rare |
//! | **ICMP errors** | go back the way the packet came, to the link address it came from, not by a route. Those of a router are from an address of the NIC it came by that is good beyond its link, otherwise from another NIC's, otherwise from a link-local one |
//! | **Reverse paths** | a source is not looked for in the routes. A NIC refuses its own addresses and the broadcasts of its own subnets as sources, and not those of other NICs |
//! | **A router's own addresses** | a NIC that forwards takes no subnet-router anycast (RFC 4291 section 2.8), nor does netstack's |
//! | **Scopes** | a packet from a link-local address to one beyond the link is dropped, also where its next hop is on the link that it came by (RFC 4007 section 9 would have it go there); who sent one that would have left by another NIC is told (RFC 4443 section 3.1, code 2) |
//! | **MAC filter** | none: whatever MAC address a frame is for, its packet is delivered as netstack does (I7), UDP to one address in a frame for many too, which RFC 1122 section 3.3.6 would have discarded. To what comes in a frame for many the engine sends no echo reply, error or reset, and it sends none of it on; sockets and handlers may answer |
//! | **Path MTU** | known to routes and sockets, and lowered by reports about what these sent: addresses, protocol and ports have to be those of a packet of the last minute that was no shorter than the quoted one and longer than any link takes (68 bytes, 1,280 in IPv6); the MTU less than the quoted packet; the destination no IPv4 group or broadcast, and no address of this host. Whoever sees that traffic, or guesses it, can still forge one: what the packet carried, its number and its checksum are not kept. Nothing is believed of what workers and handlers send ([`Packet::send`](crate::stack::Packet::send), [`Nic::send`](crate::stack::Nic::send)), echo replies among it: no record is kept of it, and it goes by the MTU of its NIC. Such errors reach nobody but raw sockets |
//! | **Readers that are slow** | a datagram that came in fragments and is longer than an ordinary frame waits for its reader in a slot of reassembly's own pool: 64 for each worker and as many for what is on its way, and a few more. In a queue 16 of them wait at most, and none takes one of the last 32 slots of a worker: what is more is dropped as `socket_full`. So four sockets whose readers are slow cost nobody else anything, and more of them only the sockets that get such datagrams. What a reader or a handler has taken, and keeps, is not counted |
//! | **Errors for sockets** | reach the one that an answer would: not one that is bound to a group or a broadcast, or to another NIC than the error came by. That a neighbor does not answer is told by the next attempt to send, not to whoever waits |
//! | **VLAN** | tagged frames are `unknown_protocol` (RSS does look behind up to two tags) |
//! | **MTU** | routes and [`Nic::send`](crate::stack::Nic::send) refuse what is larger; what a handler sends is not measured against it |
//! | **Offloads** | TAP and AF_PACKET take and give partial checksums and super-frames; AF_XDP has none: it counts checksums left to hardware, drops super-frames that come, and what it sends is completed and cut in software ([`real_links`](super::real_links)); one frame is one slot, at most 128 KiB |
//! | **Traces** | one at a time in `up`. A frame is followed by its slot: what the engine makes of it in another frame (an ICMP error, fragments) is not; a datagram from fragments goes on as the last of them |
//! | **Captures** | of `ctl`: what is sent is shown when it is put in line, before the link takes it; where there are super-frames it has room for fewer of them, as each has to fit: `--snaplen` makes more |
//! | **Links' own counters** | are read from the link ([`PcapCounters`](crate::io::pcap::PcapCounters), `TapCounters`, `AfPacketCounters`, `AfXdpCounters`), not in reports |
//! | **Receive times** | AF_PACKET frames have the kernel's; those of TAP and AF_XDP have none |
//! | **Handlers at run time** | handlers and workers are fixed when the engine is built; NICs come and go, as far as the frames of the pool go, which is made with the engine (`spare_nics` of a configuration) |
//! | **RSS at run time** | key and table are fixed when the engine is built |
//! | **Shrinking** | the endpoint table and its slab do not give memory back when addresses go; slots and pages are used again |
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
//! | control packets of one worker on their way to the control plane | 256, and as many that wait for a neighbor |
//! | fragments' datagrams of one worker in progress | 64 unless configured |
//! | datagrams from fragments that wait in a queue and are longer than an ordinary frame | 16 |
//! | fragments of an echo reply, and of what a handler sends | what MTU and length make of it, up to 1,365. Of more than 64 the first are sent before the last are made; where frames of the pool, or room to the link (256 frames from a worker to a distributor unless configured), run out, the rest is dropped as `send_dropped`, and the reply does not count as sent |
//! | path MTUs | 4,096 unless configured; and as many kinds of packets that reports are believed of, in each half a minute |
//! | neighbors of a NIC | 512 unless configured, beside static ones and gateways |
//! | packets that wait for a neighbor | 16 for each, 1,024 in all, unless configured |
//! | routes | 2²⁶ nodes of the tries; 1 million is what it is built for |
