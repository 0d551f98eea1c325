//! Whatever the bytes are, reading them ends, without a panic, and what it says holds together.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::fixture::{
    IF_TSOFFSET, IF_TSRESOL, MICROSECONDS, NANOSECONDS, ORDERS, PcapFile, PcapngFile,
    ethernet_frame,
};
use super::super::{Capture, PcapEnd};
use super::frame;

/// Reads, and if that gives a capture, reads all of it and checks that the counts agree.
fn read(bytes: Vec<u8>) {
    let len = bytes.len();
    let Ok(capture) = Capture::from_bytes("random", bytes) else {
        return;
    };
    let counts = capture.counts();
    // No record is smaller than this, so no loop went without progress.
    assert!(counts.in_file() <= len as u64 / 12);
    assert_eq!(counts.packets, capture.len() as u64);
    assert!(counts.snap_truncated <= counts.packets && counts.out_of_order <= counts.packets);
    if let PcapEnd::Truncated {
        after_packets,
        at_byte,
        why,
    } = capture.end()
    {
        assert_eq!(after_packets, counts.in_file());
        assert!(at_byte < len as u64);
        assert!(!why.to_string().is_empty());
    }
    let mut cut = 0;
    let mut last = i64::MIN;
    let mut backwards = 0;
    for packet in capture.packets() {
        assert_eq!(frame(&packet).len(), packet.len());
        assert!(!packet.is_empty() && packet.len() <= packet.original_len());
        cut += u64::from(packet.is_snap_truncated());
        backwards += u64::from(packet.time_ns() < last);
        last = packet.time_ns();
        let offset = packet.time_ns() as i128 - capture.first_time_ns() as i128;
        assert_eq!(i128::from(packet.offset_ns()), offset.max(0));
    }
    assert_eq!(
        (cut, backwards),
        (counts.snap_truncated, counts.out_of_order)
    );
}

/// Valid files of each format and byte order, with something of everything in them.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for order in ORDERS {
        for (magic, link_type) in [
            (MICROSECONDS, 1),
            (NANOSECONDS, 101),
            (MICROSECONDS, 0),
            (NANOSECONDS, 113),
            (MICROSECONDS, 276),
        ] {
            let file = (0..4).fold(PcapFile::new(order, magic, link_type), |file, i| {
                file.packet(i, i, &ethernet_frame(0x45, 30 + i as usize))
            });
            seeds.push(file.record(9, 9, 20, 90, &[2; 20]).bytes);
        }
        let file = PcapngFile::new(order)
            .interface(1, 0, &[(IF_TSRESOL, &[9]), (IF_TSOFFSET, &order.u64(7))])
            .interface(101, 64, &[(IF_TSRESOL, &[0x8a])])
            .simple(30, &ethernet_frame(1, 30))
            .enhanced(0, 1 << 40, 31, &ethernet_frame(1, 31))
            .block(4, &[0; 8])
            .enhanced(1, 77, 80, &[0x45; 33])
            .obsolete(0, 99, 25, &ethernet_frame(1, 25))
            .section(order)
            .interface(276, 0, &[])
            .enhanced(0, 5, 40, &[8; 40]);
        seeds.push(file.bytes);
    }
    seeds
}

#[test]
fn the_seeds_are_valid() {
    for seed in seeds() {
        let capture = Capture::from_bytes("seed", seed.clone()).expect("a capture");
        assert_eq!(capture.end(), PcapEnd::Complete);
        assert!(capture.counts().in_file() >= 5);
        read(seed);
    }
}

#[test]
fn every_cut_and_every_changed_byte() {
    for seed in seeds() {
        for at in 0..seed.len() {
            read(seed[..at].to_vec());
            for value in [0, 1, 0x7f, 0x80, 0xff, seed[at] ^ 1] {
                let mut changed = seed.clone();
                changed[at] = value;
                read(changed);
            }
        }
    }
}

/// One change to a file.
#[derive(Clone, Debug)]
enum Change {
    Set(usize, u8),
    /// Four bytes at once: lengths and types.
    Set4(usize, u32, bool),
    Cut(usize),
    Insert(usize, Vec<u8>),
    /// Repeats a part of the file at its end.
    Repeat(usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let lengths = prop_oneof![
        any::<u32>(),
        0..200u32,
        Just(u32::MAX),
        Just(u32::MAX - 3),
        Just(262_144),
        Just(1 << 31)
    ];
    prop_oneof![
        (any::<usize>(), any::<u8>()).prop_map(|(at, value)| Change::Set(at, value)),
        (any::<usize>(), lengths, any::<bool>()).prop_map(|(at, v, big)| Change::Set4(at, v, big)),
        any::<usize>().prop_map(Change::Cut),
        (any::<usize>(), vec(any::<u8>(), 0..40)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (any::<usize>(), any::<usize>()).prop_map(|(from, to)| Change::Repeat(from, to)),
    ]
}

fn apply(bytes: &mut Vec<u8>, change: Change) {
    let size = bytes.len() + 1;
    match change {
        Change::Set(at, value) => {
            if let Some(byte) = bytes.get_mut(at % size) {
                *byte = value;
            }
        }
        Change::Set4(at, value, big) => {
            let at = at % size / 4 * 4;
            if let Some(field) = bytes.get_mut(at..at + 4) {
                let value = if big {
                    value.to_be_bytes()
                } else {
                    value.to_le_bytes()
                };
                field.copy_from_slice(&value);
            }
        }
        Change::Cut(at) => bytes.truncate(at % size),
        Change::Insert(at, new) => {
            let at = at % size;
            bytes.splice(at..at, new);
        }
        Change::Repeat(from, to) => {
            let (from, to) = (from % size, to % size);
            bytes.extend_from_within(from.min(to)..from.max(to));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes(bytes in vec(any::<u8>(), 0..400)) {
        read(bytes);
    }

    #[test]
    fn random_bytes_behind_a_valid_start(
        seed in 0..12usize,
        start in 4..80usize,
        bytes in vec(any::<u8>(), 0..400),
    ) {
        let seeds = seeds();
        let seed = &seeds[seed % seeds.len()];
        let mut file = seed[..start.min(seed.len())].to_vec();
        file.extend(bytes);
        read(file);
    }

    #[test]
    fn changed_files(seed in 0..12usize, changes in vec(change(), 1..8)) {
        let mut seeds = seeds();
        let seed = seed % seeds.len();
        let mut bytes = seeds.swap_remove(seed);
        for change in changes {
            apply(&mut bytes, change);
        }
        read(bytes);
    }
}
