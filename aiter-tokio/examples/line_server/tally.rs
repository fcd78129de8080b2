//! Counts how many items went through each stage. The counts can be read while the server runs and
//! after its end.
use super::connection::Line;
use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) connections: Count,
    /// The lines that passed the gate, and how many of them it allows to be in work.
    lines: Count,
    allowed: Count,
    most_in_work: Count,
    /// The lines that the passive fork saw, with their bytes.
    seen: Count,
    bytes: Count,
    longest: Count,
    pub(crate) answers: Count,
    pub(crate) replies: Count,
}

impl Tally {
    pub(crate) fn new(in_work: usize) -> Self {
        let tally = Self::default();
        tally.allowed.add(in_work as u64);
        tally
    }

    /// Counts a line that has passed the gate.
    pub(crate) fn begin(&self) {
        self.lines.add(1);
        self.most_in_work.at_least(self.in_work());
    }

    /// Counts a line that the passive fork has seen.
    pub(crate) fn see(&self, line: &Line) {
        let length = line.bytes.len() as u64;
        self.seen.add(1);
        self.bytes.add(length);
        self.longest.at_least(length);
    }

    /// Returns the number of lines that have passed the gate and have not been answered yet.
    pub(crate) fn in_work(&self) -> u64 {
        // Read the answers first, because a line is counted before its answer.
        let answers = self.answers.get();
        self.lines.get().saturating_sub(answers)
    }
}

#[derive(Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, n: u64) {
        // Ordering: Relaxed. The counts are read after all tasks that count were awaited, or to
        // show approximate figures.
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    fn at_least(&self, n: u64) {
        if self.get() < n {
            // Ordering: Relaxed; see `add`.
            self.0.fetch_max(n, Ordering::Relaxed);
        }
    }

    fn get(&self) -> u64 {
        // Ordering: Relaxed; see `add`.
        self.0.load(Ordering::Relaxed)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stage                                 items")?;
        for (stage, what, count) in [
            ("tcp_server", "connections", &self.connections),
            ("join_aiters", "lines", &self.lines),
            ("gated_aiter", "allowed in work", &self.allowed),
            ("", "most in work", &self.most_in_work),
            ("aiter_forker", "seen by passive", &self.seen),
            ("", "their bytes", &self.bytes),
            ("", "longest", &self.longest),
            ("map_workers", "answers", &self.answers),
            ("connection", "replies", &self.replies),
        ] {
            write!(f, "\n{stage:<12}  {what:<16} {:>12}", count.get())?;
        }
        Ok(())
    }
}
