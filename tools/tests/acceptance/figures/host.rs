//! What a host takes of a TCP connection, beside what the kernel's router passes on of one.
//!
//! The engine has no TCP. What receives here is a handler of the engine's, on the worker, that accepts a connection
//! and acknowledges what comes in order: the link, the stages and local delivery, and next to nothing behind them.
//! What comes out of order it has sent again, which is no way to receive what two cores send on a veth; a TAP keeps
//! the order.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use corelane::engine::{Engine, Idle, NicConfig, Running};
use corelane::frame::Frame;
use corelane::stack::{Handler, Packet, Prefix};
use corelane::wire::{IpProtocol, TcpFlags, checksum, parse_tcp};
use corelane_lab::namespace::Namespace;

use super::{add, median, met, ratios};
use crate::link::Kind;
use crate::site::{Router, namespace};
use crate::table::Table;
use crate::wire::{SOON, Wire};

/// Of the kernel's router, what was asked of a TAP: 9 Gb/s where it makes 7.
const ASKED: f64 = 9.0 / 7.0;

/// The least that does not fail.
const LEAST: f64 = 0.25;

/// The port that takes everything: discard (RFC 863).
const DISCARD: u16 = 9;

/// Bytes that are sent, and read, at a time.
const CHUNK: usize = 128 << 10;

/// TCP that a host on a TAP takes.
pub(super) fn tcp(kinds: &[Kind], table: &mut Table) -> Result<()> {
    if !kinds.contains(&Kind::Tap) {
        return Ok(());
    }
    let kernel = Router::by_kernel(&[])?;
    let host = DiscardHost::start(Kind::Tap)?;
    let (mut rates, mut reference) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        reference.push(routed(&kernel)?);
        rates.push(host.rate()?);
    }
    host.running.stop();
    let middle = median(&ratios(&rates, &reference));
    let is = format!(
        "{:.1} Gb/s, {middle:.2} times the kernel's router, which makes {:.1}; asked: {ASKED:.2}, {}",
        median(&rates),
        median(&reference),
        met(middle >= ASKED)
    );
    let what = format!(
        "host, TCP to a handler that acknowledges, {}",
        Kind::Tap.label()
    );
    add(table, &what, is, middle >= LEAST);
    Ok(())
}

fn connect(from: &Namespace, to: SocketAddr) -> Result<TcpStream> {
    let stream = from.enter(|| TcpStream::connect_timeout(&to, SOON))??;
    stream.set_write_timeout(Some(SOON))?;
    Ok(stream)
}

/// Gigabits per second that a connection takes; `received` says how many bytes are at its other end.
fn send(mut stream: TcpStream, received: &AtomicU64) -> Result<f64> {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let sender = scope.spawn(|| -> Result<()> {
            let bytes = vec![0x55; CHUNK];
            while !stop.load(Ordering::Relaxed) {
                stream.write_all(&bytes)?;
            }
            Ok(())
        });
        thread::sleep(Duration::from_millis(200));
        let (before, begin) = (received.load(Ordering::Relaxed), Instant::now());
        thread::sleep(Duration::from_millis(500));
        let (after, took) = (received.load(Ordering::Relaxed), begin.elapsed());
        stop.store(true, Ordering::Relaxed);
        let ended = sender.join().map_err(|_| anyhow!("the sender panicked"))?;
        ended.context("the sender")?;
        Ok((after - before) as f64 * 8.0 / took.as_secs_f64() / 1e9)
    })
}

/// To the kernel's own end, through a router.
fn routed(router: &Router) -> Result<f64> {
    let to = SocketAddr::new(router.right.kernel_v4().parse()?, DISCARD);
    let listener = router.server().enter(|| TcpListener::bind(to))??;
    let stream = connect(router.client(), to)?;
    let (mut at_server, _) = listener.accept()?;
    let received = AtomicU64::new(0);
    thread::scope(|scope| {
        // It ends when the sender's end is closed.
        let receiver = scope.spawn(|| -> Result<()> {
            let mut buffer = vec![0; CHUNK];
            loop {
                match at_server.read(&mut buffer)? {
                    0 => return Ok(()),
                    len => received.fetch_add(len as u64, Ordering::Relaxed),
                };
            }
        });
        let rate = send(stream, &received)?;
        let ended = receiver.join();
        ended.map_err(|_| anyhow!("the receiver panicked"))??;
        Ok(rate)
    })
}

/// The engine as a host that has a [`Discard`].
struct DiscardHost {
    running: Running,
    wire: Wire,
    received: Arc<AtomicU64>,
}

impl DiscardHost {
    fn start(kind: Kind) -> Result<Self> {
        let (kernel, engine) = (namespace("kernel")?, namespace("discard")?);
        let wire = Wire::new(Some(kind), &kernel, &engine, 1)?;
        let device = wire.engine_device.clone();
        let link = engine.enter(move || kind.link(device))??;
        let received = Arc::new(AtomicU64::new(0));
        let mut builder = Engine::builder();
        let counted = Arc::clone(&received);
        // As `up` has it.
        builder
            .workers(1)
            .idle(Idle::ADAPTIVE)
            .run_to_completion(true)
            .handler(move |_| Discard {
                next: None,
                received: Arc::clone(&counted),
            });
        let id = builder.nic(NicConfig::new("wan"), link);
        let engine = builder.build()?;
        let nic = engine.nic(id).context("no such NIC")?.clone();
        nic.add_address(format!("{}/24", wire.engine_v4()).parse::<Prefix>()?)?;
        let running = engine.start()?;
        wire.up()?;
        Ok(Self {
            running,
            wire,
            received,
        })
    }

    fn rate(&self) -> Result<f64> {
        let to = SocketAddr::new(self.wire.engine_v4().parse()?, DISCARD);
        send(connect(&self.wire.kernel, to)?, &self.received)
    }
}

/// Accepts a connection at a time, and acknowledges what comes in order (RFC 9293); all else it has sent again.
struct Discard {
    /// The sequence number that is expected.
    next: Option<u32>,
    received: Arc<AtomicU64>,
}

/// Where the headers of what is answered are: Ethernet, IPv4 without options.
const IP: usize = 14;
const TCP: usize = IP + 20;

/// The largest window there is: 65,535 times 2¹⁴ bytes (RFC 7323).
const WINDOW: u16 = u16::MAX;

/// Segments of 1460 bytes, and the window's scale.
const OPTIONS: [u8; 8] = [2, 4, 5, 0xb4, 1, 3, 3, 14];

impl Handler for Discard {
    fn packet(&mut self, packet: &mut Packet<'_>) {
        if packet.protocol() != IpProtocol::TCP {
            return packet.refuse();
        }
        let Ok(segment) = parse_tcp(packet.payload()) else {
            return;
        };
        let (flags, header) = (segment.flags(), segment.header);
        if segment.destination_port() != DISCARD || flags.contains(TcpFlags::RST) {
            return packet.refuse();
        }
        let is_first = flags.contains(TcpFlags::SYN);
        let (sequence, len) = (header.sequence.get(), segment.sequence_len());
        // All that was sent was a SYN, so that what the other side acknowledges is what comes next.
        let own = header.acknowledgement.get();
        if len == 0 {
            return;
        }
        if is_first {
            self.next = Some(sequence);
        }
        let Some(next) = &mut self.next else {
            return packet.refuse();
        };
        // What is sent again may begin with what is here already.
        let known = next.wrapping_sub(sequence);
        if known < len {
            *next = sequence.wrapping_add(len);
            let fresh = u64::from(len - known);
            self.received.fetch_add(fresh, Ordering::Relaxed);
        }
        let next = *next;
        let mut frame = packet.take();
        let own = if is_first { 0 } else { own };
        if answer(&mut frame, is_first, own, next).is_some() {
            // A burst has room for as many.
            drop(packet.send(frame));
        }
    }
}

/// Makes a frame its own answer.
fn answer(frame: &mut Frame, is_first: bool, own: u32, next: u32) -> Option<()> {
    let (options, flags): (&[u8], _) = if is_first {
        (&OPTIONS, TcpFlags::SYN.union(TcpFlags::ACK))
    } else {
        (&[], TcpFlags::ACK)
    };
    let len = 20 + options.len();
    frame.set_offload(None);
    frame.set_len(TCP + len).ok()?;
    let (ethernet, packet) = frame.data_mut().split_at_mut_checked(IP)?;
    let (there, back) = ethernet.get_mut(..12)?.split_at_mut(6);
    there.swap_with_slice(back);
    let (ip, tcp) = packet.split_at_mut_checked(TCP - IP)?;
    ip[2..4].copy_from_slice(&u16::try_from(20 + len).ok()?.to_be_bytes());
    let (source, destination) = ip.get_mut(12..20)?.split_at_mut(4);
    source.swap_with_slice(destination);
    ip[10..12].fill(0);
    let sum = checksum::sum(ip).checksum();
    ip[10..12].copy_from_slice(&sum.to_be_bytes());

    let (source, destination) = tcp.get_mut(..4)?.split_at_mut(2);
    source.swap_with_slice(destination);
    tcp[4..8].copy_from_slice(&own.to_be_bytes());
    tcp[8..12].copy_from_slice(&next.to_be_bytes());
    tcp[12] = (len as u8 / 4) << 4;
    tcp[13] = flags.0;
    tcp[14..16].copy_from_slice(&WINDOW.to_be_bytes());
    tcp[16..20].fill(0);
    tcp[20..].copy_from_slice(options);
    let address = |at: usize| ip.get(at..)?.first_chunk::<4>().copied();
    let (source, destination) = (address(12)?.into(), address(16)?.into());
    let pseudo = checksum::pseudo_header_ipv4(source, destination, IpProtocol::TCP, len as u16);
    let sum = (pseudo + checksum::sum(tcp)).checksum();
    tcp[16..18].copy_from_slice(&sum.to_be_bytes());
    Some(())
}
