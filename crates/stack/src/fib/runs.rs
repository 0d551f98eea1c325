//! Writing a node, and those below it within 16 bits, down as one sparse node.

use std::sync::atomic::Ordering;

use arrayvec::ArrayVec;

use super::editor::{Garbage, LpmEditor};
use super::entry::{Entry, Shape};
use super::leaf::{self, LEAF_RUNS, LONG_RUNS};
use super::line::RUNS;
use super::path::{SPARSE_STRIDE, is_wide};
use super::trie::{Under, covered_by};

/// Nodes that one sparse node can have in it beside its own: none is without anything in it, and few have but one.
pub(super) const MAX_ABSORBED: usize = 2 * LONG_RUNS;

/// What a sparse node is made of.
#[derive(Default)]
pub(super) struct Runs {
    runs: ArrayVec<Run, LONG_RUNS>,
    /// The nodes below that are in it.
    absorbed: ArrayVec<u32, MAX_ABSORBED>,
    trie: usize,
    /// The level of the node.
    level: u8,
    /// Nothing is left out above it.
    found: bool,
}

#[derive(Clone, Copy)]
struct Run {
    start: u16,
    leads: Leads,
}

/// What a run leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Leads {
    entry: Entry,
    /// If the entry is covered: the number of the longest route that covers it.
    cover: u32,
}

/// There is too much for a sparse node.
#[derive(Clone, Copy)]
struct TooMuch;

impl Runs {
    /// The next run, if it is another than the last one.
    fn push(&mut self, start: usize, leads: Leads) -> Result<(), TooMuch> {
        if self.runs.last().is_some_and(|run| run.leads == leads) {
            return Ok(());
        }
        let start = start as u16;
        self.runs
            .try_push(Run { start, leads })
            .map_err(|_| TooMuch)
    }

    /// The level behind the slots.
    fn end(&self) -> u8 {
        self.level + SPARSE_STRIDE
    }

    /// Slots that have the same first bits up to `level`.
    fn width(&self, level: u8) -> usize {
        1 << self.end().saturating_sub(level)
    }
}

/// A route that covers what is below it, as it is written down.
#[derive(Clone, Copy)]
struct Cover {
    entry: Entry,
    route: u32,
}

impl Cover {
    const NONE: Self = Self {
        entry: Entry::EMPTY,
        route: 0,
    };

    /// With nothing below it.
    fn alone(self) -> Leads {
        Leads {
            entry: self.entry,
            cover: 0,
        }
    }

    /// Over an entry, which it stands in for if that is another's.
    fn over(self, entry: Entry) -> Leads {
        let covered = self.route != 0 && !entry.is_final();
        Leads {
            entry: entry.with_covered(covered),
            cover: if covered { self.route } else { 0 },
        }
    }
}

impl LpmEditor {
    /// Writes a node as a sparse one, and returns its entry; None, and nothing changed, if it has too much below.
    pub(super) fn compile_sparse(&mut self, trie: usize, id: u32, found: bool) -> Option<Entry> {
        let level = self.tries.node(id).level;
        let mut runs = std::mem::take(&mut self.runs);
        runs.runs.clear();
        runs.absorbed.clear();
        (runs.trie, runs.level, runs.found) = (trie, level, found);
        let gathered = self.gather(&mut runs, id, Cover::NONE);
        let written = gathered.and_then(|()| self.write_sparse(&runs));
        if let Ok(entry) = written {
            self.tries.node_mut(id).found = found;
            let before = self.tries.written(id, entry, &runs.absorbed);
            self.garbage.extend(before.map(Garbage::line));
            for id in std::iter::once(&id).chain(&runs.absorbed) {
                self.tries.forget_absorbed(*id, runs.end());
            }
        }
        self.runs = runs;
        written.ok()
    }

    /// Adds the runs of a node that a route above it, in the sparse node too, covers.
    fn gather(&mut self, runs: &mut Runs, id: u32, above: Cover) -> Result<(), TooMuch> {
        let node = self.tries.node(id);
        let (level, end, base) = (
            node.level,
            node.end(),
            usize::from(node.first_slot(runs.level)),
        );
        // The longest of its own over each slot: one more than its place in the list.
        let mut covers = [0_u16; 256];
        for (own, at) in node.own.iter().zip(1..) {
            covers[covered_by(level, usize::from(own.place))].fill(at);
        }
        let slots = 1_usize << (end - level);
        let width = runs.width(end);
        let mut children = 0;
        let mut before = None;
        for (slot, covered) in covers.iter().enumerate().take(slots) {
            let node = self.tries.node(id);
            let child = node.under.get(children).copied();
            let child = child.filter(|child| usize::from(child.slot) == slot);
            if child.is_none() && before == Some(*covered) {
                continue;
            }
            let own = usize::from(*covered).checked_sub(1);
            let own = own.and_then(|at| node.own.get(at));
            let cover = own.map_or(above, |own| self.cover_of(own.route, runs.found));
            let start = base + slot * width;
            before = Some(*covered);
            let Some(child) = child else {
                runs.push(start, cover.alone())?;
                continue;
            };
            children += 1;
            // The first slot that is the child's, and how many bits from the root on tell.
            let (first, len) = match child.what {
                Under::Node(below) => {
                    let node = self.tries.node(below);
                    (node.first_slot(runs.level), node.level)
                }
                Under::Route(route) => {
                    let span = self.store.route(route).span();
                    (span.path.sparse_slot(runs.level), span.len)
                }
            };
            let first = usize::from(first);
            let behind = first + runs.width(len);
            if first > start {
                runs.push(start, cover.alone())?;
            }
            // What is longer than these bits would have to be compared: nodes below need not.
            if runs.found && len > runs.end() && is_wide(runs.level + 8) {
                return Err(TooMuch);
            }
            match child.what {
                Under::Node(below) if len < runs.end() => {
                    runs.absorbed.try_push(below).map_err(|_| TooMuch)?;
                    self.gather(runs, below, cover)?;
                }
                Under::Node(below) => {
                    let entry = self.compile(runs.trie, below, false);
                    self.tries.note_line(id, child.slot, entry);
                    runs.push(first, cover.over(entry))?;
                }
                Under::Route(route) => {
                    let found = runs.found && len <= runs.end();
                    let entry = self.cover_of(route, found).entry;
                    runs.push(first, cover.over(entry))?;
                }
            }
            if behind < start + width {
                runs.push(behind, cover.alone())?;
            }
            // What comes next is another run.
            before = (behind < start + width).then_some(*covered);
        }
        Ok(())
    }

    /// How a route that covers all of a run is written down.
    fn cover_of(&self, route: u32, found: bool) -> Cover {
        let entry = if found {
            Entry::hop(self.routes.about(route).hop)
        } else {
            Entry::route(route)
        };
        Cover { entry, route }
    }

    /// Writes runs into a line that nobody reads yet.
    fn write_sparse(&mut self, runs: &Runs) -> Result<Entry, TooMuch> {
        let (level, runs) = (runs.level, &runs.runs);
        let numbers = runs.iter().map(|run| leaf::number(run.leads.entry));
        if numbers.clone().all(|number| number.is_some()) {
            let runs_of_hops = runs.iter().map(|run| run.start).zip(numbers.flatten());
            return Ok(if runs.len() <= LEAF_RUNS {
                let number = self.numbers_mut(Shape::SparseLeaf).allocate();
                let leaf = self.store.sparse_leaves.get(number);
                leaf.expect("reserved before").write(runs_of_hops);
                Entry::node(number, level, Shape::SparseLeaf)
            } else {
                let number = self.numbers_mut(Shape::LongLeaf).allocate();
                let leaf = self.store.long_leaves.get(number);
                leaf.expect("reserved before").write(runs_of_hops);
                Entry::node(number, level, Shape::LongLeaf)
            });
        }
        if runs.len() > RUNS {
            return Err(TooMuch);
        }
        let number = self.numbers_mut(Shape::Sparse).allocate();
        let (line, covers) = self.store.sparse.lines(number).expect("reserved before");
        line.write(runs.iter().map(|run| (run.start, run.leads.entry)));
        // Nobody asks for what covers a run that is not covered.
        for (cover, run) in covers.0.iter().zip(runs) {
            if run.leads.cover != 0 {
                cover.store(run.leads.cover, Ordering::Relaxed);
            }
        }
        Ok(Entry::node(number, level, Shape::Sparse))
    }
}
