//! All public items, and the cases that cover them: those of core here, those of the adapters here
//! and in their own suites. A function has cases of every kind, or a reason why a kind does not
//! apply to it.

use crate::{CASES, sweeps::on_tasks};
use Kind::*;
use aiter_tests::cancellation::{setup::Subject, subjects};
use std::collections::BTreeSet;

#[rustfmt::skip]
const ITEMS: &[(&str, &[&str])] = &[
    ("push_aiter", &["each_pusher_keeps_its_order", "stop_wakes_readers_and_refuses_pushes"]),
    ("push_aiter_with", &["a_preflight_runs_for_each_requested_item"]),
    ("Pusher", &["each_pusher_keeps_its_order", "a_batch_stays_together", "a_subscriber_sees_items_pushed_from_there_on"]),
    ("PushAiter", &["forks_of_a_list_see_the_same", "available_items_are_seen_without_waiting"]),
    ("NextMany", &["many_items_are_taken_at_once"]),
    ("UntilStopped", &["who_pushes_learns_that_nobody_takes_any_more"]),
    ("WeakPusher", &["a_weak_pusher_keeps_no_list_open"]),
    ("push_aiter_bounded", &["pushers_of_a_bounded_list_wait_for_room", "first_come_is_first_served_with_a_place", "a_stop_refuses_pushers_that_wait"]),
    ("WeakBoundedPusher", &["a_weak_pusher_keeps_no_list_open"]),
    ("BoundedPusher", &["pushers_of_a_bounded_list_wait_for_room", "a_stop_refuses_pushers_that_wait"]),
    ("BoundedAiter", &["pushers_of_a_bounded_list_wait_for_room"]),
    ("BoundedNextMany", &["many_items_are_taken_at_once"]),
    ("BoundedPush", &["first_come_is_first_served_with_a_place", "a_stop_refuses_pushers_that_wait"]),
    ("BoundedSink", &["a_bounded_pusher_is_a_sink"]),
    ("Permit", &["a_permit_keeps_room_for_an_item"]),
    ("OwnedPermit", &["a_permit_keeps_room_for_an_item"]),
    ("Reserve", &["a_permit_keeps_room_for_an_item", "a_stop_refuses_pushers_that_wait"]),
    ("ReserveOwned", &["a_permit_keeps_room_for_an_item", "a_stop_refuses_pushers_that_wait"]),
    ("Stopped", &["stop_wakes_readers_and_refuses_pushes"]),
    ("PushError", &["pushers_of_a_bounded_list_wait_for_room", "a_list_without_an_allocator_has_as_many_items_as_slots"]),
    ("AvailableIter", &["available_items_are_seen_without_waiting"]),
    ("TryNextError", &["available_items_are_seen_without_waiting"]),
    ("Statistics", &["available_items_are_seen_without_waiting"]),
    ("push_hub", &["readers_of_a_push_hub_come_and_go", "a_push_hub_replays_what_it_retains"]),
    ("PushHub", &["readers_of_a_push_hub_come_and_go", "a_push_hub_replays_what_it_retains"]),
    ("WeakPushHub", &["a_push_hub_replays_what_it_retains"]),
    ("HubBound", &["a_push_hub_replays_what_it_retains"]),
    ("HubReader", &["a_push_hub_replays_what_it_retains"]),
    ("SkipAiter", &["a_push_hub_replays_what_it_retains"]),
    ("PushHubIdle", &["readers_of_a_push_hub_come_and_go"]),
    ("PushHubOccupied", &["readers_of_a_push_hub_come_and_go"]),
    ("fixed", &["a_list_without_an_allocator_serves_tasks", "a_push_waits_for_a_free_slot", "a_push_drops_the_oldest_item"]),
    ("aiter_forker", &["forks_of_any_stream_see_the_same", "a_fork_that_is_dropped_while_it_polls_strands_nobody", "every_fork_learns_of_a_panic"]),
    ("aiter_forker_with", &["forks_wait_for_the_slowest", "a_fork_that_lags_loses_the_oldest_and_sees_how_many"]),
    ("bound", &["forks_wait_for_the_slowest", "a_fork_that_lags_loses_the_oldest_and_sees_how_many"]),
    ("Fork", &["a_passive_fork_ends_without_an_active_one_and_can_become_one", "each_fork_keeps_to_a_bound_of_its_own"]),
    ("Hub", &["a_hub_makes_forks_that_replay_what_is_retained"]),
    ("HubIdle", &["a_hub_makes_forks_that_replay_what_is_retained"]),
    ("HubOccupied", &["a_hub_makes_forks_that_replay_what_is_retained"]),
    ("sharable_aiter", &["takers_share_each_item_once", "a_cancelled_taker_strands_nobody"]),
    ("Sharable", &["takers_share_each_item_once"]),
    ("split_by", &["each_part_goes_to_a_task_of_its_own", "a_part_that_is_dropped_comes_again"]),
    ("SplitBy", &["each_part_goes_to_a_task_of_its_own"]),
    ("Part", &["each_part_goes_to_a_task_of_its_own", "a_full_part_holds_the_source_back"]),
    ("gated_aiter", &["a_gate_lets_through_what_is_permitted"]),
    ("Gated", &["a_gate_lets_through_what_is_permitted"]),
    ("Gate", &["a_gate_lets_through_what_is_permitted"]),
    ("stoppable_aiter", &["a_stopper_ends_a_stream_that_waits"]),
    ("Stoppable", &["a_stopper_ends_a_stream_that_waits"]),
    ("Stopper", &["a_stopper_ends_a_stream_that_waits", "one_stopper_ends_all_streams_on_all_tasks"]),
    ("StopperStopped", &["one_stopper_ends_all_streams_on_all_tasks"]),
    ("active", &["a_driver_pulls_and_ends_with_its_consumer"]),
    ("Driver", &["a_driver_pulls_and_ends_with_its_consumer", "a_preload_holds_no_more_than_it_may"]),
    ("preload", &["a_preload_holds_no_more_than_it_may"]),
    ("preload_with", &["a_preload_holds_no_more_than_it_may"]),
    ("Preloaded", &["a_preload_holds_no_more_than_it_may"]),
    ("Watermarks", &["a_preload_holds_no_more_than_it_may"]),
    ("join_aiters", &["streams_join_at_any_time", "no_stream_of_a_join_starves_the_others"]),
    ("JoinAiters", &["streams_join_at_any_time"]),
    ("join_aiters_keyed", &["a_keyed_join_tells_keys_and_ends"]),
    ("JoinAitersKeyed", &["a_keyed_join_tells_keys_and_ends"]),
    ("join_aiters_limited", &["a_limited_join_has_no_more_streams_than_its_limit"]),
    ("map_aiter", &["maps_filters_and_zips"]),
    ("MapAiter", &["maps_filters_and_zips"]),
    ("map_async", &["maps_filters_and_zips"]),
    ("MapAsync", &["maps_filters_and_zips"]),
    ("map_filter_aiter", &["maps_filters_and_zips"]),
    ("MapFilterAiter", &["maps_filters_and_zips"]),
    ("flatten_aiter", &["maps_filters_and_zips"]),
    ("FlattenAiter", &["maps_filters_and_zips"]),
    ("batch", &["items_come_in_batches"]),
    ("Batch", &["items_come_in_batches"]),
    ("batch_within", &["batches_wait_for_more_items"]),
    ("BatchWithin", &["batches_wait_for_more_items"]),
    ("switch_aiter", &["the_newest_of_many_streams_counts"]),
    ("SwitchAiter", &["the_newest_of_many_streams_counts"]),
    ("iter_to_aiter", &["maps_filters_and_zips"]),
    ("IterToAiter", &["maps_filters_and_zips"]),
    ("azip", &["maps_filters_and_zips"]),
    ("Azip", &["maps_filters_and_zips"]),
    ("ZipStreams", &["maps_filters_and_zips"]),
    ("AiterExt", &["maps_filters_and_zips"]),
    ("map_workers", &["workers_reach_their_limit"]),
    ("MapWorkers", &["workers_reach_their_limit"]),
    ("map_workers_ordered", &["workers_reach_their_limit"]),
    ("MapWorkersOrdered", &["workers_reach_their_limit"]),
    ("map_workers_by", &["workers_by_key_work_on_one_item_of_each_key"]),
    ("MapWorkersBy", &["workers_by_key_work_on_one_item_of_each_key"]),
    ("Sleep", &["the_newest_item_comes_when_its_source_is_quiet"]),
    ("Clock", &["items_come_as_their_tokens_do"]),
    ("debounce", &["the_newest_item_comes_when_its_source_is_quiet"]),
    ("Debounce", &["the_newest_item_comes_when_its_source_is_quiet"]),
    ("rate_limit", &["items_come_as_their_tokens_do"]),
    ("RateLimit", &["items_come_as_their_tokens_do"]),
    ("RateLimited", &["items_come_as_their_tokens_do"]),
    ("pump", &["a_pump_passes_on_each_item_and_ends_with_the_first_error", "a_pump_in_a_task_borrows_from_it_and_moves_borrowing_items"]),
    ("Pump", &["a_pump_passes_on_each_item_and_ends_with_the_first_error"]),
    ("pump_lending", &["a_lending_pump_writes_to_a_value_of_its_closure"]),
];

#[rustfmt::skip]
const ADAPTER_ITEMS: &[(&str, &[&str])] = &[
    ("active_aiter", &["items_come_in_order_then_the_end", "a_panic_comes_out_after_the_items_before_it", "dropping_the_stream_drops_a_pending_source"]),
    ("active_aiter_on", &["when_an_executor_is_dropped_its_streams_end", "when_a_local_set_is_dropped_its_streams_end"]),
    ("ActiveAiter", &["an_active_list_is_filled_without_being_read", "dropping_one_fork_of_an_active_list_does_not_affect_the_others"]),
    ("preload_aiter", &["items_come_in_order_then_the_end", "no_more_is_pulled_ahead_than_was_asked_for", "pulling_no_item_ahead_is_a_mistake"]),
    ("preload_aiter_on", &["when_an_executor_is_dropped_its_streams_end"]),
    ("preload_aiter_with", &["a_preload_with_watermarks_refills_in_batches"]),
    ("preload_aiter_with_on", &["items_come_in_order_then_the_end"]),
    ("PreloadAiter", &["no_more_is_pulled_ahead_than_was_asked_for"]),
    ("join_aiters", &["joined_streams_run_at_the_same_time", "after_a_panic_of_one_joined_stream_the_others_go_on"]),
    ("join_aiters_on", &["when_an_executor_is_dropped_its_streams_end"]),
    ("join_aiters_buffered", &["each_joined_stream_keeps_its_order", "no_more_is_pulled_ahead_than_was_asked_for"]),
    ("join_aiters_buffered_on", &["when_an_executor_is_dropped_its_streams_end"]),
    ("JoinTasks", &["streams_join_while_others_are_pending"]),
    ("map_workers", &["workers_run_at_the_same_time_and_each_item_goes_to_one", "a_panic_of_a_workers_future_loses_one_item", "all_workers_but_a_pending_one_go_on"]),
    ("map_workers_on", &["when_an_executor_is_dropped_its_streams_end"]),
    ("map_workers_ordered", &["items_come_in_order_then_the_end", "functions_and_methods_run_the_same_number_of_tasks"]),
    ("map_workers_ordered_on", &["functions_and_methods_on_a_given_executor_run_the_same_number_of_tasks"]),
    ("OrderedTasks", &["items_come_in_order_then_the_end"]),
    ("AiterExt", &["every_method_is_called_with_the_other_traits_in_scope", "functions_and_methods_run_the_same_number_of_tasks"]),
    ("aiter_core", &["functions_of_the_core_start_no_task"]),
    ("MapTasks", &["workers_run_at_the_same_time_and_each_item_goes_to_one"]),
    ("Spawned", &["dropping_the_stream_drops_a_pending_source", "when_the_runtime_shuts_down_the_stream_ends"]),
    ("On", &["when_an_executor_is_dropped_its_streams_end"]),
    ("Local", &["when_a_local_set_is_dropped_its_streams_end"]),
    ("Global", &["items_come_in_order_then_the_end"]),
    ("cooperative", &["a_join_in_one_task_takes_part_when_it_is_wrapped", "an_unconstrained_task_takes_all_ready_items", "nothing_is_lost_when_the_budget_is_used_up"]),
    ("Cooperative", &["polling_a_pending_stream_uses_no_budget", "outside_tokio_nothing_is_counted"]),
    ("Budget", &["another_task_runs_while_ready_items_are_taken"]),
    ("aiter_to_iter", &["timers_work_in_a_blocking_iterator", "a_blocking_iterator_inside_a_task_reports_the_mistake"]),
    ("aiter_to_iter_on", &["timers_work_from_a_thread_without_a_context", "a_runtime_given_is_driven_even_if_it_has_one_thread"]),
    ("BlockingIter", &["a_blocking_iterator_pulls_nothing_ahead_and_drops_its_stream"]),
    ("ReadAhead", &["reading_ahead_yields_the_same_items_and_pulls_no_more_than_was_allowed", "a_panic_comes_out_after_the_items_before_it"]),
    ("BlockOn", &["an_iterator_moved_to_another_thread_keeps_its_runtime"]),
    ("OnRuntime", &["an_iterator_moved_to_another_thread_keeps_its_runtime"]),
    ("OnThread", &["a_blocking_iterator_pulls_nothing_ahead_and_drops_its_stream"]),
    ("Timer", &["operators_with_a_timer_use_that_of_the_runtime", "the_clock_of_a_paused_runtime_jumps_nowhere"]),
    ("batch_within", &["operators_with_a_timer_use_that_of_the_runtime", "operators_keep_to_a_time_that_is_paused"]),
    ("debounce", &["operators_with_a_timer_use_that_of_the_runtime", "operators_keep_to_a_time_that_is_paused"]),
    ("rate_limit", &["operators_with_a_timer_use_that_of_the_runtime", "operators_keep_to_a_time_that_is_paused"]),
    ("tcp_server", &["servers_serve_clients_and_stop", "out_of_file_descriptors_is_reported_with_pauses_and_the_server_lives_on", "an_address_in_use_or_malformed_is_an_error", "a_client_that_has_reset_comes_with_its_address_and_the_next_is_served"]),
    ("tcp_server_from", &["a_listener_that_is_bound_already_is_served", "a_listener_of_another_runtime_ends_with_either"]),
    ("unix_server", &["a_unix_server_removes_its_own_file_only", "it_is_removed_if_its_directory_or_a_parent_has_been_renamed", "the_file_of_a_relative_path_is_removed_wherever_the_process_has_moved", "a_unix_client_comes_with_its_own_file_or_without_a_name"]),
    ("unix_server_from", &["the_file_of_a_listener_that_is_bound_already_stays"]),
];

/// What a case covers, beside normal use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// A source that yields nothing.
    Empty,
    /// The end, and what comes after it.
    End,
    /// A drop at each await point.
    Drop,
    /// A source, or a closure, that panics.
    Panic,
    /// How much is taken, held or done at once, counted exactly.
    Limit,
    /// In which order streams or tasks are served, counted exactly.
    Fairness,
}

/// What `sweeps.rs` covers for each of its subjects.
const SWEPT: [Kind; 4] = [Empty, End, Drop, Panic];
const SWEEPS: &[&str] = &[
    "items_come_then_the_end_and_nothing_after_it",
    "an_empty_source_gives_the_end",
    "dropped_at_each_await_point_it_loses_nothing_and_strands_nobody",
    "when_its_driver_is_dropped_at_any_await_point_it_ends",
    "a_panic_of_the_source_comes_out_and_strands_nobody",
];
const KINDS: [Kind; 6] = [Empty, End, Drop, Panic, Limit, Fairness];

/// The cases of a kind that are not sweeps.
type ByKind = &'static [(&'static str, Kind, &'static [&'static str])];
/// The kinds that do not apply, and why.
type Without = &'static [(&'static str, &'static [Kind], &'static str)];

#[rustfmt::skip]
const BY_KIND: ByKind = &[
    ("push_aiter_with", Limit, &["a_preflight_runs_for_each_requested_item"]),
    ("push_aiter_bounded", Limit, &["pushers_of_a_bounded_list_wait_for_room"]),
    ("push_aiter_bounded", Fairness, &["first_come_is_first_served_with_a_place"]),
    ("push_hub", Limit, &["a_push_hub_replays_what_it_retains"]),
    ("fixed", Limit, &["a_list_without_an_allocator_has_as_many_items_as_slots", "a_push_drops_the_oldest_item"]),
    ("fixed", Fairness, &["a_push_waits_for_a_free_slot"]),
    ("aiter_forker", Limit, &["nothing_is_taken_before_it_is_requested"]),
    ("aiter_forker_with", Limit, &["forks_wait_for_the_slowest", "a_fork_that_lags_loses_the_oldest_and_sees_how_many"]),
    ("sharable_aiter", Limit, &["nothing_is_taken_before_it_is_requested"]),
    ("sharable_aiter", Fairness, &["first_come_is_first_served"]),
    ("split_by", Limit, &["a_full_part_holds_the_source_back"]),
    ("gated_aiter", Limit, &["a_gate_lets_through_what_is_permitted"]),
    ("active", Fairness, &["one_poll_of_a_driver_or_pump_is_bounded"]),
    ("preload", Limit, &["a_preload_holds_no_more_than_it_may"]),
    ("preload", Fairness, &["one_poll_of_a_driver_or_pump_is_bounded"]),
    ("preload_with", Limit, &["a_preload_holds_no_more_than_it_may"]),
    ("preload_with", Fairness, &["one_poll_of_a_driver_or_pump_is_bounded"]),
    ("join_aiters", Limit, &["nothing_is_taken_before_it_is_requested"]),
    ("join_aiters", Fairness, &["no_stream_of_a_join_starves_the_others", "a_stream_that_wakes_is_served_in_the_next_round"]),
    ("join_aiters_keyed", Limit, &["nothing_is_taken_before_it_is_requested"]),
    ("join_aiters_keyed", Fairness, &["no_stream_of_a_join_starves_the_others"]),
    ("join_aiters_limited", Limit, &["a_limited_join_has_no_more_streams_than_its_limit", "nothing_is_taken_before_it_is_requested"]),
    ("join_aiters_limited", Fairness, &["no_stream_of_a_join_starves_the_others"]),
    ("map_async", Limit, &["nothing_is_taken_before_it_is_requested"]),
    ("map_filter_aiter", Limit, &["nothing_is_taken_before_it_is_requested"]),
    ("flatten_aiter", Limit, &["nothing_is_taken_before_it_is_requested"]),
    ("batch", Limit, &["items_come_in_batches"]),
    ("batch_within", Limit, &["batches_wait_for_more_items"]),
    ("switch_aiter", Limit, &["the_newest_of_many_streams_counts"]),
    ("switch_aiter", Fairness, &["the_newest_of_many_streams_counts"]),
    ("azip", Limit, &["nothing_is_taken_before_it_is_requested"]),
    ("map_workers", Limit, &["workers_reach_their_limit"]),
    ("map_workers", Fairness, &["a_future_that_wakes_is_served_among_fresh_ones"]),
    ("map_workers_ordered", Limit, &["workers_reach_their_limit"]),
    ("map_workers_ordered", Fairness, &["a_future_that_wakes_is_served_among_fresh_ones"]),
    ("map_workers_by", Limit, &["workers_by_key_work_on_one_item_of_each_key"]),
    ("map_workers_by", Fairness, &["a_future_that_wakes_is_served_among_fresh_ones"]),
    ("debounce", Fairness, &["the_newest_item_comes_when_its_source_is_quiet"]),
    ("rate_limit", Limit, &["items_come_as_their_tokens_do"]),
    ("pump", Limit, &["nothing_is_taken_before_it_is_requested"]),
    ("pump", Fairness, &["one_poll_of_a_driver_or_pump_is_bounded"]),
    ("pump_lending", Limit, &["nothing_is_taken_before_it_is_requested"]),
    ("pump_lending", Fairness, &["one_poll_of_a_driver_or_pump_is_bounded"]),
];

const WITHOUT: Without = &[
    (
        "push_aiter",
        &[Limit, Fairness],
        "unbounded; a push waits for nobody",
    ),
    ("push_aiter_with", &[Fairness], "as `push_aiter`"),
    ("push_hub", &[Fairness], "a push waits for nobody"),
    ("aiter_forker", &[Fairness], "each item goes to every fork"),
    (
        "aiter_forker_with",
        &[Fairness],
        "each item goes to every fork",
    ),
    (
        "split_by",
        &[Fairness],
        "each item goes to the part of its key",
    ),
    ("gated_aiter", &[Fairness], "one stream, one reader"),
    (
        "stoppable_aiter",
        &[Limit, Fairness],
        "one stream, one reader, and no number of anything",
    ),
    ("active", &[Limit], "unbounded"),
    (
        "map_aiter",
        &[Limit, Fairness],
        "one poll is one poll of its source",
    ),
    ("map_async", &[Fairness], "one future at a time"),
    ("map_filter_aiter", &[Fairness], "one stream, one reader"),
    ("flatten_aiter", &[Fairness], "one stream, one reader"),
    ("batch", &[Fairness], "one stream, one reader"),
    ("batch_within", &[Fairness], "one stream, one reader"),
    (
        "iter_to_aiter",
        &[Limit, Fairness],
        "one poll is one item of the iterator",
    ),
    ("debounce", &[Limit], "it keeps one item"),
    ("rate_limit", &[Fairness], "one stream, one reader"),
    ("azip", &[Fairness], "a row needs an item of each stream"),
];

#[rustfmt::skip]
const ADAPTER_BY_KIND: ByKind = &[
    ("preload_aiter", Limit, &["no_more_is_pulled_ahead_than_was_asked_for", "the_requested_number_of_items_is_pulled_ahead"]),
    ("preload_aiter_with", Limit, &["a_preload_with_watermarks_refills_in_batches"]),
    ("join_aiters", Limit, &["no_more_is_pulled_ahead_than_was_asked_for", "the_requested_number_of_items_is_pulled_ahead"]),
    ("join_aiters_buffered", Limit, &["no_more_is_pulled_ahead_than_was_asked_for", "the_requested_number_of_items_is_pulled_ahead"]),
    ("map_workers", Limit, &["the_requested_number_of_items_is_pulled_ahead", "workers_run_at_the_same_time_and_each_item_goes_to_one"]),
    ("map_workers_ordered", Limit, &["the_requested_number_of_items_is_pulled_ahead"]),
    ("cooperative", Drop, &["nothing_is_lost_when_the_budget_is_used_up"]),
    ("cooperative", Limit, &["polling_a_pending_stream_uses_no_budget"]),
    ("cooperative", Fairness, &["a_join_in_one_task_takes_part_when_it_is_wrapped"]),
    ("aiter_to_iter", Empty, &["items_come_in_order_then_the_end"]),
    ("aiter_to_iter", End, &["items_come_in_order_then_the_end"]),
    ("aiter_to_iter", Drop, &["dropping_the_iterator_drops_the_stream"]),
    ("aiter_to_iter", Panic, &["a_panic_of_the_source_comes_out_and_leaves_the_runtime_usable"]),
    ("aiter_to_iter", Limit, &["a_ready_item_is_one_poll_and_nothing_is_pulled_ahead"]),
    ("aiter_to_iter_on", Empty, &["the_end_and_the_size_are_right_while_items_are_buffered"]),
    ("aiter_to_iter_on", End, &["timers_work_from_a_thread_without_a_context"]),
    ("aiter_to_iter_on", Drop, &["dropping_the_iterator_drops_the_stream"]),
    ("aiter_to_iter_on", Panic, &["a_panic_of_the_source_comes_out_and_leaves_the_runtime_usable"]),
    ("aiter_to_iter_on", Limit, &["reading_ahead_yields_the_same_items_and_pulls_no_more_than_was_allowed"]),
    ("tcp_server", End, &["servers_serve_clients_and_stop", "stop_from_another_thread_wakes_the_stream_and_closes_the_listener", "a_server_that_waits_is_woken_and_ends", "a_server_that_pauses_after_an_error_is_woken_and_ends"]),
    ("tcp_server", Drop, &["servers_serve_clients_and_stop"]),
    ("tcp_server", Limit, &["out_of_file_descriptors_is_reported_with_pauses_and_the_server_lives_on", "a_client_that_stop_has_no_descriptor_for_becomes_an_error"]),
    ("unix_server", End, &["a_unix_server_removes_its_own_file_only"]),
    ("unix_server", Drop, &["a_unix_server_serves_and_removes_its_file"]),
];

const SAME: &str = "as the function without a place, whose code it shares";
const MADE_OF: &str = "as the function that binds, which is made of it or shares its code";
const WITH_TIMER: &str = "as the function of core, which it calls with a timer";
const ADAPTER_WITHOUT: Without = &[
    (
        "active_aiter",
        &[Limit, Fairness],
        "unbounded; the executor's choice",
    ),
    ("preload_aiter", &[Fairness], "the executor's choice"),
    ("preload_aiter_with", &[Fairness], "the executor's choice"),
    (
        "join_aiters",
        &[Fairness],
        "a task each: the executor's choice",
    ),
    (
        "join_aiters_buffered",
        &[Fairness],
        "a task each: the executor's choice",
    ),
    (
        "map_workers",
        &[Fairness],
        "a task each: the executor's choice",
    ),
    (
        "map_workers_ordered",
        &[Fairness],
        "a task each: the executor's choice",
    ),
    ("active_aiter_on", &KINDS, SAME),
    ("preload_aiter_on", &KINDS, SAME),
    ("preload_aiter_with_on", &KINDS, SAME),
    ("join_aiters_on", &KINDS, SAME),
    ("join_aiters_buffered_on", &KINDS, SAME),
    ("map_workers_on", &KINDS, SAME),
    ("map_workers_ordered_on", &KINDS, SAME),
    (
        "cooperative",
        &[Empty, End, Panic],
        "passes on what its stream says",
    ),
    ("aiter_to_iter", &[Fairness], "one stream, one reader"),
    ("aiter_to_iter_on", &[Fairness], "one stream, one reader"),
    (
        "tcp_server",
        &[Empty, Panic, Fairness],
        "its source is the system: none of ours to be empty or to panic",
    ),
    (
        "unix_server",
        &[Empty, Panic, Fairness],
        "its source is the system: none of ours to be empty or to panic",
    ),
    (
        "unix_server",
        &[Limit],
        "the pauses are those of `tcp_server`",
    ),
    ("batch_within", &KINDS, WITH_TIMER),
    ("debounce", &KINDS, WITH_TIMER),
    ("rate_limit", &KINDS, WITH_TIMER),
    ("tcp_server_from", &KINDS, MADE_OF),
    ("unix_server_from", &KINDS, MADE_OF),
];

/// Checks that each function has each kind exactly once: as a subject of the sweeps, by cases of
/// its own, or not, with a reason.
fn has_every_kind(
    items: &[(&str, &[&str])],
    subjects: &[Subject],
    by_kind: ByKind,
    without: Without,
    is_case: impl Fn(&str) -> bool,
) {
    // `bound` is a module, and `aiter_core` a crate.
    let is_function = |item: &str| {
        item.starts_with(char::is_lowercase) && !["bound", "aiter_core"].contains(&item)
    };
    for (item, _) in items.iter().filter(|(item, _)| is_function(item)) {
        let is_swept = subjects
            .iter()
            .any(|(subject, _)| subject.split([',', ' ']).next() == Some(*item));
        for kind in KINDS {
            let swept = usize::from(is_swept && SWEPT.contains(&kind));
            let own = by_kind.iter().filter(|of| (of.0, of.1) == (item, kind));
            let reasons = without
                .iter()
                .filter(|of| of.0 == *item && of.1.contains(&kind));
            assert_eq!(swept + own.count() + reasons.count(), 1, "{item}: {kind:?}");
        }
    }
    let known = |item| names(items).contains(item) && is_function(item);
    for (item, kind, cases) in by_kind {
        assert!(known(item) && !cases.is_empty(), "{item}: {kind:?}");
        for case in *cases {
            assert!(is_case(case), "{item}: no case is named {case}");
        }
    }
    for (item, ..) in without {
        assert!(known(item), "{item} is no function");
    }
}

const CORE: &str = include_str!("../../../aiter-core/src/lib.rs");
const ADAPTERS: [&str; 3] = [
    include_str!("../../../aiter-tokio/src/lib.rs"),
    include_str!("../../../aiter-smol/src/lib.rs"),
    include_str!("../../../aiter-async-std/src/lib.rs"),
];
const ADAPTER_CASES: [&str; 15] = [
    include_str!("../ext.rs"),
    include_str!("../../../aiter-tokio/tests/same_tasks.rs"),
    include_str!("../adapters.rs"),
    include_str!("../places.rs"),
    include_str!("../../../aiter-tokio/tests/spawn/all.rs"),
    include_str!("../../../aiter-tokio/tests/spawn/own.rs"),
    include_str!("../../../aiter-tokio/tests/blocking.rs"),
    include_str!("../../../aiter-tokio/tests/coop.rs"),
    include_str!("../../../aiter-tokio/tests/timer.rs"),
    include_str!("../servers.rs"),
    include_str!("../servers/clients.rs"),
    include_str!("../servers/files.rs"),
    include_str!("../runtime_shutdown.rs"),
    include_str!("../working_directory.rs"),
    include_str!("../file_limit.rs"),
];

/// Returns the names that a crate's root makes public, as its `pub use` and `pub mod` lines have
/// them.
fn public(root: &str) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    let mut rest = root;
    while let Some((_, after)) = rest.split_once("\npub use ") {
        let (used, after) = after.split_once(';').unwrap();
        // `module::{A, B}` or `module::a`, also nested: every name that no `::` follows.
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
fn every_function_of_core_has_cases_of_each_kind() {
    has_every_kind(ITEMS, &subjects::all(), BY_KIND, WITHOUT, |case| {
        CASES.contains(&case)
    });
}

#[test]
fn every_function_of_the_adapters_has_cases_of_each_kind() {
    has_every_kind(
        ADAPTER_ITEMS,
        on_tasks!(aiter_tokio),
        ADAPTER_BY_KIND,
        ADAPTER_WITHOUT,
        is_adapter_case,
    );
}

#[test]
fn every_case_belongs_to_an_item() {
    let of_items = ITEMS.iter().flat_map(|(_, cases)| *cases);
    let of_kinds = BY_KIND.iter().flat_map(|(.., cases)| *cases);
    let listed = BTreeSet::from_iter(of_items.chain(of_kinds).chain(SWEEPS));
    assert_eq!(listed, BTreeSet::from_iter(CASES));
}

fn is_adapter_case(case: &str) -> bool {
    let test = format!("fn {case}(");
    ADAPTER_CASES.iter().any(|source| source.contains(&test))
}

#[test]
fn every_public_item_of_the_adapters_has_a_case() {
    let mut public: BTreeSet<_> = ADAPTERS.into_iter().flat_map(public).collect();
    // All items of core, and those of `net`.
    assert!(public.remove("*"));
    public.extend(["tcp_server", "tcp_server_from"]);
    public.extend(["unix_server", "unix_server_from"]);
    assert_eq!(
        public,
        names(ADAPTER_ITEMS),
        "public items, and those that have cases"
    );
    for (item, cases) in ADAPTER_ITEMS {
        assert!(!cases.is_empty(), "{item} has no case");
        for case in *cases {
            assert!(is_adapter_case(case), "{item}: no case is named {case}");
        }
    }
}
