//! What cannot be had is told in words.

use std::ffi::OsStr;
use std::process::{Command, ExitCode};

use corelane_engine::link::Link;
use corelane_frame::{Pool, PoolConfig};
use corelane_io::af_packet::{AfPacketConfig, AfPacketError, AfPacketLink};
use corelane_io::tap::{TapConfig, TapError, TapLink};

use crate::kernel::ip;
use crate::{Case, Needs, Outcome, xdp};

pub(crate) fn all() -> Vec<Case> {
    vec![
        Case {
            name: "tap::errors_say_what_to_do",
            needs: Needs::Tap,
            run: tap,
        },
        Case {
            name: "af_packet::errors_say_what_to_do",
            needs: Needs::Nothing,
            run: af_packet,
        },
        Case {
            name: "tap::privileges",
            needs: Needs::Tap,
            // The driver may be for root alone.
            run: || unprivileged("tap", &["CAP_NET_ADMIN", "chmod 666"]),
        },
        Case {
            name: "af_packet::privileges",
            needs: Needs::Nothing,
            run: || unprivileged("af_packet", &["CAP_NET_RAW"]),
        },
    ]
}

fn tap_of(name: &str, queues: usize) -> Result<TapLink, TapError> {
    TapLink::new(TapConfig {
        name: name.to_owned(),
        queues,
        ..TapConfig::default()
    })
}

fn packet_of(name: &str, queues: usize) -> Result<AfPacketLink, AfPacketError> {
    AfPacketLink::new(AfPacketConfig {
        name: name.to_owned(),
        queues,
        ..AfPacketConfig::default()
    })
}

fn tap() -> Outcome {
    assert!(matches!(
        tap_of("tapx", 0),
        Err(TapError::Queues { queues: 0 })
    ));
    assert!(matches!(tap_of("tapx", 257), Err(TapError::Queues { .. })));
    assert!(matches!(tap_of("", 1), Err(TapError::Name(_))));
    assert!(matches!(
        tap_of("sixteen--letters", 1),
        Err(TapError::Name(_))
    ));
    ip("link add vet type veth peer name vkt")?;
    ip("tuntap add dev tunx mode tun")?;
    for (device, queues) in [("lo", 1), ("vet", 1), ("vet", 2), ("tunx", 1)] {
        let other = tap_of(device, queues);
        assert!(matches!(other, Err(TapError::NotTap { .. })), "{device}");
    }
    ip("link del vet")?;
    ip("link del tunx")?;
    let first = tap_of("tapx", 1)?;
    assert!(matches!(tap_of("tapx", 1), Err(TapError::Busy { .. })));
    assert!(matches!(tap_of("tapx", 2), Err(TapError::OneQueue { .. })));
    drop(first);
    // The device went with its link; the next is another. It opens once.
    let mut again = tap_of("tapx", 256)?;
    let pool = Pool::new(PoolConfig::default())?;
    let queues = again.open(&pool)?;
    assert_eq!((queues.rx.len(), queues.tx.len()), (256, 256));
    assert!(again.open(&pool).is_err());
    assert!(matches!(
        tap_of("tapx", 1),
        Err(TapError::NoMoreQueues { attached: 0, .. })
    ));
    drop((queues, again));
    assert!(ip("link show tapx").is_err());
    // One that stays, of any number of queues, is taken as it is.
    ip("tuntap add dev tapy mode tap multi_queue")?;
    drop(tap_of("tapy", 1)?);
    drop(tap_of("tapy", 3)?);
    ip("link del tapy")?;
    let numbered = tap_of("tap-%d", 1)?;
    assert!(numbered.name().starts_with("tap-") && !numbered.name().contains('%'));
    assert_ne!(numbered.mac(), Some(numbered.device_mac()));
    Ok(())
}

fn af_packet() -> Outcome {
    assert!(matches!(
        packet_of("lo", 0),
        Err(AfPacketError::Queues { .. })
    ));
    assert!(matches!(packet_of("a b", 1), Err(AfPacketError::Name(_))));
    assert!(matches!(
        packet_of("nobody", 1),
        Err(AfPacketError::NoDevice { .. })
    ));
    let ring = AfPacketLink::new(AfPacketConfig {
        name: "lo".to_owned(),
        ring: 1 << 40,
        ..AfPacketConfig::default()
    });
    assert!(matches!(ring, Err(AfPacketError::RingSize { .. })));
    // The device goes between the two steps, and comes back: the link can be tried again.
    let pool = Pool::new(PoolConfig::default())?;
    ip("link add vex type veth peer name vkx")?;
    let mut link = packet_of("vex", 2)?;
    ip("link del vex")?;
    for _ in 0..2 {
        let error = link.open(&pool).err().ok_or("it opened")?.to_string();
        assert!(error.contains("no network device 'vex'"), "{error}");
    }
    // A device that is down opens, and one link does not mind another.
    ip("link add vex type veth peer name vkx")?;
    let mut links = [
        packet_of("vex", 2)?,
        packet_of("vex", 2)?,
        packet_of("vex", 1)?,
    ];
    for link in &mut links {
        link.open(&pool)?;
        assert!(link.open(&pool).is_err());
    }
    ip("link del vex")?;
    Ok(())
}

/// Set where the privilege is missing: the kind to try.
pub(crate) const TRY: &str = "CORELANE_REAL_LINKS_TRY";

/// Prints what a link says to somebody without privilege.
pub(crate) fn try_without_privilege(kind: &OsStr) -> ExitCode {
    let error = match kind.to_str() {
        Some("tap") => tap_of("tapz", 1).err().map(|error| error.to_string()),
        Some("af_packet") => packet_of("lo", 1).err().map(|error| error.to_string()),
        other => xdp::try_as(other.unwrap_or_default()),
    };
    println!("{}", error.unwrap_or_default());
    ExitCode::SUCCESS
}

/// In a user namespace that this network namespace does not belong to, nobody has the privilege.
pub(crate) fn unprivileged(kind: &str, says: &[&str]) -> Outcome {
    let mut again = Command::new("unshare");
    again.arg("-r").arg(std::env::current_exe()?).env(TRY, kind);
    let output = again.output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(says.iter().any(|it| said.contains(it)), "{said}{output:?}");
    Ok(())
}
