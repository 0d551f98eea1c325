//! Against a naive reference, fragment by fragment.

use proptest::prelude::*;

use super::*;
use std::time::Duration;

/// A datagram as a list of what came.
#[derive(Default)]
struct Model {
    /// Offset, bytes, whether more follow.
    parts: Vec<(usize, Vec<u8>, bool)>,
    abandoned: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Expected {
    Held,
    Duplicate,
    Dropped,
    Complete(Vec<u8>),
}

impl Model {
    fn add(&mut self, offset: usize, bytes: &[u8], more: bool) -> Expected {
        let part = (offset, bytes.to_vec(), more);
        if more && !bytes.len().is_multiple_of(8) || self.abandoned {
            return Expected::Dropped;
        }
        if self.parts.contains(&part) {
            return Expected::Duplicate;
        }
        self.parts.push(part);
        let mut whole: Vec<Option<u8>> = Vec::new();
        for (offset, bytes, _) in &self.parts {
            whole.resize(whole.len().max(offset + bytes.len()), None);
            for (n, &byte) in bytes.iter().enumerate() {
                self.abandoned |= whole[offset + n].replace(byte).is_some();
            }
        }
        let ends: Vec<_> = self
            .parts
            .iter()
            .filter(|(.., more)| !more)
            .map(|(offset, bytes, _)| offset + bytes.len())
            .collect();
        self.abandoned |= ends.len() > 1 || ends.iter().any(|&end| end < whole.len());
        for (offset, bytes, more) in &self.parts {
            self.abandoned |= *more && ends.contains(&(offset + bytes.len()));
        }
        if self.abandoned {
            return Expected::Dropped;
        }
        let whole: Option<Vec<u8>> = whole.into_iter().collect();
        match whole {
            Some(whole) if !ends.is_empty() => {
                *self = Self::default();
                Expected::Complete(whole)
            }
            _ => Expected::Held,
        }
    }
}

fn family() -> impl Strategy<Value = Family> {
    any::<bool>().prop_map(|is_v4| if is_v4 { Family::V4 } else { Family::V6 })
}

/// The parts of a datagram of this length, cut at some of these places.
fn cut(len: usize, places: &[usize]) -> Vec<(usize, usize)> {
    let units = len.div_ceil(8);
    let mut cuts: Vec<_> = places.iter().map(|place| place % units * 8).collect();
    // One at least: otherwise it is not in fragments.
    cuts.extend([0, 8, len]);
    cuts.sort_unstable();
    cuts.dedup();
    cuts.windows(2)
        .map(|pair| (pair[0], pair[1] - pair[0]))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn i12_any_datagram_in_any_fragments_comes_out_as_it_was(
        family in family(),
        payload in proptest::collection::vec(any::<u8>(), 9..6000),
        extra in 0usize..4,
        places in proptest::collection::vec(any::<usize>(), 0..40),
        seed: u64,
    ) {
        let mut bed = bed();
        let mut sent = sent(family, 0);
        sent.extra = vec![1; extra * 8];
        sent.payload = payload;
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut parts = cut(sent.payload.len(), &places);
        rng.shuffle(&mut parts);
        let last = parts.len() - 1;
        for (n, &(offset, len)) in parts.iter().enumerate() {
            if n == last {
                bed.assert_whole(&sent, offset, len);
                break;
            }
            bed.assert_held(&sent, offset, len);
            if rng.bool() {
                let (offset, len) = parts[rng.usize(..=n)];
                prop_assert!(matches!(bed.part(&sent, offset, len), Outcome::Duplicate));
            }
        }
        prop_assert_eq!(bed.jumbo.out(), 0);
    }

    #[test]
    fn i12_with_any_overlap_nothing_comes_out(
        family in family(),
        len in 17usize..2000,
        places in proptest::collection::vec(any::<usize>(), 1..10),
        seed: u64,
    ) {
        let mut bed = bed();
        let sent = sent(family, len);
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut parts = cut(len, &places);
        let exact = parts.clone();
        // Any part that is none of the others, with the true bytes.
        let units = len.div_ceil(8);
        let overlap = loop {
            let start = rng.usize(..units) * 8;
            let end = (rng.usize(start / 8..units) * 8 + 8).min(len);
            let part = (start, end - start);
            if !exact.contains(&part) && part != (0, len) {
                break part;
            }
        };
        parts.push(overlap);
        rng.shuffle(&mut parts);
        let mut completed = 0;
        for (n, &(offset, len)) in parts.iter().enumerate() {
            if let Outcome::Complete(frame) = bed.part(&sent, offset, len) {
                // The overlap had not come yet, or others that it covers.
                prop_assert_eq!(frame.data(), sent.whole());
                let mut bytes = 0;
                for &(_, len) in &parts[..=n] {
                    bytes += len;
                }
                prop_assert_eq!(bytes, sent.payload.len());
                completed += 1;
            }
        }
        prop_assert!(completed <= 1);
        prop_assert_eq!(bed.jumbo.out(), bed.reassembly.len());
    }

    #[test]
    fn i12_behaves_like_a_list_of_fragments(
        family in family(),
        parts in proptest::collection::vec(
            (0usize..5, 1usize..4, 0usize..8, any::<bool>(), 0u8..20),
            1..12,
        ),
    ) {
        let mut bed = bed();
        let sent = sent(family, 0);
        let mut model = Model::default();
        for (unit, units, odd, more, version) in parts {
            let offset = unit * 8;
            let len = if more && odd < 7 { units * 8 } else { units * 8 - odd };
            if offset == 0 && !more {
                continue;
            }
            let version = u8::from(version == 0);
            let bytes: Vec<_> = (offset..offset + len).map(|n| n as u8 ^ version).collect();
            let expected = model.add(offset, &bytes, more);
            let outcome = match bed.input(&sent, &sent.part_with(offset, more, &bytes)) {
                Outcome::Held => Expected::Held,
                Outcome::Duplicate => Expected::Duplicate,
                Outcome::Dropped(_) | Outcome::ParameterProblem(_) => Expected::Dropped,
                Outcome::Complete(frame) => {
                    let mut sent = sent.clone();
                    let headers = sent.whole().len();
                    sent.payload = frame.data()[headers..].to_vec();
                    prop_assert_eq!(frame.data(), sent.whole());
                    Expected::Complete(sent.payload)
                }
            };
            prop_assert_eq!(outcome, expected);
        }
    }

    #[test]
    fn i12_every_datagram_and_every_slot_is_accounted_for(
        datagrams in 1usize..6,
        ops in proptest::collection::vec(
            (0u16..8, 0u16..2, 0usize..4, 0u64..8, 0u8..30),
            1..200,
        ),
    ) {
        let config = ReassemblyConfig { datagrams, ..ReassemblyConfig::default() };
        let mut bed = bed_of(&config);
        let mut told = 0;
        for (identification, nic, part, seconds, op) in ops {
            bed.now = bed.now + Duration::from_secs(seconds);
            told += bed.expire(bed.now) as u64;
            if op == 0 {
                bed.reassembly.clear_nic(nic);
            }
            let family = if identification % 2 == 0 { Family::V4 } else { Family::V6 };
            let mut sent = sent(family, 32).identified(identification);
            sent.nic = nic;
            let (offset, len) = [(0, 8), (8, 8), (16, 16), (8, 16)][part];
            let _ = bed.part(&sent, offset, len);

            let counts = bed.reassembly.counts();
            prop_assert_eq!(
                counts.begun,
                counts.completed + counts.abandoned + counts.timed_out + counts.evicted
                    + counts.cleared + bed.reassembly.len() as u64
            );
            prop_assert_eq!(counts.timed_out, told);
            prop_assert_eq!(bed.jumbo.out(), bed.reassembly.len());
            prop_assert!(bed.reassembly.len() <= datagrams);
            let next = bed.reassembly.next_deadline();
            prop_assert!(next.is_none_or(|next| next > bed.now));
        }
        let end = bed.now + Duration::from_secs(60);
        bed.expire(end);
        prop_assert_eq!(bed.jumbo.out(), 0);
        prop_assert!(bed.reassembly.next_deadline().is_none());
    }

    /// Bytes of any kind, with places of any kind: never a panic, never a slot lost.
    #[test]
    fn i12_any_bytes_are_survived(
        frames in proptest::collection::vec(
            (proptest::collection::vec(any::<u8>(), 0..120), any::<bool>(), 0usize..130, 0usize..130, 0usize..130),
            1..30,
        ),
    ) {
        let mut bed = bed();
        for (bytes, is_v4, network, header, announced) in frames {
            let place = if is_v4 {
                FragmentPlace::V4 { network }
            } else {
                FragmentPlace::V6 { network, header, announced }
            };
            let mut frame = bed.frame(&bytes);
            let _ = bed.reassembly.input(0, &mut frame, place, bed.now);
        }
        bed.reassembly.clear_nic(0);
        prop_assert_eq!(bed.jumbo.out(), 0);
    }
}
