//! Plots: lines and points over two axes, as SVG, with their figures as a table.

mod axis;
mod draw;

pub(super) use axis::{Axis, Unit};

use maud::{Markup, html};

use draw::draw;

/// A plot.
pub(super) struct Chart<'a> {
    /// What it shows.
    pub(super) title: &'a str,
    /// Names that the places of the x axis have, if it has places instead of numbers: x counts them.
    pub(super) places: Option<Vec<String>>,
    pub(super) x: Axis<'a>,
    pub(super) y: Axis<'a>,
    pub(super) series: Vec<Series>,
}

/// What belongs together.
pub(super) struct Series {
    pub(super) name: String,
    pub(super) points: Vec<Point>,
    /// How many of the points, from the first, are joined to a line.
    pub(super) joined: usize,
}

/// A value, and from where to where it was spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) spread: Option<(f64, f64)>,
}

impl Point {
    pub(super) fn new(x: f64, y: f64) -> Self {
        Self { x, y, spread: None }
    }
}

/// As many points as a series has pixels for.
const MOST: usize = 600;

impl Series {
    /// A line; of too many points, the greatest of each few.
    pub(super) fn line(name: impl Into<String>, points: impl IntoIterator<Item = Point>) -> Self {
        let points: Vec<Point> = points.into_iter().collect();
        let each = points.len().div_ceil(MOST).max(1);
        let thin: Vec<_> = points
            .chunks(each)
            .filter_map(|few| few.iter().copied().max_by(|a, b| a.y.total_cmp(&b.y)))
            .collect();
        Self::of(name.into(), thin, true)
    }

    /// Points that are not joined; not more than can be told apart.
    pub(super) fn dots(name: impl Into<String>, mut points: Vec<Point>) -> Self {
        points.truncate(4 * MOST);
        Self::of(name.into(), points, false)
    }

    fn of(name: String, points: Vec<Point>, joined: bool) -> Self {
        Self {
            name,
            joined: if joined { points.len() } else { 0 },
            points,
        }
    }
}

impl Chart<'_> {
    /// The plot with a legend, and its figures to be unfolded. None without any point that the axes have a place for.
    pub(super) fn render(mut self) -> Option<Markup> {
        for series in &mut self.series {
            let has_place = |p: &Point| self.x.takes(p.x) && self.y.takes(p.y);
            let joined = series.points.iter().take(series.joined);
            series.joined = joined.filter(|p| has_place(p)).count();
            series.points.retain(has_place);
        }
        self.series.retain(|series| !series.points.is_empty());
        if self.series.is_empty() {
            return None;
        }
        Some(html! {
            figure {
                figcaption { (self.title) }
                (draw(&self))
                @if self.series.len() > 1 {
                    ul.legend {
                        @for (i, series) in self.series.iter().enumerate() {
                            li {
                                svg.key viewBox="0 0 28 12" aria-hidden="true" {
                                    g class=(class(i)) {
                                        @if series.joined > 1 { line.line x1="1" y1="6" x2="27" y2="6" {} }
                                        circle.dot cx="14" cy="6" r="3.5" {}
                                    }
                                }
                                (series.name)
                            }
                        }
                    }
                }
                details {
                    summary { "Figures" }
                    (self.table())
                }
            }
        })
    }

    fn table(&self) -> Markup {
        html! {
            div.scroll {
                table {
                    thead {
                        tr {
                            @if self.series.len() > 1 { th scope="col" { "series" } }
                            th.n scope="col" { (self.x.title) }
                            th.n scope="col" { (self.y.title) }
                        }
                    }
                    tbody {
                        @for series in &self.series {
                            @for point in &series.points {
                                tr {
                                    @if self.series.len() > 1 { td { (series.name) } }
                                    td.n { (self.x_text(point.x)) }
                                    td.n { (self.y_text(point)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fn x_text(&self, x: f64) -> String {
        let places = self.places.as_ref();
        places
            .and_then(|places| places.get(x as usize).cloned())
            .unwrap_or_else(|| self.x.exact(x))
    }

    fn y_text(&self, point: &Point) -> String {
        let value = self.y.exact(point.y);
        match point.spread {
            Some((low, high)) if low < high => {
                format!("{value} ({} to {})", self.y.exact(low), self.y.exact(high))
            }
            _ => value,
        }
    }
}

/// The colour of a series; after eight they come again, with hollow dots.
fn class(series: usize) -> String {
    let again = if series >= 8 { " again" } else { "" };
    format!("s{}{again}", series % 8)
}
