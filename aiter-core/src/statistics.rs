//! What push lists and forks tell a metrics scrape.

/// How a list stands, in items. Taken while others push and take, the figures may be a few items
/// apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Items pushed since the list was made. It wraps with the list's positions: after `usize::MAX
    /// / 4` items. On processors that exchange 32 bits at most, that of a [fixed
    /// list](crate::fixed) does so after half as many for each further reader of the first eight.
    pub pushed: usize,
    /// Items taken by the consumer that is furthest ahead.
    pub taken: usize,
    /// Items that no consumer has taken yet.
    pub waiting: usize,
    /// Items that the slowest consumer has still to take.
    pub lag: usize,
}
