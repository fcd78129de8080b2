//! An asymmetric fence in two halves, [`light`] and [`heavy`].
//!
//! The two halves order memory as two `SeqCst` fences do, but the heavy half bears the cost. On
//! Linux it is the system call [membarrier(2)], which makes every running thread of the process
//! execute a fence, so the light half only keeps the compiler from reordering. Everywhere else both
//! halves are fences.
//!
//! Use it for a store and a load that run for every item, against a store and a load that are rare:
//! the asymmetric form of Dekker's protocol (Dice, Huang, Yang, *Asymmetric Dekker
//! Synchronization*, 2001; [P1202]). Only wakes may depend on it, and memory safety must not,
//! because a seccomp filter can revoke the system call while the process runs.
//!
//! [membarrier(2)]: https://man7.org/linux/man-pages/man2/membarrier.2.html
//! [P1202]: https://wg21.link/p1202

pub(crate) use imp::{heavy, light, prepare};

// Kernels for riscv64 before 6.9 report the system call as available, but execute no fence in it.
#[cfg(all(
    feature = "std",
    target_os = "linux",
    not(target_arch = "riscv64"),
    not(any(aiter_loom, miri))
))]
mod imp {
    use core::sync::atomic::{AtomicU8, Ordering::*, compiler_fence, fence};
    use rustix::thread::{MembarrierCommand, membarrier};

    /// Who orders the light half: the kernel ([`KERNEL`]) or a real fence ([`FENCE`]). It is
    /// decided once, except that `KERNEL` may degrade to [`LOST`].
    static STRATEGY: AtomicU8 = AtomicU8::new(UNDECIDED);
    const UNDECIDED: u8 = 0;
    const KERNEL: u8 = 1;
    const FENCE: u8 = 2;
    /// Values from here on mean that a seccomp filter has revoked the system call. They count up to
    /// [`SETTLED`].
    const LOST: u8 = 3;
    /// Once this many heavy halves were refused, every light half that relied on the kernel has
    /// finished.
    const SETTLED: u8 = LOST + 64;

    /// Must be called before either half, by a thread that happens before both. It does not wait
    /// for other threads: several that call it at once each ask the kernel, and the first answer
    /// counts.
    pub(crate) fn prepare() {
        if STRATEGY.load(Relaxed) == UNDECIDED {
            let answer = match membarrier(MembarrierCommand::RegisterPrivateExpedited) {
                Ok(()) => KERNEL,
                Err(_) => FENCE,
            };
            // Ordering: Relaxed. Only the value matters: this thread, and every thread that it
            // hands a list to, sees the final one.
            let _ = STRATEGY.compare_exchange(UNDECIDED, answer, Relaxed, Relaxed);
        }
    }

    #[inline]
    pub(crate) fn light() {
        // Ordering: Relaxed. `prepare` happened before both halves, so a light half that leaves the
        // fence to the kernel meets a heavy half that calls it.
        if STRATEGY.load(Relaxed) == KERNEL {
            compiler_fence(SeqCst);
        } else {
            fence(SeqCst);
        }
    }

    /// Returns `false` if the ordering is only likely, because the kernel has revoked the call that
    /// it had granted: a light half that is under way may be reordered with this one. The caller
    /// then has to look again a little later. Light halves that begin from now on are fences.
    #[must_use]
    pub(crate) fn heavy() -> bool {
        fence(SeqCst);
        let revoked = match STRATEGY.load(Relaxed) {
            KERNEL if membarrier(MembarrierCommand::PrivateExpedited).is_ok() => return true,
            KERNEL => LOST,
            revoked @ LOST..SETTLED => revoked + 1,
            _ => return true,
        };
        STRATEGY.store(revoked, Relaxed);
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

    #[inline]
    pub(crate) fn light() {
        fence(SeqCst);
    }

    #[must_use]
    pub(crate) fn heavy() -> bool {
        fence(SeqCst);
        true
    }
}
