//! A run as marbles.

use super::{Event, Line, line, marbles};
use crate::{Collected, Task};
use futures_core::Stream;
use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

/// The handle of a task that takes the items of a stream and records them as marbles.
/// [`Executor::record`](crate::Executor::record) returns it. Dropping it leaves the task running.
///
/// It is displayed as the line of marbles that has come so far.
pub struct Recorded {
    collected: Collected<Event<String>>,
    start: u64,
}

impl Recorded {
    pub(crate) fn new(collected: Collected<Event<String>>, start: u64) -> Self {
        Self { collected, start }
    }

    /// Returns the handle of the task, which is finished at the end of the stream, or after its
    /// panic.
    pub fn task(&self) -> &Task<()> {
        self.collected.task()
    }

    /// Checks that what has come so far is what this line of [`marbles`] says, in the same frames.
    /// The first frame of the line is the time zero of the executor.
    ///
    /// # Panics
    ///
    /// Panics at the caller's line if it is not, or if the text is no line of marbles. The message
    /// shows both lines, and marks each frame in which they differ:
    ///
    /// ```text
    /// `searches` is not as expected:
    ///   expected: -----b--(c|)
    ///   recorded: ------b-(c|)
    ///                  ^^
    /// ```
    #[track_caller]
    pub fn assert_marbles(&self, expected: &str) {
        let expected = marbles(expected).events;
        let recorded = self.events();
        let recorded = line::as_str(&recorded);
        if recorded == expected {
            return;
        }
        let ([expected_text, recorded_text], places) = line::aligned([&expected, &recorded]);
        let marks: String = places
            .into_iter()
            .map(|(column, place)| {
                let events = [&expected, &recorded].map(|events| line::at(events, column.frame));
                let mark = if events[0] == events[1] { " " } else { "^" };
                mark.repeat(place.len())
            })
            .collect();
        panic!(
            "`{}` is not as expected:\n  expected: {expected_text}\n  recorded: {recorded_text}\n            {}",
            self.task().name(),
            marks.trim_end(),
        );
    }

    /// Returns a line of a [picture](crate::svg), with the name of the task. It begins in the frame
    /// in which the task was added.
    pub fn line(&self) -> Line {
        let name = self.task().name().to_owned();
        Line::new(name, self.start, line::as_str(&self.events()))
    }

    /// Returns the events with their frames. A time that was set back counts as standing still.
    fn events(&self) -> line::Events<String> {
        let mut latest = 0;
        let with_frame = |(time, event): &(_, Event<String>)| {
            latest = frame_of(*time).max(latest);
            (latest, event.clone())
        };
        self.collected.items().iter().map(with_frame).collect()
    }
}

/// Returns the frame that a moment is in.
pub(crate) fn frame_of(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Display for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events = self.events();
        f.pad(&line::aligned([&line::as_str(&events)]).0[0])
    }
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorded")
            .field("task", self.task())
            .field("marbles", &self.to_string())
            .finish_non_exhaustive()
    }
}

/// What happens to a stream, as a stream.
pub(crate) struct Recording<S>(Option<Pin<Box<S>>>);

impl<S> Recording<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self(Some(Box::pin(stream)))
    }
}

impl<S> Stream for Recording<S>
where
    S: Stream,
    S::Item: fmt::Display,
{
    type Item = Event<String>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event<String>>> {
        let Some(stream) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let polled = stream.as_mut().poll_next(cx);
            polled.map(|item| item.map(|item| item.to_string()))
        }));
        let event = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Some(label))) => return Poll::Ready(Some(Event::Item(label))),
            Ok(Poll::Ready(None)) => Event::End,
            Err(_) => Event::Panic,
        };
        self.0 = None;
        Poll::Ready(Some(event))
    }
}
