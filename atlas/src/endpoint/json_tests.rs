//! Bodies as Atlas documents them (dedicated-domain §1.2), and malformed ones.

use super::*;

#[test]
fn an_endpoint_has_the_fields_of_its_provider() {
    let azure = "/subscriptions/1/resourceGroups/2/providers/Microsoft.Network/privateEndpoints/3";
    for (provider, body, id, status) in [
        (
            Provider::Aws,
            json!({"interfaceEndpointId": "vpce-0df793f9c89c24a3b", "deleteRequested": false,
                   "connectionStatus": "PENDING_ACCEPTANCE", "status": "AVAILABLE"}),
            "vpce-0df793f9c89c24a3b",
            ConnectionStatus::PendingAcceptance,
        ),
        (
            Provider::Azure,
            json!({"cloudProvider": "AZURE", "privateEndpointResourceId": azure, "privateEndpointIPAddress": "10.0.0.1",
                   "privateEndpointConnectionName": null, "status": "FAILED"}),
            azure,
            ConnectionStatus::Failed,
        ),
        // As recorded: without a status.
        (
            Provider::Azure,
            json!({"privateEndpointResourceId": azure, "privateEndpointIPAddress": "10.0.0.1", "deleteRequested": false}),
            azure,
            ConnectionStatus::Other(String::new()),
        ),
        (
            Provider::Gcp,
            json!({"cloudProvider": "GCP", "endpointGroupName": "group", "gcpProjectId": "p", "status": "VERIFIED",
                   "endpoints": [{"endpointName": "rule", "ipAddress": "10.0.0.1", "status": "INITIATING"}]}),
            "group",
            ConnectionStatus::Verified,
        ),
    ] {
        let found = endpoint(&body, provider, &[]).unwrap();
        let expected = RegisteredEndpoint {
            id: id.parse().unwrap(),
            status,
            is_delete_requested: false,
            error_message: None,
        };
        assert_eq!(found, expected);
        for other in Provider::ALL.into_iter().filter(|other| *other != provider) {
            assert!(endpoint(&body, other, &[]).is_err(), "{provider} for {other}");
        }
    }
}

#[test]
fn every_field_but_the_id_may_be_absent_null_or_of_another_type() {
    let bare = endpoint(&json!({"interfaceEndpointId": "vpce-0a"}), Provider::Aws, &[]).unwrap();
    let odd = json!({
        "interfaceEndpointId": "vpce-0a", "cloudProvider": null, "connectionStatus": 7, "errorMessage": {},
        "deleteRequested": null, "later": [1],
    });
    assert_eq!(endpoint(&odd, Provider::Aws, &[]).unwrap(), bare);
    let leaving = json!({
        "interfaceEndpointId": "vpce-0a", "connectionStatus": "DELETING", "deleteRequested": true,
        "errorMessage": "Interface endpoint vpce-0a\r\nwas not found.",
    });
    let leaving = endpoint(&leaving, Provider::Aws, &[]).unwrap();
    assert_eq!((leaving.status, leaving.is_delete_requested), (ConnectionStatus::Deleting, true));
    assert_eq!(leaving.error_message.as_deref(), Some("Interface endpoint vpce-0a was not found."));
}

#[test]
fn an_endpoint_without_a_valid_id_is_an_error() {
    for bad in [
        json!({}),
        json!(null),
        json!("vpce-0a"),
        json!({"id": "vpce-0a"}),
        json!({"interfaceEndpointId": null}),
        json!({"interfaceEndpointId": ".."}),
        json!({"interfaceEndpointId": "vpce-0a\u{200b}"}),
        json!({"interfaceEndpointId": "vpce-0a", "cloudProvider": "GCP"}),
    ] {
        assert!(endpoint(&bad, Provider::Aws, &[]).is_err(), "{bad}");
    }
}

#[test]
fn a_body_holds_what_the_provider_needs() {
    for (new, expected) in [
        (NewEndpoint::Aws { id: "vpce-0a".parse().unwrap() }, json!({"id": "vpce-0a"})),
        (
            NewEndpoint::Azure { id: "/s/1".parse().unwrap(), ip_address: "10.0.0.1".to_owned() },
            json!({"id": "/s/1", "privateEndpointIPAddress": "10.0.0.1"}),
        ),
        (
            NewEndpoint::Gcp {
                group_name: "rule".parse().unwrap(),
                project_id: "users-project".to_owned(),
                endpoints: vec![ForwardingRule {
                    name: "rule".to_owned(),
                    ip_address: "10.0.0.1".to_owned(),
                }],
            },
            json!({"endpointGroupName": "rule", "gcpProjectId": "users-project",
                   "endpoints": [{"endpointName": "rule", "ipAddress": "10.0.0.1"}]}),
        ),
    ] {
        assert_eq!(serde_json::from_slice::<Value>(&creation(&new)).unwrap(), expected);
    }
}
