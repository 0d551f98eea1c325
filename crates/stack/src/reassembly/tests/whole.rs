//! Datagrams that become whole.

use super::*;

#[test]
fn i12_fragments_become_a_datagram_in_any_order() {
    // RFC 815 section 3: whatever the order, a fragment shrinks, splits or fills a hole.
    let parts = [(0, 64), (64, 8), (72, 128), (200, 13)];
    for family in BOTH {
        for order in 0..24 {
            let mut left = parts.to_vec();
            let mut bed = bed();
            let sent = sent(family, 213);
            let mut n = order;
            for radix in (2..=4).rev() {
                let (offset, len) = left.remove(n % radix);
                n /= radix;
                bed.assert_held(&sent, offset, len);
            }
            let (offset, len) = left[0];
            bed.assert_whole(&sent, offset, len);
            assert_eq!(bed.jumbo.out(), 0);
            assert!(bed.reassembly.is_empty());
        }
    }
}

#[test]
fn i12_the_whole_has_the_headers_and_the_metadata_of_the_first_fragment() {
    for (family, extra) in [(Family::V4, 8), (Family::V6, 24)] {
        let mut bed = bed();
        let mut sent = sent(family, 100);
        sent.extra = vec![1; extra];
        let mut later = sent.clone();
        later.extra.clear();
        bed.assert_held(&later, 64, 36);

        let mut frame = bed.frame(&sent.part(0, 64, true));
        frame.set_nic(3);
        frame.set_rx_time(123);
        frame.set_rss_hash(456);
        frame.set_trace(true);
        let outcome = bed
            .reassembly
            .input(sent.nic, &mut frame, sent.place(), bed.now);
        let Outcome::Complete(whole) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(whole.data(), sent.whole());
        assert_eq!((whole.nic(), whole.rx_time()), (3, 123));
        assert_eq!((whole.rss_hash(), whole.trace()), (456, true));
    }
}

#[test]
fn i12_the_longest_datagrams() {
    for (family, longest) in [(Family::V4, 65_515), (Family::V6, 65_535)] {
        let mut bed = bed();
        let sent = sent(family, longest);
        bed.assert_held(&sent, 0, 32_768);
        bed.assert_whole(&sent, 32_768, longest - 32_768);
    }
}

#[test]
fn padding_of_the_link_is_not_payload() {
    for family in BOTH {
        let mut bed = bed();
        let sent = sent(family, 20);
        bed.assert_held(&sent, 0, 16);
        let mut last = sent.part(16, 4, false);
        last.extend([0xff; 20]);
        let outcome = bed.input(&sent, &last);
        let Outcome::Complete(frame) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(frame.data(), sent.whole());
    }
}

#[test]
fn i12_what_differs_in_its_key_is_another_datagram() {
    for family in BOTH {
        let mut bed = bed();
        let sent = sent(family, 48);
        let other = sent.clone().identified(78);
        let mut elsewhere = sent.clone();
        elsewhere.nic = 4;
        for sent in [&sent, &other, &elsewhere] {
            bed.assert_held(sent, 0, 24);
        }
        assert_eq!(bed.reassembly.len(), 3);
        let mut protocol = sent.clone();
        protocol.protocol = IpProtocol(254);
        match family {
            // RFC 791: of the key.
            Family::V4 => bed.assert_held(&protocol, 24, 24),
            // RFC 8200 section 4.5: only the first fragment's next header counts.
            Family::V6 => {
                let outcome = bed.part(&protocol, 24, 24);
                let Outcome::Complete(frame) = outcome else {
                    panic!("{outcome:?}");
                };
                assert_eq!(frame.data(), sent.whole());
            }
        }
        bed.assert_whole(&other, 24, 24);
        bed.assert_whole(&elsewhere, 24, 24);
    }
}

#[test]
fn i12_exact_repetitions_are_ignored() {
    for family in BOTH {
        let mut bed = bed();
        let sent = sent(family, 44);
        for (offset, len) in [(32, 12), (8, 8), (0, 8)] {
            bed.assert_held(&sent, offset, len);
            for _ in 0..2 {
                assert!(matches!(bed.part(&sent, offset, len), Outcome::Duplicate));
            }
        }
        bed.assert_whole(&sent, 16, 16);
    }
}

/// RFC 6946: it is a datagram, and fragments of the same identification are none of its business.
#[test]
fn i12_atomic_fragments_pass_by() {
    for extra in [0, 16] {
        let mut bed = bed();
        let mut sent = sent(Family::V6, 40);
        sent.extra = vec![1; extra];
        bed.assert_held(&sent, 0, 16);
        let mut frame = bed.frame(&sent.part(0, 40, false));
        frame.set_rx_time(9);
        let outcome = bed
            .reassembly
            .input(sent.nic, &mut frame, sent.place(), bed.now);
        let Outcome::Complete(whole) = outcome else {
            panic!("{outcome:?}");
        };
        assert!(frame.is_vacant(), "it is the frame itself");
        assert_eq!(whole.data(), sent.whole());
        assert_eq!(whole.rx_time(), 9);
        assert_eq!(bed.jumbo.out(), 1, "no slot for it");
        bed.assert_whole(&sent, 16, 24);
    }
}

/// RFC 3168 section 5.3.
#[test]
fn i12_congestion_marks_of_the_fragments() {
    const NOT: u8 = 0b00;
    const CAPABLE: u8 = 0b10;
    const MARKED: u8 = 0b11;
    for family in BOTH {
        for (first, last, whole) in [
            (CAPABLE, MARKED, Some(MARKED)),
            (MARKED, CAPABLE, Some(MARKED)),
            (NOT, CAPABLE, Some(NOT)),
            (CAPABLE, NOT, Some(CAPABLE)),
            (0b01, CAPABLE, Some(0b01)),
            (MARKED, NOT, None),
            (NOT, MARKED, None),
        ] {
            let mut bed = bed();
            let classed = |class| {
                let mut sent = sent(family, 24);
                sent.traffic_class = 0xb8 | class;
                sent
            };
            bed.assert_held(&classed(first), 0, 16);
            match (bed.part(&classed(last), 16, 8), whole) {
                (Outcome::Complete(frame), Some(whole)) => {
                    assert_eq!(frame.data(), classed(whole).whole());
                }
                (Outcome::Dropped(ReassemblyDrop::Congestion), None) => {}
                (outcome, _) => panic!("{first:02b} and {last:02b}: {outcome:?}"),
            }
            assert_eq!(bed.jumbo.out(), 0);
        }
    }
}
