//! The life of one object without a cluster: every reconcile runs the production code, from the object to the decision,
//! the report and the patch of the status; only the API server and Atlas are simulated here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::access::CredentialsInUse;
use domain::fault::{Fault, FaultKind};
use domain::reference::VpcEndpoint;
use domain::serverless::decide::decide;
use domain::serverless::decision::{ConfirmedAbsence, Step};
use domain::serverless::endpoint::Endpoint;
use domain::serverless::observed::{
    Attempt, AttemptOutcome, Listing, MemorySnapshot, Observed, Times, WriteOutcome,
};
use domain::serverless::ownership::{Claim, Nonce, marked_comment};
use domain::serverless::status::report;
use domain::status::Reason;
use domain::sunset::Sunset;
use domain::token::{ClusterId, Token};
use serde_json::{Value, json};
use spe_operator::serverless::Identity;
use spe_operator::serverless::convert;
use spe_operator::serverless::crd::{self, ServerlessPrivateEndpoint};
use spe_operator::serverless::status_patch;

/// The recorded endpoint's id.
pub(crate) const ID: &str = "0123456789abcdef00000001";

/// The VPC endpoint, where one is declared.
pub(crate) const VPC_ENDPOINT: &str = "vpce-0a1b2c3d4e5f60718";

const UID: &str = "5f0c1f5e-0000-4000-8000-000000000001";

/// One object, and the operator's memory of it.
pub(crate) struct Lived {
    pub(crate) object: Value,
    pub(crate) memory: MemorySnapshot,
    reference: Option<VpcEndpoint>,
    sunset: Option<Sunset>,
    is_unwritten: bool,
}

/// Returns an endpoint with this object's mark, as Atlas reports one of that status.
pub(crate) fn endpoint(status: &str) -> Endpoint {
    endpoint_of(&token(), ID, status)
}

pub(crate) fn endpoint_of(owner: &Token, id: &str, status: &str) -> Endpoint {
    Endpoint {
        id: id.parse().unwrap(),
        status: status.into(),
        comment: marked_comment(None, owner),
        service_name: (status != "RESERVATION_REQUESTED")
            .then(|| "com.amazonaws.vpce.us-east-1.vpce-svc-1".to_owned()),
        vpc_endpoint_id: ["INITIATING", "AVAILABLE", "FAILED"]
            .contains(&status)
            .then(|| VPC_ENDPOINT.to_owned()),
        error_message: (status == "FAILED").then(|| "no dns entries found".to_owned()),
    }
}

pub(crate) fn cluster() -> ClusterId {
    "this-cluster".parse().unwrap()
}

pub(crate) fn token() -> Token {
    Token::of(&cluster(), "team-a", "orders")
}

/// The token of an object of this name in another cluster.
pub(crate) fn stranger() -> Token {
    Token::of(&"that-cluster".parse().unwrap(), "team-a", "orders")
}

pub(crate) fn listed(status: &str) -> Listing {
    Listing::Fetched(vec![endpoint(status)])
}

pub(crate) fn failed(kind: FaultKind) -> Listing {
    Listing::Failed(fault(kind))
}

pub(crate) fn fault(kind: FaultKind) -> Fault {
    Fault::new(kind, format!("Atlas says {kind:?}"))
}

impl Lived {
    /// Returns the object as the API server stores it, before its first reconcile.
    pub(crate) fn new(fields: &Value) -> Self {
        let mut spec = json!({
            "projectId": "32b6e34b3d91647abb20e7b8",
            "instanceName": "orders",
            "deletionPolicy": "Delete",
            "managementPolicy": "Manage",
            "suspend": false,
            "interval": "10m",
            "progressDeadline": "15m",
            "credentialsRef": {"name": "atlas-api"},
        });
        merge(&mut spec, fields);
        let object = json!({
            "apiVersion": "atlas.spe-operator.io/v1alpha1",
            "kind": "ServerlessPrivateEndpoint",
            "metadata": {
                "name": "orders",
                "namespace": "team-a",
                "uid": UID,
                "resourceVersion": "1",
                "generation": 1,
                "creationTimestamp": "2026-03-01T10:00:00Z",
            },
            "spec": spec,
            "status": {"observedGeneration": crd::NEVER_OBSERVED},
        });
        Self { object, memory: MemorySnapshot::default(), reference: None, sunset: None, is_unwritten: false }
    }

    /// Its endpoint is recorded and was last listed with this status.
    pub(crate) fn bound(fields: &Value, status: &str) -> Self {
        Self::new(fields).observe(&listed(status))
    }

    /// RESERVED and ready.
    pub(crate) fn reserved() -> Self {
        Self::bound(&json!({}), "RESERVED")
    }

    /// Sets what its reference to a VPC endpoint resolves to.
    pub(crate) fn refers_to(mut self, vpc_endpoint: VpcEndpoint) -> Self {
        self.reference = Some(vpc_endpoint);
        self
    }

    /// Atlas announces the end of its API from now on.
    pub(crate) fn announced(mut self) -> Self {
        self.sunset = Some(Sunset { day: Some("2027-01-31".to_owned()), is_over: false, is_confirmed: true });
        self
    }

    /// Its output cannot be written from now on.
    pub(crate) fn unwritten(mut self) -> Self {
        self.is_unwritten = true;
        self
    }

    /// The user changes the spec.
    pub(crate) fn edited(mut self, fields: &Value) -> Self {
        merge(&mut self.object["spec"], fields);
        self.next_generation()
    }

    pub(crate) fn annotated(mut self, key: &str, value: &str) -> Self {
        self.object["metadata"]["annotations"][key] = json!(value);
        self
    }

    /// The user deletes the object, which stays for its finalizer.
    pub(crate) fn deleted(mut self) -> Self {
        self.object["metadata"]["deletionTimestamp"] = json!("2026-03-01T11:00:00Z");
        self.next_generation()
    }

    fn next_generation(mut self) -> Self {
        let generation = self.object["metadata"]["generation"].as_i64().unwrap();
        self.object["metadata"]["generation"] = json!(generation + 1);
        self
    }

    /// Makes the work that the last reconcile reported exceed its deadline.
    pub(crate) fn overdue(mut self) -> Self {
        let (_, since) = self.memory.working.as_mut().unwrap();
        *since = Duration::from_mins(16);
        self
    }

    pub(crate) fn with_memory(mut self, remember: impl FnOnce(&mut MemorySnapshot)) -> Self {
        remember(&mut self.memory);
        self
    }

    /// Reconciles once with an Atlas that accepts every write.
    pub(crate) fn observe(self, atlas: &Listing) -> Self {
        self.reconciles(atlas, &WriteOutcome::Done)
    }

    /// Reconciles once with an Atlas that rejects every write.
    pub(crate) fn refused(self, atlas: &Listing, kind: FaultKind) -> Self {
        self.reconciles(atlas, &WriteOutcome::Refused(fault(kind)))
    }

    /// Decides and performs until there is nothing left to do, then publishes.
    fn reconciles(mut self, atlas: &Listing, outcome: &WriteOutcome) -> Self {
        self.memory.last_write = WriteOutcome::Nothing;
        for _ in 0..8 {
            let observed = self.observed(atlas);
            let decision = decide(&observed);
            match &decision.step {
                Step::Rest => {
                    let mut report = report(&observed, &decision);
                    // What one listing takes back of what is known, another confirms.
                    if let Some(absence @ ConfirmedAbsence::Known(_)) =
                        decision.absent.filter(|_| report.unchanged)
                    {
                        self.memory.absent = Some((absence, Times::default().confirm_gap));
                        continue;
                    }
                    if report.unchanged {
                        return self;
                    }
                    if self.is_unwritten {
                        report.set_synced_false(
                            Reason::OutputNotWritten,
                            "ConfigMap orders is not ours".to_owned(),
                        );
                    }
                    self.patch(&status_patch::changes(&self.typed(), &report, None));
                    self.memory.working = report.working.map(|stage| (stage, Duration::ZERO));
                    return self;
                }
                Step::Record { .. } => {
                    let report = report(&observed, &decision);
                    self.patch(&status_patch::changes(&self.typed(), &report, None));
                    // Long ago: this reconcile is not about an endpoint that is new to the operator.
                    self.memory.recorded = Duration::from_mins(10);
                }
                Step::Claim { nonce, replaced, .. } => {
                    let nonce = nonce.clone().unwrap_or_else(|| Nonce::from_random([1; 16]));
                    self.claim(&Claim {
                        token: token(),
                        nonce: nonce.clone(),
                        uid: UID.to_owned(),
                        cluster: cluster(),
                        replaced: replaced.clone(),
                    });
                    self.memory.attempts =
                        vec![Attempt { nonce, age: Duration::ZERO, outcome: AttemptOutcome::NotSent }];
                }
                Step::Create { .. } => {
                    let refused = matches!(outcome, WriteOutcome::Refused(_));
                    self.memory.attempts[0].outcome =
                        if refused { AttemptOutcome::Settled } else { AttemptOutcome::Unknown };
                    self.memory.last_write = outcome.clone();
                }
                Step::Update { .. } | Step::Delete { .. } => self.memory.last_write = outcome.clone(),
                Step::List | Step::Release(_) => panic!("{decision:?} is not what this reconcile is about"),
            }
        }
        panic!("there is always something left to do")
    }

    fn observed(&self, atlas: &Listing) -> Observed {
        let object = self.typed();
        let identity = Identity::new(&object, &cluster());
        let declared = object.spec.cloud_provider_endpoint_id.as_deref();
        let vpc_endpoint = match (&self.reference, declared) {
            (Some(found), _) => found.clone(),
            (None, Some(id)) => VpcEndpoint::Declared(id.parse().unwrap()),
            (None, None) => VpcEndpoint::Undeclared,
        };
        Observed {
            object: convert::object(&object, &identity, &cluster()),
            spec: convert::spec(&object, vpc_endpoint),
            credentials: CredentialsInUse::Own,
            listing: atlas.clone(),
            owners: BTreeMap::new(),
            elsewhere: BTreeSet::new(),
            sunset: self.sunset.clone(),
            memory: self.remembered(atlas),
            times: Times::default(),
        }
    }

    /// The absence was reported before, long enough ago.
    fn remembered(&self, atlas: &Listing) -> MemorySnapshot {
        let mut memory = self.memory.clone();
        if let Listing::Failed(fault) = atlas {
            memory.gone = vec![(fault.kind, Times::default().confirm_gap)];
        }
        memory
    }

    fn typed(&self) -> ServerlessPrivateEndpoint {
        serde_json::from_value(self.object.clone()).unwrap()
    }

    pub(crate) fn claim(&mut self, claim: &Claim) {
        self.object["metadata"]["finalizers"] = json!([crd::FINALIZER]);
        self.object["metadata"]["annotations"][crd::CLAIM] = json!(claim.to_string());
    }

    fn patch(&mut self, operations: &[Value]) {
        let patch: json_patch::Patch = serde_json::from_value(json!(operations)).unwrap();
        json_patch::patch(&mut self.object, &patch).unwrap();
    }
}

fn merge(into: &mut Value, fields: &Value) {
    for (field, value) in fields.as_object().unwrap() {
        into[field] = value.clone();
    }
}
