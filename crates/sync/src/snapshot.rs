//! Snapshots: one thread publishes, any number read without writing, and the publisher frees.
//!
//! What workers read at every burst (addresses, routes, who listens) is immutable. A change makes a
//! new snapshot beside the old one and publishes it with one pointer swap. A worker asks its
//! [`Reader`] once per burst, which compares one pointer and nothing more as long as nothing
//! changed, and works with what it got until the burst is over, however many publishes happen
//! meanwhile.
//!
//! # Who writes, who reads, which edge orders what
//!
//! ```text
//!  control thread (Publisher)                    worker (Reader, one per worker)
//!  --------------------------                    -------------------------------
//!  build snapshot B
//!  publish: swap pointer A -> B  ---- (1) ---->  load: pointer differs, take B (+1 count on B)
//!  keep A in the retired list,                         |
//!  with what A was the last to reach                   |  burst: reads B; may still have been
//!                                                      |  reading A up to here
//!  collect: is my count on A     <--- (2) ----   load or quiesce: let go of A (-1 count on A)
//!    the only one left?
//!    yes: free A, hand back the garbage
//! ```
//!
//! 1. The swap releases and a full load of the pointer acquires: whoever got B sees all that was
//!    written before it was published. The comparison itself is relaxed. It may be answered by the
//!    old pointer for a moment; then the burst works with the snapshot it holds already, as if it
//!    had begun earlier. A reader that was told of the publish by anything that synchronises (a
//!    ring, a lock, a join) cannot be answered so: from its next `load` on it sees B or later.
//! 2. Giving a count back releases, and finding that one's own is the only one left acquires
//!    ([`Arc::get_mut`] does): all that a reader did with A happened before A is freed.
//!
//! # Why a retired snapshot with no other holder can gain none
//!
//! A count comes from cloning an `Arc` one holds, or from the shared pointer. A retired snapshot is
//! not behind the shared pointer any more, and never comes back: each publish makes a new one. So
//! once the publisher's count is the only one, it stays so.
//!
//! That leaves loads that were under way at the moment of the swap. arc-swap lets a thread read the
//! pointer and owe the count for a while (a *debt*). Before `swap` returns, the writer pays every
//! debt on the pointer it took out, by counting up on the debtor's behalf; a debt noted later than
//! that is on a pointer that the debtor then finds replaced, and is taken back without touching the
//! count. So by the time a snapshot is in the retired list, all its holders are in its count.
//! Nothing here keeps a debt for longer than the load itself either: readers use `Cache` and
//! `load_full`, which turn it into a count at once.
//!
//! # Who frees
//!
//! The publisher, always: its count on a retired snapshot goes last, because
//! [`collect`](Publisher::collect) gives it up only when it is the only one. A worker's `load` or
//! `quiesce` therefore never frees anything, and with the snapshot goes nothing that a worker could
//! still be looking at. The same wait serves for what the snapshots led to: the *garbage* given to
//! `publish` is what no snapshot from the new one on leads to (a removed endpoint, a table page),
//! and it comes back when the last snapshot that does is gone.
//!
//! A reader that sleeps should [`quiesce`](Reader::quiesce) first, or it holds up what it last saw.
//!
//! When a [`Publisher`] is dropped while readers exist, they keep what they hold, the last holder
//! of a snapshot frees it, on whatever thread that is, and garbage that still waits is dropped at
//! once. [`Publisher::retire`] is the way to end without that.

use std::collections::VecDeque;

use crate::primitive::Arc;

mod swap;
#[cfg(all(test, not(loom)))]
mod tests;

use swap::{ArcSwap, Cache};

/// The one that publishes, and frees what it published.
///
/// `G` is what a caller wants back once no reader can reach it any more. Not `Clone`: whoever has
/// several threads that change something gives them a lock to do it under.
pub struct Publisher<T, G = ()> {
    shared: Arc<ArcSwap<T>>,
    retired: Retired<T, G>,
}

impl<T, G> Publisher<T, G> {
    /// Publishes the first snapshot.
    pub fn new(first: T) -> Self {
        Self {
            shared: Arc::new(ArcSwap::new(Arc::new(first))),
            retired: Retired(VecDeque::new()),
        }
    }

    /// A handle that makes readers.
    pub fn handle(&self) -> Handle<T> {
        Handle {
            shared: Arc::clone(&self.shared),
        }
    }

    /// The snapshot published last.
    pub fn current(&self) -> Arc<T> {
        self.shared.load_full()
    }

    /// Replaces the current snapshot. `garbage` is what the replaced one was the last to lead to;
    /// [`collect`](Self::collect) hands it back once no reader can reach the replaced snapshot or
    /// any before it.
    pub fn publish(&mut self, next: T, garbage: impl IntoIterator<Item = G>) {
        // The caller's iterator runs first: should it panic, nothing has happened.
        let garbage = garbage.into_iter().collect();
        let snapshot = self.shared.swap(Arc::new(next));
        self.retired.0.push_back(Entry { snapshot, garbage });
    }

    /// Frees the retired snapshots that nobody holds, and appends to `out`, oldest first, the
    /// garbage whose readers are all gone. Returns how many snapshots it freed. Never waits.
    pub fn collect(&mut self, out: &mut Vec<G>) -> usize {
        self.retired.collect(out)
    }

    /// Retired snapshots that are not freed yet. While there is none, no garbage waits either.
    pub fn pending(&self) -> usize {
        self.retired.0.len()
    }

    /// Ends publishing, and keeps what is needed to free everything in an orderly way.
    ///
    /// Readers go on and find the current snapshot. To have what *that* one leads to handed back,
    /// publish an empty one with it as garbage first.
    pub fn retire(self) -> Retiring<T, G> {
        let Self {
            shared,
            mut retired,
        } = self;
        // Still behind the shared pointer, which has a count of its own: nobody can gain one when
        // this is the only one left, since then the pointer is gone with the last handle.
        retired.0.push_back(Entry {
            snapshot: shared.load_full(),
            garbage: Vec::new(),
        });
        Retiring { retired }
    }
}

/// What is left of a [`Publisher`] that ended: frees the snapshots as their readers let go.
pub struct Retiring<T, G = ()> {
    retired: Retired<T, G>,
}

impl<T, G> Retiring<T, G> {
    /// As [`Publisher::collect`]; returns whether everything is done: no handle and no reader is
    /// left, every snapshot is freed and all garbage handed back.
    pub fn collect(&mut self, out: &mut Vec<G>) -> bool {
        self.retired.collect(out);
        self.retired.0.is_empty()
    }

    /// Snapshots that are not freed yet, the last one included.
    pub fn pending(&self) -> usize {
        self.retired.0.len()
    }
}

/// A snapshot that was replaced, with what goes when it and all before it are gone.
struct Entry<T, G> {
    snapshot: Arc<T>,
    garbage: Vec<G>,
}

/// Retired snapshots, oldest first.
struct Retired<T, G>(VecDeque<Entry<T, G>>);

impl<T, G> Retired<T, G> {
    /// Frees what nobody holds. A snapshot may go before an older one that is still held; its
    /// garbage then joins that of the older one, since it waits for nothing else any more. So after
    /// each call there are as many entries as there are snapshots held, and however far behind a
    /// reader is, a pass costs only that and what was published since the last.
    fn collect(&mut self, out: &mut Vec<G>) -> usize {
        let entries = &mut self.0;
        let mut freed = 0;
        let mut kept = 0;
        while let Some(entry) = entries.get_mut(kept) {
            // See the module: nobody else holds it, so nobody ever will. `get_mut` acquires what
            // the others did before they let go.
            let unique =
                swap::may_be_unique(&entry.snapshot) && Arc::get_mut(&mut entry.snapshot).is_some();
            if !unique {
                kept += 1;
                continue;
            }
            let Some(mut entry) = entries.remove(kept) else {
                break;
            };
            match kept.checked_sub(1).and_then(|older| entries.get_mut(older)) {
                Some(older) => older.garbage.append(&mut entry.garbage),
                None => out.append(&mut entry.garbage),
            }
            freed += 1;
            drop(entry.snapshot);
        }
        freed
    }
}

/// Makes readers and loads single snapshots, from any thread.
pub struct Handle<T> {
    shared: Arc<ArcSwap<T>>,
}

impl<T> Handle<T> {
    /// A reader for one worker. It holds nothing before its first [`load`](Reader::load).
    pub fn reader(&self) -> Reader<T> {
        Reader {
            shared: Arc::clone(&self.shared),
            held: None,
        }
    }

    /// The current snapshot, for callers off the datapath: writes to its count. It is not freed
    /// while the `Arc`, or a `Weak` made from it, lives.
    pub fn load(&self) -> Arc<T> {
        self.shared.load_full()
    }
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

/// What one worker reads through.
pub struct Reader<T> {
    shared: Arc<ArcSwap<T>>,
    held: Option<Held<T>>,
}

struct Held<T> {
    cache: Cache<T>,
    /// What `cache` returned last: it can be asked only through `&mut`, and then looks for news.
    snapshot: Arc<T>,
}

impl<T> Reader<T> {
    /// The current snapshot: to be called once per burst. Compares pointers while nothing changed;
    /// otherwise takes the new one and lets go of the one it held, without freeing it.
    #[inline]
    pub fn load(&mut self) -> &T {
        let shared = &self.shared;
        let held = self.held.get_or_insert_with(|| Held::new(shared));
        let newest = held.cache.load();
        if !Arc::ptr_eq(newest, &held.snapshot) {
            held.snapshot = Arc::clone(newest);
        }
        &held.snapshot
    }

    /// Lets go of a snapshot that is not the newest any more, for the newest. To be called where
    /// there is nothing to look up: a reader that only polls then holds up nothing. Does nothing
    /// if no snapshot is held.
    #[inline]
    pub fn refresh(&mut self) {
        if self.held.is_some() {
            self.load();
        }
    }

    /// What the last [`load`](Self::load) returned, without looking for news. None before the first
    /// and after [`quiesce`](Self::quiesce).
    #[inline]
    pub fn current(&self) -> Option<&T> {
        self.held.as_ref().map(|held| &*held.snapshot)
    }

    /// Holds nothing until the next [`load`](Self::load): to be called before sleeping.
    pub fn quiesce(&mut self) {
        self.held = None;
    }
}

impl<T> Held<T> {
    #[cold]
    fn new(shared: &Arc<ArcSwap<T>>) -> Self {
        let mut cache = Cache::new(Arc::clone(shared));
        let snapshot = Arc::clone(cache.load());
        Self { cache, snapshot }
    }
}
