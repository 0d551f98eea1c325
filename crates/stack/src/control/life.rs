//! A NIC's life: enabled, disabled, removed.

use std::net::IpAddr;

use corelane_sync::refs::AddressKind;

use super::{Control, Transaction};
use crate::address::{AddressConfig, Family, Key, Prefix, PrimaryEndpointBehavior};
use crate::error::{AddAddressError, EnableError};
use crate::event::{AbortReason, Event};

/// The length of the link-local prefix in use (RFC 4291 section 2.5.6).
const LINK_LOCAL_LEN: u8 = 64;

impl Transaction<'_> {
    /// Enables the NIC. What can fail comes first, so that nothing is half done.
    pub(crate) fn enable(&mut self) -> Result<(), EnableError> {
        if self.control.enabled {
            return Ok(());
        }
        if self.control.link_local.is_none() {
            self.control.link_local_attempt = 0;
            self.add_link_local(PrimaryEndpointBehavior::CanBePrimary)
                .map_err(EnableError::LinkLocal)?;
        }
        self.control.enabled = true;
        self.control.changed = true;
        let Control {
            groups,
            rng,
            reports,
            ..
        } = &mut *self.control;
        groups.enable(self.now, rng, reports);
        for key in self.unsettle() {
            if let Some(index) = self.control.table.find(self.endpoints, key) {
                self.probe(key, index);
            }
        }
        if self.control.settings.announces {
            let mut keys = self.keys();
            keys.retain(|key| key.is_v4());
            keys.sort_unstable();
            keys.into_iter().for_each(|key| self.announce_from_now(key));
        }
        self.control.events.send(Event::NicEnabled {
            nic: self.control.settings.id,
        });
        Ok(())
    }

    /// Disables the NIC: it receives and sends no more, and says good-bye to its groups. Its
    /// addresses stay; IPv6 ones are tentative until they are probed anew, since another host may
    /// take them meanwhile (RFC 4862 section 5.4).
    pub(crate) fn disable(&mut self) {
        if !self.control.enabled {
            return;
        }
        self.control.enabled = false;
        self.control.changed = true;
        self.control.announcements.stop_all();
        for key in self.control.dads.stop_all() {
            self.control.events.send(Event::DadAborted {
                nic: self.control.settings.id,
                address: key.address(),
                reason: AbortReason::NicDisabled,
            });
        }
        let Control {
            groups, reports, ..
        } = &mut *self.control;
        groups.disable(self.now, reports);
        // While there are addresses to say it from.
        self.control.take_reports(self.endpoints);
        self.unsettle();
        self.control.events.send(Event::NicDisabled {
            nic: self.control.settings.id,
        });
    }

    /// Removes the NIC: disables it, takes everything from it, and lets nothing be added any more.
    pub(crate) fn remove(&mut self) {
        self.disable();
        for key in self.keys() {
            self.take_out(key);
        }
        let control = &mut *self.control;
        control.range_list.clear();
        control.ranges = Default::default();
        control.promiscuous = false;
        control.spoofing = false;
        control.groups = control.settings.groups();
        // The last chance for what still waits.
        control.messages.extend(control.backlog.drain(..));
        control.changed = true;
        control.gone = true;
    }

    /// The addresses of the table.
    fn keys(&self) -> Vec<Key> {
        let entries = self.control.table.entries();
        entries.map(|i| self.endpoints.at(i).key()).collect()
    }

    /// Makes the IPv6 addresses tentative, if they are to be probed at all; returns all tentative
    /// ones.
    fn unsettle(&mut self) -> Vec<Key> {
        if self.control.settings.ndp.is_none() {
            return Vec::new();
        }
        let mut keys = self.keys();
        keys.retain(|key| {
            let index = self.control.table.find(self.endpoints, *key);
            let Some((index, IpAddr::V6(address))) = index.map(|i| (i, key.address())) else {
                return false;
            };
            let refs = &self.endpoints.at(index).refs;
            if refs.unsettle() {
                self.control.withdraw_source(address);
            }
            refs.load().kind() == AddressKind::PermanentTentative
        });
        // The table's order is its hash's; the order on the wire is to be nobody's surprise.
        keys.sort_unstable();
        keys
    }

    /// Gives the NIC a link-local address, if it is to have one and can.
    pub(super) fn add_link_local(
        &mut self,
        primary: PrimaryEndpointBehavior,
    ) -> Result<(), AddAddressError> {
        let settings = &self.control.settings;
        if !settings.protocols.has(Family::V6) {
            return Ok(());
        }
        let attempt = self.control.link_local_attempt;
        let generated = settings
            .link_local
            .generate(&settings.name, Some(settings.mac), attempt);
        let Some(generated) = generated else {
            return Ok(());
        };
        let Ok(prefix) = Prefix::new(generated.address.into(), LINK_LOCAL_LEN) else {
            return Ok(());
        };
        self.control.link_local_attempt = generated.dad_counter;
        let config = AddressConfig::from(prefix).primary(primary);
        match self.add_address(config) {
            Ok(()) => {
                self.control.link_local = Some(Key::from(prefix.address()));
                Ok(())
            }
            // Somebody gave it this very address: then it has one.
            Err(AddAddressError::DuplicateAddress(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
