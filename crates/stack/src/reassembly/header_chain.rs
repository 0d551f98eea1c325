//! Whether the first fragment of an IPv6 packet has all its headers (RFC 7112): who filters packets
//! by what they carry must find that in the first one.

use corelane_wire::IpProtocol;

const MOBILITY: IpProtocol = IpProtocol(135);
const HOST_IDENTITY: IpProtocol = IpProtocol(139);
const SHIM6: IpProtocol = IpProtocol(140);

/// Whether the chain of headers that starts with a `next` at the front of `bytes` ends in them, with
/// the whole header of the upper layer. The walk ends: each header is eight bytes at least.
pub(super) fn is_complete(mut next: IpProtocol, mut bytes: &[u8]) -> bool {
    loop {
        let len = match next {
            IpProtocol::HOP_BY_HOP
            | IpProtocol::IPV6_ROUTING
            | IpProtocol::IPV6_DESTINATION_OPTIONS
            | MOBILITY
            | HOST_IDENTITY
            | SHIM6 => bytes.get(1).map(|&words| (usize::from(words) + 1) * 8),
            // RFC 4302 section 2.2: words of four bytes, less two.
            IpProtocol::AH => bytes.get(1).map(|&words| (usize::from(words) + 2) * 4),
            IpProtocol::IPV6_FRAGMENT => Some(8),
            upper => return bytes.len() >= upper_layer_header_len(upper),
        };
        let Some((header, behind)) = len.and_then(|len| bytes.split_at_checked(len)) else {
            return false;
        };
        next = IpProtocol(header.first().copied().unwrap_or_default());
        bytes = behind;
    }
}

/// Bytes of the header of an upper layer without its options.
fn upper_layer_header_len(protocol: IpProtocol) -> usize {
    match protocol {
        IpProtocol::TCP => 20,
        IpProtocol::SCTP => 12,
        IpProtocol::UDP | IpProtocol::ICMPV6 | IpProtocol::ESP => 8,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walks_to_the_upper_layer() {
        let udp = [0; 8];
        assert!(is_complete(IpProtocol::UDP, &udp));
        assert!(!is_complete(IpProtocol::UDP, &udp[..7]));
        assert!(!is_complete(IpProtocol::TCP, &udp));
        assert!(is_complete(IpProtocol::IPV6_NO_NEXT, &[]));
        assert!(!is_complete(IpProtocol::IPV6_ROUTING, &[]));

        // Destination options of 16 bytes, an authentication header of 12, a fragment header.
        let mut chain = vec![51, 1];
        chain.extend([0; 14]);
        chain.extend([44, 1]);
        chain.extend([0; 10]);
        chain.extend([17, 0, 0, 0, 0, 0, 0, 0]);
        assert!(!is_complete(IpProtocol::IPV6_DESTINATION_OPTIONS, &chain));
        chain.extend(udp);
        let whole = chain.len();
        assert!(is_complete(IpProtocol::IPV6_DESTINATION_OPTIONS, &chain));
        for len in 0..whole {
            assert!(!is_complete(
                IpProtocol::IPV6_DESTINATION_OPTIONS,
                &chain[..len]
            ));
        }
    }
}
