//! The moment from which the clocks of the adapters count.

use crate::sync::OnceBox;
use core::time::Duration;
use std::time::Instant;

/// From the epoch to the first call in this process.
const LEAD: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Returns the time from the epoch to `instant`. The epoch lies a century before the first call in
/// this process.
///
/// The century leaves room for instants before the first call. Tokio shows such instants in a
/// runtime whose time was paused before that, but none before the start of the process.
pub fn since_epoch(instant: Instant) -> Duration {
    static FIRST_CALL: OnceBox<Instant> = OnceBox::new();
    let first_call = *FIRST_CALL.get_or_make(Instant::now);
    // One of the two differences is zero.
    LEAD.saturating_add(instant.saturating_duration_since(first_call))
        .saturating_sub(first_call.saturating_duration_since(instant))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_keep_their_distance_on_both_sides_of_the_first_call() {
        let now = Instant::now();
        let before = since_epoch(now);
        let hour = Duration::from_secs(3600);
        assert_eq!(since_epoch(now + hour), before + hour);
        assert_eq!(since_epoch(now - hour), before - hour);
        assert_eq!(since_epoch(now), before);
    }
}
