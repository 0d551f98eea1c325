//! Group records: IGMPv3 (RFC 3376), MLDv2 (RFC 3810).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use corelane_wire::RecordKind;

use super::delay::{pause_after, random_after};
use super::message::GroupMessage;
use super::pack::Packer;
use super::query::Query;
use super::timers::{Group, Timers};
use crate::address::Family;
use crate::clock::Time;

/// RFC 3376 section 8.11, RFC 3810 section 9.11.
const UNSOLICITED_REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// How many sources are remembered for one group's answer, and for all of a family's. Where a query
/// asks about more, the answer is about the group as a whole, which includes them.
const MAX_SOURCES_OF_GROUP: usize = 64;
const MAX_SOURCES: usize = 4096;

/// A change of state that has yet to be told again.
#[derive(Debug)]
struct Change {
    kind: RecordKind,
    /// How often, at least 1.
    left: u8,
}

/// What is to be reported of one family's groups.
#[derive(Debug)]
pub(super) struct Records {
    family: Family,
    /// Records without sources that a message takes.
    limit: usize,
    /// All of them go at `changes_at`, in as few messages as they fit.
    changes: BTreeMap<Group, Change>,
    changes_at: Option<Time>,
    /// When to answer a general query.
    general_at: Option<Time>,
    /// Not sooner than this.
    general_after: Time,
    /// When to answer for a single group, and the sources asked about; none of them: all.
    answers: Timers<Vec<IpAddr>>,
    /// The sources in `answers`.
    sources: usize,
}

impl Records {
    pub(super) fn new(family: Family, limit: usize) -> Self {
        Self {
            family,
            limit,
            changes: BTreeMap::new(),
            changes_at: None,
            general_at: None,
            general_after: Time::ZERO,
            answers: Timers::default(),
            sources: 0,
        }
    }

    /// Tells at once that groups were joined, and `robustness` times in all. A leave not yet told
    /// often enough is not told again: the newer change says where things stand (RFC 3376 section
    /// 5.1, RFC 3810 section 6.1).
    pub(super) fn joined(
        &mut self,
        groups: impl Iterator<Item = Group>,
        robustness: u8,
        now: Time,
        rng: &mut fastrand::Rng,
        out: &mut Vec<GroupMessage>,
    ) {
        let kind = RecordKind::ChangeToExclude;
        self.changed(kind, groups, robustness, now, rng, out);
    }

    /// Tells at once that a group was left, and `robustness` times in all; there is nothing to
    /// answer for it any more.
    pub(super) fn left(
        &mut self,
        group: Group,
        robustness: u8,
        now: Time,
        rng: &mut fastrand::Rng,
        out: &mut Vec<GroupMessage>,
    ) {
        self.forget_answer(group);
        let kind = RecordKind::ChangeToInclude;
        self.changed(kind, std::iter::once(group), robustness, now, rng, out);
    }

    fn changed(
        &mut self,
        kind: RecordKind,
        groups: impl Iterator<Item = Group>,
        robustness: u8,
        now: Time,
        rng: &mut fastrand::Rng,
        out: &mut Vec<GroupMessage>,
    ) {
        let left = robustness.saturating_sub(1);
        let mut packer = Packer::new(self.family, self.limit, out);
        for group in groups {
            packer.push(kind, group.address());
            if left > 0 {
                self.changes.insert(group, Change { kind, left });
            } else {
                self.changes.remove(&group);
            }
        }
        packer.finish();
        self.arm_changes(now, rng);
    }

    fn arm_changes(&mut self, now: Time, rng: &mut fastrand::Rng) {
        if self.changes.is_empty() {
            self.changes_at = None;
        } else if self.changes_at.is_none() {
            self.changes_at = Some(random_after(now, UNSOLICITED_REPORT_INTERVAL, rng));
        }
    }

    /// No group is left to answer for.
    pub(super) fn left_last(&mut self) {
        self.general_at = None;
    }

    /// Schedules the answer to a general query, or to one about a group that is joined, by the
    /// rules of RFC 3376 section 5.2 and RFC 3810 section 6.2.
    pub(super) fn queried(
        &mut self,
        group: Option<Group>,
        query: &Query,
        max_response: Duration,
        now: Time,
        rng: &mut fastrand::Rng,
    ) {
        let at = random_after(now, max_response, rng);
        if self.general_at.is_some_and(|general| general <= at) {
            return; // rule 1: that answer says it all
        }
        let Some(group) = group else {
            self.general_at = Some(at.max(self.general_after)); // rule 2
            return;
        };
        let pending = self.answers.deadline(group);
        let at = pending.map_or(at, |pending| at.min(pending));
        let recorded = self.forget_answer(group);
        let sources = match recorded {
            None => self.bounded(Vec::new(), &query.sources), // rule 3
            Some(recorded) if recorded.is_empty() || query.sources.is_empty() => Vec::new(), // rule 4
            Some(recorded) => self.bounded(recorded, &query.sources), // rule 5
        };
        self.sources += sources.len();
        self.answers.set(group, at, sources);
    }

    /// The union of both, sorted; none if that is more than we remember.
    fn bounded(&self, mut recorded: Vec<IpAddr>, more: &[IpAddr]) -> Vec<IpAddr> {
        if more.len() > MAX_SOURCES_OF_GROUP {
            return Vec::new();
        }
        recorded.extend_from_slice(more);
        recorded.sort_unstable();
        recorded.dedup();
        let total = self.sources + recorded.len();
        if recorded.len() > MAX_SOURCES_OF_GROUP || total > MAX_SOURCES {
            return Vec::new();
        }
        recorded.shrink_to_fit();
        recorded
    }

    /// The sources a pending answer was to be about.
    fn forget_answer(&mut self, group: Group) -> Option<Vec<IpAddr>> {
        let sources = self.answers.cancel(group)?;
        self.sources -= sources.len();
        Some(sources)
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        let interface = self.changes_at.into_iter().chain(self.general_at);
        interface.chain(self.answers.next_deadline()).min()
    }

    /// `members` gives the groups to report, for the answer to a general query.
    pub(super) fn poll(
        &mut self,
        members: impl FnOnce() -> Vec<Group>,
        now: Time,
        rng: &mut fastrand::Rng,
        out: &mut Vec<GroupMessage>,
    ) {
        if self.changes_at.is_some_and(|at| at <= now) {
            self.repeat_changes(now, rng, out);
        }
        let mut packer = Packer::new(self.family, self.limit, out);
        if self.general_at.is_some_and(|at| at <= now) {
            self.general_at = None;
            let members = members();
            self.general_after = now + pause_after(members.len());
            for group in members {
                packer.push(RecordKind::ModeIsExclude, group.address());
            }
        }
        while let Some((group, sources)) = self.answers.pop_due(now) {
            self.sources -= sources.len();
            // Of the sources asked about, all are wanted: none is excluded.
            if sources.is_empty() {
                packer.push(RecordKind::ModeIsExclude, group.address());
            } else {
                packer.push_included(group.address(), &sources);
            }
        }
        packer.finish();
    }

    fn repeat_changes(&mut self, now: Time, rng: &mut fastrand::Rng, out: &mut Vec<GroupMessage>) {
        let mut packer = Packer::new(self.family, self.limit, out);
        self.changes.retain(|group, change| {
            packer.push(change.kind, group.address());
            change.left -= 1;
            change.left > 0
        });
        packer.finish();
        self.changes_at = None;
        self.arm_changes(now, rng);
    }

    /// Tells once that groups are left, and has nothing more to tell.
    pub(super) fn leave_all(
        &mut self,
        groups: impl Iterator<Item = Group>,
        out: &mut Vec<GroupMessage>,
    ) {
        self.clear();
        let mut packer = Packer::new(self.family, self.limit, out);
        for group in groups {
            packer.push(RecordKind::ChangeToInclude, group.address());
        }
        packer.finish();
    }

    pub(super) fn clear(&mut self) {
        self.changes.clear();
        self.changes_at = None;
        self.general_at = None;
        self.answers.clear();
        self.sources = 0;
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let timers = [self.changes_at, self.general_at];
        self.changes.len()
            + self.answers.len()
            + self.sources
            + timers.into_iter().flatten().count()
    }
}
