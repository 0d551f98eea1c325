//! Axes: where a value is, and what is written beside them.

use crate::report::{scaled, time};

/// An axis.
#[derive(Clone, Copy, Debug)]
pub(in crate::page) struct Axis<'a> {
    pub(in crate::page) title: &'a str,
    pub(in crate::page) unit: Unit,
    /// Whether steps are ratios.
    pub(in crate::page) logarithmic: bool,
    /// Whether 0 is on it; not on a logarithmic one.
    pub(in crate::page) from_zero: bool,
}

/// How values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::page) enum Unit {
    /// Frames per second.
    Rate,
    /// Nanoseconds.
    Time,
    /// Seconds.
    Seconds,
    /// A number.
    Count,
    /// A share, as percent.
    Share,
    /// 1 / (1 - share) of a percentile, written as the percentile.
    Percentile,
}

/// A mark on an axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tick {
    pub(super) value: f64,
    pub(super) label: String,
}

impl<'a> Axis<'a> {
    pub(in crate::page) fn linear(title: &'a str, unit: Unit) -> Self {
        Self {
            title,
            unit,
            logarithmic: false,
            from_zero: true,
        }
    }

    pub(in crate::page) fn logarithmic(title: &'a str, unit: Unit) -> Self {
        Self {
            title,
            unit,
            logarithmic: true,
            from_zero: false,
        }
    }

    /// Whether it has a place for a value.
    pub(super) fn takes(&self, value: f64) -> bool {
        value.is_finite()
            && value.abs() < 1e30
            && (value > 1e-30 || !self.logarithmic && value >= 0.0)
    }

    /// From the least to the greatest value, and the marks between them.
    pub(super) fn span(&self, values: impl Iterator<Item = f64> + Clone) -> (f64, f64, Vec<Tick>) {
        let (_, _, mut ticks) = self.range(values.clone());
        let low = values.clone().fold(f64::INFINITY, f64::min);
        let low = if self.from_zero { 0.0 } else { low };
        let high = values.fold(low, f64::max);
        ticks.retain(|tick| (low..=high).contains(&tick.value));
        (low, high, ticks)
    }

    /// From a mark to a mark, so that all values are between them, and the marks.
    pub(super) fn range(&self, values: impl Iterator<Item = f64> + Clone) -> (f64, f64, Vec<Tick>) {
        let low = values.clone().fold(f64::INFINITY, f64::min);
        let high = values.fold(f64::NEG_INFINITY, f64::max);
        let ticks = if self.unit == Unit::Percentile {
            // The half, and what each nine leaves.
            [2.0]
                .into_iter()
                .chain(decades(10.0, high.max(10.0)))
                .collect()
        } else if self.logarithmic {
            decades(low, high)
        } else {
            steps(if self.from_zero { 0.0 } else { low }, high)
        };
        let from = ticks.first().copied().unwrap_or(low).min(low);
        let to = ticks.last().copied().unwrap_or(high).max(high);
        let ticks = ticks
            .into_iter()
            .map(|value| Tick {
                value,
                label: self.label(value),
            })
            .collect();
        (from, to, ticks)
    }

    /// Where a value is between `from` (0) and `to` (1).
    pub(super) fn place(&self, value: f64, (from, to): (f64, f64)) -> f64 {
        let (value, from, to) = if self.logarithmic {
            (value.ln(), from.ln(), to.ln())
        } else {
            (value, from, to)
        };
        if to > from {
            (value - from) / (to - from)
        } else {
            0.5
        }
    }

    /// A value for people, short.
    pub(super) fn label(&self, value: f64) -> String {
        let short = |text: String| match text.split_once(' ') {
            // 12.00 Mpps: 12 Mpps.
            Some((number, unit)) if number.contains('.') => {
                let number = number.trim_end_matches('0').trim_end_matches('.');
                format!("{number} {unit}").trim_end().to_owned()
            }
            _ => text,
        };
        match self.unit {
            Unit::Rate => short(scaled(value, "pps")),
            Unit::Time => short(time(value.round() as u64)),
            Unit::Seconds => short(format!("{value:.2} s")),
            Unit::Count => short(scaled(value, "")).replace(' ', ""),
            Unit::Share => format!("{}%", trimmed(100.0 * value, 3)),
            Unit::Percentile => format!("{}%", trimmed(100.0 * (1.0 - 1.0 / value), 5)),
        }
    }

    /// A value for people, with all that matters.
    pub(super) fn exact(&self, value: f64) -> String {
        match self.unit {
            Unit::Share => format!("{}%", trimmed(100.0 * value, 4)),
            _ => self.label(value),
        }
    }
}

fn trimmed(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// About five round values from `low` to above `high`.
fn steps(low: f64, high: f64) -> Vec<f64> {
    let span = if high > low {
        high - low
    } else {
        high.abs().max(1.0)
    };
    let rough = span / 5.0;
    let magnitude = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * magnitude)
        .find(|step| *step >= rough)
        .unwrap_or(rough);
    let first = (low / step).floor();
    let mut ticks = Vec::new();
    // Counted, so that no rounding can make it go on for ever.
    for i in 0..12 {
        let value = (first + f64::from(i)) * step;
        ticks.push(value);
        if value >= high {
            break;
        }
    }
    ticks
}

/// The powers of ten around `low` and `high`; within two of them, 2 and 5 as well.
fn decades(low: f64, high: f64) -> Vec<f64> {
    let mut first = low.log10().floor() as i32;
    let mut last = high.log10().ceil() as i32;
    if first == last {
        (first, last) = (first - 1, last + 1);
    }
    let stride = ((last - first) as usize).div_ceil(10).max(1);
    if last - first > 2 {
        return (first..=last).step_by(stride).map(power).collect();
    }
    let within = (first..last).flat_map(|exponent| [1.0, 2.0, 5.0].map(|x| x * power(exponent)));
    let all: Vec<f64> = within.chain([power(last)]).collect();
    // Not more than one mark beyond either end.
    let from = all.iter().rposition(|tick| *tick <= low).unwrap_or(0);
    let to = all
        .iter()
        .position(|tick| *tick >= high)
        .unwrap_or(all.len() - 1);
    if from < to {
        all[from..=to].to_vec()
    } else {
        all
    }
}

fn power(exponent: i32) -> f64 {
    10f64.powi(exponent)
}
