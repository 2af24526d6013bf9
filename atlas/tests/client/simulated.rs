//! The client against the simulator: an oracle that was written from the documentation alone, and shares no code with it.

use std::time::Duration;

use atlas::{ApiVersion, Client, ClientSettings, Credentials, DeleteOutcome, Transport, Update, WriteResult};
use atlas_simulator as sim;
use atlas_simulator::{Algorithm, ChallengeForm, Settings, Simulator};
use domain::fault::FaultKind;
use domain::serverless::endpoint::{Endpoint, EndpointStatus, Instance};
use futures::future::join_all;

use super::script::{Records, client_of};

pub(crate) fn at() -> Instance {
    Instance { project: sim::DEFAULT_PROJECT.parse().unwrap(), name: sim::DEFAULT_INSTANCE.parse().unwrap() }
}

pub(crate) fn api_key() -> Credentials {
    Credentials::key(sim::DEFAULT_PUBLIC_KEY, sim::DEFAULT_PRIVATE_KEY).unwrap()
}

fn account() -> Credentials {
    Credentials::service_account(sim::DEFAULT_CLIENT_ID, sim::DEFAULT_CLIENT_SECRET).unwrap()
}

pub(crate) fn client(
    atlas: &Simulator,
    credentials: Credentials,
    adjust: impl FnOnce(&mut ClientSettings),
) -> Client {
    let mut settings = ClientSettings {
        base_url: atlas.url(),
        timeout: Duration::from_secs(20),
        ..ClientSettings::default()
    };
    adjust(&mut settings);
    Client::new(Transport::new(settings, Records::default().observer()).unwrap(), credentials)
}

pub(crate) async fn created(client: &Client, comment: &str) -> Endpoint {
    match client.create(&at(), comment, || true).await {
        WriteResult::Executed(endpoint) => endpoint,
        other => panic!("{other:?}"),
    }
}

/// Polls until the endpoint has this status.
async fn until(client: &Client, endpoint: &Endpoint, status: &EndpointStatus) -> Endpoint {
    loop {
        let listed = client.list(&at()).await.unwrap().endpoints;
        let found = listed.into_iter().find(|listed| listed.id == endpoint.id);
        if let Some(reached) = found.filter(|found| found.status == *status) {
            return reached;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// From no endpoint to AVAILABLE to deleted, through all five operations.
async fn live_a_life(client: &Client) {
    assert_eq!(client.list(&at()).await.unwrap().endpoints, []);
    let endpoint = created(client, "orders").await;
    assert_eq!(client.list(&at()).await.unwrap().endpoints[0].id, endpoint.id);
    let reserved = until(client, &endpoint, &EndpointStatus::Reserved).await;
    assert!(reserved.service_name.is_some());
    let update = Update {
        comment: Some("other".to_owned()),
        cloud_provider_endpoint_id: Some("vpce-0a1b2c3d4e5f60718".parse().unwrap()),
    };
    client.update(&at(), &endpoint.id, &update).await.unwrap();
    let available = until(client, &endpoint, &EndpointStatus::Available).await;
    assert_eq!(
        (available.comment.as_str(), available.vpc_endpoint_id.as_deref()),
        ("other", Some("vpce-0a1b2c3d4e5f60718"))
    );
    let connection = &client.instance(&at()).await.unwrap().private_connections[0];
    assert_eq!(connection.vpc_endpoint_ids, ["vpce-0a1b2c3d4e5f60718"]);
    assert!(connection.srv_connection_string.starts_with("mongodb+srv://"));
    assert_eq!(client.delete(&at(), &endpoint.id).await.unwrap(), DeleteOutcome::Accepted);
    while !client.list(&at()).await.unwrap().endpoints.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(client.delete(&at(), &endpoint.id).await.unwrap(), DeleteOutcome::NotFound);
}

fn quick() -> Settings {
    Settings::at_pace(sim::Pace::of(Duration::from_millis(30)))
}

#[tokio::test]
async fn an_endpoint_lives_its_life_in_both_dialects_and_with_both_kinds_of_credentials() {
    for api_version in [ApiVersion::V1, ApiVersion::V2] {
        for credentials in [api_key(), account()] {
            for (pretty, envelope) in [(false, false), (true, true)] {
                let atlas = Simulator::start(quick()).await.unwrap();
                live_a_life(&client(&atlas, credentials.clone(), |settings| {
                    (settings.api_version, settings.pretty, settings.envelope) =
                        (api_version, pretty, envelope);
                }))
                .await;
                assert!(atlas.journal().iter().filter(|entry| entry.challenged.is_some()).count() <= 1);
            }
        }
    }
}

#[tokio::test]
async fn every_wording_and_algorithm_of_digest_takes_one_challenge() {
    let forms = [
        ChallengeForm::Recorded,
        ChallengeForm::Seed,
        ChallengeForm::WithoutQop,
        ChallengeForm::QopList,
        ChallengeForm::LowerCase,
        ChallengeForm::UpperCase,
        ChallengeForm::Spaced,
        ChallengeForm::Unquoted,
        ChallengeForm::Reversed,
    ];
    let offers = [
        (vec![Algorithm::Md5], Vec::new(), false),
        (vec![Algorithm::Sha256], Vec::new(), false),
        (
            vec![Algorithm::Sha256, Algorithm::Md5],
            vec!["Basic realm=\"x\"".to_owned(), "Bearer".to_owned()],
            false,
        ),
        (vec![Algorithm::Md5, Algorithm::Sha256], vec!["Basic realm=\"x\"".to_owned()], true),
    ];
    for form in forms {
        for (algorithms, other_challenges, one_line) in offers.clone() {
            let mut settings = Settings::default();
            settings.digest =
                sim::DigestSettings { form, algorithms, other_challenges, one_line, ..settings.digest };
            let atlas = Simulator::start(settings.clone()).await.unwrap();
            let client = client(&atlas, api_key(), |_| {});
            for _ in 0..3 {
                client.list(&at()).await.unwrap_or_else(|error| panic!("{error} {:?}", settings.digest));
            }
            created(&client, "c").await;
            assert_eq!(atlas.journal().len(), 5, "{:?}", settings.digest);
        }
    }
}

#[tokio::test]
async fn a_hundred_calls_cost_a_hundred_and_one_requests() {
    let atlas = Simulator::start(Settings::default()).await.unwrap();
    let client = client(&atlas, api_key(), |_| {});
    for _ in 0..100 {
        client.list(&at()).await.unwrap();
    }
    assert_eq!(atlas.journal().len(), 101);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_calls_are_challenged_only_where_no_challenge_is_free() {
    // Responses that overtake each other.
    let latency = sim::Latency { reads: sim::Span::millis(0, 10), writes: sim::Span::millis(0, 10) };
    let settings = Settings { latency, ..Settings::default() };
    let atlas = Simulator::start(settings).await.unwrap();
    let client = client(&atlas, api_key(), |_| {});
    let here = at();
    for _ in 0..10 {
        for result in join_all((0..20).map(|_| client.list(&here))).await {
            result.unwrap();
        }
    }
    let challenges: Vec<_> = atlas.journal().into_iter().filter_map(|entry| entry.challenged).collect();
    assert!(challenges.iter().all(|why| *why == sim::Unauthenticated::NoCredentials), "{challenges:?}");
    assert!(challenges.len() <= 20, "{}", challenges.len());
}

#[tokio::test]
async fn nonces_that_serve_once_or_expire_at_once_cost_one_401_a_call() {
    for (single_use, nonce_life) in [(true, Duration::from_mins(5)), (false, Duration::from_millis(200))] {
        let mut settings = Settings::default();
        settings.digest = sim::DigestSettings { single_use, nonce_life, ..settings.digest };
        let atlas = Simulator::start(settings).await.unwrap();
        let client = client(&atlas, api_key(), |_| {});
        for _ in 0..4 {
            client.list(&at()).await.unwrap();
            let listed_at = atlas.now();
            if !single_use {
                atlas.until(|atlas| atlas.now() > listed_at + nonce_life).await;
            }
        }
        created(&client, "c").await;
        assert_eq!(atlas.executed(sim::Operation::Create), 1);
        assert_eq!(atlas.journal().len(), 10);
    }
}

#[tokio::test]
async fn two_gateways_in_strict_turn_serve_a_lone_caller_with_fresh_and_with_kept_challenges() {
    for unknown_is_stale in [true, false] {
        let mut settings = Settings::default();
        let known = sim::NonceScope::OneOfTwoGateways;
        settings.digest = sim::DigestSettings { known, unknown_is_stale, ..settings.digest };
        let atlas = Simulator::start(settings).await.unwrap();
        let kept = client(&atlas, api_key(), |_| {});
        for n in 1..=5 {
            for client in [&kept, &client(&atlas, api_key(), |_| {})] {
                client.list(&at()).await.unwrap();
            }
            for client in [&client(&atlas, api_key(), |_| {}), &kept] {
                created(client, "c").await;
            }
            assert_eq!(atlas.executed(sim::Operation::Create), 2 * n);
        }
        let challenged = atlas.count(|entry| entry.challenged.is_some());
        assert!(challenged <= 2 * 20, "{challenged} for 20 calls");
    }
}

#[tokio::test]
async fn nonces_bound_to_a_cookie_serve_call_after_call() {
    let mut settings = Settings::default();
    settings.digest.known = sim::NonceScope::WithItsCookie;
    let atlas = Simulator::start(settings).await.unwrap();
    let client = client(&atlas, api_key(), |_| {});
    for _ in 0..3 {
        client.list(&at()).await.unwrap();
        created(&client, "c").await;
    }
    assert_eq!(atlas.journal().len(), 7);
}

#[tokio::test]
async fn a_revoked_token_is_renewed_in_the_middle() {
    let atlas = Simulator::start(Settings::default()).await.unwrap();
    let client = client(&atlas, account(), |_| {});
    client.list(&at()).await.unwrap();
    atlas.revoke_tokens();
    created(&client, "c").await;
    assert_eq!(atlas.executed(sim::Operation::Create), 1);
    assert_eq!(atlas.executed(sim::Operation::Token), 2);
}

#[tokio::test]
async fn a_wrong_secret_is_named_whichever_kind_it_is() {
    let atlas = Simulator::start(Settings::default()).await.unwrap();
    for credentials in [
        Credentials::key(sim::DEFAULT_PUBLIC_KEY, "wrong-private-key").unwrap(),
        Credentials::key("nobodys1", "wrong-private-key").unwrap(),
        Credentials::service_account(sim::DEFAULT_CLIENT_ID, "wrong-secret").unwrap(),
    ] {
        let name = credentials.to_string();
        let client = client(&atlas, credentials, |_| {});
        let error = client.list(&at()).await.unwrap_err();
        assert_eq!(error.kind(), FaultKind::Unauthorized);
        assert!(error.to_string().contains(&name), "{error}");
        assert!(matches!(client.create(&at(), "c", || true).await, WriteResult::Refused(_)));
    }
    assert_eq!(atlas.executed(sim::Operation::Create), 0);
}

#[tokio::test]
async fn a_simulator_that_has_ended_is_unreachable() {
    let atlas = Simulator::start(Settings::default()).await.unwrap();
    let url = atlas.url();
    atlas.shutdown().await;
    let (client, records) = client_of(&url, |_| {});
    client.list(&at()).await.unwrap_err();
    assert_eq!(records.lines(), ["list unreachable 1"]);
}
