//! The same through an engine: workers on threads of their own, frames through a link, and NICs
//! that are created, enabled, disabled and removed by the engine's lifecycle.
//!
//! A frame is one operation, from its sending to its delivery, or, if it is not delivered, to the
//! moment when its worker has counted it. What is delivered after a removal was looked up before
//! it, so the frame was sent before it returned: the checker holds that (BEHAVIOURS P2).

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use corelane::engine::link::{Link, LinkError, Queues, RxQueue, RxStatus, TxQueue};
use corelane::engine::{Engine, Idle, NicConfig, Running};
use corelane::frame::{Burst, Pool, PoolCache, PoolConfig};
use corelane::io::memory::{MemoryConfig, MemoryPeer, PeerSender, memory_link};
use corelane::stack::{
    AddressKind, Clock, Event, Handler, ManualClock, NdpConfig, Nic, NicId, Packet, Sink,
};

use crate::common::udp;
use crate::mixes::{EVERYTHING, stress_with};
use crate::model::Seen;
use crate::plan::{Destination, Mix, Plan, Verb};
use crate::run::{Bed, TIMER, Worker, ip, run_on};

/// What a worker's handler got: the number in each frame, and what its destination was.
type Log = Arc<Mutex<Vec<(u64, Seen)>>>;

fn read(log: &Log) -> std::sync::MutexGuard<'_, Vec<(u64, Seen)>> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes down what it gets.
struct Recorder(Log);

impl Handler for Recorder {
    fn packet(&mut self, packet: &mut Packet<'_>) {
        let number = packet
            .udp()
            .and_then(|udp| udp.payload.first_chunk().copied());
        let seen = match (packet.is_for_endpoint(), packet.is_for_many()) {
            (true, _) => Seen::Endpoint,
            (_, true) if packet.destination().is_multicast() => Seen::Group,
            (_, true) => Seen::Broadcast,
            _ => Seen::Temporary,
        };
        if let Some(number) = number {
            read(&self.0).push((u64::from_be_bytes(number), seen));
        }
    }
}

/// Sends frames to one worker, one at a time, and waits for what comes of each.
pub struct Frames {
    sender: PeerSender,
    cache: PoolCache,
    worker: usize,
    log: Log,
    sent: u64,
    /// Those that were sent after the NIC was gone.
    late: Vec<u64>,
}

/// Numbers for frames, never the same twice.
static NUMBER: AtomicU64 = AtomicU64::new(0);

impl Frames {
    /// Sends a frame; returns what the handler got of it. None if the NIC was removed meanwhile.
    pub fn send(&mut self, nic: &Nic, destination: Destination) -> Option<Option<Seen>> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let destination = destination.text();
        let source = if ip(destination).is_ipv4() {
            "192.0.2.9"
        } else {
            "2001:db8::9"
        };
        let bytes = udp(source, destination, (1000, 7), &number.to_be_bytes());
        let mut frame = self.cache.alloc().expect("a free frame");
        frame.set_data(&bytes).expect("room");
        if nic.is_gone() {
            self.late.push(number);
        }
        let mut burst = Burst::new();
        burst.push(frame);
        if self.sender.send(&mut burst) == 0 {
            assert!(self.sender.is_closed() && nic.is_gone(), "there is room");
            return None;
        }
        self.sent += 1;
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let counted = &nic.worker_counters()[self.worker];
            let over = counted.delivered + counted.forwarded + counted.consumed + counted.dropped();
            // Looked at after what was counted: what was delivered is in the log by then.
            let delivered = read(&self.log)
                .iter()
                .find(|(it, _)| *it == number)
                .copied();
            if let Some((_, seen)) = delivered {
                return Some(Some(seen));
            }
            if nic.is_gone() {
                return None;
            }
            if over >= self.sent {
                return Some(None);
            }
            assert!(
                Instant::now() < deadline,
                "the worker takes no frames any more"
            );
            std::thread::yield_now();
        }
    }
}

/// An engine of two workers, and what is around it.
struct Host {
    running: Running,
    clock: ManualClock,
    pool: Pool,
    logs: [Log; 2],
    /// Keeps the link of a NIC that nobody uses; an engine has one.
    _peer: MemoryPeer,
}

fn host() -> Host {
    let (clock, hand) = Clock::manual();
    let logs = [Log::default(), Log::default()];
    let of_workers = logs.clone();
    let (link, peer) = memory_link(MemoryConfig::default()).expect("a link");
    let mut builder = Engine::builder();
    builder.handler(|_| Sink);
    builder
        .workers(2)
        .idle(Idle::Interrupt)
        .clock(clock)
        .pool(PoolConfig {
            slots: 8192,
            ..PoolConfig::default()
        })
        .handler(move |worker| Recorder(Arc::clone(&of_workers[worker.0])));
    builder.nic(NicConfig::new("unused"), Box::new(link));
    let engine = builder.build().expect("an engine");
    let pool = engine.pool().clone();
    Host {
        running: engine.start().expect("threads"),
        clock: hand,
        pool,
        logs,
        _peer: peer,
    }
}

impl Host {
    /// A disabled NIC with a queue for each worker.
    fn create(&self, probing: bool) -> (Nic, MemoryPeer) {
        let (link, peer) = memory_link(MemoryConfig {
            queues: 2,
            ..MemoryConfig::default()
        })
        .expect("a link");
        let ndp = NdpConfig {
            transmits: u8::from(probing),
            retransmit_timer: TIMER,
            nonce: true,
        };
        let config = NicConfig::new("round").seed(7).ndp(ndp).disabled();
        let lifecycle = self.running.lifecycle();
        let nic = lifecycle.create_nic(config, Box::new(link));
        (nic.expect("room for one more"), peer)
    }

    /// Waits until everything of a NIC is off the workers.
    fn wait_for_removal(&self, nic: NicId) {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let event = self.running.events().next_within(Duration::from_millis(10));
            if event == Some(Event::NicRemoved { nic }) {
                return;
            }
            assert!(Instant::now() < deadline, "the removal ends");
        }
    }

    fn round(&self, plan: &Plan) -> crate::check::History {
        let (nic, peer) = self.create(plan.probing);
        let bed = Bed {
            nic: nic.clone(),
            events: self.running.events().clone(),
            clock: self.clock.clone(),
            pool: self.pool.clone(),
            lifecycle: Some(self.running.lifecycle().clone()),
        };
        while bed.events.try_next().is_some() {}
        let (senders, receivers) = peer.split();
        let mut senders = senders.into_iter().enumerate();
        let (history, workers) = run_on(&bed, plan, |_| {
            let (worker, sender) = senders.next().expect("a queue for each worker");
            Worker::Frames(Box::new(Frames {
                sender,
                cache: self.pool.cache(),
                worker,
                log: Arc::clone(&self.logs[worker]),
                sent: 0,
                late: Vec::new(),
            }))
        });
        // It may be gone already.
        let _ = self.running.lifecycle().remove_nic(nic.id());
        self.wait_for_removal(nic.id());
        assert_eq!(nic.endpoint_count(), 0);
        for worker in workers {
            if let Worker::Frames(frames) = worker {
                let mut log = read(&frames.log);
                let late = log.iter().find(|(number, _)| frames.late.contains(number));
                assert_eq!(late, None, "sent after the NIC was gone, and delivered");
                log.clear();
            }
        }
        drop(receivers);
        history
    }

    fn stop(self) {
        let report = self.running.stop();
        assert_eq!((report.in_flight, report.pool.out), (0, 0));
    }
}

/// Frames to two workers while addresses, groups, ranges and modes change, the NIC is disabled,
/// enabled and removed: what the handlers got is what the model says.
#[test]
fn p1_p2_frames_through_an_engine_beside_everything() {
    let mut verbs = EVERYTHING.to_vec();
    verbs.extend([
        Verb::Add,
        Verb::Remove,
        Verb::Add,
        Verb::Remove,
        Verb::RemoveNic,
    ]);
    let mix = Mix {
        name: "through an engine",
        keys: &[0, 2, 4],
        groups: &[0, 2],
        verbs: verbs.leak(),
        shapes: &[(1, 1, false), (1, 2, true), (2, 2, true)],
        operations: 8,
        probing: &[true, false],
    };
    let host = host();
    stress_with(&mix, 200, |plan| host.round(plan));
    host.stop();
}

/// A link that answers each probe at once, from inside `tx_burst`, by calling the control plane:
/// no lock is held while it is called.
struct Answering {
    nic: Arc<Mutex<Option<Nic>>>,
    asked: Arc<AtomicUsize>,
}

impl Link for Answering {
    fn name(&self) -> &str {
        "answering"
    }

    fn mtu(&self) -> usize {
        1500
    }

    fn open(&mut self, _pool: &Pool) -> Result<Queues, LinkError> {
        let queue = || Answering {
            nic: Arc::clone(&self.nic),
            asked: Arc::clone(&self.asked),
        };
        Ok(Queues {
            rx: vec![Box::new(queue())],
            tx: vec![Box::new(queue())],
        })
    }
}

impl RxQueue for Answering {
    fn rx_burst(&mut self, _: &mut PoolCache, _: &mut Burst) -> Result<RxStatus, LinkError> {
        Ok(RxStatus::Ready)
    }
}

impl TxQueue for Answering {
    fn tx_burst(&mut self, _: &mut PoolCache, frames: &mut Burst) -> Result<usize, LinkError> {
        let sent = frames.len();
        let nic = self.nic.lock().unwrap_or_else(PoisonError::into_inner);
        for _frame in frames.drain(..) {
            let Some(nic) = &*nic else { continue };
            self.asked.fetch_add(1, Ordering::Relaxed);
            // Everything that takes the NIC's lock.
            nic.groups();
            nic.poll();
            for info in nic.endpoints() {
                if info.kind == AddressKind::PermanentTentative {
                    // It may be assigned by now.
                    let _ = nic.duplicate_detected(info.prefix.address(), None);
                }
            }
        }
        Ok(sent)
    }
}

/// A link calls the control plane from inside its transmit queue, for every probe, while addresses
/// are added and removed.
#[test]
fn p6_bug01_a_link_may_call_the_control_plane_while_it_sends() {
    let handle = Arc::new(Mutex::new(None));
    let asked = Arc::new(AtomicUsize::new(0));
    let link = Answering {
        nic: Arc::clone(&handle),
        asked: Arc::clone(&asked),
    };
    let mut builder = Engine::builder();
    builder.handler(|_| Sink);
    builder.workers(2).idle(Idle::Interrupt);
    let config = NicConfig::new("answering").ndp(NdpConfig::default());
    let id = builder.nic(config, Box::new(link));
    let engine = builder.build().expect("an engine");
    let nic = engine.nic(id).expect("the NIC");
    *handle.lock().expect("no panic") = Some(nic.clone());
    let running = engine.start().expect("threads");
    let address = ip("2001:db8::1");
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut duplicates = 0;
    while duplicates < 50 {
        assert!(Instant::now() < deadline, "a deadlock, after {duplicates}");
        // Given up by the link, sooner or later.
        let _ = nic.add_address(address);
        let event = running.events().next_within(Duration::from_millis(1));
        duplicates += usize::from(matches!(event, Some(Event::DuplicateAddress { .. })));
    }
    assert!(asked.load(Ordering::Relaxed) >= 50);
    running.stop();
    // The link has a handle to the NIC, and the NIC outlives it.
    *handle.lock().expect("no panic") = None;
}
