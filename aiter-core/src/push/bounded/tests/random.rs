//! Random steps on one thread, beside a model: a queue of at most `n` items, and a queue of those
//! that wait.

use super::*;
use alloc::collections::VecDeque;

struct Random(u64);

impl Random {
    /// A number below `n` (xorshift64).
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

struct Waiting {
    future: Polled<ReserveOwned<usize>>,
    id: usize,
}

struct World {
    n: usize,
    pusher: BoundedPusher<usize>,
    consumers: Vec<(BoundedAiter<usize>, usize)>,
    permits: Vec<OwnedPermit<usize>>,
    waits: Vec<Waiting>,
    // The model.
    items: Vec<usize>,
    waiting: VecDeque<usize>,
    granted: Vec<usize>,
    stopped: bool,
}

impl World {
    fn taken(&self) -> usize {
        let passed = self.consumers.iter().map(|(_, at)| *at).min();
        let lag = passed.map_or(0, |passed| self.items.len() - passed);
        lag + self.permits.len() + self.granted.len()
    }

    fn has_room(&self) -> bool {
        self.taken() < self.n
    }

    fn is_closed(&self) -> bool {
        self.stopped || self.consumers.is_empty()
    }

    /// Gives the places that are free to those that wait, and checks who was woken.
    fn settle(&mut self) {
        if self.is_closed() {
            self.waiting.clear();
        }
        while self.has_room() && !self.waiting.is_empty() {
            self.granted.extend(self.waiting.pop_front());
        }
        for wait in &self.waits {
            let is_answered = !self.waiting.contains(&wait.id);
            assert_eq!(wait.future.wakes.count(), usize::from(is_answered));
        }
        for (aiter, at) in &self.consumers {
            assert_eq!(aiter.len(), self.items.len() - at);
        }
    }

    fn expect<T>(&self, result: &Result<T, PushError<impl Sized>>) {
        match result {
            Ok(_) => assert!(self.has_room() && !self.is_closed()),
            Err(PushError::Full(_)) => assert!(!self.has_room() && !self.is_closed()),
            Err(PushError::Stopped(_)) => assert!(self.is_closed()),
        }
    }

    fn step(&mut self, random: &mut Random, id: usize) {
        match random.below(24) {
            0..5 => {
                let pushed = self.pusher.try_push(id);
                self.expect(&pushed);
                self.items.extend(pushed.is_ok().then_some(id));
            }
            5..7 => {
                let permit = self.pusher.try_reserve_owned();
                self.expect(&permit);
                self.permits.extend(permit);
            }
            7..9 if !self.permits.is_empty() => {
                let permit = self.permits.swap_remove(random.below(self.permits.len()));
                let pushed = permit.push(id);
                assert_eq!(pushed.is_err(), self.is_closed());
                self.items.extend(pushed.is_ok().then_some(id));
            }
            9 if !self.permits.is_empty() => drop(self.permits.pop()),
            10..13 => {
                let mut future = polled(self.pusher.reserve_owned());
                match future.poll() {
                    Poll::Ready(Ok(permit)) => {
                        assert!(self.has_room() && !self.is_closed());
                        self.permits.push(permit);
                    }
                    Poll::Ready(Err(_)) => assert!(self.is_closed()),
                    Poll::Pending => {
                        assert!(!self.has_room() && !self.is_closed());
                        self.waiting.push_back(id);
                        self.waits.push(Waiting { future, id });
                    }
                }
            }
            13..15 if !self.waits.is_empty() => {
                let at = random.below(self.waits.len());
                let wait = &mut self.waits[at];
                let polled = wait.future.poll();
                let granted = self.granted.iter().position(|id| *id == wait.id);
                match polled {
                    Poll::Pending => assert!(self.waiting.contains(&wait.id)),
                    Poll::Ready(answer) => {
                        let had_place = granted.map(|at| self.granted.swap_remove(at));
                        assert!(had_place.is_some() || answer.is_err());
                        assert!(answer.is_ok() || self.is_closed());
                        self.permits.extend(answer);
                        self.waits.swap_remove(at);
                    }
                }
            }
            15 if !self.waits.is_empty() => {
                let wait = self.waits.swap_remove(random.below(self.waits.len()));
                drop(wait.future);
                self.waiting.retain(|id| *id != wait.id);
                self.granted.retain(|id| *id != wait.id);
            }
            16..19 if !self.consumers.is_empty() => {
                let chosen = random.below(self.consumers.len());
                let (aiter, at) = &mut self.consumers[chosen];
                let expected = match self.items.get(*at) {
                    Some(item) => Ok(*item),
                    None if self.stopped => Err(TryNextError::Ended),
                    None => Err(TryNextError::Empty),
                };
                assert_eq!(aiter.try_next(), expected);
                *at += usize::from(expected.is_ok());
            }
            19..21 if !self.consumers.is_empty() => {
                let chosen = random.below(self.consumers.len());
                let (aiter, at) = &mut self.consumers[chosen];
                let (mut taken, limit) = (Vec::new(), 1 + random.below(4));
                let polled = polled(aiter.next_many(&mut taken, limit)).poll();
                let expected = &self.items[*at..self.items.len().min(*at + limit)];
                assert_eq!(taken, expected);
                assert_eq!(polled.is_ready(), !taken.is_empty() || self.stopped);
                *at += taken.len();
            }
            21 if (1..4).contains(&self.consumers.len()) => {
                let (parent, at) = &mut self.consumers[0];
                let fork = (parent.fork(), *at);
                self.consumers.push(fork);
            }
            22 if (1..4).contains(&self.consumers.len()) && !self.stopped => {
                let late = (self.pusher.subscribe(), self.items.len());
                self.consumers.push(late);
            }
            23 if self.consumers.len() > 1
                || !self.consumers.is_empty() && random.below(40) == 0 =>
            {
                let chosen = random.below(self.consumers.len());
                drop(self.consumers.swap_remove(chosen));
            }
            _ if random.below(200) == 0 => {
                self.pusher.stop();
                self.stopped = true;
            }
            _ => {}
        }
        self.settle();
    }
}

#[test]
fn random_steps_do_as_the_model() {
    let runs = if cfg!(miri) { 20 } else { 500 };
    for seed in 1..=runs {
        let mut random = Random(seed);
        random.below(1);
        let n = 1 + random.below(4);
        let (pusher, aiter) = push_aiter_bounded(n);
        let mut world = World {
            n,
            pusher,
            consumers: Vec::from([(aiter, 0)]),
            permits: Vec::new(),
            waits: Vec::new(),
            items: Vec::new(),
            waiting: VecDeque::new(),
            granted: Vec::new(),
            stopped: false,
        };
        for id in 0..300 {
            world.step(&mut random, id);
        }
    }
}
