//! A second look before sleeping, where it pays.
//!
//! Between two threads a reader drains faster than a writer fills, and each item would cost the writer a wake and the
//! reader a sleep. A few looks first, some hundred nanoseconds apart, find the next items already there. They are
//! bounded: a reader that finds nothing sleeps, whatever the writer does. And they are learnt, per list: where looks
//! fail, as they must when one thread runs both sides, they are tried ever more rarely.

#[cfg(all(feature = "std", not(aiter_loom)))]
mod imp {
    use core::hint::spin_loop;
    use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
    use std::{sync::OnceLock, thread::available_parallelism};

    /// Looks before the reader sleeps, and pauses before each.
    const LOOKS: usize = 4;
    const PAUSES: usize = 40;
    /// Successes that are remembered: so many failures in a row end the looking.
    const TRUST: u8 = 8;
    /// Sleeps without a look, at most: 2 to this power.
    const MAX_DOUBLINGS: u8 = 14;

    /// Whether looking again has paid lately. Readers of one list race on it, which costs a look at worst.
    pub(in crate::list) struct Probe(AtomicU32);

    #[derive(Clone, Copy)]
    struct Memory {
        /// Failures left until looking is given up for a while.
        trust: u8,
        /// How long a while: 2 to this power.
        doublings: u8,
        /// Sleeps left until then.
        rest: u16,
    }

    impl Memory {
        fn unpack(word: u32) -> Self {
            let [trust, doublings, low, high] = word.to_le_bytes();
            Self {
                trust,
                doublings,
                rest: u16::from_le_bytes([low, high]),
            }
        }

        fn pack(self) -> u32 {
            let [low, high] = self.rest.to_le_bytes();
            u32::from_le_bytes([self.trust, self.doublings, low, high])
        }
    }

    impl Probe {
        pub(in crate::list) fn new() -> Self {
            Self(AtomicU32::new(
                Memory {
                    trust: 1,
                    doublings: 4,
                    rest: 0,
                }
                .pack(),
            ))
        }

        /// True if `is_there` has come true; false if the reader had better sleep.
        #[inline]
        pub(in crate::list) fn look_again(&self, is_there: impl FnMut() -> bool) -> bool {
            let mut memory = Memory::unpack(self.0.load(Relaxed));
            if memory.rest != 0 {
                memory.rest -= 1;
                self.0.store(memory.pack(), Relaxed);
                return false;
            }
            self.look(memory, is_there)
        }

        #[cold]
        fn look(&self, mut memory: Memory, mut is_there: impl FnMut() -> bool) -> bool {
            let found = several_cores()
                && (0..LOOKS).any(|_| {
                    (0..PAUSES).for_each(|_| spin_loop());
                    is_there()
                });
            if found {
                memory = Memory {
                    trust: (memory.trust + 1).min(TRUST),
                    doublings: 4,
                    rest: 0,
                };
            } else if memory.trust > 1 {
                memory.trust -= 1;
            } else {
                memory.doublings = (memory.doublings + 1).min(MAX_DOUBLINGS);
                memory.rest = 1 << memory.doublings;
            }
            self.0.store(memory.pack(), Relaxed);
            found
        }
    }

    fn several_cores() -> bool {
        static SEVERAL: OnceLock<bool> = OnceLock::new();
        *SEVERAL.get_or_init(|| available_parallelism().is_ok_and(|cores| cores.get() > 1))
    }
}

#[cfg(not(all(feature = "std", not(aiter_loom))))]
mod imp {
    pub(in crate::list) struct Probe;

    impl Probe {
        pub(in crate::list) fn new() -> Self {
            Self
        }

        #[inline(always)]
        pub(in crate::list) fn look_again(&self, _: impl FnMut() -> bool) -> bool {
            false
        }
    }
}

pub(super) use imp::Probe;
