#![expect(
    clippy::disallowed_types,
    reason = "a test reads what the thread of a mirror has written, and holds it up"
)]

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use corelane_frame::{Burst, Pool};
use corelane_stack::{Clock, Time};
use corelane_wire::build::{FrameSpec, Ports, build_udp_ipv4};
use corelane_wire::{MacAddr, PacketFilter};
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use pcap_file::pcapng::{Block, PcapNgReader};

use super::{numbered, open, pool};
use crate::middleware::{
    FrameSink, Mirror, MirrorConfig, MirrorCounts, MirrorHandle, Mirrored, PcapngSink, TextSink,
    summary,
};
use crate::pcap::{Capture, Interface, PcapEnd};

/// A file in memory, which can be looked at.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

fn config() -> (MirrorConfig, corelane_stack::ManualClock) {
    let (clock, hand) = Clock::manual();
    let config = MirrorConfig {
        clock,
        epoch_ns: Some(1_700_000_000_000_000_000),
        ..MirrorConfig::default()
    };
    (config, hand)
}

fn pcapng(file: &Shared, config: MirrorConfig) -> (Mirror, MirrorHandle) {
    let interface = Interface {
        name: "wan".to_owned(),
        description: "tap0".to_owned(),
        snap_len: config.snap_len as u32,
    };
    let sink = PcapngSink::new(file.clone(), interface);
    Mirror::new("mirror", config, 2, sink).unwrap()
}

/// A datagram for this port.
fn udp(pool: &Pool, port: u16, payload: usize) -> corelane_frame::Frame {
    let spec = FrameSpec {
        source_mac: MacAddr([2, 0, 0, 0, 0, 9]),
        destination_mac: MacAddr([2, 0, 0, 0, 0, 1]),
        source: "192.0.2.9".parse().unwrap(),
        destination: "192.0.2.1".parse().unwrap(),
        ttl: 64,
    };
    let ports = Ports {
        source: 4000,
        destination: port,
    };
    let mut frame = pool.cache().alloc().unwrap();
    let len = build_udp_ipv4(frame.spare_mut(), &spec, ports, &vec![7; payload]).unwrap();
    frame.set_len(len).unwrap();
    frame
}

#[test]
fn a_capture_has_all_that_goes_by_with_time_and_direction() {
    let pool = pool();
    let (config, hand) = config();
    let file = Shared::default();
    let (mirror, handle) = pcapng(&file, config);
    let (mut queues, mut peer) = open(&pool, 2, mirror);
    let mut cache = pool.cache();
    for queue in 0..2 {
        hand.advance(Duration::from_nanos(5));
        peer.send(queue, &mut Burst::from_iter([udp(&pool, 7, 10)]));
        let mut burst = Burst::new();
        queues.rx[queue].rx_burst(&mut cache, &mut burst).unwrap();
        hand.advance(Duration::from_nanos(5));
        assert_eq!(
            queues.tx[queue].tx_burst(&mut cache, &mut burst).unwrap(),
            1
        );
    }
    drop(queues);
    let counts = handle.join().unwrap();
    let all = MirrorCounts {
        seen: 4,
        lost: 0,
        written: 4,
    };
    assert_eq!(counts, all);

    // By the reader of this crate, and by another.
    let bytes = file.bytes();
    let capture = Capture::from_bytes("mirror", bytes.clone()).unwrap();
    assert_eq!(capture.end(), PcapEnd::Complete);
    let times: Vec<_> = capture
        .packets()
        .map(|packet| (packet.time_ns() - 1_700_000_000_000_000_000, packet.len()))
        .collect();
    assert_eq!(
        times,
        [(5, 60), (10, 60), (15, 60), (20, 60)].map(|(t, _)| (t, 52))
    );
    let mut reader = PcapNgReader::new(&bytes[..]).unwrap();
    let mut flags = Vec::new();
    let mut statistics = None;
    while let Some(block) = reader.next_block() {
        match block.unwrap() {
            Block::EnhancedPacket(packet) => {
                flags.extend(packet.options.iter().map(|it| match it {
                    EnhancedPacketOption::Flags(flags) => *flags,
                    other => panic!("{other:?}"),
                }));
            }
            Block::InterfaceStatistics(block) => statistics = Some(block.into_owned()),
            _ => {}
        }
    }
    assert_eq!(flags, [1, 2, 1, 2]);
    let text = format!("{statistics:?}");
    assert!(text.contains("IsbIfRecv(4), IsbIfDrop(0)"), "{text}");
}

#[test]
fn filter_and_snap_length_hold() {
    let pool = pool();
    let (config, hand) = config();
    hand.set(Time::from_nanos(1));
    let config = MirrorConfig {
        filter: PacketFilter {
            address: None,
            port: Some(7),
        },
        snap_len: 50,
        ..config
    };
    let file = Shared::default();
    let (mirror, handle) = pcapng(&file, config);
    let (mut queues, mut peer) = open(&pool, 1, mirror);
    let mut cache = pool.cache();
    let burst = [7, 8, 7].map(|port| udp(&pool, port, 100));
    peer.send(0, &mut Burst::from_iter(burst));
    let mut burst = Burst::new();
    queues.rx[0].rx_burst(&mut cache, &mut burst).unwrap();
    assert_eq!(burst.len(), 3, "nothing is taken away");
    drop(queues);
    assert_eq!(handle.join().unwrap().written, 2);
    let capture = Capture::from_bytes("mirror", file.bytes()).unwrap();
    for packet in capture.packets() {
        assert_eq!((packet.len(), packet.original_len()), (50, 142));
    }
    assert_eq!(capture.len(), 2);
}

#[test]
fn a_capture_of_nothing_is_a_capture() {
    let file = Shared::default();
    let (mirror, handle) = pcapng(&file, config().0);
    drop(open(&pool(), 1, mirror));
    assert_eq!(handle.join().unwrap(), MirrorCounts::default());
    let capture = Capture::from_bytes("mirror", file.bytes()).unwrap();
    assert!(capture.is_empty() && capture.end() == PcapEnd::Complete);
}

/// Takes a frame only when it is told to, and fails when it is told so.
struct Slow {
    go: Receiver<io::Result<()>>,
    end: Sender<MirrorCounts>,
}

impl FrameSink for Slow {
    fn frame(&mut self, _: &Mirrored) -> io::Result<()> {
        self.go.recv().unwrap_or(Ok(()))
    }

    fn end(&mut self, counts: MirrorCounts) -> io::Result<()> {
        self.end.send(counts).unwrap();
        Ok(())
    }
}

fn slow() -> (Slow, Sender<io::Result<()>>, Receiver<MirrorCounts>) {
    let ((go, told), (end, ended)) = (channel(), channel());
    (Slow { go: told, end }, go, ended)
}

#[test]
fn a_slow_sink_loses_copies_and_no_frame() {
    let pool = pool();
    let (sink, go, ended) = slow();
    let config = MirrorConfig {
        ring: 64,
        ..config().0
    };
    let (mirror, handle) = Mirror::new("mirror", config, 1, sink).unwrap();
    let (mut queues, mut peer) = open(&pool, 1, mirror);
    let mut cache = pool.cache();
    let mut passed = 0;
    for _ in 0..20 {
        peer.send(0, &mut numbered(&mut cache, 0, 50));
        let mut burst = Burst::new();
        queues.rx[0].rx_burst(&mut cache, &mut burst).unwrap();
        passed += burst.len();
        cache.recycle_burst(&mut burst);
    }
    assert_eq!(passed, 1000);
    let counts = handle.counts();
    assert_eq!(counts.seen, 1000);
    assert!(counts.lost > 0 && counts.written == 0, "{counts:?}");
    drop((queues, go));
    let counts = handle.join().unwrap();
    assert_eq!(counts.written + counts.lost, 1000, "{counts:?}");
    assert_eq!(ended.recv().unwrap(), counts, "the file is told");
}

#[test]
fn a_sink_that_fails_ends_the_capture_and_nothing_else() {
    let pool = pool();
    let (sink, go, _ended) = slow();
    let (mirror, handle) = Mirror::new("mirror", config().0, 1, sink).unwrap();
    let (mut queues, mut peer) = open(&pool, 1, mirror);
    let mut cache = pool.cache();
    go.send(Err(io::Error::other("no space left"))).unwrap();
    for _ in 0..3 {
        peer.send(0, &mut numbered(&mut cache, 0, 1));
        let mut burst = Burst::new();
        queues.rx[0].rx_burst(&mut cache, &mut burst).unwrap();
        assert_eq!(burst.len(), 1);
    }
    drop(queues);
    assert_eq!(handle.join().unwrap_err().to_string(), "no space left");
}

#[test]
fn more_queues_than_the_mirror_is_for_are_refused() {
    use corelane_engine::link::Link;
    let (sink, _go, _ended) = slow();
    let (mirror, _handle) = Mirror::new("mirror", config().0, 1, sink).unwrap();
    let (link, _peer) = crate::memory::memory_link(crate::memory::MemoryConfig {
        queues: 2,
        ..crate::memory::MemoryConfig::default()
    })
    .unwrap();
    let mut link = super::Layered::new(Box::new(link), mirror);
    let error = link.open(&pool()).err().unwrap();
    assert!(error.to_string().contains("4 queues"), "{error}");
}

#[test]
fn a_tracer_writes_a_line_for_each_frame() {
    let pool = pool();
    let file = Shared::default();
    let sink = TextSink::new(file.clone(), "wan", summary);
    let (config, hand) = config();
    hand.set(Time::from_nanos(1_500_000_000));
    let (mirror, handle) = Mirror::new("tracer", config, 1, sink).unwrap();
    let (mut queues, mut peer) = open(&pool, 1, mirror);
    let mut cache = pool.cache();
    let mut burst = Burst::from_iter([udp(&pool, 7, 10)]);
    burst.extend(numbered(&mut cache, 0, 1));
    peer.send(0, &mut burst);
    queues.rx[0].rx_burst(&mut cache, &mut burst).unwrap();
    drop(queues);
    assert_eq!(handle.join().unwrap().written, 2);
    let text = String::from_utf8(file.bytes()).unwrap();
    assert_eq!(
        text,
        "1700000001.500000000 wan receives 52 bytes 02:00:00:00:00:09 > 02:00:00:00:00:01 \
         192.0.2.9 > 192.0.2.1 UDP\n\
         1700000001.500000000 wan receives 64 bytes 00:00:00:00:00:00 > 00:00:00:00:00:00 0x0000\n"
    );
}
