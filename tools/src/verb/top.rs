//! `top`: a host that is up, live.

use crate::cli::TopArgs;
use crate::control::default_path;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::run::Failure;
use crate::top::{Setting, run};

pub(super) fn top(args: &TopArgs, interrupt: &Interrupt) -> Result<Exit, Failure> {
    let setting = Setting {
        socket: args.socket.clone().unwrap_or_else(default_path),
        interval: args.interval,
        once: args.once,
        json: args.json.clone(),
    };
    run(&setting, interrupt)
}
