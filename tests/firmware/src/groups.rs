//! A sensor that yields its samples in groups, as a contact that bounces.

use crate::{Sample, Sensor, clock};
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Milliseconds from the begin of a group to the next one. The first half of them has samples, and
/// the rest is quiet.
pub const PERIOD: u32 = 8;

/// A sensor that is read once a millisecond.
pub struct Groups {
    sensor: Sensor,
    begun: AtomicU32,
}

/// What a sensor has in a millisecond.
pub enum Reading<I> {
    Samples(I),
    Quiet,
    /// All samples were read.
    End,
}

impl Groups {
    pub const fn new() -> Self {
        Self {
            sensor: Sensor::new(),
            begun: AtomicU32::new(0),
        }
    }

    /// Counts a millisecond, and reads the sensor. Only one interrupt may call this.
    pub fn tick(&self) -> Reading<impl Iterator<Item = Sample> + use<>> {
        let millisecond = clock::tick() % PERIOD;
        if millisecond >= PERIOD / 2 {
            return Reading::Quiet;
        }
        let Some(samples) = self.sensor.tick() else {
            return Reading::End;
        };
        if millisecond == 0 || self.begun() == 0 {
            self.begun.store(self.begun() + 1, Relaxed);
        }
        Reading::Samples(samples)
    }

    /// How many groups have begun.
    pub fn begun(&self) -> u32 {
        self.begun.load(Relaxed)
    }
}

impl Default for Groups {
    fn default() -> Self {
        Self::new()
    }
}
