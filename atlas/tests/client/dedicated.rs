//! Endpoint services, their endpoints and clusters: what is sent, and what each response proves.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use atlas::{ApiVersion, Client, DeleteOutcome, Outcome, WriteResult};
use domain::dedicated::cluster::Cluster;
use domain::dedicated::endpoint::{CloudEndpointId, ConnectionStatus, NewEndpoint};
use domain::dedicated::service::{Provider, ProviderServices, ServiceAddress, ServiceKey, ServiceStatus};
use domain::fault::{Concerns, FaultKind};

use super::script::*;

const PROJECT: &str = "5f7cac1adf5d6c6306f4b200";
const SERVICE: &str = "6a793f68c0eb9e7a17715835";
const ENDPOINT: &str = "vpce-0df793f9c89c24a3b";

fn services(provider: Provider) -> ProviderServices {
    ProviderServices { project: PROJECT.parse().unwrap(), provider }
}

fn key() -> ServiceKey {
    ServiceKey {
        services: services(Provider::Aws),
        region: "eu-west-1".parse().unwrap(),
        is_port_mapped: false,
    }
}

fn address() -> ServiceAddress {
    ServiceAddress { services: services(Provider::Aws), id: SERVICE.parse().unwrap() }
}

fn id() -> CloudEndpointId {
    ENDPOINT.parse().unwrap()
}

fn new_endpoint() -> NewEndpoint {
    NewEndpoint::Aws { id: ENDPOINT.parse().unwrap() }
}

/// The body of a service, as recorded.
fn service() -> String {
    format!(
        r#"{{"cloudProvider":"AWS","endpointServiceName":null,"errorMessage":null,"id":"{SERVICE}","interfaceEndpoints":["{ENDPOINT}"],"regionName":"EU_WEST_1","status":"INITIATING","supportedRemoteRegions":null}}"#
    )
}

fn endpoint() -> String {
    format!(
        r#"{{"cloudProvider":"AWS","connectionStatus":"PENDING_ACCEPTANCE","deleteRequested":false,"errorMessage":null,"interfaceEndpointId":"{ENDPOINT}"}}"#
    )
}

/// A write whose outcome matters, as a test runs it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum GuardedWrite {
    CreateService,
    DeleteService,
    CreateEndpoint,
    DeleteEndpoint,
}

const WRITES: [GuardedWrite; 4] = [
    GuardedWrite::CreateService,
    GuardedWrite::DeleteService,
    GuardedWrite::CreateEndpoint,
    GuardedWrite::DeleteEndpoint,
];

impl GuardedWrite {
    fn is_delete(self) -> bool {
        matches!(self, Self::DeleteService | Self::DeleteEndpoint)
    }

    fn operation(self) -> &'static str {
        match self {
            Self::CreateService => "create_service",
            Self::DeleteService => "delete_service",
            Self::CreateEndpoint => "create_endpoint",
            Self::DeleteEndpoint => "delete_endpoint",
        }
    }

    fn success(self) -> String {
        match self {
            Self::CreateService => service(),
            Self::CreateEndpoint => endpoint(),
            Self::DeleteService | Self::DeleteEndpoint => "{}".to_owned(),
        }
    }

    /// Returns what was executed, or the class and the outcome on the wire.
    async fn run(self, client: &Client, may_send: impl Fn() -> bool + Send + Sync + 'static) -> String {
        fn class<T>(result: WriteResult<T>, executed: impl FnOnce(T) -> String) -> String {
            match result {
                WriteResult::Executed(value) => executed(value),
                WriteResult::Refused(error) => format!("refused {}", error.outcome()),
                WriteResult::Uncertain(error) => format!("uncertain {}", error.outcome()),
            }
        }
        let deleted = |outcome: DeleteOutcome| format!("{outcome:?}");
        match self {
            Self::CreateService => {
                class(client.create_service(&key(), &BTreeSet::new(), may_send).await, |service| {
                    service.id.to_string()
                })
            }
            Self::DeleteService => class(client.delete_service(&address(), may_send).await, deleted),
            Self::CreateEndpoint => {
                let result = client.create_endpoint(&address(), &new_endpoint(), may_send).await;
                class(result, |endpoint| endpoint.id.to_string())
            }
            Self::DeleteEndpoint => class(client.delete_endpoint(&address(), &id(), may_send).await, deleted),
        }
    }

    /// Runs the write against a server that responds to it so, and checks that it was sent once.
    async fn against(self, reaction: Reaction) -> String {
        let server = authenticated(move |_| reaction.clone());
        let (client, records) = server.client_with(|settings| settings.timeout = Duration::from_secs(2));
        let class = self.run(&client, || true).await;
        let method = if self.is_delete() { "DELETE+" } else { "POST+" };
        assert_eq!(server.methods(), ["GET", method]);
        assert!(records.lines()[0].starts_with(self.operation()), "{:?}", records.lines());
        class
    }
}

#[tokio::test]
async fn each_operation_sends_what_the_api_documents_in_both_versions() {
    for (api_version, prefix) in [(ApiVersion::V1, "v1.0"), (ApiVersion::V2, "v2")] {
        let server = authenticated(|request| match (request.method.as_str(), request.target.as_str()) {
            ("GET", target) if target.ends_with("/AWS/endpointService") => {
                json(200, &format!("[{}]", service()))
            }
            ("GET", target) if target.contains("/clusters/") => json(200, r#"{"stateName":"IDLE"}"#),
            ("DELETE", _) => Reaction::Send(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
            (_, target) if target.contains("/endpoint/") || target.ends_with("/endpoint") => {
                json(200, &endpoint())
            }
            _ => json(201, &service()),
        });
        let (client, records) = server.client_with(|settings| settings.dedicated_api_version = api_version);
        let listed = client.list_services(&services(Provider::Aws)).await.unwrap();
        assert_eq!((listed.len(), &listed[0].status), (1, &ServiceStatus::Initiating));
        assert_eq!(listed[0].endpoint_ids, [ENDPOINT]);
        let remote = ["us-east-1".parse().unwrap()].into();
        client.create_service(&key(), &remote, || true).await;
        assert_eq!(client.service(&address()).await.unwrap().unwrap().id.as_str(), SERVICE);
        client.update_service(&address(), &BTreeSet::new(), || true).await;
        client.create_endpoint(&address(), &new_endpoint(), || true).await;
        let found = client.endpoint(&address(), &id()).await.unwrap().unwrap();
        assert_eq!(found.status, ConnectionStatus::PendingAcceptance);
        let cluster = Cluster { project: PROJECT.parse().unwrap(), name: "orders".parse().unwrap() };
        assert_eq!(client.cluster(&cluster).await.unwrap().unwrap().state_name, "IDLE");
        client.delete_endpoint(&address(), &id(), || true).await;
        client.delete_service(&address(), || true).await;

        let project = format!("/api/atlas/{prefix}/groups/{PROJECT}");
        let all = format!("{project}/privateEndpoint");
        let seen: Vec<_> = server.seen()[1..]
            .iter()
            .map(|request| format!("{} {} {}", request.method, request.target, request.body))
            .collect();
        assert_eq!(
            seen,
            [
                format!("GET {all}/AWS/endpointService "),
                format!(
                    r#"POST {all}/endpointService {{"providerName":"AWS","region":"EU_WEST_1","supportedRemoteRegions":["US_EAST_1"]}}"#
                ),
                format!("GET {all}/AWS/endpointService/{SERVICE} "),
                format!(
                    r#"PATCH {all}/endpointService/{SERVICE} {{"cloudProvider":"AWS","supportedRemoteRegions":[]}}"#
                ),
                format!(r#"POST {all}/AWS/endpointService/{SERVICE}/endpoint {{"id":"{ENDPOINT}"}}"#),
                format!("GET {all}/AWS/endpointService/{SERVICE}/endpoint/{ENDPOINT} "),
                format!("GET {project}/clusters/orders "),
                format!("DELETE {all}/AWS/endpointService/{SERVICE}/endpoint/{ENDPOINT} "),
                format!("DELETE {all}/AWS/endpointService/{SERVICE} "),
            ]
        );
        assert_eq!(
            records.lines(),
            [
                "list_services 200 2",
                "create_service 201 1",
                "get_service 201 1",
                "update_service 201 1",
                "create_endpoint 200 1",
                "get_endpoint 200 1",
                "get_cluster 200 1",
                "delete_endpoint 204 1",
                "delete_service 204 1",
            ]
        );
        for request in server.seen() {
            let date = if request.target.contains("/clusters/") { "2024-08-05" } else { "2023-01-01" };
            let dated = format!("application/vnd.atlas.{date}+json");
            let expected = if api_version == ApiVersion::V1 { "application/json" } else { &dated };
            assert_eq!(request.header("accept"), Some(expected));
            let has_body = !request.body.is_empty();
            assert_eq!(request.header("content-type"), has_body.then_some(expected), "{request:?}");
        }
    }
}

#[tokio::test]
async fn an_id_that_is_a_path_is_one_segment_of_the_url() {
    let server = authenticated(|_| json(202, "{}"));
    let (client, _) = server.client();
    let service = ServiceAddress { services: services(Provider::Azure), ..address() };
    let id = "/subscriptions/1/providers/Microsoft.Network/privateEndpoints/%2e?x#ä".parse().unwrap();
    client.delete_endpoint(&service, &id, || true).await;
    let expected = "/endpoint/%2Fsubscriptions%2F1%2Fproviders%2FMicrosoft.Network%2FprivateEndpoints%2F%252e%3Fx%23%C3%A4";
    assert!(server.seen()[1].target.ends_with(expected), "{}", server.seen()[1].target);
}

#[tokio::test]
async fn a_challenge_is_requested_where_there_is_a_get() {
    let at = format!("/api/atlas/v2/groups/{PROJECT}/privateEndpoint");
    for (write, expected) in [
        (GuardedWrite::CreateService, format!("{at}/AWS/endpointService")),
        (GuardedWrite::DeleteService, format!("{at}/AWS/endpointService/{SERVICE}")),
        (GuardedWrite::CreateEndpoint, format!("{at}/AWS/endpointService/{SERVICE}")),
        (GuardedWrite::DeleteEndpoint, format!("{at}/AWS/endpointService/{SERVICE}/endpoint/{ENDPOINT}")),
    ] {
        let server = authenticated(move |_| json(200, &write.success()));
        write.run(&server.client().0, || true).await;
        assert_eq!(server.seen()[0].target, expected, "{write:?}");
    }
    let server = authenticated(|_| json(200, "{}"));
    server.client().0.update_service(&address(), &BTreeSet::new(), || true).await;
    assert_eq!(server.seen()[0].target, format!("{at}/AWS/endpointService/{SERVICE}"));
}

#[tokio::test]
async fn a_success_as_recorded_or_as_documented_is_a_definite_yes() {
    for write in WRITES {
        let expected = match write {
            GuardedWrite::CreateService => SERVICE,
            GuardedWrite::CreateEndpoint => ENDPOINT,
            GuardedWrite::DeleteService | GuardedWrite::DeleteEndpoint => "Accepted",
        };
        for status in [200, 201, 202] {
            assert_eq!(write.against(json(status, &write.success())).await, expected);
        }
        let enveloped = format!(r#"{{"status":202,"envelope":{}}}"#, write.success());
        assert_eq!(write.against(json(200, &enveloped)).await, expected);
    }
    for write in [GuardedWrite::DeleteService, GuardedWrite::DeleteEndpoint] {
        let empty = Reaction::Send(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec());
        assert_eq!(write.against(empty).await, "Accepted");
        assert_eq!(write.against(json(202, "")).await, "Accepted");
    }
}

#[tokio::test]
async fn a_success_without_the_thing_itself_leaves_a_create_uncertain() {
    for body in ["", "{}", "[]", "<html>", r#"{"id":null,"interfaceEndpointId":null}"#] {
        for write in [GuardedWrite::CreateService, GuardedWrite::CreateEndpoint] {
            assert_eq!(write.against(json(201, body)).await, "uncertain malformed", "{write:?} {body}");
        }
    }
    let other = service().replace("AWS", "GCP");
    assert_eq!(GuardedWrite::CreateService.against(json(201, &other)).await, "uncertain malformed");
    let other = endpoint().replace(ENDPOINT, "vpce-0a");
    assert_eq!(GuardedWrite::CreateEndpoint.against(json(201, &other)).await, "uncertain malformed");
}

#[tokio::test]
async fn a_refusal_of_atlas_is_a_definite_no_and_any_other_one_is_not() {
    for write in WRITES {
        for status in [400, 402, 403, 404, 405, 406, 409, 410, 429] {
            let refusal = json(status, &atlas_error(status, "SOME_CODE", "d"));
            assert_eq!(write.against(refusal).await, format!("refused {status}"), "{write:?}");
            assert_eq!(write.against(json(status, "<html>")).await, format!("uncertain {status}"));
        }
        for status in [307, 408, 500, 502, 503, 504] {
            let body = atlas_error(status, "UNEXPECTED_ERROR", "d");
            assert_eq!(write.against(json(status, &body)).await, format!("uncertain {status}"));
        }
        assert_eq!(write.against(Reaction::Reset).await, "uncertain interrupted");
        assert_eq!(write.against(Reaction::Hang).await, "uncertain timed_out");
        assert_eq!(write.against(challenged()).await, "refused 401");
    }
}

#[tokio::test]
async fn what_fails_before_the_write_is_a_definite_no_and_sends_none() {
    for write in WRITES {
        for (reaction, expected) in [
            (Reaction::Hang, "refused timed_out"),
            (Reaction::Reset, "refused interrupted"),
            (json(503, "<html>"), "refused 503"),
            (json(404, &atlas_error(404, "PRIVATE_ENDPOINT_SERVICE_NOT_FOUND", "d")), "refused 404"),
        ] {
            let server = Script::start(move |_| reaction.clone());
            let (client, _) = server.client_with(|settings| settings.timeout = Duration::from_millis(300));
            assert_eq!(write.run(&client, || true).await, expected, "{write:?}");
            assert_eq!(server.methods(), ["GET"]);
        }
    }
}

#[tokio::test]
async fn a_missing_thing_is_not_found_by_the_codes_of_both_families_only() {
    for (status, code, is_missing) in [
        (404, "PRIVATE_ENDPOINT_SERVICE_NOT_FOUND", true),
        (404, "PRIVATELINK_NOT_FOUND", true),
        (404, "PRIVATELINK_INTERFACE_ENDPOINT_NOT_FOUND", true),
        (404, "PRIVATE_ENDPOINT_NOT_FOUND", true),
        (404, "GROUP_NOT_FOUND", false),
        (404, "RESOURCE_NOT_FOUND", false),
        (409, "PRIVATE_ENDPOINT_SERVICE_NOT_FOUND", false),
        (400, "PRIVATE_ENDPOINT_SERVICE_NOT_FOUND", false),
        (500, "PRIVATE_ENDPOINT_SERVICE_NOT_FOUND", false),
    ] {
        let body = atlas_error(status, code, "d");
        for write in [GuardedWrite::DeleteService, GuardedWrite::DeleteEndpoint] {
            let class = write.against(json(status, &body)).await;
            assert_eq!(class == "NotFound", is_missing, "{write:?} {status} {code}: {class}");
        }
        let server = authenticated(move |_| json(status, &body));
        let (client, _) = server.client();
        assert_eq!(matches!(client.service(&address()).await, Ok(None)), is_missing, "{status} {code}");
        assert_eq!(matches!(client.endpoint(&address(), &id()).await, Ok(None)), is_missing);
    }
    let cluster = Cluster { project: PROJECT.parse().unwrap(), name: "orders".parse().unwrap() };
    for (code, is_missing) in [("CLUSTER_NOT_FOUND", true), ("GROUP_NOT_FOUND", false)] {
        let server = authenticated(move |_| json(404, &atlas_error(404, code, "d")));
        assert_eq!(matches!(server.client().0.cluster(&cluster).await, Ok(None)), is_missing, "{code}");
    }
}

#[tokio::test]
async fn a_response_about_another_thing_is_an_error() {
    let server = authenticated(|request| {
        let is_endpoint = request.target.contains("/endpoint/");
        let body = if is_endpoint { endpoint() } else { service() };
        json(200, &body.replace(if is_endpoint { ENDPOINT } else { SERVICE }, "6a793f68c0eb9e7a17715836"))
    });
    let (client, _) = server.client();
    assert_eq!(client.service(&address()).await.unwrap_err().outcome(), Outcome::Malformed);
    assert_eq!(client.endpoint(&address(), &id()).await.unwrap_err().outcome(), Outcome::Malformed);
}

#[tokio::test]
async fn a_message_names_the_thing_the_response_and_a_next_step() {
    let exists = "A private endpoint service already exists for AWS region EU_WEST_1.";
    for (write, status, code, detail, kind, expected) in [
        (
            GuardedWrite::CreateService,
            409,
            "PRIVATE_ENDPOINT_SERVICE_ALREADY_EXISTS_FOR_REGION",
            exists,
            FaultKind::Conflict,
            "failed to create endpoint service 5f7cac1adf5d6c6306f4b200/AWS/EU_WEST_1: HTTP 409 PRIVATE_ENDPOINT_SERVICE_ALREADY_EXISTS_FOR_REGION: A private endpoint service already exists for AWS region EU_WEST_1; the next listing shows what prevents it",
        ),
        (
            GuardedWrite::CreateService,
            400,
            "ATLAS_GENERAL_ERROR",
            "Reason: No Capacity.",
            FaultKind::Refused,
            "failed to create endpoint service 5f7cac1adf5d6c6306f4b200/AWS/EU_WEST_1: HTTP 400 ATLAS_GENERAL_ERROR: Reason: No Capacity; retrying",
        ),
        (
            GuardedWrite::CreateEndpoint,
            402,
            "NO_PAYMENT_INFORMATION_FOUND",
            "d",
            FaultKind::Refused,
            "failed to create endpoint vpce-0df793f9c89c24a3b of endpoint service 5f7cac1adf5d6c6306f4b200/AWS/6a793f68c0eb9e7a17715835: HTTP 402 NO_PAYMENT_INFORMATION_FOUND: d; pay or fix the billing of the organisation",
        ),
        (
            GuardedWrite::CreateEndpoint,
            409,
            "MULTIPLE_PRIVATE_ENDPOINTS_RESTRICTED_TO_SINGLE_REGION",
            "d",
            FaultKind::MultipleRegions,
            "failed to create endpoint vpce-0df793f9c89c24a3b of endpoint service 5f7cac1adf5d6c6306f4b200/AWS/6a793f68c0eb9e7a17715835: HTTP 409 MULTIPLE_PRIVATE_ENDPOINTS_RESTRICTED_TO_SINGLE_REGION: d; enable regionalized private endpoints in this project, or keep all its private endpoints in one region",
        ),
        (
            GuardedWrite::DeleteService,
            409,
            "CANNOT_DELETE_PRIVATELINK_WITH_ENDPOINTS",
            "d",
            FaultKind::Conflict,
            "failed to delete endpoint service 5f7cac1adf5d6c6306f4b200/AWS/6a793f68c0eb9e7a17715835: HTTP 409 CANNOT_DELETE_PRIVATELINK_WITH_ENDPOINTS: d; Atlas deletes an endpoint service after its last endpoint; the next listing shows which it has",
        ),
    ] {
        let server = authenticated(move |_| json(status, &atlas_error(status, code, detail)));
        let (client, _) = server.client();
        let error = match write {
            GuardedWrite::CreateService => {
                match client.create_service(&key(), &BTreeSet::new(), || true).await {
                    WriteResult::Refused(error) => error,
                    other => panic!("{other:?}"),
                }
            }
            GuardedWrite::CreateEndpoint => {
                match client.create_endpoint(&address(), &new_endpoint(), || true).await {
                    WriteResult::Refused(error) => error,
                    other => panic!("{other:?}"),
                }
            }
            _ => match client.delete_service(&address(), || true).await {
                WriteResult::Refused(error) => error,
                other => panic!("{other:?}"),
            },
        };
        assert_eq!(error.to_string(), expected);
        assert_eq!((error.kind(), error.error_code()), (kind, Some(code)));
        assert_eq!(error.concerns(), Concerns::Project);
    }
}

#[tokio::test]
async fn a_write_whose_response_is_lost_is_not_repeated() {
    for write in WRITES {
        let server = authenticated(|request| match (request.method.as_str(), request.number) {
            ("GET", _) => json(200, "[]"),
            (_, 2) => challenged(),
            _ => Reaction::Reset,
        });
        let (client, _) = server.client();
        client.list_services(&services(Provider::Aws)).await.unwrap();
        assert_eq!(write.run(&client, || true).await, "uncertain interrupted");
        let method = if write.is_delete() { "DELETE+" } else { "POST+" };
        assert_eq!(
            server.methods(),
            ["GET", "GET+", method, method],
            "a 401 proves that it was not executed"
        );
    }
}

#[tokio::test]
async fn once_it_is_too_late_nothing_is_sent() {
    for write in WRITES {
        let server =
            authenticated(|request| if request.number == 2 { challenged() } else { json(200, "[]") });
        let (client, _) = server.client();
        client.list_services(&services(Provider::Aws)).await.unwrap();
        // Between the write that got a 401 and its repetition; then before the first.
        for (allowed, writes) in [(1, 1), (0, 1)] {
            let left = AtomicUsize::new(allowed);
            let may_send = move || {
                left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
            };
            assert_eq!(write.run(&client, may_send).await, "refused too_late", "{write:?}");
            let sent = server.methods().iter().filter(|method| *method != "GET" && *method != "GET+").count();
            assert_eq!(sent, writes, "{write:?}");
        }
    }
}

#[tokio::test]
async fn a_delete_that_waits_for_a_connection_is_checked_again_when_it_has_one() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        assert!(connection.read(&mut [0; 4096]).unwrap() > 0);
        connection.write_all(&bytes(401, &[CHALLENGE, "Connection: close"], "{}")).unwrap();
        drop(connection);
        let (mut connection, _) = listener.accept().unwrap();
        let mut rest = Vec::new();
        connection.read_to_end(&mut rest).unwrap();
        rest
    });
    let (client, _) = client_of(&url, |_| {});
    let checks = Arc::new(AtomicUsize::new(0));
    let counter = checks.clone();
    let may_send = move || counter.fetch_add(1, Ordering::Relaxed) == 0;
    assert_eq!(GuardedWrite::DeleteEndpoint.run(&client, may_send).await, "refused too_late");
    assert_eq!(checks.load(Ordering::Relaxed), 2);
    drop(client);
    // Beside the runtime, which has the connection to close.
    let rest = tokio::task::spawn_blocking(|| server.join().unwrap()).await.unwrap();
    assert_eq!(String::from_utf8(rest).unwrap(), "");
}
