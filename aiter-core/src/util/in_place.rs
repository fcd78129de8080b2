//! [`InPlace`]: a future that is made, polled and dropped in one place.

use core::{
    pin::Pin,
    task::{Context, Poll},
};
use pin_project::pin_project;
use scopeguard::ScopeGuard;

/// Room for one future, which is dropped when it has finished, by returning or by a panic. Its
/// owner makes the next one in the same place, without a box.
#[pin_project]
#[derive(Debug)]
pub(crate) struct InPlace<F>(#[pin] Option<F>);

impl<F> InPlace<F> {
    pub(crate) const fn empty() -> Self {
        Self(None)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Drops the future that is there, and keeps this one.
    pub(crate) fn set(self: Pin<&mut Self>, future: F) {
        self.project().0.set(Some(future));
    }

    /// Drops the future that is there.
    pub(crate) fn clear(self: Pin<&mut Self>) {
        self.project().0.set(None);
    }
}

impl<F: Future> InPlace<F> {
    /// Polls the future, which must be there.
    pub(crate) fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut finished = scopeguard::guard(self.project().0, |mut place| place.set(None));
        let future = finished.as_mut().as_pin_mut();
        let polled = future.expect("no future was set").poll(cx);
        // Not where the function ends: if the drop panics there, the output is leaked
        // (rust-lang/rust#47949).
        match polled.is_pending() {
            true => _ = ScopeGuard::into_inner(finished),
            false => drop(finished),
        }
        polled
    }
}

#[cfg(all(test, feature = "alloc", not(aiter_loom)))]
mod tests {
    use super::*;
    use crate::test_support::*;
    use alloc::rc::Rc;
    use core::{future::pending, pin::pin, task::Waker};

    /// A future that is ready, and whose drop panics.
    struct Bad(Option<Rc<()>>);

    impl Future for Bad {
        type Output = Rc<()>;
        fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Rc<()>> {
            Poll::Ready(self.0.take().expect("it is polled once"))
        }
    }

    impl Drop for Bad {
        fn drop(&mut self) {
            panic!("drop");
        }
    }

    #[test]
    fn the_output_is_dropped_if_the_drop_of_the_future_panics() {
        let output = Rc::new(());
        let mut place = pin!(InPlace::empty());
        place.as_mut().set(Bad(Some(output.clone())));
        let cx = &mut Context::from_waker(Waker::noop());
        assert_eq!(panic_of(|| place.as_mut().poll(cx)), "drop");
        assert!(place.is_empty());
        assert_eq!(Rc::strong_count(&output), 1);
    }

    #[test]
    fn a_future_stays_until_it_is_replaced_or_cleared() {
        let mut place = pin!(InPlace::empty());
        let cx = &mut Context::from_waker(Waker::noop());
        for _ in 0..2 {
            place.as_mut().set(pending::<()>());
            assert!(place.as_mut().poll(cx).is_pending() && !place.is_empty());
        }
        place.as_mut().clear();
        assert!(place.is_empty());
    }
}
