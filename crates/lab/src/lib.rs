//! What the tests on real links share: a network namespace to be in and others to talk to, the kernel's
//! side of a link, tools that may not take for ever, frames past everybody's stack.
//!
//! | module | holds |
//! |---|---|
//! | [`harness`] | a test program that runs itself again in a namespace, and its cases |
//! | [`namespace`] | further namespaces, with devices, sockets and programs in them |
//! | [`kernel`] | `ip`, and what the kernel counts |
//! | [`echo`] | sockets of the kernel's, towards an echo |
//! | [`ping`] | pings, each timed |
//! | [`process`] | programs that end, by themselves or not |
//! | [`raw`] | a link without an engine |
//!
//! It is for tests alone: what fails, fails with words for who reads them.

#![forbid(unsafe_code)]

pub mod echo;
pub mod harness;
pub mod kernel;
pub mod namespace;
pub mod ping;
pub mod process;
pub mod raw;

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Waits until it holds.
///
/// # Errors
/// It fails, or does not hold in time.
pub fn eventually(
    what: &str,
    patience: Duration,
    mut holds: impl FnMut() -> Result<bool>,
) -> Result<()> {
    let deadline = Instant::now() + patience;
    while !holds()? {
        if Instant::now() > deadline {
            bail!("not within {patience:?}: {what}");
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}
