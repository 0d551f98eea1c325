//! A new configuration, while everything runs.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use corelane::stack::Nic;

use super::applied::{take_back, without};
use super::captures::check_files;
use super::difference::{difference, steps};
use super::host::Host;
use super::link_state::LinkState;
use super::links::{OpenLink, Refused, ServedLink, open};
use super::log::{Origin, Outcome, log_change, log_link};
use crate::config::{Change, Config, NicSetting};
use crate::host::{Unset, nic_config, set_up_nic};

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

/// What came of opening failed links again.
#[derive(Default)]
struct Again {
    /// The NICs whose links are open again, by name.
    opened: Vec<String>,
    /// Those that are gone, and there is none in their place.
    lost: Vec<String>,
    /// Links that did not open, and NICs that could not be made.
    failed: usize,
    /// What the others are to have and do not.
    unset: Vec<Unset>,
}

impl Host {
    /// Reads the configuration again and changes what is another.
    pub(super) fn reload(&mut self, file: &Path) -> Reloaded {
        let mut new = match Config::load(file) {
            Ok(new) => new,
            Err(error) => return Reloaded::Refused(error.to_string()),
        };
        if let Err(error) = check_files(&new, file) {
            return Reloaded::Refused(format!("{}: {error}", file.display()));
        }
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
        let failed_links = self.failed_links(&new);
        if difference.is_empty() && failed_links.is_empty() {
            return Reloaded::Same;
        }
        // First, since it is what can fail: then nothing is changed.
        let mut unset = match self.add_nics(&new, &difference.added) {
            Ok(unset) => unset,
            Err(refused) => {
                return Reloaded::Refused(format!(
                    "{}: nothing was changed: {refused}",
                    file.display()
                ));
            }
        };
        let stayed = self.remove_nics(&difference.removed);
        let again = self.open_again(&new, &failed_links);
        let failed = stayed + again.failed;
        unset.extend(again.unset);
        let nics_changed = difference.added.len() + difference.removed.len() + again.opened.len();
        let mut changes = nics_changed - stayed;
        let gone = [again.opened, again.lost.clone()].concat();
        let steps = if gone.is_empty() {
            difference.changes
        } else {
            // What was theirs went with them. One that is not there is none that was to be: the next reload adds it.
            new = without(&new, &again.lost);
            steps(&without(&self.config, &gone), &new).changes
        };
        for change in steps {
            let done = self.act(&change);
            let Err(error) = done else {
                changes += 1;
                continue;
            };
            log_change(Origin::Reload, &change, Outcome::Failed(&error));
            let Change { action, nic } = change;
            unset.push(Unset {
                action: Some(action),
                nic: nic.unwrap_or_default(),
                error,
            });
        }
        if difference.services || nics_changed > 0 || !gone.is_empty() {
            self.services.set(&new, &self.nics);
            changes += usize::from(difference.services);
        }
        unset.iter().for_each(|it| take_back(&mut new, it));
        self.config = new;
        Reloaded::Done {
            changes,
            failed: failed + unset.len(),
            events: difference.events,
        }
    }

    /// Adds NICs of a new configuration: all of them, or none. Returns what of it they do not have.
    fn add_nics(&mut self, new: &Config, names: &[String]) -> Result<Vec<Unset>, String> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut opened = Vec::new();
        let is_new = |nic: &&NicSetting| names.contains(&nic.name);
        for nic in new.nics.iter().filter(is_new) {
            let link = open(nic).map_err(|refused| self.told(&refused))?;
            opened.push((nic, link));
        }
        let held = opened.iter().map(|(_, link)| link.held()).sum();
        self.check_room(new, None, held)?;
        let mut added = Vec::new();
        for (setting, link) in opened {
            match self.create(new, setting, link) {
                Ok((nic, served)) => added.push((nic, setting, served)),
                Err(error) => {
                    for (nic, ..) in added {
                        // It has just been made.
                        let _ = self.lifecycle.remove_nic(nic.id());
                        self.removed.add(nic, false);
                    }
                    return Err(error);
                }
            }
        }
        let added = added.into_iter();
        Ok(added
            .flat_map(|(nic, setting, served)| self.begin(nic, setting, served))
            .collect())
    }

    /// Why a link is not to be had, and that it would have been at the beginning.
    fn told(&self, refused: &Refused) -> String {
        match &self.user {
            Some(user) if refused.lacks_privilege => format!(
                "{refused}; privileges were given up when it became '{}': it takes a restart",
                user.name()
            ),
            _ => refused.to_string(),
        }
    }

    /// Creates a NIC of a new configuration on a link that is open, and begins its capture.
    fn create(
        &self,
        new: &Config,
        setting: &NicSetting,
        opened: OpenLink,
    ) -> Result<(Nic, ServedLink), String> {
        let captured = opened.captured(setting);
        let (link, served) = captured.map_err(|refused| self.told(&refused))?;
        let number = new.nics.iter().position(|nic| nic.name == setting.name);
        let mac = setting.mac_given.then_some(setting.mac);
        let config = nic_config(new, setting, number.unwrap_or(0), mac);
        let nic = self.lifecycle.create_nic(config, link);
        let nic = nic.map_err(|error| format!("nic '{}': {error}", setting.name))?;
        Ok((nic, served))
    }

    /// Gives a NIC that has just been made what is its own, and takes it in among the others. Returns what of that it
    /// does not have.
    fn begin(&mut self, nic: Nic, setting: &NicSetting, mut served: ServedLink) -> Vec<Unset> {
        let unset = set_up_nic(&nic, setting);
        for it in &unset {
            tracing::error!(nic = nic.name(), error = %it.error, "SIGHUP: {} failed", it.label());
        }
        self.captures.begin(nic.id(), served.capture.take());
        let state = LinkState::of(served.device, false);
        log_link(nic.name(), &setting.link, served.xdp.as_ref(), state);
        self.seen.see(nic.id(), state);
        self.links.insert(nic.id(), served);
        self.nics.push(nic);
        self.nics.sort_by_key(Nic::id);
        unset
    }

    /// The NICs that stay and whose links have failed, by name.
    fn failed_links(&self, new: &Config) -> Vec<String> {
        let nics = self.nics.iter();
        let failed = nics.filter(|nic| self.failed.has(nic.id()) && new.nic(nic.name()).is_some());
        failed.map(|nic| nic.name().to_owned()).collect()
    }

    /// Tries to open the links of NICs again. Where one opens, a NIC of the same name is in place of the one before;
    /// where it does not, that one stays as it is.
    fn open_again(&mut self, new: &Config, names: &[String]) -> Again {
        let mut again = Again::default();
        for setting in new.nics.iter().filter(|nic| names.contains(&nic.name)) {
            let name = &setting.name;
            let opened = open(setting).map_err(|refused| self.told(&refused));
            let opened = opened.and_then(|opened| {
                self.check_room(new, Some(name), opened.held())?;
                Ok(opened)
            });
            let opened = match opened {
                Ok(opened) => opened,
                Err(error) => {
                    tracing::error!(nic = name, error, "SIGHUP: its link cannot be opened again");
                    again.failed += 1;
                    continue;
                }
            };
            match self.replace(new, setting, opened) {
                Ok(unset) => {
                    again.unset.extend(unset);
                    again.opened.push(name.clone());
                }
                Err(error) => {
                    tracing::error!(
                        nic = name,
                        error,
                        "SIGHUP: its link was opened again, and the NIC could not be made: it is gone, and the next \
                         SIGHUP adds it"
                    );
                    again.failed += 1;
                    again.lost.push(name.clone());
                }
            }
        }
        again
    }

    /// Removes the NIC of this name, and makes another one on a link that is open. Returns what of that it does not
    /// have.
    fn replace(
        &mut self,
        new: &Config,
        setting: &NicSetting,
        opened: OpenLink,
    ) -> Result<Vec<Unset>, String> {
        let name = &setting.name;
        let before = self.nics.iter().find(|nic| nic.name() == name);
        let before = before.map(Nic::id);
        self.remove_nics(std::slice::from_ref(name));
        if before.is_some_and(|before| self.lifecycle.is_leaving(before)) {
            // It has its frames still, and writes its capture.
            return Err(format!("nic '{name}': the link before does not close"));
        }
        let (nic, served) = self.create(new, setting, opened)?;
        Ok(self.begin(nic, setting, served))
    }

    /// Whether there are frames for all; those of a NIC that is to be `replaced` are free.
    fn check_room(&self, new: &Config, replaced: Option<&str>, held: usize) -> Result<(), String> {
        let kept: usize = self
            .nics
            .iter()
            .filter(|nic| new.nic(nic.name()).is_some() && replaced != Some(nic.name()))
            .filter_map(|nic| self.links.get(&nic.id()))
            .map(|link| link.held)
            .sum();
        let room = self.room.check(new, kept + held);
        room.map_err(|short| short.to_string())
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
