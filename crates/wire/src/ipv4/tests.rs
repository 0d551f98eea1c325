use super::*;

const PAYLOAD: [u8; 8] = *b"payload!";

fn fields() -> Ipv4Fields {
    let (source, destination) = (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(198, 51, 100, 2));
    Ipv4Fields::new(source, destination, IpProtocol::UDP, 64)
}

/// A packet with this many bytes of options, and the eight bytes of payload.
fn packet(options: usize) -> Vec<u8> {
    let mut bytes = vec![0; 20];
    write_ipv4(&mut bytes, &fields(), options + PAYLOAD.len()).unwrap();
    bytes[0] = 0x40 | ((20 + options) / 4) as u8;
    bytes.extend(vec![1; options]);
    bytes.extend(PAYLOAD);
    set_checksum(&mut bytes, 20 + options);
    bytes
}

fn set_checksum(bytes: &mut [u8], header_len: usize) {
    bytes[10..12].fill(0);
    let checksum = checksum::sum(&bytes[..header_len]).checksum();
    bytes[10..12].copy_from_slice(&checksum.to_be_bytes());
}

/// The error after a change, with a right checksum where there is a header for one.
fn error_of(options: usize, change: impl FnOnce(&mut Vec<u8>)) -> Option<Ipv4Error> {
    let mut bytes = packet(options);
    change(&mut bytes);
    let header_len = usize::from(bytes[0] & 0x0f) * 4;
    if header_len >= 12 && header_len <= bytes.len() {
        set_checksum(&mut bytes, header_len);
    }
    parse_ipv4(&bytes).err()
}

#[test]
fn splits_header_options_payload() {
    for options in (0..=40).step_by(4) {
        let bytes = packet(options);
        let packet = parse_ipv4(&bytes).unwrap();
        assert_eq!(packet.options, vec![1; options]);
        assert_eq!(packet.payload, PAYLOAD);
        assert_eq!(packet.header.header_len(), 20 + options);
        assert_eq!(
            (packet.source(), packet.destination()),
            (fields().source, fields().destination)
        );
        assert_eq!(
            (packet.protocol(), packet.header.ttl),
            (IpProtocol::UDP, 64)
        );
    }
}

#[test]
fn leaves_padding_out() {
    for options in [0, 8] {
        let mut bytes = packet(options);
        bytes.extend([0xee; 30]);
        assert_eq!(parse_ipv4(&bytes).unwrap().payload, PAYLOAD);
    }
}

#[test]
fn an_empty_payload_is_valid() {
    for options in [0, 4] {
        let set_length = |bytes: &mut Vec<u8>| bytes[3] = 20 + options as u8;
        assert_eq!(error_of(options, set_length), None);
    }
}

#[test]
fn each_rule_has_its_error() {
    for len in 0..20 {
        assert_eq!(
            parse_ipv4(&packet(0)[..len]).err(),
            Some(Ipv4Error::Truncated)
        );
    }
    for options in [0, 12] {
        let header_len = 20 + options;
        for version in (0..16).filter(|&version| version != 4) {
            let change = |bytes: &mut Vec<u8>| bytes[0] = version << 4 | bytes[0] & 0x0f;
            assert_eq!(error_of(options, change), Some(Ipv4Error::Version));
        }
        for ihl in 0..5 {
            let change = |bytes: &mut Vec<u8>| bytes[0] = 0x40 | ihl;
            assert_eq!(error_of(options, change), Some(Ipv4Error::HeaderLength));
        }
        for total in [
            0,
            19,
            header_len - 1,
            header_len + PAYLOAD.len() + 1,
            0xffff,
        ] {
            let change = |bytes: &mut Vec<u8>| {
                bytes[2..4].copy_from_slice(&(total as u16).to_be_bytes());
            };
            assert_eq!(
                error_of(options, change),
                Some(Ipv4Error::TotalLength),
                "{total}"
            );
        }
        for bit in 0..header_len * 8 {
            let mut bytes = packet(options);
            bytes[bit / 8] ^= 0x80 >> (bit % 8);
            let error = parse_ipv4(&bytes).err();
            assert!(error.is_some(), "bit {bit} of the header");
            // Neither version nor a length: nothing but the checksum tells.
            if bit / 8 > 3 {
                assert_eq!(error, Some(Ipv4Error::Checksum), "bit {bit}");
            }
        }
    }
    let cut = |bytes: &mut Vec<u8>| bytes.truncate(28);
    assert_eq!(error_of(12, cut), Some(Ipv4Error::HeaderLength));
}

#[test]
fn tells_fragments() {
    let read = |fragmentation| {
        let mut bytes = [0; 20];
        write_ipv4(
            &mut bytes,
            &Ipv4Fields {
                fragmentation,
                ..fields()
            },
            0,
        )
        .unwrap();
        let packet = parse_ipv4(&bytes).unwrap();
        (
            packet.is_fragment(),
            packet.fragment_offset(),
            packet.more_fragments(),
        )
    };
    assert_eq!(read(Fragmentation::Forbidden), (false, 0, false));
    assert_eq!(read(Fragmentation::Allowed), (false, 0, false));
    let fragment = |offset, more| read(Fragmentation::Fragment { offset, more });
    assert_eq!(fragment(0, true), (true, 0, true));
    assert_eq!(fragment(185, true), (true, 1480, true));
    assert_eq!(fragment(0x1fff, false), (true, 65528, false));
    // A whole datagram, as it came out of a router that had nothing to split.
    assert_eq!(fragment(0, false), (false, 0, false));
}

#[test]
fn changes_in_place_keep_the_checksum() {
    let mut bytes = packet(4);
    for ttl in (0..=255).rev() {
        let header = ipv4_header_mut(&mut bytes).unwrap();
        header.set_ttl(ttl);
        header.swap_addresses();
        assert_eq!(parse_ipv4(&bytes).unwrap().header.ttl, ttl);
    }
    assert!(ipv4_header_mut(&mut bytes[..19]).is_none());
}

#[test]
fn without_options_a_header_is_as_it_would_be_written() {
    for options in (0..=40).step_by(4) {
        let mut bytes = packet(options);
        let header = ipv4_header_mut(&mut bytes).unwrap();
        header.drop_options(20 + PAYLOAD.len() as u16);
        bytes.drain(20..20 + options);
        assert_eq!(bytes, packet(0), "{options}");
        assert_eq!(parse_ipv4(&bytes).unwrap().payload, PAYLOAD);
    }
}

#[test]
fn a_hop_less_keeps_every_checksum_right() {
    // Every identification gives another checksum, so that all there are come up; 0 stands for
    // 0xffff too, which no header sums up to but which verifies in its place.
    let mut seen = vec![false; 65536];
    for identification in 0..=u16::MAX {
        for ttl in [2, 64, 128, 255] {
            let mut bytes = [0; 20];
            let fields = Ipv4Fields {
                identification,
                ttl,
                ..fields()
            };
            write_ipv4(&mut bytes, &fields, 0).unwrap();
            let right = u16::from_be_bytes([bytes[10], bytes[11]]);
            let other_form = if right == 0 { 0xffff } else { right };
            for written in [right, other_form] {
                seen[usize::from(written)] = true;
                let mut bytes = bytes;
                let header = ipv4_header_mut(&mut bytes).unwrap();
                header.checksum.set(written);
                assert!(header.decrement_ttl());
                let updated = header.checksum.get();
                assert_eq!(bytes[8], ttl - 1);
                bytes[10..12].fill(0);
                assert_eq!(checksum::sum(&bytes).checksum(), updated);
            }
        }
    }
    assert!(seen.iter().all(|&seen| seen));
}

#[test]
fn the_last_hop_is_not_taken_and_a_wrong_checksum_stays_wrong() {
    for ttl in [0, 1] {
        let mut bytes = packet(4);
        ipv4_header_mut(&mut bytes).unwrap().set_ttl(ttl);
        let before = bytes.clone();
        assert!(!ipv4_header_mut(&mut bytes).unwrap().decrement_ttl());
        assert_eq!(bytes, before);
    }
    let mut bytes = packet(0);
    bytes[10] ^= 0x55;
    assert!(ipv4_header_mut(&mut bytes).unwrap().decrement_ttl());
    assert_eq!(parse_ipv4(&bytes).err(), Some(Ipv4Error::Checksum));
}

#[test]
fn writes_only_what_fits() {
    let mut buffer = [0; 20];
    assert_eq!(write_ipv4(&mut buffer, &fields(), 65515), Ok(20));
    assert_eq!(
        write_ipv4(&mut buffer, &fields(), 65516),
        Err(NoRoom {
            needed: 65536,
            room: 65535
        })
    );
    assert!(write_ipv4(&mut buffer, &fields(), usize::MAX).is_err());
    assert_eq!(
        write_ipv4(&mut buffer[..19], &fields(), 0),
        Err(NoRoom {
            needed: 20,
            room: 19
        })
    );
}
