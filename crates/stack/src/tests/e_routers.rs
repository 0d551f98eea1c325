//! Section E, of a NIC that forwards: the groups of all routers.

use crate::testing::*;
use crate::*;

const V4: [&str; 1] = ["224.0.0.2"];
const V6: [&str; 3] = ["ff01::2", "ff02::2", "ff05::2"];

const FAMILIES: [(bool, bool); 4] = [(false, true), (true, true), (true, false), (false, false)];

fn all() -> impl Iterator<Item = &'static str> {
    V4.into_iter().chain(V6)
}

/// The joins of a group: users', and the NIC's own.
fn joins(bed: &Bed, group: &str) -> (u32, u32) {
    let groups = bed.nic.groups();
    let info = groups.iter().find(|info| info.group == ip(group));
    info.map_or((0, 0), |info| (info.joins, info.own))
}

/// Asserts that the NIC itself is in the groups of these families, once, and in no others.
#[track_caller]
fn assert_own(bed: &Bed, v4: bool, v6: bool) {
    for (groups, on) in [(&V4[..], v4), (&V6[..], v6)] {
        for group in groups {
            assert_eq!(joins(bed, group), (0, u32::from(on)), "{group}");
            assert_eq!(bed.nic.is_in_group(ip(group)), on, "{group}");
            let found = if on { Found::GROUP } else { Found::NOTHING };
            assert_eq!(bed.lookup(&[group]), [found], "{group}");
        }
    }
}

#[test]
fn e6_j1_forwarding_is_membership_of_all_routers_family_by_family() {
    let bed = bed();
    assert_own(&bed, false, false);
    bed.nic.set_forwarding(Forwarding::OFF).unwrap();
    assert_own(&bed, false, false);
    for (v4, v6) in FAMILIES {
        for _ in 0..2 {
            let forwarding = Forwarding { v4, v6 };
            bed.nic.set_forwarding(forwarding).unwrap();
            assert_eq!(bed.nic.forwarding(), forwarding);
            assert_own(&bed, v4, v6);
        }
    }
    assert!(bed.happened().is_empty(), "no event tells of groups");
    assert!(bed.nic.endpoints().is_empty(), "they are no endpoints");
}

#[test]
fn e6_of_a_family_that_the_nic_does_not_speak_there_are_none() {
    for (protocols, v4, v6) in [(Protocols::V4, true, false), (Protocols::V6, false, true)] {
        let config = NicConfig::new("test").protocols(protocols);
        let bed = bed_of(config.clone().forwarding(Forwarding::ON));
        assert_own(&bed, v4, v6);
        let bed = bed_of(config);
        bed.nic.set_forwarding(Forwarding::ON).unwrap();
        assert_own(&bed, v4, v6);
        assert_eq!(bed.nic.forwarding(), Forwarding::ON, "as it was told");
    }
}

#[test]
fn e6_it_may_be_configured_and_outlasts_being_disabled() {
    for (v4, v6) in FAMILIES {
        let config = NicConfig::new("test").forwarding(Forwarding { v4, v6 });
        let bed = bed_of(config.disabled());
        assert_own(&bed, v4, v6);
        for _ in 0..2 {
            bed.nic.enable().unwrap();
            bed.nic.enable().unwrap();
            assert_own(&bed, v4, v6);
            bed.nic.disable().unwrap();
            assert_own(&bed, v4, v6);
        }
        // While it is disabled, too.
        bed.nic.set_forwarding(Forwarding::OFF).unwrap();
        assert_own(&bed, false, false);
        bed.nic.set_forwarding(Forwarding::ON).unwrap();
        assert_own(&bed, true, true);
        bed.nic.enable().unwrap();
        assert_own(&bed, true, true);
    }
}

#[test]
fn e6_users_joins_of_them_are_apart() {
    let bed = bed();
    bed.nic.set_forwarding(Forwarding::ON).unwrap();
    for group in all() {
        let not_joined = Err(LeaveGroupError::NotJoined(ip(group)));
        assert_eq!(bed.nic.leave_group(ip(group)), not_joined);
        bed.nic.join_group(ip(group)).unwrap();
        assert_eq!(joins(&bed, group), (1, 1));
    }
    bed.nic.set_forwarding(Forwarding::OFF).unwrap();
    for group in all() {
        assert_eq!(joins(&bed, group), (1, 0));
        assert!(bed.accepts(group), "the user's is left");
    }
    bed.nic.set_forwarding(Forwarding::ON).unwrap();
    for group in all() {
        bed.nic.leave_group(ip(group)).unwrap();
        let not_joined = Err(LeaveGroupError::NotJoined(ip(group)));
        assert_eq!(bed.nic.leave_group(ip(group)), not_joined);
    }
    assert_own(&bed, true, true);
}

#[test]
fn e6_they_go_with_the_nic() {
    for disabled in [false, true] {
        let config = NicConfig::new("test").igmp(Some(IgmpVersion::V3));
        let bed = bed_of(config.forwarding(Forwarding::ON));
        assert_eq!(bed.sent().len(), 1, "a report");
        if disabled {
            bed.nic.disable().unwrap();
            assert_eq!(bed.sent().len(), 1, "a leave");
        }
        bed.nic.remove().unwrap();
        assert_eq!(bed.sent().len(), usize::from(!disabled), "said once");
        assert!(bed.nic.groups().is_empty());
        assert_own(&bed, false, false);
        assert_eq!(bed.nic.forwarding(), Forwarding::OFF);
        let gone = Err(NicGone(bed.nic.id()));
        assert_eq!(bed.nic.set_forwarding(Forwarding::ON), gone);
        assert_own(&bed, false, false);
    }
}

#[test]
fn e6_a_transaction_that_turns_it_on_and_off_leaves_no_trace() {
    let bed = bed_of(NicConfig::new("test").mld(Some(MldVersion::V2)));
    let before = bed.state();
    let change = |tx: &mut Transaction<'_>| {
        for forwarding in [Forwarding::ON, Forwarding::OFF] {
            tx.set_forwarding(forwarding);
        }
    };
    bed.nic.transaction(change).unwrap();
    assert_eq!(bed.state(), before);
    assert_own(&bed, false, false);
}
