//! The NICs that were removed.

use std::collections::BTreeMap;

use corelane::stack::{Nic, NicTotals};

use crate::host::{Identity, NicState};

/// What NICs counted that are no more, by name: one of a name may come and go often.
#[derive(Default)]
pub(super) struct Removed {
    counted: BTreeMap<String, NicTotals>,
    /// Those that were still at it, or whose books did not balance.
    open: Vec<Nic>,
}

impl Removed {
    /// Keeps what there is to tell of a NIC at the end. What it counts is final if its link is closed.
    pub(super) fn add(&mut self, nic: Nic, is_closed: bool) {
        if is_closed && Identity::of_received(&nic).holds() {
            count(&mut self.counted, &nic);
        } else {
            self.open.push(nic);
        }
    }

    /// Those that are in the books still.
    pub(super) fn open(&self) -> &[Nic] {
        &self.open
    }

    /// What they counted, by name, of those that counted anything.
    pub(super) fn states(&self) -> Vec<NicState> {
        let mut all = self.counted.clone();
        self.open.iter().for_each(|nic| count(&mut all, nic));
        all.into_iter()
            .filter(|(_, totals)| *totals != NicTotals::default())
            .map(|(name, totals)| NicState::of_removed(&name, totals))
            .collect()
    }
}

fn count(counted: &mut BTreeMap<String, NicTotals>, nic: &Nic) {
    let sum = counted.entry(nic.name().to_owned()).or_default();
    *sum = sum.plus(&nic.counters());
}
