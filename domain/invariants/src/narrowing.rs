//! What of a listing is left out: the endpoints that concern other objects.
//!
//! The only invariant of a helper of the rules: the shell leaves out the endpoints that `Observed::concerns` rejects.

use domain::serverless::decide::decide;
use domain::serverless::decision::Decision;
use domain::serverless::observed::{Listing, Observed};
use domain::serverless::status::report;

use crate::Verdict;

pub(crate) fn what_concerns_other_objects_changes_neither_decision_nor_report(
    o: &Observed,
    d: &Decision,
) -> Verdict {
    let Listing::Fetched(listing) = &o.listing else { return None };
    let concerning: Vec<_> = listing.iter().filter(|endpoint| o.concerns(endpoint)).cloned().collect();
    if concerning.len() == listing.len() {
        return None;
    }
    let narrowed = Observed { listing: Listing::Fetched(concerning), ..o.clone() };
    Some(decide(&narrowed) == *d && report(&narrowed, d) == report(o, d))
}
