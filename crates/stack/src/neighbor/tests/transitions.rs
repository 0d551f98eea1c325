//! Every row of the state machine of RFC 4861 appendix C, with section 7.2.5 where the two differ, and
//! of RFC 7048.

use super::*;
use NeighborState::{Delay, Idle, Incomplete, Probe, Reachable, Stale, Static, Unreachable};

const K: Key = Key::v6(0xfe80 << 112 | 1);

const WITH_MAC: [NeighborState; 4] = [Reachable, Stale, Delay, Probe];

/// A host whose neighbor `K` is in `state`, with the link address `A` where it has one.
fn host(state: NeighborState) -> Host {
    let mut host = Host::new(NeighborConfig::default());
    match state {
        Idle => {
            host.pin(K);
        }
        Incomplete => host.run(|cache, turn| cache.resolve(K, None, turn)),
        Static => host
            .run(|cache, turn| cache.add_static(K, A, turn))
            .unwrap(),
        Reachable | Stale | Delay | Probe | Unreachable => host.make_reachable(K, A),
    }
    let steps = match state {
        Stale => 1,
        Delay => 2,
        Probe => 3,
        Unreachable => 4,
        _ => 0,
    };
    if steps > 0 {
        host.pass(REACHABLE);
    }
    if steps > 1 {
        assert!(host.worker_uses(K));
    }
    if steps > 2 {
        host.pass(seconds(5));
    }
    if steps > 3 {
        host.pass(seconds(3));
    }
    assert_eq!(host.state(K), Some(state));
    assert_eq!(
        host.mac(K),
        (![Idle, Incomplete].contains(&state)).then_some(A)
    );
    host.actions.clear();
    host
}

/// The neighbor's state and link address after it advertised itself.
fn advertise(
    from: NeighborState,
    mac: Option<MacAddr>,
    solicited: bool,
    overrides: bool,
) -> (NeighborState, Option<MacAddr>) {
    let mut host = host(from);
    advertise_to(&mut host, mac, solicited, overrides, true);
    host.check();
    (host.state(K).unwrap(), host.mac(K))
}

fn advertise_to(
    host: &mut Host,
    mac: Option<MacAddr>,
    solicited: bool,
    overrides: bool,
    is_router: bool,
) {
    let advertisement = Advertisement {
        target: K,
        mac,
        solicited,
        overrides,
        is_router,
    };
    host.run(|cache, turn| cache.advertised(advertisement, turn));
}

#[test]
fn an_advertisement_resolves_an_incomplete_neighbor() {
    for overrides in [false, true] {
        let of = |mac, solicited| advertise(Incomplete, mac, solicited, overrides);
        assert_eq!(of(Some(A), true), (Reachable, Some(A)));
        assert_eq!(of(Some(A), false), (Stale, Some(A)));
        assert_eq!(of(None, true), (Incomplete, None), "it says nothing");
        assert_eq!(of(None, false), (Incomplete, None));
    }
}

#[test]
fn an_advertisement_with_the_known_link_address_or_none() {
    for from in WITH_MAC {
        for (mac, overrides) in [
            (Some(A), false),
            (Some(A), true),
            (None, false),
            (None, true),
        ] {
            let of = |solicited| advertise(from, mac, solicited, overrides);
            assert_eq!(of(true), (Reachable, Some(A)), "{from} {mac:?}");
            assert_eq!(of(false), (from, Some(A)), "{from} {mac:?}");
        }
    }
}

#[test]
fn an_advertisement_with_another_link_address() {
    for from in WITH_MAC {
        // Without the O flag it changes nothing but doubts what was certain.
        let doubted = if from == Reachable { Stale } else { from };
        for solicited in [false, true] {
            assert_eq!(
                advertise(from, Some(B), solicited, false),
                (doubted, Some(A))
            );
        }
        assert_eq!(advertise(from, Some(B), true, true), (Reachable, Some(B)));
        assert_eq!(advertise(from, Some(B), false, true), (Stale, Some(B)));
    }
}

#[test]
fn an_advertisement_of_an_unreachable_neighbor() {
    let of = |mac, solicited, overrides| advertise(Unreachable, mac, solicited, overrides);
    assert_eq!(of(Some(A), true, false), (Reachable, Some(A)));
    assert_eq!(of(None, true, false), (Reachable, Some(A)));
    assert_eq!(of(Some(A), false, false), (Stale, Some(A)), "it is back");
    assert_eq!(of(None, false, false), (Unreachable, Some(A)));
    assert_eq!(of(Some(B), true, false), (Unreachable, Some(A)));
    assert_eq!(of(Some(B), true, true), (Reachable, Some(B)));
    assert_eq!(of(Some(B), false, true), (Stale, Some(B)));

    // One that never had a link address is like an incomplete one.
    for (solicited, state) in [(true, Reachable), (false, Stale)] {
        let mut host = host(Incomplete);
        host.pass(seconds(3));
        assert_eq!((host.state(K), host.mac(K)), (Some(Unreachable), None));
        advertise_to(&mut host, None, solicited, true, false);
        assert_eq!(host.state(K), Some(Unreachable));
        advertise_to(&mut host, Some(B), solicited, false, false);
        assert_eq!((host.state(K), host.mac(K)), (Some(state), Some(B)));
    }
}

#[test]
fn an_advertisement_changes_neither_static_nor_idle_ones() {
    for (solicited, overrides) in [(false, false), (false, true), (true, false), (true, true)] {
        let of = |from| advertise(from, Some(B), solicited, overrides);
        assert_eq!(of(Static), (Static, Some(A)));
        assert_eq!(of(Idle), (Idle, None), "nothing was asked");
    }
}

#[test]
fn a_solicitation_tells_a_link_address() {
    for (from, mac, state) in [
        (Incomplete, A, Stale),
        (Idle, A, Stale),
        (Unreachable, A, Stale),
        (Unreachable, B, Stale),
        (Reachable, A, Reachable),
        (Reachable, B, Stale),
        (Stale, A, Stale),
        (Stale, B, Stale),
        (Delay, A, Delay),
        (Delay, B, Stale),
        (Probe, A, Probe),
        (Probe, B, Stale),
    ] {
        let mut host = host(from);
        host.solicited_from(K, mac);
        assert_eq!(
            (host.state(K), host.mac(K)),
            (Some(state), Some(mac)),
            "{from}"
        );
        host.check();
    }
    let mut host = host(Static);
    host.solicited_from(K, B);
    assert_eq!((host.state(K), host.mac(K)), (Some(Static), Some(A)));
}

#[test]
fn upper_layers_confirm_what_has_a_link_address() {
    for from in [Reachable, Stale, Delay, Probe, Unreachable] {
        let mut host = host(from);
        host.run(|cache, turn| cache.confirm(K, turn));
        assert_eq!(
            (host.state(K), host.mac(K)),
            (Some(Reachable), Some(A)),
            "{from}"
        );
        assert_eq!(host.view(K), NeighborView::Usable(A));
        host.check();
    }
    for from in [Idle, Incomplete, Static] {
        let mut host = host(from);
        host.run(|cache, turn| cache.confirm(K, turn));
        assert_eq!(host.state(K), Some(from));
    }
}

#[test]
fn a_confirmation_counts_from_when_it_comes() {
    let mut host = host(Reachable);
    for _ in 0..20 {
        host.pass(seconds(14));
        host.run(|cache, turn| cache.confirm(K, turn));
    }
    assert_eq!(host.state(K), Some(Reachable));
    host.check();
}

#[test]
fn a_resolution_asks_everybody_thrice_a_second_apart_and_fails_a_second_later() {
    let mut host = Host::new(NeighborConfig::default());
    host.resolve(K, 1);
    assert_eq!(host.take(), [request(K, None)]);
    for _ in 0..2 {
        host.pass(Duration::from_millis(999));
        assert_eq!(host.take(), []);
        host.pass(Duration::from_millis(1));
        assert_eq!(host.take(), [request(K, None)]);
    }
    host.pass(Duration::from_millis(999));
    assert_eq!((host.take(), host.state(K)), (vec![], Some(Incomplete)));
    host.pass(Duration::from_millis(1));
    let unreachable = event(K, None, NeighborChange::Unreachable);
    assert_eq!(host.take(), [failed(1, K), unreachable]);
    assert_eq!(host.state(K), Some(Unreachable));
}

#[test]
fn an_answer_counts_for_half_to_one_and_a_half_of_the_base_time() {
    let mut host = host(Reachable);
    host.pass(Duration::from_millis(14_999));
    assert_eq!(host.view(K), NeighborView::Usable(A));
    host.pass(Duration::from_millis(30_001));
    assert_eq!(host.view(K), NeighborView::Stale(A));
    assert_eq!(host.take(), [], "nobody uses it");
}

#[test]
fn a_stale_neighbor_in_use_is_asked_thrice_after_five_seconds() {
    let mut host = host(Stale);
    host.resolve(K, 1);
    assert_eq!(host.take(), [send(1, A)]);
    assert_eq!(host.view(K), NeighborView::Usable(A));
    host.pass(Duration::from_millis(4999));
    assert_eq!((host.take(), host.state(K)), (vec![], Some(Delay)));
    host.pass(Duration::from_millis(1));
    assert_eq!(
        (host.take(), host.state(K)),
        (vec![request(K, Some(A))], Some(Probe))
    );
    for _ in 0..2 {
        host.pass(seconds(1));
        assert_eq!(host.take(), [request(K, Some(A))]);
        assert_eq!(host.view(K), NeighborView::Usable(A));
    }
    host.pass(seconds(1));
    assert_eq!(
        host.take(),
        [event(K, Some(A), NeighborChange::Unreachable)]
    );
    assert_eq!(host.view(K), NeighborView::Unreachable);
    host.check();
}

#[test]
fn an_unreachable_neighbor_in_use_is_asked_for_with_growing_pauses() {
    let by_workers = |host: &mut Host| {
        host.worker_uses(K);
    };
    let by_routes = |host: &mut Host| {
        host.resolve(K, 1);
        assert!(host.actions.contains(&failed(1, K)));
    };
    for is_used in [by_workers as fn(&mut Host), by_routes] {
        let mut host = host(Unreachable);
        let mut asked = Vec::new();
        for second in 0..60 {
            is_used(&mut host);
            if host.take().contains(&request(K, None)) {
                asked.push(second);
            }
            host.pass(seconds(1));
        }
        assert_eq!(asked, [0, 3, 12, 39]);
        assert_eq!(host.state(K), None, "forgotten after a minute");
        assert_eq!(host.take(), [event(K, Some(A), NeighborChange::Removed)]);
        host.check();
    }
}

#[test]
fn an_unreachable_neighbor_nobody_uses_is_not_asked_for() {
    let mut host = host(Unreachable);
    host.pass(seconds(59));
    assert_eq!((host.take(), host.state(K)), (vec![], Some(Unreachable)));
    host.pass(seconds(1));
    assert_eq!(host.state(K), None);
}

#[test]
fn a_stale_neighbor_nobody_uses_is_forgotten_in_the_end() {
    let mut host = host(Stale);
    host.pass(seconds(20 * 60));
    assert_eq!(host.state(K), None);
    assert_eq!(host.take(), [event(K, Some(A), NeighborChange::Removed)]);

    // Unless a worker has marked it, and its word is on its way.
    let mut host = self::host(Stale);
    let index = host.cache.find(K).unwrap();
    assert!(host.cache.lines().at(index).mark_used());
    host.pass(seconds(20 * 60 - 45));
    host.pass(seconds(45));
    assert!(matches!(host.state(K), Some(Delay | Probe | Unreachable)));
}

#[test]
fn a_router_that_is_none_any_more_is_told() {
    let mut host = host(Reachable);
    advertise_to(&mut host, None, true, false, true);
    assert!(host.cache.list()[0].is_router);
    assert_eq!(host.take(), []);
    advertise_to(&mut host, Some(B), false, false, false);
    assert!(host.cache.list()[0].is_router, "it was not believed");
    advertise_to(&mut host, Some(A), false, false, false);
    assert!(!host.cache.list()[0].is_router);
    assert_eq!(
        host.take(),
        [event(K, Some(A), NeighborChange::NoLongerRouter)]
    );
}

#[test]
fn another_link_address_is_told() {
    let mut host = host(Reachable);
    advertise_to(&mut host, Some(B), false, true, false);
    assert_eq!(
        host.take(),
        [event(K, Some(B), NeighborChange::LinkAddress)]
    );
    assert_eq!(host.view(K), NeighborView::Stale(B));
}

#[test]
fn one_that_answers_again_is_told() {
    let mut host = host(Unreachable);
    host.solicited_from(K, A);
    assert_eq!(host.take(), [], "it may not hear us");
    assert!(host.worker_uses(K));
    host.pass(seconds(5));
    assert_eq!(host.take(), [request(K, Some(A))]);
    advertise_to(&mut host, None, true, false, false);
    assert_eq!(host.take(), [event(K, Some(A), NeighborChange::Reachable)]);
}
