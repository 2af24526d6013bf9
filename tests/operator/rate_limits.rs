//! Rate limits: a 429 delays its own scope and no other, and one listing serves many objects.

use std::time::Duration;

use atlas_simulator::{
    DEFAULT_INSTANCE, DEFAULT_PROJECT, DEFAULT_PUBLIC_KEY, Endpoint, InjectedFault, JournalEntry, Key,
    Latency, Operation, Pace, Role, Rule, Termination,
};
use futures::future::join_all;
use kube::api::PostParams;
use serde_json::json;
use spe_operator::serverless::crd::ServerlessPrivateEndpoint;
use test_support::{Fixture, VPC_ENDPOINT, assert_condition, condition};
use tokio::time::Instant;

const OTHER_PROJECT: &str = "0123456789abcdef01234567";

fn lists(entry: &JournalEntry) -> bool {
    entry.is(Operation::List) && entry.challenged.is_none()
}

#[tokio::test]
async fn one_listing_serves_all_objects_of_an_instance() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    let names: Vec<_> = (0..20).map(|n| format!("orders-{n}")).collect();
    for name in &names {
        fixture.create(name, json!({})).await;
    }
    for name in &names {
        fixture.until_reason(name, "Reserved").await;
    }
    let before = fixture.atlas.count(lists);
    fixture.atlas.configure(|settings| settings.latency = Latency::of(Duration::from_millis(300)));
    let requests = names.iter().map(|name| fixture.request_reconcile(name, "now"));
    join_all(requests).await;
    for name in &names {
        fixture.until_reconciled(name, "now").await;
    }
    let listings = fixture.atlas.count(lists) - before;
    assert!((1..=5).contains(&listings), "{listings} listings for 20 objects");
}

#[tokio::test]
async fn edits_on_many_instances_are_listed_for_no_faster_than_atlas_takes_it() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator_with(&["--poll-min=200ms"]);
    // Nothing changes in Atlas, so that nothing is polled.
    let observed = |number: usize| {
        let name = format!("instance-{number}");
        fixture.atlas.add_instance(DEFAULT_PROJECT, &name);
        let id = fixture.atlas.insert_endpoint(DEFAULT_PROJECT, &name, Endpoint::reserved(None));
        (name, id)
    };
    let observed: Vec<_> = (0..30).map(observed).collect();
    let begun = Instant::now();
    join_all(observed.iter().map(|(name, id)| {
        fixture.create(name, json!({"instanceName": name, "endpointId": id, "managementPolicy": "Observe"}))
    }))
    .await;
    let names: Vec<_> = observed.iter().map(|(name, _)| name).collect();
    for comment in ["one", "two", "three", "four"] {
        join_all(names.iter().map(|name| fixture.edit(name, json!({"comment": comment})))).await;
    }
    // Each of them is still reconciled.
    for name in names {
        let handled = |object: &ServerlessPrivateEndpoint| {
            let status = object.status.as_ref();
            status.is_some_and(|status| Some(status.observed_generation) == object.metadata.generation)
        };
        fixture.until(name, "handled", handled).await;
    }
    // Forty at once, and one each 200 ms. What the API server did not take is tried again beside these.
    let most = 41 + 15 + usize::try_from(begun.elapsed().as_millis() / 200).unwrap();
    let listings = fixture.atlas.count(lists);
    assert!((30..=most).contains(&listings), "{listings} listings where {most} are the most");
}

#[tokio::test]
async fn a_shared_vpc_endpoint_is_reported_without_another_listing() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    for name in ["orders", "payroll"] {
        fixture.atlas.add_instance(DEFAULT_PROJECT, name);
        fixture
            .create(
                name,
                json!({"instanceName": name, "cloudProviderEndpointId": format!("vpce-{}", name.len())}),
            )
            .await;
        fixture.until_reason(name, "Available").await;
    }
    let of_orders =
        |entry: &JournalEntry| entry.is(Operation::List) && entry.instance.as_deref() == Some("orders");
    // What was declared is confirmed by one more poll at the most.
    fixture.request_reconcile("orders", "settled").await;
    fixture.until_reconciled("orders", "settled").await;
    let before = fixture.atlas.count(of_orders);
    for _ in 0..5 {
        for (id, shared) in [("vpce-6", true), ("vpce-7", false)] {
            fixture.edit("payroll", json!({"cloudProviderEndpointId": id})).await;
            let reported = |object: &ServerlessPrivateEndpoint| {
                condition(object, "EndpointConnected").unwrap().message.contains("payroll") == shared
            };
            fixture.until("orders", "reported", reported).await;
        }
    }
    assert_eq!(fixture.atlas.count(of_orders), before);
}

#[tokio::test]
async fn an_older_listing_does_not_repeat_a_write() {
    let pace = Pace { connecting: Duration::from_mins(5), ..Pace::of(Duration::from_millis(200)) };
    let fixture = Fixture::at_pace(pace).await;
    let _operator = fixture.operator();
    // A neighbour on the same instance, whose endpoint is being connected, so that the instance is listed often.
    fixture.create("neighbour", json!({"cloudProviderEndpointId": "vpce-0b2"})).await;
    fixture.until_reason("neighbour", "Connecting").await;
    fixture.create("orders", json!({})).await;
    fixture.until_reason("orders", "Reserved").await;
    let before = fixture.atlas.executed(Operation::Update);
    fixture
        .atlas
        .inject(Rule::next_of(Operation::Update, InjectedFault::delayed(Duration::from_millis(1500))));
    fixture.edit("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    let shows = |object: &ServerlessPrivateEndpoint| {
        object.status.as_ref().is_some_and(|status| status.status.as_deref() == Some("INITIATING"))
    };
    fixture.until("orders", "INITIATING", shows).await;
    fixture.request_reconcile("orders", "afterwards").await;
    fixture.until_reconciled("orders", "afterwards").await;
    assert_eq!(fixture.atlas.executed(Operation::Update) - before, 1);
}

/// How long the other project was paused after its 429; `None`: it still is.
fn backoff(fixture: &Fixture) -> Option<Duration> {
    let journal = fixture.atlas.journal();
    let of_project = journal.iter().filter(|entry| entry.project.as_deref() == Some(OTHER_PROJECT));
    let mut requests = of_project.skip_while(|entry| !matches!(entry.status(), Some(429 | 503)));
    let rejected = requests.next().expect("it was requested once");
    requests.next().map(|next| next.at.saturating_sub(rejected.at))
}

#[tokio::test]
async fn each_form_of_retry_after_delays_its_own_project_only() {
    let limited = |value: &str| Termination::RateLimited { retry_after: Some(value.to_owned()) };
    let seconds = Duration::from_secs;
    // The response, the reason that is reported, and the minimum time for which the project gets no request.
    let requests = [
        (limited("6"), "RateLimited", Some(seconds(6))),
        // A date is exact to the second only.
        (Termination::RateLimitedUntil { seconds: 5 }, "RateLimited", Some(seconds(4))),
        (
            Termination::Unavailable { retry_after: Some("4".to_owned()) },
            "AtlasUnavailable",
            Some(seconds(4)),
        ),
        // What cannot be read is no time: our own, then.
        (limited("a while"), "RateLimited", Some(seconds(10))),
        // More than an hour is no time that anybody means.
        (limited("99999999999999"), "RateLimited", None),
    ];
    join_all(requests.map(async |(ending, reason, least)| {
        let fixture = Fixture::new().await;
        fixture.atlas.add_instance(OTHER_PROJECT, DEFAULT_INSTANCE);
        fixture.atlas.add_instance(OTHER_PROJECT, "second");
        let fault = InjectedFault::NotExecuted(ending.clone());
        fixture.atlas.inject(Rule::next_of(Operation::List, fault).in_project(OTHER_PROJECT));
        let _operator = fixture.operator();
        fixture.create("limited", json!({"projectId": OTHER_PROJECT})).await;
        let waiting = fixture.until_reason("limited", reason).await;
        // Another object of the project causes no request.
        fixture.create("neighbour", json!({"projectId": OTHER_PROJECT, "instanceName": "second"})).await;
        fixture.create("orders", json!({})).await;
        fixture.until_reason("orders", "Reserved").await;
        if let Some(least) = least {
            fixture.until_reason("limited", "Reserved").await;
            fixture.until_reason("neighbour", "Reserved").await;
            let pause = backoff(&fixture).unwrap();
            assert!(pause >= least, "{ending:?}: requested again after {pause:?}");
        } else {
            assert!(condition(&waiting, "Ready").unwrap().message.contains("3600 s"), "{ending:?}");
            fixture.until_reason("neighbour", reason).await;
            assert_eq!(backoff(&fixture), None, "{ending:?}");
        }
    }))
    .await;
}

#[tokio::test]
async fn a_rejected_key_is_backed_off_and_another_key_serves_the_project() {
    let fixture = Fixture::new().await;
    let wrong = json!({
        "metadata": {"name": "wrong"},
        "stringData": {"publicApiKey": DEFAULT_PUBLIC_KEY, "privateApiKey": "not-the-private-key"},
    });
    fixture.secrets.create(&PostParams::default(), &serde_json::from_value(wrong).unwrap()).await.unwrap();
    let _operator = fixture.operator();
    fixture.create("rejected", json!({"credentialsRef": {"name": "wrong"}})).await;
    fixture.until_reason("rejected", "Unauthorized").await;
    let rejected = || fixture.atlas.count(|entry| entry.challenged.is_some());
    let before = rejected();
    fixture.create("neighbour", json!({"credentialsRef": {"name": "wrong"}})).await;
    fixture.until_reason("neighbour", "Unauthorized").await;
    assert_eq!(rejected(), before, "a rejected request is not repeated");
    // But on somebody's word, once for each.
    for word in ["1", "2", "3"] {
        let before = rejected();
        fixture.request_reconcile("rejected", word).await;
        fixture.until_reconciled("rejected", word).await;
        assert!((1..=3).contains(&(rejected() - before)), "{} requests", rejected() - before);
    }
    fixture.create("orders", json!({})).await;
    fixture.until_reason("orders", "Reserved").await;
    assert_condition(&fixture.get("rejected").await, "Ready", "False", "Unauthorized");
}

#[tokio::test]
async fn a_reconcile_request_passes_a_backoff_once_and_is_echoed_then() {
    let fixture = Fixture::new().await;
    let limited =
        || InjectedFault::NotExecuted(Termination::RateLimited { retry_after: Some("3600".to_owned()) });
    fixture.atlas.inject(Rule::next_of(Operation::List, limited()).times(2));
    let _operator = fixture.operator();
    fixture.create("orders", json!({})).await;
    fixture.until_reason("orders", "RateLimited").await;
    assert_eq!(fixture.atlas.count(lists), 1);
    fixture.request_reconcile("orders", "first").await;
    fixture.until_reconciled("orders", "first").await;
    assert_eq!(fixture.atlas.count(lists), 2, "one request for the word");
    fixture.request_reconcile("orders", "second").await;
    // Another object of that project shows that what was there to do has been done.
    fixture.create("neighbour", json!({})).await;
    fixture.until_reason("neighbour", "RateLimited").await;
    assert_eq!(fixture.atlas.count(lists), 2);
    let handled = fixture.get("orders").await.status.unwrap().last_handled_reconcile_at;
    assert_eq!(handled.as_deref(), Some("first"), "the second request was not sent to Atlas");
}

/// A key that may read and not write.
async fn put_reader(fixture: &Fixture) {
    fixture.atlas.add_key("reader", Key::of_project("read-only", DEFAULT_PROJECT, Role::ReadOnly));
    fixture.put_secret(&[("publicApiKey", "reader"), ("privateApiKey", "read-only")]).await;
}

#[tokio::test]
async fn a_read_only_key_serves_observers_and_releases_empty_objects() {
    let fixture = Fixture::new().await;
    let endpoint = Endpoint::reserved(Some("somebody's".to_owned()));
    let id = fixture.atlas.insert_endpoint(DEFAULT_PROJECT, DEFAULT_INSTANCE, endpoint);
    put_reader(&fixture).await;
    let _operator = fixture.operator();
    let observe = json!({"endpointId": id, "managementPolicy": "Observe"});
    fixture.create("before", observe.clone()).await;
    fixture.until_reason("before", "Reserved").await;
    fixture.create("orders", json!({})).await;
    let rejected = fixture.until_reason("orders", "Unauthorized").await;
    assert!(condition(&rejected, "Ready").unwrap().message.contains("Project Owner"));
    fixture.create("after", observe).await;
    fixture.until_reason("after", "Reserved").await;
    for observer in ["before", "after"] {
        fixture.request_reconcile(observer, "now").await;
        let observer = fixture.until_reconciled(observer, "now").await;
        assert_condition(&observer, "Synced", "True", "ReconcileSucceeded");
    }
    // It is rejected once and not again, and is released because it has no endpoint.
    let creates = |entry: &JournalEntry| entry.is(Operation::Create);
    assert_eq!(fixture.atlas.count(creates), 1);
    fixture.delete("orders").await;
    fixture.until_gone("orders").await;
    assert_eq!(fixture.atlas.count(creates), 1);
}

#[tokio::test]
async fn a_rejected_request_is_not_reported_on_another_object() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    for name in ["payroll", "orders"] {
        fixture.atlas.add_instance(DEFAULT_PROJECT, name);
        fixture.create(name, json!({"instanceName": name})).await;
        fixture.until_reason(name, "Reserved").await;
    }
    let limited =
        InjectedFault::NotExecuted(Termination::RateLimited { retry_after: Some("3600".to_owned()) });
    fixture.atlas.inject(Rule::next_of(Operation::Delete, limited));
    fixture.delete("payroll").await;
    fixture.until_reason("payroll", "RateLimited").await;
    fixture.atlas.add_instance(DEFAULT_PROJECT, "third");
    fixture.create("third", json!({"instanceName": "third"})).await;
    let held = fixture.until_reason("third", "RateLimited").await;
    let message = &condition(&held, "Ready").unwrap().message;
    assert!(message.contains("third") && !message.contains("payroll"), "{message}");
}

#[tokio::test]
async fn no_kind_of_outage_takes_ready_away_from_an_available_endpoint() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    fixture.create("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    fixture.until_reason("orders", "Available").await;
    let outages = [
        Termination::Cut,
        Termination::CutInBody,
        Termination::Hang,
        Termination::ServerError,
        Termination::BadGateway,
        Termination::HtmlUnavailable,
        Termination::GatewayTimeout,
        Termination::Maintenance,
    ];
    for (number, outage) in outages.into_iter().enumerate() {
        fixture.atlas.inject(Rule::always(InjectedFault::NotExecuted(outage.clone())));
        let word = format!("{number}");
        fixture.request_reconcile("orders", &word).await;
        let object = fixture.until_reconciled("orders", &word).await;
        assert_condition(&object, "Ready", "True", "Available");
        assert_condition(&object, "EndpointConnected", "True", "Available");
        assert_eq!(condition(&object, "Synced").unwrap().status, "False", "{outage:?}");
        fixture.atlas.clear_rules();
        // So that each begins in a healthy state.
        fixture
            .until("orders", "synced", |object| condition(object, "Synced").unwrap().status == "True")
            .await;
    }
}
