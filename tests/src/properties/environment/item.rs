//! Items and sources that are counted.

use super::{Site, spring};
use std::cell::{Cell, RefCell};

#[derive(Default)]
struct Table {
    /// How many of each item are alive.
    items: RefCell<Vec<usize>>,
    clones: Cell<usize>,
    sources: Cell<usize>,
}

thread_local! {
    static TABLE: Table = Table::default();
}

fn table<R>(look: impl FnOnce(&Table) -> R) -> R {
    TABLE.with(look)
}

pub(super) fn begin() {
    table(|table| {
        table.items.borrow_mut().clear();
        table.clones.set(0);
        table.sources.set(0);
    });
}

pub(super) fn assert_none() {
    table(|table| {
        assert!(
            table.items.borrow().iter().all(|alive| *alive == 0),
            "an item is kept"
        );
        assert_eq!(table.sources.get(), 0, "a source is kept");
    });
}

/// An item that is counted.
#[derive(Debug)]
pub(in super::super) struct Item(usize);

impl Item {
    pub(in super::super) fn new() -> Self {
        table(|table| {
            let mut items = table.items.borrow_mut();
            items.push(1);
            Self(items.len() - 1)
        })
    }

    pub(in super::super) fn id(&self) -> usize {
        self.0
    }
}

impl Clone for Item {
    fn clone(&self) -> Self {
        spring(Site::Clone, None);
        table(|table| {
            table.clones.set(table.clones.get() + 1);
            table.items.borrow_mut()[self.0] += 1;
        });
        Self(self.0)
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        table(|table| {
            let alive = &mut table.items.borrow_mut()[self.0];
            *alive = alive.checked_sub(1).expect("an item is dropped once");
        });
        spring(Site::Drop, None);
    }
}

/// Returns how many of this item are alive.
pub(in super::super) fn alive(item: usize) -> usize {
    table(|table| table.items.borrow()[item])
}

/// Returns how many items are alive.
pub(in super::super) fn all_alive() -> usize {
    table(|table| table.items.borrow().iter().sum())
}

/// Returns how many clones of items were made.
pub(in super::super) fn clones() -> usize {
    table(|table| table.clones.get())
}

/// Counts the sources that are alive.
#[derive(Debug)]
pub(in super::super) struct CountsSource;

impl CountsSource {
    pub(in super::super) fn new() -> Self {
        table(|table| table.sources.set(table.sources.get() + 1));
        Self
    }
}

impl Drop for CountsSource {
    fn drop(&mut self) {
        table(|table| table.sources.set(table.sources.get() - 1));
    }
}
