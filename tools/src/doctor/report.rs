//! The findings, for people and for machines.

use std::fmt::Write;

use serde::Serialize;

use super::{Finding, Status};
use crate::machine::{Machine, Versions};
use crate::report::SCHEMA;

/// What was found out.
#[derive(Clone, Debug, Serialize)]
pub struct Diagnosis {
    schema: u32,
    kind: &'static str,
    versions: Versions,
    machine: Machine,
    findings: Vec<Finding>,
}

impl Diagnosis {
    pub(super) fn new(findings: Vec<Finding>) -> Self {
        Self {
            schema: SCHEMA,
            kind: "doctor",
            versions: Versions::here(),
            machine: Machine::here(),
            findings,
        }
    }

    /// The findings.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Of what is asked for, what is missing; `limited` is there.
    pub fn lacks<'a>(&self, required: &'a [String]) -> Vec<&'a str> {
        let is_there = |name: &&String| {
            self.findings
                .iter()
                .any(|finding| finding.name == **name && finding.status != Status::Missing)
        };
        required
            .iter()
            .filter(|name| !is_there(name))
            .map(String::as_str)
            .collect()
    }

    /// As JSON, without the end of a line.
    ///
    /// # Errors
    /// None that is known: there are but texts in it.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }

    /// For people: a line for each finding, and one below for what to change.
    pub fn text(&self) -> String {
        let machine = &self.machine;
        let mut out = format!(
            "corelane doctor {} ({} build) on {}, {} {}\n\n",
            self.versions.corelane, self.versions.profile, machine.cpu, machine.os, machine.kernel,
        );
        for finding in &self.findings {
            let Finding {
                name,
                status,
                found,
                advice,
            } = finding;
            let name = name.replace('_', " ");
            // Writing to a string does not fail.
            let _ = writeln!(out, "{:<8} {name:<16} {found}", status.word());
            if let Some(advice) = advice {
                let _ = writeln!(out, "{:<25} -> {advice}", "");
            }
        }
        out
    }
}
