//! Which load to measure next for one goal.

use super::controller::Limits;
use super::goal::Goal;
use super::record::{Bounds, Record};
use super::target::Target;
use super::trial::{Load, TrialInput};

/// The way to one goal: through its targets, one after the other.
///
/// At each target the bounds of the one before are tried first, the middle between them before that.
/// A bound that does not hold is left behind with growing strides; two that are too far apart are
/// bisected. All in the logarithm of the load.
pub(super) struct Pursuit {
    chain: Vec<Target>,
    /// Of the target that is pursued now.
    at: usize,
    /// Where the bounds are thought to be.
    hint: Bounds,
    stride: Stride,
    reached: bool,
}

/// How far to go beyond a bound that did not hold.
#[derive(Default)]
struct Stride {
    /// Where it was last gone from.
    from: Option<Load>,
    log_width: f64,
}

impl Stride {
    fn new(log_width: f64) -> Self {
        Self {
            from: None,
            log_width,
        }
    }

    /// The stride from here: twice the last one if that led here.
    fn from(&mut self, load: Load) -> f64 {
        if self.from.is_some_and(|from| from != load) {
            self.log_width *= 2.0;
        }
        self.from = Some(load);
        self.log_width
    }
}

impl Pursuit {
    /// `hint`: loads that the first trials point to.
    pub(super) fn new(goal: &Goal, hint: Bounds) -> Self {
        let chain = Target::chain(goal);
        let stride = Stride::new(chain.first().map_or(0.0, |target| target.log_width));
        Self {
            chain,
            at: 0,
            hint,
            stride,
            reached: false,
        }
    }

    /// Whether nothing is left to measure for it: the goal's width was reached, or a limit of the load.
    pub(super) fn is_reached(&self) -> bool {
        self.reached
    }

    /// What it would measure next; nothing when it has reached its goal.
    pub(super) fn next(&mut self, record: &Record, limits: &Limits) -> Option<TrialInput> {
        loop {
            let target = self.chain.get(self.at)?;
            let bounds = record.bounds(target);
            if !Self::is_enough(target, bounds, limits) {
                let duration = target.trial;
                let load = self.load(bounds, limits);
                self.reached = false;
                return Some(TrialInput { load, duration });
            }
            let Some(next) = self.chain.get(self.at + 1) else {
                self.reached = true;
                return None;
            };
            self.stride = Stride::new(next.log_width);
            self.hint = bounds;
            self.at += 1;
        }
    }

    fn is_enough(target: &Target, bounds: Bounds, limits: &Limits) -> bool {
        match bounds {
            Bounds {
                lower: Some(lower),
                upper: Some(upper),
            } => is_narrow(lower, upper, target.log_width),
            Bounds {
                lower: Some(lower),
                upper: None,
            } => lower >= limits.max_load,
            Bounds {
                lower: None,
                upper: Some(upper),
            } => upper <= limits.min_load,
            Bounds {
                lower: None,
                upper: None,
            } => false,
        }
    }

    fn load(&mut self, bounds: Bounds, limits: &Limits) -> Load {
        let width = self
            .chain
            .get(self.at)
            .map_or(0.0, |target| target.log_width);
        if let (Some(low), Some(high)) = (self.hint.lower, self.hint.upper)
            && !is_narrow(low, high, width)
            && is_narrow(low, high, 2.0 * width)
            && bounds.admit(middle(low, high))
        {
            return middle(low, high);
        }
        let hints = [self.hint.lower, self.hint.upper];
        if let Some(load) = hints.into_iter().flatten().find(|load| bounds.admit(*load)) {
            return load;
        }
        match bounds {
            Bounds {
                lower: Some(lower),
                upper: Some(upper),
            } => {
                let middle = middle(lower, upper);
                // The other bound is another goal's, or a guess's: not too far beyond this one.
                if self.hint.upper.is_some_and(|hint| lower >= hint) {
                    scaled(lower, self.stride.from(lower)).clamp(lower + 1, middle)
                } else if self.hint.lower.is_some_and(|hint| upper <= hint) {
                    scaled(upper, -self.stride.from(upper)).clamp(middle, upper - 1)
                } else {
                    middle
                }
            }
            Bounds {
                lower: Some(lower),
                upper: None,
            } => scaled(lower, self.stride.from(lower)).clamp(lower + 1, limits.max_load),
            Bounds {
                lower: None,
                upper: Some(upper),
            } => scaled(upper, -self.stride.from(upper)).clamp(limits.min_load, upper - 1),
            Bounds {
                lower: None,
                upper: None,
            } => limits.max_load,
        }
    }
}

/// Whether two loads are as near each other as a width allows; neighbouring whole numbers always are.
pub(super) fn is_narrow(low: Load, high: Load, log_width: f64) -> bool {
    // What halving and doubling lose in the last digits is no difference.
    const SLACK: f64 = 1.0 + 1e-9;
    high - low <= 1 || (high as f64 / low as f64).ln() <= log_width * SLACK
}

/// The middle of two loads that are not neighbours, by ratio.
fn middle(low: Load, high: Load) -> Load {
    let middle = (low as f64 * high as f64).sqrt().round() as Load;
    middle.clamp(low + 1, (high - 1).max(low + 1))
}

/// A load, so many logarithms further.
pub(super) fn scaled(load: Load, logarithms: f64) -> Load {
    (load as f64 * logarithms.exp()).round() as Load
}
