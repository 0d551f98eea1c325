//! Every counter and every drop reason, where it moves, and what must add up.
//!
//! A counter has one writer, the worker or the distributor it belongs to; readers add up. Reports
//! are read from any thread ([`Monitor`](crate::engine::Monitor)), at no cost to the workers. Read
//! while frames move, a report's parts are from slightly different moments; at a quiescent point the
//! identities hold to the frame.
//!
//! # Identities
//!
//! For each NIC, on each worker and in sum:
//!
//! ```text
//! received = delivered + forwarded + consumed + Σ drops
//! ```
//!
//! ([`NicTotals::balance`](crate::stack::NicTotals::balance) is 0.) Within a burst the outcomes are
//! added first and `received` last, so that who reads in between sees a balance below 0 and not a
//! frame that seems lost.
//!
//! For each distributor:
//!
//! ```text
//! taken = handed_over + ring_full + those it holds
//! handed_over = received (of its NIC) + those in the rings and in work
//! in_flight = taken − ring_full − received
//! ```
//!
//! (`received` less `looped` and `unpacked` here: what the NIC sent to itself, or cut, never passed the
//! distributor.)
//! `in_flight` ([`EngineReport`](crate::engine::EngineReport)) is over all distributors, 0 when every
//! frame taken has been accounted for by a worker. A link that workers poll themselves has nothing
//! in between.
//!
//! On the way out, for each NIC:
//!
//! ```text
//! replies + errors + forwarded packets (or their fragments) + own messages + routes' packets
//!     + segments − segmented = sent + send_dropped + those on their way
//! ```
//!
//! (`consumed` counts echo replies, one for each request, and the packets that the control plane
//! took. What waited for a neighbor is counted there: `neighbor_packets_sent`, `_failed`, `_dropped`; one
//! that is larger than the link takes is cut when its next hop is known, and counts once. What found no
//! frame or no room in its queue is no frame yet: it is counted `unsent`, an ICMP error `v4_unsent` or
//! `v6_unsent`.) Whoever gives a frame to the link counts it: the
//! worker, or the NIC's distributor, whose share is in the NIC's sum and not in that of a worker. A
//! worker counts as `send_dropped` what found the ring to the distributor full.
//!
//! **Super-frames.** One frame is one fate, whatever it stands for. Received and sent on, a super-frame
//! is one `received` and one `forwarded`. Sent whole, it is one `sent`. Cut on its way out, it is one
//! `segmented`, and each of the `segments` is `sent` or, without a buffer or room, `send_dropped`. A UDP
//! super-frame to this host is one `consumed`, and each of its datagrams is received in turn
//! (`unpacked`) and has its own fate: one for which there is no buffer is dropped as `super_frame_full`.
//!
//! For the pool, when nothing moves:
//!
//! ```text
//! slots = out + in_caches + in_depot + in_strays
//! out   = allocated − recycled − strays
//! ```
//!
//! # Drop reasons
//!
//! Declared once, in `crates/stack/src/drop_reason.rs`: the variant is the counter, the label below
//! is its name in reports, the description is what [`DropReason::description`] returns.
//!
//! | label | dropped by | description |
//! |---|---|---|
//! | `ethernet_truncated` | `ethernet_input` | The frame is shorter than an Ethernet header. |
//! | `unknown_protocol` | `ethernet_input`, `arp_input` | The EtherType is of no network protocol the stack has. |
//! | `ip4_truncated` | `ip4_input` | The packet is shorter than an IPv4 header. |
//! | `ip4_version` | `ip4_input` | An IPv4 packet whose version is not 4. |
//! | `ip4_header_length` | `ip4_input` | The IPv4 header length is under 20 bytes or over the packet. |
//! | `ip4_total_length` | `ip4_input` | The IPv4 total length is under the header's or over the frame's. |
//! | `ip4_checksum` | `ip4_input` | The IPv4 header checksum is wrong. |
//! | `ip4_options` | `extension`, `ip_forward` | A source route, or IPv4 options that are malformed. |
//! | `ip6_truncated` | `ip6_input` | The packet is shorter than an IPv6 header. |
//! | `ip6_version` | `ip6_input` | An IPv6 packet whose version is not 6. |
//! | `ip6_payload_length` | `ip6_input` | The IPv6 payload length is over the frame's. |
//! | `ip6_extension` | `extension` | IPv6 extension headers that RFC 8200 says to discard the packet for. |
//! | `ip6_no_next_header` | `extension` | An IPv6 packet that says nothing is behind its headers. |
//! | `martian` | `ip4_input`, `ip6_input` | An address that may not be on the wire in this place, such as an IPv4-mapped one. |
//! | `arp_invalid` | `arp_input` | An ARP packet that is malformed, or whose sender cannot be one. |
//! | `nic_disabled` | `ethernet_input` | The NIC is disabled. |
//! | `invalid_address` | `local_deliver` | The destination is not an address of the NIC. |
//! | `not_forwarded` | `ip_lookup`, `ip_forward` | A packet for another host that may not leave its link: one of its addresses is local to it, or it is for all hosts of another subnet. |
//! | `no_route` | `ip_lookup` | A packet for another host that no route leads to. |
//! | `hop_limit` | `ip_forward` | A packet for another host whose TTL or hop limit ends here. |
//! | `packet_too_big` | `ip_forward` | A packet for another host that is larger than the next link takes, and may not be fragmented. |
//! | `egress_down` | `ip_forward` | A packet for another host whose next NIC is disabled, or not there. |
//! | `neighbor_full` | `ip_forward` | A packet whose next hop is being resolved, with as many waiting as may. |
//! | `neighbor_unreachable` | `ip_forward` | A packet whose next hop does not answer. |
//! | `fragment_invalid` | `reassemble`, `local_deliver` | A fragment that is malformed, or does not fit its datagram. |
//! | `fragment_overlap` | `reassemble` | A fragment that overlaps another of its datagram, or comes after one that did. |
//! | `reassembly_full` | `reassemble` | A fragment for which there was no buffer. |
//! | `super_frame_invalid` | `unpack`, `ip_forward` | A super-frame whose headers are not what its link says. |
//! | `super_frame_full` | `unpack` | A datagram of a super-frame for which there was no buffer. |
//! | `icmp_truncated` | `icmp_input` | The ICMP message is shorter than its header. |
//! | `icmp_checksum` | `icmp_input` | The ICMP checksum is wrong. |
//! | `ndp_invalid` | `control_input` | A neighbor discovery message that RFC 4861 section 7.1 says to discard. |
//! | `igmp_invalid` | `control_input` | An IGMP message that is malformed, or whose checksum is wrong. |
//! | `mld_invalid` | `control_input` | An MLD message that is malformed, or that RFC 3810 section 6.2 says to discard. |
//! | `punt_full` | `control_input`, `arp_input` | A message for the control plane, whose queue is full. |
//! | `icmp_unwanted` | `unknown_destination` | An ICMP message that nobody asked for. |
//! | `transport_truncated` | `local_deliver` | The transport header or its length field does not fit the packet. |
//! | `transport_checksum` | `transport_demux`, `unknown_destination` | The UDP or TCP checksum is wrong. |
//! | `unknown_transport` | `unknown_destination` | A transport protocol that nobody here takes. |
//! | `unknown_port` | `unknown_destination` | A UDP or TCP port that nobody here has. |
//! | `socket_full` | `transport_demux` | The queue of the socket is full, or has as many long datagrams from fragments as may wait. |
//! | `socket_closed` | `transport_demux` | Nobody reads the queue of the socket any more. |
//! | `handler_panicked` | `local_deliver` | The handler panicked over this packet. |
//!
//! A packet has one fate, the first that applies: a fragment for nobody's address is
//! `invalid_address`.
//!
//! # Counters of a NIC
//!
//! [`NicTotals`](crate::stack::NicTotals), per worker and in sum (with what distributors sent, and what the control plane counts). They are added to by the burst.
//!
//! | counter | counts |
//! |---|---|
//! | `received` | frames that a worker took up |
//! | `received_bytes` | their bytes, Ethernet headers included |
//! | `delivered` | packets put into the queue of a socket (of several or one: once), or given to a handler, those it did not ask for included |
//! | `forwarded` | packets for other hosts, in line on the NIC they leave by; one that was cut into fragments, and a super-frame, counts once |
//! | `consumed` | packets the stack dealt with itself: echo requests answered, messages taken by the control plane, fragments kept for their datagram, packets that wait for their next hop, whole |
//! | `sent` | frames that the link took |
//! | `sent_bytes` | their bytes |
//! | `send_dropped` | frames that the link, or the ring to its distributor, had no room for |
//! | `looped` | frames among the received that the NIC sent to itself |
//! | `unpacked` | datagrams among the received that UDP super-frames to this host were cut into; their bytes are counted with these |
//! | `segmented` | super-frames that were cut since the link does not take them |
//! | `segments` | what these were cut into, whether sent or not |
//! | `checksums_completed` | checksums that a sender left to hardware, completed: of packets to this host, and of those sent on a link that does not take them so |
//! | `resets_sent` | TCP resets, for segments to ports that nobody has |
//! | `drops` | frames dropped, by reason |
//! | `icmp` | ICMP messages by kind, beside what became of their frames |
//!
//! # ICMP counters of a NIC
//!
//! [`IcmpCounter`](crate::stack::IcmpCounter), in `icmp` of [`NicTotals`](crate::stack::NicTotals): per worker, and in
//! sum, with the errors that the control plane sends when a neighbor does not answer.
//!
//! | counter | counts |
//! |---|---|
//! | `v4_echo_request_received` | ICMPv4 echo requests. |
//! | `v4_echo_reply_received` | ICMPv4 echo replies. |
//! | `v4_destination_unreachable_received` | ICMPv4 destination unreachable. |
//! | `v4_source_quench_received` | ICMPv4 source quench, which is obsolete. |
//! | `v4_redirect_received` | ICMPv4 redirects. |
//! | `v4_time_exceeded_received` | ICMPv4 time exceeded. |
//! | `v4_parameter_problem_received` | ICMPv4 parameter problem. |
//! | `v4_timestamp_received` | ICMPv4 timestamp requests. |
//! | `v4_timestamp_reply_received` | ICMPv4 timestamp replies. |
//! | `v4_info_request_received` | ICMPv4 information requests, which are obsolete. |
//! | `v4_info_reply_received` | ICMPv4 information replies, which are obsolete. |
//! | `v4_invalid_received` | ICMPv4 messages that are short, broken, or of no known type. |
//! | `v6_destination_unreachable_received` | ICMPv6 destination unreachable. |
//! | `v6_packet_too_big_received` | ICMPv6 packet too big. |
//! | `v6_time_exceeded_received` | ICMPv6 time exceeded. |
//! | `v6_parameter_problem_received` | ICMPv6 parameter problem. |
//! | `v6_echo_request_received` | ICMPv6 echo requests. |
//! | `v6_echo_reply_received` | ICMPv6 echo replies. |
//! | `v6_mld_received` | Multicast listener discovery of any kind. |
//! | `v6_router_solicit_received` | Router solicitations. |
//! | `v6_router_advert_received` | Router advertisements. |
//! | `v6_neighbor_solicit_received` | Neighbor solicitations. |
//! | `v6_neighbor_advert_received` | Neighbor advertisements. |
//! | `v6_redirect_received` | ICMPv6 redirects. |
//! | `v6_invalid_received` | ICMPv6 messages that are short, broken, or of no known type. |
//! | `v4_echo_reply_sent` | ICMPv4 echo replies. |
//! | `v4_destination_unreachable_sent` | ICMPv4 destination unreachable. |
//! | `v4_time_exceeded_sent` | ICMPv4 time exceeded. |
//! | `v4_parameter_problem_sent` | ICMPv4 parameter problem. |
//! | `v4_rate_limited` | ICMPv4 errors that were not sent because of the limit on their rate. |
//! | `v4_unsent` | ICMPv4 errors for which there was no frame, no source address or no room. |
//! | `v6_echo_reply_sent` | ICMPv6 echo replies. |
//! | `v6_destination_unreachable_sent` | ICMPv6 destination unreachable. |
//! | `v6_packet_too_big_sent` | ICMPv6 packet too big. |
//! | `v6_time_exceeded_sent` | ICMPv6 time exceeded. |
//! | `v6_parameter_problem_sent` | ICMPv6 parameter problem. |
//! | `v6_rate_limited` | ICMPv6 errors that were not sent because of the limit on their rate. |
//! | `v6_unsent` | ICMPv6 errors for which there was no frame, no source address or no room. |
//!
//! # Counters of a NIC's protocols
//!
//! [`ProtocolCounter`](crate::stack::ProtocolCounter), read by
//! [`Nic::protocol_counter`](crate::stack::Nic::protocol_counter): what the control plane counts, one
//! shared number each.
//!
//! | counter | counts |
//! |---|---|
//! | `neighbor_solicitations_received` | Valid neighbor solicitations. |
//! | `neighbor_advertisements_received` | Valid neighbor advertisements. |
//! | `neighbor_solicitations_sent` | Probes of duplicate address detection, and questions for link addresses. |
//! | `neighbor_advertisements_sent` | Answers to neighbor solicitations. |
//! | `arp_requests_received` | Valid ARP requests. |
//! | `arp_replies_received` | Valid ARP replies. |
//! | `arp_requests_sent` | ARP requests. |
//! | `arp_replies_sent` | ARP replies. |
//! | `neighbor_packets_sent` | Packets that waited for a link address, sent. |
//! | `neighbor_packets_failed` | Packets that waited for a link address of somebody who does not answer. |
//! | `neighbor_packets_dropped` | Packets that waited for a link address and gave way to others. |
//! | `unreachables_sent` | ICMP errors about packets that waited for a next hop that does not answer; each is in its counter of ICMP, too. |
//! | `errors_received` | ICMP errors about packets that were sent from here. |
//! | `errors_ignored` | ICMP errors that are malformed, or about nothing that was sent from here. |
//! | `path_mtu_reports` | ICMP errors that lowered the MTU of a path. |
//! | `igmp_received` | IGMP messages. |
//! | `igmp_sent` | IGMP reports and leaves. |
//! | `mld_received` | MLD messages. |
//! | `mld_sent` | MLD reports and dones. |
//! | `addresses_assigned` | Addresses that duplicate address detection found unique. |
//! | `duplicate_addresses` | Tentative addresses given up because somebody else has them. |
//! | `looped_back_probes` | Probes of our own that came back. |
//! | `address_conflicts` | Advertisements of others for an address in use here. |
//! | `unsent` | Attempts to send a message of the NIC's own (ICMP errors have their own counter), a packet of a route, or one that waited, that found no frame or no room in the queue. |
//!
//! # Counters of a distributor
//!
//! [`DistributorReport`](crate::engine::DistributorReport).
//!
//! | counter | counts |
//! |---|---|
//! | `taken` | frames taken from the link |
//! | `handed_over` | frames put into workers' rings |
//! | `ring_full` | frames dropped because a worker's ring was full, the worker gone, or the distributor dropped with them in hand |
//! | `wait_polls` | polls in which the link had to wait for room in a ring |
//! | `polls`, `empty_polls` | polls, and those that found nothing |
//! | `sent`, `send_dropped` | workers' frames that the link took, and had no room for |
//! | `finished` | whether the link is at its end and everything handed over |
//! | `allocations`, `frees` | blocks allocated and freed while polling |
//!
//! # Counters of a worker
//!
//! [`WorkerReport`](crate::engine::WorkerReport).
//!
//! | counter | counts |
//! |---|---|
//! | `packets`, `bytes` | frames taken up on all NICs, and their bytes |
//! | `polls`, `empty_polls` | polls, and those that found nothing |
//! | `busy_ns`, `idle_ns` | time in runs of polls that found something, and otherwise |
//! | `handler_panics` | panics of its handler |
//! | `allocations`, `frees` | blocks allocated and freed while polling, the handler's included |
//!
//! Allocations are counted if the program installs the
//! [`CountingAllocator`](crate::sync::alloc_count::CountingAllocator), and are none otherwise.
//!
//! # Counters of the pool
//!
//! [`PoolStats`](crate::frame::PoolStats).
//!
//! | counter | counts |
//! |---|---|
//! | `slots` | slots of the pool |
//! | `out` | slots that are frames now |
//! | `in_caches`, `in_depot`, `in_strays` | free slots, by where they are |
//! | `allocated`, `recycled` | frames handed out, and come back through a cache |
//! | `strays` | frames come back by drop, the slow way |
//! | `exhausted` | frames asked for and not given because no slot was free |
//! | `huge_pages` | whether the kernel took the advice to use huge pages |
//!
//! # Beside the reports
//!
//! What a capture link counts for itself (packets too large for a slot, say) is read by
//! [`PcapCounters`](crate::io::pcap::PcapCounters). Events that found the stream full are counted by
//! [`Events::lost`](crate::stack::Events::lost).
//!
//! [`DropReason::description`]: crate::stack::DropReason::description

#[cfg(test)]
mod tests {
    use crate::engine::{DistributorReport, EngineReport, WorkerReport};
    use crate::frame::PoolStats;
    use crate::stack::{DropReason, IcmpCounter, NicTotals, ProtocolCounter};

    const TEXT: &str = include_str!("accounting.rs");

    /// The rows of the table under a heading, each by its cells.
    fn table(heading: &str) -> Vec<Vec<&'static str>> {
        let (_, section) = TEXT
            .split_once(&format!("//! # {heading}\n"))
            .expect("the heading is there");
        let section = section.split("//! # ").next().unwrap_or(section);
        section
            .lines()
            .filter_map(|line| line.strip_prefix("//! | "))
            .skip(1)
            .map(|row| {
                row.trim_end_matches('|')
                    .split('|')
                    .map(str::trim)
                    .collect()
            })
            .collect()
    }

    #[test]
    fn every_drop_reason_is_in_the_table_as_declared() {
        let rows = table("Drop reasons");
        let documented: Vec<_> = rows
            .iter()
            .map(|row| (row[0].trim_matches('`'), row[2]))
            .collect();
        let declared: Vec<_> = DropReason::ALL
            .iter()
            .map(|reason| (reason.label(), reason.description()))
            .collect();
        assert_eq!(documented, declared);
    }

    #[test]
    fn drop_reasons_name_stages_that_are_files() {
        let nodes = concat!(env!("CARGO_MANIFEST_DIR"), "/../engine/src/node");
        for row in table("Drop reasons") {
            for stage in row[1].split(", ") {
                let file = format!("{nodes}/{}.rs", stage.trim_matches('`'));
                assert!(std::path::Path::new(&file).exists(), "{file}");
            }
        }
    }

    /// Asserts that the table under a heading has exactly these counters.
    fn assert_counters(heading: &str, fields: &[&str]) {
        let documented: Vec<_> = table(heading)
            .iter()
            .flat_map(|row| row[0].split(", "))
            .map(|name| name.trim_matches('`'))
            .collect();
        assert_eq!(documented, fields, "{heading}");
    }

    /// The names of fields, after a pattern that does not compile if one is missing.
    macro_rules! fields {
        ($type:ident { $($field:ident),* } not $($other:ident),*) => {{
            fn _complete(it: &$type) {
                let $type { $($field: _,)* $($other: _,)* } = it;
            }
            &[$(stringify!($field)),*]
        }};
    }

    #[test]
    fn every_counter_is_in_a_table() {
        assert_counters(
            "Counters of a NIC",
            fields!(NicTotals {
                received, received_bytes, delivered, forwarded, consumed, sent, sent_bytes,
                send_dropped, looped, unpacked, segmented, segments, checksums_completed,
                resets_sent, drops, icmp
            } not),
        );
        let protocols: Vec<_> = ProtocolCounter::ALL.iter().map(|c| c.label()).collect();
        assert_counters("Counters of a NIC's protocols", &protocols);
        let icmp: Vec<_> = IcmpCounter::ALL.iter().map(|c| c.label()).collect();
        assert_counters("ICMP counters of a NIC", &icmp);
        assert_counters(
            "Counters of a distributor",
            fields!(DistributorReport {
                taken, handed_over, ring_full, wait_polls, polls, empty_polls, sent, send_dropped,
                finished, allocations, frees
            } not nic, core),
        );
        assert_counters(
            "Counters of a worker",
            fields!(WorkerReport {
                packets, bytes, polls, empty_polls, busy_ns, idle_ns, handler_panics, allocations,
                frees
            } not id, core),
        );
        assert_counters(
            "Counters of the pool",
            fields!(PoolStats {
                slots, out, in_caches, in_depot, in_strays, allocated, recycled, strays, exhausted,
                huge_pages
            } not),
        );
        // What a report is made of has a table each; `in_flight` is among the identities.
        let [..] = fields!(EngineReport { nics, workers, distributors, pool, in_flight } not);
    }
}
