//! Wake sources to be woken once a lock is released.

use super::notify::WakeSource;
use alloc::collections::VecDeque;
use scopeguard::ScopeGuard;

/// How many wake sources fit in without an allocation.
const INLINE: usize = 8;

/// Wake sources that are woken, in order, when the list is dropped. If a waker panics, the others
/// are woken all the same.
pub(crate) struct WakeList<T> {
    first: [Option<WakeSource<T>>; INLINE],
    len: usize,
    woken: usize,
    rest: VecDeque<WakeSource<T>>,
}

impl<T> Default for WakeList<T> {
    fn default() -> Self {
        Self {
            first: [const { None }; INLINE],
            len: 0,
            woken: 0,
            rest: VecDeque::new(),
        }
    }
}

impl<T> Extend<WakeSource<T>> for WakeList<T> {
    fn extend<I: IntoIterator<Item = WakeSource<T>>>(&mut self, wake_sources: I) {
        for wake_source in wake_sources {
            match self.first.get_mut(self.len) {
                Some(slot) => {
                    *slot = Some(wake_source);
                    self.len += 1;
                }
                None => self.rest.push_back(wake_source),
            }
        }
    }
}

impl<T> WakeList<T> {
    fn next(&mut self) -> Option<WakeSource<T>> {
        if self.woken == self.len {
            return self.rest.pop_front();
        }
        self.woken += 1;
        self.first[self.woken - 1].take()
    }

    fn wake_all(&mut self) {
        while let Some(wake_source) = self.next() {
            let others = scopeguard::guard(&mut *self, |list| list.wake_all());
            wake_source.wake();
            drop(wake_source);
            ScopeGuard::into_inner(others);
        }
    }
}

impl<T> Drop for WakeList<T> {
    fn drop(&mut self) {
        self.wake_all();
    }
}
