//! The pool and its caches, from one thread.
#![cfg(not(loom))]

use std::collections::HashSet;

use corelane_frame::{
    BURST, Burst, Frame, HugePages, MAX_SLOTS, Pool, PoolCache, PoolConfig, PoolError, Stride,
};

fn pool(slots: usize) -> Pool {
    Pool::new(PoolConfig {
        slots,
        ..PoolConfig::default()
    })
    .unwrap()
}

/// Takes all frames that `cache` can get.
fn drain(cache: &mut PoolCache) -> Vec<Frame> {
    std::iter::from_fn(|| cache.alloc()).collect()
}

fn slots(frames: &[Frame]) -> HashSet<u32> {
    frames.iter().map(Frame::slot).collect()
}

/// Every slot is in one of the places that the stats name, and `out` of them are frames.
#[track_caller]
fn assert_books(pool: &Pool, out: usize) {
    let stats = pool.stats();
    assert_eq!(stats.out, out, "{stats:?}");
    assert_eq!(pool.out(), out);
    assert_eq!(
        stats.out + stats.in_caches + stats.in_depot + stats.in_strays,
        stats.slots,
        "{stats:?}"
    );
    assert_eq!(
        stats.allocated,
        stats.recycled + stats.strays + out as u64,
        "{stats:?}"
    );
}

#[test]
fn new_frames_are_blank() {
    let pool = pool(8);
    let mut cache = pool.cache();
    for round in 0..2 {
        let mut frame = cache.alloc().unwrap();
        assert!(frame.is_empty(), "round {round}");
        assert_eq!((frame.headroom(), frame.tailroom()), (128, 2048 - 128));
        assert_eq!((frame.nic(), frame.rx_time(), frame.rss_hash()), (0, 0, 0));
        assert!(!frame.trace());
        frame.set_nic(u16::MAX);
        frame.set_rx_time(u64::MAX);
        frame.set_rss_hash(u32::MAX);
        frame.set_trace(true);
        frame.set_data(&[1; 100]).unwrap();
        cache.recycle(frame);
    }
}

#[test]
fn slots_are_distinct_and_their_bytes_apart() {
    for slots in [1, 2, 63, 64, 65, 127, 128, 129, 1000] {
        for stride in [Stride::Spread, Stride::Packed] {
            let config = PoolConfig {
                slots,
                stride,
                ..PoolConfig::default()
            };
            let step = config.stride();
            let pool = Pool::new(config).unwrap();
            let mut cache = pool.cache();
            let mut frames = drain(&mut cache);
            assert_eq!(self::slots(&frames).len(), slots);
            assert_eq!(pool.arena().len(), slots * step);
            for frame in &mut frames {
                let slot = frame.slot();
                let whole: Vec<u8> = slot
                    .to_le_bytes()
                    .iter()
                    .copied()
                    .cycle()
                    .take(2048)
                    .collect();
                frame.push_front(128).unwrap();
                frame.set_len(2048).unwrap();
                frame.data_mut().copy_from_slice(&whole);
                let base = pool.arena().cast::<u8>().addr().get();
                assert_eq!(frame.data().as_ptr().addr(), base + slot as usize * step);
            }
            for frame in &frames {
                let want: Vec<u8> = frame
                    .slot()
                    .to_le_bytes()
                    .iter()
                    .copied()
                    .cycle()
                    .take(2048)
                    .collect();
                assert_eq!(frame.data(), want);
            }
            assert_books(&pool, slots);
        }
    }
}

#[test]
fn the_arena_is_aligned_to_huge_pages_with_and_without_them() {
    for huge_pages in [HugePages::Try, HugePages::Off] {
        for slots in [1, 900, 3000] {
            let pool = Pool::new(PoolConfig {
                slots,
                huge_pages,
                ..PoolConfig::default()
            })
            .unwrap();
            assert_eq!(pool.arena().cast::<u8>().addr().get() % (2 << 20), 0);
            assert!(huge_pages == HugePages::Try || !pool.stats().huge_pages);
        }
    }
}

#[test]
fn exhaustion_is_counted_and_passes() {
    let pool = pool(100);
    let mut cache = pool.cache();
    let (mut first, mut second) = (Burst::new(), Burst::new());
    assert_eq!(cache.alloc_burst(&mut first, 60), 60);
    assert_eq!(cache.alloc_burst(&mut second, 60), 40);
    assert_eq!(pool.stats().exhausted, 20);
    assert!(cache.alloc().is_none());
    assert_eq!(pool.stats().exhausted, 21);
    assert_books(&pool, 100);
    cache.recycle_burst(&mut second);
    assert!(cache.alloc().is_some());
    assert_eq!(pool.stats().exhausted, 21);
    drop(first);
    assert_books(&pool, 0);
    assert_eq!(drain(&mut cache).len(), 100);
}

#[test]
fn a_burst_takes_what_has_room() {
    let pool = pool(200);
    let mut cache = pool.cache();
    let mut burst = Burst::new();
    assert_eq!(cache.alloc_burst(&mut burst, 10), 10);
    assert_eq!(cache.alloc_burst(&mut burst, usize::MAX), BURST - 10);
    assert_eq!(cache.alloc_burst(&mut burst, 1), 0);
    assert_eq!(burst.len(), BURST);
    assert_eq!(
        pool.stats().exhausted,
        0,
        "a full burst is not an exhausted pool"
    );
    assert_books(&pool, BURST);
}

#[test]
fn warm_slots_come_first() {
    let pool = pool(1024);
    let mut cache = pool.cache();
    let frame = cache.alloc().unwrap();
    let slot = frame.slot();
    cache.recycle(frame);
    assert_eq!(cache.alloc().unwrap().slot(), slot);

    // A pipeline of one burst in flight touches no more slots than the caches and the burst hold,
    // though a second thread's cache takes the returns.
    let mut taker = pool.cache();
    let mut seen = HashSet::new();
    let mut burst = Burst::new();
    for _ in 0..1000 {
        assert_eq!(cache.alloc_burst(&mut burst, 32), 32);
        seen.extend(burst.iter().map(Frame::slot));
        taker.recycle_burst(&mut burst);
    }
    assert!(
        seen.len() <= 2 * PoolCache::HOLDS + 32,
        "{} slots in use",
        seen.len()
    );
}

#[test]
fn a_frame_of_another_pool_goes_home() {
    let (ours, theirs) = (pool(10), pool(10));
    let (mut our_cache, mut their_cache) = (ours.cache(), theirs.cache());
    let foreign = their_cache.alloc().unwrap();
    our_cache.recycle(foreign);
    assert_eq!(theirs.stats().strays, 1);
    assert_eq!(ours.stats().recycled, 0);
    let mut mixed = Burst::new();
    for _ in 0..5 {
        mixed.push(our_cache.alloc().unwrap());
        mixed.push(their_cache.alloc().unwrap());
    }
    our_cache.recycle_burst(&mut mixed);
    assert!(mixed.is_empty());
    assert_books(&ours, 0);
    assert_books(&theirs, 0);
    assert_eq!(theirs.stats().strays, 6);
    assert_eq!(drain(&mut our_cache).len(), 10);
    assert_eq!(drain(&mut their_cache).len(), 10);
}

#[test]
fn a_cache_that_goes_returns_all_it_held() {
    for held in [0, 1, 63, 64, 65, 128, 200] {
        let pool = pool(300);
        let mut cache = pool.cache();
        let mut frames = drain(&mut cache);
        for frame in frames.drain(..held) {
            cache.recycle(frame);
        }
        assert!(cache.len() <= PoolCache::HOLDS);
        assert_books(&pool, 300 - held);
        drop(cache);
        assert_books(&pool, 300 - held);
        assert_eq!(pool.stats().in_caches, 0);
        let again = drain(&mut pool.cache());
        assert_eq!(again.len(), held);
        assert!(slots(&again).is_disjoint(&slots(&frames)));
    }
}

#[test]
fn flush_hands_over_to_other_caches() {
    let pool = pool(100);
    let (mut first, mut second) = (pool.cache(), pool.cache());
    for frame in drain(&mut first) {
        first.recycle(frame);
    }
    assert!(second.alloc().is_none(), "the first cache holds every slot");
    first.flush();
    assert!(first.is_empty());
    assert_books(&pool, 0);
    assert_eq!(drain(&mut second).len(), 100);
}

#[test]
fn a_pool_of_the_advised_size_never_starves() {
    let in_flight = 70;
    let pool = pool(PoolConfig::slots_for(in_flight, 3));
    let mut caches = [pool.cache(), pool.cache(), pool.cache()];
    // The first two only take back: they hold as much as caches can.
    let mut seed = 1_u64;
    for _ in 0..2000 {
        let mut frames = Vec::new();
        for _ in 0..in_flight {
            frames.push(caches[2].alloc().unwrap());
        }
        for frame in frames {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            caches[(seed >> 63) as usize].recycle(frame);
        }
    }
    assert_eq!(pool.stats().exhausted, 0);
    assert_books(&pool, 0);
}

#[test]
fn bad_configurations_are_named() {
    let base = PoolConfig::default;
    for slots in [0, MAX_SLOTS + 1, usize::MAX] {
        let error = Pool::new(PoolConfig { slots, ..base() }).unwrap_err();
        assert!(
            matches!(error, PoolError::Slots { slots: s } if s == slots),
            "{error}"
        );
    }
    for slot_size in [
        0,
        64,
        128,
        2047,
        2049,
        128 * 1024 + 64,
        usize::MAX,
        usize::MAX - 63,
    ] {
        let error = Pool::new(PoolConfig {
            slot_size,
            ..base()
        })
        .unwrap_err();
        assert!(
            matches!(error, PoolError::SlotSize { .. }),
            "{slot_size}: {error}"
        );
    }
    for headroom in [1, 63, 129, 32 * 1024 + 64, usize::MAX] {
        let config = PoolConfig {
            headroom,
            slot_size: 64 * 1024,
            ..base()
        };
        let error = Pool::new(config).unwrap_err();
        assert!(
            matches!(error, PoolError::Headroom { .. }),
            "{headroom}: {error}"
        );
    }
    let error = Pool::new(PoolConfig { slots: 0, ..base() }).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("a pool has 1 to {MAX_SLOTS} slots, not 0")
    );
}

#[test]
fn the_smallest_and_the_largest_slot_work() {
    for (slot_size, headroom) in [(64, 0), (128, 64), (128 * 1024, 32 * 1024), (128 * 1024, 0)] {
        let config = PoolConfig {
            slots: 3,
            slot_size,
            headroom,
            ..PoolConfig::default()
        };
        let pool = Pool::new(config).unwrap();
        let mut frame = pool.cache().alloc().unwrap();
        let bytes: Vec<u8> = (0..slot_size - headroom).map(|i| i as u8).collect();
        frame.set_data(&bytes).unwrap();
        assert_eq!(frame.data(), bytes);
        assert_eq!(frame.tailroom(), 0);
        frame.push_front(headroom).unwrap().fill(7);
        assert_eq!(frame.len(), slot_size);
        frame.pull_front(slot_size - 1).unwrap();
        assert_eq!(frame.data(), [(slot_size - headroom - 1) as u8]);
        frame.pull_front(1).unwrap();
        frame.prefetch_read();
        frame.prefetch_write();
        assert_eq!(
            (frame.headroom(), frame.len(), frame.tailroom()),
            (slot_size, 0, 0)
        );
    }
}

#[test]
fn strides_spread_the_slots_over_the_sets() {
    let stride = |slot_size, stride| {
        PoolConfig {
            slot_size,
            stride,
            ..PoolConfig::default()
        }
        .stride()
    };
    assert_eq!(stride(2048, Stride::Spread), 2112);
    assert_eq!(stride(2048, Stride::Packed), 2048);
    assert_eq!(stride(2112, Stride::Spread), 2112);
    let sets = |step: usize| {
        (0..64)
            .map(|i| i * step / 64 % 64)
            .collect::<HashSet<_>>()
            .len()
    };
    assert_eq!((sets(2048), sets(2112)), (2, 64));
}

#[test]
fn slots_for_does_not_overflow() {
    assert_eq!(PoolConfig::slots_for(100, 2), 100 + 2 * PoolCache::HOLDS);
    assert_eq!(PoolConfig::slots_for(usize::MAX, usize::MAX), MAX_SLOTS);
}

#[test]
fn handles_say_what_they_are() {
    let pool = pool(4);
    let mut cache = pool.cache();
    let frame = cache.alloc().unwrap();
    assert!(format!("{frame:?}").contains("slot: 0"), "{frame:?}");
    assert!(format!("{pool:?}").contains("out: 1"), "{pool:?}");
    assert!(format!("{cache:?}").contains("free: 3"), "{cache:?}");
}
