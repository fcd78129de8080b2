//! Forks with a bound on how far they run apart.

mod own;
mod skip;
mod wait;

use super::*;
use crate::{
    aiter_forker_with,
    bound::{self, Seen, Skip, Wait},
};

type Bounded<B> = Reader<Source<u32>, B>;

fn forks<B: Bound, const N: usize>(
    bound: B,
    steps: impl IntoIterator<Item = Step<u32>>,
) -> ([Bounded<B>; N], Remote<u32>) {
    let (source, remote) = source(steps);
    let mut first = Reader::new(aiter_forker_with(bound, source));
    let mut all = core::array::from_fn(|_| first.fork());
    // The first fork is one of them, so that there is none that is not polled.
    all[0] = first;
    (all, remote)
}

/// Items whose reference count says how many of them are live.
fn counted() -> (Arc<()>, impl Iterator<Item = Arc<()>>) {
    let live = Arc::new(());
    let items = live.clone();
    (live, core::iter::repeat_with(move || items.clone()))
}

#[test]
fn unbounded_is_the_default() {
    let ([mut a, mut b], _remote) = forks::<_, 2>(bound::unbounded(), (0..100).map(Item));
    assert!((0..100).all(|n| a.poll() == item(n)));
    assert!((0..100).all(|n| b.poll() == item(n)));
}
