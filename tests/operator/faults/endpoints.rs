//! Spontaneous changes of endpoints, instances and tokens, as rows. Data only.

use atlas_simulator::Operation::{Create, Delete, GetInstance, List, Token, Update};
use domain::status::ConditionType::{
    EndpointConnected, EndpointServiceAvailable, Ready, Reconciling, Stalled, Synced,
};
use domain::status::EventReason;
use domain::status::Reason::*;

use crate::faults::requests::CONNECTED;
use crate::faults::row::{FaultEnd, FaultRow, FaultStart, ROW, Recovery, Says, SecretContents};

const OTHER: &str = r#"{"cloudProviderEndpointId": "vpce-0fedcba9876543210"}"#;

const LIST_ALL: &[atlas_simulator::Operation] = &[List, Create, Update, Delete];

/// A row whose endpoint is AVAILABLE when the fault begins.
const CONNECTED_BEFORE: FaultRow = FaultRow { spec: CONNECTED, when: FaultStart::Ready, ..ROW };

/// Rejections (family 12).
#[rustfmt::skip]
pub(crate) const REFUSED: &[FaultRow] = &[
    FaultRow { fault: "INVALID_ATTRIBUTE", on: &[Update], spec: CONNECTED, says: &[Says(Ready, false, AtlasRefused, &["HTTP 400 INVALID_ATTRIBUTE", "cloudProviderEndpointId"])], ..ROW },
    FaultRow { fault: "MISSING_ATTRIBUTE", on: &[Update], spec: CONNECTED, says: &[Says(Ready, false, AtlasRefused, &["MISSING_ATTRIBUTE", "providerName"])], ..ROW },
    FaultRow { fault: "a comment too long", on: &[Update], spec: CONNECTED, says: &[Says(Ready, false, AtlasRefused, &["VALIDATION_ERROR", "must be less than 80 characters"])], ..ROW },
    FaultRow { fault: "a comment too long", on: &[Create], says: &[Says(Ready, false, AtlasRefused, &["VALIDATION_ERROR"])], ..ROW },
];

/// Possible responses to a PATCH or DELETE in the wrong state (families 12 and 16), of one Atlas each.
#[rustfmt::skip]
pub(crate) const PATCH_EARLY_400: FaultRow = FaultRow {
    fault: "PATCH before RESERVED returns 400",
    also: &["shown as RESERVED too early", "a reservation takes for ever"],
    spec: CONNECTED,
    says: &[Says(Ready, false, AtlasRefused, &["HTTP 400 INVALID_ATTRIBUTE"])],
    // What takes for ever is given up by hand. The id was declared before there was the endpoint service that comes next.
    recovery: Recovery::OutOfBand("deleted out of band"),
    end: FaultEnd::Stays(VpcEndpointStale),
    posts: 2,
    ..ROW
};

#[rustfmt::skip]
pub(crate) const PATCH_EARLY_409: FaultRow = FaultRow {
    fault: "PATCH before RESERVED returns 409",
    says: &[Says(Ready, false, AtlasRefused, &["HTTP 409 PRIVATELINK_CANNOT_ACCEPT_ENDPOINTS"])],
    ..PATCH_EARLY_400
};

#[rustfmt::skip]
pub(crate) const PATCH_EARLY_ACCEPTED: FaultRow = FaultRow {
    fault: "PATCH before RESERVED is accepted",
    says: &[],
    requests: &[(Update, 1)],
    ..PATCH_EARLY_400
};

/// FAILED; another VPC endpoint is tried, and Atlas accepts it.
#[rustfmt::skip]
pub(crate) const PATCH_FAILED_ACCEPTED: FaultRow = FaultRow {
    fault: "PATCH on FAILED is accepted",
    also: &["no dns entries"],
    spec: CONNECTED,
    says: &[Says(Ready, false, AtlasFailed, &["No dns entries found", "Fix the VPC endpoint"])],
    recovery: Recovery::Edit(OTHER),
    ..ROW
};

#[rustfmt::skip]
pub(crate) const PATCH_FAILED_400: FaultRow = FaultRow {
    fault: "PATCH on FAILED returns 400",
    then: &[Says(Ready, false, AtlasRefused, &["HTTP 400 INVALID_ATTRIBUTE"])],
    end: FaultEnd::Stays(AtlasRefused),
    ..PATCH_FAILED_ACCEPTED
};

#[rustfmt::skip]
pub(crate) const PATCH_FAILED_409: FaultRow = FaultRow {
    fault: "PATCH on FAILED returns 409",
    then: &[Says(Ready, false, AtlasRefused, &["HTTP 409 PRIVATELINK_CANNOT_ACCEPT_ENDPOINTS"])],
    ..PATCH_FAILED_400
};

/// Somebody deletes the endpoint while a listing still shows it as AVAILABLE, and the spec changes.
#[rustfmt::skip]
pub(crate) const PATCH_DELETING_400: FaultRow = FaultRow {
    fault: "PATCH on DELETING returns 400",
    also: &["shown as AVAILABLE whatever it is", "its deletion begun out of band, and stuck"],
    edit: OTHER,
    requests: &[(Update, 2)],
    recovery: Recovery::OutOfBand("deleted out of band"),
    end: FaultEnd::Stays(VpcEndpointStale),
    posts: 2,
    ..CONNECTED_BEFORE
};

#[rustfmt::skip]
pub(crate) const PATCH_DELETING_409: FaultRow =
    FaultRow { fault: "PATCH on DELETING returns 409", ..PATCH_DELETING_400 };

#[rustfmt::skip]
pub(crate) const PATCH_DELETING_ACCEPTED: FaultRow =
    FaultRow { fault: "PATCH on DELETING is accepted", ..PATCH_DELETING_400 };

/// A listing still shows as RESERVED an endpoint that is stuck in DELETING, so that it is deleted again.
#[rustfmt::skip]
pub(crate) const DELETE_AGAIN_204: FaultRow = FaultRow {
    fault: "DELETE again returns 204",
    also: &["shown as RESERVED too early", "stuck in DELETING"],
    when: FaultStart::Deleted,
    says: &[Says(Ready, false, Deleting, &[])],
    requests: &[(Delete, 2)],
    recovery: Recovery::OutOfBand("deleted out of band"),
    end: FaultEnd::Gone(0),
    ..ROW
};

#[rustfmt::skip]
pub(crate) const DELETE_AGAIN_404: FaultRow = FaultRow { fault: "DELETE again returns 404", ..DELETE_AGAIN_204 };

#[rustfmt::skip]
pub(crate) const DELETE_AGAIN_409: FaultRow = FaultRow {
    fault: "DELETE again returns 409",
    says: &[Says(Ready, false, AtlasRefused, &["HTTP 409 PRIVATELINK_CANNOT_ACCEPT_ENDPOINTS", "Retain"])],
    ..DELETE_AGAIN_204
};

/// Endpoints that change by themselves (families 13 to 17).
#[rustfmt::skip]
pub(crate) const OWN_WILL: &[FaultRow] = &[
    FaultRow {
        fault: "a reservation expires",
        on: &[Create],
        says: &[Says(Ready, true, Reserved, &[]), Says(Ready, false, EndpointLost, &["a new one is created"])],
        polls: true,
        recovery: Recovery::ByItself,
        posts: 2,
        events: &[EventReason::EndpointLost],
        ..ROW
    },
    FaultRow { fault: "a reservation fails", on: &[Create], says: &[Says(Ready, false, AtlasFailed, &["Reservation failed.", "delete this object"]), Says(Stalled, true, AtlasFailed, &[])], recovery: Recovery::ByItself, end: FaultEnd::Stays(AtlasFailed), events: &[EventReason::EndpointFailed], ..ROW },
    FaultRow { fault: "no dns entries", on: &[Update], spec: CONNECTED, says: &[Says(Ready, false, AtlasFailed, &["No dns entries found"])], recovery: Recovery::Edit(OTHER), ..ROW },
    FaultRow { fault: "InvalidParameter", on: &[Update], spec: CONNECTED, says: &[Says(Ready, false, AtlasFailed, &["code={InvalidParameter}"])], end: FaultEnd::Stays(AtlasFailed), ..ROW },
    FaultRow { fault: "FAILED recovers by itself", on: &[Update], also: &["no dns entries"], spec: CONNECTED, says: &[Says(Ready, false, AtlasFailed, &[])], polls: true, recovery: Recovery::ByItself, ..ROW },
    FaultRow { fault: "AVAILABLE turns FAILED", says: &[Says(Ready, false, AtlasFailed, &["The VPC endpoint was deleted"]), Says(EndpointConnected, false, AtlasFailed, &[])], recovery: Recovery::ByItself, end: FaultEnd::Stays(AtlasFailed), ..CONNECTED_BEFORE },
    FaultRow {
        fault: "deleted out of band",
        says: &[Says(Ready, false, EndpointLost, &[]), Says(Ready, false, VpcEndpointStale, &["vpce-0a1b2c3d4e5f60718", "aws ec2 create-vpc-endpoint"])],
        end: FaultEnd::Stays(VpcEndpointStale),
        posts: 2,
        events: &[EventReason::EndpointLost, EventReason::VpcEndpointStale],
        ..CONNECTED_BEFORE
    },
    FaultRow { fault: "deleted out of band", when: FaultStart::Ready, says: &[Says(Ready, false, EndpointLost, &[])], recovery: Recovery::ByItself, posts: 2, ..ROW },
    FaultRow { fault: "its comment edited out of band", requests: &[(Update, 2)], stays_ready: true, events: &[EventReason::CommentWritten], ..CONNECTED_BEFORE },
    FaultRow {
        fault: "marked by another owner",
        says: &[Says(Ready, false, OwnershipConflict, &["aaaaaaaaaaaaaaaa", "take-over"]), Says(Stalled, true, OwnershipConflict, &[])],
        recovery: Recovery::ByItself,
        end: FaultEnd::Stays(OwnershipConflict),
        left: 1,
        events: &[EventReason::OwnershipConflict, EventReason::EndpointRetained],
        ..CONNECTED_BEFORE
    },
    FaultRow { fault: "its VPC endpoint edited out of band", says: &[Says(Ready, false, Connecting, &["vpce-0a1b2c3d4e5f60718"])], ..CONNECTED_BEFORE },
    FaultRow { fault: "its deletion begun out of band", when: FaultStart::Ready, says: &[Says(Ready, false, EndpointLost, &[])], recovery: Recovery::ByItself, posts: 2, ..ROW },
    FaultRow { fault: "an unmarked endpoint with the same text", when: FaultStart::Ready, spec: r#"{"comment": "orders, prod"}"#, stays_ready: true, left: 1, ..ROW },
    FaultRow {
        fault: "two more with our mark",
        says: &[Says(Synced, false, Duplicate, &["delete those that you do not need"])],
        stays_ready: true,
        requests: &[(Delete, 1)],
        recovery: Recovery::ByItself,
        end: FaultEnd::Stays(Available),
        endpoints: 2,
        most: 3,
        events: &[EventReason::Duplicate, EventReason::ExcessEndpointDeleted],
        ..CONNECTED_BEFORE
    },
    FaultRow { fault: "stuck in DELETING", on: &[Delete], when: FaultStart::Deleted, says: &[Says(Ready, false, Deleting, &["removed from Atlas"])], recovery: Recovery::OutOfBand("deleted out of band"), end: FaultEnd::Gone(0), events: &[EventReason::EndpointDeleted], ..ROW },
    FaultRow { fault: "a deletion fails", on: &[Delete], when: FaultStart::Deleted, requests: &[(Delete, 2)], recovery: Recovery::ByItself, end: FaultEnd::Gone(0), ..ROW },
    FaultRow { fault: "deleted, and back again", on: &[Delete], when: FaultStart::Deleted, requests: &[(Delete, 2)], recovery: Recovery::ByItself, end: FaultEnd::Gone(0), most: 1, ..ROW },
    FaultRow { fault: "an unknown status", on: &[List], when: FaultStart::Ready, says: &[Says(Ready, false, UnknownStatus, &["PENDING_ACCEPTANCE"]), Says(Reconciling, true, Progressing, &[])], ..ROW },
    FaultRow { fault: "no status", on: &[List], when: FaultStart::Ready, says: &[Says(Ready, false, UnknownStatus, &[])], ..ROW },
    FaultRow { fault: "unknown fields", on: LIST_ALL, spec: CONNECTED, recovery: Recovery::ByItself, ..ROW },
    FaultRow { fault: "a VPC endpoint id that was never sent", on: &[List], recovery: Recovery::ByItself, ..ROW },
    FaultRow { fault: "a VPC endpoint id that was never sent", on: &[List], spec: CONNECTED, requests: &[(Update, 1)], recovery: Recovery::ByItself, ..ROW },
    FaultRow { fault: "a listing in pages", on: &[List], spec: CONNECTED, recovery: Recovery::ByItself, ..ROW },
];

/// An object whose output contains the private address, which is read from the instance; Ready waits for none of it.
const ADDRESSED: FaultRow = FaultRow { on: &[GetInstance], requests: &[(GetInstance, 1)], ..ROW };

macro_rules! addressed {
    ($fault:literal, $map:literal) => {
        FaultRow {
            fault: $fault,
            spec: concat!(
                r#"{"cloudProviderEndpointId": "vpce-0a1b2c3d4e5f60718", "outputConfigMap": {"name": ""#,
                $map,
                r#""}}"#
            ),
            ..ADDRESSED
        }
    };
}

/// Responses of the instance itself: one row for each way in which it can be unusable.
#[rustfmt::skip]
pub(crate) const INSTANCE: &[FaultRow] = &[
    addressed!("no instance, but its endpoints", "without-instance"),
    addressed!("USER_UNAUTHORIZED", "instance-unauthorized"),
    addressed!("IP_ADDRESS_NOT_ON_ACCESS_LIST", "instance-forbidden"),
    addressed!("GROUP_NOT_FOUND", "instance-of-nobody"),
    addressed!("VERSION_GONE", "instance-retired"),
    addressed!("429 with Retry-After", "instance-limited"),
    addressed!("500", "instance-broken"),
    addressed!("503 with Retry-After", "instance-unavailable"),
    addressed!("truncated JSON", "instance-truncated"),
    addressed!("silence", "instance-silent"),
    addressed!("a redirect", "instance-elsewhere"),
];

/// Where unknown ids get a 400, and access another status.
#[rustfmt::skip]
pub(crate) const OTHERWISE: &[FaultRow] = &[
    FaultRow {
        fault: "an unknown endpoint returns 400",
        also: &["a listing shows the past", "deleted out of band"],
        when: FaultStart::Deleted,
        recovery: Recovery::ByItself,
        end: FaultEnd::Gone(0),
        ..ROW
    },
    FaultRow { fault: "a key of another project is NOT_IN_GROUP", key: SecretContents::Stranger, says: &[Says(Ready, false, Unauthorized, &["HTTP 401 NOT_IN_GROUP"])], ..ROW },
    FaultRow { fault: "a role that is too low is 403", key: SecretContents::Reader, says: &[Says(Ready, false, Forbidden, &["HTTP 403 ACCESS_FORBIDDEN", "Project Owner"])], ..ROW },
    FaultRow { fault: "DELETING for a while", when: FaultStart::Deleted, says: &[Says(Ready, false, Deleting, &["removed from Atlas"])], recovery: Recovery::ByItself, end: FaultEnd::Gone(0), ..ROW },
];

/// Families 0, 16, 18 and 20: variants that are no fault of a request.
#[rustfmt::skip]
pub(crate) const WAYS: &[FaultRow] = &[
    FaultRow { fault: "the instance is UPDATING", spec: CONNECTED, ..ROW },
    FaultRow { fault: "the latency that was recorded", spec: CONNECTED, ..ROW },
    FaultRow { fault: "the private address comes late", spec: r#"{"cloudProviderEndpointId": "vpce-0a1b2c3d4e5f60718", "outputConfigMap": {"name": "late-address"}}"#, ..ROW },
];

/// Service accounts and the versioned API (family 19, and 9 in its newer form).
#[rustfmt::skip]
pub(crate) const ACCOUNTS: &[FaultRow] = &[
    FaultRow { fault: "tokens that live shortly", key: SecretContents::Account, spec: CONNECTED, polls: true, requests: &[(Token, 2)], ..ROW },
    FaultRow { fault: "invalid_client", on: &[Token], key: SecretContents::Account, says: &[Says(Ready, false, Unauthorized, &["HTTP 401 invalid_client", "service account"])], ..ROW },
    FaultRow { fault: "429 for tokens", on: &[Token], key: SecretContents::Account, says: &[Says(Ready, false, RateLimited, &["HTTP 429 RATE_LIMITED"])], ..ROW },
    FaultRow { fault: "a token revoked in the middle", key: SecretContents::Account, stays_ready: true, ..CONNECTED_BEFORE },
    FaultRow { fault: "429 of a token bucket", on: &[List], spec: r#"{"deletionPolicy": "Retain"}"#, says: &[Says(Ready, false, RateLimited, &["RATE_LIMITED_TOKEN_BUCKET", "in 55 s"])], recovery: Recovery::ByItself, end: FaultEnd::Stays(RateLimited), posts: 0, endpoints: 0, ..ROW },
];

/// A whole life, with every condition on the way.
#[rustfmt::skip]
pub(crate) const LIFE: FaultRow = FaultRow {
    fault: "as documented",
    spec: CONNECTED,
    says: &[
        Says(Ready, false, ReservationRequested, &["a minute or two"]),
        Says(Reconciling, true, Progressing, &[]),
        Says(EndpointServiceAvailable, false, ServiceProvisioning, &[]),
        Says(EndpointServiceAvailable, true, ServiceReserved, &["com.amazonaws.vpce"]),
        Says(Ready, false, Connecting, &["vpce-0a1b2c3d4e5f60718"]),
        Says(Ready, true, Available, &["vpce-0a1b2c3d4e5f60718"]),
        Says(EndpointConnected, true, Available, &[]),
        Says(Synced, true, ReconcileSucceeded, &[]),
    ],
    events: &[
        EventReason::EndpointCreated,
        EventReason::EndpointServiceReserved,
        EventReason::VpcEndpointAttached,
        EventReason::EndpointAvailable,
        EventReason::EndpointDeleted,
    ],
    ..ROW
};
