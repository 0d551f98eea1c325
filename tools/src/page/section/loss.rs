//! Loss against the offered rate.

use maud::Markup;

use super::super::chart::{Axis, Chart, Point, Series, Unit};
use super::super::input::Inputs;

pub(super) fn body(inputs: &Inputs) -> Option<Markup> {
    let mut series = Vec::new();
    let planned = inputs
        .runs
        .iter()
        .filter(|run| run.result.generator.planned_pps.is_some());
    let runs: Vec<Point> = planned
        .map(|run| Point::new(run.result.offered_pps, run.result.loss()))
        .collect();
    // One run at a rate is a figure, and no plot.
    let has_trials = inputs.searches.iter().any(|search| {
        search
            .result
            .sizes
            .iter()
            .any(|size| !size.trials.is_empty())
    });
    if runs.len() < 2 && !has_trials {
        return None;
    }
    series.push(Series::dots("runs at a rate", runs));
    for search in &inputs.searches {
        for size in &search.result.sizes {
            let valid = size
                .trials
                .iter()
                .filter(|trial| trial.valid != Some(false));
            let points = valid.map(|trial| Point::new(trial.offered_pps, trial.loss_ratio));
            let name = format!("trials of {}, {}", search.name, size.frame_size);
            series.push(Series::dots(name, points.collect()));
        }
    }
    Chart {
        title: "Share of the offered frames that was lost",
        places: None,
        x: Axis {
            from_zero: false,
            ..Axis::linear("offered rate", Unit::Rate)
        },
        y: Axis::linear("lost", Unit::Share),
        series,
    }
    .render()
}
