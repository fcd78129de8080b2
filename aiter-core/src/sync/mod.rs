//! The one file that knows where atomics, `Arc` and `UnsafeCell` come from: `core` and `alloc`, `portable-atomic` on
//! targets without compare-and-swap, or `loom` when a model checks the code. Everything else imports from here.

#[cfg(feature = "alloc")]
pub(crate) mod fence;

#[cfg(all(not(aiter_loom), not(feature = "portable-atomic")))]
mod imp {
    #[cfg(feature = "alloc")]
    pub(crate) use alloc::sync::Arc;
    #[cfg(feature = "std")]
    pub(crate) use core::sync::atomic::AtomicU32;
    #[cfg(feature = "alloc")]
    pub(crate) use core::sync::atomic::{AtomicPtr, AtomicU8};
    pub(crate) use core::sync::atomic::{AtomicUsize, fence};
}

#[cfg(all(not(aiter_loom), feature = "portable-atomic"))]
mod imp {
    #[cfg(feature = "std")]
    pub(crate) use portable_atomic::AtomicU32;
    #[cfg(not(all(
        not(target_has_atomic = "ptr"),
        any(target_arch = "arm", target_arch = "riscv32")
    )))]
    pub(crate) use portable_atomic::AtomicUsize;
    pub(crate) use portable_atomic::fence;
    #[cfg(feature = "alloc")]
    pub(crate) use portable_atomic::{AtomicPtr, AtomicU8};
    #[cfg(feature = "alloc")]
    pub(crate) use portable_atomic_util::Arc;
}

#[cfg(aiter_loom)]
mod imp {
    pub(crate) use ::loom::cell::UnsafeCell;
    pub(crate) use ::loom::sync::Arc;
    pub(crate) use ::loom::sync::atomic::{AtomicPtr, AtomicU8, AtomicUsize, fence};
}

#[cfg(not(aiter_loom))]
mod cell {
    /// `core::cell::UnsafeCell` behind the interface of `loom::cell::UnsafeCell`, so that models see every access.
    #[derive(Debug)]
    #[repr(transparent)]
    pub(crate) struct UnsafeCell<T: ?Sized>(core::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(core::cell::UnsafeCell::new(value))
        }
    }

    impl<T: ?Sized> UnsafeCell<T> {
        /// Lends the value for reading. Whoever dereferences the pointer answers for there being no writer.
        #[inline(always)]
        pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            f(self.0.get())
        }

        /// Lends the value for writing. Whoever dereferences the pointer answers for there being no other access.
        #[inline(always)]
        pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }
}

/// These processors cannot exchange a word, but load and store one, and need no critical section for that. `portable-atomic`
/// makes one of either, where the final binary chose critical sections: of a load it is not needed, as a word is written
/// whole also in there; of a store it is only where others exchange the word meanwhile.
#[cfg(all(
    not(aiter_loom),
    feature = "portable-atomic",
    not(target_has_atomic = "ptr"),
    any(target_arch = "arm", target_arch = "riscv32")
))]
mod word {
    #![allow(unsafe_code)]

    use core::{ops::Deref, sync::atomic};

    #[derive(Debug)]
    #[repr(transparent)]
    pub(crate) struct AtomicUsize(portable_atomic::AtomicUsize);

    impl AtomicUsize {
        pub(crate) const fn new(value: usize) -> Self {
            Self(portable_atomic::AtomicUsize::new(value))
        }

        #[inline(always)]
        pub(crate) fn load(&self, order: atomic::Ordering) -> usize {
            self.word().load(order)
        }

        #[inline(always)]
        pub(super) fn word(&self) -> &atomic::AtomicUsize {
            // SAFETY: a word that lives as long, is as aligned, and is accessed whole by instructions.
            unsafe { atomic::AtomicUsize::from_ptr(self.0.as_ptr()) }
        }
    }

    impl Deref for AtomicUsize {
        type Target = portable_atomic::AtomicUsize;

        #[inline(always)]
        fn deref(&self) -> &Self::Target {
            &self.0
        }
    }

    impl super::StoreExclusive for AtomicUsize {
        #[inline(always)]
        fn store_exclusive(&self, value: usize, order: atomic::Ordering) {
            self.word().store(value, order);
        }
    }
}

#[cfg(all(
    not(aiter_loom),
    feature = "portable-atomic",
    not(target_has_atomic = "ptr"),
    any(target_arch = "arm", target_arch = "riscv32")
))]
pub(crate) use word::AtomicUsize;

#[cfg(not(all(
    not(aiter_loom),
    feature = "portable-atomic",
    not(target_has_atomic = "ptr"),
    any(target_arch = "arm", target_arch = "riscv32")
)))]
impl StoreExclusive for AtomicUsize {
    #[inline(always)]
    fn store_exclusive(&self, value: usize, order: Ordering) {
        self.store(value, order);
    }
}

#[cfg(aiter_loom)]
pub(crate) use ::loom::sync::atomic::AtomicPtr as PlainPtr;
/// A pointer that is loaded and stored, and never exchanged: no target lacks that.
#[cfg(not(aiter_loom))]
pub(crate) use core::sync::atomic::AtomicPtr as PlainPtr;

/// A store to a word that nobody else writes at this time: all others load it, or try exchanges that have to fail.
pub(crate) trait StoreExclusive<T = usize> {
    fn store_exclusive(&self, value: T, order: Ordering);
}

/// A word that is exchanged, and compared, by what has been counted in it: one that comes to an old value again, while somebody
/// stands between a look and an exchange, fools that one. So it has 64 bits wherever so many can be exchanged at once.
#[cfg(not(all(target_pointer_width = "32", target_has_atomic = "64", not(aiter_loom))))]
mod long {
    pub(crate) type Word = usize;
    pub(crate) type SignedWord = isize;
    pub(crate) type AtomicWord = super::AtomicUsize;
}

#[cfg(all(target_pointer_width = "32", target_has_atomic = "64", not(aiter_loom)))]
mod long {
    pub(crate) type Word = u64;
    pub(crate) type SignedWord = i64;
    pub(crate) type AtomicWord = core::sync::atomic::AtomicU64;

    impl super::StoreExclusive<u64> for AtomicWord {
        #[inline(always)]
        fn store_exclusive(&self, value: u64, order: super::Ordering) {
            self.store(value, order);
        }
    }
}

/// What of a word's value an address counts.
#[inline(always)]
#[allow(clippy::unnecessary_cast, reason = "words may be longer")]
pub(crate) const fn cut(word: Word) -> usize {
    word as usize
}

/// A constructor that is `const`, but for the models: loom has to count what it makes.
macro_rules! const_new {
    ($(#[$attr:meta])* $vis:vis fn new() -> Self $body:block) => {
        #[cfg(not(aiter_loom))]
        $(#[$attr])* $vis const fn new() -> Self $body
        #[cfg(aiter_loom)]
        $(#[$attr])* $vis fn new() -> Self $body
    };
}

/// An array of what such a constructor makes.
macro_rules! array_of {
    ($new:expr; $len:expr) => {{
        #[cfg(not(aiter_loom))]
        let array = [const { $new }; $len];
        #[cfg(aiter_loom)]
        let array = core::array::from_fn(|_| $new);
        array
    }};
}

/// Tells loom when memory that is freed by hand is used, and when it is given back: it reports a use that does not happen
/// before. Outside models it is nothing.
#[cfg(feature = "alloc")]
pub(crate) struct Lifetime(#[cfg(aiter_loom)] UnsafeCell<()>);

#[cfg(feature = "alloc")]
impl Lifetime {
    pub(crate) fn new() -> Self {
        Self(
            #[cfg(aiter_loom)]
            UnsafeCell::new(()),
        )
    }

    #[inline(always)]
    pub(crate) fn used(&self) {
        #[cfg(aiter_loom)]
        self.0.with(|_| ());
    }

    #[inline(always)]
    pub(crate) fn over(&self) {
        #[cfg(aiter_loom)]
        self.0.with_mut(|_| ());
    }
}

pub(crate) use array_of;
#[cfg(not(aiter_loom))]
pub(crate) use cell::UnsafeCell;
pub(crate) use const_new;
pub(crate) use core::sync::atomic::Ordering;
pub(crate) use imp::*;
pub(crate) use long::{AtomicWord, SignedWord, Word};
