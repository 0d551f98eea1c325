//! An engine as a router between the kernel here and the kernel in another namespace, whose offloads are
//! as they are made: on.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::thread;

use corelane_engine::{Engine, Idle, NicConfig, Running};
use corelane_stack::{Forwarding, Nic, Prefix, RouteSpec};
use nix::sys::socket::{setsockopt, sockopt::UdpGsoSegment};

use crate::host::Host;
use crate::kernel::{PATIENCE, eventually, ip, udp};
use crate::wire::{Kind, Wire};
use crate::{Case, Needs, Outcome};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Set in the namespace of the other host.
pub(crate) const PEER: &str = "CORELANE_REAL_LINKS_PEER";

const PORT: u16 = 5001;

/// Bytes of a connection: enough for the window to open.
const MUCH: usize = 24 << 20;

pub(crate) fn all() -> Vec<Case> {
    macro_rules! case {
        ($name:literal, $needs:ident, $run:expr) => {
            Case {
                name: concat!("router::", $name),
                needs: Needs::$needs,
                run: || $run,
            }
        };
    }
    use Kind::{Packet, Tap, XdpGeneric, XdpNative};
    vec![
        case!("tap_to_tap", Tap, whole(Tap, Tap)),
        case!("tap_to_af_packet", Tap, whole(Tap, Packet)),
        case!("af_packet_to_tap", Tap, whole(Packet, Tap)),
        case!("af_packet_to_af_packet", Nothing, whole(Packet, Packet)),
        case!("tap_to_af_packet_that_takes_none", Tap, cut(Tap, Packet)),
        case!("af_packet_to_tap_that_takes_none", Tap, cut(Packet, Tap)),
        case!("af_packet_to_af_xdp_native", Root, cut(Packet, XdpNative)),
        case!("tap_to_af_xdp_generic", Root, cut(Tap, XdpGeneric)),
        case!("af_xdp_native_to_af_packet", Root, done(XdpNative, Packet)),
        case!("af_xdp_generic_to_tap", Root, done(XdpGeneric, Tap)),
        case!(
            "af_xdp_native_to_af_xdp_generic",
            Root,
            done(XdpNative, XdpGeneric)
        ),
        Case {
            name: "tap::datagrams_of_super_frames",
            needs: Needs::Tap,
            run: || datagrams_of_super_frames(Tap),
        },
        Case {
            name: "af_packet::datagrams_of_super_frames",
            needs: Needs::Nothing,
            run: || datagrams_of_super_frames(Packet),
        },
    ]
}

/// The byte at a place of a stream.
fn pattern(at: usize) -> u8 {
    (at * 7 + at / 256) as u8
}

/// Two wires, an engine between, and the other host.
struct Path {
    near: Wire,
    far: Wire,
    nics: [Nic; 2],
    /// Ends before the devices go.
    running: Option<Running>,
    peer: Peer,
}

impl Path {
    /// Whether the far link takes and gives super-frames; the near one does.
    fn new(near: Kind, far: Kind, super_frames: bool) -> Result<Self> {
        let mut near = Wire::new(near, 1)?;
        let mut far = Wire::with(far, 1, super_frames)?;
        let mut builder = Engine::builder();
        builder.idle(Idle::ADAPTIVE);
        let mut ids = Vec::new();
        for (name, wire) in [("near", &mut near), ("far", &mut far)] {
            let link = wire.link.take().ok_or("the link is in use")?;
            ids.push(builder.nic(NicConfig::new(name), link));
        }
        let engine = builder.build()?;
        for (id, wire) in ids.iter().zip([&near, &far]) {
            let nic = engine.nic(*id).ok_or("no NIC")?;
            nic.set_forwarding(Forwarding::ON)?;
            for (address, len) in [(wire.engine_v4(), 24), (wire.engine_v6(), 64)] {
                let prefix: Prefix = format!("{address}/{len}").parse()?;
                nic.add_address(prefix)?;
                engine.stack().add_route(RouteSpec {
                    to: prefix.network(),
                    via: None,
                    nic: *id,
                    metric: 0,
                })?;
            }
        }
        let nics = [engine.nic(ids[0]), engine.nic(ids[1])];
        let [Some(near_nic), Some(far_nic)] = nics else {
            return Err("no NIC".into());
        };
        let nics = [near_nic.clone(), far_nic.clone()];
        let running = engine.start()?;
        let peer = Peer::start(&far)?;
        near.up()?;
        let via = format!("dev {}", near.kernel);
        let (v4, v6) = (near.engine_v4(), near.engine_v6());
        ip(&format!("route add {}/32 via {v4} {via}", far.kernel_v4()))?;
        ip(&format!(
            "-6 route add {}/128 via {v6} {via}",
            far.kernel_v6()
        ))?;
        Ok(Self {
            near,
            far,
            nics,
            running: Some(running),
            peer,
        })
    }

    fn destinations(&self) -> [SocketAddr; 2] {
        [self.far.kernel_v4(), self.far.kernel_v6()].map(|it| SocketAddr::new(it, PORT))
    }

    /// Sends much by TCP; the other host tells that it has it all.
    fn tcp(&self, to: SocketAddr) -> Result<()> {
        let mut stream = TcpStream::connect_timeout(&to, PATIENCE)?;
        stream.set_write_timeout(Some(4 * PATIENCE))?;
        stream.set_read_timeout(Some(4 * PATIENCE))?;
        let chunk: Vec<u8> = (0..1 << 16).map(pattern).collect();
        // The pattern repeats after 64 KiB.
        for _ in 0..MUCH >> 16 {
            stream.write_all(&chunk)?;
        }
        stream.shutdown(Shutdown::Write)?;
        let mut said = String::new();
        stream.read_to_string(&mut said)?;
        assert_eq!(said, format!("{MUCH} right"), "of {to}");
        Ok(())
    }

    /// Sends datagrams in one super-frame; the other host answers each.
    fn udp(&self, to: SocketAddr) -> Result<()> {
        const COUNT: usize = 40;
        let local = if to.is_ipv4() {
            self.near.kernel_v4()
        } else {
            self.near.kernel_v6()
        };
        let socket = udp(local)?;
        send_in_one(&socket, to, COUNT)?;
        receive_each(&socket, COUNT, 4)
    }

    /// What all must have in common, after traffic both ways.
    fn agrees(&self) -> Outcome {
        let mut seen = String::new();
        let [near, far] = &self.nics;
        let agreed = eventually("the books balance", || {
            let (near, far) = (near.counters(), far.counters());
            seen = format!("{near:?} {far:?}");
            Ok(near.balance() == 0 && far.balance() == 0)
        });
        agreed.map_err(|error| format!("{error}: {seen}"))?;
        // Segments may find no room, and are sent again. What no link may say of the kernel's frames:
        for wire in [&self.near, &self.far] {
            for (name, count) in (wire.counters)() {
                let wrong = ["offload_invalid", "too_long", "send_refused"].contains(&name);
                assert!(!wrong || count == 0, "{name}: {count}");
            }
        }
        Ok(())
    }

    fn traffic(&self) -> Outcome {
        for to in self.destinations() {
            self.tcp(to)
                .map_err(|error| format!("TCP to {to}: {error}"))?;
            self.udp(to)
                .map_err(|error| format!("UDP to {to}: {error}"))?;
        }
        self.agrees()
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        drop(self.running.take().map(Running::stop));
        self.peer.end();
    }
}

/// Both links take super-frames: they go through whole, both ways.
fn whole(near: Kind, far: Kind) -> Outcome {
    let path = Path::new(near, far, true)?;
    path.traffic()?;
    let received = path.near.counter("super_frames_received")?;
    let sent = path.far.counter("super_frames_sent")?;
    // There may be fewer than would be if all were full.
    assert!(
        received > 2 * (MUCH as u64) / 65_536,
        "{received} super-frames"
    );
    assert_eq!(received, sent);
    let [near, far] = path.nics.clone().map(|it| it.counters());
    assert_eq!((near.segmented, far.segmented), (0, 0));
    assert_eq!((near.checksums_completed, far.checksums_completed), (0, 0));
    // What came in one is one: no more frames than that much in frames of some KiB.
    let each = near.received_bytes / near.received;
    assert!(each > 4096, "{each} bytes a frame");
    println!("    {received} super-frames, {each} bytes a frame");
    Ok(())
}

/// The far link takes none: they are cut.
fn cut(near: Kind, far: Kind) -> Outcome {
    let path = Path::new(near, far, false)?;
    path.traffic()?;
    let received = path.near.counter("super_frames_received")?;
    let [near, far] = path.nics.clone().map(|it| it.counters());
    assert_eq!(far.segmented, received);
    assert!(received > 100 && far.segments > 10 * received, "{far:?}");
    // Each is sent or dropped, beside a few messages of the NIC's own.
    let left = far.sent + far.send_dropped - (near.forwarded - far.segmented + far.segments);
    assert!(
        left < 20,
        "{left} more than were forwarded: {near:?} {far:?}"
    );
    if !path.far.kind.is_xdp() {
        assert_eq!(path.far.counter("super_frames_sent")?, 0);
    }
    println!("    {received} super-frames in {} segments", far.segments);
    Ok(())
}

/// The near link takes none, and its kernel does all itself.
fn done(near: Kind, far: Kind) -> Outcome {
    let path = Path::new(near, far, true)?;
    path.traffic()?;
    assert_eq!(path.near.counter("partial_checksums")?, 0);
    let [near, far] = path.nics.clone().map(|it| it.counters());
    assert!(near.forwarded > MUCH as u64 / 1500, "{near:?}");
    assert_eq!((far.segmented, far.checksums_completed), (0, 0));
    Ok(())
}

/// Datagrams of 1,200 bytes, each with its number in front, in one call and as one super-frame.
pub(crate) fn send_in_one(socket: &UdpSocket, to: SocketAddr, count: usize) -> Result<()> {
    const SIZE: usize = 1200;
    setsockopt(socket, UdpGsoSegment, &(SIZE as i32))?;
    let mut payload = vec![0; count * SIZE];
    for (number, datagram) in (0u32..).zip(payload.chunks_mut(SIZE)) {
        datagram[..4].copy_from_slice(&number.to_be_bytes());
    }
    assert_eq!(socket.send_to(&payload, to)?, payload.len());
    Ok(())
}

/// Receives an answer of so many bytes to each.
fn receive_each(socket: &UdpSocket, count: usize, len: usize) -> Result<()> {
    let mut numbers = Vec::new();
    let mut buffer = [0; 1 << 16];
    while numbers.len() < count {
        let got = socket.recv(&mut buffer);
        let got = got.map_err(|error| format!("{} answers: {error}", numbers.len()))?;
        assert_eq!(got, len);
        numbers.push(u32::from_be_bytes([
            buffer[0], buffer[1], buffer[2], buffer[3],
        ]));
    }
    numbers.sort_unstable();
    assert!(numbers.iter().copied().eq(0..count as u32), "{numbers:?}");
    Ok(())
}

/// A super-frame of datagrams to the engine itself: each is answered.
fn datagrams_of_super_frames(kind: Kind) -> Outcome {
    const COUNT: usize = 50;
    let mut wire = Wire::new(kind, 1)?;
    let host = Host::start(&mut wire, 1, Idle::ADAPTIVE)?;
    for (local, to) in [
        (wire.kernel_v4(), Host::echo_v4(&wire)),
        (wire.kernel_v6(), Host::echo_v6(&wire)),
    ] {
        let socket = udp(local)?;
        send_in_one(&socket, to, COUNT)?;
        receive_each(&socket, COUNT, 1200)?;
    }
    assert_eq!(wire.counter("super_frames_received")?, 2);
    let totals = host.nic.counters();
    assert_eq!(totals.unpacked, 2 * COUNT as u64);
    assert_eq!(totals.balance(), 0);
    Ok(())
}

/// A host in a namespace of its own: this program, run again.
struct Peer {
    child: Child,
    commands: Option<ChildStdin>,
    said: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts it at the kernel's end of a wire.
    fn start(wire: &Wire) -> Result<Self> {
        let mut child = Command::new("unshare")
            .arg("-n")
            .arg(env::current_exe()?)
            .env(PEER, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let commands = child.stdin.take();
        let said = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut peer = Self {
            child,
            commands,
            said,
        };
        peer.expect("here")?;
        let device = &wire.kernel;
        ip(&format!("link set {device} netns {}", peer.child.id()))?;
        let commands = peer.commands.as_mut().ok_or("no input")?;
        for line in [
            "link set lo up".to_owned(),
            format!("link set {device} up"),
            format!("addr add {}/24 dev {device}", wire.kernel_v4()),
            format!("addr add {}/64 dev {device} nodad", wire.kernel_v6()),
            format!("route add default via {}", wire.engine_v4()),
            format!("-6 route add default via {} dev {device}", wire.engine_v6()),
        ] {
            writeln!(commands, "{line}")?;
        }
        writeln!(commands)?;
        peer.expect("ready")?;
        Ok(peer)
    }

    fn expect(&mut self, what: &str) -> Result<()> {
        let mut line = String::new();
        self.said.read_line(&mut line)?;
        if line.trim() != what {
            return Err(format!("the other host says '{}', not '{what}'", line.trim()).into());
        }
        Ok(())
    }

    fn end(&mut self) {
        // It ends with its input.
        drop(self.commands.take());
        drop(self.child.wait());
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.end();
    }
}

/// The other host's part: runs `ip` as it is told, up to an empty line; then serves until its input ends.
pub(crate) fn peer() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<()> {
    println!("here");
    let mut lines = std::io::stdin().lines();
    while let Some(line) = lines.next().transpose()?
        && !line.is_empty()
    {
        ip(&line)?;
    }
    let any = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), PORT);
    let (listener, socket) = (TcpListener::bind(any)?, UdpSocket::bind(any)?);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || check(stream));
        }
    });
    thread::spawn(move || {
        let mut buffer = [0; 1 << 16];
        while let Ok((len, from)) = socket.recv_from(&mut buffer) {
            if len == 1200 {
                let _ = socket.send_to(&buffer[..4], from);
            }
        }
    });
    println!("ready");
    for line in lines {
        line?;
    }
    Ok(())
}

/// Tells how many bytes came, if they are right.
fn check(mut stream: TcpStream) {
    let mut buffer = vec![0; 1 << 18];
    let mut at = 0;
    let mut wrong = None;
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(len) => {
                let place = buffer[..len].iter().enumerate();
                let mut wrongs = place.filter(|&(n, byte)| *byte != pattern((at + n) % (1 << 16)));
                wrong = wrong.or(wrongs.next().map(|(n, _)| at + n));
                at += len;
            }
            Err(error) => {
                let _ = write!(stream, "{at}, then {error}");
                return;
            }
        }
    }
    let _ = match wrong {
        None => write!(stream, "{at} right"),
        Some(place) => write!(stream, "{at}, wrong from {place} on"),
    };
}
