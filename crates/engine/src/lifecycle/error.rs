//! What the lifecycle refuses.

use corelane_stack::{EnableError, NicId};
use corelane_sync::ring::RingError;
use thiserror::Error;

use super::LinkNotOpen;
use crate::builder::BuildError;
use crate::engine::StartError;
use crate::link::LinkError;

/// There is no NIC of this number, or it was removed (netstack's `ErrUnknownNICID`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("there is no NIC {0}")]
pub struct UnknownNic(pub NicId);

/// Why a NIC was not created.
#[derive(Debug, Error)]
pub enum CreateNicError {
    /// Another one has the name.
    #[error("there is a NIC '{0}' already")]
    DuplicateName(String),
    /// All numbers are in use.
    #[error("an engine has at most 65,536 NICs")]
    TooManyNics,
    /// The engine was stopped.
    #[error("the engine was stopped")]
    Stopped,
    /// It could not be enabled.
    #[error(transparent)]
    Enable(EnableNicError),
}

/// Why a NIC was not enabled. It is disabled, and may be tried again.
#[derive(Debug, Error)]
pub enum EnableNicError {
    /// There is no such NIC.
    #[error(transparent)]
    UnknownNic(#[from] UnknownNic),
    /// The engine was stopped.
    #[error("the engine was stopped")]
    Stopped,
    /// Its link did not open.
    #[error("the link of NIC '{nic}': {error}")]
    Link {
        /// The NIC's name.
        nic: String,
        /// What the link said.
        error: LinkError,
    },
    /// The NIC itself refused.
    #[error(transparent)]
    Nic(#[from] EnableError),
    /// The rings to and from the workers cannot be had.
    #[error("the rings: {0}")]
    Ring(#[from] RingError),
    /// There is no thread for its distributor.
    #[error(transparent)]
    Thread(#[from] StartError),
}

impl From<LinkNotOpen> for EnableNicError {
    fn from(LinkNotOpen { nic, error }: LinkNotOpen) -> Self {
        Self::Link { nic, error }
    }
}

impl From<LinkNotOpen> for BuildError {
    fn from(LinkNotOpen { nic, error }: LinkNotOpen) -> Self {
        Self::Link { nic, error }
    }
}
