//! What happens to a frame that arrives, step by step, and which counters move.
//!
//! This is netstack's `DeliverNetworkPacket` and what it calls (sections I and J of
//! [`behaviours`](super::behaviours)), in the order of the stages. A frame goes down the table until a
//! row is about it: that is its fate, and the only one. `received` and `received_bytes` of the NIC it
//! arrived on move for every frame, whatever becomes of it, and `received_bytes` by the whole frame (I1).
//! Of other counters exactly those move that its row names: of the NIC it arrived on in the fourth
//! column, of the NIC it leaves by in the fifth. All of them are explained in
//! [`accounting`](super::accounting). `crates/corelane/tests/delivery_i.rs` reads this table, sends a
//! frame for each row through an engine, and looks at every counter.
//!
//! The NIC has the addresses 10.0.0.1/24 and 2001:db8:0::1/64, another one 10.0.1.1/24 and
//! 2001:db8:1::1/64. Steps 45 and up are of a NIC that forwards, the others of one that does not.
//!
//! | step | stage | a frame | counters of its NIC | of the NIC it leaves by | numbers |
//! |---|---|---|---|---|---|
//! | 1 | `ethernet_input` | any, on a NIC that is disabled | `nic_disabled` | | I1 |
//! | 2 | `ethernet_input` | shorter than an Ethernet header | `ethernet_truncated` | | I5 |
//! | 3 | `ethernet_input` | of a protocol that the NIC does not speak | `unknown_protocol` | | I2 |
//! | 4 | `packet_endpoints` | to nobody's address, shown to a packet endpoint | `invalid_address` | | I3, I8 |
//! | 5 | `arp_input` | ARP that is malformed | `arp_invalid` | | I5 |
//! | 6 | `arp_input` | an ARP request for an address of the NIC | `consumed`, `arp_requests_received`, `arp_replies_sent`, `sent`, `sent_bytes` | | I7 |
//! | 7 | `ip4_input` | IPv4, shorter than the header | `ip4_truncated` | | I5 |
//! | 8 | `ip4_input` | IPv4 of another version | `ip4_version` | | I6, I11 |
//! | 9 | `ip4_input` | IPv4 with a header length under 20 bytes | `ip4_header_length` | | I11 |
//! | 10 | `ip4_input` | IPv4 with a total length over the frame's | `ip4_total_length` | | I11 |
//! | 11 | `ip4_input` | IPv4 with a wrong header checksum | `ip4_checksum` | | I11 |
//! | 12 | `ip4_input` | IPv4 from an address of the NIC itself | `martian` | | I6 |
//! | 13 | `ip6_input` | IPv6, shorter than the header | `ip6_truncated` | | I5, I14 |
//! | 14 | `ip6_input` | IPv6 of another version | `ip6_version` | | I6, I14 |
//! | 15 | `ip6_input` | IPv6 with a payload length over the frame's | `ip6_payload_length` | | I14 |
//! | 16 | `ip6_input` | IPv6 from a group | `martian` | | I6 |
//! | 17 | `local_deliver` | to nobody's address | `invalid_address` | | I8 |
//! | 18 | `extension` | IPv4 with a source route | `ip4_options` | | I11 |
//! | 19 | `extension` | IPv4 with malformed options | `ip4_options`, `v4_parameter_problem_sent`, `sent`, `sent_bytes` | | I11 |
//! | 20 | `extension` | IPv6 with an option that says to discard | `ip6_extension` | | I14 |
//! | 21 | `extension` | IPv6 with an option that says to tell the sender | `ip6_extension`, `v6_parameter_problem_sent`, `sent`, `sent_bytes` | | I14 |
//! | 22 | `extension` | IPv6 with nothing behind its headers | `ip6_no_next_header` | | I14 |
//! | 23 | `reassemble` | a fragment without a payload | `fragment_invalid` | | I12 |
//! | 24 | `reassemble` | the first fragment of a datagram | `consumed` | | I12 |
//! | 25 | `reassemble` | a fragment that overlaps another | `fragment_overlap` | | I12 |
//! | 26 | `reassemble` | the last fragment of a datagram | `delivered` | | I12 |
//! | 27 | `local_deliver` | UDP with a length over the packet's | `transport_truncated` | | I7 |
//! | 28 | `icmp_input` | ICMP shorter than its header | `icmp_truncated`, `v4_invalid_received` | | I13 |
//! | 29 | `icmp_input` | ICMP with a wrong checksum | `icmp_checksum`, `v4_invalid_received` | | I13 |
//! | 30 | `icmp_input` | an echo request | `consumed`, `v4_echo_request_received`, `v4_echo_reply_sent`, `sent`, `sent_bytes` | | I13 |
//! | 31 | `icmp_input` | an echo reply | `delivered`, `v4_echo_reply_received` | | I13 |
//! | 32 | `control_input` | a neighbor solicitation with a hop limit under 255 | `ndp_invalid`, `v6_invalid_received` | | I14 |
//! | 33 | `control_input` | a neighbor solicitation for an address of the NIC | `consumed`, `v6_neighbor_solicit_received`, `neighbor_solicitations_received`, `neighbor_advertisements_sent`, `sent`, `sent_bytes` | | I14 |
//! | 34 | `control_input` | an ICMP error about what was never sent | `consumed`, `v4_destination_unreachable_received`, `errors_ignored` | | I13 |
//! | 35 | `control_input` | IGMP with a wrong checksum | `igmp_invalid` | | I13 |
//! | 36 | `control_input` | MLD without a router alert | `mld_invalid`, `v6_invalid_received` | | I14 |
//! | 37 | `local_deliver` | UDP to an address of the NIC | `delivered` | | I7, I13 |
//! | 38 | `local_deliver` | one that the handler panics over | `handler_panicked` | | I7 |
//! | 39 | `unknown_destination` | UDP that the handler refuses | `unknown_port`, `v4_destination_unreachable_sent`, `sent`, `sent_bytes` | | I13 |
//! | 40 | `unknown_destination` | TCP that the handler refuses | `unknown_port`, `resets_sent`, `sent`, `sent_bytes` | | I13 |
//! | 41 | `unknown_destination` | refused, with a wrong checksum | `transport_checksum` | | I13 |
//! | 42 | `unknown_destination` | of a transport that the handler refuses | `unknown_transport`, `v4_destination_unreachable_sent`, `sent`, `sent_bytes` | | I13 |
//! | 43 | `unknown_destination` | an echo reply that the handler refuses | `icmp_unwanted`, `v4_echo_reply_received` | | I13 |
//! | 44 | `local_deliver` | what the NIC sent to all, as it comes back | `looped`, `delivered`, `sent`, `sent_bytes` | | I7 |
//! | 45 | `ip_lookup` | for another host, without a route | `no_route`, `v4_destination_unreachable_sent`, `sent`, `sent_bytes` | | I9 |
//! | 46 | `ip_lookup` | to a link-local address | `not_forwarded` | | J10 |
//! | 47 | `ip_forward` | for an address of another NIC | `delivered` | | J4, J11 |
//! | 48 | `ip_forward` | for all hosts of another NIC's subnet | `not_forwarded` | | J10 |
//! | 49 | `ip_forward` | from a link-local address, for a host on another link | `not_forwarded`, `v6_destination_unreachable_sent`, `sent`, `sent_bytes` | | J10 |
//! | 50 | `ip_forward` | for another host, with a TTL of 1 | `hop_limit`, `v4_time_exceeded_sent`, `sent`, `sent_bytes` | | J6 |
//! | 51 | `ip_forward` | for another host, larger than the next link takes, not to be cut | `packet_too_big`, `v4_destination_unreachable_sent`, `sent`, `sent_bytes` | | J6 |
//! | 52 | `ip_forward` | for another host, larger than the next link takes | `forwarded` | `sent`, `sent_bytes` | J6 |
//! | 53 | `ip_forward` | for another host whose link address is not known | `consumed` | `arp_requests_sent`, `sent`, `sent_bytes` | J8 |
//! | 54 | `ip_forward` | for another host whose link address is not known, larger than the next link takes | `consumed` | `arp_requests_sent`, `sent`, `sent_bytes` | J6, J8 |
//! | 55 | `ip_forward` | for another host who does not answer | `neighbor_unreachable`, `v4_destination_unreachable_sent`, `sent`, `sent_bytes` | | J8 |
//! | 56 | `ip_forward` | for another host | `forwarded` | `sent`, `sent_bytes` | I10, J9 |
//!
//! What ends for want of room, or because something went down in the same burst, has no row: `punt_full`,
//! `reassembly_full`, `super_frame_full`, `neighbor_full`, `egress_down`, `socket_full`, `socket_closed`. Nor has
//! `super_frame_invalid`: what a link says of a super-frame is not in the frame.
//!
//! A frame that is dropped is not looked at further. There is no counter of IP packets as such (I4): they
//! are `received` without the rows of `ethernet_input` and `arp_input`. Sockets are in the place of the
//! handler, for what they are bound to.
