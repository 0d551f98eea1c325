//! `doctor`: what this machine can do.

use crate::cli::DoctorArgs;
use crate::doctor::{System, examine, probe};
use crate::exit::Exit;
use crate::run::{Failure, Output, print};

pub(super) fn doctor(args: &DoctorArgs) -> Result<Exit, Failure> {
    if args.probe_links {
        return print(&probe()).map(|()| Exit::Done);
    }
    let output = Output::new(args.json.as_deref(), &[])?;
    let diagnosis = examine(&System::here());
    let json = diagnosis
        .json()
        .map_err(|error| Failure::Run(format!("no JSON: {error}")))?;
    output.write(&diagnosis.text(), &json)?;
    let lacks = diagnosis.lacks(&args.require);
    if lacks.is_empty() {
        return Ok(Exit::Done);
    }
    Err(Failure::Run(format!("missing: {}", lacks.join(", "))))
}
