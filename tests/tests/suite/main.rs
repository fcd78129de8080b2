//! One suite for every executor: cases that are written once, a module of them for each runtime,
//! and a list that fails when a public item has no case of a kind that applies to it.
//!
//! | file | contents |
//! |---|---|
//! | `runtime.rs` | what a case needs from an executor |
//! | `lists.rs`, `readers.rs`, `joins.rs`, `pace.rs`, `pulls.rs` | what one item does, and its limits |
//! | `common.rs` | helpers that those five share |
//! | `sweeps.rs` | cases for everything that waits: items, the end, a panic, a drop at each await point |
//! | `items.rs` | the public items, and their cases by kind |
#![allow(missing_docs, reason = "a test program")]

mod common;
mod items;
mod joins;
mod lists;
mod pace;
mod pulls;
mod readers;
mod runtime;
mod sweeps;

/// A module for each runtime, with a test for each case.
macro_rules! suite {
    ($($name:ident: $runtime:ident,)* => $cases:tt) => {
        $(suite!(@module $name $runtime $cases);)*
        /// The names of the cases.
        const CASES: &[&str] = suite!(@names $cases);
    };
    (@module $name:ident $runtime:ident { $($file:ident: $($case:ident)*;)* }) => {
        mod $name {
            use crate::{$($file,)* runtime::{$runtime, run}};
            $($(
                #[test]
                fn $case() {
                    run::<$runtime>($file::$case::<$runtime>());
                }
            )*)*
        }
    };
    (@names { $($file:ident: $($case:ident)*;)* }) => { &[$($(stringify!($case)),*),*] };
}

suite! {
    tokio_multi_thread: TokioThreads,
    tokio_current_thread: TokioThread,
    smol: Smol,
    async_std: AsyncStd,
    no_runtime: Threads,
    => {
        lists:
        each_pusher_keeps_its_order
        a_batch_stays_together
        stop_wakes_readers_and_refuses_pushes
        a_subscriber_sees_items_pushed_from_there_on
        available_items_are_seen_without_waiting
        a_preflight_runs_for_each_requested_item
        many_items_are_taken_at_once
        who_pushes_learns_that_nobody_takes_any_more
        a_weak_pusher_keeps_no_list_open
        readers_of_a_push_hub_come_and_go
        a_push_hub_replays_what_it_retains
        forks_of_a_list_see_the_same
        pushers_of_a_bounded_list_wait_for_room
        first_come_is_first_served_with_a_place
        a_permit_keeps_room_for_an_item
        a_bounded_pusher_is_a_sink
        a_stop_refuses_pushers_that_wait
        a_list_without_an_allocator_serves_tasks
        a_list_without_an_allocator_has_as_many_items_as_slots
        a_push_waits_for_a_free_slot
        a_push_drops_the_oldest_item;
        pace:
        the_newest_item_comes_when_its_source_is_quiet
        items_come_as_their_tokens_do;
        readers:
        forks_of_any_stream_see_the_same
        a_fork_that_is_dropped_while_it_polls_strands_nobody
        a_passive_fork_ends_without_an_active_one_and_can_become_one
        every_fork_learns_of_a_panic
        forks_wait_for_the_slowest
        a_fork_that_lags_loses_the_oldest_and_sees_how_many
        each_fork_keeps_to_a_bound_of_its_own
        a_hub_makes_forks_that_replay_what_is_retained
        takers_share_each_item_once
        first_come_is_first_served
        a_cancelled_taker_strands_nobody
        each_part_goes_to_a_task_of_its_own
        a_full_part_holds_the_source_back
        a_part_that_is_dropped_comes_again
        a_gate_lets_through_what_is_permitted
        a_stopper_ends_a_stream_that_waits
        one_stopper_ends_all_streams_on_all_tasks;
        joins:
        streams_join_at_any_time
        no_stream_of_a_join_starves_the_others
        a_stream_that_wakes_is_served_in_the_next_round
        a_keyed_join_tells_keys_and_ends
        a_limited_join_has_no_more_streams_than_its_limit
        workers_reach_their_limit
        workers_by_key_work_on_one_item_of_each_key
        a_future_that_wakes_is_served_among_fresh_ones;
        pulls:
        maps_filters_and_zips
        items_come_in_batches
        batches_wait_for_more_items
        the_newest_of_many_streams_counts
        nothing_is_taken_before_it_is_requested
        one_poll_of_a_driver_or_pump_is_bounded
        a_driver_pulls_and_ends_with_its_consumer
        a_preload_holds_no_more_than_it_may
        a_pump_passes_on_each_item_and_ends_with_the_first_error
        a_pump_in_a_task_borrows_from_it_and_moves_borrowing_items
        a_lending_pump_writes_to_a_value_of_its_closure;
        sweeps:
        items_come_then_the_end_and_nothing_after_it
        an_empty_source_gives_the_end
        dropped_at_each_await_point_it_loses_nothing_and_strands_nobody
        when_its_driver_is_dropped_at_any_await_point_it_ends
        a_panic_of_the_source_comes_out_and_strands_nobody;
    }
}
