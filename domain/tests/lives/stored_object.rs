//! The custom resource of the lives, as the API server stores it and as the machine reads it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;
use std::time::Duration;

use domain::ids::VpcEndpointId;
use domain::reconcile::output::OutputNames;
use domain::reconcile::tracked::ReadResource;
use domain::reference::VpcEndpoint;
use domain::schedule::ObjectVersion;
use domain::serverless::endpoint::{Endpoint, EndpointStatus};
use domain::serverless::observed::{Object, Spec};
use domain::serverless::ownership::ClaimReading;
use domain::serverless::reconcile::state::CustomResource;
use domain::serverless::status::{EndpointFields, Report};
use domain::status::{ConditionType, Reason, Reported, ReportedCondition, sentence};
use domain::token::Token;
use invariants::fixtures;

/// The token of the object.
pub(crate) static TOKEN: LazyLock<Token> = LazyLock::new(fixtures::token);

/// The declared state, with what the rules get from elsewhere.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct StoredSpec {
    pub(crate) rules: Spec,
    pub(crate) vpc_endpoint: Option<VpcEndpointId>,
    pub(crate) output: Option<String>,
}

/// The status.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct StoredStatus {
    pub(crate) fields: EndpointFields,
    pub(crate) conditions: Vec<ReportedCondition>,
    pub(crate) generation: i64,
    pub(crate) handled_request: Option<String>,
}

/// The object.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct StoredObject {
    pub(crate) uid: String,
    /// Its resourceVersion.
    pub(crate) version: u64,
    pub(crate) generation: i64,
    pub(crate) deleting: bool,
    pub(crate) finalizer: bool,
    pub(crate) claim: Option<String>,
    pub(crate) stale_vpc_endpoint: Option<String>,
    /// The recorded name of the output ConfigMap.
    pub(crate) output: Option<String>,
    pub(crate) request: Option<String>,
    /// How often somebody has changed what the operator does not read.
    pub(crate) touched: u32,
    pub(crate) spec: StoredSpec,
    pub(crate) status: StoredStatus,
}

impl StoredObject {
    /// Returns the claim as the operator reads it.
    pub(crate) fn claim_reading(&self) -> ClaimReading {
        ClaimReading::of(self.claim.as_deref(), &TOKEN, &self.uid, &fixtures::cluster())
    }

    /// Returns the status with this report, and the reconcile request that was handled. An id is never removed, and a message stays
    /// as it is while only its varying parts differ.
    pub(crate) fn status_with(&self, report: &Report, handled: Option<&str>) -> StoredStatus {
        let mut fields = report.fields();
        fields.id = fields.id.or_else(|| self.status.fields.id.clone());
        let conditions = report.conditions.iter().map(|condition| {
            let message = sentence(&report.conditions, condition, None);
            let mut shown = self.status.conditions.iter().filter(|shown| shown.kind == condition.kind);
            let kept = shown.find(|shown| message.is_shown_by(&shown.message));
            ReportedCondition {
                kind: condition.kind,
                status: condition.status,
                reason: Some(condition.reason),
                message: kept.map_or_else(|| message.to_string(), |shown| shown.message.clone()),
            }
        });
        StoredStatus {
            fields,
            conditions: conditions.collect(),
            generation: self.generation,
            handled_request: handled.map(str::to_owned).or_else(|| self.status.handled_request.clone()),
        }
    }

    fn recorded(&self) -> Option<Endpoint> {
        let fields = self.status.fields.clone();
        Some(Endpoint {
            id: fields.id?.parse().ok()?,
            status: EndpointStatus::from(fields.status.as_deref().unwrap_or_default()),
            comment: fields.comment.unwrap_or_default(),
            service_name: fields.endpoint_service_name,
            vpc_endpoint_id: fields.cloud_provider_endpoint_id,
            error_message: fields.error_message,
        })
    }
}

impl ReadResource for StoredObject {
    fn version(&self) -> ObjectVersion {
        let hash = |value: &dyn Fn(&mut DefaultHasher)| {
            let mut hasher = DefaultHasher::new();
            value(&mut hasher);
            hasher.finish()
        };
        let (recorded, claim) = (self.is_recorded(), (&self.claim, &self.stale_vpc_endpoint, &self.output));
        let content = (&self.uid, self.generation, self.deleting, self.finalizer, claim, recorded);
        ObjectVersion {
            content: hash(&|hasher| content.hash(hasher)),
            request: self.open_request().map(|request| hash(&|hasher| request.hash(hasher))),
            number: Some(self.version),
            deleting: self.deleting,
            recorded,
            current: self.status.generation == self.generation,
        }
    }

    fn generation(&self) -> Option<i64> {
        Some(self.generation)
    }

    fn reconcile_request(&self) -> Option<&str> {
        self.request.as_deref()
    }

    fn open_request(&self) -> Option<&str> {
        self.request.as_deref().filter(|_| self.request != self.status.handled_request)
    }

    fn is_same_object(&self, read: &Self) -> bool {
        self.uid == read.uid
    }

    fn is_deleting(&self) -> bool {
        self.deleting
    }

    fn is_overdue(&self) -> bool {
        let is_late = |condition: &&ReportedCondition| {
            condition.kind == ConditionType::Stalled
                && condition.reason == Some(Reason::ProgressDeadlineExceeded)
        };
        self.status.conditions.iter().any(|condition| is_late(&condition))
    }

    fn interval(&self) -> Duration {
        Duration::from_mins(10)
    }

    fn output(&self) -> OutputNames<'_> {
        OutputNames { declared: self.spec.output.as_deref(), recorded: self.output.as_deref() }
    }
}

impl CustomResource for StoredObject {
    fn object(&self) -> Object {
        Object {
            token: TOKEN.clone(),
            deleting: self.deleting,
            finalizer: self.finalizer,
            claim: self.claim_reading(),
            recorded: self.recorded(),
            take_over: None,
            stale_vpc_endpoint: self.stale_vpc_endpoint.as_ref().and_then(|id| id.parse().ok()),
            reported: Reported {
                conditions: self.status.conditions.clone(),
                current: self.status.generation == self.generation,
            },
        }
    }

    fn spec(&self, vpc_endpoint: VpcEndpoint) -> Result<Spec, String> {
        Ok(Spec { vpc_endpoint, ..self.spec.rules.clone() })
    }

    fn is_unchanged_in(&self, read: &Self) -> bool {
        self.uid == read.uid
            && self.deleting == read.deleting
            && self.generation == read.generation
            && self.status.fields.id == read.status.fields.id
            && self.claim == read.claim
    }

    fn differs_from(&self, report: &Report, handled: Option<&str>) -> bool {
        !report.unchanged && self.status_with(report, handled) != self.status
    }

    fn is_recorded(&self) -> bool {
        self.status.fields.id.is_some()
    }
}
