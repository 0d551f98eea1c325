//! What happened between two samples.

use std::time::Duration;

use super::sample::{NicSample, Sample, ThreadSample};

/// In a second, of the time between two samples.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rates {
    pub(super) interval: Duration,
    pub(super) nics: Vec<NicRates>,
    /// The most frequent first.
    pub(super) drops: Vec<DropRate>,
    pub(super) threads: Vec<ThreadRates>,
}

/// Of a NIC.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct NicRates {
    pub(super) name: String,
    pub(super) enabled: bool,
    /// Of its link, as `ctl show nics` has it.
    pub(super) state: Option<String>,
    pub(super) addresses: u64,
    pub(super) neighbors: u64,
    pub(super) received_pps: f64,
    pub(super) received_bps: f64,
    pub(super) sent_pps: f64,
    pub(super) sent_bps: f64,
    pub(super) delivered_pps: f64,
    pub(super) forwarded_pps: f64,
    pub(super) consumed_pps: f64,
    pub(super) dropped_pps: f64,
}

impl NicRates {
    /// What the columns of its rates are called.
    pub(super) const TITLES: [&str; 8] = [
        "rx pps",
        "rx bit/s",
        "tx pps",
        "tx bit/s",
        "delivered",
        "forwarded",
        "consumed",
        "dropped",
    ];

    /// How it is, in a word: its link's state, unless it is disabled itself.
    pub(super) fn state(&self) -> &str {
        match &self.state {
            _ if !self.enabled => "disabled",
            Some(state) => state,
            None => "-",
        }
    }

    /// Its rates, by column.
    pub(super) fn rates(&self) -> [f64; 8] {
        [
            self.received_pps,
            self.received_bps,
            self.sent_pps,
            self.sent_bps,
            self.delivered_pps,
            self.forwarded_pps,
            self.consumed_pps,
            self.dropped_pps,
        ]
    }
}

/// What is dropped for one reason.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct DropRate {
    pub(super) nic: String,
    pub(super) reason: String,
    pub(super) pps: f64,
    pub(super) total: u64,
}

/// Of a thread.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ThreadRates {
    pub(super) name: String,
    pub(super) core: Option<u64>,
    pub(super) pps: f64,
    pub(super) busy: Option<f64>,
}

impl Rates {
    /// What happened from `before` to `now`. A NIC or a thread that was not there before began with
    /// nothing.
    pub(super) fn between(before: &Sample, now: &Sample) -> Self {
        let interval = now.at.saturating_duration_since(before.at);
        let seconds = interval.as_secs_f64().max(1e-9);
        let none = NicSample::default();
        let of_nic = |name: &str| {
            let found = before.nics.iter().find(|nic| nic.name == name);
            found.unwrap_or(&none)
        };
        let nics = now.nics.iter();
        let mut drops: Vec<_> = nics
            .clone()
            .flat_map(|nic| drop_rates(of_nic(&nic.name), nic, seconds))
            .collect();
        drops.sort_by(|a, b| b.pps.total_cmp(&a.pps).then(b.total.cmp(&a.total)));
        let thread = |now: &ThreadSample| {
            let before = before.threads.iter().find(|it| it.name == now.name);
            thread_rates(before, now, seconds)
        };
        Self {
            interval,
            nics: nics
                .map(|nic| nic_rates(of_nic(&nic.name), nic, seconds))
                .collect(),
            drops,
            threads: now.threads.iter().map(thread).collect(),
        }
    }
}

fn per_second(before: u64, now: u64, seconds: f64) -> f64 {
    now.saturating_sub(before) as f64 / seconds
}

fn nic_rates(before: &NicSample, now: &NicSample, seconds: f64) -> NicRates {
    let rate = |key: &str| {
        let of = |sample: &NicSample| sample.frames.get(key).copied().unwrap_or(0);
        per_second(of(before), of(now), seconds)
    };
    let dropped = drop_rates(before, now, seconds);
    NicRates {
        name: now.name.clone(),
        enabled: now.enabled,
        state: now.state.clone(),
        addresses: now.addresses,
        neighbors: now.neighbors,
        received_pps: rate("received"),
        received_bps: rate("received_bytes") * 8.0,
        sent_pps: rate("sent"),
        sent_bps: rate("sent_bytes") * 8.0,
        delivered_pps: rate("delivered"),
        forwarded_pps: rate("forwarded"),
        consumed_pps: rate("consumed"),
        // The sum of none is -0.
        dropped_pps: dropped.fold(0.0, |sum, it| sum + it.pps),
    }
}

fn drop_rates(before: &NicSample, now: &NicSample, seconds: f64) -> impl Iterator<Item = DropRate> {
    let rate = move |(reason, total): (&String, &u64)| DropRate {
        nic: now.name.clone(),
        reason: reason.clone(),
        pps: per_second(
            before.drops.get(reason).copied().unwrap_or(0),
            *total,
            seconds,
        ),
        total: *total,
    };
    now.drops.iter().filter(|(_, total)| **total > 0).map(rate)
}

fn thread_rates(before: Option<&ThreadSample>, now: &ThreadSample, seconds: f64) -> ThreadRates {
    let packets = before.map_or(0, |before| before.packets);
    let busy = now.busy.map(|(busy, all)| {
        let (busy_before, all_before) = before.and_then(|it| it.busy).unwrap_or_default();
        let all = all.saturating_sub(all_before);
        // One that sleeps counts its sleep when it wakes.
        if all == 0 {
            0.0
        } else {
            busy.saturating_sub(busy_before) as f64 / all as f64
        }
    });
    ThreadRates {
        name: now.name.clone(),
        core: now.core,
        pps: per_second(packets, now.packets, seconds),
        busy,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Instant;

    use serde_json::{Value, json};

    use super::*;

    /// A second in which a router forwards 1500 packets.
    pub(in crate::top) fn a_second() -> Rates {
        let start = Instant::now();
        let nics = |neighbors: u64| {
            vec![
                json!({"nic": "wan", "enabled": true, "state": "up", "addresses": 2, "neighbors": neighbors}),
            ]
        };
        let counters = |n: u64| -> Vec<Value> {
            let row = |kind, counter, value| json!({"nic": "wan", "kind": kind, "counter": counter, "value": value});
            vec![
                row("frames", "received", 10 + 2000 * n),
                row("frames", "received_bytes", 64 * (10 + 2000 * n)),
                row("frames", "delivered", 10 + 250 * n),
                row("frames", "forwarded", 1500 * n),
                row("frames", "sent", 250 * n),
                row("frames", "sent_bytes", 25_000 * n),
                row("frames", "send_dropped", 0),
                row("drop", "invalid_address", 7 + 50 * n),
                row("drop", "ip4_checksum", 200 * n),
                row("drop", "no_route", 0),
                row("link", "kernel_dropped", 3),
                row("link", "buffer_waits", 5),
            ]
        };
        let threads = |n: u64| {
            vec![
                json!({"thread": "worker-0", "core": 1, "packets": 2000 * n,
                       "busy_ns": 250_000_000 * n, "idle_ns": 750_000_000 * n}),
                json!({"thread": "distributor-wan", "core": null, "packets": 2000 * n}),
            ]
        };
        let before = Sample::of(start, &nics(0), &counters(0), &threads(0));
        let end = start + Duration::from_secs(1);
        let now = Sample::of(end, &nics(3), &counters(1), &threads(1));
        Rates::between(&before, &now)
    }

    #[test]
    fn rates_are_differences_over_time() {
        let rates = a_second();
        let nic = &rates.nics[0];
        assert_eq!((nic.received_pps, nic.received_bps), (2000.0, 1_024_000.0));
        assert_eq!((nic.sent_pps, nic.sent_bps), (250.0, 200_000.0));
        assert_eq!((nic.delivered_pps, nic.forwarded_pps), (250.0, 1500.0));
        assert_eq!((nic.dropped_pps, nic.neighbors), (250.0, 3));
        let drops: Vec<_> = rates
            .drops
            .iter()
            .map(|it| (&*it.reason, it.pps, it.total))
            .collect();
        let expected = [
            ("ip4_checksum", 200.0, 200),
            ("invalid_address", 50.0, 57),
            ("link: kernel_dropped", 0.0, 3),
        ];
        assert_eq!(drops, expected, "what never happened is not there");
        assert_eq!(rates.threads[0].busy, Some(0.25));
        assert_eq!(
            (rates.threads[1].busy, rates.threads[1].pps),
            (None, 2000.0)
        );
    }

    #[test]
    fn a_nic_is_as_its_link_is_unless_it_is_disabled() {
        let mut nic = a_second().nics.remove(0);
        assert_eq!(nic.state(), "up");
        nic.state = Some("no-carrier".to_owned());
        assert_eq!(nic.state(), "no-carrier");
        nic.enabled = false;
        assert_eq!(nic.state(), "disabled");
        let row = json!({"nic": "a", "enabled": true, "state": null});
        let sample = Sample::of(Instant::now(), &[row], &[], &[]);
        assert_eq!(Rates::between(&sample, &sample).nics[0].state(), "-");
    }

    #[test]
    fn counters_that_begin_anew_are_no_negative_rate() {
        let sample = |at, value: u64| {
            let counters =
                [json!({"nic": "a", "kind": "frames", "counter": "received", "value": value})];
            Sample::of(at, &[json!({"nic": "a"})], &counters, &[])
        };
        let start = Instant::now();
        let rates = Rates::between(&sample(start, 100), &sample(start, 5));
        assert_eq!(rates.nics[0].received_pps, 0.0);
        assert!(rates.nics[0].dropped_pps.is_sign_positive(), "no -0 either");
    }
}
