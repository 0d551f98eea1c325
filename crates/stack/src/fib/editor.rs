//! Changing the routes, and making versions of them.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrayvec::ArrayVec;
use corelane_sync::slab::SlabError;
use foldhash::fast::RandomState;
use thiserror::Error;

use super::arena::{Arena, Lots};
use super::compile::Slots;
use super::entry::{Entry, Shape};
use super::hop::Hop;
use super::lookup::Lpm;
use super::path::{MAX_DEPTH, Path, Span, is_behind_leaves, trie};
use super::runs::{MAX_ABSORBED, Runs};
use super::store::LpmStore;
use super::trie::{Spans, Tries};
use crate::address::{Family, Key, Prefix};
use crate::nic::NicId;

/// Up to as many nodes the tries are plain: all wide nodes dense, whose slots lead to routes. 1 KiB each
/// in the second-level cache is cheaper than finding a slot's run.
const PLAIN_NODES: usize = 2048;

/// Why a route was not inserted or removed. Nothing changed.
#[derive(Debug, Error)]
pub enum LpmError {
    /// There is no room for more routes or nodes.
    #[error("no room for the route")]
    NoRoom(#[from] SlabError),
}

/// A node, route or hop that no version from the next one on leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Garbage(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Node(Shape, u32),
    Route(u32),
    Hop(u32),
}

impl Garbage {
    /// A node's.
    pub(super) fn line(line: Entry) -> Self {
        Self(Kind::Node(line.shape(), line.number()))
    }
}

/// The control plane's side: has the routes as tries of its own, and writes what changed down as lines
/// when a version is made.
///
/// The order of things: any number of changes, [`version`](Self::version) and
/// [`take_garbage`](Self::take_garbage), which go to the publisher together, and
/// [`reuse`](Self::reuse) of what it hands back.
pub struct LpmEditor {
    pub(super) store: Arc<LpmStore>,
    pub(super) tries: Tries,
    /// The number of the version being made.
    version: u64,
    len: usize,
    /// By shape.
    nodes: [Arena; Shape::ALL.len()],
    pub(super) routes: Routes,
    hops: Hops,
    pub(super) garbage: Vec<Garbage>,
    /// Up to as many nodes the tries are plain.
    plain_nodes: usize,
    /// Whether they are: not any more once they were not, until they are empty.
    pub(super) plain: bool,
    /// Where nodes are painted: kept, since it is large.
    pub(super) slots: Box<Slots>,
    /// Where a sparse node is gathered: kept likewise.
    pub(super) runs: Runs,
}

/// Nodes by shape, routes and hops, those that wait to be given back included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Used {
    pub(super) nodes: [usize; Shape::ALL.len()],
    pub(super) routes: usize,
    pub(super) hops: usize,
}

impl Used {
    /// Nodes of a shape.
    pub(super) fn nodes(&self, shape: Shape) -> usize {
        self.nodes[shape as usize]
    }
}

/// What the editor alone knows of the routes.
#[derive(Default)]
pub(super) struct Routes {
    /// By whether it [is behind leaves](is_behind_leaves).
    numbers: Lots,
    about: Vec<AboutRoute>,
}

#[derive(Clone, Copy, Default)]
pub(super) struct AboutRoute {
    /// The version it was made in: only from there on anybody reads it.
    born: u64,
    /// The number of its hop.
    pub(super) hop: u32,
}

impl Routes {
    pub(super) fn about(&self, number: u32) -> AboutRoute {
        self.about[number as usize]
    }
}

/// The hops, and how many routes have each.
#[derive(Default)]
struct Hops {
    numbers: Arena,
    by_word: HashMap<u64, AboutHop, RandomState>,
}

struct AboutHop {
    number: u32,
    routes: u32,
    /// The version it was made in: only from there on anybody reads it.
    born: u64,
}

impl Spans for LpmStore {
    fn span(&self, route: u32) -> Span {
        self.route(route).span()
    }
}

impl LpmEditor {
    /// An editor of no routes, with a store of its own.
    pub fn new() -> Self {
        Self::plain_up_to(PLAIN_NODES)
    }

    /// As [`new`](Self::new), with another limit for tests.
    pub(super) fn plain_up_to(plain_nodes: usize) -> Self {
        Self {
            store: Arc::default(),
            tries: Tries::default(),
            version: 1,
            len: 0,
            nodes: Default::default(),
            routes: Routes::default(),
            hops: Hops::default(),
            garbage: Vec::new(),
            plain_nodes,
            plain: true,
            slots: Box::default(),
            runs: Runs::default(),
        }
    }

    /// Where the versions' nodes, routes and hops are.
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

    /// Bytes of memory of the lines in use, garbage that is not given back yet included, and of
    /// what the editor has beside them.
    pub fn bytes(&self) -> usize {
        let used = self.used();
        let of_a_node = |shape| match shape {
            Shape::Dense => 2048,
            Shape::DenseLeaf | Shape::Pair => 256,
            Shape::Sparse => 320,
            Shape::ShortLeaf | Shape::SparseLeaf => 64,
            Shape::Short | Shape::PairLeaf | Shape::LongLeaf | Shape::Narrow => 128,
        };
        let nodes = Shape::ALL.map(|shape| used.nodes(shape) * of_a_node(shape));
        let lines = nodes.iter().sum::<usize>() + used.routes * 32 + used.hops * 8;
        let known = self.routes.about.capacity() * size_of::<AboutRoute>()
            + self.hops.by_word.capacity() * size_of::<(u64, AboutHop)>();
        lines + known + self.tries.bytes()
    }

    /// What is in use.
    pub(super) fn used(&self) -> Used {
        Used {
            nodes: self.nodes.each_ref().map(Arena::used),
            routes: self.routes.numbers.used(),
            hops: self.hops.numbers.used(),
        }
    }

    /// The routes as they are now; what is changed later does not change this version.
    pub fn version(&mut self) -> Lpm {
        self.version += 1;
        self.garbage
            .extend(self.tries.gone.drain(..).map(Garbage::line));
        self.plain = match self.tries.len() {
            0 => true,
            nodes => self.plain && nodes <= self.plain_nodes,
        };
        let roots = std::array::from_fn(|trie| match self.tries.roots[trie] {
            Some(root) => self.compile(trie, root, true),
            None => Entry::EMPTY,
        });
        Lpm::of(roots, self.plain)
    }

    /// What the [version](Self::version) taken last does not lead to any more and one before it
    /// may. To be given back by [`reuse`](Self::reuse) when nobody looks up in those before.
    pub fn take_garbage(&mut self) -> Vec<Garbage> {
        std::mem::take(&mut self.garbage)
    }

    /// Takes back what no version that is still in use leads to.
    pub fn reuse(&mut self, garbage: Garbage) {
        match garbage.0 {
            Kind::Node(shape, number) => self.numbers_mut(shape).free(number),
            Kind::Route(number) => self.routes.numbers.free(number),
            Kind::Hop(number) => self.hops.numbers.free(number),
        }
    }

    /// Makes room for `changes` before the next version: none of the next so many fails for want of
    /// it. Takes address space, and memory only once it is used.
    ///
    /// # Errors
    /// [`LpmError::NoRoom`].
    pub fn reserve(&mut self, changes: u32) -> Result<(), LpmError> {
        // A change makes two nodes at most, and all those on its path are written anew, and those that were in
        // the line of one of them; none twice.
        let each = (MAX_DEPTH + MAX_ABSORBED) as u32;
        let written = (self.tries.dirty() as u32)
            .saturating_add(changes.saturating_mul(each))
            .min(self.tries.len() as u32);
        let nodes = written.saturating_add(changes.saturating_mul(3));
        let store = &*self.store;
        for (shape, numbers) in Shape::ALL.into_iter().zip(&mut self.nodes) {
            numbers.reserve(store.nodes(shape), nodes, Entry::MAX_NODES)?;
        }
        let routes = &mut self.routes.numbers;
        routes.reserve(&store.routes, changes, Entry::MAX_ROUTES)?;
        let hops = &mut self.hops.numbers;
        hops.reserve(&store.hops, changes, Entry::MAX_ROUTES)?;
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
        let trie = trie(Family::of(prefix.address()));
        let number = self.new_route(trie, span, nic, neighbor);
        let replaced = self.tries.place(trie, (span, number), &*self.store);
        self.len += usize::from(replaced.is_none());
        replaced.map(|number| self.discard_route(number))
    }

    /// Takes `prefix` out and returns where it went; None if it is not there.
    ///
    /// # Errors
    /// [`LpmError::NoRoom`]: the nodes above it are written anew.
    pub fn remove(&mut self, prefix: Prefix) -> Result<Option<Hop>, LpmError> {
        self.reserve(1)?;
        Ok(self.remove_reserved(prefix))
    }

    /// As [`remove`](Self::remove), after [`reserve`](Self::reserve).
    pub(super) fn remove_reserved(&mut self, prefix: Prefix) -> Option<Hop> {
        let trie = trie(Family::of(prefix.address()));
        let number = self.tries.displace(trie, Span::of(prefix), &*self.store)?;
        self.len -= 1;
        Some(self.discard_route(number))
    }

    /// Where exactly `prefix` goes.
    pub fn exact(&self, prefix: Prefix) -> Option<Hop> {
        let trie = trie(Family::of(prefix.address()));
        let number = self.tries.exact(trie, Span::of(prefix), &*self.store)?;
        Some(self.store.route(number).hop())
    }

    /// All routes whose prefix `key` is in, longest first: the prefix's length, and where it goes.
    pub fn matches(&self, key: Key) -> ArrayVec<(u8, Hop), 129> {
        let trie = trie(key.family());
        let numbers = self.tries.matches(trie, Path::of(key), &*self.store);
        let routes = numbers.into_iter().map(|number| self.store.route(number));
        routes.map(|it| (it.span().len, it.hop())).collect()
    }

    /// A route of this version, which is nowhere yet.
    fn new_route(&mut self, trie: usize, span: Span, nic: NicId, neighbor: u32) -> u32 {
        let hop = Hop::new(neighbor, nic);
        let hop = match self.hops.by_word.entry(hop.0) {
            Slot::Occupied(mut known) => {
                let about = known.get_mut();
                about.routes += 1;
                about.number
            }
            Slot::Vacant(new) => {
                let number = self.hops.numbers.allocate();
                let word = self.store.hops.get(number).expect("reserved before");
                word.store(hop.0, Ordering::Relaxed);
                new.insert(AboutHop {
                    number,
                    routes: 1,
                    born: self.version,
                });
                number
            }
        };
        let kind = is_behind_leaves(trie, span.len);
        let number = self.routes.numbers.allocate(kind);
        self.store.route(number).write(span, nic, neighbor);
        let about = &mut self.routes.about;
        let room = number as usize + 1;
        if about.len() < room {
            about.resize(room, AboutRoute::default());
        }
        about[number as usize] = AboutRoute {
            born: self.version,
            hop,
        };
        number
    }

    /// A route that the version being made does not lead to any more.
    fn discard_route(&mut self, number: u32) -> Hop {
        let hop = self.store.route(number).hop();
        if let Slot::Occupied(mut known) = self.hops.by_word.entry(hop.0) {
            let about = known.get_mut();
            about.routes -= 1;
            if about.routes == 0 {
                let AboutHop { number, born, .. } = known.remove();
                if born == self.version {
                    self.hops.numbers.free(number);
                } else {
                    self.garbage.push(Garbage(Kind::Hop(number)));
                }
            }
        }
        if self.routes.about(number).born == self.version {
            self.routes.numbers.free(number);
        } else {
            self.garbage.push(Garbage(Kind::Route(number)));
        }
        hop
    }

    /// The numbers of the nodes of a shape.
    pub(super) fn numbers_mut(&mut self, shape: Shape) -> &mut Arena {
        &mut self.nodes[shape as usize]
    }
}

impl Default for LpmEditor {
    fn default() -> Self {
        Self::new()
    }
}
