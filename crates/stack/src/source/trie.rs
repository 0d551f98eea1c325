//! Path-compressed binary tries over address prefixes, every node of which knows the entry of the
//! smallest rank in its subtree.
//!
//! An entry is at the node of its prefix: as deep as the prefix is long, however much further the
//! address itself goes along with a destination. Entries of one prefix share the node, which has
//! the best of them, its owner; the rest wait in an ordered set.

use std::collections::BTreeMap;

use arrayvec::ArrayVec;

use super::arena::Arena;

/// No node.
pub(super) const NIL: u32 = u32::MAX;

/// An entry: its rank, and what it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ranked {
    pub(super) rank: i64,
    pub(super) value: u32,
}

#[derive(Clone)]
pub(super) struct Node {
    /// The owner's address, or any other under the node if there is none: only the first `len`
    /// bits are the node's.
    key: u128,
    owner: Ranked,
    has_owner: bool,
    len: u8,
    /// The node in this subtree whose owner has the smallest rank.
    best: u32,
    /// By the bit that follows the first `len`.
    pub(super) children: [u32; 2],
}

impl Default for Node {
    fn default() -> Self {
        Self::branch(0, 0)
    }
}

impl Node {
    /// A node without an owner.
    fn branch(key: u128, len: u8) -> Self {
        Self {
            key,
            owner: Ranked { rank: 0, value: 0 },
            has_owner: false,
            len,
            best: NIL,
            children: [NIL; 2],
        }
    }

    /// How many of the node's bits `address` begins with.
    fn common(&self, address: u128) -> u8 {
        common_bits(self.key, address).min(self.len)
    }

    /// The child that `address`, which begins with all of the node's bits, is under.
    fn child(&self, address: u128) -> u32 {
        self.children[bit(address, self.len)]
    }
}

/// The bits that two addresses have in common from the first on.
pub(super) const fn common_bits(a: u128, b: u128) -> u8 {
    (a ^ b).leading_zeros() as u8
}

/// The bit behind the first `len`. There is none behind 128; nothing is under such a node.
fn bit(address: u128, len: u8) -> usize {
    (address.unbounded_shr(127 - u32::from(len.min(127))) & 1) as usize
}

/// What a search found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Match {
    /// The length of the longest common prefix.
    pub(super) common: u8,
    /// The entry of the smallest rank among those that have it.
    pub(super) best: Ranked,
}

/// Nodes from a root down: one for each prefix length at most.
type Path = ArrayVec<u32, 129>;

/// The nodes of any number of tries. A trie is its root, [`NIL`] while it is empty.
#[derive(Default)]
pub(super) struct Trie {
    nodes: Arena,
    /// Entries that share a node with a better one, by node, rank and address.
    others: BTreeMap<(u32, i64, u128), u32>,
    /// Nodes looked at so far.
    #[cfg(test)]
    pub(super) visits: std::sync::atomic::AtomicUsize,
}

impl Trie {
    /// Adds an entry at the first `len` bits of `address`, which is in no trie.
    pub(super) fn insert(&mut self, root: &mut u32, address: u128, len: u8, entry: Ranked) {
        let mut path = self.path(*root, address, len);
        let at = self.make_node(root, &mut path, address, len);
        let node = self.nodes.at_mut(at);
        if !node.has_owner {
            (node.key, node.owner, node.has_owner) = (address, entry, true);
        } else if entry.rank < node.owner.rank {
            let key = std::mem::replace(&mut node.key, address);
            let owner = std::mem::replace(&mut node.owner, entry);
            self.others.insert((at, owner.rank, key), owner.value);
        } else {
            self.others.insert((at, entry.rank, address), entry.value);
        }
        self.update(&path);
    }

    /// Takes an entry out that was inserted with the same address, length and rank.
    pub(super) fn remove(&mut self, root: &mut u32, address: u128, len: u8, rank: i64) {
        let mut path = self.path(*root, address, len);
        let Some(at) = path.last().copied() else {
            return;
        };
        if self.others.remove(&(at, rank, address)).is_some() {
            return;
        }
        let node = self.nodes.at_mut(at);
        debug_assert!(node.len == len && node.has_owner && node.key == address);
        let mut others = self
            .others
            .range((at, i64::MIN, 0)..=(at, i64::MAX, u128::MAX));
        if let Some((&next, &value)) = others.next() {
            let (_, rank, address) = next;
            node.key = address;
            node.owner = Ranked { rank, value };
            self.others.remove(&next);
        } else {
            node.has_owner = false;
            self.prune(root, &mut path);
        }
        self.update(&path);
    }

    /// The entries with the longest prefix common with `destination`: how long it is, and the best
    /// of them.
    pub(super) fn longest_match(&self, root: u32, destination: u128) -> Option<Match> {
        if root == NIL {
            return None;
        }
        let mut at = root;
        loop {
            let node = self.visit(at);
            let common = node.common(destination);
            let next = if common == node.len {
                node.child(destination)
            } else {
                NIL
            };
            if next == NIL {
                // Nothing under the node shares a bit more, and nothing beside it as many.
                let best = self.nodes.at(node.best).owner;
                return Some(Match { common, best });
            }
            at = next;
        }
    }

    /// The nodes whose prefixes the first `len` bits of `address` begin with, from the root on.
    fn path(&self, root: u32, address: u128, len: u8) -> Path {
        let mut path = Path::new();
        let mut at = root;
        while at != NIL {
            let node = self.visit(at);
            if node.len > len || node.common(address) < node.len {
                break;
            }
            path.push(at);
            at = if node.len < len {
                node.child(address)
            } else {
                NIL
            };
        }
        path
    }

    /// The node of the first `len` bits of `address`, made if there is none. `path` leads to where
    /// it belongs, and then to the node itself.
    fn make_node(&mut self, root: &mut u32, path: &mut Path, address: u128, len: u8) -> u32 {
        let parent = path.last().copied();
        let below = match parent {
            Some(parent) if self.nodes.at(parent).len == len => return parent,
            Some(parent) => self.nodes.at(parent).child(address),
            None => *root,
        };
        let at = self.nodes.allocate(Node::branch(address, len));
        let mut top = at;
        if below != NIL {
            // What is there already parts from the new node, or goes on below it.
            let key = self.nodes.at(below).key;
            let common = self.nodes.at(below).common(address).min(len);
            if common < len {
                top = self.nodes.allocate(Node::branch(address, common));
                self.nodes.at_mut(top).children[bit(address, common)] = at;
                path.push(top);
            }
            self.nodes.at_mut(top).children[bit(key, common)] = below;
        }
        self.link(root, parent, address, top);
        path.push(at);
        at
    }

    /// Takes the last node of `path`, which has no owner, out of the trie if it is not needed to
    /// part two others, and its parent if that has become so. They leave the path, too.
    fn prune(&mut self, root: &mut u32, path: &mut Path) {
        while let Some(at) = path.last().copied() {
            let node = self.nodes.at(at);
            let only = match node.children {
                _ if node.has_owner => break,
                [NIL, only] | [only, NIL] => only,
                _ => break,
            };
            let key = node.key;
            path.pop();
            self.link(root, path.last().copied(), key, only);
            self.nodes.free(at);
            if only != NIL {
                break;
            }
        }
    }

    /// Puts `child` below `parent` where `address` is, or at the root.
    fn link(&mut self, root: &mut u32, parent: Option<u32>, address: u128, child: u32) {
        match parent {
            Some(parent) => {
                let parent = self.nodes.at_mut(parent);
                parent.children[bit(address, parent.len)] = child;
            }
            None => *root = child,
        }
    }

    /// Finds the best of each subtree on `path` again, from below.
    fn update(&mut self, path: &Path) {
        for &at in path.iter().rev() {
            let node = self.visit(at);
            let own = if node.has_owner { at } else { NIL };
            let [left, right] = node.children.map(|child| match child {
                NIL => NIL,
                child => self.visit(child).best,
            });
            let best = [own, left, right]
                .into_iter()
                .filter(|candidate| *candidate != NIL)
                .min_by_key(|candidate| self.nodes.at(*candidate).owner.rank);
            self.nodes.at_mut(at).best = best.unwrap_or(NIL);
        }
    }

    fn visit(&self, at: u32) -> &Node {
        #[cfg(test)]
        self.visits
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.nodes.at(at)
    }

    /// Nodes in use, and those there is storage for.
    #[cfg(test)]
    pub(super) fn nodes(&self) -> (usize, usize) {
        (self.nodes.used(), self.nodes.capacity())
    }

    /// Entries that are not their node's best.
    #[cfg(test)]
    pub(super) fn others(&self) -> usize {
        self.others.len()
    }
}
