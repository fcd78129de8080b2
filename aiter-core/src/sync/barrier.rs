//! A fence in two halves. Between a [`light`] and a [`heavy`] there is the order of two `SeqCst` fences, but the cost lies with the
//! heavy one: on Linux it is the system call [membarrier(2)], which has every running thread of the process do the fence,
//! and the light one is nothing but an order to the compiler. Elsewhere both are fences.
//!
//! For a store and a look that happen all the time, against a store and a look that hardly ever do: the asymmetric
//! form of Dekker's protocol, as in Dice, Huang, Yang, *Asymmetric Dekker Synchronization* (2001), and in [P1202].
//!
//! [membarrier(2)]: https://man7.org/linux/man-pages/man2/membarrier.2.html
//! [P1202]: https://wg21.link/p1202

pub(crate) use imp::{heavy, is_free, light, prepare};

#[cfg(all(feature = "std", target_os = "linux", not(any(aiter_loom, miri))))]
mod imp {
    use core::{
        sync::atomic::{AtomicU8, Ordering::*, compiler_fence, fence},
        time::Duration,
    };
    use rustix::thread::{MembarrierCommand, membarrier};
    use std::thread;

    /// Whose the fences of the light half are. It is settled once, but for what may be lost.
    static FENCES: AtomicU8 = AtomicU8::new(UNSETTLED);
    const UNSETTLED: u8 = 0;
    const KERNEL: u8 = 1;
    const OWN: u8 = 2;
    /// The kernel's until it went back on its word: a filter of system calls came on since.
    const LOST: u8 = 3;

    /// To be called before either half, by a thread that both happen after. Waits for nobody: of several at one time each asks
    /// the kernel, and the first answer counts.
    pub(crate) fn prepare() {
        if FENCES.load(Relaxed) == UNSETTLED {
            let answer = match membarrier(MembarrierCommand::RegisterPrivateExpedited) {
                Ok(()) => KERNEL,
                Err(_) => OWN,
            };
            // Ordering: what matters is the value alone: after this the thread, and whoever it hands a list to, sees the final one.
            let _ = FENCES.compare_exchange(UNSETTLED, answer, Relaxed, Relaxed);
        }
    }

    /// Whether the light half costs nothing.
    #[inline(always)]
    pub(crate) fn is_free() -> bool {
        // Ordering: whoever leaves the fence to `heavy` has seen what `heavy` sees, as `prepare` came before both.
        FENCES.load(Relaxed) == KERNEL
    }

    #[inline(always)]
    pub(crate) fn light() {
        if is_free() {
            compiler_fence(SeqCst);
        } else {
            fence(SeqCst);
        }
    }

    /// False if there is no more than a good reason to believe that the other half sees this one, or is seen: not for what memory
    /// safety rests on.
    pub(crate) fn heavy() -> bool {
        fence(SeqCst);
        match FENCES.load(Relaxed) {
            KERNEL if membarrier(MembarrierCommand::PrivateExpedited).is_ok() => true,
            KERNEL | LOST => {
                FENCES.store(LOST, Relaxed);
                // What other threads have stored by now is seen everywhere long before this is over, and what they look at
                // from now on they find changed.
                thread::sleep(Duration::from_millis(1));
                false
            }
            _ => true,
        }
    }
}

#[cfg(not(all(feature = "std", target_os = "linux", not(any(aiter_loom, miri)))))]
mod imp {
    use crate::sync::{Ordering::*, fence};

    pub(crate) fn prepare() {}

    /// The models, and Miri, see what is done where it is free.
    #[inline(always)]
    pub(crate) fn is_free() -> bool {
        cfg!(any(aiter_loom, miri))
    }

    #[inline(always)]
    pub(crate) fn light() {
        fence(SeqCst);
    }

    pub(crate) fn heavy() -> bool {
        fence(SeqCst);
        true
    }
}
