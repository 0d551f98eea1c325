//! A NIC: the handle that the control plane uses, from any thread.
#![expect(
    clippy::disallowed_types,
    reason = "serialises the control plane; no worker takes these locks"
)]

mod settings;
mod shared;

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use corelane_frame::{Frame, Pool};
use corelane_sync::counters::{CounterReader, CounterWriter, counters};
use corelane_sync::refs::AddressKind;
use corelane_wire::{ETHERNET_HEADER_LEN, MacAddr};

use crate::address::{AddressConfig, Family, Key, Prefix, is_mapped};
use crate::clock::Time;
use crate::config::{Forwarding, NicParts, Protocols};
use crate::control::{self, AddressInfo, Control, Progress, Transaction, Verdict};
use crate::counters::{NicCounter, NicTotals};
use crate::datapath::NicDatapath;
use crate::endpoint::{EndpointRef, Endpoints};
use crate::error::{
    AddAddressError, DuplicateDetectedError, EnableError, HoldError, JoinGroupError,
    LeaveGroupError, NicGone, RemoveAddressError,
};
use crate::packet_endpoint::{PacketEndpoint, PacketProtocol, RegisterPacketEndpointError, Taps};
use crate::protocol_counters::{ProtocolCounter, ProtocolCounters};
use crate::queue::{FrameQueue, Queue, QueuedFrames};
use crate::stack::{Stack, StackShared};
pub(crate) use settings::Settings;
use shared::InTransaction;
pub(crate) use shared::NicShared;

/// The number of a NIC in its engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NicId(pub u16);

impl fmt::Display for NicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A seed nobody can guess, from the standard library's source of hash seeds.
pub(crate) fn random_seed() -> u64 {
    RandomState::new().hash_one(0)
}

/// The largest network packet that a frame of the pool holds, in bytes.
fn largest_packet(pool: &Pool) -> usize {
    let config = pool.config();
    config
        .slot_size
        .saturating_sub(config.headroom + ETHERNET_HEADER_LEN)
}

/// A link address of nobody's (IEEE 802: locally administered, one station's) for a link that has
/// none.
fn made_up_mac(seed: u64) -> MacAddr {
    let mut octets = [0x02; 6];
    fastrand::Rng::with_seed(seed).fill(&mut octets[1..]);
    MacAddr(octets)
}

/// A NIC, for the control plane: a handle that can be cloned and used from any thread.
///
/// Calls are serialised by one lock per NIC, which no worker takes. A change is in effect when the
/// call returns, and every worker sees it from its next burst (a removed address at once).
#[derive(Clone)]
pub struct Nic {
    shared: Arc<NicShared>,
}

impl Nic {
    /// A NIC without addresses, disabled.
    pub fn new(parts: NicParts) -> Self {
        let NicParts {
            id,
            config,
            link,
            stack,
        } = parts;
        let StackShared {
            pool,
            clock,
            events,
            ..
        } = &**stack.shared();
        let seed = config.seed.unwrap_or_else(random_seed);
        // What does not fit a frame could be tried for ever.
        let largest = largest_packet(pool);
        let settings = Arc::new(Settings {
            id,
            name: config.name,
            mac: config.mac.or(link.mac).unwrap_or_else(|| made_up_mac(seed)),
            mtu: config.mtu.unwrap_or(link.mtu).min(link.mtu).min(largest),
            is_loopback: link.is_loopback,
            protocols: config.protocols,
            // On a loopback link there is nobody who could have an address too.
            ndp: (config.ndp.transmits > 0 && !link.is_loopback).then_some(config.ndp),
            link_local: config.link_local,
            multicast_loop: config.multicast_loop,
            announces: config.arp_announcements && !link.is_loopback,
            forwarding: config.forwarding,
            neighbors: config.neighbors,
            igmp: config.igmp.filter(|_| !link.is_loopback),
            mld: config.mld.filter(|_| !link.is_loopback),
            seed,
        });
        let protocol_counters = Arc::new(ProtocolCounters::new());
        let control = Control::new(
            Arc::clone(&settings),
            seed,
            events.clone(),
            Arc::clone(&protocol_counters),
        );
        let (frames, clock) = (pool.cache(), clock.clone());
        let shared = NicShared {
            settings,
            endpoints: Endpoints::new(),
            snapshots: control.handle(),
            stack,
            clock,
            control: Mutex::new(control),
            gone: AtomicBool::new(false),
            counters: Mutex::default(),
            protocol_counters,
            frames: Mutex::new(frames),
            outbound: FrameQueue::new(),
            looped: FrameQueue::new(),
        };
        let nic = Self {
            shared: Arc::new(shared),
        };
        nic.shared.stack.shared().nic_created(&nic);
        nic
    }

    pub(crate) fn from_shared(shared: Arc<NicShared>) -> Self {
        Self { shared }
    }

    pub(crate) fn shared(&self) -> &Arc<NicShared> {
        &self.shared
    }

    /// The number.
    pub fn id(&self) -> NicId {
        self.shared.id()
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.shared.settings.name
    }

    /// The link address it sends from.
    pub fn mac(&self) -> MacAddr {
        self.shared.settings.mac
    }

    /// The largest network packet it sends, in bytes: what is configured, what the link takes, or
    /// what a frame of the pool holds, whichever is least.
    pub fn mtu(&self) -> usize {
        self.shared.settings.mtu
    }

    /// Whether its link is a loopback.
    pub fn is_loopback(&self) -> bool {
        self.shared.settings.is_loopback
    }

    /// The network protocols it speaks.
    pub fn protocols(&self) -> Protocols {
        self.shared.settings.protocols
    }

    /// Makes several changes with one publish: workers see them together, from their next burst
    /// ([`Transaction`] names the exceptions). The publish happens when `change` returns (or
    /// panics: what it did until then stays).
    ///
    /// # Errors
    /// [`NicGone`]; `change` was not called.
    ///
    /// Transactions of different NICs may be nested, but everywhere in the same order: two threads
    /// that nest them crosswise wait for each other for ever.
    ///
    /// # Panics
    /// If `change` makes another control call on the same NIC; the transaction has what it needs.
    pub fn transaction<R>(
        &self,
        change: impl FnOnce(&mut Transaction<'_>) -> R,
    ) -> Result<R, NicGone> {
        if self.shared.is_gone() {
            return Err(NicGone(self.id()));
        }
        let (result, due) = self.changed(|transaction| {
            if transaction.control.is_gone() {
                return Err(NicGone(self.id()));
            }
            Ok(change(transaction))
        });
        if due {
            self.poll();
        }
        result
    }

    /// Makes a change under the lock and sends, after it is released, what that brought about.
    /// Returns whether there is something due now.
    fn changed<R>(&self, change: impl FnOnce(&mut Transaction<'_>) -> R) -> (R, bool) {
        let mut control = self.shared.control();
        let now = self.shared.clock.now();
        let result = {
            let _mark = InTransaction::of(&self.shared);
            let mut transaction = Transaction::new(&mut control, &self.shared.endpoints, now);
            change(&mut transaction)
        };
        let messages = control.take_messages();
        let due = control.next_deadline().is_some_and(|due| due <= now);
        let error_sources_changed = control.take_error_sources_changed();
        drop(control);
        if error_sources_changed {
            self.shared.stack.shared().note_error_sources(&self.shared);
        }
        if !messages.is_empty() {
            self.shared.transmit(messages);
        }
        // Something may be due earlier than whoever waits for it knows.
        self.shared.stack.shared().call.call();
        (result, due)
    }

    /// A change that input from the link brings about.
    pub(crate) fn locked<R>(&self, change: impl FnOnce(&mut Transaction<'_>) -> R) -> R {
        let (result, due) = self.changed(change);
        if due {
            self.poll();
        }
        result
    }

    /// Lets the groups' protocols deal with a message.
    pub(crate) fn on_groups(&self, change: impl FnOnce(&mut Control, Time)) -> Verdict {
        let now = self.shared.clock.now();
        change(&mut self.shared.control(), now);
        self.poll();
        Verdict::Noted
    }

    /// Takes every step that is due: probes and the assignment of addresses, reports of groups.
    /// Sends without the lock. Returns when to call again, if anything is under way.
    ///
    /// The engine's control thread calls this; control plane calls do it in passing.
    pub fn poll(&self) -> Option<Time> {
        loop {
            {
                let control = self.shared.control();
                let next = control.next_deadline();
                if next.is_none_or(|due| due > self.shared.clock.now()) {
                    return next;
                }
            }
            let room = self.shared.outbound.room();
            let (progress, _) = self.changed(|transaction| transaction.run_due(room));
            match progress {
                Progress::Done => {}
                Progress::More => return Some(self.shared.clock.now()),
                // The queue is full: whoever empties it needs a moment.
                Progress::NoRoom => return Some(self.shared.clock.now() + SOON),
            }
        }
    }

    /// Deals with a frame that a worker handed over to the control plane: a message of neighbor
    /// discovery, IGMP or MLD.
    pub fn control_input(&self, frame: &Frame) -> Verdict {
        control::control_input(self, frame)
    }

    /// Enables the NIC (that of an engine is enabled by its lifecycle, which also opens and connects
    /// the link): it receives and sends, is in the groups that every host is in, gives itself
    /// a link-local address if it is to have one, and probes its IPv6 addresses. One that is
    /// enabled already is left as it is.
    ///
    /// # Errors
    /// [`EnableError`]; nothing was changed.
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method is for transactions of one lifetime, the closure for all"
    )]
    pub fn enable(&self) -> Result<(), EnableError> {
        let result = self.transaction(|tx| tx.enable())?;
        self.shared.stack.shared().nic_changed(&self.shared);
        result
    }

    /// Disables the NIC: what arrives is dropped as `nic_disabled`, nothing can be sent. It tells
    /// its routers that it leaves its groups. Addresses, joins and modes stay.
    ///
    /// # Errors
    /// [`NicGone`].
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method is for transactions of one lifetime, the closure for all"
    )]
    pub fn disable(&self) -> Result<(), NicGone> {
        self.transaction(|tx| tx.disable())?;
        self.shared.stack.shared().nic_changed(&self.shared);
        Ok(())
    }

    /// Removes the NIC: as [`disable`](Self::disable), and all its addresses, groups and ranges go.
    /// References to its endpoints stay valid, as those of removed addresses; every later change
    /// fails with [`NicGone`]. It does not come back.
    ///
    /// # Errors
    /// [`NicGone`] if it was removed before.
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method is for transactions of one lifetime, the closure for all"
    )]
    pub fn remove(&self) -> Result<(), NicGone> {
        self.transaction(|tx| tx.remove())?;
        self.shared.gone.store(true, Ordering::Release);
        self.shared.stack.shared().nic_removed(&self.shared);
        // Last: what it had to say at the end is shown.
        self.changed(|tx| tx.change_taps(|taps| *taps = Taps::default()));
        Ok(())
    }

    /// Drops what nobody will take out of its queues any more, and returns how many frames that
    /// were. For the engine, once a removed NIC is off every worker.
    pub fn clear_queues(&self) -> usize {
        // The counterpart is in `push`.
        std::sync::atomic::fence(Ordering::SeqCst);
        self.shared.outbound.clear() + self.shared.looped.clear()
    }

    /// Whether it is enabled.
    pub fn is_enabled(&self) -> bool {
        self.shared.snapshots.load().enabled
    }

    /// Whether it was removed.
    pub fn is_gone(&self) -> bool {
        self.shared.is_gone()
    }

    /// Adds an address (BEHAVIOURS A3–A7). An IPv6 address of a NIC with duplicate address detection
    /// is tentative first: [`Event::AddressAssigned`](crate::Event::AddressAssigned) or
    /// [`Event::DuplicateAddress`](crate::Event::DuplicateAddress) tells what came of it.
    ///
    /// # Errors
    /// [`AddAddressError`].
    pub fn add_address(&self, address: impl Into<AddressConfig>) -> Result<(), AddAddressError> {
        self.transaction(|tx| tx.add_address(address))?
    }

    /// Removes an address: no packet whose lookup starts after the return is accepted for it,
    /// unless the NIC is promiscuous. References to it stay valid (BEHAVIOURS A15–A17).
    ///
    /// # Errors
    /// [`RemoveAddressError`].
    pub fn remove_address(&self, address: impl Into<IpAddr>) -> Result<(), RemoveAddressError> {
        self.transaction(|tx| tx.remove_address(address))?
    }

    /// Accepts packets for a whole subnet, except its first and last address, without owning the
    /// addresses (BEHAVIOURS D2–D5). The same range may be added more than once.
    ///
    /// # Errors
    /// [`NicGone`].
    pub fn add_range(&self, range: Prefix) -> Result<(), NicGone> {
        self.transaction(|tx| tx.add_range(range))
    }

    /// Takes a range back, however often it was added.
    ///
    /// # Errors
    /// [`NicGone`].
    pub fn remove_range(&self, range: Prefix) -> Result<(), NicGone> {
        self.transaction(|tx| tx.remove_range(range))
    }

    /// Accepts packets for every address, or no longer.
    ///
    /// # Errors
    /// [`NicGone`].
    pub fn set_promiscuous(&self, on: bool) -> Result<(), NicGone> {
        self.transaction(|tx| tx.set_promiscuous(on))
    }

    /// Lets any address be held as a local one, or no longer.
    ///
    /// # Errors
    /// [`NicGone`].
    pub fn set_spoofing(&self, on: bool) -> Result<(), NicGone> {
        self.transaction(|tx| tx.set_spoofing(on))
    }

    /// Sends on what arrives for other hosts, by the routes of the stack, or no longer. While it does,
    /// enabled or not, it is in the groups of all routers of the family, as netstack's NICs are:
    /// 224.0.0.2 (IANA); ff01::2, ff02::2 and ff05::2 (RFC 4291 section 2.8). Workers see both
    /// together.
    ///
    /// # Errors
    /// [`NicGone`].
    pub fn set_forwarding(&self, forwarding: Forwarding) -> Result<(), NicGone> {
        self.transaction(|tx| tx.set_forwarding(forwarding))
    }

    /// What it sends on of what arrives for other hosts.
    pub fn forwarding(&self) -> Forwarding {
        self.shared.snapshots.load().forwarding
    }

    /// Joins a group: packets for it are taken from now on, and multicast routers are told, if the
    /// NIC does that. Joins are counted.
    ///
    /// # Errors
    /// [`JoinGroupError`].
    pub fn join_group(&self, group: impl Into<IpAddr>) -> Result<(), JoinGroupError> {
        self.transaction(|tx| tx.join_group(group))?
    }

    /// Takes one join back; with the last one the group is left, unless the NIC is in it on its own
    /// account ([`GroupInfo::own`]).
    ///
    /// # Errors
    /// [`LeaveGroupError`].
    pub fn leave_group(&self, group: impl Into<IpAddr>) -> Result<(), LeaveGroupError> {
        self.transaction(|tx| tx.leave_group(group))?
    }

    /// The groups it is in, by address.
    pub fn groups(&self) -> Vec<GroupInfo> {
        let control = self.shared.control();
        let mut groups: Vec<GroupInfo> = control.group_list();
        groups.sort_unstable_by_key(|info| info.group);
        groups
    }

    /// Has a packet endpoint shown the frames of a protocol, from the next burst of each worker on;
    /// once more, if it is registered for it already (BEHAVIOURS H2).
    ///
    /// # Errors
    /// [`RegisterPacketEndpointError`].
    pub fn register_packet_endpoint(
        &self,
        protocol: PacketProtocol,
        endpoint: &PacketEndpoint,
    ) -> Result<(), RegisterPacketEndpointError> {
        if !endpoint.is_of(self.stack().shared().seat_plan()) {
            return Err(RegisterPacketEndpointError::OtherStack);
        }
        self.transaction(|tx| tx.change_taps(|taps| taps.register(protocol, endpoint)))?;
        Ok(())
    }

    /// Takes one registration of a packet endpoint back, the first for this protocol; one that is not
    /// registered is left as it is. A burst that is in work may still be shown (BEHAVIOURS H7).
    ///
    /// # Errors
    /// [`NicGone`].
    pub fn unregister_packet_endpoint(
        &self,
        protocol: PacketProtocol,
        endpoint: &PacketEndpoint,
    ) -> Result<(), NicGone> {
        self.transaction(|tx| {
            tx.change_taps(|taps| {
                taps.unregister(protocol, endpoint);
            });
        })
    }

    /// The stack it is a NIC of.
    pub fn stack(&self) -> &Stack {
        &self.shared.stack
    }

    /// Whether the NIC has the address, tentative or not.
    pub fn has_address(&self, address: impl Into<IpAddr>) -> bool {
        let address = address.into();
        let kind = self
            .shared
            .snapshots
            .load()
            .kind(&self.shared.endpoints, Key::from(address));
        !is_mapped(address) && kind.is_some_and(AddressKind::is_permanent)
    }

    /// The address that packets to `remote` are sent from unless another one is named.
    pub fn source_address(&self, remote: IpAddr) -> Option<IpAddr> {
        let mut control = self.shared.control();
        let index = control.source_for(&self.shared.endpoints, remote)?;
        Some(self.shared.endpoints.at(index).address())
    }

    /// Whether packets for `group` are taken.
    pub fn is_in_group(&self, group: impl Into<IpAddr>) -> bool {
        let group = group.into();
        !is_mapped(group) && self.shared.snapshots.load().groups.contains(group.into())
    }

    /// Whether the NIC takes packets for `address` or could send from it: its own, one that
    /// somebody holds, any one in a range, and on a spoofing NIC every one (netstack's
    /// `CheckLocalAddress`, BEHAVIOURS D11, D12). Nothing is made for it.
    pub fn is_local(&self, address: impl Into<IpAddr>) -> bool {
        let address = address.into();
        !is_mapped(address) && control::is_local(&self.shared, address.into())
    }

    /// Whether the NIC has the address and it is being probed (BEHAVIOURS G14).
    ///
    /// # Errors
    /// [`NicGone`].
    pub fn is_tentative(&self, address: impl Into<IpAddr>) -> Result<bool, NicGone> {
        let address = address.into();
        if self.is_gone() {
            return Err(NicGone(self.id()));
        }
        let key = Key::from(address);
        let snapshot = self.shared.snapshots.load();
        let endpoints = &self.shared.endpoints;
        let kind = snapshot.kind(endpoints, key);
        Ok(!is_mapped(address) && kind == Some(AddressKind::PermanentTentative))
    }

    /// Gives a tentative address up: the embedder has learned that somebody else has it
    /// (netstack's `DupTentativeAddrDetected`, BEHAVIOURS G6).
    ///
    /// # Errors
    /// [`DuplicateDetectedError`].
    pub fn duplicate_detected(
        &self,
        address: impl Into<IpAddr>,
        offender: Option<MacAddr>,
    ) -> Result<(), DuplicateDetectedError> {
        let address = address.into();
        self.transaction(|transaction| {
            let IpAddr::V6(v6) = address else {
                // There is no detection for IPv4, so that none is tentative.
                return Err(if transaction.has(Key::from(address)) {
                    DuplicateDetectedError::InvalidEndpointState(address)
                } else {
                    DuplicateDetectedError::BadAddress(address)
                });
            };
            if is_mapped(address) {
                return Err(DuplicateDetectedError::BadAddress(address));
            }
            match transaction.is_tentative(v6) {
                None => Err(DuplicateDetectedError::BadAddress(address)),
                Some(false) => Err(DuplicateDetectedError::InvalidEndpointState(address)),
                Some(true) => {
                    transaction.give_up(v6, offender);
                    Ok(())
                }
            }
        })?
    }

    /// Whether it accepts packets for every address.
    pub fn is_promiscuous(&self) -> bool {
        self.shared.snapshots.load().promiscuous
    }

    /// Whether any address can be held.
    pub fn is_spoofing(&self) -> bool {
        self.shared.snapshots.load().spoofing
    }

    /// The endpoints of every kind, in no order: tentative, expired and held temporary ones too.
    pub fn endpoints(&self) -> Vec<AddressInfo> {
        self.shared.control().endpoints(&self.shared.endpoints)
    }

    /// The permanent addresses, in no order (BEHAVIOURS A22).
    pub fn addresses(&self) -> Vec<AddressInfo> {
        self.shared.control().addresses(&self.shared.endpoints)
    }

    /// How many endpoints the table has, expired ones that are still held included. O(1).
    pub fn endpoint_count(&self) -> usize {
        self.shared.control().endpoint_count()
    }

    /// The candidates for a source address, best first (BEHAVIOURS A23).
    pub fn primary_addresses(&self, family: Family) -> Vec<AddressInfo> {
        self.shared
            .control()
            .primary_addresses(&self.shared.endpoints, family)
    }

    /// The first of the [`primary_addresses`](Self::primary_addresses). O(1), but for the tentative
    /// ones in front of it.
    pub fn primary_address(&self, family: Family) -> Option<AddressInfo> {
        self.shared
            .control()
            .primary_address(&self.shared.endpoints, family)
    }

    /// The ranges, in the order added.
    pub fn ranges(&self) -> Vec<Prefix> {
        self.shared.control().ranges().to_vec()
    }

    /// Takes a reference to the endpoint of a local address; on a spoofing NIC, or inside a range,
    /// of any address (BEHAVIOURS D1, D2, D8).
    ///
    /// # Errors
    /// [`HoldError`].
    pub fn hold(&self, address: impl Into<IpAddr>) -> Result<EndpointRef, HoldError> {
        let address = address.into();
        if is_mapped(address) && !self.is_gone() {
            return Err(HoldError::BadLocalAddress(address));
        }
        crate::control::hold(&self.shared, address.into(), |newest| newest.spoofing)
    }

    /// How many temporary endpoints somebody holds.
    pub fn held_temporaries(&self) -> usize {
        self.shared.endpoints.held_count()
    }

    /// Unlinks and closes what died, frees snapshots that no worker reads any more. Returns how
    /// many wait for a worker to go on. The engine's control thread calls this; every other call
    /// does it in passing.
    pub fn reclaim(&self) -> usize {
        self.shared.control().reclaim(&self.shared.endpoints)
    }

    /// Bytes of endpoint storage: what the addresses take beside the table's pages (about 19 B
    /// each).
    pub fn endpoint_bytes(&self) -> usize {
        self.shared.endpoints.bytes()
    }

    /// What the NIC's own protocols counted.
    pub fn protocol_counter(&self, counter: ProtocolCounter) -> u64 {
        self.shared.protocol_counters.value(counter)
    }

    /// Frames that no worker made, on their way to the link: the NIC's own messages, and what
    /// routes send. One thread takes them out.
    pub fn outbound(&self) -> QueuedFrames {
        QueuedFrames::new(Arc::clone(&self.shared), Queue::Outbound)
    }

    /// Copies of what was sent that the NIC receives itself. One worker takes them out.
    pub fn looped(&self) -> QueuedFrames {
        QueuedFrames::new(Arc::clone(&self.shared), Queue::Looped)
    }

    /// What was counted, summed.
    pub fn counters(&self) -> NicTotals {
        let counters = self.shared.counters();
        let all = counters.senders.iter().chain(&counters.workers);
        all.fold(NicTotals::default(), |sum, reader| {
            sum.plus(&totals(reader))
        })
    }

    /// What each worker counted, in the order their datapaths were made. Frames that are not sent
    /// by the worker itself are in [`counters`](Self::counters) alone.
    pub fn worker_counters(&self) -> Vec<NicTotals> {
        self.shared.counters().workers.iter().map(totals).collect()
    }

    /// Reads what each of the workers counts that there are now, in the order their datapaths were made, without
    /// a lock.
    pub fn worker_readers(&self) -> Vec<CounterReader<NicCounter>> {
        self.shared.counters().workers.clone()
    }

    /// The NIC as one more worker sees it.
    pub fn datapath(&self) -> NicDatapath {
        let (writer, reader) = counters();
        self.shared.counters().workers.push(reader);
        NicDatapath::new(Arc::clone(&self.shared), writer)
    }

    /// Counters for a thread that sends the workers' frames: to count, and to read this thread's
    /// share.
    pub fn sender_counters(&self) -> (CounterWriter<NicCounter>, CounterReader<NicCounter>) {
        let (writer, reader) = counters();
        self.shared.counters().senders.push(reader.clone());
        (writer, reader)
    }
}

/// A group that a NIC is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupInfo {
    /// Its address.
    pub group: IpAddr,
    /// Joins by [`Nic::join_group`] that were not taken back.
    pub joins: u32,
    /// How often the NIC is in it on its own account: because every host is, because it forwards and
    /// every router is, or for the solicited-node groups of its addresses.
    pub own: u32,
}

/// How long a full queue is left alone.
const SOON: Duration = Duration::from_millis(1);

fn totals(reader: &CounterReader<NicCounter>) -> NicTotals {
    NicTotals::read(|counter| reader.value(counter))
}

impl fmt::Debug for Nic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nic")
            .field("id", &self.id())
            .field("name", &self.name())
            .finish()
    }
}
