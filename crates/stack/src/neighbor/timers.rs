//! What is due when: one deadline per neighbor.

use std::time::Duration;

use corelane_wire::MacAddr;

use super::action::{Dropped, NeighborAction, NeighborAnswer, NeighborChange, NeighborEvent};
use super::cache::{NeighborCache, Turn};
use super::entry::{State, Told};
use crate::clock::Time;

/// The longest pause between requests for an unreachable neighbor: MAX_RETRANS_TIMER of RFC 7048.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The next pause: three times as long, BACKOFF_MULTIPLE of RFC 7048.
pub(super) fn longer(pause: Duration) -> Duration {
    pause.saturating_mul(3).min(LONGEST_PAUSE)
}

impl<P> NeighborCache<P> {
    /// When something is due next.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.timers.first().map(|&(at, _)| at)
    }

    /// Does what is due.
    pub(crate) fn poll(&mut self, turn: &mut Turn<'_, P>) {
        while let Some(&(at, index)) = self.timers.first() {
            if at > turn.now {
                return;
            }
            self.timers.pop_first();
            if let Some(entry) = self.entry_mut(index) {
                entry.deadline = None;
            }
            self.fire(index, turn);
        }
    }

    fn fire(&mut self, index: u32, turn: &mut Turn<'_, P>) {
        let Some(entry) = self.entry(index) else {
            return;
        };
        let (target, state, is_pinned) = (entry.key, entry.state, entry.pins > 0);
        let retransmit = Some(turn.now + self.config.retransmit_timer);
        match state {
            State::Idle | State::Static(_) => {}
            State::Incomplete { sent } if sent < self.config.max_multicast_probes => {
                turn.push(NeighborAction::Request { target, to: None });
                let state = State::Incomplete { sent: sent + 1 };
                self.enter(index, state, retransmit, turn);
            }
            State::Probe { mac, sent } if sent < self.config.max_unicast_probes => {
                self.probe(index, mac, sent + 1, turn);
            }
            State::Incomplete { .. } | State::Probe { .. } => self.fail(index, turn),
            State::Reachable(mac) => {
                let deadline = turn.now + self.config.stale_lifetime;
                self.enter(index, State::Stale(mac), Some(deadline), turn);
            }
            // Word that it was used is on its way.
            State::Stale(_) if self.lines.at(index).is_used() => self.touch(index, turn),
            State::Stale(_) => self.unlink(index, Dropped::NeighborGone, turn),
            State::Delay(mac) => self.probe(index, mac, 1, turn),
            // As a gateway it stays, and is looked for anew when it is used.
            State::Unreachable { until, .. } if until <= turn.now && is_pinned => {
                self.enter(index, State::Idle, None, turn);
            }
            State::Unreachable { until, .. } if until <= turn.now => {
                self.unlink(index, Dropped::NeighborGone, turn);
            }
            State::Unreachable { until, .. } => {
                // From now on the next use is told, and another request made for it.
                self.lines.at(index).unmark_used();
                self.enter(index, state, Some(until), turn);
            }
        }
    }

    /// Asks a neighbor itself whether it is still there.
    fn probe(&mut self, index: u32, mac: MacAddr, sent: u32, turn: &mut Turn<'_, P>) {
        let Some(target) = self.entry(index).map(|entry| entry.key) else {
            return;
        };
        turn.push(NeighborAction::Request {
            target,
            to: Some(mac),
        });
        let deadline = turn.now + self.config.retransmit_timer;
        self.enter(index, State::Probe { mac, sent }, Some(deadline), turn);
    }

    /// It did not answer.
    fn fail(&mut self, index: u32, turn: &mut Turn<'_, P>) {
        let Some(entry) = self.entry_mut(index) else {
            return;
        };
        let (address, mac) = (entry.key.address(), entry.state.mac());
        let waiters = std::mem::take(&mut entry.waiters);
        let told = std::mem::replace(&mut entry.told, Told::Unreachable);
        for (_, packet) in self.take_pending(index) {
            turn.push(NeighborAction::Failed { packet, address });
        }
        for token in waiters {
            let outcome = NeighborAnswer::Failed;
            turn.push(NeighborAction::Waited { token, outcome });
        }
        if told != Told::Unreachable {
            turn.push(NeighborAction::Event(NeighborEvent {
                address,
                mac,
                change: NeighborChange::Unreachable,
            }));
        }
        let until = turn.now + self.config.unreachable_hold;
        let state = State::Unreachable {
            mac,
            until,
            next_request: turn.now,
            pause: longer(self.config.retransmit_timer),
        };
        self.enter(index, state, Some(until), turn);
    }
}
