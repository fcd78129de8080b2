//! [`map_filter_aiter`]: applies a function that turns each item into none, one or many.

use super::{
    flatten::{FlattenAiter, flatten_aiter},
    map::{MapAiter, map_aiter},
};
use futures_core::Stream;

/// The stream that [`map_filter_aiter`] returns.
pub type MapFilterAiter<S, F> = FlattenAiter<MapAiter<S, F>>;

/// Yields the items of `f(item)` for each item of `stream`: return an `Option` to filter, and a
/// `Vec` or another collection to flatten.
///
/// It is [`flatten_aiter`] applied to [`map_aiter`], so it yields to the executor after as many
/// empty results in a row.
///
/// # Panics
/// A panic of `f` reaches the caller of `poll_next`. That item is lost, and the next poll continues
/// with the next item. For panics of iterators see [`flatten_aiter`].
///
/// # Cancel safety
/// Cancel safe: the stream keeps the current result.
///
/// # Progress
/// Waits only for the source.
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

#[cfg(all(test, not(aiter_loom)))]
mod tests {
    use super::*;
    use crate::{
        ops::{flatten::EMPTY_RUN, iter_to_aiter},
        test_support::*,
    };
    use core::task::Poll;

    #[test]
    fn yields_to_the_executor_in_a_long_run_of_empties() {
        let mut asked = 0;
        let mut stream = map_filter_aiter(
            |n| {
                asked += 1;
                (n == 3 * EMPTY_RUN).then_some(n)
            },
            iter_to_aiter(1..),
        );
        let (wakes, waker) = Wakes::new();
        // Each of these polls ends with an empty result, so the fourth one finds an item at once.
        for turn in 1..=3 {
            assert_eq!(poll(&mut stream, &waker), Poll::Pending);
            assert_eq!(wakes.count(), turn);
        }
        assert_eq!(poll(&mut stream, &waker), Poll::Ready(Some(3 * EMPTY_RUN)));
        assert_eq!(wakes.count(), 3);
        drop(stream);
        assert_eq!(asked, 3 * EMPTY_RUN);
    }

    #[test]
    fn continues_after_the_panic_of_an_iterator() {
        let step = |n| if n == 2 { panic!("iterator") } else { n };
        let mut stream = map_filter_aiter(
            |list: [u32; 3]| list.into_iter().map(step),
            iter_to_aiter([[1, 2, 3]]),
        );
        assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(1)));
        assert_eq!(panic_of(|| poll_noop(&mut stream)), "iterator");
        assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(3)));
        assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
    }

    #[test]
    fn continues_after_a_panic_of_the_function_or_of_into_iter() {
        struct Bad(u32);
        impl IntoIterator for Bad {
            type Item = u32;
            type IntoIter = core::iter::Once<u32>;
            fn into_iter(self) -> Self::IntoIter {
                assert!(self.0 != 2, "into_iter");
                core::iter::once(self.0)
            }
        }
        let f = |n| if n == 1 { panic!("f") } else { Bad(n) };
        let mut stream = map_filter_aiter(f, iter_to_aiter([1, 2, 3]));
        assert_eq!(panic_of(|| poll_noop(&mut stream)), "f");
        assert_eq!(panic_of(|| poll_noop(&mut stream)), "into_iter");
        assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(3)));
        assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
    }
}
