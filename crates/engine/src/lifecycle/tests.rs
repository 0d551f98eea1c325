//! The list of NICs, the way to the workers, and links that fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use corelane_frame::{Burst, HugePages, Pool, PoolCache, PoolConfig};
use corelane_stack::{NicConfig, NicId};
use corelane_sync::doorbell::doorbell;

use super::*;
use crate::builder::{BuildError, Builder};
use crate::command::{Command, commands};
use crate::engine::Engine;
use crate::link::{LinkError, Queues, RxQueue, RxStatus};

/// A link on which nothing ever arrives. It counts how often it was opened, and its queues how many
/// of them there are.
struct Silent {
    queues: usize,
    /// How often it fails before it opens.
    failures: usize,
    opened: Arc<AtomicUsize>,
    /// Links and queues that were not dropped.
    alive: Arc<AtomicUsize>,
}

struct SilentRx(Arc<AtomicUsize>);

impl Silent {
    fn new(queues: usize, failures: usize) -> (Self, Arc<AtomicUsize>, Arc<AtomicUsize>) {
        let (opened, alive) = (Arc::<AtomicUsize>::default(), Arc::new(AtomicUsize::new(1)));
        let link = Self {
            queues,
            failures,
            opened: Arc::clone(&opened),
            alive: Arc::clone(&alive),
        };
        (link, opened, alive)
    }

    fn boxed() -> Box<Self> {
        Box::new(Self::new(1, 0).0)
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for SilentRx {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Link for Silent {
    fn name(&self) -> &str {
        "silent"
    }

    fn mtu(&self) -> usize {
        1500
    }

    fn open(&mut self, _pool: &Pool) -> Result<Queues, LinkError> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        if self.failures > 0 {
            self.failures -= 1;
            return Err(LinkError::new("silent", "not yet"));
        }
        let rx = (0..self.queues).map(|_| {
            self.alive.fetch_add(1, Ordering::Relaxed);
            Box::new(SilentRx(Arc::clone(&self.alive))) as Box<dyn RxQueue>
        });
        Ok(Queues {
            rx: rx.collect(),
            tx: Vec::new(),
        })
    }
}

impl RxQueue for SilentRx {
    fn rx_burst(&mut self, _: &mut PoolCache, _: &mut Burst) -> Result<RxStatus, LinkError> {
        Ok(RxStatus::Idle)
    }
}

fn engine(workers: usize, nics: &[&str]) -> Result<Engine, BuildError> {
    let mut builder = Builder::default();
    builder.workers(workers).pool(PoolConfig {
        slots: 1024,
        huge_pages: HugePages::Off,
        ..PoolConfig::default()
    });
    for name in nics {
        builder.nic(NicConfig::new(*name), Silent::boxed());
    }
    builder.build()
}

#[test]
fn m1_numbers_count_up_and_wrap_past_those_in_use() {
    let engine = engine(1, &["a", "b"]).unwrap();
    let lifecycle = engine.lifecycle();
    let create = |name: &str| {
        let config = NicConfig::new(name).disabled();
        lifecycle
            .create_nic(config, Silent::boxed())
            .map(|nic| nic.id())
    };
    assert_eq!(create("c").unwrap(), NicId(2));
    lifecycle.remove_nic(NicId(2)).unwrap();
    assert_eq!(
        create("d").unwrap(),
        NicId(3),
        "not the one that was just free"
    );
    // Nobody polls the control plane: number 2 is not free again yet.
    let mut roster = lifecycle.shared.roster();
    assert_eq!(roster.next_id(), Some(NicId(4)));
    while roster.next_id() != Some(NicId(u16::MAX)) {}
    assert_eq!(
        roster.next_id(),
        Some(NicId(4)),
        "0, 1 and 3 are there, 2 is leaving"
    );
    while roster.next_id() != Some(NicId(u16::MAX)) {}
    drop(roster);
    let mut parts = engine.into_workers();
    parts.control.poll();
    let mut roster = parts.lifecycle.shared.roster();
    assert_eq!(roster.next_id(), Some(NicId(2)));
}

#[test]
fn m1_names_are_unique_among_those_that_are_there() {
    assert!(matches!(
        engine(1, &["a", "a"]),
        Err(BuildError::DuplicateName(name)) if name == "a"
    ));
    let engine = engine(1, &["a"]).unwrap();
    let lifecycle = engine.lifecycle();
    let again = lifecycle.create_nic(NicConfig::new("a"), Silent::boxed());
    assert!(matches!(again, Err(CreateNicError::DuplicateName(name)) if name == "a"));
    lifecycle.remove_nic(NicId(0)).unwrap();
    lifecycle
        .create_nic(NicConfig::new("a"), Silent::boxed())
        .unwrap();
    assert_eq!(lifecycle.nics().len(), 1);
}

#[test]
fn m2_m4_bug27_a_link_that_fails_to_open_leaves_nothing_half_done() {
    for queues in [1, 2] {
        let engine = engine(2, &["a"]).unwrap();
        let lifecycle = engine.lifecycle().clone();
        // Created enabled: it is not there, and its link is gone.
        let (link, opened, alive) = Silent::new(queues, 1);
        let failed = lifecycle.create_nic(NicConfig::new("b"), Box::new(link));
        let Err(CreateNicError::Enable(EnableNicError::Link { nic, error })) = failed else {
            panic!("{failed:?}");
        };
        assert_eq!((&*nic, &*error.to_string()), ("b", "silent: not yet"));
        assert_eq!(
            (
                opened.load(Ordering::Relaxed),
                alive.load(Ordering::Relaxed)
            ),
            (1, 0)
        );
        assert_eq!(lifecycle.nics().len(), 1);
        // Created disabled: it stays as it is until the link opens.
        let (link, opened, alive) = Silent::new(queues, 2);
        let config = NicConfig::new("b").disabled();
        let nic = lifecycle.create_nic(config, Box::new(link)).unwrap();
        assert_eq!(opened.load(Ordering::Relaxed), 0);
        let before = nic.endpoints().len();
        for _ in 0..2 {
            let failed = lifecycle.enable_nic(nic.id());
            assert!(
                matches!(failed, Err(EnableNicError::Link { .. })),
                "{failed:?}"
            );
            assert!(!nic.is_enabled() && nic.endpoints().len() == before);
            assert_eq!(alive.load(Ordering::Relaxed), 1, "no queue");
            assert!(lifecycle.take_distributors().is_empty());
        }
        lifecycle.enable_nic(nic.id()).unwrap();
        // Idempotent: opened once more, and never again.
        lifecycle.enable_nic(nic.id()).unwrap();
        assert!(nic.is_enabled());
        assert_eq!(opened.load(Ordering::Relaxed), 3);
        assert_eq!(
            lifecycle.take_distributors().len(),
            usize::from(queues == 1)
        );
        drop(engine);
        drop(lifecycle);
        assert_eq!(alive.load(Ordering::Relaxed), 0);
    }
}

/// A link that panics instead of opening.
struct Bursting;

impl Link for Bursting {
    fn name(&self) -> &str {
        "bursting"
    }

    fn mtu(&self) -> usize {
        1500
    }

    fn open(&mut self, _pool: &Pool) -> Result<Queues, LinkError> {
        std::panic::resume_unwind(Box::new("open"));
    }
}

#[test]
fn m4_a_link_that_panics_costs_its_nic_only() {
    let engine = engine(1, &["a"]).unwrap();
    let lifecycle = engine.lifecycle();
    let config = NicConfig::new("b").disabled();
    let nic = lifecycle.create_nic(config, Box::new(Bursting)).unwrap();
    let enable = std::panic::AssertUnwindSafe(|| lifecycle.enable_nic(nic.id()));
    assert!(std::panic::catch_unwind(enable).is_err());
    assert!(!nic.is_enabled());
    assert!(matches!(
        lifecycle.enable_nic(nic.id()),
        Err(EnableNicError::Link { .. })
    ));
    lifecycle.remove_nic(nic.id()).unwrap();
    lifecycle
        .create_nic(NicConfig::new("b"), Silent::boxed())
        .unwrap();
}

/// A link that opens while `meanwhile` is done.
struct Late<F>(Silent, F);

impl<F: FnMut() + Send> Link for Late<F> {
    fn name(&self) -> &str {
        "late"
    }

    fn mtu(&self) -> usize {
        1500
    }

    fn open(&mut self, pool: &Pool) -> Result<Queues, LinkError> {
        (self.1)();
        self.0.open(pool)
    }
}

#[test]
fn m4_a_link_that_opens_while_the_engine_stops_is_closed_again() {
    let running = engine(1, &["a"]).unwrap().start().unwrap();
    let lifecycle = running.lifecycle().clone();
    let (link, opened, alive) = Silent::new(1, 0);
    let mut running = Some(running);
    let link = Late(link, move || drop(running.take()));
    let config = NicConfig::new("b").disabled();
    let nic = lifecycle.create_nic(config, Box::new(link)).unwrap();
    let enabled = lifecycle.enable_nic(nic.id());
    assert!(
        matches!(enabled, Err(EnableNicError::Stopped)),
        "{enabled:?}"
    );
    assert!(!nic.is_enabled());
    let (opened, alive) = (
        opened.load(Ordering::Relaxed),
        alive.load(Ordering::Relaxed),
    );
    assert_eq!((opened, alive), (1, 0));
}

#[test]
fn m6_the_link_is_closed_after_everybody_has_let_go() {
    for queues in [1, 2] {
        let engine = engine(2, &["a"]).unwrap();
        let (link, _, alive) = Silent::new(queues, 0);
        let lifecycle = engine.lifecycle().clone();
        let nic = lifecycle
            .create_nic(NicConfig::new("b"), Box::new(link))
            .unwrap();
        let mut distributors = lifecycle.take_distributors();
        let mut parts = engine.into_workers();
        let is_removed = |event| event == Event::NicRemoved { nic: nic.id() };
        let poll = |parts: &mut crate::Parts, workers: usize| {
            for worker in &mut parts.workers[..workers] {
                worker.poll();
            }
            parts.control.poll();
            std::iter::from_fn(|| parts.events.try_next()).any(is_removed)
        };
        assert!(!poll(&mut parts, 2));
        lifecycle.remove_nic(nic.id()).unwrap();
        assert_eq!(lifecycle.remove_nic(nic.id()), Err(UnknownNic(nic.id())));
        assert_eq!(lifecycle.disable_nic(nic.id()), Err(UnknownNic(nic.id())));
        assert!(nic.is_gone());
        assert_eq!(alive.load(Ordering::Relaxed), 1 + queues);
        // One worker is not polled for long: it all waits for it, and nobody hangs.
        for _ in 0..10 {
            distributors
                .iter_mut()
                .for_each(|d| assert_ne!(d.poll(), crate::Polled::Finished));
            assert!(!poll(&mut parts, 1));
        }
        assert!(alive.load(Ordering::Relaxed) > 1);
        let mut removed = poll(&mut parts, 2);
        for distributor in &mut distributors {
            assert!(!removed);
            assert_eq!(distributor.poll(), crate::Polled::Finished);
            removed = poll(&mut parts, 2);
            assert_eq!(
                distributor.poll(),
                crate::Polled::Finished,
                "and so it stays"
            );
        }
        assert!(removed);
        assert_eq!(alive.load(Ordering::Relaxed), 0);
        assert_eq!(parts.monitor.report().nics.len(), 1);
    }
}

#[test]
fn m6_a_removal_does_not_wait_for_objects_that_are_gone() {
    let engine = engine(2, &["a"]).unwrap();
    let mut parts = engine.into_workers();
    let (link, _, alive) = Silent::new(1, 0);
    let nic = parts
        .lifecycle
        .create_nic(NicConfig::new("b"), Box::new(link))
        .unwrap();
    parts.workers.clear();
    // A NIC that nobody will ever serve can be had too.
    parts
        .lifecycle
        .create_nic(NicConfig::new("c"), Silent::boxed())
        .unwrap();
    let distributors = parts.lifecycle.take_distributors();
    parts.lifecycle.remove_nic(nic.id()).unwrap();
    parts.control.poll();
    assert!(
        alive.load(Ordering::Relaxed) > 0,
        "the distributor has a queue"
    );
    drop(distributors);
    parts.control.poll();
    assert_eq!(alive.load(Ordering::Relaxed), 0);
    // Nor for one that was never taken.
    let (link, _, alive) = Silent::new(1, 0);
    let nic = parts
        .lifecycle
        .create_nic(NicConfig::new("d"), Box::new(link))
        .unwrap();
    parts.lifecycle.remove_nic(nic.id()).unwrap();
    parts.control.poll();
    assert_eq!(alive.load(Ordering::Relaxed), 0);
    // Without the control plane's object nothing comes up, and what goes is gone at once.
    drop(parts.control);
    let create = parts
        .lifecycle
        .create_nic(NicConfig::new("e"), Silent::boxed());
    assert!(matches!(create, Err(CreateNicError::Stopped)));
    assert!(matches!(
        parts.lifecycle.enable_nic(NicId(0)),
        Err(EnableNicError::Stopped)
    ));
    parts.lifecycle.remove_nic(NicId(0)).unwrap();
    let last = std::iter::from_fn(|| parts.events.try_next()).last();
    assert_eq!(last, Some(Event::NicRemoved { nic: NicId(0) }));
}

#[test]
fn commands_wait_where_the_worker_does_not_take_them() {
    let (bell, _sleeper) = doorbell();
    let (mut lane, mut end, mut returned) = commands(0, bell.clone(), bell).unwrap();
    for number in 0..1000 {
        lane.remove_port(NicId(number));
    }
    let mut seen = Vec::new();
    while seen.len() < 1000 {
        while let Some(command) = end.next() {
            let Command::RemovePort(nic) = command else {
                panic!("nothing was added");
            };
            seen.push(nic.0);
            end.give_up(crate::command::Returned::Room(Vec::new()));
        }
        assert!(
            !end.is_ready(),
            "no room for what it may give up, or nothing to do"
        );
        let mut took = 0;
        while returned.pop().is_some() {
            took += 1;
        }
        assert!(took > 0);
        lane.flush();
    }
    assert!(seen.into_iter().eq(0..1000));
    // A worker that is gone gets nothing more, and keeps nothing that it has not taken.
    drop(end);
    lane.remove_port(NicId(0));
    lane.flush();
}
