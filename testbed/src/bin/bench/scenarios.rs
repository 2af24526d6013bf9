//! The scenarios of the benchmark, as data. Nothing here runs.

use std::time::Duration;

use atlas_simulator::{Latency, Pace};

/// One run, from no object to no object.
#[derive(Debug, Clone)]
pub(crate) struct BenchScenario {
    /// The table of its results.
    pub(crate) part: Part,
    pub(crate) objects: usize,
    pub(crate) instances: usize,
    pub(crate) speed: Speed,
    pub(crate) workloads: Vec<Workload>,
}

/// The parts of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The same workloads with more and more objects.
    Growth,
    /// From no object to AVAILABLE at two speeds of Atlas.
    Speed,
}

/// The speed of Atlas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speed {
    /// 10 ms a call, 2 s a phase.
    Fast,
    /// As it was recorded: reads and 401s 56 to 170 ms, writes 150 to 900 ms, 90 s a phase.
    Recorded,
}

impl Speed {
    pub(crate) fn pace(self) -> Pace {
        match self {
            Self::Fast => Pace::of(Duration::from_secs(2)),
            Self::Recorded => Pace::recorded(),
        }
    }

    pub(crate) fn latency(self) -> Latency {
        match self {
            Self::Fast => Latency::of(Duration::from_millis(10)),
            Self::Recorded => Latency::recorded(),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Recorded => "recorded",
        }
    }
}

/// One part of a run, measured by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Workload {
    /// The operator alone, without an object.
    Idle,
    /// From no object to RESERVED.
    Create,
    /// A VPC endpoint id is set; until AVAILABLE.
    Attach,
    /// From no object to AVAILABLE, the VPC endpoint id set from the start.
    Whole,
    /// Nothing changes, for so long, while each endpoint is polled at this interval.
    Steady { lasts: Duration, interval: Duration },
    /// The operator is restarted, until each object was reconciled.
    Restart,
    /// All objects are deleted, until they no longer exist.
    Delete,
}

impl Workload {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Create => "create",
            Self::Attach => "attach",
            Self::Whole => "whole",
            Self::Steady { .. } => "steady",
            Self::Restart => "restart",
            Self::Delete => "delete",
        }
    }

    /// Returns the part that Atlas takes by itself, at this speed.
    pub(crate) fn transition(self, speed: Speed) -> Duration {
        let pace = speed.pace();
        match self {
            Self::Create => pace.reserving,
            Self::Attach => pace.connecting,
            Self::Whole => pace.reserving + pace.connecting,
            Self::Delete => pace.deleting,
            Self::Steady { lasts, .. } => lasts,
            Self::Idle | Self::Restart => Duration::ZERO,
        }
    }
}

impl BenchScenario {
    /// Returns its name, also of its file of results.
    pub(crate) fn name(&self) -> String {
        let part = match self.part {
            Part::Growth => "growth",
            Part::Speed => self.speed.name(),
        };
        format!("{part}-{}x{}", self.objects, self.instances)
    }

    /// Returns how often a settled endpoint is polled in it.
    pub(crate) fn interval(&self) -> Option<Duration> {
        self.workloads.iter().find_map(|workload| match workload {
            Workload::Steady { interval, .. } => Some(*interval),
            _ => None,
        })
    }
}

/// The duration of a steady workload that contains two polls of each endpoint, at the minimum interval.
const SHORT: Workload =
    Workload::Steady { lasts: Duration::from_secs(75), interval: Duration::from_secs(30) };

/// The default interval.
const LONG: Workload = Workload::Steady { lasts: Duration::from_mins(10), interval: Duration::from_mins(10) };

/// Returns all scenarios, or only the quick ones.
pub(crate) fn all(quick: bool) -> Vec<BenchScenario> {
    let growth = |objects, instances, steady| BenchScenario {
        part: Part::Growth,
        objects,
        instances,
        speed: Speed::Fast,
        workloads: vec![
            Workload::Idle,
            Workload::Create,
            Workload::Attach,
            steady,
            Workload::Restart,
            Workload::Delete,
        ],
    };
    let speed = |speed, objects, instances| BenchScenario {
        part: Part::Speed,
        objects,
        instances,
        speed,
        workloads: vec![Workload::Whole],
    };
    let mut all = vec![
        growth(1, 1, SHORT),
        growth(100, 1, SHORT),
        growth(100, 100, SHORT),
        growth(1_000, 1, SHORT),
        growth(1_000, 100, SHORT),
        growth(1_000, 1_000, SHORT),
        speed(Speed::Fast, 1, 1),
        speed(Speed::Fast, 100, 10),
        speed(Speed::Fast, 100, 100),
    ];
    if !quick {
        all.extend([
            growth(10_000, 100, SHORT),
            growth(10_000, 1_000, LONG),
            speed(Speed::Recorded, 1, 1),
            speed(Speed::Recorded, 100, 10),
            speed(Speed::Recorded, 100, 100),
        ]);
    }
    all
}
