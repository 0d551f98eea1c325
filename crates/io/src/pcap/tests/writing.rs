//! What is written, read back by this crate and by another.

#![expect(
    clippy::disallowed_types,
    reason = "a test reads what a queue has written"
)]

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use corelane_engine::link::TxQueue;
use corelane_frame::{Burst, HugePages, Pool, PoolConfig};

use super::super::fixture::ethernet_frame;
use super::super::{Format, PcapEnd, PcapTx, PcapWriteError, PcapWriter};
use super::{frames, offsets, open};

/// A file in memory that fails after so many bytes.
#[derive(Clone)]
struct Disk {
    bytes: Arc<Mutex<Vec<u8>>>,
    room: usize,
}

impl Disk {
    fn new(room: usize) -> Self {
        Self {
            bytes: Arc::default(),
            room,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().expect("no panic").clone()
    }
}

impl Write for Disk {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let mut bytes = self.bytes.lock().expect("no panic");
        if bytes.len() + data.len() > self.room {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        bytes.extend(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_is_written_is_read_back() {
    let sent = [
        ethernet_frame(1, 60),
        ethernet_frame(2, 1514),
        ethernet_frame(3, 14),
        vec![9],
    ];
    let times = [5, 1_000_000_000, 4_294_967_295_999_999_999, 7];
    let mut writer = PcapWriter::new(Vec::new()).expect("a header");
    for (frame, time) in sent.iter().zip(times) {
        writer.write(time, frame).expect("written");
    }
    let bytes = writer.into_inner().expect("flushed");

    let capture = open(bytes.clone()).expect("a capture");
    assert_eq!(capture.format(), Format::PcapNanoseconds);
    assert_eq!(capture.end(), PcapEnd::Complete);
    assert_eq!(frames(&capture), sent);
    assert_eq!(
        offsets(&capture),
        [0, 999_999_995, 4_294_967_295_999_999_994, 2]
    );

    // An independent reader agrees.
    let mut reader = pcap_file::pcap::PcapReader::new(&bytes[..]).expect("a header");
    let header = reader.header();
    assert_eq!(header.ts_resolution, pcap_file::TsResolution::NanoSecond);
    assert_eq!(header.datalink, pcap_file::DataLink::ETHERNET);
    for (frame, time) in sent.iter().zip(times) {
        let packet = reader
            .next_packet()
            .expect("a packet")
            .expect("a valid packet");
        assert_eq!(packet.data[..], frame[..]);
        assert_eq!(packet.timestamp.as_nanos(), u128::from(time));
        assert_eq!(packet.orig_len as usize, frame.len());
    }
    assert!(reader.next_packet().is_none());
}

#[test]
fn what_does_not_fit_the_format_writes_nothing() {
    let mut writer = PcapWriter::new(Vec::new()).expect("a header");
    let time_ns = 4_294_967_296_000_000_000;
    assert!(matches!(
        writer.write(time_ns, &[0; 60]),
        Err(PcapWriteError::Time { time_ns: t }) if t == time_ns
    ));
    assert!(matches!(
        writer.write(0, &vec![0; 262_145]),
        Err(PcapWriteError::TooLong { len: 262_145 })
    ));
    writer
        .write(0, &vec![0; 262_144])
        .expect("the longest frame");
    let capture = open(writer.into_inner().expect("flushed")).expect("a capture");
    assert_eq!((capture.len(), capture.end()), (1, PcapEnd::Complete));
}

fn burst_of(pool: &Pool, count: usize) -> (corelane_frame::PoolCache, Burst) {
    let mut cache = pool.cache();
    let mut burst = Burst::new();
    assert_eq!(cache.alloc_burst(&mut burst, count), count);
    for (i, frame) in burst.iter_mut().enumerate() {
        frame.set_data(&ethernet_frame(i as u8, 60)).expect("room");
        frame.set_rx_time(i as u64 * 10);
    }
    (cache, burst)
}

fn pool() -> Pool {
    let config = PoolConfig {
        slots: 64,
        huge_pages: HugePages::Off,
        ..PoolConfig::default()
    };
    Pool::new(config).expect("a pool")
}

#[test]
fn a_queue_writes_each_burst_through() {
    let pool = pool();
    let (mut cache, mut burst) = burst_of(&pool, 7);
    let disk = Disk::new(usize::MAX);
    let buffered = io::BufWriter::with_capacity(1 << 20, disk.clone());
    let mut tx = PcapTx::new("out.pcap", buffered).expect("a header");
    assert_eq!(disk.bytes().len(), 24);
    assert_eq!(tx.tx_burst(&mut cache, &mut burst).expect("sent"), 7);
    assert!(burst.is_empty());
    let capture = open(disk.bytes()).expect("a capture");
    assert_eq!(capture.end(), PcapEnd::Complete);
    assert_eq!(offsets(&capture), [0, 10, 20, 30, 40, 50, 60]);
    let wanted: Vec<_> = (0..7).map(|i| ethernet_frame(i, 60)).collect();
    assert_eq!(frames(&capture), wanted);
    drop(cache);
    assert_eq!(pool.out(), 0);
}

#[test]
fn a_full_disk_is_an_error_that_names_the_file_and_leaves_what_was_not_sent() {
    let pool = pool();
    let (mut cache, mut burst) = burst_of(&pool, 7);
    let disk = Disk::new(24 + 3 * 76 + 20);
    let mut tx = PcapTx::new("out.pcap", disk.clone()).expect("a header");
    let error = tx.tx_burst(&mut cache, &mut burst).expect_err("no room");
    assert_eq!(error.link(), "out.pcap");
    assert!(
        error.to_string().starts_with("out.pcap: cannot write: "),
        "{error}"
    );
    assert_eq!(burst.len(), 4);
    assert_eq!(burst[0].rx_time(), 30);
    assert_eq!(open(disk.bytes()).expect("a capture").len(), 3);

    assert!(PcapTx::new("out.pcap", Disk::new(10)).is_err());
    let error = PcapTx::create("/nonexistent/out.pcap")
        .err()
        .expect("no directory");
    assert_eq!(error.link(), "/nonexistent/out.pcap");
}
