//! A step on a frame's way, in words.

use corelane::engine::trace::{LinkOutput, Outcome};
use corelane::stack::DropReason;

/// The line of a step; None for what a link was given, which the link tells itself.
pub(crate) fn step_line(outcome: Outcome) -> Option<String> {
    if outcome == Outcome::LinkOutput(LinkOutput::Sent) {
        return None;
    }
    let (stage, label) = (outcome.stage().label(), outcome.label());
    // What is dropped has the label of the reason.
    let reason = DropReason::ALL
        .iter()
        .find(|reason| reason.label() == label);
    Some(match reason {
        Some(reason) => format!("    {stage}: dropped, {label}: {}", reason.description()),
        None => format!("    {stage}: {label}"),
    })
}
