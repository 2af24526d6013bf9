//! The headers in which API v2 reports how many calls are left: a bucket for each project that refills with time. They
//! only inform; a fault decides which requests are rejected.

use std::{collections::BTreeMap, time::Duration};

use crate::response::HttpResponse;

const CAPACITY: u32 = 4000;
/// The calls that are refilled each minute.
const REFILL: u32 = 2000;

/// The calls left to each project, and when that was computed.
#[derive(Debug, Default)]
pub(crate) struct RateLimitBuckets(BTreeMap<String, (f64, Duration)>);

impl RateLimitBuckets {
    /// Takes one call from the bucket and adds the headers that report what is left.
    pub(crate) fn add_headers(&mut self, now: Duration, project: &str, response: &mut HttpResponse) {
        let (left, at) = self.0.entry(project.to_owned()).or_insert((f64::from(CAPACITY), now));
        let back = now.saturating_sub(*at).as_secs_f64() / 60.0 * f64::from(REFILL);
        *left = (*left + back).min(f64::from(CAPACITY));
        *left = (*left - 1.0).max(0.0);
        *at = now;
        response.headers.push(("Ratelimit-Limit", CAPACITY.to_string()));
        response.headers.push(("Ratelimit-Remaining", format!("{:.0}", left.floor())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_costs_one_and_time_brings_it_back() {
        let mut rate_limits = RateLimitBuckets::default();
        let mut left = |seconds, project| {
            let mut response = HttpResponse::default();
            rate_limits.add_headers(Duration::from_secs(seconds), project, &mut response);
            response.headers[1].1.clone()
        };
        assert_eq!([left(0, "a"), left(0, "a"), left(0, "b")], ["3999", "3998", "3999"]);
        assert_eq!(left(60, "a"), "3999");
    }
}
