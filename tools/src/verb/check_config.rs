//! `check-config`: a configuration in plain words.

use crate::cli::{CheckConfigArgs, Usage};
use crate::config::{Config, explain};
use crate::exit::Exit;
use crate::run::{Failure, Output, Taken};

pub(super) fn check_config(args: &CheckConfigArgs) -> Result<Exit, Failure> {
    let config = Config::load(&args.file).map_err(|error| Usage::new(error.to_string()))?;
    let taken = Taken {
        file: &args.file,
        holds: "the configuration".to_owned(),
    };
    let output = Output::new(args.json.as_deref(), &[taken])?;
    output.write(&explain(&config), &format!("{:#}", config.json()))?;
    Ok(Exit::Done)
}
