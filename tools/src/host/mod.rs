//! What a configuration makes of an engine, in virtual time ([`sim`](crate::sim)) and on real links
//! ([`up`](crate::up)).
//!
//! | module | holds |
//! |---|---|
//! | `setup` | what an engine is built from, and what its NICs are given to begin with |
//! | `action` | what can be done to NICs while they run |
//! | `service` | what takes packets |
//! | `event` | what happened |
//! | `identity` | the books |
//! | `state` | what NICs are like |
//! | `timed_error` | what was not done |
//! | `step` | a step on a frame's way, in words |

mod action;
mod event;
mod identity;
mod service;
mod setup;
mod state;
mod step;
mod timed_error;

pub(crate) use action::{ActionError, Routes, Scene, act};
pub(crate) use event::TimedEvent;
pub(crate) use identity::{Identity, accounting_json, write_identities};
pub(crate) use service::Services;
pub(crate) use setup::{Unset, nic_config, set_up, set_up_nic, stack_config};
pub(crate) use state::{
    NicState, StackState, addresses_json, counters_json, drops_json, groups_json, holds_json,
    icmp_json, neighbors_json, protocols_json, ranges_json, routes_json, section, service_json,
};
pub(crate) use step::step_line;
pub(crate) use timed_error::TimedError;
