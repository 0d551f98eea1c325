//! Changing the tries, copy-on-write by node.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use corelane_sync::slab::SlabError;
use thiserror::Error;

use super::arena::Arena;
use super::lookup::Lpm;
use super::path::{MAX_DEPTH, Path, Span, is_wide, level_of, trie};
use super::store::{Entry, Hop, LpmStore};
use crate::address::{Family, Prefix};
use crate::nic::NicId;

/// Why a route was not inserted or removed. Nothing changed.
#[derive(Debug, Error)]
pub enum LpmError {
    /// There is no room for more routes or nodes.
    #[error("no room for the route")]
    NoRoom(#[from] SlabError),
}

/// A node or a route that no version from the next one on leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Garbage(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Wide(u32),
    Narrow(u32),
    Route(u32),
}

/// The control plane's side of the tries: makes one version from the one before.
///
/// The order of things: any number of changes, [`version`](Self::version) and
/// [`take_garbage`](Self::take_garbage), which go to the publisher together, and
/// [`reuse`](Self::reuse) of what it hands back.
pub struct LpmEditor {
    store: Arc<LpmStore>,
    roots: [Entry; 2],
    /// The number of the version being made.
    version: u64,
    len: usize,
    wide: Numbered<About>,
    narrow: Numbered<About>,
    /// With the version that each was made in.
    routes: Numbered<u64>,
    garbage: Vec<Garbage>,
}

/// The nodes of one width, or the routes: which numbers are in use, and what the editor alone knows of
/// each.
#[derive(Default)]
struct Numbered<A> {
    numbers: Arena,
    about: Vec<A>,
}

impl<A: Copy + Default> Numbered<A> {
    /// A number that nobody uses, out of those reserved.
    fn allocate(&mut self, about: A) -> u32 {
        let number = self.numbers.allocate();
        let room = number as usize + 1;
        if self.about.len() < room {
            self.about.resize(room, A::default());
        }
        self.about[number as usize] = about;
        number
    }

    /// Bytes of what is known, and of the list of free numbers.
    fn bytes(&self) -> usize {
        self.about.capacity() * size_of::<A>() + self.numbers.bytes()
    }
}

/// What the editor alone knows of a node.
#[derive(Clone, Copy, Default)]
struct About {
    /// A path that goes through the node: its bits up to the node's level are the node's.
    path: Path,
    /// The version it was made in: in that one it is changed in place.
    born: u64,
    /// Own routes, and slots that lead to anything but those.
    items: u32,
}

/// Where an entry stands.
#[derive(Clone, Copy)]
enum Place {
    Root(usize),
    Slot(Entry, usize),
}

impl LpmEditor {
    /// An editor of empty tries, in a store of its own.
    pub fn new() -> Self {
        Self {
            store: Arc::default(),
            roots: [Entry::EMPTY; 2],
            version: 1,
            len: 0,
            wide: Numbered::default(),
            narrow: Numbered::default(),
            routes: Numbered::default(),
            garbage: Vec::new(),
        }
    }

    /// Where the versions' nodes and routes are.
    pub fn store(&self) -> &Arc<LpmStore> {
        &self.store
    }

    /// The number of routes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no routes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of memory of the nodes and routes in use, garbage that is not given back yet
    /// included, and of what the editor knows about them.
    pub fn bytes(&self) -> usize {
        let [wide, narrow, routes] = self.used();
        let known = self.wide.bytes() + self.narrow.bytes() + self.routes.bytes();
        wide * 2048 + narrow * 128 + routes * 32 + known
    }

    /// Wide nodes, narrow nodes and routes in use.
    pub(super) fn used(&self) -> [usize; 3] {
        let Self {
            wide,
            narrow,
            routes,
            ..
        } = self;
        [&wide.numbers, &narrow.numbers, &routes.numbers].map(Arena::used)
    }

    /// The tries as they are now; what is changed later does not change this version.
    pub fn version(&mut self) -> Lpm {
        self.version += 1;
        self.current()
    }

    /// The tries as they are now, for the control plane to look up in until the next change.
    pub fn current(&self) -> Lpm {
        Lpm::of(self.roots)
    }

    /// What the [version](Self::version) taken last does not lead to any more and one before it
    /// may. To be given back by [`reuse`](Self::reuse) when nobody looks up in those before.
    pub fn take_garbage(&mut self) -> Vec<Garbage> {
        std::mem::take(&mut self.garbage)
    }

    /// Takes back what no version that is still in use leads to.
    pub fn reuse(&mut self, garbage: Garbage) {
        match garbage.0 {
            Kind::Wide(number) => self.wide.numbers.free(number),
            Kind::Narrow(number) => self.narrow.numbers.free(number),
            Kind::Route(number) => self.routes.numbers.free(number),
        }
    }

    /// Makes room for `changes`: none of the next so many fails for want of it, if no version is
    /// taken in between. Takes address space, and memory only once it is used.
    ///
    /// # Errors
    /// [`LpmError::NoRoom`].
    pub fn reserve(&mut self, changes: u32) -> Result<(), LpmError> {
        // A change makes one node, and copies those on its path that this version did not make.
        let nodes = |used: usize| {
            let copied = (used as u32).min(changes.saturating_mul(MAX_DEPTH as u32));
            copied.saturating_add(changes)
        };
        let [wide, narrow, _] = self.used();
        let store = &self.store;
        self.wide
            .numbers
            .reserve(&store.wide, nodes(wide), Entry::MAX_NODES)?;
        self.narrow
            .numbers
            .reserve(&store.narrow, nodes(narrow), Entry::MAX_NODES)?;
        self.routes
            .numbers
            .reserve(&store.routes, changes, Entry::MAX_ROUTES)?;
        Ok(())
    }

    /// Sends `prefix` out of `nic`, to `neighbor` ([`NO_NEIGHBOR`](super::NO_NEIGHBOR) if it is
    /// on-link), and returns where it went before.
    ///
    /// # Errors
    /// [`LpmError::NoRoom`].
    pub fn insert(
        &mut self,
        prefix: Prefix,
        nic: NicId,
        neighbor: u32,
    ) -> Result<Option<Hop>, LpmError> {
        self.reserve(1)?;
        Ok(self.insert_reserved(prefix, nic, neighbor))
    }

    /// As [`insert`](Self::insert), after [`reserve`](Self::reserve).
    pub(super) fn insert_reserved(
        &mut self,
        prefix: Prefix,
        nic: NicId,
        neighbor: u32,
    ) -> Option<Hop> {
        let span = Span::of(prefix);
        let number = self.routes.allocate(self.version);
        self.store.route(number).write(span, nic, neighbor);
        let replaced = self.place(Family::of(prefix.address()), span, number);
        match replaced {
            0 => {
                self.len += 1;
                None
            }
            _ => Some(self.discard_route(replaced)),
        }
    }

    /// Takes `prefix` out and returns where it went; None if it is not there.
    ///
    /// # Errors
    /// [`LpmError::NoRoom`]: the nodes above it are copied.
    pub fn remove(&mut self, prefix: Prefix) -> Result<Option<Hop>, LpmError> {
        if self.exact(prefix).is_none() {
            return Ok(None);
        }
        self.reserve(1)?;
        Ok(self.remove_reserved(prefix))
    }

    /// As [`remove`](Self::remove), after [`reserve`](Self::reserve).
    pub(super) fn remove_reserved(&mut self, prefix: Prefix) -> Option<Hop> {
        self.exact(prefix)?;
        let number = self.displace(Family::of(prefix.address()), Span::of(prefix));
        self.len -= 1;
        Some(self.discard_route(number))
    }

    /// Where exactly `prefix` goes.
    pub fn exact(&self, prefix: Prefix) -> Option<Hop> {
        let span = Span::of(prefix);
        let mut entry = self.roots[trie(Family::of(prefix.address()))];
        let number = loop {
            if !entry.is_node() {
                break entry.route_number();
            }
            let level = entry.level();
            if span.len < level {
                return None;
            }
            if span.home() == level {
                let own = &self.store.node(entry).own[span.place_at_home()];
                break own.load(Ordering::Relaxed);
            }
            entry = Entry::load(self.store.slot(entry, span.path));
        };
        if number == 0 {
            return None;
        }
        let line = self.store.route(number);
        (line.span() == span).then(|| line.hop())
    }

    /// Puts a route where it belongs, and returns the one it replaces, or 0.
    fn place(&mut self, family: Family, span: Span, number: u32) -> u32 {
        let mut place = Place::Root(trie(family));
        loop {
            let entry = match (place, self.at(place)) {
                (Place::Root(_), Entry::EMPTY) => {
                    let root = self.new_node(0, span.path);
                    self.put(place, root);
                    root
                }
                (_, entry) => entry,
            };
            if entry.is_node() {
                let level = entry.level();
                let path = self.about(entry).path;
                let common = path.common(span.path).min(span.len).min(level);
                if common < level {
                    self.branch(place, level_of(common), (entry, path), (span, number));
                    return 0;
                }
                let node = self.writable(place, entry);
                if span.home() == level {
                    let before = self.set_own(node, span.place_at_home(), number);
                    self.about_mut(node).items += u32::from(before == 0);
                    return before;
                }
                place = Place::Slot(node, span.path.slot(level));
                continue;
            }
            let before = entry.route_number();
            if before == 0 || self.is_own(place, before) {
                self.put(place, Entry::route(number).with_covered(before != 0));
                if let Place::Slot(node, _) = place {
                    self.about_mut(node).items += 1;
                }
                return 0;
            }
            let other = self.store.route(before).span();
            if other == span {
                self.put(place, Entry::route(number).with_covered(entry.is_covered()));
                return before;
            }
            let common = other.path.common(span.path).min(span.len).min(other.len);
            self.branch(place, level_of(common), (entry, other.path), (span, number));
            return 0;
        }
    }

    /// Takes out a route that is there, and returns it.
    fn displace(&mut self, family: Family, span: Span) -> u32 {
        let mut above = Place::Root(trie(family));
        let mut node = self.writable(above, self.at(above));
        loop {
            let level = node.level();
            if span.home() == level {
                let number = self.set_own(node, span.place_at_home(), 0);
                self.about_mut(node).items -= 1;
                self.collapse(above, node);
                return number;
            }
            let place = Place::Slot(node, span.path.slot(level));
            let entry = self.at(place);
            if entry.is_node() {
                node = self.writable(place, entry);
                above = place;
                continue;
            }
            let cover = self.store.node(node).cover(span.path.slot(level));
            self.put(place, own_entry(cover));
            self.about_mut(node).items -= 1;
            self.collapse(above, node);
            return entry.route_number();
        }
    }

    /// Puts a new node between `place` and what stands there, with a route beside that.
    fn branch(
        &mut self,
        place: Place,
        level: u8,
        (entry, path): (Entry, Path),
        (span, number): (Span, u32),
    ) {
        let node = self.new_node(level, span.path);
        // What was alone under a slot may end in the new node's bits.
        let own = (!entry.is_node()).then(|| self.store.route(entry.route_number()).span());
        self.add(node, entry.with_covered(false), path, own);
        self.add(node, Entry::route(number), span.path, Some(span));
        self.put(place, node.with_covered(entry.is_covered()));
    }

    /// Adds what `entry` leads to to a node: as its own if it is a route that ends there.
    fn add(&mut self, node: Entry, entry: Entry, path: Path, route: Option<Span>) {
        let level = node.level();
        match route {
            Some(span) if span.home() == level => {
                self.set_own(node, span.place_at_home(), entry.route_number());
            }
            _ => {
                let slot = path.slot(level);
                let covered = self.store.node(node).cover(slot) != 0;
                self.put(Place::Slot(node, slot), entry.with_covered(covered));
            }
        }
        self.about_mut(node).items += 1;
    }

    /// Makes `number`, or nothing if it is 0, the own route at `place` of a node; returns the one
    /// before.
    fn set_own(&mut self, node: Entry, place: usize, number: u32) -> u32 {
        let node = self.store.node(node);
        let slots = node.covered_by(place);
        // Before and after, since which slots only repeat an own route is told by what it was.
        let mut repeats = [false; 256];
        for (slot, repeats) in slots.clone().zip(&mut repeats) {
            let entry = Entry::load(&node.slots[slot]);
            *repeats = entry == own_entry(node.cover(slot));
        }
        let before = node.own[place].load(Ordering::Relaxed);
        node.own[place].store(number, Ordering::Relaxed);
        for (slot, repeats) in slots.zip(repeats) {
            let cover = node.cover(slot);
            let entry = if repeats {
                own_entry(cover)
            } else {
                Entry::load(&node.slots[slot]).with_covered(cover != 0)
            };
            entry.store(&node.slots[slot]);
        }
        before
    }

    /// If a node has only one thing left, that takes its place; a root goes with the last.
    fn collapse(&mut self, place: Place, node: Entry) {
        match (place, self.about(node).items) {
            (Place::Root(_), 0) => {
                self.put(place, Entry::EMPTY);
                return self.discard_node(node);
            }
            (Place::Slot(..), 1) => {}
            _ => return,
        }
        let view = self.store.node(node);
        let own = view.own.iter().map(|own| own.load(Ordering::Relaxed));
        let last = match own.into_iter().find(|number| *number != 0) {
            Some(number) => Entry::route(number),
            None => {
                let mut slots = view.slots.iter().map(Entry::load);
                slots.find(|it| !it.is_empty()).unwrap_or(Entry::EMPTY)
            }
        };
        let covered = self.at(place).is_covered();
        self.put(place, last.with_covered(covered));
        self.discard_node(node);
    }

    /// Whether a route in a slot is there only because it is the node's own.
    fn is_own(&self, place: Place, number: u32) -> bool {
        match place {
            Place::Root(_) => false,
            Place::Slot(node, slot) => self.store.node(node).cover(slot) == number,
        }
    }

    /// The node of `entry`, copied if a version that was taken may lead to it.
    fn writable(&mut self, place: Place, entry: Entry) -> Entry {
        let about = *self.about(entry);
        if about.born == self.version {
            return entry;
        }
        let node = self.new_node(entry.level(), about.path);
        let (from, to) = (self.store.node(entry), self.store.node(node));
        copy(from.slots, to.slots);
        copy(from.own, to.own);
        self.about_mut(node).items = about.items;
        self.put(place, node.with_covered(entry.is_covered()));
        self.discard_node(entry);
        node
    }

    /// An empty node of this version.
    fn new_node(&mut self, level: u8, path: Path) -> Entry {
        let about = About {
            path,
            born: self.version,
            items: 0,
        };
        let node = Entry::node(self.nodes_mut(level).allocate(about), level);
        let view = self.store.node(node);
        let words = view.slots.iter().chain(view.own);
        words.for_each(|word| word.store(0, Ordering::Relaxed));
        node
    }

    /// A node that the version being made does not lead to any more.
    fn discard_node(&mut self, node: Entry) {
        let number = node.number();
        if self.about(node).born == self.version {
            self.nodes_mut(node.level()).numbers.free(number);
        } else if is_wide(node.level()) {
            self.garbage.push(Garbage(Kind::Wide(number)));
        } else {
            self.garbage.push(Garbage(Kind::Narrow(number)));
        }
    }

    /// A route that the version being made does not lead to any more.
    fn discard_route(&mut self, number: u32) -> Hop {
        let hop = self.store.route(number).hop();
        if self.routes.about[number as usize] == self.version {
            self.routes.numbers.free(number);
        } else {
            self.garbage.push(Garbage(Kind::Route(number)));
        }
        hop
    }

    fn nodes_mut(&mut self, level: u8) -> &mut Numbered<About> {
        if is_wide(level) {
            &mut self.wide
        } else {
            &mut self.narrow
        }
    }

    fn about(&self, node: Entry) -> &About {
        let nodes = if is_wide(node.level()) {
            &self.wide
        } else {
            &self.narrow
        };
        &nodes.about[node.number() as usize]
    }

    fn about_mut(&mut self, node: Entry) -> &mut About {
        &mut self.nodes_mut(node.level()).about[node.number() as usize]
    }

    fn at(&self, place: Place) -> Entry {
        match place {
            Place::Root(trie) => self.roots[trie],
            Place::Slot(node, slot) => Entry::load(&self.store.node(node).slots[slot]),
        }
    }

    fn put(&mut self, place: Place, entry: Entry) {
        match place {
            Place::Root(trie) => self.roots[trie] = entry,
            Place::Slot(node, slot) => entry.store(&self.store.node(node).slots[slot]),
        }
    }
}

impl Default for LpmEditor {
    fn default() -> Self {
        Self::new()
    }
}

/// What a slot with nothing under it has.
fn own_entry(cover: u32) -> Entry {
    match cover {
        0 => Entry::EMPTY,
        _ => Entry::route(cover),
    }
}

fn copy(from: &[AtomicU32], to: &[AtomicU32]) {
    for (from, to) in from.iter().zip(to) {
        to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}
