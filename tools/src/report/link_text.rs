//! The report for people of a run on real links.

use std::fmt::Write;

use super::text::{bit_rate, scaled, time};
use super::{LinkShare, Report};

/// What was sent and what came back.
pub(super) fn rates(out: &mut String, report: &Report, links: &LinkShare) -> std::fmt::Result {
    let received = bit_rate(report.received_bytes, report);
    let came = scaled(report.delivered_pps, "pps");
    writeln!(out, "received     {came:<14} {received} received")?;
    writeln!(
        out,
        "lost         {:<14} {:.4}% of what was sent",
        links.lost,
        100.0 * links.loss_ratio
    )?;
    writeln!(
        out,
        "times        {}",
        if links.timestamps == "link" {
            format!("of the kernel, when {} had a frame", links.rx.link)
        } else {
            format!(
                "of the receiver, when it polled {}, which gives none",
                links.rx.link
            )
        }
    )?;
    writeln!(
        out,
        "polls        {} at most from one to the next of the receiver",
        time(links.longest_poll_gap_ns)
    )
}

/// What the links counted beside the books.
pub(super) fn counters(out: &mut String, links: &LinkShare) -> std::fmt::Result {
    for end in [&links.tx, &links.rx] {
        let counts = end.counters.iter().filter(|(_, count)| **count > 0);
        let counts: Vec<String> = counts
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        if !counts.is_empty() {
            writeln!(out, "{:<12} {}", end.link, counts.join(", "))?;
        }
        // The same link twice is one.
        if links.tx.link == links.rx.link {
            break;
        }
    }
    Ok(())
}

/// The books.
pub(super) fn ledger(out: &mut String, report: &Report, links: &LinkShare) -> std::fmt::Result {
    let generator = &report.generator;
    let (unsent, order) = (&generator.unsent, &report.order.found);
    writeln!(out, "ledger")?;
    writeln!(
        out,
        "  intended {} = sent {} + late {} + no buffer {} + not taken by the link {}",
        generator.intended, generator.sent, unsent.late, unsent.no_buffer, unsent.not_taken,
    )?;
    writeln!(
        out,
        "  sent {} = received unique {} + lost {}",
        generator.sent,
        order.unique(),
        links.lost,
    )?;
    writeln!(
        out,
        "  received unique {} = in order {} + reordered {}",
        order.unique(),
        order.in_order,
        order.reordered,
    )?;
    writeln!(
        out,
        "  frames that came {} = received unique {} + duplicates {} + corrupt {} + strays {} + foreign {}",
        links.frames,
        order.unique(),
        order.duplicates,
        order.corrupt,
        links.strays,
        links.foreign,
    )?;
    if links.answered > 0 {
        writeln!(
            out,
            "  of the foreign ones, {} were answered",
            links.answered
        )?;
    }
    write!(out, "  ")
}
