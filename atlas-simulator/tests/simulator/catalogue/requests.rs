//! The faults of single requests, on each operation that they may affect.

use atlas_simulator::{How, catalogue};

use super::{send, with_an_endpoint};
use crate::support::Got;

/// What a client gets.
#[derive(Debug, Clone, Copy)]
enum Wire {
    /// This status and this `errorCode`, and nothing is executed.
    Refused(u16, &'static str),
    /// This status without an error of Atlas, and nothing is executed.
    Foreign(u16),
    /// No response, and nothing is executed.
    Silence,
    /// No response or a useless one, and it is executed.
    Lost,
    /// A successful response, which is malformed.
    Odd(fn(&Got) -> bool),
    /// The true response; the endpoint has another deviation.
    Fated,
    /// Not by rules: see the named test.
    Elsewhere,
}

/// Returns the effect of the entry of this name on the wire.
fn wire(name: &str) -> Option<Wire> {
    use Wire::*;
    Some(match name {
        "executed, then cut" | "executed, then silence" | "executed, then 502" | "executed, then 503" => Lost,
        "a listing shows the past" => Odd(|got| got.text == "[]"),
        "a nonce turns stale" | "a nonce turns stale twice in a row" | "a key that is not accepted" => {
            Refused(401, "UNEXPECTED_ERROR")
        }
        "USER_UNAUTHORIZED" => Refused(401, "USER_UNAUTHORIZED"),
        "NOT_IN_GROUP" => Refused(401, "NOT_IN_GROUP"),
        "IP_ADDRESS_NOT_ON_ACCESS_LIST" => Refused(403, "IP_ADDRESS_NOT_ON_ACCESS_LIST"),
        "ORG_REQUIRES_ACCESS_LIST" => Refused(403, "ORG_REQUIRES_ACCESS_LIST"),
        "429 without Retry-After"
        | "429 with Retry-After"
        | "429 of a token bucket"
        | "Retry-After: 0"
        | "an absurd Retry-After"
        | "Retry-After as a date" => Refused(429, "RATE_LIMITED"),
        "GROUP_NOT_FOUND" => Refused(404, "GROUP_NOT_FOUND"),
        "INVALID_GROUP_ID" => Refused(404, "INVALID_GROUP_ID"),
        "CLUSTER_NOT_FOUND" | "no instance, but its endpoints" => Refused(404, "CLUSTER_NOT_FOUND"),
        "SERVERLESS_INSTANCE_NOT_FOUND" => Refused(404, "SERVERLESS_INSTANCE_NOT_FOUND"),
        "404 for an endpoint that is gone" => Refused(404, "TENANT_PRIVATE_ENDPOINT_NOT_FOUND"),
        "400 for an endpoint that is gone" => Refused(400, "TENANT_PRIVATE_ENDPOINT_NOT_FOUND"),
        "400 for another reason" | "INVALID_ATTRIBUTE" => Refused(400, "INVALID_ATTRIBUTE"),
        "NOT_SERVERLESS_TENANT_CLUSTER" => Refused(400, "NOT_SERVERLESS_TENANT_CLUSTER"),
        "VERSION_GONE" => Refused(410, "VERSION_GONE"),
        "Deprecation and Sunset" => Odd(|got| !got.header("sunset").is_empty()),
        "no writes during an upgrade" => Refused(405, "WRITES_NOT_ALLOWED_DURING_APP_UPGRADES"),
        "500" => Refused(500, "UNEXPECTED_ERROR"),
        "503 as a page of HTML" => Foreign(503),
        "503 with Retry-After" => Refused(503, "SERVICE_UNAVAILABLE"),
        "504" | "executed long after its response" => Foreign(504),
        "a redirect" => Foreign(307),
        "truncated JSON" | "a created endpoint shown as truncated JSON" => {
            Odd(|got| !got.text.is_empty() && got.json.is_null())
        }
        "success without a body" | "a created endpoint not shown" => Odd(|got| got.text.is_empty()),
        "parameters: null" => Refused(402, "NO_PAYMENT_INFORMATION_FOUND"),
        "a wrong content type" => Odd(|got| got.header("content-type") == "text/plain"),
        "MISSING_ATTRIBUTE" => Refused(400, "MISSING_ATTRIBUTE"),
        "a comment too long" => Refused(400, "VALIDATION_ERROR"),
        "silence" => Silence,
        "a reservation expires"
        | "a reservation fails"
        | "a reservation takes for ever"
        | "no dns entries"
        | "InvalidParameter"
        | "FAILED recovers by itself"
        | "stuck in DELETING"
        | "a deletion fails"
        | "deleted, and back again" => Fated,
        "an unknown status" => Odd(|got| got.json[0]["status"] == "PENDING_ACCEPTANCE"),
        "shown as RESERVED too early" => Odd(|got| got.json[0]["status"] == "RESERVED"),
        "shown as AVAILABLE whatever it is" => Odd(|got| got.json[0]["status"] == "AVAILABLE"),
        "no status" => Odd(|got| got.json[0].get("status").is_none()),
        "unknown fields" => Odd(|got| got.text.contains("createdBy") || got.status == 204),
        "a VPC endpoint id that was never sent" => {
            Odd(|got| got.json[0]["cloudProviderEndpointId"].is_string())
        }
        "a listing in pages" => Odd(|got| got.json["results"].is_array()),
        "invalid_client" | "429 for tokens" => Elsewhere,
        _ => return None,
    })
}

#[tokio::test]
async fn each_fault_of_the_catalogue_is_committed_on_each_operation_that_it_is_feared_on() {
    for known in catalogue() {
        let How::Requests { on, times, .. } = &known.how else { continue };
        let wire = wire(known.name).unwrap_or_else(|| panic!("{} has no row", known.name));
        if matches!(wire, Wire::Elsewhere) {
            continue;
        }
        for &operation in *on {
            let (atlas, client, id) = with_an_endpoint(|_| {}).await;
            for rule in known.rules(&[operation]) {
                atlas.inject(rule);
            }
            let got = send(&client, operation, &id).await;
            let executed = atlas.executed(operation) == 1;
            let met = match (wire, &got) {
                (Wire::Refused(status, code), Some(got)) => {
                    !executed && (got.status, got.code()) == (status, code)
                }
                (Wire::Foreign(status), Some(got)) => {
                    !executed && got.status == status && got.code().is_empty()
                }
                (Wire::Silence, None) => !executed,
                (Wire::Lost, got) => executed && got.as_ref().is_none_or(|got| got.status >= 500),
                (Wire::Odd(is_odd), Some(got)) => executed && got.status < 300 && is_odd(got),
                (Wire::Fated, Some(got)) => {
                    executed
                        && got.status < 300
                        && atlas.timelines().iter().any(|timeline| !timeline.deviations.is_empty())
                }
                _ => false,
            };
            assert!(met, "{} on {operation:?}: {got:?}, executed: {executed}", known.name);
            assert_eq!(atlas.rules().is_empty(), *times == Some(1), "{}", known.name);
        }
    }
}
