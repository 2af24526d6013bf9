//! The figures of one workload: all requests and resources between its beginning and its end.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::audit::Tally;
use crate::fixture::BenchFixture;
use crate::lives::lives;
use crate::operator::Usage;

/// How long the cluster must see no write until an workload counts as finished.
const QUIET: Duration = Duration::from_millis(1500);

/// One workload, measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Figures {
    pub(crate) workload: String,
    /// From its first request to the last object's completion.
    pub(crate) seconds: f64,
    /// The part of it that Atlas takes by itself.
    pub(crate) transition: f64,
    /// Requests to Atlas by operation; those that got a challenge are `401` alone.
    pub(crate) atlas: Tally,
    /// Requests of the operator to the cluster, by verb and resource.
    pub(crate) cluster: Tally,
    pub(crate) cpu_seconds: f64,
    pub(crate) peak_mib: f64,
    pub(crate) final_mib: f64,
    /// From the user's request to the first request to Atlas that it caused; after a loss, to the first listing that shows it.
    pub(crate) queue: Option<Spread>,
    /// From the change in Atlas to the status that shows it.
    pub(crate) lateness: Option<Spread>,
}

/// How a time is distributed over the objects, in seconds.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// Empty without any values.
    pub(crate) fn of(times: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut times: Vec<f64> = times.into_iter().collect();
        times.sort_unstable_by(f64::total_cmp);
        let last = times.len().checked_sub(1)?;
        let at = |hundredths: usize| times.get(last * hundredths / 100).copied();
        Some(Self { median: at(50)?, p99: at(99)?, max: at(100)? })
    }
}

/// A running workload.
pub(crate) struct Meter {
    begun: Instant,
    cpu_seconds: f64,
}

impl Meter {
    /// Starts an workload: earlier requests belong to none.
    pub(crate) fn begin(fixture: &mut BenchFixture<'_>) -> Result<Self> {
        fixture.audit.since()?;
        fixture.atlas.clear_journal();
        fixture.operator.forget_peak()?;
        Ok(Self { begun: Instant::now(), cpu_seconds: fixture.operator.usage()?.cpu_seconds })
    }

    /// Starts an workload of an operator that was just started, and has used nothing before.
    pub(crate) fn of_a_new_process(begun: Instant) -> Self {
        Self { begun, cpu_seconds: 0.0 }
    }

    /// Ends the workload: waits until all its writes are done, then counts.
    pub(crate) async fn end(
        self,
        fixture: &mut BenchFixture<'_>,
        workload: &str,
        transition: Duration,
    ) -> Result<Figures> {
        let seconds = self.begun.elapsed().as_secs_f64();
        let mut cluster = Tally::new();
        loop {
            let more = fixture.audit.since()?;
            let quiet = more.is_empty();
            for (what, count) in more {
                *cluster.entry(what).or_default() += count;
            }
            if quiet {
                break;
            }
            tokio::time::sleep(QUIET).await;
        }
        let mut atlas = Tally::new();
        for entry in fixture.atlas.journal() {
            let what = match (entry.challenged, entry.operation) {
                (Some(_), _) => "401".to_owned(),
                (None, Some(operation)) => format!("{operation:?}").to_lowercase(),
                (None, None) => "unknown".to_owned(),
            };
            *atlas.entry(what).or_default() += 1;
        }
        let Usage { cpu_seconds, resident_mib, peak_mib } = fixture.operator.usage()?;
        Ok(Figures {
            workload: workload.to_owned(),
            seconds,
            transition: transition.as_secs_f64(),
            atlas,
            cluster,
            cpu_seconds: cpu_seconds - self.cpu_seconds,
            peak_mib,
            final_mib: resident_mib,
            queue: None,
            lateness: None,
        })
    }
}

/// Returns the time from the change to `status` in Atlas to its observation on the object, for each object; `None`
/// stands for deleted.
pub(crate) fn lateness(fixture: &BenchFixture<'_>, status: Option<&str>) -> Option<Spread> {
    let lives = lives(&fixture.atlas);
    let changed: BTreeMap<&str, Duration> =
        lives.iter().filter_map(|life| Some((life.id.as_str(), life.became(status)?))).collect();
    Spread::of(fixture.seen.objects().values().filter_map(|history| {
        let at = fixture.epoch + *changed.get(history.id()?.as_str())?;
        let seen = status.map_or(history.gone, |status| history.became(status))?;
        Some(seen.saturating_duration_since(at).as_secs_f64())
    }))
}

/// Returns the time from the user's request to the creation in Atlas, for each object.
pub(crate) fn queued(fixture: &BenchFixture<'_>, requested: &BTreeMap<String, Instant>) -> Option<Spread> {
    let lives = lives(&fixture.atlas);
    let created: BTreeMap<&str, Duration> =
        lives.iter().filter_map(|life| Some((life.id.as_str(), life.created_at()?))).collect();
    let objects = fixture.seen.objects();
    Spread::of(requested.iter().filter_map(|(name, requested)| {
        let at = fixture.epoch + *created.get(objects.get(name)?.id()?.as_str())?;
        Some(at.saturating_duration_since(*requested).as_secs_f64())
    }))
}
