//! A fence in two halves. A [`light`] and a [`heavy`] one are in order as two `SeqCst` fences are, but the heavy one bears the
//! cost: on Linux it is the system call [membarrier(2)], which has every running thread of the process execute a fence, and
//! the light one only keeps the compiler from reordering. Everywhere else both are fences.
//!
//! It is for a store and a look that happen for every item, against a store and a look that are rare: the asymmetric form of
//! Dekker's protocol (Dice, Huang, Yang, *Asymmetric Dekker Synchronization*, 2001; [P1202]). Nothing but wakes may depend on it,
//! as a filter of system calls can take the call away from a running process; memory safety must not.
//!
//! [membarrier(2)]: https://man7.org/linux/man-pages/man2/membarrier.2.html
//! [P1202]: https://wg21.link/p1202

pub(crate) use imp::{heavy, light, prepare};

// Kernels for riscv64 before 6.9 answer that they have it, and lack a fence in it.
#[cfg(all(
    feature = "std",
    target_os = "linux",
    not(target_arch = "riscv64"),
    not(any(aiter_loom, miri))
))]
mod imp {
    use core::sync::atomic::{AtomicU8, Ordering::*, compiler_fence, fence};
    use rustix::thread::{MembarrierCommand, membarrier};

    /// Who executes the fence of the light half. It is settled once, but for [`LOST`].
    static FENCES: AtomicU8 = AtomicU8::new(UNSETTLED);
    const UNSETTLED: u8 = 0;
    const KERNEL: u8 = 1;
    const OWN: u8 = 2;
    /// From here on: the kernel did until a filter of system calls was installed. Counts up to [`OVER`].
    const LOST: u8 = 3;
    /// Light halves that relied on the kernel are over by the time that so many heavy ones were refused.
    const OVER: u8 = LOST + 64;

    /// Has to be called before either half, by a thread that both happen after. It waits for no other thread: several that come
    /// at once each ask the kernel, and the first answer counts.
    pub(crate) fn prepare() {
        if FENCES.load(Relaxed) == UNSETTLED {
            let answer = match membarrier(MembarrierCommand::RegisterPrivateExpedited) {
                Ok(()) => KERNEL,
                Err(_) => OWN,
            };
            // Ordering: Relaxed. Only the value matters: this thread, and every thread that it hands a list to, sees the final one.
            let _ = FENCES.compare_exchange(UNSETTLED, answer, Relaxed, Relaxed);
        }
    }

    #[inline(always)]
    pub(crate) fn light() {
        // Ordering: Relaxed. `prepare` happened before both halves, so a light half that leaves the fence to the kernel meets
        // a heavy half that calls it.
        if FENCES.load(Relaxed) == KERNEL {
            compiler_fence(SeqCst);
        } else {
            fence(SeqCst);
        }
    }

    /// False if a light half that is under way may be out of order with this one, because the kernel refuses the call that it
    /// had granted: then the caller has to look again a little later. Light halves that begin from now on are fences.
    #[must_use]
    pub(crate) fn heavy() -> bool {
        fence(SeqCst);
        let refused = match FENCES.load(Relaxed) {
            KERNEL if membarrier(MembarrierCommand::PrivateExpedited).is_ok() => return true,
            KERNEL => LOST,
            refused @ LOST..OVER => refused + 1,
            _ => return true,
        };
        FENCES.store(refused, Relaxed);
        false
    }
}

#[cfg(not(all(
    feature = "std",
    target_os = "linux",
    not(target_arch = "riscv64"),
    not(any(aiter_loom, miri))
)))]
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
