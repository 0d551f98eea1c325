//! Workers and distributors polled from threads that are not the engine's.

use std::error::Error;
use std::thread;
use std::time::Duration;

use corelane::prelude::*;
use corelane::wire::build::build_udp_ipv6;

const WORKERS: usize = 2;
const FLOWS: u16 = 64;
const FRAMES: u64 = 100_000;

fn main() -> Result<(), Box<dyn Error>> {
    let (link, peer) = memory_link(MemoryConfig::default())?;
    let mut builder = Engine::builder();
    builder.workers(WORKERS).when_full(WhenFull::Wait);
    let id = builder.nic(NicConfig::new("lan"), Box::new(link));
    let engine = builder.build()?;
    let nic = engine.nic(id).ok_or("no such NIC")?.clone();
    nic.add_address("2001:db8::1/64".parse::<Prefix>()?)?;
    let pool = engine.pool().clone();
    let Parts {
        workers,
        distributors,
        mut control,
        monitor,
        ..
    } = engine.into_workers();

    thread::scope(|scope| -> Result<(), Box<dyn Error>> {
        for worker in workers {
            scope.spawn(move || run_worker(worker));
        }
        for distributor in distributors {
            scope.spawn(move || run_distributor(distributor));
        }
        let sending = scope.spawn(move || send(peer, &pool));
        // The control plane's share: this thread has nothing else to do.
        while !sending.is_finished() {
            thread::sleep(control.poll());
        }
        sending
            .join()
            .map_err(|_| "the sender panicked")?
            .map_err(|error| error.to_string())?;
        Ok(())
    })?;
    control.poll();

    let report = monitor.report();
    for worker in &report.workers {
        println!(
            "worker {}: {} packets, {} of {} polls found nothing",
            worker.id.0, worker.packets, worker.empty_polls, worker.polls
        );
    }
    assert_eq!(nic.counters().delivered, FRAMES);
    assert_eq!(nic.counters().balance(), 0);
    assert_eq!(report.pool.out, 0, "every frame is back");
    Ok(())
}

/// Polls until the inputs are at their end. What is done where nothing was found is the
/// embedder's choice; whoever stops polling for a while quiesces first.
fn run_worker(mut worker: Worker) {
    while !worker.is_finished() {
        if worker.poll() == 0 {
            worker.quiesce();
            thread::yield_now();
        }
    }
}

/// Polls until the link is at its end. Dropping the distributor closes the workers' rings, and
/// they end when those are empty.
fn run_distributor(mut distributor: Distributor) {
    loop {
        match distributor.poll() {
            Polled::Worked => {}
            Polled::Idle | Polled::Waiting => thread::yield_now(),
            Polled::Finished => return,
        }
    }
}

/// Sends frames of some flows; dropping the peer is the end of the link.
fn send(mut peer: MemoryPeer, pool: &Pool) -> Result<(), Box<dyn Error + Send + Sync>> {
    let spec = FrameSpec {
        source_mac: "02:00:00:00:00:09".parse()?,
        destination_mac: "02:00:00:00:00:01".parse()?,
        source: "2001:db8::9".parse()?,
        destination: "2001:db8::1".parse()?,
        ttl: 64,
    };
    let mut cache = pool.cache();
    let mut burst = Burst::new();
    let mut sent = 0;
    while sent < FRAMES {
        let wanted = (FRAMES - sent).min(32) as usize;
        if cache.alloc_burst(&mut burst, wanted) == 0 {
            // All frames are on their way: wait for some to come back.
            thread::sleep(Duration::from_micros(50));
            continue;
        }
        for (number, frame) in (sent..).zip(&mut burst) {
            let ports = Ports {
                source: (number % u64::from(FLOWS)) as u16 + 1024,
                destination: 7,
            };
            let len = build_udp_ipv6(frame.spare_mut(), &spec, ports, &number.to_be_bytes())?;
            frame.set_len(len)?;
        }
        sent += burst.len() as u64;
        while !burst.is_empty() {
            if peer.send(0, &mut burst) == 0 {
                thread::yield_now();
            }
        }
    }
    Ok(())
}
