//! Samples, the sensor that they come from, and the check that they arrive.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// How many samples a sensor yields.
pub const SAMPLES: u32 = 1000;
/// One tick in this many yields a burst of samples.
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

    /// The samples of one tick of the timer: mostly one, sometimes a burst, and `None` once all
    /// were read. Only one interrupt may call this.
    pub fn tick(&self) -> Option<impl Iterator<Item = Sample> + use<>> {
        let tick = self.ticks.load(Relaxed);
        self.ticks.store(tick + 1, Relaxed);
        let mut first = self.next.load(Relaxed);
        if cfg!(feature = "lose-sample") && first == SAMPLES / 2 {
            first += 1;
        }
        let count = match SAMPLES - first {
            0 => return None,
            left if tick % BURST_EVERY == BURST_EVERY - 1 => left.min(BURST),
            _ => 1,
        };
        self.next.store(first + count, Relaxed);
        Some((first..first + count).map(Sample::new))
    }
}

impl Default for Sensor {
    fn default() -> Self {
        Self::new()
    }
}

/// Checks that samples arrive in order, complete, and each once.
#[derive(Debug)]
pub struct Order {
    who: &'static str,
    next: u32,
}

impl Order {
    pub fn new(who: &'static str) -> Self {
        Self { who, next: 0 }
    }

    /// Checks the next sample.
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

    /// Returns how many samples arrived.
    ///
    /// # Panics
    /// If samples are missing.
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

/// Checks that samples arrive in order, where some may be missed.
#[derive(Debug)]
pub struct Newest {
    who: &'static str,
    next: u32,
    seen: u32,
}

impl Newest {
    pub fn new(who: &'static str) -> Self {
        Self {
            who,
            next: 0,
            seen: 0,
        }
    }

    /// Checks a sample.
    ///
    /// # Panics
    /// If it is not a later sample than the last one.
    #[track_caller]
    pub fn check(&mut self, sample: Sample) {
        if sample.number < self.next || sample != Sample::new(sample.number) {
            panic!(
                "{}: {sample:?} came, and not number {} or a later one",
                self.who, self.next
            );
        }
        self.next = sample.number + 1;
        self.seen += 1;
    }

    /// Returns how many samples arrived.
    ///
    /// # Panics
    /// If these and those that were missed are not all.
    #[track_caller]
    pub fn finish(self, missed: u32) -> u32 {
        assert_eq!(
            self.seen + missed,
            SAMPLES,
            "{}: samples are missing, and not counted",
            self.who
        );
        self.seen
    }
}
