//! [`CaughtPanic`]: a panic of a source, kept until the items before it have been yielded.

#[cfg(feature = "std")]
use crate::{
    sync::Exclusive,
    util::catch::{Panic, catch},
};

/// Room for one panic. Without `std`, panics cannot be caught, and this is empty.
#[derive(Debug, Default)]
pub(super) struct CaughtPanic {
    #[cfg(feature = "std")]
    panic: Option<Exclusive<Panic>>,
}

impl CaughtPanic {
    /// Returns what `f` returns, or `None` if it panicked and the panic is kept.
    #[inline]
    pub(super) fn keep<R>(&mut self, f: impl FnOnce() -> R) -> Option<R> {
        #[cfg(feature = "std")]
        {
            catch(f)
                .map_err(|panic| self.panic = Some(Exclusive::new(panic)))
                .ok()
        }
        #[cfg(not(feature = "std"))]
        Some(f())
    }

    /// Returns whether a panic is kept.
    pub(super) fn is_some(&self) -> bool {
        #[cfg(feature = "std")]
        {
            self.panic.is_some()
        }
        #[cfg(not(feature = "std"))]
        false
    }

    /// Panics with the panic that is kept, if there is one.
    #[inline]
    pub(super) fn resume(&mut self) {
        #[cfg(feature = "std")]
        if let Some(panic) = self.panic.take() {
            std::panic::resume_unwind(panic.into_inner());
        }
    }
}
