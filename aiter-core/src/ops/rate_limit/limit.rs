//! [`RateLimit`]: how many items may pass, and in what time.

use core::time::Duration;

/// A limit for [`rate_limit`](crate::rate_limit): at most `n` items per `per`, with bursts.
///
/// It is a plain value: it can be a constant, and any number of streams can use it. Each of them
/// has its own token bucket.
///
/// # Example
/// ```
/// use aiter_core::RateLimit;
/// use std::time::Duration;
///
/// /// Ten requests a second, also all ten at once.
/// const PER_CLIENT: RateLimit = RateLimit::new(10, Duration::from_secs(1));
/// /// The same rate, spread evenly: a request each 100 ms.
/// const EVENLY: RateLimit = PER_CLIENT.burst(1);
///
/// assert_ne!(PER_CLIENT, EVENLY);
/// assert_eq!(PER_CLIENT, EVENLY.burst(10));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RateLimit {
    pub(super) n: usize,
    pub(super) per: Duration,
    pub(super) burst: usize,
}

impl RateLimit {
    /// Makes a limit of `n` items per `per`. The burst is `n` too: all of them may pass at once
    /// after a pause.
    ///
    /// `usize::MAX` and [`Duration::MAX`] are values like any other.
    ///
    /// # Panics
    /// At the caller's line if `n` is 0 or `per` is zero.
    #[track_caller]
    pub const fn new(n: usize, per: Duration) -> Self {
        assert!(n > 0, "RateLimit::new: n must be at least 1");
        assert!(!per.is_zero(), "RateLimit::new: per must not be zero");
        Self { n, per, burst: n }
    }

    /// Returns a limit with the same rate and a burst of `b`, which is the number of items that may
    /// pass at once after a pause, and when the stream starts. With a burst of 1, items are at
    /// least `per / n` apart.
    ///
    /// # Panics
    /// At the caller's line if `b` is 0.
    #[track_caller]
    #[must_use = "this returns another limit"]
    pub const fn burst(self, b: usize) -> Self {
        assert!(b > 0, "RateLimit::burst: b must be at least 1");
        Self { burst: b, ..self }
    }
}
