//! The control API for dedicated clusters.

use atlas_simulator::{DEFAULT_PROJECT, DedicatedPace, ServiceCourse};
use serde_json::{Value, json};

use super::*;
use crate::support::got;

async fn control(atlas: &Simulator, method: Method, path: &str, body: &Value) -> Got {
    let client = TestClient::new(atlas);
    let text = (!body.is_null()).then(|| body.to_string());
    got(client.raw(method, &format!("/control{path}"), None, text.as_deref()).await.unwrap()).await.unwrap()
}

#[tokio::test]
async fn others_and_the_user_act_by_control_requests() {
    let (atlas, client) = with(DedicatedPace::of(Duration::ZERO), |_| {}).await;
    let made = json!({"project": DEFAULT_PROJECT, "region": "us-east-1"});
    let made = control(&atlas, Method::POST, "/services", &made).await.json;
    assert_eq!((&made["regionName"], &made["status"]), (&json!("US_EAST_1"), &json!("AVAILABLE")));
    let id = made["id"].as_str().unwrap();
    let name = made["endpointServiceName"].as_str().unwrap();
    let cloud = json!({"id": VPC, "service_name": name});
    assert_eq!(control(&atlas, Method::POST, "/vpc-endpoints", &cloud).await.json["region"], "US_EAST_1");
    let endpoints = format!("/services/{id}/endpoints");
    assert_eq!(control(&atlas, Method::POST, &endpoints, &json!({"id": VPC})).await.status, 200);
    assert_eq!(control(&atlas, Method::POST, &endpoints, &json!({"id": VPC})).await.status, 409);
    assert_eq!(client.get(&endpoint(id, VPC)).await.json["connectionStatus"], "AVAILABLE");
    assert_eq!(
        control(&atlas, Method::DELETE, &format!("/vpc-endpoints/{VPC}"), &Value::Null).await.status,
        200
    );
    assert_eq!(client.get(&endpoint(id, VPC)).await.json["connectionStatus"], "REJECTED");
    let one = format!("{endpoints}/{VPC}");
    let word = json!({"connectionStatus": "VERIFIED"});
    assert_eq!(control(&atlas, Method::PATCH, &one, &word).await.status, 200);
    assert_eq!(client.get(&endpoint(id, VPC)).await.json["connectionStatus"], "VERIFIED");
    assert_eq!(
        control(&atlas, Method::POST, &format!("{one}/deviations"), &json!("stalls")).await.status,
        200
    );
    assert_eq!(control(&atlas, Method::DELETE, &one, &Value::Null).await.status, 200);
    assert_eq!(client.get(&service(id)).await.status, 404, "the last endpoint took it");
    let all = control(&atlas, Method::GET, "/services", &Value::Null).await.json;
    assert_eq!(serde_json::from_value::<Vec<ServiceCourse>>(all).unwrap(), atlas.service_courses());
    for path in [format!("/services/{id}"), one, "/vpc-endpoints/vpce-1".to_owned()] {
        let missing = control(&atlas, Method::DELETE, &path, &Value::Null).await;
        assert!(missing.status == 404 && missing.text.contains("lists them"), "{missing:?}");
    }
    let settings =
        json!({"dedicated": {"variants": {"last_endpoint": "leaves_service"}, "pace": {"creating": 5}}});
    assert_eq!(control(&atlas, Method::PATCH, "/settings", &settings).await.status, 200);
    assert_eq!(atlas.settings().dedicated.pace.creating, Duration::from_secs(5));
    assert!(control(&atlas, Method::GET, "", &Value::Null).await.text.contains("/control/vpc-endpoints"));
}
