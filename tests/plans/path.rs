//! The parts of the lives of all kinds in which a request goes wrong: their names, and what they are parts of.

/// What lives: an endpoint of a serverless instance, or a service of dedicated clusters with its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlanSubject {
    Serverless,
    Dedicated,
}

/// A part of a life. All but the first four are of dedicated clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Path {
    /// From no object to RESERVED, the start of the operator included.
    Create,
    /// From RESERVED to AVAILABLE.
    Attach,
    /// From RESERVED to deleted.
    Delete,
    /// From RESERVED to RESERVED: the start of an operator that finds the endpoint of a previous one.
    Restart,
    /// From no object to a service that is AVAILABLE. The manifest spells its region as AWS does.
    CreateService,
    /// From a service and an endpoint that others made to objects that have adopted them.
    Adopt,
    /// From a service to an endpoint that is registered at it.
    Register,
    /// From one VPC endpoint to the next, which is registered before the former one is removed.
    Replace,
    /// From an endpoint to none, and back: its object is deleted, and applied again as soon as it is gone.
    Recreate,
    /// From a service to none.
    DeleteService,
    /// The start of an operator that finds the service and the endpoint of a previous one.
    RestartBoth,
}

impl Path {
    pub(crate) const ALL: [Self; 11] = [
        Self::Create,
        Self::Attach,
        Self::Delete,
        Self::Restart,
        Self::CreateService,
        Self::Adopt,
        Self::Register,
        Self::Replace,
        Self::Recreate,
        Self::DeleteService,
        Self::RestartBoth,
    ];

    /// Returns the name, which begins the names of its plans.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Attach => "attach",
            Self::Delete => "delete",
            Self::Restart => "restart",
            Self::CreateService => "service-create",
            Self::Adopt => "adopt",
            Self::Register => "register",
            Self::Replace => "replace",
            Self::Recreate => "recreate",
            Self::DeleteService => "service-delete",
            Self::RestartBoth => "restart-both",
        }
    }

    pub(crate) fn subject(self) -> PlanSubject {
        match self {
            Self::Create | Self::Attach | Self::Delete | Self::Restart => PlanSubject::Serverless,
            _ => PlanSubject::Dedicated,
        }
    }

    /// Returns whether an operator starts with the path, on what a previous one left.
    pub(crate) fn is_restart(self) -> bool {
        matches!(self, Self::Restart | Self::RestartBoth)
    }

    /// Returns whether the user deletes what the path begins with, and applies nothing.
    pub(crate) fn deletes(self) -> bool {
        matches!(self, Self::Delete | Self::DeleteService)
    }

    /// Returns whether the start of the operator counts.
    pub(crate) fn has_start(self) -> bool {
        self == Self::Create || self.is_restart()
    }
}
