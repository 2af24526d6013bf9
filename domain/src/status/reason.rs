//! Condition types, reasons and event reasons. They are API: automation compares them, so they are never renamed.
//!
//! The page that helps is derived from the reason, here and nowhere else: `docs/troubleshooting.md` has a heading for each.

use super::pages::TROUBLESHOOTING;
use crate::fault::FaultKind;

macro_rules! words {
    ($(#[doc = $doc:literal])* $name:ident { $($(#[doc = $meaning:literal])* $variant:ident,)+ }) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[doc = $meaning])* $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Returns the word as in the status.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($variant),)+
                }
            }

            /// Returns its meaning: the sentence beside the word in this file, from which the reference is generated.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($meaning,)*).trim(),)+
                }
            }

            /// Returns the word that `text` spells.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// The types of conditions.
    ConditionType {
        /// What the manifest declares is done.
        Ready,
        /// The last request to Atlas succeeded, and nothing beside the endpoint is wrong.
        Synced,
        /// `endpointServiceName` can be used.
        EndpointServiceAvailable,
        /// Atlas reports AVAILABLE: traffic can flow.
        EndpointConnected,
        /// `PrivateEndpointService`: endpoints can be made for the service in the cloud.
        ServiceAvailable,
        /// `PrivateEndpoint`: the service that it refers to can be used.
        ServiceReady,
        /// `PrivateEndpoint`: Atlas shows the private connection strings of each of `spec.clusters`.
        ConnectionStringsReady,
        /// kstatus: work is in progress. Only present while True.
        Reconciling,
        /// kstatus: it will not continue by itself. Only present while True.
        Stalled,
        /// `spec.suspend` is honoured. Only present while True.
        Suspended,
        /// Atlas has announced that it will switch this API off. Only present while True.
        ApiSunset,
    }
}

impl ConditionType {
    /// Returns `true` if the publisher appends the time of the awaited event, if there is one, to the message of this condition.
    #[must_use]
    pub fn is_dated(self) -> bool {
        matches!(self, Self::Ready | Self::Reconciling)
    }
}

/// Makes [`Reason`] from one row a reason: its meaning, its word, its class, and the reason of the warning event that a
/// person should see, if any.
macro_rules! reasons {
    ($($(#[doc = $meaning:literal])* $variant:ident: $class:ident $($event:ident)?,)+) => {
        words! {
            /// The reasons of conditions.
            Reason {
                $($(#[doc = $meaning])* $variant,)+
            }
        }

        impl Reason {
            /// Returns the warning event that goes with it, if it deserves one.
            #[must_use]
            pub fn warning(self) -> Option<EventReason> {
                match self {
                    $(Self::$variant => [$(EventReason::$event)?].first().copied(),)+
                }
            }

            fn class(self) -> Class {
                match self {
                    $(Self::$variant => class!($class),)+
                }
            }
        }
    };
}

/// Whether a reason reports trouble, and of which kind. A message about trouble ends with a link to the page that helps.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// All is well, or merely takes time.
    Well,
    /// Something is wrong with the endpoint or the object.
    Trouble,
    /// The operator lacks access to the project: the progress deadline counts even while the object is ready.
    Access,
}

macro_rules! class {
    (well) => {
        Class::Well
    };
    (trouble) => {
        Class::Trouble
    };
    (access) => {
        Class::Access
    };
}

reasons! {
    /// Atlas reports AVAILABLE, and the declared endpoint is connected.
    Available: well,
    /// The endpoint service is known, and no more is declared.
    Reserved: well,
    /// There is no endpoint yet.
    Creating: well,
    /// An endpoint with our mark was found and has to be seen once more.
    Adopting: well,
    /// Atlas prepares the endpoint service.
    ReservationRequested: well,
    /// The endpoint service waits for a VPC endpoint.
    AwaitingVpcEndpoint: trouble,
    /// Atlas connects the endpoint.
    Connecting: well,
    /// Atlas reports FAILED.
    AtlasFailed: trouble EndpointFailed,
    /// Atlas reports a status that this version does not know.
    UnknownStatus: trouble,
    /// The object is being deleted.
    Deleting: well,
    /// The Secret, or a key in it, is missing.
    CredentialsNotFound: access CredentialsNotFound,
    /// Atlas does not accept the key.
    Unauthorized: access AtlasUnauthorized,
    /// The caller's address is not on the access list, or access is forbidden.
    Forbidden: access AtlasForbidden,
    /// The project is unknown to this key.
    ProjectNotFound: access ProjectNotFound,
    /// The instance is not there.
    InstanceNotFound: trouble InstanceNotFound,
    /// The instance is no longer serverless.
    InstanceMigrated: trouble InstanceMigrated,
    /// Atlas has switched the API off.
    ApiRetired: trouble AtlasApiRetired,
    /// Atlas limits the rate of requests.
    RateLimited: trouble AtlasRateLimited,
    /// Atlas cannot be reached, or its response cannot be read.
    AtlasUnavailable: trouble AtlasUnavailable,
    /// Atlas refused a request.
    AtlasRefused: trouble AtlasRefused,
    /// The referenced endpoint is not there.
    ReferenceNotFound: trouble ReferenceNotFound,
    /// The endpoint in the cloud belonged to a lost endpoint service.
    VpcEndpointStale: trouble VpcEndpointStale,
    /// The output ConfigMap does not hold what it should.
    OutputNotWritten: trouble OutputNotWritten,
    /// The spec cannot be acted on.
    InvalidSpec: trouble InvalidSpec,
    /// The endpoint is gone from Atlas.
    EndpointLost: trouble EndpointLost,
    /// `endpointId` names an endpoint that this instance never showed.
    EndpointNotFound: trouble EndpointNotFound,
    /// Another owner's mark is on the endpoint.
    OwnershipConflict: trouble OwnershipConflict,
    /// Another cluster's claim is on the object.
    AdoptionRequired: trouble AdoptionRequired,
    /// More than one endpoint carries our mark.
    Duplicate: trouble Duplicate,
    /// `spec.suspend` was set before there was an endpoint.
    Suspended: trouble,
    /// Work takes longer than `spec.progressDeadline`.
    ProgressDeadlineExceeded: trouble ProgressDeadlineExceeded,
    /// Atlas prepares the endpoint service of a dedicated cluster.
    Initiating: well,
    /// Atlas rejects the connection, or knows no such VPC endpoint. It may heal.
    Rejected: trouble Rejected,
    /// Another endpoint than the declared one is connected.
    Replacing: well,
    /// Atlas does not show the private connection strings of a cluster yet.
    AwaitingConnectionString: well,
    /// The endpoint service does not exist: the object that declares it, or the service in Atlas.
    ServiceNotFound: trouble ServiceNotFound,
    /// The endpoint service accepts no endpoint yet.
    ServiceNotReady: well,
    /// The endpoint service does not allow references from this namespace.
    ServiceRefNotAllowed: trouble ServiceRefNotAllowed,
    /// The endpoint service is gone from Atlas.
    ServiceLost: trouble ServiceLost,
    /// Atlas has other remote regions of the endpoint service than the declared ones, and is given those.
    Updating: well,
    /// Others keep setting other remote regions of the endpoint service than the declared ones.
    Contested: trouble Contested,
    /// Atlas has a service for the region, and `adopt` forbids to use it.
    ServiceExists: trouble ServiceExists,
    /// Atlas has the endpoint, and `adopt` forbids to use it.
    EndpointExists: trouble EndpointExists,
    /// Atlas removes what the object declares.
    BeingRemoved: trouble BeingRemoved,
    /// An older object declares the same.
    Conflict: trouble Conflict,
    /// Other objects use the endpoint service, so it is not deleted.
    InUse: trouble InUse,
    /// The endpoint service has endpoints, so it is not deleted.
    EndpointsAttached: trouble EndpointsAttached,
    /// Synced: all is well.
    ReconcileSucceeded: well,
    /// `EndpointServiceAvailable`: the service name is known.
    ServiceReserved: well,
    /// `EndpointServiceAvailable`: Atlas has not handed it out yet.
    ServiceProvisioning: well,
    /// `EndpointServiceAvailable`, `EndpointConnected`: no endpoint is recorded.
    NoEndpoint: well,
    /// Reconciling: work is in progress.
    Progressing: well,
    /// Reconciling: something failed, and the operator retries.
    ProgressingWithRetry: well,
    /// Suspended: as `spec.suspend` declares.
    SuspendRequested: well,
    /// `ApiSunset`: the responses of Atlas announce it (`Sunset`, `Deprecation`). Everything works until then.
    SunsetAnnounced: trouble AtlasApiSunset,
}

words! {
    /// The reasons of events.
    EventReason {
        /// A create request created the endpoint.
        EndpointCreated,
        /// An existing endpoint was taken over.
        EndpointAdopted,
        /// An existing endpoint is observed; nothing of it was changed.
        EndpointObserved,
        /// The endpoint service can be used.
        EndpointServiceReserved,
        /// Atlas accepted the VPC endpoint id.
        VpcEndpointAttached,
        /// Atlas accepted the comment, with the object's mark: spec.comment was changed, or what Atlas showed.
        CommentWritten,
        /// Traffic can flow.
        EndpointAvailable,
        /// Atlas has confirmed that the endpoint is gone.
        EndpointDeleted,
        /// The object was released, and its endpoint stays in Atlas.
        EndpointRetained,
        /// A superfluous endpoint with our mark was deleted.
        ExcessEndpointDeleted,
        /// A create request created the endpoint service.
        ServiceCreated,
        /// An endpoint service that exists is used.
        ServiceAdopted,
        /// Endpoints can be registered at the service.
        ServiceAvailable,
        /// Atlas has confirmed that the endpoint service is gone.
        ServiceDeleted,
        /// The object was released, and its endpoint service stays in Atlas.
        ServiceRetained,
        /// Atlas accepted the remote regions of the endpoint service.
        ServiceUpdated,
        /// A lost endpoint service was created again, with another name.
        ServiceReplaced,
        /// The endpoint was registered at its service.
        EndpointRegistered,
        /// Atlas has confirmed that the endpoint is removed from its service.
        EndpointRemoved,
        /// The only endpoint of a service is about to be removed: Atlas may delete the service with it.
        LastEndpointRemoved,
        /// The object no longer matches `--watch-selector`, so this operator does not reconcile it.
        NotWatched,
        /// See [`Reason::CredentialsNotFound`].
        CredentialsNotFound,
        /// See [`Reason::Unauthorized`].
        AtlasUnauthorized,
        /// See [`Reason::Forbidden`].
        AtlasForbidden,
        /// See [`Reason::RateLimited`].
        AtlasRateLimited,
        /// See [`Reason::AtlasRefused`].
        AtlasRefused,
        /// See [`Reason::AtlasUnavailable`].
        AtlasUnavailable,
        /// See [`Reason::ApiRetired`].
        AtlasApiRetired,
        /// See [`Reason::SunsetAnnounced`].
        AtlasApiSunset,
        /// See [`Reason::ProjectNotFound`].
        ProjectNotFound,
        /// See [`Reason::InstanceNotFound`].
        InstanceNotFound,
        /// See [`Reason::InstanceMigrated`].
        InstanceMigrated,
        /// See [`Reason::AtlasFailed`].
        EndpointFailed,
        /// See [`Reason::EndpointLost`].
        EndpointLost,
        /// See [`Reason::EndpointNotFound`].
        EndpointNotFound,
        /// See [`Reason::OwnershipConflict`].
        OwnershipConflict,
        /// See [`Reason::AdoptionRequired`].
        AdoptionRequired,
        /// See [`Reason::Duplicate`].
        Duplicate,
        /// See [`Reason::ReferenceNotFound`].
        ReferenceNotFound,
        /// Another object of the namespace declares the same VPC endpoint, which serves one endpoint service.
        VpcEndpointShared,
        /// See [`Reason::VpcEndpointStale`].
        VpcEndpointStale,
        /// See [`Reason::OutputNotWritten`].
        OutputNotWritten,
        /// See [`Reason::Rejected`].
        Rejected,
        /// See [`Reason::ServiceNotFound`].
        ServiceNotFound,
        /// See [`Reason::ServiceRefNotAllowed`].
        ServiceRefNotAllowed,
        /// See [`Reason::ServiceLost`].
        ServiceLost,
        /// See [`Reason::Contested`].
        Contested,
        /// See [`Reason::ServiceExists`].
        ServiceExists,
        /// See [`Reason::EndpointExists`].
        EndpointExists,
        /// See [`Reason::BeingRemoved`].
        BeingRemoved,
        /// See [`Reason::Conflict`].
        Conflict,
        /// See [`Reason::InUse`].
        InUse,
        /// See [`Reason::EndpointsAttached`].
        EndpointsAttached,
        /// See [`Reason::InvalidSpec`].
        InvalidSpec,
        /// The object cannot be read: it is neither acted on nor released until what the message names is corrected.
        ObjectUnreadable,
        /// See [`Reason::ProgressDeadlineExceeded`].
        ProgressDeadlineExceeded,
    }
}

impl Reason {
    /// Returns `true` if the operator lacks access to the project, as opposed to trouble with the endpoint.
    #[must_use]
    pub fn is_about_access(self) -> bool {
        self.class() == Class::Access
    }

    /// Returns `true` if a person has to act, or something is wrong: `docs/troubleshooting.md` has a heading for it.
    fn is_trouble(self) -> bool {
        self.class() != Class::Well
    }

    /// Returns the page that a message about this reason ends with a link to; `None` where all is well or merely takes time.
    #[must_use]
    pub fn page(self) -> Option<String> {
        self.is_trouble().then(|| format!("{TROUBLESHOOTING}#{}", self.as_str().to_lowercase()))
    }

    /// Returns the reason that reports a class of faults.
    #[must_use]
    pub fn of(fault: FaultKind) -> Self {
        match fault {
            FaultKind::CredentialsNotFound => Self::CredentialsNotFound,
            FaultKind::Unauthorized => Self::Unauthorized,
            FaultKind::Forbidden => Self::Forbidden,
            FaultKind::NoAccess => Self::ProjectNotFound,
            FaultKind::InstanceNotFound => Self::InstanceNotFound,
            FaultKind::NotServerless => Self::InstanceMigrated,
            FaultKind::Retired => Self::ApiRetired,
            FaultKind::RateLimited => Self::RateLimited,
            FaultKind::EndpointNotFound
            | FaultKind::ServiceNotFound
            | FaultKind::Conflict
            | FaultKind::MultipleRegions
            | FaultKind::Refused => Self::AtlasRefused,
            FaultKind::Unavailable => Self::AtlasUnavailable,
        }
    }
}
