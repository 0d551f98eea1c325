//! Captures as links.

use std::sync::Arc;

use corelane_engine::link::{Link, RxQueue, RxStatus};
use corelane_frame::{BURST, Burst, HugePages, Pool, PoolConfig};

use super::super::fixture::{PcapFile, ethernet_frame};
use super::super::{Capture, PcapCounters, PcapLink};
use super::frame;

fn pool(slots: usize) -> Pool {
    let config = PoolConfig {
        slots,
        huge_pages: HugePages::Off,
        ..PoolConfig::default()
    };
    Pool::new(config).expect("a pool")
}

fn capture(packets: impl IntoIterator<Item = usize>) -> Arc<Capture> {
    let mut file = PcapFile::ethernet();
    for (i, len) in packets.into_iter().enumerate() {
        file = file.packet(100 + i as u32, 0, &ethernet_frame(i as u8, len));
    }
    Arc::new(file.open())
}

/// The receive queue of a capture, and what reads its counters.
fn receive(capture: impl Into<Arc<Capture>>, pool: &Pool) -> (Box<dyn RxQueue>, PcapCounters) {
    let mut link = PcapLink::new(capture);
    let counters = link.counters();
    let queues = link.open(pool).expect("no error");
    (queues.rx.into_iter().next().expect("a queue"), counters)
}

fn counter(counters: &PcapCounters, name: &str) -> u64 {
    let counters = counters.read();
    let found = counters.iter().find(|(n, _)| *n == name);
    found.unwrap_or_else(|| panic!("no counter {name}")).1
}

#[test]
fn packets_come_in_order_with_their_times() {
    let capture = capture((0..150).map(|i| 60 + i));
    let pool = pool(256);
    let mut cache = pool.cache();
    let (mut rx, _) = receive(Arc::clone(&capture), &pool);
    let mut seen = 0;
    let mut sizes = Vec::new();
    loop {
        let mut burst = Burst::new();
        let status = rx.rx_burst(&mut cache, &mut burst).expect("no error");
        sizes.push(burst.len());
        for received in &burst {
            let packet = capture.get(seen).expect("a packet");
            assert_eq!(received.data(), frame(&packet));
            assert_eq!(received.rx_time(), seen as u64 * 1_000_000_000);
            seen += 1;
        }
        cache.recycle_burst(&mut burst);
        if status == RxStatus::Finished {
            break;
        }
        assert_eq!(status, RxStatus::Ready);
    }
    assert_eq!(sizes, [BURST, BURST, 150 - 2 * BURST]);
    // And it stays finished.
    let mut burst = Burst::new();
    assert_eq!(
        rx.rx_burst(&mut cache, &mut burst).expect("no error"),
        RxStatus::Finished
    );
    assert!(burst.is_empty());
    drop(cache);
    assert_eq!(pool.out(), 0);
}

#[test]
fn packets_too_large_for_the_pool_are_skipped_and_counted() {
    let capture = capture([60, 5000, 61, 2100, 2100, 62, 9000]);
    let pool = pool(64);
    let mut cache = pool.cache();
    let (mut rx, counters) = receive(capture, &pool);
    let mut burst = Burst::new();
    assert_eq!(
        rx.rx_burst(&mut cache, &mut burst).expect("no error"),
        RxStatus::Finished
    );
    let lengths: Vec<_> = burst.iter().map(corelane_frame::Frame::len).collect();
    assert_eq!(lengths, [60, 61, 62]);
    assert_eq!(counter(&counters, "too_large"), 4);
    assert_eq!(counter(&counters, "packets"), 7);
    cache.recycle_burst(&mut burst);
    drop(cache);
    assert_eq!(pool.out(), 0);
}

#[test]
fn an_exhausted_pool_delays_and_loses_nothing() {
    let capture = capture(vec![60; 40]);
    let pool = pool(16);
    let mut cache = pool.cache();
    let (mut rx, counters) = receive(capture, &pool);
    let mut held = Burst::new();
    let mut received = 0;
    let mut idle = 0;
    loop {
        let status = rx.rx_burst(&mut cache, &mut held).expect("no error");
        if status == RxStatus::Idle {
            idle += 1;
            received += held.len();
            cache.recycle_burst(&mut held);
        } else if status == RxStatus::Finished {
            received += held.len();
            cache.recycle_burst(&mut held);
            break;
        }
    }
    assert_eq!(received, 40);
    assert!(idle >= 2, "{idle}");
    assert!(counter(&counters, "buffer_waits") >= 2);
}

#[test]
fn a_full_burst_is_left_alone() {
    let capture = capture(vec![60; 80]);
    let pool = pool(256);
    let mut cache = pool.cache();
    let (mut rx, _) = receive(capture, &pool);
    let mut burst = Burst::new();
    assert_eq!(
        rx.rx_burst(&mut cache, &mut burst).expect("no error"),
        RxStatus::Ready
    );
    assert_eq!(
        rx.rx_burst(&mut cache, &mut burst).expect("no error"),
        RxStatus::Ready
    );
    assert_eq!(burst.len(), BURST);
    cache.recycle_burst(&mut burst);
    assert_eq!(
        rx.rx_burst(&mut cache, &mut burst).expect("no error"),
        RxStatus::Finished
    );
    assert_eq!(burst.len(), 80 - BURST);
}

#[test]
fn a_link_without_output_discards() {
    let pool = pool(64);
    let mut cache = pool.cache();
    let mut link = PcapLink::new(capture([60])).with_mtu(9000);
    assert_eq!(
        (link.name(), link.mtu(), link.mac()),
        ("test.pcap", 9000, None)
    );
    let mut queues = link.open(&pool).expect("open");
    assert!(link.open(&pool).is_err(), "open already");
    assert_eq!((queues.rx.len(), queues.tx.len()), (1, 1));
    let mut burst = Burst::new();
    cache.alloc_burst(&mut burst, 5);
    assert_eq!(
        queues.tx[0]
            .tx_burst(&mut cache, &mut burst)
            .expect("no error"),
        5
    );
    assert!(burst.is_empty());
    drop(cache);
    assert_eq!(pool.out(), 0);
}
