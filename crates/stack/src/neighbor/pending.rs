//! Packets that wait for a link address: so many for one neighbor, so many for all.

use std::collections::{BTreeSet, VecDeque};

use super::action::Dropped;
use super::cache::{NeighborCache, Turn};

/// How many wait, and which has waited longest.
#[derive(Debug, Default)]
pub(super) struct Pending {
    len: usize,
    /// The number of the oldest packet of each neighbor that has any, and the neighbor's index.
    oldest: BTreeSet<(u64, u32)>,
    next_number: u64,
}

impl<P> NeighborCache<P> {
    /// Keeps a packet until its neighbor's link address is known. If too many wait, the oldest goes:
    /// the neighbor's own first (RFC 4861 section 7.2.2).
    pub(super) fn queue(&mut self, index: u32, packet: P, turn: &mut Turn<'_, P>) {
        let own = self.entry(index).map_or(0, |entry| entry.pending.len());
        let makes_room = if own >= self.config.pending_per_neighbor {
            Some(index)
        } else if self.pending.len >= self.config.pending_total {
            self.pending.oldest.first().map(|&(_, index)| index)
        } else {
            None
        };
        if let Some(old) = makes_room.and_then(|index| self.pop_pending(index)) {
            turn.drop(old, Dropped::Superseded);
        }
        let Some(Some(entry)) = self.entries.get_mut(index as usize) else {
            turn.drop(packet, Dropped::NeighborGone);
            return;
        };
        let number = self.pending.next_number;
        self.pending.next_number += 1;
        self.pending.len += 1;
        if entry.pending.is_empty() {
            self.pending.oldest.insert((number, index));
        }
        entry.pending.push_back((number, packet));
        self.show(index);
    }

    /// Takes the oldest packet that waits for the neighbor at `index`.
    fn pop_pending(&mut self, index: u32) -> Option<P> {
        let entry = self.entries.get_mut(index as usize)?.as_mut()?;
        let (number, packet) = entry.pending.pop_front()?;
        self.pending.len -= 1;
        self.pending.oldest.remove(&(number, index));
        let next = entry.pending.front().map(|(number, _)| (*number, index));
        self.pending.oldest.extend(next);
        self.show(index);
        Some(packet)
    }

    /// Takes all packets that wait for the neighbor at `index`, in the order they came.
    pub(super) fn take_pending(&mut self, index: u32) -> VecDeque<(u64, P)> {
        let Some(Some(entry)) = self.entries.get_mut(index as usize) else {
            return VecDeque::new();
        };
        let packets = std::mem::take(&mut entry.pending);
        self.pending.len -= packets.len();
        if let Some((number, _)) = packets.front() {
            self.pending.oldest.remove(&(*number, index));
        }
        packets
    }

    /// Shows workers whether more packets may wait.
    fn show(&self, index: u32) {
        if let Some(entry) = self.entry(index) {
            let view = entry.view(self.config.pending_per_neighbor);
            self.lines.at(index).show(view);
        }
    }

    /// How many packets wait.
    #[cfg(test)]
    pub(super) fn pending_len(&self) -> usize {
        let waiting = self.entries.iter().flatten();
        let (all, some) = waiting.fold((0, 0), |(all, some), entry| {
            let len = entry.pending.len();
            (all + len, some + usize::from(len > 0))
        });
        assert_eq!((self.pending.len, self.pending.oldest.len()), (all, some));
        all
    }
}
