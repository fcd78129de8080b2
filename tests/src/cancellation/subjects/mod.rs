//! Everything in core that waits, by families.

mod control;
mod drive;
mod fixed;
mod forks;
mod hubs;
mod lists;
mod operators;

use super::{
    harness::{Item, Source, pause},
    setup::Subject,
};
use aiter_core::{
    bound::Seen, flatten_aiter, iter_to_aiter, map_aiter, map_async, map_filter_aiter,
};
use futures_core::Stream;

/// The subjects of all families.
pub fn all() -> Vec<Subject> {
    [
        lists::SUBJECTS,
        hubs::SUBJECTS,
        fixed::SUBJECTS,
        forks::SUBJECTS,
        control::SUBJECTS,
        drive::SUBJECTS,
        operators::SUBJECTS,
    ]
    .concat()
}

/// A future that is pending once or twice.
pub async fn slowly(item: Item) -> Item {
    for _ in 0..=item.number() % 2 {
        pause().await;
    }
    item
}

/// Three streams that have all items between them.
pub fn thirds() -> impl Stream<Item: Stream<Item = Item> + Send + Unpin + 'static> + Send + 'static
{
    iter_to_aiter([0, 1, 2].map(|part| {
        map_filter_aiter(
            move |item: Item| (item.number() % 3 == part).then_some(item),
            Source::new(),
        )
    }))
}

/// A reader that yields an item for each one missed, and then one more.
fn accounted(
    reader: impl Stream<Item = Seen<Item>> + Unpin + Send + 'static,
) -> impl Stream<Item = Item> + Unpin + Send + 'static {
    flatten_aiter(map_aiter(
        |Seen { missed, item }: Seen<Item>| {
            let seen = item.number();
            (seen - missed as u32..=seen).map(move |number| item.beside(number))
        },
        reader,
    ))
}

/// A stream of the items that exist already, with a pause before each item.
trait ThenPause: Stream<Item = Item> + Sized + Send + 'static {
    fn then_pause(self) -> impl Stream<Item = Item> + Send + 'static {
        map_async(
            |item| async move {
                pause().await;
                item
            },
            self,
        )
    }
}

impl<S: Stream<Item = Item> + Send + 'static> ThenPause for S {}
