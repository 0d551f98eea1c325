use super::*;
use proptest::prelude::*;

const A: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
const B: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);

fn written(source: Ipv6Addr, destination: Ipv6Addr, echo: &Echo<'_>) -> Vec<u8> {
    let mut buffer = vec![0; echo.data.len() + 8];
    assert_eq!(
        write_icmpv6_echo(&mut buffer, source, destination, echo),
        Ok(buffer.len())
    );
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
fn each_rule_has_its_error() {
    let bytes = written(A, B, &request(7, 9, b"odd"));
    assert_eq!(
        parse_icmpv6(&bytes, A, B).unwrap().echo(),
        Some(request(7, 9, b"odd"))
    );
    for len in 0..8 {
        assert_eq!(
            parse_icmpv6(&bytes[..len], A, B).err(),
            Some(Icmpv6Error::Truncated)
        );
    }
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 0x80 >> (bit % 8);
        assert_eq!(
            parse_icmpv6(&bytes, A, B).err(),
            Some(Icmpv6Error::Checksum),
            "bit {bit}"
        );
    }
    // The addresses count.
    assert_eq!(
        parse_icmpv6(&bytes, A, A).err(),
        Some(Icmpv6Error::Checksum)
    );
    assert_eq!(
        write_icmpv6_echo(&mut [0; 10], A, B, &request(7, 9, b"odd")),
        Err(NoRoom {
            needed: 11,
            room: 10
        })
    );
}

#[test]
fn replies_to_requests_only() {
    let reply = Echo {
        kind: EchoKind::Reply,
        ..request(7, 9, b"data")
    };
    let mut bytes = written(A, B, &reply);
    let before = bytes.clone();
    assert_eq!(
        make_echo_reply_in_place(&mut bytes),
        Err(Icmpv6Error::NotEchoRequest)
    );
    assert_eq!(bytes, before);
    assert_eq!(
        make_echo_reply_in_place(&mut bytes[..7]),
        Err(Icmpv6Error::Truncated)
    );
}

#[test]
fn every_checksum_is_updated_right() {
    for sequence in 0..=u16::MAX {
        let mut bytes = written(A, B, &request(1, sequence, b""));
        make_echo_reply_in_place(&mut bytes).unwrap();
        let reply = Echo {
            kind: EchoKind::Reply,
            ..request(1, sequence, b"")
        };
        assert_eq!(bytes, written(B, A, &reply), "{sequence}");
    }
}

proptest! {
    #[test]
    fn a_reply_is_as_if_written_anew(
        source: [u8; 16],
        destination: [u8; 16],
        identifier: u16,
        sequence: u16,
        data in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let (source, destination) = (source.into(), destination.into());
        let mut bytes = written(source, destination, &request(identifier, sequence, &data));
        prop_assert_eq!(make_echo_reply_in_place(&mut bytes), Ok(()));
        let reply = Echo { kind: EchoKind::Reply, ..request(identifier, sequence, &data) };
        let message = parse_icmpv6(&bytes, destination, source).unwrap();
        prop_assert_eq!(message.echo(), Some(reply));
        prop_assert_eq!(bytes, written(destination, source, &reply));
    }
}
