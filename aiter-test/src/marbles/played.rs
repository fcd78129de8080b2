//! Marbles as a source.

use super::{Event, line::Events, start_of};
use crate::{Clock, Sleep, VirtualSleep, VirtualTime};
use futures_core::{FusedStream, Stream};
use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

/// The items of a line of marbles, each from its frame on. [`Marbles::play`](crate::Marbles::play)
/// returns it, and says more.
#[must_use = "streams do nothing unless polled"]
pub struct Played<'a> {
    events: VecDeque<(u64, Event<&'a str>)>,
    time: VirtualTime,
    start: Duration,
    /// It is due when the first event is.
    timer: VirtualSleep,
    is_over: bool,
}

impl<'a> Played<'a> {
    pub(super) fn new(events: Events<&'a str>, time: VirtualTime) -> Self {
        let mut played = Self {
            events: events.into(),
            start: time.now(),
            timer: time.sleep(Duration::ZERO),
            time,
            is_over: false,
        };
        played.set_timer();
        played
    }

    fn set_timer(&mut self) {
        // Where nothing is left, a timer that is never due keeps the waker.
        let first = self.events.front();
        let due = first.map_or(Duration::MAX, |&(frame, _)| {
            self.start.saturating_add(start_of(frame))
        });
        self.timer = self.time.sleep(due.saturating_sub(self.time.now()));
    }
}

impl<'a> Stream for Played<'a> {
    type Item = &'a str;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<&'a str>> {
        let this = self.get_mut();
        if this.is_over {
            return Poll::Ready(None);
        }
        ready!(Pin::new(&mut this.timer).poll(cx));
        match this.events.pop_front() {
            Some((_, Event::Item(item))) => {
                this.set_timer();
                Poll::Ready(Some(item))
            }
            Some((_, Event::End)) => {
                this.is_over = true;
                Poll::Ready(None)
            }
            Some((_, Event::Panic)) => {
                this.is_over = true;
                panic!("marbles: this is the panic that `#` stands for");
            }
            None => Poll::Pending,
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let is_item = |event: &&(u64, Event<&str>)| matches!(event.1, Event::Item(_));
        let items = self.events.iter().filter(is_item).count();
        (items, Some(items))
    }
}

impl FusedStream for Played<'_> {
    fn is_terminated(&self) -> bool {
        self.is_over
    }
}

impl fmt::Debug for Played<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Played")
            .field("events", &self.events)
            .field("start", &self.start)
            .finish_non_exhaustive()
    }
}
