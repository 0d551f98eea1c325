//! Fragments that break a rule, by themselves or together.

use super::*;

fn assert_problem(outcome: &Outcome, code: u8, pointer: u32) {
    let Outcome::ParameterProblem(problem) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(*problem, ParameterProblem { code, pointer });
}

#[test]
fn i12_fragments_without_payload_are_malformed() {
    for family in BOTH {
        let mut bed = bed();
        let sent = sent(family, 40);
        for (offset, more) in [(0, true), (8, true), (16, false)] {
            let empty = sent.part_with(offset, more, &[]);
            bed.assert_dropped(&sent, &empty, ReassemblyDrop::Empty);
        }
        assert!(ReassemblyDrop::Empty.is_malformed());
        assert_eq!(bed.reassembly.counts(), ReassemblyCounts::default());
    }
}

#[test]
fn i12_fragments_beyond_the_longest_packet_are_malformed() {
    // Offset and length wrap in 16 bits.
    let mut bed = bed();
    let ipv4 = sent(Family::V4, 0);
    let beyond = ipv4.part_with(65_528, false, &[0; 8]);
    bed.assert_dropped(&ipv4, &beyond, ReassemblyDrop::TooLong);
    // The header counts: 65,535 is the total length.
    let beyond = ipv4.part_with(65_504, false, &[0; 12]);
    bed.assert_dropped(&ipv4, &beyond, ReassemblyDrop::TooLong);
    assert!(ReassemblyDrop::TooLong.is_malformed());

    // RFC 8200 section 4.5: told, with a pointer to the offset.
    for extra in [0, 16] {
        let mut ipv6 = sent(Family::V6, 0);
        ipv6.extra = vec![1; extra];
        let beyond = ipv6.part_with(65_528, false, &[0; 8]);
        assert_problem(&bed.input(&ipv6, &beyond), 0, 40 + extra as u32 + 2);
    }
    assert!(bed.reassembly.is_empty());
}

#[test]
fn i12_fragments_that_are_not_the_last_are_whole_units() {
    let mut bed = bed();
    let ipv4 = sent(Family::V4, 64);
    let odd = ipv4.part(0, 12, true);
    bed.assert_dropped(&ipv4, &odd, ReassemblyDrop::Unaligned);
    // RFC 8200 section 4.5: told, with a pointer to the payload length.
    let ipv6 = sent(Family::V6, 64);
    assert_problem(&bed.input(&ipv6, &ipv6.part(0, 12, true)), 0, 4);

    // Their datagrams are none the worse for it.
    for sent in [ipv4, ipv6] {
        bed.assert_held(&sent, 0, 16);
        assert!(!matches!(
            bed.input(&sent, &sent.part(16, 9, true)),
            Outcome::Held
        ));
        bed.assert_whole(&sent, 16, 48);
    }
}

/// RFC 7112.
#[test]
fn i12_a_first_ipv6_fragment_has_all_the_headers() {
    let mut bed = bed();
    let mut sent = sent(Family::V6, 64);
    sent.protocol = IpProtocol::TCP;
    assert_problem(&bed.part(&sent, 0, 16), 3, 0);
    assert!(bed.reassembly.is_empty());
    bed.assert_held(&sent, 0, 24);
    bed.assert_whole(&sent, 24, 40);
}

#[test]
fn i12_overlaps_end_the_datagram_until_its_time_is_over() {
    for family in BOTH {
        for (offset, len) in [(8, 16), (16, 16), (0, 32), (8, 8), (16, 8)] {
            let mut bed = bed();
            let sent = sent(family, 64);
            bed.assert_held(&sent, 8, 16);
            bed.assert_held(&sent, 24, 8);
            let mut part = sent.part(offset, len, true);
            if (offset, len) == (8, 16) {
                // The same part with other bytes.
                *part.last_mut().unwrap() ^= 1;
            }
            bed.assert_dropped(&sent, &part, ReassemblyDrop::Overlap);
            assert_eq!(bed.jumbo.out(), 0, "its slot is free at once");
            assert!(bed.reassembly.is_empty());
            // What would have made it whole does not, nor does anything begin anew.
            for (offset, len) in [(0, 8), (8, 16), (24, 8), (32, 32)] {
                let part = sent.part(offset, len, offset < 32);
                bed.assert_dropped(&sent, &part, ReassemblyDrop::Abandoned);
            }
            // RFC 5722: silently.
            let deadline = bed.reassembly.next_deadline().unwrap();
            assert_eq!(bed.expire(deadline), 0);
            assert_eq!(bed.reassembly.next_deadline(), None);
            bed.assert_held(&sent, 0, 32);
            bed.assert_whole(&sent, 32, 32);
            let counts = bed.reassembly.counts();
            assert_eq!((counts.abandoned, counts.completed), (1, 1));
        }
    }
}

#[test]
fn i12_fragments_that_disagree_about_the_end_end_the_datagram() {
    for family in BOTH {
        // (a fragment that is there, one that does not go with it): offset, length, more.
        for (there, wrong) in [
            ((32, 16, false), (48, 8, true)),
            ((32, 16, false), (48, 8, false)),
            ((32, 16, false), (32, 16, true)),
            ((32, 16, false), (40, 16, true)),
            ((32, 12, false), (24, 24, true)),
            ((32, 16, false), (16, 8, false)),
            ((32, 16, true), (16, 8, false)),
            ((32, 16, true), (32, 16, false)),
            ((32, 16, true), (40, 8, false)),
        ] {
            let mut bed = bed();
            let sent = sent(family, 64);
            let (offset, len, more) = there;
            let outcome = bed.input(&sent, &sent.part(offset, len, more));
            assert!(matches!(outcome, Outcome::Held));
            let (offset, len, more) = wrong;
            let part = sent.part(offset, len, more);
            bed.assert_dropped(&sent, &part, ReassemblyDrop::End);
            assert_eq!(bed.jumbo.out(), 0);
        }
    }
}

#[test]
fn i12_frames_shorter_than_their_headers_are_dropped() {
    for family in BOTH {
        let mut bed = bed();
        let mut sent = sent(family, 40);
        sent.extra = vec![1; 8];
        let part = sent.part(8, 32, false);
        for len in 0..part.len() {
            bed.assert_dropped(&sent, &part[..len], ReassemblyDrop::Truncated);
        }
        let atomic = sent.part(0, 40, false);
        for len in 0..atomic.len() {
            bed.assert_dropped(&sent, &atomic[..len], ReassemblyDrop::Truncated);
        }
        // Places that are none.
        let mut frame = bed.frame(&part);
        for place in [
            FragmentPlace::V4 {
                network: usize::MAX,
            },
            FragmentPlace::V6 {
                network: usize::MAX,
                header: usize::MAX,
                announced: usize::MAX,
            },
            FragmentPlace::V6 {
                network: 14,
                header: 20,
                announced: 54,
            },
        ] {
            let outcome = bed.reassembly.input(3, &mut frame, place, bed.now);
            assert!(matches!(
                outcome,
                Outcome::Dropped(ReassemblyDrop::Truncated)
            ));
        }
        assert_eq!(bed.reassembly.counts(), ReassemblyCounts::default());
    }
}

#[test]
fn i12_lengths_are_those_of_the_first_fragments_headers() {
    // A later fragment has no options and fits; with the first one's the whole does not.
    let mut bed = bed();
    let mut ipv4 = sent(Family::V4, 65_515);
    bed.assert_held(&ipv4, 65_504, 11);
    ipv4.extra = vec![1; 4];
    bed.assert_held(&ipv4, 0, 32_768);
    let rest = ipv4.part(32_768, 65_504 - 32_768, true);
    bed.assert_dropped(&ipv4, &rest, ReassemblyDrop::TooLong);
    assert_eq!(bed.jumbo.out(), 0);
}

#[test]
fn i12_headers_longer_than_their_room_end_the_datagram() {
    let mut bed = bed();
    let mut sent = sent(Family::V6, 64);
    sent.extra = vec![1; 2048];
    bed.assert_held(&sent, 0, 32);
    bed.assert_whole(&sent, 32, 32);
    // Two extension headers of full length, as far as this side is concerned.
    let mut data = sent.part(0, 32, true);
    let second = data[54..54 + 2048].to_vec();
    data.splice(54..54, second);
    data[18..20].copy_from_slice(&(2048u16 * 2 + 8 + 32).to_be_bytes());
    let mut frame = bed.frame(&data);
    let place = FragmentPlace::V6 {
        network: 14,
        header: 54 + 4096,
        announced: 54 + 2048,
    };
    let outcome = bed.reassembly.input(3, &mut frame, place, bed.now);
    assert!(matches!(
        outcome,
        Outcome::Dropped(ReassemblyDrop::HeadersTooLong)
    ));
    assert_eq!(bed.jumbo.out(), 0);
}
