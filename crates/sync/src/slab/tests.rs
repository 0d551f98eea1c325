use std::sync::atomic::AtomicU32;

use super::*;

#[repr(C, align(64))]
#[derive(FromZeros)]
struct Line([AtomicU32; 16]);

#[test]
fn chunks_follow_one_another_without_a_gap() {
    let mut blocks = 0;
    for chunk in 0..CHUNKS {
        assert_eq!(block_of_chunk(chunk), blocks);
        // Each as large as all before.
        blocks += blocks.max(1);
    }
    assert_eq!(blocks << BLOCK_BITS, Slab::<AtomicU32>::MAX);
    assert_eq!(Slab::<AtomicU32>::MAX, 1 << 31);
}

#[test]
fn an_empty_slab_has_nothing() {
    let slab = Slab::<Line>::new();
    for index in [
        0,
        1,
        BLOCK - 1,
        BLOCK,
        Slab::<Line>::MAX - 1,
        Slab::<Line>::MAX,
        u32::MAX,
    ] {
        assert!(slab.get(index).is_none());
        slab.prefetch(index);
    }
    assert_eq!((slab.capacity(), slab.bytes()), (0, 0));
    slab.grow_to(0).unwrap();
    assert_eq!(slab.capacity(), 0);
}

#[test]
fn elements_begin_as_zeros_and_stay_where_they_are() {
    let slab = Slab::<Line>::new();
    slab.grow_to(1).unwrap();
    assert_eq!(slab.capacity(), BLOCK);
    assert!(slab.get(BLOCK - 1).is_some());
    assert!(slab.get(BLOCK).is_none());
    let first: *const Line = slab.get(0).unwrap();
    for index in 0..BLOCK {
        slab.get(index).unwrap().0[15].store(index + 1, Ordering::Relaxed);
    }
    slab.grow_to(200_000).unwrap();
    assert!(slab.capacity() >= 200_000);
    assert_eq!(slab.bytes(), slab.capacity() as usize * 64);
    assert!(std::ptr::eq(first, slab.get(0).unwrap()));
    for index in 0..slab.capacity() {
        slab.prefetch(index);
        let line = slab.get(index).unwrap();
        assert!(std::ptr::from_ref(line).is_aligned());
        let expected = if index < BLOCK { index + 1 } else { 0 };
        assert_eq!(line.0[15].load(Ordering::Relaxed), expected);
        assert_eq!(line.0[0].swap(index, Ordering::Relaxed), 0, "{index}");
    }
    for index in 0..slab.capacity() {
        assert_eq!(slab.get(index).unwrap().0[0].load(Ordering::Relaxed), index);
    }
    assert!(slab.get(slab.capacity()).is_none());
}

#[test]
fn large_chunks_begin_at_a_huge_page() {
    for (slab, huge_from) in [
        (Slab::<Line>::new(), HUGE_PAGE),
        (Slab::in_huge_pages(), HUGE_PAGE / 2),
    ] {
        slab.grow_to(200_000).unwrap();
        let mut large = 0;
        for chunk in 0..CHUNKS {
            let [first, end] = [chunk, chunk + 1].map(|it| block_of_chunk(it) << BLOCK_BITS);
            let Some(element) = slab.get(first) else {
                break;
            };
            if (end - first) as usize * size_of::<Line>() >= huge_from {
                assert_eq!(std::ptr::from_ref(element).addr() % HUGE_PAGE, 0);
                large += 1;
            }
        }
        assert!(large > 0);
    }
}

#[test]
fn too_many_are_refused() {
    let slab = Slab::<AtomicU32>::new();
    for asked in [Slab::<AtomicU32>::MAX + 1, u32::MAX] {
        match slab.grow_to(asked) {
            Err(SlabError::TooLarge { asked: a, limit }) => {
                assert_eq!((a, limit), (asked, Slab::<AtomicU32>::MAX));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(slab.capacity(), 0);
}

#[test]
#[cfg(target_pointer_width = "64")]
fn memory_that_is_not_there_is_an_error() {
    #[repr(C)]
    #[derive(FromZeros)]
    struct Vast([u8; 1 << 40]);

    let slab = Slab::<Vast>::new();
    match slab.grow_to(1) {
        Err(SlabError::OutOfMemory { bytes, .. }) => assert_eq!(bytes, 1 << 54),
        other => panic!("{other:?}"),
    }
    assert_eq!(slab.capacity(), 0);
    assert!(slab.get(0).is_none());
}

#[test]
fn threads_read_and_grow_at_once() {
    let slab = Slab::<AtomicU32>::new();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for n in (0..100_000).step_by(997) {
                    slab.grow_to(n).unwrap();
                    assert!(slab.capacity() >= n);
                    if let Some(last) = n.checked_sub(1) {
                        slab.get(last).unwrap().fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        scope.spawn(|| {
            let mut seen = 0;
            while seen < 99_000 {
                if slab.get(seen).is_some() {
                    seen += 1;
                } else {
                    std::thread::yield_now();
                }
            }
        });
    });
    for n in (0..100_000u32).step_by(997).skip(1) {
        assert_eq!(slab.get(n - 1).unwrap().load(Ordering::Relaxed), 2);
    }
}
