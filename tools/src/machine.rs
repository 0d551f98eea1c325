//! Where a result was measured.

use serde::Serialize;

/// The machine, as far as it matters to a result.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The processor's name for itself.
    pub cpu: String,
    /// Cores that this process may run on.
    pub cores: usize,
    /// `linux`, `macos`, ...
    pub os: &'static str,
    /// The kernel's version; empty if unknown.
    pub kernel: String,
    /// `x86_64`, `aarch64`, ...
    pub arch: &'static str,
}

impl Machine {
    /// This one.
    pub fn here() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        Self {
            cpu: cpu_model(&read("/proc/cpuinfo")).unwrap_or_else(|| "unknown CPU".to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            os: std::env::consts::OS,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            arch: std::env::consts::ARCH,
        }
    }
}

/// The model in the text of `/proc/cpuinfo`; ARM has no name there, but an implementer and a part.
fn cpu_model(cpuinfo: &str) -> Option<String> {
    let field = |name| {
        cpuinfo.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            (key.trim() == name).then(|| value.trim().to_owned())
        })
    };
    field("model name").or_else(|| {
        Some(format!(
            "CPU implementer {} part {}",
            field("CPU implementer")?,
            field("CPU part")?
        ))
    })
}

/// What was measured, by version.
#[derive(Clone, Debug, Serialize)]
pub struct Versions {
    /// Of corelane.
    pub corelane: &'static str,
    /// `release`, or `debug`: built with debug assertions, figures mean little.
    pub profile: &'static str,
}

impl Versions {
    /// Of this build.
    pub fn here() -> Self {
        let profile = if cfg!(debug_assertions) {
            "debug"
        } else {
            "release"
        };
        Self {
            corelane: env!("CARGO_PKG_VERSION"),
            profile,
        }
    }

    /// What there is to say against figures of this build.
    pub fn warning() -> Option<String> {
        cfg!(debug_assertions)
            .then(|| "built with debug assertions: the figures mean little".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_by_name_or_by_number() {
        let x86 = "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nmodel name\t: other\n";
        assert_eq!(cpu_model(x86).as_deref(), Some("Some CPU @ 2 GHz"));
        let arm = "CPU implementer\t: 0x41\nCPU part\t: 0xd40\n";
        assert_eq!(
            cpu_model(arm).as_deref(),
            Some("CPU implementer 0x41 part 0xd40")
        );
        assert_eq!(cpu_model("nothing"), None);
    }

    #[test]
    fn there_is_a_machine() {
        let machine = Machine::here();
        assert!(machine.cores >= 1 && !machine.cpu.is_empty());
    }
}
