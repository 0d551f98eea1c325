//! No slot has two owners, and none is lost, whatever threads do with frames.
#![cfg(not(loom))]

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use corelane_frame::{BURST, Burst, Frame, Pool, PoolConfig};
use crossbeam::queue::ArrayQueue;

const SLOTS: usize = 700;
const THREADS: u64 = 3;
const STEPS: u64 = 20_000;

/// Who owns what: set while a slot is a frame.
struct Owners(Vec<AtomicBool>);

impl Owners {
    fn new() -> Self {
        Self((0..SLOTS).map(|_| AtomicBool::new(false)).collect())
    }

    fn take(&self, frame: &mut Frame, stamp: u64) {
        let taken = self.0[frame.slot() as usize].swap(true, Ordering::Relaxed);
        assert!(!taken, "slot {} has two owners", frame.slot());
        frame.set_rx_time(stamp);
        frame.set_data(&stamp.to_le_bytes().repeat(20)).unwrap();
    }

    fn give(&self, frame: &Frame) {
        assert_eq!(
            frame.data(),
            frame.rx_time().to_le_bytes().repeat(20),
            "bytes changed"
        );
        assert!(self.0[frame.slot() as usize].swap(false, Ordering::Relaxed));
    }
}

/// xorshift64*.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % n) as usize
    }
}

fn run(pool: &Pool, owners: &Owners, hand_over: &ArrayQueue<Frame>, thread: u64) {
    let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ (thread + 1));
    let mut cache = pool.cache();
    let mut held: Vec<Frame> = Vec::new();
    let mut burst = Burst::new();
    for step in 0..STEPS {
        let stamp = thread << 32 | step;
        match random.below(16) {
            0..4 => {
                let n = cache.alloc_burst(&mut burst, random.below(BURST as u64 + 1));
                assert_eq!(n, burst.len());
                for frame in &mut burst {
                    owners.take(frame, stamp);
                }
                held.extend(burst.drain(..));
            }
            4 => {
                if let Some(mut frame) = cache.alloc() {
                    owners.take(&mut frame, stamp);
                    held.push(frame);
                }
            }
            5..10 => {
                for _ in 0..random.below(BURST as u64 + 1).min(held.len()) {
                    let frame = held.swap_remove(random.below(held.len() as u64));
                    owners.give(&frame);
                    burst.push(frame);
                }
                cache.recycle_burst(&mut burst);
            }
            10 | 11 => {
                for _ in 0..random.below(20).min(held.len()) {
                    let frame = held.swap_remove(random.below(held.len() as u64));
                    owners.give(&frame);
                    drop(frame);
                }
            }
            12 => {
                for _ in 0..random.below(64).min(held.len()) {
                    if let Some(frame) = held.pop()
                        && let Err(frame) = hand_over.push(frame)
                    {
                        held.push(frame);
                        break;
                    }
                }
            }
            13 => held.extend((0..random.below(64)).map_while(|_| hand_over.pop())),
            14 => cache.flush(),
            _ => {
                if random.below(20) == 0 {
                    cache = pool.cache();
                } else if let Some(frame) = held.pop() {
                    owners.give(&frame);
                    cache.recycle(frame);
                }
            }
        }
    }
    for frame in &held {
        owners.give(frame);
    }
}

#[test]
fn no_slot_has_two_owners_and_none_is_lost() {
    let pool = Pool::new(PoolConfig {
        slots: SLOTS,
        ..PoolConfig::default()
    })
    .unwrap();
    let owners = Owners::new();
    let hand_over = ArrayQueue::new(128);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (pool, owners, hand_over) = (&pool, &owners, &hand_over);
            scope.spawn(move || run(pool, owners, hand_over, thread));
        }
    });
    let stats = pool.stats();
    assert_eq!(pool.out(), hand_over.len(), "{stats:?}");
    assert!(
        stats.allocated > 10_000 && stats.strays > 1000,
        "the threads did work: {stats:?}"
    );
    for frame in hand_over {
        owners.give(&frame);
    }
    let stats = pool.stats();
    assert_eq!(stats.out, 0, "{stats:?}");
    assert_eq!(
        stats.in_depot + stats.in_strays,
        SLOTS,
        "no cache is left: {stats:?}"
    );
    assert_eq!(stats.allocated, stats.recycled + stats.strays);

    // All of them are there, once.
    let mut cache = pool.cache();
    let mut all: Vec<_> = std::iter::from_fn(|| cache.alloc()).collect();
    assert_eq!(all.len(), SLOTS);
    for frame in &mut all {
        owners.take(frame, 0);
    }
}

#[test]
fn a_pipeline_of_two_threads_loses_nothing() {
    let pool = Pool::new(PoolConfig {
        slots: 512,
        ..PoolConfig::default()
    })
    .unwrap();
    let (to_worker, total) = (ArrayQueue::new(128), 200_000_u64);
    let sum = thread::scope(|scope| {
        let generator = {
            let mut cache = pool.cache();
            let to_worker = &to_worker;
            move || {
                let mut sent = 0;
                let mut burst = Burst::new();
                while sent < total {
                    cache.alloc_burst(&mut burst, 32);
                    for mut frame in burst.drain(..) {
                        if sent == total {
                            break;
                        }
                        frame.set_data(&sent.to_le_bytes()).unwrap();
                        while let Err(back) = to_worker.push(frame) {
                            frame = back;
                            thread::yield_now();
                        }
                        sent += 1;
                    }
                    thread::yield_now();
                }
            }
        };
        scope.spawn(generator);
        let mut cache = pool.cache();
        let worker = scope.spawn({
            let to_worker = &to_worker;
            move || {
                let mut next = 0_u64;
                while next < total {
                    let Some(frame) = to_worker.pop() else {
                        thread::yield_now();
                        continue;
                    };
                    assert_eq!(frame.data(), next.to_le_bytes());
                    next += 1;
                    cache.recycle(frame);
                }
                next
            }
        });
        worker.join().unwrap()
    });
    assert_eq!(sum, total);
    assert_eq!(pool.out(), 0);
}
