//! Formats, byte orders, times, and files that break off.

use super::super::fixture::{
    IF_NAME, IF_TSOFFSET, IF_TSRESOL, IF_TZONE, MICROSECONDS, NANOSECONDS, ORDERS, Order, PcapFile,
    PcapngFile, ethernet_frame,
};
use super::super::{Capture, Format, LinkKind, LinkType, PcapBreak, PcapEnd, PcapError};
use super::{frames, offsets, open};

#[test]
fn pcap_of_both_orders_and_resolutions() {
    for order in ORDERS {
        for (magic, format, scale) in [
            (MICROSECONDS, Format::PcapMicroseconds, 1_000),
            (NANOSECONDS, Format::PcapNanoseconds, 1),
        ] {
            let (a, b) = (ethernet_frame(1, 60), ethernet_frame(2, 15));
            let capture = PcapFile::new(order, magic, 1)
                .packet(1_700_000_000, 999_999, &a)
                .packet(1_700_000_001, 7, &b)
                .open();
            assert_eq!(capture.format(), format);
            assert_eq!(capture.end(), PcapEnd::Complete);
            assert_eq!(frames(&capture), [a, b]);
            assert_eq!(
                capture.first_time_ns(),
                1_700_000_000_000_000_000 + 999_999 * scale
            );
            let gap = 1_000_000_000 + 7 * scale - 999_999 * scale;
            assert_eq!(offsets(&capture), [0, gap as u64]);
            assert_eq!(capture.get(0).map(|p| p.link()), Some(LinkKind::Ethernet));
            assert!(capture.get(2).is_none());
        }
    }
}

#[test]
fn pcap_without_packets() {
    let capture = PcapFile::ethernet().open();
    assert!(capture.is_empty());
    assert_eq!(
        (capture.end(), capture.first_time_ns()),
        (PcapEnd::Complete, 0)
    );
}

#[test]
fn the_last_seconds_of_pcap_time() {
    let capture = PcapFile::ethernet()
        .packet(u32::MAX, u32::MAX, &[1; 20])
        .open();
    let ns = i64::from(u32::MAX) * 1_000_000_000 + i64::from(u32::MAX) * 1_000;
    assert_eq!(capture.first_time_ns(), ns);
}

#[test]
fn packets_out_of_order() {
    let capture = PcapFile::ethernet()
        .packet(100, 0, &[1; 20])
        .packet(102, 0, &[2; 20])
        .packet(99, 0, &[3; 20])
        .packet(103, 0, &[4; 20])
        .open();
    assert_eq!(offsets(&capture), [0, 2_000_000_000, 0, 3_000_000_000]);
    assert_eq!(capture.get(2).map(|p| p.time_ns()), Some(99_000_000_000));
    assert_eq!(capture.counts().out_of_order, 1);
}

#[test]
fn packets_cut_by_the_snap_length_and_packets_without_bytes() {
    let capture = PcapFile::ethernet()
        .record(1, 0, 20, 1500, &[1; 20])
        .record(1, 0, 0, 60, &[])
        .record(1, 0, 0, 0, &[])
        // Longer than it was: a damaged header, or a tool that counts differently.
        .record(1, 0, 20, 10, &[2; 20])
        .open();
    let counts = capture.counts();
    assert_eq!(
        (counts.packets, counts.snap_truncated, counts.zero_length),
        (2, 1, 2)
    );
    assert_eq!((counts.skipped(), counts.in_file()), (2, 4));
    let packets: Vec<_> = capture.packets().collect();
    assert!(packets[0].is_snap_truncated());
    assert_eq!((packets[0].len(), packets[0].original_len()), (20, 1500));
    assert!(!packets[1].is_snap_truncated());
    assert_eq!((packets[1].len(), packets[1].original_len()), (20, 20));
}

#[test]
fn a_packet_longer_than_the_file_says_packets_are() {
    let long = ethernet_frame(0, 70_000);
    let capture = PcapFile::ethernet().packet(1, 0, &long).open();
    assert_eq!(frames(&capture), [long]);
}

#[test]
fn pcap_that_breaks_off() {
    let (a, b) = (ethernet_frame(1, 60), ethernet_frame(2, 80));
    let whole = PcapFile::ethernet().packet(1, 0, &a).packet(2, 0, &b);
    let second = whole.bytes.len() - 96;
    for cut in 0..whole.bytes.len() {
        let result = open(whole.bytes[..cut].to_vec());
        if cut < 24 {
            let error = result.expect_err("no header");
            match error {
                PcapError::Empty { .. } => assert_eq!(cut, 0),
                PcapError::TooShort { len, needs, .. } => assert_eq!((len, needs), (cut, 24)),
                error => panic!("{error}"),
            }
            continue;
        }
        let capture = result.expect("the packets before the break");
        let at_byte = if cut < second { 24 } else { second };
        let (promised, there) = (if cut < second { 60 } else { 80 }, cut - at_byte);
        assert_eq!(capture.len(), usize::from(cut >= second));
        if cut == 24 || cut == second {
            assert_eq!(capture.end(), PcapEnd::Complete);
            continue;
        }
        let why = match there {
            0..16 => PcapBreak::HeaderCut,
            _ => PcapBreak::PacketCut {
                captured: promised,
                missing: promised + 16 - there as u32,
            },
        };
        let after_packets = u64::from(cut >= second);
        let at_byte = at_byte as u64;
        assert_eq!(
            capture.end(),
            PcapEnd::Truncated {
                after_packets,
                at_byte,
                why
            }
        );
    }
    assert_eq!(whole.open().end(), PcapEnd::Complete);
}

#[test]
fn a_length_that_no_tool_writes_ends_a_pcap() {
    let capture = PcapFile::ethernet()
        .packet(1, 0, &[1; 20])
        .record(1, 0, 0, 0, &[])
        .record(1, 0, 300_000, 300_000, &[0; 300_000])
        .packet(1, 0, &[1; 20])
        .open();
    assert_eq!(capture.len(), 1);
    let why = PcapBreak::CapturedLength { captured: 300_000 };
    assert_eq!(
        capture.end(),
        PcapEnd::Truncated {
            after_packets: 2,
            at_byte: 76,
            why
        }
    );
}

#[test]
fn versions_of_pcap() {
    let mut file = PcapFile::ethernet();
    file.bytes[4] = 3;
    assert!(matches!(
        file.refuse(),
        PcapError::Version {
            major: 3,
            minor: 4,
            ..
        }
    ));
    file.bytes[4] = 2;
    file.bytes[6] = 2;
    assert!(matches!(
        file.refuse(),
        PcapError::Version {
            major: 2,
            minor: 2,
            ..
        }
    ));
}

#[test]
fn files_that_are_no_captures() {
    for (bytes, words) in [
        (&b"License, which"[..], "4c 69 63 65)"),
        (&[0x1f, 0x8b, 8, 0, 0][..], "gzip"),
        (&[0x28, 0xb5, 0x2f, 0xfd][..], "zstd"),
        (&b"snoop\0\0\0"[..], "snoop"),
        (&[0x34, 0xcd, 0xb2, 0xa1, 0, 0][..], "modified pcap"),
    ] {
        let error = open(bytes.to_vec()).expect_err("no capture");
        assert!(matches!(error, PcapError::NotACapture { .. }), "{error}");
        let message = error.to_string();
        assert!(
            message.starts_with("test.pcap: ") && message.contains(words),
            "{message}"
        );
    }
}

#[test]
fn files_that_cannot_be_read() {
    let error = Capture::open("/nonexistent/x.pcap").expect_err("no file");
    assert!(matches!(&error, PcapError::Io { file, .. } if file == "/nonexistent/x.pcap"));
    let error = Capture::open(std::env::temp_dir()).expect_err("a directory");
    assert!(matches!(error, PcapError::Io { .. }), "{error}");
}

#[test]
fn pcapng_of_both_orders() {
    for order in ORDERS {
        let (a, b, c) = (
            ethernet_frame(1, 61),
            ethernet_frame(2, 62),
            ethernet_frame(3, 63),
        );
        let capture = PcapngFile::new(order)
            .interface(1, 0, &[(IF_NAME, b"eth0")])
            .enhanced(0, 5_000_000, 61, &a)
            .block(5, &[0; 12])
            .block(0x0bad_cafe, &[0xff; 33])
            .enhanced(0, 5_000_001, 100, &b)
            .obsolete(0, 5_000_002, 63, &c)
            .open();
        assert_eq!(
            (capture.format(), capture.end()),
            (Format::Pcapng, PcapEnd::Complete)
        );
        assert_eq!(capture.first_time_ns(), 5_000_000_000);
        assert_eq!(offsets(&capture), [0, 1_000, 2_000]);
        assert_eq!(frames(&capture), [a, b, c]);
        assert_eq!(capture.counts().snap_truncated, 1);
        assert_eq!(capture.get(1).map(|p| p.original_len()), Some(100));
    }
}

#[test]
fn pcapng_interfaces_have_their_own_link_type_and_time() {
    for order in ORDERS {
        let offset = order.u64((-3i64) as u64);
        let capture = PcapngFile::new(order)
            .interface(1, 0, &[])
            .interface(101, 0, &[(IF_TZONE, &[0, 0, 0, 1]), (IF_TSRESOL, &[9])])
            .interface(
                1,
                0,
                &[(IF_NAME, &[0xff, 0xfe]), (IF_TSRESOL, &[0x80 | 20])],
            )
            .interface(1, 0, &[(IF_TSRESOL, &[0]), (IF_TSOFFSET, &offset)])
            .interface(1, 0, &[(IF_TSRESOL, &[12])])
            .enhanced(0, 10_000_000, 20, &[1; 20])
            .enhanced(1, 10_000_000_007, 20, &[0x45; 20])
            .enhanced(2, (10 << 20) + (1 << 19), 20, &[3; 20])
            .enhanced(3, 14, 20, &[4; 20])
            .enhanced(4, 12_000_000_001_999, 20, &[5; 20])
            .open();
        assert_eq!(capture.end(), PcapEnd::Complete);
        assert_eq!(capture.first_time_ns(), 10_000_000_000);
        assert_eq!(
            offsets(&capture),
            [0, 7, 500_000_000, 1_000_000_000, 2_000_000_001]
        );
        let kinds: Vec<_> = capture.packets().map(|p| p.link()).collect();
        assert_eq!(kinds[1], LinkKind::RawIp);
        assert_eq!(kinds[2], LinkKind::Ethernet);
    }
}

#[test]
fn pcapng_times_beyond_the_range_stop_at_its_bounds() {
    let order = Order::Little;
    for (resolution, offset, expected) in [
        (0, 0, i64::MAX),
        (0, i64::MAX, i64::MAX),
        (9, i64::MIN, i64::MIN),
        (0x7f, 0, 0),
        (0xff, 0, 0),
        (0x80, 0, i64::MAX),
    ] {
        let capture = PcapngFile::new(order)
            .interface(
                1,
                0,
                &[
                    (IF_TSRESOL, &[resolution]),
                    (IF_TSOFFSET, &order.u64(offset as u64)),
                ],
            )
            .enhanced(0, u64::MAX, 20, &[1; 20])
            .enhanced(0, 0, 20, &[1; 20])
            .open();
        assert_eq!(
            capture.first_time_ns(),
            expected,
            "{resolution:#x} {offset}"
        );
        assert_eq!(offsets(&capture), [0, 0]);
    }
}

#[test]
fn the_widest_gap_between_two_packets() {
    let order = Order::Big;
    let capture = PcapngFile::new(order)
        .interface(1, 0, &[(IF_TSOFFSET, &order.u64(i64::MIN as u64))])
        .interface(1, 0, &[(IF_TSOFFSET, &order.u64(i64::MAX as u64))])
        .enhanced(0, 0, 20, &[1; 20])
        .enhanced(1, 0, 20, &[1; 20])
        .open();
    assert_eq!(offsets(&capture), [0, u64::MAX]);
}

#[test]
fn simple_packets_take_the_time_of_their_neighbours() {
    for order in ORDERS {
        let capture = PcapngFile::new(order)
            .interface(1, 30, &[])
            .simple(22, &[1; 22])
            .simple(100, &[2; 32])
            .enhanced(0, 7_000_000, 20, &[3; 20])
            .simple(20, &[4; 20])
            .enhanced(0, 8_000_000, 20, &[5; 20])
            .open();
        let times: Vec<_> = capture
            .packets()
            .map(|p| p.time_ns() / 1_000_000_000)
            .collect();
        assert_eq!(times, [7, 7, 7, 7, 8]);
        let lengths: Vec<_> = capture
            .packets()
            .map(|p| (p.len(), p.original_len()))
            .collect();
        assert_eq!(lengths, [(22, 22), (30, 100), (20, 20), (20, 20), (20, 20)]);
        let counts = capture.counts();
        assert_eq!((counts.snap_truncated, counts.out_of_order), (1, 0));
    }
    let untimed = PcapngFile::new(Order::Big)
        .interface(1, 0, &[])
        .simple(20, &[1; 20])
        .open();
    assert_eq!((untimed.len(), untimed.first_time_ns()), (1, 0));
}

#[test]
fn sections_number_their_interfaces_anew_and_choose_their_order() {
    let capture = PcapngFile::new(Order::Big)
        .interface(101, 0, &[])
        .enhanced(0, 1_000_000, 20, &[0x60; 20])
        .section(Order::Little)
        .interface(1, 0, &[])
        .enhanced(0, 2_000_000, 20, &[2; 20])
        .section_version(Order::Big, 1, 2)
        .open();
    assert_eq!(capture.end(), PcapEnd::Complete);
    let kinds: Vec<_> = capture.packets().map(|p| p.link()).collect();
    assert_eq!(kinds, [LinkKind::RawIp, LinkKind::Ethernet]);
    assert_eq!(offsets(&capture), [0, 1_000_000_000]);

    // The interface of the section before is none of this one.
    let file = PcapngFile::new(Order::Big)
        .interface(1, 0, &[])
        .enhanced(0, 0, 20, &[1; 20])
        .section(Order::Big);
    let at_byte = file.bytes.len() as u64;
    let capture = file.enhanced(0, 0, 20, &[1; 20]).open();
    let why = PcapBreak::Interface { interface: 0 };
    assert_eq!(
        capture.end(),
        PcapEnd::Truncated {
            after_packets: 1,
            at_byte,
            why
        }
    );
}

#[test]
fn later_sections_of_another_version() {
    let file = PcapngFile::new(Order::Big)
        .interface(1, 0, &[])
        .enhanced(0, 0, 20, &[1; 20]);
    let at_byte = file.bytes.len() as u64;
    let capture = file.section_version(Order::Little, 2, 0).open();
    let why = PcapBreak::Version { major: 2, minor: 0 };
    assert_eq!(
        capture.end(),
        PcapEnd::Truncated {
            after_packets: 1,
            at_byte,
            why
        }
    );
}

#[test]
fn first_sections_that_cannot_be_read() {
    let mut file = PcapngFile {
        order: Order::Big,
        bytes: Vec::new(),
    };
    file = file.section_version(Order::Little, 3, 1);
    assert!(matches!(
        file.refuse(),
        PcapError::Version {
            format: "pcapng",
            major: 3,
            minor: 1,
            ..
        }
    ));

    let good = PcapngFile::new(Order::Big).bytes;
    for cut in 4..good.len() {
        let error = open(good[..cut].to_vec()).expect_err("no header");
        assert!(
            matches!(error, PcapError::TooShort { len, needs: 28, .. } if len == cut),
            "{cut}: {error}"
        );
    }
    let mut no_order = good.clone();
    no_order[8] = 0;
    assert!(matches!(
        open(no_order),
        Err(PcapError::SectionHeader { .. })
    ));
    let mut too_small = good;
    too_small[7] = 12;
    assert!(matches!(
        open(too_small),
        Err(PcapError::SectionHeader { .. })
    ));
}

#[test]
fn pcapng_that_breaks_off() {
    for order in ORDERS {
        let file = PcapngFile::new(order)
            .interface(1, 0, &[])
            .enhanced(0, 0, 20, &[1; 20]);
        let interface_end = 28 + 20;
        let first_end = file.bytes.len();
        let whole = file.enhanced(0, 1, 40, &[1; 40]);
        for cut in 28..=whole.bytes.len() {
            let capture = open(whole.bytes[..cut].to_vec()).expect("what is before the break");
            let blocks = [28, interface_end, first_end, whole.bytes.len()];
            let end = if blocks.contains(&cut) {
                PcapEnd::Complete
            } else {
                let at_byte = blocks.into_iter().rfind(|&end| end < cut).expect("a block") as u64;
                let after_packets = u64::from(cut > first_end);
                PcapEnd::Truncated {
                    after_packets,
                    at_byte,
                    why: PcapBreak::HeaderCut,
                }
            };
            assert_eq!(capture.end(), end, "{cut}");
        }
    }
}

#[test]
fn malformed_blocks_end_a_pcapng() {
    for order in ORDERS {
        let start = PcapngFile::new(order)
            .interface(1, 0, &[])
            .enhanced(0, 0, 20, &[1; 20]);
        let at_byte = start.bytes.len() as u64;
        // More captured bytes than the block has.
        let mut overlong = start.clone().enhanced(0, 0, 20, &[1; 20]);
        let field = overlong.bytes.len() - 4 - 20 - 8;
        overlong.bytes[field..field + 4].copy_from_slice(&order.u32(24));
        // Two lengths that differ.
        let mut unequal = start.clone().enhanced(0, 0, 20, &[1; 20]);
        let end = unequal.bytes.len();
        unequal.bytes[end - 4..].copy_from_slice(&order.u32(48));
        for (file, block_type) in [
            (overlong, 6),
            (unequal, 6),
            (start.clone().block(6, &[0; 12]), 6),
            (start.clone().block(1, &[0; 4]), 1),
            (start.clone().block(3, &[]), 3),
            (start.clone().block(2, &[0; 16]), 2),
        ] {
            let file = file.enhanced(0, 0, 20, &[1; 20]);
            let capture = file.open();
            assert_eq!(capture.len(), 1);
            let why = PcapBreak::Block { block_type };
            assert_eq!(
                capture.end(),
                PcapEnd::Truncated {
                    after_packets: 1,
                    at_byte,
                    why
                }
            );
        }
        // A length less than a block's least.
        let mut tiny = start.clone();
        tiny.bytes.extend(order.u32(77));
        tiny.bytes.extend(order.u32(8));
        tiny.bytes.extend([0; 64]);
        let why = PcapBreak::Block { block_type: 77 };
        assert_eq!(
            tiny.open().end(),
            PcapEnd::Truncated {
                after_packets: 1,
                at_byte,
                why
            }
        );
    }
}

#[test]
fn lengths_that_no_tool_writes_end_a_pcapng() {
    let captured = 262_148;
    let long = vec![1; captured as usize];
    let start = PcapngFile::new(Order::Little).interface(1, 0, &[]);
    let at_byte = start.bytes.len() as u64;
    for file in [
        start.clone().enhanced(0, 0, captured, &long),
        start.clone().obsolete(0, 0, captured, &long),
        start.clone().simple(captured, &long),
    ] {
        let why = PcapBreak::CapturedLength { captured };
        assert_eq!(
            file.open().end(),
            PcapEnd::Truncated {
                after_packets: 0,
                at_byte,
                why
            }
        );
    }
}

#[test]
fn pcapng_interfaces_of_other_link_types() {
    let packet = [1; 20];
    // Declared and unused: no harm.
    let file = PcapngFile::new(Order::Big)
        .interface(127, 0, &[])
        .interface(1, 0, &[]);
    let capture = file.clone().enhanced(1, 0, 20, &packet).open();
    assert_eq!(capture.len(), 1);
    // Used, even late.
    let used = file.enhanced(1, 0, 20, &packet).enhanced(0, 0, 20, &packet);
    assert!(matches!(
        used.refuse(),
        PcapError::LinkType {
            link_type: LinkType(127),
            interface: Some(0),
            ..
        }
    ));
    // Nothing else declared.
    let only = PcapngFile::new(Order::Big)
        .interface(189, 0, &[])
        .interface(127, 0, &[]);
    let error = only.refuse();
    assert!(matches!(
        error,
        PcapError::LinkType {
            link_type: LinkType(189),
            interface: Some(0),
            ..
        }
    ));
    assert!(
        error
            .to_string()
            .contains("189 (USB of Linux) of interface 0"),
        "{error}"
    );
    // Nothing declared.
    assert!(PcapngFile::new(Order::Big).open().is_empty());
}
