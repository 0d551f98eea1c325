//! What stands between a NIC and its link: faults on purpose, and a capture.

use std::time::Duration;

use corelane::io::middleware::{FaultPlan, Faults, FaultsConfig, Share, Stall};
use corelane::wire::{ETHERNET_HEADER_LEN, PacketFilter};

use super::error::ConfigError;
use super::fields::{Field, Fields};
use super::model::{CaptureSetting, FaultsSetting};
use super::nic;
use super::parse::Warnings;
use crate::control::MAX_SNAP_LEN;
use crate::unit;

const PLAN_KEYS: &[&str] = &[
    "drop",
    "corrupt",
    "corrupt_bits",
    "duplicate",
    "reorder",
    "reorder_by",
    "reorder_wait",
    "delay",
    "jitter",
    "stall",
    "queue",
];

const HOUR: Duration = Duration::from_secs(3600);

/// What goes wrong on the link, if anything is to.
pub(super) fn faults(
    fields: &Fields<'_>,
    seed: u64,
    warnings: &mut Warnings<'_>,
) -> Result<Option<FaultsSetting>, ConfigError> {
    let Some(field) = fields.get("faults") else {
        return Ok(None);
    };
    let table = field.table("a table, [nic.faults],", &["seed", "rx", "tx"])?;
    let seed = table.get("seed").map_or(Ok(seed), |field| {
        field.integer("a seed", 0..=i64::MAX as u64)
    })?;
    let plan = |key| {
        let field = table.get(key);
        field.map_or_else(|| Ok(FaultPlan::default()), |field| plan(&field))
    };
    let (rx, tx) = (plan("rx")?, plan("tx")?);
    if rx.is_empty() && tx.is_empty() {
        warnings.of(&field, "nothing goes wrong: rx or tx says what does");
        return Ok(None);
    }
    let setting = FaultsSetting { seed, rx, tx };
    // What no single key shows.
    let config = FaultsConfig {
        rx: setting.rx.clone(),
        tx: setting.tx.clone(),
        ..FaultsConfig::default()
    };
    Faults::new(config).map_err(|error| field.error(error))?;
    Ok(Some(setting))
}

fn plan(field: &Field<'_>) -> Result<FaultPlan, ConfigError> {
    let what = "a table, such as { drop = \"1/1000\", delay = \"3ms\" },";
    let fields = field.table(what, PLAN_KEYS)?;
    let default = FaultPlan::default();
    let share = |key: &str| {
        let field = fields.get(key);
        field.map_or(Ok(Share::None), |field| share(&field))
    };
    let time = |key: &str, default: Duration| {
        let field = fields.get(key);
        field.map_or(Ok(default), |field| field.duration(Duration::ZERO..=HOUR))
    };
    let number = |key: &str, what: &str, range, default: usize| {
        let field = fields.get(key);
        field.map_or(Ok(default), |field| {
            field.integer(what, range).map(|number| number as usize)
        })
    };
    Ok(FaultPlan {
        drop: share("drop")?,
        corrupt: share("corrupt")?,
        corrupt_bits: number("corrupt_bits", "a number of bits", 1..=4096, 1)? as u32,
        duplicate: share("duplicate")?,
        reorder: share("reorder")?,
        reorder_by: number(
            "reorder_by",
            "a number of frames",
            1..=256,
            default.reorder_by,
        )?,
        reorder_wait: time("reorder_wait", default.reorder_wait)?,
        delay: time("delay", Duration::ZERO)?,
        jitter: time("jitter", Duration::ZERO)?,
        stall: fields.get("stall").map(|field| stall(&field)).transpose()?,
        queue: number("queue", "a number of frames", 256..=1 << 20, default.queue)?,
    })
}

/// `1/1000`, exactly one in so many; or a share, each frame with that probability.
fn share(field: &Field<'_>) -> Result<Share, ConfigError> {
    let text = field.text("a share as a text, such as \"1/1000\" or \"0.1%\",")?;
    if let Some((one, n)) = text.split_once('/') {
        let n = n.trim().parse::<u64>().ok().filter(|n| *n > 0);
        return match (one.trim(), n) {
            ("1", Some(n)) => Ok(Share::one_in(n)),
            _ => Err(field.error(format!(
                "'{text}' is not one in so many; did you mean '1/1000'?"
            ))),
        };
    }
    unit::ratio(text)
        .map(Share::Ratio)
        .map_err(|error| field.error(error))
}

fn stall(field: &Field<'_>) -> Result<Stall, ConfigError> {
    let what = "a table, such as { lasts = \"100ms\", every = \"1s\" },";
    let fields = field.table(what, &["lasts", "every"])?;
    let time = |key: &str, example: &str| {
        fields
            .need(key, example)?
            .duration(Duration::from_micros(1)..=HOUR)
    };
    Ok(Stall {
        lasts: time("lasts", "\"100ms\"")?,
        every: time("every", "\"1s\"")?,
    })
}

/// Where what goes by is written down, if it is.
pub(super) fn capture(fields: &Fields<'_>) -> Result<Option<CaptureSetting>, ConfigError> {
    let Some(field) = fields.get("capture") else {
        return Ok(None);
    };
    let keys = ["file", "snap_len", "address", "port"];
    let fields = field.table("a table, [nic.capture],", &keys)?;
    let file = fields.need("file", "\"wan.pcapng\"")?;
    let path = file.text("the path of a file as a text")?;
    if path.is_empty() || path.contains('\0') {
        return Err(file.error("this is not the path of a file"));
    }
    let snap_len = fields.get("snap_len").map(|field| {
        let least = ETHERNET_HEADER_LEN as u64;
        field.integer("a number of bytes", least..=MAX_SNAP_LEN)
    });
    let port = fields
        .get("port")
        .map(|field| field.integer("a port", 0..=u16::MAX.into()));
    let address = fields.get("address").map(|field| nic::address(&field));
    Ok(Some(CaptureSetting {
        file: path.into(),
        snap_len: snap_len.transpose()?.map(|len| len as usize),
        filter: PacketFilter {
            address: address.transpose()?,
            port: port.transpose()?.map(|port| port as u16),
        },
    }))
}

/// A share as it is written.
pub(super) fn share_words(share: Share) -> String {
    match share {
        Share::None | Share::OneIn(0) => "none".to_owned(),
        Share::OneIn(n) => format!("1/{n}"),
        Share::Ratio(ratio) => format!("{}%", ratio * 100.0),
    }
}

/// What a plan does, in words, in the order that it happens in.
pub(super) fn plan_words(plan: &FaultPlan) -> String {
    let seconds = super::explain::seconds;
    let mut words = Vec::new();
    let mut share = |share: Share, what: String| {
        if share != Share::None {
            words.push(format!("{} {what}", share_words(share)));
        }
    };
    let plural = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    share(plan.drop, "dropped".to_owned());
    let bits = plural(plan.corrupt_bits as usize, "bit");
    share(plan.corrupt, format!("with {bits} flipped"));
    share(plan.duplicate, "doubled".to_owned());
    let by = plural(plan.reorder_by, "frame");
    share(plan.reorder, format!("overtaken by {by}"));
    if !plan.delay.is_zero() {
        words.push(format!("{} late", seconds(plan.delay)));
    }
    if !plan.jitter.is_zero() {
        words.push(format!("up to {} later", seconds(plan.jitter)));
    }
    if let Some(Stall { lasts, every }) = plan.stall {
        words.push(format!(
            "a stall of {} every {}",
            seconds(lasts),
            seconds(every)
        ));
    }
    if words.is_empty() {
        return "nothing".to_owned();
    }
    words.join(", ")
}
