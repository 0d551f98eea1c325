//! What is due: probes, addresses that nobody objected to, reports.


use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use corelane_wire::MacAddr;

use super::dad::Step;
use super::{Control, Message, Transaction};
use crate::address::Key;
use crate::clock::Time;
use crate::event::Event;

/// Between two events that tell of conflicts.
const CONFLICT_PAUSE: Duration = Duration::from_secs(1);

impl Transaction<'_> {
    /// Takes every step that is due, sending `room` messages at most. Returns how many steps were
    /// left for want of room.
    pub(crate) fn run_due(&mut self, room: usize) -> bool {
        let mut left = room;
        while let Some((key, step)) = self.control.dads.next_due(self.now) {
            match step {
                Step::Solicit if left == 0 => return false,
                Step::Solicit => {
                    left -= 1;
                    self.solicit(key);
                }
                Step::Assign(index) => self.assign(key, index),
            }
        }
        let Control {
            groups,
            rng,
            reports,
            ..
        } = &mut *self.control;
        groups.poll(self.now, rng, reports);
        self.control.take_reports(self.endpoints);
        true
    }

    fn solicit(&mut self, key: Key) {
        let (Some(ndp), IpAddr::V6(target)) = (self.control.settings.ndp, key.address()) else {
            return;
        };
        let nonce = ndp.nonce.then(|| {
            let mut nonce = [0; 6];
            self.control.rng.fill(&mut nonce);
            nonce
        });
        self.control
            .dads
            .solicited(key, nonce, ndp.retransmit_timer, self.now);
        self.control.messages.push(Message::Probe { target, nonce });
    }

    /// Nobody objected.
    fn assign(&mut self, key: Key, index: u32) {
        self.control.dads.stop(key);
        if self.endpoints.at(index).refs.settle() {
            self.control.offer_source(self.endpoints, index);
            self.control.events.send(Event::AddressAssigned {
                nic: self.control.settings.id,
                address: key.address(),
            });
        }
    }

    /// Tells that somebody else claims an address in use. Once a second: whoever sends more is not
    /// to crowd out what else there is to tell.
    pub(super) fn tell_conflict(&mut self, address: Ipv6Addr, offender: MacAddr) {
        if self.control.next_conflict > self.now {
            return;
        }
        self.control.next_conflict = self.now + CONFLICT_PAUSE;
        self.control.events.send(Event::AddressConflict {
            nic: self.control.settings.id,
            address: address.into(),
            offender,
        });
    }

    /// Gives a tentative address up; the caller has made sure that it is one.
    pub(crate) fn give_up(&mut self, address: Ipv6Addr, offender: Option<MacAddr>) {
        let key = Key::v6(address.to_bits());
        let was_own = self.control.link_local == Some(key);
        let endpoint = self.control.table.find(self.endpoints, key);
        let primary = endpoint.map(|index| self.endpoints.at(index).primary());
        self.control.dads.stop(key);
        self.take_out(key);
        self.control.events.send(Event::DuplicateAddress {
            nic: self.control.settings.id,
            address: address.into(),
            offender,
        });
        if was_own {
            // RFC 7217 section 6: another one, if there is one. Without memory for it there is no
            // address, and the event above has told of that.
            self.control.link_local_attempt += 1;
            let _ = self.add_link_local(primary.unwrap_or_default());
        }
    }
}

impl Control {
    /// When something is due next.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let (dad, group) = (self.dads.next_deadline(), self.groups.next_deadline());
        dad.into_iter().chain(group).min()
    }

    /// A probe was not sent after all.
    pub(crate) fn probe_unsent(&mut self, key: Key, now: Time) {
        self.dads.unsent(key, now);
    }
}

