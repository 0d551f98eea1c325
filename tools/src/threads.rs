//! Which threads there are, how long they were on a core, and how long they waited for one.

use std::collections::HashMap;
use std::fs;
use std::time::Instant;

/// What threads do, by their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// The generator's: distributors, which also hash frames and hand them to workers.
    Generator,
    /// The workers'.
    Worker,
    /// All others: control, readers of sockets, those that wait for the run.
    Other,
}

impl Group {
    /// The one of a thread.
    pub fn of_thread(name: &str) -> Self {
        if name.starts_with("worker-") {
            Self::Worker
        } else if name.starts_with("distributor-") {
            Self::Generator
        } else {
            Self::Other
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Generator => "generator",
            Self::Worker => "worker",
            Self::Other => "other threads",
        }
    }
}

/// What the kernel counted of each thread of this process at a moment.
#[derive(Clone, Debug, Default)]
pub struct Threads {
    /// By number.
    threads: HashMap<String, Thread>,
    /// When.
    at: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Thread {
    group: Group,
    on_core_ns: u64,
    waited_ns: u64,
}

/// What the threads of a group were on a core, together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OnCore {
    /// How many they are.
    pub threads: usize,
    /// Nanoseconds; none where the kernel does not count them.
    pub cpu_ns: Option<u64>,
}

/// How long the threads of a group waited for a core that something else had. Nothing where the kernel does
/// not count it; what a hypervisor takes of a core is not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waited {
    /// All together, in nanoseconds.
    pub all_ns: u64,
    /// The one that waited longest.
    pub longest_ns: u64,
    /// Of so long.
    pub of_ns: u64,
}

impl Threads {
    /// Now. Without threads where there is no such file system.
    pub fn now() -> Self {
        let mut threads = HashMap::new();
        let tasks = fs::read_dir("/proc/self/task").into_iter().flatten();
        for task in tasks.flatten() {
            let read = |file| fs::read_to_string(task.path().join(file));
            // A thread that ended meanwhile has neither.
            let (Ok(name), Ok(schedule)) = (read("comm"), read("schedstat")) else {
                continue;
            };
            if let Some(thread) = Thread::of(name.trim_end(), &schedule) {
                threads.insert(task.file_name().to_string_lossy().into_owned(), thread);
            }
        }
        Self {
            threads,
            at: Some(Instant::now()),
        }
    }

    /// What the threads of `group` that are there now were on a core since `earlier`.
    pub fn since(&self, earlier: &Self, group: Group) -> OnCore {
        let times = || self.times(earlier, group, |thread| thread.on_core_ns);
        let sum = times().sum();
        OnCore {
            threads: times().count(),
            cpu_ns: (sum > 0).then_some(sum),
        }
    }

    /// How long they waited for one.
    pub fn waited_since(&self, earlier: &Self, group: Group) -> Waited {
        let times = || self.times(earlier, group, |thread| thread.waited_ns);
        Waited {
            all_ns: times().sum(),
            longest_ns: times().max().unwrap_or(0),
            of_ns: self
                .at
                .zip(earlier.at)
                .map_or(0, |(now, then)| (now - then).as_nanos() as u64),
        }
    }

    fn times<'a>(
        &'a self,
        earlier: &'a Self,
        group: Group,
        time: impl Fn(&Thread) -> u64 + 'a,
    ) -> impl Iterator<Item = u64> + 'a {
        let of_group = self.threads.iter().filter(move |(_, it)| it.group == group);
        of_group.map(move |(id, now)| {
            let before = earlier.threads.get(id).map_or(0, &time);
            time(now).saturating_sub(before)
        })
    }
}

impl Thread {
    /// From its name and its `schedstat`: nanoseconds on a core, nanoseconds waiting for one, turns.
    fn of(name: &str, schedule: &str) -> Option<Self> {
        let mut figures = schedule.split_ascii_whitespace().map(str::parse);
        let mut next = || figures.next()?.ok();
        Some(Self {
            group: Group::of_thread(name),
            on_core_ns: next()?,
            waited_ns: next()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threads(list: &[(&str, &str)]) -> Threads {
        let of = |(id, (name, schedule)): (usize, &(&str, &str))| {
            Some((id.to_string(), Thread::of(name, schedule)?))
        };
        Threads {
            threads: list.iter().enumerate().filter_map(of).collect(),
            at: None,
        }
    }

    #[test]
    fn threads_of_a_group_together() {
        let before = threads(&[
            ("worker-0", "100 10 3"),
            ("worker-1", "200 0 4"),
            ("main", "1 1 1"),
        ]);
        let after = threads(&[
            ("worker-0", "150 40 5"),
            ("worker-1", "230 5 6"),
            ("main", "9 9 9"),
            ("distributor-0", "7 3 1"),
            ("worker-2", "what is this"),
        ]);
        let on_core = |threads, ns| OnCore {
            threads,
            cpu_ns: Some(ns),
        };
        let waited = |all_ns, longest_ns| Waited {
            all_ns,
            longest_ns,
            of_ns: 0,
        };
        assert_eq!(after.since(&before, Group::Worker), on_core(2, 80));
        assert_eq!(after.waited_since(&before, Group::Worker), waited(35, 30));
        assert_eq!(after.since(&before, Group::Generator), on_core(1, 7));
        assert_eq!(after.waited_since(&before, Group::Generator), waited(3, 3));
        assert_eq!(after.waited_since(&before, Group::Other), waited(8, 8));
    }
}
