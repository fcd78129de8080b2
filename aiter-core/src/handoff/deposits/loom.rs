//! A model of values that are left while others are taken.

use super::Deposits;
use crate::test_support::loom::model;
use ::loom::{sync::Arc, thread};
use alloc::{boxed::Box, vec::Vec};

/// Loom reports a box that is leaked, and one that is read without having been handed over.
#[test]
fn each_value_is_taken_once_or_dropped_with_the_rest() {
    model(|| {
        let deposits = Arc::new(Deposits::new());
        let others = [1, 2].map(|value| {
            let deposits = deposits.clone();
            thread::spawn(move || {
                deposits.push(Box::new(value));
                let mut taken = deposits.take_all();
                // The rest is dropped.
                taken.next().map(|value| *value)
            })
        });
        deposits.push(Box::new(3));
        let mine: Vec<_> = deposits.take_all().map(|value| *value).collect();
        assert!(mine.len() <= 3);
        for other in others {
            let theirs = other.join().unwrap();
            assert!(theirs.is_none_or(|value| !mine.contains(&value)));
        }
        assert!(deposits.is_empty());
    });
}
