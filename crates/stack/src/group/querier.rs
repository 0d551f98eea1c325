//! What queries tell about the querier.

use std::time::Duration;

use super::query::Query;
use super::version::Mode;
use crate::address::Family;
use crate::clock::Time;

/// RFC 3376 section 8.1, RFC 3810 section 9.1.
const ROBUSTNESS: u8 = 2;
/// The largest robustness variable the field holds.
const MAX_ROBUSTNESS: u8 = 7;
/// RFC 3376 section 8.2, RFC 3810 section 9.2.
const QUERY_INTERVAL: Duration = Duration::from_secs(125);
/// The longest query interval the field (QQIC) holds.
const MAX_QUERY_INTERVAL: Duration = Duration::from_secs(31_744);
/// RFC 2236 section 8.11: how long an IGMPv2 host takes an IGMPv1 querier to be present.
const V1_ROUTER_PRESENT: Duration = Duration::from_secs(400);

/// What a host knows of the queriers on its link.
#[derive(Debug)]
pub(super) struct Querier {
    robustness: u8,
    interval: Duration,
    /// Until when a querier of IGMPv1 counts as present.
    reports_only_until: Option<Time>,
    /// Until when a querier of IGMPv2 or MLDv1 counts as present, for a host that speaks more.
    reports_until: Option<Time>,
}

impl Default for Querier {
    fn default() -> Self {
        Self {
            robustness: ROBUSTNESS,
            interval: QUERY_INTERVAL,
            reports_only_until: None,
            reports_until: None,
        }
    }
}

impl Querier {
    /// How often a change of state is told.
    pub(super) fn robustness(&self) -> u8 {
        self.robustness
    }

    /// What a host whose newest mode is `newest` learns from a query sent in mode `heard`.
    pub(super) fn hear(
        &mut self,
        family: Family,
        newest: Mode,
        heard: Mode,
        query: &Query,
        max_response: Duration,
        now: Time,
    ) {
        match heard {
            Mode::Records if newest == Mode::Records => {
                self.robustness = match query.robustness {
                    0 => ROBUSTNESS,
                    told => told.min(MAX_ROBUSTNESS),
                };
                self.interval = query.interval.min(MAX_QUERY_INTERVAL);
            }
            Mode::Records => {}
            Mode::Reports => {
                // RFC 3376 section 7.2.1 counts general queries of IGMPv2 alone, RFC 3810 section
                // 8.2.1 all of MLDv1.
                let counts = family == Family::V6 || query.group.is_none();
                if newest == Mode::Records && counts {
                    self.reports_until = Some(now + self.older_present(max_response));
                }
            }
            Mode::ReportsOnly => {
                let present = match newest {
                    Mode::Records => self.older_present(max_response),
                    _ => V1_ROUTER_PRESENT,
                };
                self.reports_only_until = Some(now + present);
            }
        }
    }

    /// RFC 3376 section 8.12, RFC 3810 section 9.12: the Older Version Querier Present Timeout.
    fn older_present(&self, max_response: Duration) -> Duration {
        self.interval * u32::from(self.robustness) + max_response
    }

    /// The mode in force (RFC 3376 section 7.2.1, RFC 3810 section 8.2.1).
    pub(super) fn mode(&self, newest: Mode, now: Time) -> Mode {
        let present = |until: Option<Time>| until.is_some_and(|until| now < until);
        if present(self.reports_only_until) {
            Mode::ReportsOnly
        } else if present(self.reports_until) {
            Mode::Reports
        } else {
            newest
        }
    }
}
