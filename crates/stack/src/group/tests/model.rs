//! Random calls against a model of the counts, and against what a router concludes from what was
//! sent.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// Some reported, some never.
const GROUPS: [&str; 12] = [
    "239.1.2.3",
    "224.0.0.251",
    "224.0.0.1",
    "224.0.0.2",
    "ff02::1",
    "ff01::2",
    "ff02::2",
    "ff05::2",
    "ff02::1:ff00:1",
    "ff02::1:ff00:2",
    "ff05::7",
    "ff01::7",
];

/// Where the unreported ones are.
const UNREPORTED: [&str; 4] = ["224.0.0.1", "ff02::1", "ff01::2", "ff01::7"];

#[derive(Clone, Debug)]
enum Call {
    Join(usize, bool),
    Leave(usize, bool),
    Enable,
    Disable,
    Forward(Forwarding),
    Query {
        v4: bool,
        version: u8,
        group: Option<usize>,
        max_response: u64,
        robustness: u8,
        sources: u16,
    },
    Heard(usize),
    Pass(u64),
}

fn call() -> impl Strategy<Value = Call> {
    let group = || 0..GROUPS.len();
    prop_oneof![
        6 => (group(), any::<bool>()).prop_map(|(g, user)| Call::Join(g, user)),
        6 => (group(), any::<bool>()).prop_map(|(g, user)| Call::Leave(g, user)),
        1 => Just(Call::Enable),
        1 => Just(Call::Disable),
        2 => any::<(bool, bool)>().prop_map(|(v4, v6)| Call::Forward(Forwarding { v4, v6 })),
        3 => (
            any::<bool>(),
            0..5u8,
            proptest::option::of(group()),
            0..20_000u64,
            0..9u8,
            0..4u16,
        )
            .prop_map(|(v4, version, group, max_response, robustness, sources)| Call::Query {
                v4, version, group, max_response, robustness, sources,
            }),
        2 => group().prop_map(Call::Heard),
        4 => (0..30_000u64).prop_map(Call::Pass),
        1 => (0..600_000u64).prop_map(Call::Pass),
    ]
}

fn versions() -> impl Strategy<Value = (Option<IgmpVersion>, Option<MldVersion>)> {
    let igmp = [None, Some(IgmpVersion::V2), Some(IgmpVersion::V3)];
    let mld = [None, Some(MldVersion::V1), Some(MldVersion::V2)];
    (
        proptest::sample::select(igmp.to_vec()),
        proptest::sample::select(mld.to_vec()),
    )
}

/// What a router takes to be joined, by what it was sent.
fn heard_by_router(joined: &mut BTreeSet<IpAddr>, message: &GroupMessage) {
    match message {
        GroupMessage::V1Report { group } | GroupMessage::V2Report { group } => {
            joined.insert(*group);
        }
        GroupMessage::Leave { group } => {
            joined.remove(group);
        }
        GroupMessage::Report { family, records } => {
            assert!(!records.is_empty());
            for record in records {
                assert_eq!(Family::of(record.group), *family);
                match record.kind {
                    RecordKind::ChangeToInclude => {
                        joined.remove(&record.group);
                    }
                    _ => {
                        joined.insert(record.group);
                    }
                }
            }
        }
    }
}

/// What a test of random calls knows beside the groups themselves.
#[derive(Default)]
struct Model {
    /// By user and by NIC; what enabling and forwarding join is apart.
    counts: BTreeMap<usize, [u32; 2]>,
    enabled: bool,
    forwarding: Forwarding,
}

impl Model {
    fn own(&self, group: usize) -> u32 {
        u32::from(match GROUPS[group] {
            "224.0.0.1" | "ff02::1" => self.enabled,
            "224.0.0.2" => self.forwarding.v4,
            "ff01::2" | "ff02::2" | "ff05::2" => self.forwarding.v6,
            _ => false,
        })
    }

    fn joins(&self, group: usize) -> Joins {
        let [by_user, by_nic] = self.counts.get(&group).copied().unwrap_or_default();
        Joins {
            by_user,
            by_nic: by_nic + self.own(group),
        }
    }

    /// Whether the group is joined at all.
    fn is_member(&self, group: usize) -> bool {
        self.joins(group) != Joins::default()
    }

    fn join(&mut self, group: usize, user: bool) -> bool {
        let first = !self.is_member(group);
        self.counts.entry(group).or_default()[usize::from(!user)] += 1;
        first
    }

    fn leave(&mut self, group: usize, user: bool) -> Option<bool> {
        let counts = self.counts.entry(group).or_default();
        let count = &mut counts[usize::from(!user)];
        *count = count.checked_sub(1)?;
        Some(!self.is_member(group))
    }
}

fn joiner(user: bool) -> Joiner {
    if user { Joiner::User } else { Joiner::Nic }
}

fn perform(nic: &mut Nic, model: &mut Model, call: &Call) {
    match *call {
        Call::Join(group, user) => {
            let first = model.join(group, user);
            assert_eq!(nic.join_as(joiner(user), GROUPS[group]), first);
        }
        Call::Leave(group, user) => {
            let expected = model.leave(group, user);
            let gone = nic.try_leave(joiner(user), GROUPS[group]);
            assert_eq!(gone.ok(), expected);
        }
        Call::Enable => {
            assert_eq!(nic.enable(), !model.enabled);
            model.enabled = true;
        }
        Call::Disable => {
            assert_eq!(nic.disable(), model.enabled);
            model.enabled = false;
            nic.assert_idle();
        }
        Call::Forward(forwarding) => {
            nic.forward(forwarding);
            model.forwarding = forwarding;
        }
        Call::Query {
            v4,
            version,
            group,
            max_response,
            robustness,
            sources,
        } => {
            let family = if v4 { Family::V4 } else { Family::V6 };
            let sources = (0..sources).map(|low| match family {
                Family::V4 => IpAddr::from([192, 0, 2, low as u8]),
                Family::V6 => IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, low]),
            });
            let query = Query {
                version,
                group: group.map(|group| ip(GROUPS[group])),
                max_response: Duration::from_millis(max_response),
                robustness,
                interval: 30 * SECOND,
                sources: sources.collect(),
            };
            nic.query(family, &query);
        }
        Call::Heard(group) => nic.heard(GROUPS[group]),
        Call::Pass(millis) => nic.pass(Duration::from_millis(millis)),
    }
}

proptest! {
    #[test]
    fn random_calls_never_let_the_counts_drift_nor_leave_anything_behind(
        versions in versions(),
        seed in any::<u64>(),
        calls in proptest::collection::vec(call(), 1..120),
    ) {
        let mut nic = Nic::disabled(&config(versions));
        nic.rng = fastrand::Rng::with_seed(seed);
        let mut model = Model::default();
        for call in &calls {
            perform(&mut nic, &mut model, call);
            let expected: BTreeMap<_, _> = (0..GROUPS.len())
                .filter(|&group| model.is_member(group))
                .map(|group| (ip(GROUPS[group]), model.joins(group)))
                .collect();
            let list: BTreeMap<_, _> = nic.groups.list().collect();
            prop_assert_eq!(&list, &expected);
            for group in GROUPS {
                let member = expected.contains_key(&ip(group));
                prop_assert_eq!(nic.groups.set().contains(key(group)), member);
            }
            prop_assert!(model.enabled || nic.groups.next_deadline().is_none());
        }
        for (_, message) in &nic.sent {
            let mut told = BTreeSet::new();
            heard_by_router(&mut told, message);
            for group in UNREPORTED {
                prop_assert!(!told.contains(&ip(group)), "{} was reported", group);
            }
        }
        // All leave: in the end there is nothing but what enabling joined, and nothing to do.
        for (group, name) in GROUPS.iter().enumerate() {
            for user in [true, false] {
                while let Some(gone) = model.leave(group, user) {
                    prop_assert_eq!(nic.try_leave(joiner(user), name), Ok(gone));
                }
                prop_assert!(nic.try_leave(joiner(user), name).is_err());
            }
        }
        nic.forward(Forwarding::OFF);
        nic.pass(100 * SECOND);
        nic.assert_idle();
        nic.disable();
        prop_assert_eq!(nic.groups.set().len(), 0);
    }

    /// Without another host on the link, a router that speaks the version in force knows every
    /// group that is joined, and no other: a leave is sent always when a reported group ends.
    #[test]
    fn a_router_knows_what_is_joined(
        newest in any::<bool>(),
        seed in any::<u64>(),
        calls in proptest::collection::vec(call(), 1..120),
    ) {
        let (versions, spoken) = if newest { (NEWEST, [3, 2]) } else { (OLDER, [2, 1]) };
        let mut nic = Nic::disabled(&config(versions));
        nic.rng = fastrand::Rng::with_seed(seed);
        let mut model = Model::default();
        let mut router = BTreeSet::new();
        for call in &calls {
            match call {
                Call::Heard(_) => continue,
                Call::Query { v4, version, .. } if spoken[usize::from(!v4)] != *version => continue,
                _ => perform(&mut nic, &mut model, call),
            }
            for message in nic.take() {
                heard_by_router(&mut router, &message);
            }
            let reported: BTreeSet<_> = (0..GROUPS.len())
                .filter(|&group| model.enabled && model.is_member(group))
                .map(|group| GROUPS[group])
                .filter(|group| !UNREPORTED.contains(group))
                .map(ip)
                .collect();
            prop_assert_eq!(&router, &reported);
        }
    }
}
