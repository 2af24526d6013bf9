//! The minimum that the protocol allows, and what a budget says of a figure. Figures are parameters; nothing is measured here, and the
//! budgets themselves are in `judge_serverless` and `judge_dedicated`.

use crate::measure::Figures;
use crate::runs::RunResult;
use crate::scenarios::Population;

/// Returns the minimum number of requests to Atlas with which the protocol can do this, challenge included.
///
/// One challenge, unless the operator has one from before. Serverless: a listing per instance before the POSTs, one that shows RESERVED,
/// one that shows AVAILABLE; a later attachment needs a listing of its own; a deletion one before the DELETEs and two after them that no
/// longer show the endpoint. Dedicated: a listing per project before the POSTs and one that shows the services AVAILABLE; a POST each, and
/// a GET of each endpoint that shows it AVAILABLE; a deletion needs one listing before the DELETEs and one after them.
pub(crate) fn least_requests(workload: &str, of: Population) -> Option<u64> {
    match of {
        Population::Serverless { objects, instances } => {
            let (o, i) = (objects as u64, instances as u64);
            match workload {
                "create" => Some(1 + 2 * i + o),
                "attach" => Some(2 * i + o),
                "whole" => Some(1 + 3 * i + 2 * o),
                "delete" => Some(3 * i + o),
                "restart" => Some(1 + i),
                _ => None,
            }
        }
        Population::Dedicated { projects, regions, endpoints } => {
            let p = projects as u64;
            let services = p * regions as u64;
            let endpoints = services * endpoints as u64;
            match workload {
                "await" => Some(1 + 2 * p + services),
                "whole" => Some(1 + 2 * p + services + 2 * endpoints),
                "delete" => Some(2 * p + services + endpoints),
                "restart" => Some(1 + p + endpoints),
                _ => None,
            }
        }
    }
}

/// Returns the minimum number of writes to an object: a claim, one for each visible change of its status, a release.
pub(crate) fn least_writes(workload: &str, of: Population) -> Option<u64> {
    match workload {
        "idle" | "steady" | "waiting" | "restart" => Some(0),
        // Service: claim, INITIATING, AVAILABLE, the ids of its endpoints. Endpoint: waits for its service, claim, PENDING_ACCEPTANCE,
        // AVAILABLE.
        "whole" if of.is_dedicated() => Some(4),
        _ if of.is_dedicated() => None,
        // Claim, RESERVATION_REQUESTED, RESERVED.
        "create" => Some(3),
        // INITIATING, AVAILABLE; DELETING, release.
        "attach" | "delete" => Some(2),
        // Claim, RESERVATION_REQUESTED, INITIATING, AVAILABLE.
        "whole" => Some(4),
        _ => None,
    }
}

/// Returns the number of all requests to Atlas.
pub(crate) fn requests(figures: &Figures) -> u64 {
    figures.atlas.values().sum()
}

/// One line of a table of budgets.
pub(crate) struct BudgetVerdict {
    pub(crate) what: String,
    pub(crate) budget: String,
    pub(crate) measured: String,
    pub(crate) held: bool,
}

/// Returns a line of a table of budgets.
pub(crate) fn verdict(what: &str, budget: &str, measured: String, held: bool) -> BudgetVerdict {
    BudgetVerdict { what: what.to_owned(), budget: budget.to_owned(), measured, held }
}

/// Returns a workload of the run with this name.
pub(crate) fn workload<'a>(
    outcomes: &'a [RunResult],
    name: &str,
    workload: &str,
) -> Option<(&'a RunResult, &'a Figures)> {
    let outcome = outcomes.iter().find(|outcome| outcome.name == name)?;
    Some((outcome, outcome.workloads.iter().find(|figures| figures.workload == workload)?))
}

/// Returns the highest memory of all runs with so many objects.
pub(crate) fn peak_of(outcomes: &[RunResult], objects: usize) -> Option<f64> {
    let of = outcomes.iter().filter(|outcome| outcome.objects.count() == objects);
    of.flat_map(|outcome| &outcome.workloads).map(|figures| figures.peak_mib).reduce(f64::max)
}
