//! Atomics, `Arc` and `UnsafeCell`: the rest of the crate imports them from here.
//!
//! | file | is used |
//! |---|---|
//! | `native` | on targets with compare-and-swap: `core` and `alloc` |
//! | `portable` | with the feature `portable-atomic`, on targets without compare-and-swap |
//! | `loom` | in the loom models |
//! | `cell` | by `native` and `portable`: an `UnsafeCell` with loom's interface |
//! | `exclusive` | with `std`: a value that threads share and none looks at |
//! | `once` | everywhere: a value that is made when it is first needed |
//! | `word` | everywhere: the width of a word that counts |
//! | `fence` | everywhere: an asymmetric fence |

#[cfg(not(aiter_loom))]
mod cell;
#[cfg(feature = "std")]
mod exclusive;
#[cfg(feature = "alloc")]
pub(crate) mod fence;
#[cfg(aiter_loom)]
mod loom;
#[cfg(all(not(aiter_loom), not(feature = "portable-atomic")))]
mod native;
#[cfg(feature = "alloc")]
mod once;
#[cfg(all(not(aiter_loom), feature = "portable-atomic"))]
mod portable;
mod word;

#[cfg(aiter_loom)]
use loom as imp;
#[cfg(all(not(aiter_loom), not(feature = "portable-atomic")))]
use native as imp;
#[cfg(all(not(aiter_loom), feature = "portable-atomic"))]
use portable as imp;

#[cfg(all(feature = "std", not(aiter_loom)))]
pub(crate) use imp::AtomicU32;
/// A pointer that is loaded and stored, and never exchanged. No target lacks that.
pub(crate) use imp::PlainPtr;
/// Not in the models: loom has none.
#[cfg(all(feature = "alloc", not(aiter_loom)))]
pub(crate) use imp::Weak;
#[cfg(feature = "alloc")]
pub(crate) use imp::{Arc, AtomicPtr, AtomicU8};
pub(crate) use imp::{AtomicUsize, UnsafeCell, fence};

#[cfg(feature = "std")]
pub(crate) use exclusive::Exclusive;
#[cfg(feature = "alloc")]
pub(crate) use once::OnceBox;

pub(crate) use core::sync::atomic::Ordering;
pub(crate) use word::{AtomicWord, SignedWord, Word, truncate};

/// A store to a word that no other thread writes at this time: all others only load it, or try
/// exchanges that have to fail. Without compare-and-swap it needs no critical section.
pub(crate) trait StoreExclusive<T = usize> {
    fn store_exclusive(&self, value: T, order: Ordering);
}

/// A constructor that is `const` except in the loom models, where loom registers each object.
macro_rules! const_new {
    ($(#[$attr:meta])* $vis:vis fn new() -> Self $body:block) => {
        #[cfg(not(aiter_loom))]
        $(#[$attr])* $vis const fn new() -> Self $body
        #[cfg(aiter_loom)]
        $(#[$attr])* $vis fn new() -> Self $body
    };
}

/// An array of values made by a constructor that [`const_new`] declares.
macro_rules! array_of {
    ($new:expr; $len:expr) => {{
        #[cfg(not(aiter_loom))]
        let array = [const { $new }; $len];
        #[cfg(aiter_loom)]
        let array = core::array::from_fn(|_| $new);
        array
    }};
}

pub(crate) use {array_of, const_new};

/// Tells loom when memory that is freed by hand is used and when it is freed, so that it reports a
/// use that does not happen before the free. It is empty outside the models.
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

    #[inline]
    pub(crate) fn used(&self) {
        #[cfg(aiter_loom)]
        self.0.with(|_| ());
    }

    #[inline]
    pub(crate) fn over(&self) {
        #[cfg(aiter_loom)]
        self.0.with_mut(|_| ());
    }
}
