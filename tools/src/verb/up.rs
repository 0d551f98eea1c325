//! `up`: a host or router on real links.

use crate::cli::{UpArgs, Usage};
use crate::config::Config;
use crate::exit::Exit;
use crate::run::{Failure, Output, print, say};
use crate::up::{self, Logs, Setting, UpReport};

pub(super) fn up(args: &UpArgs) -> Result<Exit, Failure> {
    let config = Config::load(&args.config).map_err(|error| Usage::new(error.to_string()))?;
    let taken = up::taken(&config, &args.config);
    let output = Output::new(args.json.as_deref(), &taken)?;
    let to_stderr = output.is_stdout_json();
    let setting = Setting {
        file: args.config.clone(),
        socket: args.socket.clone(),
        user: args.user.clone(),
        idle: args.idle,
        logs: Logs {
            level: args.log,
            json: args.json_logs,
        },
    };
    let report = up::run(config, &setting, |line| {
        if to_stderr {
            say(line.trim_end());
            return Ok(());
        }
        print(line)
    })?;
    output.write(&report.text(), &format!("{:#}", report.json()))?;
    exit_of(&report)
}

fn exit_of(report: &UpReport) -> Result<Exit, Failure> {
    if !report.is_drained() {
        let what = "the engine did not end in time: a link holds a thread, or one panicked";
        return Err(Failure::Run(what.to_owned()));
    }
    Ok(if report.balances() {
        Exit::Done
    } else {
        Exit::Accounting
    })
}
