//! A transaction: changes to one NIC that workers see together.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use corelane_sync::refs::{AddressKind, Expire, Promote};
use corelane_wire::ndp::solicited_node;

use super::Control;
use crate::address::{AddressConfig, Family, Key, Prefix, check_local, is_mapped};
use crate::clock::Time;
use crate::config::Forwarding;
use crate::endpoint::Endpoints;
use crate::error::{
    AddAddressError, BadAddress, JoinGroupError, LeaveGroupError, RemoveAddressError,
};
use crate::event::{AbortReason, Event};
use crate::group::Joiner;
use crate::packet_endpoint::Taps;

/// Changes to a NIC. They are published when it is dropped.
///
/// Two changes are seen at once, before the publish: no lookup that starts later accepts a removed
/// address; and an address that was removed, is still held and is added again is accepted again.
pub struct Transaction<'c> {
    pub(crate) control: &'c mut Control,
    pub(super) endpoints: &'c Endpoints,
    /// When it began.
    pub(super) now: Time,
}

impl<'c> Transaction<'c> {
    pub(crate) fn new(control: &'c mut Control, endpoints: &'c Endpoints, now: Time) -> Self {
        // What died elsewhere is buried first: its address may be about to be added again.
        control.bury(endpoints);
        Self {
            control,
            endpoints,
            now,
        }
    }

    /// Adds an address; see [`Nic::add_address`](crate::Nic::add_address).
    ///
    /// # Errors
    /// [`AddAddressError`].
    pub fn add_address(
        &mut self,
        address: impl Into<AddressConfig>,
    ) -> Result<(), AddAddressError> {
        let config = address.into();
        let address = config.prefix.address();
        let family = Family::of(address);
        if !self.control.settings.protocols.has(family) {
            return Err(AddAddressError::UnknownProtocol(family));
        }
        if let Err(reason) = check_local(address) {
            return Err(AddAddressError::BadAddress { address, reason });
        }
        let key = Key::from(address);
        let kind = match family {
            Family::V6 if self.control.settings.ndp.is_some() => AddressKind::PermanentTentative,
            _ => AddressKind::Permanent,
        };
        let index = self.put_into_table(key, kind, config)?;
        let Self {
            control, endpoints, ..
        } = self;
        control.primary.link(endpoints, index);
        match address {
            IpAddr::V4(_) => {
                if control.broadcasts.insert(config.prefix) {
                    control.own.insert(Key::from(last_address(config.prefix)));
                    control.changed = true;
                }
                self.announce_from_now(key);
            }
            IpAddr::V6(address) => {
                if kind == AddressKind::Permanent {
                    self.put_into_use(index);
                }
                // Before the first solicitation (RFC 4862 section 5.4.2): a report of the group
                // opens the way for the answers.
                self.join_by_nic(Key::v6(solicited_node(address).to_bits()));
                if kind == AddressKind::PermanentTentative && self.control.enabled {
                    self.probe(key, index);
                }
            }
        }
        Ok(())
    }

    /// Makes `key` lead to an endpoint of `kind` with the bias taken: the one that is there, if it
    /// lives on, or a new one.
    fn put_into_table(
        &mut self,
        key: Key,
        kind: AddressKind,
        config: AddressConfig,
    ) -> Result<u32, AddAddressError> {
        let Self {
            control, endpoints, ..
        } = self;
        let Some(index) = control.table.find(*endpoints, key) else {
            let full = |_| AddAddressError::TableFull;
            // First, so that whoever holds the address does not see it promoted in vain.
            control.table.reserve(*endpoints, key).map_err(full)?;
            let index = control.new_endpoint(endpoints, key, kind, config)?;
            control.table.insert(*endpoints, key, index).map_err(full)?;
            control.own.insert(key);
            control.added.push(key);
            control.changed = true;
            return Ok(index);
        };
        match endpoints.at(index).refs.promote(kind) {
            Promote::AlreadyPermanent => Err(AddAddressError::DuplicateAddress(key.address())),
            // The same endpoint lives on; every worker sees its kind at once.
            Promote::Done => {
                endpoints
                    .at(index)
                    .configure(config.prefix.len(), config.primary);
                Ok(index)
            }
            Promote::Dead => {
                // Not unlinked yet. A temporary one may have taken its place meanwhile.
                let next = control.new_endpoint(endpoints, key, kind, config)?;
                control.table.replace(*endpoints, key, next);
                control.unlink(endpoints, index);
                control.added.push(key);
                control.changed = true;
                Ok(next)
            }
        }
    }

    /// Removes an address; see [`Nic::remove_address`](crate::Nic::remove_address).
    ///
    /// # Errors
    /// [`RemoveAddressError`].
    pub fn remove_address(&mut self, address: impl Into<IpAddr>) -> Result<(), RemoveAddressError> {
        let address = address.into();
        let key = Key::from(address);
        let missing = RemoveAddressError::BadLocalAddress(address);
        if is_mapped(address) || !self.take_out(key) {
            return Err(missing);
        }
        if self.control.dads.stop(key) {
            self.control.events.send(Event::DadAborted {
                nic: self.control.settings.id,
                address,
                reason: AbortReason::AddressRemoved,
            });
        }
        Ok(())
    }

    /// Removes an address and all that goes with it but its probing; false if the NIC does not have
    /// it.
    pub(super) fn take_out(&mut self, key: Key) -> bool {
        let Self {
            control, endpoints, ..
        } = self;
        let Some(index) = control.table.find(*endpoints, key) else {
            return false;
        };
        let endpoint = endpoints.at(index);
        match endpoint.refs.expire() {
            Expire::NotPermanent => return false,
            Expire::Held => {}
            Expire::Last => {
                control.remove_from_table(endpoints, key);
                control.unlink(endpoints, index);
            }
        }
        control.announcements.stop(key);
        control.primary.unlink(endpoints, index);
        match endpoint.address() {
            IpAddr::V4(_) => {
                if let Ok(prefix) = Prefix::new(endpoint.address(), endpoint.prefix_len())
                    && control.broadcasts.remove(prefix)
                {
                    control.own.remove(Key::from(last_address(prefix)));
                    control.changed = true;
                }
            }
            IpAddr::V6(address) => {
                control.withdraw_source(address);
                self.leave_by_nic(Key::v6(solicited_node(address).to_bits()));
            }
        }
        if self.control.link_local == Some(key) {
            self.control.link_local = None;
        }
        true
    }

    /// Accepts packets for a subnet; see [`Nic::add_range`](crate::Nic::add_range).
    pub fn add_range(&mut self, range: Prefix) {
        self.control.range_list.push(range);
        self.control.had_modes = true;
        Arc::make_mut(&mut self.control.ranges).insert(range);
        self.control.changed = true;
    }

    /// Takes a range back, however often it was added.
    pub fn remove_range(&mut self, range: Prefix) {
        let before = self.control.range_list.len();
        self.control
            .range_list
            .retain(|r| r.network() != range.network());
        if self.control.range_list.len() != before {
            Arc::make_mut(&mut self.control.ranges).remove(range);
            self.control.changed = true;
        }
    }

    /// Accepts packets for every address, or no longer.
    pub fn set_promiscuous(&mut self, on: bool) {
        self.control.changed |= self.control.promiscuous != on;
        self.control.promiscuous = on;
        self.control.had_modes |= on;
    }

    /// Lets any address be held as a local one, or no longer.
    pub fn set_spoofing(&mut self, on: bool) {
        self.control.changed |= self.control.spoofing != on;
        self.control.spoofing = on;
        self.control.had_modes |= on;
    }

    /// Sends on what arrives for other hosts, or no longer; see
    /// [`Nic::set_forwarding`](crate::Nic::set_forwarding).
    pub fn set_forwarding(&mut self, forwarding: Forwarding) {
        let Control {
            groups,
            rng,
            reports,
            ..
        } = &mut *self.control;
        let before = groups.forwarding();
        groups.set_forwarding(forwarding, self.now, rng, reports);
        self.control.changed |= before != forwarding;
    }

    /// Changes who is shown frames.
    pub(crate) fn change_taps(&mut self, change: impl FnOnce(&mut Taps)) {
        let mut taps = self.control.taps.as_deref().cloned().unwrap_or_default();
        change(&mut taps);
        self.control.taps = (!taps.is_empty()).then(|| Arc::new(taps));
        self.control.changed = true;
    }

    /// Joins a group; see [`Nic::join_group`](crate::Nic::join_group).
    ///
    /// # Errors
    /// [`JoinGroupError`].
    pub fn join_group(&mut self, group: impl Into<IpAddr>) -> Result<(), JoinGroupError> {
        let group = group.into();
        let family = Family::of(group);
        if !self.control.settings.protocols.has(family) {
            return Err(JoinGroupError::UnknownProtocol(family));
        }
        if is_mapped(group) || !group.is_multicast() {
            return Err(JoinGroupError::BadAddress {
                address: group,
                reason: BadAddress::NotMulticast,
            });
        }
        self.join(group.into(), Joiner::User)
            .map_err(|_| JoinGroupError::TooManyJoins(group))
    }

    /// Takes one join of a group back; see [`Nic::leave_group`](crate::Nic::leave_group).
    ///
    /// # Errors
    /// [`LeaveGroupError`].
    pub fn leave_group(&mut self, group: impl Into<IpAddr>) -> Result<(), LeaveGroupError> {
        let group = group.into();
        if is_mapped(group) {
            return Err(LeaveGroupError::NotJoined(group));
        }
        self.leave(group.into(), Joiner::User)
            .map_err(|_| LeaveGroupError::NotJoined(group))
    }

    fn join(&mut self, group: Key, by: Joiner) -> Result<(), crate::group::TooManyJoins> {
        let Control {
            groups,
            rng,
            reports,
            ..
        } = &mut *self.control;
        let first = groups.join(group, by, self.now, rng, reports)?;
        self.control.changed |= first;
        Ok(())
    }

    fn leave(&mut self, group: Key, by: Joiner) -> Result<(), crate::group::NotJoined> {
        let Control {
            groups,
            rng,
            reports,
            ..
        } = &mut *self.control;
        let gone = groups.leave(group, by, self.now, rng, reports)?;
        self.control.changed |= gone;
        Ok(())
    }

    /// The NIC's own joins: there are as many as it has addresses at most, so none is too many.
    pub(super) fn join_by_nic(&mut self, group: Key) {
        let joined = self.join(group, Joiner::Nic);
        debug_assert!(joined.is_ok());
    }

    pub(super) fn leave_by_nic(&mut self, group: Key) {
        let left = self.leave(group, Joiner::Nic);
        debug_assert!(left.is_ok(), "each address joined its group once");
    }

    /// An IPv6 address is in use from now on.
    pub(super) fn put_into_use(&mut self, index: u32) {
        let is_first = self.control.link_locals.is_empty();
        self.control.offer_source(self.endpoints, index);
        if is_first && !self.control.link_locals.is_empty() {
            // Routers do not listen to reports from the unspecified address (RFC 3590 section 4).
            let Control {
                groups,
                rng,
                reports,
                ..
            } = &mut *self.control;
            groups.announce(Family::V6, self.now, rng, reports);
        }
    }

    /// Begins to probe a tentative address.
    pub(super) fn probe(&mut self, key: Key, index: u32) {
        if let Some(ndp) = self.control.settings.ndp {
            self.control.dads.start(key, index, ndp.transmits, self.now);
        }
    }

    /// Begins to announce an IPv4 address, if the NIC does that.
    pub(super) fn announce_from_now(&mut self, key: Key) {
        if self.control.settings.announces
            && self.control.enabled
            && self.kind(key) == Some(AddressKind::Permanent)
        {
            self.control.announcements.start(key, self.now);
        }
    }

    /// Whether the NIC has the address.
    pub(crate) fn has(&self, key: Key) -> bool {
        self.kind(key).is_some()
    }

    fn kind(&self, key: Key) -> Option<AddressKind> {
        let index = self.control.table.find(self.endpoints, key)?;
        let kind = self.endpoints.at(index).kind();
        kind.filter(|kind| kind.is_permanent())
    }

    /// Whether the address is on the NIC, and whether it is tentative.
    pub(crate) fn is_tentative(&self, address: Ipv6Addr) -> Option<bool> {
        let kind = self.kind(Key::v6(address.to_bits()))?;
        Some(kind == AddressKind::PermanentTentative)
    }
}

/// The broadcast of the subnet of `prefix`, or the address itself if the subnet has none.
fn last_address(prefix: Prefix) -> IpAddr {
    prefix.broadcast().map_or(prefix.address(), IpAddr::V4)
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        self.control.take_reports(self.endpoints);
        self.control.publish(self.endpoints);
    }
}

impl Control {
    /// The temporary endpoint that somebody holds under `key`, made permanent, if there is one and it
    /// is still alive; otherwise a new one.
    fn new_endpoint(
        &self,
        endpoints: &Endpoints,
        key: Key,
        kind: AddressKind,
        config: AddressConfig,
    ) -> Result<u32, AddAddressError> {
        let (len, primary) = (config.prefix.len(), config.primary);
        let made = if self.had_modes {
            endpoints.claim(key, kind, len, primary)
        } else {
            // Nobody can have been told to make a temporary one.
            endpoints.create(key, kind, len, primary)
        };
        made.map_err(AddAddressError::OutOfMemory)
    }
}
