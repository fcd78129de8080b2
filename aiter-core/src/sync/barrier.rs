//! A fence in two halves. Between a [`light`] and a [`heavy`] there is the order of two `SeqCst` fences, but the cost lies with the
//! heavy one: on Linux it is the system call [membarrier(2)], which has every running thread of the process do the fence,
//! and the light one is nothing but an order to the compiler. Elsewhere both are fences.
//!
//! For a store and a look that happen all the time, against a store and a look that hardly ever do: the asymmetric
//! form of Dekker's protocol, as in Dice, Huang, Yang, *Asymmetric Dekker Synchronization* (2001), and in [P1202].
//!
//! [membarrier(2)]: https://man7.org/linux/man-pages/man2/membarrier.2.html
//! [P1202]: https://wg21.link/p1202

pub(crate) use imp::{heavy, light, prepare};

#[cfg(all(feature = "std", target_os = "linux", not(any(aiter_loom, miri))))]
mod imp {
    use core::sync::atomic::{AtomicBool, Ordering::*, compiler_fence, fence};
    use rustix::thread::{MembarrierCommand, membarrier};
    use std::sync::Once;

    /// Whether the kernel was told that this process will ask it for fences.
    static IS_EXPEDITED: AtomicBool = AtomicBool::new(false);

    /// To be called once before either half, by a thread that both happen after.
    pub(crate) fn prepare() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            let is_expedited = membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok();
            IS_EXPEDITED.store(is_expedited, Relaxed);
        });
    }

    #[inline(always)]
    pub(crate) fn light() {
        // Ordering: whoever sees it true leaves the fence to a `heavy` that sees it too, since `prepare` came before.
        if IS_EXPEDITED.load(Relaxed) {
            compiler_fence(SeqCst);
        } else {
            fence(SeqCst);
        }
    }

    /// False if there was no fence, because the kernel went back on its word (a filter of system calls came on since).
    #[must_use]
    pub(crate) fn heavy() -> bool {
        fence(SeqCst);
        !IS_EXPEDITED.load(Relaxed) || membarrier(MembarrierCommand::PrivateExpedited).is_ok()
    }
}

#[cfg(not(all(feature = "std", target_os = "linux", not(any(aiter_loom, miri)))))]
mod imp {
    use crate::sync::{Ordering::*, fence};

    pub(crate) fn prepare() {}

    #[inline(always)]
    pub(crate) fn light() {
        fence(SeqCst);
    }

    #[must_use]
    pub(crate) fn heavy() -> bool {
        fence(SeqCst);
        true
    }
}
