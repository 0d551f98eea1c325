//! A transaction: changes to one NIC that workers see together.

use std::net::IpAddr;
use std::sync::Arc;

use corelane_sync::refs::{AddressKind, Expire, Promote};

use super::Control;
use crate::address::{AddressConfig, Key, Prefix, is_mapped};
use crate::endpoint::Endpoints;
use crate::error::{AddAddressError, BadAddress, RemoveAddressError};

/// Changes to a NIC. They are published when it is dropped.
///
/// Two changes are seen at once, before the publish: no lookup that starts later accepts a removed
/// address; and an address that was removed, is still held and is added again is accepted again.
pub struct Transaction<'c> {
    control: &'c mut Control,
    endpoints: &'c Endpoints,
}

impl<'c> Transaction<'c> {
    pub(crate) fn new(control: &'c mut Control, endpoints: &'c Endpoints) -> Self {
        // What died elsewhere is buried first: its address may be about to be added again.
        control.bury(endpoints);
        Self { control, endpoints }
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
        if let Err(reason) = check(address) {
            return Err(AddAddressError::BadAddress { address, reason });
        }
        let key = Key::from(address);
        let Self { control, endpoints } = self;
        let index = match control.table.find(*endpoints, key) {
            Some(index) => match endpoints.at(index).refs.promote(AddressKind::Permanent) {
                Promote::AlreadyPermanent => {
                    return Err(AddAddressError::DuplicateAddress(address));
                }
                // The same endpoint lives on; every worker sees its kind at once.
                Promote::Done => {
                    endpoints
                        .at(index)
                        .configure(config.prefix.len(), config.primary);
                    index
                }
                Promote::Dead => {
                    // Not unlinked yet. A temporary one may have taken its place meanwhile.
                    let next = held_or_new(endpoints, key, config)?;
                    control.table.replace(*endpoints, key, next);
                    control.unlink(endpoints, index);
                    control.added.push(key);
                    control.changed = true;
                    next
                }
            },
            None => {
                let index = held_or_new(endpoints, key, config)?;
                if control.table.insert(*endpoints, key, index).is_err() {
                    if endpoints.at(index).refs.expire() == Expire::Last {
                        endpoints.unhold(key, index);
                        control.unlink(endpoints, index);
                    }
                    return Err(AddAddressError::TableFull);
                }
                control.added.push(key);
                control.changed = true;
                index
            }
        };
        control.primary.link(endpoints, index);
        Ok(())
    }

    /// Removes an address; see [`Nic::remove_address`](crate::Nic::remove_address).
    ///
    /// # Errors
    /// [`RemoveAddressError`].
    pub fn remove_address(&mut self, address: impl Into<IpAddr>) -> Result<(), RemoveAddressError> {
        let address = address.into();
        let key = Key::from(address);
        let Self { control, endpoints } = self;
        let missing = RemoveAddressError::BadLocalAddress(address);
        if is_mapped(address) {
            return Err(missing);
        }
        let index = control.table.find(*endpoints, key).ok_or(missing)?;
        match endpoints.at(index).refs.expire() {
            Expire::NotPermanent => return Err(missing),
            Expire::Held => {}
            Expire::Last => {
                control.table.remove(*endpoints, key);
                control.unlink(endpoints, index);
            }
        }
        control.primary.unlink(endpoints, index);
        Ok(())
    }

    /// Accepts packets for a subnet; see [`Nic::add_range`](crate::Nic::add_range).
    pub fn add_range(&mut self, range: Prefix) {
        self.control.range_list.push(range);
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
    }

    /// Lets any address be held as a local one, or no longer.
    pub fn set_spoofing(&mut self, on: bool) {
        self.control.changed |= self.control.spoofing != on;
        self.control.spoofing = on;
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        self.control.publish(self.endpoints);
    }
}

/// The temporary endpoint that somebody holds under `key`, made permanent, if there is one and it
/// is still alive; otherwise a new one.
fn held_or_new(
    endpoints: &Endpoints,
    key: Key,
    config: AddressConfig,
) -> Result<u32, AddAddressError> {
    let (len, primary) = (config.prefix.len(), config.primary);
    if let Some(index) = endpoints.held(key)
        && endpoints.at(index).refs.promote(AddressKind::Permanent) == Promote::Done
    {
        endpoints.at(index).configure(len, primary);
        return Ok(index);
    }
    endpoints
        .create(key, AddressKind::Permanent, len, primary)
        .map_err(AddAddressError::OutOfMemory)
}

/// Whether `address` can be a host's own (RFC 1122 section 3.2.1.3, RFC 4291 section 2.5).
fn check(address: IpAddr) -> Result<(), BadAddress> {
    match address {
        a if a.is_unspecified() => Err(BadAddress::Unspecified),
        a if a.is_multicast() => Err(BadAddress::Multicast),
        IpAddr::V4(a) if a.is_broadcast() => Err(BadAddress::Broadcast),
        a if is_mapped(a) => Err(BadAddress::Mapped),
        _ => Ok(()),
    }
}
