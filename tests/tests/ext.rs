//! `AiterExt` beside the other three extension traits: no method name is ambiguous.

#[allow(unused_imports)]
use {
    aiter_core::AiterExt as _, futures::StreamExt as _, futures_lite::StreamExt as _,
    tokio_stream::StreamExt as _,
};

use aiter_core::iter_to_aiter;
use futures::executor::block_on;
use futures_lite::Stream;

fn items<S: Stream>(stream: S) -> Vec<S::Item> {
    block_on(futures_lite::StreamExt::collect(stream))
}

#[test]
fn every_method_is_called_with_all_four_traits_in_scope() {
    let numbers = || iter_to_aiter(1..4);
    assert_eq!(items(numbers().map_aiter(|n| n * 2)), [2, 4, 6]);
    assert_eq!(
        items(numbers().map_async(|n| async move { n * 2 })),
        [2, 4, 6]
    );
    assert_eq!(
        items(numbers().map_filter_aiter(|n| (n != 2).then_some(n))),
        [1, 3]
    );
    assert_eq!(
        items(iter_to_aiter([vec![1], vec![], vec![2]]).flatten_aiter()),
        [1, 2]
    );
    assert_eq!(
        items(numbers().azip(iter_to_aiter("ab".chars()))),
        [(1, 'a'), (2, 'b')]
    );
    let (stoppable, stopper) = numbers().stoppable_aiter();
    assert_eq!(items(stoppable), [1, 2, 3]);
    assert!(!stopper.is_stopped());
    assert_eq!(items(numbers().sharable_aiter()), [1, 2, 3]);
    let (gated, gate) = numbers().gated_aiter();
    gate.push(2);
    drop(gate);
    assert_eq!(items(gated), [1, 2]);
    assert_eq!(items(numbers().aiter_forker()), [1, 2, 3]);
    let seen = std::cell::Cell::new(0);
    let add = async |n| {
        seen.set(seen.get() + n);
        Ok::<_, ()>(())
    };
    assert_eq!(block_on(numbers().pump(add)), Ok(()));
    assert_eq!(block_on(numbers().pump_lending(add)), Ok(()));
    assert_eq!(seen.get(), 12);
    let waits = numbers().aiter_forker_with(aiter_core::bound::wait(1));
    assert_eq!(items(waits), [1, 2, 3]);
}
