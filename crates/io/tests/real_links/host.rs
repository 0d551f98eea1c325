//! An engine on a wire, with an address of each family and a UDP echo on port 7.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use corelane_engine::{Engine, Idle, NicConfig, Running};
use corelane_stack::{
    DatagramBurst, Event, Nic, NicId, Prefix, RouteSpec, SocketQueue, UdpBind, UdpSocket,
};
use corelane_sync::doorbell::{Doorbell, doorbell};

use crate::kernel::PATIENCE;
use crate::wire::Wire;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

pub(crate) const ECHO: u16 = 7;

pub(crate) struct Host {
    pub(crate) running: Option<Running>,
    pub(crate) nic: Nic,
    pub(crate) id: NicId,
    stop: Arc<AtomicBool>,
    bell: Doorbell,
    echo: Option<JoinHandle<()>>,
}

impl Host {
    /// Starts an engine on the wire, and then has the kernel use its end.
    pub(crate) fn start(wire: &mut Wire, workers: usize, idle: Idle) -> Result<Self> {
        let mut builder = Engine::builder();
        builder.workers(workers).idle(idle);
        let link = wire.link.take().ok_or("the link is in use")?;
        let id = builder.nic(NicConfig::new("wire"), link);
        let engine = builder.build()?;
        let nic = engine.nic(id).ok_or("no NIC")?;
        for (address, len) in [(wire.engine_v4(), 24), (wire.engine_v6(), 64)] {
            let prefix: Prefix = format!("{address}/{len}").parse()?;
            nic.add_address(prefix)?;
            engine.stack().add_route(RouteSpec {
                to: prefix.network(),
                via: None,
                nic: id,
                metric: 0,
            })?;
        }
        let (bell, mut sleeper) = doorbell();
        let (socket, mut queues) = engine
            .stack()
            .udp_socket(UdpBind::new(ECHO).bell(bell.clone()))?;
        let running = engine.start()?;
        let stop = Arc::<AtomicBool>::default();
        let stopping = Arc::clone(&stop);
        let echo = thread::spawn(move || {
            while !stopping.load(Ordering::Acquire) {
                if !answer(&socket, &mut queues) {
                    sleeper.sleep(None, || {
                        stopping.load(Ordering::Acquire)
                            || queues.iter_mut().any(|it| !it.is_empty())
                    });
                }
            }
        });
        wire.up()?;
        Ok(Self {
            running: Some(running),
            nic,
            id,
            stop,
            bell,
            echo: Some(echo),
        })
    }

    pub(crate) fn running(&self) -> &Running {
        self.running.as_ref().expect("it runs until it is dropped")
    }

    pub(crate) fn echo_v4(wire: &Wire) -> SocketAddr {
        (wire.engine_v4(), ECHO).into()
    }

    pub(crate) fn echo_v6(wire: &Wire) -> SocketAddr {
        (wire.engine_v6(), ECHO).into()
    }

    /// What the engine says of a link that broke.
    pub(crate) fn link_failed(&self, patience: Duration) -> Option<String> {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.running().events().next_within(left) {
                Some(Event::LinkFailed { error, .. }) => return Some(error),
                Some(_) => {}
                None => return None,
            }
        }
    }

    pub(crate) fn removed(&self) -> Result<String> {
        Ok(self
            .link_failed(PATIENCE)
            .ok_or("the engine did not notice")?)
    }
}

/// Sends back what is there. Whether there was something.
fn answer(socket: &UdpSocket, queues: &mut [SocketQueue]) -> bool {
    let mut datagrams = DatagramBurst::new();
    for queue in queues {
        queue.recv_burst(&mut datagrams);
    }
    let some = !datagrams.is_empty();
    for datagram in datagrams.drain(..) {
        if let Err(error) = socket.send_to(datagram.payload(), datagram.source()) {
            eprintln!("echo to {}: {error}", datagram.source());
        }
    }
    some
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.bell.ring();
        drop(self.echo.take().map(JoinHandle::join));
        drop(self.running.take().map(Running::stop));
    }
}
