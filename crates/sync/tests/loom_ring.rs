//! The ring under loom: every interleaving with up to three preemptions, and every value a load may
//! return.
#![cfg(loom)]

mod explore;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use arrayvec::ArrayVec;
use corelane_sync::ring::{Consumer, Producer, SeatRings, ring};
use corelane_sync::seat::SeatPlan;
use explore::{explore, pass};
use loom::{cell::Cell, sync::atomic::Ordering::Relaxed, thread};

/// Pushes the numbers of a range by bursts of up to `N`, waiting for room. Tells whether it had to.
fn push_all<const N: usize>(producer: &mut Producer<u32>, numbers: Range<u32>) -> bool {
    let mut numbers = numbers.peekable();
    let mut from = ArrayVec::<u32, N>::new();
    let mut waited = false;
    while numbers.peek().is_some() || !from.is_empty() {
        while let Some(number) = numbers.next_if(|_| !from.is_full()) {
            from.push(number);
        }
        if producer.push_burst(&mut from) == 0 {
            waited = true;
            thread::yield_now();
        }
    }
    waited
}

/// Pops `n` items by bursts of up to `N`, waiting for them. Tells whether it had to.
fn pop_all<const N: usize>(consumer: &mut Consumer<u32>, n: usize) -> (Vec<u32>, bool) {
    let mut got = Vec::new();
    let mut into = ArrayVec::<u32, N>::new();
    let mut waited = false;
    while got.len() < n {
        if consumer.pop_burst(&mut into) == 0 {
            waited = true;
            thread::yield_now();
        }
        got.extend(into.drain(..));
    }
    (got, waited)
}

const WAITS: [&str; 4] = [
    "no wait",
    "the consumer waited",
    "the producer waited",
    "both waited",
];

/// Which of [`WAITS`] it was.
fn waits(producer: bool, consumer: bool) -> &'static str {
    WAITS[2 * usize::from(producer) + usize::from(consumer)]
}

/// The race: the producer writes a slot and moves the tail while the consumer looks at the tail and
/// reads the slot. If the consumer could see the tail moved before the slot written, it would take
/// an item that is not there; if the producer could see the head moved before the slot was read, it
/// would overwrite an item that is still being read. With two slots and three items, a slot is used
/// again, so both happen if they can: loom's cells report any access to a slot that is not ordered
/// after the other end's.
#[test]
fn one_by_one_in_order_none_lost_none_doubled() {
    explore(3, WAITS, || {
        let (mut producer, mut consumer) = ring::<u32>(2).unwrap();
        let pusher = thread::spawn(move || {
            let mut waited = false;
            for number in 0..3 {
                while producer.push(number).is_err() {
                    waited = true;
                    thread::yield_now();
                }
            }
            waited
        });
        let mut waited = false;
        for number in 0..3 {
            let got = loop {
                match consumer.pop() {
                    Some(got) => break got,
                    None => {
                        waited = true;
                        thread::yield_now();
                    }
                }
            };
            assert_eq!(got, number);
        }
        let outcome = waits(pusher.join().unwrap(), waited);
        assert!(consumer.is_empty());
        outcome
    });
}

/// The same race with bursts that begin at the second slot, so that every full burst is copied in
/// two pieces, and a consumer whose remembered tail is behind: it must neither stop short of what
/// is there nor run past it.
#[test]
fn bursts_that_wrap_keep_order() {
    explore(3, WAITS, || {
        let (mut producer, mut consumer) = ring::<u32>(2).unwrap();
        producer.push(99).unwrap();
        assert_eq!(consumer.pop(), Some(99));
        let pusher = thread::spawn(move || push_all::<2>(&mut producer, 0..4));
        let (got, waited) = pop_all::<2>(&mut consumer, 4);
        assert_eq!(got, [0, 1, 2, 3]);
        let outcome = waits(pusher.join().unwrap(), waited);
        assert!(consumer.is_empty());
        outcome
    });
}

/// Bursts larger than what the other end takes: the producer's are cut by a full ring and go on
/// with the rest, the consumer takes one at a time from what has arrived by two.
#[test]
fn bursts_that_are_cut_keep_order() {
    explore(3, WAITS, || {
        let (mut producer, mut consumer) = ring::<u32>(2).unwrap();
        let pusher = thread::spawn(move || push_all::<3>(&mut producer, 0..4));
        let (got, waited) = pop_all::<1>(&mut consumer, 4);
        assert_eq!(got, [0, 1, 2, 3]);
        waits(pusher.join().unwrap(), waited)
    });
}

/// Counts its drops, and is seen by loom to be used by one thread at a time.
struct Counted {
    drops: Arc<AtomicUsize>,
    dropped: Cell<bool>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        assert!(!self.dropped.replace(true));
        self.drops.fetch_add(1, SeqCst);
    }
}

/// Makes items that count their drops there.
fn counted(drops: &Arc<AtomicUsize>) -> impl Fn() -> Counted + use<> {
    let drops = Arc::clone(drops);
    move || Counted {
        drops: Arc::clone(&drops),
        dropped: Cell::new(false),
    }
}

/// The race: both ends go at the same time, with items inside. Whichever is last drops these; it
/// must see all that was pushed and all that was popped, or it would drop an item twice or not at
/// all. The count is what is checked, and loom reports an item that is dropped while the other
/// thread's last use of it is not ordered before.
#[test]
fn items_inside_are_dropped_once_whoever_goes_last() {
    let outcomes = [
        "one was cut off, producer last",
        "all fitted, producer last",
        "consumer last",
    ];
    explore(3, outcomes, || {
        let drops = Arc::new(AtomicUsize::new(0));
        let item = counted(&drops);
        let (mut producer, mut consumer) = ring::<Counted>(2).unwrap();
        assert!(producer.push(item()).is_ok());
        let pusher = thread::spawn(move || {
            let mut from: ArrayVec<_, 2> = [item(), item()].into();
            // One fits, or two if the first was popped by now; what does not is dropped here.
            let pushed = producer.push_burst(&mut from);
            assert!((1..=2).contains(&pushed));
            drop(from);
            let last = producer.is_closed();
            drop(producer);
            (pushed, last)
        });
        drop(consumer.pop());
        drop(consumer);
        let (pushed, producer_last) = pusher.join().unwrap();
        assert_eq!(drops.load(SeqCst), 3);
        match (pushed, producer_last) {
            (1, true) => "one was cut off, producer last",
            (_, true) => "all fitted, producer last",
            (_, false) => "consumer last",
        }
    });
}

/// The race: the producer pushes its last item and goes, while the consumer finds the ring empty
/// and asks whether it is closed. If it could see the producer gone but not the last item, it would
/// stop and leave that item behind.
#[test]
fn closed_is_seen_after_the_last_item() {
    explore(3, ["closed at once", "closed later"], || {
        let (mut producer, mut consumer) = ring::<u32>(2).unwrap();
        let pusher = thread::spawn(move || {
            producer.push(1).unwrap();
            producer.push(2).unwrap();
        });
        let mut got = Vec::new();
        let mut looks = 0;
        loop {
            let closed = consumer.is_closed();
            looks += 1;
            while let Some(item) = consumer.pop() {
                got.push(item);
            }
            if closed {
                break;
            }
            thread::yield_now();
        }
        assert_eq!(got, [1, 2]);
        pusher.join().unwrap();
        if looks == 1 {
            "closed at once"
        } else {
            "closed later"
        }
    });
}

/// The race: the consumer goes while the producer pushes. A producer that sees it gone must also
/// see every slot that it gave back, and nothing is popped after that: what is inside is known for
/// good.
#[test]
fn the_producer_learns_that_the_consumer_is_gone() {
    explore(3, ["popped all", "left one"], || {
        let (mut producer, mut consumer) = ring::<u32>(2).unwrap();
        let popped = loom::sync::Arc::new(loom::sync::atomic::AtomicUsize::new(0));
        let counter = popped.clone();
        producer.push(1).unwrap();
        let popper = thread::spawn(move || {
            while consumer.pop().is_some() {
                counter.fetch_add(1, Relaxed);
            }
        });
        pass();
        producer.push(2).unwrap();
        while !producer.is_closed() {
            thread::yield_now();
        }
        let popped = popped.load(Relaxed);
        assert_eq!(producer.free(), popped);
        popper.join().unwrap();
        match popped {
            2 => "popped all",
            1 => "left one",
            _ => unreachable!("the first was there before the consumer's thread"),
        }
    });
}

/// Rings of seats are kept by their handles and by their consumers. The race: a thread pushes by its
/// handle and lets go of it, another lets go of its own, and the consumer pops once and goes. Whoever is
/// last drops what is inside, and must see what the other two did.
#[test]
fn items_in_rings_of_seats_are_dropped_once_whoever_goes_last() {
    explore(3, ["popped one", "popped none"], || {
        let drops = Arc::new(AtomicUsize::new(0));
        let item = counted(&drops);
        let (plan, mut seats) = SeatPlan::mint(1);
        let (rings, mut consumers) = SeatRings::new(&plan, 2, vec![()], ()).unwrap();
        let (mut seat, mut consumer) = (seats.remove(0), consumers.remove(0));
        let other = rings.clone();
        let pusher = thread::spawn(move || {
            let mut ring = rings.get(&mut seat).unwrap();
            assert!(ring.push(item()).is_ok() && ring.push_with(item));
        });
        let popper = thread::spawn(move || consumer.pop().is_some());
        drop(other);
        pusher.join().unwrap();
        let popped = popper.join().unwrap();
        assert_eq!(drops.load(SeqCst), 2);
        if popped { "popped one" } else { "popped none" }
    });
}

/// The race: one thread pushes its last item and lets go of its handle, while another lets go of the only
/// other one. The consumer must not find the rings closed and that item not there, whichever is last.
#[test]
fn rings_of_seats_are_seen_closed_after_the_last_item() {
    explore(3, ["closed at once", "closed later"], || {
        let (plan, mut seats) = SeatPlan::mint(1);
        let (rings, mut consumers) = SeatRings::<u32, _, _>::new(&plan, 2, vec![()], ()).unwrap();
        let (mut seat, mut consumer) = (seats.remove(0), consumers.remove(0));
        let other = rings.clone();
        let pusher = thread::spawn(move || {
            rings.get(&mut seat).unwrap().push(1).unwrap();
        });
        let dropper = thread::spawn(move || drop(other));
        let mut looks = 0;
        loop {
            let closed = consumer.is_closed();
            looks += 1;
            if closed {
                break;
            }
            thread::yield_now();
        }
        assert_eq!((consumer.pop(), consumer.pop()), (Some(1), None));
        pusher.join().unwrap();
        dropper.join().unwrap();
        if looks == 1 {
            "closed at once"
        } else {
            "closed later"
        }
    });
}
