//! The ring against a `VecDeque`, and what its documentation promises.

use super::*;
use crate::seat::{Seat, SeatPlan};
use arrayvec::ArrayVec;
use proptest::prelude::*;
use std::{
    collections::VecDeque,
    sync::{
        Arc as StdArc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

const N: usize = 64;

/// An empty ring of `capacity` slots whose indices begin at `index`.
fn ring_from<T: Send>(capacity: usize, index: usize) -> (Producer<T>, Consumer<T>) {
    let shared = Arc::new(Shared::new(capacity).unwrap());
    shared.body.head.store(index);
    shared.tail.index.store(index);
    (Producer::new(Arc::clone(&shared)), Consumer::new(shared))
}

fn burst(items: impl IntoIterator<Item = u32>) -> ArrayVec<u32, N> {
    items.into_iter().collect()
}

#[test]
fn ends_can_be_sent() {
    fn sent<T: Send>(_: &T) {}
    let (producer, consumer) = ring::<std::cell::Cell<u8>>(1).unwrap();
    sent(&producer);
    sent(&consumer);
}

#[test]
fn capacity_is_rounded_up_to_a_power_of_two() {
    for (asked, given) in [(1, 2), (2, 2), (3, 4), (64, 64), (65, 128), (1000, 1024)] {
        let (producer, consumer) = ring::<u8>(asked).unwrap();
        assert_eq!((producer.capacity(), consumer.capacity()), (given, given));
    }
}

#[test]
fn impossible_capacities_are_refused() {
    assert_eq!(ring::<u8>(0).unwrap_err(), RingError::Zero);
    assert_eq!(
        ring::<u8>(MAX_CAPACITY + 1).unwrap_err(),
        RingError::TooLarge
    );
    assert_eq!(ring::<u8>(usize::MAX).unwrap_err(), RingError::TooLarge);
    // Within the limit, but 2^31 slots of 2^40 bytes are more than an address space.
    assert_eq!(
        ring::<[u8; 1 << 40]>(MAX_CAPACITY).unwrap_err(),
        RingError::TooLarge
    );
}

#[test]
fn the_item_comes_back_when_full() {
    let (mut producer, mut consumer) = ring(2).unwrap();
    producer.push("a").unwrap();
    producer.push("b").unwrap();
    assert_eq!(producer.push("c"), Err(Full("c")));
    assert_eq!(consumer.pop(), Some("a"));
    producer.push("c").unwrap();
    assert_eq!(
        [consumer.pop(), consumer.pop(), consumer.pop()],
        [Some("b"), Some("c"), None]
    );
}

#[test]
fn what_does_not_fit_stays_in_order() {
    let (mut producer, mut consumer) = ring(8).unwrap();
    let mut from = burst(0..11);
    assert_eq!(producer.push_burst(&mut from), 8);
    assert_eq!(from[..], [8, 9, 10]);
    assert_eq!(producer.push_burst(&mut from), 0);
    assert_eq!(from[..], [8, 9, 10]);

    let mut into = burst([77]);
    assert_eq!(consumer.pop_burst(&mut into), 8);
    assert_eq!(into[..], [77, 0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(producer.push_burst(&mut from), 3);
    assert!(from.is_empty());
    assert_eq!(consumer.pop_burst(&mut into), 3);
    assert_eq!(into[9..], [8, 9, 10]);
}

#[test]
fn a_burst_without_room_takes_nothing() {
    let (mut producer, mut consumer) = ring(4).unwrap();
    assert_eq!(producer.push_burst(&mut burst(0..3)), 3);
    let mut full: ArrayVec<u32, 2> = [8, 9].into();
    assert_eq!(consumer.pop_burst(&mut full), 0);
    assert_eq!(full[..], [8, 9]);
    let mut none: ArrayVec<u32, 0> = ArrayVec::new();
    assert_eq!(consumer.pop_burst(&mut none), 0);
    assert_eq!(producer.push_burst(&mut none), 0);
    assert_eq!(consumer.len(), 3);
}

#[test]
fn bursts_wrap_at_every_offset() {
    for capacity in [2, 4, 8, 64] {
        for offset in 0..capacity {
            for n in 1..=capacity as u32 {
                // From just below where the indices themselves wrap, too.
                for start in [offset, usize::MAX - capacity + 1 + offset] {
                    let (mut producer, mut consumer) = ring_from(capacity, start);
                    assert_eq!(producer.push_burst(&mut burst(0..n)), n as usize);
                    assert_eq!(producer.free(), capacity - n as usize);
                    assert_eq!(consumer.len(), n as usize);
                    let mut into = ArrayVec::<u32, N>::new();
                    assert_eq!(consumer.pop_burst(&mut into), n as usize);
                    assert_eq!(into, burst(0..n));
                    assert!(consumer.is_empty());
                }
            }
        }
    }
}

#[test]
fn free_and_len_look_again_when_it_matters() {
    let (mut producer, mut consumer) = ring(8).unwrap();
    assert_eq!((producer.free(), consumer.len()), (8, 0));
    producer.push_burst(&mut burst(0..6));
    assert_eq!((producer.free(), consumer.len()), (2, 6));
    consumer.pop();
    // Under half: exact.
    assert_eq!(producer.free(), 3);
    // A burst larger than the consumer knows of looks again rather than be cut short.
    producer.push_burst(&mut burst(6..9));
    let mut into = ArrayVec::<u32, N>::new();
    assert_eq!(consumer.pop_burst(&mut into), 8);
    assert_eq!(into, burst(1..9));
    // So does one larger than the producer knows room for.
    assert_eq!(producer.push_burst(&mut burst(0..8)), 8);
}

/// Rings for the first two of three seats, for numbers; each seat has a name beside its own.
fn seat_rings(capacity: usize) -> (NamedRings, Vec<NamedConsumer>, Vec<Seat>) {
    let (plan, seats) = SeatPlan::mint(3);
    let (rings, consumers) = SeatRings::new(&plan, capacity, vec!["a", "b"], 7).unwrap();
    (rings, consumers, seats)
}

type NamedRings = SeatRings<u8, &'static str, u32>;
type NamedConsumer = SeatConsumer<u8, &'static str, u32>;

#[test]
fn each_seat_has_a_ring() {
    let (rings, mut consumers, mut seats) = seat_rings(2);
    for (number, name) in [(0, "a"), (1, "b")] {
        rings.prefetch(&seats[number]);
        let mut ring = rings.get(&mut seats[number]).unwrap();
        assert_eq!(*ring.extra(), name);
        assert_eq!(ring.push(number as u8), Ok(()));
        assert!(ring.push_with(|| 10 + number as u8));
        // An item is made only where there is room.
        assert!(!ring.push_with(|| unreachable!("there is no room")));
        assert_eq!(ring.push(9), Err(Full(9)));
    }
    assert_eq!((rings.pushed(), *rings.about()), (4, 7));
    for (number, consumer) in consumers.iter_mut().enumerate() {
        assert_eq!(consumer.pop(), Some(number as u8));
        assert!(rings.get(&mut seats[number]).unwrap().push_with(|| 3));
        assert_eq!(consumer.pop(), Some(10 + number as u8));
        assert_eq!((consumer.pop(), consumer.pop()), (Some(3), None));
    }
    assert_eq!(rings.pushed(), 6);
    // The last seat has none, and no seat of another plan.
    assert!(rings.get(&mut seats[2]).is_none());
    assert!(rings.get(&mut SeatPlan::mint(1).1[0]).is_none());
}

#[test]
fn rings_of_seats_tell_when_an_end_is_gone() {
    let (rings, mut consumers, mut seats) = seat_rings(2);
    let clone = rings.clone();
    assert!(clone.is(&rings) && !clone.is(&seat_rings(2).0));
    assert_eq!(rings.handles(), 2);
    rings.get(&mut seats[1]).unwrap().push(5).unwrap();
    drop(consumers.remove(0));
    assert!(rings.get(&mut seats[0]).unwrap().is_closed());
    assert!(!rings.get(&mut seats[1]).unwrap().is_closed());
    clone.close();
    assert!(rings.get(&mut seats[1]).unwrap().is_closed());
    drop(rings);
    let mut last = consumers.pop().unwrap();
    assert!(!last.is_closed(), "there is a handle");
    drop(clone);
    assert!(last.is_closed());
    assert_eq!((last.pop(), last.pop()), (Some(5), None));
}

#[test]
fn rings_of_seats_tell_what_waits() {
    let (rings, mut consumers, mut seats) = seat_rings(4);
    let mut popped = 0;
    for n in 0..10 {
        let mut ring = rings.get(&mut seats[0]).unwrap();
        assert_eq!((ring.position(), ring.waiting()), (n, n - popped));
        ring.push(n as u8).unwrap();
        assert_eq!((ring.position(), ring.waiting()), (n + 1, n + 1 - popped));
        if n > 1 {
            assert_eq!(consumers[0].pop(), Some(popped as u8));
            popped += 1;
        }
    }
    assert_eq!(rings.get(&mut seats[1]).unwrap().waiting(), 0);
}

#[test]
fn what_is_in_rings_of_seats_is_dropped_with_the_last_of_them() {
    let (plan, mut seats) = SeatPlan::mint(2);
    for consumers_first in [false, true] {
        let drops = StdArc::new(AtomicUsize::new(0));
        let (rings, mut consumers) = SeatRings::new(&plan, 4, vec![(), ()], ()).unwrap();
        for seat in &mut seats {
            for _ in 0..3 {
                let item = Counted(drops.clone());
                assert!(rings.get(seat).unwrap().push(item).is_ok());
            }
        }
        drop(consumers[0].pop());
        assert_eq!(drops.load(SeqCst), 1);
        if consumers_first {
            drop(consumers);
            assert_eq!(drops.load(SeqCst), 1);
            drop(rings);
        } else {
            drop(rings);
            drop(consumers.remove(0));
            assert_eq!(drops.load(SeqCst), 1);
            drop(consumers);
        }
        assert_eq!(drops.load(SeqCst), 6);
    }
}

#[test]
fn rings_of_seats_have_the_bounds_of_rings() {
    let (plan, _) = SeatPlan::mint(1);
    let rings = |capacity| SeatRings::<u8, _, _>::new(&plan, capacity, vec![()], ());
    assert_eq!(rings(0).unwrap_err(), RingError::Zero);
    assert_eq!(rings(usize::MAX).unwrap_err(), RingError::TooLarge);
}

#[test]
fn ends_tell_when_the_other_is_gone() {
    let (mut producer, mut consumer) = ring(4).unwrap();
    assert!(!producer.is_closed() && !consumer.is_closed());
    producer.push(1).unwrap();
    drop(producer);
    assert!(consumer.is_closed());
    assert_eq!((consumer.pop(), consumer.pop()), (Some(1), None));

    let (mut producer, consumer) = ring(2).unwrap();
    drop(consumer);
    assert!(producer.is_closed());
    // What still fits is accepted.
    producer.push(1).unwrap();
    producer.push(2).unwrap();
    assert_eq!(producer.push(3), Err(Full(3)));
}

/// Counts its drops.
struct Counted(StdArc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[test]
fn items_inside_are_dropped_with_the_last_end() {
    for producer_first in [false, true] {
        let drops = StdArc::new(AtomicUsize::new(0));
        let (mut producer, mut consumer) = ring_from(4, usize::MAX - 1);
        for _ in 0..4 {
            assert!(producer.push(Counted(drops.clone())).is_ok());
        }
        drop(consumer.pop());
        assert_eq!(drops.load(SeqCst), 1);
        assert!(producer.push(Counted(drops.clone())).is_ok());
        if producer_first {
            drop(producer);
            assert_eq!(drops.load(SeqCst), 1);
            drop(consumer);
        } else {
            drop(consumer);
            assert_eq!(drops.load(SeqCst), 1);
            drop(producer);
        }
        assert_eq!(drops.load(SeqCst), 5);
    }
}

#[test]
fn items_without_size_are_counted_too() {
    let (mut producer, mut consumer) = ring(4).unwrap();
    let mut from: ArrayVec<(), 8> = [(); 8].into();
    assert_eq!(producer.push_burst(&mut from), 4);
    assert_eq!(from.len(), 4);
    assert_eq!(consumer.pop(), Some(()));
    assert_eq!(consumer.len(), 3);
}

#[test]
fn two_threads_by_bursts_of_changing_size() {
    const ITEMS: u64 = 300_000;
    let (mut producer, mut consumer) = ring::<Box<u64>>(128).unwrap();
    let pusher = thread::spawn(move || {
        let mut next = 0;
        let mut from = ArrayVec::<_, N>::new();
        while next < ITEMS || !from.is_empty() {
            let wanted = 1 + (next * 7 % N as u64) as usize;
            while from.len() < wanted && next < ITEMS {
                from.push(Box::new(next));
                next += 1;
            }
            if producer.push_burst(&mut from) == 0 {
                thread::yield_now();
            }
        }
    });
    let mut expected = 0;
    let mut into = ArrayVec::<_, N>::new();
    loop {
        let closed = consumer.is_closed();
        if consumer.pop_burst(&mut into) == 0 {
            if closed {
                break;
            }
            thread::yield_now();
        }
        for item in into.drain(..) {
            assert_eq!(*item, expected);
            expected += 1;
        }
    }
    pusher.join().unwrap();
    assert_eq!(expected, ITEMS);
}

#[derive(Debug, Clone)]
enum Step {
    Push,
    PushBurst(usize),
    Pop,
    PopBurst(usize),
    Free,
    Len,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Push),
        (0..=N).prop_map(Step::PushBurst),
        Just(Step::Pop),
        (0..=N).prop_map(Step::PopBurst),
        Just(Step::Free),
        Just(Step::Len),
    ]
}

proptest! {
    /// Any sequence of calls does what the same calls on a bounded `VecDeque` do, and in the end
    /// every item made has been dropped once: a second drop would be a double free, a missing one
    /// leaves its count up.
    #[test]
    fn behaves_as_a_bounded_queue(
        asked in 1_usize..100,
        start in prop_oneof![0_usize..200, (usize::MAX - 200)..=usize::MAX],
        steps in prop::collection::vec(step(), 0..200),
        producer_first: bool,
    ) {
        type Item = (u32, StdArc<()>);
        let alive = StdArc::new(());
        let mut made = 0..;
        let mut make = || (made.next().unwrap(), StdArc::clone(&alive));
        let numbers = |items: &[Item]| items.iter().map(|item| item.0).collect::<Vec<_>>();

        let (mut producer, mut consumer) = ring_from::<Item>(asked, start);
        let capacity = producer.capacity();
        let mut oracle = VecDeque::new();
        // What did not fit in a burst stays here for the next.
        let mut from = ArrayVec::<Item, N>::new();

        for step in steps {
            match step {
                Step::Push => {
                    let item = make();
                    let number = item.0;
                    match producer.push(item) {
                        Ok(()) => oracle.push_back(number),
                        Err(Full(item)) => {
                            prop_assert_eq!(item.0, number);
                            prop_assert_eq!(oracle.len(), capacity);
                        }
                    }
                }
                Step::PushBurst(n) => {
                    while from.len() < n {
                        from.push(make());
                    }
                    let before = numbers(&from);
                    let pushed = producer.push_burst(&mut from);
                    prop_assert_eq!(pushed, before.len().min(capacity - oracle.len()));
                    prop_assert_eq!(numbers(&from), &before[pushed..]);
                    oracle.extend(&before[..pushed]);
                }
                Step::Pop => prop_assert_eq!(consumer.pop().map(|item| item.0), oracle.pop_front()),
                Step::PopBurst(room) => {
                    let mut into = ArrayVec::<Item, N>::new();
                    while into.remaining_capacity() > room {
                        into.push((u32::MAX, StdArc::clone(&alive)));
                    }
                    let before = into.len();
                    let popped = consumer.pop_burst(&mut into);
                    prop_assert_eq!(popped, room.min(oracle.len()));
                    prop_assert!(into[..before].iter().all(|item| item.0 == u32::MAX));
                    prop_assert_eq!(numbers(&into[before..]), oracle.drain(..popped).collect::<Vec<_>>());
                }
                Step::Free => {
                    let free = capacity - oracle.len();
                    let told = producer.free();
                    prop_assert!(told == free || (told < free && told >= capacity / 2));
                }
                Step::Len => {
                    prop_assert_eq!(consumer.len(), oracle.len());
                    prop_assert_eq!(consumer.is_empty(), oracle.is_empty());
                }
            }
            prop_assert_eq!(StdArc::strong_count(&alive), 1 + from.len() + oracle.len());
        }

        drop(from);
        if producer_first {
            drop(producer);
            drop(consumer);
        } else {
            drop(consumer);
            drop(producer);
        }
        prop_assert_eq!(StdArc::strong_count(&alive), 1);
    }
}
