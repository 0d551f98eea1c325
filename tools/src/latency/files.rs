//! Files that the usual plotters of HdrHistogram read.

use std::io::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::IntervalLogWriterBuilder;

/// Nanoseconds in the unit of the text: microseconds.
const UNIT: f64 = 1000.0;

/// Steps of the text for each halving of what is left.
const STEPS: u32 = 5;

/// Writes the distribution as text (`.hgrm`): value, quantile, count up to there and 1/(1 − quantile), in
/// microseconds, as HdrHistogram's `outputPercentileDistribution` does.
///
/// # Errors
/// The writer's.
pub fn write_hgrm(histogram: &Histogram<u64>, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "{:>12} {:>14} {:>10} {:>14}\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    )?;
    for step in histogram.iter_quantiles(STEPS) {
        let quantile = step.quantile_iterated_to();
        let value = step.value_iterated_to() as f64 / UNIT;
        let count = histogram.count_between(0, step.value_iterated_to());
        write!(out, "{value:12.3} {quantile:2.12} {count:10}")?;
        match quantile {
            q if q < 1.0 => writeln!(out, " {:14.2}", 1.0 / (1.0 - q))?,
            _ => writeln!(out)?,
        }
    }
    let (mean, deviation) = (histogram.mean() / UNIT, histogram.stdev() / UNIT);
    let (max, total) = (histogram.max() as f64 / UNIT, histogram.len());
    writeln!(
        out,
        "#[Mean    = {mean:12.3}, StdDeviation   = {deviation:12.3}]"
    )?;
    writeln!(out, "#[Max     = {max:12.3}, Total count    = {total:12}]")?;
    writeln!(
        out,
        "#[Buckets = {:12}, SubBuckets     = {:12}]",
        histogram.buckets(),
        2 * 10u32.pow(histogram.sigfig().into()).next_power_of_two()
    )
}

/// Writes a log of intervals (`.hlog`, version 1.3 of the format, as HdrHistogram's `HistogramLogWriter`
/// does): for each, when it began, how long it was, and its histogram, in nanoseconds.
///
/// # Errors
/// The writer's, or an interval's that does not follow the one before.
pub fn write_hlog<'a>(
    intervals: impl IntoIterator<Item = (Duration, Duration, &'a Histogram<u64>)>,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut serializer = V2DeflateSerializer::new();
    let mut builder = IntervalLogWriterBuilder::new();
    let mut log = builder
        .add_comment("[Latencies in nanoseconds, logged by corelane]")
        .with_base_time(UNIX_EPOCH + since_epoch())
        .begin_log_with(out, &mut serializer)?;
    for (began, length, histogram) in intervals {
        log.write_histogram(histogram, began, length, None)
            .map_err(|error| io::Error::other(format!("{error:?}")))?;
    }
    Ok(())
}

fn since_epoch() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default()
}
