//! The picture.

use maud::{Markup, html};

use super::{Chart, Series, class};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 20.0;
/// What is left free at both ends of the x axis.
const PAD: f64 = 24.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 50.0;

/// More points than this are a line without dots.
const DOTS: usize = 60;

pub(super) fn draw(chart: &Chart<'_>) -> Markup {
    let frame = Frame::of(chart);
    html! {
        svg.plot viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(describe(chart)) {
            @for (y, label) in &frame.y_ticks {
                line.grid x1=(LEFT) x2=(WIDTH - RIGHT) y1=(n(*y)) y2=(n(*y)) {}
                text.tick x=(LEFT - 8.0) y=(n(*y + 4.0)) text-anchor="end" { (label) }
            }
            @for (x, label) in &frame.x_ticks {
                line.grid x1=(n(*x)) x2=(n(*x)) y1=(TOP) y2=(HEIGHT - BOTTOM) {}
                text.tick x=(n(*x)) y=(HEIGHT - BOTTOM + 18.0) text-anchor="middle" { (label) }
            }
            line.axis x1=(LEFT) x2=(WIDTH - RIGHT) y1=(HEIGHT - BOTTOM) y2=(HEIGHT - BOTTOM) {}
            text.title x=(n((LEFT + WIDTH - RIGHT) / 2.0)) y=(HEIGHT - 10.0) text-anchor="middle" { (chart.x.title) }
            text.title transform={ "translate(16 " (n((TOP + HEIGHT - BOTTOM) / 2.0)) ") rotate(-90)" }
                text-anchor="middle" { (chart.y.title) }
            @for (i, series) in chart.series.iter().enumerate() {
                g class=(class(i)) {
                    (frame.series(chart, series))
                }
            }
        }
    }
}

/// What somebody is told who does not see it.
fn describe(chart: &Chart<'_>) -> String {
    let names: Vec<_> = chart
        .series
        .iter()
        .map(|series| series.name.as_str())
        .collect();
    format!(
        "{}: {} against {}, of {}. The figures are in the table below.",
        chart.title,
        chart.y.title,
        chart.x.title,
        names.join(", ")
    )
}

/// From where to where each axis goes, and its marks, in the picture's coordinates.
struct Frame {
    x: (f64, f64),
    y: (f64, f64),
    x_ticks: Vec<(f64, String)>,
    y_ticks: Vec<(f64, String)>,
}

impl Frame {
    fn of(chart: &Chart<'_>) -> Self {
        let points = || chart.series.iter().flat_map(|series| &series.points);
        let spread = |p: &super::Point| {
            let (low, high) = p.spread.unwrap_or((p.y, p.y));
            [low, p.y, high]
                .into_iter()
                .filter(|y| chart.y.takes(*y))
                .collect::<Vec<_>>()
        };
        let ys: Vec<f64> = points().flat_map(spread).collect();
        let (low, high, y_marks) = chart.y.range(ys.iter().copied());
        let y = (low, high);
        let (x, x_marks) = match &chart.places {
            Some(places) => {
                let marks = places.iter().enumerate();
                let marks: Vec<_> = marks.map(|(i, name)| (i as f64, name.clone())).collect();
                ((-0.5, places.len() as f64 - 0.5), marks)
            }
            None => {
                let (low, high, ticks) = chart.x.span(points().map(|p| p.x));
                let marks = ticks.into_iter().map(|tick| (tick.value, tick.label));
                ((low, high), marks.collect())
            }
        };
        let mut frame = Self {
            x,
            y,
            x_ticks: Vec::new(),
            y_ticks: Vec::new(),
        };
        frame.x_ticks = x_marks
            .into_iter()
            .map(|(value, label)| (frame.x_of(chart, value), label))
            .collect();
        frame.y_ticks = y_marks
            .into_iter()
            .map(|tick| (frame.y_of(chart, tick.value), tick.label))
            .collect();
        frame
    }

    fn x_of(&self, chart: &Chart<'_>, x: f64) -> f64 {
        LEFT + PAD + (WIDTH - LEFT - RIGHT - 2.0 * PAD) * chart.x.place(x, self.x)
    }

    fn y_of(&self, chart: &Chart<'_>, y: f64) -> f64 {
        HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * chart.y.place(y, self.y)
    }

    fn series(&self, chart: &Chart<'_>, series: &Series) -> Markup {
        let at = |x, y| (self.x_of(chart, x), self.y_of(chart, y));
        let path: Vec<String> = series
            .points
            .iter()
            .take(series.joined)
            .map(|p| {
                let (x, y) = at(p.x, p.y);
                format!("{},{}", n(x), n(y))
            })
            .collect();
        let has_dots = series.joined < series.points.len() || series.points.len() <= DOTS;
        html! {
            @if series.joined > 1 {
                polyline.line points=(path.join(" ")) {}
            }
            @for p in &series.points {
                @if let Some((low, high)) = p.spread {
                    @if chart.y.takes(low) && chart.y.takes(high) {
                        line.spread x1=(n(at(p.x, low).0)) x2=(n(at(p.x, high).0))
                            y1=(n(at(p.x, low).1)) y2=(n(at(p.x, high).1)) {}
                    }
                }
                @if has_dots {
                    circle.dot cx=(n(at(p.x, p.y).0)) cy=(n(at(p.x, p.y).1)) r="3.5" {
                        title { (series.name) ": " (chart.x_text(p.x)) ", " (chart.y_text(p)) }
                    }
                }
            }
        }
    }
}

/// A coordinate with as many digits as can be seen.
fn n(value: f64) -> String {
    format!("{value:.1}")
}
