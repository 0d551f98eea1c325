//! Sockets, and the NICs around them.

use std::net::SocketAddr;

use corelane::engine::NicConfig;
use corelane::io::memory::{MemoryConfig, MemoryPeer, memory_link};
use corelane::stack::{Datagram, Nic, RouteSpec, SocketQueue, Stack, UdpBind, UdpSocket};
use corelane::wire::MacAddr;

use super::net::prefix;
use super::{Bench, PEER, ip};

pub fn remote(text: &str) -> SocketAddr {
    text.parse().expect("an address and a port")
}

/// A socket, and the queue of the first worker.
pub struct Open {
    pub socket: UdpSocket,
    pub queue: SocketQueue,
}

pub fn open(stack: &Stack, bind: UdpBind) -> Open {
    let (socket, mut queues) = stack.udp_socket(bind).expect("a socket");
    assert!(!queues.is_empty());
    Open {
        socket,
        queue: queues.swap_remove(0),
    }
}

impl Open {
    /// The payloads of what there is.
    pub fn payloads(&mut self) -> Vec<Vec<u8>> {
        let read = self.read().into_iter();
        read.map(|datagram| datagram.payload().to_vec()).collect()
    }

    pub fn read(&mut self) -> Vec<Datagram> {
        std::iter::from_fn(|| self.queue.recv()).collect()
    }

    pub fn count(&mut self) -> usize {
        self.read().len()
    }
}

/// The NIC gets an address of each family.
pub fn add_addresses(bench: &Bench) {
    for address in ["192.0.2.1/24", "2001:db8::1/64"] {
        bench.nic.add_address(prefix(address)).unwrap();
    }
}

/// The NIC gets an address of each family, rows to these networks, and these neighbors.
pub fn furnish(bench: &Bench, networks: [&str; 2], neighbors: &[&str]) {
    add_addresses(bench);
    let (nic, stack) = (&bench.nic, bench.nic.stack());
    for to in networks {
        let route = RouteSpec {
            to: prefix(to),
            via: None,
            nic: nic.id(),
            metric: 0,
        };
        stack.add_route(route).unwrap();
    }
    for address in neighbors {
        stack.add_neighbor(nic.id(), ip(address), PEER).unwrap();
    }
}

/// A bench with a second NIC, which gets the number 1, and 198.51.100.1/24.
pub fn two_nics(furnish: impl FnOnce(&Bench)) -> (Bench, Nic, MemoryPeer) {
    let (link, peer) = memory_link(MemoryConfig {
        mac: Some(MacAddr([2, 0, 0, 0, 0, 3])),
        ..MemoryConfig::default()
    })
    .unwrap();
    let mut second = None;
    let bench = Bench::refusing(|b| second = Some(b.nic(NicConfig::new("second"), Box::new(link))));
    furnish(&bench);
    let id = second.expect("its number");
    let nic = bench.parts.lifecycle.nic(id).expect("the second NIC");
    nic.add_address(prefix("198.51.100.1/24")).unwrap();
    (bench, nic, peer)
}
