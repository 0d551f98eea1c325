//! Races of two or three threads, each on its own: many times over, with what must be true at the
//! end of each.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use corelane::frame::Burst;
use corelane::stack::{
    AddAddressError, AddressKind, Delivery, EndpointRef, Event, Found, HoldError, Inbound,
    NicDatapath, PacketBurst, PacketFlags, RemoveAddressError, Verdict,
};
use corelane::wire::IpProtocol;

use crate::run::{Bed, TIMER, ip, look_up, message, pool};

/// Meeting points for threads: `wait` returns when all have called it as often.
struct Meeting {
    threads: usize,
    arrived: AtomicUsize,
}

impl Meeting {
    fn new(threads: usize) -> Self {
        Self {
            threads,
            arrived: AtomicUsize::new(0),
        }
    }

    fn wait(&self) {
        let before = self.arrived.fetch_add(1, Ordering::SeqCst);
        let all = (before / self.threads + 1) * self.threads;
        let mut turns = 0;
        let begin = Instant::now();
        while self.arrived.load(Ordering::SeqCst) < all {
            turns += 1;
            if turns % 64 == 0 {
                std::thread::yield_now();
                // Another thread has failed: so does this one, instead of waiting for ever.
                assert!(begin.elapsed() < Duration::from_secs(60), "nobody comes");
            }
            std::hint::spin_loop();
        }
    }
}

/// Ends the others' loops, also if this thread fails.
pub struct Stop<'s>(pub &'s AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs `what` on a thread of its own; a deadlock is a failure, and not a test that never ends.
fn without_deadlock(what: impl FnOnce() + Send + 'static) {
    let (done, wait) = channel();
    let thread = std::thread::spawn(move || {
        what();
        done.send(()).expect("somebody waits");
    });
    match wait.recv_timeout(Duration::from_secs(60)) {
        Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("a deadlock"),
        _ => thread.join().expect("no panic"),
    }
}

pub fn enabled(probing: bool) -> Bed {
    let bed = Bed::new(&pool(), 1, probing);
    bed.nic.enable().expect("it can be enabled");
    while bed.events.try_next().is_some() {}
    bed
}

fn closings(bed: &Bed) -> Vec<IpAddr> {
    let mut closed = Vec::new();
    while let Some(event) = bed.events.try_next() {
        if let Event::EndpointClosed { address, .. } = event {
            closed.push(address);
        }
    }
    closed
}

/// What a worker's handler does that keeps the endpoint of a packet: `Packet::hold`. `between`
/// is called after the lookup.
fn hold_packet(
    bed: &Bed,
    worker: &mut NicDatapath,
    destination: IpAddr,
    between: impl FnOnce(),
) -> Result<EndpointRef, HoldError> {
    let mut packets = PacketBurst::default();
    let packet = Inbound {
        frame: 0,
        ports: [0; 4],
        protocol: IpProtocol::UDP,
        flags: PacketFlags::V4,
        network: 14,
        transport: 34,
        end: 42,
    };
    packets.push(destination.into(), packet);
    let mut frames = [bed.pool.cache().alloc().expect("a frame")];
    let mut outbox = Burst::new();
    let (view, _) = worker.load();
    view.lookup(&mut packets);
    between();
    let mut delivery = Delivery::new(view, &mut frames, &packets, 0, &mut outbox);
    let packet = delivery.next().expect("a packet");
    packet.hold()
}

/// Two workers get the first packets to an address that nobody owns, on a promiscuous NIC, look it
/// up, and then keep its endpoint, at once: it is one endpoint, closed once.
#[test]
fn p3_two_first_packets_share_one_temporary_endpoint() {
    const ROUNDS: usize = 2000;
    let bed = enabled(false);
    bed.nic.set_promiscuous(true).expect("it is there");
    let destination = ip("203.0.113.5");
    let (looked_up, held, over) = (Meeting::new(2), Meeting::new(3), Meeting::new(3));
    let (sender, receiver) = channel();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let sender = sender.clone();
            let (bed, looked_up, held, over) = (&bed, &looked_up, &held, &over);
            scope.spawn(move || {
                let mut worker = bed.nic.datapath();
                for _ in 0..ROUNDS {
                    let endpoint = hold_packet(bed, &mut worker, destination, || looked_up.wait());
                    sender.send(endpoint.expect("promiscuous")).expect("read");
                    worker.quiesce();
                    held.wait();
                    over.wait();
                }
            });
        }
        for _ in 0..ROUNDS {
            held.wait();
            let [one, other] = [(); 2].map(|()| receiver.try_recv().expect("one of each"));
            assert!(one.is_same(&other), "two endpoints of one address");
            assert_eq!(one.kind(), AddressKind::Temporary);
            assert_eq!(bed.nic.held_temporaries(), 1);
            assert_eq!(bed.nic.endpoints().len(), 1);
            drop((one, other));
            assert_eq!(bed.nic.reclaim(), 0);
            assert_eq!(bed.nic.held_temporaries(), 0);
            assert_eq!(closings(&bed), [destination]);
            over.wait();
        }
    });
}

/// The last reference of a removed address goes while it is added again, from two threads that
/// begin together: the addition succeeds, and there is one permanent endpoint, whether the old one
/// lives on or died. All lives are closed, once each.
#[test]
fn p4_the_last_release_and_an_addition_leave_one_permanent_endpoint() {
    const ROUNDS: usize = 4000;
    let bed = enabled(false);
    let address = ip("192.0.2.1");
    let (go, over) = (Meeting::new(2), Meeting::new(2));
    let (sender, receiver) = channel::<EndpointRef>();
    let (mut revived, mut lives) = (0, 0);
    std::thread::scope(|scope| {
        let (go, over) = (&go, &over);
        scope.spawn(move || {
            for endpoint in receiver {
                go.wait();
                drop(endpoint);
                over.wait();
            }
        });
        for round in 0..ROUNDS {
            if round % 2 == 0 {
                bed.nic.add_address(address).expect("nobody has it");
            } else {
                // A temporary one instead of an expired one.
                bed.nic.set_spoofing(true).expect("it is there");
            }
            let held = bed.nic.hold(address).expect("there, or spoofing");
            if round % 2 == 0 {
                bed.nic.remove_address(address).expect("it is there");
            }
            bed.nic.set_spoofing(false).expect("it is there");
            sender.send(held).expect("the other thread");
            go.wait();
            for _ in 0..round % 50 {
                std::hint::spin_loop();
            }
            bed.nic
                .add_address(address)
                .expect("no duplicate of what is not there");
            over.wait();
            bed.nic.reclaim();
            let endpoints = bed.nic.endpoints();
            assert_eq!(endpoints.len(), 1);
            assert_eq!(endpoints[0].kind, AddressKind::Permanent);
            assert_eq!(bed.nic.held_temporaries(), 0);
            bed.nic.remove_address(address).expect("it is there");
            assert_eq!(bed.nic.reclaim(), 0);
            let closed = closings(&bed).len();
            assert!((1..=2).contains(&closed), "{closed}");
            revived += usize::from(closed == 1);
            lives += closed;
        }
        drop(sender);
    });
    assert_eq!(lives, ROUNDS + (ROUNDS - revived));
}

/// A worker looks an address up without a pause while another thread adds and removes it, and says
/// after each call that it is over: no lookup that began after that answers otherwise.
#[test]
fn p2_what_begins_after_a_removal_is_not_found() {
    const ROUNDS: u64 = 20_000;
    let bed = enabled(false);
    let address = ip("2001:db8::7");
    // Even: removed. Odd: something is going on, or it is added.
    let state = AtomicU64::new(0);
    let checked = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let stopper = Stop(&stop);
        let look = || {
            let mut worker = bed.nic.datapath();
            while !stop.load(Ordering::Relaxed) {
                let before = state.load(Ordering::SeqCst);
                let (_, found) = look_up(&mut worker, &[address]);
                let after = state.load(Ordering::SeqCst);
                if before == after && before.is_multiple_of(2) {
                    assert_eq!(found, [Found::NOTHING], "after removal {}", before / 2);
                    checked.fetch_add(1, Ordering::Relaxed);
                }
            }
        };
        let lookers = [scope.spawn(look), scope.spawn(look)];
        let mut rounds = 0;
        // The lookers may get no core for a while.
        while rounds < ROUNDS || checked.load(Ordering::Relaxed) < 100 {
            state.fetch_add(1, Ordering::SeqCst);
            bed.nic.add_address(address).expect("not there");
            bed.nic.remove_address(address).expect("there");
            state.fetch_add(1, Ordering::SeqCst);
            (0..rounds % 100).for_each(|_| std::hint::spin_loop());
            if rounds % 64 == 0 {
                std::thread::yield_now();
            }
            rounds += 1;
            assert!(
                !lookers.iter().any(ScopedJoinHandle::is_finished),
                "one has failed"
            );
        }
        drop(stopper);
    });
    assert_eq!(bed.nic.reclaim(), 0);
}

/// An endpoint that a worker may still see is not closed; it is closed, once, when the worker has
/// gone on. The event comes without a lock: whoever reads it may call anything.
#[test]
fn p5_closing_waits_for_the_workers_and_happens_without_a_lock() {
    let bed = enabled(false);
    let address = ip("192.0.2.1");
    let mut worker = bed.nic.datapath();
    for round in 0..1000 {
        bed.nic.add_address(address).expect("not there");
        let (view, _) = worker.load();
        assert_eq!(view.id(), bed.nic.id());
        bed.nic.remove_address(address).expect("there");
        assert_eq!(bed.nic.reclaim(), 1, "a worker is in round {round}");
        assert!(closings(&bed).is_empty());
        if round % 2 == 0 {
            worker.refresh();
        } else {
            worker.quiesce();
        }
        assert_eq!(bed.nic.reclaim(), 0);
        match bed.events.try_next() {
            Some(Event::EndpointClosed {
                address: closed, ..
            }) => {
                assert_eq!(closed, address);
                let other = ip("192.0.2.2");
                bed.nic.add_address(other).expect("no lock is held");
                bed.nic.remove_address(other).expect("there");
            }
            other => panic!("{other:?}"),
        }
        worker.quiesce();
        bed.nic.reclaim();
        assert_eq!(
            closings(&bed).len(),
            1,
            "the other one, and the first not again"
        );
    }
}

/// From inside a transaction of one NIC, a transaction and control calls on another, while other
/// threads do the same with the same NICs; and a reader of events that calls back.
#[test]
fn p6_no_lock_is_held_while_calling_out() {
    without_deadlock(|| {
        let pool = pool();
        let beds = [1, 2].map(|number| Bed::new(&pool, number, true));
        for bed in &beds {
            bed.nic.enable().expect("it can be enabled");
        }
        let [one, other] = &beds;
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let stopper = Stop(&stop);
            for bed in [one, other] {
                let stop = &stop;
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        if let Some(Event::EndpointClosed { address, .. }) =
                            bed.events.next_within(Duration::from_millis(1))
                        {
                            // What came of it is the race's affair.
                            let _ = bed.nic.is_local(address);
                            let _ = bed.nic.hold(address);
                            let _ = bed.nic.duplicate_detected(address, None);
                            bed.nic.addresses();
                            bed.nic.reclaim();
                        }
                    }
                });
            }
            let callers: Vec<_> = (0..2u16)
                .map(|caller| {
                    scope.spawn(move || {
                        for n in 0..1000u16 {
                            let address: IpAddr = [0x2001, 0xdb8, 0, 0, 0, 0, caller, n % 7].into();
                            one.nic
                                .transaction(|tx| {
                                    let _ = tx.add_address(address);
                                    other
                                        .nic
                                        .add_range("192.0.2.0/24".parse().expect("a range"))
                                        .expect("there");
                                    other
                                        .nic
                                        .transaction(|tx| {
                                            let _ = tx.add_address(address);
                                            let _ = tx.remove_address(address);
                                        })
                                        .expect("there");
                                    other.nic.poll();
                                    other.nic.groups();
                                    let _ = tx.remove_address(address);
                                })
                                .expect("there");
                        }
                    })
                })
                .collect();
            for caller in callers {
                caller.join().expect("no panic");
            }
            drop(stopper);
        });
        for bed in &beds {
            assert_eq!(bed.nic.reclaim(), 0);
            assert_eq!(bed.nic.endpoint_count(), 0);
        }
    });
}

/// What a NIC sends is there when the call returns and no lock is held: a link that answers at
/// once, from the same thread or from another one, with a message that gives the address up.
#[test]
fn p6_bug01_a_link_that_answers_at_once_finds_no_lock() {
    without_deadlock(|| {
        let bed = enabled(true);
        let address = ip("2001:db8::1");
        let stop = AtomicBool::new(false);
        let answered = AtomicUsize::new(0);
        let duplicates = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let stopper = Stop(&stop);
            // The link: whatever comes out is answered with an advertisement.
            scope.spawn(|| {
                let outbound = bed.nic.outbound();
                let mut burst = Burst::new();
                let mut cache = bed.pool.cache();
                while !stop.load(Ordering::Relaxed) {
                    if outbound.pop_burst(&mut burst) == 0 {
                        std::thread::yield_now();
                    }
                    for _probe in burst.drain(..) {
                        let mut answer = cache.alloc().expect("a frame");
                        answer.set_data(&message(address, false)).expect("room");
                        answered.fetch_add(1, Ordering::Relaxed);
                        if bed.nic.control_input(&answer) == Verdict::Duplicate {
                            duplicates.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            });
            let mut round = 0;
            // The link's thread may get no core for a while.
            while round < 2000 || duplicates.load(Ordering::Relaxed) < 10 {
                round += 1;
                match bed.nic.add_address(address) {
                    Ok(()) | Err(AddAddressError::DuplicateAddress(_)) => {}
                    Err(other) => panic!("{other}"),
                }
                if round % 3 == 0 {
                    bed.clock.advance(TIMER);
                    bed.nic.poll();
                }
                if round % 5 == 0 {
                    match bed.nic.remove_address(address) {
                        Ok(()) | Err(RemoveAddressError::BadLocalAddress(_)) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
            }
            drop(stopper);
        });
        assert!(answered.load(Ordering::Relaxed) >= 10);
        let _ = bed.nic.remove_address(address);
        assert_eq!(bed.nic.poll(), None);
        assert_eq!(bed.nic.reclaim(), 0);
        assert_eq!(bed.nic.endpoint_count(), 0);
        assert!(!bed.nic.is_in_group(ip("ff02::1:ff00:1")));
    });
}

/// A transaction that panics gives the lock back, and what it did until then is published.
#[test]
fn p6_a_panic_in_a_transaction_leaves_the_nic_usable() {
    without_deadlock(|| {
        let bed = enabled(false);
        let address = ip("192.0.2.1");
        let attempt = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _ = bed.nic.transaction(|tx| {
                tx.add_address(address).expect("not there");
                panic!("the embedder's");
            });
        }));
        assert!(attempt.is_err());
        let mut worker = bed.nic.datapath();
        assert_eq!(bed.nic.addresses().len(), 1);
        assert_ne!(look_up(&mut worker, &[address]).1, [Found::NOTHING]);
        bed.nic.remove_address(address).expect("there");
        assert_eq!(look_up(&mut worker, &[address]).1, [Found::NOTHING]);
    });
}

/// Messages of neighbor discovery, and questions whether an address is tentative, while the table
/// that they read is changed by others (netstack 2019 could die of it).
#[test]
fn bug24_neighbor_messages_beside_address_changes() {
    const ROUNDS: usize = 3000;
    let bed = enabled(true);
    let addresses = ["2001:db8::1", "2001:db8::2", "2001:db8:1::1"].map(ip);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let stopper = Stop(&stop);
        let readers: Vec<_> = (0..2)
            .map(|reader| {
                let (bed, stop) = (&bed, &stop);
                scope.spawn(move || {
                    let mut cache = bed.pool.cache();
                    let mut worker = bed.nic.datapath();
                    let mut verdicts = 0;
                    while !stop.load(Ordering::Relaxed) {
                        for address in addresses {
                            let mut frame = cache.alloc().expect("a frame");
                            frame
                                .set_data(&message(address, reader == 0))
                                .expect("room");
                            let verdict = bed.nic.control_input(&frame);
                            let may_be: &[Verdict] = if reader == 0 {
                                &[Verdict::Ignored, Verdict::Duplicate, Verdict::Answered]
                            } else {
                                &[Verdict::Ignored, Verdict::Duplicate, Verdict::Conflict]
                            };
                            assert!(may_be.contains(&verdict), "{verdict:?}");
                            bed.nic.is_tentative(address).expect("the NIC is there");
                            look_up(&mut worker, &addresses);
                            verdicts += usize::from(verdict == Verdict::Duplicate);
                        }
                        // Answers pile up otherwise, and take all frames.
                        let mut burst = Burst::new();
                        if reader == 0 {
                            while bed.nic.outbound().pop_burst(&mut burst) > 0 {
                                burst.clear();
                            }
                        }
                    }
                    verdicts
                })
            })
            .collect();
        let mut given_up = 0;
        for round in 0..ROUNDS {
            let address = addresses[round % addresses.len()];
            if bed.nic.add_address(address).is_ok() {
                if round % 4 == 0 {
                    bed.clock.advance(TIMER);
                    bed.nic.poll();
                }
                given_up += usize::from(bed.nic.remove_address(address).is_err());
            }
        }
        drop(stopper);
        let duplicates: usize = readers
            .into_iter()
            .map(|reader| reader.join().expect("no panic"))
            .sum();
        assert_eq!(given_up, duplicates, "each address goes once");
    });
    assert_eq!(bed.nic.poll(), None);
    assert_eq!(bed.nic.reclaim(), 0);
    assert_eq!(bed.nic.endpoint_count(), 0);
    let solicited = bed.nic.groups().len();
    assert_eq!(solicited, 2, "only those that every host is in");
}

/// The modes change while workers look up and others hold: all of a burst sees one version, and
/// whoever begins after a call has returned sees what it did.
#[test]
fn bug25_modes_are_read_beside_their_changes() {
    let bed = enabled(false);
    let strangers: Vec<IpAddr> = (1..=32).map(|n| [203, 0, 113, n].into()).collect();
    // How often each mode was changed, counted before and after the call.
    let begun = AtomicU64::new(0);
    let done = AtomicU64::new(0);
    // What was found: nothing, or a temporary endpoint.
    let seen = [AtomicU64::new(0), AtomicU64::new(0)];
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let stopper = Stop(&stop);
        let looker = scope.spawn(|| {
            let mut worker = bed.nic.datapath();
            while !stop.load(Ordering::Relaxed) {
                let done_before = done.load(Ordering::SeqCst);
                let (_, found) = look_up(&mut worker, &strangers);
                let begun_after = begun.load(Ordering::SeqCst);
                assert!(found.iter().all(|it| *it == found[0]), "of two versions");
                let accepted = found[0] == Found::TEMPORARY;
                seen[usize::from(accepted)].fetch_add(1, Ordering::Relaxed);
                if done_before == begun_after {
                    assert_eq!(
                        accepted,
                        done_before % 2 == 1,
                        "nobody changed it meanwhile"
                    );
                }
            }
        });
        let holder = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let done_before = done.load(Ordering::SeqCst);
                let result = bed.nic.hold(ip("198.51.100.1"));
                let begun_after = begun.load(Ordering::SeqCst);
                if done_before == begun_after {
                    assert_eq!(result.is_ok(), done_before % 2 == 1);
                }
            }
        });
        let is_unseen = |it: &AtomicU64| it.load(Ordering::Relaxed) < 10;
        let mut round = 0;
        // The others may get no core for a while.
        while round < 10_000 || seen.iter().any(is_unseen) {
            assert!(
                !looker.is_finished() && !holder.is_finished(),
                "one has failed"
            );
            let on = round % 2 == 0;
            round += 1;
            begun.fetch_add(1, Ordering::SeqCst);
            bed.nic
                .transaction(|tx| {
                    tx.set_promiscuous(on);
                    tx.set_spoofing(on);
                })
                .expect("there");
            done.fetch_add(1, Ordering::SeqCst);
            if round % 16 < 2 {
                std::thread::yield_now();
            }
        }
        drop(stopper);
    });
    assert_eq!(bed.nic.reclaim(), 0);
    assert_eq!(bed.nic.held_temporaries(), 0);
}
