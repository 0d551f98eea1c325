//! Writing nodes down as lines.

use std::sync::atomic::Ordering;

use super::editor::{Garbage, LpmEditor};
use super::entry::{Entry, Shape};
use super::leaf;
use super::path::{is_wide, may_be_dense_leaf, may_be_sparse};
use super::trie::{Node, Under, covered_by};

/// A node's slots, and the number of the longest own route that covers each.
pub(super) struct Slots {
    entries: [Entry; 256],
    covers: [u32; 256],
    /// Whether any is covered.
    covered: bool,
    len: usize,
}

impl Default for Slots {
    fn default() -> Self {
        Self {
            entries: [Entry::EMPTY; 256],
            covers: [0; 256],
            covered: false,
            len: 0,
        }
    }
}

impl Slots {
    fn entries(&self) -> &[Entry] {
        &self.entries[..self.len]
    }
}

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
        let leaf = self.write_leaf(trie, &slots, level);
        let line = leaf.unwrap_or_else(|| self.write(&slots, level));
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

    /// Writes slots into a dense leaf, if they can be one, that nobody reads yet.
    fn write_leaf(&mut self, trie: usize, slots: &Slots, level: u8) -> Option<Entry> {
        let numbers = slots.entries().iter().map(|entry| leaf::number(*entry));
        if !may_be_dense_leaf(trie, level) || numbers.clone().any(|number| number.is_none()) {
            return None;
        }
        let number = self.numbers_mut(Shape::DenseLeaf).allocate();
        let leaf = self.store.dense_leaves.get(number);
        leaf.expect("reserved before").write(numbers.flatten());
        Some(Entry::node(number, level, Shape::DenseLeaf))
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
