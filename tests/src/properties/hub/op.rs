//! The operations on a hub, and how they decode from the bytes of a step.

use super::super::{environment::Trap, event::Event};
use arbitrary::{Arbitrary, Unstructured};

/// The bound of a reader.
#[derive(Clone, Copy, Debug)]
pub(in super::super) enum Own {
    Unbounded,
    Skip(usize),
}

impl<'a> Arbitrary<'a> for Own {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(match u.int_in_range(0..=5_u8)? {
            0 | 1 => Own::Unbounded,
            n => Own::Skip(usize::from(n) - 1),
        })
    }
}

/// The operations on a hub. A number selects a handle, modulo their count. Without a bound of its
/// own, a reader has that of the hub.
#[derive(Debug)]
pub(in super::super) enum Op {
    Push {
        hub: u8,
        times: u8,
    },
    PushAll {
        hub: u8,
        items: usize,
    },
    Join {
        hub: u8,
        replays: bool,
        own: Option<Own>,
    },
    Fork(u8),
    Poll {
        reader: u8,
        fresh: bool,
    },
    TryNext {
        reader: u8,
        times: u8,
    },
    PollAll,
    DropReader(u8),
    CloneHub(u8),
    DropHub(u8),
    Downgrade(u8),
    Upgrade(u8),
    Wait(u8, Event),
    PollWait {
        wait: u8,
        fresh: bool,
    },
    DropWait(u8),
    Stop(u8),
    Trap(Trap),
}

impl<'a> Arbitrary<'a> for Op {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let kind: u8 = u.int_in_range(0..=63)?;
        if kind >= 59 {
            return Ok(Op::Trap(u.arbitrary()?));
        }
        let n = u.arbitrary()?;
        Ok(match kind {
            0..=11 => Op::Push {
                hub: n,
                times: u.int_in_range(1..=3)?,
            },
            12..=14 => Op::PushAll {
                hub: n,
                // Sometimes more than a block has.
                items: match u.int_in_range(0..=15_u8)? {
                    15 => 80,
                    items => usize::from(items % 6),
                },
            },
            15..=22 => Op::Join {
                hub: n,
                replays: kind > 18,
                own: u.arbitrary()?,
            },
            23..=25 => Op::Fork(n),
            26..=36 => Op::Poll {
                reader: n,
                fresh: u.int_in_range(0..=3)? == 3,
            },
            37..=39 => Op::TryNext {
                reader: n,
                times: u.int_in_range(1..=4)?,
            },
            40..=43 => Op::PollAll,
            44 => Op::CloneHub(n),
            45 => Op::DropHub(n),
            46 => Op::Downgrade(n),
            47 => Op::Upgrade(n),
            48..=50 => Op::Wait(
                n,
                *u.choose(&[Event::Idle, Event::Occupied, Event::Stopped])?,
            ),
            51..=52 => Op::PollWait {
                wait: n,
                fresh: u.arbitrary()?,
            },
            53 => Op::DropWait(n),
            // Seldom, because it ends the sequence.
            54 if n < 64 => Op::Stop(n),
            _ => Op::DropReader(n),
        })
    }
}
