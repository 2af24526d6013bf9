//! Counts the operator's requests to the cluster, by the API server's own audit log.
//!
//! Reads only what was added since the last read, and only the requests of an operator in one namespace.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;

/// Requests by verb and resource, as `patch serverlessprivateendpoints/status`.
pub(crate) type Tally = BTreeMap<String, u64>;

/// The log, read up to an offset.
pub(crate) struct Audit {
    path: PathBuf,
    namespace: String,
    position: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AuditEvent {
    verb: String,
    #[serde(default)]
    user_agent: String,
    object_ref: Option<ObjectRef>,
    response_status: Option<ResponseStatus>,
}

#[derive(Deserialize)]
struct ObjectRef {
    resource: Option<String>,
    subresource: Option<String>,
    namespace: Option<String>,
}

#[derive(Deserialize)]
struct ResponseStatus {
    code: Option<u16>,
}

impl Audit {
    pub(crate) fn new(path: PathBuf, namespace: &str) -> Self {
        Self { path, namespace: namespace.to_owned(), position: 0 }
    }

    /// Returns the requests since the last call. Rejected ones are counted under their own name.
    pub(crate) fn since(&mut self) -> Result<Tally> {
        let mut file = File::open(&self.path).with_context(|| self.path.display().to_string())?;
        file.seek(SeekFrom::Start(self.position))?;
        let mut reader = BufReader::new(file);
        let mut tally = Tally::new();
        let mut text = String::new();
        loop {
            text.clear();
            let length = reader.read_line(&mut text)?;
            // A line without an end is still being written.
            if length == 0 || !text.ends_with('\n') {
                return Ok(tally);
            }
            self.position += length as u64;
            if !text.contains("spe-operator/") {
                continue;
            }
            let line: AuditEvent = serde_json::from_str(&text).context("a line of the audit log")?;
            if let Some(request) = line.request(&self.namespace) {
                *tally.entry(request).or_default() += 1;
            }
        }
    }
}

impl AuditEvent {
    fn request(self, namespace: &str) -> Option<String> {
        let object = self.object_ref.filter(|object| object.namespace.as_deref() == Some(namespace))?;
        if !self.user_agent.starts_with("spe-operator/") {
            return None;
        }
        let resource = object.resource.unwrap_or_default();
        let what = match object.subresource {
            Some(part) => format!("{} {resource}/{part}", self.verb),
            None => format!("{} {resource}", self.verb),
        };
        let refused = self.response_status.and_then(|status| status.code).is_some_and(|code| code >= 400);
        Some(if refused { format!("{what} (refused)") } else { what })
    }
}

/// Returns the writes to objects of the operator's kinds: what the budget counts. Events are counted apart.
pub(crate) fn writes(tally: &Tally) -> u64 {
    sum(tally, |what| what.contains("privateendpoint") && !is_read(what))
}

/// Returns the published events.
pub(crate) fn events(tally: &Tally) -> u64 {
    sum(tally, |what| what.contains(" events") && !is_read(what))
}

/// Returns all reads, watches included.
pub(crate) fn reads(tally: &Tally) -> u64 {
    sum(tally, is_read)
}

fn is_read(what: &str) -> bool {
    ["get ", "list ", "watch "].iter().any(|verb| what.starts_with(verb))
}

fn sum(tally: &Tally, of_interest: impl Fn(&str) -> bool) -> u64 {
    tally.iter().filter(|(what, _)| of_interest(what)).map(|(_, count)| count).sum()
}
