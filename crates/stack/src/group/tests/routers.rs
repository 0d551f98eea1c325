//! Forwarding, and the groups of all routers.

use super::*;

const V4: [&str; 1] = ["224.0.0.2"];
const V6: [&str; 3] = ["ff01::2", "ff02::2", "ff05::2"];

fn forwarding(v4: bool, v6: bool) -> Forwarding {
    Forwarding { v4, v6 }
}

/// How often the NIC itself is in each of its groups but those of all hosts.
fn own(nic: &Nic) -> Vec<(IpAddr, u32)> {
    let mut own: Vec<_> = nic
        .groups
        .list()
        .map(|(group, joins)| (group, joins.by_nic))
        .filter(|(group, _)| ![ip("224.0.0.1"), ip("ff02::1")].contains(group))
        .collect();
    own.sort_unstable();
    own
}

/// What [`own`] is to be: each of `groups` once.
fn once(groups: &[&str]) -> Vec<(IpAddr, u32)> {
    groups.iter().map(|group| (ip(group), 1)).collect()
}

const BOTH: [(bool, bool); 4] = [(true, true), (true, false), (false, true), (false, false)];

#[test]
fn e6_forwarding_joins_all_routers_of_each_family_that_is_spoken() {
    for (ipv4, ipv6) in BOTH {
        for enabled in [true, false] {
            let config = GroupsConfig {
                ipv4,
                ipv6,
                ..config(NEWEST)
            };
            let mut nic = Nic::disabled(&config);
            if enabled {
                nic.enable();
            }
            assert_eq!(own(&nic), [], "off unless said");
            nic.forward(Forwarding::OFF);
            assert_eq!(own(&nic), [], "it was off");
            for (v4, v6) in BOTH {
                let mut expected = Vec::new();
                if v4 && ipv4 {
                    expected.extend(V4);
                }
                if v6 && ipv6 {
                    expected.extend(V6);
                }
                for _ in 0..2 {
                    nic.forward(forwarding(v4, v6));
                    assert_eq!(own(&nic), once(&expected));
                }
            }
        }
    }
}

#[test]
fn nobody_takes_away_what_forwarding_joined_nor_it_what_others_did() {
    let mut nic = Nic::new(NEWEST);
    nic.forward(Forwarding::ON);
    let joins = |nic: &Nic, group| nic.groups.set().joins(key(group));
    for group in V4.into_iter().chain(V6) {
        for joiner in [Joiner::User, Joiner::Nic] {
            assert_eq!(nic.try_leave(joiner, group), Err(NotJoined(ip(group))));
            assert!(!nic.join_as(joiner, group));
            assert_eq!(nic.try_leave(joiner, group), Ok(false));
        }
        nic.join(group);
    }
    nic.take();
    for _ in 0..2 {
        nic.forward(Forwarding::OFF);
        for group in V4.into_iter().chain(V6) {
            assert_eq!(
                (joins(&nic, group).by_user, joins(&nic, group).by_nic),
                (1, 0)
            );
        }
    }
    nic.forward(Forwarding::ON);
    assert_eq!(nic.take(), [], "a user was in them all the time");
    for group in V4.into_iter().chain(V6) {
        assert!(!nic.leave(group));
        assert_eq!(joins(&nic, group).by_nic, 1);
    }
    nic.forward(Forwarding::OFF);
    assert_eq!(own(&nic), []);
}

#[test]
fn forwarding_has_room_for_its_own_join() {
    let mut nic = Nic::new(NEWEST);
    let full = Joins {
        by_user: u32::MAX - 1,
        by_nic: u32::MAX - 1,
    };
    nic.groups.fill(key("ff02::2"), full);
    nic.forward(Forwarding::ON);
    assert_eq!(nic.groups.set().joins(key("ff02::2")).by_nic, u32::MAX);
    nic.forward(Forwarding::OFF);
    assert_eq!(nic.groups.set().joins(key("ff02::2")), full);
}

#[test]
fn routers_are_told_of_those_beyond_the_interface_while_enabled() {
    let to_ex = |group| report(RecordKind::ChangeToExclude, group);
    let to_in = |group| report(RecordKind::ChangeToInclude, group);
    for (versions, joined, left) in [
        (
            NEWEST,
            ["224.0.0.2", "ff02::2", "ff05::2"].map(to_ex),
            ["224.0.0.2", "ff02::2", "ff05::2"].map(to_in),
        ),
        (
            OLDER,
            [
                v2_report("224.0.0.2"),
                v1_report("ff02::2"),
                v1_report("ff05::2"),
            ],
            ["224.0.0.2", "ff02::2", "ff05::2"].map(leave),
        ),
    ] {
        let mut nic = Nic::new(versions);
        nic.forward(Forwarding::ON);
        assert_eq!(nic.take(), joined);
        nic.pass(10 * SECOND);
        nic.take();
        nic.forward(forwarding(true, false));
        assert_eq!(nic.take(), left[1..]);
        nic.forward(Forwarding::OFF);
        assert_eq!(nic.take(), left[..1]);
        nic.pass(10 * SECOND);
        nic.take();
        nic.assert_idle();
    }
}

#[test]
fn a_disabled_nic_stays_in_them_and_says_nothing() {
    let mut nic = Nic::disabled(&config(NEWEST));
    nic.forward(Forwarding::ON);
    nic.assert_idle();
    assert_eq!(nic.take(), []);
    let told = |kind| {
        let v6 = ["ff02::2", "ff05::2"].map(|group| record(kind, group));
        [report(kind, "224.0.0.2"), reports(v6.to_vec())]
    };
    nic.enable();
    assert_eq!(nic.take(), told(RecordKind::ChangeToExclude));
    nic.disable();
    assert_eq!(nic.take(), told(RecordKind::ChangeToInclude));
    assert_eq!(
        own(&nic),
        once(&["224.0.0.2", "ff01::2", "ff02::2", "ff05::2"])
    );
    nic.forward(Forwarding::OFF);
    nic.enable();
    nic.pass(10 * SECOND);
    assert_eq!(nic.take(), []);
    nic.assert_idle();
}
