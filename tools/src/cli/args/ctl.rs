//! `ctl`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use corelane::stack::Prefix;
use corelane::wire::{MacAddr, PacketFilter};
use serde_json::{Map, Value, json};

use super::values::{port, snap_len, watch_address, watch_count, watch_duration};
use crate::cli::Usage;
use crate::config::{change_keys, change_words};
use crate::control::{Request, Watch, WatchKind};
use crate::unit::{ValueError, nearest_or};

/// The options of `ctl`.
#[derive(Clone, Debug, Args)]
pub struct CtlArgs {
    /// show, capture, trace, or what to do: add_address and so on
    #[arg(value_name = "DO")]
    pub what: String,

    /// What to show, the NIC to capture on, or the keys that belong to what is done, as KEY=VALUE
    #[arg(value_name = "ARG")]
    pub args: Vec<String>,

    /// The control socket [default: corelane/control.sock in $XDG_RUNTIME_DIR or /run]
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,

    /// Write the answer as JSON; - is standard output, with nothing else on it
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// capture, trace: frames from or to this address
    #[arg(long, value_name = "A", value_parser = watch_address)]
    pub address: Option<IpAddr>,

    /// capture, trace: frames from or to this port of TCP, UDP or SCTP
    #[arg(long, value_name = "P", value_parser = port)]
    pub port: Option<u16>,

    /// capture, trace: so many frames
    #[arg(long, value_name = "N", value_parser = watch_count)]
    pub count: Option<u64>,

    /// capture, trace: for so long
    #[arg(long, value_name = "TIME", value_parser = watch_duration)]
    pub duration: Option<Duration>,

    /// capture: bytes kept of each frame [default: all of it]
    #[arg(long, value_name = "N", value_parser = snap_len)]
    pub snaplen: Option<usize>,

    /// capture: where the frames go, as pcapng; - is standard output
    #[arg(short = 'w', long = "write", value_name = "FILE")]
    pub write: Option<PathBuf>,
}

impl CtlArgs {
    /// What they ask for.
    ///
    /// # Errors
    /// There is no such thing to do or to show, an argument is no KEY=VALUE, or an option belongs to
    /// something else.
    pub fn request(&self) -> Result<Request, Usage> {
        let kinds = WatchKind::WORDS.iter();
        let kind = kinds.clone().find(|(word, _)| *word == self.what);
        if let Some((_, kind)) = kind {
            return self.watch(*kind).map(Request::Watch);
        }
        self.only_of(
            "capture and trace have",
            &[
                ("--address", self.address.is_some()),
                ("--port", self.port.is_some()),
                ("--count", self.count.is_some()),
                ("--duration", self.duration.is_some()),
            ],
        )?;
        self.only_of("capture has", &self.of_captures())?;
        self.request_in_words()
    }

    /// The options of captures alone.
    fn of_captures(&self) -> [(&'static str, bool); 2] {
        [
            ("--snaplen", self.snaplen.is_some()),
            ("--write", self.write.is_some()),
        ]
    }

    fn only_of(&self, whose: &str, options: &[(&str, bool)]) -> Result<(), Usage> {
        match options.iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((option, _)) => Err(Usage::new(format!(
                "{option}: only {whose} it, not {}",
                self.what
            ))),
        }
    }

    fn watch(&self, kind: WatchKind) -> Result<Watch, Usage> {
        let nic = match (self.args.as_slice(), kind) {
            ([nic], _) => Some(nic.strip_prefix("nic=").unwrap_or(nic).to_owned()),
            ([], WatchKind::Trace) => None,
            ([], WatchKind::Capture) => {
                return Err(Usage::new(
                    "capture: on which NIC? write for example: capture wan -w wan.pcapng",
                ));
            }
            ([_, surplus, ..], _) => return Err(too_many(surplus)),
        };
        match kind {
            WatchKind::Capture if self.json.is_some() => {
                return Err(Usage::new(
                    "--json: a capture is no JSON; -w says where it goes",
                ));
            }
            WatchKind::Capture if self.write.is_none() => {
                return Err(Usage::new(
                    "--write is missing; write for example: -w wan.pcapng, or -w - | tshark -r -",
                ));
            }
            WatchKind::Trace if self.json.is_some() => {
                return Err(Usage::new("--json: a trace is text, and no JSON"));
            }
            WatchKind::Trace => self.only_of("capture has", &self.of_captures())?,
            WatchKind::Capture => {}
        }
        Ok(Watch {
            kind,
            nic,
            filter: PacketFilter {
                address: self.address,
                port: self.port,
            },
            count: self.count,
            duration: self.duration,
            snap_len: self.snaplen,
        })
    }

    fn request_in_words(&self) -> Result<Request, Usage> {
        if self.what == "show" {
            let what = match self.args.as_slice() {
                [what] => what,
                [] => return Err(Usage::new("show: what? write for example: show addresses")),
                [_, surplus, ..] => return Err(too_many(surplus)),
            };
            let fields = Map::from_iter([("what".to_owned(), json!(what))]);
            return Request::show(&fields).map_err(|problem| Usage::new(problem.message));
        }
        if !change_words().any(|word| word == self.what) {
            return Err(self.nothing_to_do());
        }
        let mut fields = Map::from_iter([("do".to_owned(), json!(self.what))]);
        for arg in &self.args {
            let (key, value) = arg.split_once('=').ok_or_else(|| {
                let what = format!("is not KEY=VALUE, as {} has it", self.what);
                let meant = format!("{}={arg}", meant_key(&self.what, arg));
                Usage::new(ValueError::new(arg, what, meant).to_string())
            })?;
            // Every other key has a text.
            let value = match (key, value.parse()) {
                ("on", Ok(flag)) => Value::Bool(flag),
                _ => json!(value),
            };
            if fields.insert(key.to_owned(), value).is_some() {
                return Err(Usage::new(format!("{key}: given more than once")));
            }
        }
        Ok(Request::Change(fields))
    }

    fn nothing_to_do(&self) -> Usage {
        let watches = WatchKind::WORDS.iter().map(|(word, _)| *word);
        let words: Vec<_> = std::iter::once("show")
            .chain(watches)
            .chain(change_words())
            .collect();
        let meant = nearest_or(&self.what, &words, "show");
        Usage::new(format!(
            "'{}' is nothing to do; there are: {}; did you mean '{meant}'?",
            self.what,
            words.join(", ")
        ))
    }
}

fn too_many(surplus: &str) -> Usage {
    Usage::new(format!("{surplus}: one argument too many"))
}

/// The key that a value without one was most likely to have, of something to do.
fn meant_key(what: &str, value: &str) -> &'static str {
    let keys = change_keys(what);
    let of_them = |key: &'static str| keys.contains(&key).then_some(key);
    let is_address = value.parse::<Prefix>().is_ok() || value.parse::<IpAddr>().is_ok();
    let meant = match value {
        "true" | "false" => of_them("on"),
        "up" | "down" => of_them("state"),
        _ if value.parse::<MacAddr>().is_ok() => of_them("mac"),
        _ if is_address => keys.first().copied(),
        _ => of_them("name"),
    };
    meant.unwrap_or("nic")
}
