//! `unbounded()`: a fork's place is a reader of the list.

use super::{
    bound::{Bound, MakePlace, Unbounded, Yields, unbounded},
    lossless::Lossless,
    place::{Parent, SourceRef},
};
use crate::list::Reader;

impl Bound for Unbounded {}

impl Yields for Unbounded {
    type Item<T> = T;
}

impl MakePlace for Unbounded {
    type Place<T> = Lossless<T>;

    fn first_place<T>(self, reader: Reader<T>, _: SourceRef<'_, T>) -> Lossless<T> {
        Lossless::new(reader)
    }

    fn place_at<T: Clone + Sync>(self, parent: Parent<'_, T>, _: SourceRef<'_, T>) -> Lossless<T> {
        Lossless::at(parent)
    }

    fn of_place<T>(_: &Lossless<T>) -> Self {
        unbounded()
    }
}
