//! What nobody can make the cache do, however much he sends.

use super::*;

#[test]
fn a_scan_of_a_million_addresses_pushes_out_no_neighbor() {
    let mut host = Host::new(NeighborConfig::default());
    let gateway = host.pin(key(0));
    for n in 1..=300 {
        host.make_reachable(key(n), A);
        if n % 2 == 0 {
            host.pass(Duration::from_millis(100));
        }
    }
    host.pass(REACHABLE);
    // Some stale, some being checked.
    for n in 1..100 {
        assert!(host.worker_uses(key(n)));
    }
    let mut requests = 0;
    let start = host.now;
    for n in 0..1_000_000u32 {
        host.resolve(key(1_000_000 + n), n);
        host.actions.retain(|action| {
            requests += u64::from(matches!(action, NeighborAction::Request { .. }));
            matches!(action, NeighborAction::Request { to: Some(_), .. })
        });
        if n % 64 == 0 {
            host.pass(Duration::from_micros(640));
            let asked = host.take();
            for action in asked {
                if let NeighborAction::Request {
                    target,
                    to: Some(mac),
                } = action
                {
                    host.reply(target, mac);
                }
            }
            host.reuse();
        }
        if n % 65_536 == 0 {
            host.check();
        }
    }
    let elapsed = host.now.saturating_since(start).as_secs();
    assert!((9..=11).contains(&elapsed), "{elapsed}");
    assert!(requests <= 1000 * (elapsed + 2), "{requests} requests");
    assert_eq!(host.cache.find(key(0)), Some(gateway));
    for n in 1..=300 {
        let view = host.view(key(n));
        let works = [NeighborView::Usable(A), NeighborView::Stale(A)].contains(&view);
        assert!(works, "{n}: {view:?}");
    }
    let slots = host.cache.entries.len();
    assert!(slots <= 1024, "{slots} slots");
    assert!(host.cache.counts().limited > 900_000);
}

#[test]
fn solicitations_with_made_up_sources_push_out_neither_neighbors_nor_resolutions() {
    let mut host = Host::new(NeighborConfig::default());
    for n in 0..100 {
        host.make_reachable(key(n), A);
    }
    host.pass(REACHABLE);
    host.resolve(key(500), 1);
    for n in 0..100_000 {
        host.solicited_from(key(1_000_000 + n), B);
        host.reuse();
    }
    host.check();
    assert!((0..100).all(|n| host.mac(key(n)) == Some(A)));
    assert_eq!(host.state(key(500)), Some(NeighborState::Incomplete));
    assert_eq!(host.cache.list().len(), 100 + 128);
    // Where all of the unproven are wanted, one that is not finds no place.
    for n in 0..128 {
        host.resolve(key(2000 + n), n);
    }
    host.solicited_from(key(3000), B);
    assert_eq!(host.state(key(3000)), None);
    assert!(host.cache.counts().refused > 0);
    host.check();
}

#[test]
fn one_that_answers_finds_no_place_among_those_that_did_and_is_served_all_the_same() {
    let mut host = Host::new(NeighborConfig::default());
    for n in 0..384 {
        host.make_reachable(key(n), A);
    }
    host.resolve(key(1000), 7);
    host.take();
    host.reply(key(1000), B);
    assert!(host.take().contains(&send(7, B)));
    assert_eq!(
        host.state(key(1000)),
        None,
        "all others answered a moment ago"
    );
    assert_eq!(host.cache.counts().refused, 1);
    host.check();
}

#[test]
fn one_that_a_worker_just_used_is_not_evicted() {
    let mut host = Host::new(NeighborConfig::default());
    for n in 0..384 {
        host.make_reachable(key(n), A);
        host.pass(Duration::from_millis(1));
    }
    host.pass(REACHABLE);
    let oldest = host.cache.room.stalest().unwrap();
    let line = host.cache.lines().at(oldest);
    let used = line.key();
    assert!(line.mark_used());
    host.make_reachable(key(1000), B);
    assert_eq!(host.state(used), Some(NeighborState::Delay));
    assert_eq!(host.cache.counts().evicted, 1);
    host.check();
}

#[test]
fn of_too_many_packets_for_one_neighbor_the_oldest_go() {
    let mut host = Host::new(NeighborConfig::default());
    for n in 0..16 {
        assert_eq!(
            host.state(key(1)).map(|_| host.view(key(1))),
            (n > 0).then_some(NeighborView::Incomplete)
        );
        host.resolve(key(1), n);
    }
    assert_eq!(
        host.view(key(1)),
        NeighborView::Full,
        "workers drop from now on"
    );
    host.take();
    host.resolve(key(1), 16);
    assert_eq!(host.take(), [dropped(0, Dropped::Superseded)]);
    host.reply(key(1), A);
    let sent: Vec<_> = host.take().into_iter().skip(1).collect();
    assert_eq!(sent, (1..=16).map(|n| send(n, A)).collect::<Vec<_>>());
    host.check();
}

#[test]
fn of_too_many_packets_for_all_neighbors_the_oldest_go() {
    let mut host = Host::new(NeighborConfig {
        pending_per_neighbor: 2,
        pending_total: 3,
        ..NeighborConfig::default()
    });
    for (n, packet) in [(1, 10), (2, 20), (1, 11)] {
        host.resolve(key(n), packet);
    }
    assert_eq!(host.view(key(1)), NeighborView::Full);
    host.take();
    host.resolve(key(2), 21);
    assert_eq!(host.take(), [dropped(10, Dropped::Superseded)]);
    assert_eq!(
        host.view(key(1)),
        NeighborView::Incomplete,
        "there is room again"
    );
    host.resolve(key(3), 30);
    assert_eq!(
        host.take(),
        [request(key(3), None), dropped(20, Dropped::Superseded)]
    );
    host.resolve(key(3), 31);
    assert_eq!(host.take(), [dropped(11, Dropped::Superseded)]);
    host.check();
}

#[test]
fn resolutions_for_packets_begin_at_a_bounded_rate_and_callers_are_not_held_up() {
    let mut host = Host::new(NeighborConfig {
        resolutions_per_second: 10,
        ..NeighborConfig::default()
    });
    for n in 0..20 {
        host.resolve(key(n), n);
    }
    let refused = (10..20).map(|n| dropped(n, Dropped::TooManyResolutions));
    assert!(refused.clone().all(|action| host.actions.contains(&action)));
    assert_eq!(host.cache.counts().limited, 10);
    assert_eq!(host.cache.list().len(), 10);
    assert_eq!(host.wait(key(50), 1), Wait::Waiting);
    let gateway = host.pin(key(60));
    host.resolve(key(60), 1);
    assert_eq!(host.cache.find(key(60)), Some(gateway));
    assert_eq!(host.state(key(60)), Some(NeighborState::Incomplete));
    host.pass(Duration::from_millis(100));
    host.resolve(key(21), 21);
    assert_eq!(host.state(key(21)), Some(NeighborState::Incomplete));
}

#[test]
fn a_slot_is_used_again_only_after_it_was_given_back() {
    let mut host = Host::new(NeighborConfig::default());
    host.make_reachable(key(1), A);
    assert!(host.cache.take_changed());
    assert!(!host.cache.take_changed());
    let index = host.cache.find(key(1)).unwrap();
    let life = host.cache.lines().at(index).life();
    let old = host.cache.table().clone();
    host.run(|cache, turn| cache.remove(key(1), turn));
    assert!(host.cache.take_changed());
    assert_eq!(
        old.find(&**host.cache.lines(), key(1)),
        Some(index),
        "a reader"
    );
    assert_eq!(
        host.cache.lines().at(index).read(),
        NeighborView::Incomplete
    );
    assert_eq!(host.cache.take_unlinked(), [index]);
    assert_eq!(host.cache.take_unlinked(), []);
    host.make_reachable(key(2), A);
    assert_ne!(host.cache.find(key(2)), Some(index));

    host.cache.reuse(index);
    host.make_reachable(key(3), B);
    assert_eq!(host.cache.find(key(3)), Some(index));
    assert_ne!(host.cache.lines().at(index).life(), life);
    host.check();
}

#[test]
fn late_word_of_another_life_is_nothing() {
    let mut host = Host::new(NeighborConfig::default());
    host.make_reachable(key(1), A);
    host.pass(REACHABLE);
    let index = host.cache.find(key(1)).unwrap();
    let life = host.cache.lines().at(index).life();
    host.run(|cache, turn| cache.remove(key(1), turn));
    host.run(|cache, turn| cache.used(index, life, turn));
    host.reuse();
    host.make_reachable(key(2), A);
    host.pass(REACHABLE);
    assert_eq!(host.cache.find(key(2)), Some(index));
    host.run(|cache, turn| cache.used(index, life, turn));
    host.run(|cache, turn| cache.used(index + 1, life, turn));
    host.run(|cache, turn| cache.used(u32::MAX, 0, turn));
    assert_eq!(host.state(key(2)), Some(NeighborState::Stale));
    host.run(|cache, turn| cache.used(index, life + 1, turn));
    assert_eq!(host.state(key(2)), Some(NeighborState::Delay));
    host.check();
}

#[test]
fn slots_that_are_not_given_back_are_bounded() {
    let mut host = Host::new(NeighborConfig {
        resolutions_per_second: 1_000_000,
        ..NeighborConfig::default()
    });
    for n in 0..100_000 {
        host.resolve(key(n), n);
    }
    assert!(host.cache.entries.len() <= 128 + 512);
    assert!(host.take().contains(&dropped(99_999, Dropped::NoRoom)));
    assert_eq!(host.reuse(), 512);
    host.resolve(key(200_000), 1);
    assert!(host.state(key(200_000)).is_some());
    host.check();
}

#[test]
fn a_worker_writes_and_tells_once_however_much_it_sends() {
    let mut host = Host::new(NeighborConfig::default());
    host.make_reachable(key(1), A);
    host.pass(REACHABLE);
    let index = host.cache.find(key(1)).unwrap();
    let line = host.cache.lines().at(index);
    assert_eq!((0..1000).filter(|_| line.mark_used()).count(), 1);
    // Its word found no room: the next packet tells.
    line.unmark_used();
    assert!(host.worker_uses(key(1)));
    assert_eq!(host.state(key(1)), Some(NeighborState::Delay));
    host.pass(seconds(5));
    host.reply(key(1), A);
    host.pass(REACHABLE);
    assert!(
        host.worker_uses(key(1)),
        "the mark is of one time of being stale"
    );
}
