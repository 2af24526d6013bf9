//! Bodies as Atlas sent them (dedicated-domain §1.1), and malformed ones.

use super::*;

const ID: &str = "6a793f68c0eb9e7a17715835";

fn recorded(provider: Provider) -> Value {
    match provider {
        Provider::Aws => json!({
            "cloudProvider": "AWS", "endpointServiceName": null, "errorMessage": null, "id": ID, "interfaceEndpoints": [],
            "regionName": "EU_WEST_1", "status": "INITIATING", "supportedRemoteRegions": null
        }),
        Provider::Azure => json!({
            "cloudProvider": "AZURE", "errorMessage": null, "id": ID, "privateEndpoints": [], "privateLinkServiceName": null,
            "privateLinkServiceResourceId": null, "regionName": "ASIA_SOUTH_EAST", "status": "INITIATING"
        }),
        Provider::Gcp => json!({
            "cloudProvider": "GCP", "endpointGroupNames": [], "errorMessage": null, "id": ID, "portMappingEnabled": false,
            "regionName": "US_EAST_4", "serviceAttachmentNames": [], "status": "INITIATING"
        }),
    }
}

fn with(mut service: Value, fields: Value) -> Value {
    let Value::Object(fields) = fields else { panic!("{fields}") };
    service.as_object_mut().unwrap().extend(fields);
    service
}

#[test]
fn the_recorded_responses_to_a_post_are_services_of_their_provider_alone() {
    for (provider, expected_region, expected) in [
        (
            Provider::Aws,
            "EU_WEST_1",
            ServiceTarget::Aws { endpoint_service_name: None, supported_remote_regions: BTreeSet::new() },
        ),
        (
            Provider::Azure,
            "ASIA_SOUTH_EAST",
            ServiceTarget::Azure { private_link_service_name: None, private_link_service_resource_id: None },
        ),
        (
            Provider::Gcp,
            "US_EAST_4",
            ServiceTarget::Gcp { service_attachment_names: Vec::new(), is_port_mapped: false },
        ),
    ] {
        let found = service(&recorded(provider), provider, &[]).unwrap();
        assert_eq!((found.id.as_str(), &found.status), (ID, &ServiceStatus::Initiating));
        assert_eq!(found.region.unwrap().as_str(), expected_region);
        assert_eq!((found.error_message, found.endpoint_ids), (None, Vec::new()));
        assert_eq!((found.target.provider(), &found.target), (provider, &expected));
        for other in Provider::ALL.into_iter().filter(|other| *other != provider) {
            assert!(service(&recorded(provider), other, &[]).is_err(), "{provider} for {other}");
        }
    }
}

#[test]
fn an_available_service_has_its_names_and_its_endpoints() {
    let aws = with(
        recorded(Provider::Aws),
        json!({
            "endpointServiceName": "com.amazonaws.vpce.eu-west-1.vpce-svc-0667f4ca6f4a2bbc8", "status": "AVAILABLE",
            "interfaceEndpoints": ["vpce-0a", "vpce-0b"], "supportedRemoteRegions": ["US_EAST_1", "eu-north-1"],
        }),
    );
    let found = service(&aws, Provider::Aws, &[]).unwrap();
    assert_eq!(found.status, ServiceStatus::Available);
    assert_eq!(found.endpoint_ids, ["vpce-0a", "vpce-0b"]);
    let ServiceTarget::Aws { endpoint_service_name, supported_remote_regions } = found.target else {
        panic!()
    };
    assert_eq!(
        endpoint_service_name.as_deref(),
        Some("com.amazonaws.vpce.eu-west-1.vpce-svc-0667f4ca6f4a2bbc8")
    );
    let regions: Vec<_> = supported_remote_regions.iter().map(Region::as_str).collect();
    assert_eq!(regions, ["EU_NORTH_1", "US_EAST_1"]);

    let azure = with(
        recorded(Provider::Azure),
        json!({"privateLinkServiceName": "pls_1", "privateLinkServiceResourceId": "/subscriptions/1",
               "privateEndpoints": ["/subscriptions/2"]}),
    );
    let found = service(&azure, Provider::Azure, &[]).unwrap();
    assert_eq!(found.endpoint_ids, ["/subscriptions/2"]);
    let expected = ServiceTarget::Azure {
        private_link_service_name: Some("pls_1".to_owned()),
        private_link_service_resource_id: Some("/subscriptions/1".to_owned()),
    };
    assert_eq!(found.target, expected);

    let attachment = "projects/p-1/regions/us-east4/serviceAttachments/sa-us-east4-1-0";
    let gcp = with(
        recorded(Provider::Gcp),
        json!({"serviceAttachmentNames": [attachment], "endpointGroupNames": ["group"], "portMappingEnabled": true}),
    );
    let found = service(&gcp, Provider::Gcp, &[]).unwrap();
    assert_eq!(found.endpoint_ids, ["group"]);
    let expected =
        ServiceTarget::Gcp { service_attachment_names: vec![attachment.to_owned()], is_port_mapped: true };
    assert_eq!(found.target, expected);
}

#[test]
fn every_field_but_the_id_may_be_absent_null_or_of_another_type() {
    for provider in Provider::ALL {
        let bare = service(&json!({ "id": ID }), provider, &[]).unwrap();
        let odd = json!({
            "id": ID, "cloudProvider": null, "regionName": null, "status": 7, "errorMessage": [], "endpointServiceName": "",
            "interfaceEndpoints": null, "privateEndpoints": null, "endpointGroupNames": null, "supportedRemoteRegions": null,
            "privateLinkServiceName": {}, "serviceAttachmentNames": null, "portMappingEnabled": "true", "later": {"added": true},
        });
        assert_eq!(service(&odd, provider, &[]).unwrap(), bare);
        assert_eq!((bare.region, bare.status), (None, ServiceStatus::Other(String::new())));
    }
    let status = |word: &str| {
        let json = with(recorded(Provider::Aws), json!({ "status": word }));
        service(&json, Provider::Aws, &[]).unwrap().status
    };
    assert_eq!(status("WAITING_FOR_USER"), ServiceStatus::WaitingForUser);
    assert_eq!(status("PENDING_RECREATION").as_str(), "PENDING_RECREATION");
    assert_eq!(status("AVAILABLE\u{200b}").as_str(), "AVAILABLE\u{fffd}", "no repaired word is a known one");
}

#[test]
fn a_service_that_would_be_another_or_a_shorter_one_is_an_error_and_so_is_its_listing() {
    for bad in [
        json!({ "id": null }),
        json!({ "id": 5 }),
        json!({ "id": "../groups" }),
        json!({ "id": format!("{ID}\u{200b}") }),
        json!({ "regionName": "EU WEST" }),
        json!({ "cloudProvider": "GCP" }),
        json!({ "interfaceEndpoints": "vpce-0a" }),
        json!({ "interfaceEndpoints": [null] }),
        json!({ "interfaceEndpoints": [{"id": "vpce-0a"}] }),
        json!({ "supportedRemoteRegions": ["US_EAST_1", 1] }),
        json!({ "supportedRemoteRegions": ["US EAST"] }),
    ] {
        let bad = with(recorded(Provider::Aws), bad);
        assert!(service(&bad, Provider::Aws, &[]).is_err(), "{bad}");
        assert!(services(&json!([recorded(Provider::Aws), bad]), Provider::Aws, &[]).is_err());
    }
    for bad in [json!({}), json!(null), json!("x"), recorded(Provider::Aws)] {
        assert!(services(&bad, Provider::Aws, &[]).is_err(), "{bad}");
    }
}

#[test]
fn a_listing_is_a_bare_array_or_has_results_and_is_never_a_part() {
    let listed = |json: Value| services(&json, Provider::Aws, &[]);
    assert_eq!(listed(json!([])).unwrap(), []);
    assert_eq!(listed(json!([recorded(Provider::Aws)])).unwrap().len(), 1);
    assert_eq!(listed(json!({"results": [recorded(Provider::Aws)], "totalCount": 1})).unwrap().len(), 1);
    let part = listed(json!({"results": [], "totalCount": 2})).unwrap_err();
    assert_eq!(part, "the response holds only 0 of 2 endpoint services");
}

#[test]
fn no_text_of_a_service_is_unfit_or_longer_than_a_kibibyte() {
    let text = format!("x\u{1b}]0;owned\u{7}\r\n\u{202e}{}", "y".repeat(100_000));
    let raw = with(
        recorded(Provider::Aws),
        json!({"status": text, "errorMessage": text, "endpointServiceName": text, "interfaceEndpoints": [text]}),
    );
    let found = service(&raw, Provider::Aws, &[]).unwrap();
    let ServiceTarget::Aws { endpoint_service_name, .. } = &found.target else { panic!() };
    for shown in [
        found.status.as_str(),
        found.error_message.as_deref().unwrap(),
        endpoint_service_name.as_deref().unwrap(),
        &found.endpoint_ids[0],
    ] {
        assert!(shown.starts_with('x') && shown.len() <= domain::text::MAX_BYTES, "{shown}");
        assert!(!shown.chars().any(domain::text::is_unfit), "{shown:?}");
    }
}

#[test]
fn a_body_names_the_provider_and_the_region_as_atlas_spells_it() {
    use domain::dedicated::service::ProviderServices;
    let key = |provider, is_port_mapped| ServiceKey {
        services: ProviderServices { project: ID.parse().unwrap(), provider },
        region: "eu-west-1".parse().unwrap(),
        is_port_mapped,
    };
    let regions = |names: &[&str]| names.iter().map(|region| region.parse().unwrap()).collect();
    let (none, one): (BTreeSet<Region>, BTreeSet<Region>) = (BTreeSet::new(), regions(&["us-east-1"]));
    let remote: BTreeSet<Region> = regions(&["us-east-1", "EU_NORTH_1"]);
    for (body, expected) in [
        (creation(&key(Provider::Aws, false), &none), r#"{"providerName":"AWS","region":"EU_WEST_1"}"#),
        (
            creation(&key(Provider::Aws, false), &remote),
            r#"{"providerName":"AWS","region":"EU_WEST_1","supportedRemoteRegions":["EU_NORTH_1","US_EAST_1"]}"#,
        ),
        (creation(&key(Provider::Azure, false), &none), r#"{"providerName":"AZURE","region":"EU_WEST_1"}"#),
        (
            creation(&key(Provider::Gcp, true), &none),
            r#"{"portMappingEnabled":true,"providerName":"GCP","region":"EU_WEST_1"}"#,
        ),
        (change(Provider::Aws, &none), r#"{"cloudProvider":"AWS","supportedRemoteRegions":[]}"#),
        (change(Provider::Aws, &one), r#"{"cloudProvider":"AWS","supportedRemoteRegions":["US_EAST_1"]}"#),
    ] {
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body, serde_json::from_str::<Value>(expected).unwrap());
    }
}
