//! Joins, counts, sets, enabling and disabling.

use super::*;

const GROUP: &str = "239.1.2.3";
const SOLICITED: &str = "ff02::1:ff00:1";

#[test]
fn e1_the_first_join_makes_a_member_and_further_joins_count() {
    let mut nic = Nic::new(NEWEST);
    assert!(!nic.groups.set().contains(key(GROUP)));
    assert!(nic.join(GROUP));
    assert!(!nic.join(GROUP));
    assert!(nic.groups.set().contains(key(GROUP)));
    assert_eq!(nic.groups.set().joins(key(GROUP)).by_user, 2);
    assert_eq!(nic.take().len(), 1, "only the first join is told");
}

#[test]
fn e3_the_last_leave_ends_it_and_one_more_is_refused() {
    let mut nic = Nic::new(NEWEST);
    assert_eq!(
        nic.try_leave(Joiner::User, GROUP),
        Err(NotJoined(ip(GROUP)))
    );
    nic.join(GROUP);
    nic.join(GROUP);
    nic.take();
    assert!(!nic.leave(GROUP));
    assert!(nic.take().is_empty());
    assert!(nic.leave(GROUP));
    assert_eq!(nic.take().len(), 1);
    assert!(!nic.groups.set().contains(key(GROUP)));
    assert_eq!(
        nic.try_leave(Joiner::User, GROUP),
        Err(NotJoined(ip(GROUP)))
    );
}

#[test]
fn bug02_bug03_bug11_a_user_cannot_take_away_the_nics_join_nor_the_nic_the_users() {
    let mut nic = Nic::new(NEWEST);
    assert!(nic.join_as(Joiner::Nic, SOLICITED));
    assert_eq!(
        nic.try_leave(Joiner::User, SOLICITED),
        Err(NotJoined(ip(SOLICITED)))
    );
    assert!(!nic.join(SOLICITED));
    assert_eq!(nic.try_leave(Joiner::User, SOLICITED), Ok(false));
    assert!(nic.groups.set().contains(key(SOLICITED)));

    nic.join(SOLICITED);
    assert_eq!(nic.try_leave(Joiner::Nic, SOLICITED), Ok(false));
    assert_eq!(
        nic.try_leave(Joiner::Nic, SOLICITED),
        Err(NotJoined(ip(SOLICITED)))
    );
    assert!(nic.groups.set().contains(key(SOLICITED)));
    assert!(nic.leave(SOLICITED));
    assert!(!nic.groups.set().contains(key(SOLICITED)));
}

#[test]
fn e7_bug05_a_solicited_node_group_lasts_as_long_as_the_last_of_its_addresses() {
    let mut nic = Nic::new(NEWEST);
    for first in [true, false, false] {
        assert_eq!(nic.join_as(Joiner::Nic, SOLICITED), first);
    }
    for gone in [false, false, true] {
        assert_eq!(nic.try_leave(Joiner::Nic, SOLICITED), Ok(gone));
    }
    nic.pass(10 * SECOND);
    nic.assert_idle();
}

#[test]
fn e6_enabling_joins_all_nodes_and_all_systems_of_the_families_spoken() {
    for (ipv4, ipv6) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut nic = Nic::with(&GroupsConfig {
            ipv4,
            ipv6,
            ..config(NEWEST)
        });
        assert_eq!(nic.groups.set().contains(key("224.0.0.1")), ipv4);
        assert_eq!(nic.groups.set().contains(key("ff02::1")), ipv6);
        assert!(!nic.enable(), "it was enabled already");
        assert!(nic.disable());
        assert!(!nic.disable());
        assert_eq!(nic.groups.set().len(), 0);
        assert!(nic.take().is_empty());
    }
}

#[test]
fn nobody_takes_away_what_enabling_joined() {
    let mut nic = Nic::new(NEWEST);
    for group in ["ff02::1", "224.0.0.1"] {
        for joiner in [Joiner::User, Joiner::Nic] {
            assert_eq!(nic.try_leave(joiner, group), Err(NotJoined(ip(group))));
            assert!(!nic.join_as(joiner, group));
            assert_eq!(nic.try_leave(joiner, group), Ok(false));
        }
        nic.join(group);
    }
    nic.disable();
    assert_eq!(nic.groups.set().joins(key("ff02::1")).by_user, 1);
    assert_eq!(nic.groups.set().joins(key("ff02::1")).by_nic, 0);
    assert!(nic.leave("ff02::1"));
}

#[test]
fn a_count_that_is_full_is_an_error() {
    let mut nic = Nic::new(NEWEST);
    let full = |by_nic, by_user| Joins { by_user, by_nic };
    nic.groups.fill(key(GROUP), full(0, u32::MAX - 1));
    let result =
        nic.sending(|groups, now, rng, out| groups.join(key(GROUP), Joiner::User, now, rng, out));
    assert_eq!(result, Err(TooManyJoins(ip(GROUP))));
    assert!(!nic.join_as(Joiner::Nic, GROUP), "the other count has room");
    // Enabling always has room for its own join, and disabling takes back just that.
    nic.disable();
    nic.groups.fill(key("ff02::1"), full(u32::MAX - 1, 0));
    nic.enable();
    nic.disable();
    let joins = nic.groups.set().joins(key("ff02::1"));
    assert_eq!(joins, full(u32::MAX - 1, 0));
}

#[test]
fn a_snapshot_of_the_set_stays_as_it_is() {
    let mut nic = Nic::new(NEWEST);
    nic.join(GROUP);
    let snapshot = nic.groups.set().clone();
    nic.join("ff05::7");
    nic.leave(GROUP);
    assert!(snapshot.contains(key(GROUP)));
    assert!(!snapshot.contains(key("ff05::7")));
    assert!(!nic.groups.set().contains(key(GROUP)));
}

#[test]
fn the_list_has_every_group_and_both_counts() {
    let mut nic = Nic::new(NEWEST);
    nic.join(GROUP);
    nic.join(SOLICITED);
    nic.join_as(Joiner::Nic, SOLICITED);
    let mut list: Vec<_> = nic.groups.list().collect();
    list.sort_by_key(|&(group, _)| group);
    let joins = |by_user, by_nic| Joins { by_user, by_nic };
    let expected = [
        (ip("224.0.0.1"), joins(0, 1)),
        (ip(GROUP), joins(1, 0)),
        (ip("ff02::1"), joins(0, 1)),
        (ip(SOLICITED), joins(1, 1)),
    ];
    assert_eq!(list, expected);
}

#[test]
fn while_disabled_joins_only_count_and_enabling_reports_them() {
    for (versions, expected) in [
        (
            NEWEST,
            vec![
                reports(vec![
                    record(RecordKind::ChangeToExclude, "239.0.0.2"),
                    record(RecordKind::ChangeToExclude, GROUP),
                ]),
                report(RecordKind::ChangeToExclude, SOLICITED),
            ],
        ),
        (
            OLDER,
            vec![
                v2_report("239.0.0.2"),
                v2_report(GROUP),
                v1_report(SOLICITED),
            ],
        ),
        ((None, None), vec![]),
    ] {
        let mut nic = Nic::disabled(&config(versions));
        nic.join(GROUP);
        nic.join_as(Joiner::Nic, SOLICITED);
        nic.join("239.0.0.2");
        nic.join("239.0.0.3");
        nic.leave("239.0.0.3");
        for (family, version) in [(Family::V4, 2), (Family::V6, 1)] {
            nic.query(family, &general(version));
        }
        nic.heard(GROUP);
        nic.assert_idle();
        assert!(nic.take().is_empty());
        nic.enable();
        assert_eq!(nic.take(), expected);
        nic.pass(10 * SECOND);
        let mut repeated = nic.take();
        // Each protocol has its own random delay.
        repeated.sort_by_key(|message| match message {
            GroupMessage::Report { family, .. } => Some(*family),
            _ => None,
        });
        if versions == OLDER {
            assert_eq!(repeated.len(), expected.len(), "each once more");
        } else {
            assert_eq!(repeated, expected, "once more");
        }
        nic.assert_idle();
    }
}

#[test]
fn disabling_leaves_on_the_link_keeps_the_joins_and_drops_the_timers() {
    for (versions, expected) in [
        (
            NEWEST,
            vec![
                report(RecordKind::ChangeToInclude, GROUP),
                report(RecordKind::ChangeToInclude, SOLICITED),
            ],
        ),
        (OLDER, vec![leave(GROUP), leave(SOLICITED)]),
        ((None, None), vec![]),
    ] {
        let mut nic = Nic::new(versions);
        nic.join(GROUP);
        nic.join_as(Joiner::Nic, SOLICITED);
        nic.query(Family::V4, &specific(3, GROUP));
        nic.take();
        nic.disable();
        assert_eq!(nic.take(), expected);
        nic.assert_idle();
        assert!(nic.groups.set().contains(key(GROUP)));
        assert!(nic.groups.set().contains(key(SOLICITED)));
        assert!(nic.leave(GROUP));
        assert!(nic.take().is_empty(), "left on the link already");
        nic.enable();
        nic.try_leave(Joiner::Nic, SOLICITED).unwrap();
        nic.pass(10 * SECOND);
        nic.assert_idle();
    }
}

#[test]
fn without_a_protocol_nothing_is_sent_nor_kept() {
    let mut nic = Nic::new((None, None));
    nic.join(GROUP);
    nic.join(SOLICITED);
    for family in [Family::V4, Family::V6] {
        for version in 0..5 {
            nic.query(family, &general(version));
        }
    }
    nic.heard(GROUP);
    nic.leave(GROUP);
    nic.assert_idle();
    assert!(nic.take().is_empty());
}

#[test]
fn all_systems_all_nodes_and_mld_scopes_0_and_1_are_never_reported() {
    for versions in [NEWEST, OLDER] {
        let mut nic = Nic::new(versions);
        let silent = [
            "224.0.0.1",
            "ff02::1",
            "ff00::5",
            "ff01::5",
            "ff11::1:2",
            "ff30::9",
        ];
        for group in silent {
            nic.join(group);
            for (family, version) in [(Family::V4, 1), (Family::V4, 2), (Family::V4, 3)] {
                nic.query(family, &specific(version, group));
                nic.query(family, &general(version));
            }
            for version in [1, 2] {
                nic.query(Family::V6, &specific(version, group));
                nic.query(Family::V6, &general(version));
            }
        }
        nic.pass(20 * SECOND);
        for group in silent {
            nic.leave(group);
        }
        nic.disable();
        nic.pass(20 * SECOND);
        assert_eq!(nic.take(), []);
        nic.assert_idle();
    }
}

#[test]
fn the_same_seed_gives_the_same_messages_at_the_same_times() {
    let run = |seed| {
        let mut nic = Nic::new(NEWEST);
        nic.rng = fastrand::Rng::with_seed(seed);
        for low in 1..200 {
            nic.join(&format!("239.0.0.{low}"));
            nic.join(&format!("ff05::{low}"));
        }
        nic.query(Family::V4, &general(2));
        nic.query(Family::V6, &general(2));
        nic.pass(20 * SECOND);
        nic.disable();
        nic.sent
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn many_groups_leave_nothing_behind_once_all_is_told() {
    for versions in [NEWEST, OLDER] {
        let mut nic = Nic::new(versions);
        let groups: Vec<_> = (0..20_000u32)
            .map(|low| format!("ff02::1:ff{:x}:{:x}", low >> 16, low & 0xffff))
            .collect();
        for group in &groups {
            assert!(nic.join_as(Joiner::Nic, group));
        }
        assert_eq!(nic.take().len(), groups.len());
        nic.pass(10 * SECOND);
        nic.assert_idle();
        for group in &groups {
            assert_eq!(nic.try_leave(Joiner::Nic, group), Ok(true));
        }
        nic.pass(10 * SECOND);
        nic.assert_idle();
        assert_eq!(nic.groups.set().len(), 2);
    }
}
