//! The catalogue of serverless instances: every known or suspected misbehaviour of Atlas, by family, and how the simulator does it.
//!
//! Data only. `tests/simulator/catalogue` shows that the simulator does each of them; tests of a client use the same
//! list, so that an entry without a test is noticed. That of dedicated clusters is in `dedicated/catalogue.rs`.

use std::time::Duration;

use crate::{
    digest::{ChallengeForm, NonceScope},
    endpoint::{Deviation, Endpoint, Status},
    faults::{InjectedFault, Malformed, Operation, Termination},
    rules::Rule,
    settings::{InstanceKind, Latency, Settings},
    simulator::Simulator,
    variants::{NoAccess, RequestPolicy, RoleTooLow},
};

/// The highest family number; family 0 is correct behaviour in its permitted forms.
pub const FAMILIES: u8 = 20;

/// Atlas' error message for a VPC endpoint without a subnet (recorded).
pub const NO_DNS_ENTRIES: &str = "No dns entries found for endpoint vpce-0a1b2c3d4e5f60718, your endpoint must be provisioned in at least one subnet";

/// Atlas' error message when AWS rejects its request (recorded).
pub const INVALID_PARAMETER: &str =
    "Failed to accept interface endpoint due to an unexpected error with code={InvalidParameter}";

/// An event of an endpoint, or its instance, without any request.
pub type EndpointEvent = fn(&Simulator, &EndpointPath<'_>);

/// One misbehaviour of Atlas. Its events are those of endpoints of serverless instances, unless said otherwise.
#[derive(Debug, Clone)]
pub struct CatalogueEntry<Event = EndpointEvent> {
    /// Its family.
    pub family: u8,
    /// Its unique name.
    pub name: &'static str,
    /// How it is caused.
    pub how: How<Event>,
}

/// How a misbehaviour is caused.
#[derive(Debug, Clone)]
pub enum How<Event = EndpointEvent> {
    /// Faults of requests.
    Requests {
        /// The operations that it can happen to; each is a case of its own.
        on: &'static [Operation],
        /// The faults; each becomes a rule.
        faults: Vec<InjectedFault>,
        /// How often; `None`: until the rules are dropped.
        times: Option<u64>,
    },
    /// A setting of Atlas.
    Settings(fn(&mut Settings)),
    /// An event without any request.
    OutOfBand(Event),
}

/// The endpoint that is changed out of band, by its project, instance and id.
#[derive(Debug, Clone, Copy)]
pub struct EndpointPath<'a> {
    /// The project.
    pub project: &'a str,
    /// The instance.
    pub instance: &'a str,
    /// The endpoint.
    pub endpoint: &'a str,
}

impl CatalogueEntry {
    /// Returns the misbehaviour of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        catalogue().into_iter().find(|known| known.name == name)
    }
}

impl<Event> CatalogueEntry<Event> {
    /// Returns the rules that make requests of these kinds meet it; none if it is not caused by rules.
    #[must_use]
    pub fn rules(&self, on: &[Operation]) -> Vec<Rule> {
        let How::Requests { faults, times, .. } = &self.how else { return Vec::new() };
        let rule = |fault: &InjectedFault| Rule::next(fault.clone()).of(on.iter().copied()).times(*times);
        faults.iter().map(rule).collect()
    }
}

const WRITES: &[Operation] = &Operation::WRITES;
const CHANGES: &[Operation] = &[Operation::Update, Operation::Delete];
const LIST: &[Operation] = &[Operation::List];
const CREATE: &[Operation] = &[Operation::Create];
const UPDATE: &[Operation] = &[Operation::Update];
const DELETE: &[Operation] = &[Operation::Delete];
const TOKEN: &[Operation] = &[Operation::Token];
const LIST_AND_CREATE: &[Operation] = &[Operation::List, Operation::Create];
const ALL: &[Operation] = &[Operation::List, Operation::Create, Operation::Update, Operation::Delete];

/// Returns all entries, family by family.
#[must_use]
pub fn catalogue() -> Vec<CatalogueEntry> {
    let mut all = permitted();
    all.extend(losses_and_challenges());
    all.extend(rejections());
    all.extend(failures());
    all.extend(endpoint_deviations());
    all.extend(environment());
    all
}

/// Until its rules are dropped.
pub(crate) fn lasting<Event>(
    family: u8,
    name: &'static str,
    on: &'static [Operation],
    fault: InjectedFault,
) -> CatalogueEntry<Event> {
    CatalogueEntry { family, name, how: How::Requests { on, faults: vec![fault], times: None } }
}

/// For one request.
pub(crate) fn once<Event>(
    family: u8,
    name: &'static str,
    on: &'static [Operation],
    fault: InjectedFault,
) -> CatalogueEntry<Event> {
    CatalogueEntry { family, name, how: How::Requests { on, faults: vec![fault], times: Some(1) } }
}

/// Not executed, until its rules are dropped.
pub(crate) fn rejection<Event>(
    family: u8,
    name: &'static str,
    on: &'static [Operation],
    ending: Termination,
) -> CatalogueEntry<Event> {
    lasting(family, name, on, InjectedFault::NotExecuted(ending))
}

/// By a setting of Atlas.
pub(crate) fn setting<Event>(
    family: u8,
    name: &'static str,
    set: fn(&mut Settings),
) -> CatalogueEntry<Event> {
    CatalogueEntry { family, name, how: How::Settings(set) }
}

fn out_of_band(family: u8, name: &'static str, change: fn(&Simulator, &EndpointPath<'_>)) -> CatalogueEntry {
    CatalogueEntry { family, name, how: How::OutOfBand(change) }
}

/// Family 0: permitted behaviour that a client has to handle all the same.
fn permitted() -> Vec<CatalogueEntry> {
    vec![
        setting(0, "as documented", |_| {}),
        setting(0, "a nonce that ages", |s| s.digest.nonce_life = Duration::from_millis(300)),
    ]
}

fn losses_and_challenges() -> Vec<CatalogueEntry> {
    let stale = |by| InjectedFault::StaleRead { by: Duration::from_millis(by) };
    let late =
        InjectedFault::ExecutedLate { after: Duration::from_secs(3), ending: Termination::GatewayTimeout };
    let rate_limited =
        |retry_after: &str| Termination::RateLimited { retry_after: Some(retry_after.to_owned()) };
    vec![
        once(1, "executed, then cut", WRITES, InjectedFault::Executed(Termination::Cut)),
        once(1, "executed, then silence", WRITES, InjectedFault::Executed(Termination::Hang)),
        once(1, "executed, then 502", WRITES, InjectedFault::Executed(Termination::BadGateway)),
        once(
            1,
            "executed, then 503",
            WRITES,
            InjectedFault::Executed(Termination::Unavailable { retry_after: None }),
        ),
        once(1, "executed long after its response", CREATE, late),
        lasting(2, "a listing shows the past", LIST, stale(1200)),
        setting(3, "every nonce serves once", |s| s.digest.single_use = true),
        setting(3, "op instead of qop", |s| s.digest.form = ChallengeForm::Seed),
        setting(3, "no qop", |s| s.digest.form = ChallengeForm::WithoutQop),
        once(3, "a nonce turns stale", ALL, InjectedFault::NotExecuted(Termination::StaleNonce)),
        CatalogueEntry {
            family: 3,
            name: "a nonce turns stale twice in a row",
            how: How::Requests {
                on: ALL,
                faults: vec![InjectedFault::NotExecuted(Termination::StaleNonce)],
                times: Some(2),
            },
        },
        setting(3, "nonces of two gateways in turn", |s| s.digest.known = NonceScope::OneOfTwoGateways),
        setting(3, "nonces bound to a cookie", |s| s.digest.known = NonceScope::WithItsCookie),
        rejection(4, "a key that is not accepted", ALL, Termination::Unauthenticated),
        rejection(4, "USER_UNAUTHORIZED", ALL, Termination::UserUnauthorized),
        rejection(4, "NOT_IN_GROUP", LIST, Termination::NotInGroup),
        setting(4, "a key of another project is NOT_IN_GROUP", |s| {
            s.variants.no_access = NoAccess::NotInGroup;
        }),
        setting(4, "a role that is too low is 403", |s| s.variants.role_too_low = RoleTooLow::Forbidden),
        rejection(5, "IP_ADDRESS_NOT_ON_ACCESS_LIST", ALL, Termination::IpNotOnAccessList),
        rejection(5, "ORG_REQUIRES_ACCESS_LIST", LIST, Termination::OrgRequiresAccessList),
        rejection(9, "429 without Retry-After", ALL, Termination::RateLimited { retry_after: None }),
        rejection(9, "429 with Retry-After", ALL, rate_limited("2")),
        rejection(9, "429 of a token bucket", LIST, rate_limited("55")),
        rejection(9, "Retry-After: 0", LIST, rate_limited("0")),
        rejection(9, "an absurd Retry-After", LIST, rate_limited("99999999999999999999")),
        rejection(9, "Retry-After as a date", LIST, Termination::RateLimitedUntil { seconds: 3 }),
    ]
}

fn rejections() -> Vec<CatalogueEntry> {
    let too_early = |s: &mut Settings| s.variants.patch_early = RequestPolicy::BadRequest;
    vec![
        rejection(6, "GROUP_NOT_FOUND", ALL, Termination::GroupNotFound),
        rejection(6, "INVALID_GROUP_ID", LIST, Termination::InvalidGroupId),
        rejection(6, "CLUSTER_NOT_FOUND", ALL, Termination::ClusterNotFound),
        rejection(6, "SERVERLESS_INSTANCE_NOT_FOUND", LIST, Termination::ServerlessInstanceNotFound),
        once(
            7,
            "404 for an endpoint that is gone",
            CHANGES,
            InjectedFault::NotExecuted(Termination::EndpointNotFound(404)),
        ),
        once(
            7,
            "400 for an endpoint that is gone",
            CHANGES,
            InjectedFault::NotExecuted(Termination::EndpointNotFound(400)),
        ),
        rejection(7, "400 for another reason", DELETE, Termination::InvalidAttribute),
        setting(7, "an unknown endpoint returns 400", |s| s.variants.unknown_endpoint_status = 400),
        rejection(8, "NOT_SERVERLESS_TENANT_CLUSTER", ALL, Termination::NotServerless),
        out_of_band(8, "migrated to Flex", |atlas, at| become_kind(atlas, at, InstanceKind::Flex)),
        out_of_band(8, "migrated to dedicated", |atlas, at| become_kind(atlas, at, InstanceKind::Dedicated)),
        rejection(8, "VERSION_GONE", ALL, Termination::VersionGone),
        lasting(8, "Deprecation and Sunset", ALL, InjectedFault::Shown(Malformed::Deprecated)),
        rejection(10, "no writes during an upgrade", WRITES, Termination::Maintenance),
        rejection(12, "INVALID_ATTRIBUTE", UPDATE, Termination::InvalidAttribute),
        rejection(12, "MISSING_ATTRIBUTE", UPDATE, Termination::MissingAttribute),
        rejection(
            12,
            "a comment too long",
            &[Operation::Create, Operation::Update],
            Termination::CommentTooLong,
        ),
        setting(12, "PATCH before RESERVED returns 400", too_early),
        setting(12, "PATCH before RESERVED returns 409", |s| {
            s.variants.patch_early = RequestPolicy::Conflict;
        }),
        setting(12, "PATCH before RESERVED is accepted", |s| s.variants.patch_early = RequestPolicy::Accept),
        setting(12, "PATCH on FAILED returns 400", |s| s.variants.patch_failed = RequestPolicy::BadRequest),
        setting(12, "PATCH on FAILED returns 409", |s| s.variants.patch_failed = RequestPolicy::Conflict),
        setting(12, "PATCH on FAILED is accepted", |s| s.variants.patch_failed = RequestPolicy::Accept),
        setting(12, "PATCH on DELETING returns 400", |s| {
            s.variants.patch_deleting = RequestPolicy::BadRequest;
        }),
        setting(12, "PATCH on DELETING returns 409", |s| s.variants.patch_deleting = RequestPolicy::Conflict),
        setting(12, "PATCH on DELETING is accepted", |s| s.variants.patch_deleting = RequestPolicy::Accept),
    ]
}

fn failures() -> Vec<CatalogueEntry> {
    let unavailable = Termination::Unavailable { retry_after: Some("1".to_owned()) };
    let redirect = Termination::Redirect { status: 307, location: "https://example.com/".to_owned() };
    vec![
        rejection(11, "500", ALL, Termination::ServerError),
        rejection(11, "503 as a page of HTML", LIST_AND_CREATE, Termination::HtmlUnavailable),
        rejection(11, "503 with Retry-After", LIST_AND_CREATE, unavailable),
        rejection(11, "504", LIST_AND_CREATE, Termination::GatewayTimeout),
        lasting(11, "truncated JSON", LIST, InjectedFault::Shown(Malformed::Truncated)),
        once(
            11,
            "a created endpoint shown as truncated JSON",
            CREATE,
            InjectedFault::Shown(Malformed::Truncated),
        ),
        lasting(11, "success without a body", LIST, InjectedFault::Shown(Malformed::Empty)),
        once(11, "a created endpoint not shown", CREATE, InjectedFault::Shown(Malformed::Empty)),
        CatalogueEntry {
            family: 11,
            name: "parameters: null",
            how: How::Requests {
                on: LIST_AND_CREATE,
                faults: vec![
                    InjectedFault::Shown(Malformed::NullParameters),
                    InjectedFault::NotExecuted(Termination::PaymentRequired),
                ],
                times: None,
            },
        },
        lasting(11, "a wrong content type", LIST_AND_CREATE, InjectedFault::Shown(Malformed::PlainText)),
        rejection(11, "a redirect", LIST_AND_CREATE, redirect),
        once(20, "silence", ALL, InjectedFault::NotExecuted(Termination::Hang)),
        setting(20, "the latency that was recorded", |s| s.latency = Latency::recorded()),
    ]
}

fn endpoint_deviations() -> Vec<CatalogueEntry> {
    let soon = Duration::from_secs(1);
    let fails =
        |message: &str| InjectedFault::Deviation(Deviation::ConnectionFails { message: message.to_owned() });
    let message = || "Reservation failed.".to_owned();
    let status = |word: &str| InjectedFault::Shown(Malformed::Status(word.to_owned()));
    vec![
        once(
            13,
            "a reservation expires",
            CREATE,
            InjectedFault::Deviation(Deviation::Expires { after: soon * 3 }),
        ),
        once(
            13,
            "a reservation fails",
            CREATE,
            InjectedFault::Deviation(Deviation::ReservationFails { message: message() }),
        ),
        once(13, "a reservation takes for ever", CREATE, InjectedFault::Deviation(Deviation::Stalls)),
        once(14, "no dns entries", UPDATE, fails(NO_DNS_ENTRIES)),
        once(14, "InvalidParameter", UPDATE, fails(INVALID_PARAMETER)),
        once(
            14,
            "FAILED recovers by itself",
            UPDATE,
            InjectedFault::Deviation(Deviation::Recovers { after: soon * 2 }),
        ),
        out_of_band(15, "AVAILABLE turns FAILED", |atlas, at| {
            let message = "The VPC endpoint was deleted.".to_owned();
            let _ = atlas.add_deviation(at.endpoint, Deviation::Breaks { after: Duration::ZERO, message });
        }),
        out_of_band(15, "deleted out of band", |atlas, at| {
            let _ = atlas.remove_endpoint(at.endpoint);
        }),
        out_of_band(15, "its comment edited out of band", |atlas, at| {
            let _ = atlas.edit_endpoint(at.endpoint, |e| e.comment = Some("somebody's".to_owned()));
        }),
        out_of_band(15, "marked by another owner", |atlas, at| {
            let mark = "[k8s:aaaaaaaaaaaaaaaa]".to_owned();
            let _ = atlas.edit_endpoint(at.endpoint, |e| e.comment = Some(mark));
        }),
        out_of_band(15, "its deletion begun out of band", |atlas, at| {
            let _ = atlas.edit_endpoint(at.endpoint, |e| e.status = Status::Deleting);
        }),
        out_of_band(15, "its deletion begun out of band, and stuck", |atlas, at| {
            let _ = atlas.add_deviation(at.endpoint, Deviation::DeletionSticks);
            let _ = atlas.edit_endpoint(at.endpoint, |e| e.status = Status::Deleting);
        }),
        out_of_band(15, "its VPC endpoint edited out of band", |atlas, at| {
            let _ = atlas
                .edit_endpoint(at.endpoint, |e| e.vpc_endpoint_id = Some("vpce-0fedcba9876543210".into()));
        }),
        out_of_band(15, "an unmarked endpoint with the same text", |atlas, at| {
            let comment = atlas.endpoint(at.endpoint).and_then(|endpoint| endpoint.comment);
            let text = comment.and_then(|text| text.rsplit_once(" [").map(|(text, _)| text.to_owned()));
            atlas.insert_endpoint(at.project, at.instance, Endpoint::reserved(text));
        }),
        out_of_band(15, "two more with our mark", |atlas, at| {
            let comment = atlas.endpoint(at.endpoint).and_then(|endpoint| endpoint.comment);
            atlas.insert_endpoint(at.project, at.instance, Endpoint::reserved(comment.clone()));
            let used = Endpoint {
                status: Status::Available,
                vpc_endpoint_id: Some("vpce-0fedcba9876543210".to_owned()),
                ..Endpoint::reserved(comment)
            };
            atlas.insert_endpoint(at.project, at.instance, used);
        }),
        setting(16, "DELETING for a while", |s| s.pace.deleting = soon_in_settings()),
        setting(16, "DELETE again returns 204", |s| s.variants.delete_again = RequestPolicy::Accept),
        setting(16, "DELETE again returns 404", |s| s.variants.delete_again = RequestPolicy::NotFound),
        setting(16, "DELETE again returns 409", |s| s.variants.delete_again = RequestPolicy::Conflict),
        once(16, "stuck in DELETING", DELETE, InjectedFault::Deviation(Deviation::DeletionSticks)),
        once(
            16,
            "a deletion fails",
            DELETE,
            InjectedFault::Deviation(Deviation::DeletionFails { message: "Deletion failed.".to_owned() }),
        ),
        once(16, "deleted, and back again", DELETE, InjectedFault::Deviation(Deviation::ComesBack)),
        lasting(17, "an unknown status", LIST, status("PENDING_ACCEPTANCE")),
        lasting(17, "shown as RESERVED too early", LIST, status("RESERVED")),
        lasting(17, "shown as AVAILABLE whatever it is", LIST, status("AVAILABLE")),
        lasting(17, "no status", LIST, InjectedFault::Shown(Malformed::NoStatus)),
        lasting(17, "unknown fields", ALL, InjectedFault::Shown(Malformed::ExtraFields)),
        lasting(
            17,
            "a VPC endpoint id that was never sent",
            LIST,
            InjectedFault::Shown(Malformed::JunkVpcEndpoint),
        ),
        lasting(17, "a listing in pages", LIST, InjectedFault::Shown(Malformed::PagedList)),
    ]
}

fn environment() -> Vec<CatalogueEntry> {
    let limited = Termination::RateLimited { retry_after: None };
    vec![
        setting(18, "the instance is UPDATING", |s| s.pace.updating = soon_in_settings()),
        setting(18, "the private address comes late", |s| s.pace.connection_string = soon_in_settings()),
        rejection(
            18,
            "no instance, but its endpoints",
            &[Operation::GetInstance],
            Termination::ClusterNotFound,
        ),
        setting(19, "tokens that live shortly", |s| s.token_life = Duration::from_secs(2)),
        rejection(19, "invalid_client", TOKEN, Termination::InvalidClient),
        rejection(19, "429 for tokens", TOKEN, limited),
        out_of_band(19, "a token revoked in the middle", |atlas, _| atlas.revoke_tokens()),
    ]
}

fn soon_in_settings() -> Duration {
    Duration::from_millis(1500)
}

fn become_kind(atlas: &Simulator, at: &EndpointPath<'_>, kind: InstanceKind) {
    atlas.configure(|settings| {
        settings.projects.entry(at.project.to_owned()).or_default().insert(at.instance.to_owned(), kind);
    });
}
