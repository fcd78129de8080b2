//! The operations on a push list, and how they decode from the bytes of a step.

use super::super::environment::{self, Item, Site, Trap};
use arbitrary::{Arbitrary, Unstructured};

/// What an iterator reports as its length.
#[derive(Clone, Copy, Debug)]
pub(in super::super) enum SizeHint {
    Nothing,
    AtMost(usize),
    Exactly(usize),
}

/// The iterator of a batch: it yields this many items, and then ends or panics.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Batch {
    pub(super) yields: usize,
    pub(super) size_hint: SizeHint,
    pub(super) panics: bool,
}

/// Mostly few items; sometimes more than a word or a block has, whose size depends on the target.
fn burst(u: &mut Unstructured<'_>) -> arbitrary::Result<usize> {
    Ok(match u.arbitrary()? {
        n @ 0..=191_u8 => usize::from(n % 5),
        n => 5 + 2 * usize::from(n - 192),
    })
}

impl<'a> Arbitrary<'a> for Batch {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let yields = burst(u)?;
        let kind: u8 = u.int_in_range(0..=14)?;
        Ok(Self {
            yields,
            size_hint: match kind % 5 {
                0 => SizeHint::Nothing,
                1 => SizeHint::AtMost(yields + 1),
                2 => SizeHint::Exactly(yields / 2),
                3 => SizeHint::Exactly(2 * yields + 1),
                _ => SizeHint::Exactly(yields),
            },
            panics: kind >= 10,
        })
    }
}

pub(super) struct BatchIter {
    pub(super) batch: Batch,
    pub(super) items: std::vec::IntoIter<Item>,
}

impl Iterator for BatchIter {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        let item = self.items.next();
        if item.is_none() && self.batch.panics {
            environment::panic_at(Site::Source);
        }
        item
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self.batch.size_hint {
            SizeHint::Nothing => (0, None),
            SizeHint::AtMost(most) => (0, Some(most)),
            SizeHint::Exactly(len) => (len, Some(len)),
        }
    }
}

/// The operations on a push list. A number selects a handle, modulo their count.
#[derive(Debug)]
pub(in super::super) enum Op {
    Push { pusher: u8, times: usize },
    Extend { pusher: u8, times: usize },
    PushAll(u8, Batch),
    Fork(u8),
    ForkPassive(u8),
    Subscribe(u8),
    TryNext { consumer: u8, times: usize },
    Poll { consumer: u8, fresh: bool },
    NextMany { consumer: u8, limit: usize },
    PollAll,
    Peek { consumer: u8, n: u8 },
    ClonePusher(u8),
    DropPusher(u8),
    DropConsumer(u8),
    Downgrade(u8),
    Upgrade(u8),
    Stopped(u8),
    PollStopped { waiter: u8, fresh: bool },
    DropStopped(u8),
    Stop(u8),
    Trap(Trap),
}

impl<'a> Arbitrary<'a> for Op {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let kind: u8 = u.int_in_range(0..=63)?;
        if kind >= 58 {
            return Ok(Self::Trap(u.arbitrary()?));
        }
        let n = u.arbitrary()?;
        let times = |u: &mut _| burst(u).map(|times| times.max(1));
        Ok(match kind {
            0..=10 => Self::Push {
                pusher: n,
                times: times(u)?,
            },
            11 => Self::Extend {
                pusher: n,
                times: times(u)?,
            },
            12..=18 => Self::PushAll(n, u.arbitrary()?),
            19..=22 => Self::Fork(n),
            23 => Self::ForkPassive(n),
            24..=26 => Self::Subscribe(n),
            27..=30 => Self::TryNext {
                consumer: n,
                times: times(u)?,
            },
            31..=33 => Self::NextMany {
                consumer: n,
                limit: times(u)?,
            },
            34..=43 => Self::Poll {
                consumer: n,
                fresh: u.int_in_range(0..=3)? == 3,
            },
            44..=45 => Self::PollAll,
            46 => Self::Stopped(n),
            47 => Self::PollStopped {
                waiter: n,
                fresh: u.arbitrary()?,
            },
            48 => match u.int_in_range(0..=2)? {
                0_u8 => Self::Downgrade(n),
                1 => Self::Upgrade(n),
                _ => Self::DropStopped(n),
            },
            49..=50 => Self::Peek {
                consumer: n,
                n: u.arbitrary()?,
            },
            51 => Self::ClonePusher(n),
            52 => Self::DropPusher(n),
            53..=56 => Self::DropConsumer(n),
            _ if n < 64 => Self::Stop(n),
            _ => Self::PollAll,
        })
    }
}
