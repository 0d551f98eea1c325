//! Running the engine under a generator: set-up, windows, the books.

mod failure;
mod measure;
mod output;
mod session;

pub use failure::Failure;
pub use measure::{Conditions, Measured, assemble};
pub use output::{Output, Taken, check_free, print};
pub use session::{Nics, Outcome, Session, Setting};
