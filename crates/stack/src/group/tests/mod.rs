//! The protocols under virtual time.

mod counts;
mod model;
mod querier;
mod records;
mod reports;
mod routers;

use std::net::IpAddr;
use std::time::Duration;

use corelane_wire::RecordKind;

use super::set::Joins;
use super::*;
use crate::address::{Family, Key};
use crate::clock::Time;
use crate::config::Forwarding;

const SECOND: Duration = Duration::from_secs(1);

/// What the two protocols are configured to speak.
const NEWEST: (Option<IgmpVersion>, Option<MldVersion>) =
    (Some(IgmpVersion::V3), Some(MldVersion::V2));
const OLDER: (Option<IgmpVersion>, Option<MldVersion>) =
    (Some(IgmpVersion::V2), Some(MldVersion::V1));

/// A NIC's groups, their clock and what they sent when.
struct Nic {
    groups: Groups,
    now: Time,
    rng: fastrand::Rng,
    sent: Vec<(Time, GroupMessage)>,
}

fn config((igmp, mld): (Option<IgmpVersion>, Option<MldVersion>)) -> GroupsConfig {
    GroupsConfig {
        ipv4: true,
        ipv6: true,
        igmp,
        mld,
        igmp_records: records_per_message(Family::V4, 1500),
        mld_records: records_per_message(Family::V6, 1500),
        seed: 7,
    }
}

impl Nic {
    fn disabled(config: &GroupsConfig) -> Self {
        Self {
            groups: Groups::new(config),
            now: Time::from_nanos(1_000_000_000),
            rng: fastrand::Rng::with_seed(42),
            sent: Vec::new(),
        }
    }

    fn with(config: &GroupsConfig) -> Self {
        let mut nic = Self::disabled(config);
        assert!(nic.enable());
        assert!(
            nic.sent.is_empty(),
            "all-nodes and all-systems go unreported"
        );
        nic
    }

    /// Enabled, with IGMP and MLD of these versions.
    fn new(versions: (Option<IgmpVersion>, Option<MldVersion>)) -> Self {
        Self::with(&config(versions))
    }

    fn sending<R>(
        &mut self,
        call: impl FnOnce(&mut Groups, Time, &mut fastrand::Rng, &mut Vec<GroupMessage>) -> R,
    ) -> R {
        let mut out = Vec::new();
        let result = call(&mut self.groups, self.now, &mut self.rng, &mut out);
        let now = self.now;
        self.sent
            .extend(out.into_iter().map(|message| (now, message)));
        result
    }

    fn enable(&mut self) -> bool {
        self.sending(Groups::enable)
    }

    fn disable(&mut self) -> bool {
        self.sending(|groups, now, _, out| groups.disable(now, out))
    }

    fn forward(&mut self, forwarding: Forwarding) {
        self.sending(|groups, now, rng, out| groups.set_forwarding(forwarding, now, rng, out));
    }

    fn join(&mut self, group: &str) -> bool {
        self.join_as(Joiner::User, group)
    }

    fn join_as(&mut self, joiner: Joiner, group: &str) -> bool {
        let key = key(group);
        self.sending(|groups, now, rng, out| groups.join(key, joiner, now, rng, out))
            .unwrap()
    }

    fn leave(&mut self, group: &str) -> bool {
        self.try_leave(Joiner::User, group).unwrap()
    }

    fn try_leave(&mut self, joiner: Joiner, group: &str) -> Result<bool, NotJoined> {
        let key = key(group);
        self.sending(|groups, now, rng, out| groups.leave(key, joiner, now, rng, out))
    }

    fn query(&mut self, family: Family, query: &Query) {
        self.groups.query(family, query, self.now, &mut self.rng);
    }

    fn heard(&mut self, group: &str) {
        self.groups.heard_report(key(group), self.now);
    }

    /// Lets time pass, polling when the groups ask for it.
    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.groups.next_deadline().filter(|&at| at <= end) {
            assert!(at >= self.now, "a deadline in the past");
            self.now = at;
            let before = self.sent.len();
            self.sending(Groups::poll);
            assert!(
                self.sent.len() > before || self.groups.next_deadline() != Some(at),
                "a deadline with nothing to do would be polled for ever"
            );
        }
        self.now = end;
    }

    /// What was sent since this was last asked.
    fn take(&mut self) -> Vec<GroupMessage> {
        let sent = std::mem::take(&mut self.sent);
        sent.into_iter().map(|(_, message)| message).collect()
    }

    /// The same with the time since `start`.
    fn take_since(&mut self, start: Time) -> Vec<(Duration, GroupMessage)> {
        let sent = std::mem::take(&mut self.sent);
        sent.into_iter()
            .map(|(at, message)| (at.saturating_since(start), message))
            .collect()
    }

    /// All that was to be sent is sent: no timers, no state beside the counts.
    #[track_caller]
    fn assert_idle(&self) {
        assert_eq!(self.groups.next_deadline(), None);
        assert_eq!(self.groups.pending(), 0);
    }
}

fn ip(address: &str) -> IpAddr {
    address.parse().unwrap()
}

fn key(address: &str) -> Key {
    ip(address).into()
}

fn v1_report(group: &str) -> GroupMessage {
    GroupMessage::V1Report { group: ip(group) }
}

fn v2_report(group: &str) -> GroupMessage {
    GroupMessage::V2Report { group: ip(group) }
}

fn leave(group: &str) -> GroupMessage {
    GroupMessage::Leave { group: ip(group) }
}

fn record(kind: RecordKind, group: &str) -> Record {
    record_of(kind, group, &[])
}

fn record_of(kind: RecordKind, group: &str, sources: &[&str]) -> Record {
    Record {
        kind,
        group: ip(group),
        sources: sources.iter().map(|source| ip(source)).collect(),
    }
}

/// A report with one record without sources.
fn report(kind: RecordKind, group: &str) -> GroupMessage {
    reports(vec![record(kind, group)])
}

fn reports(records: Vec<Record>) -> GroupMessage {
    GroupMessage::Report {
        family: Family::of(records[0].group),
        records,
    }
}

/// A query of version `version`, to be answered within 10 s.
fn general(version: u8) -> Query {
    Query {
        version,
        group: None,
        max_response: 10 * SECOND,
        robustness: 2,
        interval: 125 * SECOND,
        sources: Vec::new(),
    }
}

fn specific(version: u8, group: &str) -> Query {
    Query {
        group: Some(ip(group)),
        ..general(version)
    }
}

fn of_sources(version: u8, group: &str, sources: &[&str]) -> Query {
    Query {
        sources: sources.iter().map(|source| ip(source)).collect(),
        ..specific(version, group)
    }
}

/// The records of all reports, in order.
fn records_in(messages: &[GroupMessage]) -> Vec<Record> {
    messages
        .iter()
        .flat_map(|message| match message {
            GroupMessage::Report { records, .. } => records.clone(),
            other => panic!("{other:?} is no report of records"),
        })
        .collect()
}
