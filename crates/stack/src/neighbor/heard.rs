//! What is heard of neighbors: solicitations, advertisements, ARP, upper layers.

use corelane_wire::MacAddr;

use super::action::{NeighborAction, NeighborChange, NeighborEvent};
use super::cache::{NeighborCache, Turn};
use super::entry::State;
use super::room::Worth;
use crate::address::Key;

/// A neighbor advertisement that was found valid (RFC 4861 section 7.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Advertisement {
    /// Whose link address it is about.
    pub(crate) target: Key,
    /// The target link-layer address option.
    pub(crate) mac: Option<MacAddr>,
    /// The S flag: it is the answer to a request.
    pub(crate) solicited: bool,
    /// The O flag: the link address replaces another.
    pub(crate) overrides: bool,
    /// The R flag.
    pub(crate) is_router: bool,
}

impl<P> NeighborCache<P> {
    /// `source` asked for one of our addresses, by a neighbor solicitation or an ARP request, and
    /// gave its link address (RFC 4861 section 7.2.3, RFC 826; BEHAVIOURS G10, O5). It is heard of,
    /// but not proven: nobody knows that it hears us.
    pub(crate) fn solicited_from(&mut self, source: Key, mac: MacAddr, turn: &mut Turn<'_, P>) {
        if !source.can_be_local() || !mac.is_unicast() {
            return;
        }
        let index = match self.find(source) {
            Some(index) => index,
            None => match self.admit(source, Worth::Heard, turn) {
                Some(index) => index,
                None => return,
            },
        };
        match self.entry(index).map(|entry| entry.state) {
            None | Some(State::Static(_)) => {}
            Some(state) if state.usable() == Some(mac) => {}
            Some(_) => self.heard(index, mac, turn),
        }
    }

    /// An advertisement (RFC 4861 section 7.2.5; BEHAVIOURS G11): never the beginning of an entry.
    pub(crate) fn advertised(&mut self, advertisement: Advertisement, turn: &mut Turn<'_, P>) {
        let Advertisement {
            target,
            mac: given,
            solicited,
            overrides,
            is_router,
        } = advertisement;
        if given.is_some_and(|mac| !mac.is_unicast()) {
            return;
        }
        let Some((index, state)) = self.find_state(target) else {
            return;
        };
        match (state, state.mac(), given) {
            (State::Idle | State::Static(_), ..) | (_, None, None) => {}
            (_, None, Some(mac)) => {
                self.set_router(index, is_router, turn);
                if solicited {
                    self.reached(index, mac, turn);
                } else {
                    self.heard(index, mac, turn);
                }
            }
            (_, Some(known), Some(mac)) if mac != known && !overrides => {
                if let State::Reachable(_) = state {
                    self.heard(index, known, turn);
                }
            }
            (_, Some(known), given) => {
                self.set_router(index, is_router, turn);
                let mac = given.unwrap_or(known);
                // An unreachable neighbor that makes itself heard is worth another try.
                let is_back = given.is_some() && matches!(state, State::Unreachable { .. });
                if solicited {
                    self.reached(index, mac, turn);
                } else if mac != known || is_back {
                    self.heard(index, mac, turn);
                }
            }
        }
    }

    /// An ARP reply to us (RFC 826). ARP does not say whether it was asked for: it counts as the
    /// answer to a request if there was one. Never the beginning of an entry.
    pub(crate) fn arp_reply(&mut self, sender: Key, mac: MacAddr, turn: &mut Turn<'_, P>) {
        let Some((_, state)) = self.find_state(sender) else {
            return;
        };
        let was_asked = match state {
            State::Incomplete { .. } | State::Probe { .. } | State::Unreachable { .. } => true,
            State::Idle
            | State::Reachable(_)
            | State::Stale(_)
            | State::Delay(_)
            | State::Static(_) => false,
        };
        self.announced(sender, mac, was_asked, turn);
    }

    /// An ARP announcement (RFC 5227 section 3): the link address replaces the one known, but proves
    /// nothing. Never the beginning of an entry.
    pub(crate) fn gratuitous(&mut self, sender: Key, mac: MacAddr, turn: &mut Turn<'_, P>) {
        self.announced(sender, mac, false, turn);
    }

    /// An upper layer has proof that a neighbor gets what is sent to it (RFC 4861 section 7.3.1).
    pub(crate) fn confirm(&mut self, key: Key, turn: &mut Turn<'_, P>) {
        let Some((index, state)) = self.find_state(key) else {
            return;
        };
        match (state, state.mac()) {
            (State::Static(_), _) | (_, None) => {}
            (_, Some(mac)) => self.reached(index, mac, turn),
        }
    }

    fn announced(&mut self, sender: Key, mac: MacAddr, solicited: bool, turn: &mut Turn<'_, P>) {
        let advertisement = Advertisement {
            target: sender,
            mac: Some(mac),
            solicited,
            overrides: true,
            is_router: false,
        };
        self.advertised(advertisement, turn);
    }

    fn find_state(&self, key: Key) -> Option<(u32, State)> {
        let index = self.find(key)?;
        Some((index, self.entry(index)?.state))
    }

    fn set_router(&mut self, index: u32, is_router: bool, turn: &mut Turn<'_, P>) {
        let Some(entry) = self.entry_mut(index) else {
            return;
        };
        let was_router = std::mem::replace(&mut entry.is_router, is_router);
        if was_router && !is_router {
            turn.push(NeighborAction::Event(NeighborEvent {
                address: entry.key.address(),
                mac: entry.state.mac(),
                change: NeighborChange::NoLongerRouter,
            }));
        }
    }
}
