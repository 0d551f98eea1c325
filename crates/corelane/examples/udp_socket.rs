//! A UDP socket on an engine: datagrams come out of its queues, one for each worker, by bursts, and
//! answers go by routes and neighbors.

use std::error::Error;

use corelane::prelude::*;
use corelane::wire::build::build_udp_ipv4;
use corelane::wire::{parse_ethernet, parse_ipv4, parse_udp};

const PEER: MacAddr = MacAddr([2, 0, 0, 0, 0, 9]);

fn main() -> Result<(), Box<dyn Error>> {
    let (link, mut peer) = memory_link(MemoryConfig::default())?;
    let mut builder = Engine::builder();
    let id = builder.nic(NicConfig::new("lan"), Box::new(link));
    let engine = builder.build()?;
    let nic = engine.nic(id).ok_or("a NIC")?;
    nic.add_address("192.0.2.1/24".parse::<Prefix>()?)?;
    engine.stack().add_route(RouteSpec {
        to: "192.0.2.0/24".parse()?,
        via: None,
        nic: id,
        metric: 0,
    })?;
    // Or let it be asked for: see the example `router`.
    engine
        .stack()
        .add_neighbor(id, "192.0.2.9".parse::<std::net::IpAddr>()?, PEER)?;
    let (socket, mut queues) = engine.stack().udp_socket(UdpBind::new(7))?;
    let mut cache = engine.pool().cache();
    let running = engine.start()?;

    let spec = FrameSpec {
        source_mac: PEER,
        destination_mac: nic.mac(),
        source: "192.0.2.9".parse()?,
        destination: "192.0.2.1".parse()?,
        ttl: 64,
    };
    let (source, destination) = (4000, 7);
    let ports = Ports {
        source,
        destination,
    };
    let mut frame = cache.alloc().ok_or("no free frame")?;
    let len = build_udp_ipv4(frame.spare_mut(), &spec, ports, b"hello")?;
    frame.set_len(len)?;
    peer.send(0, &mut Burst::from_iter([frame]));

    // The server: whatever comes is sent back.
    let mut datagrams = DatagramBurst::new();
    while queues
        .iter_mut()
        .all(|it| it.recv_burst(&mut datagrams) == 0)
    {
        std::thread::yield_now();
    }
    for datagram in datagrams.drain(..) {
        let from = datagram.source();
        println!(
            "{from} says {}",
            String::from_utf8_lossy(datagram.payload())
        );
        socket.send_to(datagram.payload(), from)?;
    }

    // The peer: its words come back.
    let mut burst = Burst::new();
    while peer.recv(&mut burst) == 0 {
        std::thread::yield_now();
    }
    let packet = parse_ipv4(parse_ethernet(burst[0].data())?.payload)?;
    let echo = parse_udp(packet.payload)?;
    assert_eq!(
        (echo.payload, echo.destination_port()),
        (&b"hello"[..], 4000)
    );
    println!("and hears {}", String::from_utf8_lossy(echo.payload));
    running.stop();
    Ok(())
}
