//! A few more looks before a task sleeps, where threads are.
//!
//! To sleep for something that another thread is about to do costs a wake, which for most executors is a system call each;
//! a few looks, some time apart, cost no more. Nobody waits for anybody: after four of them the task sleeps.
//!
//! Whether looking pays is learnt. After looks in vain the next wait goes without, then three, then seven, and so on;
//! after a success every wait looks. So where it never pays, as on a single core, it comes to next to nothing, and nobody has
//! to ask the operating system how many cores there are.

use core::marker::PhantomData;

/// A reader of a list, on a core of its own, drains faster than one writer fills: each item would cost it a sleep and the
/// writer a wake, and a moment later it finds many items at once. Where one thread runs both sides it finds none.
#[derive(Debug)]
pub(crate) enum Reading {}

/// A taker of a shared stream, or a fork, that finds another at it, which is always on another thread, and may have done in some
/// nanoseconds. Both sleep and wake each other without end, an item or ten at a time, if neither looks again.
#[derive(Debug)]
pub(crate) enum Taking {}

/// A writer that finds others pushing at the same time. Each push then takes the list's tail and the marks away from the
/// others' caches; if one of them pauses after its push, another runs on by itself meanwhile, and is as fast as if it were alone.
#[derive(Debug)]
pub(crate) enum Pushing {}

#[cfg(all(feature = "std", not(aiter_loom)))]
pub(crate) use learnt::AdaptiveSpin;

/// Without `std` a task goes to sleep at once: most such targets have one core.
#[cfg(not(all(feature = "std", not(aiter_loom))))]
#[derive(Debug)]
pub(crate) struct AdaptiveSpin<M>(PhantomData<M>);

#[cfg(not(all(feature = "std", not(aiter_loom))))]
impl<M> AdaptiveSpin<M> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }

    pub(crate) fn until(&self, _look: impl FnMut() -> bool) -> bool {
        false
    }

    pub(crate) fn skips(&self) -> bool {
        true
    }
}

#[cfg(all(feature = "std", not(aiter_loom)))]
mod learnt {
    use super::{PhantomData, Pushing, Reading, Taking};
    use crate::sync::{AtomicU32, Ordering::*};
    use core::hint;

    /// How to look.
    pub(crate) trait SpinPolicy {
        /// Spin-loop hints before each look.
        const PAUSES: usize;
        /// How many waits a new one does without.
        const FIRST: u32;
        /// The most waits in a row without a look.
        const REST: u32;
        /// Looks in a row while they pay.
        const LOOKS: usize = 4;
        /// Looks in a row to find out whether it pays.
        const TRIAL: usize = Self::LOOKS;
    }

    impl SpinPolicy for Reading {
        /// Time for a writer to push some dozens of items without a reader that takes the marks' cache line away.
        const PAUSES: usize = 40;
        const FIRST: u32 = 15;
        const REST: u32 = (1 << 12) - 1;
        const TRIAL: usize = 1;
    }

    impl SpinPolicy for Pushing {
        /// Time for another writer to push some dozens of items.
        const PAUSES: usize = 40;
        const FIRST: u32 = 0;
        const REST: u32 = (1 << 12) - 1;
        const LOOKS: usize = 1;
    }

    impl SpinPolicy for Taking {
        /// Time for the other to take some hundreds of items, or else the two are at each other's cache lines all the time.
        const PAUSES: usize = 100;
        const FIRST: u32 = 0;
        /// In vain is what it is while the source itself takes long.
        const REST: u32 = (1 << 5) - 1;
    }

    /// What was learnt. Those who look share it; a lost update is no more than a look more or less.
    #[derive(Debug)]
    pub(crate) struct AdaptiveSpin<M> {
        /// How many waits go without a look after one in vain, in the upper half; how many of them are left, in the lower.
        rest: AtomicU32,
        _manner: PhantomData<M>,
    }

    const HALF: u32 = u32::BITS / 2;

    impl<M: SpinPolicy> AdaptiveSpin<M> {
        pub(crate) fn new() -> Self {
            Self {
                rest: AtomicU32::new(M::FIRST << HALF | M::FIRST),
                _manner: PhantomData,
            }
        }

        /// Looks again, a few times, if that has paid lately. True as soon as a look is.
        #[inline]
        pub(crate) fn until(&self, look: impl FnMut() -> bool) -> bool {
            !self.skips() && self.spin(look)
        }

        /// Counts a wait that goes without a look. False if the next one is to look.
        #[inline(always)]
        pub(crate) fn skips(&self) -> bool {
            let word = self.rest.load(Relaxed);
            let rests = word & ((1 << HALF) - 1) != 0;
            if rests {
                self.rest.store(word - 1, Relaxed);
            }
            rests
        }

        #[cold]
        fn spin(&self, mut look: impl FnMut() -> bool) -> bool {
            let rest = self.rest.load(Relaxed) >> HALF;
            let looks = if rest == 0 { M::LOOKS } else { M::TRIAL };
            let found = (0..looks).any(|_| {
                (0..M::PAUSES).for_each(|_| hint::spin_loop());
                look()
            });
            let rest = if found {
                0
            } else {
                (rest * 2 + 1).min(M::REST)
            };
            self.rest.store(rest << HALF | rest, Relaxed);
            found
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use alloc::{vec, vec::Vec};

        /// Looks taken in each of `waits` waits.
        fn looks<M: SpinPolicy>(probe: &AdaptiveSpin<M>, waits: usize, found: bool) -> Vec<usize> {
            (0..waits)
                .map(|_| {
                    let mut looks = 0;
                    let pays = probe.until(|| {
                        looks += 1;
                        found
                    });
                    assert_eq!(pays, found && looks != 0);
                    looks
                })
                .collect()
        }

        #[test]
        fn a_new_list_does_without() {
            assert_eq!(
                looks(
                    &AdaptiveSpin::<Reading>::new(),
                    Reading::FIRST as usize,
                    true
                ),
                [0; Reading::FIRST as usize]
            );
        }

        #[test]
        fn while_it_pays_every_wait_looks_once() {
            let probe = AdaptiveSpin::<Reading>::new();
            looks(&probe, Reading::FIRST as usize, true);
            assert_eq!(looks(&probe, 100, true), [1; 100]);
        }

        #[test]
        fn in_vain_it_gets_rarer() {
            let probe = AdaptiveSpin::<Reading>::new();
            looks(&probe, Reading::FIRST as usize + 1, true);
            let mut expected = vec![Reading::LOOKS];
            for rest in [1, 3, 7, 15] {
                expected.extend(vec![0; rest]);
                expected.push(1);
            }
            assert_eq!(looks(&probe, expected.len(), false), expected);
            // From there it takes all the waits up to the next look, and a success, to learn anew.
            assert_eq!(looks(&probe, 31, true), [0; 31]);
            assert_eq!(looks(&probe, 2, true), [1, 1]);
        }

        #[test]
        fn in_vain_it_is_not_given_up() {
            let probe = AdaptiveSpin::<Reading>::new();
            let waits = 20 * Reading::REST as usize;
            let total: usize = looks(&probe, waits, false).iter().sum();
            assert!((20..40).contains(&total), "{total} looks in {waits} waits");
            assert!(looks(&probe, Reading::REST as usize + 1, true).contains(&1));
        }

        #[test]
        fn takers_look_at_once_and_never_rest_long() {
            let probe = AdaptiveSpin::<Taking>::new();
            assert_eq!(looks(&probe, 3, true), [1; 3]);
            looks(&probe, 1000, false);
            let taken = looks(&probe, 2 * (Taking::REST as usize + 1), false);
            assert_eq!(
                taken
                    .iter()
                    .filter(|&&looks| looks == Taking::LOOKS)
                    .count(),
                2
            );
            assert_eq!(taken.iter().sum::<usize>(), 2 * Taking::LOOKS);
        }
    }
}
