//! What the readers of a hub saw, beside what went through it.

use super::{Check, Item, Yielded, breathe, next};
use fastrand::Rng;
use futures_core::Stream;
use std::ops::RangeInclusive;
use tokio::task::JoinHandle;

/// The items in the order in which they were pushed.
pub(super) struct Log {
    /// Of each sender, the positions of its items.
    positions: Vec<Vec<u64>>,
    len: u64,
}

impl Log {
    pub(super) fn new(senders: usize) -> Self {
        Self {
            positions: vec![Vec::new(); senders],
            len: 0,
        }
    }

    pub(super) fn append(&mut self, item: &Item) {
        let (from, n) = *item.0;
        assert_eq!(n, self.positions[from].len() as u64, "of sender {from}");
        self.positions[from].push(self.len);
        self.len += 1;
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Compares what each visitor saw with this.
    pub(super) async fn check(&self, visitors: Vec<JoinHandle<Visit>>) {
        for visitor in visitors {
            visitor.await.expect("a visitor failed").check(self);
        }
    }
}

/// Of a stream that yields this many items from one sender.
impl From<u64> for Log {
    fn from(len: u64) -> Self {
        let positions = vec![(0..len).collect()];
        Self { positions, len }
    }
}

/// What one reader saw.
pub(super) struct Visit {
    /// Where it may have begun.
    begin: RangeInclusive<u64>,
    first_and_last: Option<[(usize, u64); 2]>,
    /// How many items it was said to have missed before the first one.
    pub(super) missed_before: u64,
    /// The items that it saw, and those that it was said to have missed.
    seen: u64,
    is_lossy: bool,
    is_to_end: bool,
}

impl Visit {
    pub(super) fn new(begin: RangeInclusive<u64>, is_lossy: bool) -> Self {
        Self {
            begin,
            first_and_last: None,
            missed_before: 0,
            seen: 0,
            is_lossy,
            is_to_end: false,
        }
    }

    /// Reads up to this number of items, and then leaves.
    pub(super) async fn of<S>(
        mut self,
        mut reader: S,
        senders: usize,
        most: usize,
        mut rng: Rng,
    ) -> Self
    where
        S: Stream<Item: Yielded> + Unpin,
    {
        let mut check = Check {
            is_mixed: self.is_lossy,
            ..Check::from_any(senders)
        };
        for _ in 0..most {
            let Some(yielded) = next(&mut reader, &mut rng).await else {
                self.is_to_end = true;
                break;
            };
            let (item, missed) = yielded.parts();
            match &mut self.first_and_last {
                Some([_, last]) => *last = *item.0,
                None => {
                    self.missed_before = missed;
                    self.first_and_last = Some([*item.0; 2]);
                }
            }
            check.see(&yielded);
            breathe(&mut rng).await;
        }
        self.seen = check.seen;
        self
    }

    fn check(&self, log: &Log) {
        let positions = self
            .first_and_last
            .map(|ends| ends.map(|(from, n)| log.positions[from][n as usize]))
            .map(|[first, last]| [first - self.missed_before, last]);
        if let Some([first, last]) = positions {
            assert_eq!(last - first + 1, self.seen, "seen, or said to be missed");
        }
        let [first, end] = positions.map_or([log.len; 2], |[first, last]| [first, last + 1]);
        if self.is_to_end {
            assert_eq!(end, log.len, "the last item was not seen");
        }
        if positions.is_some() || self.is_to_end {
            let begin = &self.begin;
            assert!(first >= *begin.start(), "{first} is before {begin:?}");
            assert!(
                self.is_lossy || first <= *begin.end(),
                "{first} is after {begin:?}"
            );
        }
    }
}
