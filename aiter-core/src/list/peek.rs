//! A look at the items that are there, which takes none.

use super::block::{Block, Found, Head, Next};
use core::{marker::PhantomData, ptr::NonNull};

/// A second look from a reader's place on, which sees items without taking any.
pub(crate) struct Peek<'a, T> {
    block: NonNull<Head<T>>,
    at: usize,
    end: usize,
    _reader: PhantomData<&'a T>,
}

// SAFETY: a peek is a borrow of items, as `&T` is, kept by the borrowed reader.
unsafe impl<T: Sync> Send for Peek<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Peek<'_, T> {}

impl<T> Clone for Peek<'_, T> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<'a, T> Peek<'a, T> {
    /// From a place that a reader keeps, as long as that is borrowed.
    pub(super) fn new(block: NonNull<Head<T>>, at: usize) -> Self {
        Self {
            block,
            at,
            end: at,
            _reader: PhantomData,
        }
    }

    /// Goes on to the next run of items.
    fn look(&mut self) -> Found {
        loop {
            if self.at == Block::<T>::LEN {
                // SAFETY: the borrowed reader keeps its block and all that follow.
                match unsafe { self.block.as_ref() }.next() {
                    Next::None => return Found::Empty,
                    Next::Ended => return Found::Ended,
                    Next::Block(next) => {
                        (self.block, self.at, self.end) = (next.cast(), 0, 0);
                    }
                }
            }
            match self.block().find(self.at) {
                Found::Taken => {
                    self.at += 1;
                    self.end = self.at;
                }
                Found::Items(end) => {
                    self.end = end;
                    return Found::Items(end);
                }
                found => return found,
            }
        }
    }

    fn block(&self) -> &Block<T> {
        // SAFETY: as in `look`; and with `at` below its length, it is not the root.
        unsafe { self.block.cast::<Block<T>>().as_ref() }
    }

    /// Whether nothing is left for now: neither an item nor the end.
    pub(crate) fn at_tail(mut self) -> bool {
        matches!(self.look(), Found::Empty)
    }

    /// Whether nothing is left but the end.
    pub(crate) fn at_end(mut self) -> bool {
        matches!(self.look(), Found::Ended)
    }

    /// Counts the items that are there, and stops at `limit`.
    pub(crate) fn count_to(mut self, limit: usize) -> usize {
        let mut count = 0;
        while count < limit && matches!(self.look(), Found::Items(_)) {
            count += self.end - self.at;
            self.at = self.end;
        }
        count.min(limit)
    }
}

impl<'a, T> Iterator for Peek<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        if self.at == self.end && !matches!(self.look(), Found::Items(_)) {
            return None;
        }
        let slot = self.at;
        self.at += 1;
        // SAFETY: published and held; items from the borrowed reader's place on are moved out by nobody.
        Some(unsafe { Block::item(self.block.cast(), slot) })
    }

    fn count(self) -> usize {
        let taken = self.end - self.at;
        let rest = Peek {
            at: self.end,
            ..self
        };
        taken + rest.count_to(usize::MAX)
    }
}
