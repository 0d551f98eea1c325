//! IGMPv2 (RFC 2236) and MLDv1 (RFC 2710): a report per group.

use super::*;

const V4: &str = "239.1.2.3";
const V6: &str = "ff05::1:3";

/// Both protocols behave alike: family, version, group, and the report expected of it.
fn both() -> [(Family, u8, &'static str, GroupMessage); 2] {
    [
        (Family::V4, 2, V4, v2_report(V4)),
        (Family::V6, 1, V6, v1_report(V6)),
    ]
}

/// A NIC whose groups are idle members.
fn settled(groups: &[&str]) -> Nic {
    let mut nic = Nic::new(OLDER);
    for group in groups {
        nic.join(group);
    }
    nic.pass(10 * SECOND);
    nic.take();
    nic.assert_idle();
    nic
}

#[test]
fn a_join_is_reported_at_once_and_once_more_within_10_seconds() {
    let mut seconds = std::collections::BTreeSet::new();
    for (_, _, group, report) in both() {
        for seed in 0..100 {
            let mut nic = Nic::new(OLDER);
            nic.rng = fastrand::Rng::with_seed(seed);
            let start = nic.now;
            nic.join(group);
            nic.pass(100 * SECOND);
            let sent = nic.take_since(start);
            assert_eq!(sent.len(), 2);
            assert_eq!(sent[0], (Duration::ZERO, report.clone()));
            assert_eq!(sent[1].1, report);
            assert!(sent[1].0 > Duration::ZERO && sent[1].0 <= 10 * SECOND);
            seconds.insert(sent[1].0.as_secs());
            nic.assert_idle();
        }
    }
    assert!(seconds.len() >= 10, "the delay is random: {seconds:?}");
}

#[test]
fn a_leave_is_sent_by_the_last_reporter() {
    for (_, _, group, _) in both() {
        let mut nic = settled(&[group]);
        nic.leave(group);
        assert_eq!(nic.take(), [leave(group)]);
        nic.assert_idle();
    }
}

#[test]
fn a_leave_right_after_the_join_is_sent_and_stops_the_reports() {
    for (_, _, group, report) in both() {
        let mut nic = Nic::new(OLDER);
        nic.join(group);
        nic.leave(group);
        nic.pass(100 * SECOND);
        assert_eq!(nic.take(), [report, leave(group)]);
        nic.assert_idle();
    }
}

#[test]
fn another_hosts_report_suppresses_ours_and_then_our_leave() {
    for (family, version, group, _) in both() {
        let mut nic = settled(&[group]);
        nic.query(family, &general(version));
        nic.heard(group);
        nic.pass(100 * SECOND);
        assert_eq!(nic.take(), [], "the other host answered");
        nic.leave(group);
        assert_eq!(nic.take(), [], "the other host is still there");
        nic.assert_idle();
    }
}

#[test]
fn another_hosts_report_suppresses_the_repeat_of_an_unsolicited_one() {
    for (_, _, group, report) in both() {
        let mut nic = Nic::new(OLDER);
        nic.join(group);
        nic.heard(group);
        nic.pass(100 * SECOND);
        assert_eq!(nic.take(), [report]);
        nic.leave(group);
        assert_eq!(nic.take(), []);
        nic.assert_idle();
    }
}

#[test]
fn whoever_reports_after_another_host_leaves_again() {
    for (family, version, group, report) in both() {
        let mut nic = settled(&[group]);
        nic.query(family, &general(version));
        nic.heard(group);
        nic.query(family, &general(version));
        nic.pass(10 * SECOND);
        assert_eq!(nic.take(), [report]);
        nic.leave(group);
        assert_eq!(nic.take(), [leave(group)]);
        nic.assert_idle();
    }
}

#[test]
fn a_rejoin_after_a_suppressed_leave_starts_afresh() {
    for (family, version, group, report) in both() {
        let mut nic = settled(&[group]);
        nic.query(family, &general(version));
        nic.heard(group);
        nic.leave(group);
        nic.join(group);
        nic.leave(group);
        assert_eq!(nic.take(), [report, leave(group)]);
        nic.assert_idle();
    }
}

#[test]
fn reports_heard_by_an_idle_member_or_a_non_member_are_ignored() {
    for (_, _, group, _) in both() {
        let mut nic = settled(&[group]);
        nic.heard(group);
        nic.heard("239.9.9.9");
        nic.heard("ff05::9");
        nic.assert_idle();
        nic.leave(group);
        assert_eq!(nic.take(), [leave(group)]);
    }
}

#[test]
fn a_general_query_is_answered_for_each_group_within_its_response_time() {
    for (family, version, prefix) in [(Family::V4, 2, "239.0.0."), (Family::V6, 1, "ff05::")] {
        let names: Vec<_> = (1..60).map(|low| format!("{prefix}{low}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let mut nic = settled(&names);
        let start = nic.now;
        nic.query(
            family,
            &Query {
                max_response: 3 * SECOND,
                ..general(version)
            },
        );
        nic.pass(100 * SECOND);
        let sent = nic.take_since(start);
        assert_eq!(sent.len(), names.len());
        let times: std::collections::BTreeSet<_> = sent.iter().map(|(at, _)| at).collect();
        assert_eq!(times.len(), sent.len(), "each has a delay of its own");
        assert!(**times.first().unwrap() > Duration::ZERO);
        assert!(**times.last().unwrap() <= 3 * SECOND);
        nic.assert_idle();
    }
}

#[test]
fn a_specific_query_is_answered_for_its_group_alone() {
    for (family, version, group, report) in both() {
        let mut nic = settled(&[group, "239.1.1.1", "ff05::77"]);
        nic.query(family, &specific(version, group));
        nic.pass(10 * SECOND);
        assert_eq!(nic.take(), [report]);
        nic.assert_idle();
    }
}

#[test]
fn a_query_for_a_group_not_joined_is_ignored() {
    let mut nic = settled(&[V4, V6]);
    for version in 0..4 {
        nic.query(Family::V4, &specific(version, "239.1.1.1"));
        nic.query(Family::V6, &specific(version, "ff05::77"));
        // A query of the wrong family.
        nic.query(Family::V4, &specific(version, V6));
        nic.query(Family::V6, &specific(version, V4));
    }
    nic.assert_idle();
}

#[test]
fn a_response_time_of_0_is_answered_at_once() {
    for (family, version, group, report) in both() {
        let mut nic = settled(&[group]);
        nic.query(
            family,
            &Query {
                max_response: Duration::ZERO,
                ..specific(version, group)
            },
        );
        assert_eq!(nic.groups.next_deadline(), Some(nic.now));
        nic.pass(Duration::ZERO);
        assert_eq!(nic.take(), [report]);
        nic.assert_idle();
    }
}

#[test]
fn a_running_timer_is_reset_only_by_a_shorter_response_time() {
    for (family, version, group, _) in both() {
        for seed in 0..50 {
            let mut nic = settled(&[group]);
            nic.rng = fastrand::Rng::with_seed(seed);
            nic.query(family, &general(version));
            let deadline = nic.groups.next_deadline().unwrap();
            let long = Query {
                max_response: 60 * SECOND,
                ..general(version)
            };
            nic.query(family, &long);
            assert_eq!(nic.groups.next_deadline(), Some(deadline));
            let short = Query {
                max_response: SECOND,
                ..general(version)
            };
            nic.query(family, &short);
            let reset = nic.groups.next_deadline().unwrap();
            assert!(reset <= nic.now + SECOND);
            if deadline <= nic.now + SECOND {
                assert_eq!(reset, deadline);
            }
            nic.pass(100 * SECOND);
            assert_eq!(nic.take().len(), 1, "one answer to all of them");
            nic.assert_idle();
        }
    }
}

#[test]
fn a_query_during_the_unsolicited_reports_only_hastens_the_next() {
    for (family, version, group, report) in both() {
        let mut nic = Nic::new(OLDER);
        nic.join(group);
        nic.query(
            family,
            &Query {
                max_response: Duration::from_millis(1),
                ..general(version)
            },
        );
        nic.pass(Duration::from_millis(1));
        assert_eq!(nic.take(), [report.clone(), report]);
        nic.pass(100 * SECOND);
        assert_eq!(nic.take(), []);
        nic.assert_idle();
    }
}

#[test]
fn a_newer_query_is_taken_for_one_of_the_hosts_own_version() {
    for (family, version, group, report) in both() {
        let mut nic = settled(&[group]);
        let source = if family == Family::V4 {
            "192.0.2.1"
        } else {
            "2001:db8::1"
        };
        nic.query(
            family,
            &Query {
                robustness: 7,
                ..of_sources(version + 1, group, &[source])
            },
        );
        nic.pass(10 * SECOND);
        assert_eq!(nic.take(), std::slice::from_ref(&report));
        // Nor does it take over the robustness.
        nic.leave(group);
        nic.join(group);
        nic.pass(100 * SECOND);
        assert_eq!(nic.take(), [leave(group), report.clone(), report]);
    }
}

#[test]
fn a_flood_of_queries_and_reports_adds_nothing() {
    for (family, version, group, _) in both() {
        let mut nic = settled(&[group]);
        for low in 0..5000 {
            nic.query(family, &general(version));
            nic.query(family, &specific(version, group));
            let other = match family {
                Family::V4 => format!("239.7.{}.{}", low >> 8, low & 0xff),
                Family::V6 => format!("ff05::7:{low:x}"),
            };
            nic.query(family, &specific(version, &other));
            nic.heard(&other);
        }
        assert_eq!(nic.groups.pending(), 1);
        nic.pass(10 * SECOND);
        assert_eq!(nic.take().len(), 1);
        nic.assert_idle();
    }
}
