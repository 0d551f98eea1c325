//! What is shown while a run goes on.

use std::cell::Cell;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ratatui::crossterm::terminal;

use crate::report::{scaled, time};
use crate::run::{Interval, say};

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
    /// What happened since the last line.
    since: Cell<Stretch>,
}

/// What happened in some time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Stretch {
    seconds: f64,
    sent: u64,
    received: u64,
    dropped: u64,
}

impl Stretch {
    fn of<W>(view: &View<'_, W>) -> Self {
        Self {
            seconds: view.seconds,
            sent: view.interval.sent,
            received: view.interval.received,
            dropped: view.interval.dropped,
        }
    }

    /// With what came after it.
    fn and(self, next: Self) -> Self {
        Self {
            seconds: self.seconds + next.seconds,
            sent: self.sent + next.sent,
            received: self.received + next.received,
            dropped: self.dropped + next.dropped,
        }
    }
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

/// A window this long is shown though there are many.
const LONG: Duration = Duration::from_secs(5);

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
                lines.since.take();
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
                    say(&format!("{stage}: {text}"));
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
            Shown::Lines(_) => say(what),
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
                let since = lines.since.get().and(Stretch::of(view));
                lines.since.set(since);
                let is_due = match lines.noted.get() {
                    None => now > lines.second.replace(now),
                    Some(last) => last.elapsed() >= LONG,
                };
                if is_due {
                    if lines.noted.get().is_some() {
                        lines.noted.set(Some(Instant::now()));
                    }
                    lines.since.take();
                    say(&format!(
                        "{stage}: {}",
                        line(view, &since, whole).join(", ")
                    ));
                }
            }
            Shown::Terminal(bar) => {
                let width = terminal::size().map_or(80, |(columns, _)| columns.into());
                let taken = 4 + bar.prefix().chars().count();
                bar.set_message(fitting(&lines(view, whole), width, taken));
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

/// Lines of pieces so that none is wider than a terminal is; what goes on in the next line is indented. The first
/// one has `taken` columns before it.
fn fitting(lines: &[Vec<String>], width: usize, taken: usize) -> String {
    let mut text = String::new();
    for (number, pieces) in lines.iter().enumerate() {
        let mut at = if number == 0 { taken } else { 0 };
        for (i, piece) in pieces.iter().enumerate() {
            let (comma, len) = (if i == 0 { "" } else { ", " }, piece.chars().count());
            let begins = i == 0 && number > 0;
            if begins || at > INDENT && at + comma.len() + len > width.saturating_sub(1) {
                text += "\n    ";
                at = INDENT;
            } else {
                text += comma;
                at += comma.len();
            }
            text += piece;
            at += len;
        }
    }
    text
}

/// Columns before a line that goes on.
const INDENT: usize = 4;

/// The pieces of the line that there is always; its rates are of a stretch that ends with the view's.
fn line<W>(view: &View<'_, W>, stretch: &Stretch, whole: Option<Duration>) -> Vec<String> {
    let elapsed = view.elapsed.as_secs_f64();
    let rate = |frames: u64| per_second(frames, stretch.seconds);
    let Stretch {
        sent,
        received,
        dropped,
        seconds: _,
    } = *stretch;
    let of = whole.map_or_else(String::new, |whole| {
        format!(" of {:.1}", whole.as_secs_f64())
    });
    let mut pieces = vec![
        format!("{elapsed:.1}{of} s"),
        format!("sent {}", rate(sent)),
        format!("received {}", rate(received)),
        format!("dropped {}", rate(dropped)),
    ];
    let percentiles = [
        ("p50", view.interval.p50_ns),
        ("p99", view.interval.p99_ns),
        ("p99.9", view.p999_ns),
    ];
    for (name, ns) in percentiles {
        pieces.extend(ns.map(|ns| format!("{name} {}", time(ns))));
    }
    pieces
}

fn per_second(frames: u64, seconds: f64) -> String {
    scaled(frames as f64 / seconds.max(f64::MIN_POSITIVE), "pps")
}

/// That line, and those below it.
fn lines(
    view: &View<'_, impl Iterator<Item = u64> + Clone>,
    whole: Option<Duration>,
) -> Vec<Vec<String>> {
    let rate = |frames: u64| per_second(frames, view.seconds);
    let all: Vec<u64> = view.workers.clone().collect();
    let shown = all.iter().take(WORKERS);
    let mut workers: Vec<String> = shown.map(|n| rate(*n)).collect();
    if let Some(first) = workers.first_mut() {
        *first = format!("workers {first}");
    }
    if let (true, Some(least), Some(most)) =
        (all.len() > WORKERS, all.iter().min(), all.iter().max())
    {
        workers.push(format!(
            "... of {}, {} to {}",
            all.len(),
            rate(*least),
            rate(*most)
        ));
    }
    let drops = view.drops.iter().enumerate().map(|(i, (why, n))| {
        let head = if i == 0 { "dropped " } else { "" };
        format!("{head}{why} {}", rate(*n))
    });
    vec![
        line(view, &Stretch::of(view), whole),
        workers,
        drops.collect(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_the_terminal() {
        let drops = [("ring_full", 5_000_000), ("no_route", 70_000)];
        let interval = Interval {
            at_ms: 900,
            sent: 1_234_567,
            received: 1_000_000,
            dropped: 234_567,
            p50_ns: Some(1_500),
            p99_ns: Some(12_345_678),
            logged: None,
        };
        let view = |workers: Vec<u64>| View {
            elapsed: Duration::from_millis(1_900),
            seconds: 0.1,
            interval: &interval,
            p999_ns: Some(99_999_999),
            drops: &drops,
            workers: workers.into_iter(),
        };
        let view = view(vec![1_234_567; 12]);
        let lines = lines(&view, Some(Duration::from_secs(10)));
        for width in [40, 80, 100, 120, 200] {
            let text = fitting(&lines, width, 17);
            for (i, line) in text.lines().enumerate() {
                let taken = if i == 0 { 17 } else { 0 };
                let wide = taken + line.chars().count();
                assert!(wide < width, "{wide} of {width}: {line}");
            }
            // Nothing is left out.
            for piece in lines.iter().flatten() {
                assert!(text.contains(piece), "{piece} at {width}");
            }
        }
        assert_eq!(fitting(&lines, 400, 17).lines().count(), 3);
    }

    #[test]
    fn a_line_tells_of_all_since_the_one_before() {
        let interval = |sent| Interval {
            at_ms: 0,
            sent,
            received: sent - 100,
            dropped: 100,
            p50_ns: None,
            p99_ns: None,
            logged: None,
        };
        let (first, second) = (interval(1_000), interval(5_000));
        let view = |interval| View {
            elapsed: Duration::from_secs(1),
            seconds: 0.5,
            interval,
            p999_ns: None,
            drops: &[],
            workers: std::iter::empty::<u64>(),
        };
        let both = Stretch::of(&view(&first)).and(Stretch::of(&view(&second)));
        assert_eq!(
            line(&view(&second), &both, None),
            [
                "1.0 s",
                "sent 6.00 kpps",
                "received 5.80 kpps",
                "dropped 200.00 pps"
            ]
        );
    }
}
