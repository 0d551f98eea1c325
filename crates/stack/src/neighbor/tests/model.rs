//! Random calls: what comes out, and what stays.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    Resolve(u32),
    Wait(u32),
    Cancel(u32, u64),
    Used(u32),
    Solicited(u32, u8),
    Advertised(u32, Option<u8>, bool, bool, bool),
    Reply(u32, u8),
    Announced(u32, u8),
    Confirm(u32),
    Pin(u32),
    Unpin(u32),
    Static(u32, u8),
    Remove(u32),
    Flush,
    Clear,
    Reuse,
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let n = || 1..80u32;
    let mac = || 1..4u8;
    prop_oneof![
        12 => n().prop_map(Step::Resolve),
        4 => n().prop_map(Step::Wait),
        2 => (n(), 0..40u64).prop_map(|(n, token)| Step::Cancel(n, token)),
        6 => n().prop_map(Step::Used),
        4 => (n(), mac()).prop_map(|(n, mac)| Step::Solicited(n, mac)),
        4 => (n(), proptest::option::of(mac()), any::<bool>(), any::<bool>(), any::<bool>())
            .prop_map(|(n, mac, s, o, r)| Step::Advertised(n, mac, s, o, r)),
        10 => (n(), mac()).prop_map(|(n, mac)| Step::Reply(n, mac)),
        2 => (n(), mac()).prop_map(|(n, mac)| Step::Announced(n, mac)),
        3 => n().prop_map(Step::Confirm),
        2 => n().prop_map(Step::Pin),
        2 => n().prop_map(Step::Unpin),
        1 => (n(), mac()).prop_map(|(n, mac)| Step::Static(n, mac)),
        2 => n().prop_map(Step::Remove),
        1 => Just(Step::Flush),
        1 => Just(Step::Clear),
        3 => Just(Step::Reuse),
        8 => (0..20_000u64).prop_map(Step::Pass),
    ]
}

/// What the cache was given and has not given back, and what may not change.
#[derive(Default)]
struct Model {
    packets: u32,
    /// Packets handed over and not come out.
    inside: BTreeSet<u32>,
    waiting: BTreeMap<u64, u32>,
    tokens: u64,
    /// The pins of a neighbor, and its index.
    pins: BTreeMap<u32, (usize, u32)>,
    statics: BTreeMap<u32, MacAddr>,
    /// Slots unlinked and not given back.
    unlinked: BTreeSet<u32>,
}

impl Model {
    /// Takes what came out: each packet and each token was inside.
    fn settle(&mut self, actions: Vec<NeighborAction<u32>>) {
        for action in actions {
            match action {
                NeighborAction::Send { packet, .. }
                | NeighborAction::Failed { packet, .. }
                | NeighborAction::Dropped { packet, .. } => {
                    assert!(self.inside.remove(&packet), "packet {packet} twice");
                }
                NeighborAction::Waited { token, .. } => {
                    assert!(self.waiting.remove(&token.0).is_some(), "{token:?} twice");
                }
                NeighborAction::Request { target, .. } => {
                    assert!(target.can_be_local());
                }
                NeighborAction::Event(_) => {}
            }
        }
    }

    fn take(&mut self, host: &mut Host, step: Step) {
        let mac = |n: u8| MacAddr([2, 0, 0, 0, 0, n]);
        match step {
            Step::Resolve(n) => {
                self.packets += 1;
                self.inside.insert(self.packets);
                host.resolve(key(n), self.packets);
            }
            Step::Wait(n) => {
                self.tokens += 1;
                if host.wait(key(n), self.tokens) == Wait::Waiting {
                    self.waiting.insert(self.tokens, n);
                }
            }
            Step::Cancel(n, token) => {
                // Often one that waits.
                let (token, n) = match self.waiting.range(token..).next() {
                    Some((waiting, of)) => (*waiting, *of),
                    None => (token, n),
                };
                let waits = self.waiting.get(&token) == Some(&n);
                assert_eq!(host.cache.cancel(key(n), WaitToken(token)), waits);
                if waits {
                    self.waiting.remove(&token);
                }
            }
            Step::Used(n) => {
                if host.cache.find(key(n)).is_some() {
                    host.worker_uses(key(n));
                }
            }
            Step::Solicited(n, m) => host.solicited_from(key(n), mac(m)),
            Step::Advertised(n, m, solicited, overrides, is_router) => {
                let advertisement = Advertisement {
                    target: key(n),
                    mac: m.map(mac),
                    solicited,
                    overrides,
                    is_router,
                };
                host.run(|cache, turn| cache.advertised(advertisement, turn));
            }
            Step::Reply(n, m) => host.reply(key(n), mac(m)),
            Step::Announced(n, m) => host.run(|cache, turn| cache.gratuitous(key(n), mac(m), turn)),
            Step::Confirm(n) => host.run(|cache, turn| cache.confirm(key(n), turn)),
            Step::Pin(n) => {
                let index = host.pin(key(n));
                let pin = self.pins.entry(n).or_insert((0, index));
                pin.0 += 1;
                assert_eq!(pin.1, index);
            }
            Step::Unpin(n) => {
                if let Some((count, index)) = self.pins.get_mut(&n) {
                    assert!(host.run(|cache, turn| cache.unpin(*index, turn)));
                    *count -= 1;
                    if *count == 0 {
                        self.pins.remove(&n);
                    }
                }
            }
            Step::Static(n, m) => {
                host.run(|cache, turn| cache.add_static(key(n), mac(m), turn))
                    .unwrap();
                self.statics.insert(n, mac(m));
            }
            Step::Remove(n) => {
                host.run(|cache, turn| cache.remove(key(n), turn));
                self.statics.remove(&n);
            }
            Step::Flush => host.run(NeighborCache::flush),
            Step::Clear => host.run(NeighborCache::clear),
            Step::Reuse => {
                for index in std::mem::take(&mut self.unlinked) {
                    host.cache.reuse(index);
                }
            }
            Step::Pass(milliseconds) => host.pass(Duration::from_millis(milliseconds)),
        }
    }

    /// What must be as it was, whatever happened.
    fn check(&mut self, host: &mut Host) {
        host.check();
        assert_eq!(host.cache.pending_len(), self.inside.len());
        let waiters = host.cache.entries.iter().flatten();
        let waiters: usize = waiters.map(|entry| entry.waiters.len()).sum();
        assert_eq!(waiters, self.waiting.len());
        for (n, (_, index)) in &self.pins {
            assert_eq!(host.cache.find(key(*n)), Some(*index));
        }
        for (n, mac) in &self.statics {
            assert_eq!(host.view(key(*n)), NeighborView::Usable(*mac));
        }
        for index in host.cache.take_unlinked() {
            assert!(self.unlinked.insert(index), "unlinked twice");
        }
        for index in &self.unlinked {
            assert!(host.cache.entry(*index).is_none(), "used again too early");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn every_packet_comes_out_once_and_every_bound_holds(
        steps in proptest::collection::vec(step(), 0..400),
    ) {
        let mut host = Host::new(NeighborConfig {
            capacity: 32,
            pending_per_neighbor: 3,
            pending_total: 10,
            resolutions_per_second: 30,
            unreachable_hold: seconds(20),
            stale_lifetime: seconds(100),
            ..NeighborConfig::default()
        });
        let mut model = Model::default();
        for step in steps {
            model.take(&mut host, step);
            let actions = host.take();
            model.settle(actions);
            model.check(&mut host);
        }
        // Nobody answers any more, and nothing is used: all that is not to stay goes.
        host.pass(seconds(1000));
        let actions = host.take();
        model.settle(actions);
        model.check(&mut host);
        prop_assert!(model.inside.is_empty() && model.waiting.is_empty());
        prop_assert_eq!(host.cache.next_deadline(), None);
        let stays: BTreeSet<u32> =
            model.pins.keys().chain(model.statics.keys()).copied().collect();
        prop_assert_eq!(host.cache.list().len(), stays.len());
    }
}
