//! A new configuration, while everything runs.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use corelane::stack::Nic;

use super::difference::difference;
use super::host::Host;
use super::link_state::LinkState;
use super::links::link;
use super::log::{Origin, Outcome, log_change, log_link};
use super::run::pool;
use crate::config::{Config, NicSetting};
use crate::host::{nic_config, set_up_nic};

/// How long the device of a NIC that is removed may take to be free.
const LEAVING: Duration = Duration::from_secs(5);

/// What became of a new configuration.
pub(super) enum Reloaded {
    /// It is in effect but for what failed, which was logged.
    Done {
        /// Changes made.
        changes: usize,
        /// Changes that failed.
        failed: usize,
        /// Whether the timeline is another.
        events: bool,
    },
    /// There was nothing to change.
    Same,
    /// The old one is still in effect.
    Refused(String),
}

impl Host {
    /// Reads the configuration again and changes what is another.
    pub(super) fn reload(&mut self, file: &Path) -> Reloaded {
        let new = match Config::load(file) {
            Ok(new) => new,
            Err(error) => return Reloaded::Refused(error.to_string()),
        };
        let difference = match difference(&self.config, &new) {
            Ok(difference) => difference,
            Err(refused) => {
                let file = file.display();
                let refused = refused.join("; ");
                return Reloaded::Refused(format!(
                    "{file}: it takes a restart, nothing was changed: {refused}"
                ));
            }
        };
        if difference.is_empty() {
            return Reloaded::Same;
        }
        // First, since it is what can fail: then nothing is changed.
        let mut failed = match self.add_nics(&new, &difference.added) {
            Ok(failed) => failed,
            Err(refused) => {
                return Reloaded::Refused(format!(
                    "{}: nothing was changed: {refused}",
                    file.display()
                ));
            }
        };
        let stayed = self.remove_nics(&difference.removed);
        failed += stayed;
        let nics_changed = difference.added.len() + difference.removed.len();
        let mut changes = nics_changed - stayed;
        for change in &difference.changes {
            let done = self.act(change);
            if done.is_ok() {
                changes += 1;
            } else {
                log_change(Origin::Reload, change, Outcome::of(&done));
                failed += 1;
            }
        }
        if difference.services || nics_changed > 0 {
            self.services.set(&new, &self.nics);
            changes += usize::from(difference.services);
        }
        self.config = new;
        Reloaded::Done {
            changes,
            failed,
            events: difference.events,
        }
    }

    /// Adds NICs of a new configuration: all of them, or none. Returns how much of what they are to have
    /// they do not have.
    fn add_nics(&mut self, new: &Config, names: &[String]) -> Result<usize, String> {
        if names.is_empty() {
            return Ok(0);
        }
        let mut opened = Vec::new();
        let is_new = |nic: &&NicSetting| names.contains(&nic.name);
        for nic in new.nics.iter().filter(is_new) {
            opened.push((nic, link(nic)?));
        }
        self.check_room(new, opened.iter().map(|(_, (_, served))| served.held).sum())?;
        let mut added = Vec::new();
        for (setting, (link, served)) in opened {
            let number = new.nics.iter().position(|nic| nic.name == setting.name);
            let mac = setting.mac_given.then_some(setting.mac);
            let config = nic_config(new, setting, number.unwrap_or(0), mac);
            match self.lifecycle.create_nic(config, link) {
                Ok(nic) => added.push((nic, setting, served)),
                Err(error) => {
                    for (nic, ..) in added {
                        // It has just been made.
                        let _ = self.lifecycle.remove_nic(nic.id());
                        self.removed.add(nic, false);
                    }
                    return Err(format!("nic '{}': {error}", setting.name));
                }
            }
        }
        let mut failed = 0;
        for (nic, setting, mut served) in added {
            for (action, error) in set_up_nic(&nic, setting) {
                tracing::error!(nic = nic.name(), %error, "SIGHUP: {action} failed");
                failed += 1;
            }
            self.captures.begin(nic.id(), served.capture.take());
            let state = LinkState::of(served.device, false);
            log_link(nic.name(), &setting.link, served.xdp.as_ref(), state);
            self.seen.see(nic.id(), state);
            self.links.insert(nic.id(), served);
            self.nics.push(nic);
        }
        self.nics.sort_by_key(Nic::id);
        Ok(failed)
    }

    /// The frames of all come from the pool that was made at the beginning.
    fn check_room(&self, new: &Config, held: usize) -> Result<(), String> {
        let kept: usize = self
            .nics
            .iter()
            .filter(|nic| new.nic(nic.name()).is_some())
            .filter_map(|nic| self.links.get(&nic.id()))
            .map(|link| link.held)
            .sum();
        // A link does without super-frames where slots have no room for them.
        let needed = pool(new, self.workers, kept + held, 0, new.nics.len());
        if needed.slot_size > self.pool.slot_size {
            return Err(format!(
                "the MTU of a new NIC is more than frames were made for: it takes a restart \
                 ({} bytes, {} are needed)",
                self.pool.slot_size, needed.slot_size
            ));
        }
        if needed.slots > self.pool.slots {
            return Err(format!(
                "there are not enough frames for {} NICs: it takes a restart, with spare_nics above {} \
                 for more to come later ({} frames, {} are needed)",
                new.nics.len(),
                self.config.spare_nics,
                self.pool.slots,
                needed.slots
            ));
        }
        Ok(())
    }

    /// Removes NICs, and waits until their devices are free. Returns how many could not be.
    fn remove_nics(&mut self, names: &[String]) -> usize {
        let (gone, stay) = std::mem::take(&mut self.nics)
            .into_iter()
            .partition(|nic: &Nic| names.iter().any(|name| name == nic.name()));
        self.nics = stay;
        let mut failed = 0;
        for nic in &gone {
            if let Err(error) = self.lifecycle.remove_nic(nic.id()) {
                tracing::error!(nic = nic.name(), %error, "SIGHUP: remove_nic failed");
                failed += 1;
            }
        }
        let start = Instant::now();
        let is_leaving = |nic: &Nic| self.lifecycle.is_leaving(nic.id());
        while gone.iter().any(is_leaving) && start.elapsed() < LEAVING {
            thread::sleep(Duration::from_millis(1));
        }
        for nic in gone {
            self.seen.forget(nic.id());
            self.links.remove(&nic.id());
            let is_closed = !self.lifecycle.is_leaving(nic.id());
            if is_closed {
                self.captures.end_of(nic.id());
            }
            self.removed.add(nic, is_closed);
        }
        failed
    }
}
