//! What a link takes to receive a frame, beside a bare loop over the same rings.

use std::hint::black_box;
use std::net::UdpSocket;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use corelane::frame::{BURST, Burst, Pool, PoolCache, PoolConfig};
use corelane_lab::raw::Raw;
use corelane_sys::bpf::{AttachMode, Attached, Redirect, XskMap};
use corelane_sys::interface::{Interface, InterfaceName};
use corelane_sys::packet::{PacketSocket, RingSize, RxRing, SlotRing};
use corelane_sys::xdp::{CopyMode, Layout, RingSizes, XdpRx, XdpSocket, XdpTx};

use super::{MOST_TIMES_BARE, add, cores, keep_to, median, met, ratios};
use crate::link::Kind;
use crate::site::namespace;
use crate::table::Table;
use crate::wire::Wire;

/// How many times those of a round are sent and read, to each in turn.
const ROUNDS: usize = 100;

/// Frames of a round: fewer than any ring has room for.
const FRAMES: usize = 500;

/// So many of them are read before the clock starts: they find code, pool and ring in no near cache, which a reader at
/// work does not, and all others take no longer than some tens of microseconds.
const COLD: usize = BURST;

/// What was asked.
const ASKED: f64 = 1.3;

/// Links that have a ring of the kernel's to read.
pub(super) fn reader(kinds: &[Kind], table: &mut Table) -> Result<()> {
    let with_rings = kinds.iter().filter(|&&kind| kind != Kind::Tap);
    for &kind in with_rings {
        let (kernel, engine) = (namespace("kernel")?, namespace("reader")?);
        let wires = [
            Wire::new(Some(kind), &kernel, &engine, 1)?,
            Wire::new(Some(kind), &kernel, &engine, 2)?,
        ];
        let [of_link, of_bare] = &wires;
        let device = of_link.engine_device.clone();
        let mut link = engine.enter(move || kind.link(device))??;
        let mut link = Raw::of(&mut *link, 1920)?;
        let device = of_bare.engine_device.clone();
        let mut bare = engine.enter(move || Bare::on(kind, &device))??;
        for wire in &wires {
            wire.up()?;
            wire.introduce()?;
        }
        let (mut times, mut bare_times) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            times.push(per_frame(of_link, |clock| read_link(&mut link, clock))?);
            bare_times.push(per_frame(of_bare, |clock| bare.read(clock))?);
        }
        let times_bare = median(&ratios(&times, &bare_times));
        let met = met(times_bare <= ASKED);
        let what = format!("reader, per frame, {}", kind.label());
        let is = format!(
            "{:.0} ns, {:.0} a bare loop: {times_bare:.2} times (asked: {ASKED}, {met})",
            median(&times),
            median(&bare_times)
        );
        add(table, &what, is, times_bare <= MOST_TIMES_BARE);
    }
    Ok(())
}

/// Sends a round of frames from one core, and then has them read on another. Nanoseconds per frame.
fn per_frame(wire: &Wire, read: impl FnOnce(&mut Clock) -> Result<()> + Send) -> Result<f64> {
    let to = format!("{}:9", wire.engine_v4());
    wire.kernel.enter(|| -> Result<()> {
        if let Some([_, sender]) = cores() {
            keep_to(sender)?;
        }
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.connect(to)?;
        for _ in 0..FRAMES {
            socket.send(&[0x55; 18])?;
        }
        Ok(())
    })??;
    thread::sleep(Duration::from_millis(1));
    let timed = thread::scope(|scope| {
        let reader = scope.spawn(|| -> Result<_> {
            if let Some([reader, _]) = cores() {
                keep_to(reader)?;
            }
            let mut clock = Clock::default();
            read(&mut clock)?;
            Ok((clock.began.map(|it| it.elapsed()), clock))
        });
        reader.join()
    });
    let (took, Clock { cold, timed, .. }) = timed.map_err(|_| anyhow!("the reader panicked"))??;
    ensure!(
        cold + timed >= FRAMES,
        "of {FRAMES} frames {} were there to read",
        cold + timed
    );
    let took = took.context("the clock did not start")?;
    Ok(took.as_nanos() as f64 / timed as f64)
}

/// Counts frames, and starts behind the first [`COLD`].
#[derive(Default)]
struct Clock {
    cold: usize,
    timed: usize,
    began: Option<Instant>,
}

impl Clock {
    #[inline]
    fn count(&mut self, frames: usize) {
        if self.began.is_some() {
            self.timed += frames;
            return;
        }
        self.cold += frames;
        if self.cold >= COLD {
            self.began = Some(Instant::now());
        }
    }
}

/// Looks at a frame, at its beginning and at its end.
fn look_at(data: &[u8]) {
    black_box((data.get(12).copied(), data.last().copied()));
}

/// Reads all that is there.
fn read_link(Raw { cache, queues }: &mut Raw, clock: &mut Clock) -> Result<()> {
    let rx = queues.rx.first_mut().context("no queue")?;
    let mut burst = Burst::new();
    loop {
        rx.rx_burst(cache, &mut burst)?;
        if burst.is_empty() {
            return Ok(());
        }
        let frames = burst.len();
        burst.iter().for_each(|frame| look_at(frame.data()));
        cache.recycle_burst(&mut burst);
        clock.count(frames);
    }
}

/// A ring of the kernel's, with nothing around it.
enum Bare {
    Packet {
        ring: SlotRing,
        _socket: PacketSocket,
    },
    Xdp(Box<BareXdp>),
}

struct BareXdp {
    rx: XdpRx,
    cache: PoolCache,
    _kept: (XdpTx, Attached),
}

impl Bare {
    /// On a device of this thread's namespace.
    fn on(kind: Kind, device: &str) -> Result<Self> {
        let name: InterfaceName = device.parse()?;
        let index = Interface::new(name)?.index()?;
        let mode = match kind {
            Kind::XdpNative => AttachMode::Native,
            Kind::XdpGeneric => AttachMode::Generic,
            Kind::Tap | Kind::Packet => return Self::packet(index),
        };
        let sizes = RingSizes::new(4096, 1024).context("sizes")?;
        let pool = Pool::new(PoolConfig {
            slots: 1 << 13,
            ..PoolConfig::default()
        })?;
        let map = XskMap::new(1)?;
        let attached = Redirect::load(&map)?.attach(index, mode)?;
        let socket = XdpSocket::new()?;
        let layout = Layout::of(pool.config()).context("a layout")?;
        let memory = socket.register(&pool, layout)?;
        let unbound = socket.map_rings(sizes)?;
        let (mut rx, tx) = unbound
            .bind(&memory, index, 0, CopyMode::Copy)
            .map_err(|(_, error)| error)?;
        let mut cache = pool.cache();
        while rx.lent() < sizes.receive() && rx.refill(&mut cache) {}
        rx.enter(&Arc::new(map), 0)?;
        Ok(Self::Xdp(Box::new(BareXdp {
            rx,
            cache,
            _kept: (tx, attached),
        })))
    }

    fn packet(index: i32) -> Result<Self> {
        let mut socket = PacketSocket::new()?;
        socket.ignore_outgoing()?;
        let ring = socket.receive_ring(RingSize::for_frames(4096, 1600).context("a size")?)?;
        socket.bind(index)?;
        Ok(Self::Packet {
            ring,
            _socket: socket,
        })
    }

    /// Reads all that is there.
    fn read(&mut self, clock: &mut Clock) -> Result<()> {
        match self {
            Self::Packet { ring, .. } => {
                while let Some(slot) = ring.peek() {
                    look_at(slot.data());
                    slot.release();
                    clock.count(1);
                }
            }
            Self::Xdp(bare) => {
                let BareXdp { rx, cache, .. } = &mut **bare;
                let mut burst = Burst::new();
                while rx.receive(&mut burst) > 0 {
                    let frames = burst.len();
                    burst.iter().for_each(|frame| look_at(frame.data()));
                    cache.recycle_burst(&mut burst);
                    rx.refill(cache);
                    rx.wake()?;
                    clock.count(frames);
                }
            }
        }
        Ok(())
    }
}
