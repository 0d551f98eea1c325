//! The engine while it runs, and what is done to it.

use std::path::Path;
use std::sync::Arc;

use corelane::engine::{Lifecycle, Monitor, Running};
use corelane::stack::{Nic, Stack};

use super::difference::difference;
use crate::config::{Change, Config};
use crate::control::{Answer, Problem, Request};
use crate::device::LinkCounters;
use crate::host::{ActionError, Routes, Scene, Services, Unset, act, set_up};

/// What changes and listings are made on.
pub(super) struct Host {
    config: Config,
    lifecycle: Lifecycle,
    monitor: Monitor,
    stack: Stack,
    nics: Vec<Nic>,
    /// By NIC.
    links: Vec<LinkCounters>,
    services: Arc<Services>,
    routes: Routes,
}

/// What became of a new configuration.
pub(super) enum Reloaded {
    /// It is in effect but for what failed, and changed so much.
    Done {
        /// Changes made.
        changes: usize,
        /// Whether the timeline is another.
        events: bool,
        /// What was not done.
        failed: Vec<(Change, ActionError)>,
    },
    /// There was nothing to change.
    Same,
    /// The old one is still in effect.
    Refused(String),
}

impl Host {
    /// On an engine that was built from `config`.
    pub(super) fn new(
        config: Config,
        running: &Running,
        services: Arc<Services>,
        links: Vec<LinkCounters>,
    ) -> Self {
        Self {
            config,
            lifecycle: running.lifecycle().clone(),
            monitor: running.monitor(),
            stack: running.stack().clone(),
            nics: running.lifecycle().nics(),
            links,
            services,
            routes: Routes::new(),
        }
    }

    /// Gives the NICs what the configuration says; returns what failed.
    pub(super) fn set_up(&self) -> Vec<Unset> {
        self.services.set(&self.config, &self.nics);
        let nics: Vec<_> = self.nics.iter().collect();
        set_up(&self.config, &nics, &self.stack, &self.lifecycle)
    }

    /// Does what a client asks for.
    pub(super) fn respond(&mut self, request: &Request) -> Answer {
        let fields = match request {
            Request::Show(listing) => return Answer::Rows(self.show(*listing)),
            Request::Change(fields) => fields,
        };
        let change = match Change::parse(fields, &self.config.nics) {
            Ok(change) => change,
            Err(what) => return Answer::Problem(Problem::request(what)),
        };
        match self.act(&change) {
            Ok(()) => Answer::Done,
            Err(ActionError { name, message }) => Answer::Problem(Problem {
                is_request: false,
                name,
                message,
            }),
        }
    }

    /// Makes a change.
    pub(super) fn act(&mut self, change: &Change) -> Result<(), ActionError> {
        let nic = |name: &str| self.nics.iter().find(|nic| nic.name() == name);
        let scene = Scene {
            stack: &self.stack,
            lifecycle: &self.lifecycle,
            nics: self.nics.iter().collect(),
            nic: change.nic.as_deref().and_then(nic),
        };
        act(&change.action, &scene, &mut self.routes)
    }

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
        let mut changes = difference.changes.len();
        let failed: Vec<_> = difference
            .changes
            .into_iter()
            .filter_map(|change| {
                let error = self.act(&change).err()?;
                Some((change, error))
            })
            .collect();
        changes -= failed.len();
        if difference.services {
            self.services.set(&new, &self.nics);
            changes += 1;
        }
        self.config = new;
        Reloaded::Done {
            changes,
            events: difference.events,
            failed,
        }
    }

    /// Lets go of what waits and of what is kept, so that every frame can go back to its pool.
    pub(super) fn let_go(&mut self) {
        self.routes.clear();
        for nic in &self.nics {
            self.stack.flush_neighbors(nic.id());
        }
    }

    /// The configuration that is in effect.
    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// The NICs, by number.
    pub(super) fn nics(&self) -> &[Nic] {
        &self.nics
    }

    /// What the link of a NIC counts.
    pub(super) fn link(&self, nic: &Nic) -> Option<&LinkCounters> {
        let at = self.nics.iter().position(|other| other.id() == nic.id())?;
        self.links.get(at)
    }

    /// What they share.
    pub(super) fn stack(&self) -> &Stack {
        &self.stack
    }

    /// What takes packets.
    pub(super) fn services(&self) -> &Services {
        &self.services
    }

    /// The counters.
    pub(super) fn monitor(&self) -> &Monitor {
        &self.monitor
    }
}
