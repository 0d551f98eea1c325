//! The parts of the page. A part that there is no data for is not there.

mod comparison;
mod conditions;
mod drops;
mod latency;
mod ledger;
mod loss;
mod profile;
mod runs;
mod search;
mod streams;
mod table;
mod throughput;
mod warnings;
mod workers;

use maud::Markup;

use super::input::Inputs;

/// A part of the page.
pub(super) struct Section {
    /// Its name in links.
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) body: Markup,
}

/// The parts that there is data for, in their order.
pub(super) fn all(inputs: &Inputs) -> Vec<Section> {
    let parts: [(&str, &str, Option<Markup>); 17] = [
        (
            "warnings",
            "What to know first",
            Some(warnings::body(inputs)),
        ),
        ("runs", "Runs", runs::body(inputs)),
        ("comparison", "Comparison", comparison::body(inputs)),
        ("search", "Rates found by search", search::body(inputs)),
        (
            "frame-size",
            "Throughput by frame size",
            throughput::by_frame_size(inputs),
        ),
        (
            "endpoints",
            "Throughput by endpoints",
            throughput::by_endpoints(inputs),
        ),
        ("scaling", "Scaling by workers", search::scaling(inputs)),
        ("loss", "Loss against offered rate", loss::body(inputs)),
        (
            "latency",
            "Latency by percentile",
            latency::by_percentile(inputs),
        ),
        (
            "latency-over-time",
            "Latency over time",
            latency::over_time(inputs),
        ),
        (
            "rate-over-time",
            "Rate over time",
            throughput::over_time(inputs),
        ),
        ("streams", "Streams", streams::body(inputs)),
        ("drops", "Drops by reason", drops::body(inputs)),
        ("workers", "Workers", workers::body(inputs)),
        ("profile", "Where the time goes", profile::body(inputs)),
        ("ledger", "Ledger", ledger::body(inputs)),
        ("conditions", "Conditions", conditions::body(inputs)),
    ];
    parts
        .into_iter()
        .filter_map(|(id, title, body)| {
            Some(Section {
                id,
                title,
                body: body?,
            })
        })
        .collect()
}
