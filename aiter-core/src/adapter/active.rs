//! The eager stream, in a task.
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
    place: &impl Spawn<Driver<Source<S>>>,
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
    place.spawn(driver);
    ActiveAiter {
        items,
        fate: Some(fate),
        pace: PhantomData,
    }
}

/// A push list that a task fills as fast as its source yields.
///
/// It is a [`PushAiter`] and derefs to one, except that a panic of the source comes out of it where its items end: in
/// every fork, with its own payload in the first, and with the same message in the others.
///
/// Dropping the list and its forks ends the task, which drops the source.
///
/// # Cancel safety
///
/// Nothing is lost when a `next()` is dropped.
#[derive(Debug)]
#[must_use = "the task stops when its list is dropped"]
pub struct ActiveAiter<T, P = Free> {
    items: PushAiter<T>,
    /// Until this consumer met it.
    fate: Option<Arc<Fate>>,
    pace: PhantomData<fn() -> P>,
}

impl<T, P> ActiveAiter<T, P> {
    /// Takes what is there now, as [`PushAiter::try_next`].
    ///
    /// # Panics
    ///
    /// Where the items end, if the source panicked.
    pub fn try_next(&mut self) -> Result<T, TryNextError> {
        let result = self.items.try_next();
        if matches!(result, Err(TryNextError::Ended)) {
            self.end();
        }
        result
    }

    /// Another consumer, which yields the same items from here on: see [`PushAiter::fork`].
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

/// The panic of the source, if there was one. No consumer waits for another here: the lock is tried, never waited for.
#[derive(Debug, Default)]
#[allow(
    clippy::disallowed_types,
    reason = "to try a lock is not to wait for it, nor is to set a cell that nobody else sets"
)]
struct Fate {
    /// For the first consumer that meets it.
    panic: std::sync::Mutex<Option<Panic>>,
    /// What the others are told. It is set before the end of the items is seen.
    message: std::sync::OnceLock<Cow<'static, str>>,
}

impl Fate {
    /// The source has panicked, which happens once.
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

    /// Panics as the source did: with its own payload if no other consumer takes that.
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

/// A source whose panic ends it, and is left to the consumers before they can see the end.
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
