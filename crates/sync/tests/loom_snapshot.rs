//! Publishing, reading and freeing snapshots, explored by loom. The pointer itself is a model of
//! arc-swap (see `snapshot/swap.rs`); everything above it is the code that runs in production.
//!
//! Run with `RUSTFLAGS='--cfg loom' cargo test -p corelane-sync --release --test loom_snapshot`.
#![cfg(loom)]

mod explore;

use corelane_sync::primitive::UnsafeCell;
use corelane_sync::snapshot::{Publisher, Reader};
use explore::{explore, pass};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread::{self, ThreadId};

/// A snapshot whose number loom watches: written when made, read by readers, written when freed.
struct Page {
    number: UnsafeCell<u32>,
    home: ThreadId,
}

// SAFETY: not claimed to be sound but put to the test: loom fails the model upon any two accesses
// to the number that are not ordered.
unsafe impl Sync for Page {}

impl Page {
    fn new(number: u32) -> Self {
        let page = Self {
            number: UnsafeCell::new(0),
            home: thread::current().id(),
        };
        page.number.with_mut(|at| {
            // SAFETY: loom fails the model if anything else accesses the number meanwhile.
            unsafe { *at = number };
        });
        page
    }

    fn number(&self) -> u32 {
        self.number.with(|at| {
            // SAFETY: loom fails the model if anything writes the number meanwhile.
            unsafe { *at }
        })
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        assert_eq!(thread::current().id(), self.home, "freed by a reader");
        self.number.with_mut(|at| {
            // SAFETY: loom fails the model if anything else accesses the number meanwhile.
            unsafe { *at = u32::MAX };
        });
    }
}

/// Bursts that see only whole snapshots, never an older one after a newer one.
fn read(reader: &mut Reader<Page>, bursts: u32) -> u32 {
    let mut newest = 0;
    for _ in 0..bursts {
        pass();
        let number = reader.load().number();
        assert!(number != u32::MAX && number >= newest);
        assert_eq!(reader.current().unwrap().number(), number);
        newest = number;
    }
    newest
}

fn collect(publisher: &mut Publisher<Page, u32>) -> Vec<u32> {
    let mut out = Vec::new();
    pass();
    publisher.collect(&mut out);
    out
}

// The publisher replaces a snapshot and tries to free it while a reader is taking it, using it or
// exchanging it for the new one. Freed too early, the reader reads what is gone; without an edge
// from the reader's last look to the end, the same on a machine that reorders; freed by the reader,
// a worker would pay for it.
#[test]
fn publish_and_collect_against_bursts() {
    explore(3, ["freed meanwhile", "freed afterwards"], || {
        let mut publisher = Publisher::new(Page::new(1));
        let handle = publisher.handle();
        let worker = thread::spawn(move || read(&mut handle.reader(), 2));
        pass();
        publisher.publish(Page::new(2), [1]);
        let mut garbage = collect(&mut publisher);
        let meanwhile = !garbage.is_empty();
        worker.join().unwrap();
        garbage.append(&mut collect(&mut publisher));
        assert_eq!(garbage, [1], "once");
        assert_eq!(publisher.pending(), 0);
        if meanwhile {
            "freed meanwhile"
        } else {
            "freed afterwards"
        }
    });
}

// Two readers at different speeds and two publishes: the second garbage must not come back before
// the first, even if the first snapshot is the one that is held longer.
#[test]
fn garbage_of_two_publishes_with_two_readers() {
    explore(3, ["none", "the first", "both"], || {
        let mut publisher = Publisher::new(Page::new(1));
        let mut early = publisher.handle().reader();
        read(&mut early, 1);
        let late = publisher.handle();
        let workers = [
            thread::spawn(move || {
                assert_eq!(early.current().unwrap().number(), 1);
                pass();
                drop(early);
            }),
            thread::spawn(move || {
                read(&mut late.reader(), 1);
            }),
        ];
        pass();
        publisher.publish(Page::new(2), [1]);
        pass();
        publisher.publish(Page::new(3), [2]);
        let mut garbage = collect(&mut publisher);
        let meanwhile = match *garbage {
            [] => "none",
            [1] => "the first",
            [1, 2] => "both",
            _ => panic!("out of order: {garbage:?}"),
        };
        for worker in workers {
            worker.join().unwrap();
        }
        garbage.append(&mut collect(&mut publisher));
        assert_eq!(garbage, [1, 2]);
        meanwhile
    });
}

// A worker goes to sleep holding nothing, and comes back. While it sleeps everything old can be
// freed; when it wakes it gets what is current.
#[test]
fn quiesce_against_publish_and_collect() {
    explore(3, ["freed meanwhile", "freed afterwards"], || {
        let mut publisher = Publisher::new(Page::new(1));
        let mut reader = publisher.handle().reader();
        read(&mut reader, 1);
        let worker = thread::spawn(move || {
            let before = read(&mut reader, 1);
            pass();
            reader.quiesce();
            assert!(reader.current().is_none());
            assert!(read(&mut reader, 1) >= before);
            pass();
            reader.quiesce();
            reader
        });
        pass();
        publisher.publish(Page::new(2), [1]);
        let mut garbage = collect(&mut publisher);
        let meanwhile = !garbage.is_empty();
        let reader = worker.join().unwrap();
        garbage.append(&mut collect(&mut publisher));
        assert_eq!(garbage, [1]);
        assert!(reader.current().is_none());
        if meanwhile {
            "freed meanwhile"
        } else {
            "freed afterwards"
        }
    });
}

// A reader that learns of a publish by other means (here a flag, as it might be a frame that came
// through a ring) finds it with its next load, although that compares with a relaxed read.
#[test]
fn a_publish_one_was_told_of_is_seen() {
    explore(3, ["told", "not told, seen", "not told, not seen"], || {
        let mut publisher = Publisher::<_, u32>::new(Page::new(1));
        let mut reader = publisher.handle().reader();
        read(&mut reader, 1);
        let told = Arc::new(AtomicBool::new(false));
        let worker = {
            let told = Arc::clone(&told);
            thread::spawn(move || {
                pass();
                let told = told.load(Ordering::Acquire);
                let number = read(&mut reader, 1);
                match (told, number) {
                    (true, 2) => "told",
                    (true, _) => panic!("told, but not seen"),
                    (false, 2) => "not told, seen",
                    (false, _) => "not told, not seen",
                }
            })
        };
        pass();
        publisher.publish(Page::new(2), []);
        pass();
        told.store(true, Ordering::Release);
        worker.join().unwrap()
    });
}

// The publisher ends before its readers do. What is left of it still frees everything, on its own
// thread, the last snapshot too.
#[test]
fn retire_against_readers() {
    explore(3, ["done meanwhile", "done afterwards"], || {
        let mut publisher = Publisher::new(Page::new(1));
        let handle = publisher.handle();
        let worker = thread::spawn(move || {
            let mut reader = handle.reader();
            drop(handle);
            read(&mut reader, 2);
        });
        pass();
        publisher.publish(Page::new(2), [1]);
        pass();
        let mut retiring = publisher.retire();
        let mut garbage = Vec::new();
        pass();
        let done = retiring.collect(&mut garbage);
        worker.join().unwrap();
        assert!(retiring.collect(&mut garbage) || done);
        assert_eq!(garbage, [1]);
        assert_eq!(retiring.pending(), 0);
        if done {
            "done meanwhile"
        } else {
            "done afterwards"
        }
    });
}
