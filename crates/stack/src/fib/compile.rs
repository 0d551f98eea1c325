//! Writing nodes down as lines.

use std::ops::Range;
use std::sync::atomic::Ordering;

use arrayvec::ArrayVec;

use super::editor::{Garbage, LpmEditor};
use super::entry::{Entry, Shape};
use super::leaf::{self, SHORT_LEAF_RUNS};
use super::line::{SHORT_RUNS, Short, ShortCovers};
use super::path::{is_wide, may_be_leaf, may_be_short, may_be_sparse};
use super::trie::{Node, Under, covered_by};

/// A node's slots, and the number of the longest own route that covers each.
pub(super) struct Slots {
    entries: [Entry; 256],
    covers: [u32; 256],
    /// Those that differ from the ones before, once that is [found](Self::find_starts).
    starts: ArrayVec<u8, 256>,
    /// Whether any is covered.
    covered: bool,
    len: usize,
}

impl Default for Slots {
    fn default() -> Self {
        Self {
            entries: [Entry::EMPTY; 256],
            covers: [0; 256],
            starts: ArrayVec::new(),
            covered: false,
            len: 0,
        }
    }
}

impl Slots {
    fn entries(&self) -> &[Entry] {
        &self.entries[..self.len]
    }

    /// Finds the slots that differ from the ones before.
    fn find_starts(&mut self) {
        let Self {
            entries, covers, ..
        } = self;
        let differs = |slot: &usize| {
            let (entry, before) = (entries[*slot], entries[*slot - 1]);
            entry != before || entry.is_covered() && covers[*slot] != covers[*slot - 1]
        };
        self.starts.clear();
        let starts = (1..self.len).filter(differs);
        self.starts.extend(starts.map(|slot| slot as u8));
    }

    /// The slots among these that runs begin with: the first, and those that differ from the ones before.
    fn starts(&self, among: Range<usize>) -> impl Iterator<Item = usize> + Clone {
        let others = self.differing(&among).iter();
        std::iter::once(among.start).chain(others.map(|slot| usize::from(*slot)))
    }

    /// Whether there are at most so many runs among these slots.
    fn are_few(&self, among: &Range<usize>, most: usize) -> bool {
        self.differing(among).len() < most
    }

    /// Those behind the first of these slots that differ from the ones before.
    fn differing(&self, among: &Range<usize>) -> &[u8] {
        let before = |end| self.starts.partition_point(|slot| usize::from(*slot) < end);
        &self.starts[before(among.start + 1)..before(among.end)]
    }

    /// The runs among these slots, of hops: the slot that each begins with, and the hop's number.
    fn leaf_runs(&self, among: Range<usize>) -> impl Iterator<Item = (u8, u8)> + Clone {
        let number = |slot: usize| leaf::number(self.entries[slot]);
        self.starts(among)
            .filter_map(move |slot| Some(slot as u8).zip(number(slot)))
    }

    /// Writes the runs among these slots, and what covers them.
    fn write_runs(&self, among: Range<usize>, line: &Short, covers: &ShortCovers) {
        let starts = self.starts(among);
        let runs = starts.clone().map(|slot| (slot as u8, self.entries[slot]));
        line.write(runs);
        // Nobody asks for what covers a run that is not covered.
        if self.covered {
            for (cover, slot) in covers.0.iter().zip(starts) {
                cover.store(self.covers[slot], Ordering::Relaxed);
            }
        }
    }
}

/// The slots of a wide node.
const WHOLE: Range<usize> = 0..256;
const HALVES: [Range<usize>; 2] = [0..128, 128..256];

impl LpmEditor {
    /// Writes what of a trie, below a node, is not written yet, and returns the node's entry.
    ///
    /// `found` tells that nothing is left out on the way from the root: whoever comes by has all the
    /// bits.
    pub(super) fn compile(&mut self, trie: usize, id: u32, found: bool) -> Entry {
        let node = self.tries.node(id);
        if let Some(line) = node.line.filter(|_| !self.tries.is_dirty(id)) {
            return line;
        }
        let (level, end) = (node.level, node.end());
        if may_be_sparse(level)
            && !self.plain
            && let Some(line) = self.compile_sparse(trie, id, found)
        {
            return line;
        }
        for at in 0..self.tries.node(id).under.len() {
            let child = self.tries.node(id).under[at];
            if let (Under::Node(below), true) = (child.what, child.entry.is_empty()) {
                let level = self.tries.node(below).level;
                let line = self.compile(trie, below, found && level == end && is_wide(level));
                self.tries.node_mut(id).under[at].entry = line;
            }
        }
        let mut slots = std::mem::take(&mut self.slots);
        self.paint(&mut slots, id, found && !self.plain);
        let line = self.write_by_runs(trie, &mut slots, level);
        let line = line.unwrap_or_else(|| self.write(&slots, level));
        self.slots = slots;
        let before = self.tries.written(id, line, &[]);
        self.garbage.extend(before.map(Garbage::line));
        line
    }

    /// What each of a node's slots leads to.
    fn paint(&mut self, slots: &mut Slots, id: u32, found: bool) {
        let Self {
            tries,
            routes,
            store,
            ..
        } = self;
        let node: &mut Node = tries.node_mut(id);
        let end = node.end();
        let anew = node.found != found;
        node.found = found;
        slots.len = 1 << (end - node.level);
        slots.entries[..slots.len].fill(Entry::EMPTY);
        slots.covers[..slots.len].fill(0);
        slots.covered = !node.own.is_empty();
        // Longer ones over shorter ones.
        for own in &mut node.own {
            if anew || own.entry.is_empty() {
                own.entry = match found {
                    true => Entry::hop(routes.about(own.route).hop),
                    false => Entry::route(own.route),
                };
            }
            let covered = covered_by(node.level, usize::from(own.place));
            slots.entries[covered.clone()].fill(own.entry);
            slots.covers[covered].fill(own.route);
        }
        for child in &mut node.under {
            let slot = usize::from(child.slot);
            if let Under::Route(route) = child.what
                && (anew || child.entry.is_empty())
            {
                child.entry = if found && store.route(route).span().len <= end {
                    Entry::hop(routes.about(route).hop)
                } else {
                    Entry::route(route)
                };
            }
            let covered = slots.covers[slot] != 0 && !child.entry.is_final();
            slots.entries[slot] = child.entry.with_covered(covered);
        }
    }

    /// Writes slots as runs, or as a leaf, where nodes may be these and they can be.
    fn write_by_runs(&mut self, trie: usize, slots: &mut Slots, level: u8) -> Option<Entry> {
        if self.plain {
            return None;
        }
        if may_be_leaf(trie, level) {
            slots.find_starts();
            self.write_leaf(slots, level)
        } else if may_be_short(trie, level) {
            slots.find_starts();
            self.write_short(slots, level)
        } else {
            None
        }
    }

    /// Writes slots into a leaf, as short as it can be, that nobody reads yet; not if they cannot be one.
    fn write_leaf(&mut self, slots: &Slots, level: u8) -> Option<Entry> {
        let numbers = slots.entries().iter().map(|entry| leaf::number(*entry));
        if numbers.clone().any(|number| number.is_none()) {
            return None;
        }
        let shape = if slots.are_few(&WHOLE, SHORT_LEAF_RUNS) {
            Shape::ShortLeaf
        } else if HALVES
            .iter()
            .all(|half| slots.are_few(half, SHORT_LEAF_RUNS))
        {
            Shape::PairLeaf
        } else {
            Shape::DenseLeaf
        };
        let number = self.numbers_mut(shape).allocate();
        let store = &*self.store;
        match shape {
            Shape::ShortLeaf => {
                let leaf = store.short_leaves.get(number).expect("reserved before");
                leaf.write(slots.leaf_runs(WHOLE));
            }
            Shape::PairLeaf => {
                let pair = store.pair_leaves.get(number).expect("reserved before");
                for (leaf, half) in pair.0.iter().zip(HALVES) {
                    leaf.write(slots.leaf_runs(half));
                }
            }
            _ => {
                let leaf = store.dense_leaves.get(number).expect("reserved before");
                leaf.write(numbers.flatten());
            }
        }
        Some(Entry::node(number, level, shape))
    }

    /// Writes slots into a short node or a pair, if they can be one, that nobody reads yet.
    fn write_short(&mut self, slots: &Slots, level: u8) -> Option<Entry> {
        if slots.are_few(&WHOLE, SHORT_RUNS) {
            let number = self.numbers_mut(Shape::Short).allocate();
            let (line, covers) = self.store.short.lines(number).expect("reserved before");
            slots.write_runs(WHOLE, line, covers);
            return Some(Entry::node(number, level, Shape::Short));
        }
        if !HALVES.iter().all(|half| slots.are_few(half, SHORT_RUNS)) {
            return None;
        }
        let number = self.numbers_mut(Shape::Pair).allocate();
        let (lines, covers) = self.store.pairs.lines(number).expect("reserved before");
        for ((line, covers), half) in lines.0.iter().zip(&covers.0).zip(HALVES) {
            slots.write_runs(half, line, covers);
        }
        Some(Entry::node(number, level, Shape::Pair))
    }

    /// Writes slots into a line that nobody reads yet.
    fn write(&mut self, slots: &Slots, level: u8) -> Entry {
        let (entry, entries, covers) = if is_wide(level) {
            let number = self.numbers_mut(Shape::Dense).allocate();
            let (slots, covers) = self.store.dense.lines(number).expect("reserved before");
            let entry = Entry::node(number, level, Shape::Dense);
            (entry, &slots.0[..], &covers.0[..])
        } else {
            let number = self.numbers_mut(Shape::Narrow).allocate();
            let (slots, covers) = self.store.narrow.lines(number).expect("reserved before");
            let entry = Entry::node(number, level, Shape::Narrow);
            (entry, &slots.0[..], &covers.0[..])
        };
        for (slot, entry) in entries.iter().zip(slots.entries()) {
            entry.store(slot);
        }
        // Nobody asks for what covers a slot that is not covered.
        if slots.covered {
            for (cover, number) in covers.iter().zip(&slots.covers) {
                cover.store(*number, Ordering::Relaxed);
            }
        }
        entry
    }
}
