//! Which cores the threads run on.

use corelane_stack::{Event, EventSender};
use thiserror::Error;

/// A core that a thread cannot be pinned to.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CoreError {
    /// The process may not use it (its affinity mask leaves it out), or it does not exist.
    #[error("core {core} is not one this process may run on (it may use {})", list(.allowed))]
    NotAllowed {
        /// The core asked for.
        core: usize,
        /// Those of the mask.
        allowed: Vec<usize>,
    },
    /// The number of cores given does not match the number of threads.
    #[error("{given} cores for {threads} {what}: give one for each")]
    Count {
        /// What the threads are.
        what: &'static str,
        /// Cores given.
        given: usize,
        /// Threads there are.
        threads: usize,
    },
}

fn list(cores: &[usize]) -> String {
    cores
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

/// The cores of this process's affinity mask, ascending. Empty where the system does not say.
pub fn allowed_cores() -> Vec<usize> {
    let mut cores: Vec<usize> = core_affinity::get_core_ids()
        .unwrap_or_default()
        .into_iter()
        .map(|core| core.id)
        .collect();
    cores.sort_unstable();
    cores
}

/// Pins the calling thread, of this name. Where the system refuses, the thread runs where it likes
/// and an event says so.
pub(crate) fn pin(thread: String, core: Option<usize>, events: &EventSender) {
    if let Some(id) = core
        && !core_affinity::set_for_current(core_affinity::CoreId { id })
    {
        events.send(Event::NotPinned { thread, core: id });
    }
}

/// A core for each thread: those asked for, or one of its own for each as far as they go.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Placement {
    pub(crate) workers: Vec<Option<usize>>,
    pub(crate) distributors: Vec<Option<usize>>,
    /// Whether busy threads share cores.
    pub(crate) crowded: bool,
}

/// Places threads on `allowed` cores: distributors on the first ones, workers behind. If there are
/// more threads than cores, the workers take turns and the distributors stay unpinned, so that
/// the scheduler can fit them in.
pub(crate) fn place(
    workers: usize,
    worker_cores: Option<&[usize]>,
    distributors: usize,
    distributor_cores: Option<&[usize]>,
    allowed: &[usize],
) -> Result<Placement, CoreError> {
    let check = |what, cores: Option<&[usize]>, threads| match cores {
        None => Ok(()),
        Some(cores) if cores.len() != threads => Err(CoreError::Count {
            what,
            given: cores.len(),
            threads,
        }),
        // Where the system does not tell the mask, pinning is tried.
        Some(_) if allowed.is_empty() => Ok(()),
        Some(cores) => match cores.iter().find(|core| !allowed.contains(core)) {
            Some(core) => Err(CoreError::NotAllowed {
                core: *core,
                allowed: allowed.to_vec(),
            }),
            None => Ok(()),
        },
    };
    check("workers", worker_cores, workers)?;
    check("distributors", distributor_cores, distributors)?;
    let given = [worker_cores, distributor_cores];
    let taken = |core: &&usize| given.iter().flatten().any(|cores| cores.contains(core));
    let free: Vec<usize> = allowed
        .iter()
        .filter(|core| !taken(core))
        .copied()
        .collect();
    let mut next = free.iter().copied();
    let distributors: Vec<Option<usize>> = match distributor_cores {
        Some(cores) => cores.iter().copied().map(Some).collect(),
        None if free.len() > distributors || worker_cores.is_some() => {
            (0..distributors).map(|_| next.next()).collect()
        }
        None => vec![None; distributors],
    };
    let workers: Vec<Option<usize>> = match worker_cores {
        Some(cores) => cores.iter().copied().map(Some).collect(),
        None => {
            let rest: Vec<usize> = next.collect();
            let turn = if rest.is_empty() { allowed } else { &rest };
            (0..workers)
                .map(|i| turn.get(i % turn.len().max(1)).copied())
                .collect()
        }
    };
    let mut used: Vec<usize> = workers
        .iter()
        .chain(&distributors)
        .flatten()
        .copied()
        .collect();
    let threads = workers.len() + distributors.len();
    used.sort_unstable();
    used.dedup();
    let crowded = used.len() < threads;
    Ok(Placement {
        workers,
        distributors,
        crowded,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thread_has_a_core_as_far_as_they_go() {
        let p = place(2, None, 1, None, &[0, 1, 2, 3]).unwrap();
        assert_eq!(p.distributors, [Some(0)]);
        assert_eq!(p.workers, [Some(1), Some(2)]);
        assert!(!p.crowded);
    }

    #[test]
    fn too_many_threads_take_turns() {
        let p = place(3, None, 1, None, &[0, 1]).unwrap();
        assert_eq!(p.distributors, [Some(0)]);
        assert_eq!(p.workers, [Some(1), Some(1), Some(1)]);
        assert!(p.crowded);
        let p = place(1, None, 1, None, &[5]).unwrap();
        assert_eq!((p.distributors, p.workers), (vec![None], vec![Some(5)]));
        assert!(p.crowded);
    }

    #[test]
    fn cores_asked_for_are_checked() {
        assert_eq!(
            place(1, Some(&[7]), 1, None, &[0, 1]),
            Err(CoreError::NotAllowed {
                core: 7,
                allowed: vec![0, 1]
            })
        );
        assert!(matches!(
            place(2, Some(&[0]), 0, None, &[0, 1]),
            Err(CoreError::Count {
                given: 1,
                threads: 2,
                ..
            })
        ));
        let p = place(1, Some(&[0]), 1, None, &[0, 1]).unwrap();
        assert_eq!((p.workers, p.distributors), (vec![Some(0)], vec![Some(1)]));
    }
}
