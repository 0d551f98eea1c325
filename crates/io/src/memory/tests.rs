use std::thread;

use corelane_engine::link::{Link, Queues, RxStatus};
use corelane_frame::{BURST, Burst, HugePages, Pool, PoolCache, PoolConfig};
use corelane_sync::ring::RingError;
use corelane_wire::MacAddr;

use super::{MAX_QUEUES, MemoryConfig, MemoryError, MemoryPeer, memory_link};

fn pool(slots: usize) -> Pool {
    let config = PoolConfig {
        slots,
        huge_pages: HugePages::Off,
        ..PoolConfig::default()
    };
    Pool::new(config).expect("a pool")
}

fn open(pool: &Pool, queues: usize, ring: usize) -> (Queues, MemoryPeer) {
    let config = MemoryConfig {
        queues,
        ring,
        ..MemoryConfig::default()
    };
    let (mut link, peer) = memory_link(config).expect("a link");
    (link.open(pool).expect("open"), peer)
}

/// `count` frames numbered from `first`.
fn numbered(cache: &mut PoolCache, first: u64, count: usize) -> Burst {
    let mut burst = Burst::new();
    assert_eq!(cache.alloc_burst(&mut burst, count), count);
    for (i, frame) in burst.iter_mut().enumerate() {
        let number = first + i as u64;
        frame.set_data(&number.to_be_bytes()).expect("room");
        frame.set_rx_time(number + 1);
        frame.set_rss_hash(number as u32 + 2);
    }
    burst
}

fn numbers(burst: &Burst) -> Vec<u64> {
    let number = |data: &[u8]| u64::from_be_bytes(data.try_into().expect("eight bytes"));
    burst.iter().map(|frame| number(frame.data())).collect()
}

#[test]
fn what_the_link_says() {
    let mac = MacAddr([2, 0, 0, 0, 0, 1]);
    let config = MemoryConfig {
        name: "lan".to_owned(),
        queues: 3,
        mac: Some(mac),
        mtu: 9000,
        ..MemoryConfig::default()
    };
    let (mut link, peer) = memory_link(config).expect("a link");
    assert_eq!(
        (link.name(), link.mac(), link.mtu()),
        ("lan", Some(mac), 9000)
    );
    assert_eq!(peer.queues(), 3);
    let queues = link.open(&pool(64)).expect("open");
    assert_eq!((queues.rx.len(), queues.tx.len()), (3, 3));
    let again = link.open(&pool(64)).err().expect("open already");
    assert_eq!(again.to_string(), "lan: it is open already");
}

#[test]
fn links_that_cannot_be_made() {
    let make = |queues, ring| {
        memory_link(MemoryConfig {
            queues,
            ring,
            ..MemoryConfig::default()
        })
        .map(|_| ())
    };
    assert_eq!(make(0, 8), Err(MemoryError::Queues { queues: 0 }));
    let queues = MAX_QUEUES + 1;
    assert_eq!(make(queues, 8), Err(MemoryError::Queues { queues }));
    assert_eq!(
        make(1, 0),
        Err(MemoryError::Ring {
            frames: 0,
            source: RingError::Zero
        })
    );
    let frames = usize::MAX;
    assert_eq!(
        make(1, frames),
        Err(MemoryError::Ring {
            frames,
            source: RingError::TooLarge
        })
    );
    assert_eq!(make(MAX_QUEUES, 2), Ok(()));
}

#[test]
fn frames_keep_their_data_and_marks_both_ways() {
    let pool = pool(256);
    let mut cache = pool.cache();
    let (mut queues, mut peer) = open(&pool, 1, 64);

    let mut burst = numbered(&mut cache, 10, 5);
    assert_eq!(peer.send(0, &mut burst), 5);
    assert!(burst.is_empty());
    let status = queues.rx[0]
        .rx_burst(&mut cache, &mut burst)
        .expect("no error");
    assert_eq!(status, RxStatus::Ready);
    assert_eq!(numbers(&burst), [10, 11, 12, 13, 14]);
    assert_eq!((burst[4].rx_time(), burst[4].rss_hash()), (15, 16));

    assert_eq!(
        queues.tx[0]
            .tx_burst(&mut cache, &mut burst)
            .expect("no error"),
        5
    );
    assert!(burst.is_empty());
    assert_eq!(peer.recv(&mut burst), 5);
    assert_eq!(numbers(&burst), [10, 11, 12, 13, 14]);
    assert_eq!(peer.recv(&mut burst), 0);

    let mut nothing = Burst::new();
    let status = queues.rx[0]
        .rx_burst(&mut cache, &mut nothing)
        .expect("no error");
    assert_eq!((status, nothing.len()), (RxStatus::Idle, 0));
}

#[test]
fn m9_full_is_an_outcome() {
    let pool = pool(256);
    let mut cache = pool.cache();
    let (mut queues, mut peer) = open(&pool, 1, 8);

    let mut burst = numbered(&mut cache, 0, 11);
    assert_eq!(peer.send(0, &mut burst), 8);
    assert_eq!(numbers(&burst), [8, 9, 10]);
    assert_eq!(peer.send(0, &mut burst), 0);
    assert_eq!(burst.len(), 3);

    let mut out = numbered(&mut cache, 20, 9);
    assert_eq!(
        queues.tx[0]
            .tx_burst(&mut cache, &mut out)
            .expect("no error"),
        8
    );
    assert_eq!(numbers(&out), [28]);

    let mut received = Burst::new();
    queues.rx[0]
        .rx_burst(&mut cache, &mut received)
        .expect("no error");
    assert_eq!(received.len(), 8);
    assert_eq!(peer.send(0, &mut burst), 3);
}

#[test]
fn a_burst_with_no_room_is_not_idle() {
    let pool = pool(256);
    let mut cache = pool.cache();
    let (mut queues, mut peer) = open(&pool, 1, 64);
    let mut burst = numbered(&mut cache, 0, 4);
    peer.send(0, &mut burst);
    let mut full = numbered(&mut cache, 100, BURST);
    let status = queues.rx[0]
        .rx_burst(&mut cache, &mut full)
        .expect("no error");
    assert_eq!((status, full.len()), (RxStatus::Ready, BURST));
}

#[test]
fn a_peer_that_left_ends_the_input_after_what_it_sent() {
    let pool = pool(256);
    let mut cache = pool.cache();
    let (mut queues, mut peer) = open(&pool, 1, 128);
    let mut burst = numbered(&mut cache, 0, 64);
    peer.send(0, &mut burst);
    let mut burst = numbered(&mut cache, 64, 6);
    peer.send(0, &mut burst);
    drop(peer);

    let mut burst = Burst::new();
    let status = queues.rx[0]
        .rx_burst(&mut cache, &mut burst)
        .expect("no error");
    assert_eq!((status, burst.len()), (RxStatus::Ready, 64));
    cache.recycle_burst(&mut burst);
    let status = queues.rx[0]
        .rx_burst(&mut cache, &mut burst)
        .expect("no error");
    assert_eq!(status, RxStatus::Finished);
    assert_eq!(numbers(&burst), [64, 65, 66, 67, 68, 69]);
    let status = queues.rx[0]
        .rx_burst(&mut cache, &mut burst)
        .expect("no error");
    assert_eq!((status, burst.len()), (RxStatus::Finished, 6));

    // What is sent to nobody stays with the caller.
    assert_eq!(
        queues.tx[0]
            .tx_burst(&mut cache, &mut burst)
            .expect("no error"),
        0
    );
    assert_eq!(burst.len(), 6);
}

#[test]
fn one_half_of_a_peer_can_leave_alone() {
    let pool = pool(256);
    let mut cache = pool.cache();
    let (mut queues, peer) = open(&pool, 1, 64);
    let (senders, mut receivers) = peer.split();
    drop(senders);
    let mut burst = Burst::new();
    let status = queues.rx[0]
        .rx_burst(&mut cache, &mut burst)
        .expect("no error");
    assert_eq!(status, RxStatus::Finished);
    let mut burst = numbered(&mut cache, 0, 3);
    assert_eq!(
        queues.tx[0]
            .tx_burst(&mut cache, &mut burst)
            .expect("no error"),
        3
    );
    assert_eq!((receivers[0].len(), receivers[0].is_closed()), (3, false));
    drop(queues);
    assert!(receivers[0].is_closed());
    assert_eq!(receivers[0].recv(&mut burst), 3);
    assert!(receivers[0].is_empty());
}

#[test]
fn a_sender_knows_that_the_engine_is_gone() {
    let pool = pool(64);
    let mut cache = pool.cache();
    let (queues, peer) = open(&pool, 1, 8);
    let (mut senders, _receivers) = peer.split();
    let sender = &mut senders[0];
    assert_eq!(
        (sender.capacity(), sender.free(), sender.is_closed()),
        (8, 8, false)
    );
    drop(queues);
    assert!(sender.is_closed());
    let mut burst = numbered(&mut cache, 0, 2);
    assert_eq!(sender.send(&mut burst), 0);
    assert_eq!(burst.len(), 2);
}

#[test]
fn queues_are_apart_and_received_from_in_turn() {
    let pool = pool(512);
    let mut cache = pool.cache();
    let (mut queues, mut peer) = open(&pool, 3, 64);
    for queue in 0..3 {
        let mut burst = numbered(&mut cache, queue as u64 * 100, 2);
        assert_eq!(peer.send(queue, &mut burst), 2);
    }
    let mut stray = numbered(&mut cache, 0, 1);
    assert_eq!(peer.send(3, &mut stray), 0);
    for queue in 0..3 {
        let mut burst = Burst::new();
        queues.rx[queue]
            .rx_burst(&mut cache, &mut burst)
            .expect("no error");
        let first = queue as u64 * 100;
        assert_eq!(numbers(&burst), [first, first + 1]);
        queues.tx[queue]
            .tx_burst(&mut cache, &mut burst)
            .expect("no error");
    }
    let mut burst = Burst::new();
    assert_eq!(peer.recv(&mut burst), 6);
    assert_eq!(numbers(&burst), [0, 1, 100, 101, 200, 201]);

    // No queue starves another: the first to be asked changes.
    cache.recycle_burst(&mut burst);
    for queue in 0..3 {
        let mut burst = numbered(&mut cache, queue as u64 * 100, BURST);
        queues.tx[queue]
            .tx_burst(&mut cache, &mut burst)
            .expect("no error");
    }
    let mut firsts = Vec::new();
    for _ in 0..3 {
        assert_eq!(peer.recv(&mut burst), BURST);
        firsts.push(numbers(&burst)[0]);
        cache.recycle_burst(&mut burst);
    }
    firsts.sort_unstable();
    assert_eq!(firsts, [0, 100, 200]);
}

#[test]
fn frames_left_in_the_rings_go_home() {
    let (home, engine) = (pool(128), pool(64));
    let mut cache = home.cache();
    let (mut queues, mut peer) = open(&engine, 1, 64);
    let mut burst = numbered(&mut cache, 0, 20);
    peer.send(0, &mut burst);
    // A frame of another pool is received and sent like any.
    let mut engine_cache = engine.cache();
    let mut received = Burst::new();
    queues.rx[0]
        .rx_burst(&mut engine_cache, &mut received)
        .expect("no error");
    received.truncate(10);
    queues.tx[0]
        .tx_burst(&mut engine_cache, &mut received)
        .expect("no error");
    let mut burst = numbered(&mut cache, 20, 5);
    peer.send(0, &mut burst);
    drop(queues);
    drop(peer);
    drop(cache);
    drop(engine_cache);
    assert_eq!((home.out(), engine.out()), (0, 0));
}

#[test]
fn two_threads_lose_and_reorder_nothing() {
    const FRAMES: u64 = 100_000;
    let pool = pool(512);
    let (mut queues, peer) = open(&pool, 1, 128);
    let (mut senders, mut receivers) = peer.split();
    let sent_pool = pool.clone();
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut sender = senders.remove(0);
            let mut cache = sent_pool.cache();
            let mut next = 0;
            let mut burst = Burst::new();
            while next < FRAMES || !burst.is_empty() {
                if burst.is_empty() {
                    let want = (FRAMES - next).min(BURST as u64) as usize;
                    let got = cache.alloc_burst(&mut burst, want);
                    for frame in &mut burst {
                        frame.set_data(&next.to_be_bytes()).expect("room");
                        next += 1;
                    }
                    if got == 0 {
                        thread::yield_now();
                    }
                }
                if sender.send(&mut burst) == 0 {
                    thread::yield_now();
                }
            }
        });
        // The engine: sends back what it receives.
        let engine_pool = pool.clone();
        scope.spawn(move || {
            let mut cache = engine_pool.cache();
            let mut burst = Burst::new();
            let mut finished = false;
            while !finished || !burst.is_empty() {
                let status = queues.rx[0]
                    .rx_burst(&mut cache, &mut burst)
                    .expect("no error");
                finished = status == RxStatus::Finished;
                if queues.tx[0]
                    .tx_burst(&mut cache, &mut burst)
                    .expect("no error")
                    == 0
                {
                    thread::yield_now();
                }
            }
        });
        let mut cache = pool.cache();
        let mut expected = 0;
        loop {
            let closed = receivers[0].is_closed();
            let mut burst = Burst::new();
            if receivers[0].recv(&mut burst) == 0 {
                if closed {
                    break;
                }
                thread::yield_now();
            }
            for number in numbers(&burst) {
                assert_eq!(number, expected);
                expected += 1;
            }
            cache.recycle_burst(&mut burst);
        }
        assert_eq!(expected, FRAMES);
    });
    assert_eq!(pool.out(), 0);
}
