//! IGMPv3 (RFC 3376) and MLDv2 (RFC 3810): group records.

use RecordKind::{ChangeToExclude, ChangeToInclude, ModeIsExclude, ModeIsInclude};

use super::*;

const V4: &str = "239.1.2.3";
const V6: &str = "ff05::1:3";

/// Both protocols behave alike: family, version, a group, another one, sources.
const BOTH: [(Family, u8, &str, &str, [&str; 3]); 2] = [
    (
        Family::V4,
        3,
        V4,
        "239.9.9.9",
        ["192.0.2.1", "192.0.2.2", "192.0.2.3"],
    ),
    (
        Family::V6,
        2,
        V6,
        "ff05::9:9",
        ["2001:db8::1", "2001:db8::2", "2001:db8::3"],
    ),
];

/// A NIC that has told of these groups.
fn settled(groups: &[&str]) -> Nic {
    settled_with(groups, &config(NEWEST))
}

fn settled_with(groups: &[&str], config: &GroupsConfig) -> Nic {
    let mut nic = Nic::with(config);
    for group in groups {
        nic.join(group);
    }
    nic.pass(10 * SECOND);
    nic.take();
    nic.assert_idle();
    nic
}

fn within(query: Query, max_response: Duration) -> Query {
    Query {
        max_response,
        ..query
    }
}

#[test]
fn a_join_is_told_at_once_and_once_more_within_a_second() {
    for (_, _, group, ..) in BOTH {
        for seed in 0..100 {
            let mut nic = Nic::new(NEWEST);
            nic.rng = fastrand::Rng::with_seed(seed);
            let start = nic.now;
            nic.join(group);
            nic.pass(100 * SECOND);
            let sent = nic.take_since(start);
            assert_eq!(sent.len(), 2);
            assert_eq!(sent[0], (Duration::ZERO, report(ChangeToExclude, group)));
            assert_eq!(sent[1].1, report(ChangeToExclude, group));
            assert!(sent[1].0 > Duration::ZERO && sent[1].0 <= SECOND);
            nic.assert_idle();
        }
    }
}

#[test]
fn a_leave_is_told_at_once_and_once_more_within_a_second() {
    for (_, _, group, ..) in BOTH {
        let mut nic = settled(&[group]);
        let start = nic.now;
        nic.leave(group);
        nic.pass(100 * SECOND);
        let sent = nic.take_since(start);
        assert_eq!(sent.len(), 2);
        assert_eq!(sent[0], (Duration::ZERO, report(ChangeToInclude, group)));
        assert_eq!(sent[1].1, report(ChangeToInclude, group));
        assert!(sent[1].0 <= SECOND);
        nic.assert_idle();
    }
}

#[test]
fn rfc3376_5_1_a_leave_before_the_repeat_of_the_join_replaces_it() {
    for (_, _, group, ..) in BOTH {
        let mut nic = Nic::new(NEWEST);
        nic.join(group);
        nic.leave(group);
        nic.pass(100 * SECOND);
        let expected = [ChangeToExclude, ChangeToInclude, ChangeToInclude];
        assert_eq!(nic.take(), expected.map(|kind| report(kind, group)));
        nic.assert_idle();
    }
}

#[test]
fn rfc3376_5_1_a_join_before_the_repeat_of_the_leave_replaces_it() {
    for (_, _, group, ..) in BOTH {
        let mut nic = settled(&[group]);
        nic.leave(group);
        nic.join(group);
        nic.pass(100 * SECOND);
        let expected = [ChangeToInclude, ChangeToExclude, ChangeToExclude];
        assert_eq!(nic.take(), expected.map(|kind| report(kind, group)));
        nic.assert_idle();
    }
}

#[test]
fn rfc3376_5_1_repeats_of_several_groups_share_a_report() {
    for (_, _, group, other, _) in BOTH {
        let mut nic = settled(&[other]);
        nic.join(group);
        nic.leave(other);
        nic.take();
        nic.pass(100 * SECOND);
        let merged = reports(vec![
            record(ChangeToExclude, group),
            record(ChangeToInclude, other),
        ]);
        assert_eq!(nic.take(), [merged]);
        nic.assert_idle();
    }
}

#[test]
fn the_robustness_of_the_querier_sets_the_number_of_repeats() {
    for (family, version, group, other, _) in BOTH {
        for (told, expected) in [(0, 2), (1, 1), (2, 2), (5, 5), (7, 7), (255, 7)] {
            let mut nic = settled(&[other]);
            nic.query(
                family,
                &Query {
                    robustness: told,
                    ..general(version)
                },
            );
            nic.pass(10 * SECOND);
            nic.take();
            let start = nic.now;
            nic.join(group);
            nic.pass(100 * SECOND);
            let sent = nic.take_since(start);
            assert_eq!(sent.len(), expected, "QRV {told}");
            for pair in sent.windows(2) {
                assert!(pair[1].0 - pair[0].0 <= SECOND);
            }
            nic.leave(group);
            nic.pass(100 * SECOND);
            assert_eq!(nic.take().len(), expected);
            nic.assert_idle();
        }
    }
}

#[test]
fn rfc3376_5_2_a_general_query_is_answered_for_all_groups_in_one_report() {
    for (family, version, group, other, _) in BOTH {
        for seed in 0..50 {
            let mut nic = settled(&[other, group, "239.255.0.1", "ff08::1"]);
            nic.rng = fastrand::Rng::with_seed(seed);
            let start = nic.now;
            nic.query(family, &general(version));
            nic.pass(100 * SECOND);
            let third = if family == Family::V4 {
                "239.255.0.1"
            } else {
                "ff08::1"
            };
            let expected = reports(
                [group, other, third]
                    .map(|group| record(ModeIsExclude, group))
                    .into(),
            );
            let sent = nic.take_since(start);
            assert_eq!(sent.len(), 1);
            assert_eq!(sent[0].1, expected);
            assert!(sent[0].0 > Duration::ZERO && sent[0].0 <= 10 * SECOND);
            nic.assert_idle();
        }
    }
}

#[test]
fn rfc3376_5_2_without_groups_to_report_a_general_query_schedules_nothing() {
    for (family, version, ..) in BOTH {
        let mut nic = Nic::new(NEWEST);
        nic.query(family, &general(version));
        nic.assert_idle();
    }
}

#[test]
fn rfc3376_5_2_a_general_answer_lapses_with_the_last_group() {
    for (family, version, group, ..) in BOTH {
        let mut nic = settled(&[group]);
        nic.query(family, &general(version));
        nic.leave(group);
        nic.pass(100 * SECOND);
        let left = report(ChangeToInclude, group);
        assert_eq!(nic.take(), [left.clone(), left]);
        nic.assert_idle();
    }
}

#[test]
fn rfc3376_5_2_rule_1_a_sooner_general_answer_does_for_any_query() {
    for (family, version, group, _, sources) in BOTH {
        let mut nic = settled(&[group]);
        nic.query(family, &within(general(version), Duration::from_millis(1)));
        let deadline = nic.groups.next_deadline().unwrap();
        nic.pass(Duration::ZERO);
        // Of 100 s, the chance to draw less than a millisecond is 1 in 100,000, and the seed fixed.
        for query in [
            general(version),
            specific(version, group),
            of_sources(version, group, &sources),
        ] {
            nic.query(family, &within(query, 100 * SECOND));
            assert_eq!(nic.groups.next_deadline(), Some(deadline));
        }
        nic.pass(200 * SECOND);
        assert_eq!(nic.take(), [report(ModeIsExclude, group)]);
        nic.assert_idle();
    }
}

#[test]
fn rfc3376_5_2_rule_2_a_sooner_general_answer_replaces_the_pending_one() {
    for (family, version, group, ..) in BOTH {
        let mut nic = settled(&[group]);
        nic.query(family, &within(general(version), 100 * SECOND));
        let late = nic.groups.next_deadline().unwrap();
        nic.query(family, &within(general(version), Duration::from_millis(1)));
        let soon = nic.groups.next_deadline().unwrap();
        assert!(soon < late && soon <= nic.now + Duration::from_millis(1));
        nic.pass(200 * SECOND);
        assert_eq!(nic.take().len(), 1, "the later one is cancelled");
        nic.assert_idle();
    }
}

#[test]
fn rfc3376_5_2_rule_3_a_specific_query_is_answered_for_its_group_alone() {
    for (family, version, group, other, _) in BOTH {
        let mut nic = settled(&[group, other]);
        let start = nic.now;
        nic.query(family, &within(specific(version, group), SECOND));
        nic.pass(100 * SECOND);
        let sent = nic.take_since(start);
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].1, report(ModeIsExclude, group));
        assert!(sent[0].0 <= SECOND);
        nic.assert_idle();
    }
}

#[test]
fn rfc3376_5_2_rule_3_a_query_for_sources_is_answered_for_those_wanted() {
    for (family, version, group, _, sources) in BOTH {
        let mut nic = settled(&[group]);
        // Twice the same, in the wrong order.
        let asked = [sources[2], sources[0], sources[2]];
        nic.query(family, &of_sources(version, group, &asked));
        nic.pass(100 * SECOND);
        let answer = record_of(ModeIsInclude, group, &[sources[0], sources[2]]);
        assert_eq!(nic.take(), [reports(vec![answer])]);
        nic.assert_idle();
    }
}

#[test]
fn rfc3376_5_2_rule_4_a_group_wide_query_absorbs_the_sources() {
    for (family, version, group, _, sources) in BOTH {
        for wide_first in [true, false] {
            let mut nic = settled(&[group]);
            let mut queries = [
                specific(version, group),
                of_sources(version, group, &sources),
            ];
            if !wide_first {
                queries.reverse();
            }
            nic.query(family, &queries[0]);
            let first = nic.groups.next_deadline().unwrap();
            nic.query(family, &queries[1]);
            let both = nic.groups.next_deadline().unwrap();
            assert!(both <= first, "the earlier of the two");
            nic.pass(100 * SECOND);
            assert_eq!(nic.take(), [report(ModeIsExclude, group)]);
            nic.assert_idle();
        }
    }
}

#[test]
fn rfc3376_5_2_rule_5_sources_of_several_queries_are_answered_together() {
    for (family, version, group, _, sources) in BOTH {
        let mut nic = settled(&[group]);
        nic.query(family, &of_sources(version, group, &sources[..2]));
        let first = nic.groups.next_deadline().unwrap();
        let more = of_sources(version, group, &sources[1..]);
        nic.query(family, &within(more, Duration::from_millis(1)));
        let both = nic.groups.next_deadline().unwrap();
        assert!(both <= first && both <= nic.now + Duration::from_millis(1));
        nic.pass(100 * SECOND);
        let answer = record_of(ModeIsInclude, group, &sources);
        assert_eq!(nic.take(), [reports(vec![answer])]);
        nic.assert_idle();
    }
}

#[test]
fn rfc3376_5_2_the_pending_answer_keeps_the_earlier_time() {
    for (family, version, group, ..) in BOTH {
        let mut nic = settled(&[group]);
        let soon = within(specific(version, group), Duration::from_millis(1));
        nic.query(family, &soon);
        let deadline = nic.groups.next_deadline();
        nic.query(family, &within(specific(version, group), 1000 * SECOND));
        assert_eq!(nic.groups.next_deadline(), deadline);
    }
}

#[test]
fn a_leave_cancels_the_answer_for_the_group() {
    for (family, version, group, other, sources) in BOTH {
        let mut nic = settled(&[group, other]);
        nic.query(family, &of_sources(version, group, &sources));
        nic.leave(group);
        nic.pass(100 * SECOND);
        let left = report(ChangeToInclude, group);
        assert_eq!(nic.take(), [left.clone(), left]);
        nic.assert_idle();
    }
}

#[test]
fn a_query_for_a_group_not_joined_is_ignored() {
    for (family, version, group, other, sources) in BOTH {
        let mut nic = settled(&[group]);
        nic.query(family, &specific(version, other));
        nic.query(family, &of_sources(version, other, &sources));
        nic.assert_idle();
    }
}

#[test]
fn another_hosts_report_does_not_suppress_records() {
    for (family, version, group, ..) in BOTH {
        let mut nic = Nic::new(NEWEST);
        nic.join(group);
        nic.heard(group);
        nic.pass(10 * SECOND);
        assert_eq!(nic.take().len(), 2);
        nic.query(family, &specific(version, group));
        nic.heard(group);
        nic.pass(10 * SECOND);
        assert_eq!(nic.take(), [report(ModeIsExclude, group)]);
        nic.leave(group);
        assert_eq!(nic.take(), [report(ChangeToInclude, group)]);
    }
}

#[test]
fn reports_are_cut_to_the_message_size() {
    for (family, version, prefix) in [(Family::V4, 3, "239.0.0."), (Family::V6, 2, "ff05::")] {
        let names: Vec<_> = (1..=25).map(|low| format!("{prefix}{low}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let small = GroupsConfig {
            igmp_records: 10,
            mld_records: 10,
            ..config(NEWEST)
        };
        let check = |messages: &[GroupMessage], kind| {
            let sizes: Vec<_> = messages
                .iter()
                .map(|message| records_in(std::slice::from_ref(message)).len())
                .collect();
            assert_eq!(sizes, [10, 10, 5]);
            let mut told: Vec<_> = records_in(messages);
            told.sort_by_key(|record| record.group);
            let mut expected: Vec<_> = names.iter().map(|name| record(kind, name)).collect();
            expected.sort_by_key(|record| record.group);
            assert_eq!(told, expected, "each group once");
        };
        let mut nic = Nic::disabled(&small);
        for name in &names {
            nic.join(name);
        }
        nic.enable();
        check(&nic.take(), ChangeToExclude);
        nic.pass(10 * SECOND);
        check(&nic.take(), ChangeToExclude);
        nic.query(family, &general(version));
        nic.pass(10 * SECOND);
        check(&nic.take(), ModeIsExclude);
        nic.disable();
        check(&nic.take(), ChangeToInclude);
    }
}

#[test]
fn a_record_with_more_sources_than_fit_is_cut_as_well() {
    for (family, version, group, _, sources) in BOTH {
        // Bytes for two records: one record and 2 sources of IPv4, or 1 of IPv6.
        let small = GroupsConfig {
            igmp_records: 2,
            mld_records: 2,
            ..config(NEWEST)
        };
        let mut nic = settled_with(&[group], &small);
        nic.query(family, &of_sources(version, group, &sources));
        nic.pass(10 * SECOND);
        let most = if family == Family::V4 { 2 } else { 1 };
        let expected: Vec<_> = sources
            .chunks(most)
            .map(|sources| reports(vec![record_of(ModeIsInclude, group, sources)]))
            .collect();
        assert_eq!(nic.take(), expected);

        let tiny = GroupsConfig {
            igmp_records: 0,
            mld_records: 0,
            ..config(NEWEST)
        };
        let mut nic = settled_with(&[group], &tiny);
        nic.query(family, &of_sources(version, group, &sources));
        nic.pass(10 * SECOND);
        assert_eq!(nic.take(), [report(ModeIsExclude, group)]);
    }
}

#[test]
fn records_per_message_fill_the_mtu_and_no_more() {
    assert_eq!(records_per_message(Family::V4, 1500), (1500 - 32) / 8);
    assert_eq!(records_per_message(Family::V6, 1500), (1500 - 56) / 20);
    for family in [Family::V4, Family::V6] {
        assert_eq!(records_per_message(family, 0), 1);
        assert_eq!(records_per_message(family, usize::MAX), 65_535);
    }
}

/// `count` sources of one family, sorted.
fn many_sources(family: Family, count: u16) -> Vec<IpAddr> {
    (0..count)
        .map(|low| match family {
            Family::V4 => IpAddr::from([192, 0, (low >> 8) as u8, low as u8]),
            Family::V6 => IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, low]),
        })
        .collect()
}

#[test]
fn more_sources_than_are_remembered_turn_into_an_answer_for_the_group() {
    for (family, version, group, ..) in BOTH {
        let with = |sources: &[IpAddr]| Query {
            sources: sources.to_vec(),
            ..specific(version, group)
        };
        let sources = many_sources(family, 70);
        let mut nic = settled(&[group]);
        nic.query(family, &with(&sources[..64]));
        nic.pass(10 * SECOND);
        let told = records_in(&nic.take());
        let told: Vec<_> = told.into_iter().flat_map(|record| record.sources).collect();
        assert_eq!(told, sources[..64]);

        nic.query(family, &with(&sources[..65]));
        nic.pass(10 * SECOND);
        assert_eq!(nic.take(), [report(ModeIsExclude, group)]);

        nic.query(family, &with(&sources[..60]));
        nic.query(family, &with(&sources[10..]));
        nic.pass(10 * SECOND);
        assert_eq!(nic.take(), [report(ModeIsExclude, group)]);
        nic.assert_idle();
    }
}

#[test]
fn a_flood_of_queries_is_bounded_in_memory() {
    for (family, version, ..) in BOTH {
        let names: Vec<_> = (0..500u32)
            .map(|low| match family {
                Family::V4 => format!("239.0.{}.{}", low >> 8, low & 0xff),
                Family::V6 => format!("ff05::{low:x}"),
            })
            .collect();
        let mut nic = Nic::disabled(&config(NEWEST));
        for name in &names {
            nic.join(name);
        }
        nic.enable();
        nic.pass(10 * SECOND);
        nic.take();
        let sources = many_sources(family, 64);
        for _ in 0..3 {
            for name in &names {
                nic.query(
                    family,
                    &Query {
                        sources: sources.clone(),
                        ..specific(version, name)
                    },
                );
            }
        }
        assert!(nic.groups.pending() <= 4096 + names.len());
        nic.pass(10 * SECOND);
        // Some had their sources remembered, the others are answered for as groups.
        let told = records_in(&nic.take());
        let groups: std::collections::BTreeSet<_> =
            told.iter().map(|record| record.group).collect();
        assert_eq!(groups.len(), names.len());
        assert!(told.iter().any(|record| record.kind == ModeIsInclude));
        assert!(told.iter().any(|record| record.kind == ModeIsExclude));
        nic.assert_idle();
    }
}

#[test]
fn numbers_out_of_range_do_no_harm() {
    for (family, version, group, ..) in BOTH {
        let mut nic = settled(&[group]);
        nic.query(
            family,
            &Query {
                max_response: Duration::MAX,
                interval: Duration::MAX,
                robustness: u8::MAX,
                ..general(version)
            },
        );
        nic.query(family, &within(general(1), Duration::MAX));
        nic.query(family, &general(0));
        nic.query(family, &general(4));
        nic.query(family, &general(u8::MAX));
        nic.pass(10_000 * SECOND);
        assert_eq!(nic.take(), [v1_report(group)]);
    }
}
