//! The control thread: it unlinks, closes and frees what no worker can see any more, so that no
//! worker ever frees what another thread published.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use corelane_stack::Nic;

/// Between two rounds while something waits for a worker to move on.
const SOON: Duration = Duration::from_millis(1);

/// Between two rounds otherwise: how late the death of an endpoint that someone let go of, with no
/// control plane call after, may be noticed.
const LATER: Duration = Duration::from_millis(10);

/// The control plane's share of the work, as an object that one thread polls.
pub struct Control {
    nics: Vec<Nic>,
}

impl Control {
    pub(crate) fn new(nics: Vec<Nic>) -> Self {
        Self { nics }
    }

    /// One round. Returns how long the next one can wait.
    pub fn poll(&mut self) -> Duration {
        let waiting: usize = self.nics.iter().map(Nic::reclaim).sum();
        if waiting > 0 { SOON } else { LATER }
    }

    /// Rounds until `stop` is set, and a last one.
    pub(crate) fn run(mut self, stop: &Arc<AtomicBool>) {
        while !stop.load(Ordering::Acquire) {
            let pause = self.poll();
            std::thread::park_timeout(pause);
        }
        self.poll();
    }
}
