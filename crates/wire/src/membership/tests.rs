use super::*;
use proptest::prelude::*;

#[test]
fn kinds_have_their_numbers() {
    for number in 0..=u8::MAX {
        match RecordKind::from_u8(number) {
            Some(kind) => assert_eq!(kind.as_u8(), number),
            None => assert!(!(1..=6).contains(&number), "{number}"),
        }
    }
    assert_eq!(RecordKind::from_u8(4), Some(RecordKind::ChangeToExclude));
}

#[test]
fn codes_of_eight_bits_are_exponential_from_128() {
    assert_eq!(decode_u8(0), 0);
    assert_eq!(decode_u8(127), 127);
    assert_eq!(decode_u8(0x80), 128);
    assert_eq!(decode_u8(0x8f), 31 << 3);
    assert_eq!(decode_u8(0x90), 256);
    assert_eq!(decode_u8(0xff), 31_744);
    for code in 0..=u8::MAX {
        assert_eq!(encode_u8(decode_u8(code)), code);
    }
    for code in 0..u8::MAX {
        assert!(decode_u8(code) < decode_u8(code + 1), "{code}");
        assert_eq!(encode_u8(decode_u8(code + 1) - 1), code);
    }
    assert_eq!(encode_u8(u64::MAX), 0xff);
}

#[test]
fn codes_of_sixteen_bits_are_exponential_from_32768() {
    assert_eq!(decode_u16(32_767), 32_767);
    assert_eq!(decode_u16(0x8000), 32_768);
    assert_eq!(decode_u16(0x9001), 0x1001 << 4);
    assert_eq!(decode_u16(0xffff), 8_387_584);
    for code in 0..=u16::MAX {
        assert_eq!(encode_u16(decode_u16(code)), code);
    }
    for code in 0..u16::MAX {
        assert!(decode_u16(code) < decode_u16(code + 1), "{code}");
        assert_eq!(encode_u16(decode_u16(code + 1) - 1), code);
    }
    assert_eq!(encode_u16(u64::MAX), 0xffff);
}

/// A record of four bytes of group, two sources and one auxiliary word, of an unknown kind, and an
/// ordinary one behind it.
const RECORDS: [u8; 28] = [
    9, 1, 0, 2, 239, 1, 2, 3, 10, 0, 0, 1, 10, 0, 0, 2, 0xde, 0xad, 0xbe, 0xef, //
    4, 0, 0, 0, 224, 0, 0, 251,
];

#[test]
fn records_skip_auxiliary_data_and_keep_unknown_kinds_apart() {
    let mut records = GroupRecords::<Ipv4Addr>::parse(&RECORDS, 2).unwrap();
    assert_eq!(records.len(), 2);
    let first = records.next().unwrap();
    assert_eq!(first.kind, None);
    assert_eq!(first.group, Ipv4Addr::new(239, 1, 2, 3));
    assert_eq!(first.sources.len(), 2);
    assert!(
        first
            .sources
            .eq([Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)])
    );
    let second = records.next().unwrap();
    assert_eq!(second.kind, Some(RecordKind::ChangeToExclude));
    assert_eq!(second.group, Ipv4Addr::new(224, 0, 0, 251));
    assert_eq!(second.sources.len(), 0);
    assert_eq!(records.next(), None);
}

#[test]
fn records_that_are_not_all_there_are_none() {
    for len in 0..RECORDS.len() {
        assert!(GroupRecords::<Ipv4Addr>::parse(&RECORDS[..len], 2).is_none());
    }
    assert!(GroupRecords::<Ipv4Addr>::parse(&RECORDS, 3).is_none());
    assert!(GroupRecords::<Ipv6Addr>::parse(&RECORDS, 2).is_none());
    // What is behind the last record is ignored.
    assert_eq!(
        GroupRecords::<Ipv4Addr>::parse(&RECORDS, 1).map(Iterator::count),
        Some(1)
    );
}

proptest! {
    #[test]
    fn any_bytes_are_records_or_none(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        count: u16,
    ) {
        if let Some(records) = GroupRecords::<Ipv4Addr>::parse(&bytes, count) {
            prop_assert_eq!(records.count(), usize::from(count));
        }
        if let Some(records) = GroupRecords::<Ipv6Addr>::parse(&bytes, count % 4) {
            prop_assert_eq!(records.count(), usize::from(count % 4));
        }
    }

    #[test]
    fn encoding_rounds_down(value: u32) {
        let value = u64::from(value) >> (value % 24);
        prop_assert!(decode_u8(encode_u8(value)) <= value);
        prop_assert!(decode_u16(encode_u16(value)) <= value);
    }
}
