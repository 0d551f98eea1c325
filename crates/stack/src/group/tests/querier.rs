//! Older queriers: RFC 2236 section 4, RFC 3376 section 7.2.1, RFC 3810 section 8.2.1.

use RecordKind::{ChangeToExclude, ChangeToInclude, ModeIsExclude};

use super::*;

const V4: &str = "239.1.2.3";
const V6: &str = "ff05::1:3";

fn settled(versions: (Option<IgmpVersion>, Option<MldVersion>)) -> Nic {
    let mut nic = Nic::new(versions);
    nic.join(V4);
    nic.join(V6);
    nic.pass(10 * SECOND);
    nic.take();
    nic.assert_idle();
    nic
}

/// What a join and a leave look like now tells the version in force.
fn join_and_leave(nic: &mut Nic, group: &str) -> Vec<GroupMessage> {
    nic.take();
    nic.join(group);
    nic.leave(group);
    nic.take()
}

const OTHER_V4: &str = "239.5.5.5";
const OTHER_V6: &str = "ff05::5";

fn in_v3() -> Vec<GroupMessage> {
    [ChangeToExclude, ChangeToInclude]
        .map(|kind| report(kind, OTHER_V4))
        .into()
}

fn in_v2() -> Vec<GroupMessage> {
    vec![v2_report(OTHER_V4), leave(OTHER_V4)]
}

fn in_v1() -> Vec<GroupMessage> {
    vec![v1_report(OTHER_V4)]
}

fn in_mld_v2() -> Vec<GroupMessage> {
    [ChangeToExclude, ChangeToInclude]
        .map(|kind| report(kind, OTHER_V6))
        .into()
}

fn in_mld_v1() -> Vec<GroupMessage> {
    vec![v1_report(OTHER_V6), leave(OTHER_V6)]
}

#[test]
fn rfc2236_4_an_igmpv2_host_speaks_version_1_for_400_seconds_after_a_version_1_query() {
    let mut nic = settled(OLDER);
    nic.query(Family::V4, &general(1));
    nic.pass(10 * SECOND);
    assert_eq!(nic.take(), [v1_report(V4)]);
    assert_eq!(join_and_leave(&mut nic, OTHER_V4), in_v1());
    // Not a matter of the version heard last.
    nic.query(Family::V4, &general(2));
    nic.pass(10 * SECOND);
    assert_eq!(nic.take(), [v1_report(V4)]);
    nic.pass(380 * SECOND - Duration::from_nanos(1));
    assert_eq!(join_and_leave(&mut nic, OTHER_V4), in_v1());
    nic.pass(Duration::from_nanos(1));
    assert_eq!(join_and_leave(&mut nic, OTHER_V4), in_v2());
}

#[test]
fn rfc2236_4_a_version_1_query_is_answered_within_10_seconds_whatever_it_says() {
    for versions in [OLDER, NEWEST] {
        for seed in 0..50 {
            let mut nic = settled(versions);
            nic.rng = fastrand::Rng::with_seed(seed);
            let start = nic.now;
            nic.query(
                Family::V4,
                &Query {
                    max_response: Duration::ZERO,
                    ..general(1)
                },
            );
            nic.pass(100 * SECOND);
            let sent = nic.take_since(start);
            assert_eq!(sent.len(), 1);
            assert!(sent[0].0 > Duration::ZERO && sent[0].0 <= 10 * SECOND);
        }
    }
}

#[test]
fn rfc2236_4_an_igmpv2_host_goes_on_with_its_reports_when_the_version_changes() {
    let mut nic = settled(OLDER);
    nic.join(OTHER_V4);
    nic.take();
    nic.query(Family::V4, &general(1));
    nic.pass(10 * SECOND);
    let mut sent = nic.take();
    sent.sort_by_key(|message| format!("{message:?}"));
    assert_eq!(sent, [v1_report(V4), v1_report(OTHER_V4)]);
}

#[test]
fn rfc3376_7_2_1_an_igmpv3_host_speaks_version_2_while_its_querier_is_present() {
    let mut nic = settled(NEWEST);
    nic.query(Family::V4, &general(2));
    nic.pass(10 * SECOND);
    assert_eq!(nic.take(), [v2_report(V4)]);
    // Robustness x query interval + response interval: 2 x 125 s + 10 s after the query.
    nic.pass(250 * SECOND - Duration::from_nanos(1));
    assert_eq!(join_and_leave(&mut nic, OTHER_V4), in_v2());
    nic.pass(Duration::from_nanos(1));
    assert_eq!(join_and_leave(&mut nic, OTHER_V4), in_v3());
}

#[test]
fn rfc3376_7_2_1_the_timeout_follows_what_the_newest_querier_said() {
    let mut nic = settled(NEWEST);
    nic.query(
        Family::V4,
        &Query {
            robustness: 3,
            interval: 20 * SECOND,
            ..general(3)
        },
    );
    nic.pass(10 * SECOND);
    nic.query(
        Family::V4,
        &Query {
            max_response: 4 * SECOND,
            ..general(2)
        },
    );
    nic.pass(64 * SECOND - Duration::from_nanos(1));
    assert_eq!(join_and_leave(&mut nic, OTHER_V4), in_v2());
    nic.pass(Duration::from_nanos(1));
    assert_eq!(join_and_leave(&mut nic, OTHER_V4), in_v3());
}

#[test]
fn rfc3376_7_2_1_version_1_goes_before_version_2_and_each_ends_by_its_own_timer() {
    let mut nic = settled(NEWEST);
    nic.query(Family::V4, &general(1)); // until 260 s
    nic.pass(100 * SECOND);
    nic.query(Family::V4, &general(2)); // until 360 s
    assert_eq!(join_and_leave(&mut nic, OTHER_V4), in_v1());
    nic.pass(160 * SECOND - Duration::from_nanos(1));
    assert_eq!(join_and_leave(&mut nic, OTHER_V4), in_v1());
    nic.pass(Duration::from_nanos(1));
    assert_eq!(join_and_leave(&mut nic, OTHER_V4), in_v2());
    nic.pass(100 * SECOND);
    assert_eq!(join_and_leave(&mut nic, OTHER_V4), in_v3());
}

#[test]
fn rfc3376_7_2_1_a_version_3_query_does_not_end_the_older_version() {
    let mut nic = settled(NEWEST);
    nic.query(Family::V4, &general(2));
    nic.pass(10 * SECOND);
    nic.take();
    nic.query(Family::V4, &of_sources(3, V4, &["192.0.2.1"]));
    nic.pass(10 * SECOND);
    assert_eq!(nic.take(), [v2_report(V4)], "answered in version 2");
}

#[test]
fn rfc3376_7_2_1_only_general_version_2_queries_count() {
    let mut nic = settled(NEWEST);
    nic.query(Family::V4, &specific(2, V4));
    nic.pass(10 * SECOND);
    assert_eq!(nic.take(), [report(ModeIsExclude, V4)]);
    assert_eq!(join_and_leave(&mut nic, OTHER_V4), in_v3());
}

#[test]
fn rfc3810_8_2_1_any_version_1_query_counts() {
    for query in [general(1), specific(1, V6), specific(1, "ff05::77")] {
        let mut nic = settled(NEWEST);
        nic.query(Family::V6, &query);
        nic.pass(10 * SECOND);
        if query.group != Some(ip("ff05::77")) {
            assert_eq!(nic.take(), [v1_report(V6)]);
        }
        nic.pass(250 * SECOND - Duration::from_nanos(1));
        assert_eq!(join_and_leave(&mut nic, OTHER_V6), in_mld_v1());
        nic.pass(Duration::from_nanos(1));
        assert_eq!(join_and_leave(&mut nic, OTHER_V6), in_mld_v2());
    }
}

#[test]
fn the_families_fall_back_apart() {
    let mut nic = settled(NEWEST);
    nic.query(Family::V4, &general(1));
    assert_eq!(join_and_leave(&mut nic, OTHER_V6), in_mld_v2());
    nic.query(Family::V6, &general(1));
    assert_eq!(join_and_leave(&mut nic, OTHER_V4), in_v1());
    assert_eq!(join_and_leave(&mut nic, OTHER_V6), in_mld_v1());
}

#[test]
fn rfc3376_7_2_1_a_change_of_version_cancels_what_was_to_be_sent() {
    let mut nic = settled(NEWEST);
    nic.query(Family::V4, &specific(3, V4));
    nic.join(OTHER_V4);
    nic.take();
    nic.query(Family::V4, &general(2));
    nic.pass(100 * SECOND);
    let mut sent = nic.take();
    sent.sort_by_key(|message| format!("{message:?}"));
    assert_eq!(
        sent,
        [v2_report(V4), v2_report(OTHER_V4)],
        "the answers to the older query alone"
    );
    nic.assert_idle();

    // And back: a join in version 2 whose repeat falls behind the end of version 2.
    nic.pass(160 * SECOND - Duration::from_nanos(2));
    nic.leave(OTHER_V4);
    nic.join(OTHER_V4);
    assert_eq!(nic.take(), [leave(OTHER_V4), v2_report(OTHER_V4)]);
    assert!(nic.groups.next_deadline().is_some());
    nic.pass(100 * SECOND);
    assert_eq!(nic.take(), []);
    nic.assert_idle();
}

#[test]
fn reports_suppress_in_the_fallback_too() {
    for (family, version, group) in [
        (Family::V4, 1, V4),
        (Family::V4, 2, V4),
        (Family::V6, 1, V6),
    ] {
        let mut nic = settled(NEWEST);
        nic.query(family, &general(version));
        nic.heard(group);
        nic.pass(100 * SECOND);
        assert_eq!(nic.take(), []);
        nic.leave(group);
        assert_eq!(nic.take(), []);
        nic.assert_idle();
    }
}

#[test]
fn a_leave_after_the_fallback_ended_is_told_whoever_reported_last() {
    let mut nic = settled(NEWEST);
    nic.query(Family::V4, &general(2));
    nic.heard(V4);
    nic.pass(260 * SECOND);
    nic.leave(V4);
    assert_eq!(nic.take(), [report(ChangeToInclude, V4)]);
    nic.pass(SECOND);
    nic.assert_idle();
}

#[test]
fn disabling_forgets_the_querier() {
    let mut nic = settled(NEWEST);
    nic.query(Family::V4, &general(1));
    nic.query(Family::V6, &general(1));
    nic.disable();
    assert_eq!(nic.take(), [leave(V6)], "version 1 of IGMP has no leave");
    nic.enable();
    assert_eq!(
        nic.take(),
        [report(ChangeToExclude, V4), report(ChangeToExclude, V6)]
    );
}

#[test]
fn disabling_after_the_fallback_ended_leaves_with_records() {
    let mut nic = settled(NEWEST);
    nic.query(Family::V4, &general(1));
    nic.pass(260 * SECOND);
    nic.take();
    nic.disable();
    assert_eq!(
        nic.take(),
        [report(ChangeToInclude, V4), report(ChangeToInclude, V6)]
    );
}

/// General queries that come one after another do not have every group looked at for each.
#[test]
fn e9_many_groups_are_answered_for_once_in_a_while() {
    const GROUPS: u32 = 5000;
    let pause = Duration::from_millis(50);
    // With records one answer is for all queries meanwhile, group by group each group has one.
    for (versions, version, late) in [(NEWEST, 3, GROUPS), (OLDER, 2, 0)] {
        let mut nic = Nic::new(versions);
        for n in 0..GROUPS {
            let group = IpAddr::from((0xef00_0000 + n).to_be_bytes());
            nic.join(&group.to_string());
        }
        nic.pass(20 * SECOND);
        nic.take();
        let at_once = Query {
            max_response: Duration::ZERO,
            ..general(version)
        };
        let answered = |nic: &mut Nic| -> usize {
            let per_message = |message: &GroupMessage| match message {
                GroupMessage::Report { records, .. } => records.len(),
                _ => 1,
            };
            nic.take().iter().map(per_message).sum()
        };
        nic.query(Family::V4, &at_once);
        nic.pass(Duration::ZERO);
        assert_eq!(answered(&mut nic), GROUPS as usize);
        for _ in 0..100 {
            nic.query(Family::V4, &at_once);
            nic.pass(Duration::ZERO);
        }
        assert_eq!(answered(&mut nic), 0);
        nic.pass(pause);
        assert_eq!(answered(&mut nic), late as usize);
        nic.pass(pause);
        nic.query(Family::V4, &at_once);
        nic.pass(Duration::ZERO);
        assert_eq!(answered(&mut nic), GROUPS as usize, "once more");
    }
}
