//! The invariants of `report`.

use domain::serverless::decision::Decision;
use domain::serverless::observed::Observed;
use domain::serverless::status::{Report, report};

use crate::{Verdict, consistency, continuity};

pub type ReportInvariant = fn(&Observed, &Decision, &Report) -> Verdict;

/// Calls a macro with the names of all of them.
#[macro_export]
macro_rules! for_each_invariant_of_reports {
    ($call:ident) => {
        $call! {
            consistency {
                four_conditions_are_always_reported_and_each_type_once
                every_condition_has_a_message
                the_conditions_that_are_only_there_while_true_are_true
                nothing_is_both_reconciling_and_stalled
                a_ready_object_is_neither_reconciling_nor_stalled
                an_object_that_is_not_ready_is_reconciling_or_stalled_unless_it_is_suspended
                available_is_reported_ready_only_with_the_declared_vpc_endpoint
                ready_is_turned_true_only_by_a_listing_that_shows_the_endpoint_far_enough
                connected_is_reported_exactly_when_atlas_says_available
                conditions_that_stand_side_by_side_do_not_contradict_each_other
                suspended_is_reported_exactly_while_the_living_object_declares_it
                what_cannot_go_on_by_itself_is_stalled
                a_lost_endpoint_offers_no_service
                an_announced_end_of_the_api_is_one_condition_more_and_changes_nothing_else
            }
            continuity {
                a_ready_object_whose_listing_failed_keeps_ready_for_the_same_generation
                one_response_that_all_is_gone_withdraws_nothing
                what_one_listing_withdraws_stays_until_a_second_agrees
                one_listing_without_the_endpoint_changes_no_condition
                a_deadline_stalls_only_what_is_being_worked_on
                an_object_that_is_stalled_by_a_deadline_keeps_its_clock
                an_endpoint_is_reported_lost_before_another_is_claimed_in_its_place
            }
        }
    };
}

macro_rules! list {
    ($($group:ident { $($name:ident)+ })+) => {
        pub static ALL: &[(&str, ReportInvariant)] = &[$($((stringify!($name), $group::$name),)+)+];
    };
}

for_each_invariant_of_reports!(list);

/// Returns the same observation when the reported work, if any, has reached its deadline.
pub fn late(o: &Observed, decision: &Decision) -> Option<Observed> {
    let stage = report(o, decision).working?;
    let mut late = o.clone();
    late.memory.working = Some((stage, o.spec.as_ref().ok()?.progress_deadline));
    Some(late)
}
