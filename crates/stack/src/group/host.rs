//! The host side of one protocol, IGMP or MLD.

use std::time::Duration;

use super::delay::pause_after;
use super::message::GroupMessage;
use super::own::{ALL_NODES, ALL_SYSTEMS};
use super::querier::Querier;
use super::query::Query;
use super::records::Records;
use super::reports::Reports;
use super::set::GroupSet;
use super::timers::Group;
use super::version::Mode;
use crate::address::{Family, Key};
use crate::clock::Time;

/// RFC 2236 section 4: what an IGMPv1 query, which does not say, allows for an answer.
const V1_MAX_RESPONSE: Duration = Duration::from_secs(10);
/// The most the field of any version holds (MLDv2: 8,387,584 ms).
const MAX_RESPONSE: Duration = Duration::from_millis(8_387_584);

/// A host that speaks one protocol for one family, while its NIC is enabled.
#[derive(Debug)]
pub(super) struct Host {
    family: Family,
    /// The newest mode it speaks.
    newest: Mode,
    /// The mode in force when it was last called.
    mode: Mode,
    querier: Querier,
    /// How many groups it reports.
    members: usize,
    /// Until then general queries that are answered group by group are ignored: the answers to the
    /// one before are on their way.
    deaf_until: Time,
    /// Empty while `mode` is [`Mode::Records`].
    reports: Reports,
    /// Empty in the other modes.
    records: Records,
}

impl Host {
    /// `limit` is how many records without sources fit a message.
    pub(super) fn new(family: Family, newest: Mode, limit: usize) -> Self {
        Self {
            family,
            newest,
            mode: newest,
            querier: Querier::default(),
            members: 0,
            deaf_until: Time::ZERO,
            reports: Reports::default(),
            records: Records::new(family, limit),
        }
    }

    /// Follows the queriers' version. A host that changes its version forgets what it was going to
    /// send (RFC 3376 section 7.2.1, RFC 3810 section 8.2.1); one of IGMPv2 that turns to version 1
    /// or back goes on (RFC 2236 section 4).
    fn follow(&mut self, now: Time) {
        let mode = self.querier.mode(self.newest, now);
        if mode != self.mode {
            self.mode = mode;
            if self.newest == Mode::Records {
                self.reports.clear();
                self.records.clear();
            }
        }
    }

    /// A reported group has its first join.
    pub(super) fn joined(
        &mut self,
        group: Group,
        now: Time,
        rng: &mut fastrand::Rng,
        out: &mut Vec<GroupMessage>,
    ) {
        self.join_all(&[group], now, rng, out);
    }

    /// Reported groups are joined, together.
    pub(super) fn join_all(
        &mut self,
        groups: &[Group],
        now: Time,
        rng: &mut fastrand::Rng,
        out: &mut Vec<GroupMessage>,
    ) {
        self.members += groups.len();
        self.announce(groups, now, rng, out);
    }

    /// Reports groups that are joined as if they had just been.
    pub(super) fn announce(
        &mut self,
        groups: &[Group],
        now: Time,
        rng: &mut fastrand::Rng,
        out: &mut Vec<GroupMessage>,
    ) {
        self.follow(now);
        let robustness = self.querier.robustness();
        if self.mode == Mode::Records {
            let groups = groups.iter().copied();
            self.records.joined(groups, robustness, now, rng, out);
            return;
        }
        for &group in groups {
            let reports = &mut self.reports;
            reports.joined(group, self.mode, robustness, now, rng, out);
        }
    }

    /// A reported group lost its last join.
    pub(super) fn left(
        &mut self,
        group: Group,
        now: Time,
        rng: &mut fastrand::Rng,
        out: &mut Vec<GroupMessage>,
    ) {
        self.follow(now);
        self.members -= 1;
        if self.mode != Mode::Records {
            self.reports.left(group, self.mode, out);
            return;
        }
        let robustness = self.querier.robustness();
        self.records.left(group, robustness, now, rng, out);
        if self.members == 0 {
            self.records.left_last();
        }
    }

    /// The host ends, and with it all memberships, which are `groups`.
    pub(super) fn leave_all(&mut self, groups: &[Group], now: Time, out: &mut Vec<GroupMessage>) {
        self.follow(now);
        if self.mode == Mode::Records {
            self.records.leave_all(groups.iter().copied(), out);
        } else {
            for &group in groups {
                self.reports.left(group, self.mode, out);
            }
        }
        self.members = 0;
        self.reports.clear();
        self.querier = Querier::default();
        self.mode = self.newest;
    }

    /// A query of this family came.
    pub(super) fn queried(
        &mut self,
        query: &Query,
        members: &GroupSet,
        now: Time,
        rng: &mut fastrand::Rng,
    ) {
        let Some(heard) = Mode::of(self.family, query.version) else {
            return;
        };
        let max_response = match heard {
            Mode::ReportsOnly => V1_MAX_RESPONSE,
            _ => query.max_response.min(MAX_RESPONSE),
        };
        let (family, newest) = (self.family, self.newest);
        self.querier
            .hear(family, newest, heard, query, max_response, now);
        self.follow(now);
        let group = match query.group.map(Key::from) {
            None if self.members == 0 => return,
            None => None,
            Some(key) if members.contains(key) && is_reported(key, self.family) => Some(key.into()),
            Some(_) => return,
        };
        if self.mode == Mode::Records {
            self.records.queried(group, query, max_response, now, rng);
            return;
        }
        let reports = &mut self.reports;
        match group {
            Some(group) => reports.queried(group, max_response, now, rng),
            None if now < self.deaf_until => {}
            None => {
                self.deaf_until = now + pause_after(self.members);
                for group in reported(members, self.family) {
                    reports.queried(group, max_response, now, rng);
                }
            }
        }
    }

    /// Another host reported a group in one of the versions without records. It does not hold back
    /// records of ours (RFC 3376 section 7.2.2, RFC 3810 section 8.2.2 leave that to the host).
    pub(super) fn heard(&mut self, group: Group, now: Time) {
        self.follow(now);
        self.reports.heard(group);
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        let reports = self.reports.next_deadline();
        reports
            .into_iter()
            .chain(self.records.next_deadline())
            .min()
    }

    pub(super) fn poll(
        &mut self,
        members: &GroupSet,
        now: Time,
        rng: &mut fastrand::Rng,
        out: &mut Vec<GroupMessage>,
    ) {
        self.follow(now);
        let family = self.family;
        self.reports.poll(self.mode, now, rng, out);
        self.records
            .poll(|| reported(members, family), now, rng, out);
    }

    /// What it keeps beside the counts: entries of any kind.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.reports.len() + self.records.len()
    }
}

/// The groups of a family that are reported, sorted.
pub(super) fn reported(members: &GroupSet, family: Family) -> Vec<Group> {
    let keys = members.keys().filter(|&key| is_reported(key, family));
    let mut groups: Vec<Group> = keys.map(Group::from).collect();
    groups.sort_unstable();
    groups
}

/// Whether a family's host reports a group: it does not report all-systems (RFC 2236 section 6, RFC
/// 3376 section 5), all-nodes, and IPv6 groups of the scopes 0 (reserved) and 1 (interface-local)
/// (RFC 2710 section 5, RFC 3810 section 6).
pub(super) fn is_reported(group: Key, family: Family) -> bool {
    let scope = group.high >> 48 & 0xf;
    group.family() == family
        && match family {
            Family::V4 => group != ALL_SYSTEMS,
            Family::V6 => group != ALL_NODES && scope > 1,
        }
}
