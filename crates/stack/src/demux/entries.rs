//! What stands under each identity, by number.

use std::sync::Arc;

use super::group::{Group, Member};
use super::identity::{Flow, Identity};
use crate::nic::NicId;
use crate::socket::Socket;
use crate::table::Keys;

/// An identity and who has it: a line, in which a lookup finds all it needs.
#[derive(Clone)]
#[repr(align(64))]
pub(super) struct Entry {
    identity: Identity,
    sockets: Sockets,
}

const _: () = assert!(size_of::<Option<Entry>>() == 64);

#[derive(Clone)]
enum Sockets {
    One(Member),
    Several(Arc<Group>),
}

impl Entry {
    pub(super) fn new(identity: Identity, socket: &Socket) -> Self {
        Self {
            identity,
            sockets: Sockets::One(Member::new(socket)),
        }
    }

    #[inline]
    pub(super) fn identity(&self) -> Identity {
        self.identity
    }

    fn members(&self) -> &[Member] {
        match &self.sockets {
            Sockets::One(member) => std::slice::from_ref(member),
            Sockets::Several(group) => group.members(),
        }
    }

    /// With another socket.
    pub(super) fn with(&self, socket: &Socket) -> Self {
        let members = self.members().iter().cloned();
        let group = Group::new(members.chain([Member::new(socket)]));
        Self {
            identity: self.identity,
            sockets: Sockets::Several(Arc::new(group)),
        }
    }

    /// Without one; None if nothing is left.
    pub(super) fn without(&self, socket: &Socket) -> Option<Self> {
        let members = self.members().iter();
        let mut left = members.filter(|it| !it.is(socket)).cloned();
        let first = left.next()?;
        let sockets = match left.next() {
            None => Sockets::One(first),
            Some(second) => Sockets::Several(Arc::new(Group::new(
                [first, second].into_iter().chain(left),
            ))),
        };
        Some(Self {
            identity: self.identity,
            sockets,
        })
    }

    /// Whether a socket may not be among these (BEHAVIOURS K14).
    pub(super) fn clashes(&self, socket: &Socket) -> bool {
        let members = self.members().iter();
        members
            .filter(|it| it.nic() == socket.nic())
            .any(|it| !it.socket().reuse() || !socket.reuse())
    }

    /// The socket that a flow is for (BEHAVIOURS K6, K7); None if all are bound to other NICs.
    #[inline(always)]
    pub(super) fn choose(
        &self,
        nic: NicId,
        flow: impl FnOnce() -> Flow,
        seed: u64,
    ) -> Option<&Member> {
        match &self.sockets {
            Sockets::One(member) => member.is_on(nic).then_some(member),
            Sockets::Several(group) => group.choose(&flow(), seed),
        }
    }

    /// All sockets that a packet for many is for.
    pub(super) fn all(&self, nic: NicId) -> impl Iterator<Item = &Socket> {
        super::group::eligible(self.members(), nic).map(Member::socket)
    }
}

/// Entries in a leaf, leaves in a node: what a change copies is the sum of the two, and a pointer for
/// each 1,024 entries.
const LEAF: usize = 16;
const NODE: usize = 64;

type Leaf = Arc<[Option<Entry>; LEAF]>;
type Node = Arc<[Leaf; NODE]>;

/// The entries by number, copy-on-write. A clone shares all.
#[derive(Clone, Default)]
pub(super) struct Entries {
    root: Arc<Vec<Node>>,
}

impl Entries {
    #[inline]
    pub(super) fn get(&self, at: u32) -> Option<&Entry> {
        self.place(at)?.as_ref()
    }

    /// All of them, to find several.
    #[inline]
    pub(super) fn nodes(&self) -> Nodes<'_> {
        Nodes(&self.root)
    }

    /// Where a number's entry stands, if it is in use: not looked at yet.
    #[inline]
    pub(super) fn place(&self, at: u32) -> Option<&Option<Entry>> {
        self.nodes().place(at)
    }

    /// Puts one at a number from `free`, or at a new one; None if there is none left.
    pub(super) fn insert(&mut self, free: &mut Vec<u32>, entry: Entry) -> Option<u32> {
        if free.is_empty() {
            let first = u32::try_from(self.root.len() * NODE * LEAF).ok()?;
            let end = first.checked_add((NODE * LEAF) as u32)?;
            let leaf = Leaf::new([const { None }; LEAF]);
            let node = Node::new(std::array::from_fn(|_| Arc::clone(&leaf)));
            Arc::make_mut(&mut self.root).push(node);
            free.extend((first..end).rev());
        }
        let at = free.pop()?;
        self.set(at, Some(entry));
        Some(at)
    }

    /// Replaces the entry at a number, or takes it out.
    pub(super) fn set(&mut self, at: u32, entry: Option<Entry>) {
        let at = at as usize;
        let node = Arc::make_mut(&mut self.root).get_mut(at / (NODE * LEAF));
        if let Some(node) = node {
            let leaf = &mut Arc::make_mut(node)[at / LEAF % NODE];
            Arc::make_mut(leaf)[at % LEAF] = entry;
        }
    }
}

/// Where the entries are.
#[derive(Clone, Copy)]
pub(super) struct Nodes<'e>(&'e [Node]);

impl<'e> Nodes<'e> {
    /// As [`Entries::place`].
    #[inline]
    pub(super) fn place(self, at: u32) -> Option<&'e Option<Entry>> {
        let at = at as usize;
        let node = self.0.get(at / (NODE * LEAF))?;
        Some(&node[at / LEAF % NODE][at % LEAF])
    }
}

impl Keys<Identity> for Entries {
    /// The table leads to entries that are there; nobody has the identity of any other.
    #[inline]
    fn key(&self, at: u32) -> Identity {
        self.get(at).map_or(Identity::NOBODYS, Entry::identity)
    }
}
