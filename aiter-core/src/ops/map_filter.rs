//! `map_filter_aiter`: a function from one item to none, one or many.

use crate::{FlattenAiter, MapAiter, flatten_aiter, map_aiter};
use futures_core::Stream;

/// The stream [`map_filter_aiter`] returns.
pub type MapFilterAiter<S, F> = FlattenAiter<MapAiter<S, F>>;

/// The items of `f(item)` for each item of `stream`: an `Option` filters, a `Vec` or any other collection flattens.
///
/// It is [`flatten_aiter`] over [`map_aiter`], and as long a run of empty results yields to the executor.
///
/// # Panics
/// A panic in `f` reaches whoever polls, and the item is gone with it; the next poll goes on with the next item. The
/// panics of iterators are those of [`flatten_aiter`].
///
/// # Cancel safety
/// Cancel safe: the result under way is kept in the stream.
///
/// # Progress
/// Never waits for anything but the source.
///
/// ```
/// use futures_lite::{StreamExt, future::block_on};
///
/// let words = aiter_core::iter_to_aiter(["1", "x", "3"]);
/// let numbers = aiter_core::map_filter_aiter(|word| word.parse::<u32>(), words);
/// assert_eq!(block_on(numbers.collect::<Vec<_>>()), [1, 3]);
/// ```
pub fn map_filter_aiter<S, F, I>(f: F, stream: S) -> MapFilterAiter<S, F>
where
    S: Stream,
    F: FnMut(S::Item) -> I,
    I: IntoIterator,
{
    flatten_aiter(map_aiter(f, stream))
}
