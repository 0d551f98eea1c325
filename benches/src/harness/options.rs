//! The command line of a bench.

use std::path::PathBuf;
use std::time::Duration;

/// What a bench was asked to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// Tiny sizes and one short round: to see that everything works.
    pub quick: bool,
    /// Where the JSON goes, `-` for stdout.
    pub json: Option<PathBuf>,
    /// Rounds per group.
    pub rounds: usize,
    /// How long one sample measures.
    pub sample: Duration,
    /// Only names that contain one of these; all if empty.
    pub filters: Vec<String>,
    /// Print the names and measure nothing.
    pub list: bool,
    /// This is `cargo test`: say what ran, and no times.
    pub test: bool,
}

/// The text of `--help`.
pub(super) const HELP: &str = "\
Usage: cargo bench -p corelane-benches --bench NAME -- [OPTIONS] [FILTER...]

FILTER: run the cases whose 'group/case' contains it, and what they are compared with

  --quick        tiny sizes, two rounds: does everything work?
  --rounds N     samples of each case [default: 21]
  --sample MS    milliseconds that a sample measures [default: 12]
  --json FILE    write everything to FILE as JSON as well; '-' for stdout
  --list         print the names
  --help         this
";

impl Options {
    /// Reads the arguments behind the program's name. None: help was asked for.
    ///
    /// `cargo bench` passes `--bench`; without it this is `cargo test`, which means `--quick`, and
    /// then flags of the test harness are passed over.
    ///
    /// # Errors
    /// What is wrong with which argument.
    pub fn parse(args: impl IntoIterator<Item = String>) -> Result<Option<Self>, String> {
        let args: Vec<String> = args.into_iter().collect();
        let test = !args.iter().any(|arg| arg == "--bench");
        let mut options = Self {
            quick: test,
            json: None,
            rounds: 21,
            sample: Duration::from_millis(12),
            filters: Vec::new(),
            list: false,
            test,
        };
        let mut rounds = None;
        let mut sample = None;
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "--bench" => {}
                "--quick" => options.quick = true,
                "--list" => options.list = true,
                "--help" | "-h" => return Ok(None),
                "--json" => options.json = Some(value()?.into()),
                "--rounds" => rounds = Some(number(&arg, &value()?, 1..=10_000)?),
                "--sample" => sample = Some(number(&arg, &value()?, 1..=10_000)?),
                "--test-threads" | "--format" | "--color" if test => drop(value()?),
                flag if flag.starts_with('-') && test => {}
                flag if flag.starts_with('-') => {
                    return Err(format!("{flag} is not an option of this bench; see --help"));
                }
                _ => options.filters.push(arg),
            }
        }
        if options.quick {
            options.rounds = 2;
            options.sample = Duration::ZERO;
        }
        if let Some(rounds) = rounds {
            options.rounds = rounds as usize;
        }
        if let Some(sample) = sample {
            options.sample = Duration::from_millis(sample);
        }
        Ok(Some(options))
    }

    /// Whether the case of this name was asked for.
    pub fn wants(&self, name: &str) -> bool {
        self.filters.is_empty()
            || self
                .filters
                .iter()
                .any(|filter| name.contains(filter.as_str()))
    }
}

fn number(flag: &str, text: &str, range: std::ops::RangeInclusive<u64>) -> Result<u64, String> {
    text.parse()
        .ok()
        .filter(|n| range.contains(n))
        .ok_or_else(|| {
            format!(
                "{flag} takes a number from {} to {}, not '{text}'",
                range.start(),
                range.end()
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Option<Options>, String> {
        Options::parse(args.iter().map(ToString::to_string))
    }

    #[test]
    fn a_bench_measures_and_a_test_is_quick() {
        let bench = parse(&["--bench", "--rounds", "5", "ring"])
            .unwrap()
            .unwrap();
        assert!(!bench.quick && bench.wants("two-core-ring/ours") && !bench.wants("worker/1k"));
        assert_eq!((bench.rounds, bench.sample), (5, Duration::from_millis(12)));
        let test = parse(&["--nocapture", "--test-threads", "1"])
            .unwrap()
            .unwrap();
        assert!(test.quick && test.wants("anything"));
    }

    #[test]
    fn wrong_arguments_are_named() {
        assert!(
            parse(&["--bench", "--rounds"])
                .unwrap_err()
                .contains("--rounds")
        );
        assert!(
            parse(&["--bench", "--rounds", "0"])
                .unwrap_err()
                .contains("'0'")
        );
        assert!(
            parse(&["--bench", "--fast"])
                .unwrap_err()
                .contains("--fast")
        );
        assert!(parse(&["--help"]).unwrap().is_none());
    }
}
