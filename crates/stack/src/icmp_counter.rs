//! What a NIC counts of ICMP, per worker: each type has its own number, received and sent
//! (netstack's `ICMPStats`, BEHAVIOURS L6).

use corelane_wire::icmpv4;

use crate::labelled::labelled;

labelled! {
    /// A counter of ICMP messages on one NIC.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum IcmpCounter {
        V4EchoRequestReceived => "v4_echo_request_received", "ICMPv4 echo requests.";
        V4EchoReplyReceived => "v4_echo_reply_received", "ICMPv4 echo replies.";
        V4DestinationUnreachableReceived => "v4_destination_unreachable_received", "ICMPv4 destination unreachable.";
        V4SourceQuenchReceived => "v4_source_quench_received", "ICMPv4 source quench, which is obsolete.";
        V4RedirectReceived => "v4_redirect_received", "ICMPv4 redirects.";
        V4TimeExceededReceived => "v4_time_exceeded_received", "ICMPv4 time exceeded.";
        V4ParameterProblemReceived => "v4_parameter_problem_received", "ICMPv4 parameter problem.";
        V4TimestampReceived => "v4_timestamp_received", "ICMPv4 timestamp requests.";
        V4TimestampReplyReceived => "v4_timestamp_reply_received", "ICMPv4 timestamp replies.";
        V4InfoRequestReceived => "v4_info_request_received", "ICMPv4 information requests, which are obsolete.";
        V4InfoReplyReceived => "v4_info_reply_received", "ICMPv4 information replies, which are obsolete.";
        V4InvalidReceived => "v4_invalid_received", "ICMPv4 messages that are short, broken, or of no known type.";
        V6DestinationUnreachableReceived => "v6_destination_unreachable_received", "ICMPv6 destination unreachable.";
        V6PacketTooBigReceived => "v6_packet_too_big_received", "ICMPv6 packet too big.";
        V6TimeExceededReceived => "v6_time_exceeded_received", "ICMPv6 time exceeded.";
        V6ParameterProblemReceived => "v6_parameter_problem_received", "ICMPv6 parameter problem.";
        V6EchoRequestReceived => "v6_echo_request_received", "ICMPv6 echo requests.";
        V6EchoReplyReceived => "v6_echo_reply_received", "ICMPv6 echo replies.";
        V6MldReceived => "v6_mld_received", "Multicast listener discovery of any kind.";
        V6RouterSolicitReceived => "v6_router_solicit_received", "Router solicitations.";
        V6RouterAdvertReceived => "v6_router_advert_received", "Router advertisements.";
        V6NeighborSolicitReceived => "v6_neighbor_solicit_received", "Neighbor solicitations.";
        V6NeighborAdvertReceived => "v6_neighbor_advert_received", "Neighbor advertisements.";
        V6RedirectReceived => "v6_redirect_received", "ICMPv6 redirects.";
        V6InvalidReceived => "v6_invalid_received", "ICMPv6 messages that are short, broken, or of no known type.";
        V4EchoReplySent => "v4_echo_reply_sent", "ICMPv4 echo replies.";
        V4DestinationUnreachableSent => "v4_destination_unreachable_sent", "ICMPv4 destination unreachable.";
        V4TimeExceededSent => "v4_time_exceeded_sent", "ICMPv4 time exceeded.";
        V4ParameterProblemSent => "v4_parameter_problem_sent", "ICMPv4 parameter problem.";
        V4RateLimited => "v4_rate_limited", "ICMPv4 errors that were not sent because of the limit on their rate.";
        V4Unsent => "v4_unsent", "ICMPv4 errors for which there was no frame, no source address or no room.";
        V6EchoReplySent => "v6_echo_reply_sent", "ICMPv6 echo replies.";
        V6DestinationUnreachableSent => "v6_destination_unreachable_sent", "ICMPv6 destination unreachable.";
        V6PacketTooBigSent => "v6_packet_too_big_sent", "ICMPv6 packet too big.";
        V6TimeExceededSent => "v6_time_exceeded_sent", "ICMPv6 time exceeded.";
        V6ParameterProblemSent => "v6_parameter_problem_sent", "ICMPv6 parameter problem.";
        V6RateLimited => "v6_rate_limited", "ICMPv6 errors that were not sent because of the limit on their rate.";
        V6Unsent => "v6_unsent", "ICMPv6 errors for which there was no frame, no source address or no room.";
    }
}

impl IcmpCounter {
    /// That of a received ICMPv4 message of this type.
    pub const fn received_v4(kind: u8) -> Self {
        match kind {
            icmpv4::ECHO_REPLY => Self::V4EchoReplyReceived,
            3 => Self::V4DestinationUnreachableReceived,
            4 => Self::V4SourceQuenchReceived,
            5 => Self::V4RedirectReceived,
            icmpv4::ECHO_REQUEST => Self::V4EchoRequestReceived,
            11 => Self::V4TimeExceededReceived,
            12 => Self::V4ParameterProblemReceived,
            13 => Self::V4TimestampReceived,
            14 => Self::V4TimestampReplyReceived,
            15 => Self::V4InfoRequestReceived,
            16 => Self::V4InfoReplyReceived,
            _ => Self::V4InvalidReceived,
        }
    }

    /// That of a received ICMPv6 message of this type.
    pub const fn received_v6(kind: u8) -> Self {
        match kind {
            1 => Self::V6DestinationUnreachableReceived,
            2 => Self::V6PacketTooBigReceived,
            3 => Self::V6TimeExceededReceived,
            4 => Self::V6ParameterProblemReceived,
            128 => Self::V6EchoRequestReceived,
            129 => Self::V6EchoReplyReceived,
            130..=132 | 143 => Self::V6MldReceived,
            133 => Self::V6RouterSolicitReceived,
            134 => Self::V6RouterAdvertReceived,
            135 => Self::V6NeighborSolicitReceived,
            136 => Self::V6NeighborAdvertReceived,
            137 => Self::V6RedirectReceived,
            _ => Self::V6InvalidReceived,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn labels_are_unique_and_variants_are_indices() {
        let labels: HashSet<_> = IcmpCounter::ALL.iter().map(|c| c.label()).collect();
        assert_eq!(labels.len(), IcmpCounter::COUNT);
        for (index, counter) in IcmpCounter::ALL.iter().enumerate() {
            assert_eq!(*counter as usize, index);
        }
    }
}
