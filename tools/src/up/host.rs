//! The engine while it runs, and what is done to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use corelane::engine::{Lifecycle, Monitor, Running};
use corelane::stack::{Nic, NicId, Stack};
use serde_json::{Map, Value};

use super::applied::take_back;
use super::capture::Capture;
use super::captures::Captures;
use super::link_state::{FailedLinks, LinkState, SeenStates, mtu_of, queues_of};
use super::links::ServedLink;
use super::log::{Origin, Outcome, log_change, log_link, log_narrow, log_state};
use super::removed::Removed;
use super::room::Room;
use super::trace::{Trace, TraceSeat};
use super::user::User;
use crate::config::{Change, Config, LinkKind, LinkSetting};
use crate::control::{Answer, Problem, Reply, Request, Watch, WatchKind};
use crate::device::{LinkCounters, XdpWork};
use crate::host::{ActionError, Routes, Scene, Services, Unset, act, set_up};
use crate::unit::nearest;

/// What changes and listings are made on. A new configuration is `reload`'s, listings are `show`'s.
pub(super) struct Host {
    pub(super) config: Config,
    pub(super) lifecycle: Lifecycle,
    pub(super) monitor: Monitor,
    pub(super) stack: Stack,
    pub(super) nics: Vec<Nic>,
    pub(super) links: BTreeMap<NicId, ServedLink>,
    pub(super) failed: FailedLinks,
    pub(super) seen: SeenStates,
    pub(super) captures: Captures,
    pub(super) removed: Removed,
    pub(super) room: Room,
    /// Whom it runs as, if it has given up its privileges for that.
    pub(super) user: Option<User>,
    pub(super) services: Arc<Services>,
    pub(super) routes: Routes,
    pub(super) trace_seat: TraceSeat,
}

impl Host {
    /// On an engine that was built from `config`.
    pub(super) fn new(
        config: Config,
        running: &Running,
        services: Arc<Services>,
        links: Vec<ServedLink>,
        room: Room,
        user: Option<User>,
    ) -> Self {
        let nics = running.lifecycle().nics();
        let (mut by_nic, mut captures) = (BTreeMap::new(), Captures::default());
        for (nic, mut link) in nics.iter().zip(links) {
            captures.begin(nic.id(), link.capture.take());
            by_nic.insert(nic.id(), link);
        }
        Self {
            failed: FailedLinks::default(),
            seen: SeenStates::default(),
            captures,
            removed: Removed::default(),
            room,
            user,
            config,
            lifecycle: running.lifecycle().clone(),
            monitor: running.monitor(),
            stack: running.stack().clone(),
            nics,
            links: by_nic,
            services,
            routes: Routes::new(),
            trace_seat: TraceSeat::default(),
        }
    }

    /// Gives the NICs what the configuration says; returns what failed.
    pub(super) fn set_up(&mut self) -> Vec<Unset> {
        self.services.set(&self.config, &self.nics);
        let nics: Vec<_> = self.nics.iter().collect();
        let unset = set_up(&self.config, &nics, &self.stack, &self.lifecycle);
        unset.iter().for_each(|it| take_back(&mut self.config, it));
        unset
    }

    /// Whether a link is to be [looked at](Self::look_at_links).
    pub(super) fn has_links_to_look_at(&self) -> bool {
        self.links.values().any(|link| link.xdp.is_some())
    }

    /// Tells, once for each link, of what has to be set up elsewhere for it to work.
    pub(super) fn look_at_links(&mut self) {
        self.look_at_queues();
        for nic in &self.nics {
            let Some(link) = self.links.get_mut(&nic.id()).filter(|link| link.watched) else {
                continue;
            };
            let frames = link.partial_checksums();
            if frames > 0 {
                link.watched = false;
                let setting = self.config.nic(nic.name());
                let device = setting.map_or("", |setting| &setting.link.name);
                tracing::warn!(
                    nic = nic.name(),
                    frames,
                    "senders leave checksums to hardware, for which AF_XDP has no word: their frames are dropped. On a \
                     veth run `ethtool -K PEER tx off` in the namespace of its peer, on a NIC `ethtool -K {device} gro \
                     off lro off`"
                );
            }
        }
    }

    /// A link of AF_XDP has a socket for each queue of its device: what comes by one that is made later goes to the
    /// kernel, which tells nobody of it.
    fn look_at_queues(&mut self) {
        for nic in &self.nics {
            let Some(setting) = self.config.nic(nic.name()).map(|setting| &setting.link) else {
                continue;
            };
            if setting.kind != LinkKind::AfXdp {
                continue;
            }
            let (device, queues) = (&setting.name, setting.queues);
            let has = queues_of(self.device(nic));
            if self.seen.spreads(nic.id(), queues, has) {
                tracing::warn!(
                    nic = nic.name(),
                    device,
                    queues,
                    has,
                    "the device receives by other queues than it did: what comes by one that is not the link's is lost \
                     to the engine. Run `ethtool -L {device} combined {queues}` (of a veth, `rx {queues}`)"
                );
            }
        }
    }

    /// Logs how links work, and how they are.
    pub(super) fn log_links(&mut self) {
        for nic in &self.nics {
            if let Some(setting) = self.config.nic(nic.name()) {
                let state = self.state(nic);
                log_link(nic.name(), &setting.link, self.xdp(nic), state);
                self.seen.see(nic.id(), state);
            }
        }
    }

    /// Logs the states of links that are another by now, and MTUs of theirs that have become too small.
    pub(super) fn look_at_states(&mut self) {
        for nic in &self.nics {
            let Some(LinkSetting { kind, name, .. }) =
                self.config.nic(nic.name()).map(|setting| &setting.link)
            else {
                continue;
            };
            let state = self.state(nic);
            if self.seen.see(nic.id(), state)
                && let Some(state) = state
            {
                log_state(nic.name(), name, state);
            }
            // A TAP takes from the engine what its slots hold.
            let mtu = mtu_of(self.device(nic)).filter(|_| *kind != LinkKind::Tap);
            if self.seen.narrows(nic.id(), nic.mtu(), mtu) {
                log_narrow(nic.name(), name, nic.mtu(), mtu);
            }
        }
    }

    /// The number of the device of a NIC.
    fn device(&self, nic: &Nic) -> Option<i32> {
        self.links.get(&nic.id())?.device
    }

    /// How the link of a NIC is; None where the system does not know its device.
    pub(super) fn state(&self, nic: &Nic) -> Option<LinkState> {
        LinkState::of(self.device(nic), self.failed.has(nic.id()))
    }

    /// Does what a client asks for.
    pub(super) fn respond(&mut self, request: &Request) -> Reply {
        let fields = match request {
            Request::Show(listing) => return Reply::Answer(Answer::Rows(self.show(*listing))),
            Request::Watch(watch) => {
                let refused = |problem| Reply::Answer(Answer::Problem(problem));
                return self.watch(watch).unwrap_or_else(refused);
            }
            Request::Change(fields) => fields,
        };
        Reply::Answer(self.change(fields))
    }

    fn change(&mut self, fields: &Map<String, Value>) -> Answer {
        let change = match Change::parse(fields, &self.config.nics) {
            Ok(change) => change,
            Err(what) => return Answer::Problem(Problem::request(what)),
        };
        let done = self.act(&change);
        log_change(Origin::Control, &change, Outcome::of(&done));
        match done {
            Ok(()) => Answer::Done,
            Err(ActionError { name, message }) => Answer::Problem(Problem {
                is_request: false,
                name,
                message,
            }),
        }
    }

    /// Begins to show frames; the client's thread goes on with it.
    fn watch(&self, watch: &Watch) -> Result<Reply, Problem> {
        let nic = watch.nic.as_deref().map(|name| self.named(name));
        let nic = nic.transpose()?;
        Ok(match (watch.kind, nic) {
            (WatchKind::Capture, Some(nic)) => {
                let setting = self.config.nic(nic.name());
                let device = setting.map_or("", |setting| setting.link.name.as_str());
                let longest = self.links.get(&nic.id()).map_or(0, |link| link.longest);
                let capture = Capture::begin(nic, device, longest, watch)?;
                Reply::Stream("pcapng", Box::new(capture))
            }
            (WatchKind::Capture, None) => {
                return Err(Problem::request("nic: missing, capture needs it"));
            }
            (WatchKind::Trace, nic) => {
                let (lifecycle, seat) = (&self.lifecycle, &self.trace_seat);
                let nics = self.nics.clone();
                let trace = Trace::begin(lifecycle, seat, nics, nic.map(Nic::id), watch)?;
                Reply::Stream("text", Box::new(trace))
            }
        })
    }

    /// The NIC of this name.
    fn named(&self, name: &str) -> Result<&Nic, Problem> {
        let found = self.nics.iter().find(|nic| nic.name() == name);
        found.ok_or_else(|| {
            let names = || self.nics.iter().map(Nic::name);
            let meant = nearest(name, names())
                .map(|meant| format!("; did you mean '{meant}'?"))
                .unwrap_or_default();
            let (name, names) = (name.escape_debug(), names().collect::<Vec<_>>().join(", "));
            Problem::request(format!(
                "nic: there is no NIC '{name}'; there are: {names}{meant}"
            ))
        })
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

    /// The captures to files, which are to be ended when the engine has.
    pub(super) fn take_captures(&mut self) -> Captures {
        std::mem::take(&mut self.captures)
    }

    /// The NICs that were removed.
    pub(super) fn removed(&self) -> &Removed {
        &self.removed
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
        self.links.get(&nic.id()).map(|link| &link.counters)
    }

    /// How the link of a NIC works, if it is an AF_XDP link.
    pub(super) fn xdp(&self, nic: &Nic) -> Option<&XdpWork> {
        self.links.get(&nic.id())?.xdp.as_ref()
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
