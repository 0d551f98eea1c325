//! Files on disk, through the public interface only.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use corelane_engine::link::{Link, RxStatus};
use corelane_frame::{Burst, HugePages, Pool, PoolConfig};
use corelane_io::pcap::{Capture, PcapEnd, PcapError, PcapLink, PcapTx, PcapWriter};

/// A file of this name that is the test's own.
fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[test]
fn a_capture_through_a_link_is_the_same_capture() -> Result<(), Box<dyn std::error::Error>> {
    let (input, output) = (path("link-in.pcap"), path("link-out.pcap"));
    let mut writer = PcapWriter::create(&input)?;
    for i in 0..300u32 {
        let mut frame = vec![0x5a; 60 + i as usize];
        frame[14..18].copy_from_slice(&i.to_be_bytes());
        writer.write(u64::from(i) * 1_234_567, &frame)?;
    }
    writer.into_inner()?;

    let capture = Arc::new(Capture::open(&input)?);
    assert_eq!((capture.len(), capture.end()), (300, PcapEnd::Complete));
    let pool = Pool::new(PoolConfig {
        slots: 128,
        huge_pages: HugePages::Off,
        ..PoolConfig::default()
    })?;
    let mut link = PcapLink::new(capture)
        .with_name("wan")
        .with_output(PcapTx::create(&output)?);
    let mut queues = link.open(&pool)?;
    let mut cache = pool.cache();
    let mut burst = Burst::new();
    loop {
        let status = queues.rx[0].rx_burst(&mut cache, &mut burst)?;
        queues.tx[0].tx_burst(&mut cache, &mut burst)?;
        assert!(burst.is_empty());
        if status == RxStatus::Finished {
            break;
        }
    }
    drop(queues);
    drop(cache);
    assert_eq!(pool.out(), 0);
    assert_eq!(fs::read(&input)?, fs::read(&output)?);
    Ok(())
}

#[test]
fn errors_name_the_file() -> Result<(), Box<dyn std::error::Error>> {
    let empty = path("empty.pcap");
    fs::write(&empty, [])?;
    let error = Capture::open(&empty).expect_err("an empty file");
    assert!(matches!(error, PcapError::Empty { .. }));
    assert!(error.to_string().contains("empty.pcap"), "{error}");

    let text = path("text.pcap");
    fs::write(&text, "not a capture")?;
    let error = Capture::open(&text).expect_err("a text");
    assert!(
        error
            .to_string()
            .contains("text.pcap: not a pcap or pcapng file"),
        "{error}"
    );
    Ok(())
}

/// A sparse file larger than what is read: refused before any of it is.
#[test]
fn files_beyond_the_bound_are_refused() -> Result<(), Box<dyn std::error::Error>> {
    let path = path("large.pcap");
    PcapWriter::create(&path)?.into_inner()?;
    let file = fs::OpenOptions::new().write(true).open(&path)?;
    file.set_len(corelane_io::pcap::MAX_FILE + 1)?;
    let error = Capture::open(&path).expect_err("too large");
    fs::remove_file(&path)?;
    assert!(matches!(error, PcapError::TooLarge { .. }), "{error}");
    Ok(())
}
