//! Tracers that come and go while the engine runs, and what they are told.

mod common;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{Bench, ip, ping, udp};
use corelane::engine::trace::{Actor, Stage, Step, Tracer};
use corelane::stack::NicId;
use corelane::wire::PacketFilter;

/// Long enough for whatever has to happen.
const LONG: Duration = Duration::from_secs(30);

/// A step: whose it was, the frame's slot, whether it was wanted, what came of it.
type ToldStep = (Actor, u32, bool, String);

/// What tracers were told.
#[derive(Clone, Default)]
struct Told {
    steps: Arc<Mutex<Vec<ToldStep>>>,
    alive: Arc<AtomicUsize>,
}

struct Witness {
    told: Told,
    actor: Actor,
    filter: PacketFilter,
}

impl Told {
    fn witness(&self, actor: Actor, filter: PacketFilter) -> Witness {
        self.alive.fetch_add(1, Ordering::Relaxed);
        Witness {
            told: self.clone(),
            actor,
            filter,
        }
    }

    /// The steps of frames that were wanted, by slot; and how many there were of others.
    fn take(&self) -> (HashMap<u32, Vec<String>>, usize) {
        let mut wanted = HashMap::<_, Vec<_>>::new();
        let mut others = 0;
        for (actor, slot, is_wanted, step) in self.steps.lock().unwrap().drain(..) {
            if is_wanted {
                let line = format!("{actor} {step}");
                wanted.entry(slot).or_default().push(line);
            } else {
                others += 1;
            }
        }
        (wanted, others)
    }

    fn alive(&self) -> usize {
        self.alive.load(Ordering::Relaxed)
    }
}

impl Tracer for Witness {
    fn wants(&mut self, _: NicId, data: &[u8]) -> bool {
        self.filter.matches(data)
    }

    fn step(&mut self, step: &Step<'_>) {
        assert_eq!(step.actor, self.actor);
        assert_eq!(step.stage, step.outcome.stage());
        let line = format!("{}: {}", step.stage.label(), step.outcome.label());
        let mut steps = self.told.steps.lock().unwrap();
        steps.push((step.actor, step.slot, step.is_wanted, line));
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.told.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

#[test]
fn a_tracer_that_comes_is_told_the_way_of_what_it_wants_on_every_thread() {
    let mut bench = Bench::new(|_| {});
    let nic = bench.nic.clone();
    nic.add_address(ip("192.0.2.1")).unwrap();
    let frames = [
        ping("192.0.2.9", "192.0.2.1", b"wanted"),
        udp("192.0.2.8", "192.0.2.1", (1, 2), b"not wanted"),
    ];
    // Nobody watches.
    let told = Told::default();
    bench.run(&frames);

    let filter = PacketFilter {
        address: Some(ip("192.0.2.9")),
        port: None,
    };
    let lifecycle = bench.parts.lifecycle.clone();
    let for_threads = told.clone();
    lifecycle.trace(move |actor| for_threads.witness(actor, filter));
    assert_eq!(told.alive(), 3, "worker, distributor, control plane");
    bench.run(&frames);
    let (wanted, others) = told.take();
    let ways: Vec<_> = wanted.into_values().collect();
    assert_eq!(
        ways,
        [[
            "worker-0 ethernet_input: ip4",
            "worker-0 ip4_input: valid",
            "worker-0 lookup: permanent",
            "worker-0 local_deliver: icmp_input",
            "worker-0 icmp_input: replied",
            "worker-0 link_output: queued",
            "distributor-0 link_output: sent",
        ]]
    );
    assert!(others > 0, "who wants only some is told of all, and which");

    // Another in its place: the first ones are dropped, and not by the threads that had them.
    let second = Told::default();
    let for_threads = second.clone();
    lifecycle.trace(move |actor| for_threads.witness(actor, PacketFilter::ALL));
    bench.run(&frames);
    bench.poll();
    assert_eq!(told.take().0.len(), 0);
    assert_eq!(second.take().0.len(), 2);

    lifecycle.stop_tracing();
    bench.run(&frames);
    bench.poll();
    assert_eq!(second.take(), (HashMap::new(), 0));
    // What the distributor gave back is dropped when the next one is sent, or it goes.
    let before = told.alive() + second.alive();
    assert!(before <= 2, "{before} are left");
    bench.assert_no_leak();
    drop((bench, lifecycle));
    assert_eq!((told.alive(), second.alive()), (0, 0));
}

#[test]
fn tracers_change_under_traffic_and_lose_no_frame() {
    use corelane::prelude::*;
    let (link, peer) = memory_link(MemoryConfig::default()).unwrap();
    let mut builder = Engine::builder();
    builder
        .workers(2)
        .when_full(WhenFull::Wait)
        .handler(|_| corelane::stack::Sink);
    let id = builder.nic(NicConfig::new("lan"), Box::new(link));
    let engine = builder.build().unwrap();
    let nic = engine.nic(id).unwrap();
    nic.add_address("192.0.2.1/24".parse::<Prefix>().unwrap())
        .unwrap();
    let pool = engine.pool().clone();
    let running = engine.start().unwrap();
    let lifecycle = running.lifecycle().clone();
    let told = Told::default();
    let sent = std::thread::scope(|scope| {
        let sending = scope.spawn(move || {
            let (mut senders, _receivers) = peer.split();
            let mut cache = pool.cache();
            let mut sent = 0;
            for number in 0..200_u16 {
                let mut burst = Burst::new();
                for port in 0..50 {
                    let Some(mut frame) = cache.alloc() else {
                        break;
                    };
                    let bytes = udp("192.0.2.9", "192.0.2.1", (port + 1, number), b"");
                    frame.set_data(&bytes).unwrap();
                    burst.push(frame);
                }
                while !burst.is_empty() {
                    sent += senders[0].send(&mut burst) as u64;
                    std::thread::yield_now();
                }
            }
            sent
        });
        let mut rounds = 0;
        while !sending.is_finished() || rounds < 100 {
            let told = told.clone();
            lifecycle.trace(move |actor| told.witness(actor, PacketFilter::ALL));
            std::thread::yield_now();
            if rounds % 3 == 0 {
                lifecycle.stop_tracing();
            }
            rounds += 1;
        }
        sending.join().unwrap()
    });
    // What is still on the link is not the engine's yet: `drain` does not wait for it.
    let deadline = Instant::now() + LONG;
    while nic.counters().received < sent && Instant::now() < deadline {
        std::thread::yield_now();
    }
    assert!(running.drain(LONG));
    running.stop();
    let totals = nic.counters();
    assert_eq!((totals.received, totals.balance()), (sent, 0));
    let steps = told.steps.lock().unwrap();
    let taken_up =
        |(.., step): &&(Actor, u32, bool, String)| step.starts_with(Stage::EthernetInput.label());
    assert!(steps.iter().filter(taken_up).count() as u64 <= sent);
    drop(steps);
    drop((nic, lifecycle));
    assert_eq!(told.alive(), 0);
}
