//! The scenarios of the benchmark, as data. Nothing here runs.

use std::time::Duration;

use atlas_simulator::{DedicatedPace, Latency, Pace};
use serde::{Deserialize, Serialize};

use crate::observations::AVAILABLE;

/// One run, from no object to no object.
#[derive(Debug, Clone)]
pub(crate) struct BenchScenario {
    /// The table of its results.
    pub(crate) part: RunPart,
    pub(crate) objects: Population,
    pub(crate) speed: Speed,
    pub(crate) workloads: Vec<Workload>,
}

/// The objects of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Population {
    /// Endpoints of serverless instances.
    Serverless { objects: usize, instances: usize },
    /// A service in each of so many regions of each project, and so many endpoints at each service.
    Dedicated { projects: usize, regions: usize, endpoints: usize },
}

impl Population {
    /// Returns the number of objects.
    pub(crate) fn count(self) -> usize {
        match self {
            Self::Serverless { objects, .. } => objects,
            Self::Dedicated { projects, regions, endpoints } => projects * regions * (1 + endpoints),
        }
    }

    /// Returns what has a listing of its own: the instances, or the projects.
    pub(crate) fn listed(self) -> usize {
        match self {
            Self::Serverless { instances, .. } => instances,
            Self::Dedicated { projects, .. } => projects,
        }
    }

    /// Returns whether it is of dedicated clusters.
    pub(crate) fn is_dedicated(self) -> bool {
        matches!(self, Self::Dedicated { .. })
    }

    /// Returns its numbers, as in the names of runs.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Serverless { objects, instances } => format!("{objects}x{instances}"),
            Self::Dedicated { projects, regions, endpoints } => format!("{projects}x{regions}x{endpoints}"),
        }
    }
}

/// The parts of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum RunPart {
    /// The same workloads with more and more objects.
    Growth,
    /// From no object to AVAILABLE at each speed of Atlas.
    Speed,
    /// Nothing changes for a long time, at the default interval.
    Steady,
    /// Everything that needs the user's VPC endpoint waits for it.
    Waiting,
}

/// The speed of Atlas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Speed {
    /// No latency, 2 s a phase.
    Instant,
    /// 10 ms a call, 2 s a phase.
    Fast,
    /// The latency as it was recorded, 2 s a phase.
    Latent,
    /// As it was recorded: reads and 401s 56 to 170 ms, writes 150 to 900 ms; 90 s a phase, but 148 s for a service.
    Recorded,
}

/// The duration of a phase, unless it is the recorded one.
const PHASE: Duration = Duration::from_secs(2);

impl Speed {
    pub(crate) fn pace(self) -> Pace {
        if self == Self::Recorded { Pace::recorded() } else { Pace::of(PHASE) }
    }

    pub(crate) fn dedicated_pace(self) -> DedicatedPace {
        if self == Self::Recorded { DedicatedPace::recorded() } else { DedicatedPace::of(PHASE) }
    }

    pub(crate) fn latency(self) -> Latency {
        match self {
            Self::Instant => Latency::of(Duration::ZERO),
            Self::Fast => Latency::of(Duration::from_millis(10)),
            Self::Latent | Self::Recorded => Latency::recorded(),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Instant => "instant",
            Self::Fast => "fast",
            Self::Latent => "latent",
            Self::Recorded => "recorded",
        }
    }

    /// Returns what the tables say of it.
    pub(crate) fn described(self) -> &'static str {
        match self {
            Self::Instant => "no latency, 2 s",
            Self::Fast => "10 ms, 2 s",
            Self::Latent => "recorded latency, 2 s",
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
    /// From no object to AVAILABLE, the VPC endpoint ids set from the start.
    Whole,
    /// From no object to services that are AVAILABLE and endpoints that wait for their VPC endpoints.
    Await,
    /// Nothing changes for so long, while all endpoints wait for their VPC endpoints.
    Waiting { lasts: Duration },
    /// The services are gone from Atlas, until the objects show it.
    Lose,
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
            Self::Await => "await",
            Self::Waiting { .. } => "waiting",
            Self::Lose => "lose",
            Self::Steady { .. } => "steady",
            Self::Restart => "restart",
            Self::Delete => "delete",
        }
    }

    /// Returns what the objects show when it is done: so many of them this word.
    pub(crate) fn shows(self, objects: Population) -> Vec<(&'static str, usize)> {
        let all = objects.count();
        match (self, objects) {
            (Self::Await, Population::Dedicated { projects, regions, .. }) => {
                let services = projects * regions;
                vec![(AVAILABLE, services), ("AwaitingVpcEndpoint", all - services)]
            }
            (Self::Create, _) => vec![("RESERVED", all)],
            (Self::Attach | Self::Whole, _) => vec![(AVAILABLE, all)],
            (Self::Delete, _) => vec![("gone", all)],
            _ => Vec::new(),
        }
    }

    /// Returns the part that Atlas takes by itself.
    pub(crate) fn transition(self, scenario: &BenchScenario) -> Duration {
        let (pace, dedicated) = (scenario.speed.pace(), scenario.speed.dedicated_pace());
        let is_dedicated = scenario.objects.is_dedicated();
        match self {
            Self::Whole if is_dedicated => dedicated.creating + dedicated.accepting,
            Self::Await => dedicated.creating,
            // The service goes once its endpoints are gone.
            Self::Delete if is_dedicated => dedicated.deleting_endpoint + dedicated.deleting_service,
            Self::Create => pace.reserving,
            Self::Attach => pace.connecting,
            Self::Whole => pace.reserving + pace.connecting,
            Self::Delete => pace.deleting,
            Self::Steady { lasts, .. } | Self::Waiting { lasts } => lasts,
            Self::Idle | Self::Restart | Self::Lose => Duration::ZERO,
        }
    }
}

impl BenchScenario {
    /// Returns its name, also of its file of results.
    pub(crate) fn name(&self) -> String {
        let part = match self.part {
            RunPart::Growth => "growth",
            RunPart::Speed => self.speed.name(),
            RunPart::Steady => "steady",
            RunPart::Waiting => "waiting",
        };
        let family = if self.objects.is_dedicated() { "dedicated-" } else { "" };
        format!("{family}{part}-{}", self.objects.name())
    }

    /// Returns how often a settled endpoint is polled in it.
    pub(crate) fn interval(&self) -> Option<Duration> {
        self.workloads.iter().find_map(|workload| match workload {
            Workload::Steady { interval, .. } => Some(*interval),
            _ => None,
        })
    }

    /// Returns whether hardly anything happens in it for minutes, so that it may run beside others.
    pub(crate) fn is_slow(&self) -> bool {
        self.speed == Speed::Recorded || matches!(self.part, RunPart::Steady | RunPart::Waiting)
    }
}

/// The duration of a steady workload that contains two polls of each endpoint, at the minimum interval.
const SHORT: Workload =
    Workload::Steady { lasts: Duration::from_secs(75), interval: Duration::from_secs(30) };

/// The default interval.
const LONG: Workload = Workload::Steady { lasts: Duration::from_mins(10), interval: Duration::from_mins(10) };

/// Two default intervals.
const TWO_INTERVALS: Workload =
    Workload::Steady { lasts: Duration::from_mins(20), interval: Duration::from_mins(10) };

/// The duration in which endpoints wait for their VPC endpoints.
const WAITING: Workload = Workload::Waiting { lasts: Duration::from_mins(5) };

/// Returns all scenarios, or only the quick ones.
pub(crate) fn all(quick: bool) -> Vec<BenchScenario> {
    let mut all = serverless(quick);
    all.extend(dedicated(quick));
    all
}

fn serverless(quick: bool) -> Vec<BenchScenario> {
    let growth = |objects, instances, steady| BenchScenario {
        part: RunPart::Growth,
        objects: Population::Serverless { objects, instances },
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
        part: RunPart::Speed,
        objects: Population::Serverless { objects, instances },
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

fn dedicated(quick: bool) -> Vec<BenchScenario> {
    let of = |(projects, regions, endpoints)| Population::Dedicated { projects, regions, endpoints };
    let growth = |numbers, steady| BenchScenario {
        part: RunPart::Growth,
        objects: of(numbers),
        speed: Speed::Fast,
        workloads: vec![Workload::Whole, steady, Workload::Restart, Workload::Delete],
    };
    let speed = |speed, numbers| BenchScenario {
        part: RunPart::Speed,
        objects: of(numbers),
        speed,
        workloads: vec![Workload::Whole],
    };
    let small = [(1, 1, 1), (1, 10, 1), (1, 1, 10), (10, 10, 1)];
    let mut all: Vec<BenchScenario> = small.map(|numbers| speed(Speed::Instant, numbers)).into();
    all.extend(small.map(|numbers| speed(Speed::Latent, numbers)));
    all.extend([growth((10, 1, 9), SHORT), growth((10, 10, 10), SHORT)]);
    all.push(BenchScenario {
        part: RunPart::Waiting,
        objects: of((10, 1, 1)),
        speed: Speed::Fast,
        workloads: vec![Workload::Await, WAITING, Workload::Lose],
    });
    if !quick {
        all.push(growth((100, 10, 10), LONG));
        all.push(BenchScenario {
            part: RunPart::Steady,
            objects: of((10, 1, 1)),
            speed: Speed::Fast,
            workloads: vec![Workload::Whole, TWO_INTERVALS],
        });
        all.extend(small.map(|numbers| speed(Speed::Recorded, numbers)));
    }
    all
}
