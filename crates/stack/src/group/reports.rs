//! A report per group: IGMPv1, IGMPv2 (RFC 2236), MLDv1 (RFC 2710).

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use super::delay::random_after;
use super::message::GroupMessage;
use super::timers::{Group, Timers};
use super::version::Mode;
use crate::clock::Time;

/// RFC 2236 section 8.10, RFC 2710 section 7.10.
const UNSOLICITED_REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// The groups with something to report. One without a timer is an idle member.
#[derive(Debug, Default)]
pub(super) struct Reports {
    /// When to report, and how many reports are to follow that one.
    timers: Timers<u8>,
    /// The groups another host reported last: the RFCs' flag, kept where it is cleared.
    reported_by_other: BTreeSet<Group>,
}

impl Reports {
    /// Reports at once, and `robustness` times in all.
    pub(super) fn joined(
        &mut self,
        group: Group,
        mode: Mode,
        robustness: u8,
        now: Time,
        rng: &mut fastrand::Rng,
        out: &mut Vec<GroupMessage>,
    ) {
        let more = robustness.saturating_sub(1);
        self.report(group, mode, more, now, rng, out);
    }

    fn report(
        &mut self,
        group: Group,
        mode: Mode,
        more: u8,
        now: Time,
        rng: &mut fastrand::Rng,
        out: &mut Vec<GroupMessage>,
    ) {
        self.reported_by_other.remove(&group);
        out.push(report(mode, group.address()));
        if let Some(after) = more.checked_sub(1) {
            let at = random_after(now, UNSOLICITED_REPORT_INTERVAL, rng);
            self.timers.set(group, at, after);
        }
    }

    /// Says so, unless another host reported last (it is still there) or IGMPv1 is spoken.
    pub(super) fn left(&mut self, group: Group, mode: Mode, out: &mut Vec<GroupMessage>) {
        self.timers.cancel(group);
        let reported_last = !self.reported_by_other.remove(&group);
        if reported_last && mode != Mode::ReportsOnly {
            let group = group.address();
            out.push(GroupMessage::Leave { group });
        }
    }

    /// Reports within `max_response`, or when it was going to if that is sooner.
    pub(super) fn queried(
        &mut self,
        group: Group,
        max_response: Duration,
        now: Time,
        rng: &mut fastrand::Rng,
    ) {
        let deadline = self.timers.deadline(group);
        if deadline.is_none_or(|at| at.saturating_since(now) > max_response) {
            let more = self.timers.cancel(group).unwrap_or(0);
            let at = random_after(now, max_response, rng);
            self.timers.set(group, at, more);
        }
    }

    /// Another host's report does for ours, if one was to come.
    pub(super) fn heard(&mut self, group: Group) {
        if self.timers.cancel(group).is_some() {
            self.reported_by_other.insert(group);
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.timers.next_deadline()
    }

    pub(super) fn poll(
        &mut self,
        mode: Mode,
        now: Time,
        rng: &mut fastrand::Rng,
        out: &mut Vec<GroupMessage>,
    ) {
        while let Some((group, more)) = self.timers.pop_due(now) {
            self.report(group, mode, more, now, rng, out);
        }
    }

    pub(super) fn clear(&mut self) {
        self.timers.clear();
        self.reported_by_other.clear();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.timers.len() + self.reported_by_other.len()
    }
}

fn report(mode: Mode, group: IpAddr) -> GroupMessage {
    match (mode, group) {
        (Mode::ReportsOnly, _) | (_, IpAddr::V6(_)) => GroupMessage::V1Report { group },
        (_, IpAddr::V4(_)) => GroupMessage::V2Report { group },
    }
}
