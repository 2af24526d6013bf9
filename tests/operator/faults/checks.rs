//! The checks after a row: of Atlas, of the events, and of every message that was shown.

use std::collections::BTreeSet;
use std::time::Duration;

use atlas_simulator::{DEFAULT_INSTANCE, How, Operation, Status, max_live};
use domain::status::{ConditionType, Reason};
use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;

use crate::faults::row::known;
use crate::faults::row_run::{RowResult, RowRun};
use crate::reasons;

impl RowRun<'_> {
    /// A request of each kind has met the fault.
    pub(crate) fn is_met(&self) -> RowResult {
        let How::Requests { faults, .. } = known(self.row.fault).how else { return Ok(()) };
        let journal = self.fixture.atlas.journal();
        for operation in self.row.on {
            let met = journal.iter().any(|entry| {
                self.is_ours(entry)
                    && entry.is(*operation)
                    && faults.iter().all(|fault| entry.faults.contains(fault))
            });
            if !met {
                return Err(format!("no {operation:?} met it"));
            }
        }
        Ok(())
    }

    fn posts(&self) -> usize {
        self.fixture
            .atlas
            .count(|entry| entry.is(Operation::Create) && entry.executed() && self.is_ours(entry))
    }

    /// Exactly the recorded endpoint carries our mark, unless the row expects more. An endpoint that Atlas is deleting
    /// counts only where none may be left.
    pub(crate) fn check_atlas(&self) -> RowResult {
        let endpoints = self.fixture.atlas.endpoints(&self.project, DEFAULT_INSTANCE);
        let recorded = self.last().and_then(|object| object.status.as_ref()?.id.clone());
        let ours: Vec<_> = endpoints
            .iter()
            .filter(|endpoint| endpoint.comment.as_deref().is_some_and(|comment| comment.contains("[k8s:")))
            .filter(|endpoint| self.row.endpoints == 0 || endpoint.status != Status::Deleting)
            .collect();
        if ours.len() != self.row.endpoints {
            return Err(format!("{} endpoints instead of {}: {ours:?}", ours.len(), self.row.endpoints));
        }
        if !ours.is_empty() && !ours.iter().any(|endpoint| Some(&endpoint.id) == recorded.as_ref()) {
            return Err(format!("{recorded:?} is recorded, but there is {ours:?}"));
        }
        self.check_posts()
    }

    pub(crate) fn check_posts(&self) -> RowResult {
        let lives: Vec<_> =
            self.fixture.atlas.timelines().into_iter().filter(|life| life.project == self.project).collect();
        let marked = |endpoint: &atlas_simulator::Endpoint| {
            endpoint.comment.as_deref().is_some_and(|comment| comment.contains("[k8s:"))
        };
        let (posts, most) = (self.posts(), max_live(&lives, marked));
        if posts != self.row.posts || most > self.row.most {
            return Err(format!(
                "{posts} POSTs were executed (expected {}), and {most} endpoints were alive at once (at most {})\n{lives:#?}",
                self.row.posts, self.row.most
            ));
        }
        Ok(())
    }

    pub(crate) async fn check_events(&self) -> RowResult {
        let events = self.api::<Event>().await;
        let mut missing = Vec::new();
        for _ in 0..100 {
            let seen = events.list(&ListParams::default()).await.unwrap();
            let about = |event: &&Event| {
                event.regarding.as_ref().is_some_and(|regarding| regarding.name.as_ref() == Some(&self.name))
            };
            let reasons: BTreeSet<_> =
                seen.items.iter().filter(about).filter_map(|event| event.reason.clone()).collect();
            missing = self
                .row
                .events
                .iter()
                .filter(|reason| !reasons.contains(reason.as_str()))
                .collect::<Vec<_>>();
            if missing.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err(format!("no event {missing:?}"))
    }

    /// Every message that was ever shown names the problem and the next step.
    pub(crate) fn check_messages(&self) -> RowResult {
        let places = [
            ("{object}", self.name.as_str()),
            ("{project}", &self.project),
            ("{instance}", DEFAULT_INSTANCE),
        ];
        let mut seen = BTreeSet::new();
        for object in self.versions.of(&self.name) {
            for shown in object.status.iter().flat_map(|status| &status.conditions) {
                let Some(kind) = ConditionType::parse(&shown.type_) else { continue };
                let reason = Reason::parse(&shown.reason).ok_or(format!("{} is no reason", shown.reason))?;
                if seen.insert((kind, reason, shown.message.clone())) {
                    reasons::check(kind, reason, &shown.message, &places)?;
                }
            }
        }
        Ok(())
    }
}
