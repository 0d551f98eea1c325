//! What tables share.

use maud::{Markup, html};

use crate::report::scaled;

pub(super) use crate::report::duration;

pub(super) fn rate(pps: f64) -> String {
    scaled(pps, "pps")
}

/// A share as percent: with the digits that small ones need.
pub(super) fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    match percent {
        0.001..0.01 => format!("{percent:.4}%"),
        0.01..0.1 => format!("{percent:.3}%"),
        _ if percent > 0.0 && percent < 0.1 => format!("{percent:.2e}%"),
        _ => format!("{percent:.1}%"),
    }
}

/// A count with its thousands apart.
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

pub(super) fn or_dash(value: Option<String>) -> String {
    value.unwrap_or_else(|| "\u{2013}".to_owned())
}

/// A bar as long as a share is of the whole width, 0 to 1; the number is beside it in the table.
pub(super) fn bar(share: f64, series: usize) -> Markup {
    let width = if share.is_finite() {
        share.clamp(0.0, 1.0)
    } else {
        0.0
    };
    html! {
        svg.bar viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" {
            rect.back width="100" height="10" {}
            g class={ "s" (series % 8) } {
                rect.fill width=(format!("{:.2}", 100.0 * width)) height="10" {}
            }
        }
    }
}
