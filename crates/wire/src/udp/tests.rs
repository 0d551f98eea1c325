use super::*;
use proptest::prelude::*;

const PORTS: Ports = Ports {
    source: 1024,
    destination: 53,
};
const A4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const B4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const A6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
const B6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);

#[test]
fn splits_and_leaves_trailing_bytes_out() {
    let mut buffer = [0xee; 20];
    assert_eq!(write_udp_ipv4(&mut buffer, A4, B4, PORTS, b"odd"), Ok(11));
    let datagram = parse_udp(&buffer).unwrap();
    assert_eq!(
        (datagram.source_port(), datagram.destination_port()),
        (1024, 53)
    );
    assert_eq!(datagram.payload, b"odd");
    assert_eq!(datagram.verify_checksum_ipv4(A4, B4), Ok(()));
    assert_eq!(buffer[11..], [0xee; 9]);
}

#[test]
fn each_rule_has_its_error() {
    let mut bytes = [0; 11];
    write_udp_ipv4(&mut bytes, A4, B4, PORTS, b"odd").unwrap();
    for len in 0..8 {
        assert_eq!(parse_udp(&bytes[..len]).err(), Some(UdpError::Truncated));
    }
    for len in 8..11 {
        assert_eq!(parse_udp(&bytes[..len]).err(), Some(UdpError::Length));
    }
    for length in [0, 7, 12] {
        let mut bytes = bytes;
        bytes[5] = length;
        assert_eq!(parse_udp(&bytes).err(), Some(UdpError::Length));
    }
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes;
        bytes[bit / 8] ^= 0x80 >> (bit % 8);
        if let Ok(datagram) = parse_udp(&bytes) {
            assert_eq!(
                datagram.verify_checksum_ipv4(A4, B4),
                Err(UdpError::Checksum),
                "bit {bit}"
            );
        }
    }
}

#[test]
fn no_checksum_is_for_ipv4_only() {
    let mut bytes = [0; 11];
    write_udp_ipv6(&mut bytes, A6, B6, PORTS, b"odd").unwrap();
    assert_eq!(
        parse_udp(&bytes).unwrap().verify_checksum_ipv6(A6, B6),
        Ok(())
    );
    assert_eq!(
        parse_udp(&bytes).unwrap().verify_checksum_ipv6(A6, A6),
        Err(UdpError::Checksum)
    );
    bytes[6..8].fill(0);
    let datagram = parse_udp(&bytes).unwrap();
    assert_eq!(datagram.verify_checksum_ipv4(A4, B4), Ok(()));
    assert_eq!(
        datagram.verify_checksum_ipv6(A6, B6),
        Err(UdpError::NoChecksum)
    );
}

#[test]
fn a_checksum_of_zero_is_sent_as_ones() {
    // One payload word runs through all values: for one of them the checksum is zero.
    let mut ones = 0;
    for word in 0..=u16::MAX {
        let mut bytes = [0; 10];
        write_udp_ipv4(&mut bytes, A4, B4, PORTS, &word.to_be_bytes()).unwrap();
        let datagram = parse_udp(&bytes).unwrap();
        assert_ne!(datagram.header.checksum.get(), 0);
        ones += u32::from(datagram.header.checksum.get() == 0xffff);
        assert_eq!(datagram.verify_checksum_ipv4(A4, B4), Ok(()));
    }
    assert_eq!(ones, 1);
}

#[test]
fn writes_only_what_fits() {
    let long = vec![7; 65536];
    let mut buffer = vec![0; 70_000];
    let v4 = |buffer: &mut [u8], len| write_udp_ipv4(buffer, A4, B4, PORTS, &long[..len]);
    let v6 = |buffer: &mut [u8], len| write_udp_ipv6(buffer, A6, B6, PORTS, &long[..len]);
    assert_eq!(v4(&mut buffer, 65507), Ok(65515));
    assert_eq!(
        parse_udp(&buffer).unwrap().verify_checksum_ipv4(A4, B4),
        Ok(())
    );
    assert_eq!(
        v4(&mut buffer, 65508),
        Err(NoRoom {
            needed: 65516,
            room: 65515
        })
    );
    assert_eq!(v6(&mut buffer, 65527), Ok(65535));
    assert_eq!(
        parse_udp(&buffer).unwrap().verify_checksum_ipv6(A6, B6),
        Ok(())
    );
    assert_eq!(
        v6(&mut buffer, 65528),
        Err(NoRoom {
            needed: 65536,
            room: 65535
        })
    );
    assert_eq!(
        v4(&mut buffer[..10], 3),
        Err(NoRoom {
            needed: 11,
            room: 10
        })
    );
    let never = |_: &mut [u8]| unreachable!("there is no room to fill");
    assert!(write_udp_ipv4_with(&mut buffer, A4, B4, PORTS, usize::MAX, never).is_err());
}

proptest! {
    #[test]
    fn what_is_written_verifies(
        payload in proptest::collection::vec(any::<u8>(), 0..300),
        a: [u8; 16],
        b: [u8; 16],
        source: u16,
        destination: u16,
    ) {
        let ports = Ports { source, destination };
        let mut buffer = [0xee; 320];
        let (a4, b4) = (Ipv4Addr::new(a[0], a[1], a[2], a[3]), Ipv4Addr::new(b[0], b[1], b[2], b[3]));
        let len = write_udp_ipv4(&mut buffer, a4, b4, ports, &payload).unwrap();
        let datagram = parse_udp(&buffer[..len]).unwrap();
        prop_assert_eq!(datagram.payload, &payload[..]);
        prop_assert_eq!(datagram.verify_checksum_ipv4(a4, b4), Ok(()));
        let (a6, b6) = (a.into(), b.into());
        let len = write_udp_ipv6(&mut buffer, a6, b6, ports, &payload).unwrap();
        let datagram = parse_udp(&buffer[..len]).unwrap();
        prop_assert_eq!(datagram.payload, &payload[..]);
        prop_assert_eq!(datagram.verify_checksum_ipv6(a6, b6), Ok(()));
    }
}
