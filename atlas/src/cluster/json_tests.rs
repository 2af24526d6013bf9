//! Clusters as Atlas documents them (dedicated-domain §4), and malformed ones.

use serde_json::json;

use super::*;

#[test]
fn a_cluster_is_described_by_its_state_and_private_strings() {
    let described = cluster(&json!({
        "name": "orders", "stateName": "UPDATING",
        "connectionStrings": {
            "standardSrv": "mongodb+srv://orders.xxxx.mongodb.net",
            "awsPrivateLink": {"vpce-1": "mongodb://deprecated"},
            "privateEndpoint": [
                {"connectionString": "mongodb://a-pl-0.x.mongodb.net:1024,b-pl-0.x.mongodb.net:1025",
                 "srvConnectionString": "mongodb+srv://orders-pl-0.x.mongodb.net",
                 "srvShardOptimizedConnectionString": "mongodb+srv://orders-pl-0-lb.x.mongodb.net", "type": "MONGOS",
                 "endpoints": [{"endpointId": "vpce-1", "providerName": "AWS", "region": "US_EAST_1"}, {"endpointId": "vpce-2"}]},
                {"srvConnectionString": "mongodb+srv://orders-pl-1.x.mongodb.net", "endpoints": [{"endpointId": "vpce-3"}]},
                {"srvConnectionString": null, "connectionString": "", "endpoints": [{"endpointId": "vpce-4"}]},
            ]
        }
    }))
    .unwrap();
    assert_eq!(described.state_name, "UPDATING");
    let [both, srv] = &described.private_strings[..] else { panic!("{described:?}") };
    assert_eq!(both.endpoint_ids, ["vpce-1", "vpce-2"]);
    assert_eq!(both.kind, "MONGOS");
    let standard = "mongodb://a-pl-0.x.mongodb.net:1024,b-pl-0.x.mongodb.net:1025";
    assert_eq!(both.standard.as_deref(), Some(standard));
    assert_eq!(both.srv_shard_optimized.as_deref(), Some("mongodb+srv://orders-pl-0-lb.x.mongodb.net"));
    assert_eq!((srv.kind.as_str(), &srv.standard, &srv.srv_shard_optimized), ("", &None, &None));
    assert_eq!(srv.srv.as_deref(), Some("mongodb+srv://orders-pl-1.x.mongodb.net"));
}

#[test]
fn a_cluster_may_have_no_private_string_yet() {
    let bare = ClusterDescription { state_name: String::new(), private_strings: Vec::new() };
    for body in
        [json!({}), json!({"connectionStrings": {}}), json!({"connectionStrings": {"privateEndpoint": null}})]
    {
        assert_eq!(cluster(&body).unwrap(), bare);
    }
    for bad in [json!([]), json!(null), json!("x")] {
        assert!(cluster(&bad).is_err(), "{bad}");
    }
}

#[test]
fn a_long_string_is_kept_whole_and_one_that_cannot_be_is_an_error() {
    let described = |text: &str| {
        let entry = json!({"connectionString": text, "endpoints": []});
        cluster(&json!({"connectionStrings": {"privateEndpoint": [entry]}}))
    };
    let nodes: Vec<_> =
        (0..50).map(|n| format!("orders-shard-00-{n:02}-pl-0.xxxxx.mongodb.net:{}", 1024 + n)).collect();
    let long = format!("mongodb://{}/?ssl=true", nodes.join(","));
    assert!(long.len() > domain::text::MAX_BYTES);
    assert_eq!(described(&long).unwrap().private_strings[0].standard.as_deref(), Some(long.as_str()));
    for bad in ["mongodb://a\u{202e}b", "mongodb://a\nb", &"x".repeat(MAX_STRING_BYTES + 1)] {
        assert!(described(bad).is_err());
    }
}
