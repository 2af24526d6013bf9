//! The JSON of clusters, as far as private endpoints need it.

use domain::text::is_unfit;
use serde_json::Value;

use crate::fields;

/// The maximum number of bytes of a connection string. A cluster may have 50 nodes, and a standard string names each of them.
const MAX_STRING_BYTES: usize = 16 * 1024;

/// A dedicated cluster, as far as private endpoints need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterDescription {
    /// `stateName`: `IDLE`, `UPDATING`, …; empty where Atlas sent none.
    pub state_name: String,
    /// `connectionStrings.privateEndpoint`: empty until an endpoint is AVAILABLE, and for some time after. Their order means nothing.
    pub private_strings: Vec<PrivateStrings>,
}

/// Private connection strings of a cluster, and the endpoints behind which they are valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivateStrings {
    /// `endpoints[].endpointId`: ids as the users' clouds gave them, as Atlas reports them.
    pub endpoint_ids: Vec<String>,
    /// `type`: `MONGOD` or `MONGOS`; empty where Atlas sent none.
    pub kind: String,
    /// `connectionString`: `mongodb://…`.
    pub standard: Option<String>,
    /// `srvConnectionString`: `mongodb+srv://…`.
    pub srv: Option<String>,
    /// `srvShardOptimizedConnectionString`: `mongodb+srv://…`, of sharded clusters.
    pub srv_shard_optimized: Option<String>,
}

/// Parses a cluster. Entries without any connection string are skipped: there is nothing to connect to. A string that cannot be
/// kept whole is an error: a shorter one would lead elsewhere.
pub(crate) fn cluster(json: &Value) -> Result<ClusterDescription, String> {
    if !json.is_object() {
        return Err("the response is no description of a cluster".to_owned());
    }
    let mut private_strings = Vec::new();
    let entries = json.pointer("/connectionStrings/privateEndpoint").and_then(Value::as_array);
    for entry in entries.into_iter().flatten() {
        let behind = entry.get("endpoints").and_then(Value::as_array);
        let strings = PrivateStrings {
            endpoint_ids: behind
                .into_iter()
                .flatten()
                .filter_map(|one| fields::text(one, "endpointId"))
                .collect(),
            kind: fields::text(entry, "type").unwrap_or_default(),
            standard: connection_string(entry, "connectionString")?,
            srv: connection_string(entry, "srvConnectionString")?,
            srv_shard_optimized: connection_string(entry, "srvShardOptimizedConnectionString")?,
        };
        if strings.standard.is_some() || strings.srv.is_some() || strings.srv_shard_optimized.is_some() {
            private_strings.push(strings);
        }
    }
    Ok(ClusterDescription {
        state_name: fields::text(json, "stateName").unwrap_or_default(),
        private_strings,
    })
}

fn connection_string(entry: &Value, name: &str) -> Result<Option<String>, String> {
    let Some(text) = fields::raw_text(entry, name) else { return Ok(None) };
    let is_fit = text.len() <= MAX_STRING_BYTES && !text.chars().any(|c| c.is_whitespace() || is_unfit(c));
    if is_fit { Ok(Some(text.to_owned())) } else { Err(format!("the response holds an invalid {name}")) }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
