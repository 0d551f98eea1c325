//! The tries as the control plane has them: what the lines are made from.

use arrayvec::ArrayVec;

use super::entry::Entry;
use super::path::{
    MAX_DEPTH, Path, SHORT_NODES, Span, is_wide, keeps_level_between, level_of, stride,
};

/// One trie for each family.
#[derive(Default)]
pub(super) struct Tries {
    nodes: Vec<Node>,
    free: Vec<u32>,
    pub(super) roots: [Option<u32>; 2],
    /// Lines there can be to write.
    dirty: usize,
    /// Lines of nodes that are gone.
    pub(super) gone: Vec<Entry>,
}

/// A node: see the [module](super).
#[derive(Default)]
pub(super) struct Node {
    pub(super) level: u8,
    /// A path that goes through the node: its bits up to the level are the node's.
    path: Path,
    /// Routes that end in the node's bits, by [place](Span::place_at_home): shorter ones first.
    pub(super) own: Vec<Own>,
    /// By slot.
    pub(super) under: Vec<Child>,
    /// The line that it was written to last.
    pub(super) line: Option<Entry>,
    /// Nodes below that its line has in it, so that they have none.
    absorbed: usize,
    /// Whether its slots may lead to hops, as it was written last.
    pub(super) found: bool,
    dirty: bool,
}

/// A route that ends in a node's bits.
#[derive(Clone, Copy)]
pub(super) struct Own {
    /// Its [place](Span::place_at_home).
    pub(super) place: u16,
    pub(super) route: u32,
    /// How it is written down: nothing if that has to be found out.
    pub(super) entry: Entry,
}

/// What is under a slot.
#[derive(Clone, Copy)]
pub(super) struct Child {
    pub(super) slot: u8,
    pub(super) what: Under,
    /// How it is written down: nothing if that has to be found out, or it has to be written first.
    pub(super) entry: Entry,
}

/// What is under a slot, beside the node's own routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Under {
    Node(u32),
    /// A route, with nothing else under the slot.
    Route(u32),
}

impl Node {
    /// The level at which nothing is left out below a slot.
    pub(super) fn end(&self) -> u8 {
        self.level + stride(self.level)
    }

    fn len(&self) -> usize {
        self.own.len() + self.under.len()
    }

    /// Lines there can be to write if it is dirty.
    fn lines(&self) -> usize {
        1 + self.absorbed
    }

    /// The first of the slots of 16 bits, from `level` on, that are the node's.
    pub(super) fn first_slot(&self, level: u8) -> u16 {
        let bits = self.level.saturating_sub(level);
        self.path.sparse_slot(level) & !u16::MAX.unbounded_shr(bits.into())
    }

    fn own_at(&self, place: usize) -> Result<usize, usize> {
        self.own
            .binary_search_by_key(&place, |own| usize::from(own.place))
    }

    fn set_own(&mut self, place: usize, route: u32) -> Option<u32> {
        let own = Own {
            place: place as u16,
            route,
            entry: Entry::EMPTY,
        };
        match self.own_at(place) {
            Ok(at) => Some(std::mem::replace(&mut self.own[at], own).route),
            Err(at) => {
                self.own.insert(at, own);
                None
            }
        }
    }

    fn under_at(&self, slot: usize) -> Result<usize, usize> {
        self.under
            .binary_search_by_key(&slot, |child| usize::from(child.slot))
    }

    fn under(&self, slot: usize) -> Option<Under> {
        let at = self.under_at(slot).ok()?;
        Some(self.under[at].what)
    }

    fn set_under(&mut self, slot: usize, what: Under) {
        let child = Child {
            slot: slot as u8,
            what,
            entry: Entry::EMPTY,
        };
        match self.under_at(slot) {
            Ok(at) => self.under[at] = child,
            Err(at) => self.under.insert(at, child),
        }
    }
}

/// The slots that the own route at `place` covers in a node at `level`.
pub(super) fn covered_by(level: u8, place: usize) -> std::ops::Range<usize> {
    let stride = u32::from(stride(level));
    let up = stride - place.ilog2();
    let slots = 1 << stride;
    (place << up) - slots..((place + 1) << up) - slots
}

/// What routes are there, by number.
pub(super) trait Spans {
    fn span(&self, route: u32) -> Span;
}

impl Tries {
    pub(super) fn node(&self, id: u32) -> &Node {
        &self.nodes[id as usize]
    }

    pub(super) fn node_mut(&mut self, id: u32) -> &mut Node {
        &mut self.nodes[id as usize]
    }

    /// Nodes there are.
    pub(super) fn len(&self) -> usize {
        self.nodes.len() - self.free.len()
    }

    /// Lines there can be to write.
    pub(super) fn dirty(&self) -> usize {
        self.dirty
    }

    pub(super) fn is_dirty(&self, id: u32) -> bool {
        self.node(id).dirty
    }

    /// Notes that a node was written, into a line that has others in it, and returns the lines that nothing
    /// leads to any more.
    pub(super) fn written(
        &mut self,
        id: u32,
        line: Entry,
        absorbed: &[u32],
    ) -> impl Iterator<Item = Entry> {
        self.clean(id);
        let node = self.node_mut(id);
        node.absorbed = absorbed.len();
        let before = node.line.replace(line);
        let own = before.into_iter();
        own.chain(absorbed.iter().filter_map(|id| {
            self.clean(*id);
            let node = self.node_mut(*id);
            node.absorbed = 0;
            node.line.take()
        }))
    }

    /// Notes the line of what is under a slot of a node, further down than nodes are absorbed.
    pub(super) fn note_line(&mut self, id: u32, slot: u8, line: Entry) {
        let node = self.node_mut(id);
        if let Ok(at) = node.under_at(slot.into()) {
            node.under[at].entry = line;
        }
    }

    /// Forgets the lines of what is under an absorbed node, or under what absorbed it, and stands above `end`.
    pub(super) fn forget_absorbed(&mut self, id: u32, end: u8) {
        for at in 0..self.node(id).under.len() {
            if let Under::Node(below) = self.node(id).under[at].what
                && self.node(below).level < end
            {
                self.node_mut(id).under[at].entry = Entry::EMPTY;
            }
        }
    }

    fn clean(&mut self, id: u32) {
        let node = self.node_mut(id);
        if std::mem::take(&mut node.dirty) {
            let lines = node.lines();
            self.dirty -= lines;
        }
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        let lists: usize = self
            .nodes
            .iter()
            .map(|node| {
                node.own.capacity() * size_of::<Own>() + node.under.capacity() * size_of::<Child>()
            })
            .sum();
        lists + self.nodes.capacity() * size_of::<Node>()
    }

    /// Puts a route where it belongs, and returns the one it replaces.
    pub(super) fn place(
        &mut self,
        trie: usize,
        (span, route): (Span, u32),
        spans: &impl Spans,
    ) -> Option<u32> {
        let mut at = match self.roots[trie] {
            Some(root) => root,
            None => {
                let root = self.new_node(0, Path::ZERO);
                self.roots[trie] = Some(root);
                root
            }
        };
        loop {
            self.soil(at);
            let node = self.node_mut(at);
            if span.home() == node.level {
                return node.set_own(span.place_at_home(), route);
            }
            let slot = span.path.slot(node.level);
            let (level, beside) = match node.under(slot) {
                None => {
                    node.set_under(slot, Under::Route(route));
                    return None;
                }
                Some(Under::Route(other)) => {
                    let there = spans.span(other);
                    if there == span {
                        node.set_under(slot, Under::Route(route));
                        return Some(other);
                    }
                    let common = there.path.common(span.path).min(span.len).min(there.len);
                    (level_of(common), (Under::Route(other), there))
                }
                Some(Under::Node(child)) => {
                    let Node { level, path, .. } = *self.node(child);
                    let common = path.common(span.path).min(span.len);
                    if common >= level {
                        // To be written anew.
                        self.node_mut(at).set_under(slot, Under::Node(child));
                        at = child;
                        continue;
                    }
                    // With this one above it, it may be found without leaving bits out.
                    self.soil(child);
                    (
                        level_of(common),
                        (Under::Node(child), Span { path, len: level }),
                    )
                }
            };
            let branch = self.new_node(level, span.path);
            self.add(branch, beside);
            self.add(branch, (Under::Route(route), span));
            let below = if keeps_level_between(trie, self.node(at).level, level) {
                let between = self.new_node(SHORT_NODES, span.path);
                let under = Span { len: level, ..span };
                self.add(between, (Under::Node(branch), under));
                between
            } else {
                branch
            };
            self.node_mut(at).set_under(slot, Under::Node(below));
            return None;
        }
    }

    /// Adds what is not there to a node: as its own if it is a route that ends in its bits.
    fn add(&mut self, id: u32, (what, span): (Under, Span)) {
        let node = self.node_mut(id);
        match what {
            Under::Route(route) if span.home() == node.level => {
                node.set_own(span.place_at_home(), route);
            }
            _ => node.set_under(span.path.slot(node.level), what),
        }
    }

    /// Takes out a route, and returns it; None if it is not there.
    pub(super) fn displace(&mut self, trie: usize, span: Span, spans: &impl Spans) -> Option<u32> {
        let route = self.exact(trie, span, spans)?;
        let mut way = ArrayVec::<(u32, usize), MAX_DEPTH>::new();
        let mut at = self.roots[trie]?;
        loop {
            self.soil(at);
            let node = self.node_mut(at);
            let slot = span.path.slot(node.level);
            way.push((at, slot));
            if span.home() == node.level {
                if let Ok(place) = node.own_at(span.place_at_home()) {
                    node.own.remove(place);
                }
                break;
            }
            let place = node.under_at(slot).ok()?;
            match node.under[place].what {
                Under::Node(child) => {
                    node.under[place].entry = Entry::EMPTY;
                    at = child;
                }
                Under::Route(_) => {
                    node.under.remove(place);
                    break;
                }
            }
        }
        self.collapse(trie, &way);
        Some(route)
    }

    /// A node with only one thing left is replaced by it, from the bottom of a way up; a root goes with
    /// the last.
    ///
    /// Not if that is a wide node: it may count on nothing being left out above it.
    fn collapse(&mut self, trie: usize, way: &[(u32, usize)]) {
        let mut way = way;
        while let Some(((id, _), above)) = way.split_last() {
            let node = self.node(*id);
            let Some((parent, slot)) = above.last() else {
                if node.len() == 0 {
                    self.roots[trie] = None;
                    self.free(*id);
                }
                return;
            };
            let last = match (&node.own[..], &node.under[..]) {
                ([own], []) => Under::Route(own.route),
                ([], [child]) => match child.what {
                    Under::Node(last) if is_wide(self.node(last).level) => return,
                    last => last,
                },
                _ => return,
            };
            let absorbed = node.absorbed;
            self.free(*id);
            if let (Under::Node(last), 1..) = (last, absorbed) {
                // Its line, and those of what is below, were in the one that is gone.
                self.clean(last);
                self.node_mut(last).absorbed += absorbed;
                self.soil(last);
            }
            self.node_mut(*parent).set_under(*slot, last);
            way = above;
        }
    }

    /// The number of exactly this route.
    pub(super) fn exact(&self, trie: usize, span: Span, spans: &impl Spans) -> Option<u32> {
        let mut at = self.roots[trie]?;
        loop {
            let node = self.node(at);
            if span.len < node.level {
                return None;
            }
            let found = if span.home() == node.level {
                let at = node.own_at(span.place_at_home()).ok()?;
                node.own[at].route
            } else {
                match node.under(span.path.slot(node.level))? {
                    Under::Route(route) => route,
                    Under::Node(child) => {
                        at = child;
                        continue;
                    }
                }
            };
            return (spans.span(found) == span).then_some(found);
        }
    }

    /// The numbers of all routes whose prefix a path is in, longest first.
    pub(super) fn matches(
        &self,
        trie: usize,
        path: Path,
        spans: &impl Spans,
    ) -> ArrayVec<u32, 129> {
        let mut found = ArrayVec::<u32, 129>::new();
        let mut next = self.roots[trie];
        while let Some(id) = next {
            let node = self.node(id);
            if path.common(node.path) < node.level {
                break;
            }
            let slot = path.slot(node.level);
            let bottom = 1 << stride(node.level) | slot;
            let places = (1..=stride(node.level)).rev().map(|up| bottom >> up);
            found.extend(places.filter_map(|place| Some(node.own[node.own_at(place).ok()?].route)));
            next = match node.under(slot) {
                Some(Under::Node(child)) => Some(child),
                Some(Under::Route(route)) => {
                    if spans.span(route).covers(path) {
                        found.push(route);
                    }
                    None
                }
                None => None,
            };
        }
        found.reverse();
        found
    }

    fn new_node(&mut self, level: u8, path: Path) -> u32 {
        let node = Node {
            level,
            path,
            dirty: true,
            ..Node::default()
        };
        self.dirty += 1;
        if let Some(id) = self.free.pop() {
            self.nodes[id as usize] = node;
            id
        } else {
            self.nodes.push(node);
            self.nodes.len() as u32 - 1
        }
    }

    fn free(&mut self, id: u32) {
        self.clean(id);
        let node = std::mem::take(self.node_mut(id));
        self.gone.extend(node.line);
        self.free.push(id);
    }

    fn soil(&mut self, id: u32) {
        let node = self.node_mut(id);
        if !std::mem::replace(&mut node.dirty, true) {
            let lines = node.lines();
            self.dirty += lines;
        }
    }
}
