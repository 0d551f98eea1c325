//! An engine on a link in memory: a datagram goes in at one end and comes out at a handler.

use std::sync::mpsc::{Sender, channel};
use std::{error::Error, time::Duration};

use corelane::{prelude::*, wire::build::build_udp_ipv4};

/// Each worker has a handler of its own: this one echoes what was sent.
struct Echoing(Sender<String>);

impl Handler for Echoing {
    fn packet(&mut self, packet: &mut Packet<'_>) {
        if let Some(datagram) = packet.udp() {
            let said = String::from_utf8_lossy(datagram.payload);
            drop(self.0.send(format!("{} says {said}", packet.source())));
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let (link, mut peer) = memory_link(MemoryConfig::default())?;
    let (echo, echoes) = channel();
    let mut builder = Engine::builder();
    builder.handler(move |_worker| Echoing(echo.clone()));
    let id = builder.nic(NicConfig::new("lan"), Box::new(link));
    let engine = builder.build()?;
    let nic = engine.nic(id).ok_or("no such NIC")?.clone();
    nic.add_address("192.0.2.1/24".parse::<Prefix>()?)?;
    let mut frame = engine.pool().cache().alloc().ok_or("no free frame")?;
    let running = engine.start()?;

    let spec = FrameSpec {
        source_mac: "02:00:00:00:00:09".parse()?,
        destination_mac: "02:00:00:00:00:01".parse()?,
        source: "192.0.2.9".parse()?,
        destination: "192.0.2.1".parse()?,
        ttl: 64,
    };
    let (source, destination) = (4000, 7);
    let ports = Ports {
        source,
        destination,
    };
    let len = build_udp_ipv4(frame.spare_mut(), &spec, ports, b"hello")?;
    frame.set_len(len)?;
    peer.send(0, &mut Burst::from_iter([frame]));

    let echo = echoes.recv_timeout(Duration::from_secs(5))?;
    println!("{echo}");
    assert_eq!(echo, "192.0.2.9 says hello");
    running.stop();
    assert_eq!((nic.counters().received, nic.counters().delivered), (1, 1));
    Ok(())
}
