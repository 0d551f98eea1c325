//! What happened, in lines and as JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use super::rates::{NicRates, Rates};

/// A rate in few characters: `1.50M`.
pub(super) fn short(rate: f64) -> String {
    for (least, unit) in [(1e9, "G"), (1e6, "M"), (1e3, "k")] {
        if rate >= least {
            return format!("{:.2}{unit}", rate / least);
        }
    }
    if rate == 0.0 || rate >= 10.0 {
        format!("{rate:.0}")
    } else {
        format!("{rate:.1}")
    }
}

/// A share as people read it.
pub(super) fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.1}%", share * 100.0))
}

/// The lines of an interval.
pub(super) fn lines(rates: &Rates) -> String {
    let mut text = String::new();
    // Writing to a String does not fail.
    let _ = write_lines(&mut text, rates);
    text
}

fn write_lines(text: &mut String, rates: &Rates) -> std::fmt::Result {
    let columns = |cells: [String; 8]| cells.map(|cell| format!("{cell:>9}")).join(" ");
    let titles = columns(NicRates::TITLES.map(str::to_owned));
    writeln!(
        text,
        "{:<12} {:<10} {titles} {:>5} {:>5}",
        "nic", "state", "addr", "neigh"
    )?;
    for nic in &rates.nics {
        let cells = columns(nic.rates().map(short));
        let (name, state) = (&nic.name, nic.state());
        writeln!(
            text,
            "{name:<12} {state:<10} {cells} {:>5} {:>5}",
            nic.addresses, nic.neighbors
        )?;
    }
    for drop in rates.drops.iter().filter(|drop| drop.pps > 0.0) {
        let pps = short(drop.pps);
        writeln!(
            text,
            "  {} dropped, {}: {pps} pps, {} in all",
            drop.nic, drop.reason, drop.total
        )?;
    }
    for thread in &rates.threads {
        let (pps, busy) = (short(thread.pps), percent(thread.busy));
        writeln!(text, "  {:<18} {pps:>9} pps  busy {busy}", thread.name)?;
    }
    Ok(())
}

/// The JSON of an interval.
pub(super) fn json(rates: &Rates) -> Value {
    let round = |rate: f64| (rate * 1e3).round() / 1e3;
    let nics = rates.nics.iter().map(|nic| {
        json!({
            "nic": nic.name,
            "enabled": nic.enabled,
            "state": nic.state,
            "addresses": nic.addresses,
            "neighbors": nic.neighbors,
            "received_pps": round(nic.received_pps),
            "received_bps": round(nic.received_bps),
            "sent_pps": round(nic.sent_pps),
            "sent_bps": round(nic.sent_bps),
            "delivered_pps": round(nic.delivered_pps),
            "forwarded_pps": round(nic.forwarded_pps),
            "consumed_pps": round(nic.consumed_pps),
            "dropped_pps": round(nic.dropped_pps),
        })
    });
    let drops = rates.drops.iter().map(|drop| {
        json!({
            "nic": drop.nic,
            "reason": drop.reason,
            "pps": round(drop.pps),
            "total": drop.total,
        })
    });
    let threads = rates.threads.iter().map(|thread| {
        json!({
            "thread": thread.name,
            "core": thread.core,
            "pps": round(thread.pps),
            "busy": thread.busy.map(round),
        })
    });
    json!({
        "schema": 1,
        "verb": "top",
        "seconds": rates.interval.as_secs_f64(),
        "nics": nics.collect::<Vec<_>>(),
        "drops": drops.collect::<Vec<_>>(),
        "threads": threads.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::rates::tests::a_second;

    #[test]
    fn rates_are_short() {
        for (rate, text) in [
            (0.0, "0"),
            (0.25, "0.2"),
            (9.96, "10.0"),
            (10.0, "10"),
            (999.4, "999"),
            (1500.0, "1.50k"),
            (2_500_000.0, "2.50M"),
            (9.7e9, "9.70G"),
        ] {
            assert_eq!(short(rate), text);
        }
    }

    #[test]
    fn lines_have_nics_drops_and_threads() {
        let text = lines(&a_second());
        let lines: Vec<_> = text.lines().collect();
        assert!(
            lines[1].starts_with("wan          up             2.00k     1.02M       250"),
            "{text}"
        );
        assert!(lines[1].ends_with("    2     3"), "{text}");
        assert_eq!(lines[2], "  wan dropped, ip4_checksum: 200 pps, 200 in all");
        assert_eq!(
            lines[3],
            "  wan dropped, invalid_address: 50 pps, 57 in all"
        );
        assert_eq!(lines[4], "  worker-0               2.00k pps  busy 25.0%");
        assert_eq!(lines.len(), 6, "{text}");
    }

    #[test]
    fn json_has_all_of_it() {
        let json = json(&a_second());
        assert_eq!(json["nics"][0]["forwarded_pps"], 1500.0);
        assert_eq!(json["nics"][0]["state"], "up");
        assert_eq!(json["drops"][2]["reason"], "link: kernel_dropped");
        assert_eq!(json["threads"][1]["busy"], Value::Null);
        assert_eq!(
            (&json["schema"], &json["seconds"]),
            (&1.into(), &1.0.into())
        );
    }
}
