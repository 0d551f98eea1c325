//! `ctl`: showing and changing a host that is up.

use crate::cli::{CtlArgs, Usage};
use crate::control::{Answer, Client, Request, default_path, table};
use crate::exit::Exit;
use crate::run::{Failure, Output};

pub(super) fn ctl(args: &CtlArgs) -> Result<Exit, Failure> {
    let request = args.request()?;
    if let Request::Watch(watch) = &request {
        return super::watch::watch(args, watch);
    }
    let output = Output::new(args.json.as_deref(), &[])?;
    let path = args.socket.clone().unwrap_or_else(default_path);
    let mut client = Client::connect(&path).map_err(Failure::Run)?;
    let answer = client.ask(&request).map_err(Failure::Run)?;
    let text = match (&answer, &request) {
        (Answer::Problem(problem), _) if problem.is_request => {
            return Err(Usage::new(problem.to_string()).into());
        }
        (Answer::Problem(problem), _) => {
            return Err(Failure::Run(problem.to_string()));
        }
        (Answer::Rows(rows), Request::Show(listing)) => table(*listing, rows),
        (Answer::Rows(_) | Answer::Done | Answer::Stream(_), _) => String::new(),
    };
    output.write(&text, &format!("{:#}", answer.json()))?;
    Ok(Exit::Done)
}
