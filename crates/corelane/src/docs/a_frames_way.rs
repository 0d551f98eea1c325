//! The way of two packets, stage by stage, as the simulator tells it.
//!
//! Everything below in this type of block is what this command prints, in one piece, up to the report; a test of the
//! tools fails when it prints anything else:
//!
//! `corelane sim --config case.toml --in wan=in/wan.txt --in lan=in/lan.txt --out out --trace`
//!
//! It was run in the folder `tools/cases/a-frames-way`, whose `case.toml` says what the host is: a router with a NIC
//! `wan` (192.0.2.1/24) and a NIC `lan` (198.51.100.1/24, MTU 1280), a route to each subnet, and a UDP echo service on
//! 192.0.2.1, port 7. The stages are the files of `crates/engine/src/node/`; the line of each is what it made of the
//! frame above it.
//!
//! # One that is forwarded
//!
//! The NICs are enabled first, in the order of the configuration.
//!
//! ```text
//! 0s wan nic_enabled
//! 0s lan nic_enabled
//! ```
//!
//! A host on the wan sends a datagram to one on the lan, through the router: the frame is for the router's MAC, the
//! packet is not for its address.
//!
//! ```text
//! 0s wan receives eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip4 192.0.2.9 > 198.51.100.9 / udp 4000 > 9 / "hello"
//! ```
//!
//! Before this the link gave the frame to the NIC's distributor, which chose a worker by the RSS hash of addresses and
//! ports and put it into that worker's ring. The worker took it with the rest of a burst, of one frame here, and loaded
//! the snapshot of the NIC: all stages go by the same version of its addresses, whatever changes meanwhile.
//!
//! ```text
//!     ethernet_input: ip4
//!     ip4_input: valid
//! ```
//!
//! `ethernet_input` sorts the burst by EtherType. (Packet endpoints see it here, before any check, if there are some.)
//! `ip4_input` checks the header: version, lengths, checksum, and that the source can be one. It writes down where the
//! parts of the packet are, and copies nothing.
//!
//! ```text
//!     lookup: nothing
//! ```
//!
//! The destination is looked up among the addresses of the NIC it came by, three passes over the burst so that cache
//! misses overlap. It is nobody's. Without forwarding the packet would end in `local_deliver` as `invalid_address`;
//! since the NIC forwards, and neither the address nor the frame is for many, it goes on.
//!
//! ```text
//!     ip_lookup: routed
//! ```
//!
//! `ip_lookup` finds the row with the longest prefix that the destination is in, here 198.51.100.0/24 on the lan, in the
//! published version of the route table. Packets of a burst that leave by one NIC stay together from here.
//!
//! ```text
//!     ip_forward: waits
//! ```
//!
//! `ip_forward` loads the snapshot of the lan and asks whether the destination is one of its addresses, which would make
//! it a packet for the router after all. It is not. Then it looks at TTL, size and options; what is wrong there ends
//! here, and its sender is told by `icmp_error`. It takes one off the TTL, mends the checksum by that difference
//! (RFC 1624), and looks the next hop up in the neighbor table of the lan. There is no such neighbor. A worker does not
//! wait: it puts the packet into its ring to the control plane, and is done with it. On the wan it counts as `consumed`.
//!
//! ```text
//!     control: resolving
//! ```
//!
//! The control thread makes an entry for 198.51.100.9 in the state INCOMPLETE, keeps the packet with it, and asks. Up to
//! 16 packets wait for a neighbor; the question is repeated each second, and after the third without an answer the
//! senders of all that waits are told that the host is unreachable.
//!
//! ```text
//! 0s lan sends eth 02:00:00:00:00:02 > ff:ff:ff:ff:ff:ff / arp request 02:00:00:00:00:02 198.51.100.1 > 00:00:00:00:00:00 198.51.100.9
//! ```
//!
//! The request went through the lan's own queue to its distributor, which has the transmit queue. A quarter of a second
//! later the answer comes, and takes the other way through the stages:
//!
//! ```text
//! 0.25s lan receives eth 02:00:00:00:00:19 > 02:00:00:00:00:02 / arp reply 02:00:00:00:00:19 198.51.100.9 > 02:00:00:00:00:02 198.51.100.1
//!     ethernet_input: other
//!     arp_input: punted
//! ```
//!
//! ARP is neither IPv4 nor IPv6, so `ethernet_input` has it among the others. `arp_input` checks what needs no state
//! and hands the frame over: what it means is for the control plane.
//!
//! ```text
//!     control: noted
//! ```
//!
//! The neighbor is REACHABLE now. Its link address is one store into a line that the workers read; no new version of
//! anything is published for that. What waited is sent, from the MAC of the lan (BUG 16: netstack left the sender's), and
//! who listens to events is told.
//!
//! ```text
//! 0.25s lan sends eth 02:00:00:00:00:02 > 02:00:00:00:00:19 / ip4 192.0.2.9 > 198.51.100.9 ttl=63 / udp 4000 > 9 / "hello"
//! 0.25s lan neighbor_changed address=198.51.100.9 change=reachable mac=02:00:00:00:00:19
//! ```
//!
//! The next packet to that host finds the neighbor, and the control plane never hears of it:
//!
//! ```text
//! 1s wan receives eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip4 192.0.2.9 > 198.51.100.9 / udp 4000 > 9 / "again"
//!     ethernet_input: ip4
//!     ip4_input: valid
//!     lookup: nothing
//!     ip_lookup: routed
//!     ip_forward: forwarded
//!     link_output: queued
//! 1s lan sends eth 02:00:00:00:00:02 > 02:00:00:00:00:19 / ip4 192.0.2.9 > 198.51.100.9 ttl=63 / udp 4000 > 9 / "again"
//! ```
//!
//! `ip_forward` writes the two MACs over those in the frame, which is sent as it is: the buffer the link received it into
//! is the one it is sent from, now in the worker's line for the lan. It counts as `forwarded` on the NIC it came by, and as
//! `sent` on the one it left by. `link_output` puts the whole line into the ring to the lan's distributor.
//!
//! # One for the router itself, in fragments
//!
//! A host on the wan sends 1528 bytes to the echo service, more than one frame takes. The first fragment:
//!
//! ```text
//! 2s wan receives eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip4 192.0.2.9 > 192.0.2.1 id=7 mf proto=17 / 0fa0000706000000 / fill 1472
//!     ethernet_input: ip4
//!     ip4_input: valid
//!     lookup: permanent
//!     local_deliver: reassemble
//! ```
//!
//! The ports are in this fragment and not in the other, so RSS hashed the addresses alone: both come to one worker. The
//! destination is an address of the NIC, so that `local_deliver` has it, after any headers between network and transport
//! were walked (`extension`: there are none here). A fragment it gives to `reassemble`.
//!
//! ```text
//!     reassemble: held
//! ```
//!
//! Each worker puts its own datagrams together. The bytes are copied into a slot of a pool that is for nothing else, as
//! large as a datagram can be, and the frame goes back at once: a flood of fragments holds none of the frames that links
//! receive into. If the rest did not come within 30 seconds, the sender would be told (`icmp_error`), since this is the
//! first fragment.
//!
//! ```text
//! 2.1s wan receives eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip4 192.0.2.9 > 192.0.2.1 id=7 offset=185 proto=17 / fill 56 from=192
//!     ethernet_input: ip4
//!     ip4_input: valid
//!     lookup: permanent
//!     local_deliver: reassemble
//!     reassemble: complete
//! ```
//!
//! The second one fills the gap. From here the datagram goes on in place of its last fragment, as if it had come whole.
//!
//! ```text
//!     local_deliver: transport
//!     handler: delivered
//! ```
//!
//! Nobody has a socket for it here, so it goes to the [`Handler`](crate::stack::Handler), with all others of the burst
//! in one call; the simulator's services are one. It counts as `delivered`, and the fragment before it as `consumed`, so
//! that `received = delivered + forwarded + consumed + drops` holds. If the handler had refused it, `unknown_destination`
//! would have told the sender that nobody has the port.
//!
//! The service turned the datagram around in its own buffer and sent it by the NIC it came from. That is 1556 bytes with
//! its headers, and the link takes 1500:
//!
//! ```text
//!     link_output: fragmented
//!     link_output: queued
//!     link_output: queued
//! 2.1s wan sends eth 02:00:00:00:00:01 > 02:00:00:00:00:09 / ip4 192.0.2.1 > 192.0.2.9 id=30751 mf proto=17 / 00070fa00600ceb1 / fill 1472
//! 2.1s wan sends eth 02:00:00:00:00:01 > 02:00:00:00:00:09 / ip4 192.0.2.1 > 192.0.2.9 id=30751 offset=185 proto=17 / fill 56 from=192
//! ```
//!
//! Cut into two, each in a frame of its own, it goes the way of every frame that is sent: into the worker's line, the
//! ring to the distributor, and out.
//!
//! # The same, of other packets
//!
//! Every folder of `tools/cases` is such a run. `corelane sim --trace` prints the way of each of its frames, and of those
//! of a capture of one's own.
