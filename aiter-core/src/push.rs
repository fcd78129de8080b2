//! Placeholder of the push list: the final interface over a mutex, until the lock-free list is in place.
extern crate std;
use alloc::{collections::VecDeque, sync::Arc};
use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll, Waker},
};
use futures_core::{FusedStream, Stream};
use std::sync::Mutex;

struct State<T> {
    items: VecDeque<T>,
    stopped: bool,
    pushers: usize,
    readers: usize,
    waker: Option<Waker>,
}
type Shared<T> = Arc<Mutex<State<T>>>;

/// The writing end of a push list.
pub struct Pusher<T>(Shared<T>);
/// The reading end of a push list.
pub struct PushAiter<T>(Shared<T>);
/// The list was stopped; the item comes back.
pub struct Stopped<T>(pub T);
/// Why [`PushAiter::try_next`] has no item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryNextError {
    /// Nothing is there now.
    Empty,
    /// Nothing will come any more.
    Ended,
}
/// An unbounded list.
pub fn push_aiter<T>() -> (Pusher<T>, PushAiter<T>) {
    let s = Arc::new(Mutex::new(State {
        items: VecDeque::new(),
        stopped: false,
        pushers: 1,
        readers: 1,
        waker: None,
    }));
    (Pusher(s.clone()), PushAiter(s))
}
impl<T> Pusher<T> {
    /// Pushes.
    pub fn push(&self, item: T) -> Result<(), Stopped<T>> {
        let mut s = self.0.lock().unwrap();
        if s.stopped || s.readers == 0 {
            return Err(Stopped(item));
        }
        s.items.push_back(item);
        let w = s.waker.take();
        drop(s);
        if let Some(w) = w {
            w.wake()
        }
        Ok(())
    }
    /// Pushes, cheaper.
    pub fn push_mut(&mut self, item: T) -> Result<(), Stopped<T>> {
        self.push(item)
    }
    /// Stops.
    pub fn stop(&self) {
        let mut s = self.0.lock().unwrap();
        s.stopped = true;
        let w = s.waker.take();
        drop(s);
        if let Some(w) = w {
            w.wake()
        }
    }
    /// Whether it was stopped.
    pub fn is_stopped(&self) -> bool {
        let s = self.0.lock().unwrap();
        s.stopped || s.readers == 0
    }
}
impl<T> Clone for Pusher<T> {
    fn clone(&self) -> Self {
        self.0.lock().unwrap().pushers += 1;
        Self(self.0.clone())
    }
}
impl<T> Drop for Pusher<T> {
    fn drop(&mut self) {
        let last = {
            let mut s = self.0.lock().unwrap();
            s.pushers -= 1;
            s.pushers == 0
        };
        if last {
            self.stop()
        }
    }
}
impl<T> Drop for PushAiter<T> {
    fn drop(&mut self) {
        self.0.lock().unwrap().readers -= 1;
    }
}
impl<T> PushAiter<T> {
    /// Takes what is there.
    pub fn try_next(&mut self) -> Result<T, TryNextError> {
        let mut s = self.0.lock().unwrap();
        match s.items.pop_front() {
            Some(i) => Ok(i),
            None if s.stopped => Err(TryNextError::Ended),
            None => Err(TryNextError::Empty),
        }
    }
}
impl<T> Stream for PushAiter<T> {
    type Item = T;
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut s = self.0.lock().unwrap();
        match s.items.pop_front() {
            Some(i) => Poll::Ready(Some(i)),
            None if s.stopped => Poll::Ready(None),
            None => {
                s.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}
impl<T> FusedStream for PushAiter<T> {
    fn is_terminated(&self) -> bool {
        let s = self.0.lock().unwrap();
        s.stopped && s.items.is_empty()
    }
}
impl<T> fmt::Debug for Pusher<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pusher")
    }
}
impl<T> fmt::Debug for PushAiter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PushAiter")
    }
}
impl<T> fmt::Debug for Stopped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stopped(..)")
    }
}
