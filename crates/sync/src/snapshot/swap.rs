//! The pointer that snapshots are published through: arc-swap, or a model of it for loom.

#[cfg(not(loom))]
pub(super) use real::{ArcSwap, Cache, may_be_unique};

#[cfg(loom)]
pub(super) use model::{ArcSwap, Cache, may_be_unique};

#[cfg(not(loom))]
mod real {
    use std::sync::Arc;

    pub(in crate::snapshot) use arc_swap::ArcSwap;

    pub(in crate::snapshot) type Cache<T> = arc_swap::Cache<Arc<ArcSwap<T>>, Arc<T>>;

    /// A hint: whether it is worth asking [`Arc::get_mut`]. That one writes to the count's cache
    /// line, which lies beside what workers read at every burst; this only reads it.
    pub(in crate::snapshot) fn may_be_unique<T>(arc: &Arc<T>) -> bool {
        Arc::strong_count(arc) == 1
    }
}

/// arc-swap as loom sees it: an atomic word that carries the edges, and the `Arc` that belongs to
/// it in a cell that loom does not see.
///
/// The operation on the word and the one on the cell that follows it are one step, since loom
/// switches threads only at its own operations; for the same reason the cell's lock, which is the
/// standard one, is never contended. A load that is under way holds the cell's content as a debt
/// would: the count it stands for is still there when a writer takes the `Arc` out, and goes when
/// the load is done.
///
/// The edges are those of the real one and no more: a full load acquires what the swap released, a
/// cache compares with a relaxed and so possibly stale view of the word, and what a reader did is
/// *not* ordered before a later swap. That edge must come from the count of the `Arc`.
///
/// What the model does not see: how arc-swap gets there (debt slots, helping, its sequentially
/// consistent handshake). `load_full` and `swap` are each one indivisible step here. So the models
/// prove what is built on top of these two, given that arc-swap keeps its promises.
#[cfg(loom)]
#[expect(
    clippy::disallowed_types,
    reason = "in a model only, where it is never contended"
)]
mod model {
    use std::sync::{Arc as Shared, Mutex};

    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicUsize, Ordering};

    pub(in crate::snapshot) struct ArcSwap<T> {
        word: AtomicUsize,
        current: Mutex<Shared<Arc<T>>>,
    }

    fn address<T>(arc: &Arc<T>) -> usize {
        Arc::as_ptr(arc).addr()
    }

    impl<T> ArcSwap<T> {
        pub(in crate::snapshot) fn new(first: Arc<T>) -> Self {
            Self {
                word: AtomicUsize::new(address(&first)),
                current: Mutex::new(Shared::new(first)),
            }
        }

        pub(in crate::snapshot) fn load_full(&self) -> Arc<T> {
            // A read-modify-write, because that sees the newest value; a load may see an older one.
            self.word.fetch_add(0, Ordering::Acquire);
            let debt = Shared::clone(&self.current.lock().unwrap());
            Arc::clone(&debt)
        }

        pub(in crate::snapshot) fn swap(&self, next: Arc<T>) -> Arc<T> {
            self.word.swap(address(&next), Ordering::AcqRel);
            let old = std::mem::replace(&mut *self.current.lock().unwrap(), Shared::new(next));
            Arc::clone(&old)
        }
    }

    pub(in crate::snapshot) struct Cache<T> {
        shared: Arc<ArcSwap<T>>,
        cached: Arc<T>,
    }

    impl<T> Cache<T> {
        pub(in crate::snapshot) fn new(shared: Arc<ArcSwap<T>>) -> Self {
            let cached = shared.load_full();
            Self { shared, cached }
        }

        pub(in crate::snapshot) fn load(&mut self) -> &Arc<T> {
            if self.shared.word.load(Ordering::Relaxed) != address(&self.cached) {
                self.cached = self.shared.load_full();
            }
            &self.cached
        }
    }

    /// Always worth asking: loom's `strong_count` acquires, which the real one does not, and would
    /// hide a missing edge.
    pub(in crate::snapshot) fn may_be_unique<T>(_: &Arc<T>) -> bool {
        true
    }
}
