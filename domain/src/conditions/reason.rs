//! The words: condition types and reasons. They are API: automation compares them, so they are never renamed.

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

            /// The word as it stands in the status.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($variant),)+
                }
            }

            /// What it means: the sentence beside the word in this file, which the reference is made from.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($meaning,)*).trim(),)+
                }
            }

            /// The word that `text` spells.
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

words! {
    /// The reasons of conditions.
    Reason {
        /// Atlas says AVAILABLE, and the declared VPC endpoint is connected.
        Available,
        /// The endpoint service is known, and no more is declared.
        Reserved,
        /// There is no endpoint yet.
        Creating,
        /// An endpoint with our mark was found and has to be seen once more.
        Adopting,
        /// Atlas prepares the endpoint service.
        ReservationRequested,
        /// The endpoint service waits for a VPC endpoint.
        AwaitingVpcEndpoint,
        /// Atlas connects the VPC endpoint.
        Connecting,
        /// Atlas gave up.
        AtlasFailed,
        /// Atlas reports a status that this version does not know.
        UnknownStatus,
        /// The object is being deleted.
        Deleting,
        /// The Secret, or a key in it, is missing.
        CredentialsNotFound,
        /// Atlas does not accept the key.
        Unauthorized,
        /// The caller's address is not on the access list, or access is forbidden.
        Forbidden,
        /// The project is unknown to this key.
        ProjectNotFound,
        /// The instance is not there.
        InstanceNotFound,
        /// The instance is not serverless any more.
        InstanceMigrated,
        /// Atlas has switched the API off.
        ApiRetired,
        /// Atlas asked to be left alone.
        RateLimited,
        /// Atlas cannot be reached or does not make sense.
        AtlasUnavailable,
        /// Atlas refused a request.
        AtlasRefused,
        /// The referenced VPC endpoint is not there.
        ReferenceNotFound,
        /// The VPC endpoint belonged to a lost endpoint service.
        VpcEndpointStale,
        /// The output ConfigMap does not say what it should.
        OutputNotWritten,
        /// The spec cannot be acted on.
        InvalidSpec,
        /// The endpoint is gone from Atlas.
        EndpointLost,
        /// `endpointId` names an endpoint that this instance never showed.
        EndpointNotFound,
        /// Another owner's mark is on the endpoint.
        OwnershipConflict,
        /// Another cluster's claim is on the object.
        AdoptionRequired,
        /// More than one endpoint carries our mark.
        Duplicate,
        /// `spec.suspend` was set before there was an endpoint.
        Suspended,
        /// Work takes longer than `spec.progressDeadline`.
        ProgressDeadlineExceeded,
        /// Synced: all is well.
        ReconcileSucceeded,
        /// `EndpointServiceAvailable`: the service name is known.
        ServiceReserved,
        /// `EndpointServiceAvailable`: Atlas has not handed it out yet.
        ServiceProvisioning,
        /// `EndpointServiceAvailable`, `EndpointConnected`: no endpoint is recorded.
        NoEndpoint,
        /// Reconciling: work is going on.
        Progressing,
        /// Reconciling: something failed and is tried again.
        ProgressingWithRetry,
        /// Suspended: as `spec.suspend` asks.
        SuspendRequested,
        /// `ApiSunset`: the answers of Atlas say so (`Sunset`, `Deprecation`). All goes on until then.
        SunsetAnnounced,
    }
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
        /// The object no longer matches `--watch-selector`, so this operator looks at it no more.
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
        /// Another object declares the same VPC endpoint, which serves one endpoint service.
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

impl EventReason {
    /// The warning that goes with a reason, if it deserves one.
    #[must_use]
    pub fn warning(reason: Reason) -> Option<Self> {
        Some(match reason {
            Reason::CredentialsNotFound => Self::CredentialsNotFound,
            Reason::Unauthorized => Self::AtlasUnauthorized,
            Reason::Forbidden => Self::AtlasForbidden,
            Reason::RateLimited => Self::AtlasRateLimited,
            Reason::AtlasRefused => Self::AtlasRefused,
            Reason::AtlasUnavailable => Self::AtlasUnavailable,
            Reason::ApiRetired => Self::AtlasApiRetired,
            Reason::SunsetAnnounced => Self::AtlasApiSunset,
            Reason::ProjectNotFound => Self::ProjectNotFound,
            Reason::InstanceNotFound => Self::InstanceNotFound,
            Reason::InstanceMigrated => Self::InstanceMigrated,
            Reason::AtlasFailed => Self::EndpointFailed,
            Reason::EndpointLost => Self::EndpointLost,
            Reason::EndpointNotFound => Self::EndpointNotFound,
            Reason::OwnershipConflict => Self::OwnershipConflict,
            Reason::AdoptionRequired => Self::AdoptionRequired,
            Reason::Duplicate => Self::Duplicate,
            Reason::ReferenceNotFound => Self::ReferenceNotFound,
            Reason::VpcEndpointStale => Self::VpcEndpointStale,
            Reason::OutputNotWritten => Self::OutputNotWritten,
            Reason::InvalidSpec => Self::InvalidSpec,
            Reason::ProgressDeadlineExceeded => Self::ProgressDeadlineExceeded,
            _ => return None,
        })
    }
}

impl Reason {
    /// The operator has no access to the project, as opposed to an endpoint that is not well.
    #[must_use]
    pub fn is_about_access(self) -> bool {
        matches!(
            self,
            Self::CredentialsNotFound | Self::Unauthorized | Self::Forbidden | Self::ProjectNotFound
        )
    }

    /// The reason that a class of faults is reported under.
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
