//! What is shown while a run goes on.

use std::cell::Cell;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::report::{scaled, time};
use crate::run::Interval;

/// Shows on standard error what goes on: on a terminal a few lines that change, elsewhere a line each
/// second; nothing at all if it is to be quiet.
pub struct Progress {
    shown: Shown,
    stage: Cell<(&'static str, Option<Duration>)>,
}

enum Shown {
    Nothing,
    Lines(Lines),
    Terminal(ProgressBar),
}

#[derive(Default)]
struct Lines {
    /// The second of the window that was written last.
    second: Cell<u64>,
    /// When something was noted last; then nothing is written of windows.
    noted: Cell<Option<Instant>>,
}

/// What there is to show of the last stretch of a window.
pub struct View<'a, W> {
    /// Since the start of the window.
    pub elapsed: Duration,
    /// How long the stretch was.
    pub seconds: f64,
    /// What was counted in it.
    pub interval: &'a Interval,
    /// A latency of it.
    pub p999_ns: Option<u64>,
    /// What was dropped in it, by reason, if anything was.
    pub drops: &'a [(&'static str, u64)],
    /// What each worker took up in it.
    pub workers: W,
}

/// More workers than this are shown in one line with the least and the most.
const WORKERS: usize = 8;

impl Progress {
    /// On standard error, or nowhere if `quiet`.
    pub fn new(quiet: bool) -> Self {
        let shown = if quiet {
            Shown::Nothing
        } else if std::io::stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
            // The template is a constant: if it did not parse there would be the default style.
            if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix}: {msg}") {
                bar.set_style(style);
            }
            Shown::Terminal(bar)
        } else {
            Shown::Lines(Lines::default())
        };
        Self {
            shown,
            stage: Cell::new(("", None)),
        }
    }

    /// What goes on now, and how long it is to take, if that is known.
    pub fn stage(&self, what: &'static str, whole: Option<Duration>) {
        self.stage.set((what, whole));
        match &self.shown {
            Shown::Nothing => {}
            Shown::Lines(lines) => {
                lines.second.set(0);
                lines.noted.set(None);
            }
            Shown::Terminal(bar) => {
                bar.set_prefix(what);
                bar.set_message("");
                bar.tick();
            }
        }
    }

    /// How far a stage is that has many short windows: instead of lines about each of them one of these, no more
    /// than one in a second.
    pub fn note(&self, text: &str) {
        /// Between two lines.
        const PAUSE: Duration = Duration::from_secs(1);
        let (stage, _) = self.stage.get();
        match &self.shown {
            Shown::Nothing => {}
            Shown::Lines(lines) => {
                let last = lines.noted.get();
                if last.is_none_or(|last| last.elapsed() >= PAUSE) {
                    eprintln!("{stage}: {text}");
                    lines.noted.set(Some(Instant::now()));
                }
            }
            Shown::Terminal(bar) => bar.set_prefix(format!("{stage} {text}")),
        }
    }

    /// Says something once, above what changes.
    pub fn say(&self, what: &str) {
        match &self.shown {
            Shown::Nothing => {}
            Shown::Lines(_) => eprintln!("{what}"),
            Shown::Terminal(bar) => bar.println(what),
        }
    }

    /// How far it is.
    pub fn update(&self, view: &View<'_, impl Iterator<Item = u64> + Clone>) {
        let (stage, whole) = self.stage.get();
        match &self.shown {
            Shown::Nothing => {}
            Shown::Lines(lines) => {
                let now = view.elapsed.as_secs();
                if lines.noted.get().is_none() && now > lines.second.replace(now) {
                    eprintln!("{stage}: {}", line(view, whole));
                }
            }
            Shown::Terminal(bar) => {
                bar.set_message(format!("{}{}", line(view, whole), details(view)));
                bar.tick();
            }
        }
    }

    /// Takes away what is shown on a terminal.
    pub fn clear(&self) {
        if let Shown::Terminal(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

fn line<W>(view: &View<'_, W>, whole: Option<Duration>) -> String {
    let elapsed = view.elapsed.as_secs_f64();
    let rate = |frames: u64| scaled(frames as f64 / view.seconds.max(f64::MIN_POSITIVE), "pps");
    let Interval {
        sent,
        received,
        dropped,
        ..
    } = *view.interval;
    let of = whole.map_or_else(String::new, |whole| {
        format!(" of {:.1}", whole.as_secs_f64())
    });
    let mut line = format!(
        "{elapsed:.1}{of} s, sent {}, received {}, dropped {}",
        rate(sent),
        rate(received),
        rate(dropped)
    );
    let percentiles = [
        ("p50", view.interval.p50_ns),
        ("p99", view.interval.p99_ns),
        ("p99.9", view.p999_ns),
    ];
    for (name, ns) in percentiles {
        if let Some(ns) = ns {
            line += &format!(", {name} {}", time(ns));
        }
    }
    line
}

/// The lines below the first.
fn details(view: &View<'_, impl Iterator<Item = u64> + Clone>) -> String {
    let rate = |frames: u64| scaled(frames as f64 / view.seconds.max(f64::MIN_POSITIVE), "pps");
    let workers: Vec<u64> = view.workers.clone().collect();
    let shown: Vec<String> = workers.iter().take(WORKERS).map(|n| rate(*n)).collect();
    let mut lines = format!("\n  workers  {}", shown.join("  "));
    if workers.len() > WORKERS {
        let least = workers.iter().copied().min().unwrap_or(0);
        let most = workers.iter().copied().max().unwrap_or(0);
        lines += &format!(
            "  ... of {}, {} to {}",
            workers.len(),
            rate(least),
            rate(most)
        );
    }
    if !view.drops.is_empty() {
        let drops = view.drops.iter();
        let drops: Vec<String> = drops
            .map(|(why, n)| format!("{why} {}", rate(*n)))
            .collect();
        lines += &format!("\n  dropped  {}", drops.join("  "));
    }
    lines
}
