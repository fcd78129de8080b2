//! The baton that the only handle keeps in hand from one item to the next: what the source's wakes set off waits meanwhile.

use super::script::Source;
use std::cell::Cell;

/// Knows whether handles take the source for idle. A wake that came while the baton was kept is heard of when it is put
/// down, perhaps after a later poll that was pending: the source counts as woken then.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// How many early wakes there had been when it was kept.
    since: Cell<Option<usize>>,
    /// Wakes were heard of after the source's last poll.
    heard_late: Cell<bool>,
}

impl Kept {
    /// Whether the source's last poll was pending, and no wake has been heard of since.
    pub(super) fn is_idle(&self, source: &Source) -> bool {
        source.idle.get() && !self.heard_late.get()
    }

    /// A handle has polled the source, and `keeps` the baton if it is the only one and has got an item.
    pub(super) fn polled(&self, source: &Source, keeps: bool) {
        let early = source.woke_early.get();
        let since = self.since.take();
        let heard_late = !keeps && since.is_some_and(|since| since < early);
        if heard_late {
            source.news.set(source.news.get() + 1);
        }
        self.heard_late.set(heard_late);
        self.since.set(keeps.then(|| since.unwrap_or(early)));
    }

    /// For another handle, or for a look.
    pub(super) fn put_down(&self) {
        self.since.take();
    }
}
