//! The depot under loom: every interleaving with up to three preemptions, and every value a load
//! may return.
#![cfg(loom)]

mod explore;

use corelane_sync::depot::{Depot, MAGAZINE};
use explore::{explore, pass};
use loom::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

/// A depot with room for `room` magazines and the magazines 0, 1, ... below `full` in it, the last
/// on top.
fn depot(full: u32, room: usize) -> Arc<Depot> {
    let depot = Depot::new(room);
    for number in 0..full {
        assert!(depot.push(&[number; MAGAZINE]));
    }
    Arc::new(depot)
}

/// The top magazine's number, once it is seen to be whole.
fn pop(depot: &Depot) -> Option<u32> {
    let mut m = [u32::MAX; MAGAZINE];
    depot.pop(&mut m).then(|| {
        assert!(m.iter().all(|&number| number == m[0]), "a torn magazine");
        m[0]
    })
}

/// What is left inside and what the threads hold, in order of number.
fn all(depot: &Depot, held: impl IntoIterator<Item = Option<u32>>) -> Vec<u32> {
    let mut all: Vec<_> = held.into_iter().flatten().collect();
    while let Some(number) = pop(depot) {
        all.push(number);
    }
    all.sort_unstable();
    all
}

/// The race: two threads take and leave magazines. A magazine that both held at once would be slots
/// given out twice: the flags tell. And whoever fills a magazine must be ordered after whoever read
/// it last, and before whoever reads it next: loom's cells tell.
#[test]
fn no_magazine_is_in_two_hands() {
    explore(3, ["the same one", "one each"], || {
        let depot = depot(2, 2);
        let held = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
        let take_and_leave = {
            let (depot, held) = (depot.clone(), held.clone());
            move || {
                pass();
                // Two magazines for two threads: one may be in the other's hands, but not both.
                let number = pop(&depot).expect("the other thread holds one at most");
                assert!(!held[number as usize].swap(true, Relaxed), "held twice");
                thread::yield_now();
                assert!(held[number as usize].swap(false, Relaxed));
                // There may seem to be no room while the other thread is just reading its magazine.
                while !depot.push(&[number; MAGAZINE]) {
                    thread::yield_now();
                }
                number
            }
        };
        let other = thread::spawn(take_and_leave.clone());
        let mine = take_and_leave();
        let theirs = other.join().unwrap();
        assert_eq!(depot.len(), 2);
        assert_eq!(all(&depot, []), [0, 1]);
        if mine == theirs {
            "the same one"
        } else {
            "one each"
        }
    });
}

/// The race: two threads push while the main one pops. All three meet on the heads of both stacks;
/// what was pushed arrives whole, and once.
#[test]
fn what_is_left_arrives_once() {
    explore(3, ["too early", "the first's", "the second's"], || {
        let depot = depot(0, 3);
        let pushers = [0, 1].map(|number| {
            let depot = depot.clone();
            thread::spawn(move || {
                pass();
                assert!(depot.push(&[number; MAGAZINE]));
            })
        });
        pass();
        let popped = pop(&depot);
        for pusher in pushers {
            pusher.join().unwrap();
        }
        assert_eq!(depot.len(), if popped.is_some() { 1 } else { 2 });
        assert_eq!(all(&depot, [popped]), [0, 1]);
        match popped {
            None => "too early",
            Some(0) => "the first's",
            Some(_) => "the second's",
        }
    });
}

/// The race (ABA): the first thread has read the top magazine and the one below it, and is stopped.
/// The second takes the top and is stopped with it in hand; the third takes the one below, for
/// good; the second then leaves its magazine again, on the top, as it was, but with nothing below.
/// If the first now succeeded in replacing the top by what it read to be below, a magazine would be
/// on both stacks: its old contents would be given out a second time. Only the tag tells it that
/// the top is not the same.
///
/// It takes three threads: with two, the stacks are pushed and popped like a tape wound to and fro,
/// and whatever comes back to the top has the same below it.
#[test]
fn a_top_that_came_back_is_not_taken_for_unchanged() {
    // Who else got a magazine, and whether the second did. A stack may seem empty to one who comes
    // while the only magazine left is in the second's hands.
    let outcomes = [
        "both, it did",
        "both, it did not",
        "the first, it did",
        "the third, it did",
    ];
    explore(3, outcomes, || {
        let depot = depot(2, 2);
        let second = {
            let depot = depot.clone();
            thread::spawn(move || {
                pass();
                let number = pop(&depot);
                if let Some(number) = number {
                    // Its own magazine is room at least: nobody else pushes.
                    assert!(depot.push(&[number; MAGAZINE]));
                }
                number.is_some()
            })
        };
        let third = {
            let depot = depot.clone();
            thread::spawn(move || {
                pass();
                pop(&depot)
            })
        };
        pass();
        let first = pop(&depot);
        let (second, third) = (second.join().unwrap(), third.join().unwrap());
        assert_eq!(all(&depot, [first, third]), [0, 1]);
        match (first.is_some(), third.is_some(), second) {
            (true, true, true) => "both, it did",
            (true, true, false) => "both, it did not",
            (true, false, true) => "the first, it did",
            (false, true, true) => "the third, it did",
            other => unreachable!("{other:?}"),
        }
    });
}
