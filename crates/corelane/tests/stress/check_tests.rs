//! That the checker can fail: histories written by hand, with one thing wrong in each, and the
//! same without it.

use corelane::stack::{AddressKind, PrimaryEndpointBehavior, Verdict};

use crate::check::{Call, History, Wrong, check};
use crate::model::{Model, Ret, Seen};
use crate::plan::{Destination, Op};

/// Calls of one thread: begin, end, what, and what came of it.
type Thread = Vec<(u64, u64, Op, Ret)>;

fn explained(probing: bool, threads: &[Thread]) -> bool {
    let call = |(start, end, op, ret): &(u64, u64, Op, Ret)| Call {
        op: op.clone(),
        ret: ret.clone(),
        start: *start,
        end: *end,
    };
    let calls = |thread: &Thread| thread.iter().map(call).collect();
    let history = History {
        threads: threads.iter().map(calls).collect(),
    };
    match check(Model::new(probing, 4), &history) {
        Ok(_) => true,
        Err(Wrong::Inexplicable { explained, of }) => {
            assert!(explained < of);
            false
        }
        Err(wrong) => panic!("{wrong:?}"),
    }
}

/// One thread's, one after the other.
fn in_order(calls: Vec<(Op, Ret)>) -> Thread {
    let numbered = calls.into_iter().zip(0..);
    numbered
        .map(|((op, ret), at)| (2 * at, 2 * at + 1, op, ret))
        .collect()
}

fn add(key: u8) -> Op {
    Op::Add {
        key,
        prefix: if key < 2 { 24 } else { 64 },
        primary: PrimaryEndpointBehavior::CanBePrimary,
    }
}

fn burst(destinations: &[Destination]) -> Op {
    Op::Burst(destinations.to_vec())
}

fn found(found: &[Seen]) -> Ret {
    Ret::Burst {
        enabled: true,
        found: found.to_vec(),
    }
}

fn listed(keys: &[u8]) -> Ret {
    let prefix = |key: u8| if key < 2 { 24 } else { 64 };
    let can_be = PrimaryEndpointBehavior::CanBePrimary;
    Ret::Addresses(
        keys.iter()
            .map(|key| (*key, prefix(*key), can_be))
            .collect(),
    )
}

fn closed(count: u32) -> Ret {
    let mut counts = vec![[0; 4]; 5];
    counts[0][0] = count;
    Ret::Events(counts)
}

const ADDRESS: Destination = Destination::Address(0);

#[test]
fn a_delivery_that_begins_after_the_removal_returned_is_wrong() {
    let main = vec![
        (0, 1, Op::Enable, Ret::Ok),
        (2, 3, add(0), Ret::Ok),
        (4, 7, Op::Remove(0), Ret::Ok),
    ];
    let delivery = |start, end| vec![(start, end, burst(&[ADDRESS]), found(&[Seen::Endpoint]))];
    assert!(
        explained(false, &[main.clone(), delivery(5, 6)]),
        "meanwhile"
    );
    assert!(
        explained(false, &[main.clone(), delivery(6, 8)]),
        "began before"
    );
    assert!(!explained(false, &[main, delivery(8, 9)]));
}

#[test]
fn an_address_that_comes_back_to_a_second_burst_is_wrong() {
    let main = vec![
        (0, 1, Op::Enable, Ret::Ok),
        (2, 3, add(0), Ret::Ok),
        (4, 20, Op::Remove(0), Ret::Ok),
    ];
    let bursts = |first, second| {
        vec![
            (5, 6, burst(&[ADDRESS]), found(&[first])),
            (7, 8, burst(&[ADDRESS]), found(&[second])),
        ]
    };
    let (endpoint, nothing) = (Seen::Endpoint, Seen::Nothing);
    assert!(explained(false, &[main.clone(), bursts(endpoint, nothing)]));
    assert!(!explained(false, &[main, bursts(nothing, endpoint)]));
}

#[test]
fn a_burst_of_two_versions_is_wrong() {
    let main = vec![
        (0, 1, Op::Enable, Ret::Ok),
        (2, 3, Op::AddRange(0), Ret::Ok),
        (5, 6, Op::RemoveRange(0), Ret::Ok),
        (7, 8, Op::Join(0), Ret::Ok),
    ];
    let destinations = [Destination::Stranger, Destination::Group(0)];
    let see = |first, second| vec![(4, 9, burst(&destinations), found(&[first, second]))];
    for (first, second) in [
        (Seen::Temporary, Seen::Nothing),
        (Seen::Nothing, Seen::Nothing),
        (Seen::Nothing, Seen::Group),
    ] {
        assert!(explained(false, &[main.clone(), see(first, second)]));
    }
    let both = see(Seen::Temporary, Seen::Group);
    assert!(!explained(false, &[main, both]));
}

#[test]
fn a_mode_that_a_later_burst_does_not_see_is_wrong() {
    let history = |seen| {
        in_order(vec![
            (Op::Enable, Ret::Ok),
            (Op::Promiscuous(true), Ret::Ok),
            (burst(&[Destination::Stranger]), found(&[seen])),
        ])
    };
    assert!(explained(false, &[history(Seen::Temporary)]));
    assert!(!explained(false, &[history(Seen::Nothing)]));
}

#[test]
fn two_endpoints_under_one_key_are_wrong() {
    let hold = |slot| Op::Hold { key: 0, slot };
    let history = |same| {
        let begin = vec![(0, 1, Op::Spoofing(true), Ret::Ok)];
        let one = vec![(2, 4, hold(0), Ret::Ok)];
        let other = vec![
            (3, 5, hold(2), Ret::Ok),
            (6, 7, Op::Same(0, 2), Ret::Is(same)),
        ];
        [begin, one, other]
    };
    assert!(explained(false, &history(true)));
    assert!(!explained(false, &history(false)));
}

#[test]
fn a_second_endpoint_is_right_only_after_the_first_is_gone() {
    let hold = |slot| Op::Hold { key: 0, slot };
    let history = |closings| {
        let calls = vec![
            (Op::Spoofing(true), Ret::Ok),
            (hold(0), Ret::Ok),
            (Op::Drop(0), Ret::Ok),
            (hold(0), Ret::Ok),
            (Op::Drop(0), Ret::Ok),
            (Op::Events, closed(closings)),
        ];
        [in_order(calls)]
    };
    assert!(explained(false, &history(2)));
    assert!(!explained(false, &history(1)));
}

#[test]
fn a_duplicate_that_was_added_is_wrong() {
    let history = |second| in_order(vec![(add(0), Ret::Ok), (add(0), second)]);
    assert!(explained(false, &[history(Ret::Duplicate)]));
    assert!(!explained(false, &[history(Ret::Ok)]));
    // Of two at once, one.
    let at_once = |one, other| [vec![(0, 2, add(0), one)], vec![(1, 3, add(0), other)]];
    assert!(explained(false, &at_once(Ret::Duplicate, Ret::Ok)));
    assert!(!explained(false, &at_once(Ret::Ok, Ret::Ok)));
    assert!(!explained(false, &at_once(Ret::Duplicate, Ret::Duplicate)));
}

#[test]
fn a_join_that_is_lost_is_wrong() {
    let history = |last: Ret, counts: Vec<(u32, u32)>| {
        let joins = [
            vec![(0, 2, Op::Join(1), Ret::Ok)],
            vec![(1, 3, Op::Join(1), Ret::Ok)],
            vec![
                (4, 5, Op::Groups, Ret::Groups(counts)),
                (6, 7, Op::Leave(1), Ret::Ok),
                (8, 9, Op::Leave(1), last),
                (10, 11, Op::Leave(1), Ret::Bad),
            ],
        ];
        explained(false, &joins)
    };
    let joined = |count| vec![(0, 0), (count, 0), (0, 0)];
    assert!(history(Ret::Ok, joined(2)));
    assert!(!history(Ret::Bad, joined(2)));
    assert!(!history(Ret::Ok, joined(1)));
}

#[test]
fn a_users_leave_that_takes_the_nics_own_join_is_wrong() {
    let history = |leave| in_order(vec![(add(2), Ret::Ok), (Op::Leave(1), leave)]);
    assert!(explained(false, &[history(Ret::Bad)]));
    assert!(!explained(false, &[history(Ret::Ok)]));
}

#[test]
fn closing_twice_or_never_is_wrong() {
    for (count, right) in [(0, false), (1, true), (2, false)] {
        let calls = vec![
            (add(0), Ret::Ok),
            (Op::Hold { key: 0, slot: 0 }, Ret::Ok),
            (Op::Remove(0), Ret::Ok),
            (Op::Drop(0), Ret::Ok),
            (Op::Events, closed(count)),
        ];
        assert_eq!(explained(false, &[in_order(calls)]), right, "{count}");
    }
}

#[test]
fn a_promotion_that_forgets_its_configuration_is_wrong() {
    let history = |prefix| {
        let never = PrimaryEndpointBehavior::NeverPrimary;
        let again = Op::Add {
            key: 0,
            prefix: 32,
            primary: never,
        };
        in_order(vec![
            (add(0), Ret::Ok),
            (Op::Hold { key: 0, slot: 0 }, Ret::Ok),
            (Op::Remove(0), Ret::Ok),
            (Op::Kind(0), Ret::Kind(AddressKind::PermanentExpired)),
            (again, Ret::Ok),
            (Op::Kind(0), Ret::Kind(AddressKind::Permanent)),
            (Op::Addresses, Ret::Addresses(vec![(0, prefix, never)])),
        ])
    };
    assert!(explained(false, &[history(32)]));
    assert!(!explained(false, &[history(24)]));
}

#[test]
fn detection_that_ends_early_or_never_is_wrong() {
    let history = |before: &[u8], after: &[u8]| {
        in_order(vec![
            (Op::Enable, Ret::Ok),
            (add(2), Ret::Ok),
            (Op::Addresses, listed(before)),
            (Op::Advance, Ret::Is(true)),
            (Op::Addresses, listed(after)),
        ])
    };
    assert!(explained(true, &[history(&[], &[2])]));
    assert!(!explained(true, &[history(&[2], &[2])]));
    assert!(!explained(true, &[history(&[], &[])]));
}

#[test]
fn a_tentative_address_that_receives_or_is_a_source_is_wrong() {
    let route = Op::Route {
        local: None,
        v6: true,
        slot: 0,
    };
    let history = |seen, routed| {
        in_order(vec![
            (Op::Enable, Ret::Ok),
            (add(2), Ret::Ok),
            (burst(&[Destination::Address(2)]), found(&[seen])),
            (route.clone(), routed),
        ])
    };
    assert!(explained(true, &[history(Seen::Nothing, Ret::NoRoute)]));
    assert!(!explained(true, &[history(Seen::Endpoint, Ret::NoRoute)]));
    assert!(!explained(true, &[history(Seen::Nothing, Ret::Local(2))]));
}

#[test]
fn a_duplicate_that_stays_is_wrong() {
    let duplicate = Ret::Verdict(Verdict::Duplicate);
    let history = |again| {
        in_order(vec![
            (Op::Enable, Ret::Ok),
            (add(2), Ret::Ok),
            (Op::Advertise(2), duplicate.clone()),
            (Op::Probe(2), again),
        ])
    };
    assert!(explained(true, &[history(Ret::Verdict(Verdict::Ignored))]));
    assert!(!explained(
        true,
        &[history(Ret::Verdict(Verdict::Answered))]
    ));
    assert!(!explained(true, &[history(duplicate.clone())]));
}

#[test]
fn a_change_of_a_nic_that_is_gone_is_wrong() {
    let history = |start, end, ret| {
        let remove = vec![(0, 1, Op::Enable, Ret::Ok), (2, 5, Op::RemoveNic, Ret::Ok)];
        [remove, vec![(start, end, add(0), ret)]]
    };
    assert!(explained(false, &history(3, 4, Ret::Ok)));
    assert!(explained(false, &history(3, 4, Ret::Gone)));
    assert!(explained(false, &history(6, 7, Ret::Gone)));
    assert!(!explained(false, &history(6, 7, Ret::Ok)));
}

#[test]
fn a_route_that_sends_from_an_expired_address_is_wrong() {
    let history = |check| {
        in_order(vec![
            (Op::Enable, Ret::Ok),
            (add(0), Ret::Ok),
            (
                Op::Route {
                    local: None,
                    v6: false,
                    slot: 0,
                },
                Ret::Local(0),
            ),
            (Op::Check(0), Ret::Ok),
            (Op::Remove(0), Ret::Ok),
            (Op::Check(0), check),
        ])
    };
    assert!(explained(false, &[history(Ret::Invalid)]));
    assert!(!explained(false, &[history(Ret::Ok)]));
}
