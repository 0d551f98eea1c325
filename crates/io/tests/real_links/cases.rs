//! What has to work on every kind of link.

use std::net::{IpAddr, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use corelane_engine::Idle;
use corelane_frame::{Burst, Frame};
use corelane_io::af_packet::{AfPacketConfig, AfPacketLink};
use corelane_stack::UdpBind;
use corelane_sync::alloc_count;
use corelane_sync::doorbell::{Woken, doorbell};
use corelane_wire::MacAddr;
use corelane_wire::build::{FrameSpec, Ports, build_udp_ipv4};

use crate::host::Host;
use crate::kernel::{
    LONG, PATIENCE, Pinger, dropped, echo, eventually, ip, packets, processor_time, udp,
};
use crate::raw::{self, MAC, Raw, neighbor, udp_payload};
use crate::wire::{Kind, RING, Wire};
use crate::{Case, Needs, Outcome, errors, listener, through, xdp};

/// The cases of all kinds.
macro_rules! cases {
    ($($case:ident),* $(,)?) => {
        vec![$(
            Case {
                name: concat!("tap::", stringify!($case)),
                needs: Needs::Tap,
                run: || $case(Kind::Tap),
            },
            Case {
                name: concat!("af_packet::", stringify!($case)),
                needs: Needs::Nothing,
                run: || $case(Kind::Packet),
            },
            Case {
                name: concat!("af_xdp::native::", stringify!($case)),
                needs: Needs::Root,
                run: || $case(Kind::XdpNative),
            },
            Case {
                name: concat!("af_xdp::generic::", stringify!($case)),
                needs: Needs::Root,
                run: || $case(Kind::XdpGeneric),
            },
        )*]
    };
}

pub(crate) fn all() -> Vec<Case> {
    let mut all = cases![
        echoes_of_every_size,
        pings,
        link_addresses_are_resolved_both_ways,
        closed_ports,
        workers_with_queues_of_their_own,
        counters_agree,
        frames_ring_who_sleeps,
        a_sleeping_worker_wakes,
        a_link_goes_down_and_up,
        a_removed_device_is_told,
        a_removed_device_rings_who_sleeps,
        vlan_tags_are_there,
        frames_too_long_are_counted,
        what_finds_no_room_is_counted,
        what_the_device_refuses_stays,
        flows_spread_over_queues_once_each,
        bursts_allocate_nothing,
    ];
    all.extend([
        Case {
            name: "af_packet::only_what_arrives_is_received",
            needs: Needs::Nothing,
            run: || only_what_arrives_is_received(Kind::Packet),
        },
        Case {
            name: "af_xdp::native::only_what_arrives_is_received",
            needs: Needs::Root,
            run: || only_what_arrives_is_received(Kind::XdpNative),
        },
        Case {
            name: "af_xdp::generic::only_what_arrives_is_received",
            needs: Needs::Root,
            run: || only_what_arrives_is_received(Kind::XdpGeneric),
        },
    ]);
    all.extend(listener::all());
    all.extend(errors::all());
    all.extend(xdp::all());
    all.extend(through::all());
    all
}

fn echoes_of_every_size(kind: Kind) -> Outcome {
    let mut wire = Wire::new(kind, 1)?;
    let host = Host::start(&mut wire, 1, Idle::ADAPTIVE)?;
    let payload: Vec<u8> = (0..1472u32).map(|at| (at * 7) as u8).collect();
    let (v4, v6) = (udp(wire.kernel_v4())?, udp(wire.kernel_v6())?);
    for len in 0..=1472 {
        echo(&v4, Host::echo_v4(&wire), &payload[..len])?;
    }
    for len in 0..=1452 {
        echo(&v6, Host::echo_v6(&wire), &payload[..len])?;
    }
    if kind.is_xdp() {
        assert_eq!(wire.counter("partial_checksums")?, 0);
        return Ok(());
    }
    // The kernel left the checksums to us, and the engine took them for right.
    let completed = host.nic.counters().checksums_completed;
    assert!(completed >= 1473 + 1453, "{completed} checksums completed");
    Ok(())
}

fn pings(kind: Kind) -> Outcome {
    let mut wire = Wire::new(kind, 1)?;
    let _host = Host::start(&mut wire, 1, Idle::ADAPTIVE)?;
    for to in [wire.engine_v4(), wire.engine_v6()] {
        let mut pinger = Pinger::new(to)?;
        // The largest come in fragments.
        for len in [0, 1, 56, 57, 1400, 1452, 1472, 1473, 4000] {
            pinger
                .ping(len)
                .map_err(|error| format!("{len} bytes: {error}"))?;
        }
        for _ in 0..200 {
            pinger.ping(56)?;
        }
    }
    Ok(())
}

fn link_addresses_are_resolved_both_ways(kind: Kind) -> Outcome {
    let mut wire = Wire::new(kind, 1)?;
    let host = Host::start(&mut wire, 1, Idle::ADAPTIVE)?;
    // The engine asks first: the kernel knows nothing of it.
    let running = host.running();
    let (socket, _queues) = running.stack().udp_socket(UdpBind::new(4000))?;
    for (local, remote) in [
        (wire.kernel_v4(), wire.engine_v4()),
        (wire.kernel_v6(), wire.engine_v6()),
    ] {
        let receiver = udp(local)?;
        socket.send_to(b"first", receiver.local_addr()?)?;
        let mut buffer = [0; 64];
        let (len, from) = receiver.recv_from(&mut buffer)?;
        assert_eq!(
            (&buffer[..len], from),
            (&b"first"[..], SocketAddr::new(remote, 4000))
        );
    }
    let device = ip(&format!("link show {}", wire.kernel))?;
    let neighbors = running.stack().neighbors(host.id);
    for address in [wire.kernel_v4(), wire.kernel_v6()] {
        let neighbor = neighbors.iter().find(|it| it.address == address);
        let mac = neighbor
            .and_then(|it| it.mac)
            .ok_or("the engine did not learn")?;
        assert!(
            device.contains(&mac.to_string()),
            "{mac} is not of {device}"
        );
    }
    // Then the kernel, of a fresh mind.
    ip(&format!("neigh flush dev {}", wire.kernel))?;
    echo(&udp(wire.kernel_v4())?, Host::echo_v4(&wire), b"kernel")?;
    echo(&udp(wire.kernel_v6())?, Host::echo_v6(&wire), b"kernel")?;
    let known = ip(&format!("neigh show dev {}", wire.kernel))?;
    let mac = host.nic.mac().to_string();
    for address in [wire.engine_v4(), wire.engine_v6()] {
        let line = known
            .lines()
            .find(|line| line.starts_with(&format!("{address} ")));
        assert!(
            line.is_some_and(|line| line.contains(&mac)),
            "{address}: {known}"
        );
    }
    assert!(
        !device.contains(&mac),
        "the engine took the device's address"
    );
    Ok(())
}

fn closed_ports(kind: Kind) -> Outcome {
    let mut wire = Wire::new(kind, 1)?;
    let _host = Host::start(&mut wire, 1, Idle::ADAPTIVE)?;
    for (local, remote) in [
        (wire.kernel_v4(), wire.engine_v4()),
        (wire.kernel_v6(), wire.engine_v6()),
    ] {
        let refused = TcpStream::connect_timeout(&(remote, 81).into(), PATIENCE);
        let kind = refused.map(drop).map_err(|error| error.kind());
        assert_eq!(kind, Err(std::io::ErrorKind::ConnectionRefused), "{remote}");
        let socket = udp(local)?;
        socket.connect((remote, 9))?;
        socket.send(b"anybody?")?;
        let answer = socket.recv(&mut [0; 8]).map_err(|error| error.kind());
        assert_eq!(
            answer,
            Err(std::io::ErrorKind::ConnectionRefused),
            "{remote}"
        );
    }
    Ok(())
}

fn workers_with_queues_of_their_own(kind: Kind) -> Outcome {
    const FLOWS: usize = 32;
    const EACH: usize = 20;
    let mut wire = Wire::new(kind, 2)?;
    let host = Host::start(&mut wire, 2, Idle::ADAPTIVE)?;
    let socket = udp(wire.kernel_v4())?;
    for len in [1, 100, 1472] {
        echo(&socket, Host::echo_v4(&wire), &vec![7; len])?;
    }
    // One way: sockets of the engine send by its first worker, and a TAP's flows follow the answers.
    let bind = UdpBind::new(4000).queue(FLOWS * EACH);
    let (_socket, mut queues) = host.running().stack().udp_socket(bind)?;
    for _ in 0..FLOWS {
        let socket = udp(wire.kernel_v4())?;
        for _ in 0..EACH {
            socket.send_to(b"one way", (wire.engine_v4(), 4000))?;
        }
    }
    let mut got = 0;
    eventually("all arrive", || {
        for queue in &mut queues {
            while queue.recv().is_some() {
                got += 1;
            }
        }
        Ok(got == FLOWS * EACH)
    })?;
    let report = host.running().report();
    let by_worker: Vec<_> = report.workers.iter().map(|worker| worker.packets).collect();
    // A veth in generic mode never uses its last queue.
    let used = if kind == Kind::XdpGeneric { 1 } else { 2 };
    assert!(
        by_worker.iter().take(used).all(|&it| it > 50),
        "{by_worker:?}"
    );
    // The workers' own queues: no distributor between.
    assert!(report.distributors.is_empty());
    Ok(())
}

fn counters_agree(kind: Kind) -> Outcome {
    let mut wire = Wire::new(kind, 1)?;
    let host = Host::start(&mut wire, 1, Idle::ADAPTIVE)?;
    let socket = udp(wire.kernel_v4())?;
    for _ in 0..500 {
        echo(&socket, Host::echo_v4(&wire), b"counted")?;
    }
    let mut seen = String::new();
    let agreed = eventually("the kernel and the engine count the same", || {
        let (received, sent) = packets(&wire.kernel)?;
        let engine = host.nic.counters();
        seen = format!("kernel sent {sent} received {received}, {engine:?}");
        let of_link = match kind {
            Kind::Tap => true,
            Kind::Packet | Kind::Listener => {
                let received = wire.counter("kernel_received")?;
                wire.counter("kernel_dropped")? == 0 && received == engine.received
            }
            Kind::XdpNative | Kind::XdpGeneric => {
                let none = ["kernel_dropped", "kernel_ring_full", "kernel_invalid"];
                none.map(|name| wire.counter(name))
                    .into_iter()
                    .all(|it| matches!(it, Ok(0)))
            }
        };
        Ok(of_link && sent == engine.received && received == engine.sent && engine.sent > 500)
    });
    agreed.map_err(|error| format!("{error}: {seen}"))?;
    assert_eq!(host.nic.counters().send_dropped, 0);
    Ok(())
}

fn a_sleeping_worker_wakes(kind: Kind) -> Outcome {
    for (queues, workers) in [(1, 1), (2, 2)] {
        let mut wire = Wire::new(kind, queues)?;
        let host = Host::start(&mut wire, workers, Idle::Interrupt)?;
        let mut pinger = Pinger::new(wire.engine_v4())?;
        pinger.ping(56)?;
        let mut times = Vec::new();
        for _ in 0..100 {
            thread::sleep(Duration::from_millis(3));
            times.push(pinger.ping(56)?);
        }
        times.sort();
        let polls = || {
            host.running()
                .report()
                .workers
                .iter()
                .map(|it| it.polls)
                .sum::<u64>()
        };
        let (busy_before, before) = (processor_time()?, polls());
        thread::sleep(Duration::from_secs(1));
        let (busy, polls) = (processor_time()? - busy_before, polls() - before);
        println!(
            "    {workers} workers: ping from sleep: median {:?}, longest {:?}; idle for a second: \
             {polls} polls, {busy:?} of processor time",
            times[50], times[99]
        );
        // A queue that does not ring is looked at 10,000 times.
        assert!(polls < 1000 * workers as u64, "{polls} polls");
    }
    Ok(())
}

pub(crate) fn frames_ring_who_sleeps(kind: Kind) -> Outcome {
    let mut wire = Wire::new(kind, 1)?;
    let mut raw = raw::open(&mut wire, 1920)?;
    let (bell, mut sleeper) = doorbell();
    assert!(raw.queues.rx[0].ring_on_arrival(bell));
    let (socket, to) = (udp(wire.kernel_v4())?, SocketAddr::new(wire.engine_v4(), 9));
    for round in 0..100u8 {
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_micros(100 * u64::from(round % 20)));
                socket.send_to(&[round], to)
            });
            // Others than ours arrive too.
            let arrived = |frame: &Vec<u8>| {
                let payload = frame.get(14..).and_then(|packet| udp_payload(packet, 9));
                payload.is_some_and(|payload| payload == [round])
            };
            while !raw.receive(0)?.iter().any(arrived) {
                let woken = sleeper.sleep(Some(PATIENCE), || raw.queues.rx[0].has_frames());
                if woken == Woken::TimedOut {
                    return Err(format!("nobody rang in round {round}").into());
                }
            }
            Outcome::Ok(())
        })?;
    }
    Ok(())
}

fn a_link_goes_down_and_up(kind: Kind) -> Outcome {
    for idle in [Idle::ADAPTIVE, Idle::Interrupt] {
        let mut wire = Wire::new(kind, 1)?;
        let host = Host::start(&mut wire, 1, idle)?;
        let socket = udp(wire.kernel_v4())?;
        echo(&socket, Host::echo_v4(&wire), b"before")?;
        ip(&format!("link set {} down", wire.engine))?;
        // What the engine sends now is dropped, and counted; but for a burst in an AF_XDP ring.
        let (sender, _queues) = host.running().stack().udp_socket(UdpBind::new(4000))?;
        eventually("what is sent is dropped", || {
            let _ = sender.send_to(b"into nothing", socket.local_addr()?);
            Ok(host.nic.counters().send_dropped > 0)
        })?;
        assert_eq!(host.link_failed(Duration::from_millis(200)), None);
        ip(&format!("link set {} up", wire.engine))?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        eventually("echoes come back", || {
            Ok(echo(&socket, Host::echo_v4(&wire), b"after").is_ok())
        })?;
        assert_eq!(host.link_failed(Duration::ZERO), None);
    }
    Ok(())
}

fn a_removed_device_is_told(kind: Kind) -> Outcome {
    for (idle, down_first) in [
        (Idle::ADAPTIVE, false),
        (Idle::Interrupt, false),
        (Idle::Interrupt, true),
        (Idle::BusyPoll, false),
    ] {
        let mut wire = Wire::new(kind, 1)?;
        let host = Host::start(&mut wire, 1, idle)?;
        echo(&udp(wire.kernel_v4())?, Host::echo_v4(&wire), b"before")?;
        if down_first {
            ip(&format!("link set {} down", wire.engine))?;
            thread::sleep(Duration::from_millis(50));
        }
        ip(&format!("link del {}", wire.engine))?;
        let said = host
            .removed()
            .map_err(|error| format!("{idle:?}: {error}"))?;
        assert!(
            said.contains("removed") && said.contains(&wire.engine),
            "{said}"
        );
    }
    Ok(())
}

/// Nothing but the ring has it looked at: a socket tells that the device went down, and not that it goes.
fn a_removed_device_rings_who_sleeps(kind: Kind) -> Outcome {
    for down_first in [false, true] {
        let mut wire = Wire::new(kind, 1)?;
        let mut raw = raw::open(&mut wire, 1920)?;
        let (bell, mut sleeper) = doorbell();
        assert!(raw.queues.rx[0].ring_on_arrival(bell));
        let device = wire.engine.clone();
        let removing = thread::spawn(move || {
            let link = |words: &str| ip(words).map(drop).map_err(|error| error.to_string());
            thread::sleep(Duration::from_millis(20));
            if down_first {
                link(&format!("link set {device} down"))?;
                // That is seen meanwhile.
                thread::sleep(Duration::from_millis(200));
            }
            link(&format!("link del {device}"))
        });
        let said = loop {
            // What the kernel has to say rings too.
            match raw.receive(0) {
                Ok(_) => {}
                Err(error) => break error.to_string(),
            }
            let woken = sleeper.sleep(Some(LONG), || raw.queues.rx[0].has_frames());
            if woken == Woken::TimedOut {
                return Err("nobody rang".into());
            }
        };
        removing.join().map_err(|_| "it panicked")??;
        assert!(said.contains("removed"), "{said}");
    }
    Ok(())
}

/// A frame to a socket of the kernel, from the engine's side.
fn datagram(
    to: MacAddr,
    source: IpAddr,
    destination: SocketAddr,
    payload: &[u8],
) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let (IpAddr::V4(source), IpAddr::V4(target)) = (source, destination.ip()) else {
        return Err("not IPv4".into());
    };
    let spec = FrameSpec {
        source_mac: MacAddr(MAC),
        destination_mac: to,
        source,
        destination: target,
        ttl: 64,
    };
    let ports = Ports {
        source: 9,
        destination: destination.port(),
    };
    let mut frame = vec![0; 64 + payload.len()];
    let len = build_udp_ipv4(&mut frame, &spec, ports, payload)?;
    frame.truncate(len);
    Ok(frame)
}

fn mac_of(device: &str) -> Result<MacAddr, Box<dyn std::error::Error>> {
    let shown = ip(&format!("-o link show {device}"))?;
    let mut words = shown
        .split_whitespace()
        .skip_while(|&word| word != "link/ether");
    Ok(words.nth(1).ok_or("no link address")?.parse()?)
}

pub(crate) fn vlan_tags_are_there(kind: Kind) -> Outcome {
    let mut wire = Wire::new(kind, 1)?;
    let mut raw = raw::open(&mut wire, 1920)?;
    // A second link, at the kernel's end of the first.
    let mut end = AfPacketLink::new(AfPacketConfig {
        name: wire.kernel.clone(),
        ..AfPacketConfig::default()
    })?;
    let counters = end.counters();
    let mut other = Raw::of(&mut end, 1920)?;
    let to = SocketAddr::new(wire.engine_v4(), 9);
    let plain = datagram(mac_of(&wire.kernel)?, wire.kernel_v4(), to, &[7; 200])?;
    let tagged = |tags: &[u8]| {
        let mut frame = plain.clone();
        frame.splice(12..12, tags.iter().copied());
        frame
    };
    let frames = [
        plain.clone(),
        tagged(&[0x81, 0x00, 0x61, 0x23]),
        tagged(&[0x81, 0x00, 0x00, 0x00]),
        tagged(&[0x88, 0xa8, 0x00, 0x07]),
        tagged(&[0x88, 0xa8, 0x00, 0x07, 0x81, 0x00, 0x00, 0x09]),
    ];
    let restored = || {
        let all = counters.read();
        all.into_iter()
            .find(|&(name, _)| name == "vlan_tags_restored")
            .map_or(0, |it| it.1)
    };
    for frame in &frames {
        let mut burst = other.burst(&[frame])?;
        assert_eq!(
            other.queues.tx[0].tx_burst(&mut other.cache, &mut burst)?,
            1
        );
        raw.find(|got| (got == frame).then_some(()))
            .map_err(|error| format!("to the link, {:02x?}: {error}", &frame[12..22]))?;
        if kind == Kind::Listener {
            continue;
        }
        let mut burst = raw.burst(&[frame])?;
        assert_eq!(raw.queues.tx[0].tx_burst(&mut raw.cache, &mut burst)?, 1);
        other
            .find(|got| (got == frame).then_some(()))
            .map_err(|error| format!("from the link, {:02x?}: {error}", &frame[12..22]))?;
    }
    if kind != Kind::Listener {
        assert_eq!(restored(), 4);
    }
    if matches!(kind, Kind::Packet | Kind::Listener) {
        assert_eq!(wire.counter("vlan_tags_restored")?, 4);
    }
    Ok(())
}

pub(crate) fn frames_too_long_are_counted(kind: Kind) -> Outcome {
    let mut wire = Wire::new(kind, 1)?;
    // An AF_XDP slot is 2,048 bytes at least, 256 of them headroom.
    let (room, fits, counter) = if kind.is_xdp() {
        for device in [&wire.engine, &wire.kernel] {
            ip(&format!("link set {device} mtu 3000"))?;
        }
        (1920, 1750, "kernel_dropped")
    } else {
        (512, 470, "too_long")
    };
    let mut raw = raw::open(&mut wire, room)?;
    let socket = udp(wire.kernel_v4())?;
    let to = SocketAddr::new(wire.engine_v4(), 9);
    // 42 bytes of headers: the first just fits. The others come in a burst of those that fit and those that do not.
    let few = [fits, fits + 1, fits + 130, fits + 930];
    let many = (1..=48).map(|at| if at % 3 == 0 { fits + at } else { fits - at });
    let sent: Vec<_> = few.into_iter().chain(many).chain([10]).collect();
    for &len in &sent {
        socket.send_to(&vec![len as u8; len], to)?;
    }
    let mut lens = Vec::new();
    raw.find(|frame| {
        let payload = udp_payload(frame.get(14..)?, 9)?;
        assert!(payload.iter().all(|&byte| byte == payload.len() as u8));
        lens.push(payload.len());
        (payload.len() == 10).then_some(())
    })?;
    let (fitting, long): (Vec<_>, Vec<_>) = sent.into_iter().partition(|&len| len <= fits);
    assert_eq!(lens, fitting);
    assert_eq!(wire.counter(counter)?, long.len() as u64);
    Ok(())
}

fn what_finds_no_room_is_counted(kind: Kind) -> Outcome {
    const SENT: usize = 2000;
    let mut wire = Wire::new(kind, 1)?;
    let mut raw = raw::open(&mut wire, 1920)?;
    let socket = udp(wire.kernel_v4())?;
    let to = SocketAddr::new(wire.engine_v4(), 9);
    // Nobody looks meanwhile.
    let before = dropped(&wire.kernel)?;
    for at in 0..SENT {
        socket.send_to(&at.to_be_bytes(), to)?;
    }
    let frames = raw.receive(0)?;
    let ours = frames
        .iter()
        .filter_map(|frame| udp_payload(frame.get(14..)?, 9))
        .count();
    let lost = dropped(&wire.kernel)? - before;
    match kind {
        Kind::Tap => assert!(
            lost > 0 && ours as u64 + lost >= SENT as u64,
            "{ours} and {lost}"
        ),
        Kind::Packet | Kind::Listener => {
            // The kernel says more than ours, when it likes.
            let mut seen = frames.len();
            eventually("all that the ring was given is received or counted", || {
                seen += raw.receive(0)?.len();
                let (received, dropped) = (
                    wire.counter("kernel_received")?,
                    wire.counter("kernel_dropped")?,
                );
                Ok(seen as u64 + dropped == received)
            })?;
            let dropped = wire.counter("kernel_dropped")?;
            assert!(dropped >= (SENT - RING) as u64, "{dropped} dropped");
        }
        Kind::XdpNative | Kind::XdpGeneric => {
            let mut seen = frames.len();
            eventually("all that was sent is received or counted", || {
                let (_, sent) = packets(&wire.kernel)?;
                seen += raw.receive(0)?.len();
                Ok(seen as u64 + xdp_dropped(&wire)? == sent)
            })?;
            let dropped = xdp_dropped(&wire)?;
            assert!(dropped + lost >= (SENT - RING) as u64, "{dropped}, {lost}");
        }
    }
    // It goes on at once.
    socket.send_to(b"after", to)?;
    raw.find(|frame| (udp_payload(frame.get(14..)?, 9)? == b"after").then_some(()))?;
    Ok(())
}

/// What the kernel dropped of an AF_XDP link.
fn xdp_dropped(wire: &Wire) -> Result<u64, Box<dyn std::error::Error>> {
    Ok(wire.counter("kernel_dropped")? + wire.counter("kernel_ring_full")?)
}

fn what_the_device_refuses_stays(kind: Kind) -> Outcome {
    let mut wire = Wire::new(kind, 1)?;
    let mut raw = raw::open(&mut wire, 1920)?;
    let socket = udp(wire.kernel_v4())?;
    let to = mac_of(&wire.kernel)?;
    let good = datagram(to, wire.engine_v4(), socket.local_addr()?, b"good")?;
    // Beyond the MTU, and less than a header: one kind of device minds the one, one the other.
    let bad = vec![0; if kind == Kind::Tap { 9 } else { 1900 }];
    let mut burst = raw.burst(&[&good, &bad, &good, &bad, &good])?;
    let sent = raw.queues.tx[0].tx_burst(&mut raw.cache, &mut burst)?;
    let stayed: Vec<_> = burst.iter().map(Frame::len).collect();
    assert_eq!((sent, stayed), (3, vec![bad.len(); 2]));
    assert_eq!(wire.counter("send_refused")?, 2);
    for _ in 0..3 {
        let mut buffer = [0; 16];
        let len = socket.recv(&mut buffer)?;
        assert_eq!(&buffer[..len], b"good");
    }
    Ok(())
}

pub(crate) fn flows_spread_over_queues_once_each(kind: Kind) -> Outcome {
    const QUEUES: usize = 4;
    const FLOWS: u32 = 64;
    const EACH: u32 = 5;
    let mut wire = Wire::new(kind, QUEUES)?;
    let mut raw = raw::open(&mut wire, 1920)?;
    let to = SocketAddr::new(wire.engine_v4(), 9);
    for flow in 0..FLOWS {
        let socket = udp(wire.kernel_v4())?;
        for at in 0..EACH {
            socket.send_to(&(flow * EACH + at).to_be_bytes(), to)?;
        }
    }
    let mut by_queue = [const { Vec::<u32>::new() }; QUEUES];
    eventually("all arrive", || {
        for (queue, got) in by_queue.iter_mut().enumerate() {
            for frame in raw.receive(queue)? {
                let payload = frame.get(14..).and_then(|packet| udp_payload(packet, 9));
                got.extend(
                    payload
                        .and_then(|it| it.try_into().ok())
                        .map(u32::from_be_bytes),
                );
            }
        }
        Ok(by_queue.iter().map(Vec::len).sum::<usize>() >= (FLOWS * EACH) as usize)
    })?;
    let counts = by_queue.each_ref().map(Vec::len);
    println!("    frames by queue: {counts:?}");
    // A veth in generic mode never uses its last queue.
    let used = QUEUES - usize::from(kind == Kind::XdpGeneric);
    assert!(
        counts.iter().take(used).all(|&count| count > 0),
        "{counts:?}"
    );
    for queue in &by_queue {
        // In order within a flow, and a flow on one queue.
        for flow in 0..FLOWS {
            let of_flow: Vec<_> = queue.iter().filter(|&&it| it / EACH == flow).collect();
            assert!(of_flow.is_sorted() && [0, EACH as usize].contains(&of_flow.len()));
        }
    }
    let mut all = by_queue.concat();
    all.sort_unstable();
    assert!(all.iter().copied().eq(0..FLOWS * EACH), "each once");
    Ok(())
}

pub(crate) fn only_what_arrives_is_received(kind: Kind) -> Outcome {
    for queues in [1, 2] {
        let mut wire = Wire::new(kind, queues)?;
        let engine = wire.engine.clone();
        let promiscuity = || {
            let shown = ip(&format!("-d link show {engine}"))?;
            let mut words = shown
                .split_whitespace()
                .skip_while(|&word| word != "promiscuity");
            let count = words.nth(1).ok_or("no promiscuity")?;
            Ok::<_, Box<dyn std::error::Error>>(count.parse::<usize>()?)
        };
        assert_eq!(promiscuity()?, if kind.is_xdp() { queues } else { 0 });
        let mut raw = raw::open(&mut wire, 1920)?;
        assert_eq!(promiscuity()?, queues);
        // The kernel sends on the engine's device, and so does each of the engine's queues.
        let source = IpAddr::from([10, wire.number, 9, 1]);
        let target = IpAddr::from([10, wire.number, 9, 2]);
        ip(&format!("addr add {source}/24 dev {engine}"))?;
        neighbor(&target.to_string(), &engine)?;
        udp(source)?.send_to(b"out", (target, 9))?;
        let to = SocketAddr::new(wire.engine_v4(), 9);
        let frame = datagram(MacAddr(MAC), wire.engine_v4(), to, b"out")?;
        for queue in 0..raw.queues.tx.len() {
            let mut burst = raw.burst(&[&frame])?;
            raw.queues.tx[queue].tx_burst(&mut raw.cache, &mut burst)?;
        }
        udp(wire.kernel_v4())?.send_to(b"in", to)?;
        let mut got = Vec::new();
        eventually("it arrives", || {
            for queue in 0..queues {
                let frames = raw.receive(queue)?;
                got.extend(frames.iter().filter_map(|it| udp_payload(it.get(14..)?, 9)));
            }
            Ok(got.iter().any(|payload| payload == b"in"))
        })?;
        assert_eq!(got, [b"in"]);
        drop(raw);
        assert_eq!(promiscuity()?, 0);
    }
    Ok(())
}

fn bursts_allocate_nothing(kind: Kind) -> Outcome {
    let mut wire = Wire::new(kind, 1)?;
    let mut raw = raw::open(&mut wire, 1920)?;
    let socket = udp(wire.kernel_v4())?;
    let to = SocketAddr::new(wire.engine_v4(), 9);
    let frame = datagram(
        mac_of(&wire.kernel)?,
        wire.engine_v4(),
        socket.local_addr()?,
        b"x",
    )?;
    let mut received = 0;
    for _ in 0..20 {
        for _ in 0..50 {
            socket.send_to(&[1; 300], to)?;
        }
        let mut outgoing = raw.burst(&vec![&frame[..]; 64])?;
        let Raw { cache, queues } = &mut raw;
        let mut burst = Burst::new();
        let before = alloc_count::this_thread();
        for _ in 0..10 {
            queues.rx[0].rx_burst(cache, &mut burst)?;
            received += burst.len();
            cache.recycle_burst(&mut burst);
            queues.rx[0].has_frames();
        }
        queues.tx[0].tx_burst(cache, &mut outgoing)?;
        let since = alloc_count::this_thread().since(before);
        assert_eq!((since.allocations, since.frees), (0, 0));
        assert!(outgoing.is_empty());
        while socket.set_nonblocking(true).is_ok() && socket.recv(&mut [0; 16]).is_ok() {}
        socket.set_nonblocking(false)?;
    }
    assert!(alloc_count::installed() && received >= 900, "{received}");
    Ok(())
}
