//! What ends it, and what has it read its configuration again.

use std::io;
use std::thread;
use std::time::Instant;

use crossbeam::channel::{Receiver, unbounded};
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
}

/// The signals from now on. A second one that asks for the end, if it is not the first one again, ends the process at
/// once.
pub(super) fn signals() -> io::Result<Receiver<Signal>> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    let (sender, receiver) = unbounded();
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
