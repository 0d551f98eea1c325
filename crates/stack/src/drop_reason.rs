//! Why a frame ended without being delivered.
//!
//! Each reason is declared once, here: the variant is the counter, the label in reports and
//! metrics, and the word in a trace.

/// Declares the reasons: variant, label and description in one place.
macro_rules! drop_reasons {
    ($($(#[$meta:meta])* $variant:ident => $label:literal, $description:literal;)*) => {
        /// Why a frame was dropped.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum DropReason {
            $(#[doc = $description] $(#[$meta])* $variant,)*
        }

        impl DropReason {
            /// Every reason, in the order of their counters.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The name in reports and metrics, in snake case.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)* }
            }

            /// One sentence for people.
            pub const fn description(self) -> &'static str {
                match self { $(Self::$variant => $description,)* }
            }
        }
    };
}

drop_reasons! {
    EthernetTruncated => "ethernet_truncated", "The frame is shorter than an Ethernet header.";
    UnknownProtocol => "unknown_protocol", "The EtherType is of no network protocol the stack has.";
    Ip4Truncated => "ip4_truncated", "The packet is shorter than an IPv4 header.";
    Ip4Version => "ip4_version", "An IPv4 packet whose version is not 4.";
    Ip4HeaderLength => "ip4_header_length", "The IPv4 header length is under 20 bytes or over the packet.";
    Ip4TotalLength => "ip4_total_length", "The IPv4 total length is under the header's or over the frame's.";
    Ip4Checksum => "ip4_checksum", "The IPv4 header checksum is wrong.";
    Ip6Truncated => "ip6_truncated", "The packet is shorter than an IPv6 header.";
    Ip6Version => "ip6_version", "An IPv6 packet whose version is not 6.";
    Ip6PayloadLength => "ip6_payload_length", "The IPv6 payload length is over the frame's.";
    Martian => "martian", "An address that may not be on the wire in this place, such as an IPv4-mapped one.";
    NicDisabled => "nic_disabled", "The NIC is disabled.";
    InvalidAddress => "invalid_address", "The destination is not an address of the NIC.";
    FragmentUnsupported => "fragment_unsupported", "A fragment: reassembly is not built yet.";
    IcmpTruncated => "icmp_truncated", "The ICMP message is shorter than its header.";
    IcmpChecksum => "icmp_checksum", "The ICMP checksum is wrong.";
    NdpInvalid => "ndp_invalid", "A neighbor discovery message that RFC 4861 section 7.1 says to discard.";
    IgmpInvalid => "igmp_invalid", "An IGMP message that is malformed, or whose checksum is wrong.";
    MldInvalid => "mld_invalid", "An MLD message that is malformed, or that RFC 3810 section 6.2 says to discard.";
    PuntFull => "punt_full", "A message for the control plane, whose queue is full.";
    TransportTruncated => "transport_truncated", "The transport header or its length field does not fit the packet.";
    HandlerPanicked => "handler_panicked", "The handler panicked over this packet.";
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
