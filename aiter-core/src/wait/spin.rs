//! A few more checks before a task goes to sleep, where there are threads.
//!
//! If another thread is about to act, sleeping costs a wake, which is a system call in most
//! executors. A few checks, some time apart, cost less. The number of checks is bounded: after four
//! of them at most, the task goes to sleep.
//!
//! The policy adapts. After checks in vain the next wait makes none, then the next three make none,
//! then seven, and so on. After a success every wait checks again. So where checking never helps,
//! as on a single core, it costs next to nothing, and the number of cores need not be known.

use core::marker::PhantomData;

/// For a reader of a list. A reader on a core of its own drains faster than one writer fills: each
/// item would cost the reader a sleep and the writer a wake, although many items are there a moment
/// later. Where one thread runs both sides, checking never finds an item.
#[derive(Debug)]
pub(crate) enum Reading {}

/// For a taker of a shared stream, or a fork, that finds the lock held. The holder is always on
/// another thread and may be done within nanoseconds. If neither side checks again, the two sleep
/// and wake each other for every few items.
#[derive(Debug)]
pub(crate) enum Taking {}

/// For a writer that finds other writers pushing at the same time. Each push takes the cache lines
/// of the list's tail and marks from the others. If one writer pauses after its push, another one
/// runs at its full speed meanwhile.
#[derive(Debug)]
pub(crate) enum Pushing {}

/// For a pusher that finds a bounded list full. A reader on a core of its own makes room for some
/// dozens of items in the time that a sleep and a wake take.
#[derive(Debug)]
pub(crate) enum Waiting {}

#[cfg(all(feature = "std", not(aiter_loom)))]
pub(crate) use adaptive::AdaptiveSpin;

/// Without `std` a task goes to sleep at once: most such targets have one core.
#[cfg(not(all(feature = "std", not(aiter_loom))))]
#[derive(Debug)]
pub(crate) struct AdaptiveSpin<M>(PhantomData<M>);

#[cfg(not(all(feature = "std", not(aiter_loom))))]
impl<M> AdaptiveSpin<M> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }

    pub(crate) fn spin_until(&self, _condition: impl FnMut() -> bool) -> bool {
        false
    }

    pub(crate) fn consume_skip(&self) -> bool {
        true
    }
}

#[cfg(all(feature = "std", not(aiter_loom)))]
mod adaptive {
    use super::{PhantomData, Pushing, Reading, Taking, Waiting};
    use crate::sync::{AtomicU32, Ordering::*};
    use core::hint;

    /// How often to check, and for how long.
    pub(crate) trait SpinPolicy {
        /// Spin-loop hints before each check.
        const HINTS: usize;
        /// How many waits of a new object make no check.
        const INITIAL_SKIPS: u32;
        /// The most waits in a row without a check.
        const MAX_SKIPS: u32;
        /// Checks per wait after a success.
        const CHECKS: usize = 4;
        /// Checks per wait that finds out whether checking helps again.
        const PROBE_CHECKS: usize = Self::CHECKS;
    }

    impl SpinPolicy for Reading {
        /// Time for a writer to push some dozens of items before the reader takes the cache line of
        /// the marks from it.
        const HINTS: usize = 40;
        const INITIAL_SKIPS: u32 = 15;
        const MAX_SKIPS: u32 = (1 << 12) - 1;
        const PROBE_CHECKS: usize = 1;
    }

    impl SpinPolicy for Pushing {
        /// Time for another writer to push some dozens of items.
        const HINTS: usize = 40;
        const INITIAL_SKIPS: u32 = 0;
        const MAX_SKIPS: u32 = (1 << 12) - 1;
        const CHECKS: usize = 1;
    }

    impl SpinPolicy for Taking {
        /// Time for the holder to take some hundreds of items. With less, the two would contend for
        /// the same cache lines all the time.
        const HINTS: usize = 100;
        const INITIAL_SKIPS: u32 = 0;
        /// Checks are in vain while the source itself is slow, so this rests only briefly.
        const MAX_SKIPS: u32 = (1 << 5) - 1;
    }

    impl SpinPolicy for Waiting {
        /// Time for a reader to take some dozens of items before the pusher takes the cache line of
        /// its position from it.
        const HINTS: usize = 40;
        const INITIAL_SKIPS: u32 = 15;
        const MAX_SKIPS: u32 = (1 << 12) - 1;
        const PROBE_CHECKS: usize = 1;
    }

    /// What was learnt. All threads that wait share it. A lost update costs one check more or less.
    #[derive(Debug)]
    pub(crate) struct AdaptiveSpin<M> {
        /// The upper half counts the waits that make no check after checks in vain. The lower half
        /// counts how many of those are left.
        skips: AtomicU32,
        _policy: PhantomData<M>,
    }

    const HALF: u32 = u32::BITS / 2;

    impl<M: SpinPolicy> AdaptiveSpin<M> {
        pub(crate) fn new() -> Self {
            Self {
                skips: AtomicU32::new(M::INITIAL_SKIPS << HALF | M::INITIAL_SKIPS),
                _policy: PhantomData,
            }
        }

        /// Checks `condition` a few times if that has helped lately. Returns `true` as soon as it
        /// holds.
        #[inline]
        pub(crate) fn spin_until(&self, condition: impl FnMut() -> bool) -> bool {
            !self.consume_skip() && self.spin_now(condition)
        }

        /// Uses up one of the waits that make no check. Returns `false` if none is left, so that
        /// the next wait has to check.
        #[inline]
        pub(crate) fn consume_skip(&self) -> bool {
            let word = self.skips.load(Relaxed);
            let skips = word & ((1 << HALF) - 1) != 0;
            if skips {
                self.skips.store(word - 1, Relaxed);
            }
            skips
        }

        #[cold]
        fn spin_now(&self, mut condition: impl FnMut() -> bool) -> bool {
            let skips = self.skips.load(Relaxed) >> HALF;
            let checks = if skips == 0 {
                M::CHECKS
            } else {
                M::PROBE_CHECKS
            };
            let holds = (0..checks).any(|_| {
                (0..M::HINTS).for_each(|_| hint::spin_loop());
                condition()
            });
            let skips = if holds {
                0
            } else {
                (skips * 2 + 1).min(M::MAX_SKIPS)
            };
            self.skips.store(skips << HALF | skips, Relaxed);
            holds
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use alloc::{vec, vec::Vec};

        /// The number of checks made in each of `waits` waits.
        fn checks<M: SpinPolicy>(
            spin: &AdaptiveSpin<M>,
            waits: usize,
            holds_at_once: bool,
        ) -> Vec<usize> {
            (0..waits)
                .map(|_| {
                    let mut checks = 0;
                    let holds = spin.spin_until(|| {
                        checks += 1;
                        holds_at_once
                    });
                    assert_eq!(holds, holds_at_once && checks != 0);
                    checks
                })
                .collect()
        }

        #[test]
        fn a_new_list_makes_no_check() {
            assert_eq!(
                checks(
                    &AdaptiveSpin::<Reading>::new(),
                    Reading::INITIAL_SKIPS as usize,
                    true
                ),
                [0; Reading::INITIAL_SKIPS as usize]
            );
        }

        #[test]
        fn after_a_success_every_wait_checks_once() {
            let spin = AdaptiveSpin::<Reading>::new();
            checks(&spin, Reading::INITIAL_SKIPS as usize, true);
            assert_eq!(checks(&spin, 100, true), [1; 100]);
        }

        #[test]
        fn checks_in_vain_get_rarer() {
            let spin = AdaptiveSpin::<Reading>::new();
            checks(&spin, Reading::INITIAL_SKIPS as usize + 1, true);
            let mut expected = vec![Reading::CHECKS];
            for skips in [1, 3, 7, 15] {
                expected.extend(vec![0; skips]);
                expected.push(1);
            }
            assert_eq!(checks(&spin, expected.len(), false), expected);
            // From there it takes all waits up to the next check, and a success, to adapt again.
            assert_eq!(checks(&spin, 31, true), [0; 31]);
            assert_eq!(checks(&spin, 2, true), [1, 1]);
        }

        #[test]
        fn checks_in_vain_never_stop_for_good() {
            let spin = AdaptiveSpin::<Reading>::new();
            let waits = 20 * Reading::MAX_SKIPS as usize;
            let total: usize = checks(&spin, waits, false).iter().sum();
            assert!((20..40).contains(&total), "{total} checks in {waits} waits");
            assert!(checks(&spin, Reading::MAX_SKIPS as usize + 1, true).contains(&1));
        }

        #[test]
        fn takers_check_at_once_and_again_soon() {
            let spin = AdaptiveSpin::<Taking>::new();
            assert_eq!(checks(&spin, 3, true), [1; 3]);
            checks(&spin, 1000, false);
            let taken = checks(&spin, 2 * (Taking::MAX_SKIPS as usize + 1), false);
            assert_eq!(
                taken
                    .iter()
                    .filter(|&&checks| checks == Taking::CHECKS)
                    .count(),
                2
            );
            assert_eq!(taken.iter().sum::<usize>(), 2 * Taking::CHECKS);
        }
    }
}
