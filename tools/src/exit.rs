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
    /// A target is unmet.
    Unmet,
    /// The measurement is not valid: the tester was the limit, or its clock cannot be trusted.
    Invalid,
    /// Interrupted; the report was written, if there was anything to report.
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
            Self::Unmet => 4,
            Self::Invalid => 5,
            Self::Interrupted => 130,
        }
    }
}
