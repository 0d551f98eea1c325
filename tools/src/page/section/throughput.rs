//! Throughput: by an option, and over time.

use maud::Markup;

use super::super::chart::{Axis, Chart, Point, Series, Unit};
use super::super::group::{interval_rates, median};
use super::super::input::{Inputs, Named, Run};

/// Options that say how a run was made, and not what it was of.
const ASIDE: [&str; 5] = [
    "seed",
    "duration_s",
    "warmup_s",
    "pool_slots",
    "smallest_ipv6_frame",
];

pub(super) fn by_frame_size(inputs: &Inputs) -> Option<Markup> {
    let mut sizes: Vec<String> = inputs
        .runs
        .iter()
        .filter_map(|run| run.result.flag("frame_size"))
        .collect();
    let searched = inputs
        .searches
        .iter()
        .flat_map(|search| &search.result.sizes);
    sizes.extend(searched.map(|size| size.frame_size.clone()));
    // Numbers by their size, then names.
    sizes.sort_by_key(|size| (size.parse().unwrap_or(u64::MAX), size.clone()));
    sizes.dedup();
    if sizes.len() < 2 {
        return None;
    }
    let place = |size: &str| sizes.iter().position(|it| it == size).map(|at| at as f64);
    let mut series = sweep(&inputs.runs, "frame_size", |run| {
        place(&run.flag("frame_size")?)
    });
    for search in &inputs.searches {
        let goals = search
            .result
            .sizes
            .first()
            .map_or(&[][..], |size| &size.goals);
        for goal in goals {
            let found = search.result.sizes.iter().filter_map(|size| {
                let found = size.goals.iter().find(|it| it.name == goal.name)?;
                Some(Point {
                    x: place(&size.frame_size)?,
                    y: found.pps()?,
                    spread: found.spread(),
                })
            });
            series.push(Series::line(
                format!("{} of {}", goal.name, search.name),
                found,
            ));
        }
    }
    // A mix is not between two sizes.
    let numbers = sizes.iter().filter(|size| size.parse::<u64>().is_ok());
    let numbers = numbers.count() as f64;
    for line in &mut series {
        line.joined = line.points.iter().filter(|p| p.x < numbers).count();
    }
    Chart {
        title: "Frames per second that arrived, by frame size",
        places: Some(sizes.clone()),
        x: Axis::linear("bytes of a frame, check sequence included", Unit::Count),
        y: Axis::linear("rate", Unit::Rate),
        series,
    }
    .render()
}

pub(super) fn by_endpoints(inputs: &Inputs) -> Option<Markup> {
    let endpoints = |run: &Run| run.head.flags.get("endpoints")?.as_f64();
    let mut all: Vec<f64> = inputs
        .runs
        .iter()
        .filter_map(|run| endpoints(&run.result))
        .collect();
    all.sort_by(f64::total_cmp);
    all.dedup();
    if all.len() < 2 {
        return None;
    }
    Chart {
        title: "Frames per second that arrived, by endpoints",
        places: None,
        x: Axis::logarithmic("endpoints", Unit::Count),
        y: Axis::linear("rate", Unit::Rate),
        series: sweep(&inputs.runs, "endpoints", endpoints),
    }
    .render()
}

/// Runs that differ in nothing but one option.
struct Sweep<'a> {
    /// What they have in common.
    identity: String,
    /// Each with the place of its option.
    runs: Vec<(f64, &'a Named<Run>)>,
}

/// Runs that differ in nothing but one option, as a line each; of runs with the same value, the median.
fn sweep(runs: &[Named<Run>], option: &str, x: impl Fn(&Run) -> Option<f64>) -> Vec<Series> {
    let mut sweeps = Vec::<Sweep<'_>>::new();
    for run in runs {
        let Some(at) = x(&run.result) else { continue };
        let identity = identity(&run.result, option);
        match sweeps.iter_mut().find(|sweep| sweep.identity == identity) {
            Some(sweep) => sweep.runs.push((at, run)),
            None => sweeps.push(Sweep {
                identity,
                runs: vec![(at, run)],
            }),
        }
    }
    let mut sweeps: Vec<_> = sweeps.into_iter().flat_map(Sweep::by_name).collect();
    // A value alone says nothing about the option.
    sweeps.retain(|sweep| sweep.runs.iter().any(|(x, _)| *x != sweep.runs[0].0));
    let several = sweeps.len() > 1;
    sweeps
        .into_iter()
        .map(|Sweep { runs, .. }| {
            let name = match runs.first() {
                Some((_, first)) if several => {
                    format!("as {}", first.group.as_ref().unwrap_or(&first.name))
                }
                _ => "runs".to_owned(),
            };
            let values = runs.iter().map(|(x, run)| (*x, run.result.rate()));
            Series::line(name, medians(values.collect()))
        })
        .collect()
}

impl Sweep<'_> {
    /// Where names tell runs with the same value apart, a sweep for each name.
    fn by_name(self) -> Vec<Self> {
        let differ = |(x, run): &(f64, &Named<Run>)| {
            let same = self.runs.iter().filter(|(other, _)| other == x);
            same.clone().any(|(_, other)| other.group != run.group)
        };
        if !self.runs.iter().any(differ) {
            return vec![self];
        }
        let mut names: Vec<_> = self.runs.iter().map(|(_, run)| &run.group).collect();
        names.sort();
        names.dedup();
        let of = |name: &Option<String>| Self {
            identity: self.identity.clone(),
            runs: self
                .runs
                .iter()
                .filter(|(_, run)| run.group == *name)
                .copied()
                .collect(),
        };
        names.into_iter().map(of).collect()
    }
}

fn medians(mut values: Vec<(f64, f64)>) -> Vec<Point> {
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    values
        .chunk_by(|a, b| a.0 == b.0)
        .filter_map(|same| {
            let ys: Vec<f64> = same.iter().map(|(_, y)| *y).collect();
            let low = ys.iter().copied().fold(f64::INFINITY, f64::min);
            let high = ys.iter().copied().fold(0.0, f64::max);
            Some(Point {
                x: same.first()?.0,
                y: median(&ys)?,
                spread: (ys.len() > 1).then_some((low, high)),
            })
        })
        .collect()
}

/// What runs of one line have in common.
fn identity(run: &Run, option: &str) -> String {
    let flags = run
        .head
        .flags
        .iter()
        .filter(|(name, _)| *name != option && !ASIDE.contains(&name.as_str()));
    let flags: Vec<_> = flags
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    format!(
        "{}\n{}\n{}\n{}",
        run.verb,
        run.head.versions.describe(),
        run.head.machine.describe(),
        flags.join("\n")
    )
}

pub(super) fn over_time(inputs: &Inputs) -> Option<Markup> {
    let series = inputs.runs.iter().map(|run| {
        let points = interval_rates(&run.result)
            .into_iter()
            .map(|(x, y)| Point::new(x, y));
        Series::line(run.name.clone(), points)
    });
    Chart {
        title: "Frames per second received, by interval",
        places: None,
        x: Axis::linear("seconds since the window began", Unit::Seconds),
        y: Axis::linear("rate", Unit::Rate),
        series: series.collect(),
    }
    .render()
}
