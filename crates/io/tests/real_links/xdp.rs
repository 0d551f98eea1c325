//! What is AF_XDP's alone.

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::thread;

use corelane_engine::link::Link;
use corelane_frame::{Burst, Pool, PoolConfig, Stride};
use corelane_io::af_xdp::{AfXdpConfig, AfXdpError, AfXdpLink, XdpMode, ZeroCopy};
use corelane_sys::interface::Interface;
use corelane_sys::xdp::{CopyMode, Layout, RingSizes, XdpSocket};

use crate::kernel::{eventually, ip, udp};
use crate::raw::{self, MAC, Raw, neighbor, udp_payload};
use crate::wire::{Kind, RING, Wire, veth, xdp};
use crate::{Case, Needs, Outcome, errors};

pub(crate) fn all() -> Vec<Case> {
    let case = |name, run| Case {
        name,
        needs: Needs::Root,
        run,
    };
    vec![
        case("af_xdp::errors_say_what_to_do", told),
        case("af_xdp::pools_are_told_what_is_missing", pools),
        case("af_xdp::privileges", || {
            errors::unprivileged("af_xdp", &["CAP_NET_RAW", "CAP_BPF"])
        }),
        case("af_xdp::locked_memory", locked_memory),
        case("af_xdp::a_killed_process_leaves_no_program", killed),
        case("af_xdp::a_device_can_be_taken_again_at_once", again),
        case("af_xdp::all_frames_come_back", all_come_back),
        case("af_xdp::pools_of_any_stride", any_stride),
        case("af_xdp::no_zero_copy_on_a_veth", no_zero_copy),
        case("af_xdp::partial_checksums_are_counted", partial_checksums),
        case("af_xdp::frames_of_other_pools_are_sent", other_pools),
        case(
            "af_xdp::what_the_device_takes_is_what_it_takes_now",
            mtu_of_now,
        ),
    ]
}

fn config(name: &str, queues: usize) -> AfXdpConfig {
    AfXdpConfig {
        name: name.to_owned(),
        queues,
        ring: 256,
        send_ring: 64,
        ..AfXdpConfig::default()
    }
}

fn link_of(name: &str, queues: usize, mode: XdpMode) -> Result<AfXdpLink, AfXdpError> {
    AfXdpLink::new(AfXdpConfig {
        mode,
        ..config(name, queues)
    })
}

/// A pair of devices that go when this does.
struct Pair(String, String);

impl Pair {
    fn new(number: u8, queues: usize) -> Result<Self, Box<dyn std::error::Error>> {
        let (engine, kernel) = veth(number, queues)?;
        Ok(Self(engine, kernel))
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        let _ = ip(&format!("link del {}", self.0));
    }
}

fn has_program(device: &str) -> Result<bool, Box<dyn std::error::Error>> {
    Ok(ip(&format!("-d link show {device}"))?.contains("prog/xdp"))
}

/// What an error says.
fn said<T>(result: Result<T, impl std::fmt::Display>) -> String {
    result
        .err()
        .map_or_else(|| "no error at all".to_owned(), |error| error.to_string())
}

fn told() -> Outcome {
    let auto = XdpMode::Auto;
    assert!(matches!(
        link_of("lo", 0, auto),
        Err(AfXdpError::Queues { .. })
    ));
    assert!(matches!(link_of("a b", 1, auto), Err(AfXdpError::Name(_))));
    assert!(matches!(
        link_of("nobody", 1, auto),
        Err(AfXdpError::NoDevice { .. })
    ));
    let rings = AfXdpLink::new(AfXdpConfig {
        ring: 1 << 40,
        ..config("lo", 1)
    });
    assert!(matches!(rings, Err(AfXdpError::RingSize { .. })));
    let pair = Pair::new(200, 2)?;
    for queues in [1, 3] {
        let error = said(link_of(&pair.0, queues, auto));
        assert!(error.contains("receives by 2 queues"), "{error}");
    }
    // The device is one program's.
    let first = link_of(&pair.0, 2, auto)?;
    assert!(first.is_native() && has_program(&pair.0)?);
    for mode in [auto, XdpMode::Native, XdpMode::Generic] {
        assert!(matches!(
            link_of(&pair.0, 2, mode),
            Err(AfXdpError::Busy { .. })
        ));
    }
    drop(first);
    assert!(!has_program(&pair.0)?);
    // The peer's MTU.
    for device in [&pair.0, &pair.1] {
        ip(&format!("link set {device} mtu 9000"))?;
    }
    let error = said(link_of(&pair.0, 2, XdpMode::Native));
    assert!(
        error.contains("MTU of 9000") && error.contains("XdpMode::Generic"),
        "{error}"
    );
    assert!(!link_of(&pair.0, 2, auto)?.is_native());
    assert!(!link_of(&pair.0, 2, XdpMode::Generic)?.is_native());
    // A device whose driver runs no program, and does not tell its queues.
    let error = said(link_of("lo", 1, XdpMode::Native));
    assert!(error.contains("runs no XDP program"), "{error}");
    let mut none = link_of("lo", 2, auto)?;
    let pool = Pool::new(PoolConfig {
        slots: 2048,
        ..PoolConfig::default()
    })?;
    let error = said(none.open(&pool));
    assert!(error.contains("'lo' has no queue 1"), "{error}");
    assert_eq!(pool.out(), 0);
    // It goes between the two steps, and the link can be tried again.
    let mut link = link_of(&pair.0, 2, auto)?;
    drop(pair);
    for _ in 0..2 {
        let error = said(link.open(&pool));
        assert!(error.contains("no network device 've200'"), "{error}");
    }
    assert_eq!(pool.out(), 0);
    // A queue is one socket's.
    let pair = Pair::new(200, 1)?;
    let layout = Layout::of(pool.config()).ok_or("no layout")?;
    let socket = XdpSocket::new()?;
    let umem = socket.register(&pool, layout)?;
    let index = Interface::new(pair.0.parse()?)?.index()?;
    let rings = socket.map_rings(RingSizes::new(64, 64).ok_or("no sizes")?)?;
    let bound = rings.bind(&umem, index, 0, CopyMode::Copy);
    let halves = bound.map_err(|(_, error)| error)?;
    let mut link = link_of(&pair.0, 1, auto)?;
    let error = said(link.open(&pool));
    assert!(error.contains("another AF_XDP socket's"), "{error}");
    drop((halves, umem));
    drop((link.open(&pool)?, link, pair));
    // A device that is down opens, once.
    let pair = Pair::new(200, 1)?;
    ip(&format!("link set {} down", pair.0))?;
    let mut link = link_of(&pair.0, 1, auto)?;
    let queues = link.open(&pool)?;
    assert!(said(link.open(&pool)).contains("open already"));
    drop((queues, link));
    assert_eq!(pool.out(), 0);
    Ok(())
}

fn pools() -> Outcome {
    let pair = Pair::new(201, 1)?;
    let mut link = link_of(&pair.0, 1, XdpMode::Auto)?;
    assert_eq!(link.holds(), 320);
    let small = PoolConfig {
        slots: 2048,
        slot_size: 1024,
        ..PoolConfig::default()
    };
    let error = said(link.open(&Pool::new(small)?));
    assert!(error.contains("PoolConfig::slot_size to 2048"), "{error}");
    let few = Pool::new(PoolConfig::default())?;
    let error = said(link.open(&few));
    assert!(error.contains("PoolConfig::slots to 576"), "{error}");
    let enough = Pool::new(PoolConfig {
        slots: 576,
        ..PoolConfig::default()
    })?;
    let queues = link.open(&enough)?;
    assert_eq!(enough.out(), 256);
    drop(queues);
    assert_eq!(enough.out(), 0);
    Ok(())
}

fn locked_memory() -> Outcome {
    let pair = Pair::new(202, 1)?;
    let program = std::env::current_exe()?;
    let mut limited = Command::new("setpriv");
    limited
        .args(["--bounding-set", "-ipc_lock", "prlimit", "--memlock=65536"])
        .arg(program)
        .env(errors::TRY, format!("af_xdp_open {}", pair.0));
    let output = limited.output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("ulimit -l"), "{said}{output:?}");
    Ok(())
}

/// What a process of its own does: `af_xdp`, `af_xdp_open DEVICE` and `af_xdp_hold DEVICE`.
pub(crate) fn try_as(what: &str) -> Option<String> {
    let (what, device) = what.split_once(' ').unwrap_or((what, "lo"));
    let mut link = match link_of(device, 1, XdpMode::Auto) {
        Ok(link) => link,
        Err(error) => return Some(error.to_string()),
    };
    let pool = Pool::new(PoolConfig {
        slots: 1024,
        ..PoolConfig::default()
    });
    match link.open(&pool.ok()?) {
        Err(error) => Some(error.to_string()),
        Ok(_queues) if what == "af_xdp_hold" => {
            println!("open");
            loop {
                thread::park();
            }
        }
        Ok(_) => None,
    }
}

/// A process that has a link open, killed at the latest when this is dropped.
struct Holder(Child);

impl Holder {
    fn of(device: &str) -> Result<Self, Box<dyn std::error::Error>> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .env(errors::TRY, format!("af_xdp_hold {device}"))
            .stdout(Stdio::piped());
        let mut holder = Self(command.spawn()?);
        let mut line = String::new();
        let output = holder.0.stdout.take().ok_or("no output")?;
        BufReader::new(output).read_line(&mut line)?;
        if line.trim() != "open" {
            return Err(format!("it did not open: {line}").into());
        }
        Ok(holder)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // SIGKILL.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn killed() -> Outcome {
    let pair = Pair::new(203, 1)?;
    for _ in 0..3 {
        let holder = Holder::of(&pair.0)?;
        assert!(has_program(&pair.0)?);
        assert!(matches!(
            link_of(&pair.0, 1, XdpMode::Auto),
            Err(AfXdpError::Busy { .. })
        ));
        drop(holder);
        assert!(!has_program(&pair.0)?, "the program outlived its process");
        // And the queue is to be had.
        let mut link = link_of(&pair.0, 1, XdpMode::Auto)?;
        Raw::of(&mut link, 1920)?;
    }
    Ok(())
}

fn again() -> Outcome {
    let pair = Pair::new(204, 2)?;
    for round in 0..30 {
        let kind = if round % 2 == 0 {
            Kind::XdpNative
        } else {
            Kind::XdpGeneric
        };
        let mut link = xdp(&pair.0, 2, kind)?;
        let mut raw = Raw::of(&mut link, 1920).map_err(|error| format!("{round}: {error}"))?;
        let mut burst = raw.burst(&[&[0; 60], &[0; 60]])?;
        raw.queues.tx[0].tx_burst(&mut raw.cache, &mut burst)?;
    }
    Ok(())
}

/// Closes links at all times, with frames everywhere, in either order.
fn all_come_back() -> Outcome {
    for (kind, receiver_first) in [
        (Kind::XdpNative, false),
        (Kind::XdpNative, true),
        (Kind::XdpGeneric, false),
        (Kind::XdpGeneric, true),
    ] {
        let mut wire = Wire::new(kind, 1)?;
        let pool = Pool::new(PoolConfig {
            slots: 2048,
            ..PoolConfig::default()
        })?;
        let mut link = wire.link.take().ok_or("no link")?;
        let mut queues = link.open(&pool)?;
        assert_eq!(pool.out(), RING);
        wire.up()?;
        neighbor(&wire.engine_v4().to_string(), &wire.kernel)?;
        let to = SocketAddr::new(wire.engine_v4(), 9);
        let socket = udp(wire.kernel_v4())?;
        let mut cache = pool.cache();
        let mut received = Burst::new();
        for round in 0..20 {
            for _ in 0..40 {
                socket.send_to(&[1; 100], to)?;
            }
            queues.rx[0].rx_burst(&mut cache, &mut received)?;
            let mut outgoing = Burst::new();
            cache.alloc_burst(&mut outgoing, 64);
            for frame in &mut outgoing {
                frame.set_data(&[0xff; 200])?;
            }
            let sent = queues.tx[0].tx_burst(&mut cache, &mut outgoing)?;
            assert_eq!(sent + outgoing.len(), 64);
            cache.recycle_burst(&mut outgoing);
            if round % 3 == 0 {
                cache.recycle_burst(&mut received);
            }
        }
        let kept = received.len();
        let before = pool.out();
        assert!(
            (RING + kept..=RING + 256 + kept).contains(&before),
            "{before}"
        );
        if receiver_first {
            queues.rx.clear();
        } else {
            queues.tx.clear();
        }
        // The kernel may still receive.
        assert!(pool.out() >= RING, "{}", pool.out());
        drop(queues);
        assert_eq!(pool.out(), kept);
        cache.recycle_burst(&mut received);
        assert_eq!(pool.out(), 0);
        let invalid = wire.counter("kernel_invalid")?;
        assert_eq!(invalid, 0);
        drop(link);
    }
    Ok(())
}

/// Aligned chunks, unaligned ones, and slots larger than a chunk.
fn any_stride() -> Outcome {
    for (slot_size, headroom, stride) in [
        (2048, 128, Stride::Packed),
        (2048, 128, Stride::Spread),
        (2048, 0, Stride::Spread),
        (2112, 320, Stride::Spread),
        (4096, 512, Stride::Packed),
        (4096, 128, Stride::Spread),
        (16_384, 1024, Stride::Packed),
    ] {
        for kind in [Kind::XdpNative, Kind::XdpGeneric] {
            let mut wire = Wire::new(kind, 1)?;
            let pool = Pool::new(PoolConfig {
                slots: 2048,
                slot_size,
                headroom,
                stride,
                ..PoolConfig::default()
            })?;
            let link = wire.link.as_mut().ok_or("no link")?;
            let mut raw = Raw {
                queues: link.open(&pool)?,
                cache: pool.cache(),
            };
            wire.up()?;
            neighbor(&wire.engine_v4().to_string(), &wire.kernel)?;
            let what = format!("{slot_size} {headroom} {stride:?}");
            // Round the pool, there and back.
            let socket = udp(wire.kernel_v4())?;
            let (IpAddr::V4(ours), IpAddr::V4(theirs)) = (wire.engine_v4(), wire.kernel_v4())
            else {
                return Err("not IPv4".into());
            };
            for round in 0..1200u32 {
                let mut payload = vec![round as u8; 1400];
                payload[..4].copy_from_slice(&round.to_be_bytes());
                socket.send_to(&payload, (ours, 9))?;
                let frame = raw
                    .find(|frame| {
                        let payload = udp_payload(frame.get(14..)?, 9)?;
                        payload
                            .starts_with(&round.to_be_bytes())
                            .then(|| frame.to_vec())
                    })
                    .map_err(|error| format!("{what}, {round}: {error}"))?;
                let mut answer = frame.clone();
                answer[..6].copy_from_slice(&frame[6..12]);
                answer[6..12].copy_from_slice(&MAC);
                answer[26..30].copy_from_slice(&ours.octets());
                answer[30..34].copy_from_slice(&theirs.octets());
                answer[34..36].copy_from_slice(&frame[36..38]);
                answer[36..38].copy_from_slice(&frame[34..36]);
                let mut burst = raw.burst(&[&answer])?;
                assert_eq!(raw.queues.tx[0].tx_burst(&mut raw.cache, &mut burst)?, 1);
                let mut buffer = [0; 2048];
                let (len, from) = socket
                    .recv_from(&mut buffer)
                    .map_err(|error| format!("{what}, {round}: {error}"))?;
                assert_eq!((&buffer[..len], from.ip()), (&payload[..], ours.into()));
            }
            drop(raw);
            assert_eq!(pool.out(), 0, "{what}");
        }
    }
    Ok(())
}

/// By its nature: a veth copies. It says so, and does without where it may.
fn no_zero_copy() -> Outcome {
    let pair = Pair::new(205, 1)?;
    let required = || {
        AfXdpLink::new(AfXdpConfig {
            zero_copy: ZeroCopy::Require,
            ..config(&pair.0, 1)
        })
    };
    let pool = |stride| {
        Pool::new(PoolConfig {
            slots: 1024,
            stride,
            ..PoolConfig::default()
        })
    };
    let error = said(required()?.open(&pool(Stride::Spread)?));
    assert!(
        error.contains("Stride::Packed") && error.contains("2048 or 4096"),
        "{error}"
    );
    let mut link = required()?;
    for _ in 0..2 {
        let error = said(link.open(&pool(Stride::Packed)?));
        assert!(error.contains("no zero-copy"), "{error}");
    }
    drop(link);
    let mut link = link_of(&pair.0, 1, XdpMode::Native)?;
    let counters = link.counters();
    assert_eq!(counters.is_zero_copy(), None);
    let queues = link.open(&pool(Stride::Packed)?)?;
    assert_eq!(counters.is_zero_copy(), Some(false));
    drop(queues);
    Ok(())
}

fn partial_checksums() -> Outcome {
    for kind in [Kind::XdpNative, Kind::XdpGeneric] {
        let mut wire = Wire::new(kind, 1)?;
        let peer = Interface::new(wire.kernel.parse()?)?;
        let mut raw = raw::open(&mut wire, 1920)?;
        let socket = udp(wire.kernel_v4())?;
        let to = SocketAddr::new(wire.engine_v4(), 9);
        for on in [true, false] {
            peer.set_send_checksums(on)?;
            let before = wire.counter("partial_checksums")?;
            for _ in 0..50 {
                socket.send_to(b"who sums this up?", to)?;
            }
            let mut got = 0;
            eventually("they arrive", || {
                let frames = raw.receive(0)?;
                let ours = frames.iter().filter(|it| it.ends_with(b"up?"));
                got += ours.count();
                Ok(got == 50)
            })?;
            let counted = wire.counter("partial_checksums")? - before;
            // Until one is seen, it looks at one frame of each burst only.
            let expected = if on { 1..=50 } else { 0..=0 };
            assert!(expected.contains(&counted), "{counted} with offload {on}");
        }
    }
    Ok(())
}

fn other_pools() -> Outcome {
    let mut wire = Wire::new(Kind::XdpNative, 1)?;
    let mut raw = raw::open(&mut wire, 1920)?;
    let other = Pool::new(PoolConfig::default())?;
    let mut burst = Burst::new();
    other.cache().alloc_burst(&mut burst, 3);
    for frame in &mut burst {
        frame.set_data(&[0xff; 100])?;
    }
    let received = || crate::kernel::packets(&wire.kernel).map(|it| it.0);
    let before = received()?;
    assert_eq!(raw.queues.tx[0].tx_burst(&mut raw.cache, &mut burst)?, 3);
    assert!(burst.is_empty());
    assert_eq!((wire.counter("copied")?, other.out()), (3, 0));
    eventually("they are sent", || Ok(received()? >= before + 3))?;
    Ok(())
}

/// Its MTU is set while the link is open, and its name: what is longer is refused and counted, and nothing is lost.
fn mtu_of_now() -> Outcome {
    for kind in [Kind::XdpNative, Kind::XdpGeneric] {
        let mut wire = Wire::new(kind, 1)?;
        let mut raw = raw::open(&mut wire, 1920)?;
        let received = |wire: &Wire| crate::kernel::packets(&wire.kernel).map(|it| it.0);
        let (before, mut sent, mut refused) = (received(&wire)?, 0, 0);
        let mut takes = |len: usize| -> Result<bool, Box<dyn std::error::Error>> {
            let mut burst = raw.burst(&[&vec![0xff; len]])?;
            let is_sent = raw.queues.tx[0].tx_burst(&mut raw.cache, &mut burst)? == 1;
            raw.cache.recycle_burst(&mut burst);
            sent += u64::from(is_sent);
            refused += u64::from(!is_sent);
            Ok(is_sent)
        };
        for (mtu, name) in [
            (1500, None),
            (1300, None),
            (1400, Some("vem")),
            (1200, None),
        ] {
            if let Some(name) = name {
                // Not every kernel renames a device that is up.
                ip(&format!("link set {} down", wire.engine))?;
                ip(&format!("link set {} name {name}", wire.engine))?;
                ip(&format!("link set {name} up"))?;
                wire.engine = name.to_owned();
            }
            ip(&format!("link set {} mtu {mtu}", wire.engine))?;
            // Behind a header and a tag.
            let longest = mtu + 18;
            eventually("it is heard of", || {
                Ok(takes(longest)? && !takes(longest + 1)?)
            })?;
        }
        // A veth goes by its peer's MTU too, of which nobody knows here.
        ip(&format!("link set {} mtu 1000", wire.kernel))?;
        assert_eq!(wire.counter("send_lost")?, 0);
        for at in 0..100 {
            assert!(takes(if at % 3 == 0 { 1000 } else { 1200 })?);
        }
        assert_eq!(wire.counter("send_refused")?, refused);
        eventually("all others arrive or are known to be lost", || {
            let lost = wire.counter("send_lost")?;
            Ok(lost == 66 && received(&wire)? == before + sent - lost)
        })?;
    }
    Ok(())
}
