//! How long threads were on a core.

use std::collections::HashMap;
use std::fs;

use super::stage::Group;

/// What the kernel counted of each thread of this process at a moment.
#[derive(Clone, Debug, Default)]
pub struct Threads {
    /// By number: the thread's group and its nanoseconds on a core.
    threads: HashMap<String, (Group, u64)>,
}

/// What the threads of a group were on a core, together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OnCore {
    /// How many they are.
    pub threads: usize,
    /// Nanoseconds; none where the kernel does not count them.
    pub cpu_ns: Option<u64>,
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
            let on_core = schedule.split_ascii_whitespace().next();
            if let Some(ns) = on_core.and_then(|ns| ns.parse().ok()) {
                let id = task.file_name().to_string_lossy().into_owned();
                threads.insert(id, (Group::of_thread(name.trim_end()), ns));
            }
        }
        Self { threads }
    }

    /// What the threads of `group` that are there now were on a core since `earlier`.
    pub fn since(&self, earlier: &Self, group: Group) -> OnCore {
        let mut on_core = OnCore::default();
        let of_group = |(of, _): &&(Group, u64)| *of == group;
        on_core.threads = self.threads.values().filter(of_group).count();
        let mut sum = 0;
        for (id, (of, ns)) in &self.threads {
            if *of == group {
                let before = earlier.threads.get(id).map_or(0, |(_, before)| *before);
                sum += ns.saturating_sub(before);
            }
        }
        on_core.cpu_ns = (sum > 0).then_some(sum);
        on_core
    }
}
