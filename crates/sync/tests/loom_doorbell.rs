//! The doorbell under loom: every interleaving with up to three preemptions, and every value a load
//! may return.
//!
//! The work is a `Relaxed` atomic throughout: only the doorbell orders it. A wake-up that is lost
//! leaves the worker parked with nobody to wake it, which loom reports as a deadlock.
#![cfg(loom)]

mod explore;

use std::time::Duration;

use corelane_sync::doorbell::{Doorbell, Sleeper, Woken, doorbell};
use explore::{explore, pass};
use loom::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

/// A giver's thread: makes the work one more and rings, `times` times.
fn giver(bell: &Doorbell, given: &Arc<AtomicUsize>, times: usize) -> thread::JoinHandle<()> {
    let (bell, given) = (bell.clone(), given.clone());
    thread::spawn(move || {
        for _ in 0..times {
            pass();
            given.fetch_add(1, Relaxed);
            bell.ring();
        }
    })
}

/// Takes work until `wanted` is there, sleeping whenever there is none. Tells how often it was
/// rung for.
fn take(sleeper: &mut Sleeper, given: &AtomicUsize, wanted: usize) -> usize {
    let mut taken = 0;
    let mut rung = 0;
    while taken < wanted {
        pass();
        let now = given.load(Relaxed);
        if now == taken {
            match sleeper.sleep(None, || given.load(Relaxed) != taken) {
                Woken::Rung => rung += 1,
                Woken::HadWork => {}
                Woken::TimedOut => panic!("there is no timeout"),
            }
        }
        taken = now;
    }
    rung
}

const RINGS: [&str; 3] = ["never rung for", "rung for once", "rung for twice"];

/// The race: the worker looks for work, finds none and goes to sleep, while the giver publishes
/// work, looks whether the worker sleeps and finds it awake. If both could read the old value, the
/// worker would sleep on its work. And once it is woken by the ring, it must see the work that the
/// ring was for.
#[test]
fn a_ring_is_not_slept_through() {
    explore(3, ["rung", "had work"], || {
        let (bell, mut sleeper) = doorbell();
        let given = Arc::new(AtomicUsize::new(0));
        let giver = giver(&bell, &given, 1);
        pass();
        let woken = sleeper.sleep(None, || given.load(Relaxed) == 1);
        assert_eq!(given.load(Relaxed), 1);
        giver.join().unwrap();
        match woken {
            Woken::Rung => "rung",
            Woken::HadWork => "had work",
            Woken::TimedOut => panic!("there is no timeout"),
        }
    });
}

/// The race: the giver rings twice, and the worker takes the first work while the first ring's
/// token is still on its way. The token then arrives during the worker's next sleep, or before it:
/// it must not stand in for the second ring's, nor be the reason that the second is not sent.
#[test]
fn a_late_token_does_not_hide_the_next_ring() {
    explore(3, RINGS, || {
        let (bell, mut sleeper) = doorbell();
        let given = Arc::new(AtomicUsize::new(0));
        let giver = giver(&bell, &given, 2);
        let rung = take(&mut sleeper, &given, 2);
        giver.join().unwrap();
        RINGS[rung]
    });
}

/// The race: two givers ring at once. The second finds the worker already rung for by the first,
/// whose token may not be sent yet: work of the second must not be left behind.
#[test]
fn two_givers_are_both_heard() {
    explore(3, RINGS, || {
        let (bell, mut sleeper) = doorbell();
        let given = Arc::new(AtomicUsize::new(0));
        let givers = [(); 2].map(|()| giver(&bell, &given, 1));
        let rung = take(&mut sleeper, &given, 2);
        for giver in givers {
            giver.join().unwrap();
        }
        RINGS[rung]
    });
}

/// The race: the timeout passes just as the bell rings (in loom, a timeout passes at once).
/// Whichever reason the sleep gives, the work is found by the sleep after it at the latest, and not
/// slept through.
#[test]
fn a_ring_at_the_timeout_is_not_lost() {
    let outcomes = [
        "rung",
        "had work",
        "timed out, never rung for",
        "timed out, then rung for",
    ];
    explore(3, outcomes, || {
        let (bell, mut sleeper) = doorbell();
        let given = Arc::new(AtomicUsize::new(0));
        let giver = giver(&bell, &given, 1);
        let timeout = Some(Duration::from_millis(1));
        pass();
        let outcome = match sleeper.sleep(timeout, || given.load(Relaxed) == 1) {
            Woken::TimedOut => match take(&mut sleeper, &given, 1) {
                0 => "timed out, never rung for",
                _ => "timed out, then rung for",
            },
            woken => {
                assert_eq!(given.load(Relaxed), 1);
                if woken == Woken::Rung {
                    "rung"
                } else {
                    "had work"
                }
            }
        };
        giver.join().unwrap();
        outcome
    });
}
