//! The invariants of `decide`.

use domain::serverless::decision::Decision;
use domain::serverless::observed::Observed;

use crate::{Verdict, changing, creating, leaving, narrowing, pausing};

pub type DecisionInvariant = fn(&Observed, &Decision) -> Verdict;

/// Calls a macro with the names of all of them.
#[macro_export]
macro_rules! for_each_invariant_of_decisions {
    ($call:ident) => {
        $call! {
            creating {
                a_create_is_decided_for_a_living_object_with_our_finalizer_that_wants_an_endpoint
                a_create_is_decided_only_for_our_own_unsent_attempt_that_the_open_claim_announces_and_before_its_deadline
                a_create_is_decided_only_while_no_other_attempt_may_land
                a_create_is_decided_only_while_the_listing_shows_nothing_with_our_mark_not_even_deleting
                a_create_replaces_a_recorded_endpoint_only_once_it_is_lost
                a_created_endpoint_carries_our_mark
                what_is_recorded_was_created_or_is_listed_with_our_mark_or_was_named
                nothing_that_is_being_deleted_is_recorded
                a_recorded_id_is_replaced_only_when_it_is_gone
                nothing_is_claimed_before_a_listing_unless_to_hold_what_is_recorded
                a_claim_is_written_only_for_a_living_object
                a_claim_announces_again_what_may_still_land
                a_claim_replaces_only_the_recorded_endpoint
                a_fresh_claim_for_a_lost_endpoint_notes_the_vpc_endpoint_that_goes_with_it
                a_created_endpoint_is_recorded_before_anything_else
                what_another_attempt_made_is_recorded_only_if_a_listing_shows_it
            }
            changing {
                a_delete_hits_only_what_carries_our_mark_or_the_recorded_id_that_no_listing_shows
                a_delete_of_a_living_object_hits_only_an_unused_excess_endpoint_and_at_most_one_an_hour
                a_delete_for_a_deleted_object_needs_its_policy
                an_update_hits_only_the_recorded_or_the_named_endpoint_and_never_a_foreign_one_without_the_take_over_word
                default_credentials_take_nothing_over_from_another_namespace
                an_update_never_loses_our_mark
                an_update_is_decided_only_if_something_differs
                a_vpc_endpoint_is_sent_only_to_a_service_that_it_may_belong_to
                observing_never_writes_to_atlas
                suspending_stops_writing_to_atlas
                there_is_at_most_one_write_to_atlas_in_a_reconcile
                a_key_that_is_only_remembered_writes_nothing_but_deletes
                atlas_is_never_written_to_without_a_listing
            }
            leaving {
                an_object_is_released_as_deleted_only_when_nothing_of_ours_is_left_or_can_appear
                an_object_is_released_as_retained_only_as_declared_or_if_the_endpoint_is_not_ours
                no_object_is_released_while_an_attempt_may_land
                a_deletion_goes_on_without_a_record_that_was_not_taken
                an_absence_is_confirmed_only_by_a_listing_that_shows_it
                an_open_attempt_is_settled_before_the_object_is_suspended_named_or_lost
            }
            pausing {
                suspending_stops_listing_unless_an_attempt_is_open
                what_was_listed_is_not_listed_again
                a_rest_without_a_requeue_is_one_that_only_the_user_can_end
                one_response_that_all_is_gone_is_followed_by_a_request_within_the_gap
                no_pause_is_empty
            }
            narrowing {
                what_concerns_other_objects_changes_neither_decision_nor_report
            }
        }
    };
}

macro_rules! list {
    ($($group:ident { $($name:ident)+ })+) => {
        pub static ALL: &[(&str, DecisionInvariant)] = &[$($((stringify!($name), $group::$name),)+)+];
    };
}

for_each_invariant_of_decisions!(list);
