//! All settings, at the start or at any later time: what exists, who may do what, how fast and in which form.
//!
//! One plain value, in JSON the same as in Rust, so that the control API needs no call for each knob.
//! It never holds what the simulator creates by itself: endpoints, nonces and tokens are in the state.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{dedicated::settings::DedicatedSettings, digest::DigestSettings, seconds, variants::Variants};

/// The project that exists unless others are named.
pub const DEFAULT_PROJECT: &str = "32b6e34b3d91647abb20e7b8";
/// The serverless instance that exists unless others are named.
pub const DEFAULT_INSTANCE: &str = "orders";
/// The public key that is accepted unless others are named.
pub const DEFAULT_PUBLIC_KEY: &str = "qwertzui";
/// Its private key.
pub const DEFAULT_PRIVATE_KEY: &str = "3c8f0a52-6d1e-4b97-a0c4-51e2d7f98b60";
/// The service account that is accepted unless others are named.
pub const DEFAULT_CLIENT_ID: &str = "mdb_sa_id_32b6e34b3d91647abb20e7c0";
/// Its secret.
pub const DEFAULT_CLIENT_SECRET: &str = "mdb_sa_sk_simulated-secret-of-the-default-account";
/// As a project in [`Key::roles`]: every project.
pub const ANY_PROJECT: &str = "*";

/// Everything that can be set. [`Default`] gives one project, one instance, one key and one service account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The projects by id, each with its instances by name.
    pub projects: BTreeMap<String, BTreeMap<String, InstanceKind>>,
    /// Projects and instances that are not in `projects` are created when a request names them.
    pub open: bool,
    /// The programmatic API keys (Digest) by public key.
    pub keys: BTreeMap<String, Key>,
    /// The service accounts (OAuth) by client id.
    pub service_accounts: BTreeMap<String, Key>,
    /// How long Atlas takes for what it does by itself.
    pub pace: Pace,
    /// The latency of Atlas.
    pub latency: Latency,
    /// The form and strictness of Digest.
    pub digest: DigestSettings,
    /// How long a service account's access token is accepted.
    #[serde(with = "seconds")]
    pub token_life: Duration,
    /// The behaviour of the simulator where Atlas' is not known.
    pub variants: Variants,
    /// Dedicated clusters: which exist, how fast Atlas is for them, and what is not known of it.
    pub dedicated: DedicatedSettings,
}

impl Default for Settings {
    fn default() -> Self {
        let instances = BTreeMap::from([(DEFAULT_INSTANCE.to_owned(), InstanceKind::Serverless)]);
        Self {
            projects: BTreeMap::from([(DEFAULT_PROJECT.to_owned(), instances)]),
            open: false,
            keys: BTreeMap::from([(DEFAULT_PUBLIC_KEY.to_owned(), Key::owner(DEFAULT_PRIVATE_KEY))]),
            service_accounts: BTreeMap::from([(
                DEFAULT_CLIENT_ID.to_owned(),
                Key::owner(DEFAULT_CLIENT_SECRET),
            )]),
            pace: Pace::default(),
            latency: Latency::default(),
            digest: DigestSettings::default(),
            token_life: Duration::from_hours(1),
            variants: Variants::default(),
            dedicated: DedicatedSettings::of_project(DEFAULT_PROJECT),
        }
    }
}

impl Settings {
    /// Returns the default with this pace.
    #[must_use]
    pub fn at_pace(pace: Pace) -> Self {
        Self { pace, ..Self::default() }
    }

    /// Adds a serverless instance, and its project if that is new.
    pub fn add_instance(&mut self, project: &str, instance: &str) {
        self.projects
            .entry(project.to_owned())
            .or_default()
            .insert(instance.to_owned(), InstanceKind::Serverless);
    }
}

/// What an instance is today. Atlas has turned its serverless instances into others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstanceKind {
    /// A serverless instance: has private endpoints.
    Serverless,
    /// Became a Flex cluster: 400 `NOT_SERVERLESS_TENANT_CLUSTER`.
    Flex,
    /// Became a dedicated cluster: 400 `CANNOT_USE_CLUSTER_IN_SERVERLESS_INSTANCE_API`.
    Dedicated,
}

/// One set of credentials: the secret half and its permissions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// The private key or client secret.
    pub secret: String,
    /// Its role by project id; [`ANY_PROJECT`] stands for every project that is not named.
    #[serde(default = "owner_everywhere")]
    pub roles: BTreeMap<String, Role>,
    /// Set while the caller's address is missing from the access list of this key.
    #[serde(default)]
    pub refused_by: Option<AccessList>,
}

impl Key {
    /// Returns a key that owns every project.
    #[must_use]
    pub fn owner(secret: &str) -> Self {
        Self { secret: secret.to_owned(), roles: owner_everywhere(), refused_by: None }
    }

    /// Returns a key with this role in one project and none elsewhere.
    #[must_use]
    pub fn of_project(secret: &str, project: &str, role: Role) -> Self {
        Self {
            secret: secret.to_owned(),
            roles: BTreeMap::from([(project.to_owned(), role)]),
            refused_by: None,
        }
    }

    pub(crate) fn role(&self, project: &str) -> Option<Role> {
        self.roles.get(project).or_else(|| self.roles.get(ANY_PROJECT)).copied()
    }
}

fn owner_everywhere() -> BTreeMap<String, Role> {
    BTreeMap::from([(ANY_PROJECT.to_owned(), Role::Owner)])
}

/// The role of a key in a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Project Owner: everything.
    Owner,
    /// Project Read Only: no create, update or delete.
    ReadOnly,
}

/// The access list that rejects a key: each has its own 403.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessList {
    /// The key's own list: `IP_ADDRESS_NOT_ON_ACCESS_LIST`.
    Key,
    /// The organization's list: `ORG_REQUIRES_ACCESS_LIST`.
    Organization,
}

/// How long Atlas takes for what it does by itself. Changing it moves the ends of phases that are running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pace {
    /// `RESERVATION_REQUESTED` until `RESERVED`.
    #[serde(with = "seconds")]
    pub reserving: Duration,
    /// `INITIATING` until `AVAILABLE`.
    #[serde(with = "seconds")]
    pub connecting: Duration,
    /// `DELETING` until the endpoint is gone.
    #[serde(with = "seconds")]
    pub deleting: Duration,
    /// The instance's `stateName` is `UPDATING` for this long after a PATCH that connects an endpoint.
    #[serde(with = "seconds")]
    pub updating: Duration,
    /// `AVAILABLE` until the private connection string is shown.
    #[serde(with = "seconds")]
    pub connection_string: Duration,
    /// How old the state in a listing is: newer endpoints are not visible yet, deleted ones still are.
    #[serde(with = "seconds")]
    pub list_lag: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self::of(Duration::from_secs(2))
    }
}

impl Pace {
    /// This long for each of the three phases, and no other delay.
    #[must_use]
    pub const fn of(phase: Duration) -> Self {
        Self {
            reserving: phase,
            connecting: phase,
            deleting: phase,
            updating: Duration::ZERO,
            connection_string: Duration::ZERO,
            list_lag: Duration::ZERO,
        }
    }

    /// About what the documentation and recordings of Atlas show: 90 s a phase.
    #[must_use]
    pub const fn recorded() -> Self {
        Self::of(Duration::from_secs(90))
    }
}

/// The latency of Atlas, drawn for each request between the two limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Latency {
    /// For GET, and for every 401.
    pub reads: Span,
    /// For POST, PATCH and DELETE.
    pub writes: Span,
}

impl Latency {
    /// The same for all requests.
    #[must_use]
    pub const fn of(each: Duration) -> Self {
        Self { reads: Span { min: each, max: each }, writes: Span { min: each, max: each } }
    }

    /// What was recorded of the real Atlas.
    #[must_use]
    pub const fn recorded() -> Self {
        Self { reads: Span::millis(56, 170), writes: Span::millis(150, 900) }
    }
}

/// A range of durations, in JSON in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Span {
    /// The shortest.
    #[serde(with = "seconds")]
    pub min: Duration,
    /// The longest.
    #[serde(with = "seconds")]
    pub max: Duration,
}

impl Span {
    /// From `min` to `max` milliseconds.
    #[must_use]
    pub const fn millis(min: u64, max: u64) -> Self {
        Self { min: Duration::from_millis(min), max: Duration::from_millis(max) }
    }
}
