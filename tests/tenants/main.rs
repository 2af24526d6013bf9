//! What one tenant can do to the others: nothing. One operator for the whole cluster, one namespace that attacks it in
//! every known way, and another that must be served within a second all the while, by a program that never takes more
//! than 128 MiB.
//!
//! The tenant has the rights of the chart's `edit` role, the right to write Secrets and network access to the admin
//! port. A program of its own, and one test: any other load here would count as the tenant's.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test helpers fail the test that calls them"
)]

mod attacks;
mod operator;

use std::time::Duration;

use atlas_simulator::{InjectedFault, Key, Match, Pace, Rule, Termination};
use serde_json::json;
use test_support::Fixture;
use tokio::time::Instant;

use crate::attacks::{Tenant, WEBHOOK_HANGS};
use crate::operator::SharedOperator;

/// The maximum resident memory of the operator.
const LIMIT_MIB: f64 = 128.0;

/// How much longer an object may take beside an attack than alone.
const DELAY: Duration = Duration::from_secs(1);

/// The tenant's own API key, for which Atlas never responds.
const KEY: [&str; 2] = ["tenanten", "7d1f0a52-6d1e-4b97-a0c4-51e2d7f98b61"];

/// The namespace that must be served, and how long one object takes there alone.
struct Neighbour {
    fixture: Fixture,
    alone: Duration,
}

impl Neighbour {
    /// Creates an object and waits for its endpoint.
    async fn serve(fixture: &Fixture, name: &str) -> Duration {
        let begun = Instant::now();
        fixture.create(name, json!({})).await;
        fixture.until_reason(name, "Reserved").await;
        begun.elapsed()
    }

    /// Fails unless an object is served as soon as without an attack, and the operator is within its limit.
    async fn assert_served(&self, operator: &SharedOperator, attack: &str) {
        let mut took = Self::serve(&self.fixture, &format!("beside-{attack}")).await;
        if took > self.alone + DELAY {
            // A momentary stall of the machine does not count; the effects of the tenant persist.
            took = Self::serve(&self.fixture, &format!("again-beside-{attack}")).await;
        }
        let peak = operator.peak_mib();
        println!("{attack}: an object takes {took:.1?} (alone {:.1?}), peak {peak:.1} MiB", self.alone);
        assert!(
            took <= self.alone + DELAY,
            "{attack}: an object takes {took:.1?} instead of {:.1?}",
            self.alone
        );
        assert!(peak <= LIMIT_MIB, "{attack}: the operator has taken {peak:.1} MiB");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_tenant_delays_another_namespace_by_a_second() {
    let fixture = Fixture::at_pace(Pace::of(Duration::from_millis(50))).await;
    fixture.atlas.configure(|settings| {
        settings.open = true;
        settings.keys.insert(KEY[0].to_owned(), Key::owner(KEY[1]));
    });
    let on = Match { key: Some(KEY[0].to_owned()), ..Match::default() };
    let hang = InjectedFault::NotExecuted(Termination::Hang);
    fixture.atlas.inject(Rule { on, ..Rule::always(hang) });
    let tenant = Tenant::new(fixture.control_plane, KEY).await;
    let mut operator = SharedOperator::start(&fixture, "first").await;
    let mut alone = Duration::MAX;
    for run in ["one", "two", "three"] {
        alone = alone.min(Neighbour::serve(&fixture, &format!("alone-{run}")).await);
    }
    let neighbour = Neighbour { fixture, alone };

    tenant.poison().await;
    neighbour.assert_served(&operator, "poisoned-metadata").await;
    tenant.edit_poison(60).await;
    neighbour.assert_served(&operator, "edits-of-poison").await;
    tenant.pump_claims(300).await;
    neighbour.assert_served(&operator, "claims").await;
    tenant.churn(2_000).await;
    neighbour.assert_served(&operator, "churn").await;
    tenant.fat_keys(60).await;
    neighbour.assert_served(&operator, "fat-keys").await;
    tenant.rename_keys(200).await;
    neighbour.assert_served(&operator, "names-of-keys").await;
    tenant.invent_projects(300).await;
    neighbour.assert_served(&operator, "invented-projects").await;
    let webhook = tenant.refer_to_a_kind_that_hangs(60).await;
    neighbour.assert_served(&operator, WEBHOOK_HANGS).await;
    let connections = tenant.connect(operator.admin(), 2000).await;
    neighbour.assert_served(&operator, "connections").await;
    assert!(operator.is_ready().await, "the probes are kept out by {} connections", connections.len());
    drop(connections);
    tenant.fat_objects(100).await;
    neighbour.assert_served(&operator, "fat-objects").await;

    // All that the tenant has left there is met at once.
    operator.kill().await;
    operator = SharedOperator::start(&neighbour.fixture, "second").await;
    neighbour.assert_served(&operator, "restart").await;
    drop(webhook);
}
