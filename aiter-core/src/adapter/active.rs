//! Streams that a task pulls as fast as they yield.
use super::{
    Spawn,
    pace::{Free, Pace, paced},
    panics::{Caught, Panic},
};
use crate::{Driver, PushAiter, TryNextError, active};
use alloc::{borrow::Cow, boxed::Box, string::String, sync::Arc};
use core::{
    marker::PhantomData,
    ops::Deref,
    pin::Pin,
    task::{Context, Poll, ready},
};
use futures_core::{FusedStream, Stream};
use pin_project::pin_project;
use std::panic::resume_unwind;

/// Spawns the driver of [`active`].
#[track_caller]
pub fn active_aiter<S, P>(
    executor: &impl Spawn<Driver<Source<S>>>,
    stream: S,
) -> ActiveAiter<S::Item, P>
where
    S: Stream,
{
    let fate = Arc::new(Fate::default());
    let source = Source {
        stream: Caught::new(stream),
        fate: fate.clone(),
    };
    let (items, driver) = active(source);
    executor.spawn(driver.assume_started());
    ActiveAiter {
        items,
        fate: Some(fate),
        pace: PhantomData,
    }
}

/// A push list that a task fills as fast as its source yields.
///
/// It dereferences to a [`PushAiter`]. In addition, a panic of the source comes out where the items
/// end, once in every fork: with its own payload in the first fork that gets there, and with the
/// same message in the others.
///
/// Dropping the list and all its forks ends the task, and the task drops the source.
///
/// # Cancel safety
///
/// Dropping a `next()` loses nothing.
#[derive(Debug)]
#[must_use = "the task stops when its list is dropped"]
pub struct ActiveAiter<T, P = Free> {
    items: PushAiter<T>,
    /// `None` once this consumer has come to the end.
    fate: Option<Arc<Fate>>,
    pace: PhantomData<fn() -> P>,
}

impl<T, P> ActiveAiter<T, P> {
    /// Takes an item if there is one, as [`PushAiter::try_next`] does.
    ///
    /// # Panics
    ///
    /// Panics where the items end, if the source panicked.
    pub fn try_next(&mut self) -> Result<T, TryNextError> {
        let result = self.items.try_next();
        if matches!(result, Err(TryNextError::Ended)) {
            self.end();
        }
        result
    }

    /// Makes another consumer that yields the same items from here on: see [`PushAiter::fork`].
    pub fn fork(&mut self) -> Self
    where
        T: Clone + Sync,
    {
        Self {
            items: self.items.fork(),
            fate: self.fate.clone(),
            pace: PhantomData,
        }
    }

    fn end(&mut self) {
        if let Some(fate) = self.fate.take() {
            fate.meet();
        }
    }
}

impl<T, P> Deref for ActiveAiter<T, P> {
    type Target = PushAiter<T>;

    fn deref(&self) -> &PushAiter<T> {
        &self.items
    }
}

impl<T, P: Pace> Stream for ActiveAiter<T, P> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let item = ready!(paced::<P, _>(cx, |cx| Pin::new(&mut self.items).poll_next(cx)));
        if item.is_none() {
            self.end();
        }
        Poll::Ready(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.items.size_hint()
    }
}

impl<T, P: Pace> FusedStream for ActiveAiter<T, P> {
    fn is_terminated(&self) -> bool {
        self.items.is_terminated() && self.fate.is_none()
    }
}

/// The panic of the source, if there was one. No consumer waits for another: the lock is only
/// tried.
#[derive(Debug, Default)]
#[allow(
    clippy::disallowed_types,
    reason = "trying a lock does not wait for it, and only one thread sets the cell"
)]
struct Fate {
    /// For the first consumer that comes to the end.
    panic: std::sync::Mutex<Option<Panic>>,
    /// For the other consumers. It is set before any consumer can see the end of the items.
    message: std::sync::OnceLock<Cow<'static, str>>,
}

impl Fate {
    /// Keeps the panic of the source. Called at most once.
    fn seal(&self, panic: Panic) {
        let message = if let Some(message) = panic.downcast_ref::<&'static str>() {
            Cow::Borrowed(*message)
        } else if let Some(message) = panic.downcast_ref::<String>() {
            Cow::Owned(message.clone())
        } else {
            Cow::Borrowed("the source of this stream panicked")
        };
        if let Ok(mut first) = self.panic.try_lock() {
            *first = Some(panic);
        }
        let _ = self.message.set(message);
    }

    /// Panics if the source panicked, with the payload of its panic if no other consumer has taken
    /// it.
    fn meet(&self) {
        let Some(message) = self.message.get() else {
            return;
        };
        let first = self.panic.try_lock().ok().and_then(|mut it| it.take());
        resume_unwind(match (first, message) {
            (Some(panic), _) => panic,
            (None, Cow::Borrowed(message)) => Box::new(*message),
            (None, Cow::Owned(message)) => Box::new(message.clone()),
        });
    }
}

/// A source whose panic ends it. The panic is kept for the consumers before they can see the end.
#[pin_project]
#[derive(Debug)]
pub struct Source<S> {
    #[pin]
    stream: Caught<S>,
    fate: Arc<Fate>,
}

impl<S: Stream> Stream for Source<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        match ready!(this.stream.poll_next(cx)) {
            Some(Ok(item)) => Poll::Ready(Some(item)),
            Some(Err(panic)) => {
                this.fate.seal(panic);
                Poll::Ready(None)
            }
            None => Poll::Ready(None),
        }
    }
}
