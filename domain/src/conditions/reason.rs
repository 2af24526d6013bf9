//! Condition types, reasons and event reasons. They are API: automation compares them, so they are never renamed.

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
        /// Atlas says AVAILABLE: traffic can flow.
        EndpointConnected,
        /// kstatus: work is going on. Only present while True.
        Reconciling,
        /// kstatus: it will not go on by itself. Only present while True.
        Stalled,
        /// `spec.suspend` is honoured. Only present while True.
        Suspended,
        /// Atlas has announced that it will switch this API off. Only present while True.
        ApiSunset,
    }
}

/// Makes [`Reason`] from one row a reason: its meaning, its word, what it says of the object, and the reason of the warning
/// event that a person should see, if any. What it says is `well`, `trouble`, or `access`, which is trouble with the access to
/// the project as opposed to the endpoint.
macro_rules! reasons {
    ($($(#[doc = $meaning:literal])* $variant:ident: $says:ident $($event:ident)?,)+) => {
        words! {
            /// The reasons of conditions.
            Reason {
                $($(#[doc = $meaning])* $variant,)+
            }
        }

        impl Reason {
            /// The warning event that goes with it, if it deserves one.
            #[must_use]
            pub fn warning(self) -> Option<EventReason> {
                match self {
                    $(Self::$variant => [$(EventReason::$event)?].first().copied(),)+
                }
            }

            fn says(self) -> Says {
                match self {
                    $(Self::$variant => says!($says),)+
                }
            }
        }
    };
}

/// What a reason says of the object.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Says {
    Well,
    Trouble,
    Access,
}

macro_rules! says {
    (well) => {
        Says::Well
    };
    (trouble) => {
        Says::Trouble
    };
    (access) => {
        Says::Access
    };
}

reasons! {
    /// Atlas says AVAILABLE, and the declared VPC endpoint is connected.
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
    /// Atlas connects the VPC endpoint.
    Connecting: well,
    /// Atlas gave up.
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
    /// The instance is not serverless any more.
    InstanceMigrated: trouble InstanceMigrated,
    /// Atlas has switched the API off.
    ApiRetired: trouble AtlasApiRetired,
    /// Atlas limits the rate of requests.
    RateLimited: trouble AtlasRateLimited,
    /// Atlas cannot be reached or does not make sense.
    AtlasUnavailable: trouble AtlasUnavailable,
    /// Atlas refused a request.
    AtlasRefused: trouble AtlasRefused,
    /// The referenced VPC endpoint is not there.
    ReferenceNotFound: trouble ReferenceNotFound,
    /// The VPC endpoint belonged to a lost endpoint service.
    VpcEndpointStale: trouble VpcEndpointStale,
    /// The output ConfigMap does not say what it should.
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
    /// Synced: all is well.
    ReconcileSucceeded: well,
    /// `EndpointServiceAvailable`: the service name is known.
    ServiceReserved: well,
    /// `EndpointServiceAvailable`: Atlas has not handed it out yet.
    ServiceProvisioning: well,
    /// `EndpointServiceAvailable`, `EndpointConnected`: no endpoint is recorded.
    NoEndpoint: well,
    /// Reconciling: work is going on.
    Progressing: well,
    /// Reconciling: something failed, and the operator retries.
    ProgressingWithRetry: well,
    /// Suspended: as `spec.suspend` asks.
    SuspendRequested: well,
    /// `ApiSunset`: the answers of Atlas say so (`Sunset`, `Deprecation`). All goes on until then.
    SunsetAnnounced: trouble AtlasApiSunset,
}

words! {
    /// The reasons of events.
    EventReason {
        /// A create call made the endpoint.
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
        /// The object went and its endpoint stays in Atlas.
        EndpointRetained,
        /// An endpoint with our mark was one too many and was deleted.
        ExcessEndpointDeleted,
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
        self.says() == Says::Access
    }

    /// Somebody has to do something, or something is wrong: `docs/troubleshooting.md` has a heading for it.
    pub(super) fn is_trouble(self) -> bool {
        self.says() != Says::Well
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
            FaultKind::EndpointNotFound | FaultKind::Refused => Self::AtlasRefused,
            FaultKind::Unavailable => Self::AtlasUnavailable,
        }
    }
}
