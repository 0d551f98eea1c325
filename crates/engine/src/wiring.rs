//! Connecting a NIC's link to the workers.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use corelane_frame::{Frame, Pool};
use corelane_stack::{EventSender, LinkInfo, Nic, NicConfig, NicId, NicParts, QueuedFrames, Stack};
use corelane_sync::doorbell::{Doorbell, doorbell};
use corelane_sync::ring::{Consumer, Producer, RingError, ring};

use crate::command::{TracerEnd, TracerLane, tracers};
use crate::distributor::{Distributor, DistributorParts, DistributorStatus, Lane, WhenFull};
use crate::idle::Idle;
use crate::link::{Link, Queues};
use crate::node::Outlet;
use crate::port::{Port, Ports, Queued, Source};
use crate::report::DistributorMonitor;
use crate::rss::{IndirectionTable, RssKey, Toeplitz};
use crate::trace::Tracer;

/// What all NICs of an engine are connected by.
pub(crate) struct Wiring {
    pub(crate) pool: Pool,
    pub(crate) stack: Stack,
    pub(crate) events: EventSender,
    /// The bell of each worker.
    pub(crate) bells: Vec<Doorbell>,
    pub(crate) ring_capacity: usize,
    pub(crate) idle: Idle,
    pub(crate) when_full: WhenFull,
    /// Whether an only worker is like each of several.
    pub(crate) run_to_completion: bool,
    pub(crate) rss_key: RssKey,
    pub(crate) indirection: IndirectionTable,
}

/// How the distributor of a NIC is to run, if it gets one.
pub(crate) struct Placed {
    pub(crate) core: Option<usize>,
    pub(crate) crowded: bool,
    pub(crate) tracer: Option<Box<dyn Tracer>>,
}

/// A NIC connected.
pub(crate) struct Connection {
    /// One for each worker, in their order.
    pub(crate) ports: Ports,
    pub(crate) distributor: Option<Distributor>,
    pub(crate) handle: Option<DistributorHandle>,
    /// The way of tracers to it.
    pub(crate) tracers: Option<TracerLane>,
    /// All set once the link is at its end.
    pub(crate) ends: Vec<Arc<AtomicBool>>,
}

/// What the control plane has of a distributor.
#[derive(Clone)]
pub(crate) struct DistributorHandle {
    pub(crate) monitor: DistributorMonitor,
    pub(crate) bell: Doorbell,
}

impl Wiring {
    /// A NIC on this link, disabled and not connected.
    pub(crate) fn nic(&self, id: NicId, config: NicConfig, link: &dyn Link) -> Nic {
        Nic::new(NicParts {
            id,
            config,
            link: LinkInfo {
                mac: link.mac(),
                mtu: link.mtu(),
                is_loopback: link.is_loopback(),
            },
            stack: self.stack.clone(),
        })
    }

    /// Whether a distributor has to poll these queues: unless each of several workers (or the only one,
    /// where it runs to completion) has a receive queue and a transmit queue of its own (or there is no
    /// transmit queue at all), or nothing is to be received and each worker has a transmit queue.
    pub(crate) fn needs_distributor(&self, queues: &Queues) -> bool {
        let workers = self.bells.len();
        let sends = queues.tx.len() == workers;
        let of_their_own = queues.rx.len() == workers
            && (workers > 1 || self.run_to_completion)
            && (queues.tx.is_empty() || sends);
        !(of_their_own || (queues.rx.is_empty() && sends))
    }

    /// Connects a NIC's queues to the workers. If there is no memory for the rings, the queues come
    /// back.
    pub(crate) fn connect(
        &self,
        nic: &Nic,
        queues: Queues,
        placed: Placed,
    ) -> Result<Connection, (RingError, Queues)> {
        if self.needs_distributor(&queues) {
            let rings = self.rings(!queues.tx.is_empty());
            match rings.and_then(|rings| Ok((rings, tracers()?))) {
                Ok((rings, tracers)) => {
                    Ok(self.through_distributor(nic, queues, rings, tracers, placed))
                }
                Err(error) => Err((error, queues)),
            }
        } else {
            Ok(self.directly(nic, queues))
        }
    }

    fn directly(&self, nic: &Nic, queues: Queues) -> Connection {
        let mut tx = queues.tx.into_iter();
        let mut rx = queues.rx.into_iter();
        let mut ends = Vec::new();
        let workers = self.bells.iter().enumerate();
        let ports = workers
            .map(|(worker, bell)| {
                let source = rx.next().map_or(Source::Ended, |mut queue| {
                    let rings = queue.ring_on_arrival(bell.clone());
                    Source::Queue { queue, rings }
                });
                let queued = (worker == 0).then(|| {
                    let outbound = nic.outbound();
                    outbound.ring_on_arrival(bell.clone());
                    self.queued(nic, Some(outbound))
                });
                let ended = Arc::<AtomicBool>::default();
                ends.push(Arc::clone(&ended));
                Box::new(Port::new(
                    source,
                    nic.datapath(),
                    tx.next().map_or(Outlet::None, Outlet::Queue),
                    queued,
                    ended,
                ))
            })
            .collect();
        Connection {
            ports,
            distributor: None,
            handle: None,
            tracers: None,
            ends,
        }
    }

    /// What the first worker serves of the NIC's own frames.
    fn queued(&self, nic: &Nic, outbound: Option<QueuedFrames>) -> Queued {
        let looped = nic.looped();
        if let Some(bell) = self.bells.first() {
            looped.ring_on_arrival(bell.clone());
        }
        Queued { looped, outbound }
    }

    /// The rings between a distributor and each worker: from it, and to it if the link can send.
    fn rings(&self, can_send: bool) -> Result<Vec<Rings>, RingError> {
        let make = || {
            let inward = ring(self.ring_capacity)?;
            let outward = can_send.then(|| ring(self.ring_capacity)).transpose()?;
            Ok(Rings { inward, outward })
        };
        self.bells.iter().map(|_| make()).collect()
    }

    fn through_distributor(
        &self,
        nic: &Nic,
        mut queues: Queues,
        rings: Vec<Rings>,
        (tracer_lane, tracer_end): (TracerLane, TracerEnd),
        placed: Placed,
    ) -> Connection {
        let (bell, sleeper) = doorbell();
        let mut rx_rings = true;
        for queue in &mut queues.rx {
            rx_rings &= queue.ring_on_arrival(bell.clone());
        }
        let queued = nic.outbound();
        queued.ring_on_arrival(bell.clone());
        let sleeps = self.idle.sleeps();
        let mut lanes = Vec::new();
        let mut outgoing = Vec::new();
        let mut ports = Vec::new();
        for (worker, (rings, worker_bell)) in rings.into_iter().zip(&self.bells).enumerate() {
            let (producer, consumer) = rings.inward;
            lanes.push(Lane::new(producer, sleeps.then(|| worker_bell.clone())));
            let outlet = rings.outward.map_or(Outlet::None, |(producer, consumer)| {
                outgoing.push(consumer);
                Outlet::Ring(producer, sleeps.then(|| bell.clone()))
            });
            ports.push(Box::new(Port::new(
                Source::Ring(consumer),
                nic.datapath(),
                outlet,
                (worker == 0).then(|| self.queued(nic, None)),
                Arc::default(),
            )));
        }
        let status = Arc::<DistributorStatus>::default();
        let (sent, sent_reader) = nic.sender_counters();
        let (distributor, counters) = Distributor::new(DistributorParts {
            nic: nic.id(),
            core: placed.core,
            rx: queues.rx,
            tx: queues.tx.into_iter().next(),
            lanes,
            outgoing,
            queued,
            toeplitz: Toeplitz::new(&self.rss_key),
            indirection: self.indirection.clone(),
            cache: self.pool.cache(),
            when_full: self.when_full,
            sleeper,
            rings: rx_rings,
            idle: self.idle,
            crowded: placed.crowded,
            events: self.events.clone(),
            status: Arc::clone(&status),
            sent,
            tracer: placed.tracer,
            tracers: tracer_end,
        });
        let ends = vec![Arc::clone(&status.finished)];
        let monitor = DistributorMonitor {
            nic: nic.id(),
            core: placed.core,
            counters,
            sent: sent_reader,
            status,
        };
        Connection {
            ports,
            distributor: Some(distributor),
            handle: Some(DistributorHandle { monitor, bell }),
            tracers: Some(tracer_lane),
            ends,
        }
    }
}

/// The rings between a distributor and a worker.
struct Rings {
    inward: (Producer<Frame>, Consumer<Frame>),
    outward: Option<(Producer<Frame>, Consumer<Frame>)>,
}

impl Connection {
    /// Takes it apart again.
    pub(crate) fn into_queues(self) -> Queues {
        let mut queues = Queues {
            rx: Vec::new(),
            tx: Vec::new(),
        };
        for port in self.ports {
            port.into_queues(&mut queues);
        }
        if let Some(distributor) = self.distributor {
            distributor.into_queues(&mut queues);
        }
        queues
    }
}
