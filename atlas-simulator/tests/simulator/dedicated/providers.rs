//! What holds for all providers alike, and where they meet in one project.

use atlas_simulator::CloudProvider::{Aws, Azure, Gcp};
use atlas_simulator::{
    AtlasEndpoint, DEFAULT_PROJECT, DedicatedPace, LastEndpoint, LostVpcEndpoint, OthersAction, OthersRhythm,
    ServiceCourse,
};
use serde_json::{Value, json};

use super::*;
use crate::support::got;

const SOON: DedicatedPace = DedicatedPace::of(Duration::from_millis(20));
const AZURE_ID: &str =
    "/subscriptions/1/resourceGroups/shop/providers/Microsoft.Network/privateEndpoints/orders";

/// A forwarding rule in the region of the port-mapped service.
const RULE: &str = "projects/users/regions/europe-west1/forwardingRules/rule";

async fn control(atlas: &Simulator, method: Method, path: &str, body: &Value) -> Got {
    let client = TestClient::new(atlas);
    let text = (!body.is_null()).then(|| body.to_string());
    got(client.raw(method, &format!("/control{path}"), None, text.as_deref()).await.unwrap()).await.unwrap()
}

fn encoded(id: &str) -> String {
    form_urlencoded::byte_serialize(id.as_bytes()).collect()
}

#[tokio::test]
async fn a_region_is_read_in_the_spelling_of_atlas_or_of_its_provider() {
    let (_atlas, client) = with(DedicatedPace::of(HOUR), |_| {}).await;
    let post = async |provider: &str, name: &str| {
        client.post(&services(), &json!({"providerName": provider, "region": name}).to_string()).await
    };
    for (provider, name, atlas_name, in_text) in [
        ("AZURE", "eastus2", "US_EAST_2", "Azure"),
        ("GCP", "us-central1", "CENTRAL_US", "GCP"),
        ("GCP", "US_EAST_4", "US_EAST_4", "GCP"),
    ] {
        let got = post(provider, name).await;
        assert_eq!((got.status, &got.json["regionName"]), (201, &json!(atlas_name)), "{name}");
        let again = post(provider, atlas_name).await;
        assert_eq!(
            again.json["detail"],
            format!("A private endpoint service already exists for {in_text} region {atlas_name}.")
        );
    }
    for (provider, name) in
        [("AZURE", "EU_WEST_1"), ("AZURE", "us-central1"), ("GCP", "eastus2"), ("GCP", "US_CENTRAL1")]
    {
        let got = post(provider, name).await;
        assert_eq!((got.status, got.code()), (400, "INVALID_ATTRIBUTE"), "{provider} {name}");
    }
}

#[tokio::test]
async fn a_path_with_another_provider_finds_nothing() {
    let (atlas, client) = with(DedicatedPace::of(HOUR), |_| {}).await;
    for PlacedEndpoint { place, endpoint, .. } in one_of_each() {
        let id = atlas.insert_service(DEFAULT_PROJECT, AtlasService::available(place.clone()));
        assert!(atlas.register_endpoint(&id, endpoint));
        assert_eq!(client.get(&service_of(place.provider, &id)).await.status, 200);
        assert_eq!(client.get(&endpoint_of(place.provider, &id, endpoint)).await.status, 200);
        for other in CloudProvider::ALL.into_iter().filter(|other| *other != place.provider) {
            for method in [Method::GET, Method::DELETE] {
                let got = client.call(method, &service_of(other, &id), None).await;
                assert_eq!(got.code(), "PRIVATE_ENDPOINT_SERVICE_NOT_FOUND", "{place:?} {other:?}");
            }
            let got = client.post(&endpoint_of(other, &id, ""), "{}").await;
            assert_eq!(got.code(), "PRIVATE_ENDPOINT_SERVICE_NOT_FOUND", "{place:?} {other:?}");
            let listed = client.get(&service_of(other, "")).await.text;
            assert!(!listed.contains(&id), "{listed}");
        }
    }
}

#[tokio::test]
async fn only_aws_has_remote_regions() {
    let (atlas, client) = with(DedicatedPace::of(HOUR), |_| {}).await;
    for PlacedEndpoint { place, .. } in one_of_each().into_iter().filter(|at| at.place.provider != Aws) {
        let provider = place.provider.name();
        let body = json!({"providerName": provider, "region": place.region, "supportedRemoteRegions": ["EU_WEST_1"]});
        let got = client.post(&services(), &body.to_string()).await;
        assert_eq!((got.status, got.code()), (400, "PROVIDER_UNSUPPORTED"));
        assert_eq!(got.json["parameters"], json!([provider]));
        let id = atlas.insert_service(DEFAULT_PROJECT, AtlasService::available(place));
        for named in [provider, "AWS"] {
            let body = json!({"cloudProvider": named, "supportedRemoteRegions": ["EU_WEST_1"]});
            let got = client.patch(&format!("{}/{id}", services()), &body.to_string()).await;
            assert_eq!((got.status, got.code()), (400, "PROVIDER_UNSUPPORTED"), "{named}");
        }
    }
}

#[tokio::test]
async fn the_last_endpoint_takes_its_service_where_its_provider_does_so() {
    type Set = fn(&mut Settings, LastEndpoint);
    let settings: [Set; 4] = [
        |settings, last| settings.dedicated.variants.last_endpoint = last,
        |settings, last| settings.dedicated.variants.azure.last_endpoint = last,
        |settings, last| settings.dedicated.variants.gcp.last_endpoint = last,
        |settings, last| settings.dedicated.variants.gcp.last_endpoint = last,
    ];
    for (PlacedEndpoint { place, endpoint, .. }, set) in one_of_each().into_iter().zip(settings) {
        for last in [LastEndpoint::TakesService, LastEndpoint::LeavesService] {
            let (atlas, client, id, _) =
                with_service_at(place.clone(), DedicatedPace::of(Duration::ZERO), |_| {}).await;
            // The others do the contrary.
            let contrary = match last {
                LastEndpoint::TakesService => LastEndpoint::LeavesService,
                _ => LastEndpoint::TakesService,
            };
            atlas.configure(|settings_now| {
                for other in settings {
                    other(settings_now, contrary);
                }
                set(settings_now, last);
            });
            assert!(atlas.register_endpoint(&id, endpoint));
            assert_eq!(client.delete(&endpoint_of(place.provider, &id, endpoint)).await.status, 202);
            let status = client.get(&service_of(place.provider, &id)).await.status;
            assert_eq!(status, if last == LastEndpoint::TakesService { 404 } else { 200 }, "{place:?}");
        }
    }
}

#[tokio::test]
async fn an_endpoint_may_stay_available_when_its_cloud_endpoint_is_deleted() {
    for PlacedEndpoint { place, endpoint, .. } in one_of_each() {
        let (atlas, _, id, _) = with_service_at(place.clone(), SOON, |settings| {
            settings.dedicated.variants.lost_vpc_endpoint = LostVpcEndpoint::StaysAvailable;
        })
        .await;
        let register = OthersAction::RegisterEndpoint(endpoint.to_owned());
        assert_eq!(atlas.others(DEFAULT_PROJECT, place.clone(), &register), Some(id.clone()));
        endpoint_is(&atlas, &id, endpoint, Some("AVAILABLE")).await;
        let collection = match place.provider {
            Aws => "vpc-endpoints",
            Azure => "private-endpoints",
            Gcp => "forwarding-rules",
        };
        let made = control(&atlas, Method::GET, &format!("/{collection}"), &Value::Null).await.json;
        for made in made.as_object().unwrap().keys() {
            assert!(atlas.delete_cloud_endpoint(made));
        }
        endpoint_is(&atlas, &id, endpoint, Some("AVAILABLE")).await;
        atlas.configure(|settings| settings.dedicated.variants.lost_vpc_endpoint = LostVpcEndpoint::Rejected);
        let refused = if place.provider == Aws { "REJECTED" } else { "FAILED" };
        endpoint_is(&atlas, &id, endpoint, Some(refused)).await;
    }
}

#[tokio::test]
async fn endpoints_of_all_clouds_count_for_the_one_region_of_a_project() {
    let (atlas, client) = with(DedicatedPace::of(HOUR), |_| {}).await;
    let insert = |place: ServicePlace| atlas.insert_service(DEFAULT_PROJECT, AtlasService::available(place));
    let aws = insert(ServicePlace::of(Aws, "US_EAST_2"));
    let azure = insert(ServicePlace::of(Azure, "US_EAST_2"));
    let mapped = insert(ServicePlace::port_mapped("US_EAST_4"));
    let of_azure = json!({"id": AZURE_ID, "privateEndpointIPAddress": "10.0.0.4"}).to_string();
    let rule = json!([{"endpointName": "rule", "ipAddress": "10.0.0.5"}]);
    let of_gcp =
        |name: &str| json!({"endpointGroupName": name, "gcpProjectId": "p", "endpoints": rule}).to_string();
    let add = async |provider: CloudProvider, id: &str, body: &str| {
        let got = client.post(&endpoint_of(provider, id, ""), body).await;
        (got.status, got.code().to_owned())
    };
    let restricted = (409, "MULTIPLE_PRIVATE_ENDPOINTS_RESTRICTED_TO_SINGLE_REGION".to_owned());
    // One in each of three regions, two of which have one name.
    assert_eq!(add(Aws, &aws, &vpc(VPC)).await.0, 201);
    assert_eq!(add(Azure, &azure, &of_azure).await.0, 201);
    assert_eq!(add(Gcp, &mapped, &of_gcp("a")).await.0, 201);
    assert_eq!(add(Gcp, &mapped, &of_gcp("b")).await, restricted);
    assert_eq!(add(Aws, &aws, &vpc(OTHER)).await, restricted);
    // Both architectures of one region are one region.
    let legacy = insert(ServicePlace::of(Gcp, "US_EAST_4"));
    let rules: Vec<_> =
        (0..6).map(|n| json!({"endpointName": format!("r{n}"), "ipAddress": "10.0.0.6"})).collect();
    let of_legacy = json!({"endpointGroupName": "c", "gcpProjectId": "p", "endpoints": rules}).to_string();
    assert_eq!(add(Gcp, &legacy, &of_legacy).await, restricted);
    assert!(atlas.remove_service(&aws) && atlas.remove_service(&azure));
    assert_eq!(add(Gcp, &legacy, &of_legacy).await.0, 201);
    let mode = format!("{}/regionalMode", base());
    let aws = insert(ServicePlace::of(Aws, "US_EAST_2"));
    assert_eq!(add(Aws, &aws, &vpc(VPC)).await, restricted);
    assert_eq!(client.patch(&mode, r#"{"enabled": true}"#).await.status, 202);
    assert_eq!(add(Aws, &aws, &vpc(VPC)).await.0, 201);
    assert_eq!(client.patch(&mode, r#"{"enabled": false}"#).await.status, 409);
}

#[tokio::test]
async fn a_cluster_shows_the_endpoints_of_its_regions_on_its_clouds() {
    let (atlas, client) = with(DedicatedPace::of(Duration::ZERO), |settings| {
        settings.dedicated.vpc_endpoints_exist = true;
        settings.dedicated.add_cluster(DEFAULT_PROJECT, "one", &["AZURE/US_EAST_2"]);
        settings.dedicated.add_cluster(DEFAULT_PROJECT, "two", &["US_EAST_2", "GCP/US_EAST_4"]);
    })
    .await;
    let strings = async |name: &str| {
        let got = client.get(&cluster().replace(DEFAULT_CLUSTER, name)).await.json;
        got["connectionStrings"]["privateEndpoint"].as_array().cloned().unwrap_or_default()
    };
    let ids = |entry: &Value| {
        let behind = entry["endpoints"].as_array().unwrap().iter();
        behind.map(|one| one["endpointId"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for (place, endpoint) in
        [(ServicePlace::of(Aws, "US_EAST_2"), VPC), (ServicePlace::of(Azure, "US_EAST_2"), AZURE_ID)]
    {
        let id = atlas.insert_service(DEFAULT_PROJECT, AtlasService::available(place));
        assert!(atlas.register_endpoint(&id, endpoint));
    }
    let one = strings("one").await;
    assert_eq!((one.len(), ids(&one[0])), (1, vec![AZURE_ID.to_owned()]));
    assert!(strings("two").await.is_empty());
    let mapped = atlas
        .insert_service(DEFAULT_PROJECT, AtlasService::available(ServicePlace::port_mapped("US_EAST_4")));
    assert!(atlas.register_endpoint(&mapped, "orders"));
    let two = strings("two").await;
    assert_eq!((two.len(), ids(&two[0])), (1, vec![VPC.to_owned(), "orders".to_owned()]));
    // Over several clouds the names stay the usual ones.
    assert_eq!(two[0]["srvConnectionString"], "mongodb+srv://two-pl-0.32b6e.mongodb.net");
    assert_eq!(strings(DEFAULT_CLUSTER).await.len(), 3);
}

#[tokio::test]
async fn the_control_api_makes_and_deletes_on_each_cloud() {
    let (atlas, client) = with(DedicatedPace::of(Duration::ZERO), |_| {}).await;
    let [aws, azure, _, mapped] = one_of_each();
    for (collection, PlacedEndpoint { place, endpoint, .. }) in
        [("vpc-endpoints", aws), ("private-endpoints", azure), ("forwarding-rules", mapped)]
    {
        let provider = place.provider;
        let body = json!({
            "project": DEFAULT_PROJECT, "provider": provider.name(), "region": place.region,
            "port_mapping": place.is_port_mapped,
        });
        let made = control(&atlas, Method::POST, "/services", &body).await.json;
        assert_eq!((&made["cloudProvider"], &made["status"]), (&json!(provider.name()), &json!("AVAILABLE")));
        let id = made["id"].as_str().unwrap();
        let target = atlas.service(id).unwrap().service_name().unwrap();
        let cloud_id = if provider == Gcp { RULE } else { endpoint };
        let cloud = json!({"id": cloud_id, "service_name": target});
        let made = control(&atlas, Method::POST, &format!("/{collection}"), &cloud).await;
        assert_eq!((made.status, &made.json["service_name"]), (200, &json!(target)), "{made:?}");
        let other = json!({"id": "eni-1", "service_name": target});
        assert_eq!(control(&atlas, Method::POST, &format!("/{collection}"), &other).await.status, 400);
        let body = match provider {
            Aws => json!({"id": endpoint}),
            Azure => json!({"id": endpoint, "privateEndpointIPAddress": "10.0.0.4"}),
            Gcp => json!({
                "endpointGroupName": endpoint, "gcpProjectId": "users",
                "endpoints": [{"endpointName": "rule", "ipAddress": "10.0.0.4"}],
            }),
        };
        assert_eq!(client.post(&endpoint_of(provider, id, ""), &body.to_string()).await.status, 201);
        let word = if provider == Aws { "connectionStatus" } else { "status" };
        let at = endpoint_of(provider, id, endpoint);
        assert_eq!(client.get(&at).await.json[word], "AVAILABLE");
        let listed = control(&atlas, Method::GET, &format!("/{collection}"), &Value::Null).await.json;
        assert_eq!(listed.as_object().unwrap().keys().collect::<Vec<_>>(), [&cloud_id]);
        let one = format!("/{collection}/{}", encoded(cloud_id));
        assert_eq!(control(&atlas, Method::DELETE, &one, &Value::Null).await.status, 200);
        assert_eq!(control(&atlas, Method::DELETE, &one, &Value::Null).await.status, 404);
        let refused = if provider == Aws { "REJECTED" } else { "FAILED" };
        assert_eq!(client.get(&at).await.json[word], refused);
        let edit = format!("/services/{id}/endpoints/{}", encoded(endpoint));
        let shown = control(&atlas, Method::PATCH, &edit, &json!({word: "PAUSED"})).await;
        assert_eq!((shown.status, &shown.json[word]), (200, &json!("PAUSED")));
        let read: AtlasEndpoint = serde_json::from_value(shown.json).unwrap();
        assert_eq!(read, atlas.registered_endpoints(id)[0]);
        let edit = format!("/services/{id}");
        let shown = control(&atlas, Method::PATCH, &edit, &json!({"status": "PAUSED"})).await;
        assert_eq!((shown.status, &shown.json["status"]), (200, &json!("PAUSED")));
        assert_eq!(atlas.service(id).unwrap().service_name(), Some(target));
    }
    let all = control(&atlas, Method::GET, "/services", &Value::Null).await.json;
    assert_eq!(serde_json::from_value::<Vec<ServiceCourse>>(all).unwrap(), atlas.service_courses());
    let lost = json!({"project": DEFAULT_PROJECT, "provider": "AZURE", "region": "eu-west-1"});
    assert_eq!(control(&atlas, Method::POST, "/services", &lost).await.status, 400);
}

#[tokio::test]
async fn others_act_on_each_cloud_with_its_phases() {
    let (atlas, client) = with(SOON, |_| {}).await;
    for PlacedEndpoint { place, endpoint, .. } in one_of_each() {
        let act = async |action: Value| {
            let body = json!({
                "project": DEFAULT_PROJECT, "provider": place.provider.name(), "region": place.region,
                "port_mapping": place.is_port_mapped, "action": action,
            });
            control(&atlas, Method::POST, "/others", &body).await
        };
        let id = act(json!("create_service")).await.json["service"].as_str().unwrap().to_owned();
        service_is(&atlas, &id, Some("AVAILABLE")).await;
        assert_eq!(act(json!("create_service")).await.status, 409);
        assert_eq!(act(json!({"register_endpoint": endpoint})).await.status, 200);
        endpoint_is(&atlas, &id, endpoint, Some("AVAILABLE")).await;
        assert_eq!(client.get(&endpoint_of(place.provider, &id, endpoint)).await.status, 200);
        assert_eq!(act(json!({"delete_endpoint": endpoint})).await.status, 200);
        service_is(&atlas, &id, None).await;
    }
}

#[tokio::test]
async fn endpoints_of_others_come_and_go_on_each_cloud() {
    for PlacedEndpoint { place, .. } in one_of_each() {
        let (atlas, _, id, _) = with_service_at(place.clone(), SOON, |settings| {
            let every = Duration::from_millis(60);
            settings.dedicated.others =
                OthersRhythm { every, stays: Duration::from_millis(90), same_id: false };
        })
        .await;
        until(&atlas, "one that came, was connected and went", |atlas| {
            let life = atlas.service_course(&id).unwrap();
            life.endpoints.iter().any(|one| {
                let connected = one.endpoint.points.iter().filter_map(|point| point.state.as_ref());
                let mut connected = connected.filter(|state| json!(state.status) == json!("AVAILABLE"));
                one.endpoint.gone_at().is_some() && connected.next().is_some()
            })
        })
        .await;
    }
}
