//! Random sequences of steps, each taken by a system and by its model: see
//! `aiter_tests::properties`.

use aiter_tests::properties::{
    Planted, STEP, Steps,
    System::{self, *},
};
use proptest::{
    prelude::*,
    test_runner::{TestError, TestRunner},
};

/// Generated step by step, so that a failure shrinks to the steps that it needs.
fn steps(system: System) -> impl Strategy<Value = Steps> {
    let step = any::<[u8; STEP]>();
    prop::collection::vec(step, 1..80).prop_map(move |steps| Steps::new(system, steps.concat()))
}

fn check(system: System, planted: Planted, times: u32) -> Result<(), TestError<Steps>> {
    let config = ProptestConfig {
        cases: times * ProptestConfig::default().cases,
        failure_persistence: None,
        max_shrink_iters: if planted == Planted::Nothing {
            50_000
        } else {
            0
        },
        ..ProptestConfig::default()
    };
    TestRunner::new(config).run(&steps(system), |steps| {
        steps.run(planted);
        Ok(())
    })
}

macro_rules! does_as_its_model {
    ($($name:ident: $system:expr, $times:expr;)*) => {$(
        #[test]
        fn $name() {
            if let Err(error) = check($system, Planted::Nothing, $times) {
                panic!("{error}");
            }
        }
    )*};
}

does_as_its_model! {
    a_push_list: Push, 4;
    a_bounded_push_list_of_one: BoundedOne, 16;
    a_bounded_push_list: Bounded, 16;
    a_hub: Hub, 16;
    a_hub_that_retains_items: RetainingHub, 16;
    a_hub_of_the_newest_item: LatestHub, 16;
    forks: Fork, 16;
    bounded_forks: BoundedFork, 8;
    forks_that_skip: SkippingFork, 16;
    forks_with_bounds_of_their_own: Mixed, 16;
    forks_of_a_source_that_retains_items: Retained, 16;
    takers: Share, 16;
    parts_with_one_item: SplitOne, 16;
    parts: Split, 16;
    a_gate: Gate, 16;
    a_stoppable: Stop, 8;
    a_join: Join, 8;
    a_join_with_a_limit: LimitedJoin, 8;
    workers_by_key: WorkersBy, 16;
    the_newest_of_many_streams: Switch, 8;
    batches: Batch, 8;
    batches_that_wait: BatchWithin, 16;
    a_debounce: Debounce, 16;
    a_rate_limit: RateLimit, 16;
    a_driver: Active, 8;
    a_driver_one_ahead: PreloadOne, 8;
    a_driver_some_ahead: Preload, 8;
    a_driver_between_watermarks: Watermarks, 8;
}

/// The models notice a lost wake.
#[test]
fn a_lost_wake_is_found() {
    for system in [
        Push,
        BoundedOne,
        Bounded,
        Hub,
        RetainingHub,
        LatestHub,
        Fork,
        BoundedFork,
        SkippingFork,
        Mixed,
        Retained,
        Share,
        SplitOne,
        Split,
        Gate,
        Stop,
        Join,
        LimitedJoin,
        WorkersBy,
        Switch,
        Batch,
        BatchWithin,
        Debounce,
        RateLimit,
        Active,
        PreloadOne,
        Preload,
        Watermarks,
    ] {
        assert!(check(system, Planted::LostWake, 8).is_err(), "{system:?}");
    }
}
