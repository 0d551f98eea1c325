use super::*;
use proptest::prelude::*;

/// A header of 8 or more bytes around these options, and two bytes behind it.
fn with(options: &[u8]) -> Vec<u8> {
    assert_eq!((options.len() + 2) % 8, 0);
    let words = (options.len() + 2) / 8 - 1;
    let mut bytes = vec![58, words as u8];
    bytes.extend_from_slice(options);
    bytes.extend_from_slice(&[0xaa, 0xbb]);
    bytes
}

#[test]
fn finds_the_router_alert_wherever_it_is() {
    let padded: [(&[u8], _); 5] = [
        (&[5, 2, 0, 0, 1, 0], Some(0)),
        (&[1, 0, 5, 2, 0, 0], Some(0)),
        (&[0, 0, 5, 2, 0x12, 0x34], Some(0x1234)),
        (&[0, 5, 2, 0, 1, 0], Some(1)),
        (&[1, 4, 5, 2, 0, 0], None),
    ];
    for (options, want) in padded {
        let bytes = with(options);
        let header = parse_hop_by_hop(&bytes).unwrap();
        assert_eq!(header.router_alert, want, "{options:?}");
        assert_eq!(header.next_header, IpProtocol::ICMPV6);
        assert_eq!((header.len, header.rest), (8, &[0xaa, 0xbb][..]));
    }
    assert_eq!(
        router_alert_header(IpProtocol::ICMPV6, ROUTER_ALERT_MLD),
        [58, 0, 5, 2, 0, 0, 1, 0]
    );
}

#[test]
fn malformed_headers_are_refused() {
    let bytes = with(&[5, 2, 0, 0, 1, 0]);
    for len in 0..8 {
        assert_eq!(
            parse_hop_by_hop(&bytes[..len]),
            Err(HopByHopError::Truncated)
        );
    }
    let refused: [(&[u8], _); 7] = [
        (&[1, 5, 0, 0, 0, 0], HopByHopError::OptionLength),
        (&[0, 0, 0, 0, 0, 1], HopByHopError::OptionLength),
        (&[5, 2, 0, 0, 5, 1], HopByHopError::OptionLength),
        (&[5, 4, 0, 0, 0, 0], HopByHopError::RouterAlert),
        (&[5, 1, 0, 1, 1, 0], HopByHopError::RouterAlert),
        (&[5, 0, 0, 0, 0, 0], HopByHopError::RouterAlert),
        (&[0x1e, 255, 0, 0, 0, 0], HopByHopError::OptionLength),
    ];
    for (options, want) in refused {
        assert_eq!(parse_hop_by_hop(&with(options)), Err(want), "{options:?}");
    }
    let twice = with(&[5, 2, 0, 0, 5, 2, 0, 0, 1, 4, 0, 0, 0, 0]);
    assert_eq!(parse_hop_by_hop(&twice), Err(HopByHopError::RouterAlert));
}

#[test]
fn unknown_options_do_what_their_number_says() {
    // Skipped, and the alert behind it is seen.
    let skipped = with(&[0x1e, 2, 5, 2, 5, 2, 0, 0, 1, 4, 0, 0, 0, 0]);
    let header = parse_hop_by_hop(&skipped).unwrap();
    assert_eq!((header.router_alert, header.len), (Some(0), 16));
    for (kind, action) in [
        (0x5e, UnknownOptionAction::Discard),
        (0x9e, UnknownOptionAction::Report),
        (0xc2, UnknownOptionAction::ReportUnlessMulticast),
    ] {
        let bytes = with(&[0, 1, 0, kind, 1, 0]);
        assert_eq!(
            parse_hop_by_hop(&bytes),
            Err(HopByHopError::UnknownOption {
                kind,
                offset: 5,
                action
            })
        );
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_header_or_an_error(
        mut bytes in proptest::collection::vec(prop_oneof![0u8..8, any::<u8>()], 0..120),
        words in 0u8..16,
    ) {
        if let Some(field) = bytes.get_mut(1) {
            *field = words;
        }
        if let Ok(header) = parse_hop_by_hop(&bytes) {
            prop_assert_eq!(header.len, (usize::from(words) + 1) * 8);
            prop_assert_eq!(header.rest, &bytes[header.len..]);
        }
    }
}
