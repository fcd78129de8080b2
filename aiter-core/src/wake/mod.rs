//! Who is asleep, and how they are woken. The lowest layer: atomics and wakers, no items.
#![allow(unsafe_code)]

mod seats;

pub(crate) use seats::{SeatRef, Seats};
