use super::*;
use Ipv4OptionPolicy::{Accept, Drop, Malformed};
use proptest::prelude::*;

#[test]
fn options_are_read_in_order() {
    let bytes = [
        1, 7, 7, 4, 0, 0, 0, 0, 148, 4, 0, 9, 68, 8, 5, 0, 0, 0, 0, 0, 130, 3, 7, 99, 2, 0, 131, 0,
    ];
    let read: Vec<_> = Ipv4Options::new(&bytes).map(Result::unwrap).collect();
    let kinds: Vec<_> = read
        .iter()
        .map(|option| (option.kind.0, option.offset))
        .collect();
    // What follows the end of the list is not looked at.
    let want = [(1, 20), (7, 21), (148, 28), (68, 32), (130, 40), (99, 43)];
    assert_eq!(kinds, want);
    assert_eq!(read[1].data(), [4, 0, 0, 0, 0]);
    assert_eq!(
        (read[2].router_alert(), read[3].router_alert()),
        (Some(9), None)
    );
    assert_eq!((read[0].bytes, read[0].data()), (&[1][..], &[][..]));
}

#[test]
fn source_routes_are_refused_and_all_else_is_carried() {
    let cases: [(&[u8], _); 9] = [
        (&[], Accept),
        (&[1, 1, 1, 0], Accept),
        (&[148, 4, 0, 0], Accept),
        (&[136, 4, 0, 1], Accept),
        (&[7, 7, 8, 1, 2, 3, 4, 0], Accept),
        (&[200, 2, 0, 0], Accept),
        (&[131, 3, 4, 0], Drop(Ipv4OptionKind::LOOSE_SOURCE_ROUTE)),
        (
            &[1, 137, 7, 8, 1, 2, 3, 4],
            Drop(Ipv4OptionKind::STRICT_SOURCE_ROUTE),
        ),
        // The first reason decides.
        (
            &[131, 3, 4, 7, 0, 0, 0, 0],
            Drop(Ipv4OptionKind::LOOSE_SOURCE_ROUTE),
        ),
    ];
    for (options, want) in cases {
        assert_eq!(policy(options), want, "{options:?}");
    }
}

#[test]
fn a_malformed_option_is_pointed_at() {
    let cases: [(&[u8], u8); 13] = [
        // No length, one under 2, one over the header.
        (&[1, 1, 1, 7], 23),
        (&[7, 0, 0, 0], 21),
        (&[7, 1, 0, 0], 21),
        (&[1, 99, 4, 0], 22),
        // Too short for its pointer, and pointers in front of the addresses.
        (&[7, 2, 0, 0], 21),
        (&[131, 2, 0, 0], 21),
        (&[68, 3, 5, 0], 21),
        (&[7, 7, 3, 0, 0, 0, 0, 0], 22),
        (&[1, 131, 3, 0], 23),
        (&[137, 7, 0, 0, 0, 0, 0, 0], 22),
        (&[68, 4, 4, 0], 22),
        // Of one length only.
        (&[148, 3, 0, 0], 21),
        (&[1, 136, 3, 0], 22),
    ];
    for (options, pointer) in cases {
        assert_eq!(policy(options), Malformed { pointer }, "{options:?}");
    }
}

#[test]
fn kinds_tell_whether_they_are_copied() {
    let copied = [130, 131, 136, 137, 148];
    for kind in [0, 1, 7, 68, 130, 131, 136, 137, 148] {
        let is_copied = Ipv4OptionKind(kind).is_copied();
        assert_eq!(is_copied, copied.contains(&kind), "{kind}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_options_or_an_error(
        bytes in proptest::collection::vec(prop_oneof![0u8..9, any::<u8>()], 0..64),
    ) {
        let mut at = 20;
        for option in Ipv4Options::new(&bytes) {
            match option {
                Ok(option) => {
                    prop_assert_eq!(usize::from(option.offset), at);
                    let from = at - 20;
                    prop_assert_eq!(option.bytes, &bytes[from..from + option.bytes.len()]);
                    at += option.bytes.len();
                }
                Err(error) => {
                    let pointer = usize::from(error.pointer);
                    prop_assert!(pointer >= at && pointer < 20 + bytes.len().min(40));
                }
            }
        }
        prop_assert!(at <= 60);
    }
}
