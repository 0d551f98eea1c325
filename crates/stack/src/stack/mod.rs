//! What the NICs of an engine share (netstack's `Stack`): routes, neighbors, sockets, path MTUs, packet
//! endpoints of all NICs, and the limits of ICMP errors and reassembly.
//!
//! As with a NIC there are two sides. [`Stack`] is the control plane: ordinary calls from any thread.
//! [`StackDatapath`] is what a worker has of it.
//!
//! ```text
//!   lock of            is taken inside that of
//!   a NIC's control    that of the packet endpoints
//!   packet endpoints   nothing
//!   the fib            nothing
//!   path MTUs, registry, seats     any of them; held for moments, nothing is called under them
//! ```
//!
//! Nothing is sent, and no NIC's lock is taken, while the fib's lock is held: what neighbors' timers
//! and messages bring about is done after it was released.
#![expect(
    clippy::disallowed_types,
    reason = "serialises the control plane; no worker takes these locks"
)]

mod call;
mod config;
mod datapath;
mod errors_received;
mod fib;
mod neighbors;
mod routes;
mod wait;
mod waited;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use corelane_frame::Pool;
use corelane_sync::seat::{Seat, SeatPlan};
use corelane_sync::snapshot::Handle;
use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;

use crate::clock::{Clock, Time};
use crate::demux::Demux;
use crate::event::EventSender;
use crate::icmp_limit::{IcmpLimit, IcmpLimiter};
use crate::nic::{NicId, NicShared};
use crate::packet_endpoint::{
    PacketEndpoint, PacketEndpointConfig, PacketEndpointError, PacketProtocol, PacketQueue,
    RegisterPacketEndpointError,
};
use crate::path_mtu::{PathMtu, PathMtuCache};
use crate::sent_packets::{SentKind, SentPackets};

use call::ControlCall;
pub use config::{StackConfig, StackError, StackParts};
pub use datapath::{Adjacency, FibDatapath, NeighborId, SocketWriter, StackDatapath};
pub(crate) use fib::{Fib, FibSnapshot, Pending};
pub use neighbors::{AddNeighborError, Resolution};
pub(crate) use routes::longest_packet;
pub use routes::{RouteSpec, RoutesError, RoutesTransaction};
pub use wait::NeighborWait;

/// The handle: clones are of the same stack.
#[derive(Clone)]
pub struct Stack {
    shared: Arc<StackShared>,
}

pub(crate) struct StackShared {
    pub(crate) config: StackConfig,
    pub(crate) clock: Clock,
    pub(crate) events: EventSender,
    pub(crate) pool: Pool,
    /// Where datagrams are put together.
    jumbo: Pool,
    nics: Mutex<BTreeMap<NicId, Weak<NicShared>>>,
    fib: Mutex<Fib>,
    fibs: Handle<FibSnapshot>,
    demux: Demux,
    path_mtus: Mutex<PathMtuCache>,
    /// What errors about path MTUs can be about.
    sent: Mutex<SentPackets>,
    pub(crate) seat_plan: SeatPlan,
    /// Makes the numbers of datagrams that are sent in fragments.
    identifications: SeedableRandomState,
    /// The workers' seats that no worker has taken.
    seats: Mutex<Vec<Option<Seat>>>,
    /// The seat of threads that are no workers.
    control_seat: Mutex<Seat>,
    icmp_limit: IcmpLimit,
    /// Of the errors that the control plane sends.
    limiter: Mutex<IcmpLimiter>,
    /// Registered with all NICs, those to come included.
    taps: Mutex<Vec<(PacketProtocol, PacketEndpoint)>>,
    /// Who waits for a neighbor.
    waiters: Mutex<wait::Waiters>,
    pub(crate) call: ControlCall,
}

static SHARED_SEED: SharedSeed = SharedSeed::from_u64(0x6672_6167_6d65_6e74);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that is called under these locks leaves half a change behind.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stack {
    /// A stack without NICs.
    ///
    /// # Errors
    /// [`StackError`].
    pub fn new(parts: StackParts) -> Result<Self, StackError> {
        let StackParts {
            config,
            workers,
            clock,
            events,
            pool,
        } = parts;
        let jumbo = Pool::new(config.reassembly.pool_config(workers))?;
        let seed = config.seed.unwrap_or_else(crate::nic::random_seed);
        // One for each worker, and one for all other threads.
        let (seat_plan, mut seats) = SeatPlan::mint(workers + 1);
        let control_seat = seats.pop().ok_or(StackError::NoWorker)?;
        let fib = Fib::new(seed);
        let icmp_limit = IcmpLimit::new(config.icmp_rate, config.icmp_burst, workers);
        let shared = StackShared {
            fibs: fib.handle(),
            fib: Mutex::new(fib),
            demux: Demux::new(seed),
            path_mtus: Mutex::new(PathMtuCache::new(config.path_mtus)),
            sent: Mutex::new(SentPackets::new(config.path_mtus)),
            identifications: SeedableRandomState::with_seed(seed ^ 2, &SHARED_SEED),
            limiter: Mutex::new(icmp_limit.of_control(seed.wrapping_add(workers as u64))),
            icmp_limit,
            config,
            clock,
            events,
            pool,
            jumbo,
            nics: Mutex::default(),
            seat_plan,
            seats: Mutex::new(seats.into_iter().map(Some).collect()),
            control_seat: Mutex::new(control_seat),
            taps: Mutex::default(),
            waiters: Mutex::default(),
            call: ControlCall::default(),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    pub(crate) fn shared(&self) -> &Arc<StackShared> {
        &self.shared
    }

    /// What time it is, by the clock of its timers.
    pub fn now(&self) -> Time {
        self.shared.clock.now()
    }

    /// Whether its clock is set by hand.
    pub fn has_manual_clock(&self) -> bool {
        self.shared.clock.is_manual()
    }

    /// The sockets.
    pub fn demux(&self) -> &Demux {
        &self.shared.demux
    }

    /// Makes a packet endpoint, with the queues that its frames come out of: one for each worker, in
    /// their order, and a last one for what other threads send. It is shown nothing before it is
    /// registered.
    ///
    /// # Errors
    /// [`PacketEndpointError`].
    pub fn packet_endpoint(
        &self,
        config: PacketEndpointConfig,
    ) -> Result<(PacketEndpoint, Vec<PacketQueue>), PacketEndpointError> {
        PacketEndpoint::new(config, &self.shared.seat_plan, &self.shared.clock)
    }

    /// Registers a packet endpoint with every NIC there is, and with those that come later (BEHAVIOURS
    /// H10).
    ///
    /// # Errors
    /// [`RegisterPacketEndpointError::OtherStack`]; it is registered with none then.
    pub fn register_packet_endpoint(
        &self,
        protocol: PacketProtocol,
        endpoint: &PacketEndpoint,
    ) -> Result<(), RegisterPacketEndpointError> {
        if !endpoint.is_of(&self.shared.seat_plan) {
            return Err(RegisterPacketEndpointError::OtherStack);
        }
        // Held throughout: a NIC that is being made is registered with once, here or by itself.
        let mut taps = lock(&self.shared.taps);
        taps.push((protocol, endpoint.clone()));
        for nic in self.shared.nics() {
            // One that is gone by now is none.
            let _ = crate::Nic::from_shared(nic).register_packet_endpoint(protocol, endpoint);
        }
        Ok(())
    }

    /// Takes one [`register_packet_endpoint`](Self::register_packet_endpoint) back, on every NIC; one
    /// that is not registered is left as it is.
    pub fn unregister_packet_endpoint(&self, protocol: PacketProtocol, endpoint: &PacketEndpoint) {
        let mut taps = lock(&self.shared.taps);
        let at = taps
            .iter()
            .position(|(it, other)| *it == protocol && other.is(endpoint));
        let Some(at) = at else {
            return;
        };
        taps.remove(at);
        for nic in self.shared.nics() {
            let _ = crate::Nic::from_shared(nic).unregister_packet_endpoint(protocol, endpoint);
        }
    }

    /// Where datagrams that come in fragments are put together: to see how many are.
    pub fn reassembly_pool(&self) -> &Pool {
        &self.shared.jumbo
    }

    /// What is known of the MTU of the path to `remote`, because a router reported it (RFC 1191, RFC
    /// 8201).
    pub fn path_mtu(&self, remote: impl Into<IpAddr>) -> Option<usize> {
        self.shared.path_mtu(remote.into())
    }

    /// The path MTUs that routers reported, by address.
    pub fn path_mtus(&self) -> Vec<PathMtu> {
        let mut list: Vec<_> = lock(&self.shared.path_mtus).list(self.now()).collect();
        list.sort_unstable_by_key(|it| it.remote);
        list
    }

    /// What one worker has of it.
    ///
    /// # Errors
    /// [`StackError::NoWorker`] if there is no worker of this number, or it has its own already;
    /// [`StackError::Reassembly`].
    pub fn datapath(&self, worker: usize) -> Result<StackDatapath, StackError> {
        let mut seats = lock(&self.shared.seats);
        let seat = seats
            .get_mut(worker)
            .and_then(Option::take)
            .ok_or(StackError::NoWorker)?;
        drop(seats);
        StackDatapath::new(self.clone(), seat, worker)
    }

    /// Takes every step that is due of what the NICs share, and returns when to call again. The
    /// engine's control thread calls this.
    pub fn poll(&self) -> Option<Time> {
        self.poll_neighbors()
    }

    /// Frees what no worker can see any more; returns how many versions wait for a worker to go on.
    /// The engine's control thread calls this.
    pub fn reclaim(&self) -> usize {
        self.shared.look_at_fib(|fib, _| fib.pending()) + self.shared.demux.reclaim()
    }
}

impl StackShared {
    /// The NIC of this number, if it is there.
    pub(crate) fn nic(&self, id: NicId) -> Option<Arc<NicShared>> {
        lock(&self.nics).get(&id)?.upgrade()
    }

    /// All NICs, by number.
    pub(crate) fn nics(&self) -> Vec<Arc<NicShared>> {
        let nics = lock(&self.nics);
        nics.values().filter_map(Weak::upgrade).collect()
    }

    /// Whether an address is one of this host's.
    pub(crate) fn is_own(&self, address: IpAddr) -> bool {
        self.nics()
            .into_iter()
            .any(|nic| crate::Nic::from_shared(nic).has_address(address))
    }

    pub(crate) fn path_mtu(&self, remote: IpAddr) -> Option<usize> {
        Some(self.path(remote)?.mtu)
    }

    /// What routers reported of the path to `remote`.
    pub(crate) fn path(&self, remote: IpAddr) -> Option<PathMtu> {
        lock(&self.path_mtus).path(remote, self.clock.now())
    }

    pub(crate) fn path_mtus(&self) -> MutexGuard<'_, PathMtuCache> {
        lock(&self.path_mtus)
    }

    /// A packet of so many bytes is sent.
    pub(crate) fn note_sent(&self, kind: SentKind, len: usize) {
        let now = self.clock.now();
        lock(&self.sent).add(kind, len, now);
    }

    /// Whether a packet of this kind, and no shorter, was sent lately.
    pub(crate) fn has_sent(&self, kind: &SentKind, len: usize) -> bool {
        let now = self.clock.now();
        lock(&self.sent).has(kind, len, now)
    }

    /// The seat of threads that are no workers, for a moment.
    pub(crate) fn control_seat(&self) -> MutexGuard<'_, Seat> {
        lock(&self.control_seat)
    }

    /// The plan of the seats that show packet endpoints frames.
    pub(crate) fn seat_plan(&self) -> &SeatPlan {
        &self.seat_plan
    }

    pub(crate) fn demux(&self) -> &Demux {
        &self.demux
    }
}
