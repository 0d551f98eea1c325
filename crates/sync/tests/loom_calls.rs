//! Calls under loom: a thread that looks at changes in rounds, and sleeps between them.
//!
//! A change is a `Relaxed` atomic: only the count and the bell order it. One that is slept through leaves the thread
//! parked with nobody to wake it, which loom reports as a deadlock.
#![cfg(loom)]

mod explore;

use corelane_sync::calls::Calls;
use corelane_sync::doorbell::{Woken, doorbell};
use explore::{explore, pass};
use loom::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

/// The race: the thread has looked at where the change is going to be, and goes to sleep, while the change is made,
/// counted and rung for. And a round after a count has the changes that were counted.
#[test]
fn a_change_is_seen_by_a_round_and_not_slept_through() {
    let outcomes = ["at once", "called meanwhile", "rung for"];
    explore(3, outcomes, || {
        let (bell, mut sleeper) = doorbell();
        let (calls, change) = (Arc::new(Calls::default()), Arc::new(AtomicUsize::new(0)));
        let caller = {
            let (calls, change) = (calls.clone(), change.clone());
            thread::spawn(move || {
                pass();
                change.store(1, Relaxed);
                pass();
                calls.note();
                bell.ring();
            })
        };
        let mut outcome = "at once";
        loop {
            pass();
            let counted = calls.count();
            pass();
            let seen = change.load(Relaxed);
            assert!(counted == 0 || seen == 1, "counted, and not there");
            if seen == 1 {
                break;
            }
            outcome = match sleeper.sleep(None, || calls.count() != counted) {
                Woken::HadWork => "called meanwhile",
                Woken::Rung => "rung for",
                Woken::TimedOut => panic!("there is no timeout"),
            };
        }
        caller.join().unwrap();
        outcome
    });
}
