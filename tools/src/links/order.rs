//! Whether the frames of each flow come in the order in which they were sent.

use std::collections::HashMap;

use super::identity::{FrameId, is_ahead};
use crate::sink::Arrival;

/// Flows for which there is room from the beginning, so that none makes the receiver late: those of the longest round.
const FLOWS: usize = 1 << 20;

/// A flow of frames: those of a hash of addresses and ports, and of a family. That two flows have one hash is seldom, and
/// takes them for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FlowId(u64);

impl FlowId {
    pub(super) const fn new(hash: u32, is_v6: bool) -> Self {
        Self(hash as u64 | (is_v6 as u64) << 32)
    }
}

/// What the numbers of each flow say so far. A flow's numbers go up as it is sent, with those of other flows between them:
/// what comes behind a higher one of its flow is late (RFC 4737 section 4.2), and what comes behind one of another flow
/// is not.
///
/// Between the queues of a device there is no order, so that each has its own.
pub(super) struct FlowOrder {
    /// By queue and flow, the number behind the highest.
    next: HashMap<(usize, FlowId), u32>,
}

impl Default for FlowOrder {
    fn default() -> Self {
        Self {
            next: HashMap::with_capacity(FLOWS),
        }
    }
}

impl FlowOrder {
    /// Takes note of a frame that came by a queue for the first time.
    pub(super) fn note(&mut self, queue: usize, FrameId { flow, number, .. }: FrameId) -> Arrival {
        let next = self.next.entry((queue, flow)).or_insert(number);
        if is_ahead(number, *next) {
            *next = number.wrapping_add(1);
            Arrival::InOrder
        } else {
            Arrival::Reordered
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Arrival::{InOrder, Reordered};

    fn id(flow: FlowId, number: u32) -> FrameId {
        FrameId {
            class: 0,
            flow,
            number,
            stream: 0,
        }
    }

    #[test]
    fn a_frame_is_late_behind_a_higher_number_of_its_own_flow() {
        let mut order = FlowOrder::default();
        let (a, b) = (FlowId::new(7, false), FlowId::new(7 + 128, false));
        // A device that has two ways: all of one flow, then all of the other.
        let came = [
            (a, 0, InOrder),
            (a, 3, InOrder),
            (b, 1, InOrder),
            (b, 4, InOrder),
            (b, 2, Reordered),
            (a, 5, InOrder),
            (FlowId::new(7, true), 1, InOrder),
        ];
        for (at, (flow, number, what)) in came.into_iter().enumerate() {
            assert_eq!(order.note(0, id(flow, number)), what, "{at}");
        }
        assert_eq!(order.note(1, id(a, 2)), InOrder, "another queue");
        assert_eq!(order.note(0, id(a, 2)), Reordered);
    }

    #[test]
    fn numbers_go_round() {
        let mut order = FlowOrder::default();
        let flow = FlowId::new(0, false);
        for (number, what) in [
            (u32::MAX - 1, InOrder),
            (1, InOrder),
            (u32::MAX, Reordered),
            (2, InOrder),
        ] {
            assert_eq!(order.note(0, id(flow, number)), what, "{number}");
        }
    }
}
