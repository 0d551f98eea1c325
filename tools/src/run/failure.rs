//! Why there is no result.

use corelane::engine::{BuildError, StartError};

use crate::cli::Usage;
use crate::exit::Exit;

/// Why a run has no result.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// What was asked for is wrong.
    #[error(transparent)]
    Usage(#[from] Usage),
    /// The engine could not be built.
    #[error("cannot build the engine: {0}")]
    Build(#[source] BuildError),
    /// The engine could not be started.
    #[error("cannot start the engine: {0}")]
    Start(#[from] StartError),
    /// Somebody interrupted before there was anything to report, in words.
    #[error("{0}")]
    Interrupted(String),
    /// Something else went wrong, in words.
    #[error("{0}")]
    Run(String),
}

impl Failure {
    /// The exit status.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Interrupted(_) => Exit::Interrupted,
            Self::Build(_) | Self::Start(_) | Self::Run(_) => Exit::Failed,
        }
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        match error {
            // Only --cores asks for cores.
            BuildError::Core(error) => Self::Usage(Usage::new(format!("--cores: {error}"))),
            error => Self::Build(error),
        }
    }
}
