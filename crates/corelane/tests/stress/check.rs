//! Whether a history can be explained: a search for an order of steps, each between its
//! operation's call and return, in which the [model](crate::model) does what was seen.
//!
//! This is the search of Wing and Gong with Lowe's memory of what was tried: depth first, over
//! which thread takes the next step; a state of the NIC that was reached before, with all threads
//! as far as they were, is not tried again.

use std::collections::HashSet;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::model::{Model, Phase, Ret};
use crate::plan::Op;

/// An operation of a history.
#[derive(Clone, Debug)]
pub struct Call {
    pub op: Op,
    pub ret: Ret,
    /// Stamps of one clock for all threads: when it was called, and when it had returned.
    pub start: u64,
    pub end: u64,
}

/// What each thread did, in order.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub threads: Vec<Vec<Call>>,
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut calls: Vec<(usize, &Call)> = Vec::new();
        for (thread, of_thread) in self.threads.iter().enumerate() {
            calls.extend(of_thread.iter().map(|call| (thread, call)));
        }
        calls.sort_by_key(|(_, call)| call.start);
        for (thread, call) in calls {
            writeln!(
                f,
                "  {:>5}..{:<5} thread {thread}  {:?} -> {:?}",
                call.start, call.end, call.op, call.ret
            )?;
        }
        Ok(())
    }
}

impl History {
    /// How many pairs of calls of different threads overlap.
    pub fn overlaps(&self) -> usize {
        let mut pairs = 0;
        for (at, one) in self.threads.iter().enumerate() {
            for other in &self.threads[at + 1..] {
                for a in one {
                    let meets = |b: &&Call| a.start < b.end && b.start < a.end;
                    pairs += other.iter().filter(meets).count();
                }
            }
        }
        pairs
    }
}

/// Why a history is wrong.
#[derive(Debug)]
pub enum Wrong {
    /// No order explains it. The most operations of all threads that an order explained.
    Inexplicable { explained: usize, of: usize },
    /// The search was given up after so many states.
    TooLarge(usize),
}

/// States that a search may visit: far more than any round has needed.
const LIMIT: usize = 4_000_000;

/// Where one order of steps has come to.
struct Node {
    model: Model,
    /// Each thread's operation, and how far it is.
    places: Vec<(usize, Phase)>,
}

/// Searches for an order that explains the history. Returns how many states that took.
pub fn check(first: Model, history: &History) -> Result<usize, Wrong> {
    let threads = &history.threads;
    let of = threads.iter().map(Vec::len).sum();
    let mut seen = HashSet::new();
    let mut stack = vec![Node {
        model: first,
        places: vec![(0, Phase::Start); threads.len()],
    }];
    let mut explained = 0;
    let mut next = Vec::new();
    while let Some(node) = stack.pop() {
        if !seen.insert(fingerprint(&node)) {
            continue;
        }
        if seen.len() > LIMIT {
            return Err(Wrong::TooLarge(LIMIT));
        }
        let done = node.places.iter().map(|(at, _)| at).sum();
        explained = explained.max(done);
        if done == of {
            return Ok(seen.len());
        }
        // What has to be over before anything else begins.
        let current = threads.iter().zip(&node.places);
        let horizon = current.filter_map(|(calls, (at, _))| calls.get(*at));
        let horizon = horizon.map(|call| call.end).min().unwrap_or(u64::MAX);
        for model in node.model.timers() {
            stack.push(Node {
                model,
                places: node.places.clone(),
            });
        }
        // What returned last is tried last: the stack gives out what was pushed last.
        let mut turns: Vec<usize> = (0..threads.len()).collect();
        turns.sort_by_key(|thread| {
            let call = threads[*thread].get(node.places[*thread].0);
            std::cmp::Reverse(call.map_or(u64::MAX, |call| call.end))
        });
        for thread in turns {
            let (at, phase) = &node.places[thread];
            let Some(call) = threads[thread].get(*at) else {
                continue;
            };
            if call.start > horizon {
                continue;
            }
            let id = (thread << 8 | *at) as u16;
            node.model.step(id, &call.op, &call.ret, phase, &mut next);
            for (model, phase) in next.drain(..) {
                let mut places = node.places.clone();
                places[thread] = match phase {
                    Some(phase) => (*at, phase),
                    None => (*at + 1, Phase::Start),
                };
                stack.push(Node { model, places });
            }
        }
    }
    Err(Wrong::Inexplicable { explained, of })
}

/// 128 bits: two states with the same are one.
fn fingerprint(node: &Node) -> u128 {
    let half = |salt: u64| {
        let mut hasher = DefaultHasher::new();
        salt.hash(&mut hasher);
        node.model.hash(&mut hasher);
        node.places.hash(&mut hasher);
        hasher.finish()
    };
    u128::from(half(0)) << 64 | u128::from(half(1))
}
