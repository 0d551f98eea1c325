//! What is counted of each stream of a profile.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::generator::StreamTotals;
use crate::sink::StreamSeen;

/// Frames of each stream that a link did not take. One thread counts.
#[derive(Clone)]
pub(super) struct NotTaken(Arc<[AtomicU64]>);

/// What was counted of a stream in a trial.
#[derive(Clone, Debug, Default)]
pub struct LinkStream {
    /// What the generator says.
    pub totals: StreamTotals,
    /// Frames that the link did not take.
    pub not_taken: u64,
    /// What came.
    pub seen: StreamSeen,
}

impl NotTaken {
    pub(super) fn new(streams: usize) -> Self {
        Self((0..streams).map(|_| AtomicU64::new(0)).collect())
    }

    pub(super) fn note(&self, stream: u8) {
        if let Some(count) = self.0.get(usize::from(stream)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn counts(&self) -> Vec<u64> {
        let counts = self.0.iter();
        counts.map(|count| count.load(Ordering::Relaxed)).collect()
    }
}

impl LinkStream {
    /// Frames that the link took.
    pub fn sent(&self) -> u64 {
        self.totals.emitted.saturating_sub(self.not_taken)
    }
}
