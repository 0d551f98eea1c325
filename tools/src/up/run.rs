//! From a configuration to a running host, and to its end.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use corelane::engine::{Engine, Idle, Running, Warning, allowed_cores};
use corelane::stack::Nic;
use crossbeam::channel::{Receiver, RecvTimeoutError, bounded};

use super::captures::check_files;
use super::difference::retimed;
use super::host::Host;
use super::links::{OpenLink, Refused, ServedLink, open};
use super::log::{LogThread, Logs, Origin, Outcome, log_change};
use super::log_lines::LogLines;
use super::ready::notify;
use super::reload::Reloaded;
use super::report::UpReport;
use super::room::{RING, Room};
use super::signals::{Signal, signals};
use super::user::{ONLY_ROOT, User};
use crate::cli::Usage;
use crate::config::{Config, EventSetting, LinkKind};
use crate::control::{ControlSocket, default_path, serve};
use crate::device::NO_DEVICE;
use crate::host::{Services, TimedError, nic_config, stack_config};
use crate::run::Failure;

/// Events kept for the log, of normal life.
const EVENTS: usize = 1 << 14;

/// RSS spreads over 128 entries: more workers would have none.
const MAX_WORKERS: usize = 128;

/// How often links are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// How long what is in flight may take to come to its end.
const DRAIN: Duration = Duration::from_secs(10);

/// How it is to be up.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The file that its configuration is from, and is read from again.
    pub file: PathBuf,
    /// Where the control socket is, before what the configuration says.
    pub socket: Option<PathBuf>,
    /// Whom it runs as, before what the configuration says.
    pub user: Option<String>,
    /// What threads do that have nothing to do.
    pub idle: Idle,
    /// What is logged.
    pub logs: Logs,
}

/// Is up until a signal says otherwise. `ready` is told when everything is, in a line.
///
/// # Errors
/// It cannot be: a link, a privilege or a socket is missing, in words that say what to do.
pub fn run(
    config: Config,
    setting: &Setting,
    ready: impl FnOnce(&str) -> Result<(), Failure>,
) -> Result<UpReport, Failure> {
    let lines = setting.logs.start();
    let lines = lines.map_err(|error| Failure::Run(format!("no thread for the log: {error}")))?;
    let result = run_logged(config, setting, &lines, ready);
    // What is said on standard error after this comes after it.
    lines.drain();
    result
}

fn run_logged(
    config: Config,
    setting: &Setting,
    lines: &LogLines,
    ready: impl FnOnce(&str) -> Result<(), Failure>,
) -> Result<UpReport, Failure> {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let fail = |error: String| Failure::Run(error);
    let user = setting.user.as_deref().or(config.user.as_deref());
    let user = user.map(User::named).transpose().map_err(Usage::new)?;
    check(&config, setting)?;
    // From here on a signal ends it in order.
    let signals = signals().map_err(|error| fail(format!("cannot catch signals: {error}")))?;
    // Before the links, and the files of their captures: they may be those of who listens there already.
    let path = setting.socket.clone().or_else(|| config.socket.clone());
    let path = path.unwrap_or_else(default_path);
    let socket = ControlSocket::bind(&path, config.socket_mode).map_err(fail)?;

    let services = Arc::new(Services::default());
    let Built {
        engine,
        links,
        room,
    } = build(&config, setting.idle, &services)?;
    for warning in engine.warnings() {
        match warning {
            // Those that sleep while there is nothing to do share cores well.
            Warning::Crowded { .. } if setting.idle != Idle::BusyPoll => {
                tracing::info!("{warning}");
            }
            _ => tracing::warn!("{warning}"),
        }
    }
    socket.check_in_place().map_err(fail)?;
    // The links are open: from here on nothing needs a privilege.
    let user = user.filter(|user| !user.is_current());
    if let Some(user) = &user {
        drop_privileges(user, &socket)?;
    }

    let timeline = config.events.clone();
    let running = engine.start()?;
    let events = running.events().clone();
    let mut host = Host::new(config, &running, services, links, room, user);
    host.log_links();
    let mut errors = Vec::new();
    for unset in host.set_up() {
        let (nic, error) = (&unset.nic, &unset.error);
        tracing::error!(nic, %error, "{} failed", unset.label());
        errors.push(TimedError::from(unset));
    }
    let mut up = Up {
        file: setting.file.clone(),
        log: LogThread::start(
            events,
            running.lifecycle().clone(),
            host.failed.clone(),
            lines.clone(),
        )
        .map_err(|error| fail(format!("no thread for the log: {error}")))?,
        host: Arc::new(Mutex::new(host)),
        running,
        timeline,
        errors,
        signals,
        since: Instant::now(),
    };
    up.serve(&socket)?;
    ready(&up.ready_line(socket.path()))?;
    notify("READY=1");
    up.until_the_end();
    notify("STOPPING=1");
    Ok(up.end())
}

/// Every NIC has a link that can be up, and every capture a file of its own.
fn check(config: &Config, setting: &Setting) -> Result<(), Usage> {
    check_files(config, &setting.file)?;
    let mut nics = config.nics.iter();
    match nics.find(|nic| nic.link.kind == LinkKind::Pcap) {
        None => Ok(()),
        Some(nic) => Err(Usage::new(format!(
            "{}: nic '{}': {NO_DEVICE}",
            setting.file.display(),
            nic.name
        ))),
    }
}

/// An engine that is put together.
struct Built {
    engine: Engine,
    /// By NIC.
    links: Vec<ServedLink>,
    room: Room,
}

/// Opens the links and puts the engine together.
fn build(config: &Config, idle: Idle, services: &Arc<Services>) -> Result<Built, Failure> {
    let workers = config
        .workers
        .unwrap_or_else(|| allowed_cores().len().clamp(1, MAX_WORKERS));
    let mut builder = Engine::builder();
    builder
        .workers(workers)
        .idle(idle)
        .run_to_completion(true)
        .ring_capacity(RING)
        .event_capacity(EVENTS)
        .stack(stack_config(config));
    let for_handlers = Arc::clone(services);
    builder.handler(move |_| for_handlers.handler());
    let refused = |refused: Refused| Failure::Run(refused.to_string());
    let opened: Result<Vec<_>, _> = config.nics.iter().map(open).collect();
    let opened = opened.map_err(refused)?;
    let held = opened.iter().map(OpenLink::held).sum();
    let longest = opened.iter().map(OpenLink::longest).max().unwrap_or(0);
    let mut links = Vec::new();
    for ((number, nic), opened) in config.nics.iter().enumerate().zip(opened) {
        // One that was made up by its number is every other host's too.
        let mac = nic.mac_given.then_some(nic.mac);
        let (link, served) = opened.captured(nic).map_err(refused)?;
        links.push(served);
        builder.nic(nic_config(config, nic, number, mac), link);
    }
    let room = Room::new(config, workers, held, longest);
    builder.pool(room.pool().clone());
    Ok(Built {
        engine: builder.build()?,
        links,
        room,
    })
}

fn drop_privileges(user: &User, socket: &ControlSocket) -> Result<(), Failure> {
    let name = socket.path().display();
    socket.give_to(user).map_err(|error| {
        Failure::Run(format!(
            "user: cannot give {name} away: {error}; {ONLY_ROOT}"
        ))
    })?;
    user.become_it().map_err(Failure::Run)?;
    tracing::info!(
        uid = user.uid.as_raw(),
        gid = user.gid.as_raw(),
        "privileges dropped"
    );
    Ok(())
}

/// A host that is up.
struct Up {
    file: PathBuf,
    host: Arc<Mutex<Host>>,
    running: Running,
    log: LogThread,
    /// What is still to happen, by time.
    timeline: Vec<EventSetting>,
    /// What of that, and of what NICs were given to begin with, was not done.
    errors: Vec<TimedError>,
    signals: Receiver<Signal>,
    since: Instant,
}

/// A panic in a change leaves the engine's own state as it was.
fn locked(host: &Mutex<Host>) -> MutexGuard<'_, Host> {
    host.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Up {
    /// Answers clients from now on.
    fn serve(&self, socket: &ControlSocket) -> Result<(), Failure> {
        let host = Arc::clone(&self.host);
        let respond = move |request| locked(&host).respond(&request);
        let listener = socket.listener();
        listener
            .and_then(|listener| serve(listener, Arc::new(respond)))
            .map_err(|error| Failure::Run(format!("cannot serve the control socket: {error}")))
    }

    fn ready_line(&self, socket: &Path) -> String {
        let host = locked(&self.host);
        let nics: Vec<_> = host.nics().iter().map(Nic::name).collect();
        let workers = host.monitor().report().workers.len();
        let plural = if workers == 1 { "" } else { "s" };
        format!(
            "corelane: up: {}; {workers} worker{plural}; control socket {}\n",
            nics.join(", "),
            socket.display()
        )
    }

    /// Does what is due, and what signals ask for, until one asks for the end.
    fn until_the_end(&mut self) {
        loop {
            let due = self.timeline.first().map(|event| self.since + event.at);
            let look = locked(&self.host).has_links_to_look_at();
            let due = due
                .into_iter()
                .chain(look.then(|| Instant::now() + LOOK))
                .min();
            let signal = match due {
                None => self
                    .signals
                    .recv()
                    .map_err(|_| RecvTimeoutError::Disconnected),
                Some(due) => self.signals.recv_deadline(due),
            };
            match signal {
                Ok(Signal::Reload) => self.reload(),
                Ok(Signal::Links) => locked(&self.host).look_at_states(),
                Err(RecvTimeoutError::Timeout) => {
                    self.act_what_is_due();
                    locked(&self.host).look_at_links();
                }
                // Without signals nothing could end it in order.
                Ok(Signal::End) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn act_what_is_due(&mut self) {
        let now = self.since.elapsed();
        let due = self.timeline.partition_point(|event| event.at <= now);
        for EventSetting { change, .. } in self.timeline.drain(..due) {
            let done = locked(&self.host).act(&change);
            log_change(Origin::Timeline, &change, Outcome::of(&done));
            if let Err(error) = done {
                let at_ns = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
                self.errors.push(TimedError::of(at_ns, &change, error));
            }
        }
    }

    fn reload(&mut self) {
        let mut host = locked(&self.host);
        let before = host.config().events.clone();
        match host.reload(&self.file) {
            Reloaded::Done {
                mut changes,
                failed,
                events,
            } => {
                if events {
                    let retimed = retimed(&before, &host.config().events, self.since.elapsed());
                    self.timeline = retimed.timeline;
                    changes += retimed.changes;
                    for EventSetting { at, change } in &retimed.skipped {
                        log_change(Origin::Reload, change, Outcome::TooLate(*at));
                    }
                }
                if failed == 0 {
                    tracing::info!(changes, "SIGHUP: the configuration was read again");
                } else {
                    tracing::warn!(
                        changes,
                        failed,
                        "SIGHUP: the configuration was read again, and is in effect but for what failed: another SIGHUP tries \
                         that again"
                    );
                }
            }
            Reloaded::Same => tracing::info!("SIGHUP: the configuration is the same"),
            Reloaded::Refused(why) => {
                tracing::error!("SIGHUP: the configuration stays as it was: {why}");
            }
        }
    }

    /// Takes nothing more from the links, lets what is in flight come to its end, and says what was
    /// counted.
    fn end(self) -> UpReport {
        let Self {
            host,
            running,
            log,
            since,
            errors,
            ..
        } = self;
        let up = since.elapsed();
        // A link that does not come back must not keep the process.
        let (done, ended) = bounded(1);
        let stop = thread::Builder::new().name("stop".to_owned());
        let stopping = stop.spawn(move || {
            running.stop();
            // Whoever waited may have given up.
            let _ = done.send(());
        });
        let drained = stopping.is_ok() && ended.recv_timeout(DRAIN).is_ok();
        log.end();
        // Of an engine that has not ended they do not end.
        let captures = locked(&host).take_captures();
        let captures = if drained { captures.end() } else { Vec::new() };
        UpReport::of(&mut locked(&host), up, drained, captures, errors)
    }
}
