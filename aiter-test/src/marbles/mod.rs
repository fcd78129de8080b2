//! Marbles: a stream in time, written as a line of text.

mod line;
mod parse;
mod played;
mod recorded;
mod svg;

use crate::VirtualTime;
use line::Events;
use parse::parse;
pub use played::Played;
pub use recorded::Recorded;
pub(crate) use recorded::{Recording, frame_of};
use std::{fmt, time::Duration};
pub use svg::{Line, svg};

/// Something that happens to a stream in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event<L> {
    Item(L),
    End,
    Panic,
}

impl<L: AsRef<str>> Event<L> {
    fn as_str(&self) -> Event<&str> {
        match self {
            Self::Item(label) => Event::Item(label.as_ref()),
            Self::End => Event::End,
            Self::Panic => Event::Panic,
        }
    }
}

/// Returns the first moment of a frame. A frame takes one millisecond.
const fn start_of(frame: u64) -> Duration {
    Duration::from_millis(frame)
}

/// Reads a line of *marbles*: the items of a stream, and when they come.
///
/// Such a line describes a source, which [`Marbles::play`] makes of it, and what a test expects,
/// with [`Recorded::assert_marbles`]. The syntax is that of RxJS's marble tests, except that a
/// group takes one frame:
///
/// | text | what happens |
/// |---|---|
/// | `-` | nothing for one frame, which is one millisecond |
/// | `a` | an item, in a frame of its own; any character that is not in this table |
/// | `'abc'` | an item with several characters, or with one from this table; it may not contain `'` |
/// | `\|` | the end of the stream, in a frame of its own |
/// | `#` | a panic of the stream, in a frame of its own |
/// | `(ab\|)` | several of these in one frame |
/// | `10ms`, `3s`, `2m` | nothing for that time; with a space, or an end of the text, on both sides |
/// | a space | nothing; spaces align lines under each other |
///
/// Nothing but spaces follows an end or a panic. A line without them is that of a stream that
/// stays open; dashes at its end say nothing.
///
/// # Example
///
/// A search that starts when the user has stopped typing:
///
/// ```
/// use aiter_core::debounce;
/// use aiter_test::{Executor, marbles};
/// use std::time::Duration;
///
/// let mut executor = Executor::new();
/// let time = executor.time();
/// let keys = marbles("a-b-----c|").play(&time);
/// let searches = executor.record("searches", debounce(Duration::from_millis(4), time, keys));
/// executor.run();
/// searches.assert_marbles("------b--(c|)");
/// ```
///
/// # Panics
///
/// Panics at the caller's line if the text does not follow the table, or the time is too long for
/// milliseconds in a `u64`. The message marks the place.
#[track_caller]
pub fn marbles(text: &str) -> Marbles<'_> {
    match parse(text) {
        Ok(events) => Marbles { events },
        Err(mistake) => panic!("marbles: {mistake}"),
    }
}

/// A line of marbles, which [`marbles`] has read. Two of them are equal if the same happens in the
/// same frames.
#[derive(Clone, PartialEq, Eq)]
pub struct Marbles<'a> {
    events: Events<&'a str>,
}

impl<'a> Marbles<'a> {
    /// Makes a stream of these items, which begins now.
    ///
    /// An item is ready from its frame on: one that nobody takes then comes when it is asked for,
    /// and those after it do not come later for that. Where the line has an end, the stream ends;
    /// where it has `#`, it panics; without either, it waits for ever after its last item, and a
    /// test runs it with [`Executor::run_for`](crate::Executor::run_for).
    ///
    /// # Cancel safety
    ///
    /// A future that waits for the next item may be dropped at any point: the item is kept.
    pub fn play(&self, time: &VirtualTime) -> Played<'a> {
        Played::new(self.events.clone(), time.clone())
    }

    /// Returns a line of a [picture](svg) with this name.
    pub fn line(&self, name: impl Into<String>) -> Line {
        Line::new(name.into(), 0, line::as_str(&self.events))
    }
}

impl fmt::Display for Marbles<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&line::aligned([&self.events]).0[0])
    }
}

impl fmt::Debug for Marbles<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Marbles").field(&self.to_string()).finish()
    }
}

#[cfg(test)]
mod tests;
