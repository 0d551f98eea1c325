//! A bounded lock-free depot of full magazines: where per-thread caches leave what they have too
//! much of, and fetch what they lack.
//!
//! A magazine is [`MAGAZINE`] numbers (of free slots, say). The depot keeps them in storage
//! allocated once, threaded on two stacks by index: the full ones, and the empty ones to be filled.
//! Last in, first out, so that what comes back is what was used most recently and may still be in a
//! cache.
//!
//! ```text
//!  push:  empty ──pop──► magazine: this thread's alone, filled ──push──► full
//!  pop:   full  ──pop──► magazine: this thread's alone, read   ──push──► empty
//! ```
//!
//! **Ownership.** A magazine on neither stack belongs to the thread that popped it. Pushing is a
//! `Release` on the stack's head and popping an `Acquire` of it (every change of a head is a
//! read-modify-write, so that popping also acquires from pushes further below), hence whoever pops
//! a magazine sees what was done to it before, and is done with it before anybody else.
//!
//! **ABA.** Popping reads the head, then the top's successor, then swaps the head for the
//! successor. In between, other threads may pop the top, pop its successor and push the top back:
//! the same index on top, a successor that is no longer on the stack. So the head carries a tag
//! that every change increments, and the swap compares both. It could be fooled only if, between
//! one thread's read and its swap, exactly a multiple of 2³² changes happened and left the same
//! index on top. Even at one change per nanosecond, impossible as each goes with a copied magazine,
//! that is a thread stopped between two adjacent instructions for over 4 seconds and resumed at the
//! one right nanosecond; at a rate that programs reach, minutes.

use crate::primitive::{
    UnsafeCell,
    atomic::{
        AtomicU32, AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
    hint,
};
use crossbeam::utils::CachePadded;
use std::fmt;

/// Numbers in a magazine.
pub const MAGAZINE: usize = 64;

/// The most magazines a depot can have.
pub const MAX_MAGAZINES: usize = u32::MAX as usize - 1;

/// A bounded lock-free stack of full magazines, shared by any number of threads.
pub struct Depot {
    full: Stack,
    empty: Stack,
    magazines: Box<[Magazine]>,
}

/// On cache lines of its own: neighbours are in other threads' hands.
#[repr(align(64))]
struct Magazine {
    /// The magazine below on the stack, as index + 1; 0 at the bottom.
    next: AtomicU32,
    /// Magazines on the stack up to this one.
    depth: AtomicU32,
    items: UnsafeCell<[u32; MAGAZINE]>,
}

// SAFETY: `items` is touched only by the thread that took the magazine off a stack, and stacks hand
// magazines over with release and acquire (module docs). The rest is atomic.
unsafe impl Sync for Depot {}
// SAFETY: nothing in it is bound to a thread.
unsafe impl Send for Depot {}

impl Depot {
    /// A depot with room for `magazines` magazines, holding none.
    ///
    /// # Panics
    ///
    /// If `magazines` is over [`MAX_MAGAZINES`], or memory is short.
    pub fn new(magazines: usize) -> Self {
        assert!(
            magazines <= MAX_MAGAZINES,
            "a depot of {magazines} magazines"
        );
        let depot = Self {
            full: Stack::new(),
            empty: Stack::new(),
            magazines: (0..magazines)
                .map(|_| Magazine {
                    next: AtomicU32::new(0),
                    depth: AtomicU32::new(0),
                    items: UnsafeCell::new([0; MAGAZINE]),
                })
                .collect(),
        };
        for index in (0..magazines as u32).rev() {
            depot.empty.push(&depot.magazines, index);
        }
        depot
    }

    /// How many magazines there is room for.
    pub fn capacity(&self) -> usize {
        self.magazines.len()
    }

    /// Leaves the 64 numbers of `m`. Returns false, with nothing done, if the depot has no room.
    ///
    /// Never blocks; there may also seem to be no room while another thread is just reading the
    /// last magazine.
    pub fn push(&self, m: &[u32; MAGAZINE]) -> bool {
        let Some(index) = self.empty.pop(&self.magazines) else {
            return false;
        };
        self.magazines[index as usize].items.with_mut(|items| {
            // SAFETY: the magazine was taken off the empty stack, so it is this thread's alone.
            unsafe { *items = *m }
        });
        self.full.push(&self.magazines, index);
        true
    }

    /// Fetches the 64 numbers left last into `m`. Returns false, with nothing done, if the depot is
    /// empty.
    ///
    /// Never blocks; the depot may also seem empty while another thread is just filling the first
    /// magazine.
    pub fn pop(&self, m: &mut [u32; MAGAZINE]) -> bool {
        let Some(index) = self.full.pop(&self.magazines) else {
            return false;
        };
        self.magazines[index as usize].items.with(|items| {
            // SAFETY: the magazine was taken off the full stack, so it is this thread's alone, and
            // filled.
            unsafe { *m = *items }
        });
        self.empty.push(&self.magazines, index);
        true
    }

    /// Full magazines: exact while nobody pushes or pops, otherwise about right.
    pub fn len(&self) -> usize {
        match Head::load(&self.full.head).top() {
            Some(top) => self.magazines[top as usize].depth.load(Relaxed) as usize,
            None => 0,
        }
    }

    /// Whether there is no full magazine, at some moment during the call.
    pub fn is_empty(&self) -> bool {
        Head::load(&self.full.head).top().is_none()
    }
}

impl fmt::Debug for Depot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Depot")
            .field("capacity", &self.capacity())
            .field("len", &self.len())
            .finish()
    }
}

/// A Treiber stack of indices into the magazines.
struct Stack {
    head: CachePadded<AtomicU64>,
}

/// A stack's head: how often it was changed, modulo 2³², above the top's index + 1.
#[derive(Clone, Copy)]
struct Head(u64);

impl Head {
    fn load(head: &AtomicU64) -> Self {
        Self(head.load(Acquire))
    }

    /// The top's index.
    fn top(self) -> Option<u32> {
        self.link().checked_sub(1)
    }

    /// The top's index + 1, or 0.
    fn link(self) -> u32 {
        self.0 as u32
    }

    /// What the head is changed to so that `link` is on top.
    fn successor(self, link: u32) -> Self {
        let tag = ((self.0 >> 32) as u32).wrapping_add(1);
        Self(u64::from(tag) << 32 | u64::from(link))
    }
}

impl Stack {
    fn new() -> Self {
        Self {
            head: CachePadded::new(AtomicU64::new(0)),
        }
    }

    /// Puts a magazine that is this thread's alone on top.
    fn push(&self, magazines: &[Magazine], index: u32) {
        let magazine = &magazines[index as usize];
        let mut head = Head::load(&self.head);
        loop {
            // If the head changes after this, so may the depth, but then the exchange fails.
            let below = head
                .top()
                .map_or(0, |top| magazines[top as usize].depth.load(Relaxed));
            magazine.depth.store(below.wrapping_add(1), Relaxed);
            magazine.next.store(head.link(), Relaxed);
            match self.head.compare_exchange_weak(
                head.0,
                head.successor(index + 1).0,
                Release,
                Acquire,
            ) {
                Ok(_) => return,
                Err(changed) => head = Head(changed),
            }
            hint::spin_loop();
        }
    }

    /// Takes the top magazine, which is then this thread's alone.
    fn pop(&self, magazines: &[Magazine]) -> Option<u32> {
        let mut head = Head::load(&self.head);
        loop {
            let top = head.top()?;
            // If another thread takes the top first, this may be anything, but then the exchange
            // fails.
            let below = magazines[top as usize].next.load(Relaxed);
            match self
                .head
                .compare_exchange_weak(head.0, head.successor(below).0, Acquire, Acquire)
            {
                Ok(_) => return Some(top),
                Err(changed) => head = Head(changed),
            }
            hint::spin_loop();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::{
        sync::atomic::{AtomicBool, Ordering::SeqCst},
        thread,
    };

    fn magazine(first: u32) -> [u32; MAGAZINE] {
        std::array::from_fn(|i| first + i as u32)
    }

    #[test]
    fn last_in_first_out() {
        let depot = Depot::new(3);
        let mut m = [0; MAGAZINE];
        assert!(!depot.pop(&mut m));
        assert_eq!(
            (depot.capacity(), depot.len(), depot.is_empty()),
            (3, 0, true)
        );
        for (n, first) in [0, 100, 200].into_iter().enumerate() {
            assert!(depot.push(&magazine(first)));
            assert_eq!((depot.len(), depot.is_empty()), (n + 1, false));
        }
        assert!(!depot.push(&magazine(300)));
        for first in [200, 100] {
            assert!(depot.pop(&mut m));
            assert_eq!(m, magazine(first));
        }
        assert!(depot.push(&magazine(400)));
        for first in [400, 0] {
            assert!(depot.pop(&mut m));
            assert_eq!(m, magazine(first));
        }
        assert!(!depot.pop(&mut m));
        assert_eq!(m, magazine(0));
        assert_eq!(depot.len(), 0);
    }

    #[test]
    fn a_depot_without_magazines_takes_and_gives_nothing() {
        let depot = Depot::new(0);
        assert!(!depot.push(&magazine(0)));
        assert!(!depot.pop(&mut [0; MAGAZINE]));
        assert_eq!(depot.len(), 0);
    }

    #[test]
    fn the_tag_wraps() {
        let depot = Depot::new(2);
        let (index, tag) = (1, u64::from(u32::MAX));
        for stack in [&depot.full, &depot.empty] {
            stack.head.fetch_or(tag << 32, SeqCst);
        }
        assert_eq!(Head(tag << 32).successor(index).0, u64::from(index));
        let mut m = [0; MAGAZINE];
        for first in [0, 100, 200] {
            assert!(depot.push(&magazine(first)));
            assert!(depot.pop(&mut m));
            assert_eq!(m, magazine(first));
        }
    }

    /// Each magazine stands for 64 slots: threads take them and leave them, and no slot is ever in
    /// two hands.
    #[test]
    fn no_magazine_is_held_twice() {
        const THREADS: usize = 4;
        const MAGAZINES: usize = 6;
        let depot = Depot::new(MAGAZINES);
        let held: Vec<_> = (0..MAGAZINES).map(|_| AtomicBool::new(false)).collect();
        for i in 0..MAGAZINES {
            assert!(depot.push(&magazine((i * MAGAZINE) as u32)));
        }
        let work = |seed: usize| {
            let mut hands: Vec<[u32; MAGAZINE]> = Vec::new();
            for round in 0..20_000 {
                if (round * 31 + seed * 17) % 5 < 3 {
                    let mut m = [0; MAGAZINE];
                    if depot.pop(&mut m) {
                        assert_eq!(m, magazine(m[0]));
                        assert!(!held[m[0] as usize / MAGAZINE].swap(true, SeqCst));
                        hands.push(m);
                    }
                } else if let Some(m) = hands.pop() {
                    assert!(held[m[0] as usize / MAGAZINE].swap(false, SeqCst));
                    // There may seem to be no room for a moment, but not for good.
                    while !depot.push(&m) {
                        thread::yield_now();
                    }
                }
            }
            hands.len()
        };
        let left: usize = thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|seed| scope.spawn(move || work(seed)))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        assert_eq!(depot.len(), MAGAZINES - left);
        let mut m = [0; MAGAZINE];
        while depot.pop(&mut m) {
            assert!(!held[m[0] as usize / MAGAZINE].swap(true, SeqCst));
        }
        assert!(held.iter().all(|held| held.load(SeqCst)));
    }
}
