//! The hand-off lock that the only handle keeps from one item to the next. It serves the requests
//! of the source's wakes later.

use super::script::Source;
use std::cell::Cell;

/// Tracks whether handles consider the source idle. A wake that comes while the lock is kept is
/// served when the lock is released, perhaps after a later poll that was pending. The source then
/// counts as woken.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// How many early wakes there had been when the lock was kept.
    since: Cell<Option<usize>>,
    /// Wakes were served after the source's last poll.
    served_late: Cell<bool>,
}

impl Kept {
    /// Returns whether the source's last poll was pending and no wake was served since.
    pub(super) fn is_idle(&self, source: &Source) -> bool {
        source.idle.get() && !self.served_late.get()
    }

    /// A handle has polled the source. It keeps the lock if it is the only one and got an item.
    pub(super) fn polled(&self, source: &Source, keeps: bool) {
        let early = source.woke_early.get();
        let since = self.since.take();
        let served_late = !keeps && since.is_some_and(|since| since < early);
        if served_late {
            source.version.set(source.version.get() + 1);
        }
        self.served_late.set(served_late);
        self.since.set(keeps.then(|| since.unwrap_or(early)));
    }

    /// Records that another handle, or a look, made it release the lock.
    pub(super) fn release(&self) {
        self.since.take();
    }
}
