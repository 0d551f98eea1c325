//! The whole life of an endpoint, explored by loom: found through a snapshot, held by a route,
//! removed, unlinked, closed.
//!
//! The promises: no handler call after close, no close during a handler, no endpoint closed twice
//! and none never. A handler reads the endpoint's body and a close writes it, so loom reports what
//! is not ordered; the body itself reports a handler that comes too late and a second close.
//!
//! The parts are the real ones: [`Refs`](corelane_sync::refs::Refs), and the publisher and readers
//! over a model of arc-swap.
//!
//! Run with `RUSTFLAGS='--cfg loom' cargo test -p corelane-sync --release --test loom_lifetime`.
#![cfg(loom)]

mod endpoint;
mod explore;

use corelane_sync::refs::{AddressKind, Expire, Promote, Release};
use corelane_sync::snapshot::{Publisher, Reader};
use endpoint::Endpoint;
use explore::{explore, pass};
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread;

/// An address table as small as can be: at most one address, the place of its endpoint and which
/// life of it is meant.
type Table = Option<Entry>;

#[derive(Clone, Copy, PartialEq)]
struct Entry {
    place: usize,
    life: u32,
}

struct World {
    endpoints: [Endpoint; 2],
    /// Places whose last reference went on a worker, for the control thread to unlink and close.
    ended: Mutex<Vec<usize>>,
}

impl World {
    /// A settled address, and a place that was never used.
    fn new() -> Arc<Self> {
        Self::of([Endpoint::new(AddressKind::Permanent), Endpoint::unborn()])
    }

    fn of(endpoints: [Endpoint; 2]) -> Arc<Self> {
        Arc::new(Self {
            endpoints,
            ended: Mutex::new(Vec::new()),
        })
    }

    /// Gives a route's reference back; the last one of all is reported to the control thread.
    fn release(&self, place: usize) {
        if self.endpoints[place].refs().release() == Release::Last {
            self.ended.lock().unwrap().push(place);
        }
    }
}

/// The control thread: the only one that changes the table, unlinks, closes, and reuses.
struct Control {
    world: Arc<World>,
    publisher: Publisher<Table, usize>,
    closed: [u32; 2],
}

impl Control {
    fn new(world: &Arc<World>) -> Self {
        Self {
            world: Arc::clone(world),
            publisher: Publisher::new(Some(Entry { place: 0, life: 1 })),
            closed: [0; 2],
        }
    }

    fn reader(&self) -> Reader<Table> {
        self.publisher.handle().reader()
    }

    /// Removes the address. What nobody holds leaves the table at once. Returns whether it did.
    fn remove(&mut self, place: usize) -> bool {
        match self.world.endpoints[place].refs().expire() {
            Expire::Last => {
                self.unlink(place);
                true
            }
            Expire::Held => false,
            Expire::NotPermanent => panic!("the removal is lost"),
        }
    }

    /// Publishes a table without the endpoint at `place`, which is dead.
    fn unlink(&mut self, place: usize) {
        assert!(self.world.endpoints[place].refs().load().is_dead());
        let next = (*self.publisher.current()).filter(|entry| entry.place != place);
        pass();
        self.publisher.publish(next, [place]);
    }

    /// One turn: unlinks what ended on workers, closes what no worker can find any more.
    fn turn(&mut self) {
        pass();
        let ended = std::mem::take(&mut *self.world.ended.lock().unwrap());
        for place in ended {
            self.unlink(place);
        }
        let mut unreachable = Vec::new();
        pass();
        self.publisher.collect(&mut unreachable);
        for place in unreachable {
            self.world.endpoints[place].close();
            self.closed[place] += 1;
        }
    }
}

/// A burst: one snapshot, and the handler of what is in it.
fn burst(world: &World, reader: &mut Reader<Table>) -> Option<Entry> {
    pass();
    let found = *reader.load();
    if let Some(entry) = found {
        assert_eq!(
            world.endpoints[entry.place].handle(),
            entry.life,
            "another endpoint than was found"
        );
    }
    found
}

// The address is removed while a worker delivers to it. The worker took no reference: all that
// keeps the endpoint open is that the worker has not passed the end of its burst. Closing right
// after the publish, or without an edge from the worker's last burst, is caught here.
#[test]
fn removal_against_bursts() {
    explore(3, ["closed meanwhile", "closed afterwards"], || {
        let world = World::new();
        let mut control = Control::new(&world);
        let mut reader = control.reader();
        let worker = thread::spawn({
            let world = Arc::clone(&world);
            move || {
                burst(&world, &mut reader);
                burst(&world, &mut reader);
            }
        });
        control.remove(0);
        control.turn();
        let meanwhile = control.closed == [1, 0];
        worker.join().unwrap();
        control.turn();
        assert_eq!(control.closed, [1, 0]);
        assert!(world.endpoints[0].is_closed());
        if meanwhile {
            "closed meanwhile"
        } else {
            "closed afterwards"
        }
    });
}

// The same with two workers, of which one sleeps in between: it holds up nothing meanwhile, and
// must find nothing old when it wakes.
#[test]
fn removal_against_two_workers() {
    explore(3, ["closed meanwhile", "closed afterwards"], || {
        let world = World::new();
        let mut control = Control::new(&world);
        let workers = [false, true].map(|sleeps| {
            let world = Arc::clone(&world);
            let mut reader = control.reader();
            thread::spawn(move || {
                burst(&world, &mut reader);
                if sleeps {
                    pass();
                    reader.quiesce();
                    burst(&world, &mut reader);
                }
            })
        });
        control.remove(0);
        control.turn();
        let meanwhile = control.closed == [1, 0];
        for worker in workers {
            worker.join().unwrap();
        }
        control.turn();
        assert_eq!(control.closed, [1, 0]);
        assert!(world.endpoints[0].is_closed());
        if meanwhile {
            "closed meanwhile"
        } else {
            "closed afterwards"
        }
    });
}

// A worker stores what it found as a route, lets go of the snapshot, and sends by the route later.
// Now the reference keeps the endpoint open. The removal may come before the reference is taken
// (then it is refused, or taken of an expired endpoint), while it is held (then the worker is the
// last, and the control thread learns of it), or after (then the control thread is the last, and
// needs an edge from the worker's release).
#[test]
fn removal_against_a_route() {
    explore(3, ["ended by the route", "ended by the removal"], || {
        let world = World::new();
        let mut control = Control::new(&world);
        let mut reader = control.reader();
        let worker = thread::spawn({
            let world = Arc::clone(&world);
            move || {
                let route = burst(&world, &mut reader)
                    .filter(|entry| world.endpoints[entry.place].refs().try_acquire());
                pass();
                reader.quiesce();
                if let Some(entry) = route {
                    assert_eq!(world.endpoints[entry.place].handle(), entry.life);
                    world.release(entry.place);
                }
            }
        });
        let held = !control.remove(0);
        control.turn();
        control.turn();
        worker.join().unwrap();
        control.turn();
        assert_eq!(control.closed, [1, 0], "closed once, by whichever way");
        if held {
            "ended by the route"
        } else {
            "ended by the removal"
        }
    });
}

// The address is removed and added again while its only route is released and another worker
// delivers to it. Either the endpoint is revived, or the addition comes too late and a new endpoint
// takes its place in the table; the old one is then closed beside the new one's life. In the end
// the address has exactly one endpoint that lives.
#[test]
fn addition_against_the_last_release() {
    explore(
        3,
        [
            "revived",
            "replaced after the route",
            "replaced after the removal",
        ],
        || {
            let world = World::new();
            let mut control = Control::new(&world);
            assert!(world.endpoints[0].refs().try_acquire());
            let route = thread::spawn({
                let world = Arc::clone(&world);
                move || {
                    world.endpoints[0].handle();
                    world.release(0);
                }
            });
            let mut reader = control.reader();
            let worker = thread::spawn({
                let world = Arc::clone(&world);
                move || {
                    burst(&world, &mut reader);
                    burst(&world, &mut reader);
                }
            });
            let unheld = control.remove(0);
            let revived = match world.endpoints[0].refs().promote(AddressKind::Permanent) {
                Promote::Done => true,
                Promote::Dead => {
                    world.endpoints[1].begin(2, AddressKind::Permanent);
                    // Unlinks the old one too; whoever reports its end later finds that done.
                    control
                        .publisher
                        .publish(Some(Entry { place: 1, life: 2 }), []);
                    false
                }
                Promote::AlreadyPermanent => panic!("it was removed"),
            };
            control.turn();
            route.join().unwrap();
            worker.join().unwrap();
            control.turn();
            let (lives, ended) = if revived { (0, 1) } else { (1, 0) };
            let current = control.publisher.current();
            assert_eq!(current.map(|entry| entry.place), Some(lives));
            assert!(world.endpoints[lives].refs().load().is_assigned());
            assert!(world.endpoints[ended].refs().load().is_dead());
            assert_eq!(control.closed, [u32::from(!revived), 0]);
            match (revived, unheld) {
                (true, _) => "revived",
                (false, false) => "replaced after the route",
                (false, true) => "replaced after the removal",
            }
        },
    );
}

// The place of an endpoint is used again for another one. A worker that found the old one must not
// get hold of the new one by it: it would deliver to, or keep, what it never looked up. Only the
// wait for the readers stands in between.
#[test]
fn reuse_of_a_place_against_bursts() {
    explore(3, ["used again", "still held"], || {
        let world = World::new();
        let mut control = Control::new(&world);
        let mut reader = control.reader();
        let worker = thread::spawn({
            let world = Arc::clone(&world);
            move || {
                for _ in 0..2 {
                    pass();
                    if let Some(entry) = *reader.load() {
                        let endpoint = &world.endpoints[entry.place];
                        if endpoint.refs().try_acquire() {
                            assert_eq!(endpoint.handle(), entry.life, "another life");
                            world.release(entry.place);
                        }
                    }
                }
            }
        });
        control.remove(0);
        control.turn();
        let reused = control.closed[0] == 1;
        if reused {
            world.endpoints[0].begin(2, AddressKind::Permanent);
            control
                .publisher
                .publish(Some(Entry { place: 0, life: 2 }), []);
        }
        worker.join().unwrap();
        control.turn();
        assert_eq!(control.closed, [1, 0]);
        assert_eq!(world.endpoints[0].refs().load().is_assigned(), reused);
        if reused { "used again" } else { "still held" }
    });
}

/// What became of a packet for an address that is removed meanwhile.
#[derive(Debug)]
enum Delivery {
    /// Its handler ran before the removal returned, as far as the worker could tell.
    Before,
    /// It was looked up before the removal returned, and its handler ran afterwards.
    Late,
    /// It was not taken: the removal was going on.
    Refused,
    /// It was not taken: it was looked up after the removal had returned.
    RefusedAfter,
}

/// The removal of an address against a packet for it, by a worker that was told when the removal
/// had returned. If `held`, a route keeps the endpoint, which then stays in the table as expired.
fn removal_against_a_delivery(held: bool) {
    let outcomes = ["before", "late", "refused", "refused after"];
    explore(3, outcomes, move || {
        let world = World::new();
        let mut control = Control::new(&world);
        let mut reader = control.reader();
        if held {
            assert!(world.endpoints[0].refs().try_acquire());
        }
        let removed = Arc::new(AtomicBool::new(false));
        let worker = thread::spawn({
            let world = Arc::clone(&world);
            let removed = Arc::clone(&removed);
            let is_removed = move || {
                pass();
                removed.load(Ordering::Acquire)
            };
            move || {
                let after = is_removed();
                pass();
                let found = (*reader.load()).filter(|entry| {
                    let refs = world.endpoints[entry.place].refs();
                    refs.load().is_assigned()
                });
                let Some(entry) = found else {
                    return if after {
                        Delivery::RefusedAfter
                    } else {
                        Delivery::Refused
                    };
                };
                assert!(!after, "looked up after the removal, and found");
                let late = is_removed();
                assert_eq!(world.endpoints[entry.place].handle(), entry.life);
                if late {
                    Delivery::Late
                } else {
                    Delivery::Before
                }
            }
        });
        assert_eq!(control.remove(0), !held);
        pass();
        removed.store(true, Ordering::Release);
        control.turn();
        if held {
            world.endpoints[0].handle();
            world.release(0);
            control.turn();
        }
        let delivery = worker.join().unwrap();
        control.turn();
        assert_eq!(control.closed, [1, 0]);
        match delivery {
            Delivery::Before => "before",
            Delivery::Late => "late",
            Delivery::Refused => "refused",
            Delivery::RefusedAfter => "refused after",
        }
    });
}

// An address is removed while a packet for it is on its way through a worker. One that was looked
// up before the removal returned may be delivered after it, to an endpoint that is still open; one
// that is looked up after it must not be found. It is not enough that the endpoint's end is in
// order: the new table must be out before the removal returns.
#[test]
fn p2_removal_against_a_delivery() {
    removal_against_a_delivery(false);
}

// The same with a route that holds the endpoint, so that the table keeps it: now only the kind, read
// at each lookup, tells the worker, and it must be changed before the removal returns.
#[test]
fn p2_removal_of_a_held_address_against_a_delivery() {
    removal_against_a_delivery(true);
}

// A NIC is removed with all it has: an address whose check for a duplicate is about to end, and a
// temporary endpoint that a route holds. At the same time a worker takes hold of the address by the
// table it has, and another thread settles it and lets go of the route. What is held past the
// removal stays open until its holder lets go, nothing is settled any more that was removed, and in
// the end both endpoints are closed, once each, with nothing left in the table.
#[test]
fn b3_b9_removal_of_everything_against_hold_release_and_settle() {
    let outcomes = [
        "settled, held",
        "settled, not held",
        "tentative, held",
        "tentative, not held",
    ];
    explore(3, outcomes, || {
        let world = World::of([
            Endpoint::new(AddressKind::PermanentTentative),
            Endpoint::new(AddressKind::Temporary),
        ]);
        let mut control = Control::new(&world);
        let mut reader = control.reader();
        let worker = thread::spawn({
            let world = Arc::clone(&world);
            move || {
                pass();
                let held = (*reader.load())
                    .filter(|entry| world.endpoints[entry.place].refs().try_acquire());
                pass();
                reader.quiesce();
                if let Some(entry) = held {
                    assert_eq!(world.endpoints[entry.place].handle(), entry.life);
                    world.release(entry.place);
                }
            }
        });
        let others = thread::spawn({
            let world = Arc::clone(&world);
            move || {
                let settled = world.endpoints[0].refs().settle();
                world.endpoints[1].handle();
                world.release(1);
                settled
            }
        });
        let held = !control.remove(0);
        if held {
            pass();
            control.publisher.publish(None, []);
        }
        assert!(control.publisher.current().is_none());
        assert!(!world.endpoints[0].refs().load().is_assigned());
        control.turn();
        worker.join().unwrap();
        let settled = others.join().unwrap();
        // Twice: what a holder ended is unlinked in one turn, and may be out of reach in the next.
        control.turn();
        control.turn();
        assert_eq!(control.closed, [1, 1]);
        assert!(control.publisher.current().is_none());
        for endpoint in &world.endpoints {
            assert!(endpoint.refs().load().is_dead());
            assert!(!endpoint.refs().settle(), "zero is final");
        }
        match (settled, held) {
            (true, true) => "settled, held",
            (true, false) => "settled, not held",
            (false, true) => "tentative, held",
            (false, false) => "tentative, not held",
        }
    });
}
