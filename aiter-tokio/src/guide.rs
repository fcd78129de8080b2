// The user's guide: the pages of `docs/guide`, for reading only.
//
// Links from page to page are files in the repository and modules here. `links.md` comes before
// each page, and Markdown takes the first definition of a link. The pictures are copies of those of
// core, which are not in the documentation of a crate that inlines the items of core.
#![doc = include_str!("../docs/guide/links.md")]
#![doc = include_str!("../docs/guide/README.md")]

#[doc = include_str!("../docs/guide/links.md")]
#[doc = include_str!("../docs/guide/growing.md")]
///
/// ## In the reference
///
/// [`push_aiter`](crate::push_aiter), [`push_aiter_bounded`](crate::push_aiter_bounded),
/// [`map_workers_by`](crate::map_workers_by), [`aiter_forker_with`](crate::aiter_forker_with),
/// [`Fork::hub`](crate::Fork::hub), [`batch_within`](crate::batch_within()),
/// [`Stopper`](crate::Stopper)
pub mod growing {}

#[doc = include_str!("../docs/guide/links.md")]
#[doc = include_str!("../docs/guide/bounds.md")]
///
/// ## In pictures
///
#[doc = include_str!("../docs/pictures/fork_wait.svg")]
#[doc = include_str!("../docs/pictures/fork_skip.svg")]
#[doc = include_str!("../docs/pictures/retain.svg")]
///
/// ## In the reference
///
/// [`bound`](crate::bound), [`aiter_forker_with`](crate::aiter_forker_with),
/// [`push_aiter_bounded`](crate::push_aiter_bounded), [`push_hub`](crate::push_hub)
pub mod bounds {}

#[doc = include_str!("../docs/guide/links.md")]
#[doc = include_str!("../docs/guide/lossy.md")]
///
/// ## In the reference
///
/// [`Fork::fork_with`](crate::Fork::fork_with),
/// [`Fork::fork_passive_with`](crate::Fork::fork_passive_with),
/// [`Hub::subscribe_with`](crate::Hub::subscribe_with),
/// [`PushHub::subscribe_with`](crate::PushHub::subscribe_with), [`Seen`](crate::bound::Seen)
pub mod lossy {}

#[doc = include_str!("../docs/guide/links.md")]
#[doc = include_str!("../docs/guide/sharing.md")]
///
/// ## In pictures
///
#[doc = include_str!("../docs/pictures/share.svg")]
#[doc = include_str!("../docs/pictures/map_workers_by.svg")]
#[doc = include_str!("../docs/pictures/split_by.svg")]
///
/// ## In the reference
///
/// [`sharable_aiter`](crate::sharable_aiter), [`map_workers`](crate::map_workers()),
/// [`map_workers_ordered`](crate::map_workers_ordered()),
/// [`map_workers_by`](crate::map_workers_by), [`split_by`](crate::split_by)
pub mod sharing {}

#[doc = include_str!("../docs/guide/links.md")]
#[doc = include_str!("../docs/guide/gates.md")]
///
/// ## In pictures
///
#[doc = include_str!("../docs/pictures/gate.svg")]
#[doc = include_str!("../docs/pictures/rate_limit.svg")]
#[doc = include_str!("../docs/pictures/debounce.svg")]
#[doc = include_str!("../docs/pictures/batch_within.svg")]
///
/// ## In the reference
///
/// [`gated_aiter`](crate::gated_aiter), [`Gate`](crate::Gate), [`rate_limit`](crate::rate_limit()),
/// [`RateLimit`](crate::RateLimit), [`debounce`](crate::debounce()),
/// [`batch_within`](crate::batch_within())
pub mod gates {}

#[doc = include_str!("../docs/guide/links.md")]
#[doc = include_str!("../docs/guide/eager.md")]
///
/// ## In pictures
///
#[doc = include_str!("../docs/pictures/preload.svg")]
#[doc = include_str!("../docs/pictures/active.svg")]
///
/// ## In the reference
///
/// [`preload_aiter`](crate::preload_aiter), [`preload_aiter_with`](crate::preload_aiter_with),
/// [`active_aiter`](crate::active_aiter), [`Driver`](crate::Driver)
pub mod eager {}

#[doc = include_str!("../docs/guide/links.md")]
#[doc = include_str!("../docs/guide/joining.md")]
///
/// ## In pictures
///
#[doc = include_str!("../docs/pictures/join.svg")]
#[doc = include_str!("../docs/pictures/switch.svg")]
///
/// ## In the reference
///
/// [`join_aiters`](crate::join_aiters()), [`join_aiters_buffered`](crate::join_aiters_buffered),
/// [`join_aiters_keyed`](crate::join_aiters_keyed),
/// [`join_aiters_limited`](crate::join_aiters_limited), [`switch_aiter`](crate::switch_aiter),
/// [`azip`](crate::azip)
pub mod joining {}

#[doc = include_str!("../docs/guide/links.md")]
#[doc = include_str!("../docs/guide/cancellation.md")]
///
/// ## In the reference
///
/// [`BoundedPusher::reserve`](crate::BoundedPusher::reserve),
/// [`PushAiter::next_many`](crate::PushAiter::next_many), [`pump`](crate::pump)
pub mod cancellation {}

#[doc = include_str!("../docs/guide/links.md")]
#[doc = include_str!("../docs/guide/errors.md")]
///
/// ## In the reference
///
/// [`pump`](crate::pump), [`Stopped`](crate::Stopped), [`PushError`](crate::PushError),
/// [`aiter_forker`](crate::aiter_forker)
pub mod errors {}

#[doc = include_str!("../docs/guide/links.md")]
#[doc = include_str!("../docs/guide/shutdown.md")]
///
/// ## In the reference
///
/// [`Stopper`](crate::Stopper), [`Pusher::stop`](crate::Pusher::stop),
/// [`Pusher::stopped`](crate::Pusher::stopped), [`Gate::stop`](crate::Gate::stop),
/// [`net`](crate::net)
pub mod shutdown {}

#[doc = include_str!("../docs/guide/links.md")]
#[doc = include_str!("../docs/guide/memory.md")]
///
/// ## In the reference
///
/// [`Statistics`](crate::Statistics), [`Fork::statistics`](crate::Fork::statistics),
/// [`Pusher::downgrade`](crate::Pusher::downgrade), [`bound`](crate::bound)
pub mod memory {}

#[doc = include_str!("../docs/guide/links.md")]
#[doc = include_str!("../docs/guide/testing.md")]
///
/// ## In the reference
///
/// [`Timer`](crate::Timer), [`Sleep`](crate::Sleep), [`Clock`](crate::Clock)
pub mod testing {}

#[doc = include_str!("../docs/guide/links.md")]
#[doc = include_str!("../docs/guide/runtimes.md")]
///
/// ## In the reference
///
/// [`active_aiter_on`](crate::active_aiter_on), [`Local`](crate::Local),
/// [`aiter_to_iter`](crate::aiter_to_iter), [`aiter_to_iter_on`](crate::aiter_to_iter_on),
/// [`Driver`](crate::Driver)
pub mod runtimes {}

#[doc = include_str!("../docs/guide/links.md")]
#[doc = include_str!("../docs/guide/no_std.md")]
///
/// ## In the reference
///
/// [`fixed::PushList`](crate::fixed::PushList), [`Sleep`](crate::Sleep), [`Clock`](crate::Clock)
pub mod no_std {}

#[doc = include_str!("../docs/guide/links.md")]
#[doc = include_str!("../docs/guide/machines.md")]
pub mod machines {}
