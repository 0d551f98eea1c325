//! Latency: by percentile, and over time.

use maud::{Markup, html};

use super::super::chart::{Axis, Chart, Point, Series, Unit};
use super::super::input::{Inputs, Percentiles};
use super::table::percent;
use crate::figures::Interval;

pub(super) fn by_percentile(inputs: &Inputs) -> Option<Markup> {
    let mut series: Vec<Series> = inputs
        .runs
        .iter()
        .filter_map(|run| Some(line(run.name.clone(), run.result.latency_ns.as_ref()?)))
        .collect();
    for search in &inputs.searches {
        for size in &search.result.sizes {
            for load in &size.latency {
                let name = format!(
                    "{}, {} at {}",
                    search.name,
                    size.frame_size,
                    share_of_rate(load.fraction)
                );
                series.push(line(name, &load.latency_ns));
            }
        }
    }
    let at_max = inputs
        .runs
        .iter()
        .any(|run| run.result.latency_ns.is_some() && run.result.generator.planned_pps.is_none());
    let chart = Chart {
        title: "Latency that so many percent of the frames had at most",
        places: None,
        x: Axis::logarithmic("percentile", Unit::Percentile),
        y: Axis::logarithmic("latency", Unit::Time),
        series,
    }
    .render()?;
    Some(html! {
        (chart)
        p.note {
            "From the planned send time of each frame, so that a stall shows in all frames that were due meanwhile."
            @if at_max {
                " Runs at the greatest rate have no plan: theirs is the time in the rings, from emission."
            }
        }
    })
}

/// The load that a latency was measured at. The first one is a trickle, whatever the rate.
pub(super) fn share_of_rate(fraction: f64) -> String {
    if fraction == 0.0 {
        "no load".to_owned()
    } else {
        format!("{} of its rate", percent(fraction))
    }
}

fn line(name: String, latency: &Percentiles) -> Series {
    let mut points: Vec<Point> = latency
        .points()
        .into_iter()
        .map(|(percent, ns)| Point::new(1.0 / (1.0 - percent / 100.0), ns))
        .collect();
    // The greatest of n is at 1 - 1/n.
    if let (Some(max), Some(count)) = (latency.get("max"), latency.get("count"))
        && points.last().is_none_or(|last| last.x < count)
    {
        points.push(Point::new(count, max));
    }
    Series::line(name, points)
}

pub(super) fn over_time(inputs: &Inputs) -> Option<Markup> {
    let mut series = Vec::new();
    for run in &inputs.runs {
        let intervals = &run.result.intervals;
        for (what, of) in [
            ("p50", (|it| it.p50_ns) as fn(&Interval) -> Option<f64>),
            ("p99", |it| it.p99_ns),
        ] {
            let points = intervals
                .iter()
                .filter_map(|it| Some(Point::new(it.at_ms / 1000.0, of(it)?)));
            series.push(Series::line(format!("{what} of {}", run.name), points));
        }
    }
    Chart {
        title: "Latency in each interval",
        places: None,
        x: Axis::linear("seconds since the window began", Unit::Seconds),
        y: Axis::logarithmic("latency", Unit::Time),
        series,
    }
    .render()
}
