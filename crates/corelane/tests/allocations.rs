//! No allocation and no free on the datapath, by count, over real runs.
//!
//! The allocator of this test program counts by thread.

mod common;

use std::alloc::System;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::*;
use corelane::engine::{NicConfig, WhenFull};
use corelane::frame::Burst;
use corelane::io::memory::{MemoryConfig, memory_link};
use corelane::stack::{Handler, Packet};
use corelane::sync::alloc_count::{CountingAllocator, this_thread};

#[global_allocator]
static ALLOCATOR: CountingAllocator<System> = CountingAllocator::new(System);

/// Adds up bytes, so that payloads are really read.
#[derive(Default)]
struct Sum(u64);

impl Handler for Sum {
    fn packet(&mut self, packet: &mut Packet<'_>) {
        self.0 += packet
            .payload()
            .iter()
            .map(|byte| u64::from(*byte))
            .sum::<u64>();
    }
}

/// Sends and polls `packets` frames of a mix of fates; returns the allocations and frees of that.
fn run(bench: &mut Bench, packets: usize) -> (u64, u64) {
    let frames = [
        udp("192.0.2.9", "192.0.2.1", (1, 2), b"hit"),
        udp("2001:db8::9", "2001:db8::1", (1, 2), b"hit"),
        udp("192.0.2.9", "192.0.2.77", (1, 2), b"miss"),
        udp("192.0.2.9", "198.51.100.9", (3, 4), b"range"),
        ping("192.0.2.9", "192.0.2.1", b"echo"),
        vec![0; 20],
    ];
    let mut burst = Burst::new();
    let before = this_thread();
    let mut sent = 0;
    while sent < packets {
        bench.cache.alloc_burst(&mut burst, 64);
        for frame in &mut burst {
            frame.set_data(&frames[sent % frames.len()]).unwrap();
            sent += 1;
        }
        while !burst.is_empty() {
            bench.peer.send(0, &mut burst);
            bench.parts.distributors[0].poll();
            bench.parts.workers[0].poll();
            bench.parts.distributors[0].poll();
        }
        bench.peer.recv(&mut burst);
        bench.cache.recycle_burst(&mut burst);
    }
    let since = this_thread().since(before);
    (since.allocations, since.frees)
}

#[test]
fn a_million_packets_allocate_and_free_nothing() {
    assert!(corelane::sync::alloc_count::installed());
    let mut bench = Bench::new(|b| {
        b.when_full(WhenFull::Wait).handler(|_| Sum::default());
    });
    bench.nic.add_address(ip("192.0.2.1")).unwrap();
    bench.nic.add_address(ip("2001:db8::1")).unwrap();
    bench
        .nic
        .add_range("198.51.100.0/24".parse().unwrap())
        .unwrap();
    run(&mut bench, 64_000);
    assert_eq!(run(&mut bench, 1_000_000), (0, 0));
    bench.nic.set_promiscuous(true).unwrap();
    run(&mut bench, 6_400);
    assert_eq!(
        run(&mut bench, 100_000),
        (0, 0),
        "nor do temporary endpoints"
    );
    let totals = bench.nic.counters();
    assert!(totals.delivered > 400_000 && totals.consumed > 100_000 && totals.dropped() > 300_000);
    let worker = &bench.parts.monitor.report().workers[0];
    assert_eq!(worker.allocations, Some(0), "the engine's own count agrees");
}

#[test]
fn a_worker_frees_nothing_that_the_control_plane_published() {
    let mut bench = Bench::new(|b| {
        b.when_full(WhenFull::Wait).handler(|_| Sum::default());
    });
    bench.nic.add_address(ip("192.0.2.1")).unwrap();
    run(&mut bench, 64_000);
    let stop = Arc::new(AtomicBool::new(false));
    let changer = {
        let (nic, stop) = (bench.nic.clone(), Arc::clone(&stop));
        std::thread::spawn(move || {
            let mut changes = 0u64;
            while !stop.load(Ordering::Relaxed) || changes < 10_000 {
                let address = std::net::IpAddr::from([10, 0, (changes >> 9) as u8, changes as u8]);
                nic.add_address(address).unwrap();
                nic.remove_address(address).unwrap();
                changes += 2;
            }
            changes
        })
    };
    let counts = run(&mut bench, 400_000);
    stop.store(true, Ordering::Relaxed);
    assert!(changer.join().unwrap() >= 10_000);
    assert_eq!(counts, (0, 0));
}

#[test]
fn a_worker_takes_up_and_gives_up_nics_without_allocating_or_freeing() {
    let mut bench = Bench::new(|b| {
        b.when_full(WhenFull::Wait).handler(|_| Sum::default());
    });
    bench.nic.add_address(ip("192.0.2.1")).unwrap();
    run(&mut bench, 64_000);
    let lifecycle = bench.parts.lifecycle.clone();
    for round in 0..100u32 {
        let (link, peer) = memory_link(MemoryConfig::default()).unwrap();
        let config = NicConfig::new(format!("of round {round}"));
        let nic = lifecycle.create_nic(config, Box::new(link)).unwrap();
        let before = this_thread();
        bench.parts.workers[0].poll();
        let taken_up = this_thread().since(before);
        lifecycle.remove_nic(nic.id()).unwrap();
        drop(peer);
        let before = this_thread();
        bench.parts.workers[0].poll();
        let given_up = this_thread().since(before);
        for counts in [taken_up, given_up] {
            assert_eq!((counts.allocations, counts.frees), (0, 0), "round {round}");
        }
        drop(lifecycle.take_distributors());
        bench.parts.control.poll();
    }
    assert_eq!(bench.parts.monitor.report().nics.len(), 1);
    bench.assert_no_leak();
}
