//! A capture through the engine, with its counters printed.
//!
//! `cargo run -p corelane --example pcap [FILE]`: pcap or pcapng; without a file, a small capture
//! made on the spot.

use std::error::Error;
use std::thread;
use std::time::Duration;

use corelane::frame::MAX_SLOT_SIZE;
use corelane::io::pcap::PcapWriter;
use corelane::prelude::*;
use corelane::wire::build::{build_echo_ipv4, build_udp_ipv4};

fn main() -> Result<(), Box<dyn Error>> {
    let capture = match std::env::args_os().nth(1) {
        Some(path) => Capture::open(path)?,
        None => Capture::from_bytes("made up", made_up()?)?,
    };
    println!("{}: {:?}", capture.name(), capture.counts());
    println!("end: {:?}", capture.end());
    let packets = capture.counts().packets;

    let mut builder = Engine::builder();
    builder
        .pool(pool_for(&capture))
        // As fast as the worker takes them, and none lost on the way to it.
        .when_full(WhenFull::Wait);
    let id = builder.nic(NicConfig::new("capture"), Box::new(PcapLink::new(capture)));
    let engine = builder.build()?;
    let nic = engine.nic(id).ok_or("no such NIC")?.clone();
    // Whoever the packets were for, they are for us.
    nic.set_promiscuous(true)?;

    let running = engine.start()?;
    while !running.finished() {
        thread::sleep(Duration::from_millis(1));
    }
    let report = running.stop();

    let totals = nic.counters();
    println!(
        "received {} = delivered {} + consumed {} + dropped {}",
        totals.received,
        totals.delivered,
        totals.consumed,
        totals.dropped()
    );
    for (reason, count) in totals.drops().filter(|(_, count)| *count > 0) {
        println!("  {count:>8} {}: {}", reason.label(), reason.description());
    }
    println!("sent {} (echo replies)", totals.sent);
    let taken: u64 = report.distributors.iter().map(|d| d.taken).sum();
    if taken < packets {
        println!("{} packets are larger than a slot can be", packets - taken);
    }
    assert_eq!(totals.received, taken);
    assert_eq!(totals.balance(), 0, "every frame is accounted for");
    Ok(())
}

/// A pool whose slots hold the largest packet.
fn pool_for(capture: &Capture) -> PoolConfig {
    let default = PoolConfig::default();
    let largest = capture.packets().map(|packet| packet.len()).max();
    let slot_size = (default.headroom + largest.unwrap_or(0)).next_multiple_of(64);
    PoolConfig {
        slots: 2048,
        slot_size: slot_size.clamp(default.slot_size, MAX_SLOT_SIZE),
        ..default
    }
}

/// A capture of three packets: a datagram, an echo request, and a datagram whose IPv4 header is
/// damaged.
fn made_up() -> Result<Vec<u8>, Box<dyn Error>> {
    let spec = FrameSpec {
        source_mac: "02:00:00:00:00:09".parse()?,
        destination_mac: "02:00:00:00:00:01".parse()?,
        source: "192.0.2.9".parse()?,
        destination: "192.0.2.1".parse()?,
        ttl: 64,
    };
    let ports = Ports {
        source: 4000,
        destination: 7,
    };
    let echo = Echo {
        kind: EchoKind::Request,
        identifier: 1,
        sequence: 1,
        data: b"anybody there?",
    };
    let mut file = PcapWriter::new(Vec::new())?;
    let mut frame = [0; 128];
    let len = build_udp_ipv4(&mut frame, &spec, ports, b"hello")?;
    file.write(0, &frame[..len])?;
    // The time to live: the checksum is wrong now.
    frame[22] ^= 1;
    file.write(1_000_000, &frame[..len])?;
    let len = build_echo_ipv4(&mut frame, &spec, &echo)?;
    file.write(2_000_000, &frame[..len])?;
    Ok(file.into_inner()?)
}
