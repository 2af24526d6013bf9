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
    let asked = names.iter().map(|name| fixture.request_reconcile(name, "now"));
    join_all(asked).await;
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
    // Each of them is heard of all the same.
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
async fn who_shares_a_vpc_endpoint_is_told_so_without_another_listing() {
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
            let told = |object: &ServerlessPrivateEndpoint| {
                condition(object, "EndpointConnected").unwrap().message.contains("payroll") == shared
            };
            fixture.until("orders", "told", told).await;
        }
    }
    assert_eq!(fixture.atlas.count(of_orders), before);
}

#[tokio::test]
async fn what_was_just_sent_is_not_sent_again_for_a_listing_that_is_older() {
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
fn left_alone(fixture: &Fixture) -> Option<Duration> {
    let journal = fixture.atlas.journal();
    let of_project = journal.iter().filter(|entry| entry.project.as_deref() == Some(OTHER_PROJECT));
    let mut asked = of_project.skip_while(|entry| !matches!(entry.status(), Some(429 | 503)));
    let refused = asked.next().expect("it was asked once");
    asked.next().map(|next| next.at.saturating_sub(refused.at))
}

#[tokio::test]
async fn whatever_form_a_wait_is_asked_in_its_project_waits_and_no_other() {
    let limited = |value: &str| Termination::RateLimited { retry_after: Some(value.to_owned()) };
    let seconds = Duration::from_secs;
    // The response, the reason that is reported, and the minimum time for which the project gets no request.
    let asked = [
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
    join_all(asked.map(async |(ending, reason, least)| {
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
            let pause = left_alone(&fixture).unwrap();
            assert!(pause >= least, "{ending:?}: asked again after {pause:?}");
        } else {
            assert!(condition(&waiting, "Ready").unwrap().message.contains("3600 s"), "{ending:?}");
            fixture.until_reason("neighbour", reason).await;
            assert_eq!(left_alone(&fixture), None, "{ending:?}");
        }
    }))
    .await;
}

#[tokio::test]
async fn a_refused_key_is_left_alone_and_the_project_is_served_with_another() {
    let fixture = Fixture::new().await;
    let wrong = json!({
        "metadata": {"name": "wrong"},
        "stringData": {"publicApiKey": DEFAULT_PUBLIC_KEY, "privateApiKey": "not-the-private-key"},
    });
    fixture.secrets.create(&PostParams::default(), &serde_json::from_value(wrong).unwrap()).await.unwrap();
    let _operator = fixture.operator();
    fixture.create("refused", json!({"credentialsRef": {"name": "wrong"}})).await;
    fixture.until_reason("refused", "Unauthorized").await;
    let refused = || fixture.atlas.count(|entry| entry.challenged.is_some());
    let before = refused();
    fixture.create("neighbour", json!({"credentialsRef": {"name": "wrong"}})).await;
    fixture.until_reason("neighbour", "Unauthorized").await;
    assert_eq!(refused(), before, "what was refused is not asked again");
    // But on somebody's word, once for each.
    for word in ["1", "2", "3"] {
        let before = refused();
        fixture.request_reconcile("refused", word).await;
        fixture.until_reconciled("refused", word).await;
        assert!((1..=3).contains(&(refused() - before)), "{} requests", refused() - before);
    }
    fixture.create("orders", json!({})).await;
    fixture.until_reason("orders", "Reserved").await;
    assert_condition(&fixture.get("refused").await, "Ready", "False", "Unauthorized");
}

#[tokio::test]
async fn a_word_is_heard_once_through_a_pause_and_said_to_be_heard_only_then() {
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
    let heard = fixture.get("orders").await.status.unwrap().last_handled_reconcile_at;
    assert_eq!(heard.as_deref(), Some("first"), "nobody was asked for the second word");
}

/// A key that may read and not write.
async fn put_reader(fixture: &Fixture) {
    fixture.atlas.add_key("reader", Key::of_project("read-only", DEFAULT_PROJECT, Role::ReadOnly));
    fixture.put_secret(&[("publicApiKey", "reader"), ("privateApiKey", "read-only")]).await;
}

#[tokio::test]
async fn a_key_that_may_not_write_serves_observers_and_lets_go_who_has_nothing() {
    let fixture = Fixture::new().await;
    let endpoint = Endpoint::reserved(Some("somebody's".to_owned()));
    let id = fixture.atlas.insert_endpoint(DEFAULT_PROJECT, DEFAULT_INSTANCE, endpoint);
    put_reader(&fixture).await;
    let _operator = fixture.operator();
    let observe = json!({"endpointId": id, "managementPolicy": "Observe"});
    fixture.create("before", observe.clone()).await;
    fixture.until_reason("before", "Reserved").await;
    fixture.create("orders", json!({})).await;
    let refused = fixture.until_reason("orders", "Unauthorized").await;
    assert!(condition(&refused, "Ready").unwrap().message.contains("Project Owner"));
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
async fn what_one_object_was_refused_is_not_told_of_another() {
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
