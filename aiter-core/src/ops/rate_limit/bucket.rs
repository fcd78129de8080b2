//! The token bucket of a [`rate_limit`](crate::rate_limit), kept as a time.
//!
//! With `n` tokens per `per`, a token comes every `per / n`, the *interval*. The bucket does not
//! count tokens but keeps the time until it is full, the *debt*. An item that passes adds an
//! interval to the debt, and time that passes is taken off it. A bucket of `b` tokens has one as
//! long as the debt is at most `b - 1` intervals, the *tolerance*.
//!
//! The arithmetic is exact, and only adds, subtracts and compares. An interval that is no whole
//! number of nanoseconds has a remainder, kept as a fraction with the denominator `n`. So `n`
//! intervals are exactly `per`, and the rate does not drift. There is no division, because
//! processors without such an instruction, such as the Cortex-M0, divide in a loop.
//!
//! A clock shows whole nanoseconds. If a bucket for one token became full between two of them, the
//! time since then would be lost, and the rate would drift after all. So if that was within the
//! last nanosecond, this time is kept for the next token. It is a negative debt of less than a
//! nanosecond, which can be represented because the debt is stored with one nanosecond added. If an
//! interval is below a nanosecond, that time is not kept, because it would be worth several tokens
//! beyond the burst.
//!
//! The debt is at most `b` intervals. Its seconds have 128 bits, in which `usize::MAX` times
//! [`Duration::MAX`] fits.

use super::limit::RateLimit;
use core::time::Duration;

#[derive(Clone, Debug)]
pub(super) struct Bucket {
    limit: RateLimit,
    interval: Span,
    /// With a nanosecond added, as to the debt.
    tolerance: Span,
    /// With a nanosecond added.
    debt: Span,
    /// The latest time that the clock has shown. If the clock goes back, no time passes until it
    /// has caught up; see [`advance`](Self::advance).
    seen: Duration,
}

impl Bucket {
    /// A full bucket.
    pub(super) fn new(limit: RateLimit) -> Self {
        let RateLimit { n, per, burst } = limit;
        let interval = Span::nth_part(per, n);
        let tolerance = interval.times((burst - 1) as u64, n);
        Self {
            limit,
            interval,
            tolerance: tolerance.plus(Span::NANOSECOND, n),
            debt: Span::NANOSECOND,
            seen: Duration::ZERO,
        }
    }

    pub(super) fn limit(&self) -> RateLimit {
        self.limit
    }

    #[inline]
    pub(super) fn has_token(&self) -> bool {
        self.debt <= self.tolerance
    }

    /// Lets time pass up to `now`.
    ///
    /// If the clock has gone back, no time passes until it has caught up, so that a clock that
    /// jumps to and fro adds no tokens. If it has gone back by more than `per`, it was set, and
    /// time counts from there.
    #[inline]
    pub(super) fn advance(&mut self, now: Duration) {
        match now.checked_sub(self.seen) {
            Some(elapsed) => {
                let debt = self.debt.minus(elapsed.into(), self.limit.n);
                let is_full = match self.interval < Span::NANOSECOND {
                    true => debt < Span::NANOSECOND,
                    false => debt == Span::ZERO,
                };
                self.debt = if is_full { Span::NANOSECOND } else { debt };
            }
            None if self.seen - now <= self.limit.per => return,
            None => {}
        }
        self.seen = now;
    }

    /// Spends a token, which has to be there.
    #[inline]
    pub(super) fn spend(&mut self) {
        self.debt = self.debt.plus(self.interval, self.limit.n);
    }

    /// Returns how long it takes from `now` to the next token, at least.
    pub(super) fn wait(&self, now: Duration) -> Duration {
        let behind = self.seen.saturating_sub(now);
        let wait = self.debt.minus(self.tolerance, self.limit.n);
        wait.round_up().saturating_add(behind)
    }
}

const NANOS_PER_SEC: u32 = 1_000_000_000;

/// A length of time with a fraction of a nanosecond. The denominator of the fraction is the `n`
/// that is passed to the methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Span {
    secs: u128,
    nanos: u32,
    /// In `n`th parts of a nanosecond.
    fraction: usize,
}

impl Span {
    const ZERO: Self = Self {
        secs: 0,
        nanos: 0,
        fraction: 0,
    };

    const NANOSECOND: Self = Self {
        nanos: 1,
        ..Self::ZERO
    };

    /// `duration / n`.
    fn nth_part(duration: Duration, n: usize) -> Self {
        let nanosecond = match n {
            1 => Self::NANOSECOND,
            _ => Self {
                fraction: 1,
                ..Self::ZERO
            },
        };
        let second = nanosecond.times(NANOS_PER_SEC.into(), n);
        let rest = nanosecond.times(duration.subsec_nanos().into(), n);
        second.times(duration.as_secs(), n).plus(rest, n)
    }

    #[inline]
    fn plus(self, other: Self, n: usize) -> Self {
        let (sum, wraps) = self.fraction.overflowing_add(other.fraction);
        let carry = wraps || sum >= n;
        let fraction = if carry { sum.wrapping_sub(n) } else { sum };
        let nanos = self.nanos + other.nanos + u32::from(carry);
        let carry = nanos >= NANOS_PER_SEC;
        Self {
            secs: self.secs + other.secs + u128::from(carry),
            nanos: if carry { nanos - NANOS_PER_SEC } else { nanos },
            fraction,
        }
    }

    /// Subtracts `other`. Returns zero if that is longer.
    #[inline]
    fn minus(self, other: Self, n: usize) -> Self {
        if self <= other {
            return Self::ZERO;
        }
        let (rest, borrow) = self.fraction.overflowing_sub(other.fraction);
        let fraction = if borrow { rest.wrapping_add(n) } else { rest };
        let (rest, borrow) = self.nanos.overflowing_sub(other.nanos + u32::from(borrow));
        Self {
            secs: self.secs - other.secs - u128::from(borrow),
            nanos: if borrow {
                rest.wrapping_add(NANOS_PER_SEC)
            } else {
                rest
            },
            fraction,
        }
    }

    /// Multiplies by doubling and adding, from the lowest bit of `factor` on.
    fn times(self, mut factor: u64, n: usize) -> Self {
        let (mut product, mut doubled) = (Self::ZERO, self);
        loop {
            if factor & 1 == 1 {
                product = product.plus(doubled, n);
            }
            factor >>= 1;
            if factor == 0 {
                return product;
            }
            doubled = doubled.plus(doubled, n);
        }
    }

    fn round_up(self) -> Duration {
        let nanos = self.nanos + u32::from(self.fraction > 0);
        match u64::try_from(self.secs) {
            Ok(secs) => Duration::from_secs(secs).saturating_add(Duration::new(0, nanos)),
            Err(_) => Duration::MAX,
        }
    }
}

impl From<Duration> for Span {
    #[inline]
    fn from(duration: Duration) -> Self {
        Self {
            secs: duration.as_secs().into(),
            nanos: duration.subsec_nanos(),
            fraction: 0,
        }
    }
}

#[cfg(all(test, feature = "alloc", not(aiter_loom)))]
mod tests {
    use super::*;
    use crate::test_support::many;

    /// In `n`th parts of a nanosecond. Checks that each part is below its limit.
    fn parts(span: Span, n: usize) -> u128 {
        assert!(span.fraction < n && span.nanos < NANOS_PER_SEC, "{span:?}");
        let nanos = span.secs * u128::from(NANOS_PER_SEC) + u128::from(span.nanos);
        nanos * n as u128 + span.fraction as u128
    }

    #[test]
    fn spans_are_exact() {
        let mut random = 1_u64;
        let mut below = |limit: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % limit
        };
        for _ in 0..many(20_000) {
            let n = match below(4) {
                0 => usize::MAX - below(3) as usize,
                1 => 1 << below(usize::BITS.into()),
                _ => 1 + below(10) as usize,
            };
            let secs = 3 << below(20);
            let [a, b] = [(); 2].map(|()| {
                let whole = Duration::new(below(secs), below(3) as u32 + 999_999_998);
                Span {
                    fraction: below(u64::MAX) as usize % n,
                    ..Span::from(whole)
                }
            });
            let (one, other) = (parts(a, n), parts(b, n));
            assert_eq!(parts(a.plus(b, n), n), one + other);
            assert_eq!(parts(a.minus(b, n), n), one.saturating_sub(other));
            assert_eq!(a.cmp(&b), one.cmp(&other));
            let factor = below(1_000);
            assert_eq!(parts(a.times(factor, n), n), one * u128::from(factor));
            assert_eq!(a.round_up().as_nanos(), one.div_ceil(n as u128));
            let whole = Duration::new(below(secs), below(NANOS_PER_SEC.into()) as u32);
            assert_eq!(parts(Span::nth_part(whole, n), n), whole.as_nanos());
        }
    }
}
