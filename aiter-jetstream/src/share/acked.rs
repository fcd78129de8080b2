//! [`Acked`]: recognises messages that were acked.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// The sequences that were acked last, by which takers recognise messages that come again.
///
/// Acks are not confirmed, and the server does not write each to disk at once. So messages that
/// were acked may come again after a server or a taker was killed. A taker that has this set acks
/// them once more, and does not yield them. Clones share one set: pass one to each taker of the
/// same consumer in this process. Other processes do not share it. For them, store
/// [`Work::sequence`](super::Work::sequence) with the result of the work.
#[derive(Clone)]
pub struct Acked(Arc<Mutex<Newest>>);

impl Acked {
    /// Makes a set that remembers the last `n` sequences. Each takes some 30 bytes.
    ///
    /// # Panics
    ///
    /// If `n` is 0.
    #[track_caller]
    pub fn new(n: usize) -> Self {
        assert!(n > 0, "Acked::new: n must be at least 1");
        Self(Arc::new(Mutex::new(Newest {
            limit: n,
            known: HashSet::new(),
            order: VecDeque::new(),
        })))
    }

    pub(super) fn insert(&self, sequence: u64) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(sequence);
    }

    /// Returns whether this sequence is among those that were acked last.
    pub fn contains(&self, sequence: u64) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .known
            .contains(&sequence)
    }
}

impl fmt::Debug for Acked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acked").finish_non_exhaustive()
    }
}

struct Newest {
    limit: usize,
    known: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Newest {
    fn insert(&mut self, sequence: u64) {
        if !self.known.insert(sequence) {
            return;
        }
        if self.order.len() == self.limit
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.order.push_back(sequence);
    }
}

#[cfg(test)]
mod tests {
    use super::Acked;

    #[test]
    fn the_last_ones_are_remembered() {
        let acked = Acked::new(2);
        for sequence in [5, 3, 3, 5] {
            acked.insert(sequence);
        }
        assert!(acked.contains(3) && acked.contains(5));
        acked.clone().insert(7);
        assert!(!acked.contains(5) && acked.contains(3) && acked.contains(7));
        for sequence in 0..10_000 {
            acked.insert(sequence);
        }
        let newest = acked.0.lock().unwrap();
        assert_eq!((newest.known.len(), newest.order.len()), (2, 2));
        drop(newest);
        let large = Acked::new(usize::MAX);
        large.insert(u64::MAX);
        assert!(large.contains(u64::MAX));
    }

    #[test]
    #[should_panic = "n must be at least 1"]
    fn none_makes_no_sense() {
        let _ = Acked::new(0);
    }
}
