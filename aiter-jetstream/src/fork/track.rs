//! The position of a fork in its stream.

/// The position of a fork, which follows from the sequences of the messages that come.
#[derive(Clone, Debug)]
pub(super) struct Track {
    /// The newest message of the stream that the fork has seen, or the one before its start.
    last: u64,
    /// The consumer sequence of the last message that the present consumer has delivered.
    delivered: u64,
    /// Whether a gap between two sequences means missed messages, which a filter rules out.
    counts: bool,
}

/// How a message continues a fork.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// It is the next one. The stream has removed `missed` messages before it.
    Next { missed: Option<u64> },
    /// It is at or before the position.
    Repeat,
    /// A message that the consumer delivered before it has not come.
    Gap,
}

impl Track {
    /// The position of a fork that starts at a sequence.
    pub(super) fn starting_at(next: u64) -> Self {
        Self {
            last: next.saturating_sub(1),
            delivered: 0,
            counts: true,
        }
    }

    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Stops counting missed messages, because messages are filtered from now on.
    pub(super) fn stop_counting(&mut self) {
        self.counts = false;
    }

    /// Expects the first message of a new consumer, which counts from one.
    pub(super) fn restart(&mut self) {
        self.delivered = 0;
    }

    pub(super) fn receive(&mut self, consumer_sequence: u64, sequence: u64) -> Step {
        if consumer_sequence != self.delivered + 1 {
            return Step::Gap;
        }
        self.delivered = consumer_sequence;
        if sequence <= self.last {
            return Step::Repeat;
        }
        let missed = self.counts.then_some(sequence - self.last - 1);
        self.last = sequence;
        Step::Next { missed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(missed: u64) -> Step {
        Step::Next {
            missed: Some(missed),
        }
    }

    #[test]
    fn what_was_removed_is_counted() {
        let mut track = Track::starting_at(5);
        assert_eq!(track.last(), 4);
        assert_eq!(track.receive(1, 5), next(0));
        assert_eq!(track.receive(2, 9), next(3));
        assert_eq!(track.receive(3, 10), next(0));
        assert_eq!(track.last(), 10);
        // Also before the first one.
        assert_eq!(Track::starting_at(5).receive(1, 7), next(2));
        assert_eq!(Track::starting_at(0).receive(1, 1), next(0));
        assert_eq!(
            Track::starting_at(1).receive(1, u64::MAX),
            next(u64::MAX - 1)
        );
    }

    #[test]
    fn a_filter_hides_what_was_missed() {
        let mut track = Track::starting_at(1);
        track.stop_counting();
        assert_eq!(track.receive(1, 9), Step::Next { missed: None });
    }

    #[test]
    fn a_new_consumer_goes_on_without_a_gap_and_without_a_replay() {
        let mut track = Track::starting_at(1);
        assert_eq!(track.receive(1, 1), next(0));
        // The consumer delivered a second message, which did not come.
        assert_eq!(track.receive(3, 3), Step::Gap);
        assert_eq!(track.last(), 1);
        track.restart();
        assert_eq!(track.receive(1, 1), Step::Repeat);
        assert_eq!(track.receive(2, 2), next(0));
        assert_eq!(track.receive(3, 3), next(0));
    }
}
