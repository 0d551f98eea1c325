//! `sim`: captures in virtual time.

use std::io::Write;

use crate::cli::{SimArgs, Usage};
use crate::config::Config;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::run::{Failure, Output, print};
use crate::sim::{End, Files, SimReport, Simulation};

pub(super) fn sim(args: &SimArgs, interrupt: &Interrupt) -> Result<Exit, Failure> {
    let config = Config::load(&args.config).map_err(|error| Usage::new(error.to_string()))?;
    // What is wrong with the input is said before a report of another run is emptied.
    let files = Files::open(args, &config)?;
    let output = Output::new(args.json.as_deref(), &files.taken(args, &config))?;
    let simulation = Simulation::new(args, config, files)?;
    let to_stderr = output.is_stdout_json();
    let report = simulation.run(args.until, interrupt, |lines| {
        if lines.is_empty() {
            Ok(())
        } else if to_stderr {
            // Nobody to tell, if not even that can be written.
            let _ = std::io::stderr().write_all(lines.as_bytes());
            Ok(())
        } else {
            print(lines)
        }
    })?;
    if args.trace && !to_stderr {
        print("\n")?;
    }
    output.write(&report.text(), &format!("{:#}", report.json()))?;
    Ok(exit_of(&report))
}

fn exit_of(report: &SimReport) -> Exit {
    if !report.balances() {
        Exit::Accounting
    } else if report.end == End::Interrupted {
        Exit::Interrupted
    } else {
        Exit::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_run_ends() {
        let exit = |end, lost| exit_of(&SimReport::of_nothing(end, lost));
        for end in [End::Complete, End::Until, End::Limit] {
            assert_eq!(exit(end, false), Exit::Done);
            assert_eq!(exit(end, true), Exit::Accounting);
        }
        assert_eq!(exit(End::Interrupted, false), Exit::Interrupted);
        assert_eq!(exit(End::Interrupted, true), Exit::Accounting);
    }
}
