use std::time::Duration;

use corelane_engine::link::{Link, LinkError, Queues, RxQueue, RxStatus, TxQueue};
use corelane_frame::{BURST, Burst, Pool, PoolCache};
use corelane_stack::{Clock, ManualClock, Time};
use corelane_wire::Offloads;

use super::{numbered, numbers, open, pool};
use crate::memory::{MemoryConfig, MemoryPeer, memory_link};
use crate::middleware::{
    DirectionCounts, FaultPlan, Faults, FaultsConfig, FaultsCounters, FaultsError, Layered, Mirror,
    MirrorConfig, Share, Stall, TextSink, summary,
};

const MS: Duration = Duration::from_millis(1);

/// A link with a plan for what it receives, and the hand on its clock.
struct Bed {
    pool: Pool,
    cache: PoolCache,
    queues: Queues,
    peer: MemoryPeer,
    hand: ManualClock,
    counters: FaultsCounters,
    next: u64,
}

impl Bed {
    fn new(seed: u64, rx: FaultPlan, tx: FaultPlan) -> Self {
        let pool = pool();
        let (clock, hand) = Clock::manual();
        // Beyond the first stall, for those that stall.
        hand.set(Time::from_nanos(500_000_000));
        let faults = Faults::new(FaultsConfig {
            seed,
            clock,
            rx,
            tx,
        })
        .unwrap();
        let counters = faults.counters();
        let (queues, peer) = open(&pool, 1, faults);
        Self {
            cache: pool.cache(),
            pool,
            queues,
            peer,
            hand,
            counters,
            next: 0,
        }
    }

    fn rx(seed: u64, rx: FaultPlan) -> Self {
        Self::new(seed, rx, FaultPlan::default())
    }

    /// So many frames arrive.
    fn arrive(&mut self, count: usize) {
        let mut burst = numbered(&mut self.cache, self.next, count);
        self.next += count as u64;
        assert_eq!(self.peer.send(0, &mut burst), count);
    }

    /// What is received now.
    fn receive(&mut self) -> Burst {
        let mut burst = Burst::new();
        self.queues.rx[0]
            .rx_burst(&mut self.cache, &mut burst)
            .unwrap();
        burst
    }

    /// The numbers of all that is received now.
    fn received(&mut self) -> Vec<u64> {
        let mut all = Vec::new();
        loop {
            let mut burst = self.receive();
            if burst.is_empty() {
                return all;
            }
            all.extend(numbers(&burst));
            self.cache.recycle_burst(&mut burst);
        }
    }

    /// The numbers of what came of `count` frames that arrived a burst at a time.
    fn through(&mut self, count: usize) -> Vec<u64> {
        let mut all = Vec::new();
        for _ in 0..count / 50 {
            self.arrive(50);
            all.extend(self.received());
        }
        all
    }

    fn due_in(&mut self) -> Option<Duration> {
        self.queues.rx[0].due_in()
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let balanced = |it: DirectionCounts| {
                it.seen + it.duplicated - it.passed - it.dropped - it.overflow
            };
            assert_eq!(balanced(self.counters.rx()), 0, "{:?}", self.counters.rx());
            assert_eq!(balanced(self.counters.tx()), 0, "{:?}", self.counters.tx());
            assert_eq!(self.pool.out(), 0, "every frame is back");
        }
    }
}

#[test]
fn exactly_one_in_so_many_is_dropped() {
    let plan = FaultPlan {
        drop: Share::one_in(1000),
        ..FaultPlan::default()
    };
    let mut bed = Bed::rx(1, plan);
    let got = bed.through(10_000);
    let gone: Vec<_> = (0..10_000)
        .filter(|n| got.binary_search(n).is_err())
        .collect();
    assert_eq!(gone, (1..=10).map(|n| n * 1000 - 1).collect::<Vec<_>>());
    let counts = bed.counters.rx();
    assert_eq!(
        (counts.seen, counts.dropped, counts.passed),
        (10_000, 10, 9990)
    );
    assert_eq!(bed.counters.tx(), DirectionCounts::default());
}

#[test]
fn the_same_seed_has_the_same_fate_and_another_another() {
    let plan = FaultPlan {
        drop: Share::Ratio(0.1),
        corrupt: Share::Ratio(0.1),
        duplicate: Share::Ratio(0.1),
        reorder: Share::Ratio(0.1),
        reorder_by: 3,
        ..FaultPlan::default()
    };
    let fate = |seed, plan: &FaultPlan| {
        let mut bed = Bed::rx(seed, plan.clone());
        let mut got = bed.through(2000);
        bed.hand.advance(10 * MS);
        got.extend(bed.received());
        (got, bed.counters.rx())
    };
    let (got, counts) = fate(1, &plan);
    assert_eq!(fate(1, &plan), (got.clone(), counts));
    assert_ne!(fate(2, &plan).0, got);
    // 2000 draws of one in ten, five deviations about 200; of the other kinds, of about 1800.
    for count in [counts.dropped, counts.corrupted, counts.duplicated] {
        assert!((110..=290).contains(&count), "{counts:?}");
    }
    // What else goes wrong changes nothing for who is dropped.
    let alone = FaultPlan {
        drop: plan.drop,
        ..FaultPlan::default()
    };
    assert_eq!(fate(1, &alone).1.dropped, counts.dropped);
}

#[test]
fn queues_do_not_share_a_fate() {
    let pool = pool();
    let faults = Faults::new(FaultsConfig {
        rx: FaultPlan {
            drop: Share::Ratio(0.5),
            ..FaultPlan::default()
        },
        ..FaultsConfig::default()
    })
    .unwrap();
    let (mut queues, mut peer) = open(&pool, 2, faults);
    let mut cache = pool.cache();
    let fates: Vec<_> = (0..2)
        .map(|at| {
            peer.send(at, &mut numbered(&mut cache, 0, BURST));
            let mut burst = Burst::new();
            queues.rx[at].rx_burst(&mut cache, &mut burst).unwrap();
            numbers(&burst)
        })
        .collect();
    assert_ne!(fates[0], fates[1]);
}

#[test]
fn a_delay_is_exact() {
    let plan = FaultPlan {
        delay: 3 * MS,
        ..FaultPlan::default()
    };
    let mut bed = Bed::rx(1, plan);
    bed.arrive(2);
    assert!(bed.received().is_empty());
    bed.hand.advance(MS);
    bed.arrive(1);
    assert!(bed.received().is_empty());
    assert_eq!(bed.due_in(), Some(2 * MS));
    assert!(!bed.queues.rx[0].has_frames());
    assert_eq!(
        bed.counters.next_due(),
        Some(Time::from_nanos(503_000_000)),
        "who has virtual time has to know"
    );
    bed.hand.advance(2 * MS - Duration::from_nanos(1));
    assert!(bed.received().is_empty());
    bed.hand.advance(Duration::from_nanos(1));
    assert!(bed.queues.rx[0].has_frames());
    assert_eq!(bed.received(), [0, 1]);
    bed.hand.advance(MS);
    assert_eq!(bed.received(), [2]);
    assert_eq!((bed.due_in(), bed.counters.next_due()), (None, None));
    assert_eq!(bed.counters.rx().delayed, 3);
}

#[test]
fn jitter_is_within_its_bounds_and_does_not_reorder() {
    let plan = FaultPlan {
        delay: 2 * MS,
        jitter: 2 * MS,
        ..FaultPlan::default()
    };
    let mut bed = Bed::rx(7, plan);
    bed.arrive(BURST);
    assert!(bed.received().is_empty());
    bed.hand.advance(2 * MS - Duration::from_nanos(1));
    assert!(bed.received().is_empty());
    bed.hand.advance(MS);
    let early = bed.received();
    assert!(early.len() < BURST, "some have more to wait");
    bed.hand.advance(MS + Duration::from_nanos(1));
    let all = [early, bed.received()].concat();
    assert_eq!(all, (0..BURST as u64).collect::<Vec<_>>());
}

#[test]
fn a_stall_holds_everything_until_its_end() {
    let plan = FaultPlan {
        stall: Some(Stall {
            lasts: 100 * MS,
            every: Duration::from_secs(1),
        }),
        ..FaultPlan::default()
    };
    let mut bed = Bed::rx(1, plan);
    bed.arrive(1);
    assert_eq!(bed.received(), [0], "it is 0.5 s");
    bed.hand.set(Time::from_nanos(1_000_000_000));
    bed.arrive(1);
    assert!(bed.received().is_empty());
    bed.hand.set(Time::from_nanos(1_099_999_999));
    bed.arrive(1);
    assert!(bed.received().is_empty());
    assert_eq!(bed.due_in(), Some(Duration::from_nanos(1)));
    bed.hand.set(Time::from_nanos(1_100_000_000));
    assert_eq!(bed.received(), [1, 2]);
    assert_eq!(bed.counters.rx().stalled, 2);
}

#[test]
fn doubles_come_right_behind_and_the_overtaken_in_time() {
    let plan = FaultPlan {
        duplicate: Share::one_in(4),
        ..FaultPlan::default()
    };
    let mut bed = Bed::rx(1, plan);
    bed.arrive(8);
    assert_eq!(bed.received(), [0, 1, 2, 3, 3, 4, 5, 6, 7, 7]);
    assert_eq!(bed.counters.rx().duplicated, 2);

    let plan = FaultPlan {
        reorder: Share::one_in(4),
        reorder_by: 2,
        ..FaultPlan::default()
    };
    let mut bed = Bed::rx(1, plan);
    bed.arrive(8);
    assert_eq!(bed.received(), [0, 1, 2, 4, 5, 3, 6]);
    assert_eq!(bed.due_in(), Some(10 * MS));
    bed.hand.advance(10 * MS);
    assert_eq!(bed.received(), [7], "nobody came to overtake it");
    assert_eq!(bed.counters.rx().reordered, 1);
}

#[test]
fn bits_are_flipped_in_those_that_are_corrupted() {
    let plan = FaultPlan {
        corrupt: Share::one_in(2),
        ..FaultPlan::default()
    };
    let mut bed = Bed::rx(1, plan);
    let mut clean = numbered(&mut bed.cache, 0, BURST);
    bed.arrive(BURST);
    let mut got = bed.receive();
    for (at, (clean, got)) in clean.iter().zip(&got).enumerate() {
        let flipped: u32 = clean
            .data()
            .iter()
            .zip(got.data())
            .map(|(a, b)| (a ^ b).count_ones())
            .sum();
        assert_eq!(flipped, u32::from(at % 2 == 1), "{at}");
    }
    assert_eq!(bed.counters.rx().corrupted, BURST as u64 / 2);
    bed.cache.recycle_burst(&mut got);
    bed.cache.recycle_burst(&mut clean);
}

#[test]
fn what_finds_no_room_is_counted() {
    let plan = FaultPlan {
        delay: MS,
        queue: 256,
        ..FaultPlan::default()
    };
    let mut bed = Bed::rx(1, plan);
    for _ in 0..8 {
        bed.arrive(BURST);
        assert!(bed.received().is_empty());
    }
    bed.hand.advance(MS);
    assert_eq!(bed.received(), (0..256).collect::<Vec<_>>());
    assert_eq!(bed.counters.rx().overflow, 8 * BURST as u64 - 256);
}

#[test]
fn what_is_sent_is_held_back_too() {
    let plan = FaultPlan {
        delay: 5 * MS,
        duplicate: Share::one_in(2),
        ..FaultPlan::default()
    };
    let mut bed = Bed::new(1, FaultPlan::default(), plan);
    let tx = &mut bed.queues.tx[0];
    assert!(tx.holds_back());
    let mut burst = numbered(&mut bed.cache, 0, 3);
    assert_eq!(tx.tx_burst(&mut bed.cache, &mut burst).unwrap(), 3);
    assert!(burst.is_empty());
    tx.poll(&mut bed.cache).unwrap();
    assert_eq!(bed.peer.recv(&mut burst), 0);
    assert_eq!(tx.due_in(), Some(5 * MS));
    bed.hand.advance(5 * MS);
    tx.poll(&mut bed.cache).unwrap();
    assert_eq!(bed.peer.recv(&mut burst), 4);
    assert_eq!(numbers(&burst), [0, 1, 1, 2]);
    assert_eq!(tx.due_in(), None);
    bed.cache.recycle_burst(&mut burst);
    // The other direction is left alone.
    assert_eq!(bed.counters.rx(), DirectionCounts::default());
    bed.arrive(1);
    assert_eq!(bed.received(), [0]);
}

/// Receives one frame and then fails; sends nothing.
struct Broken(Option<Burst>);

impl Link for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    fn mtu(&self) -> usize {
        1400
    }

    fn holds(&self) -> usize {
        7
    }

    fn longest_frame(&self) -> usize {
        65_000
    }

    fn open(&mut self, _pool: &Pool) -> Result<Queues, LinkError> {
        Ok(Queues {
            rx: vec![Box::new(Self(self.0.take()))],
            tx: vec![Box::new(Self(None))],
        })
    }
}

impl RxQueue for Broken {
    fn rx_burst(&mut self, _cache: &mut PoolCache, out: &mut Burst) -> Result<RxStatus, LinkError> {
        match self.0.take() {
            Some(mut frames) => {
                out.extend(frames.drain(..));
                Ok(RxStatus::Ready)
            }
            None => Err(LinkError::new("broken", "it is")),
        }
    }
}

impl TxQueue for Broken {
    fn tx_burst(&mut self, _: &mut PoolCache, _: &mut Burst) -> Result<usize, LinkError> {
        Ok(0)
    }

    fn offloads(&self) -> Offloads {
        SOME
    }
}

/// What the broken link would do if it were not.
const SOME: Offloads = Offloads {
    checksum: true,
    tcp_v4: true,
    ..Offloads::NONE
};

#[test]
fn layers_say_of_a_link_what_it_says() {
    let plan = FaultPlan {
        delay: MS,
        queue: 300,
        ..FaultPlan::default()
    };
    let config = FaultsConfig {
        tx: plan,
        ..FaultsConfig::default()
    };
    let link = Layered::new(Box::new(Broken(None)), Faults::new(config).unwrap());
    let sink = TextSink::new(std::io::sink(), "broken", summary);
    let (mirror, handle) = Mirror::new("mirror", MirrorConfig::default(), 1, sink).unwrap();
    let mut link = Layered::new(Box::new(link), mirror);
    assert_eq!((link.name(), link.mtu()), ("broken", 1400));
    assert_eq!((link.longest_frame(), link.holds()), (65_000, 7 + 300));
    let queues = link.open(&pool()).unwrap();
    assert_eq!(queues.tx[0].offloads(), SOME);
    assert!(queues.tx[0].holds_back());
    drop((queues, link));
    handle.join().unwrap();
}

#[test]
fn an_end_comes_after_what_is_held_back() {
    let (clock, hand) = Clock::manual();
    let plan = FaultPlan {
        delay: MS,
        ..FaultPlan::default()
    };
    let config = FaultsConfig {
        clock,
        rx: plan.clone(),
        tx: plan,
        ..FaultsConfig::default()
    };
    let pool = pool();
    let mut cache = pool.cache();
    let link = Broken(Some(numbered(&mut cache, 0, 1)));
    let mut link = Layered::new(
        Box::new(link),
        Faults::new(config.clone()).unwrap().queues(2),
    );
    assert_eq!((link.name(), link.mtu()), ("broken", 1400));
    assert_eq!(link.holds(), 7 + 2 * 2 * 4096);
    let mut queues = link.open(&pool).unwrap();
    let mut burst = Burst::new();
    let mut receive = |burst: &mut Burst| queues.rx[0].rx_burst(&mut cache, burst);
    assert_eq!(receive(&mut burst).unwrap(), RxStatus::Ready);
    assert_eq!(receive(&mut burst).unwrap(), RxStatus::Idle, "not yet");
    hand.advance(MS);
    let error = receive(&mut burst).unwrap_err();
    assert_eq!(
        (error.to_string(), burst.len()),
        ("broken: it is".to_owned(), 1)
    );

    // A queue without room: nothing is lost, and nobody takes more.
    let mut frames = numbered(&mut cache, 0, 2);
    assert_eq!(queues.tx[0].tx_burst(&mut cache, &mut frames).unwrap(), 2);
    hand.advance(MS);
    queues.tx[0].poll(&mut cache).unwrap();
    let mut frames = numbered(&mut cache, 0, 1);
    assert_eq!(queues.tx[0].tx_burst(&mut cache, &mut frames).unwrap(), 0);
    assert!(queues.tx[0].due_in().is_some());

    // Likewise of one that is at its end.
    let (link, mut peer) = memory_link(MemoryConfig::default()).unwrap();
    let mut link = Layered::new(Box::new(link), Faults::new(config).unwrap());
    let mut queues = link.open(&pool).unwrap();
    peer.send(0, &mut numbered(&mut cache, 0, 1));
    drop(peer);
    let mut burst = Burst::new();
    let status = queues.rx[0].rx_burst(&mut cache, &mut burst).unwrap();
    assert_eq!((status, burst.len()), (RxStatus::Idle, 0));
    hand.advance(MS);
    let status = queues.rx[0].rx_burst(&mut cache, &mut burst).unwrap();
    assert_eq!((status, burst.len()), (RxStatus::Finished, 1));
}

#[test]
fn a_double_that_finds_no_buffer_is_counted() {
    let config = corelane_frame::PoolConfig {
        slots: 8,
        huge_pages: corelane_frame::HugePages::Off,
        ..corelane_frame::PoolConfig::default()
    };
    let pool = Pool::new(config).unwrap();
    let faults = Faults::new(FaultsConfig {
        rx: FaultPlan {
            duplicate: Share::one_in(1),
            ..FaultPlan::default()
        },
        ..FaultsConfig::default()
    })
    .unwrap();
    let counters = faults.counters();
    let (mut queues, mut peer) = open(&pool, 1, faults);
    let mut cache = pool.cache();
    peer.send(0, &mut numbered(&mut cache, 0, 8));
    let mut burst = Burst::new();
    queues.rx[0].rx_burst(&mut cache, &mut burst).unwrap();
    assert_eq!(burst.len(), 8);
    let counts = counters.rx();
    assert_eq!((counts.duplicated, counts.no_buffer), (0, 8));
}

#[test]
fn plans_that_cannot_be_followed_are_refused() {
    let refused = |plan: FaultPlan| {
        let config = FaultsConfig {
            tx: plan,
            ..FaultsConfig::default()
        };
        Faults::new(config).err().unwrap()
    };
    let plan = FaultPlan::default;
    for ratio in [-0.1, 1.1, f64::NAN] {
        let error = refused(FaultPlan {
            corrupt: Share::Ratio(ratio),
            ..plan()
        });
        assert!(error.to_string().starts_with("tx: corrupt: "), "{error}");
    }
    let stall = Some(Stall {
        lasts: MS,
        every: MS,
    });
    let error = refused(FaultPlan { stall, ..plan() });
    assert_eq!(error, FaultsError::NeverEnds { direction: "tx" });
    let error = refused(FaultPlan { queue: 0, ..plan() });
    assert!(error.to_string().contains("256"), "{error}");
    let error = refused(FaultPlan {
        reorder_by: 0,
        ..plan()
    });
    assert!(error.to_string().contains("reorder_by"), "{error}");
    let error = refused(FaultPlan {
        delay: Duration::MAX,
        ..plan()
    });
    assert!(error.to_string().contains("delay"), "{error}");
}
