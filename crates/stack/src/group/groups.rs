//! A NIC's groups: the counts, and the hosts that tell the link about them.

use std::net::IpAddr;

use thiserror::Error;

use super::host::{Host, is_reported, reported};
use super::message::GroupMessage;
use super::own::{all_hosts, all_routers};
use super::query::Query;
use super::set::{GroupSet, Joiner, Joins};
use super::version::{IgmpVersion, MldVersion, Mode};
use crate::address::{Family, Key};
use crate::clock::Time;
use crate::config::Forwarding;

/// What a NIC's membership is made with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupsConfig {
    /// Whether the NIC speaks IPv4, and with it is in IPv4 groups on its own account.
    pub(crate) ipv4: bool,
    /// Whether the NIC speaks IPv6, and with it is in IPv6 groups on its own account.
    pub(crate) ipv6: bool,
    /// The newest IGMP version; None for no IGMP.
    pub(crate) igmp: Option<IgmpVersion>,
    /// The newest MLD version; None for no MLD.
    pub(crate) mld: Option<MldVersion>,
    /// How many records without sources fit an IGMPv3 report
    /// ([`records_per_message`](super::records_per_message)).
    pub(crate) igmp_records: usize,
    /// The same for MLDv2.
    pub(crate) mld_records: usize,
    /// Keys the hash of the groups.
    pub(crate) seed: u64,
}

/// A group is joined as often as it can be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0} is joined too often")]
pub(crate) struct TooManyJoins(pub(crate) IpAddr);

/// Whoever wants to leave a group has no join of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0} is not joined")]
pub(crate) struct NotJoined(pub(crate) IpAddr);

/// The most joins of one joiner. One below what the field holds: enabling and forwarding, whose groups
/// are not the same, always have room for their own.
const MAX_JOINS: u32 = u32::MAX - 1;

/// The multicast membership of a NIC, both families. Disabled and without forwarding to begin with.
#[derive(Debug)]
pub(crate) struct Groups {
    members: GroupSet,
    enabled: bool,
    forwarding: Forwarding,
    ipv4: bool,
    ipv6: bool,
    igmp: Option<Host>,
    mld: Option<Host>,
}

impl Groups {
    /// No groups, disabled.
    pub(crate) fn new(config: &GroupsConfig) -> Self {
        let igmp = config
            .igmp
            .map(|version| Host::new(Family::V4, Mode::from(version), config.igmp_records));
        let mld = config
            .mld
            .map(|version| Host::new(Family::V6, Mode::from(version), config.mld_records));
        Self {
            members: GroupSet::new(config.seed),
            enabled: false,
            forwarding: Forwarding::OFF,
            ipv4: config.ipv4,
            ipv6: config.ipv6,
            igmp,
            mld,
        }
    }

    /// The groups, for a snapshot: clone it, O(1).
    pub(crate) fn set(&self) -> &GroupSet {
        &self.members
    }

    /// The groups and how often each is joined, in no order.
    pub(crate) fn list(&self) -> impl Iterator<Item = (IpAddr, Joins)> {
        self.members.iter()
    }

    /// Joins once more. True if the NIC was no member before; it then says so on the link, if it
    /// is enabled. That `group` is a multicast address is for the caller to check.
    ///
    /// # Errors
    /// [`TooManyJoins`]; nothing changed.
    pub(crate) fn join(
        &mut self,
        group: Key,
        joiner: Joiner,
        now: Time,
        rng: &mut fastrand::Rng,
        out: &mut Vec<GroupMessage>,
    ) -> Result<bool, TooManyJoins> {
        let joins = self.members.joins(group);
        let count = joins.count(joiner);
        // The NIC may have one more, by having been enabled or by forwarding.
        if count >= MAX_JOINS {
            return Err(TooManyJoins(group.address()));
        }
        let first = self.count(group, joins, joiner, count + 1);
        if first {
            self.tell(group, true, now, rng, out);
        }
        Ok(first)
    }

    /// Takes one join back. True if it was the last one of all; the NIC then says so on the link,
    /// if it had said that it joined.
    ///
    /// # Errors
    /// [`NotJoined`] if `joiner` has no join of the group, whoever else has one; nothing changed.
    pub(crate) fn leave(
        &mut self,
        group: Key,
        joiner: Joiner,
        now: Time,
        rng: &mut fastrand::Rng,
        out: &mut Vec<GroupMessage>,
    ) -> Result<bool, NotJoined> {
        let joins = self.members.joins(group);
        let count = joins.count(joiner);
        if count <= self.kept(group, joiner) {
            return Err(NotJoined(group.address()));
        }
        let gone = self.count(group, joins, joiner, count - 1);
        if gone {
            self.tell(group, false, now, rng, out);
        }
        Ok(gone)
    }

    /// The joins that only `disable` and `set_forwarding` take back.
    fn kept(&self, group: Key, joiner: Joiner) -> u32 {
        let family = group.family();
        let by_enabling = self.enabled && group == all_hosts(family);
        let by_forwarding = self.forwarding.of(family) && all_routers(family).contains(&group);
        let own = joiner == Joiner::Nic && self.speaks(family);
        u32::from(own && (by_enabling || by_forwarding))
    }

    fn speaks(&self, family: Family) -> bool {
        match family {
            Family::V4 => self.ipv4,
            Family::V6 => self.ipv6,
        }
    }

    /// The families it speaks.
    fn families(&self) -> impl Iterator<Item = Family> + use<> {
        let v4 = self.ipv4.then_some(Family::V4);
        let v6 = self.ipv6.then_some(Family::V6);
        v4.into_iter().chain(v6)
    }

    /// Has so many joins of a joiner from now on. True if the NIC was no member before, or is none any more.
    fn count(&mut self, group: Key, before: Joins, joiner: Joiner, count: u32) -> bool {
        let after = before.with(joiner, count);
        self.members.set(group, after);
        before.is_none() != after.is_none()
    }

    /// Counts a join of the NIC's own, or takes it back. True as of [`count`](Self::count).
    fn count_own(&mut self, group: Key, is_join: bool) -> bool {
        let before = self.members.joins(group);
        let by_nic = if is_join {
            before.by_nic.saturating_add(1)
        } else {
            before.by_nic.saturating_sub(1)
        };
        self.count(group, before, Joiner::Nic, by_nic)
    }

    /// Tells on the link, if that is done, that the NIC has become a member, or is none any more.
    fn tell(
        &mut self,
        group: Key,
        is_member: bool,
        now: Time,
        rng: &mut fastrand::Rng,
        out: &mut Vec<GroupMessage>,
    ) {
        match self.host_of(group) {
            Some(host) if is_member => host.joined(group.into(), now, rng, out),
            Some(host) => host.left(group.into(), now, rng, out),
            None => {}
        }
    }

    /// The host that reports a group, if there is one and the NIC is enabled.
    fn host_of(&mut self, group: Key) -> Option<&mut Host> {
        let family = group.family();
        if !self.enabled || !is_reported(group, family) {
            return None;
        }
        match family {
            Family::V4 => self.igmp.as_mut(),
            Family::V6 => self.mld.as_mut(),
        }
    }

    /// Joins all-systems and all-nodes and reports what is joined. False if it was enabled already.
    pub(crate) fn enable(
        &mut self,
        now: Time,
        rng: &mut fastrand::Rng,
        out: &mut Vec<GroupMessage>,
    ) -> bool {
        if self.enabled {
            return false;
        }
        self.enabled = true;
        for family in self.families() {
            self.count_own(all_hosts(family), true);
        }
        for (family, host) in hosts(&mut self.igmp, &mut self.mld) {
            host.join_all(&reported(&self.members, family), now, rng, out);
        }
        true
    }

    /// What is forwarded.
    pub(crate) fn forwarding(&self) -> Forwarding {
        self.forwarding
    }

    /// Joins the groups of all routers of each family that is forwarded from now on, and leaves those
    /// of each that no longer is. A NIC that is disabled does so too, as netstack's does: what it says
    /// on the link of them waits until it is enabled, as for users' joins.
    pub(crate) fn set_forwarding(
        &mut self,
        forwarding: Forwarding,
        now: Time,
        rng: &mut fastrand::Rng,
        out: &mut Vec<GroupMessage>,
    ) {
        let before = std::mem::replace(&mut self.forwarding, forwarding);
        for family in self.families() {
            let on = forwarding.of(family);
            if on == before.of(family) {
                continue;
            }
            for &group in all_routers(family) {
                if self.count_own(group, on) {
                    self.tell(group, on, now, rng, out);
                }
            }
        }
    }

    /// Reports all groups of a family once more: there is a better source to report them from.
    pub(crate) fn announce(
        &mut self,
        family: Family,
        now: Time,
        rng: &mut fastrand::Rng,
        out: &mut Vec<GroupMessage>,
    ) {
        if !self.enabled {
            return;
        }
        let mut hosts = hosts(&mut self.igmp, &mut self.mld);
        if let Some((_, host)) = hosts.find(|(of, _)| *of == family) {
            host.announce(&reported(&self.members, family), now, rng, out);
        }
    }

    /// Leaves all groups on the link and forgets what was to be sent; the counts stay, but for
    /// what `enable` joined. False if it was disabled already.
    pub(crate) fn disable(&mut self, now: Time, out: &mut Vec<GroupMessage>) -> bool {
        if !self.enabled {
            return false;
        }
        for (family, host) in hosts(&mut self.igmp, &mut self.mld) {
            host.leave_all(&reported(&self.members, family), now, out);
        }
        for family in self.families() {
            self.count_own(all_hosts(family), false);
        }
        self.enabled = false;
        true
    }

    /// A query came in. The answer waits for its random delay.
    pub(crate) fn query(
        &mut self,
        family: Family,
        query: &Query,
        now: Time,
        rng: &mut fastrand::Rng,
    ) {
        if !self.enabled {
            return;
        }
        let mut hosts = hosts(&mut self.igmp, &mut self.mld);
        if let Some((_, host)) = hosts.find(|&(of, _)| of == family) {
            host.queried(query, &self.members, now, rng);
        }
    }

    /// Another host's IGMPv1, IGMPv2 or MLDv1 report came in. Not to be called for copies of the
    /// NIC's own.
    pub(crate) fn heard_report(&mut self, group: Key, now: Time) {
        if let Some(host) = self.host_of(group) {
            host.heard(group.into(), now);
        }
    }

    /// When [`poll`](Self::poll) has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let hosts = self.igmp.iter().chain(&self.mld);
        hosts.filter_map(Host::next_deadline).min()
    }

    /// Sends what is due.
    pub(crate) fn poll(&mut self, now: Time, rng: &mut fastrand::Rng, out: &mut Vec<GroupMessage>) {
        for (_, host) in hosts(&mut self.igmp, &mut self.mld) {
            host.poll(&self.members, now, rng, out);
        }
    }

    /// Sets a group's counts behind the protocols' back.
    #[cfg(test)]
    pub(super) fn fill(&mut self, group: Key, joins: Joins) {
        self.members.set(group, joins);
    }

    /// What is kept beside the counts: entries of any kind.
    #[cfg(test)]
    pub(super) fn pending(&self) -> usize {
        let hosts = self.igmp.iter().chain(&self.mld);
        hosts.map(Host::len).sum()
    }
}

fn hosts<'a>(
    igmp: &'a mut Option<Host>,
    mld: &'a mut Option<Host>,
) -> impl Iterator<Item = (Family, &'a mut Host)> {
    let igmp = igmp.iter_mut().map(|host| (Family::V4, host));
    igmp.chain(mld.iter_mut().map(|host| (Family::V6, host)))
}
