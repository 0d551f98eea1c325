//! The load, of every verb that makes one.

use clap::Args;
use corelane::stack::Prefix;
use serde_json::{Value, json};

use super::EngineArgs;
use super::values::{endpoints, flows, neighbors, network, routes, seed, sockets, vlan};
use crate::cli::Usage;
use crate::cli::links::LINKS;
use crate::generator::{Carried, MAX_TAGS, Networks, protocols, size_on_wire};
use crate::unit::{Check, Destinations, Family, ratio};

/// The options that say what the frames of a load are and where they go, but for their size.
#[derive(Clone, Debug, Args)]
pub struct LoadArgs {
    /// Addresses of the NIC, up to 10 million: 1000, 64k, 1_000_000, 10m
    #[arg(long, value_name = "N", default_value = "1000", value_parser = endpoints)]
    pub endpoints: u32,

    /// How destinations are drawn from them: uniform, zipf:S, one, sequential, or hot:N:FRAMES (N of
    /// them at a time, the next ones after so many frames)
    #[arg(long, value_name = "LAW", default_value = "uniform")]
    pub destinations: Destinations,

    /// v4, v6 or mixed (half of each)
    #[arg(long, value_name = "FAMILY", default_value = "mixed")]
    pub family: Family,

    /// Pairs of source address and ports, pseudorandom, independent of destinations
    #[arg(long, value_name = "N", default_value = "4096", value_parser = flows)]
    pub flows: u32,

    /// How flows are drawn, as destinations are
    #[arg(long, value_name = "LAW", default_value = "uniform")]
    pub flow_law: Destinations,

    /// What frames carry, with parts: udp, tcp-syn, icmp-echo, fragments (udp:90,tcp-syn:10); or capture:FILE,
    /// as the packets of a pcap or pcapng file. Datagrams of fragments have two of them
    #[arg(long, value_name = "MIX", default_value = "udp", value_parser = protocols)]
    pub protocols: Carried,

    /// The share of frames that are malformed, in three ways in turn by chance
    #[arg(long, value_name = "SHARE", default_value = "0", conflicts_with_all = ["tx", "link"], value_parser = ratio)]
    pub malformed: f64,

    /// VLAN tags of all frames, outermost first: 100 or 10,100. The engine drops tagged frames
    #[arg(long, value_name = "IDS", value_delimiter = ',', value_parser = vlan)]
    pub vlan: Vec<u16>,

    /// What is checked of each frame received: off, order (its number: order, duplicates, and whether it
    /// came with the addresses and ports it was sent with), full (its checksum too)
    #[arg(long, value_name = "HOW", default_value = "order", conflicts_with_all = ["tx", "link"])]
    pub check: Check,

    /// The share of frames for an endpoint; the others go to random addresses that are none's
    #[arg(long, value_name = "SHARE", default_value = "1", conflicts_with_all = ["tx", "link"], value_parser = ratio)]
    pub hit_ratio: f64,

    /// Forward the frames: they go to random addresses of routes, to a second NIC that takes them all,
    /// with neighbors whose link addresses are known. There are no endpoints
    #[arg(
        long,
        conflicts_with_all = ["endpoints", "hit_ratio", "promiscuous", "sockets", "tx", "link"]
    )]
    pub forward: bool,

    /// Routes to forward by, up to 1 million, of lengths as the Internet's
    #[arg(long, value_name = "N", default_value = "1000", requires = "forward", conflicts_with_all = ["tx", "link"], value_parser = routes)]
    pub routes: u32,

    /// Neighbors that the routes lead to, of each family
    #[arg(long, value_name = "N", default_value = "64", requires = "forward", conflicts_with_all = ["tx", "link"], value_parser = neighbors)]
    pub neighbors: u32,

    /// Deliver to N UDP sockets instead of a handler, one for each endpoint (so it sets their number),
    /// which another thread reads
    #[arg(
        long,
        value_name = "N",
        conflicts_with_all = ["endpoints", "promiscuous", "latency", "tx", "link"],
        value_parser = sockets
    )]
    pub sockets: Option<u32>,

    /// Where the addresses are that frames go to: a network that the device's routes lead on, of each family;
    /// --endpoints of its hosts [default: 10.0.0.0/8 and fd00::/64]
    #[arg(long, value_name = "NETWORK", help_heading = LINKS, value_parser = network)]
    pub dst_net: Vec<Prefix>,

    /// Where the addresses are that they come from, likewise [default: 198.18.0.0/15 and 2001:2::/48]
    #[arg(long, value_name = "NETWORK", help_heading = LINKS, value_parser = network)]
    pub src_net: Vec<Prefix>,

    /// What all random draws start from: the same seed, the same frames at the same planned times
    #[arg(long, value_name = "N", default_value = "1", value_parser = seed)]
    pub seed: u64,
}

impl LoadArgs {
    /// What no single option shows, of a load on this engine.
    pub(in crate::cli) fn check(&self, engine: &EngineArgs) -> Result<(), Usage> {
        if self.vlan.len() > MAX_TAGS {
            let ids: Vec<_> = self.vlan.iter().map(ToString::to_string).collect();
            return Err(Usage::value(
                "--vlan",
                &format!(
                    "'{}' are more than the two tags that a frame has",
                    ids.join(",")
                ),
                &ids[..MAX_TAGS].join(","),
            ));
        }
        if self.sockets.is_some() && engine.measures_latency() {
            return Err(Usage::new(
                "--sockets: no latency is measured to who reads them; leave out --hgrm, --hlog and goals of \
                 latency",
            ));
        }
        Ok(())
    }

    /// Where the frames go.
    pub fn destination_networks(&self) -> Networks {
        Networks::DESTINATIONS.with(&self.dst_net)
    }

    /// Where they come from.
    pub fn source_networks(&self) -> Networks {
        Networks::SOURCES.with(&self.src_net)
    }

    /// As they are in effect, by their names.
    pub fn flags(&self) -> [(&'static str, Value); 18] {
        let texts =
            |networks: &[Prefix]| networks.iter().map(ToString::to_string).collect::<Vec<_>>();
        let endpoints = self.sockets.unwrap_or(self.endpoints);
        [
            ("endpoints", json!((!self.forward).then_some(endpoints))),
            ("forward", json!(self.forward)),
            ("routes", json!(self.forward.then_some(self.routes))),
            ("neighbors", json!(self.forward.then_some(self.neighbors))),
            ("sockets", json!(self.sockets)),
            ("destinations", json!(self.destinations.to_string())),
            ("family", json!(self.family.to_string())),
            ("smallest_ipv6_frame", json!(size_on_wire(0, true))),
            ("flows", json!(self.flows)),
            ("flow_law", json!(self.flow_law.to_string())),
            ("protocols", json!(self.protocols.mix.to_string())),
            ("protocols_of", json!(self.protocols.of_name())),
            ("malformed", json!(self.malformed)),
            ("vlan", json!(self.vlan)),
            ("hit_ratio", json!(self.hit_ratio)),
            ("dst_net", json!(texts(&self.dst_net))),
            ("src_net", json!(texts(&self.src_net))),
            ("seed", json!(self.seed)),
        ]
    }
}
