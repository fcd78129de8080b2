//! [`HubBound`]: what a hub and its readers can have as their bound.

use super::{SkipAiter, parts::Core};
use crate::{
    fork::bound::{Retain, Skip, Unbounded},
    push::PushAiter,
};

/// A bound that a [hub](crate::push_hub) and its readers can have:
/// [`unbounded()`](crate::bound::unbounded) or [`skip(n)`](crate::bound::skip), each also with
/// `retain`. Cannot be implemented outside this crate.
#[allow(private_bounds, reason = "seals the trait")]
#[diagnostic::on_unimplemented(
    message = "a push hub cannot have the bound `{Self}`",
    label = "not a bound for push hubs",
    note = "`wait(n)` would have pushes wait, and a push into a hub never waits",
    note = "use `unbounded()` or `skip(n)`; `push_aiter_bounded(n)` has pushes that wait"
)]
pub trait HubBound: MakeReader {}

/// The readers of a hub with a [`HubBound`].
pub trait HubReader {
    /// [`PushAiter`], or [`SkipAiter`] if readers may miss items.
    type Reader<T>;
}

pub(super) trait MakeReader: HubReader {
    /// How many items the hub retains.
    fn retains(&self) -> usize {
        0
    }

    /// A reader that starts with the last `items` that are retained.
    fn reader<T: Clone + Sync>(&self, core: &Core<T>, items: usize) -> Self::Reader<T>;
}

impl HubBound for Unbounded {}
impl HubBound for Skip {}
impl HubBound for Retain<Unbounded> {}
impl HubBound for Retain<Skip> {}

impl HubReader for Unbounded {
    type Reader<T> = PushAiter<T>;
}

impl HubReader for Skip {
    type Reader<T> = SkipAiter<T>;
}

impl<B: HubReader> HubReader for Retain<B> {
    type Reader<T> = B::Reader<T>;
}

impl MakeReader for Unbounded {
    fn reader<T: Clone + Sync>(&self, core: &Core<T>, items: usize) -> PushAiter<T> {
        core.lossless(items)
    }
}

impl MakeReader for Skip {
    fn reader<T: Clone + Sync>(&self, core: &Core<T>, items: usize) -> SkipAiter<T> {
        core.lossy(items, self.0)
    }
}

impl<B: MakeReader> MakeReader for Retain<B> {
    fn retains(&self) -> usize {
        self.items
    }

    fn reader<T: Clone + Sync>(&self, core: &Core<T>, items: usize) -> Self::Reader<T> {
        self.bound.reader(core, items)
    }
}
