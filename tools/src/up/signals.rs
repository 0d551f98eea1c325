//! What ends it, what has it read its configuration again, and what has it look at its links.

use std::io;
use std::thread;
use std::time::Instant;

use corelane_sys::link_changes::LinkChanges;
use crossbeam::channel::{Receiver, Sender, unbounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::exit::Exit;
use crate::interrupt::{Wish, Wishes};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// To end in order.
    End,
    /// To read the configuration again.
    Reload,
    /// To look at the links: something changed of the devices of this namespace.
    Links,
}

/// The signals from now on. A second one that asks for the end, if it is not the first one again, ends the process at
/// once.
pub(super) fn signals() -> io::Result<Receiver<Signal>> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    let (sender, receiver) = unbounded();
    if let Err(error) = link_changes(sender.clone()) {
        tracing::warn!(%error, "no word of changes of links: they are not logged");
    }
    let watch = move || {
        let mut wishes = Wishes::default();
        for signal in signals.forever() {
            let asked = if signal == SIGHUP {
                Signal::Reload
            } else {
                Signal::End
            };
            if asked == Signal::End && wishes.came(Instant::now()) == Wish::Now {
                std::process::exit(Exit::Interrupted.code().into());
            }
            // Nobody is left to be told when the process ends.
            let _ = sender.send(asked);
        }
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(watch)?;
    Ok(receiver)
}

/// Tells of devices that change from now on. The thread ends with the process, as that of the signals does.
fn link_changes(sender: Sender<Signal>) -> io::Result<()> {
    let changes = LinkChanges::new()?;
    let watch = move || while changes.wait().is_ok() && sender.send(Signal::Links).is_ok() {};
    thread::Builder::new()
        .name("link-changes".to_owned())
        .spawn(watch)
        .map(drop)
}
