//! What has to be the same when the books balance.

use corelane::stack::Nic;
use serde_json::{Value, json};

/// Two figures that have to be the same.
pub(crate) struct Identity {
    /// The NIC's name; None for the engine as a whole.
    pub(crate) nic: Option<String>,
    /// What is claimed.
    pub(crate) claim: &'static str,
    /// The left side.
    pub(crate) left: u64,
    /// The right side.
    pub(crate) right: u64,
}

impl Identity {
    /// That everything a NIC took up came to some end.
    pub(crate) fn of_received(nic: &Nic) -> Self {
        let totals = nic.counters();
        Self {
            nic: Some(nic.name().to_owned()),
            claim: "received = delivered + forwarded + consumed + drops",
            left: totals.received,
            right: totals.delivered + totals.forwarded + totals.consumed + totals.dropped(),
        }
    }

    /// That every frame is back in its pool, of which so many are out.
    pub(crate) fn of_pool(out: usize) -> Self {
        Self {
            nic: None,
            claim: "frames_out_at_end = 0",
            left: out as u64,
            right: 0,
        }
    }

    /// Whether they are the same.
    pub(crate) fn holds(&self) -> bool {
        self.left == self.right
    }

    /// As JSON.
    pub(crate) fn json(&self) -> Value {
        json!({
            "nic": self.nic,
            "claim": self.claim,
            "left": self.left,
            "right": self.right,
            "holds": self.holds(),
        })
    }
}

/// Says of each identity that does not hold that it does not, or that all do.
pub(crate) fn write_identities(
    text: &mut impl std::fmt::Write,
    identities: &[Identity],
) -> std::fmt::Result {
    let mut violated = identities.iter().filter(|it| !it.holds()).peekable();
    if violated.peek().is_none() {
        return writeln!(text, "\nAccounting: every frame is accounted for.");
    }
    violated.try_for_each(|it| {
        let (nic, claim) = (it.nic.as_deref().unwrap_or("engine"), it.claim);
        let (left, right) = (it.left, it.right);
        writeln!(
            text,
            "\nACCOUNTING VIOLATED: {nic}: {claim}: {left} is not {right}"
        )
    })
}

/// The books, as JSON.
pub(crate) fn accounting_json(identities: &[Identity]) -> Value {
    json!({
        "holds": identities.iter().all(Identity::holds),
        "identities": identities.iter().map(Identity::json).collect::<Vec<_>>(),
    })
}
