//! What is due: probes, addresses that nobody objected to, reports.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use corelane_wire::MacAddr;

use super::dad::Step;
use super::{Control, Message, Transaction};
use crate::address::Key;
use crate::clock::Time;
use crate::event::Event;
use crate::protocol_counters::ProtocolCounter;

/// Steps taken at once: the lock is not held for a million of them.
const STEPS: usize = 1024;

/// How soon messages that found no room are tried again.
pub(super) const RETRY: Duration = Duration::from_millis(1);

/// Messages that wait for room; what is beyond is not sent at all.
const BACKLOG: usize = 4096;

/// Between two events that tell of conflicts.
const CONFLICT_PAUSE: Duration = Duration::from_secs(1);

/// What became of the steps that were due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// All are taken.
    Done,
    /// There are more, for another turn.
    More,
    /// There are more, and no room for what they send.
    NoRoom,
}

impl Transaction<'_> {
    /// Takes the steps that are due, as many as may be taken at once, sending `room` messages at
    /// most where that can be told beforehand.
    pub(crate) fn run_due(&mut self, room: usize) -> Progress {
        let mut room = self.control.take_backlog(self.now, room);
        let mut steps = STEPS;
        while let Some((key, step)) = self.control.dads.next_due(self.now) {
            match step {
                _ if steps == 0 => return Progress::More,
                Step::Solicit if room == 0 => return Progress::NoRoom,
                Step::Solicit => {
                    room -= 1;
                    self.solicit(key);
                }
                Step::Assign(index) => self.assign(key, index),
            }
            steps -= 1;
        }
        while let Some(key) = self.control.announcements.next_due(self.now) {
            if steps == 0 {
                return Progress::More;
            }
            if room == 0 {
                return Progress::NoRoom;
            }
            (steps, room) = (steps - 1, room - 1);
            self.announce(key);
        }
        let Control {
            groups,
            rng,
            reports,
            ..
        } = &mut *self.control;
        groups.poll(self.now, rng, reports);
        Progress::Done
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

    fn announce(&mut self, key: Key) {
        self.control.announcements.announced(key, self.now);
        if let IpAddr::V4(address) = key.address() {
            let message = Message::ArpAnnouncement { address };
            self.control.messages.push(message);
        }
    }

    /// Nobody objected.
    fn assign(&mut self, key: Key, index: u32) {
        self.control.dads.stop(key);
        if self.endpoints.at(index).refs.settle() {
            self.control.counts.add(ProtocolCounter::AddressesAssigned);
            self.put_into_use(index);
            // Errors may be sent from it.
            self.control.changed = true;
            self.control.events.send(Event::AddressAssigned {
                nic: self.control.settings.id,
                address: key.address(),
            });
        }
    }

    /// Tells that somebody else claims an address in use. Once a second: whoever sends more is not
    /// to crowd out what else there is to tell.
    pub(super) fn tell_conflict(&mut self, address: IpAddr, offender: MacAddr) {
        if self.control.next_conflict > self.now {
            return;
        }
        self.control.next_conflict = self.now + CONFLICT_PAUSE;
        self.control.events.send(Event::AddressConflict {
            nic: self.control.settings.id,
            address,
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
        self.control.counts.add(ProtocolCounter::DuplicateAddresses);
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
        let announcement = self.announcements.next_deadline();
        let backlog = (!self.backlog.is_empty()).then_some(self.retry);
        let deadlines = [dad, announcement, group, backlog];
        deadlines.into_iter().flatten().min()
    }

    /// Messages that were not sent after all. Probes are made anew, reports wait for room, in front
    /// of newer ones; an answer is worth nothing later: whoever asked asks again.
    pub(crate) fn unsent(&mut self, messages: Vec<Message>, now: Time) {
        for message in messages.into_iter().rev() {
            self.counts.add(ProtocolCounter::Unsent);
            match message {
                Message::Probe { target, nonce } => {
                    let key = Key::v6(target.to_bits());
                    self.dads.unsent(key, nonce, now + RETRY);
                }
                Message::ArpAnnouncement { address } => {
                    let key = Key::v4(address.to_bits());
                    self.announcements.unsent(key, now + RETRY);
                }
                // Nobody will ask for those of a NIC that is gone.
                Message::Igmp(..) | Message::Mld(..) if !self.gone => {
                    self.backlog.push_front(message);
                }
                Message::Advertisement(_)
                | Message::ArpReply { .. }
                | Message::Igmp(..)
                | Message::Mld(..) => {}
            }
        }
        self.backlog.truncate(BACKLOG);
        self.retry = now + RETRY;
    }

    /// Puts a report behind those that found no room, if there are any: a leave that comes out after
    /// a later join would end it. Gives the report back if there are none.
    pub(super) fn queue_up(&mut self, report: Message) -> Option<Message> {
        if self.backlog.is_empty() {
            return Some(report);
        }
        self.counts.add(ProtocolCounter::Unsent);
        if self.backlog.len() < BACKLOG {
            self.backlog.push_back(report);
        }
        None
    }

    /// Sends again what waits, as far as there is room; returns how much room is left.
    fn take_backlog(&mut self, now: Time, room: usize) -> usize {
        if self.retry > now {
            return room;
        }
        let again = self.backlog.len().min(room);
        self.messages.extend(self.backlog.drain(..again));
        self.retry = now + RETRY;
        room - again
    }
}
