//! Operators: functions that take a stream and return a stream, one per file.

#[cfg(feature = "alloc")]
mod batch;
mod caught;
mod debounce;
#[cfg(feature = "alloc")]
mod flatten;
#[cfg(feature = "alloc")]
mod iter;
#[cfg(feature = "alloc")]
mod map;
mod map_async;
#[cfg(feature = "alloc")]
mod map_filter;
mod rate_limit;
#[cfg(feature = "alloc")]
mod stop;
#[cfg(feature = "alloc")]
mod switch;
#[cfg(feature = "alloc")]
mod workers;
#[cfg(feature = "alloc")]
mod zip;

pub use debounce::{Debounce, debounce};
pub use map_async::{MapAsync, map_async};
pub use rate_limit::{RateLimit, RateLimited, rate_limit};

#[cfg(feature = "alloc")]
pub use self::{
    batch::{Batch, BatchWithin, batch, batch_within},
    flatten::{FlattenAiter, flatten_aiter},
    iter::{IterToAiter, iter_to_aiter},
    map::{MapAiter, map_aiter},
    map_filter::{MapFilterAiter, map_filter_aiter},
    stop::{Stoppable, Stopper, StopperStopped, stoppable_aiter},
    switch::{SwitchAiter, switch_aiter},
    workers::{
        MapWorkers, MapWorkersBy, MapWorkersOrdered, map_workers, map_workers_by,
        map_workers_ordered,
    },
    zip::{Azip, ZipStreams, azip},
};
