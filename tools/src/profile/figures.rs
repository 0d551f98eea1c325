//! From stacks to the figures of stages.

use std::collections::BTreeMap;

use serde::Serialize;

use super::folded::Folded;
use super::stage::of_stack;
use crate::report::{Report, per};
use crate::threads::{Group, OnCore};

/// What threads of a group did.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields are documented once, in `profile`")]
pub struct GroupFigures {
    pub group: &'static str,
    pub threads: usize,
    pub samples: u64,
    pub cpu_ns: Option<u64>,
    pub packets: Option<u64>,
}

impl GroupFigures {
    /// Nanoseconds that its threads were on a core, for each packet.
    pub fn ns_per_packet(&self) -> Option<f64> {
        per(self.cpu_ns?, self.packets?)
    }
}

/// What a stage took.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields are documented once, in `profile`")]
pub struct StageFigures {
    pub group: &'static str,
    pub stage: String,
    pub samples: u64,
    pub share: f64,
    pub share_of_group: f64,
    pub ns_per_packet: Option<f64>,
    pub packets_per_call: Option<f64>,
}

/// What packets there were for the threads, and in how many bursts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Load {
    /// Frames that the generator sent.
    pub sent: u64,
    /// Its polls that gave frames.
    pub sent_bursts: u64,
    /// Packets that workers took up.
    pub received: u64,
    /// Their polls that found some.
    pub received_bursts: u64,
    /// Stages of workers that get the whole of each burst, and are called once for it.
    pub whole_burst: &'static [&'static str],
}

impl Load {
    /// That of a run.
    pub fn of(report: &Report) -> Self {
        let bursts = |worker: &crate::report::WorkerShare| worker.polls - worker.empty_polls;
        let ends = [report.delivered, report.forwarded, report.consumed];
        let one_end = ends.contains(&report.received);
        let family = report
            .flags
            .get("family")
            .and_then(|family| family.as_str());
        // Where packets go separate ways nothing counts how many of a burst go which.
        let whole_burst: &[&str] = match (one_end, family) {
            (true, Some("v4")) => &[
                "ethernet_input",
                "ip4_input",
                "lookup",
                "local_deliver",
                "ip_lookup",
                "ip_forward",
            ],
            (true, Some("v6")) => &[
                "ethernet_input",
                "ip6_input",
                "lookup",
                "local_deliver",
                "ip_lookup",
                "ip_forward",
            ],
            (true, _) => &[
                "ethernet_input",
                "lookup",
                "local_deliver",
                "ip_lookup",
                "ip_forward",
            ],
            (false, _) => &["ethernet_input"],
        };
        Self {
            sent: report.sent,
            sent_bursts: report.generator.polls.productive,
            received: report.received,
            received_bursts: report.workers.iter().map(bursts).sum(),
            whole_burst,
        }
    }

    fn packets(&self, group: Group) -> Option<u64> {
        match group {
            Group::Generator => Some(self.sent),
            Group::Worker => Some(self.received),
            Group::Other => None,
        }
    }

    fn packets_per_call(&self, group: Group, stage: &str) -> Option<f64> {
        match group {
            Group::Generator if stage == "generator" => per(self.sent, self.sent_bursts),
            Group::Worker if self.whole_burst.contains(&stage) => {
                per(self.received, self.received_bursts)
            }
            _ => None,
        }
    }
}

/// The figures of each group, and of each stage, the dearest of a group first.
pub(super) fn figures(
    folded: &Folded,
    load: &Load,
    on_core: impl Fn(Group) -> OnCore,
) -> (Vec<GroupFigures>, Vec<StageFigures>) {
    let by_stage = by_stage(folded);
    let all = folded.samples();
    let mut groups = Vec::new();
    let mut stages = Vec::new();
    for group in [Group::Generator, Group::Worker, Group::Other] {
        let OnCore { threads, cpu_ns } = on_core(group);
        let mut of_group: Vec<_> = by_stage
            .iter()
            .filter(|((of, _), _)| *of == group)
            .map(|((_, stage), &samples)| (stage, samples))
            .collect();
        let in_group: u64 = of_group.iter().map(|(_, samples)| samples).sum();
        if in_group == 0 {
            continue;
        }
        // Equals stay in the order of their names.
        of_group.sort_by_key(|&(_, samples)| std::cmp::Reverse(samples));
        let packets = load.packets(group);
        groups.push(GroupFigures {
            group: group.name(),
            threads,
            samples: in_group,
            cpu_ns,
            packets,
        });
        stages.extend(of_group.into_iter().map(|(stage, samples)| {
            let share_of_group = per(samples, in_group).unwrap_or(0.0);
            let each = |ns: u64| Some(share_of_group * per(ns, packets?)?);
            StageFigures {
                group: group.name(),
                stage: stage.clone(),
                samples,
                share: per(samples, all).unwrap_or(0.0),
                share_of_group,
                ns_per_packet: cpu_ns.and_then(each),
                packets_per_call: load.packets_per_call(group, stage),
            }
        }));
    }
    (groups, stages)
}

/// How many samples each stage has.
pub(super) fn by_stage(folded: &Folded) -> BTreeMap<(Group, String), u64> {
    let mut by_stage = BTreeMap::new();
    for (stack, count) in folded.iter() {
        let (group, stage) = of_stack(stack);
        *by_stage.entry((group, stage.into_owned())).or_default() += count;
    }
    by_stage
}
