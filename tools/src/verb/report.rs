//! `report`: results as a page.

use std::path::Path;

use crate::cli::{ReportArgs, Usage};
use crate::exit::Exit;
use crate::page::Page;
use crate::run::{Failure, Taken, check_free, print};

pub(super) fn report(args: &ReportArgs) -> Result<Exit, Failure> {
    let is_stdout = args.output == Path::new("-");
    if !is_stdout {
        let results = args.results.iter().map(|source| &source.file);
        let taken: Vec<_> = results
            .chain(&args.flamegraph)
            .map(|file| Taken {
                file,
                holds: format!("{}, which is read", file.display()),
            })
            .collect();
        check_free("--output", &args.output, &taken)?;
    }
    let page = Page::read(&args.results, args.flamegraph.as_deref())
        .map_err(|bad| Usage::new(bad.to_string()))?;
    let html = page.html();
    if is_stdout {
        print(&html)?;
    } else {
        std::fs::write(&args.output, html).map_err(|error| {
            Failure::Run(format!("cannot write {}: {error}", args.output.display()))
        })?;
        let results = page.results();
        let plural = if results == 1 { "" } else { "s" };
        print(&format!(
            "wrote {}: {results} result{plural}\n",
            args.output.display()
        ))?;
    }
    Ok(Exit::Done)
}
