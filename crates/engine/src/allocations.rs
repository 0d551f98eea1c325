//! What polling a worker or a distributor allocates and frees.

use corelane_sync::alloc_count::{self, AllocCounts};
use corelane_sync::counters::{CounterKey, CounterWriter};

/// The calling thread's counts at the start of a poll: what it allocates between polls is not the
/// datapath's.
#[derive(Clone, Copy)]
pub(crate) struct Allocations(AllocCounts);

impl Allocations {
    #[inline]
    pub(crate) fn begin() -> Self {
        Self(alloc_count::this_thread())
    }

    /// Adds what was allocated and freed since to these counters.
    #[inline]
    pub(crate) fn end<K: CounterKey>(
        self,
        counters: &mut CounterWriter<K>,
        allocations: K,
        frees: K,
    ) {
        let now = alloc_count::this_thread();
        if now != self.0 {
            let since = now.since(self.0);
            counters.add(allocations, since.allocations);
            counters.add(frees, since.frees);
        }
    }
}
