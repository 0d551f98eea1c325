//! Where the nodes of the tries are: in blocks, so that growing moves none of them, and by number.

use super::trie::{NIL, Node};

const BLOCK: usize = 1 << 10;

/// Nodes by number. Freed ones are used again first; when all are free, the storage is returned.
pub(super) struct Arena {
    blocks: Vec<Box<[Node]>>,
    /// Numbers from here on were never used.
    fresh: u32,
    /// The free nodes, linked by their first child.
    free: u32,
    used: usize,
}

impl Default for Arena {
    fn default() -> Self {
        Self {
            blocks: Vec::new(),
            fresh: 0,
            free: NIL,
            used: 0,
        }
    }
}

impl Arena {
    pub(super) fn allocate(&mut self, node: Node) -> u32 {
        self.used += 1;
        let at = if self.free != NIL {
            self.free
        } else {
            self.fresh
        };
        if self.free != NIL {
            self.free = self.at(at).children[0];
        } else {
            if self.fresh as usize == self.blocks.len() * BLOCK {
                self.blocks.push(vec![Node::default(); BLOCK].into());
            }
            self.fresh += 1;
        }
        *self.at_mut(at) = node;
        at
    }

    pub(super) fn free(&mut self, at: u32) {
        let free = self.free;
        self.at_mut(at).children[0] = free;
        self.free = at;
        self.used -= 1;
        if self.used == 0 {
            *self = Self::default();
        }
    }

    pub(super) fn at(&self, at: u32) -> &Node {
        &self.blocks[at as usize / BLOCK][at as usize % BLOCK]
    }

    pub(super) fn at_mut(&mut self, at: u32) -> &mut Node {
        &mut self.blocks[at as usize / BLOCK][at as usize % BLOCK]
    }

    /// Nodes in use.
    #[cfg(test)]
    pub(super) fn used(&self) -> usize {
        self.used
    }

    /// Nodes there is storage for.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.blocks.len() * BLOCK
    }
}
