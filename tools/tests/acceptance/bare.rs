//! A router that has nothing but its links: what is possible at all over them, on this machine.
//!
//! It takes a burst, puts other link addresses into its frames, takes one from their TTL, and sends the burst
//! on by the other link. It looks nothing up, counts nothing and answers nothing; it waits as the engine does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use corelane::engine::Idle;
use corelane::engine::link::{Link, Queues, RxQueue, TxQueue};
use corelane::frame::{Burst, Pool, PoolCache, PoolConfig};
use corelane::sync::doorbell::{Doorbell, Sleeper, doorbell};
use corelane::wire::MacAddr;
use corelane::wire::ipv4::ipv4_header_mut;

use crate::figures::{cores, keep_to};
use crate::link::Kind;
use crate::wire::Wire;

/// Frames of the pool beside those that the links hold.
const SPARE: usize = 1024;

/// Its links are open; where they lead to is not known yet.
pub(crate) struct Opened {
    sides: Vec<(Queues, Box<dyn Link>)>,
    cache: PoolCache,
}

/// At work, on a thread of its own.
pub(crate) struct BareRouter {
    thread: JoinHandle<Result<()>>,
    stop: Arc<AtomicBool>,
    bell: Doorbell,
}

impl BareRouter {
    /// Opens a link at the engine's end of each wire.
    pub(crate) fn open(kind: Kind, wires: [&Wire; 2]) -> Result<Opened> {
        let mut links = Vec::new();
        for wire in wires {
            let name = wire.engine_device.clone();
            links.push(wire.engine.enter(move || kind.link(name))??);
        }
        let longest = links.iter().map(|link| link.longest_frame()).max();
        let held: usize = links.iter().map(|link| link.holds()).sum();
        let pool = Pool::new(PoolConfig {
            slots: held + SPARE,
            ..PoolConfig::for_frames(longest.unwrap_or(0))
        })?;
        let sides = links.into_iter().map(|mut link| {
            let queues = link.open(&pool)?;
            Ok((queues, link))
        });
        Ok(Opened {
            sides: sides.collect::<Result<_>>()?,
            cache: pool.cache(),
        })
    }

    /// Ends it.
    pub(crate) fn end(self) -> Result<()> {
        self.stop.store(true, Ordering::Release);
        self.bell.ring();
        let ended = self.thread.join();
        ended.map_err(|_| anyhow!("the bare router panicked"))?
    }
}

impl Opened {
    /// Starts it between these wires, which are up.
    pub(crate) fn start(self, wires: [&Wire; 2]) -> Result<BareRouter> {
        let (bell, sleeper) = doorbell();
        let mut sides = Vec::new();
        for ((mut queues, link), wire) in self.sides.into_iter().zip(wires) {
            wire.introduce()?;
            let (mut rx, tx) = queues.rx.pop().zip(queues.tx.pop()).context("no queues")?;
            ensure!(rx.ring_on_arrival(bell.clone()), "a link that cannot ring");
            sides.push(Side {
                rx,
                tx,
                source: wire.engine_mac().parse()?,
                destination: wire.kernel_mac()?,
                _link: link,
            });
        }
        let Ok(sides) = <[Side; 2]>::try_from(sides) else {
            bail!("a router has two sides");
        };
        let stop = Arc::new(AtomicBool::new(false));
        let work = Work {
            sides,
            cache: self.cache,
            sleeper,
            stop: Arc::clone(&stop),
        };
        let thread = thread::Builder::new().name("bare".to_owned());
        Ok(BareRouter {
            thread: thread.spawn(move || work.run())?,
            stop,
            bell,
        })
    }
}

struct Side {
    rx: Box<dyn RxQueue>,
    tx: Box<dyn TxQueue>,
    source: MacAddr,
    destination: MacAddr,
    /// Dropped after its queues.
    _link: Box<dyn Link>,
}

struct Work {
    sides: [Side; 2],
    cache: PoolCache,
    sleeper: Sleeper,
    stop: Arc<AtomicBool>,
}

impl Work {
    fn run(mut self) -> Result<()> {
        if let Some([core, _]) = cores() {
            keep_to(core)?;
        }
        let Idle::Adaptive { spins, yields } = Idle::ADAPTIVE else {
            bail!("an idle strategy that this loop does not have");
        };
        let mut burst = Burst::new();
        let mut empty = 0;
        while !self.stop.load(Ordering::Acquire) {
            if self.forward(&mut burst)? > 0 {
                empty = 0;
                continue;
            }
            empty += 1;
            if empty <= spins {
                std::hint::spin_loop();
            } else if empty <= spins + yields {
                thread::yield_now();
            } else {
                let Self {
                    sides,
                    sleeper,
                    stop,
                    ..
                } = &mut self;
                sleeper.sleep(Some(Duration::from_secs(1)), || {
                    stop.load(Ordering::Acquire) || sides.iter_mut().any(|it| it.rx.has_frames())
                });
                empty = 0;
            }
        }
        Ok(())
    }

    /// Takes a burst of each side over to the other. Returns how many frames there were.
    fn forward(&mut self, burst: &mut Burst) -> Result<usize> {
        let Self { sides, cache, .. } = self;
        let [left, right] = sides;
        Ok(left.pass_on(right, cache, burst)? + right.pass_on(left, cache, burst)?)
    }
}

impl Side {
    /// Takes a burst over to the other side.
    fn pass_on(
        &mut self,
        to: &mut Self,
        cache: &mut PoolCache,
        burst: &mut Burst,
    ) -> Result<usize> {
        self.rx.rx_burst(cache, burst)?;
        let frames = burst.len();
        if frames > 0 {
            burst.retain(|frame| to.address(frame.data_mut()).is_some());
            to.tx.tx_burst(cache, burst)?;
            // What does not go now is lost.
            cache.recycle_burst(burst);
        }
        Ok(frames)
    }

    /// Makes a frame one that leaves on this side; None if it is not one to pass on.
    fn address(&self, frame: &mut [u8]) -> Option<()> {
        let (ethernet, packet) = frame.split_first_chunk_mut::<14>()?;
        let header = ipv4_header_mut(packet)?;
        if ethernet[12..] != [8, 0] || !header.decrement_ttl() {
            return None;
        }
        ethernet[..6].copy_from_slice(&self.destination.0);
        ethernet[6..12].copy_from_slice(&self.source.0);
        Some(())
    }
}
