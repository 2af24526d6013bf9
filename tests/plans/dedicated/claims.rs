//! The claims of the operators and their writes to Atlas, as their proxies recorded them, arrived or not.

use std::fmt;
use std::time::Duration;

use atlas_simulator::JournalEntry;
use serde_json::Value;
use testbed::Exchange;

use super::CLAIM;
use crate::record::Record;
use crate::requests::{ATLAS, CLUSTER};

/// A claim that the API server accepted, whether or not its sender got the response.
#[derive(Clone, Debug)]
pub(super) struct AcceptedWriteClaim {
    /// Which process wrote it.
    pub(super) process: usize,
    pub(super) nonce: String,
    /// The uid of the object that it is on.
    pub(super) uid: String,
    /// Its last part, as in `-<service>:<endpoint>`.
    pub(super) target: String,
    pub(super) sent: Duration,
    pub(super) responded: Duration,
    /// The object was being deleted.
    pub(super) is_terminating: bool,
}

/// A POST or DELETE that may have been executed, or may still be.
#[derive(Clone, Debug)]
pub(super) struct SentWrite {
    /// Which process sent it.
    pub(super) process: usize,
    pub(super) at: Duration,
    pub(super) what: WriteTarget,
    /// Its status, if the process got it.
    pub(super) status: Option<u16>,
    /// When Atlas executed it, if it did.
    pub(super) executed_at: Option<Duration>,
    /// The service that it created, if Atlas did.
    pub(super) created: Option<String>,
}

/// What such a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WriteTarget {
    /// Project and region.
    CreateService(String, String),
    /// Service and endpoint.
    CreateEndpoint(String, String),
    DeleteService(String),
    DeleteEndpoint(String, String),
}

impl fmt::Display for SentWrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            WriteTarget::CreateService(_, region) => write!(f, "POST of a service in {region}")?,
            WriteTarget::CreateEndpoint(service, id) => write!(f, "POST of {id} at {service}")?,
            WriteTarget::DeleteService(service) => write!(f, "DELETE of service {service}")?,
            WriteTarget::DeleteEndpoint(service, id) => write!(f, "DELETE of {id} at {service}")?,
        }
        write!(f, " at {:?}", self.at)
    }
}

impl WriteTarget {
    /// Returns how a claim names it.
    pub(super) fn claimed(&self) -> String {
        match self {
            Self::CreateService(..) => "+".to_owned(),
            Self::CreateEndpoint(service, id) => format!("+{service}:{id}"),
            Self::DeleteService(service) => format!("-{service}"),
            Self::DeleteEndpoint(service, id) => format!("-{service}:{id}"),
        }
    }

    pub(super) fn is_create(&self) -> bool {
        matches!(self, Self::CreateService(..) | Self::CreateEndpoint(..))
    }

    fn of(exchange: &Exchange) -> Option<Self> {
        let path = exchange.path.split('?').next().unwrap_or_default();
        let parts: Vec<&str> = path.split('/').collect();
        let from = parts.iter().position(|part| *part == "endpointService")?;
        let body: Value = serde_json::from_slice(&exchange.body).unwrap_or_default();
        let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
        match (exchange.method.as_str(), &parts[from + 1..]) {
            ("POST", []) => {
                let project = parts.iter().skip_while(|part| **part != "groups").nth(1)?;
                Some(Self::CreateService((*project).to_owned(), text("region")))
            }
            ("POST", [service, "endpoint"]) => Some(Self::CreateEndpoint((*service).to_owned(), text("id"))),
            ("DELETE", [service]) => Some(Self::DeleteService((*service).to_owned())),
            ("DELETE", [service, "endpoint", id]) => {
                Some(Self::DeleteEndpoint((*service).to_owned(), (*id).to_owned()))
            }
            _ => None,
        }
    }
}

impl SentWrite {
    /// Returns all of them.
    pub(super) fn all(record: &Record) -> Vec<Self> {
        let mut journal: Vec<&JournalEntry> =
            record.journal.iter().filter(|entry| entry.executed() && entry.method != "GET").collect();
        let mut found = Vec::new();
        for (process, exchange) in numbered(record) {
            if exchange.proxy != ATLAS || exchange.status == Some(401) {
                continue;
            }
            let Some(what) = WriteTarget::of(exchange) else { continue };
            let is_whole = !(exchange.planned && record.is_withheld);
            let body: Value = serde_json::from_slice(&exchange.response).unwrap_or_default();
            let is_done = exchange.forwarded && exchange.status.is_some_and(is_success);
            let created =
                body["id"].as_str().filter(|_| is_done && matches!(what, WriteTarget::CreateService(..)));
            let write = Self {
                process,
                at: exchange.at,
                status: exchange.status.filter(|_| is_whole),
                executed_at: exchange.responded_at.filter(|_| is_done),
                created: created.map(str::to_owned),
                what,
            };
            found.push((write, exchange));
        }
        // A request that was delayed may be executed after a later one: a response follows the execution at once.
        found.sort_by_key(|(write, _)| write.executed_at);
        for (write, exchange) in &mut found {
            let Some(responded_at) = write.executed_at else { continue };
            let is_it = |entry: &&JournalEntry| {
                let executed_at = entry.executed_at.unwrap_or_default();
                (&entry.method, &entry.path) == (&exchange.method, &exchange.path)
                    && (exchange.at..=responded_at).contains(&executed_at)
            };
            if let Some(index) = journal.iter().rposition(is_it) {
                write.executed_at = journal.remove(index).executed_at;
            }
        }
        let mut writes: Vec<_> = found.into_iter().map(|(write, _)| write).collect();
        writes.sort_by_key(|write| write.at);
        writes
    }

    /// Returns whether Atlas certainly did not execute it, and its process knows.
    pub(super) fn is_refused(&self) -> bool {
        matches!(self.status, Some(400 | 402 | 403 | 404 | 405 | 406 | 409 | 410 | 429))
    }

    /// Returns whether its process knows that Atlas executed it.
    pub(super) fn is_answered(&self) -> bool {
        self.status.is_some_and(is_success)
    }
}

impl AcceptedWriteClaim {
    /// Returns all of them, in the order in which they were sent.
    pub(super) fn all(record: &Record) -> Vec<Self> {
        let claims = numbered(record).filter_map(|(process, exchange)| Self::of(process, exchange));
        let mut claims: Vec<_> = claims.collect();
        claims.sort_by_key(|claim| claim.sent);
        claims
    }

    fn of(process: usize, exchange: &Exchange) -> Option<Self> {
        let is_accepted = exchange.forwarded && exchange.status.is_some_and(is_success);
        if exchange.proxy != CLUSTER || exchange.method != "PATCH" || !is_accepted {
            return None;
        }
        let body: Value = serde_json::from_slice(&exchange.body).ok()?;
        // As in `v1/<token>/<nonce>/<uid>/<cluster>/<target>`.
        let parts: Vec<&str> = body["metadata"]["annotations"][CLAIM].as_str()?.splitn(6, '/').collect();
        let [_, _, nonce, uid, _, target] = parts[..] else { return None };
        let object: Value = serde_json::from_slice(&exchange.response).unwrap_or_default();
        Some(Self {
            process,
            nonce: nonce.to_owned(),
            uid: uid.to_owned(),
            target: target.to_owned(),
            sent: exchange.at,
            responded: exchange.responded_at?,
            is_terminating: !object["metadata"]["deletionTimestamp"].is_null(),
        })
    }
}

fn numbered(record: &Record) -> impl Iterator<Item = (usize, &Exchange)> {
    let processes = record.processes.iter().enumerate();
    processes.flat_map(|(process, exchanges)| exchanges.iter().map(move |exchange| (process, exchange)))
}

pub(super) fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}
