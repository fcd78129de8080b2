//! Each public item, and the cases it is in: of core here, of the adapters in their own suites.

use crate::CASES;
use std::collections::BTreeSet;

#[rustfmt::skip]
const ITEMS: &[(&str, &[&str])] = &[
    ("push_aiter", &["each_pusher_keeps_its_order", "stop_wakes_who_waits_and_refuses_who_comes"]),
    ("push_aiter_with", &["a_preflight_runs_for_each_item_asked_for"]),
    ("Pusher", &["each_pusher_keeps_its_order", "a_batch_stays_together_and_the_only_pusher_may_push_mut", "a_subscriber_sees_what_is_pushed_from_there_on"]),
    ("PushAiter", &["forks_of_a_list_see_the_same", "what_is_there_is_seen_without_waiting"]),
    ("Stopped", &["stop_wakes_who_waits_and_refuses_who_comes"]),
    ("AvailableIter", &["what_is_there_is_seen_without_waiting"]),
    ("TryNextError", &["what_is_there_is_seen_without_waiting"]),
    ("Statistics", &["what_is_there_is_seen_without_waiting"]),
    ("fixed", &["a_list_without_an_allocator_serves_tasks"]),
    ("aiter_forker", &["forks_of_any_stream_see_the_same", "a_fork_that_is_dropped_while_it_polls_strands_nobody", "every_fork_learns_of_a_panic"]),
    ("aiter_forker_with", &["forks_wait_for_the_slowest", "a_fork_that_lags_loses_the_oldest_and_sees_how_many"]),
    ("bound", &["forks_wait_for_the_slowest", "a_fork_that_lags_loses_the_oldest_and_sees_how_many"]),
    ("Fork", &["a_passive_fork_ends_without_an_active_one_and_can_become_one"]),
    ("sharable_aiter", &["takers_share_each_item_once", "a_taker_that_gives_up_strands_nobody"]),
    ("Sharable", &["takers_share_each_item_once"]),
    ("gated_aiter", &["a_gate_lets_through_what_is_permitted"]),
    ("Gated", &["a_gate_lets_through_what_is_permitted"]),
    ("Gate", &["a_gate_lets_through_what_is_permitted"]),
    ("stoppable_aiter", &["a_stopper_ends_a_stream_that_waits"]),
    ("Stoppable", &["a_stopper_ends_a_stream_that_waits"]),
    ("Stopper", &["a_stopper_ends_a_stream_that_waits"]),
    ("active", &["a_driver_pulls_and_ends_with_its_consumer"]),
    ("Driver", &["a_driver_pulls_and_ends_with_its_consumer", "a_preload_holds_no_more_than_it_may"]),
    ("preload", &["a_preload_holds_no_more_than_it_may"]),
    ("preload_with", &["a_preload_holds_no_more_than_it_may"]),
    ("Preloaded", &["a_preload_holds_no_more_than_it_may"]),
    ("Watermarks", &["a_preload_holds_no_more_than_it_may"]),
    ("join_aiters", &["streams_join_at_any_time", "no_stream_of_a_join_starves_the_others"]),
    ("JoinAiters", &["streams_join_at_any_time"]),
    ("join_aiters_keyed", &["a_keyed_join_says_whose_and_when_it_ended"]),
    ("JoinAitersKeyed", &["a_keyed_join_says_whose_and_when_it_ended"]),
    ("map_aiter", &["maps_filters_and_zips"]),
    ("MapAiter", &["maps_filters_and_zips"]),
    ("map_async", &["maps_filters_and_zips"]),
    ("MapAsync", &["maps_filters_and_zips"]),
    ("map_filter_aiter", &["maps_filters_and_zips"]),
    ("MapFilterAiter", &["maps_filters_and_zips"]),
    ("flatten_aiter", &["maps_filters_and_zips"]),
    ("FlattenAiter", &["maps_filters_and_zips"]),
    ("iter_to_aiter", &["maps_filters_and_zips"]),
    ("IterToAiter", &["maps_filters_and_zips"]),
    ("azip", &["maps_filters_and_zips"]),
    ("Azip", &["maps_filters_and_zips"]),
    ("ZipStreams", &["maps_filters_and_zips"]),
    ("AiterExt", &["maps_filters_and_zips"]),
    ("map_workers", &["workers_are_as_many_as_may_be"]),
    ("MapWorkers", &["workers_are_as_many_as_may_be"]),
    ("map_workers_ordered", &["workers_are_as_many_as_may_be"]),
    ("MapWorkersOrdered", &["workers_are_as_many_as_may_be"]),
    ("pump", &["a_pump_brings_each_item_and_ends_with_the_first_error"]),
];

#[rustfmt::skip]
const ADAPTER_ITEMS: &[(&str, &[&str])] = &[
    ("active_aiter", &["items_come_in_order_then_the_end", "a_panic_comes_out_after_the_items_before_it", "dropping_the_stream_drops_a_pending_source"]),
    ("active_aiter_on", &["when_an_executor_is_dropped_its_streams_end", "when_a_local_set_is_dropped_its_streams_end"]),
    ("ActiveAiter", &["an_active_list_is_filled_while_nobody_reads", "dropping_one_fork_of_an_active_list_leaves_the_others"]),
    ("preload_aiter", &["items_come_in_order_then_the_end", "no_more_is_pulled_ahead_than_was_asked_for", "nothing_ahead_is_a_mistake"]),
    ("preload_aiter_on", &["when_an_executor_is_dropped_its_streams_end"]),
    ("preload_aiter_with", &["a_preload_with_watermarks_refills_in_batches"]),
    ("preload_aiter_with_on", &["items_come_in_order_then_the_end"]),
    ("PreloadAiter", &["no_more_is_pulled_ahead_than_was_asked_for"]),
    ("join_aiters", &["joined_streams_run_at_the_same_time", "after_a_panic_of_one_joined_stream_the_others_go_on"]),
    ("join_aiters_on", &["when_an_executor_is_dropped_its_streams_end"]),
    ("join_aiters_buffered", &["each_joined_stream_keeps_its_order", "no_more_is_pulled_ahead_than_was_asked_for"]),
    ("join_aiters_buffered_on", &["when_an_executor_is_dropped_its_streams_end"]),
    ("JoinTasks", &["streams_join_while_others_are_pending"]),
    ("map_workers", &["workers_run_at_the_same_time_and_each_item_goes_to_one", "a_panic_of_a_workers_future_costs_one_item", "all_workers_but_a_stuck_one_go_on"]),
    ("map_workers_on", &["when_an_executor_is_dropped_its_streams_end"]),
    ("MapTasks", &["workers_run_at_the_same_time_and_each_item_goes_to_one"]),
    ("Spawned", &["dropping_the_stream_drops_a_pending_source", "when_the_runtime_shuts_down_the_stream_ends"]),
    ("On", &["when_an_executor_is_dropped_its_streams_end"]),
    ("Local", &["when_a_local_set_is_dropped_its_streams_end"]),
    ("Global", &["items_come_in_order_then_the_end"]),
    ("cooperative", &["a_join_in_one_task_takes_part_when_it_is_asked_to", "who_is_unconstrained_takes_all_there_is", "nothing_is_lost_where_the_budget_ends"]),
    ("Cooperative", &["a_look_at_a_stream_that_waits_costs_nothing", "outside_tokio_nothing_is_counted"]),
    ("Budget", &["another_task_runs_while_items_that_are_there_are_taken"]),
    ("aiter_to_iter", &["timers_work_in_a_blocking_iterator", "inside_a_task_a_blocking_iterator_says_what_is_wrong"]),
    ("aiter_to_iter_on", &["timers_work_from_a_thread_without_a_context", "a_runtime_given_is_driven_even_if_it_has_one_thread"]),
    ("BlockingIter", &["a_blocking_iterator_pulls_nothing_ahead_and_drops_its_stream"]),
    ("ReadAhead", &["reading_ahead_gives_the_same_and_no_more_is_pulled_than_was_allowed", "a_panic_comes_out_behind_the_items_before_it"]),
    ("BlockOn", &["an_iterator_moved_to_another_thread_keeps_its_runtime"]),
    ("OnRuntime", &["an_iterator_moved_to_another_thread_keeps_its_runtime"]),
    ("OnThread", &["a_blocking_iterator_pulls_nothing_ahead_and_drops_its_stream"]),
    ("tcp_server", &["servers_serve_who_comes_and_stop", "out_of_file_descriptors_is_reported_with_pauses_and_the_server_lives_on", "an_address_in_use_or_malformed_is_an_error"]),
    ("unix_server", &["a_unix_server_removes_its_own_file_only"]),
];

const CORE: &str = include_str!("../../../aiter-core/src/lib.rs");
const ADAPTERS: [&str; 3] = [
    include_str!("../../../aiter-tokio/src/lib.rs"),
    include_str!("../../../aiter-smol/src/lib.rs"),
    include_str!("../../../aiter-async-std/src/lib.rs"),
];
const ADAPTER_CASES: [&str; 7] = [
    include_str!("../adapters.rs"),
    include_str!("../places.rs"),
    include_str!("../../../aiter-tokio/tests/spawn.rs"),
    include_str!("../../../aiter-tokio/tests/blocking.rs"),
    include_str!("../../../aiter-tokio/tests/coop.rs"),
    include_str!("../../../aiter-tokio/tests/net.rs"),
    include_str!("../../../aiter-tokio/tests/file_limit.rs"),
];

/// The names that a crate's root makes public, as its `pub use` and `pub mod` lines have them.
fn public(root: &str) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    let mut rest = root;
    while let Some((_, after)) = rest.split_once("\npub use ") {
        let (used, after) = after.split_once(';').unwrap();
        // `module::{A, B}` or `module::a`, also nested: whatever no `::` follows.
        for name in used.split([',', '{', '}', '\n', ' ']) {
            let name = name.rsplit("::").next().unwrap();
            if !name.is_empty() {
                names.insert(name);
            }
        }
        rest = after;
    }
    names
}

fn names<'a>(items: &[(&'a str, &[&str])]) -> BTreeSet<&'a str> {
    items.iter().map(|(item, _)| *item).collect()
}

#[test]
fn every_public_item_of_core_has_a_case() {
    let mut public = public(CORE);
    public.insert("fixed");
    assert_eq!(
        public,
        names(ITEMS),
        "public items, and those that have cases"
    );
    for (item, cases) in ITEMS {
        assert!(!cases.is_empty(), "{item} has no case");
        for case in *cases {
            assert!(CASES.contains(case), "{item}: no case is named {case}");
        }
    }
}

#[test]
fn every_case_is_some_items() {
    for case in CASES {
        let listed = ITEMS.iter().any(|(_, cases)| cases.contains(case));
        assert!(listed, "{case} is in the list of no item");
    }
}

#[test]
fn every_public_item_of_the_adapters_has_a_case() {
    let mut public: BTreeSet<_> = ADAPTERS.into_iter().flat_map(public).collect();
    // All that core has; and what `net` has.
    assert!(public.remove("*"));
    public.extend(["tcp_server", "unix_server"]);
    assert_eq!(
        public,
        names(ADAPTER_ITEMS),
        "public items, and those that have cases"
    );
    for (item, cases) in ADAPTER_ITEMS {
        assert!(!cases.is_empty(), "{item} has no case");
        for case in *cases {
            let test = format!("fn {case}(");
            let found = ADAPTER_CASES.iter().any(|source| source.contains(&test));
            assert!(found, "{item}: no case is named {case}");
        }
    }
}
