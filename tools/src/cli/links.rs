//! The options of a measurement on real links.

use std::fmt;
use std::net::IpAddr;

use clap::Args;
use corelane::stack::Prefix;
use serde_json::{Value, json};

use super::{EngineArgs, LoadArgs, Usage};
use crate::unit::{DeviceMac, Family, LinkName, Protocol};

/// What the help lists the options of real links under.
pub(super) const LINKS: &str = "Real links";

/// What is of an engine in this process.
const OF_AN_ENGINE: [&str; 4] = ["workers", "ring", "pool_slots", "promiscuous"];

/// The options of a measurement on real links.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = LINKS)]
pub struct LinkArgs {
    /// Send by this link to a device under test, instead of to an engine in this process: tap:DEVICE,
    /// af_packet:DEVICE or af_xdp:DEVICE
    #[arg(long, value_name = "KIND:DEVICE", requires = "rx", conflicts_with_all = OF_AN_ENGINE)]
    pub tx: Option<LinkName>,

    /// Receive by this link what comes out of the device; af_packet:DEVICE:receive_only takes frames in blocks, for
    /// less each, and answers nobody
    #[arg(long, value_name = "KIND:DEVICE", requires = "tx")]
    pub rx: Option<LinkName>,

    /// Send and receive by the same link: the device sends back
    #[arg(long, value_name = "KIND:DEVICE", conflicts_with_all = OF_AN_ENGINE.iter().chain(&["tx", "rx"]))]
    pub link: Option<LinkName>,

    /// The device's link address on the sending link, or an address of it that is asked for it there, by ARP or
    /// neighbor discovery [default: 02:00:00:00:00:02, the receiving side's own: for a bridge or a wire; of a
    /// capture, those in it]
    #[arg(long, value_name = "MAC|ADDRESS")]
    pub dst_mac: Option<DeviceMac>,

    /// Answer the device on the receiving link when it asks who has this address: the next hop of its routes.
    /// May be given again
    #[arg(long, value_name = "ADDRESS")]
    pub answer: Vec<IpAddr>,

    /// Send even where the default route leads over a link: a load there is a load on others
    #[arg(long)]
    pub i_own_this_link: bool,
}

/// Which links a measurement is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEnds {
    /// One that sends and one that receives.
    Pair {
        /// It sends.
        tx: LinkName,
        /// It receives.
        rx: LinkName,
    },
    /// One that does both.
    Same(LinkName),
}

impl fmt::Display for LinkEnds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pair { tx, rx } => write!(f, "{tx} to {rx}"),
            Self::Same(link) => write!(f, "{link} and back"),
        }
    }
}

impl LinkArgs {
    /// The links, if there are any.
    pub fn ends(&self) -> Option<LinkEnds> {
        match (&self.tx, &self.rx, &self.link) {
            (Some(tx), Some(rx), _) if tx == rx => Some(LinkEnds::Same(tx.clone())),
            (Some(tx), Some(rx), _) => Some(LinkEnds::Pair {
                tx: tx.clone(),
                rx: rx.clone(),
            }),
            (_, _, Some(link)) => Some(LinkEnds::Same(link.clone())),
            _ => None,
        }
    }

    /// What no single option shows.
    pub(super) fn check(&self, engine: &EngineArgs) -> Result<(), Usage> {
        if self.ends().is_none() {
            return refuse_lonely(&[
                ("--dst-mac", self.dst_mac.is_some()),
                ("--answer", !self.answer.is_empty()),
                ("--i-own-this-link", self.i_own_this_link),
            ]);
        }
        if let Some(address) = self
            .answer
            .iter()
            .find(|it| it.is_multicast() || it.is_unspecified())
        {
            let what = format!("'{address}' is nobody's address");
            return Err(Usage::value("--answer", &what, "192.0.2.2"));
        }
        for (option, link) in [("--tx", &self.tx), ("--link", &self.link)] {
            if let Some(link) = link.as_ref().filter(|link| link.receive_only) {
                let sends = LinkName {
                    receive_only: false,
                    ..link.clone()
                };
                let what = format!("'{link}' is to receive only, and has to send");
                return Err(Usage::value(option, &what, &sends.to_string()));
            }
        }
        if let Some(rx) = self.rx.as_ref().filter(|rx| rx.receive_only)
            && !self.answer.is_empty()
        {
            return Err(Usage::new(format!(
                "--answer: '{rx}' is to receive only, and answers nobody"
            )));
        }
        match engine.cores.as_ref().map(|cores| cores.cores().len()) {
            Some(n) if n != 2 => Err(Usage::value(
                "--cores",
                &format!(
                    "{n} of them: on real links there are two threads, that which receives and that which sends"
                ),
                "0,1",
            )),
            _ => Ok(()),
        }
    }

    /// Frames that are made up are known by their numbers, and go where the device leads them.
    pub(super) fn check_load(&self, load: &LoadArgs) -> Result<(), Usage> {
        if self.ends().is_none() {
            return refuse_lonely(&[
                ("--dst-net", !load.dst_net.is_empty()),
                ("--src-net", !load.src_net.is_empty()),
            ]);
        }
        if load.protocols.mix.has(Protocol::Fragments) {
            return Err(Usage::value(
                "--protocols",
                &format!(
                    "'{}' has frames without a number, by which alone a frame is known on real links: no fragment \
                     has one",
                    load.protocols.mix
                ),
                "udp",
            ));
        }
        check_networks("--dst-net", &load.dst_net, load.family)?;
        check_networks("--src-net", &load.src_net, load.family)?;
        let (from, to) = (load.source_networks(), load.destination_networks());
        let room = to.room(load.family);
        if !load.dst_net.is_empty() && load.endpoints > room {
            return Err(Usage::value(
                "--endpoints",
                &format!(
                    "'{}' are more than the hosts that --dst-net has room for",
                    load.endpoints
                ),
                &format!("--endpoints {room}"),
            ));
        }
        if from.overlap(to, load.family) {
            return Err(Usage::value(
                "--src-net",
                "frames would go to addresses that they come from; they come from 198.18.0.0/15 and \
                 2001:2::/48 where nothing is said",
                "--src-net 198.18.0.0/16 for --dst-net 198.19.0.0/16",
            ));
        }
        Ok(())
    }

    /// As they are in effect, by their names.
    pub fn flags(&self) -> [(&'static str, Value); 5] {
        let text = |link: &Option<LinkName>| json!(link.as_ref().map(ToString::to_string));
        let answer: Vec<_> = self.answer.iter().map(ToString::to_string).collect();
        [
            ("tx", text(&self.tx)),
            ("rx", text(&self.rx)),
            ("link", text(&self.link)),
            ("dst_mac", json!(self.dst_mac.map(|mac| mac.to_string()))),
            ("answer", json!(answer)),
        ]
    }
}

/// Refuses options of real links where there are none, if they are given.
fn refuse_lonely(options: &[(&str, bool)]) -> Result<(), Usage> {
    match options.iter().find(|(_, given)| *given) {
        Some((option, _)) => Err(Usage::new(format!(
            "{option}: of no use without real links: --tx and --rx, or --link"
        ))),
        None => Ok(()),
    }
}

/// One network of each family that frames have.
fn check_networks(option: &str, networks: &[Prefix], family: Family) -> Result<(), Usage> {
    let of = |v4: bool| {
        networks
            .iter()
            .filter(move |network| network.address().is_ipv4() == v4)
    };
    for (v4, version, only) in [(true, "IPv4", Family::V6), (false, "IPv6", Family::V4)] {
        let Some(network) = of(v4).next() else {
            if !networks.is_empty() && family != only {
                return Err(Usage::new(format!(
                    "{option}: of IPv6 and IPv4, {version} has none, and --family {family} has frames of it; \
                     give one of each, or --family {only}"
                )));
            }
            continue;
        };
        if of(v4).count() > 1 {
            return Err(Usage::new(format!(
                "{option}: more than one network of {version}"
            )));
        }
        if family == only {
            return Err(Usage::new(format!(
                "{option}: '{network}' is of {version}, and --family {family} has no frames of it"
            )));
        }
    }
    Ok(())
}
