//! Samples, where they come from, and whether they arrived.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// How many samples a sensor has.
pub const SAMPLES: u32 = 1000;
/// One tick in so many is a burst of samples.
const BURST_EVERY: u32 = 64;
const BURST: u32 = 12;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    pub number: u32,
    reading: u32,
}

impl Sample {
    pub const fn new(number: u32) -> Self {
        Self {
            number,
            reading: number.wrapping_mul(0x9e37_79b9),
        }
    }
}

/// What a sensor has at a tick of the timer.
pub enum Tick {
    One(Sample),
    Burst([Sample; BURST as usize]),
    Over,
}

/// A sensor, which a timer interrupt reads.
pub struct Sensor {
    ticks: AtomicU32,
    next: AtomicU32,
}

impl Sensor {
    pub const fn new() -> Self {
        Self {
            ticks: AtomicU32::new(0),
            next: AtomicU32::new(0),
        }
    }

    /// To be called by one interrupt.
    pub fn tick(&self) -> Tick {
        let tick = self.ticks.load(Relaxed);
        self.ticks.store(tick + 1, Relaxed);
        let first = self.next.load(Relaxed);
        if cfg!(feature = "lose-sample") && first == SAMPLES / 2 {
            self.next.store(first + 1, Relaxed);
            return self.tick();
        }
        let count = match SAMPLES - first {
            0 => return Tick::Over,
            left if tick % BURST_EVERY == BURST_EVERY - 1 && left >= BURST => BURST,
            _ => 1,
        };
        self.next.store(first + count, Relaxed);
        if count == 1 {
            Tick::One(Sample::new(first))
        } else {
            Tick::Burst(core::array::from_fn(|i| Sample::new(first + i as u32)))
        }
    }
}

impl Default for Sensor {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether samples come in order, whole, and each once.
#[derive(Debug)]
pub struct Order {
    who: &'static str,
    next: u32,
}

impl Order {
    pub fn new(who: &'static str) -> Self {
        Self { who, next: 0 }
    }

    /// # Panics
    /// If this is not the next sample.
    #[track_caller]
    pub fn check(&mut self, sample: Sample) {
        if sample != Sample::new(self.next) {
            panic!(
                "{}: {sample:?} came, and not number {}",
                self.who, self.next
            );
        }
        self.next += 1;
    }

    /// How many came.
    ///
    /// # Panics
    /// If that was not all.
    #[track_caller]
    pub fn finish(self) -> u32 {
        assert_eq!(
            self.next, SAMPLES,
            "{}: samples are missing at the end",
            self.who
        );
        self.next
    }
}
