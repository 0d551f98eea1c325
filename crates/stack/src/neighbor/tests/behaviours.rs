//! Sections O and G of the behaviours, as far as they are the cache's.

use super::*;

#[test]
fn o1_three_attempts_a_second_apart_and_the_failure_is_remembered_for_a_minute() {
    let mut host = Host::new(NeighborConfig::default());
    host.resolve(key(1), 1);
    host.pass(seconds(3));
    let requests = host.take().into_iter();
    assert_eq!(requests.filter(|a| *a == request(key(1), None)).count(), 3);
    assert_eq!(host.wait(key(1), 7), Wait::NoLinkAddress);
    host.take();
    host.pass(Duration::from_millis(59_999));
    host.resolve(key(1), 2);
    assert!(host.take().contains(&failed(2, key(1))), "at once");
    host.pass(Duration::from_millis(1));
    host.resolve(key(1), 3);
    assert_eq!(host.wait(key(1), 7), Wait::Waiting);
    assert_eq!(host.state(key(1)), Some(NeighborState::Incomplete));
}

#[test]
fn o1_512_neighbors_the_one_not_used_for_the_longest_time_goes_first() {
    let mut host = Host::new(NeighborConfig::default());
    // Three quarters are for those that answered.
    for n in 0..384 {
        host.make_reachable(key(n), A);
    }
    host.pass(REACHABLE);
    assert!(host.worker_uses(key(0)));
    host.reply(key(0), A); // not asked: proves nothing
    host.pass(seconds(5));
    host.reply(key(0), A);
    host.pass(REACHABLE);
    assert!(
        host.cache
            .list()
            .iter()
            .all(|n| n.state == NeighborState::Stale)
    );
    for n in 0..383 {
        host.make_reachable(key(1000 + n), B);
        assert!(host.state(key(0)).is_some(), "used last");
        host.check();
    }
    assert_eq!(host.cache.list().len(), 384);
    assert_eq!(host.cache.counts().evicted, 383);
}

#[test]
fn o2_groups_and_broadcasts_are_answered_at_once() {
    let mut host = Host::new(NeighborConfig::default());
    let group = Key::v6(0xff02 << 112 | 1);
    host.resolve(group, 1);
    assert_eq!(host.take(), [send(1, MacAddr([0x33, 0x33, 0, 0, 0, 1]))]);
    assert_eq!(
        host.wait(Key::v4(u32::MAX), 1),
        Wait::Ready(MacAddr::BROADCAST)
    );
    assert_eq!(host.cache.list(), []);
}

#[test]
fn o3_the_first_miss_starts_one_resolution_and_all_share_it() {
    let mut host = Host::new(NeighborConfig::default());
    host.resolve(key(1), 1);
    assert_eq!(host.wait(key(1), 10), Wait::Waiting);
    assert_eq!(host.wait(key(1), 11), Wait::Waiting);
    assert_eq!(host.wait(key(1), 11), Wait::Waiting, "counts once");
    host.resolve(key(1), 2);
    assert_eq!(host.take(), [request(key(1), None)]);
    host.reply(key(1), A);
    let expected = [
        event(key(1), Some(A), NeighborChange::Reachable),
        send(1, A),
        send(2, A),
        waited(10, NeighborAnswer::Resolved(A)),
        waited(11, NeighborAnswer::Resolved(A)),
    ];
    assert_eq!(host.take(), expected);
    assert_eq!(host.wait(key(1), 12), Wait::Ready(A));
    host.reply(key(1), A);
    assert_eq!(host.take(), [], "once");
    host.check();
}

#[test]
fn o3_who_waits_is_told_of_failure_and_of_eviction() {
    let mut host = Host::new(NeighborConfig::default());
    assert_eq!(host.wait(key(1), 1), Wait::Waiting);
    host.pass(seconds(3));
    assert!(host.take().contains(&waited(1, NeighborAnswer::Failed)));

    assert_eq!(host.wait(key(2), 2), Wait::Waiting);
    for n in 0..128 {
        assert_eq!(host.wait(key(1000 + n), 3), Wait::Waiting);
    }
    assert!(host.take().contains(&waited(2, NeighborAnswer::Gone)));

    assert_eq!(host.wait(key(4), 4), Wait::Waiting);
    assert!(host.run(|cache, turn| cache.remove(key(4), turn)));
    assert!(host.take().contains(&waited(4, NeighborAnswer::Gone)));
    host.check();
}

#[test]
fn o3_without_anybody_to_ask_there_is_no_link_address() {
    let mut host = Host::new(NeighborConfig::default());
    assert_eq!(host.wait(Key::v4(0), 1), Wait::NoLinkAddress);
    assert_eq!(host.wait(Key::v6(0), 1), Wait::NoLinkAddress);
    host.resolve(Key::v6(0), 5);
    assert_eq!(host.take(), [dropped(5, Dropped::NotUnicast)]);
    host.check();
}

#[test]
fn o4_bug22_who_cancels_is_not_told() {
    let mut host = Host::new(NeighborConfig::default());
    assert_eq!(host.wait(key(1), 1), Wait::Waiting);
    assert_eq!(host.wait(key(1), 2), Wait::Waiting);
    assert!(host.cache.cancel(key(1), WaitToken(1)));
    assert!(!host.cache.cancel(key(1), WaitToken(1)), "it is gone");
    assert!(
        !host.cache.cancel(key(2), WaitToken(2)),
        "of another address"
    );
    host.take();
    host.reply(key(1), A);
    let told = host.take();
    assert!(told.contains(&waited(2, NeighborAnswer::Resolved(A))));
    assert!(
        !told
            .iter()
            .any(|a| *a == waited(1, NeighborAnswer::Resolved(A)))
    );
}

#[test]
fn o5_requests_fill_the_cache_replies_only_what_was_asked() {
    let mut host = Host::new(NeighborConfig::default());
    host.solicited_from(key(1), A);
    assert_eq!(host.view(key(1)), NeighborView::Stale(A));
    host.reply(key(2), A);
    assert_eq!(host.state(key(2)), None);
    host.resolve(key(2), 1);
    host.reply(key(2), B);
    assert_eq!(host.view(key(2)), NeighborView::Usable(B));
    // A reply nobody asked for replaces the link address, but proves nothing.
    host.reply(key(2), A);
    assert_eq!(host.view(key(2)), NeighborView::Stale(A));
}

#[test]
fn o5_announcements_change_what_is_there_and_add_nothing() {
    let mut host = Host::new(NeighborConfig::default());
    let announce = |host: &mut Host, n, mac| {
        host.run(|cache, turn| cache.gratuitous(key(n), mac, turn));
    };
    announce(&mut host, 1, A);
    assert_eq!(host.state(key(1)), None);
    host.make_reachable(key(1), A);
    announce(&mut host, 1, A);
    assert_eq!(host.view(key(1)), NeighborView::Usable(A));
    announce(&mut host, 1, B);
    assert_eq!(host.view(key(1)), NeighborView::Stale(B));
    host.resolve(key(2), 5);
    host.take();
    announce(&mut host, 2, B);
    assert_eq!(host.take(), [send(5, B)]);
    assert_eq!(host.view(key(2)), NeighborView::Stale(B));
}

#[test]
fn o5_g10_g11_no_group_becomes_a_link_address_and_none_a_neighbor() {
    let mut host = Host::new(NeighborConfig::default());
    host.run(|cache, turn| cache.resolve(key(1), None, turn));
    for mac in [
        MacAddr::BROADCAST,
        MacAddr::UNSPECIFIED,
        MacAddr([1, 0, 0x5e, 0, 0, 1]),
    ] {
        host.reply(key(1), mac);
        host.solicited_from(key(1), mac);
        host.solicited_from(key(2), mac);
    }
    for source in [
        Key::v4(0),
        Key::v6(0),
        Key::v4(u32::MAX),
        Key::v6(0xff02 << 112 | 1),
    ] {
        host.solicited_from(source, A);
    }
    assert_eq!(host.state(key(1)), Some(NeighborState::Incomplete));
    assert_eq!(host.cache.list().len(), 1);
}

#[test]
fn g10_the_source_of_a_solicitation_is_known_and_checked_when_used() {
    let source = Key::v6(0xfe80 << 112 | 7);
    let mut host = Host::new(NeighborConfig::default());
    host.solicited_from(source, A);
    assert_eq!(host.take(), [], "nothing is sure yet");
    host.resolve(source, 1);
    assert_eq!(host.take(), [send(1, A)]);
    assert_eq!(host.state(source), Some(NeighborState::Delay));
    host.pass(seconds(5));
    assert_eq!(host.take(), [request(source, Some(A))]);
    host.check();
}

#[test]
fn g11_an_advertisement_nobody_asked_for_adds_nothing() {
    let target = Key::v6(0xfe80 << 112 | 7);
    let mut host = Host::new(NeighborConfig::default());
    let advertisement = Advertisement {
        target,
        mac: Some(A),
        solicited: true,
        overrides: true,
        is_router: true,
    };
    host.run(|cache, turn| cache.advertised(advertisement, turn));
    assert_eq!(host.state(target), None);
    host.resolve(target, 1);
    host.run(|cache, turn| cache.advertised(advertisement, turn));
    assert_eq!(host.view(target), NeighborView::Usable(A));
    assert!(host.take().contains(&send(1, A)));
}

#[test]
fn static_entries_outlast_everything_but_their_removal() {
    let mut host = Host::new(NeighborConfig::default());
    host.resolve(key(1), 1);
    assert_eq!(host.wait(key(1), 9), Wait::Waiting);
    host.take();
    host.run(|cache, turn| cache.add_static(key(1), A, turn))
        .unwrap();
    let expected = [
        event(key(1), Some(A), NeighborChange::Reachable),
        send(1, A),
        waited(9, NeighborAnswer::Resolved(A)),
    ];
    assert_eq!(host.take(), expected);
    assert_eq!(host.cache.next_deadline(), None);
    host.reply(key(1), B);
    host.run(|cache, turn| cache.gratuitous(key(1), B, turn));
    host.run(NeighborCache::flush);
    host.run(NeighborCache::clear);
    host.pass(seconds(10_000));
    assert_eq!(host.view(key(1)), NeighborView::Usable(A));
    host.run(|cache, turn| cache.add_static(key(1), B, turn))
        .unwrap();
    assert_eq!(
        host.take(),
        [event(key(1), Some(B), NeighborChange::LinkAddress)]
    );
    assert!(host.run(|cache, turn| cache.remove(key(1), turn)));
    assert!(!host.run(|cache, turn| cache.remove(key(1), turn)));
    assert_eq!(
        host.take(),
        [event(key(1), Some(B), NeighborChange::Removed)]
    );
    host.check();
}

#[test]
fn what_cannot_be_a_static_entry_is_refused() {
    let mut host = Host::new(NeighborConfig::default());
    let mut add = |key, mac| host.run(|cache, turn| cache.add_static(key, mac, turn));
    assert!(matches!(add(Key::v4(0), A), Err(NeighborError::Address(_))));
    assert!(matches!(
        add(Key::v4(u32::MAX), A),
        Err(NeighborError::Address(_))
    ));
    let none = MacAddr::UNSPECIFIED;
    assert!(matches!(
        add(key(1), none),
        Err(NeighborError::LinkAddress(_))
    ));
    let group = MacAddr([3, 0xbf, 0, 0, 0, 1]);
    assert!(add(key(1), group).is_ok());
    assert_eq!(host.cache.list().len(), 1);
}

#[test]
fn a_pinned_neighbor_keeps_its_index_through_everything() {
    let mut host = Host::new(NeighborConfig::default());
    let index = host.pin(key(1));
    assert_eq!(host.pin(key(1)), index);
    assert_eq!(
        (host.take(), host.cache.next_deadline()),
        (vec![], None),
        "idle"
    );
    assert_eq!(
        host.view(key(1)),
        NeighborView::Incomplete,
        "workers hand packets over"
    );
    host.resolve(key(1), 1);
    assert_eq!(host.take(), [request(key(1), None)]);
    host.pass(seconds(3));
    assert_eq!(host.view(key(1)), NeighborView::Unreachable);
    host.pass(seconds(60));
    assert_eq!(host.state(key(1)), Some(NeighborState::Idle));
    host.make_reachable(key(1), A);
    host.pass(REACHABLE + seconds(20 * 60));
    assert_eq!(
        host.state(key(1)),
        Some(NeighborState::Idle),
        "not used for long"
    );
    for forget in [
        (|cache, turn| assert!(cache.remove(key(1), turn)))
            as fn(&mut NeighborCache<u32>, &mut Turn<'_, u32>),
        NeighborCache::flush,
        NeighborCache::clear,
    ] {
        host.make_reachable(key(1), A);
        host.run(forget);
        assert_eq!(host.state(key(1)), Some(NeighborState::Idle));
        assert_eq!(host.view(key(1)), NeighborView::Incomplete);
    }
    assert_eq!(host.cache.find(key(1)), Some(index));
    assert!(host.run(|cache, turn| cache.unpin(index, turn)));
    assert_eq!(host.cache.find(key(1)), Some(index), "pinned twice");
    assert!(host.run(|cache, turn| cache.unpin(index, turn)));
    assert_eq!(host.cache.find(key(1)), None);
    assert!(!host.run(|cache, turn| cache.unpin(index, turn)));
    assert_eq!(host.reuse(), 1);
    host.check();
}

#[test]
fn an_unpinned_neighbor_is_one_like_others() {
    let mut host = Host::new(NeighborConfig::default());
    let index = host.pin(key(1));
    host.make_reachable(key(1), A);
    host.check();
    assert!(host.run(|cache, turn| cache.unpin(index, turn)));
    assert_eq!(host.state(key(1)), Some(NeighborState::Reachable));
    host.check();
    host.pass(REACHABLE + seconds(20 * 60));
    assert_eq!(host.state(key(1)), None);
    host.check();
}

#[test]
fn flushing_forgets_what_was_learned() {
    let mut host = Host::new(NeighborConfig::default());
    host.make_reachable(key(1), A);
    host.resolve(key(2), 2);
    assert_eq!(host.wait(key(2), 3), Wait::Waiting);
    host.take();
    host.run(NeighborCache::flush);
    let expected = [
        event(key(1), Some(A), NeighborChange::Removed),
        dropped(2, Dropped::NeighborGone),
        waited(3, NeighborAnswer::Gone),
    ];
    assert_eq!(host.take(), expected);
    assert_eq!(
        (host.cache.list().len(), host.cache.next_deadline()),
        (0, None)
    );
    host.check();
}

#[test]
fn going_down_drops_everything_and_tells_of_no_single_neighbor() {
    let mut host = Host::new(NeighborConfig::default());
    host.make_reachable(key(1), A);
    host.resolve(key(2), 2);
    assert_eq!(host.wait(key(2), 3), Wait::Waiting);
    host.take();
    host.run(NeighborCache::clear);
    assert_eq!(
        host.take(),
        [
            dropped(2, Dropped::NicDown),
            waited(3, NeighborAnswer::Gone)
        ]
    );
    assert_eq!(
        (host.cache.list().len(), host.cache.next_deadline()),
        (0, None)
    );
    host.check();
}

#[test]
fn neighbors_are_listed_in_the_order_of_their_addresses() {
    let mut host = Host::new(NeighborConfig::default());
    host.pin(Key::v6(0xfe80 << 112 | 1));
    for n in [300, 2, 77] {
        host.make_reachable(key(n), A);
    }
    let since = host.now;
    host.pass(seconds(1));
    let list = host.cache.list();
    let addresses: Vec<_> = list.iter().map(|info| info.address.to_string()).collect();
    assert_eq!(addresses, ["10.0.0.2", "10.0.0.77", "10.0.1.44", "fe80::1"]);
    let first = NeighborInfo {
        address: key(2).address(),
        mac: Some(A),
        state: NeighborState::Reachable,
        since,
        is_router: false,
        pinned: false,
        pending: 0,
        waiting: 0,
    };
    assert_eq!(list[0], first);
    assert!(list[3].pinned && list[3].mac.is_none());
    assert_eq!(list[3].state.to_string(), "idle");
}
