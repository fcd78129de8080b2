//! The futures that wait for a place.

use super::{BoundedPusher, OwnedPermit, Permit, waiters::Wait};
use crate::error::Stopped;
use core::{
    borrow::Borrow,
    fmt,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

/// A wait for a place in the list of a pusher `P`, which is borrowed or owned.
pub(super) struct PlaceWait<T, P: Borrow<BoundedPusher<T>>> {
    pub(super) pusher: P,
    wait: Wait,
    _items: PhantomData<fn(T)>,
}

impl<T, P: Borrow<BoundedPusher<T>>> PlaceWait<T, P> {
    #[inline]
    pub(super) fn new(pusher: P) -> Self {
        Self {
            pusher,
            wait: Wait::new(),
            _items: PhantomData,
        }
    }

    #[inline]
    pub(super) fn poll(&mut self, waker: &Waker) -> Poll<Result<(), Stopped<()>>> {
        self.wait.poll(self.pusher.borrow().shared(), waker)
    }
}

impl<T, P: Borrow<BoundedPusher<T>>> Drop for PlaceWait<T, P> {
    #[inline]
    fn drop(&mut self) {
        if self.wait.is_waiting() {
            self.wait.cancel(self.pusher.borrow().shared());
        }
    }
}

/// The future that [`BoundedPusher::push`] returns.
#[must_use = "futures do nothing unless polled"]
pub struct BoundedPush<'a, T> {
    place: PlaceWait<T, &'a BoundedPusher<T>>,
    /// `None` once the future is ready.
    item: Option<T>,
}

impl<'a, T> BoundedPush<'a, T> {
    #[inline]
    pub(super) fn new(pusher: &'a BoundedPusher<T>, item: T) -> Self {
        Self {
            place: PlaceWait::new(pusher),
            item: Some(item),
        }
    }
}

/// The item is moved, and never pinned.
impl<T> Unpin for BoundedPush<'_, T> {}

impl<T> Future for BoundedPush<'_, T> {
    type Output = Result<(), Stopped<T>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        assert!(this.item.is_some(), "polled after it was ready");
        let place = ready!(this.place.poll(cx.waker()));
        let Some(item) = this.item.take() else {
            unreachable!("it was there");
        };
        Poll::Ready(match place {
            Ok(()) => this.place.pusher.push_admitted(item),
            Err(Stopped(())) => Err(Stopped(item)),
        })
    }
}

impl<T> fmt::Debug for BoundedPush<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundedPush")
            .field("waiting", &self.place.wait.is_waiting())
            .finish_non_exhaustive()
    }
}

/// The future that [`BoundedPusher::reserve`] returns.
#[must_use = "futures do nothing unless polled"]
pub struct Reserve<'a, T> {
    place: PlaceWait<T, &'a BoundedPusher<T>>,
}

impl<'a, T> Reserve<'a, T> {
    #[inline]
    pub(super) fn new(pusher: &'a BoundedPusher<T>) -> Self {
        Self {
            place: PlaceWait::new(pusher),
        }
    }
}

impl<'a, T> Future for Reserve<'a, T> {
    type Output = Result<Permit<'a, T>, Stopped<()>>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let place = ready!(self.place.poll(cx.waker()));
        let permit = place.map(|()| Permit::new(self.place.pusher));
        Poll::Ready(refuse_if_stopped(permit, self.place.pusher))
    }
}

impl<T> fmt::Debug for Reserve<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reserve")
            .field("waiting", &self.place.wait.is_waiting())
            .finish_non_exhaustive()
    }
}

/// The future that [`BoundedPusher::reserve_owned`] returns.
#[must_use = "futures do nothing unless polled"]
pub struct ReserveOwned<T> {
    place: PlaceWait<T, BoundedPusher<T>>,
}

impl<T> ReserveOwned<T> {
    pub(super) fn new(pusher: BoundedPusher<T>) -> Self {
        Self {
            place: PlaceWait::new(pusher),
        }
    }
}

impl<T> Future for ReserveOwned<T> {
    type Output = Result<OwnedPermit<T>, Stopped<()>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let place = ready!(self.place.poll(cx.waker()));
        let permit = place.map(|()| OwnedPermit::new(self.place.pusher.clone()));
        Poll::Ready(refuse_if_stopped(permit, &self.place.pusher))
    }
}

impl<T> fmt::Debug for ReserveOwned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReserveOwned")
            .field("waiting", &self.place.wait.is_waiting())
            .finish_non_exhaustive()
    }
}

/// A permit of a stopped list is of no use. Its drop gives the place back.
#[inline]
fn refuse_if_stopped<T, P>(
    permit: Result<P, Stopped<()>>,
    pusher: &BoundedPusher<T>,
) -> Result<P, Stopped<()>> {
    permit.and_then(|permit| {
        if pusher.is_stopped() {
            Err(Stopped(()))
        } else {
            Ok(permit)
        }
    })
}
