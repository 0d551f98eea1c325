//! Running the engine under a generator: set-up, windows, the books.

mod bed;
mod failure;
mod measure;
mod output;
mod session;
mod streams;
mod target;
mod trial;
mod watch;

pub use bed::{Bed, Between, Layout};
pub use failure::Failure;
pub use measure::{Conditions, Measured, assemble};
pub use output::{Output, Taken, check_free, print, print_to_reader, say};
pub use session::{Nics, Outcome, Session, Setting};
pub use streams::Stream;
pub use target::{Target, install};
pub use trial::{LoadResult, TestBed, Trial, TrialResult};
pub use watch::{Counts, INTERVAL, Interval, Watch, Watchable, until_the_end};
