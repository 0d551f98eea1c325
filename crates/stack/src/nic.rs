//! A NIC: the handle that the control plane uses, from any thread.
#![expect(
    clippy::disallowed_types,
    reason = "serialises the control plane; no worker takes these locks"
)]

use std::cell::RefCell;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use corelane_sync::counters::{CounterReader, CounterWriter, counters};
use corelane_sync::snapshot::Handle;

use crate::address::{AddressConfig, Family, Prefix, is_mapped};
use crate::control::{AddressInfo, Control, Transaction};
use crate::counters::{NicCounter, NicTotals};
use crate::datapath::{NicDatapath, NicSnapshot};
use crate::endpoint::{EndpointRef, Endpoints};
use crate::error::{AddAddressError, HoldError, RemoveAddressError};
use crate::event::EventSender;

/// The number of a NIC in its engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NicId(pub u16);

impl fmt::Display for NicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What the handle, the workers and the references of one NIC share.
pub(crate) struct NicShared {
    pub(crate) id: NicId,
    name: String,
    pub(crate) endpoints: Endpoints,
    pub(crate) snapshots: Handle<NicSnapshot>,
    control: Mutex<Control>,
    /// What each worker counts, and what those count that send for them.
    counters: Mutex<NicCounters>,
}

thread_local! {
    /// The NICs in whose transactions this thread is.
    static IN_TRANSACTION: RefCell<Vec<*const NicShared>> = const { RefCell::new(Vec::new()) };
}

/// Marks this thread as being in a transaction of a NIC.
struct InTransaction;

impl InTransaction {
    fn of(nic: &NicShared) -> Self {
        IN_TRANSACTION.with_borrow_mut(|nics| nics.push(nic));
        Self
    }
}

impl Drop for InTransaction {
    fn drop(&mut self) {
        IN_TRANSACTION.with_borrow_mut(Vec::pop);
    }
}

impl NicShared {
    /// The control plane's lock. It would wait for itself for ever inside a transaction of the
    /// same NIC: that is a panic instead.
    fn control(&self) -> MutexGuard<'_, Control> {
        let nested = IN_TRANSACTION.with_borrow(|nics| nics.contains(&std::ptr::from_ref(self)));
        assert!(
            !nested,
            "a control call on NIC '{}' from inside its own transaction: use the transaction",
            self.name
        );
        // A panic in an embedder's transaction leaves whole changes behind, never half of one.
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counters(&self) -> MutexGuard<'_, NicCounters> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct NicCounters {
    workers: Vec<CounterReader<NicCounter>>,
    senders: Vec<CounterReader<NicCounter>>,
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
    /// A NIC without addresses. `seed` keys the hash of its endpoint table: take a random one
    /// where the traffic is not your own, a fixed one where runs are to repeat.
    pub fn new(id: NicId, name: impl Into<String>, seed: u64, events: EventSender) -> Self {
        let control = Control::new(id, seed, events);
        let shared = NicShared {
            id,
            name: name.into(),
            endpoints: Endpoints::new(),
            snapshots: control.handle(),
            control: Mutex::new(control),
            counters: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The number.
    pub fn id(&self) -> NicId {
        self.shared.id
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Makes several changes with one publish: workers see them together, from their next burst
    /// ([`Transaction`] names the exceptions). The publish happens when `change` returns (or
    /// panics: what it did until then stays).
    ///
    /// # Panics
    /// If `change` makes another control call on the same NIC; the transaction has what it needs.
    pub fn transaction<R>(&self, change: impl FnOnce(&mut Transaction<'_>) -> R) -> R {
        let mut control = self.shared.control();
        let _mark = InTransaction::of(&self.shared);
        let mut transaction = Transaction::new(&mut control, &self.shared.endpoints);
        change(&mut transaction)
    }

    /// Adds an address (BEHAVIOURS A3–A7).
    ///
    /// # Errors
    /// [`AddAddressError`].
    pub fn add_address(&self, address: impl Into<AddressConfig>) -> Result<(), AddAddressError> {
        self.transaction(|tx| tx.add_address(address))
    }

    /// Removes an address: no packet whose lookup starts after the return is accepted for it,
    /// unless the NIC is promiscuous. References to it stay valid (BEHAVIOURS A15–A17).
    ///
    /// # Errors
    /// [`RemoveAddressError`].
    pub fn remove_address(&self, address: impl Into<IpAddr>) -> Result<(), RemoveAddressError> {
        self.transaction(|tx| tx.remove_address(address))
    }

    /// Accepts packets for a whole subnet, except its first and last address, without owning the
    /// addresses (BEHAVIOURS D2–D5). The same range may be added more than once.
    pub fn add_range(&self, range: Prefix) {
        self.transaction(|tx| tx.add_range(range));
    }

    /// Takes a range back, however often it was added.
    pub fn remove_range(&self, range: Prefix) {
        self.transaction(|tx| tx.remove_range(range));
    }

    /// Accepts packets for every address, or no longer.
    pub fn set_promiscuous(&self, on: bool) {
        self.transaction(|tx| tx.set_promiscuous(on));
    }

    /// Lets any address be held as a local one, or no longer.
    pub fn set_spoofing(&self, on: bool) {
        self.transaction(|tx| tx.set_spoofing(on));
    }

    /// Whether it accepts packets for every address.
    pub fn is_promiscuous(&self) -> bool {
        self.shared.snapshots.load().promiscuous
    }

    /// Whether any address can be held.
    pub fn is_spoofing(&self) -> bool {
        self.shared.snapshots.load().spoofing
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

    /// The best source address of a family. O(1).
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
        if is_mapped(address) {
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
