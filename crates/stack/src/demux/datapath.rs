//! Looking packets up, by burst.

use corelane_frame::BURST;
use corelane_sync::prefetch::prefetch_read;
use corelane_sync::seat::Seat;
use corelane_sync::snapshot::Reader;
use corelane_wire::IpProtocol;

use super::group::Member;
use super::guesses::Guesses;
use super::identity::{Flow, FlowWord, Flows, Identity, Way, identity};
use super::{Entry, Snapshot};
use crate::address::Family;
use crate::nic::NicId;
use crate::places::Places;
use crate::socket::Socket;
use crate::table::Home;

/// The socket of each packet of a burst, if there is one.
pub type Sockets<'d> = [Option<&'d Socket>; BURST];

/// The sockets as one worker sees them.
pub struct DemuxDatapath {
    snapshots: Reader<Snapshot>,
    guesses: Guesses,
}

impl DemuxDatapath {
    pub(super) fn new(snapshots: Reader<Snapshot>) -> Self {
        Self {
            snapshots,
            guesses: Guesses::new(),
        }
    }

    /// Takes the newest version.
    #[inline]
    pub(crate) fn load(&mut self) {
        self.snapshots.load();
    }

    /// Holds no version until the next load.
    pub(crate) fn quiesce(&mut self) {
        self.snapshots.quiesce();
    }

    /// Whether any socket is bound.
    #[inline]
    pub fn has_sockets(&self) -> bool {
        let snapshot = self.snapshots.current();
        snapshot.is_some_and(|snapshot| snapshot.table.len() > 0)
    }

    /// Whether any raw socket is open.
    #[inline]
    pub fn has_raw(&self) -> bool {
        let snapshot = self.snapshots.current();
        snapshot.is_some_and(|snapshot| !snapshot.raw.is_empty())
    }

    /// Finds the socket of each flow, None where there is none (BEHAVIOURS K5 to K7).
    ///
    /// Mostly it is where it was the last time. The others are looked for in each way that sockets are
    /// bound in.
    #[inline(never)]
    pub fn lookup<'d, F: Flows + ?Sized>(&'d self, seat: &Seat, flows: &F) -> Sockets<'d> {
        let mut sockets = [None; BURST];
        if let Some(snapshot) = self.snapshots.current() {
            self.search(snapshot, seat, flows, &mut sockets);
        }
        sockets
    }

    #[inline(always)]
    fn search<'d, F: Flows + ?Sized>(
        &'d self,
        snapshot: &'d Snapshot,
        seat: &Seat,
        flows: &F,
        out: &mut Sockets<'d>,
    ) {
        let mut search = Search {
            snapshot,
            guesses: &self.guesses,
            seat,
            flows,
            words: [FlowWord::NONE; BURST],
            out,
        };
        // What is found first, but for the sender, is guessed.
        let mut open = match snapshot.ways().next() {
            Some(Way::AnyRemote) => search.guess::<{ Way::AnyRemote as u8 }>(),
            Some(Way::PortOnly) => search.guess::<{ Way::PortOnly as u8 }>(),
            _ => search.all(),
        };
        for way in snapshot.ways() {
            if open.is_empty() {
                return;
            }
            // Compiled for each, so that what it looks at is known.
            open = match way {
                Way::Exact => search.look::<{ Way::Exact as u8 }>(open),
                Way::AnyLocal => search.look::<{ Way::AnyLocal as u8 }>(open),
                Way::AnyRemote => search.look::<{ Way::AnyRemote as u8 }>(open),
                Way::PortOnly => search.look::<{ Way::PortOnly as u8 }>(open),
            };
        }
    }

    /// Calls `each` with every socket that a packet for many is for: all that are bound to its NIC, or to
    /// none where none is, in every way (BEHAVIOURS K5, K7).
    #[cold]
    pub fn for_each<'d>(&'d self, flow: &Flow, mut each: impl FnMut(&'d Socket)) {
        let Some(snapshot) = self.snapshots.current() else {
            return;
        };
        for way in snapshot.ways() {
            if let Some(entry) = snapshot.entry(flow.identity(way)) {
                entry.all(flow.nic()).for_each(&mut each);
            }
        }
    }

    /// Whether there is a raw socket of a family and protocol that is on a NIC.
    #[cold]
    pub fn has_raw_for(&self, family: Family, protocol: IpProtocol, nic: NicId) -> bool {
        let snapshot = self.snapshots.current();
        snapshot.is_some_and(|it| it.raw(family, protocol, nic).next().is_some())
    }

    /// Calls `each` with every raw socket of a family and protocol that is on a NIC.
    #[cold]
    pub fn for_each_raw<'d>(
        &'d self,
        family: Family,
        protocol: IpProtocol,
        nic: NicId,
        each: impl FnMut(&'d Socket),
    ) {
        if let Some(snapshot) = self.snapshots.current() {
            let raw = snapshot.raw(family, protocol, nic);
            raw.for_each(each);
        }
    }
}

/// A burst being looked up.
struct Search<'d, 's, F: ?Sized> {
    snapshot: &'d Snapshot,
    guesses: &'d Guesses,
    seat: &'s Seat,
    flows: &'s F,
    /// Those of the flows, once they were asked for.
    words: [FlowWord; BURST],
    out: &'s mut Sockets<'d>,
}

impl<'d, F: Flows + ?Sized> Search<'d, '_, F> {
    #[inline]
    fn len(&self) -> usize {
        self.flows.len().min(BURST)
    }

    /// Those that a socket can be found for.
    fn all(&mut self) -> Places {
        let mut all = Places::default();
        for at in 0..self.len() {
            let word = self.flows.word(at);
            self.words[at] = word;
            all.add_if(at, word.is_some());
        }
        all
    }

    /// What a socket is bound to that one of the flows finds in a way.
    #[inline(always)]
    fn identity(&self, at: usize, way: Way) -> Identity {
        identity(self.flows, at, self.words[at % BURST], way)
    }

    /// Looks where the sockets were found before, in a way that leaves the sender aside and that none
    /// comes before. Returns those of which that was wrong.
    #[inline(always)]
    fn guess<const WAY: u8>(&mut self) -> Places {
        let way = Way::ALL[usize::from(WAY)];
        let entries = self.snapshot.entries.nodes();
        let mut candidates: [Option<&Option<Entry>>; BURST] = [None; BURST];
        for (at, candidate) in candidates.iter_mut().enumerate().take(self.len()) {
            let word = self.flows.word(at);
            self.words[at] = word;
            if word.is_some() {
                let guess = self.guesses.get(self.flows.hint(at), word);
                *candidate = entries.place(guess);
                candidate.inspect(|place| prefetch_read(*place));
            }
        }
        let mut open = Places::default();
        for (at, candidate) in candidates.iter().enumerate().take(self.len()) {
            let is_it = |it: &Entry| it.identity().is(self.identity(at, way));
            let entry = candidate.and_then(Option::as_ref).filter(|it| is_it(it));
            match entry.and_then(|entry| self.choose(entry, at)) {
                Some(member) => self.found(at, member),
                None => open.add_if(at, self.words[at].is_some()),
            }
        }
        open
    }

    /// Looks for those of `open` in a way. Returns those that it did not find.
    ///
    /// Three passes, so that the misses of a burst overlap: hash and ask for the bucket; match the tag
    /// and ask for the entry; compare, choose and ask for the socket and its end at the seat. A pass
    /// looks at nothing that the one before has not asked for.
    #[inline(never)]
    fn look<const WAY: u8>(&mut self, open: Places) -> Places {
        let way = Way::ALL[usize::from(WAY)];
        let Snapshot { table, entries, .. } = self.snapshot;
        let mut homes = [Home::NOWHERE; BURST];
        for at in open {
            homes[at] = table.home(self.identity(at, way));
            homes[at].prefetch();
        }
        let mut candidates: [Option<(u32, &Option<Entry>)>; BURST] = [None; BURST];
        for at in open {
            if let Some(number) = homes[at].candidate() {
                candidates[at] = entries.place(number).map(|place| (number, place));
                candidates[at].inspect(|(_, place)| prefetch_read(*place));
            }
        }
        let leaves_sender_aside = matches!(way, Way::AnyRemote | Way::PortOnly);
        let is_guessed = leaves_sender_aside && self.snapshot.ways().next() == Some(way);
        let mut left = Places::default();
        for at in open {
            let entry = match candidates[at] {
                None if homes[at].ends_here() => None,
                Some((number, Some(entry))) if entry.identity().is(self.identity(at, way)) => {
                    Some((number, entry))
                }
                _ => find(self.snapshot, self.identity(at, way)),
            };
            if is_guessed {
                let (hint, word) = (self.flows.hint(at), self.words[at]);
                self.guesses
                    .set(hint, word, entry.map(|(number, _)| number));
            }
            match entry.and_then(|(_, entry)| self.choose(entry, at)) {
                Some(member) => self.found(at, member),
                None => left.add_if(at, true),
            }
        }
        left
    }

    #[inline(always)]
    fn choose(&self, entry: &'d Entry, at: usize) -> Option<&'d Member> {
        let nic = self.words[at].nic();
        entry.choose(nic, || self.flows.flow(at), self.snapshot.seed)
    }

    #[inline(always)]
    fn found(&mut self, at: usize, member: &'d Member) {
        let socket = member.socket();
        socket.prefetch(self.seat);
        self.out[at] = Some(socket);
    }
}

/// Finds an entry where another one has the same tag, or the bucket had no room.
#[cold]
#[inline(never)]
fn find(snapshot: &Snapshot, identity: Identity) -> Option<(u32, &Entry)> {
    let at = snapshot.table.find(&snapshot.entries, identity)?;
    Some((at, snapshot.entries.get(at)?))
}
