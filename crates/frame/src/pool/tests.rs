//! The end of a pool: that it comes once, and not while a frame is out.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread;

use crossbeam::utils::CachePadded;

use super::Pool;
use crate::stats::{Counts, Registry};
use crate::{Burst, PoolConfig};

/// Whether the pool's memory is still there, without keeping it.
struct Probe(Weak<CachePadded<Counts>>);

impl Probe {
    fn new(pool: &Pool) -> Self {
        // The registry, a part of what is freed, holds the only strong reference.
        Self(Arc::downgrade(&pool.inner().registry(Registry::register)))
    }

    fn is_freed(&self) -> bool {
        self.0.strong_count() == 0
    }
}

fn pool(slots: usize) -> Pool {
    Pool::new(PoolConfig {
        slots,
        ..PoolConfig::default()
    })
    .unwrap()
}

#[test]
fn the_last_handle_frees_when_nothing_is_out() {
    let pool = pool(100);
    let probe = Probe::new(&pool);
    let mut cache = pool.cache();
    let frame = cache.alloc().unwrap();
    let other = pool.clone();
    drop(pool);
    cache.recycle(frame);
    drop(other);
    assert!(!probe.is_freed(), "a cache keeps the pool");
    drop(cache);
    assert!(probe.is_freed());
}

#[test]
fn a_pool_never_used_is_freed() {
    let pool = pool(1);
    let probe = Probe::new(&pool);
    drop(pool);
    assert!(probe.is_freed());
}

#[test]
fn frames_outlive_handles_and_caches() {
    let pool = pool(100);
    let probe = Probe::new(&pool);
    let mut cache = pool.cache();
    let mut frames = Burst::new();
    // Some strays before the end, some of them handed out again.
    for _ in 0..3 {
        assert_eq!(cache.alloc_burst(&mut frames, 64), 64);
        frames.clear();
    }
    assert_eq!(cache.alloc_burst(&mut frames, 10), 10);
    for (i, frame) in frames.iter_mut().enumerate() {
        frame.set_data(&[i as u8; 1500]).unwrap();
    }
    drop(pool);
    drop(cache);
    while let Some(frame) = frames.pop() {
        assert!(!probe.is_freed());
        assert_eq!(frame.data(), &[frames.len() as u8; 1500]);
    }
    assert!(probe.is_freed(), "the last frame frees the pool");
}

#[test]
fn frames_and_the_last_handle_race_from_many_threads() {
    for round in 0..300 {
        let pool = pool(64);
        let probe = Probe::new(&pool);
        let mut cache = pool.cache();
        let mut frames = Burst::new();
        cache.alloc_burst(&mut frames, 3 + round % 8);
        let mut parts: Vec<Vec<_>> = vec![Vec::new(), Vec::new()];
        for (i, mut frame) in frames.drain(..).enumerate() {
            frame.set_data(&[i as u8; 64]).unwrap();
            parts[i % 2].push((i, frame));
        }
        let ready = AtomicUsize::new(0);
        let start = || {
            ready.fetch_add(1, Ordering::Relaxed);
            while ready.load(Ordering::Relaxed) < 3 {
                thread::yield_now();
            }
        };
        thread::scope(|scope| {
            for part in parts {
                scope.spawn(|| {
                    start();
                    for (i, frame) in part {
                        assert_eq!(frame.data(), [i as u8; 64]);
                    }
                });
            }
            scope.spawn(|| {
                start();
                drop(pool);
                drop(cache);
            });
        });
        assert!(probe.is_freed());
    }
}

#[test]
fn closed_caches_leave_no_trace_but_their_counts() {
    let pool = pool(128);
    for _ in 0..50 {
        let mut cache = pool.cache();
        let frame = cache.alloc().unwrap();
        cache.recycle(frame);
    }
    let stats = pool.stats();
    assert_eq!((stats.allocated, stats.recycled), (50, 50));
    assert_eq!(pool.inner().registry(|registry| registry.live()), 0);
}
