//! An engine on a link in memory: a datagram reaches a handler, an echo request is answered.

use std::error::Error;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use corelane::prelude::*;
use corelane::wire::build::{build_echo_ipv4, build_udp_ipv4};

/// Tells what was sent to us. Each worker has one of its own.
struct Tell(Sender<String>);

impl Handler for Tell {
    fn packet(&mut self, packet: &mut Packet<'_>) {
        if let Some(datagram) = packet.udp() {
            let text = String::from_utf8_lossy(datagram.payload);
            drop(self.0.send(format!("{}: {text}", packet.source())));
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    // Build: a NIC on a link whose other end we keep, a handler, an address.
    let (link, mut peer) = memory_link(MemoryConfig::default())?;
    let (tell, told) = channel();
    let mut builder = Engine::builder();
    builder.handler(move |_worker| Tell(tell.clone()));
    let lan = builder.nic(NicConfig::new("lan"), Box::new(link));
    let engine = builder.build()?;
    let nic = engine.nic(lan).ok_or("no such NIC")?;
    nic.add_address("192.0.2.1/24".parse::<Prefix>()?)?;
    let mut cache = engine.pool().cache();
    let running = engine.start()?;

    // Send: a datagram and an echo request, from the other end.
    let way = FrameSpec {
        source_mac: "02:00:00:00:00:09".parse()?,
        destination_mac: "02:00:00:00:00:01".parse()?,
        source: "192.0.2.9".parse()?,
        destination: "192.0.2.1".parse()?,
        ttl: 64,
    };
    let echo = Echo {
        kind: EchoKind::Request,
        identifier: 1,
        sequence: 1,
        data: b"anybody there?",
    };
    let ports = Ports {
        source: 4000,
        destination: 7,
    };
    let mut burst = Burst::new();
    cache.alloc_burst(&mut burst, 2);
    let len = build_udp_ipv4(burst[0].spare_mut(), &way, ports, b"hello")?;
    burst[0].set_len(len)?;
    let len = build_echo_ipv4(burst[1].spare_mut(), &way, &echo)?;
    burst[1].set_len(len)?;
    peer.send(0, &mut burst);

    // See: the handler has the one, the stack answered the other.
    assert_eq!(
        told.recv_timeout(Duration::from_secs(5))?,
        "192.0.2.9: hello"
    );
    assert!(running.drain(Duration::from_secs(5)));
    let report = running.stop();
    peer.recv(&mut burst);
    assert!(burst[0].data().ends_with(b"anybody there?"));
    let lan = &report.nics[0].totals;
    println!(
        "received {} = delivered {} + consumed {}",
        lan.received, lan.delivered, lan.consumed
    );
    Ok(())
}
