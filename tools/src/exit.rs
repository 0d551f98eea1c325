//! How the process ends.

/// An exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// A run-time error.
    Failed,
    /// Bad usage or input.
    Usage,
    /// The books do not balance.
    Accounting,
    /// Interrupted; the report was written.
    Interrupted,
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Accounting => 3,
            Self::Interrupted => 130,
        }
    }
}
