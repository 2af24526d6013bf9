//! The output ConfigMap of an object: when it is written, kept and removed, and in which steps.
//!
//! It exists only while it has content, because a tool that finds an empty value substitutes it. Its name is recorded on the object
//! before it is created, so that it is also removed when the spec names another one. A ConfigMap that the operator did not create
//! is never changed, whichever object names it. Kubernetes deletes it with the object, which owns it.
//!
//! It knows no kind: what a ConfigMap holds is in `output` of each family of kinds.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::status::Message;

use super::{OutputMap, OutputRequest};

/// The delay before a failed write of the ConfigMap is retried.
pub const RETRY: Duration = Duration::from_mins(1);

/// The entries of the ConfigMap.
pub type Content = BTreeMap<String, String>;

/// The names of the output ConfigMaps of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutputNames<'a> {
    /// The name in the spec.
    pub declared: Option<&'a str>,
    /// The name of the last one that was created.
    pub recorded: Option<&'a str>,
}

/// The ConfigMaps of an object that have to be written or deleted now, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputTargets<'a> {
    /// The former output, which is removed first.
    pub remove: Option<&'a str>,
    /// The output, which is filled, or deleted if it has no content.
    pub keep: Option<&'a str>,
}

impl<'a> OutputNames<'a> {
    /// Returns `true` if the object has no output, and had none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the ConfigMaps to write or delete. `is_known`: it is known what the output has to hold. A single unconfirmed response
    /// that withdraws something changes nothing, and neither does an outage.
    #[must_use]
    pub fn targets(&self, is_deleting: bool, is_known: bool) -> OutputTargets<'a> {
        let Self { declared, recorded } = *self;
        if is_deleting || declared.is_some() && !is_known {
            return OutputTargets { remove: None, keep: None };
        }
        OutputTargets { remove: recorded.filter(|recorded| Some(*recorded) != declared), keep: declared }
    }
}

/// A ConfigMap as it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing<'a> {
    /// There is none.
    Absent,
    /// It is not the object's own.
    Foreign,
    /// It is the object's own.
    Own(&'a Content),
}

/// What to do with a ConfigMap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    Nothing,
    /// Create it.
    Create,
    /// Replace its content.
    Fill,
    /// Delete it.
    Delete,
    /// Report that the name is taken.
    Taken,
}

/// Returns how the ConfigMap gets this content, or is deleted if there is none.
#[must_use]
pub fn change(existing: Existing<'_>, content: &Content) -> Change {
    match existing {
        Existing::Absent | Existing::Foreign if content.is_empty() => Change::Nothing,
        Existing::Absent => Change::Create,
        Existing::Foreign => Change::Taken,
        Existing::Own(_) if content.is_empty() => Change::Delete,
        Existing::Own(found) if found == content => Change::Nothing,
        Existing::Own(_) => Change::Fill,
    }
}

/// Returns the message that the name of the ConfigMap is taken.
fn taken(name: &str) -> Message {
    format!("ConfigMap {name} exists and was not made for this object; delete it or name another in spec.outputConfigMap").into()
}

/// The outcome of writing the output ConfigMap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputOutcome {
    /// It is complete, or none is wanted.
    Complete,
    /// It is to be written again at the latest after this delay.
    Incomplete(Duration),
    /// It is left as it is for this delay: it may hold what it should hold no more.
    Left(Duration),
    /// It is not the object's own, as this message says.
    Taken(Message),
    /// It could not be written, for this reason: it may hold what it held.
    Failed(Message),
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputStep {
    /// Perform this request, then call [`OutputWrite::performed`].
    Request(OutputRequest),
    /// Determine what the ConfigMap has to hold, then call [`OutputWrite::fill`] or [`OutputWrite::leave`].
    Fill,
    /// Record this name on the object, then call [`OutputWrite::name_recorded`].
    RecordName(Option<String>),
    /// Nothing.
    Done,
}

/// What was requested last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RequestedLast {
    Removing,
    Reading,
    Writing,
}

/// The output ConfigMap of one report, being written: the former one is removed, the present one is read, its name is recorded on the
/// object, and its content is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputWrite {
    stage: RequestedLast,
    /// The name of the one to fill, or to delete if it has no content.
    keep: Option<String>,
    /// It as it was read.
    found: Option<OutputMap>,
    /// What it will hold.
    content: Content,
    outcome: OutputOutcome,
}

impl OutputWrite {
    /// Begins, and returns what comes first.
    #[must_use]
    pub fn begin(targets: OutputTargets<'_>) -> (Self, OutputStep) {
        let mut write = Self {
            stage: RequestedLast::Removing,
            keep: targets.keep.map(str::to_owned),
            found: None,
            content: Content::new(),
            outcome: OutputOutcome::Complete,
        };
        let first = match targets.remove {
            Some(old) => OutputStep::Request(OutputRequest::Remove(old.to_owned())),
            None => write.read(),
        };
        (write, first)
    }

    fn read(&mut self) -> OutputStep {
        let Some(name) = self.keep.clone() else { return OutputStep::Done };
        self.stage = RequestedLast::Reading;
        OutputStep::Request(OutputRequest::Read(name))
    }

    /// Takes the result of a request.
    pub fn performed(&mut self, result: Result<Option<OutputMap>, Message>) -> OutputStep {
        match (self.stage, result) {
            (_, Err(problem)) => {
                self.outcome = OutputOutcome::Failed(problem);
                OutputStep::Done
            }
            (RequestedLast::Removing, Ok(_)) => OutputStep::RecordName(self.keep.clone()),
            (RequestedLast::Reading, Ok(found)) => {
                self.found = found;
                OutputStep::Fill
            }
            (RequestedLast::Writing, Ok(_)) => OutputStep::Done,
        }
    }

    /// Goes on once the name is recorded.
    pub fn name_recorded(&mut self) -> OutputStep {
        match self.stage {
            RequestedLast::Removing => self.read(),
            RequestedLast::Reading | RequestedLast::Writing => self.write(),
        }
    }

    /// Returns the content that was read, if the object owns the ConfigMap.
    #[must_use]
    pub fn found(&self) -> Option<&Content> {
        self.found.as_ref().filter(|found| found.is_own).map(|found| &found.content)
    }

    /// Determines what the ConfigMap has to hold. `recorded`: the name that is recorded on the object.
    pub fn fill(&mut self, content: Content, outcome: OutputOutcome, recorded: Option<&str>) -> OutputStep {
        (self.content, self.outcome) = (content, outcome);
        if !self.content.is_empty() && recorded.is_none() {
            return OutputStep::RecordName(self.keep.clone());
        }
        self.write()
    }

    /// Leaves the ConfigMap as it is, until it is written again after this delay.
    pub fn leave(&mut self, retry: Duration) -> OutputStep {
        self.outcome = OutputOutcome::Left(retry);
        OutputStep::Done
    }

    fn write(&mut self) -> OutputStep {
        let Some(name) = self.keep.clone() else { return OutputStep::Done };
        let existing = match &self.found {
            None => Existing::Absent,
            Some(found) if found.is_own => Existing::Own(&found.content),
            Some(_) => Existing::Foreign,
        };
        let content = self.content.clone();
        let request = match change(existing, &content) {
            Change::Nothing => return OutputStep::Done,
            Change::Taken => {
                self.outcome = OutputOutcome::Taken(taken(&name));
                return OutputStep::Done;
            }
            Change::Create => OutputRequest::Create(name, content),
            Change::Fill => OutputRequest::Fill(name, content),
            Change::Delete => OutputRequest::Delete(name),
        };
        self.stage = RequestedLast::Writing;
        OutputStep::Request(request)
    }

    /// Forgets what was read: only the outcome matters from now on.
    pub fn forget(&mut self) {
        (self.found, self.content) = (None, Content::new());
    }

    /// Returns why the ConfigMap could not be written, if it could not.
    #[must_use]
    pub fn problem(&self) -> Option<&Message> {
        match &self.outcome {
            OutputOutcome::Taken(problem) | OutputOutcome::Failed(problem) => Some(problem),
            OutputOutcome::Complete | OutputOutcome::Incomplete(_) | OutputOutcome::Left(_) => None,
        }
    }

    /// Returns when the ConfigMap has to be written again at the latest.
    #[must_use]
    pub fn latest(&self) -> Option<Duration> {
        match &self.outcome {
            OutputOutcome::Complete => None,
            OutputOutcome::Incomplete(delay) | OutputOutcome::Left(delay) => Some(*delay),
            OutputOutcome::Taken(_) | OutputOutcome::Failed(_) => Some(RETRY),
        }
    }

    /// Returns `true` if a ConfigMap of the object may still hold what it should hold no more.
    #[must_use]
    pub fn may_be_outdated(&self) -> bool {
        matches!(self.outcome, OutputOutcome::Failed(_) | OutputOutcome::Left(_))
    }
}
