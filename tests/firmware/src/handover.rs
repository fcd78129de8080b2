//! A cell for one value, which tasks and interrupts hand to each other.

use core::cell::Cell;
use critical_section::Mutex;

pub struct Handover<T>(Mutex<Cell<Option<T>>>);

impl<T> Handover<T> {
    pub const fn new() -> Self {
        Self(Mutex::new(Cell::new(None)))
    }

    pub fn put(&self, value: T) {
        critical_section::with(|cs| self.0.borrow(cs).set(Some(value)));
    }

    pub fn take(&self) -> Option<T> {
        critical_section::with(|cs| self.0.borrow(cs).take())
    }
}

impl<T> Default for Handover<T> {
    fn default() -> Self {
        Self::new()
    }
}
