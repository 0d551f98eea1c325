//! The choice of an IPv6 source address by RFC 6724 section 5, among the usable addresses of one NIC.
//!
//! A source is better by the first of these rules that tells two candidates apart:
//!
//! | rule | prefers |
//! |---|---|
//! | 1 | the destination itself |
//! | 2 | the smallest scope that is not smaller than the destination's, else the largest |
//! | 6 | the label of the destination, by the default policy table (section 2.1) |
//! | 8 | the longest prefix common with the destination, the candidate's own at most (section 2.2) |
//! | last | the smaller rank: the NIC's primary order |
//!
//! The others do not apply. Rule 3 (deprecated addresses) and 7 (temporary ones) need addresses with
//! lifetimes or a privacy extension, rule 4 a mobile node's home address: a NIC here has none of
//! them. Rule 5 and 5.5 compare interfaces and next hops, and all candidates are of one NIC that the
//! route has chosen.
//!
//! # Shape
//!
//! Rules 2 and 6 compare classes, of which there are few: every (scope, label) has a [trie]
//! of its own over the prefixes of its addresses. What rule 8 compares is how far the destination's
//! path through the trie goes along with a candidate's, so the deepest node on that path has the
//! longest common prefix, all in its subtree share it, and the node knows the best rank there.
//! No operation takes longer than the 128 bits, and a search in a map of the addresses.

mod arena;
mod policy;
#[cfg(test)]
mod tests;
mod trie;

use std::collections::BTreeMap;

use policy::{LABELS, Scope};
use trie::{NIL, Ranked, Trie};

/// The usable IPv6 addresses of a NIC, to choose a source from.
pub(crate) struct SourceIndex {
    /// What each address was inserted with.
    addresses: BTreeMap<u128, Entry>,
    trie: Trie,
    /// The root of each class, by scope and label.
    roots: [[u32; LABELS]; Scope::COUNT],
}

#[derive(Clone, Copy)]
struct Entry {
    ranked: Ranked,
    prefix_len: u8,
}

impl Default for SourceIndex {
    fn default() -> Self {
        Self {
            addresses: BTreeMap::new(),
            trie: Trie::default(),
            roots: [[NIL; LABELS]; Scope::COUNT],
        }
    }
}

impl SourceIndex {
    /// Makes `address` a candidate, on a subnet of `prefix_len` bits (more than 128 are taken for
    /// 128); of candidates that no rule tells apart the smallest `rank` is chosen, and of equal
    /// ranks any. `value` is what [`best`](Self::best) returns for it.
    ///
    /// An address that is there already is replaced. Groups and the unspecified address, which are
    /// never candidates (section 4), are left out.
    pub(crate) fn insert(&mut self, address: u128, prefix_len: u8, rank: i64, value: u32) {
        self.remove(address);
        if address == 0 || policy::is_multicast(address) {
            return;
        }
        let entry = Entry {
            ranked: Ranked { rank, value },
            prefix_len: prefix_len.min(128),
        };
        self.addresses.insert(address, entry);
        let root = class(&mut self.roots, address);
        self.trie
            .insert(root, address, entry.prefix_len, entry.ranked);
    }

    /// Takes `address` out; one that is not there changes nothing.
    pub(crate) fn remove(&mut self, address: u128) {
        if let Some(entry) = self.addresses.remove(&address) {
            let root = class(&mut self.roots, address);
            self.trie
                .remove(root, address, entry.prefix_len, entry.ranked.rank);
        }
    }

    /// The value of the best source for `destination`; `None` if there is no candidate.
    pub(crate) fn best(&self, destination: u128) -> Option<u32> {
        if let Some(entry) = self.addresses.get(&destination) {
            return Some(entry.ranked.value);
        }
        let label = policy::label(destination);
        let classes = Scope::preference(policy::scope(destination))
            .map(|scope| &self.roots[scope as usize])
            .find(|classes| classes.iter().any(|root| *root != NIL))?;
        let of_label = self.trie.longest_match(classes[label], destination);
        let found = of_label.or_else(|| {
            // No label matches, which makes all others alike.
            classes
                .iter()
                .filter_map(|root| self.trie.longest_match(*root, destination))
                .min_by_key(|found| (std::cmp::Reverse(found.common), found.best.rank))
        });
        found.map(|found| found.best.value)
    }

    /// How many candidates there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.addresses.len()
    }
}

fn class(roots: &mut [[u32; LABELS]; Scope::COUNT], address: u128) -> &mut u32 {
    &mut roots[Scope::of_source(address) as usize][policy::label(address)]
}
