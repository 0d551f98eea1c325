use super::*;
use proptest::prelude::*;

fn written(echo: &Echo<'_>) -> Vec<u8> {
    let mut buffer = vec![0; echo.data.len() + 8];
    assert_eq!(write_icmpv4_echo(&mut buffer, echo), Ok(buffer.len()));
    buffer
}

fn request(identifier: u16, sequence: u16, data: &[u8]) -> Echo<'_> {
    Echo {
        kind: EchoKind::Request,
        identifier,
        sequence,
        data,
    }
}

#[test]
fn reads_what_it_wrote() {
    for kind in [EchoKind::Request, EchoKind::Reply] {
        let echo = Echo {
            kind,
            ..request(7, 9, b"odd")
        };
        assert_eq!(parse_icmpv4(&written(&echo)).unwrap().echo(), Some(echo));
    }
}

#[test]
fn each_rule_has_its_error() {
    let bytes = written(&request(7, 9, b"odd"));
    for len in 0..8 {
        assert_eq!(
            parse_icmpv4(&bytes[..len]).err(),
            Some(Icmpv4Error::Truncated)
        );
    }
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 0x80 >> (bit % 8);
        assert_eq!(
            parse_icmpv4(&bytes).err(),
            Some(Icmpv4Error::Checksum),
            "bit {bit}"
        );
    }
    assert_eq!(
        write_icmpv4_echo(&mut [0; 10], &request(7, 9, b"odd")),
        Err(NoRoom {
            needed: 11,
            room: 10
        })
    );
    let long = vec![0; 65508];
    assert_eq!(
        write_icmpv4_echo(&mut vec![0; 70_000], &request(7, 9, &long)),
        Err(NoRoom {
            needed: 65516,
            room: 65515
        })
    );
}

#[test]
fn replies_to_requests_only() {
    let reply = Echo {
        kind: EchoKind::Reply,
        ..request(7, 9, b"data")
    };
    let mut bytes = written(&reply);
    let before = bytes.clone();
    assert_eq!(
        make_echo_reply_in_place(&mut bytes),
        Err(Icmpv4Error::NotEchoRequest)
    );
    assert_eq!(bytes, before);
    assert_eq!(
        make_echo_reply_in_place(&mut bytes[..7]),
        Err(Icmpv4Error::Truncated)
    );
    // A request with another code is no echo.
    let mut bytes = written(&request(7, 9, b"data"));
    bytes[1] = 1;
    assert_eq!(
        make_echo_reply_in_place(&mut bytes),
        Err(Icmpv4Error::NotEchoRequest)
    );
}

#[test]
fn a_reply_of_zeros_has_a_valid_checksum() {
    for data in [&[][..], &[0; 3], &[0; 56]] {
        let mut bytes = written(&request(0, 0, data));
        make_echo_reply_in_place(&mut bytes).unwrap();
        let reply = Echo {
            kind: EchoKind::Reply,
            ..request(0, 0, data)
        };
        assert_eq!(bytes, written(&reply));
        assert_eq!(bytes[2..4], [0xff, 0xff]);
        assert!(parse_icmpv4(&bytes).is_ok());
    }
}

#[test]
fn every_checksum_is_updated_right() {
    for sequence in 0..=u16::MAX {
        let mut bytes = written(&request(1, sequence, b""));
        make_echo_reply_in_place(&mut bytes).unwrap();
        let reply = Echo {
            kind: EchoKind::Reply,
            ..request(1, sequence, b"")
        };
        assert_eq!(bytes, written(&reply), "{sequence}");
    }
}

proptest! {
    #[test]
    fn a_reply_is_as_if_written_anew(
        identifier: u16,
        sequence: u16,
        data in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut bytes = written(&request(identifier, sequence, &data));
        prop_assert_eq!(make_echo_reply_in_place(&mut bytes), Ok(()));
        let reply = Echo { kind: EchoKind::Reply, ..request(identifier, sequence, &data) };
        prop_assert_eq!(parse_icmpv4(&bytes).unwrap().echo(), Some(reply));
        prop_assert_eq!(bytes, written(&reply));
    }

    #[test]
    fn a_wrong_checksum_stays_wrong(checksum: u16, data: [u8; 5]) {
        let mut bytes = written(&request(3, 4, &data));
        bytes[2..4].copy_from_slice(&checksum.to_be_bytes());
        let was_right = parse_icmpv4(&bytes).is_ok();
        make_echo_reply_in_place(&mut bytes).unwrap();
        prop_assert_eq!(parse_icmpv4(&bytes).is_ok(), was_right);
    }
}
