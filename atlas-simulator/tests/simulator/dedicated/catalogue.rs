//! Every entry of the catalogue of dedicated clusters behaves as it says.

use atlas_simulator::{
    CatalogueEntry, DEFAULT_PROJECT, DedicatedPace, How, ServiceCourse, ServiceEvent, ServicePath,
    dedicated_catalogue,
};
use serde_json::json;

use super::*;

/// What a client gets.
#[derive(Debug, Clone, Copy)]
enum OnWire {
    /// This status and this `errorCode`, and nothing is executed.
    Rejected(u16, &'static str),
    /// This status without an error of Atlas, and nothing is executed.
    Foreign(u16),
    /// No response, and nothing is executed.
    Silence,
    /// No response or a useless one, and it is executed.
    Lost,
    /// A successful response, which is malformed.
    Odd(fn(&Got) -> bool),
    /// The true response of this status.
    Stale(u16),
    /// The true response; the object has another deviation.
    Deviates,
}

const STATUSES: [&str; 2] = ["connectionStatus", "status"];
const IDS: [&str; 4] = ["id", "interfaceEndpointId", "privateEndpointResourceId", "endpointGroupName"];

/// Returns those of these members that a response has, or the first object in it.
fn shown<'a>(got: &'a Got, names: &[&str]) -> Vec<&'a Value> {
    let object = got.json.as_array().map_or(&got.json, |all| &all[0]);
    names.iter().filter_map(|name| object.get(name)).collect()
}

/// Returns the effect of the entry of this name on the wire.
fn on_wire(name: &str) -> Option<OnWire> {
    use OnWire::*;
    Some(match name {
        "executed, then cut" | "executed, then silence" | "executed, then 503" => Lost,
        "executed after its response" => Foreign(504),
        "a listing shows the past" => Odd(|got| got.text == "[]"),
        "an endpoint shows the past" => Stale(404),
        "silence" => Silence,
        "a key that is not accepted" => Rejected(401, "UNEXPECTED_ERROR"),
        "USER_UNAUTHORIZED" => Rejected(401, "USER_UNAUTHORIZED"),
        "IP_ADDRESS_NOT_ON_ACCESS_LIST" => Rejected(403, "IP_ADDRESS_NOT_ON_ACCESS_LIST"),
        "GROUP_NOT_FOUND" => Rejected(404, "GROUP_NOT_FOUND"),
        "CLUSTER_NOT_FOUND" => Rejected(404, "CLUSTER_NOT_FOUND"),
        "404 for a service that is there" => Rejected(404, "PRIVATE_ENDPOINT_SERVICE_NOT_FOUND"),
        "404 for an endpoint that is there" => Rejected(404, "PRIVATELINK_INTERFACE_ENDPOINT_NOT_FOUND"),
        "VERSION_GONE" => Rejected(410, "VERSION_GONE"),
        "429" => Rejected(429, "RATE_LIMITED_TOKEN_BUCKET"),
        "500" => Rejected(500, "UNEXPECTED_ERROR"),
        "503 as a page of HTML" => Foreign(503),
        "no writes during an upgrade" => Rejected(405, "WRITES_NOT_ALLOWED_DURING_APP_UPGRADES"),
        "No Capacity" => Rejected(400, "ATLAS_GENERAL_ERROR"),
        "no payment information" => Rejected(402, "NO_PAYMENT_INFORMATION_FOUND"),
        "endpoints in several regions" => {
            Rejected(409, "MULTIPLE_PRIVATE_ENDPOINTS_RESTRICTED_TO_SINGLE_REGION")
        }
        "a service that accepts no endpoints" => Rejected(409, "PRIVATELINK_CANNOT_ACCEPT_ENDPOINTS"),
        "an endpoint that exists" => Rejected(409, "PRIVATELINK_INTERFACE_ENDPOINT_ALREADY_EXISTS"),
        "a service with endpoints" => Rejected(409, "CANNOT_DELETE_PRIVATELINK_WITH_ENDPOINTS"),
        "truncated JSON" | "a created service shown as truncated JSON" => {
            Odd(|got| !got.text.is_empty() && got.json.is_null())
        }
        "a created endpoint not shown" => Odd(|got| got.text.is_empty()),
        "a service fails"
        | "a service takes for ever"
        | "a service vanishes"
        | "REJECTED though the VPC endpoint exists"
        | "REJECTED recovers by itself"
        | "an endpoint takes for ever"
        | "a service stuck in DELETING"
        | "a deletion of a service fails"
        | "an endpoint stuck in DELETING"
        | "an endpoint deleted, and back again" => Deviates,
        "an unknown status" => Odd(|got| shown(got, &STATUSES) == ["PAUSED"]),
        "no status" => Odd(|got| shown(got, &STATUSES).is_empty()),
        "no id" => Odd(|got| shown(got, &IDS).is_empty()),
        "no nulls" => Odd(|got| !got.text.contains("null")),
        "unknown fields" => Odd(|got| got.text.contains("createdBy")),
        "a listing in pages" => Odd(|got| got.json["results"].is_array()),
        _ => return None,
    })
}

/// An Atlas in which nothing changes by itself, with a service that has an endpoint if the operation needs one.
async fn prepared(change: fn(&mut Settings), operation: Operation) -> (Simulator, TestClient, String) {
    prepared_at(&PlacedEndpoint::aws(VPC), change, operation).await
}

async fn prepared_at(
    at: &PlacedEndpoint<'_>,
    change: fn(&mut Settings),
    operation: Operation,
) -> (Simulator, TestClient, String) {
    let (atlas, client, id, targets) =
        with_service_at(at.place.clone(), DedicatedPace::of(HOUR), change).await;
    at.make(&atlas, &targets);
    let needs_none = matches!(operation, Operation::CreateEndpoint | Operation::DeleteService);
    if !needs_none {
        assert!(atlas.register_endpoint(&id, at.endpoint));
    }
    (atlas, client, id)
}

#[tokio::test]
async fn each_fault_of_the_catalogue_shows_on_each_operation_that_it_names() {
    for known in dedicated_catalogue() {
        let How::Requests { on, .. } = &known.how else { continue };
        let wire = on_wire(known.name).unwrap_or_else(|| panic!("{} has no row", known.name));
        let mut cases = tokio::task::JoinSet::new();
        // Only what is shown, and what becomes of it, depends on the provider.
        let depends = matches!(wire, OnWire::Odd(_) | OnWire::Stale(_) | OnWire::Deviates);
        for at in one_of_each().into_iter().filter(|at| depends || at.place.provider == CloudProvider::Aws) {
            for &operation in *on {
                cases.spawn(shows_on(known.clone(), wire, at.clone(), operation));
            }
        }
        cases.join_all().await;
    }
}

async fn shows_on(
    known: CatalogueEntry<ServiceEvent>,
    wire: OnWire,
    at: PlacedEndpoint<'static>,
    operation: Operation,
) {
    let How::Requests { times, .. } = &known.how else { return };
    let (atlas, client, id) = prepared_at(&at, |_| {}, operation).await;
    for rule in known.rules(&[operation]) {
        atlas.inject(rule);
    }
    let is_executed = matches!(wire, OnWire::Lost);
    let is_silent = async {
        if !known.name.contains("silence") {
            std::future::pending::<()>().await;
        }
        let met =
            |atlas: &Simulator| atlas.rules().is_empty() && (atlas.executed(operation) == 1) == is_executed;
        until(&atlas, known.name, met).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let got = tokio::select! {
        got = send_to(&client, &at, operation, &id) => got,
        () = is_silent => None,
    };
    let executed = atlas.executed(operation) == 1;
    let deviations = || {
        let of = |life: &ServiceCourse| {
            let of_endpoints = life.endpoints.iter().map(|one| one.endpoint.deviations.len());
            life.service.deviations.len() + of_endpoints.sum::<usize>()
        };
        atlas.service_courses().iter().map(of).sum::<usize>()
    };
    let met = match (wire, &got) {
        (OnWire::Rejected(status, code), Some(got)) => {
            !executed && (got.status, got.code()) == (status, code)
        }
        (OnWire::Foreign(status), Some(got)) => !executed && got.status == status && got.code().is_empty(),
        (OnWire::Silence, None) => !executed,
        (OnWire::Lost, got) => executed && got.as_ref().is_none_or(|got| got.status >= 500),
        (OnWire::Odd(is_odd), Some(got)) => executed && got.status < 300 && is_odd(got),
        (OnWire::Stale(status), Some(got)) => got.status == status,
        (OnWire::Deviates, Some(got)) => executed && got.status < 300 && deviations() == 1,
        _ => false,
    };
    assert!(met, "{} on {operation:?} of {at:?}: {got:?}, executed: {executed}", known.name);
    assert_eq!(atlas.rules().is_empty(), *times == Some(1), "{}", known.name);
    if known.name == "executed after its response" {
        until(&atlas, known.name, |atlas| atlas.executed(operation) == 1).await;
    }
}

#[tokio::test]
async fn deviations_take_their_course() {
    for (name, operation, end) in [
        ("a service fails", Operation::CreateService, Some("FAILED")),
        ("a service vanishes", Operation::CreateService, None),
        ("a deletion of a service fails", Operation::DeleteService, Some("FAILED")),
        ("REJECTED though the VPC endpoint exists", Operation::CreateEndpoint, Some("REJECTED")),
        ("an endpoint deleted, and back again", Operation::DeleteEndpoint, Some("AVAILABLE")),
    ] {
        for at in one_of_each() {
            let (atlas, client, id) = prepared_at(&at, |_| {}, operation).await;
            let known = dedicated_catalogue().into_iter().find(|known| known.name == name).unwrap();
            atlas.inject(known.rules(&[operation]).remove(0));
            assert!(send_to(&client, &at, operation, &id).await.unwrap().status < 300, "{name} {at:?}");
            let made = atlas.services(DEFAULT_PROJECT).last().unwrap().id.clone();
            atlas.set_dedicated_pace(DedicatedPace::of(Duration::from_millis(20)));
            if operation == Operation::CreateService || operation == Operation::DeleteService {
                service_is(&atlas, &made, end).await;
            } else {
                let end = end.map(|word| if word == "REJECTED" { at.refused() } else { word });
                endpoint_is(&atlas, &id, at.endpoint, end).await;
            }
        }
    }
}

/// Returns what the operation returns with this setting: the status, the code or status word.
async fn responds(
    set: fn(&mut Settings),
    operation: Operation,
    prepare: fn(&Simulator, &str),
) -> (u16, String) {
    let (atlas, client, id) = prepared(set, operation).await;
    prepare(&atlas, &id);
    let got = send(&client, operation, &id, VPC).await.unwrap();
    let word = [&got.json["errorCode"], &got.json["connectionStatus"], &got.json["status"]];
    (got.status, word.into_iter().find_map(|word| word.as_str()).unwrap_or_default().to_owned())
}

#[tokio::test]
async fn each_setting_of_the_catalogue_shows_on_one_request() {
    use Operation::{
        CreateEndpoint, CreateService, DeleteEndpoint, DeleteService, GetService, UpdateService,
    };
    use atlas_simulator::{EndpointPhase, ServicePhase};
    let nothing: fn(&Simulator, &str) = |_, _| {};
    let early: fn(&Simulator, &str) =
        |atlas, id| assert!(atlas.edit_service(id, |service| service.status = ServicePhase::Initiating));
    let deleting: fn(&Simulator, &str) =
        |atlas, id| assert!(atlas.edit_service(id, |service| service.status = ServicePhase::Deleting));
    let leaving: fn(&Simulator, &str) = |atlas, id| {
        assert!(atlas.edit_registered_endpoint(id, VPC, |one| one.status = EndpointPhase::Deleting));
    };
    let lost: fn(&Simulator, &str) = |atlas, id| assert!(atlas.remove_service(id));
    let rejected: fn(&Simulator, &str) = |atlas, id| {
        assert!(atlas.register_endpoint(id, VPC));
        assert!(atlas.edit_registered_endpoint(id, VPC, |one| one.status = EndpointPhase::Rejected));
    };
    for known in dedicated_catalogue() {
        let How::Settings(set) = known.how else { continue };
        let (operation, prepare, status, word) = match known.name {
            "as recorded" => (CreateService, nothing, 201, "INITIATING"),
            "successes as documented" => (DeleteService, nothing, 204, ""),
            "PRIVATELINK codes" => (GetService, lost, 404, "PRIVATELINK_NOT_FOUND"),
            "PRIVATE_ENDPOINT codes" => {
                (CreateEndpoint, early, 409, "PRIVATE_ENDPOINT_SERVICE_CANNOT_ACCEPT_ENDPOINTS")
            }
            "WAITING_FOR_USER" => (GetService, nothing, 200, "WAITING_FOR_USER"),
            "PATCH before the service is ready returns 400" => {
                (UpdateService, early, 400, "INVALID_ATTRIBUTE")
            }
            "PATCH before the service is ready is accepted" => (UpdateService, early, 200, "INITIATING"),
            "PATCH leaves the service AVAILABLE" => (UpdateService, nothing, 200, "AVAILABLE"),
            "POST of a REJECTED endpoint is accepted" => {
                (CreateEndpoint, rejected, 201, "PENDING_ACCEPTANCE")
            }
            "a project without payment information" => {
                (CreateEndpoint, nothing, 402, "NO_PAYMENT_INFORMATION_FOUND")
            }
            "DELETE of a service again returns 404" => {
                (DeleteService, deleting, 404, "PRIVATE_ENDPOINT_SERVICE_NOT_FOUND")
            }
            "DELETE of a service again returns 409" => {
                (DeleteService, deleting, 409, "PRIVATELINK_CANNOT_ACCEPT_ENDPOINTS")
            }
            "DELETE of an endpoint again returns 404" => {
                (DeleteEndpoint, leaving, 404, "PRIVATELINK_INTERFACE_ENDPOINT_NOT_FOUND")
            }
            "DELETE of an endpoint again returns 409" => {
                (DeleteEndpoint, leaving, 409, "PRIVATELINK_CANNOT_ACCEPT_ENDPOINTS")
            }
            other => {
                if !shows_elsewhere(other, set).await {
                    shows(other, set).await;
                }
                continue;
            }
        };
        let expected = (status, word.to_owned());
        assert_eq!(responds(set, operation, prepare).await, expected, "{}", known.name);
    }
    assert_eq!(responds(|_| {}, CreateEndpoint, rejected).await.0, 409);
    assert_eq!(responds(|_| {}, UpdateService, early).await.0, 409);
}

/// The settings that show on Azure or Google Cloud only; `false` if this is none of them.
async fn shows_elsewhere(name: &str, set: fn(&mut Settings)) -> bool {
    let [_, azure, gcp, mapped] = one_of_each();
    let at = match name {
        "a port-mapped group is named after its forwarding rule" => mapped,
        _ if name.ends_with("Google Cloud") => gcp,
        _ if name.contains("Azure") => azure,
        _ => return false,
    };
    let (atlas, client, id, targets) =
        with_service_at(at.place.clone(), DedicatedPace::of(Duration::ZERO), set).await;
    let send = async |operation| send_to(&client, &at, operation, &id).await.unwrap();
    let created = send(Operation::CreateEndpoint).await;
    assert_eq!(created.status, 201, "{name}");
    match name {
        "a status in the response of Azure to POST of an endpoint" => {
            assert_eq!(created.json["status"], "INITIATING");
        }
        "a port-mapped group is named after its forwarding rule" => {
            assert_eq!(created.json["endpointGroupName"], "orders-mapped-0");
        }
        "FAILED heals on Azure" | "FAILED heals on Google Cloud" => {
            assert_eq!(send(Operation::GetEndpoint).await.json["status"], "FAILED");
            at.make(&atlas, &targets);
            assert_eq!(send(Operation::GetEndpoint).await.json["status"], "AVAILABLE");
        }
        _ => {
            assert_eq!(send(Operation::DeleteEndpoint).await.status, 202);
            assert_eq!(send(Operation::GetService).await.json["status"], "AVAILABLE", "{name}");
        }
    }
    true
}

/// The settings that show only after more than one request.
async fn shows(name: &str, set: fn(&mut Settings)) {
    let (atlas, client, id, vpc_name) = with_service(DedicatedPace::of(Duration::ZERO), set).await;
    let connect = async || {
        atlas.make_vpc_endpoint(VPC, &vpc_name);
        assert!(send(&client, Operation::CreateEndpoint, &id, VPC).await.unwrap().status < 300, "{name}");
        send(&client, Operation::GetEndpoint, &id, VPC).await.unwrap().json["connectionStatus"].clone()
    };
    match name {
        "PENDING between PENDING_ACCEPTANCE and AVAILABLE" => assert_eq!(connect().await, "PENDING"),
        "every listing lags" => {
            assert_eq!(send(&client, Operation::ListServices, &id, VPC).await.unwrap().json, json!([]));
        }
        "No Capacity for two services at once" => {
            assert_eq!(client.post(&services(), &region("EU_WEST_1")).await.status, 201);
            let got = client.post(&services(), &region("EU_WEST_2")).await;
            assert_eq!((got.status, &got.json["parameters"]), (400, &json!(["No Capacity"])));
        }
        "a wrong remote region returns 409" => {
            let body = r#"{"cloudProvider": "AWS", "supportedRemoteRegions": ["US_EAST_1"]}"#;
            let got = client.patch(&format!("{}/{id}", services()), body).await;
            assert_eq!((got.status, got.code()), (409, "CROSS_REGION_PRIVATE_LINK_SELF_REGION"));
        }
        "REJECTED never heals" => {
            assert!(atlas.register_endpoint(&id, VPC));
            endpoint_is(&atlas, &id, VPC, Some("REJECTED")).await;
            atlas.make_vpc_endpoint(VPC, &vpc_name);
            endpoint_is(&atlas, &id, VPC, Some("REJECTED")).await;
        }
        "AVAILABLE without its VPC endpoint" => {
            assert_eq!(connect().await, "AVAILABLE");
            assert!(atlas.delete_vpc_endpoint(VPC));
            endpoint_is(&atlas, &id, VPC, Some("AVAILABLE")).await;
        }
        "endpoints of others come and go at a rhythm" => {
            let ids = async || client.get(&service(&id)).await.json["interfaceEndpoints"].clone();
            assert_eq!(ids().await, json!([]));
            until(&atlas, name, |atlas| atlas.registered_endpoints(&id).len() == 1).await;
            assert_eq!(ids().await.as_array().unwrap().len(), 1);
        }
        "the last endpoint leaves the service" => {
            assert_eq!(connect().await, "AVAILABLE");
            assert_eq!(client.delete(&endpoint(&id, VPC)).await.status, 202);
            assert_eq!(client.get(&service(&id)).await.json["status"], "AVAILABLE");
        }
        "the last endpoint takes the service if it was connected" => {
            assert!(atlas.register_endpoint(&id, OTHER));
            endpoint_is(&atlas, &id, OTHER, Some("REJECTED")).await;
            assert_eq!(client.delete(&endpoint(&id, OTHER)).await.status, 202);
            assert_eq!(client.get(&service(&id)).await.json["status"], "AVAILABLE");
            assert_eq!(connect().await, "AVAILABLE");
            assert_eq!(client.delete(&endpoint(&id, VPC)).await.status, 202);
            assert_eq!(client.get(&service(&id)).await.status, 404);
        }
        "the private string comes after UPDATING" => {
            assert_eq!(connect().await, "AVAILABLE");
            let got = client.get(&cluster()).await.json;
            assert_eq!(got["stateName"], "UPDATING");
            assert_eq!(got["connectionStrings"].get("privateEndpoint"), None);
            let since = atlas.now();
            until(&atlas, "its time", |atlas| atlas.now() > since + Duration::from_millis(1500)).await;
            let got = client.get(&cluster()).await.json;
            assert_eq!(got["stateName"], "IDLE");
            assert_eq!(got["connectionStrings"]["privateEndpoint"].as_array().unwrap().len(), 1);
        }
        other => panic!("{other} has no row"),
    }
}

#[tokio::test]
async fn what_others_do_happens() {
    for known in dedicated_catalogue() {
        let How::OutOfBand(happen) = known.how else { continue };
        for at in one_of_each() {
            // No other provider has any.
            if known.name != "its remote regions edited by others" || at.place.provider == CloudProvider::Aws
            {
                happens(known.name, happen, &at).await;
            }
        }
    }
}

async fn happens(name: &str, happen: ServiceEvent, at: &PlacedEndpoint<'_>) {
    let (atlas, client, id, targets) =
        with_service_at(at.place.clone(), DedicatedPace::of(Duration::ZERO), |_| {}).await;
    at.make(&atlas, &targets);
    assert!(atlas.register_endpoint(&id, at.endpoint));
    endpoint_is(&atlas, &id, at.endpoint, Some("AVAILABLE")).await;
    atlas.set_dedicated_pace(DedicatedPace {
        healing: HOUR,
        noticing: Duration::ZERO,
        ..DedicatedPace::of(HOUR)
    });
    happen(&atlas, &ServicePath { project: DEFAULT_PROJECT, service: &id, endpoint: at.endpoint });
    let send = async |operation| send_to(&client, at, operation, &id).await.unwrap();
    let of_service = send(Operation::GetService).await;
    let of_endpoint = send(Operation::GetEndpoint).await.json;
    let listed = send(Operation::ListServices).await.json;
    let ids = ["interfaceEndpoints", "privateEndpoints", "endpointGroupNames"];
    let ids = ids.iter().find_map(|name| Some(of_service.json[*name].as_array()?.len())).unwrap_or_default();
    let is_new = || listed[0]["id"].is_string() && listed[0]["id"] != id.as_str();
    let met = match name {
        "a service FAILED" => of_service.json["status"] == "FAILED",
        "a service removed by others" => of_service.status == 404 && listed == json!([]),
        "the deletion of a service begun by others" | "the last endpoint removed by others" => {
            of_service.json["status"] == "DELETING"
        }
        "a service created again by others" => {
            of_service.status == 404 && is_new() && atlas.services(DEFAULT_PROJECT)[0].targets() != targets
        }
        "its remote regions edited by others" => {
            of_service.json["supportedRemoteRegions"] == json!(["EU_NORTH_1"])
        }
        "an endpoint registered by others" => ids == 2,
        "an endpoint of others comes and goes" => ids == 1,
        "an endpoint removed by others" => {
            ids == 1 && of_endpoint["errorCode"] == "PRIVATELINK_INTERFACE_ENDPOINT_NOT_FOUND"
        }
        "the deletion of an endpoint begun by others" => of_endpoint["deleteRequested"] == true,
        "an endpoint removed and registered again by others" => {
            let first = if at.refused() == "REJECTED" { "PENDING_ACCEPTANCE" } else { "INITIATING" };
            ids == 2 && at.status(&of_endpoint) == first
        }
        "AVAILABLE turns REJECTED or FAILED" | "what it stands for deleted in the cloud" => {
            at.status(&of_endpoint) == at.refused() && of_endpoint["errorMessage"].is_string()
        }
        other => panic!("{other} has no row"),
    };
    assert!(met, "{name} of {at:?}: {of_service:?} {of_endpoint:?}");
}
