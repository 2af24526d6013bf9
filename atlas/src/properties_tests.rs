//! Checks the properties on random input: text of significant words, JSON of significant fields.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, json};

use super::*;

/// The seeds that the fuzzer keeps for `target`.
fn seeds_hold(target: &str, check: fn(&[u8])) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let seeds: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!seeds.is_empty(), "there is no seed in {}", folder.display());
    for seed in seeds {
        let bytes = std::fs::read(&seed).unwrap();
        assert!(std::panic::catch_unwind(|| check(&bytes)).is_ok(), "{} breaks it", seed.display());
    }
}

#[test]
fn the_seeds_hold() {
    seeds_hold("challenge", challenge);
    seeds_hold("dedicated_response", dedicated::response);
    seeds_hold("response", response);
    seeds_hold("shown", shown);
    seeds_hold("waiting", waiting);
}

/// Joins up to `most` of these words and of any others, without separators.
fn made_of(words: &'static [&'static str], most: usize) -> impl Strategy<Value = String> {
    vec(prop_oneof![8 => select(words).prop_map(str::to_owned), 1 => any::<String>()], 0..most)
        .prop_map(|words| words.concat())
}

const CHALLENGE: &[&str] = &[
    "Digest ",
    "digest\t",
    "Basic ",
    "Bearer",
    "realm",
    "nonce",
    "qop",
    "algorithm",
    "stale",
    "opaque",
    "=",
    "\"",
    "\\",
    ",",
    " ",
    "\n",
    "auth",
    "auth-int",
    "MD5",
    "SHA-256",
    "-sess",
    "true",
    "é",
    "漢",
    "==",
    "\"a\"",
    "realm=\"r\"",
    "nonce=\"n\"",
    "nonce=n,",
];

const TEXT: &[&str] = &[
    "hunter2-hunter2",
    "two",
    " ",
    "words",
    "  ",
    "\t",
    "\u{200b}",
    "[hidden]",
    "ä",
    "\r\n",
    "x",
    "YWJjZGVmZ2g6",
];

const DATES: &[&str] = &[
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "Thu, 31 Dec 2099 23:59:60 GMT",
    "Sunday, 06-Nov-94 08:49:37 GMT",
    "Sun Nov  6 08:49:37 1994",
    "0",
    "1",
    "3600",
    "18446744073709551616",
    " ",
    "-",
    "+",
    ".",
    "GMT",
    "٣",
];

/// One endpoint: significant fields, each valid, null, of another type, or absent; and some unknown ones.
fn an_endpoint() -> impl Strategy<Value = Value> {
    let id = prop_oneof![
        6 => any::<u64>().prop_map(|n| json!(format!("{n:024x}"))),
        1 => a_value(),
    ];
    let names =
        ["status", "comment", "endpointServiceName", "cloudProviderEndpointId", "errorMessage", "unknown"];
    let field = (select(names.to_vec()), a_value());
    (id, vec(field, 0..8)).prop_map(|(id, fields)| {
        let mut endpoint: Map<String, Value> =
            fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        endpoint.insert("_id".to_owned(), id);
        Value::Object(endpoint)
    })
}

/// One service, endpoint or cluster of dedicated clusters, likewise.
fn a_service() -> impl Strategy<Value = Value> {
    let id = prop_oneof![
        6 => any::<u64>().prop_map(|n| json!(format!("{n:024x}"))),
        1 => a_value(),
    ];
    let names = [
        "status",
        "regionName",
        "cloudProvider",
        "errorMessage",
        "endpointServiceName",
        "connectionStatus",
        "deleteRequested",
        "privateLinkServiceName",
        "portMappingEnabled",
    ];
    let lists = [
        "interfaceEndpoints",
        "privateEndpoints",
        "endpointGroupNames",
        "supportedRemoteRegions",
        "serviceAttachmentNames",
    ];
    let strings = ["connectionString", "srvConnectionString", "type", "endpoints"];
    let field = (select(names.to_vec()), a_value());
    let list = (select(lists.to_vec()), vec(a_value(), 0..2));
    let string = (select(strings.to_vec()), a_value());
    (id, vec(field, 0..6), vec(list, 0..3), vec(string, 0..3)).prop_map(|(id, fields, lists, strings)| {
        let object = |fields: Vec<(&str, Value)>| -> Map<String, Value> {
            fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
        };
        let mut service = object(fields);
        service.extend(lists.into_iter().map(|(name, list)| (name.to_owned(), json!(list))));
        service.insert("id".to_owned(), id);
        service.insert("interfaceEndpointId".to_owned(), json!("vpce-0a"));
        service.insert("connectionStrings".to_owned(), json!({"privateEndpoint": [object(strings)]}));
        Value::Object(service)
    })
}

fn a_value() -> impl Strategy<Value = Value> {
    let words =
        select(vec!["AVAILABLE", "DELETING", "", "hunter2-hunter2", "a\u{1b}[31m\nb", "VERSION_GONE"]);
    prop_oneof![
        4 => words.prop_map(|word| json!(word)),
        1 => Just(Value::Null),
        1 => any::<i64>().prop_map(|n| json!(n)),
        1 => any::<String>().prop_map(|text| json!(text)),
        1 => vec(any::<bool>(), 0..3).prop_map(|all| json!(all)),
        1 => any::<bool>().prop_map(|yes| json!({ "x": yes })),
    ]
}

/// A status and JSON, in the form in which `response` reads them.
fn a_response() -> impl Strategy<Value = (u16, Value)> {
    let status = prop_oneof![
        select(vec![200_u16, 201, 204, 400, 401, 403, 404, 405, 409, 410, 429, 500, 502, 503]),
        0_u16..1280,
    ];
    let codes = vec![
        "VERSION_GONE",
        "SERVERLESS_INSTANCE_NOT_FOUND",
        "TENANT_PRIVATE_ENDPOINT_NOT_FOUND",
        "NOT_SERVERLESS_TENANT_CLUSTER",
        "GROUP_NOT_FOUND",
        "PRIVATE_ENDPOINT_SERVICE_NOT_FOUND",
        "PRIVATELINK_INTERFACE_ENDPOINT_NOT_FOUND",
        "",
        "hunter2-hunter2",
        "invalid_client",
    ];
    let error = (select(codes), a_value(), a_value(), a_value()).prop_map(|(code, detail, reason, parameter)| {
        json!({
            "errorCode": code, "error": code, "detail": detail, "reason": reason, "parameters": [parameter],
            "badRequestDetail": {"fields": [{"field": detail, "description": reason}]},
        })
    });
    let body = prop_oneof![
        4 => vec(an_endpoint(), 0..4).prop_map(Value::Array),
        2 => (vec(an_endpoint(), 0..3), a_value()).prop_map(|(all, total)| json!({"results": all, "totalCount": total})),
        3 => an_endpoint(),
        3 => vec(a_service(), 0..3).prop_map(Value::Array),
        3 => a_service(),
        4 => error,
        1 => a_value(),
    ];
    let wrapped = (body, select(vec![None, Some("envelope"), Some("content")]), status.clone()).prop_map(
        |(body, key, status)| match key {
            Some(key) => json!({"status": status, key: body}),
            None => body,
        },
    );
    (status, wrapped)
}

fn as_bytes(status: u16, body: &str) -> Vec<u8> {
    let status = [u8::try_from(status / 5).unwrap_or(0), u8::try_from(status % 5).unwrap_or(0)];
    [&status, body.as_bytes()].concat()
}

fn listed(body: &[u8]) -> Result<Vec<domain::serverless::endpoint::Endpoint>, String> {
    let opened = response::open(RawResponse::of(200, body));
    if opened.is_success() { json::endpoints(opened.json()?, &[]) } else { Err("no success".to_owned()) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_challenge_is_responded_to_or_refused(text in made_of(CHALLENGE, 30)) {
        challenge(text.as_bytes());
    }

    #[test]
    fn any_response_is_parsed_or_an_error_that_can_be_shown((status, body) in a_response()) {
        let bytes = as_bytes(status, &body.to_string());
        response(&bytes);
        dedicated::response(&bytes);
    }

    #[test]
    fn any_bytes_are_understood_or_an_error_that_can_be_shown(bytes in vec(any::<u8>(), 0..300)) {
        response(&bytes);
        dedicated::response(&bytes);
    }

    #[test]
    fn no_text_shows_a_secret(how in 0_u8..3, text in made_of(TEXT, 40)) {
        shown(&[&[how], text.as_bytes()].concat());
    }

    #[test]
    fn no_server_silences_the_operator_for_more_than_an_hour(now in any::<u64>(), value in made_of(DATES, 4)) {
        waiting(&[&now.to_be_bytes(), value.as_bytes()].concat());
    }

    #[test]
    fn a_listing_cut_anywhere_is_no_listing(all in vec(an_endpoint(), 0..4), paged: bool, at in any::<prop::sample::Index>()) {
        let whole = if paged { json!({ "results": all }) } else { Value::Array(all) }.to_string();
        let cut = at.index(whole.len());
        prop_assert!(listed(&whole.as_bytes()[..cut]).is_err());
    }

    #[test]
    fn an_envelope_and_a_page_and_unknown_fields_change_nothing(all in vec(an_endpoint(), 0..4)) {
        let bare = Value::Array(all.clone());
        let expected = listed(bare.to_string().as_bytes());
        let mut known_only = all.clone();
        for endpoint in &mut known_only {
            let fields = endpoint.as_object_mut().unwrap();
            fields.remove("unknown");
            // A field that is null, or no text, is absent.
            fields.retain(|_, value| value.is_string());
        }
        for same in [
            json!({ "results": all }),
            json!({"status": 200, "results": all}),
            json!({"status": 200, "envelope": all}),
            json!({"status": 200, "content": {"results": all, "totalCount": all.len()}}),
            json!(known_only),
        ] {
            prop_assert_eq!(&listed(same.to_string().as_bytes()), &expected, "{}", same);
        }
    }
}
