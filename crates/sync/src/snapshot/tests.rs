use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::*;

/// Counts how many of its kind live, and knows on which thread it must die.
struct Counted {
    number: usize,
    living: Arc<AtomicUsize>,
    home: thread::ThreadId,
}

impl Counted {
    fn new(number: usize, living: &Arc<AtomicUsize>) -> Self {
        living.fetch_add(1, Ordering::Relaxed);
        Self {
            number,
            living: Arc::clone(living),
            home: thread::current().id(),
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.living.fetch_sub(1, Ordering::Relaxed);
        assert_eq!(thread::current().id(), self.home, "freed by a reader");
    }
}

fn collect<T, G>(publisher: &mut Publisher<T, G>) -> (usize, Vec<G>) {
    let mut out = Vec::new();
    let freed = publisher.collect(&mut out);
    (freed, out)
}

#[test]
fn a_reader_sees_what_was_published_last() {
    let mut publisher = Publisher::<u32>::new(1);
    let handle = publisher.handle();
    let mut reader = handle.clone().reader();
    assert_eq!(reader.current(), None);
    assert_eq!(*reader.load(), 1);
    publisher.publish(2, []);
    assert_eq!(reader.current(), Some(&1), "as the burst began");
    assert_eq!(*reader.load(), 2);
    assert_eq!(reader.current(), Some(&2));
    assert_eq!(*publisher.current(), 2);
    assert_eq!(*handle.load(), 2);
    reader.quiesce();
    assert_eq!(reader.current(), None);
    assert_eq!(*reader.load(), 2);
}

#[test]
fn what_is_held_is_kept() {
    let living = Arc::new(AtomicUsize::new(0));
    let mut publisher = Publisher::new(Counted::new(0, &living));
    let mut reader = publisher.handle().reader();
    assert_eq!(reader.load().number, 0);
    publisher.publish(Counted::new(1, &living), ["a"]);
    assert_eq!(collect(&mut publisher), (0, vec![]));
    assert_eq!(
        (publisher.pending(), living.load(Ordering::Relaxed)),
        (1, 2)
    );

    assert_eq!(reader.load().number, 1);
    assert_eq!(living.load(Ordering::Relaxed), 2, "a reader frees nothing");
    assert_eq!(collect(&mut publisher), (1, vec!["a"]));
    assert_eq!(
        (publisher.pending(), living.load(Ordering::Relaxed)),
        (0, 1)
    );
    assert_eq!(collect(&mut publisher), (0, vec![]));

    publisher.publish(Counted::new(2, &living), ["b"]);
    reader.quiesce();
    assert_eq!(collect(&mut publisher), (1, vec!["b"]));
    drop((reader, publisher));
    assert_eq!(living.load(Ordering::Relaxed), 0);
}

#[test]
fn a_newer_snapshot_goes_first_but_its_garbage_waits() {
    let mut publisher = Publisher::new(0);
    let handle = publisher.handle();
    let mut slow = handle.reader();
    assert_eq!(*slow.load(), 0);
    publisher.publish(1, ["a", "b"]);
    let one = handle.load();
    publisher.publish(2, ["c"]);
    publisher.publish(3, ["d"]);
    publisher.publish(4, []);

    assert_eq!(collect(&mut publisher), (2, vec![]), "2 and 3 are free");
    assert_eq!(publisher.pending(), 2);
    drop(one);
    assert_eq!(collect(&mut publisher), (1, vec![]), "0 is still held");
    publisher.publish(5, ["e"]);
    assert_eq!(*slow.load(), 5);
    assert_eq!(
        collect(&mut publisher),
        (2, vec!["a", "b", "c", "d", "e"]),
        "oldest first"
    );
    assert_eq!(publisher.pending(), 0);
}

#[test]
fn garbage_goes_as_soon_as_what_is_older_is_gone() {
    let mut publisher = Publisher::new(0);
    let handle = publisher.handle();
    publisher.publish(1, ["a"]);
    let one = handle.load();
    publisher.publish(2, ["b"]);
    assert_eq!(collect(&mut publisher), (1, vec!["a"]));
    drop(one);
    assert_eq!(collect(&mut publisher), (1, vec!["b"]));
}

#[test]
fn a_reader_far_behind_does_not_make_the_list_long() {
    let mut publisher = Publisher::new(0);
    let mut slow = publisher.handle().reader();
    slow.load();
    for n in 1..=1000 {
        publisher.publish(n, [n]);
        assert_eq!(collect(&mut publisher), (usize::from(n > 1), vec![]));
        assert_eq!(publisher.pending(), 1);
    }
    slow.quiesce();
    assert_eq!(collect(&mut publisher), (1, (1..=1000).collect()));
}

#[test]
fn a_weak_pointer_holds_a_snapshot_up_too() {
    let mut publisher = Publisher::new(0);
    let weak = Arc::downgrade(&publisher.current());
    publisher.publish(1, ["a"]);
    assert_eq!(collect(&mut publisher), (0, vec![]));
    drop(weak);
    assert_eq!(collect(&mut publisher), (1, vec!["a"]));
}

#[test]
fn a_publish_whose_garbage_panics_does_not_happen() {
    let mut publisher = Publisher::new(0);
    let attempt = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        publisher.publish(1, std::iter::from_fn(|| -> Option<u32> { panic!("no") }));
    }));
    assert!(attempt.is_err());
    assert_eq!(*publisher.current(), 0);
    assert_eq!(publisher.pending(), 0);
}

#[test]
fn retiring_outlives_the_readers() {
    let living = Arc::new(AtomicUsize::new(0));
    let mut publisher = Publisher::new(Counted::new(0, &living));
    let handle = publisher.handle();
    let mut reader = handle.reader();
    assert_eq!(reader.load().number, 0);
    publisher.publish(Counted::new(1, &living), ["a"]);

    let mut retiring = publisher.retire();
    let mut out = Vec::new();
    assert!(!retiring.collect(&mut out));
    assert_eq!((out.len(), retiring.pending()), (0, 2));
    assert_eq!(reader.load().number, 1, "readers go on");
    assert!(!retiring.collect(&mut out));
    assert_eq!((out.clone(), retiring.pending()), (vec!["a"], 1));
    let last = handle.load();
    drop((reader, handle));
    assert!(!retiring.collect(&mut out), "the last snapshot is held");
    assert_eq!(retiring.pending(), 1);
    drop(last);
    assert_eq!(living.load(Ordering::Relaxed), 1);
    assert!(retiring.collect(&mut out));
    assert!(retiring.collect(&mut out), "stays done");
    assert_eq!((out, retiring.pending()), (vec!["a"], 0));
    assert_eq!(living.load(Ordering::Relaxed), 0);
}

#[test]
fn readers_keep_what_they_hold_when_the_publisher_is_gone() {
    let mut publisher = Publisher::<_>::new(String::from("one"));
    let handle = publisher.handle();
    let mut reader = handle.reader();
    reader.load();
    publisher.publish(String::from("two"), []);
    drop(publisher);
    assert_eq!(reader.current().map(String::as_str), Some("one"));
    assert_eq!(reader.load(), "two");
    assert_eq!(handle.reader().load(), "two");
}

/// arc-swap itself, and the whole of this module, under real threads: garbage comes back in order
/// and only when no reader is before it, and no reader ever frees.
#[test]
fn readers_and_a_publisher_at_full_speed() {
    const PUBLISHES: usize = 20_000;
    let living = Arc::new(AtomicUsize::new(0));
    let mut publisher = Publisher::new(Counted::new(0, &living));
    let handle = publisher.handle();
    let stop = AtomicBool::new(false);
    // What each reader is reading; `usize::MAX` while it reads nothing.
    let reading = [const { AtomicUsize::new(usize::MAX) }; 3];
    thread::scope(|scope| {
        for (index, reading) in reading.iter().enumerate() {
            let handle = handle.clone();
            let stop = &stop;
            scope.spawn(move || {
                let mut reader = handle.reader();
                let mut newest = 0;
                let mut bursts = 0;
                while !stop.load(Ordering::Relaxed) {
                    let snapshot = reader.load();
                    assert!(snapshot.number >= newest, "time does not run backwards");
                    newest = snapshot.number;
                    reading.store(newest, Ordering::SeqCst);
                    std::hint::spin_loop();
                    assert_eq!(reader.current().unwrap().number, newest);
                    reading.store(usize::MAX, Ordering::SeqCst);
                    bursts += 1;
                    if bursts % 16 == index {
                        reader.quiesce();
                        thread::yield_now();
                    }
                    if index == 2 && bursts % 64 == 0 {
                        drop(handle.load());
                    }
                }
            });
        }
        let mut out = Vec::new();
        let mut handed_back = 0;
        for number in 1..=PUBLISHES {
            publisher.publish(Counted::new(number, &living), [number]);
            publisher.collect(&mut out);
            for garbage in out.drain(..) {
                handed_back += 1;
                assert_eq!(garbage, handed_back, "in order");
                for reading in &reading {
                    // The garbage of publish k was last reachable by snapshot k - 1.
                    assert!(reading.load(Ordering::SeqCst) >= garbage);
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
        while handed_back < PUBLISHES {
            publisher.collect(&mut out);
            handed_back += out.drain(..).count();
            thread::yield_now();
        }
    });
    assert_eq!(publisher.pending(), 0);
    assert_eq!(living.load(Ordering::Relaxed), 1);
}
