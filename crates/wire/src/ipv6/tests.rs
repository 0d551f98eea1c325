use super::*;

fn fields() -> Ipv6Fields {
    let source = "2001:db8::1".parse().unwrap();
    let destination = "2001:db8::2".parse().unwrap();
    Ipv6Fields {
        traffic_class: 0xb8,
        flow_label: 0xabcde,
        ..Ipv6Fields::new(source, destination, IpProtocol::UDP, 64)
    }
}

fn packet() -> Vec<u8> {
    let mut bytes = vec![0; 40];
    write_ipv6(&mut bytes, &fields(), 8).unwrap();
    bytes.extend(b"payload!");
    bytes
}

#[test]
fn splits_header_and_payload_and_leaves_padding_out() {
    let bytes = [packet(), vec![0xee; 9]].concat();
    let packet = parse_ipv6(&bytes).unwrap();
    assert_eq!(packet.payload, b"payload!");
    assert_eq!(
        (packet.source(), packet.destination()),
        (fields().source, fields().destination)
    );
    assert_eq!(
        (packet.next_header(), packet.header.hop_limit),
        (IpProtocol::UDP, 64)
    );
    assert_eq!(
        (packet.header.traffic_class(), packet.header.flow_label()),
        (0xb8, 0xabcde)
    );
    assert!(packet.fragment().is_none());
}

#[test]
fn each_rule_has_its_error() {
    for len in 0..40 {
        assert_eq!(
            parse_ipv6(&packet()[..len]).err(),
            Some(Ipv6Error::Truncated)
        );
    }
    for len in 40..48 {
        assert_eq!(
            parse_ipv6(&packet()[..len]).err(),
            Some(Ipv6Error::PayloadLength)
        );
    }
    for version in (0..16).filter(|&version| version != 6) {
        let mut bytes = packet();
        bytes[0] = version << 4 | bytes[0] & 0x0f;
        assert_eq!(parse_ipv6(&bytes).err(), Some(Ipv6Error::Version));
    }
    let mut bytes = packet();
    bytes[5] = 0;
    assert_eq!(parse_ipv6(&bytes).unwrap().payload, b"");
}

#[test]
fn tells_fragments() {
    let mut payload = [0; 8];
    let wrote = write_ipv6_fragment(&mut payload, IpProtocol::UDP, 0x1fff, true, 0x0102_0304);
    assert_eq!(wrote, Ok(8));
    let mut bytes = packet();
    bytes[6] = IpProtocol::IPV6_FRAGMENT.0;
    bytes[40..48].copy_from_slice(&payload);
    let packet = parse_ipv6(&bytes).unwrap();
    let (fragment, rest) = packet.fragment().unwrap();
    assert_eq!(
        (fragment.fragment_offset(), fragment.more_fragments()),
        (65528, true)
    );
    assert_eq!(fragment.next_header, IpProtocol::UDP);
    assert_eq!(fragment.identification.get(), 0x0102_0304);
    assert_eq!(rest, b"");

    // The reserved bits between offset and flag are neither.
    bytes[42..44].copy_from_slice(&[0x00, 0x0e]);
    let packet = parse_ipv6(&bytes).unwrap();
    let (fragment, _) = packet.fragment().unwrap();
    assert_eq!(
        (fragment.fragment_offset(), fragment.more_fragments()),
        (8, false)
    );

    // A fragment header that is cut short is none.
    bytes[5] = 7;
    assert!(parse_ipv6(&bytes).unwrap().fragment().is_none());
    assert!(write_ipv6_fragment(&mut payload[..7], IpProtocol::UDP, 0, false, 0).is_err());
}

#[test]
fn changes_in_place() {
    let mut bytes = packet();
    ipv6_header_mut(&mut bytes).unwrap().swap_addresses();
    let packet = parse_ipv6(&bytes).unwrap();
    assert_eq!(
        (packet.destination(), packet.source()),
        (fields().source, fields().destination)
    );
    assert!(ipv6_header_mut(&mut [0; 39]).is_none());
}

#[test]
fn the_last_hop_is_not_taken() {
    for hop_limit in 0..=255 {
        let mut bytes = packet();
        let header = ipv6_header_mut(&mut bytes).unwrap();
        header.hop_limit = hop_limit;
        assert_eq!(header.decrement_hop_limit(), hop_limit > 1);
        let left = if hop_limit > 1 {
            hop_limit - 1
        } else {
            hop_limit
        };
        assert_eq!(header.hop_limit, left);
    }
}

#[test]
fn writes_only_what_fits() {
    let mut buffer = [0; 40];
    assert_eq!(write_ipv6(&mut buffer, &fields(), 65535), Ok(40));
    assert_eq!(
        write_ipv6(&mut buffer, &fields(), 65536),
        Err(NoRoom {
            needed: 65536,
            room: 65535
        })
    );
    assert_eq!(
        write_ipv6(&mut buffer[..39], &fields(), 0),
        Err(NoRoom {
            needed: 40,
            room: 39
        })
    );
}
