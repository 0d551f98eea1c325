//! What the stages of one worker have between bursts.

use arrayvec::ArrayVec;
use corelane_frame::BURST;
use corelane_stack::{Handler, PacketBurst, StackDatapath};

use super::HandlerPanic;
use super::ip_lookup::Transit;
use crate::punt::Punt;

/// Kept so that it need not be made anew for each burst.
pub(crate) struct Stages {
    /// The packets for this host, by addresses of the NIC they arrived on.
    pub(super) packets: Box<PacketBurst>,
    /// Those for this host by an address of another NIC.
    pub(super) locals: Box<PacketBurst>,
    /// Those for other hosts.
    pub(super) transit: Box<Transit>,
    /// None: nobody takes what no socket has.
    pub(crate) handler: Option<Box<dyn Handler>>,
    pub(super) punt: Punt,
    pub(crate) panics: Vec<HandlerPanic>,
    pub(crate) stack: StackDatapath,
    /// The ports, beside that of the burst, that have something to send.
    pub(crate) touched: ArrayVec<usize, BURST>,
}

/// What stages are made from.
pub(crate) struct StagesParts {
    pub(crate) handler: Option<Box<dyn Handler>>,
    pub(crate) punt: Punt,
    pub(crate) stack: StackDatapath,
}

impl Stages {
    pub(crate) fn new(parts: StagesParts) -> Self {
        Self {
            packets: Box::default(),
            locals: Box::default(),
            transit: Box::default(),
            handler: parts.handler,
            punt: parts.punt,
            panics: Vec::new(),
            stack: parts.stack,
            touched: ArrayVec::new(),
        }
    }
}
