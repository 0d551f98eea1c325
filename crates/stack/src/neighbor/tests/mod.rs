//! The cache against the clock of a hand.

mod behaviours;
mod bounds;
mod model;
mod transitions;

use std::time::Duration;

use corelane_wire::MacAddr;

use super::action::{Dropped, NeighborEvent};
use super::entry::State;
use super::room::Standing;
use super::*;
use crate::address::Key;
use crate::clock::Time;

const A: MacAddr = MacAddr([2, 0, 0, 0, 0, 0xa]);
const B: MacAddr = MacAddr([2, 0, 0, 0, 0, 0xb]);

/// 10.x.x.n.
fn key(n: u32) -> Key {
    Key::v4(0x0a00_0000 + n)
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// The longest that an answer counts by default.
const REACHABLE: Duration = Duration::from_secs(45);

/// A cache, what runs it, and what it wanted done.
struct Host {
    cache: NeighborCache<u32>,
    rng: fastrand::Rng,
    now: Time,
    actions: Vec<NeighborAction<u32>>,
}

impl Host {
    fn new(config: NeighborConfig) -> Self {
        Self {
            cache: NeighborCache::new(config, 7),
            rng: fastrand::Rng::with_seed(7),
            now: Time::ZERO + seconds(100),
            actions: Vec::new(),
        }
    }

    fn run<R>(&mut self, call: impl FnOnce(&mut NeighborCache<u32>, &mut Turn<'_, u32>) -> R) -> R {
        let mut turn = Turn {
            now: self.now,
            rng: &mut self.rng,
            actions: &mut self.actions,
        };
        call(&mut self.cache, &mut turn)
    }

    fn resolve(&mut self, key: Key, packet: u32) {
        self.run(|cache, turn| cache.resolve(key, Some(packet), turn));
    }

    fn wait(&mut self, key: Key, token: u64) -> Wait {
        self.run(|cache, turn| cache.wait(key, WaitToken(token), turn))
    }

    fn reply(&mut self, key: Key, mac: MacAddr) {
        self.run(|cache, turn| cache.arp_reply(key, mac, turn));
    }

    fn solicited_from(&mut self, key: Key, mac: MacAddr) {
        self.run(|cache, turn| cache.solicited_from(key, mac, turn));
    }

    fn pin(&mut self, key: Key) -> u32 {
        self.run(|cache, turn| cache.pin(key, turn)).unwrap()
    }

    /// What a worker does that has a packet for `key`: whether it told the control plane.
    fn worker_uses(&mut self, key: Key) -> bool {
        let index = self.cache.find(key).unwrap();
        let line = self.cache.lines().at(index);
        let told = match line.read() {
            NeighborView::Stale(_) | NeighborView::Unreachable => line.mark_used(),
            _ => false,
        };
        let life = line.life();
        if told {
            self.run(|cache, turn| cache.used(index, life, turn));
        }
        told
    }

    /// Lets time pass, doing what is due when it is due.
    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(at) = self.cache.next_deadline().filter(|at| *at <= end) {
            assert!(at >= self.now, "nothing was due before");
            self.now = at;
            self.run(NeighborCache::poll);
        }
        self.now = end;
    }

    fn state(&self, key: Key) -> Option<NeighborState> {
        let index = self.cache.find(key)?;
        self.cache.entry(index).map(|entry| entry.state.name())
    }

    fn mac(&self, key: Key) -> Option<MacAddr> {
        self.cache.entry(self.cache.find(key)?)?.state.mac()
    }

    fn view(&self, key: Key) -> NeighborView {
        let index = self.cache.find(key).unwrap();
        self.cache.lines().at(index).read()
    }

    /// What was wanted since the last time.
    fn take(&mut self) -> Vec<NeighborAction<u32>> {
        std::mem::take(&mut self.actions)
    }

    /// Makes a neighbor that answered.
    fn make_reachable(&mut self, key: Key, mac: MacAddr) {
        self.run(|cache, turn| cache.resolve(key, None, turn));
        self.reply(key, mac);
        assert_eq!(self.state(key), Some(NeighborState::Reachable));
        self.actions.clear();
    }

    /// Gives all slots back whose neighbors are gone.
    fn reuse(&mut self) -> usize {
        let unlinked = self.cache.take_unlinked();
        unlinked.iter().for_each(|index| self.cache.reuse(*index));
        unlinked.len()
    }

    /// Asserts that what the cache has in several places agrees, and its bounds.
    fn check(&self) {
        let cache = &self.cache;
        let (mut unproven, mut proven, mut timers) = (0, 0, 0);
        for (index, entry) in (0..).zip(&cache.entries) {
            let Some(entry) = entry else { continue };
            assert_eq!(cache.find(entry.key), Some(index));
            match entry.standing() {
                Standing::Exempt => {}
                Standing::Unproven(_) => unproven += 1,
                Standing::Fresh | Standing::Stale => proven += 1,
            }
            assert!(
                entry.state != State::Idle || entry.pins > 0,
                "{:?}",
                entry.key
            );
            let per_neighbor = cache.config.pending_per_neighbor;
            assert!(entry.pending.len() <= per_neighbor);
            assert_eq!(cache.lines().at(index).read(), entry.view(per_neighbor));
            let looks = matches!(entry.state, State::Incomplete { .. });
            assert!(looks || (entry.pending.is_empty() && entry.waiters.is_empty()));
            let stays = matches!(entry.state, State::Idle | State::Static(_));
            assert_eq!(entry.deadline.is_none(), stays);
            timers += usize::from(!stays);
        }
        assert_eq!(cache.timers.len(), timers);
        assert_eq!(cache.room.counts(), (unproven, proven));
        assert!(unproven <= cache.config.unproven_capacity());
        assert!(unproven + proven <= cache.config.capacity);
        assert_eq!(cache.table().len(), cache.entries.iter().flatten().count());
        assert!(cache.pending_len() <= cache.config.pending_total);
    }
}

fn request(key: Key, to: Option<MacAddr>) -> NeighborAction<u32> {
    NeighborAction::Request { target: key, to }
}

fn send(packet: u32, mac: MacAddr) -> NeighborAction<u32> {
    NeighborAction::Send { packet, mac }
}

fn failed(packet: u32, key: Key) -> NeighborAction<u32> {
    NeighborAction::Failed {
        packet,
        address: key.address(),
    }
}

fn dropped(packet: u32, why: Dropped) -> NeighborAction<u32> {
    NeighborAction::Dropped { packet, why }
}

fn waited(token: u64, outcome: NeighborAnswer) -> NeighborAction<u32> {
    NeighborAction::Waited {
        token: WaitToken(token),
        outcome,
    }
}

fn event(key: Key, mac: Option<MacAddr>, change: NeighborChange) -> NeighborAction<u32> {
    NeighborAction::Event(NeighborEvent {
        address: key.address(),
        mac,
        change,
    })
}
