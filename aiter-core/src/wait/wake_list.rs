//! Alarms to ring when everything has been let go of.

use super::notify::Alarm;
use alloc::collections::VecDeque;
use core::mem;

/// How many alarms there is room for without an allocation.
const INLINE: usize = 8;

/// Alarms that ring, in order, when the batch is dropped. If a waker panics the others ring all the same.
pub(crate) struct Batch<T> {
    first: [Option<Alarm<T>>; INLINE],
    len: usize,
    rung: usize,
    rest: VecDeque<Alarm<T>>,
}

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Self {
            first: [const { None }; INLINE],
            len: 0,
            rung: 0,
            rest: VecDeque::new(),
        }
    }
}

impl<T> Extend<Alarm<T>> for Batch<T> {
    fn extend<I: IntoIterator<Item = Alarm<T>>>(&mut self, alarms: I) {
        for alarm in alarms {
            match self.first.get_mut(self.len) {
                Some(slot) => {
                    *slot = Some(alarm);
                    self.len += 1;
                }
                None => self.rest.push_back(alarm),
            }
        }
    }
}

impl<T> Batch<T> {
    fn next(&mut self) -> Option<Alarm<T>> {
        if self.rung == self.len {
            return self.rest.pop_front();
        }
        self.rung += 1;
        self.first[self.rung - 1].take()
    }

    fn ring(&mut self) {
        while let Some(alarm) = self.next() {
            let others = Others(self);
            alarm.wake();
            drop(alarm);
            mem::forget(others);
        }
    }
}

impl<T> Drop for Batch<T> {
    fn drop(&mut self) {
        self.ring();
    }
}

/// Rings the rest if one panics.
struct Others<'a, T>(&'a mut Batch<T>);

impl<T> Drop for Others<'_, T> {
    fn drop(&mut self) {
        self.0.ring();
    }
}
