//! The contract of `store::Store`: one list of cases, run on every engine. A new engine adds one line at the end.

#![allow(clippy::unwrap_used, reason = "a case may panic")]

mod commit;
mod compact;
mod harness;
mod lease;
mod limits;
mod range;
mod watch;

use harness::{Engine, Harness};

fn run<F: Future<Output = ()>>(engine: Engine, case: impl FnOnce(Harness) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async { case(engine.start().await).await });
}

/// Makes one test per case for an engine.
macro_rules! cases {
    ($engine:expr; $($topic:ident: $($case:ident)*;)*) => {
        $(mod $topic {
            $(#[test]
            fn $case() {
                crate::run($engine, crate::$topic::$case);
            })*
        })*
    };
}

macro_rules! contract {
    ($engine:expr) => {
        cases! {
            $engine;
            range:
                an_empty_store_has_no_keys
                a_key_that_was_put_is_found
                an_absent_key_is_not_found
                keys_come_in_byte_order
                a_prefix_finds_only_keys_that_begin_with_it
                a_prefix_that_ends_in_ff_finds_its_keys
                an_empty_prefix_finds_everything
                a_single_key_range_does_not_find_longer_keys
                a_span_has_its_start_and_not_its_end
                a_span_between_keys_finds_nothing
                an_empty_span_finds_nothing
                an_inverted_span_finds_nothing
                an_inverted_span_in_the_past_finds_nothing
                a_range_starting_at_a_key_reaches_the_end
                a_limit_cuts_the_answer_and_says_so
                a_limit_of_exactly_the_count_is_not_cut
                a_limit_above_the_count_is_not_cut
                a_limit_of_zero_only_counts
                the_count_ignores_the_limit
                a_range_tells_the_revision_it_was_read_at
                a_range_in_the_past_tells_that_revision
                pages_at_one_revision_show_one_picture
                the_past_shows_an_overwritten_value
                the_past_shows_a_deleted_key
                the_past_hides_a_later_key
                the_past_hides_a_key_between_two_lives
                the_past_has_the_numbers_of_then
                the_past_is_in_byte_order_with_limit_and_count
                the_past_keeps_to_the_range
                every_revision_of_the_past_can_be_read
                the_revision_before_the_first_write_is_empty
                the_current_revision_by_name_is_now
                a_future_revision_cannot_be_read
                keys_and_values_hold_any_byte
                an_empty_value_is_a_value
                a_thousand_keys_are_all_found
                an_answer_does_not_change_with_later_writes
                paging_visits_every_key_once;
            commit:
                a_put_makes_the_next_revision
                each_commit_makes_one_revision
                the_keys_of_a_commit_share_its_revision
                a_new_key_begins_at_version_one
                overwriting_keeps_the_create_revision
                writing_the_same_value_is_a_new_version
                deleting_removes_the_key
                a_recreated_key_begins_anew
                deleting_an_absent_key_makes_no_revision
                deleting_an_absent_key_beside_a_put_does_not_matter
                an_empty_commit_answers_the_current_revision
                a_check_that_holds_makes_no_revision
                a_check_that_fails_answers_the_current_key
                a_commit_may_put_and_delete_different_keys
                mod_revision_holds_for_the_last_write
                mod_revision_zero_holds_for_an_absent_key
                create_revision_holds_for_the_first_write
                create_revision_zero_holds_for_an_absent_key
                version_counts_the_writes
                version_zero_holds_for_an_absent_key
                absent_holds_only_without_the_key
                exists_holds_only_with_the_key
                unchanged_holds_for_what_was_read
                a_mod_revision_from_an_earlier_life_does_not_hold
                a_conflict_changes_nothing
                a_conflict_answers_every_compared_key_in_order
                a_conflict_tells_its_revision
                all_compares_must_hold
                a_compare_may_guard_other_keys_than_the_writes
                a_compare_may_guard_a_delete
                compares_are_on_the_state_before_the_commit
                a_conflict_shows_a_key_that_lost_its_life
                of_many_who_create_a_key_one_wins
                concurrent_counting_loses_no_step
                concurrent_commits_have_revisions_of_their_own
                a_commit_is_visible_as_soon_as_it_is_answered
                a_dropped_call_leaves_the_store_usable
                one_hundred_keys_change_in_one_revision
                a_put_on_a_dead_lease_is_refused_after_the_compares;
            limits:
                as_many_writes_as_allowed_are_accepted
                one_write_too_many_is_refused
                as_many_compares_as_allowed_are_accepted
                one_compare_too_many_is_refused
                exactly_the_byte_limit_is_accepted
                one_byte_too_many_is_refused
                the_bytes_of_all_writes_count_together
                the_keys_of_compares_count_as_bytes
                the_keys_of_deletes_count_as_bytes
                putting_a_key_twice_is_refused
                putting_and_deleting_a_key_is_refused
                deleting_a_key_twice_is_refused
                comparing_a_key_twice_is_refused
                comparing_and_writing_a_key_is_the_usual_case
                an_empty_key_cannot_be_put
                an_empty_key_cannot_be_deleted
                an_empty_key_cannot_be_compared
                a_refused_commit_changes_nothing
                a_refusal_comes_before_a_conflict
                a_refusal_says_what_is_allowed;
            watch:
                a_watch_sees_the_next_commit
                a_waiting_watch_is_woken
                a_watch_is_silent_without_commits
                a_new_key_has_no_previous_version
                an_overwritten_key_has_both_versions
                a_deleted_key_has_only_its_previous_version
                a_recreated_key_has_no_previous_version
                the_changes_of_a_commit_come_together_in_its_order
                a_delete_of_an_absent_key_is_not_a_change
                revisions_come_in_order
                the_past_is_replayed
                nothing_before_the_asked_revision_is_seen
                a_replay_goes_over_into_the_present
                list_then_watch_misses_nothing
                a_watch_of_the_future_fails
                watchers_share_the_changes
                a_prefix_watch_whose_prefix_holds_everything_shares_the_changes
                twenty_watchers_see_the_same
                a_watch_resumes_from_every_revision
                a_prefix_watch_sees_only_its_keys
                a_single_key_watch_sees_only_that_key
                a_span_watch_sees_only_the_span
                revisions_outside_the_range_show_as_progress
                progress_covers_all_that_was_skipped
                after_progress_the_next_change_is_seen
                a_watch_of_everything_needs_no_progress
                a_conflict_is_not_seen
                a_commit_without_effect_is_not_seen
                a_refused_commit_is_not_seen
                a_cancelled_next_loses_nothing
                a_dropped_watch_disturbs_nobody
                a_slow_watch_sees_everything_that_is_kept
                a_watch_sees_concurrent_commits_complete_and_in_order
                replaying_a_watch_gives_the_range
                a_watch_behind_the_floor_is_told
                a_watch_at_the_floor_is_told
                a_watch_from_above_the_floor_goes_on
                a_slow_watch_that_compaction_overtakes_is_told
                a_compacted_watch_stays_ended
                a_watch_that_kept_up_does_not_notice_compaction
                the_end_of_the_store_ends_the_watch
                a_large_commit_is_seen_whole;
            lease:
                leases_have_ids_of_their_own
                granting_makes_no_revision
                a_lease_without_time_is_refused
                a_new_lease_has_its_whole_time
                the_remaining_time_falls
                a_keepalive_answers_the_whole_time
                a_keepalive_makes_no_revision
                an_unknown_lease_cannot_be_kept_alive
                an_unknown_lease_has_no_remaining_time
                an_unknown_lease_cannot_be_revoked
                a_put_on_an_unknown_lease_changes_nothing
                a_leased_key_names_its_lease
                a_key_dies_with_its_lease
                a_key_lives_until_the_last_moment
                a_keepalive_postpones_the_end
                keys_without_a_lease_live_on
                all_keys_of_a_lease_go_in_one_revision
                a_lease_may_have_more_keys_than_a_commit
                leases_end_in_the_order_of_their_deadlines
                leases_due_at_once_end_in_the_order_they_were_granted
                a_lease_without_keys_ends_without_a_revision
                a_put_without_a_lease_takes_the_key_off_it
                a_put_on_another_lease_moves_the_key
                a_put_can_hang_a_free_key_on_a_lease
                a_key_on_the_same_lease_again_still_dies_once
                a_recreated_key_is_free_of_the_former_lease
                a_deleted_key_does_not_die_again
                a_conflict_hangs_nothing_on_a_lease
                revoking_deletes_the_keys
                revoking_without_keys_makes_no_revision
                a_revoked_lease_is_gone
                an_ended_lease_is_gone
                revoking_leaves_other_leases_alone
                ids_are_not_given_again
                a_commit_at_the_deadline_finds_the_key_gone
                a_commit_of_the_former_holder_conflicts
                the_end_of_a_lease_wakes_a_watch_by_itself
                a_later_lease_that_ends_earlier_is_not_missed
                the_end_of_a_lease_shows_in_a_range_without_any_call
                the_end_of_a_lease_tells_the_last_value
                a_short_lease_ends_by_the_millisecond
                an_endless_lease_does_not_end
                keepalives_of_many_holders_keep_all_alive;
            compact:
                compaction_raises_the_floor
                compaction_makes_no_revision
                compaction_keeps_the_current_values
                below_the_floor_nothing_can_be_read
                at_the_floor_everything_can_be_read
                above_the_floor_the_past_stays_right
                a_deletion_at_the_floor_stays_a_deletion
                the_future_cannot_be_compacted
                compacting_below_the_floor_does_nothing
                compacting_twice_is_compacting_once
                version_numbers_survive_compaction
                revisions_go_on_after_compaction
                an_empty_store_can_be_compacted
                leased_keys_survive_compaction_and_still_die
                after_compaction_a_new_list_and_watch_go_on
                an_overwritten_key_survives_compaction_between_its_versions
                step_by_step_compaction_keeps_the_present
                the_status_names_the_current_revision
                a_fresh_store_can_be_listed_and_watched
                the_epoch_stays
                the_size_grows_with_the_data
                asking_for_the_status_changes_nothing;
        }
    };
}

mod memory {
    contract!(crate::Engine::Memory);
}

mod sqlite {
    contract!(crate::Engine::Sqlite);
}
