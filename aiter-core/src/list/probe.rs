//! A few more looks before a reader sleeps, where threads are.
//!
//! A reader on a core of its own drains faster than one writer fills. Each item would cost it a sleep and the writer a
//! wake, which for most executors is a system call each; a moment later it finds many items at once. It does not wait
//! for anybody: after [`LOOKS`] it sleeps.
//!
//! Whether looking pays is learnt for each list. After looks in vain the next wait goes without, then three, then seven,
//! up to [`REST`]; after a success every wait looks. So where one thread runs both sides, or items are rare, it comes to
//! next to nothing.

#[cfg(all(feature = "std", not(aiter_loom)))]
pub(super) use learnt::Probe;

/// Without `std` nothing tells whether there is another core.
#[cfg(not(all(feature = "std", not(aiter_loom))))]
pub(super) struct Probe;

#[cfg(not(all(feature = "std", not(aiter_loom))))]
impl Probe {
    pub(super) fn new() -> Self {
        Self
    }

    pub(super) fn pays(&self, _look: impl FnMut() -> bool) -> bool {
        false
    }
}

#[cfg(all(feature = "std", not(aiter_loom)))]
mod learnt {
    use crate::sync::{AtomicUsize, Ordering::*};
    use core::hint;
    use std::{sync::OnceLock, thread};

    /// Looks in a row while they pay. While they do not, one is tried now and then.
    const LOOKS: usize = 4;
    /// Spin-loop hints before each look: time for a writer on another core to push some dozens of items without a reader
    /// that takes the marks' cache line away.
    const PAUSES: usize = 40;
    /// The most waits in a row without a look.
    const REST: usize = (1 << 12) - 1;
    /// How many waits a new list does without.
    const FIRST: usize = 15;

    /// What a list has learnt. Its readers share it; a lost update is no more than a look more or less.
    pub(in crate::list) struct Probe {
        /// How many waits go without a look after one in vain, in the upper half; how many of them are left, in the lower.
        rest: AtomicUsize,
    }

    const HALF: u32 = usize::BITS / 2;

    impl Probe {
        pub(in crate::list) fn new() -> Self {
            Self {
                rest: AtomicUsize::new(FIRST << HALF | FIRST),
            }
        }

        /// Looks again, a few times, if that has paid lately. True as soon as a look is.
        #[inline]
        pub(in crate::list) fn pays(&self, look: impl FnMut() -> bool) -> bool {
            self.tries(is_parallel, look)
        }

        #[inline]
        fn tries(&self, may: impl FnOnce() -> bool, look: impl FnMut() -> bool) -> bool {
            let word = self.rest.load(Relaxed);
            let (rest, left) = (word >> HALF, word & ((1 << HALF) - 1));
            if left != 0 {
                self.rest.store(word - 1, Relaxed);
                return false;
            }
            self.looks(rest, may, look)
        }

        #[cold]
        fn looks(
            &self,
            rest: usize,
            may: impl FnOnce() -> bool,
            mut look: impl FnMut() -> bool,
        ) -> bool {
            if !may() {
                return false;
            }
            let looks = if rest == 0 { LOOKS } else { 1 };
            let found = (0..looks).any(|_| {
                (0..PAUSES).for_each(|_| hint::spin_loop());
                look()
            });
            let rest = if found { 0 } else { (rest * 2 + 1).min(REST) };
            self.rest.store(rest << HALF | rest, Relaxed);
            found
        }
    }

    /// Whether a writer can run while a reader looks.
    fn is_parallel() -> bool {
        static IS_PARALLEL: OnceLock<bool> = OnceLock::new();
        *IS_PARALLEL
            .get_or_init(|| thread::available_parallelism().is_ok_and(|cores| cores.get() > 1))
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use alloc::{vec, vec::Vec};

        /// Looks taken in each of `waits` waits.
        fn looks(probe: &Probe, waits: usize, found: bool) -> Vec<usize> {
            (0..waits)
                .map(|_| {
                    let mut looks = 0;
                    let pays = probe.tries(
                        || true,
                        || {
                            looks += 1;
                            found
                        },
                    );
                    assert_eq!(pays, found && looks != 0);
                    looks
                })
                .collect()
        }

        #[test]
        fn a_new_list_does_without() {
            assert_eq!(looks(&Probe::new(), FIRST, true), [0; FIRST]);
        }

        #[test]
        fn while_it_pays_every_wait_looks_once() {
            let probe = Probe::new();
            looks(&probe, FIRST, true);
            assert_eq!(looks(&probe, 100, true), [1; 100]);
        }

        #[test]
        fn in_vain_it_gets_rarer() {
            let probe = Probe::new();
            looks(&probe, FIRST + 1, true);
            let mut expected = vec![LOOKS];
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
            let probe = Probe::new();
            let waits = 20 * REST;
            let total: usize = looks(&probe, waits, false).iter().sum();
            assert!((20..40).contains(&total), "{total} looks in {waits} waits");
            assert!(looks(&probe, REST + 1, true).contains(&1));
        }
    }
}
