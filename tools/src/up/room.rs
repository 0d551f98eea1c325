//! Whether there are frames for the NICs of a configuration: all come from the pool that was made at the beginning.

use corelane::frame::PoolConfig;
use corelane::wire::ETHERNET_HEADER_LEN;

use crate::config::Config;

/// Frames in a ring between a distributor and a worker.
pub(super) const RING: usize = 512;

/// What there are frames for.
pub(super) struct Room {
    pool: PoolConfig,
    workers: usize,
    nics: usize,
    /// Of these, the ones that were to come.
    spare: usize,
    /// Frames that devices hold.
    held: usize,
}

/// Why there are none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoRoom {
    #[error(
        "the MTU of a new NIC is more than frames were made for: it takes a restart ({has} bytes, {needed} are needed)"
    )]
    Mtu { has: usize, needed: usize },
    #[error(
        "there are frames for {most} NICs, not for {nics}: it takes a restart, with spare_nics above {spare} for more to \
         come later ({has} frames, {needed} are needed)"
    )]
    Nics {
        most: usize,
        nics: usize,
        spare: usize,
        has: usize,
        needed: usize,
    },
    #[error(
        "AF_XDP devices would hold {held} frames, and there are {most} for them: it takes a restart, which makes as many \
         as its configuration needs ({has} frames, {needed} are needed)"
    )]
    Held {
        most: usize,
        held: usize,
        has: usize,
        needed: usize,
    },
}

impl Room {
    /// For the NICs of a configuration and its spare ones, whose devices hold so many frames, on links whose longest
    /// frame is that.
    pub(super) fn new(config: &Config, workers: usize, held: usize, longest: usize) -> Self {
        let nics = config.nics.len() + config.spare_nics;
        Self {
            pool: pool(config, workers, held, longest, nics),
            workers,
            nics,
            spare: config.spare_nics,
            held,
        }
    }

    /// The pool to be made.
    pub(super) fn pool(&self) -> &PoolConfig {
        &self.pool
    }

    /// There are frames for the NICs of another configuration, whose devices hold so many.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub(super) fn check(&self, new: &Config, held: usize) -> Result<(), NoRoom> {
        let Self { pool: made, .. } = self;
        let nics = new.nics.len();
        // A link does without super-frames where slots have no room for them.
        let needs = pool(new, self.workers, held, 0, nics);
        if needs.slot_size > made.slot_size {
            return Err(NoRoom::Mtu {
                has: made.slot_size,
                needed: needs.slot_size,
            });
        }
        if needs.slots <= made.slots {
            return Ok(());
        }
        let (has, needed) = (made.slots, needs.slots);
        Err(if nics > self.nics {
            NoRoom::Nics {
                most: self.nics,
                nics,
                spare: self.spare,
                has,
                needed,
            }
        } else {
            NoRoom::Held {
                most: self.held,
                held,
                has,
                needed,
            }
        })
    }
}

/// Slots for the largest packet of any NIC and the longest frame of any link, as many as rings and caches
/// of so many NICs can hold, and `held` that their devices do.
fn pool(config: &Config, workers: usize, held: usize, longest: usize, nics: usize) -> PoolConfig {
    let mtu = config.nics.iter().map(|nic| nic.mtu).max().unwrap_or(0);
    let in_flight = nics * (workers + 1) * (2 * RING + 256) + held;
    PoolConfig {
        slots: PoolConfig::slots_for(in_flight, workers + nics),
        ..PoolConfig::for_frames(longest.max(ETHERNET_HEADER_LEN + mtu))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(names: &[&str], spare: usize, more: &str) -> Config {
        let nic = |name: &&str| {
            format!("[[nic]]\nname = '{name}'\nlink = {{ kind = 'tap', name = '{name}' }}\n{more}")
        };
        let nics: String = names.iter().map(nic).collect();
        Config::parse("lab.toml", &format!("spare_nics = {spare}\n{nics}")).unwrap()
    }

    #[test]
    fn what_is_short_is_told() {
        // A queue of AF_XDP.
        let held = 5120;
        let one = Room::new(&config(&["a"], 1, ""), 1, 0, 0);
        let two = config(&["a", "b"], 1, "");
        assert_eq!(one.check(&two, 0), Ok(()));
        let told = one.check(&two, held).unwrap_err().to_string();
        assert!(
            told.contains("would hold 5120 frames, and there are 0 for them")
                && !told.contains("spare"),
            "{told}"
        );
        let three = config(&["a", "b", "c"], 1, "");
        let told = one.check(&three, 0).unwrap_err().to_string();
        assert!(
            told.contains("frames for 2 NICs, not for 3") && told.contains("spare_nics above 1"),
            "{told}"
        );
        // Those that a device held and that is gone are for anybody.
        let xdp = Room::new(&config(&["a"], 0, ""), 1, held, 0);
        assert_eq!(xdp.check(&two, 0), Ok(()));
        assert_eq!(xdp.check(&config(&["a"], 0, ""), held), Ok(()));
        let told = xdp.check(&config(&["a"], 0, ""), 2 * held).unwrap_err();
        assert!(matches!(told, NoRoom::Held { most: 5120, .. }), "{told}");
        let told = one.check(&config(&["a"], 1, "mtu = 9000\n"), 0);
        assert!(matches!(told, Err(NoRoom::Mtu { .. })), "{told:?}");
    }
}
