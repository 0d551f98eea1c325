//! The listings of a running engine.

use corelane::engine::{DistributorReport, WorkerReport};
use corelane::stack::{Forwarding, Nic};
use serde_json::{Map, Value, json};

use super::host::Host;
use super::link_state::LinkState;
use crate::control::Listing;
use crate::device::{self, LinkCounters, XdpWork};
use crate::host::{
    addresses_json, counters_json, drops_json, groups_json, holds_json, icmp_json, neighbors_json,
    protocols_json, ranges_json, routes_json, service_json,
};

impl Host {
    /// The rows of a listing.
    pub(super) fn show(&self, listing: Listing) -> Vec<Value> {
        match listing {
            Listing::Nics => self.of_nics(|nic| vec![self.nic_row(nic)]),
            Listing::Addresses => self.of_nics(addresses_json),
            Listing::Groups => self.of_nics(groups_json),
            Listing::Ranges => self.of_nics(ranges_json),
            Listing::Holds => holds_json(&self.routes, self.nics()),
            Listing::Neighbors => self.of_nics(|nic| self.neighbors(nic)),
            Listing::Counters => self.of_nics(|nic| self.counters(nic)),
            Listing::Routes => routes_json(self.stack(), self.nics()),
            Listing::Workers => self.threads(),
            Listing::Sockets => {
                let services = self.services().list();
                services
                    .iter()
                    .map(|service| service_json(service))
                    .collect()
            }
        }
    }

    /// Rows of each NIC, its name with them.
    fn of_nics(&self, rows: impl Fn(&Nic) -> Vec<Value>) -> Vec<Value> {
        let named = |nic: &Nic| {
            let name = nic.name().to_owned();
            let with_name = move |mut row: Value| {
                if let Value::Object(fields) = &mut row {
                    fields.insert("nic".to_owned(), json!(name));
                }
                row
            };
            rows(nic).into_iter().map(with_name)
        };
        self.nics().iter().flat_map(named).collect()
    }

    fn nic_row(&self, nic: &Nic) -> Value {
        let link = self.config().nic(nic.name()).map(|setting| &setting.link);
        let xdp = self.xdp(nic);
        let totals = nic.counters();
        let ranges: Vec<_> = nic.ranges().iter().map(ToString::to_string).collect();
        json!({
            "link": link.map(|link| link.kind.label()),
            "device": link.map(|link| link.name.as_str()),
            "queues": link.map(|link| link.queues),
            "mode": link.and_then(|link| device::mode(link, xdp)),
            "zero_copy": xdp.and_then(XdpWork::is_zero_copy),
            "state": self.state(nic).map(LinkState::label),
            "mac": nic.mac().to_string(),
            "mtu": nic.mtu(),
            "enabled": nic.is_enabled(),
            "promiscuous": nic.is_promiscuous(),
            "spoofing": nic.is_spoofing(),
            "forwarding": nic.forwarding() != Forwarding::OFF,
            "ranges": ranges,
            "addresses": nic.endpoint_count(),
            "neighbors": nic.stack().neighbors(nic.id()).len(),
            "received": totals.received,
            "sent": totals.sent,
            "dropped": totals.dropped() + totals.send_dropped,
        })
    }

    /// The neighbors of a NIC, with the seconds since they are what they are.
    fn neighbors(&self, nic: &Nic) -> Vec<Value> {
        let now = self.stack().now().as_nanos();
        let with_age = |mut row: Value| {
            if let Value::Object(fields) = &mut row
                && let Some(since) = fields.get("since_ns").and_then(Value::as_u64)
            {
                let age = now.saturating_sub(since) / 1_000_000_000;
                fields.insert("age_s".to_owned(), json!(age));
            }
            row
        };
        neighbors_json(nic).into_iter().map(with_age).collect()
    }

    /// Each counter of a NIC, of its link and of who polls that for the workers.
    fn counters(&self, nic: &Nic) -> Vec<Value> {
        let totals = nic.counters();
        let kinds = [
            ("frames", counters_json(&totals)),
            ("drop", drops_json(&totals)),
            ("icmp", icmp_json(&totals)),
            ("protocol", protocols_json(nic)),
            (
                "link",
                self.link(nic).map_or(Value::Null, LinkCounters::json),
            ),
            ("distributor", self.distributor(nic)),
        ];
        let rows = |(kind, counters): (&'static str, Value)| {
            let counters = match counters {
                Value::Object(counters) => counters,
                _ => Map::new(),
            };
            let row =
                move |(counter, value)| json!({ "kind": kind, "counter": counter, "value": value });
            counters.into_iter().map(row)
        };
        kinds.into_iter().flat_map(rows).collect()
    }

    /// What a NIC's distributor dropped, if it has one: frames that the NIC never received.
    fn distributor(&self, nic: &Nic) -> Value {
        let report = self.monitor().report();
        let of_nic = report.distributors.iter().find(|it| it.nic == nic.id());
        of_nic.map_or(Value::Null, |it| json!({ "ring_full": it.ring_full }))
    }

    /// Whatever polls.
    fn threads(&self) -> Vec<Value> {
        let report = self.monitor().report();
        let nic = |id| self.nics().iter().find(|nic| nic.id() == id).map(Nic::name);
        let distributors = report.distributors.iter();
        let workers = report.workers.iter().map(worker_row);
        workers
            .chain(distributors.map(|it| distributor_row(it, nic(it.nic))))
            .collect()
    }
}

pub(super) fn worker_row(worker: &WorkerReport) -> Value {
    let time = worker.busy_ns + worker.idle_ns;
    let busy = (time > 0).then(|| worker.busy_ns as f64 / time as f64);
    json!({
        "thread": format!("worker-{}", worker.id.0),
        "core": worker.core,
        "packets": worker.packets,
        "bytes": worker.bytes,
        "polls": worker.polls,
        "empty_polls": worker.empty_polls,
        "busy_ns": worker.busy_ns,
        "idle_ns": worker.idle_ns,
        "busy_ratio": busy.map(|ratio| (ratio * 1e4).round() / 1e4),
        "handler_panics": worker.handler_panics,
        "allocations": worker.allocations,
    })
}

pub(super) fn distributor_row(distributor: &DistributorReport, nic: Option<&str>) -> Value {
    json!({
        "thread": format!("distributor-{}", nic.unwrap_or("?")),
        "core": distributor.core,
        "packets": distributor.taken,
        "handed_over": distributor.handed_over,
        "ring_full": distributor.ring_full,
        "polls": distributor.polls,
        "empty_polls": distributor.empty_polls,
        "sent": distributor.sent,
        "send_dropped": distributor.send_dropped,
        "finished": distributor.finished,
        "allocations": distributor.allocations,
    })
}
