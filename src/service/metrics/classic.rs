//! The text format that Prometheus had before OpenMetrics (version 0.0.4), for those who do not ask for the new one.
//!
//! Made from the OpenMetrics text, so that there is one list of metrics. The samples are the same; the families of
//! counters and infos bear the names of their samples, and an info is a gauge.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// `OpenMetrics` text in the older format.
pub(super) fn classic(text: &str) -> String {
    let kinds: BTreeMap<&str, &str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    let name = |family: &str| match kinds.get(family) {
        Some(&"counter") => format!("{family}_total"),
        Some(&"info") => format!("{family}_info"),
        _ => family.to_owned(),
    };
    let mut older = String::with_capacity(text.len());
    for line in text.lines() {
        // Writing into a string cannot fail.
        let _ = match line.split_once(' ').and_then(|(_, rest)| rest.split_once(' ')) {
            Some((keyword @ ("HELP" | "TYPE"), rest)) if line.starts_with("# ") => {
                let (family, said) = rest.split_once(' ').unwrap_or((rest, ""));
                let said = if keyword == "TYPE" && said == "info" { "gauge" } else { said };
                writeln!(older, "# {keyword} {} {said}", name(family))
            }
            _ if line.starts_with('#') => continue,
            _ => writeln!(older, "{line}"),
        };
    }
    older
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_bear_the_names_of_their_samples_and_samples_stay() {
        let text = "# HELP posts Create requests.\n# TYPE posts counter\nposts_total{outcome=\"created\"} 1\n\
                    # HELP build The version.\n# TYPE build info\nbuild_info{version=\"1\"} 1\n\
                    # HELP time_seconds Time.\n# TYPE time_seconds histogram\n# UNIT time_seconds seconds\n\
                    time_seconds_sum 1.0\n# EOF\n";
        let older = "# HELP posts_total Create requests.\n# TYPE posts_total counter\nposts_total{outcome=\"created\"} 1\n\
                     # HELP build_info The version.\n# TYPE build_info gauge\nbuild_info{version=\"1\"} 1\n\
                     # HELP time_seconds Time.\n# TYPE time_seconds histogram\ntime_seconds_sum 1.0\n";
        assert_eq!(classic(text), older);
    }
}
