//! AF_PACKET to listen: in blocks (TPACKET_V3), and without a transmit queue.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use corelane_engine::Idle;
use corelane_frame::Burst;
use corelane_stack::UdpBind;
use corelane_sync::alloc_count;

use crate::cases::{
    flows_spread_over_queues_once_each, frames_ring_who_sleeps, frames_too_long_are_counted,
    only_what_arrives_is_received, vlan_tags_are_there,
};
use crate::host::Host;
use crate::kernel::{eventually, ip, udp};
use crate::raw::{self, Raw, udp_payload};
use crate::through::send_in_one;
use crate::wire::{Kind, RING, Wire};
use crate::{Case, Needs, Outcome};

/// The cases, those among them that are other links' too.
macro_rules! cases {
    ($($case:ident: $run:expr),* $(,)?) => {
        vec![$(
            Case {
                name: concat!("af_packet::listener::", stringify!($case)),
                needs: Needs::Nothing,
                run: $run,
            },
        )*]
    };
}

pub(crate) fn all() -> Vec<Case> {
    cases![
        vlan_tags_are_there: || vlan_tags_are_there(Kind::Listener),
        frames_too_long_are_counted: || frames_too_long_are_counted(Kind::Listener),
        frames_ring_who_sleeps: || frames_ring_who_sleeps(Kind::Listener),
        flows_spread_over_queues_once_each: || flows_spread_over_queues_once_each(Kind::Listener),
        only_what_arrives_is_received: || only_what_arrives_is_received(Kind::Listener),
        what_it_is_to_send_is_dropped_and_counted: drops_what_it_is_to_send,
        a_link_goes_down_and_up_and_away: down_and_up_and_away,
        a_ring_of_blocks_holds_more: holds_more,
        super_frames_are_there_whole: super_frames,
        bursts_allocate_nothing: bursts_allocate_nothing,
        a_sleeping_worker_stays_asleep: sleeps,
    ]
}

/// Gives the kernel the engine's address, as nobody answers for it.
fn known(wire: &Wire, host: &Host) -> Outcome {
    let (mac, device) = (host.nic.mac(), &wire.kernel);
    for address in [wire.engine_v4(), wire.engine_v6()] {
        ip(&format!(
            "neigh replace {address} lladdr {mac} dev {device}"
        ))?;
    }
    Ok(())
}

/// By a worker's own queues, and by a distributor.
fn drops_what_it_is_to_send() -> Outcome {
    for queues in [1, 2] {
        let mut wire = Wire::new(Kind::Listener, queues)?;
        let host = Host::start(&mut wire, 2, Idle::ADAPTIVE)?;
        known(&wire, &host)?;
        let (engine, mut taken) = host.running().stack().udp_socket(UdpBind::new(4000))?;
        let socket = udp(wire.kernel_v4())?;
        for _ in 0..10 {
            // The one is taken; the other is answered, into nothing.
            socket.send_to(b"listen", (wire.engine_v4(), 4000))?;
            socket.send_to(b"answer", Host::echo_v4(&wire))?;
        }
        let mut got = 0;
        eventually("what is sent to it is taken", || {
            for queue in &mut taken {
                while let Some(datagram) = queue.recv() {
                    assert_eq!(datagram.payload(), b"listen");
                    got += 1;
                }
            }
            Ok(got == 10)
        })?;
        let _ = engine.send_to(b"into nothing", socket.local_addr()?);
        eventually("what it is to send is counted", || {
            let totals = host.nic.counters();
            // An echo waits for its neighbor, who is asked for and cannot answer.
            Ok(totals.send_dropped > 0 && totals.received >= 20)
        })?;
        // What the kernel says beside ours may be in a block yet.
        eventually("all that the kernel received is received", || {
            Ok(wire.counter("kernel_received")? == host.nic.counters().received)
        })?;
        let totals = host.nic.counters();
        assert_eq!((totals.sent, totals.balance()), (0, 0), "{totals:?}");
        assert_eq!(host.link_failed(Duration::ZERO), None);
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        assert!(socket.recv(&mut [0; 16]).is_err());
    }
    Ok(())
}

fn down_and_up_and_away() -> Outcome {
    for idle in [Idle::ADAPTIVE, Idle::Interrupt] {
        let mut wire = Wire::new(Kind::Listener, 1)?;
        let host = Host::start(&mut wire, 1, idle)?;
        known(&wire, &host)?;
        let (_socket, mut taken) = host.running().stack().udp_socket(UdpBind::new(4000))?;
        let socket = udp(wire.kernel_v4())?;
        let mut arrives = |what: &str| {
            eventually(what, || {
                socket.send_to(b"listen", (wire.engine_v4(), 4000))?;
                Ok(taken.iter_mut().any(|queue| queue.recv().is_some()))
            })
        };
        arrives("it arrives")?;
        ip(&format!("link set {} down", wire.engine))?;
        assert_eq!(host.link_failed(Duration::from_millis(100)), None);
        ip(&format!("link set {} up", wire.engine))?;
        // The kernel forgets neighbors of a device that had no carrier.
        known(&wire, &host)?;
        arrives("it arrives again")?;
        // What is in a block when the device goes is found after that was told, and says nothing of it.
        socket.send_to(b"last", (wire.engine_v4(), 4000))?;
        ip(&format!("link del {}", wire.engine))?;
        let said = host.removed()?;
        assert!(said.contains("removed"), "{said}");
    }
    Ok(())
}

/// In the memory that holds so many frames of full length: if they come fast enough. A block whose time is over is
/// handed on as it is, and where a machine has something else to do meanwhile, blocks are few.
fn holds_more() -> Outcome {
    const TRIES: usize = 20;
    for _ in 0..TRIES {
        if holds_more_now()? {
            return Ok(());
        }
    }
    Err("frames were dropped each time, though there was room for all".into())
}

/// Whether none was dropped of those that there is room for.
fn holds_more_now() -> Result<bool, Box<dyn std::error::Error>> {
    const MORE: usize = 8 * RING;
    let mut wire = Wire::new(Kind::Listener, 1)?;
    let mut raw = raw::open(&mut wire, 1920)?;
    let socket = udp(wire.kernel_v4())?;
    let to = SocketAddr::new(wire.engine_v4(), 9);
    let number = |frame: &[u8]| {
        let payload = udp_payload(frame.get(14..)?, 9)?;
        payload.try_into().map(u32::from_be_bytes).ok()
    };
    // Nobody looks meanwhile.
    for at in 0..MORE as u32 {
        socket.send_to(&at.to_be_bytes(), to)?;
    }
    let (mut taken, mut got) = (0, Vec::new());
    eventually("all of them arrive or are counted", || {
        let frames = raw.receive(0)?;
        taken += frames.len() as u64;
        got.extend(frames.iter().filter_map(|it| number(it)));
        Ok(got.len() >= MORE || wire.counter("kernel_dropped")? > 0)
    })?;
    if wire.counter("kernel_dropped")? > 0 {
        return Ok(false);
    }
    assert!(
        got.iter().copied().eq(0..MORE as u32),
        "in order, each once"
    );
    // And more than it has room for.
    for at in 0..4 * MORE as u32 {
        socket.send_to(&at.to_be_bytes(), to)?;
    }
    eventually("all that came is received or counted", || {
        taken += raw.receive(0)?.len() as u64;
        // What the kernel says beside ours counts too.
        let received = wire.counter("kernel_received")?;
        let all = taken + wire.counter("kernel_dropped")? == received;
        Ok(all && received >= 5 * MORE as u64)
    })?;
    assert!(wire.counter("kernel_dropped")? > MORE as u64);
    // It goes on at once.
    socket.send_to(&u32::MAX.to_be_bytes(), to)?;
    raw.find(|frame| (number(frame)? == u32::MAX).then_some(()))?;
    Ok(true)
}

fn super_frames() -> Outcome {
    const COUNT: usize = 50;
    let mut wire = Wire::new(Kind::Listener, 1)?;
    let host = Host::start(&mut wire, 1, Idle::ADAPTIVE)?;
    known(&wire, &host)?;
    let bind = UdpBind::new(4000).queue(4 * COUNT);
    let (_socket, mut taken) = host.running().stack().udp_socket(bind)?;
    for (local, to) in [
        (wire.kernel_v4(), wire.engine_v4()),
        (wire.kernel_v6(), wire.engine_v6()),
    ] {
        send_in_one(&udp(local)?, (to, 4000).into(), COUNT)?;
    }
    let mut got = 0;
    eventually("each datagram is taken", || {
        for queue in &mut taken {
            while let Some(datagram) = queue.recv() {
                assert_eq!(datagram.payload().len(), 1200);
                got += 1;
            }
        }
        Ok(got == 2 * COUNT)
    })?;
    assert_eq!(wire.counter("super_frames_received")?, 2);
    assert_eq!(wire.counter("super_frames_dropped")?, 0);
    assert_eq!(host.nic.counters().unpacked, 2 * COUNT as u64);
    // Where slots have no room for them, they are dropped and counted.
    let mut wire = Wire::new(Kind::Listener, 1)?;
    let mut raw = raw::open(&mut wire, 1920)?;
    let socket = udp(wire.kernel_v4())?;
    send_in_one(&socket, SocketAddr::new(wire.engine_v4(), 9), COUNT)?;
    socket.send_to(b"after", (wire.engine_v4(), 9))?;
    raw.find(|frame| (udp_payload(frame.get(14..)?, 9)? == b"after").then_some(()))?;
    assert_eq!(wire.counter("super_frames_dropped")?, 1);
    Ok(())
}

fn bursts_allocate_nothing() -> Outcome {
    let mut wire = Wire::new(Kind::Listener, 1)?;
    let mut raw = raw::open(&mut wire, 1920)?;
    let socket = udp(wire.kernel_v4())?;
    let to = SocketAddr::new(wire.engine_v4(), 9);
    let (mut received, mut burst) = (0, Burst::new());
    for _ in 0..20 {
        for _ in 0..50 {
            socket.send_to(&[1; 300], to)?;
        }
        thread::sleep(Duration::from_millis(25));
        let Raw { cache, queues } = &mut raw;
        let before = alloc_count::this_thread();
        for _ in 0..10 {
            queues.rx[0].rx_burst(cache, &mut burst)?;
            received += burst.len();
            cache.recycle_burst(&mut burst);
            queues.rx[0].has_frames();
        }
        let since = alloc_count::this_thread().since(before);
        assert_eq!((since.allocations, since.frees), (0, 0));
    }
    assert!(alloc_count::installed() && received >= 900, "{received}");
    Ok(())
}

/// While nothing comes, nobody polls.
fn sleeps() -> Outcome {
    let mut wire = Wire::new(Kind::Listener, 1)?;
    let host = Host::start(&mut wire, 1, Idle::Interrupt)?;
    thread::sleep(Duration::from_millis(200));
    let polls = || -> u64 {
        let report = host.running().report();
        report.workers.iter().map(|it| it.polls).sum()
    };
    let before = polls();
    thread::sleep(Duration::from_secs(1));
    let since = polls() - before;
    // A queue that does not ring is looked at 10,000 times.
    assert!(since < 1000, "{since} polls");
    Ok(())
}
