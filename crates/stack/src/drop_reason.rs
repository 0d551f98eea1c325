//! Why a frame ended without being delivered.
//!
//! Each reason is declared once, here: the variant is the counter, the label in reports and
//! metrics, and the word in a trace.

use crate::labelled::labelled;

labelled! {
    /// Why a frame was dropped.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub enum DropReason {
        EthernetTruncated => "ethernet_truncated", "The frame is shorter than an Ethernet header.";
        UnknownProtocol => "unknown_protocol", "The EtherType is of no network protocol the stack has.";
        Ip4Truncated => "ip4_truncated", "The packet is shorter than an IPv4 header.";
        Ip4Version => "ip4_version", "An IPv4 packet whose version is not 4.";
        Ip4HeaderLength => "ip4_header_length", "The IPv4 header length is under 20 bytes or over the packet.";
        Ip4TotalLength => "ip4_total_length", "The IPv4 total length is under the header's or over the frame's.";
        Ip4Checksum => "ip4_checksum", "The IPv4 header checksum is wrong.";
        Ip4Options => "ip4_options", "A source route, or IPv4 options that are malformed.";
        Ip6Truncated => "ip6_truncated", "The packet is shorter than an IPv6 header.";
        Ip6Version => "ip6_version", "An IPv6 packet whose version is not 6.";
        Ip6PayloadLength => "ip6_payload_length", "The IPv6 payload length is over the frame's.";
        Ip6Extension => "ip6_extension", "IPv6 extension headers that RFC 8200 says to discard the packet for.";
        Ip6NoNextHeader => "ip6_no_next_header", "An IPv6 packet that says nothing is behind its headers.";
        Martian => "martian", "An address that may not be on the wire in this place, such as an IPv4-mapped one.";
        ArpInvalid => "arp_invalid", "An ARP packet that is malformed, or whose sender cannot be one.";
        NicDisabled => "nic_disabled", "The NIC is disabled.";
        InvalidAddress => "invalid_address", "The destination is not an address of the NIC.";
        NotForwarded => "not_forwarded", "A packet for another host that may not leave its link: one of its addresses is local to it, or it is for all hosts of another subnet.";
        NoRoute => "no_route", "A packet for another host that no route leads to.";
        HopLimit => "hop_limit", "A packet for another host whose TTL or hop limit ends here.";
        PacketTooBig => "packet_too_big", "A packet for another host that is larger than the next link takes, and may not be fragmented.";
        EgressDown => "egress_down", "A packet for another host whose next NIC is disabled, or not there.";
        NeighborFull => "neighbor_full", "A packet whose next hop is being resolved, with as many waiting as may.";
        NeighborUnreachable => "neighbor_unreachable", "A packet whose next hop does not answer.";
        FragmentInvalid => "fragment_invalid", "A fragment that is malformed, or does not fit its datagram.";
        FragmentOverlap => "fragment_overlap", "A fragment that overlaps another of its datagram, or comes after one that did.";
        ReassemblyFull => "reassembly_full", "A fragment for which there was no buffer.";
        SuperFrameInvalid => "super_frame_invalid", "A super-frame whose headers are not what its link says.";
        SuperFrameFull => "super_frame_full", "A datagram of a super-frame for which there was no buffer.";
        IcmpTruncated => "icmp_truncated", "The ICMP message is shorter than its header.";
        IcmpChecksum => "icmp_checksum", "The ICMP checksum is wrong.";
        NdpInvalid => "ndp_invalid", "A neighbor discovery message that RFC 4861 section 7.1 says to discard.";
        IgmpInvalid => "igmp_invalid", "An IGMP message that is malformed, or whose checksum is wrong.";
        MldInvalid => "mld_invalid", "An MLD message that is malformed, or that RFC 3810 section 6.2 says to discard.";
        PuntFull => "punt_full", "A message for the control plane, whose queue is full.";
        IcmpUnwanted => "icmp_unwanted", "An ICMP message that nobody asked for.";
        TransportTruncated => "transport_truncated", "The transport header or its length field does not fit the packet.";
        TransportChecksum => "transport_checksum", "The UDP or TCP checksum is wrong.";
        UnknownTransport => "unknown_transport", "A transport protocol that nobody here takes.";
        UnknownPort => "unknown_port", "A UDP or TCP port that nobody here has.";
        SocketFull => "socket_full", "The queue of the socket is full, or has as many long datagrams from fragments as may wait.";
        SocketClosed => "socket_closed", "Nobody reads the queue of the socket any more.";
        HandlerPanicked => "handler_panicked", "The handler panicked over this packet.";
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn labels_are_unique_and_in_snake_case() {
        let labels: HashSet<_> = DropReason::ALL.iter().map(|r| r.label()).collect();
        assert_eq!(labels.len(), DropReason::COUNT);
        for label in labels {
            assert!(
                label
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            );
        }
        for (index, reason) in DropReason::ALL.iter().enumerate() {
            assert_eq!(
                *reason as usize, index,
                "the variant is the index of its counter"
            );
        }
    }
}
